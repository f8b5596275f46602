"""U-Net: an encoder-decoder with skip connections (Ronneberger et al. 2015; Isola et al. 2017)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.networks.dcgan import pyramid_widths


class UNet(nn.Module):
    """Image [N, in_channels, H, W] to maps [N, out_channels, H, W]; fully convolutional.

    Sides must be multiples of `stride`, 2 to the power of `depth`.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output, which has no activation.
        features: feature maps at full size; doubled at each of the first three halvings.
        depth: number of halvings.
    """

    def __init__(self, in_channels: int, out_channels: int, features: int, depth: int = 4) -> None:
        super().__init__()
        self.stride = 2**depth
        widths = pyramid_widths(depth, features)
        self.stem = _block(in_channels, features, 3, 1)
        self.down = nn.ModuleList(
            _block(above, below, 4, 2) for above, below in zip(widths, widths[1:], strict=False)
        )
        self.up = nn.ModuleList(
            _block(below + above, above, 3, 1)
            for above, below in zip(widths, widths[1:], strict=False)
        )
        self.head = nn.Conv2d(features, out_channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.stem(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        y = levels.pop()
        for up, skip in zip(reversed(self.up), reversed(levels), strict=True):
            y = up(torch.cat([F.interpolate(y, scale_factor=2), skip], 1))
        return self.head(y)


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2),
    )
