"""Mapping network, synthesis network and discriminator of StyleGAN.

Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative Adversarial Networks",
CVPR 2019. One part is from its successor (Karras, Laine, Aittala, Hellsten, Lehtinen and Aila,
"Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, section 4.1): instead of
progressive growing, the generator sums images of all resolutions, and the discriminator is
residual. The first paper's generator is there, too.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.networks.dcgan import WIDEST, pyramid, pyramid_widths

Design = Literal["skip", "paper"]
SLOPE = 0.2
"""Slope of the leaky ReLU below 0."""
RELU_GAIN = math.sqrt(2)
"""Factor on the weights before a leaky ReLU that keeps the variance (He et al. 2015)."""
MAPPING_RATE = 0.01
"""Learning rate of the mapping network, relative to the other networks (appendix C)."""


class EqualLinear(nn.Module):
    """A linear layer with an equalised learning rate, [N, inputs] to [N, outputs].

    The weights are stored with variance 1 and scaled by He's constant in each forward pass. Adam's
    steps do not depend on the scale of a weight, so that all layers then learn at the same relative
    speed (Karras et al. 2018, section 4.1).

    Args:
        inputs: length of the input.
        outputs: length of the output.
        gain: RELU_GAIN before a leaky ReLU, 1 elsewhere.
        rate: factor on the learning rate of this layer.
    """

    def __init__(
        self, inputs: int, outputs: int, gain: float = RELU_GAIN, rate: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain * rate / math.sqrt(inputs)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class EqualConv2d(nn.Module):
    """A convolution with an equalised learning rate; odd kernels keep the size of the image."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, gain: float = RELU_GAIN, stride: int = 1
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * kernel**2)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        padding = self.weight.shape[-1] // 2
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, padding)


class MappingNetwork(nn.Module):
    """Latent z [N, latent_dim] to the style w [N, latent_dim] (section 2).

    Attributes:
        mean: [latent_dim], the mean of w, which the training updates.
    """

    mean: Tensor

    def __init__(self, latent_dim: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EqualLinear(latent_dim, latent_dim, rate=MAPPING_RATE) for _ in range(layers)
        )
        self.register_buffer("mean", torch.zeros(latent_dim))

    def forward(self, z: Tensor) -> Tensor:
        w = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            w = F.leaky_relu(layer(w), SLOPE)
        return w


class SynthesisNetwork(nn.Module):
    """Styles [N, layers, latent_dim] to image [N, channels, size, size].

    With the design "skip" the images of all resolutions are summed, and the sum goes through tanh,
    because detectors compare it with images in [-1, 1]. Clamping would leave pixels beyond the
    range without a gradient. With "paper" the last resolution alone gives the image, with no
    activation, so that it may leave [-1, 1] a little.

    Args:
        size: side of the images: 8, 16, 32, 64, 96, 128, ...
        channels: image channels.
        latent_dim: length of a style.
        features: feature maps at full size; doubled at each halving.
        design: "skip" or "paper".
        widest: largest number of feature maps, as a multiple of `features`.

    Attributes:
        layers: number of styles per image, two for each resolution.
    """

    def __init__(
        self,
        size: int,
        channels: int,
        latent_dim: int,
        features: int,
        design: Design = "skip",
        widest: int = WIDEST,
    ) -> None:
        super().__init__()
        depth, cells = pyramid(size)
        widths = pyramid_widths(depth, features, widest)[::-1]
        grow = _Grow if design == "skip" else _GrowAsInThePaper
        self.skip = design == "skip"
        self.layers = 2 * len(widths)
        # Random as in StyleGAN2: the paper's constant of ones would be 0 after instance norm.
        self.start = nn.Parameter(torch.randn(1, widths[0], cells, cells))
        self.blocks = nn.ModuleList()
        self.to_image = nn.ModuleList()
        for level, width in enumerate(widths):
            side = cells << level
            first = grow(widths[level - 1], width, 3) if level else nn.Identity()
            self.blocks.append(
                nn.ModuleList(
                    StyledLayer(convolve, width, side, latent_dim)
                    for convolve in (first, EqualConv2d(width, width, 3))
                )
            )
            if self.skip or level == depth:
                self.to_image.append(EqualConv2d(width, channels, 1, gain=1.0))

    def forward(self, styles: Tensor) -> Tensor:
        x = self.start.expand(styles.shape[0], -1, -1, -1)
        image = torch.zeros((), device=x.device)
        for level, block in enumerate(self.blocks):
            assert isinstance(block, nn.ModuleList)
            for half, layer in enumerate(block):
                x = layer(x, styles[:, 2 * level + half])
            if self.skip:
                image = (_double(image) if level else image) + self.to_image[level](x)
        return image.tanh() if self.skip else self.to_image[-1](x)


