"""Eigenmaps: the principal components of whole feature maps, and the remainder they leave.

If parts always lie in the same place, a map is mostly the mean map and a few ways in which all of
it varies together: pose, light, the type of the part. As in Turk and Pentland, "Eigenfaces for
Recognition" (1991), these are the principal components of the normal maps. The remainder of a new
map is what no normal map has at that place. A missing clip shows, even if the background behind it
looks normal.

A detector sees both: the vector and its remainder. The remainder is larger at rare places of a good
part than at common ones, and the vector tells the detector which place it is.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.detectors.packing import rounded

VALUES_AT_ONCE = 2**13
"""Values of each map that are in single precision at a time, while eigenmaps are computed."""


class EigenMaps(nn.Module):
    """Turns whitened maps [N, D, h, w] into maps and remainders [N, 2 D, rows, columns].

    Args:
        shape: D, rows and columns of the grid on which maps are compared.
        count: number of components.
    """

    mean: Tensor
    components: Tensor
    scales: Tensor

    def __init__(self, shape: Sequence[int], count: int) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.register_buffer("mean", torch.zeros(self.shape))
        self.register_buffer("components", torch.zeros(count, *self.shape))
        self.register_buffer("scales", torch.ones(2))

    @classmethod
    def fit(cls, maps: Tensor, count: int, products: Tensor | None = None) -> "EigenMaps":
        """Compute the mean and the principal components of normal maps [n, D, rows, columns].

        There are fewer maps than values in a map, so the components are computed from the products
        of the maps with each other (Turk and Pentland, section 2). Places that are 0 in all maps
        are 0 in mean and components, so that they do not change the remainder of the others.

        Args:
            maps: normal ones.
            count: number of components, at most.
            products: of the maps with each other, by `multiply`; None to compute them.
        """
        fitted = cls(maps.shape[1:], min(count, len(maps) - 1))
        if products is None:
            products = multiply(maps)
        centred = products - products.mean(0) - products.mean(1, keepdim=True) + products.mean()
        variances, mixtures = torch.linalg.eigh(centred)
        kept = variances.argsort(descending=True)[: len(fitted.components)]
        lengths = variances[kept].clamp_min(1e-9 * float(variances.max()) + 1e-30).sqrt()
        weights = (mixtures[:, kept] / lengths).float().T
        sums = weights.sum(1, keepdim=True)
        # Some values at a time: all maps in single precision would be the peak of a fit's memory.
        flat = maps.flatten(1), fitted.mean.flatten(), fitted.components.flatten(1)
        parts = (one.split(VALUES_AT_ONCE, -1) for one in flat)
        for some, mean, directions in zip(*parts, strict=True):
            values = some.float()
            mean.copy_(values.mean(0))
            directions.copy_(weights @ values - sums * mean)
        return fitted

    def rounded(self) -> "EigenMaps":
        """Round the components as the model folder stores them, so that a loaded model is equal."""
        self.components.copy_(rounded(self.components))
        return self

    def forward(self, x: Tensor) -> Tensor:
        whole = to_grid(x, self.shape[1:])
        return self.join(whole, self.remainder(whole))

    def remainder(self, whole: Tensor) -> Tensor:
        """Subtract the mean and the components from maps on the grid, [N, D, rows, columns]."""
        different = (whole - self.mean).flatten(1)
        components = self.components.flatten(1)
        explained = (different @ components.T) @ components
        return (different - explained).view(-1, *self.shape)

    def join(self, whole: Tensor, remainder: Tensor) -> Tensor:
        """Join maps and their remainders, both [N, D, h, w], each in units of its deviation."""
        return torch.cat([whole / self.scales[0], remainder / self.scales[1]], 1)


def to_grid(x: Tensor, grid: Sequence[int]) -> Tensor:
    """Resize maps [N, D, h, w] to the size of the grid, [N, D, rows, columns]."""
    return F.interpolate(x, size=list(grid), mode="bilinear", align_corners=False)


def multiply(maps: Tensor) -> Tensor:
    """Multiply maps [n, D, rows, columns] with each other: float64 [n, n]."""
    products = torch.zeros(len(maps), len(maps), dtype=torch.float64)
    for some in maps.flatten(1).split(VALUES_AT_ONCE, 1):
        values = some.float()
        products += values @ values.T
    return products


def masked(maps: Tensor, counts: Tensor) -> Tensor:
    """Set the places of maps [n, D, rows, columns] to 0 that do not count."""
    return maps if counts.all() else maps * counts


def unexplained(
    maps: Tensor,
    folds: np.ndarray,
    count: int,
    counts: Tensor | None = None,
    products: Tensor | None = None,
) -> tuple[Tensor, float]:
    """Compute the remainder of each normal map by eigenmaps of the others, and the explained share.

    Args:
        maps: [n, D, rows, columns], half precision.
        folds: of each map [n]; its remainder is taken by eigenmaps of the other folds.
        count: number of components.
        counts: bool [rows, columns], the places that count; None for all.
        products: of the places that count in the maps, by `multiply`; None to compute them.

    Returns:
        Remainders [n, D, rows, columns] in half precision, and the explained share of the variance
        of all places that count. It is near 0 if parts lie in any direction.
    """
    if counts is None:
        counts = torch.ones(maps.shape[2:], dtype=torch.bool)
    seen = masked(maps, counts)
    left = torch.empty_like(maps)
    if products is None:
        products = multiply(seen)
    for fold in np.unique(folds):
        others = torch.from_numpy(folds != fold)
        eigenmaps = EigenMaps.fit(seen[others], count, products[others][:, others]).rounded()
        for member in np.flatnonzero(folds == fold).tolist():
            left[member] = eigenmaps.remainder(maps[member : member + 1].float())[0].half()
    return left, 1 - mean_square(left, counts) / mean_square(maps, counts)


def mean_square(maps: Tensor, counts: Tensor) -> float:
    """Compute the mean square of maps [n, D, rows, columns] over the places that count."""
    return float(np.mean([float(one[:, counts].float().square_().mean()) for one in maps]))
