"""What a fit learns besides the weights of the networks."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anomgan.data.prepare import Preparation
from anomgan.data.usual import Usual
from anomgan.detectors.calibration import Calibration
from anomgan.detectors.heatmaps import Statistics

Sample = tuple[np.ndarray, np.ndarray | None, np.ndarray]
"""A prepared image, its reconstruction (None in feature space), and its heatmap."""


@dataclass
class Fitted:
    """Everything that turns trained networks into verdicts.

    Attributes:
        preparation: how images become network input.
        statistics: of each evidence on training images, for each member of the method.
        calibration: of scores of images that the networks had not seen.
        usual: simple statistics of good images; None in models that did not store them.
        learnt: digests of the training images, uint8 [n, 8]; see `copies.digest`. None in models
            that did not store them.
        facts: about the training, for people: counts, steps, seconds, fingerprint;
            "recalibration".
        history: rows of mean losses; `training` counts the networks and phases.
        samples: the calibration images with the highest scores; empty in a loaded model.
    """

    preparation: Preparation
    statistics: list[Statistics]
    calibration: Calibration
    usual: Usual | None
    learnt: np.ndarray | None
    facts: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the normal images if they all had one size; otherwise of a view."""
        size, scale = self.preparation.size, self.preparation.scale
        if self.preparation.view == "features":  # its statistics are cell by cell
            return size, size
        height, width = self.statistics[0].image_shape or (size, size)
        return math.ceil(height / scale), math.ceil(width / scale)
