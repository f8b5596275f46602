"""Finds photographs that look unlike the rest, and whether more of them would help.

Photographs are dealt into folds. Those of a fold are scored with the whitening and the eigenmaps of
the other folds, so that the score measures what no other photograph has at that place. Features are
computed once, and kept in a file if they do not fit in memory.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anomgan.backbones import Moments, Whitening
from anomgan.config import BackboneSettings, ImageSettings, ViewSettings
from anomgan.data.normals import NormalImages
from anomgan.data.prepare import Preparation
from anomgan.data.store import ImageStore
from anomgan.data.views import to_network
from anomgan.detectors.eigenmaps import EigenMaps, to_grid
from anomgan.detectors.feature_space import FeatureSpace
from anomgan.evaluation.check.plain import Finding
from anomgan.evaluation.check.robust import deviations
from anomgan.machine.device import choose_device

FOLDS, PARTS = 5, 4
"""Each fold is divided into parts, so that one can learn from a quarter or half of it."""
HOTTEST = 0.01
"""Share of the cells that count for the score: a defect is small."""
FEWEST = 40
"""Different photographs for a learning curve: two in each part of each fold."""
MOST = 800
"""Photographs of which eigenmaps are made, drawn at random: 200 MB of maps of 512 px."""
FAR = 3.5
"""Robust deviations of the logarithm of the score from which on a photograph is named, as Iglewicz
and Hoaglin advise. Of five real sets of good photographs, two or three in a thousand are."""


@dataclass(frozen=True)
class Unlike:
    """How unlike the others each photograph is.

    Attributes:
        scores: by photographs of other folds [n]; larger is stranger.
        halves: scores if learnt from half of those; None with few photographs, or very many.
        quarters: likewise, from a quarter.
    """

    scores: np.ndarray
    halves: np.ndarray | None
    quarters: np.ndarray | None

    def deviations(self) -> np.ndarray:
        """Robust deviations of the logarithm of each score from the median."""
        return deviations(np.log(self.scores))

    def findings(self, names: Sequence[str]) -> Iterator[Finding]:
        """The photographs that look unlike the rest."""
        far = self.deviations()
        found = {
            names[place]: f"unlike the rest ({far[place]:.1f} deviations)"
            for place in np.argsort(-far)
            if far[place] > FAR
        }
        if found:
            which = f"{len(found)} images look" if len(found) > 1 else "1 image looks"
            text = f"{which} as no other does. Is it the right part, and a good one?"
            yield Finding("unlike", f"Unlike the rest: {text}", found, may_go=True)

    def falls(self) -> tuple[float, float] | None:
        """By which share the error falls from a quarter to half, and from half to all images.

        The error is the geometric mean of the scores, so that a few odd photographs don't count
        more than others.
        """
        if self.halves is None or self.quarters is None:
            return None
        steps = (self.halves / self.quarters, self.scores / self.halves)
        first, second = (1 - float(np.exp(np.log(step).mean())) for step in steps)
        return first, second


def compare(
    normals: NormalImages,
    groups: Sequence[int],
    device: str,
    folder: Path,
    report: Callable[[int], None],
) -> Unlike:
    """Score each photograph by the others.

    Args:
        normals: the photographs.
        groups: of each photograph; those of one group, such as copies, stay together.
        device: "auto", "cpu", "cuda" or "mps".
        folder: for feature maps that do not fit in memory; nothing is left there.
        report: called with the number of photographs whose features are computed.

    Raises:
        InputError: the photographs do not vary in any feature.
    """
    space = FeatureSpace(BackboneSettings())
    space.extractor.load_weights()
    space.to(choose_device(device))
    with ImageStore(folder=folder) as store:
        maps = _Maps(store, *_deal(groups), space.extractor.channels)
        for number, features in enumerate(_features(space, normals), start=1):
            maps.append(features)
            report(number)
        has_curve = FEWEST <= len(set(groups)) <= MOST
        scores = maps.scores(PARTS)
        halves, quarters = (
            maps.scores(count) if has_curve else None for count in (PARTS // 2, PARTS // 4)
        )
    return Unlike(scores, halves, quarters)


class _Maps:
    """Feature maps [C, h, w] in half precision, and their moments for each part of each fold."""

    def __init__(
        self, store: ImageStore, folds: np.ndarray, parts: np.ndarray, channels: int
    ) -> None:
        self.store, self.folds, self.parts = store, folds, parts
        self.moments = [[Moments(channels) for _ in range(PARTS)] for _ in range(FOLDS)]

    def append(self, features: Tensor) -> None:
        place = len(self.store)
        self.moments[self.folds[place]][self.parts[place]].add(features.flatten(1).T)
        self.store.append(features.half().contiguous().numpy().view(np.uint8))

    def scores(self, count: int) -> np.ndarray:
        """Score all maps, learning from `count` of the parts of the other folds."""
        found = np.zeros(len(self.store))
        for fold in np.unique(self.folds).tolist():
            # The parts that are used rotate, so that all of them count.
            used = (self.folds != fold) & ((self.parts - fold) % PARTS < count)
            whitening = self._whitening(fold, count)
            others = np.random.default_rng(fold).permutation(np.flatnonzero(used))[:MOST]
            some = [self._whitened(place, whitening).half() for place in others.tolist()]
            eigenmaps = EigenMaps.fit(torch.stack(some), BackboneSettings().components)
            for place in np.flatnonzero(self.folds == fold).tolist():
                left = eigenmaps.remainder(self._whitened(place, whitening)[None])
                found[place] = _hottest(left.square().mean(1))
        return found

    def _whitening(self, fold: int, count: int) -> Whitening:
        total = Moments(len(self.moments[0][0].sum))
        for other in range(FOLDS):
            if other != fold:
                for part in range(count):
                    total += self.moments[other][(fold + part) % PARTS]
        return Whitening.fit(total, BackboneSettings().directions)

    @torch.no_grad()
    def _whitened(self, place: int, whitening: Whitening) -> Tensor:
        features = torch.from_numpy(self.store[place].view(np.float16)).float()
        whitened: Tensor = whitening(features[None])[0]
        return whitened


def _deal(groups: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Deal groups into folds and parts of folds, as equal as possible."""
    names, numbers = np.unique(groups, return_inverse=True)
    ranks = np.random.default_rng(0).permutation(len(names))[numbers]
    return ranks % FOLDS, ranks // FOLDS % PARTS


@torch.no_grad()
def _features(space: FeatureSpace, normals: NormalImages) -> Iterator[Tensor]:
    """Features of the cells of each photograph, [C, h, w], all on the median grid."""
    long_side = space.long_side(normals.shapes())
    prepare = Preparation.of(normals, ImageSettings(), ViewSettings(), long_side)
    sides = np.array(normals.shapes())
    cells = sides * (long_side / space.grid.stride) / sides.max(1, keepdims=True)
    grid = np.maximum(1, np.rint(np.median(cells, axis=0))).astype(int).tolist()
    for place, name in enumerate(normals.names):
        image = prepare(normals[place], name)
        padded = space.grid.surround(image)
        x = to_network(padded[None]).to(space.extractor.device)
        maps = space.grid.crop(space.coarsen(space.extractor.raw(x)), image.shape)
        yield to_grid(maps, grid)[0].float().cpu()


def _hottest(heat: Tensor) -> float:
    """Mean of the hottest cells."""
    hottest = float(heat.flatten().topk(max(1, round(HOTTEST * heat.numel()))).values.mean())
    return max(hottest, 1e-9)  # its logarithm is taken
