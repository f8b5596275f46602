"""The result of a detector for one image."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from anomgan.data.roi import Roi
from anomgan.detectors.heatmaps import Region, find_regions


def tell_apart(score: float, threshold: float) -> tuple[str, str]:
    """Format score and threshold with as many digits, from three to six, as tell them apart.

    A score that was moved to the other side of the threshold differs in no digit that counts.
    """
    for digits in range(3, 7):
        texts = f"{score:.{digits}g}", f"{threshold:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    side = "above" if score > threshold else "below"
    return f"just {side} {threshold:.3g}", f"{threshold:.3g}"


@dataclass(frozen=True)
class Result:
    """Score, verdict and pictures of one image.

    `heatmap` and `regions` are computed on first access.

    Attributes:
        image: path of the image, or None for an array.
        score: higher is more anomalous; comparable within one model only.
        scores: by each network of the model, which `score` combines.
        p_value: share of good images that would score this high, estimated by the calibration.
        threshold: score above which an image is anomalous.
        false_alarm_rate: the false-alarm rate of the threshold.
        size: height and width of the image in pixels.
        heat: float32 [h, w], the heatmap at the resolution of the networks.
        cell: side in pixels of the square of `prepared` that one value of `heat` covers.
        heat_threshold: heatmap value above which a region is marked.
        region_p_value: gives the p-value of a region from its largest heatmap value.
        prepared: uint8 [h, w] or [h, w, 3], the image as the networks saw it.
        reconstruction: uint8 like `prepared`, the rebuilt image; None in feature space, where
            features are rebuilt.
        reason: why an image is anomalous whatever its score: it is not like the training images in
            brightness, contrast, sharpness, colour or size. None for most images.
        roi: the part of the image that counts; None for all of it. The heatmap has its lowest value
            elsewhere.
        warnings: how the image differs in kind from the training images, such as in depth or size.
        smallest_defect: square pixels below which a region is not marked; None marks all.
        pixels_per_mm: scale of the image, if it is known.
        milliseconds: time from decoded image to result, without `heatmap` and `regions`.
    """

    image: str | None
    score: float
    scores: list[float]
    p_value: float
    threshold: float
    false_alarm_rate: float
    size: tuple[int, int]
    heat: np.ndarray
    heat_threshold: float
    region_p_value: Callable[[float], float | None] = field(repr=False)
    prepared: np.ndarray
    reconstruction: np.ndarray | None
    milliseconds: float
    cell: int = 1
    reason: str | None = None
    roi: Roi | None = field(default=None, repr=False)
    warnings: list[str] = field(default_factory=list)
    smallest_defect: float | None = None
    pixels_per_mm: float | None = None

    @property
    def is_anomalous(self) -> bool:
        """Whether the score is above the threshold, or there is a `reason`."""
        return self.reason is not None or self.score > self.threshold

    @property
    def verdict(self) -> str:
        """The verdict as a word: "ok" or "anomalous"."""
        return "anomalous" if self.is_anomalous else "ok"

    @cached_property
    def heatmap(self) -> np.ndarray:
        """float32 [H, W] at the resolution of the image, higher is more anomalous."""
        heat = self.heat
        if self.cell > 1:  # the last cells may reach past the edge of the image
            rows, columns = self.prepared.shape[:2]
            size = (heat.shape[1] * self.cell, heat.shape[0] * self.cell)
            smooth = cv2.resize(heat, size, interpolation=cv2.INTER_CUBIC)[:rows, :columns]
            heat = smooth.clip(heat.min(), heat.max())  # cubic curves swing past the values
        height, width = self.size
        if heat.shape != (height, width):
            heat = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR)
        return heat if self.roi is None else np.where(self.inside, heat, heat.min())

    @property
    def inside(self) -> np.ndarray:
        """bool [H, W], the pixels that count: those in the region of interest, or all."""
        return np.ones(self.size, bool) if self.roi is None else self.roi.at(self.size)

    @cached_property
    def regions(self) -> list[Region]:
        """Parts of the heatmap above `heat_threshold`, hottest first; none in an ok image.

        Parts smaller than the smallest defect are left out, unless there are no others: between
        places, the heatmap is interpolated, which changes areas a little.
        """
        if not self.is_anomalous:
            return []
        found = find_regions(self.heatmap, self.heat_threshold)
        large = [region for region in found if region.area >= (self.smallest_defect or 0)]
        found = large or sorted(found, key=lambda region: -region.area)[:1]
        return [replace(region, p_value=self.region_p_value(region.peak)) for region in found]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON output; the caller adds the heatmap's path and the model."""
        return {
            "image": self.image,
            "score": self.score,
            "scores": self.scores,
            "p_value": self.p_value,
            "verdict": self.verdict,
            "reason": self.reason,
            "threshold": self.threshold,
            "false_alarm_rate": self.false_alarm_rate,
            "regions": [self._about(region) for region in self.regions],
            "heatmap": None,
            "warnings": self.warnings,
            "milliseconds": round(self.milliseconds, 3),
        }

    def _about(self, region: Region) -> dict[str, Any]:
        """Describe a region, in mm too if the scale is known."""
        about = asdict(region)
        if self.pixels_per_mm is None:
            return about
        names, scale = ("x", "y", "width", "height"), self.pixels_per_mm
        lengths = {f"{name}_mm": round(about[name] / scale, 4) for name in names}
        return about | lengths | {"area_mm2": round(region.area / scale**2, 4)}
