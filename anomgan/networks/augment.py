"""Differentiable augmentation, for GANs that are trained on few images.

Zhao, Liu, Lin, Zhu and Han, "Differentiable Augmentation for Data-Efficient GAN Training",
NeurIPS 2020, section 3.2: translation and cutout. The discriminator sees augmented images only,
real and generated, in its own update and in the generator's. It can't learn a few real images by
heart, and the generator does not learn to imitate the augmentation. The paper's third kind, colour,
is left out: light is often what tells domains apart.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

TRANSLATION = 1 / 8
"""Largest translation in each direction, as a share of the side."""
CUTOUT = 1 / 2
"""Side of the cutout square, as a share of the side of the image."""


def augment(x: Tensor) -> Tensor:
    """Translate each image [N, C, H, W] at random and cut a square out; differentiable in x.

    All channels of an image are augmented alike. Pixels from beyond the edge and in the square are
    0, mid grey.
    """
    return _cut_out(_translate(x))


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
    rows, columns = _cut(x.shape[2], x), _cut(x.shape[3], x)
    hole = rows[:, :, None] & columns[:, None, :]
    return x.masked_fill(hole[:, None], 0.0)


def _cut(length: int, x: Tensor) -> Tensor:
    """Which positions along one axis are inside the square, bool [N, length]."""
    side = round(length * CUTOUT)
    first = _whole(len(x), length, x) - side // 2
    place = torch.arange(length, device=x.device)
    return (place >= first[:, None]) & (place < first[:, None] + side)


def _run(first: Tensor, length: int) -> Tensor:
    """`length` consecutive integers that start at each of `first` [N], [N, length]."""
    return first[:, None] + torch.arange(length, device=first.device)


def _whole(count: int, below: int, x: Tensor) -> Tensor:
    """Random integers from 0 to `below` - 1, [count]."""
    return torch.randint(below, (count,), device=x.device)
