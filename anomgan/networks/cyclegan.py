"""The residual translator of CycleGAN (Zhu et al. 2017, appendix 7.2; after Johnson et al. 2016).

The image is halved twice, goes through residual blocks, and is doubled twice. StarGAN uses the same
network, with labels as additional channels.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from anomgan.networks.dcgan import initialise
from anomgan.networks.texture import changed


class TranslatorNet(nn.Module):
    """Image [N, in_channels, H, W] to image [N, channels, H, W] in [-1, 1].

    Sides must be multiples of 4.

    Args:
        in_channels: channels of the input: the image and the labels.
        channels: channels of the output image.
        features: feature maps at full size.
        blocks: residual blocks; the paper has 6 for 128 px and 9 for 256 px.
        kernel: side of the convolutions that halve and double: 3, or 4 as in StarGAN (Choi et al.
            2018, table 4).
        affine: whether instance norm learns scale and shift, as in StarGAN.
        change: whether the output is added to the input image; the sum may leave [-1, 1]. Instance
            norm is then used in the residual blocks only: elsewhere it would remove the brightness
            of the image, on which the change depends.
        smooth: whether maps are doubled by interpolation and a convolution, not by a transposed
            convolution as in the papers, and all edges are mirrored: beside zeros, a network knows
            where in the image it is, and paints blots at fixed places.
        skip: whether the last convolution also sees the maps of the first one. All others pass
            through maps of a quarter of the size, which hold light, but no edges.
        texture: whether a change has one more map: how much of the image's texture is added.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        features: int,
        blocks: int,
        kernel: Literal[3, 4] = 3,
        affine: bool = False,
        change: bool = False,
        smooth: bool = False,
        skip: bool = False,
        texture: bool = False,
    ) -> None:
        super().__init__()
        self.change, self.skip = change, skip

        def block(layer: nn.Module, width: int) -> list[nn.Module]:
            norm = nn.Identity() if change else nn.InstanceNorm2d(width, affine=affine)
            return [layer, norm, nn.ReLU()]

        edges: Literal["reflect", "zeros"] = "reflect" if smooth else "zeros"
        widths = [features, 2 * features, 4 * features]
        layers = block(_padded(in_channels, features, 7), features)
        if in_channels > channels:
            # Label channels are constant, and instance norm would remove them. (The zero padding
            # of StarGAN's authors leaves a trace of them at the edge.)
            layers[1] = nn.Identity()
        for above, below in zip(widths, widths[1:], strict=False):
            halve = nn.Conv2d(above, below, kernel, 2, 1, padding_mode=edges)
            layers += block(halve, below)
        layers += [_Residual(widths[-1], affine) for _ in range(blocks)]
        for below, above in zip(widths[:0:-1], widths[-2::-1], strict=True):
            layers += block(_doubled(below, above, kernel, smooth), above)
        made = channels + 1 if change and texture else channels
        last = _padded(2 * features if skip else features, made, 7)
        self.layers = nn.Sequential(*layers, last, nn.Tanh())
        self.apply(initialise)

    def forward(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """Translate x; each value of `beside` [N, D] becomes a constant channel."""
        inputs = x
        if beside is not None:
            maps = beside[:, :, None, None].expand(-1, -1, *x.shape[2:])
            inputs = torch.cat([x, maps], 1)
        fine = self.layers[:3](inputs)
        deep = self.layers[3:-2](fine)
        made = self.layers[-2:](torch.cat([deep, fine], 1) if self.skip else deep)
        return changed(x, made) if self.change else made


class _Residual(nn.Module):
    def __init__(self, width: int, affine: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _padded(width, width, 3),
            nn.InstanceNorm2d(width, affine=affine),
            nn.ReLU(),
            _padded(width, width, 3),
            nn.InstanceNorm2d(width, affine=affine),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _doubled(inputs: int, outputs: int, kernel: int, smooth: bool) -> nn.Module:
    if smooth:
        grow = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        return nn.Sequential(grow, _padded(inputs, outputs, 3))
    odd = kernel % 2  # an odd kernel would leave out the last row and column
    return nn.ConvTranspose2d(inputs, outputs, kernel, 2, 1, output_padding=odd)


def _padded(inputs: int, outputs: int, kernel: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, padding_mode="reflect")
