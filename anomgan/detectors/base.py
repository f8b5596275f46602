"""What all detectors share: fit, score, save. A method adds its networks and its inference."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, overload

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from anomgan.config import Settings, build_settings
from anomgan.data.normals import Source, read_source
from anomgan.data.views import Maps, scan, to_square
from anomgan.detectors.fitted import Fitted
from anomgan.detectors.fitting import FitOptions, fit_detector
from anomgan.detectors.heatmaps import (
    Evidence,
    Statistics,
    combine,
    contrast_map,
    find_regions,
    pool,
    residual_map,
)
from anomgan.detectors.model_folder import StoredModel, write_model
from anomgan.detectors.result import Result
from anomgan.device import choose_device
from anomgan.errors import ModelError
from anomgan.training.recipe import Recipe

LARGEST_TILE = 768
"""Side, in pixels, of what a fully convolutional network is given at once."""


@dataclass(frozen=True)
class Look:
    """What the networks make of one prepared image.

    Attributes:
        prepared: uint8 [h, w] or [h, w, 3], the image as the networks see it.
        reconstruction: uint8, likewise.
        evidence: maps [h, w] by name: "residual", "contrast", and those of the method.
    """

    prepared: np.ndarray
    reconstruction: np.ndarray
    evidence: Evidence


class Detector(ABC):
    """Base of all detectors.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        **values: settings, nested as in a settings file: `training={"steps": 500}`.

    Raises:
        SettingsError: names every setting that is unknown or out of range.
    """

    settings_type: ClassVar[type[Settings]]
    networks: nn.ModuleDict

    def __init__(self, *, device: str = "auto", **values: Any) -> None:
        self.settings = build_settings(self.settings_type, values)
        self.device = choose_device(device)
        self.fitted: Fitted | None = None

    @abstractmethod
    def build(self, channels: int) -> nn.ModuleDict:
        """Its networks, freshly initialised, for images of 1 or 3 channels."""

    @abstractmethod
    def phases(self) -> dict[str, Recipe]:
        """Its training phases by name, in order; they train `self.networks`."""

    @abstractmethod
    def infer(self, x: Tensor) -> Maps:
        """Maps of views x [N, C, H, W] in [-1, 1].

        Returns:
            "reconstruction" like x, and the method's own evidence, each [N, 1, H, W].
        """

    @property
    @abstractmethod
    def stride(self) -> int | None:
        """Multiple that sides of an input must be; None if only a view's size will do."""

    def fit(
        self,
        normals: Path | str | Sequence[Source],
        *,
        groups: Path | str | None = None,
        work_folder: Path | str | None = None,
        resume: bool = False,
        skip_unreadable: bool = False,
    ) -> Self:
        """Learn what good parts look like.

        Args:
            normals: folder of good images, or a list of paths or arrays.
            groups: CSV table that names the group (physical part, lot) of each image; whole
                groups are held out for calibration.
            work_folder: where checkpoints are kept; None keeps none.
            resume: go on from the checkpoints in `work_folder`.
            skip_unreadable: leave out images that cannot be read.

        Raises:
            InputError: the images cannot be used.
            TrainingError: a loss is not finite, or the checkpoints do not fit.
            Interrupted: Ctrl-C was pressed; a checkpoint is saved.
        """
        options = FitOptions(
            Path(groups) if groups else None,
            Path(work_folder) if work_folder else None,
            resume,
            skip_unreadable,
        )
        self.fitted = fit_detector(self, normals, options)
        return self

    @overload
    def score(self, images: Source) -> Result: ...

    @overload
    def score(self, images: Sequence[Source]) -> list[Result]: ...

    def score(self, images: Source | Sequence[Source]) -> Result | list[Result]:
        """Score one image (path or array), or a list of them.

        Raises:
            InputError: an image cannot be read or is too small.
            ModelError: the detector is not fitted yet.
        """
        if isinstance(images, Path | str | np.ndarray):
            return self._score_one(images)
        return [self._score_one(image) for image in images]

    def save(self, folder: Path | str) -> None:
        """Write the model folder; an earlier model there is replaced when all went well.

        Raises:
            InputError: the folder cannot be written to, or holds something else.
            ModelError: the detector is not fitted yet.
        """
        write_model(Path(folder), self.settings, self._require_fitted(), self.networks)

    @classmethod
    def from_model(cls, model: StoredModel, device: str = "auto") -> Self:
        """The detector that a model folder describes."""
        detector = cls(device=device, **model.settings)
        detector.networks = detector.build(model.preparation.channels)
        model.load_weights(detector.networks)
        detector.networks.to(detector.device).eval()
        statistics = Statistics(model.statistics)
        detector.fitted = Fitted(model.preparation, statistics, model.calibration, model.facts)
        return detector

    def look(self, prepared: np.ndarray) -> Look:
        """Pass a prepared image [h, w, C] of any size through the networks, view by view."""
        view, (height, width) = self.settings.view, prepared.shape[:2]
        if view.kind == "whole":
            square = to_square(prepared, view.size)
            top, left = (view.size - height) // 2, (view.size - width) // 2
            inside = (..., slice(top, top + height), slice(left, left + width))
            maps = scan(square, self._infer, tile=view.size, stride=view.size, margin=0)
            maps = {name: values[inside] for name, values in maps.items()}
        elif self.stride is None:
            side = view.size
            maps = scan(prepared, self._infer, tile=side, stride=side, margin=side // 4)
        else:
            maps = scan(
                prepared,
                self._infer,
                tile=LARGEST_TILE,
                stride=self.stride,
                margin=view.size // 4,
                batch_size=1,
            )
        rebuilt = maps.pop("reconstruction")[0].permute(1, 2, 0).numpy()
        difference = prepared.astype(np.float32) / 127.5 - 1 - rebuilt
        residual = residual_map(difference, self.settings.score.smooth)
        evidence = {name: values[0, 0].numpy() for name, values in maps.items()}
        evidence |= {"residual": residual, "contrast": contrast_map(residual)}
        pixels = np.clip(np.rint((rebuilt + 1) * 127.5), 0, 255).astype(np.uint8)
        return Look(_squeeze(prepared), _squeeze(pixels), evidence)

    def judge(self, evidence: Evidence, statistics: Statistics) -> tuple[float, np.ndarray]:
        """Image score and heatmap [h, w] from the evidence of one image."""
        settings = self.settings
        standardise = settings.score.standardise
        total = combine(evidence, settings.weights.as_dict(), statistics, standardise)
        score = pool(total, settings.score)
        if settings.heatmap_weights == settings.weights:
            return score, total
        weights = settings.heatmap_weights.as_dict()
        return score, combine(evidence, weights, statistics, standardise)

    @property
    def bits(self) -> int:
        """Significant bits of 16-bit images, as found in the normal images."""
        return self._require_fitted().preparation.bits

    def _infer(self, x: Tensor) -> Maps:
        with torch.inference_mode():
            return self.infer(x.to(self.device))

    def _score_one(self, source: Source) -> Result:
        fitted = self._require_fitted()
        name = "image" if isinstance(source, np.ndarray) else str(source)
        image = read_source(source, name)
        began = time.perf_counter()
        seen = self.look(fitted.preparation(image, name))
        score, heatmap = self.judge(seen.evidence, fitted.statistics)
        height, width = image.shape[:2]
        if heatmap.shape != (height, width):
            heatmap = cv2.resize(heatmap, (width, height), interpolation=cv2.INTER_LINEAR)
        calibration = fitted.calibration
        return Result(
            image=None if isinstance(source, np.ndarray) else name,
            score=score,
            p_value=calibration.p_value(score),
            threshold=calibration.threshold,
            false_alarm_rate=calibration.false_alarm_rate,
            regions=find_regions(heatmap, calibration.heat_threshold),
            heatmap=heatmap,
            heat_threshold=calibration.heat_threshold,
            prepared=seen.prepared,
            reconstruction=seen.reconstruction,
            milliseconds=(time.perf_counter() - began) * 1000,
        )

    def _require_fitted(self) -> Fitted:
        if self.fitted is None:
            raise ModelError("this detector has not learnt anything yet; call fit first")
        return self.fitted


def _squeeze(image: np.ndarray) -> np.ndarray:
    return image[:, :, 0] if image.shape[2] == 1 else image
