"""Turns a detector's evidence into one heatmap, one score and the marked regions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from anomgan.config import ScoreSettings, Settings, Weights

Evidence = dict[str, np.ndarray]
"""Maps [h, w] of one prepared image by name; higher is more anomalous."""

PLAY = 3.0
"""Pixels by which the position of a part varies: a Gaussian that smooths per-pixel statistics."""


@dataclass(frozen=True)
class Region:
    """A connected part of a heatmap above its threshold, in pixels of the original image.

    Attributes:
        x: of the left edge.
        y: of the upper edge.
        width: of the box around it.
        height: of the box around it.
        peak: largest value of the heatmap in it.
        area: square pixels.
        p_value: share of good images that have a region as hot; None if the model does not know.
    """

    x: int
    y: int
    width: int
    height: int
    peak: float
    area: int
    p_value: float | None = None


@dataclass(frozen=True)
class Scope:
    """What counts in the maps of an image.

    Attributes:
        inside: bool [h, w], the region of interest; None for the whole map.
        least: places of the map; smaller regions make no score. None: any place may.
    """

    inside: np.ndarray | None = None
    least: float | None = None

    def of(self, values: np.ndarray) -> np.ndarray:
        """Take the values of a map [h, w] that count."""
        return values if self.inside is None else values[self.inside]


WHOLE = Scope()


class Statistics:
    """Mean and deviation of each evidence on normal images.

    If all normal images have one size (`per_pixel`), both are taken at each position, so that an
    edge that is never rebuilt well does not count as a defect. Otherwise both are one number for
    the whole map.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = dict(tensors)

    @classmethod
    def measure(
        cls,
        images: Iterable[Evidence],
        per_pixel: bool,
        play: float = PLAY,
        floor: float = 0.5,
        inside: np.ndarray | None = None,
    ) -> "Statistics":
        """Measure statistics of the evidence of normal images, one image at a time.

        Args:
            images: the evidence of each image.
            per_pixel: measure at each position; all maps must have one size.
            play: pixels, or cells of a feature map, by which the position of a part varies.
            floor: the least deviation of a position, as a share of the usual one in the image.
            inside: where the usual deviation is measured, if `per_pixel`; None for everywhere.
        """
        first: dict[str, Any] = defaultdict(float)
        second: dict[str, Any] = defaultdict(float)
        count = 0
        for evidence in images:
            count += 1
            for name, values in evidence.items():
                exact = values.astype(np.float64)
                first[name] += exact if per_pixel else exact.mean()
                second[name] += np.square(exact) if per_pixel else np.square(exact).mean()
        tensors: dict[str, Tensor] = {}
        for name in first:
            mean, power = first[name] / count, second[name] / count
            if per_pixel:
                # Parts are never aligned to the exact pixel.
                mean, power = blur(mean, play), blur(power, play)
            deviation = np.sqrt(np.maximum(power - mean**2, 0))
            # A pixel with very little variation must not turn noise into an alarm.
            usual = deviation[inside] if per_pixel and inside is not None else deviation
            least = floor * float(np.sqrt(np.square(usual).mean())) + 1e-8
            tensors[f"{name}.mean"] = torch.as_tensor(mean, dtype=torch.float32)
            tensors[f"{name}.deviation"] = torch.as_tensor(
                np.maximum(deviation, least), dtype=torch.float32
            )
        return cls(tensors)

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """Height and width of the normal images; None without per-pixel statistics."""
        means = (one for name, one in self.tensors.items() if name.endswith(".mean") and one.ndim)
        return next(((mean.shape[0], mean.shape[1]) for mean in means), None)

    def measured(self, name: str) -> bool:
        """Whether an evidence has the statistics that `standardise` needs."""
        mean, deviation = (self.tensors.get(f"{name}.{what}") for what in ("mean", "deviation"))
        if mean is None or deviation is None or mean.shape != deviation.shape:
            return False
        return mean.ndim in (0, 2) and mean.numel() > 0 and bool((deviation > 0).all())

    def standardise(self, name: str, values: np.ndarray) -> np.ndarray:
        """Return (values - mean) / deviation, for a map [h, w] of any size."""
        mean = self.tensors[f"{name}.mean"].numpy()
        deviation = self.tensors[f"{name}.deviation"].numpy()
        if mean.ndim and mean.shape != values.shape:
            mean, deviation = (cv2.resize(m, values.shape[::-1]) for m in (mean, deviation))
        return (values - mean) / deviation


