"""What a detector says about one image."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anomgan.detectors.heatmaps import Region


@dataclass(frozen=True)
class Result:
    """Score, verdict and pictures of one image.

    Attributes:
        image: path of the image, or None for an array.
        score: higher is more anomalous; comparable within one model only.
        p_value: share of good images, by the calibration, that would score this high.
        threshold: score above which an image is anomalous.
        false_alarm_rate: the rate that the threshold keeps to.
        regions: parts of the heatmap above `heat_threshold`, hottest first.
        heatmap: float32 [H, W] at the resolution of the image, higher is more anomalous.
        heat_threshold: heatmap value above which a region is marked.
        prepared: uint8 [h, w] or [h, w, 3], the image as the networks saw it.
        reconstruction: uint8 like `prepared`, what the generator made of it.
        milliseconds: time from decoded image to result.
    """

    image: str | None
    score: float
    p_value: float
    threshold: float
    false_alarm_rate: float
    regions: list[Region]
    heatmap: np.ndarray
    heat_threshold: float
    prepared: np.ndarray
    reconstruction: np.ndarray
    milliseconds: float

    @property
    def is_anomalous(self) -> bool:
        """Whether the score is above the threshold, that is the p-value within the rate."""
        return self.score > self.threshold

    @property
    def verdict(self) -> str:
        """"ok" or "anomalous"."""
        return "anomalous" if self.is_anomalous else "ok"

    def as_dict(self) -> dict[str, Any]:
        """The fields that people exchange as JSON; heatmap path and model are for the caller."""
        return {
            "image": self.image,
            "score": self.score,
            "p_value": self.p_value,
            "verdict": self.verdict,
            "threshold": self.threshold,
            "false_alarm_rate": self.false_alarm_rate,
            "regions": [asdict(region) for region in self.regions],
            "heatmap": None,
            "milliseconds": round(self.milliseconds, 3),
        }
