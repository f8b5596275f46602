"""Computes the evidence of images, or of feature maps, with the networks of a method."""

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from anomgan.data.views import (
    HALF_RANGE,
    LARGEST_TILE,
    Maps,
    from_square,
    overlap,
    scan,
    squeezed,
    to_network,
    to_pixels,
    to_square,
)
from anomgan.detectors.feature_space import Grid
from anomgan.detectors.heatmaps import Evidence, blur
from anomgan.detectors.method import Method

Item = TypeVar("Item")
VIEWS_AT_ONCE = 64
"""Views in one batch while scoring."""
SURROUNDINGS = 15.0
"""Pixels; the Gaussian over the surroundings that a residual is compared with."""


@dataclass(frozen=True)
class Look:
    """The output of the networks for one prepared image.

    Attributes:
        prepared: uint8 [h, w] or [h, w, 3], the image as the networks see it.
        reconstruction: uint8 of the same shape; None in feature space.
        evidence: of each member of the method: maps by name, those of "residual", "squared",
            "contrast" and the method's own that have a weight; [h, w], or one value for each cell
            of the features.
    """

    prepared: np.ndarray
    reconstruction: np.ndarray | None
    evidence: list[Evidence]


def look(method: Method, images: Iterable[np.ndarray]) -> Iterator[Look]:
    """Pass prepared images [h, w, C] of any size through the networks, view by view."""
    if method.grid is not None:
        grid = method.grid
        return (_look_at_features(method, grid, image) for image in images)
    if method.settings.view.kind == "whole":
        return _look_at_wholes(method, images)
    return (_look(method, image, _scan(method, image)) for image in images)


def evidence_of(method: Method, features: Tensor, shape: tuple[int, ...] | None = None) -> Evidence:
    """Compute the evidence of a map [D, h, w] in feature space, cell by cell.

    Args:
        method: with one network.
        features: the map.
        shape: of the image, if the map is that of the image with its border.
    """
    maps = _compute(method, method.see_features, features[None].float())
    return _softened(method, maps, shape)[0]


def batches(images: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield images in lists of `size`; the last one may be shorter."""
    remaining = iter(images)
    while some := list(islice(remaining, size)):
        yield some


def _look_at_wholes(method: Method, images: Iterable[np.ndarray]) -> Iterator[Look]:
    size = method.settings.view.size
    for some in batches(images, VIEWS_AT_ONCE):
        squares = np.stack([to_square(image, size) for image in some])
        found = _see(method, to_network(squares))
        for index, image in enumerate(some):
            maps = {
                name: from_square(m[index : index + 1], *image.shape[:2])
                for name, m in found.items()
            }
            yield _look(method, image, maps)


def _look_at_features(method: Method, grid: Grid, image: np.ndarray) -> Look:
    maps = _compute(method, method.see, to_network(grid.surround(image)[None]))
    return Look(squeezed(image), None, _softened(method, maps, image.shape))


def _softened(method: Method, maps: Maps, shape: tuple[int, ...] | None) -> list[Evidence]:
    """Keep the maps [1, members, h, w] that have a weight, cut off their border, and smooth them.

    Args:
        method: whose weights count.
        maps: in feature space.
        shape: of the image; None for maps without a border.
    """
    smooth = method.settings.score.smooth
    counted = {name: m for name, m in maps.items() if name in method.counted}
    if shape is not None and method.grid is not None:
        counted = {name: method.grid.crop(m, shape) for name, m in counted.items()}
    each = zip(*(m[0].numpy() for m in counted.values()))
    return [{n: blur(m, smooth) if smooth else m for n, m in zip(counted, one)} for one in each]


def _scan(method: Method, prepared: np.ndarray) -> Maps:
    """Compute the maps of a whole image from overlapping tiles."""
    size = method.settings.view.size
    if method.stride is None:
        tile, stride, batch = size, size, VIEWS_AT_ONCE
    else:
        tile, stride, batch = LARGEST_TILE, method.stride, 1
    see = partial(_see, method)
    return scan(prepared, see, tile=tile, stride=stride, margin=overlap(size), batch_size=batch)


def _look(method: Method, prepared: np.ndarray, maps: Maps) -> Look:
    reconstruction = maps.pop("reconstruction")
    rebuilt = reconstruction[0].permute(1, 2, 0).numpy()
    names = method.counted
    evidence = {name: values[0, 0].numpy() for name, values in maps.items() if name in names}
    evidence |= compare(prepared, rebuilt, method.settings.score.smooth, names)
    return Look(squeezed(prepared), squeezed(to_pixels(reconstruction)[0]), [evidence])


def _see(method: Method, x: Tensor) -> Maps:
    """Compute maps of views x [N, C, h, w] in pixel space, each as large as a view."""
    maps = _compute(method, method.see, x)
    return {name: m.expand(-1, -1, *x.shape[-2:]) for name, m in maps.items()}


def _compute(method: Method, see: Callable[[Tensor], Maps], x: Tensor) -> Maps:
    mixed = method.settings.score.precision == "bfloat16"
    with torch.no_grad(), torch.autocast(method.device.type, torch.bfloat16, enabled=mixed):
        return {name: m.float().cpu() for name, m in see(x.to(method.device)).items()}


def compare(prepared: np.ndarray, rebuilt: np.ndarray, sigma: float, names: Set[str]) -> Evidence:
    """Compute the evidence in the difference between an image and its reconstruction.

    Args:
        prepared: uint8 [h, w, C].
        rebuilt: float32 [h, w, C] in [-1, 1].
        sigma: pixels; Gaussian that smooths residuals.
        names: evidence to compute; the rest is left out, because blurring a large image is slow.
    """
    evidence: Evidence = {}
    if not names & {"residual", "squared", "contrast"}:
        return evidence
    difference = prepared.astype(np.float32) / HALF_RANGE - 1 - rebuilt
    if "squared" in names:
        evidence["squared"] = np.square(difference).mean(axis=2)
    if names & {"residual", "contrast"}:
        evidence["residual"] = residual_map(difference, sigma)
    if "contrast" in names:
        evidence["contrast"] = contrast_map(evidence["residual"])
    return evidence


def residual_map(difference: np.ndarray, sigma: float) -> np.ndarray:
    """Compute the absolute difference of image and reconstruction, [h, w, C] to [h, w].

    The signed difference is smoothed first (Gaussian of 0.7 `sigma` pixels): the grain of a surface
    cancels out, a defect does not. Then its magnitude is smoothed by `sigma`, so that both flanks
    of a scratch make one line. A `sigma` of 0 does not smooth.
    """
    if not sigma:
        return np.abs(difference).mean(axis=2)
    smoothed = blur(difference, 0.7 * sigma).reshape(difference.shape)
    return blur(np.abs(smoothed).mean(axis=2), sigma)


def contrast_map(residual: np.ndarray) -> np.ndarray:
    """Divide a residual [h, w] by that of its surroundings; at least 0.

    Rough places are rebuilt less well than smooth ones, which is not a defect.
    """
    around = blur(residual, SURROUNDINGS) + 0.5 * residual.mean() + 1e-3
    return residual / around