class _Grow(EqualConv2d):
    """Doubles the size of maps, then convolves."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(_double(x))


class _GrowAsInThePaper(EqualConv2d):
    """Doubles the size of maps by copying pixels, convolves, then filters."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel)
        self.smooth = _Smooth(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.smooth(super().forward(F.interpolate(x, scale_factor=2)))


class PointwiseSynthesis(nn.Module):
    """Styles [N, layers, latent_dim] to feature vectors [N, channels, 1, 1].

    A learnt constant and layers of `width` units that a style scales and shifts, as for images. A
    vector has no places to normalise over, so all units of a layer are normalised together.
    """

    layers = 3

    def __init__(self, channels: int, latent_dim: int, width: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, width))
        self.hidden = nn.ModuleList(EqualLinear(width, width) for _ in range(self.layers))
        self.styles = nn.ModuleList(
            EqualLinear(latent_dim, 2 * width, gain=1.0) for _ in range(self.layers)
        )
        self.head = EqualLinear(width, channels, gain=1.0)

    def forward(self, styles: Tensor) -> Tensor:
        x = self.start.expand(len(styles), -1)
        for layer, style, w in zip(self.hidden, self.styles, styles.unbind(1), strict=True):
            x = F.leaky_relu(layer(x), SLOPE)
            scale, shift = style(w).chunk(2, dim=1)
            x = (1 + scale) * F.layer_norm(x, x.shape[1:]) + shift
        return self.head(x)[:, :, None, None]


class StyledLayer(nn.Module):
    """Convolution, noise, leaky ReLU and AdaIN (figure 1b), maps [N, C, side, side].

    All maps share the noise, one number per pixel, and each map has a learnt strength. Training
    draws new noise each time; evaluation uses fixed noise, so that a style gives one image.
    """

    noise: Tensor

    def __init__(self, convolve: nn.Module, maps: int, side: int, latent_dim: int) -> None:
        super().__init__()
        self.convolve = convolve
        self.strength = nn.Parameter(torch.zeros(maps, 1, 1))
        self.register_buffer("noise", torch.randn(1, 1, side, side))
        self.style = EqualLinear(latent_dim, 2 * maps, gain=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = self.convolve(x)
        noise = torch.randn_like(x[:, :1]) if self.training else self.noise
        x = F.leaky_relu(x + self.strength * noise, SLOPE)
        scale, shift = self.style(w).chunk(2, dim=1)
        return adaptive_instance_norm(x, 1 + scale, shift)


def adaptive_instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Normalise maps x [N, C, H, W] to deviation `scale` and mean `shift`, both [N, C].

    AdaIN, Huang and Belongie 2017; equation 1 of StyleGAN.
    """
    return F.instance_norm(x) * scale[:, :, None, None] + shift[:, :, None, None]


class StyleDiscriminator(nn.Module):
    """Image [N, channels, size, size] to (logits [N, 1], features of the chosen layer).

    Sizes and numbers of feature maps mirror `SynthesisNetwork`.
    """

    def __init__(self, size: int, channels: int, features: int, widest: int = WIDEST) -> None:
        super().__init__()
        depth, cells = pyramid(size)
        widths = pyramid_widths(depth, features, widest)
        self.stem = EqualConv2d(channels, features, 1)
        self.hidden = nn.ModuleList(
            _DownBlock(*pair) for pair in zip(widths, widths[1:], strict=False)
        )
        self.last = EqualConv2d(widths[-1] + 1, widths[-1], 3)
        self.head = nn.Sequential(
            EqualLinear(widths[-1] * cells**2, widths[-1]),
            nn.LeakyReLU(SLOPE),
            EqualLinear(widths[-1], 1, gain=1.0),
        )

    def forward(self, x: Tensor, layer: int = -1) -> tuple[Tensor, Tensor]:
        maps = [F.leaky_relu(self.stem(x), SLOPE)]
        for block in self.hidden:
            maps.append(block(maps[-1]))
        last = F.leaky_relu(self.last(_with_deviation(maps[-1])), SLOPE)
        return self.head(last.flatten(1)), maps[1:][layer]


class _Smooth(nn.Module):
    """The filter (1, 2, 1) / 4 in both directions, which prevents aliasing."""

    filter: Tensor

    def __init__(self, maps: int) -> None:
        super().__init__()
        line = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer(
            "filter", torch.outer(line, line).repeat(maps, 1, 1, 1), persistent=False
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.filter, padding=1, groups=len(self.filter))


class _DownBlock(nn.Module):
    """Residual block that halves the image."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.smooth = _Smooth(inputs)
        self.first = EqualConv2d(inputs, inputs, 3)
        self.shrink = EqualConv2d(inputs, outputs, 3, stride=2)
        self.shortcut = EqualConv2d(inputs, outputs, 1, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.leaky_relu(self.first(x), SLOPE)
        inner = F.leaky_relu(self.shrink(self.smooth(inner)), SLOPE)
        # The sum of two maps of variance 1 has variance 2 (StyleGAN2, section 4.1).
        return (inner + self.shortcut(F.avg_pool2d(x, 2))) / math.sqrt(2)


def _with_deviation(x: Tensor) -> Tensor:
    """Append a map that shows how much the images of the batch differ to maps [N, C, H, W].

    Minibatch standard deviation (Karras et al. 2018, section 3), against mode collapse. It is taken
    over the whole batch, so that a batch may have any size.
    """
    deviation = (x.var(0, correction=0) + 1e-8).sqrt().mean()
    return torch.cat([x, deviation.expand_as(x[:, :1])], 1)


def _double(x: Tensor) -> Tensor:
    """Double the size by bilinear interpolation, which is the filter (1, 2, 1) on copied pixels.

    The paper has the convolution before the filter; the result differs at the edges only.
    """
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
