"""The networks of StarGAN v2 (Choi et al. 2020, appendix D)."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.networks.dcgan import pyramid, pyramid_widths
from anomgan.networks.texture import changed

BOTTLENECK = 16
"""Side of the smallest grid of the generator; views below 64 pixels are halved twice anyway."""
Edges = Literal["reflect", "zeros"]
"""What a convolution sees beside the image: the image mirrored, or zeros."""


class StyledGenerator(nn.Module):
    """Image [N, channels, H, W] and style [N, style_dim] to an image of that style.

    As in the authors' code, the output has no activation; it learns to stay in [-1, 1].

    Args:
        size: side of the views in pixels; sets the number of halvings.
        channels: image channels.
        style_dim: length of a style.
        features: feature maps at full size.
        change: whether the output is added to the input image. There is then no instance norm at
            the end, because it would remove the brightness of the image. Maps are doubled by
            linear interpolation, because a change shows repeated pixels as blocks, and edges are
            mirrored, because zeros beside the image leave a frame around it.
        texture: whether a change has one more map: how much of the image's texture is added.
    """

    def __init__(
        self,
        size: int,
        channels: int,
        style_dim: int,
        features: int,
        change: bool = False,
        texture: bool = False,
    ) -> None:
        super().__init__()
        self.change = change
        halvings = max(2, int(math.log2(size / BOTTLENECK)))
        self.stride = 2**halvings
        widths = pyramid_widths(halvings, features)
        middle = widths[-1]
        edges: Edges = "reflect" if change else "zeros"
        self.stem = _conv(channels, features, edges)
        self.encode = nn.Sequential(
            *(
                _Block(above, below, halve=True, normalise=True, edges=edges)
                for above, below in zip(widths, widths[1:], strict=False)
            ),
            *(_Block(middle, middle, normalise=True, edges=edges) for _ in range(2)),
        )
        self.decode = nn.ModuleList(
            _StyledBlock(middle, middle, style_dim, edges=edges) for _ in range(2)
        )
        self.decode.extend(
            _StyledBlock(below, above, style_dim, double=True, edges=edges)
            for below, above in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Sequential(
            nn.Identity() if change else nn.InstanceNorm2d(features, affine=True),
            nn.LeakyReLU(0.2),
            nn.Conv2d(features, channels + 1 if change and texture else channels, 1),
        )

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        deep = self.encode(self.stem(x))
        for block in self.decode:
            deep = block(deep, style)
        made = self.head(deep)
        return changed(x, made) if self.change else made


class MappingNetwork(nn.Module):
    """Latent [N, latent_dim] and domain y [N] to a style [N, style_dim] of that domain.

    Four shared layers, then four for each domain.
    """

    def __init__(self, latent_dim: int, style_dim: int, domains: int, hidden: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(_linear(latent_dim, hidden), *_layers(hidden, 3))
        self.branches = nn.ModuleList(
            nn.Sequential(*_layers(hidden, 3), nn.Linear(hidden, style_dim)) for _ in range(domains)
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return _choose(self.branches, self.shared(z), y)


class ImageHeads(nn.Module):
    """Image [N, channels, size, size] and domain y [N] to values [N, outputs] of that domain.

    The style encoder has style_dim outputs, the discriminator one. Each of the `domains` has a head
    of its own. There are `features` feature maps at full size.
    """

    def __init__(self, size: int, channels: int, outputs: int, domains: int, features: int) -> None:
        super().__init__()
        depth, cells = pyramid(size)
        widths = pyramid_widths(depth, features)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, features, 3, 1, 1),
            *(
                _Block(above, below, halve=True)
                for above, below in zip(widths, widths[1:], strict=False)
            ),
            nn.LeakyReLU(0.2),
            nn.Conv2d(widths[-1], widths[-1], cells),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.heads = nn.ModuleList(nn.Linear(widths[-1], outputs) for _ in range(domains))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return _choose(self.heads, self.layers(x), y)


class _Block(nn.Module):
    """Residual block with or without instance norm; may halve the image."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        halve: bool = False,
        normalise: bool = False,
        edges: Edges = "zeros",
    ) -> None:
        super().__init__()

        def norm() -> nn.Module:
            return nn.InstanceNorm2d(inputs, affine=True) if normalise else nn.Identity()

        self.first = nn.Sequential(norm(), nn.LeakyReLU(0.2), _conv(inputs, inputs, edges))
        self.second = nn.Sequential(norm(), nn.LeakyReLU(0.2), _conv(inputs, outputs, edges))
        self.shrink = nn.AvgPool2d(2) if halve else nn.Identity()
        self.shortcut = (
            nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        deep = self.second(self.shrink(self.first(x)))
        # The authors convolve first. That is the same, and takes four times as long.
        return (deep + self.shortcut(self.shrink(x))) / math.sqrt(2)


class _StyledBlock(nn.Module):
    """Residual block with adaptive instance norm; may double the image.

    By interpolation if edges are mirrored, otherwise by repeating each pixel.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        style_dim: int,
        *,
        double: bool = False,
        edges: Edges = "zeros",
    ) -> None:
        super().__init__()
        self.doubles = double
        self.mode = "bilinear" if edges == "reflect" else "nearest"
        self.first, self.second = AdaIN(inputs, style_dim), AdaIN(outputs, style_dim)
        self.grow = _conv(inputs, outputs, edges)
        self.conv = _conv(outputs, outputs, edges)
        self.shortcut = (
            nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()
        )

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        deep = self.grow(self._resize(F.leaky_relu(self.first(x, style), 0.2)))
        deep = self.conv(F.leaky_relu(self.second(deep, style), 0.2))
        # The shortcut is not normalised: its maps keep their own statistics.
        return (deep + self._resize(self.shortcut(x))) / math.sqrt(2)

    def _resize(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode=self.mode) if self.doubles else x


class AdaIN(nn.Module):
    """Adaptive instance norm: (1 + scale) * norm(x) + shift, both linear in the style."""

    def __init__(self, width: int, style_dim: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(width)
        self.affine = nn.Linear(style_dim, 2 * width)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale, shift = self.affine(style)[:, :, None, None].chunk(2, 1)
        return (1 + scale) * self.norm(x) + shift


def _choose(branches: nn.ModuleList, x: Tensor, y: Tensor) -> Tensor:
    """The output of branch y[i] for row i."""
    every = torch.stack([branch(x) for branch in branches], 1)
    return every[torch.arange(len(y), device=y.device), y]


def _conv(inputs: int, outputs: int, edges: Edges) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, 1, 1, padding_mode=edges)


def _layers(width: int, count: int) -> list[nn.Module]:
    return [_linear(width, width) for _ in range(count)]


def _linear(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU())
