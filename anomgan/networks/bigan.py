"""The joint discriminator of a bidirectional GAN, which judges pairs of image and latent."""

import torch
from torch import Tensor, nn

from anomgan.networks.dcgan import CELLS, Discriminator, initialise


class JointDiscriminator(nn.Module):
    """Image [N, channels, size, size] and latent [N, latent_dim] to (logits [N, 1], features).

    The outputs of two branches, one for the image and one for the latent vector, are concatenated.
    The features [N, joint] are those of the joint hidden layer (Zenati et al. 2018, appendix A).

    Args:
        size: side of the images.
        channels: image channels.
        latent_dim: length of a latent vector.
        features: feature maps after the first convolution.
        joint: units of the branch of the latent vector and of the joint layer.
    """

    def __init__(
        self, size: int, channels: int, latent_dim: int, features: int, joint: int
    ) -> None:
        super().__init__()
        self.image = Discriminator(size, channels, features).hidden
        width = self.image[-1][0].out_channels * CELLS**2
        self.latent = nn.Sequential(
            nn.Linear(latent_dim, joint), nn.LeakyReLU(0.2), nn.Dropout(0.2)
        )
        self.joint = nn.Sequential(nn.Linear(width + joint, joint), nn.LeakyReLU(0.2))
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(joint, 1)
        self.apply(initialise)

    def forward(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        for block in self.image:
            x = block(x)
        features = self.joint(torch.cat([x.flatten(1), self.latent(z)], 1))
        return self.head(self.drop(features)), features
