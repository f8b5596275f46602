"""Learns a feature space from normal images: their maps, whitening, eigenmaps and vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anomgan.backbones import FeatureExtractor, crop
from anomgan.config import BackboneSettings
from anomgan.data.roi import Roi
from anomgan.data.store import ImageStore
from anomgan.data.vectors import Vectors
from anomgan.data.views import to_network
from anomgan.detectors.eigenmaps import (
    EigenMaps,
    masked,
    mean_square,
    multiply,
    to_grid,
    unexplained,
)
from anomgan.detectors.feature_space import FeatureSpace
from anomgan.detectors.heatmaps import Scope
from anomgan.detectors.map_files import MapFiles
from anomgan.detectors.turning import draw_turns, helpful_turns, turned
from anomgan.errors import InputError
from anomgan.machine.memory import release_memory
from anomgan.machine.progress import progress_bar

MEMORY = 400 * 2**20
"""Bytes of feature maps to learn from; if there are more, images are drawn at random."""
IMAGES_PER_FILE = 64
"""Images whose maps are saved in one file."""
LEAST_EXPLAINED = 0.05
"""Share of the normals' variance that eigenmaps must explain to be used."""
ROUNDING = 1e-3
"""Rounding error of whitened vectors in half precision; smaller differences are ignored."""


@dataclass(frozen=True)
class LearntSpace:
    """The training data of a detector in feature space.

    Attributes:
        images: the image of each map, as a position in the given indices. First come the images
            as they are, each once, then the turned copies of some.
        turns: of each map; 0 for the images as they are.
        bordered: the maps with the border that a backbone needs, each [channels, h, w] in half
            precision.
        maps: the same without the border, which is not scored.
        scopes: what counts in each of `maps`.
        vectors: feature vectors for training, drawn from what counts in `maps`.
        explained: share of the normal images' variance that eigenmaps explain; None if it was not
            measured.
        place: shape and number of the eigenmaps, as `FeatureSpace` takes it; None without
            eigenmaps. With eigenmaps, all maps have one size.
    """

    images: list[int]
    turns: list[int]
    bordered: list[Tensor]
    maps: list[Tensor]
    scopes: list[Scope]
    vectors: Vectors
    explained: float | None
    place: dict[str, Any] | None


def learn_space(
    space: FeatureSpace,
    store: ImageStore,
    indices: Sequence[int],
    folds: np.ndarray,
    settings: BackboneSettings,
    work: MapFiles,
    seed: int,
    roi: Roi | None = None,
) -> LearntSpace:
    """Fit whitening and eigenmaps to normal images, and draw vectors to learn from.

    Each image, and each turned copy of few images, passes through the backbone once. The memory
    used does not grow with their number.

    Args:
        space: has the weights of its backbone; its whitening and eigenmaps are set here.
        store: prepared images.
        indices: of the training images.
        folds: of each of these images [n]; eigenmaps see a training image by the other folds.
        settings: of the backbone.
        work: maps computed earlier, and where to save new ones.
        seed: of all random draws.
        roi: the part of each image to learn from; None for all of it.

    Raises:
        InputError: all images are alike in all features, or too large.
    """
    shots = _choose(space, store, indices, folds, settings, seed, roi)
    _gather(space, store, [(indices[place], turn) for place, turn in shots], work, roi)
    bordered = list[Tensor]()
    while work.maps:  # one by one: they are the largest part of what a fit holds
        bordered.append(_whiten(space.extractor, work.maps.pop(0)))
    release_memory()
    if any(turn for _, turn in shots):
        kept = _helpful(bordered, shots, folds, settings.components)
        shots, bordered = [shots[index] for index in kept], [bordered[index] for index in kept]
    images, turns = [place for place, _ in shots], [turn for _, turn in shots]
    shapes = [store.shape(indices[place])[:2] for place in images]
    median = tuple(np.median(shapes, axis=0).astype(int).tolist())
    stride, multiple = space.grid.stride, space.grid.multiple
    explained = None
    if settings.align == "auto":
        inside = None if roi is None else roi.at(median, stride)
        bordered, explained = _use_place(
            space, bordered, folds[images], settings.components, inside
        )
    if space.eigenmaps is not None:  # all maps have one size, that of the median image
        shapes = [median] * len(bordered)
    maps = [crop(one, shape, stride, multiple) for one, shape in zip(bordered, shapes, strict=True)]
    scopes = [Scope(roi.at(shape, stride) if roi else None) for shape in shapes]
    vectors = _draw(maps, scopes, settings.vectors, seed)
    return LearntSpace(images, turns, bordered, maps, scopes, vectors, explained, space.describe())


def _choose(
    space: FeatureSpace,
    store: ImageStore,
    indices: Sequence[int],
    folds: np.ndarray,
    settings: BackboneSettings,
    seed: int,
    roi: Roi | None,
) -> list[tuple[int, int]]:
    """Choose the images to learn from, and turned copies to try: (position, turn) of each."""
    most = _most(space, store, indices)
    chosen = _share(len(indices), most, seed)
    comparable = settings.align == "auto" and roi is None and len(set(folds)) > 1
    copies = list[tuple[int, int]]()
    if comparable and settings.augment == "auto":
        copies = draw_turns([store.shape(indices[place]) for place in chosen], most, seed)
    return [(place, 0) for place in chosen] + [(chosen[image], turn) for image, turn in copies]


