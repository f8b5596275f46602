"""Networks of a bidirectional GAN, whose discriminator judges pairs of image and latent.

`JointDiscriminator` goes with the pyramids of DCGAN. The `Digit` networks are those of EGBAD's
authors for MNIST (Zenati et al. 2018, appendix A, and their code), which halve the image twice. The
paper has `size` 28, `features` 64 and `joint` 1024.
"""

import torch
from torch import Tensor, nn

from anomgan.errors import SettingsError
from anomgan.networks.dcgan import Discriminator, initialise

SLOPE = 0.1
"""Slope of the leaky ReLU below 0 in the authors' code."""
HALVED = 4
"""Two halvings: sides of images are multiples of this."""


class JointDiscriminator(nn.Module):
    """Image [N, channels, size, size] and latent [N, latent_dim] to (logits [N, 1], features).

    The outputs of two branches, one for the image and one for the latent vector, are concatenated.
    The features [N, joint] are those of the joint hidden layer (Zenati et al. 2018, appendix A).
    The branch of the latent vector has as many units.
    """

    def __init__(
        self, size: int, channels: int, latent_dim: int, features: int, joint: int
    ) -> None:
        super().__init__()
        discriminator = Discriminator(size, channels, features)
        self.image = discriminator.hidden
        width = discriminator.head.weight[0].numel()  # all values that its last layer sees
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


class DigitEncoder(nn.Sequential):
    """Image [N, channels, size, size] to latent [N, latent_dim]; its first layer is linear.

    The middle layer has `features` feature maps; the others have half and twice as many.

    Raises:
        SettingsError: `size` is not a multiple of 4, or `features` is odd.
    """

    def __init__(self, size: int, channels: int, latent_dim: int, features: int) -> None:
        cells = _cells(size)
        if features % 2:
            raise SettingsError(f"network.features = {features}: must be even")
        super().__init__(
            nn.Conv2d(channels, features // 2, 3, 1, 1),
            nn.Conv2d(features // 2, features, 3, 2, 1),
            nn.BatchNorm2d(features),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(features, 2 * features, 3, 2, 1),
            nn.BatchNorm2d(2 * features),
            nn.LeakyReLU(SLOPE),
            nn.Flatten(),
            nn.Linear(2 * features * cells**2, latent_dim),
        )
        self.apply(_initialise)


class DigitGenerator(nn.Sequential):
    """Latent [N, latent_dim, 1, 1] to image [N, channels, size, size] in [-1, 1].

    The first layer has `joint` units, and the last layer but one `features` feature maps.
    """

    def __init__(
        self, size: int, channels: int, latent_dim: int, features: int, joint: int
    ) -> None:
        cells = _cells(size)
        grid = 2 * features * cells**2
        super().__init__(
            nn.Flatten(),
            nn.Linear(latent_dim, joint),
            nn.BatchNorm1d(joint),
            nn.ReLU(),
            nn.Linear(joint, grid),
            nn.BatchNorm1d(grid),
            nn.ReLU(),
            nn.Unflatten(1, (2 * features, cells, cells)),
            nn.ConvTranspose2d(2 * features, features, 4, 2, 1),
            nn.BatchNorm2d(features),
            nn.ReLU(),
            nn.ConvTranspose2d(features, channels, 4, 2, 1),
            nn.Tanh(),
        )
        self.apply(_initialise)


class DigitDiscriminator(nn.Module):
    """Image [N, channels, size, size] and latent [N, latent_dim] to (logits [N, 1], features).

    Both convolutions have `features` feature maps. The features [N, joint] are those of the joint
    layer. The branch of the latent vector has half as many units.
    """

    def __init__(
        self, size: int, channels: int, latent_dim: int, features: int, joint: int
    ) -> None:
        super().__init__()
        width = features * _cells(size) ** 2
        self.image = nn.Sequential(
            nn.Conv2d(channels, features, 4, 2, 1),
            nn.LeakyReLU(SLOPE),
            nn.Dropout(0.5),
            nn.Conv2d(features, features, 4, 2, 1),
            nn.BatchNorm2d(features),
            nn.LeakyReLU(SLOPE),
            nn.Dropout(0.5),
            nn.Flatten(),
        )
        self.latent = nn.Sequential(
            nn.Linear(latent_dim, joint // 2), nn.LeakyReLU(SLOPE), nn.Dropout(0.5)
        )
        self.joint = nn.Sequential(
            nn.Linear(width + joint // 2, joint), nn.LeakyReLU(SLOPE), nn.Dropout(0.5)
        )
        self.head = nn.Linear(joint, 1)
        self.apply(_initialise)

    def forward(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        features = self.joint(torch.cat([self.image(x), self.latent(z)], 1))
        return self.head(features), features


def _cells(size: int) -> int:
    if size % HALVED:
        raise SettingsError(f"view.size = {size}: must be a multiple of {HALVED}")
    return size // HALVED


def _initialise(layer: nn.Module) -> None:
    """Draw weights from N(0, 0.02); the scales of batch norm stay 1."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(layer.weight, 0.0, 0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
