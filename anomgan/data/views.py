"""Views of prepared images: batches for training, and covering a whole image for scoring."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from anomgan.data.labels import LabelledImages
from anomgan.data.store import ImageStore

HALF_RANGE = 127.5
"""Half of the range of a uint8 image; the networks see value / this - 1."""
LARGEST_TILE = 768
"""Side, in pixels, of what a fully convolutional network is given at once."""
Maps = dict[str, Tensor]
"""Named maps [N, C, H, W] at the resolution of the views that they were inferred from."""


def to_square(image: np.ndarray, size: int) -> np.ndarray:
    """Centre a whole-view image [h, w, C] on a square of `size`, filled up by reflection."""
    return _pad(image, *_margins(image.shape[0], size), *_margins(image.shape[1], size))


def from_square(x: Tensor, height: int, width: int) -> Tensor:
    """Undo `to_square`: the part of x [..., size, size] that an image [height, width] covers."""
    top, left = _margins(height, x.shape[-2])[0], _margins(width, x.shape[-1])[0]
    return x[..., top : top + height, left : left + width]


def overlap(size: int) -> int:
    """Pixels by which tiles of views of `size` overlap and images are padded by reflection."""
    return size // 4


def scaled(pixels: Tensor) -> Tensor:
    """Values from 0 to 255 as input of the networks, float32 in [-1, 1]."""
    return pixels.float() / HALF_RANGE - 1


def to_network(views: np.ndarray) -> Tensor:
    """Views [N, h, w, C] uint8 as x [N, C, h, w] in [-1, 1]."""
    return scaled(torch.from_numpy(views).permute(0, 3, 1, 2))


def to_pixels(x: Tensor) -> np.ndarray:
    """Undo `to_network`: x [N, C, h, w] in [-1, 1] as uint8 [N, h, w, C]."""
    pixels = ((x + 1) * HALF_RANGE).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


def squeezed(image: np.ndarray) -> np.ndarray:
    """An image [h, w, C] as [h, w] if it is grey."""
    return image[:, :, 0] if image.shape[2] == 1 else image


class ViewSampler:
    """Training batches; the batch of a step depends on (seed, step) alone.

    Args:
        store: prepared images.
        indices: those to train on.
        size: side of a view.
        batch_size: views per batch.
        whole: take whole images (centred on a square) instead of random crops.
        flip: mirror half of the views left to right.
        past_edge: crops may reach past the edge of an image, which is filled by reflection. Images
            smaller than a view are filled up in any case.
        labelled: labels of all images of the store; a batch then goes round the strata.
        batches: batches that are joined into one; their labels are the same, in the same order.
        seed: base of the randomness.
    """

    def __init__(
        self,
        store: ImageStore,
        indices: Sequence[int],
        *,
        size: int,
        batch_size: int,
        whole: bool,
        flip: bool = False,
        past_edge: bool = True,
        labelled: LabelledImages | None = None,
        batches: int = 1,
        seed: int = 0,
    ) -> None:
        self.store = store
        self.indices = list(indices)
        self.size = size
        self.batch_size = batch_size
        self.whole = whole
        self.flip = flip
        self.margin = overlap(size) if past_edge else 0
        self.labelled = labelled
        self.batches = batches
        self.seed = seed
        strata = np.zeros(0, int) if labelled is None else labelled.strata[self.indices]
        self.members = [np.array(self.indices)[strata == number] for number in np.unique(strata)]

    def __call__(self, step: int) -> list[Tensor]:
        """The uint8 views [N, C, size, size] of a step, and, if there are any, labels [N, K]."""
        rng = np.random.default_rng((self.seed, step))
        if self.labelled is None:
            places = rng.integers(len(self.indices), size=self.batch_size)
            chosen = [self.indices[place] for place in places]
        else:
            chosen = self._go_round(rng)
        views = np.stack([self._view(index, rng) for index in chosen])
        if self.flip:
            mirrored = rng.random(len(views)) < 0.5
            views[mirrored] = views[mirrored][:, :, ::-1]
        batch = [torch.from_numpy(views).permute(0, 3, 1, 2)]
        if self.labelled is not None:
            batch.append(torch.from_numpy(self.labelled.labels[chosen]))
        return batch

    def _go_round(self, rng: np.random.Generator) -> list[int]:
        """Indices from one stratum after the other, the same strata for each of the batches."""
        count, strata = self.batch_size // self.batches, len(self.members)
        turns = rng.permutation((rng.integers(strata) + np.arange(count)) % strata)
        return [int(rng.choice(self.members[turn])) for turn in np.tile(turns, self.batches)]

    def _view(self, index: int, rng: np.random.Generator) -> np.ndarray:
        if self.whole:
            return to_square(self.store[index], self.size)
        (height, width, _), side = self.store.shape(index), self.size
        top, above, below = _span(height, side, self.margin, rng)
        left, before, after = _span(width, side, self.margin, rng)
        crop = self.store.crop(index, top, left, side - above - below, side - before - after)
        return _pad(crop, above, below, before, after)


def _span(length: int, side: int, margin: int, rng: np.random.Generator) -> tuple[int, int, int]:
    """Where a crop of `side` begins, and how much of it lies before and beyond the image.

    A detector's crops extend past the image as far as tiles do in `scan`. Otherwise edges of images
    would rarely be seen in training, and cause false alarms.
    """
    first, last = sorted((-margin, length + margin - side))
    start = int(rng.integers(first, last + 1))
    before, after = max(0, -start), max(0, start + side - length)
    return max(0, start), before, after


def scan(
    image: np.ndarray,
    infer: Callable[[Tensor], Maps],
    *,
    tile: int,
    stride: int,
    margin: int,
    batch_size: int = 16,
) -> Maps:
    """Infer maps for an image of any size from overlapping tiles, blended by a smooth window.

    A fully convolutional network is given tiles much larger than its training views, so that the
    cost is about one pass over the pixels; others get tiles of their view's size.

    Args:
        image: prepared uint8 [H, W, C].
        infer: maps of a batch [N, C, h, w] in [-1, 1], each [N, c, h, w].
        tile: side of the largest tile; sides of tiles are multiples of `stride`.
        stride: sides of a tile must be multiples of this.
        margin: pixels by which neighbouring tiles overlap and the image is padded by reflection.
        batch_size: tiles per call of `infer`.

    Returns:
        Each map as [1, c, H, W].
    """
    height, width = image.shape[:2]
    tops, tile_height = _positions(height + 2 * margin, tile, stride, 2 * margin)
    lefts, tile_width = _positions(width + 2 * margin, tile, stride, 2 * margin)
    full_height, full_width = tops[-1] + tile_height, lefts[-1] + tile_width
    padded = _pad(image, margin, full_height - height - margin, margin, full_width - width - margin)
    window = torch.outer(_window(tile_height, margin), _window(tile_width, margin))
    corners = [(top, left) for top in tops for left in lefts]
    sums: Maps = {}
    total = window.new_zeros(full_height, full_width)
    for first in range(0, len(corners), batch_size):
        some = corners[first : first + batch_size]
        tiles = np.stack(
            [padded[top : top + tile_height, left : left + tile_width] for top, left in some]
        )
        for name, maps in infer(to_network(tiles)).items():
            if name not in sums:
                sums[name] = window.new_zeros(1, maps.shape[1], full_height, full_width)
            for (top, left), found in zip(some, maps, strict=True):
                area = sums[name][0, :, top : top + tile_height, left : left + tile_width]
                area += found.cpu() * window
        for top, left in some:
            total[top : top + tile_height, left : left + tile_width] += window
    inside = (..., slice(margin, margin + height), slice(margin, margin + width))
    return {name: (summed / total)[inside] for name, summed in sums.items()}


def _positions(length: int, tile: int, stride: int, overlap: int) -> tuple[list[int], int]:
    """Evenly spaced starts of tiles, and their side, that cover at least `length` pixels."""
    count = max(1, math.ceil((length - overlap) / (tile - overlap)))
    side = min(tile, _side(length, count, stride, overlap))
    smaller = _side(length, count + 1, stride, overlap)
    if side > length >= smaller:
        # One more, smaller tile: views in training do not have so much padding.
        count, side = count + 1, smaller
    starts = np.linspace(0, max(length, side) - side, count).round().astype(int)
    return starts.tolist(), side


def _side(length: int, count: int, stride: int, overlap: int) -> int:
    """The smallest side with which `count` tiles cover `length` pixels."""
    return math.ceil(((length - overlap) / count + overlap) / stride) * stride


def _window(length: int, margin: int) -> Tensor:
    """Weights that rise smoothly over the overlap and are 1 in the middle; never 0."""
    ramp = torch.arange(length, dtype=torch.float32, device="cpu") + 0.5
    distance = torch.minimum(ramp, length - ramp) / max(1, 2 * margin)
    return torch.sin(distance.clamp(max=1.0) * torch.pi / 2).square().clamp_min(1e-3)


def _margins(length: int, size: int) -> tuple[int, int]:
    before = (size - length) // 2
    return before, size - length - before


def _pad(image: np.ndarray, top: int, bottom: int, left: int, right: int) -> np.ndarray:
    return np.pad(image, ((top, bottom), (left, right), (0, 0)), mode="reflect")
