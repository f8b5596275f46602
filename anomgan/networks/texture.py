"""Texture: what a discriminator should see beside the image, and a generator should change."""

import torch
import torch.nn.functional as F
from torch import Tensor

GAIN = 8
"""Light varies about this many times as much as texture."""


def texture(x: Tensor) -> Tensor:
    """What is left of images [N, C, H, W] without their 3 x 3 means; edges are mirrored."""
    return x - F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)


def with_texture(x: Tensor) -> Tensor:
    """Images [N, C, H, W] and their texture, amplified, [N, 2C, H, W].

    A network without norm layers learns first from what varies most, and that is light.
    """
    return torch.cat([x, GAIN * texture(x)], 1)


def changed(x: Tensor, made: Tensor) -> Tensor:
    """Images x [N, C, H, W], changed by what a generator made.

    Args:
        x: the images.
        made: what is added [N, C, H, W]; or [N, C + 1, H, W], whose last map says how much of the
            texture of x is added, too: -1 removes it, 1 doubles it.
    """
    channels = x.shape[1]
    if made.shape[1] == channels:
        return x + made
    return x + made[:, :channels] + made[:, channels:] * texture(x)
