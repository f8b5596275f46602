"""Measures good images with trained networks: statistics of the evidence, and the calibration."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from anomgan.config import CalibrationSettings
from anomgan.data.store import ImageStore
from anomgan.data.views import squeezed
from anomgan.detectors.calibration import Calibration
from anomgan.detectors.evidence import evidence_of, look
from anomgan.detectors.fitted import Sample
from anomgan.detectors.heatmaps import Evidence, Scope, Statistics, judge, judge_all, pool
from anomgan.detectors.learnt_space import LearntSpace
from anomgan.detectors.method import Method
from anomgan.machine.progress import progress_bar

STATISTICS_IMAGES = 200
"""Training images on which the statistics of the evidence are measured: so many, or some more."""
CELLS_OF_PLAY = 1.0
"""Cells of a feature map by which the position of a part varies."""
FLOOR_OF_CELLS = 1.0
"""Least deviation of a cell, as a share of the usual one. So quiet cells do not count more than
others, which would harm parts that lie in any direction."""
Shapes = Sequence[tuple[int, int]]
SAMPLES = 6
"""Images shown in samples.png, those of the highest scores."""
NAMED = 3
"""Images with the highest scores that `fit` names."""
Calibrated = tuple[Calibration, list[Sample], list[float]]
"""A calibration, the images with the highest scores, and the scores in the order of the images."""


def measure_pixels(
    method: Method, store: ImageStore, training: Sequence[int], shapes: Shapes
) -> Statistics:
    """Measure the evidence of training images, so that held-out and new images are scored alike.

    The conformal guarantee needs this.
    """
    one_size = len({store.shape(index) for index in range(len(store))}) == 1
    some = _some(training)
    images = look(method, (store[index] for index in some))
    scopes = [method.scope(store.shape(index), shapes[index]) for index in some]
    seen = (_in_scope(one.evidence[0], scope, one_size) for one, scope in zip(images, scopes))
    return Statistics.measure(_with_progress(seen, len(some)), one_size, inside=scopes[0].inside)


def measure_features(member: Method, learnt: LearntSpace, training: Sequence[int]) -> Statistics:
    """Measure the evidence of the feature maps that a member of the method was trained on."""
    some = _some(training)
    scopes, per_cell = [learnt.scopes[index] for index in some], learnt.place is not None
    pairs = zip((learnt.maps[index] for index in some), scopes, strict=True)
    seen = (_in_scope(evidence_of(member, one), scope, per_cell) for one, scope in pairs)
    return Statistics.measure(
        _with_progress(seen, len(some)),
        per_cell,
        play=CELLS_OF_PLAY,
        floor=FLOOR_OF_CELLS,
        inside=scopes[0].inside,
    )


def calibrate(
    method: Method,
    store: ImageStore,
    images: Sequence[int],
    groups: Sequence[str] | None,
    statistics: Sequence[Statistics],
    shapes: Shapes,
) -> Calibrated:
    """Calibrate on images of a store that no network has seen.

    Args:
        method: with trained networks.
        store: prepared images.
        images: positions in the store.
        groups: of these images.
        statistics: of each member of the method.
        shapes: of all images of the store before they were prepared.
    """

    def judged() -> Iterator[tuple[float, float, Sample]]:
        looks = look(method, (store[index] for index in images))
        for index, seen in zip(images, looks, strict=True):
            scope = method.scope(store.shape(index), shapes[index])
            each, heatmap = judge_all(method.settings, seen.evidence, statistics, scope)
            heat = pool(heatmap, method.settings.score, scope)
            yield float(np.mean(each)), heat, (seen.prepared, seen.reconstruction, heatmap)

    return _calibrate(judged(), len(images), groups, None, method.settings.calibration)


def calibrate_folds(
    method: Method,
    store: ImageStore,
    learnt: LearntSpace,
    folds: np.ndarray,
    groups: Sequence[str] | None,
    statistics: Sequence[Statistics],
    shapes: Shapes,
) -> Calibrated:
    """Calibrate on the training images, each by the network that has not seen it.

    Args: as `calibrate`, but
        method: with networks that were trained without one fold each.
        learnt: the feature maps of the images; turned copies do not calibrate.
        folds: of each image.
    """
    members, count = method.members, len(folds)

    def judged() -> Iterator[tuple[float, float, Sample]]:
        for image, features, fold in zip(
            learnt.images[:count], learnt.bordered[:count], folds, strict=True
        ):
            scope = method.scope(store.shape(image), shapes[image])
            evidence = evidence_of(members[fold], features, store.shape(image))
            score, heatmap = judge(method.settings, evidence, statistics[fold], scope)
            heat = pool(heatmap, method.settings.score, scope)
            yield score, heat, (squeezed(store[image]), None, heatmap)

    return _calibrate(judged(), len(folds), groups, folds, method.settings.calibration)


def _calibrate(
    judged: Iterable[tuple[float, float, Sample]],
    total: int,
    groups: Sequence[str] | None,
    folds: np.ndarray | None,
    settings: CalibrationSettings,
) -> Calibrated:
    """Calibrate on score, pooled heatmap and heatmap of `total` images; keep the highest few."""
    scores, heats, peaks = list[float](), list[float](), list[float]()
    highest = list[tuple[float, Sample]]()
    with progress_bar("calibrating", total) as report:
        for done, (score, heat, sample) in enumerate(judged, start=1):
            scores.append(score)
            heats.append(heat)
            peaks.append(float(sample[-1].max()))
            highest = sorted([*highest, (score, sample)], key=lambda one: -one[0])[:SAMPLES]
            report(done)
    rate, region_rate = settings.false_alarm_rate, settings.region_rate
    calibration = Calibration.from_scores(scores, heats, rate, groups, folds, peaks, region_rate)
    return calibration, [sample for _, sample in highest], scores


def name_highest(scores: Sequence[float], names: Sequence[str]) -> list[tuple[str, float]]:
    """Name the good images with the highest scores, which set the threshold, with these scores."""
    highest = np.argsort(scores)[::-1][:NAMED].tolist()
    return [(Path(names[index]).name, round(scores[index], 2)) for index in highest]


def _some(images: Sequence[int]) -> Sequence[int]:
    return images[:: max(1, len(images) // STATISTICS_IMAGES)]


def _in_scope(evidence: Evidence, scope: Scope, per_place: bool) -> Evidence:
    """Leave out what does not count, unless there are statistics for each place of a map."""
    if per_place:
        return evidence
    return {name: scope.of(values) for name, values in evidence.items()}


def _with_progress(evidence: Iterable[Evidence], total: int) -> Iterator[Evidence]:
    with progress_bar("measuring normal residuals", total) as report:
        for done, one in enumerate(evidence, start=1):
            yield one
            report(done)