def blur(values: np.ndarray, sigma: float) -> np.ndarray:
    """Blur values [h, w] or [h, w, C] with a Gaussian of `sigma` pixels."""
    return cv2.GaussianBlur(values, (0, 0), sigma)


def combine(
    evidence: Evidence, weights: Mapping[str, float], statistics: Statistics, standardise: bool
) -> np.ndarray:
    """Return the weighted sum of (standardised) evidence as one map [h, w] float32."""
    parts = [
        weight * (statistics.standardise(name, evidence[name]) if standardise else evidence[name])
        for name, weight in weights.items()
        if weight
    ]
    return np.sum(parts, axis=0).astype(np.float32)


def judge(
    settings: Settings, evidence: Evidence, statistics: Statistics, scope: Scope = WHOLE
) -> tuple[float, np.ndarray]:
    """Compute image score and heatmap [h, w] from the evidence of one network for one image.

    What does not count has the lowest value of what counts.
    """
    total = _total(evidence, settings.weights, statistics, settings.score, scope)
    score = pool(total, settings.score, scope)
    if settings.heatmap_weights == settings.weights:
        return score, total
    return score, _total(evidence, settings.heatmap_weights, statistics, settings.score, scope)


def judge_all(
    settings: Settings,
    evidence: Sequence[Evidence],
    statistics: Sequence[Statistics],
    scope: Scope = WHOLE,
) -> tuple[list[float], np.ndarray]:
    """Compute the score by each network, and the mean of their heatmaps [h, w], for one image."""
    pairs = zip(evidence, statistics, strict=True)
    scores, heatmaps = zip(*(judge(settings, one, normal, scope) for one, normal in pairs))
    return list(scores), np.mean(heatmaps, axis=0)


def _total(
    evidence: Evidence,
    weights: Weights,
    statistics: Statistics,
    settings: ScoreSettings,
    scope: Scope,
) -> np.ndarray:
    total = combine(evidence, dict(weights), statistics, settings.standardise)
    if settings.background is not None:
        total -= np.quantile(scope.of(total), settings.background).astype(np.float32)
    if scope.inside is not None:
        total[~scope.inside] = scope.of(total).min()
    return total


def pool(heatmap: np.ndarray, settings: ScoreSettings, scope: Scope = WHOLE) -> float:
    """Return the mean of the hottest `top_share` of the pixels that count (at least one pixel).

    If the smallest defect is known (`scope.least`), return `level_of_area` instead.
    """
    if scope.least is not None:
        return level_of_area(heatmap, scope.least, scope.inside)
    values = scope.of(heatmap).ravel()
    count = max(1, round(settings.top_share * values.size))
    hottest = np.partition(values, values.size - count)[-count:]
    return float(hottest.mean(dtype=np.float64))


def level_of_area(heatmap: np.ndarray, area: float, inside: np.ndarray | None = None) -> float:
    """Find the highest level at which a heatmap has a region of at least `area` places.

    With R(t) the connected regions (8 neighbours) of {p : heatmap(p) >= t}, this is

        max {t : max over r in R(t) of |r| >= area},

    the largest value of the area opening of the heatmap (Vincent, "Grayscale area openings and
    closings", 1993). Regions only grow as t falls, so the level is found by bisection among the
    values of the heatmap. It is at most the largest value, and that for an area of 1 or less.

    Args:
        heatmap: [h, w].
        area: places of the map.
        inside: bool [h, w], the places that count; None for all.

    Returns:
        The level; the lowest value that counts if no region is as large.
    """
    counts = np.ones(heatmap.shape, bool) if inside is None else inside
    levels = np.unique(heatmap[counts])
    low, high = 0, len(levels) - 1
    while low < high:
        middle = (low + high + 1) // 2
        above = (counts & (heatmap >= levels[middle])).astype(np.uint8)
        sizes = cv2.connectedComponentsWithStats(above, connectivity=8)[2][1:, cv2.CC_STAT_AREA]
        low, high = (middle, high) if sizes.max() >= area else (low, middle - 1)
    return float(levels[low])


def find_regions(heatmap: np.ndarray, threshold: float) -> list[Region]:
    """Find the connected parts of a heatmap [H, W] above `threshold`, hottest first."""
    above = (heatmap > threshold).astype(np.uint8)
    if not above.any():
        return []  # true of most good parts, and faster than OpenCV
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    regions = []
    for label in range(1, count):
        x, y, width, height, area = (int(v) for v in boxes[label])
        box = (slice(y, y + height), slice(x, x + width))
        peak = float(heatmap[box][labels[box] == label].max())
        regions.append(Region(x, y, width, height, peak, area))
    return sorted(regions, key=lambda region: -region.peak)
