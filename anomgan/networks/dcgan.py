"""Strided convolution pyramids after DCGAN (Radford et al. 2016, section 3).

An encoder halves the image down to 4 x 4 cells (5 x 5 to 7 x 7 for sizes such as 96 = 6 * 2^4), a
decoder does the reverse, and a discriminator is an encoder with one output. The layer at the cells
is either

- "vector": one convolution over all cells, so that a view has a single latent vector (the papers),
- or "map": a 1 x 1 convolution, so that every cell has a latent vector of its own. Such a network
  is fully convolutional: it takes images of any size that is a multiple of its stride.
"""

from typing import Literal

from torch import Tensor, nn

from anomgan.errors import SettingsError
from anomgan.networks.spectral import spectral_norm

Bottleneck = Literal["vector", "map"]
FEWEST, MOST = 4, 7
"""Allowed side of the smallest grid of a pyramid, in cells."""
DEEPEST = 8
"""Most halvings of a view."""
WIDEST = 8
"""Largest number of feature maps, as a multiple of the number at full size."""


def pyramid(size: int) -> tuple[int, int]:
    """Number of halvings from a `size` x `size` view to the smallest grid, and its side in cells.

    Raises:
        SettingsError: `size` is not 4, 5, 6 or 7 times a power of two, or is below 8.
    """
    for depth in range(1, DEEPEST + 1):
        cells = size >> depth
        if cells << depth == size and FEWEST <= cells <= MOST:
            return depth, cells
    raise SettingsError(
        f"view.size = {size}: must be 4, 5, 6 or 7 times a power of two, such as 32, 64, 96 or 128"
    )


def stride_of(size: int, bottleneck: Bottleneck) -> int | None:
    """What the sides of an image must be multiples of; None if they must be `size`."""
    return 2 ** pyramid(size)[0] if bottleneck == "map" else None


def pyramid_widths(halvings: int, features: int, widest: int = WIDEST) -> list[int]:
    """Feature maps from full size down: doubled at each halving, up to `widest` times as many."""
    return [features * min(2**level, widest) for level in range(halvings + 1)]


def initialise(module: nn.Module) -> None:
    """Draw convolution weights from N(0, 0.02) and batch-norm scales from N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def he_initialise(module: nn.Module) -> None:
    """Draw weights so that a ReLU network without norm layers keeps the scale of its maps.

    He et al. 2015, equation 10; biases are 0.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Encoder(nn.Module):
    """Image [N, channels, H, W] to latent [N, latent_dim, h, w].

    Args:
        size: side of the views in pixels; sets the depth.
        channels: image channels.
        latent_dim: length of a latent vector.
        features: feature maps after the first convolution; doubled by each further one.
        bottleneck: "vector" (h = w = 1 for a view of `size`) or "map" (one cell per stride).
    """

    def __init__(
        self,
        size: int,
        channels: int,
        latent_dim: int,
        features: int,
        bottleneck: Bottleneck = "vector",
    ) -> None:
        super().__init__()
        depth, cells = pyramid(size)
        top = cells if bottleneck == "vector" else 1
        width = features * 2 ** (depth - 1)
        self.layers = nn.Sequential(
            *_halvings(channels, features, depth), nn.Conv2d(width, latent_dim, top, bias=False)
        )
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Decoder(nn.Module):
    """Latent [N, latent_dim, h, w] to image [N, channels, H, W] in [-1, 1]; mirrors `Encoder`."""

    def __init__(
        self,
        size: int,
        channels: int,
        latent_dim: int,
        features: int,
        bottleneck: Bottleneck = "vector",
    ) -> None:
        super().__init__()
        depth, cells = pyramid(size)
        width = features * 2 ** (depth - 1)
        top = cells if bottleneck == "vector" else 1
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent_dim, width, top, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        for _ in range(1, depth):
            layers += [
                nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width // 2),
                nn.ReLU(inplace=True),
            ]
            width //= 2
        layers += [nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class Discriminator(nn.Module):
    """Image [N, channels, H, W] to (logits [N, 1, h, w], features of the chosen hidden layer).

    Args:
        size: side of the views; for such a view h = w = 1.
        channels: image channels.
        features: feature maps after the first convolution.
        spectral: spectral norm (Miyato et al. 2018) instead of batch norm. It bounds the slope of
            the discriminator, so that the generator still learns from a strong one. Its layers have
            biases, as batch norm has them: without any, D(x / 4) would be D(x) / 4.
    """

    def __init__(self, size: int, channels: int, features: int, spectral: bool = False) -> None:
        super().__init__()
        depth, cells = pyramid(size)
        blocks = _halvings(channels, features, depth, batch_norm=not spectral)
        head = nn.Conv2d(features * 2 ** (depth - 1), 1, cells, bias=spectral)
        self.hidden = nn.ModuleList(blocks)
        self.head = head
        self.apply(initialise)
        if spectral:
            for layer in [*(block[0] for block in blocks), head]:
                spectral_norm(layer)

    def forward(self, x: Tensor, layer: int = -1) -> tuple[Tensor, Tensor]:
        maps = []
        for block in self.hidden:
            x = block(x)
            maps.append(x)
        return self.head(x), maps[layer]


def _halvings(
    channels: int, features: int, depth: int, batch_norm: bool = True
) -> list[nn.Sequential]:
    """Convolutions of stride 2, batch norm in all but the first (Radford et al., section 3).

    With batch norm no convolution has a bias, as in the authors' code; without it, each has one.
    """
    blocks = []
    for level in range(depth):
        width = features * 2**level
        inputs = width // 2 if level else channels
        layers: list[nn.Module] = [nn.Conv2d(inputs, width, 4, 2, 1, bias=not batch_norm)]
        if level and batch_norm:
            layers.append(nn.BatchNorm2d(width))
        blocks.append(nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True)))
    return blocks
