"""Which photographs look unlike the rest, and whether more of them would help.

Every photograph is scored by what the others teach: they are dealt into folds, and a fold is
scored with the whitening of all other folds. The score is that of the hottest cells of the squared
whitened feature map. All features are computed once; their moments add up.
"""

from collections.abc import Callable, Sequence
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
from anomgan.detectors.feature_space import FeatureSpace
from anomgan.machine.device import choose_device

FOLDS, PARTS = 5, 4
"""Each fold is divided into parts, so that one can learn from a quarter or half of it."""
HOTTEST = 0.01
"""Share of the cells that make the score: a defect is small."""
FEWEST_FOR_CURVE = 40
"""Different photographs for a learning curve: two in each part of each fold."""


@dataclass(frozen=True)
class Unlike:
    """How unlike all others each photograph is.

    Attributes:
        scores: by photographs of other folds [n], larger is stranger.
        halves: scores learnt from half of these photographs; None with few photographs.
        quarters: likewise, from a quarter.
    """

    scores: np.ndarray
    halves: np.ndarray | None
    quarters: np.ndarray | None


def compare(
    normals: NormalImages,
    groups: Sequence[int],
    device: str,
    folder: Path,
    report: Callable[[int], None],
    seed: int = 0,
) -> Unlike:
    """Score each photograph by the others.

    Args:
        normals: the photographs.
        groups: of each photograph; those of one group, such as copies, stay together.
        device: "auto", "cpu", "cuda" or "mps".
        folder: where feature maps go that do not fit in memory; nothing is left there.
        report: called with the number of photographs whose features are computed.
        seed: of the folds.

    Raises:
        InputError: the photographs do not vary in any feature.
    """
    space = FeatureSpace(BackboneSettings())
    space.extractor.load_weights()
    space.to(choose_device(device)).eval()
    folds, parts = _deal(groups, seed)
    channels = space.extractor.channels
    moments = [[Moments(channels) for _ in range(PARTS)] for _ in range(FOLDS)]
    with ImageStore(folder=folder) as maps:
        for place, image in enumerate(_prepared(normals, space)):
            cells = _features(space, image)
            moments[folds[place]][parts[place]].add(cells)
            maps.append(cells.half().numpy()[None].view(np.uint8))
            report(place + 1)
        has_curve = len(set(groups)) >= FEWEST_FOR_CURVE
        found = [
            _scores(maps, folds, moments, count) if count == PARTS or has_curve else None
            for count in (PARTS, PARTS // 2, PARTS // 4)
        ]
    assert found[0] is not None
    return Unlike(found[0], found[1], found[2])


def _deal(groups: Sequence[int], seed: int) -> tuple[list[int], list[int]]:
    """Deal groups into folds and parts of folds, all as equal as can be."""
    names = list(dict.fromkeys(groups))
    order = np.random.default_rng(seed).permutation(len(names))
    ranks = {names[one]: rank for rank, one in enumerate(order.tolist())}
    numbers = [ranks[group] for group in groups]
    return [n % FOLDS for n in numbers], [n // FOLDS % PARTS for n in numbers]


def _prepared(normals: NormalImages, space: FeatureSpace):
    prepare = Preparation.decide(
        ImageSettings(),
        ViewSettings(),
        all_grey=normals.all_grey,
        bits=normals.bits,
        shapes=normals.shapes(),
        long_side=space.long_side,
    )
    return (prepare(normals[place], name) for place, name in enumerate(normals.names))


@torch.no_grad()
def _features(space: FeatureSpace, image: np.ndarray) -> Tensor:
    """Feature vectors of the cells of a prepared image, [cells, channels]."""
    padded = space.grid.surround(image)
    x = to_network(padded[None]).to(space.extractor.device)
    maps = space.grid.crop(space.coarsen(space.extractor.raw(x)), padded.shape, image.shape)
    return maps[0].flatten(1).T.float().cpu().contiguous()


def _scores(
    maps: ImageStore, folds: Sequence[int], moments: Sequence[Sequence[Moments]], count: int
) -> np.ndarray:
    """Score all maps, each learnt from `count` of the parts of all other folds."""
    learnt = [_learn(moments, fold, count) for fold in range(FOLDS)]
    return np.array([_score(maps[place], learnt[fold]) for place, fold in enumerate(folds)])


def _learn(moments: Sequence[Sequence[Moments]], fold: int, count: int) -> Whitening:
    """Learn without a fold; which parts are used goes round, so that all of them count."""
    total = Moments(len(moments[0][0].sum))
    for other in range(FOLDS):
        if other != fold:
            for part in range(count):
                total += moments[other][(fold + part) % PARTS]
    return Whitening.fit(total, BackboneSettings().directions)


@torch.no_grad()
def _score(cells: np.ndarray, whitening: Whitening) -> float:
    """Mean square of the whitened vectors of the hottest cells, from bytes [1, cells, 2 C]."""
    vectors = torch.from_numpy(cells[0].view(np.float16)).float()
    whitened = (vectors - whitening.mean) @ whitening.directions.T
    heat = whitened.square().mean(1)
    return float(heat.topk(max(1, round(HOTTEST * len(heat)))).values.mean())
