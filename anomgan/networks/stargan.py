"""The discriminator of StarGAN (Choi et al. 2018, table 5); its generator is `TranslatorNet`."""

from torch import Tensor, nn

from anomgan.networks.dcgan import pyramid_depth


class StarGANDiscriminator(nn.Module):
    """Image [N, channels, size, size] to (values of patches [N, 1, 2, 2], label logits [N, K]).

    It has no normalisation because of the gradient penalty.

    Args:
        size: side of the images: 8, 16, 32, 64, 128, ...
        channels: image channels.
        labels: K.
        features: feature maps after the first convolution; doubled at each halving down to 2 x 2.
    """

    def __init__(self, size: int, channels: int, labels: int, features: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        above = channels
        for level in range(pyramid_depth(size) + 1):
            below = features * 2**level
            layers += [nn.Conv2d(above, below, 4, 2, 1), nn.LeakyReLU(0.01)]
            above = below
        self.layers = nn.Sequential(*layers)
        self.source = nn.Conv2d(above, 1, 3, 1, 1, bias=False)
        self.domain = nn.Conv2d(above, labels, 2, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        deep = self.layers(x)
        return self.source(deep), self.domain(deep).flatten(1)
