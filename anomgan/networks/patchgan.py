"""A discriminator that judges each patch separately (Isola et al. 2017, section 3.2.2)."""

from torch import Tensor, nn

from anomgan.networks.dcgan import initialise, pyramid_widths
from anomgan.networks.spectral import spectral_norm


class PatchGAN(nn.Module):
    """Image [N, channels, H, W] to one logit per patch [N, 1, h, w].

    Args:
        channels: image channels.
        features: feature maps after the first convolution.
        layers: convolutions of stride 2; three give patches of 70 x 70 pixels.
        spectral: spectral norm instead of instance norm, which removes the brightness.
    """

    def __init__(
        self, channels: int, features: int, layers: int = 3, spectral: bool = False
    ) -> None:
        super().__init__()
        widths = pyramid_widths(layers, features)
        blocks: list[nn.Module] = [nn.Conv2d(channels, features, 4, 2, 1), nn.LeakyReLU(0.2)]
        for level, (above, below) in enumerate(zip(widths, widths[1:], strict=False), start=1):
            blocks.append(nn.Conv2d(above, below, 4, 2 if level < layers else 1, 1))
            if not spectral:
                blocks.append(nn.InstanceNorm2d(below))
            blocks.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*blocks, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        self.apply(initialise)
        if spectral:
            for layer in self.layers:
                if isinstance(layer, nn.Conv2d):
                    spectral_norm(layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