def _gather(
    space: FeatureSpace,
    store: ImageStore,
    shots: Sequence[tuple[int, int]],
    work: MapFiles,
    roi: Roi | None,
) -> None:
    """Pass images through the backbone, and fit the whitening to their vectors that count.

    Args:
        space: its whitening is set.
        store: prepared images.
        shots: image and turn of each map; whitening does not see turned copies.
        work: maps computed earlier, and where to save new ones.
        roi: the part that counts; None for all of it.
    """
    stride, multiple = space.extractor.stride, space.grid.multiple
    moments = work.moments(space.extractor.channels)
    with progress_bar("computing features", len(shots)) as report:
        for first in range(len(work.maps), len(shots), IMAGES_PER_FILE):
            some = []
            some_shots = shots[first : first + IMAGES_PER_FILE]
            for number, (image, turn) in enumerate(some_shots, start=1):
                raw = _raw_map(space, turned(store[image], turn))
                if roi is not None:
                    shape = store.shape(image)
                    inside = torch.from_numpy(roi.at(shape, stride))
                    moments.add(crop(raw, shape, stride, multiple)[0][:, inside].T)
                elif turn == 0:
                    moments.add(raw[0].flatten(1).T)
                some.append(space.coarsen(raw)[0].half())
                report(first + number)
            work.append(some, moments)
            release_memory()
    space.extractor.set_whitening(moments)


def _helpful(
    bordered: Sequence[Tensor], shots: Sequence[tuple[int, int]], folds: np.ndarray, components: int
) -> list[int]:
    """Find the maps to keep: those of images, and those of turned copies that help."""
    products = multiply(_on_one_grid(bordered))
    images, turns = np.array(shots).T
    kept = (0, *helpful_turns(products, folds[images], turns, components))
    return np.flatnonzero(np.isin(turns, kept)).tolist()


def _on_one_grid(maps: Sequence[Tensor]) -> Tensor:
    """Resize maps [D, h, w] to their median size, [n, D, rows, columns] in half precision."""
    size = np.median([one.shape[1:] for one in maps], axis=0).astype(int).tolist()
    return torch.stack([to_grid(one[None].float(), size)[0].half() for one in maps])


def _use_place(
    space: FeatureSpace,
    maps: list[Tensor],
    folds: np.ndarray,
    components: int,
    inside: np.ndarray | None,
) -> tuple[list[Tensor], float | None]:
    """Fit eigenmaps, and use them if they explain enough of the maps.

    Args:
        space: its eigenmaps are set.
        maps: with their border.
        folds: of each map.
        components: number of eigenmaps.
        inside: bool [rows, columns], the cells of the median image that count; None for all.

    Returns:
        The maps, with remainders if eigenmaps are used; and the explained share of the variance.
    """
    if len(set(folds)) < 2:  # there are no other groups to take the remainder by
        return maps, None
    whole = _on_one_grid(maps)
    size = whole.shape[2:]
    counts = torch.ones(size, dtype=torch.bool)
    if inside is not None:
        before = space.grid.multiple // space.grid.stride
        counts = torch.zeros(size, dtype=torch.bool)
        counts[before : before + len(inside), before : before + inside.shape[1]] = torch.from_numpy(
            inside
        )
    products = multiply(masked(whole, counts))
    left, explained = unexplained(whole, folds, components, counts, products)
    if explained < LEAST_EXPLAINED:
        return maps, explained
    eigenmaps = EigenMaps.fit(masked(whole, counts), components, products).rounded()
    powers = [mean_square(some, counts) for some in (whole, left)]
    eigenmaps.scales.copy_(torch.tensor(powers).sqrt().clamp_min(ROUNDING))
    pairs = zip(whole.split(1), left.split(1), strict=True)
    joined = [eigenmaps.join(one, rest)[0].half() for one, rest in pairs]
    space.eigenmaps = eigenmaps.to(space.extractor.device)
    return joined, explained


@torch.no_grad()
def _raw_map(space: FeatureSpace, image: np.ndarray) -> Tensor:
    """Compute the features, before whitening, of an image [h, w, C] and its border."""
    x = to_network(space.grid.surround(image)[None])
    return space.extractor.raw(x.to(space.extractor.device)).cpu()


@torch.no_grad()
def _whiten(extractor: FeatureExtractor, raw: Tensor) -> Tensor:
    return extractor.whiten(raw[None].float().to(extractor.device))[0].half().cpu()


def _most(space: FeatureSpace, store: ImageStore, indices: Sequence[int]) -> int:
    """Count how many maps fit in memory."""
    sides = np.array([store.shape(index)[:2] for index in indices])
    cells = np.ceil((sides + 2 * space.grid.multiple) / space.grid.stride).prod(1).mean()
    return int(MEMORY / (2 * space.extractor.channels * cells))


def _share(count: int, most: int, seed: int) -> list[int]:
    """Choose images: all, or as many random ones as fit in memory."""
    if count <= most:
        return list(range(count))
    if most < 2:
        raise InputError("the images are too large; choose a smaller backbone.long_side")
    drawn = np.random.default_rng((seed, 2)).permutation(count)[:most]
    return sorted(drawn.tolist())


def _draw(maps: Sequence[Tensor], scopes: Sequence[Scope], count: int, seed: int) -> Vectors:
    """Draw at most `count` vectors that count, equally many from each map."""
    each = max(1, count // len(maps))
    values, images = [], []
    for number, (one, scope) in enumerate(zip(maps, scopes, strict=True)):
        vectors = one.flatten(1).T
        if scope.inside is not None:
            vectors = vectors[torch.from_numpy(scope.inside.ravel())]
        chosen = np.random.default_rng((seed, number)).permutation(len(vectors))[:each]
        values.append(vectors[torch.from_numpy(chosen)])
        images.append(torch.full((len(chosen),), number))
    return Vectors(torch.cat(values), torch.cat(images))
