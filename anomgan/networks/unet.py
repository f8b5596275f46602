"""U-Net: an encoder-decoder with skip connections (Ronneberger et al. 2015; Isola et al. 2017)."""

import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.networks.dcgan import pyramid_widths

BLOCK = 2
"""Side, in pixels, of the blocks that become channels."""
DEPTH = 4
"""Number of halvings."""


class UNet(nn.Module):
    """Image [N, in_channels, H, W] to maps [N, out_channels, H, W]; fully convolutional.

    Blocks of 2 x 2 pixels become channels at the input and pixels again at the output (Shi et al.
    2016). Skip connections are added instead of concatenated (Chaurasia and Culurciello 2017). Both
    together save seven eighths of the arithmetic. Sides must be multiples of `stride`.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output, which has no activation.
        features: feature maps of the blocks; doubled at each of the first three halvings.
    """

    def __init__(self, in_channels: int, out_channels: int, features: int) -> None:
        super().__init__()
        self.stride = BLOCK * 2**DEPTH
        widths = pyramid_widths(DEPTH, features)
        levels = list(zip(widths, widths[1:], strict=False))
        self.stem = _block(in_channels * BLOCK**2, features, 3, 1)
        self.down = nn.ModuleList(_block(above, below, 4, 2) for above, below in levels)
        self.narrow = nn.ModuleList(
            nn.Conv2d(below, above, 1, bias=False) for above, below in levels
        )
        self.up = nn.ModuleList(_block(above, above, 3, 1) for above, _ in levels)
        self.head = nn.Conv2d(features, out_channels * BLOCK**2, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.stem(F.pixel_unshuffle(x, BLOCK))]
        for down in self.down:
            levels.append(down(levels[-1]))
        y = levels.pop()
        for narrow, up, skip in zip(
            reversed(self.narrow), reversed(self.up), reversed(levels), strict=True
        ):
            y = up(F.interpolate(narrow(y), scale_factor=2, mode="bilinear") + skip)
        return F.pixel_shuffle(self.head(y), BLOCK)


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2),
    )
