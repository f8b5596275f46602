"""Differentiable augmentation, for GANs that are trained on few images.

Zhao, Liu, Lin, Zhu and Han, "Differentiable Augmentation for Data-Efficient GAN Training",
NeurIPS 2020, with all three kinds (section 3.2: colour, translation, cutout). The
discriminator sees augmented images only, real and generated, in its own update and in the
generator's. It cannot memorise the few real images, and the generator does not learn to imitate the
augmentation.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

BRIGHTNESS = 0.5
"""Largest shift of the values of an image, which are in [-1, 1]."""
SATURATION = 1.0
"""Colour is multiplied by a factor between 1 - this and 1 + this."""
CONTRAST = 0.5
"""Contrast is multiplied by a factor between 1 - this and 1 + this."""
TRANSLATION = 1 / 8
"""Largest translation in each direction, as a share of the side."""
CUTOUT = 1 / 2
"""Side of the cutout square, as a share of the side of the image."""


def augment(x: Tensor) -> Tensor:
    """Augment each image [N, C, H, W] at random; differentiable with respect to x.

    Values may leave [-1, 1]. Pixels from beyond the edge and in the cutout are 0, mid grey.
    """
    return _cut_out(_translate(_recolour(x)))


def _recolour(x: Tensor) -> Tensor:
    """Change brightness, then saturation, then contrast."""
    x = x + BRIGHTNESS * _spread(x)
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * (1 + SATURATION * _spread(x))
    level = x.mean(dim=(1, 2, 3), keepdim=True)
    return level + (x - level) * (1 + CONTRAST * _spread(x))


def _translate(x: Tensor) -> Tensor:
    """Move each image by whole pixels."""
    count, _, height, width = x.shape
    down, across = round(height * TRANSLATION), round(width * TRANSLATION)
    padded = F.pad(x, (across, across, down, down)).permute(0, 2, 3, 1)
    rows = _run(_whole(count, 2 * down + 1, x), height)
    columns = _run(_whole(count, 2 * across + 1, x), width)
    image = torch.arange(count, device=x.device)[:, None, None]
    return padded[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cut_out(x: Tensor) -> Tensor:
    """Blank a square around a random pixel; the square may reach beyond the edge."""
    rows = _cut(x.shape[2], x)
    columns = _cut(x.shape[3], x)
    hole = rows[:, :, None] & columns[:, None, :]
    return x.masked_fill(hole[:, None], 0.0)


def _cut(length: int, x: Tensor) -> Tensor:
    """Which positions along one axis are inside the square, [N, length]."""
    side = round(length * CUTOUT)
    first = _whole(len(x), length, x) - side // 2
    place = torch.arange(length, device=x.device)
    return (place >= first[:, None]) & (place < first[:, None] + side)


def _run(first: Tensor, length: int) -> Tensor:
    """`length` consecutive integers that start at each of `first` [N], [N, length]."""
    return first[:, None] + torch.arange(length, device=first.device)


def _spread(x: Tensor) -> Tensor:
    """A random number in [-1, 1] for each image, [N, 1, 1, 1]."""
    return 2 * torch.rand(len(x), 1, 1, 1, device=x.device) - 1


def _whole(count: int, below: int, x: Tensor) -> Tensor:
    """Random integers from 0 to `below` - 1, [count]."""
    return torch.randint(below, (count,), device=x.device)
