"""Mirrored and turned copies of the normal images, where few images are all that there is.

A part that lies in any direction needs many images until each direction was seen. Mirrored and
turned copies show more of them. For parts that always lie the same way they show what never occurs,
and a part the wrong way round would then pass. The normal images decide: copies are used only if
as many eigenmaps explain held-out images clearly better with them than without.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

ENOUGH = 320
"""Images with their copies; so many images need no copies."""
FLIPS = (2, 4, 6)
"""A half turn, mirrored left to right, mirrored top to bottom."""
QUARTERS = (1, 3, 5, 7)
"""Quarter turns, and the diagonals as mirrors."""
TURNS = (*FLIPS, *QUARTERS)
GAIN = 0.05
"""Share of the variance of held-out images that only eigenmaps with copies must explain."""


def turned(image: np.ndarray, turn: int) -> np.ndarray:
    """Turn an image [h, w, C] by `turn` quarters; from 4 on, mirror it as well."""
    rotated = np.rot90(image, turn % 4)
    return np.ascontiguousarray(rotated[:, ::-1] if turn >= 4 else rotated)


def draw_turns(shapes: Sequence[Sequence[int]], most: int, seed: int) -> list[tuple[int, int]]:
    """Draw the copies to try: (image, turn), each once, equally many of each image.

    Args:
        shapes: of the images, [h, w, C]; quarter turns need square images.
        most: images and copies that fit in memory.
        seed: of the draw.

    Returns:
        As many copies as fill up the images to `ENOUGH`, or all that are possible.
    """
    square = all(shape[0] == shape[1] for shape in shapes)
    turns = TURNS if square else FLIPS
    rng = np.random.default_rng((seed, 3))
    orders = [rng.permutation(turns).tolist() for _ in shapes]
    drawn = [
        (image, order[which]) for which in range(len(turns)) for image, order in enumerate(orders)
    ]
    return sorted(drawn[: max(0, min(ENOUGH, most) - len(shapes))])


def helpful_turns(
    products: Tensor, folds: np.ndarray, turns: np.ndarray, components: int
) -> tuple[int, ...]:
    """Find the turns whose copies help to explain held-out images.

    Args:
        products: of all maps, images and copies, with each other [n, n], float64.
        folds: of each map; a copy is in the fold of its image.
        turns: of each map; 0 for the images themselves.
        components: number of eigenmaps, at most.

    Returns:
        All turns, or the flips alone, whichever leaves less unexplained; none, if neither explains
        at least `GAIN` more of the images than the images alone do.
    """
    images = turns == 0
    # As many eigenmaps as the images alone can have: more of them explain more of anything.
    components = min(components, int(images.sum() - np.bincount(folds[images]).max()) - 1)
    if components < 1:
        return ()
    options = ((), FLIPS, TURNS)
    left = [
        _unexplained(products, folds, np.isin(turns, (0, *option)), images, components)
        for option in options
    ]
    best = int(np.argmin(left))
    power = float(products.diagonal()[torch.from_numpy(images)].sum())
    return options[best] if left[0] - left[best] >= GAIN * power else ()


def _unexplained(
    products: Tensor, folds: np.ndarray, used: np.ndarray, images: np.ndarray, components: int
) -> float:
    """The power that eigenmaps of the used maps of other folds leave of the images of each fold.

    All is computed from the products of the maps (Turk and Pentland, section 2).
    """
    power = 0.0
    for fold in np.unique(folds):
        others = torch.from_numpy(used & (folds != fold))
        held = torch.from_numpy(images & (folds == fold))
        among, across = products[others][:, others], products[held][:, others]
        mean = among.mean()
        centred = among - among.mean(0) - among.mean(1, keepdim=True) + mean
        variances, mixtures = torch.linalg.eigh(centred)
        kept = variances[-components:] > 1e-9 * variances[-1]
        scaled = mixtures[:, -components:][:, kept] / variances[-components:][kept].sqrt()
        different = across - across.mean(1, keepdim=True) - among.mean(0) + mean
        lengths = products.diagonal()[held] - 2 * across.mean(1) + mean
        power += float((lengths - (different @ scaled).square().sum(1)).sum())
    return power
