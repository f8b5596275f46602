"""Residual generator and critic of WGAN-GP (Gulrajani et al. 2017, appendix F, 64 x 64).

Every block doubles or halves the image, whose `size` is 8, 16, 32, 64, 96, 128, ... There are
`features` feature maps at full size, and twice as many at each halving, up to 8 times as many. The
critic has layer norm instead of batch norm, because the gradient penalty is defined for each image
separately. The encoder of f-AnoGAN's authors is the critic with batch norm and more outputs.
"""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.networks.dcgan import pyramid, pyramid_widths


class ResNetGenerator(nn.Module):
    """Latent [N, latent_dim, 1, 1] to image [N, channels, size, size] in [-1, 1]."""

    def __init__(self, size: int, channels: int, latent_dim: int, features: int) -> None:
        super().__init__()
        depth, self.cells = pyramid(size)
        widths = pyramid_widths(depth, features)[::-1]
        self.start = nn.Linear(latent_dim, widths[0] * self.cells**2)
        self.blocks = nn.Sequential(
            *(_UpBlock(*pair) for pair in zip(widths, widths[1:], strict=False))
        )
        self.head = nn.Sequential(
            nn.BatchNorm2d(features), nn.ReLU(), nn.Conv2d(features, channels, 3, 1, 1), nn.Tanh()
        )

    def forward(self, z: Tensor) -> Tensor:
        cells = self.start(z.flatten(1)).unflatten(1, (-1, self.cells, self.cells))
        return self.head(self.blocks(cells))


class ResNetCritic(nn.Module):
    """Image [N, channels, size, size] to (values [N, 1], features of the chosen layer)."""

    def __init__(self, size: int, channels: int, features: int) -> None:
        super().__init__()
        depth, cells = pyramid(size)
        widths = pyramid_widths(depth, features)
        self.stem = nn.Conv2d(channels, features, 3, 1, 1)
        self.hidden = nn.ModuleList(
            _DownBlock(*pair, _layer_norm) for pair in zip(widths, widths[1:], strict=False)
        )
        self.head = nn.Linear(widths[-1] * cells**2, 1)

    def forward(self, x: Tensor, layer: int = -1) -> tuple[Tensor, Tensor]:
        maps = [self.stem(x)]
        for block in self.hidden:
            maps.append(block(maps[-1]))
        return self.head(maps[-1].flatten(1)), maps[1:][layer]


class ResNetEncoder(nn.Sequential):
    """Image [N, channels, size, size] to latent [N, latent_dim] (Schlegl et al. 2019)."""

    def __init__(self, size: int, channels: int, latent_dim: int, features: int) -> None:
        depth, cells = pyramid(size)
        widths = pyramid_widths(depth, features)
        super().__init__(
            nn.Conv2d(channels, features, 3, 1, 1),
            *(_DownBlock(*pair, nn.BatchNorm2d) for pair in zip(widths, widths[1:], strict=False)),
            nn.Flatten(),
            nn.Linear(widths[-1] * cells**2, latent_dim),
        )


class _UpBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.grow = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.second = nn.Sequential(
            nn.BatchNorm2d(outputs), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, 1, 1)
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.grow(F.interpolate(self.first(x), scale_factor=2))
        # A 1 x 1 convolution commutes with copying pixels, and is cheaper before it.
        return self.second(inner) + F.interpolate(self.shortcut(x), scale_factor=2)


class _DownBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            norm(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, inputs, 3, 1, 1, bias=False),
            norm(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 3, 1, 1),
            nn.AvgPool2d(2),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + self.shortcut(x)


def _layer_norm(maps: int) -> nn.Module:
    return nn.GroupNorm(1, maps)
