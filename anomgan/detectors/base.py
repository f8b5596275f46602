"""The base of all detectors: fit, score, save. A method adds its networks and its inference."""

import math
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence, Set
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, overload

import numpy as np
import torch
from torch import nn

from anomgan.config_values import merge, without_idle
from anomgan.data.decode import to_uint8
from anomgan.data.normals import Source, read_source
from anomgan.data.roi import Given
from anomgan.detectors.estimator import Estimator
from anomgan.detectors.evidence import VIEWS_AT_ONCE, Look, batches, look
from anomgan.detectors.feature_space import FeatureSpace
from anomgan.detectors.fitting import FitOptions, fit_method
from anomgan.detectors.heatmaps import Scope, Statistics, judge_all
from anomgan.detectors.inputs import Images, One, as_source, as_sources
from anomgan.detectors.model_folder import StoredModel, write_model
from anomgan.detectors.recalibrating import recalibrate_method
from anomgan.detectors.result import Result
from anomgan.errors import ImageWarning, ModelError, PromiseWarning
from anomgan.machine.device import own_state


@dataclass(frozen=True)
class Prepared:
    """An image that has been read and is ready for the networks.

    Attributes:
        source: where the image came from.
        shape: of the original image.
        pixels: uint8 [h, w, C], as the networks see it.
        reason: how the image differs from all good images, or None; see `Result`.
        warnings: how the image differs in kind from the good images.
        scope: what counts in its maps.
        milliseconds: time for reading and preparing.
    """

    source: Source
    shape: tuple[int, ...]
    pixels: np.ndarray
    reason: str | None
    warnings: list[str]
    scope: Scope
    milliseconds: float


class Detector(Estimator):
    """Base of all detectors: fit to normal images, score others, save; see `Estimator` too."""

    _said: Set[str] = frozenset()

    def fit(
        self,
        normals: Images,
        y: object = None,
        *,
        groups: Path | str | None = None,
        roi: Given | None = None,
        work_folder: Path | str | None = None,
        resume: bool = False,
        skip_unreadable: bool = False,
    ) -> Self:
        """Learn what good parts look like.

        Args:
            normals: folder of good images; a list of paths, arrays (uint8 or uint16, [H, W] or
                [H, W, 3] in RGB) or PIL images; or an array [n, H, W] or [n, H, W, 3].
            y: ignored; scikit-learn's pipelines pass it.
            groups: CSV table that names the group (physical part, lot) of each image; whole
                groups stay together in the calibration.
            roi: the part of each image that counts, see `Roi.read`: a mask (file or array), or the
                corners of a polygon as text. None for the whole image.
            work_folder: folder for checkpoints; None for no checkpoints.
            resume: continue from the checkpoints in `work_folder`.
            skip_unreadable: leave out images that cannot be read.

        Raises:
            InputError: the images cannot be used.
            TrainingError: a loss is not finite, or the checkpoints do not match this run.
            Interrupted: Ctrl-C was pressed; a checkpoint is saved.
        """
        options = FitOptions(
            Path(groups) if groups else None,
            Path(work_folder) if work_folder else None,
            resume,
            skip_unreadable,
            roi,
        )
        with own_state(self.device):
            self.fitted = fit_method(self, _folder_or_sources(normals), options)
        self._warn_of_promise()
        return self

    def recalibrate(
        self,
        normals: Images,
        *,
        groups: Path | str | None = None,
        roi: Given | None = None,
        pixels_per_mm: float | None = None,
        smallest_defect: float | None = None,
        false_alarm_rate: float | None = None,
        skip_unreadable: bool = False,
    ) -> Self:
        """Replace the calibration with one on new good images; the networks do not change.

        All of the images are used for calibration, so none of them may be a training image.

        Args:
            normals: good images, as `fit` takes them.
            groups: CSV table that names the group (physical part, lot) of each image.
            roi: the part of each image that counts from now on, as `fit` takes it; None keeps the
                present one. A model that learnt from a part of each image is of no use outside.
            pixels_per_mm: the new scale of the images; None keeps the present one.
            smallest_defect: square pixels of the smallest region that makes a verdict from now on;
                None keeps the present one.
            false_alarm_rate: the new rate; None keeps the present one.
            skip_unreadable: leave out images that cannot be read.

        Raises:
            InputError: the images cannot be used, or some of them are training images.
            SettingsError: the rate is not between 0 and 1, or a size is not above 0.
            ModelError: the detector is not fitted yet.
        """
        fitted, given = self.fitted, self._given
        for section, name, value in (
            ("calibration", "false_alarm_rate", false_alarm_rate),
            ("score", "pixels_per_mm", pixels_per_mm),
            ("score", "smallest_defect", smallest_defect),
        ):
            if value is not None:
                given = merge(given, {section: {name: value}})
        settings = self._settings_of(given)
        options = FitOptions(
            Path(groups) if groups else None, skip_unreadable=skip_unreadable, roi=roi
        )
        method = copy(self)
        method.settings = settings
        self.fitted = recalibrate_method(method, fitted, _folder_or_sources(normals), options)
        self.settings, self._given, self.roi = settings, given, method.roi
        self._warn_of_promise()
        return self

    @overload  # a str is one path, but also a sequence of str
    def score(self, images: One) -> Result: ...  # type: ignore[overload-overlap]

    @overload
    def score(self, images: Sequence[One]) -> list[Result]: ...

    def score(self, images: One | Sequence[One]) -> Result | list[Result]:
        """Score one image (path, array or PIL image), or a list of them.

        Raises:
            InputError: an image cannot be read or is too small.
            ModelError: the detector is not fitted yet.
        """
        if isinstance(images, Iterable) and not isinstance(images, str | bytes | np.ndarray):
            return list(self.score_each(as_source(one) for one in images))
        return next(self.score_each([as_source(images)]))

    def score_samples(self, images: Images) -> np.ndarray:
        """Return scores by scikit-learn's convention, float64 [n]: higher is more normal.

        They are the scores of `score` with the sign changed, comparable within one model only. An
        image that is anomalous for another reason than its score (see `Result.reason`) gets a score
        beyond the threshold.

        Args:
            images: as `fit` takes them.

        Raises:
            InputError: an image cannot be read or is too small.
            ModelError: the detector is not fitted yet.
        """
        beyond = np.nextafter(-self.offset_, np.inf)
        results = self.score_each(as_sources(images))
        scores = [max(one.score, beyond) if one.reason else one.score for one in results]
        return -np.array(scores, dtype=np.float64)

    def decision_function(self, images: Images) -> np.ndarray:
        """Return the distance of images from the threshold, float64 [n]: below 0 is anomalous.

        This is `score_samples` minus `offset_`, with the same arguments and errors.
        """
        return self.score_samples(images) - self.offset_

    def predict(self, images: Images) -> np.ndarray:
        """Predict 1 for each normal image and -1 for each anomalous one, int64 [n].

        This is scikit-learn's convention. The arguments and errors are those of `score_samples`.
        """
        return np.where(self.decision_function(images) < 0, -1, 1)

    @property
    def offset_(self) -> float:
        """The value of `score_samples` at the threshold."""
        return -self.fitted.calibration.threshold

    def score_each(self, images: Iterable[Source]) -> Iterator[Result]:
        """Score images as they come, a few at a time; raises as `score` does."""
        for some in batches(images, self.images_at_once):
            yield from self.score_prepared([self.prepare(source) for source in some])

    def prepare(self, source: Source) -> Prepared:
        """Read an image and prepare it; safe in any thread. Raises as `score` does."""
        fitted, began = self.fitted, time.perf_counter()
        name = "image" if isinstance(source, np.ndarray) else str(source)
        image = read_source(source, name)
        pixels = fitted.preparation(image, name)
        scope = self.scope(pixels.shape, image.shape, name)
        reason, differences = None, list[str]()
        if fitted.usual is not None:
            reason = fitted.usual.unlike(to_uint8(image, fitted.preparation.bits), self.roi)
            differences = fitted.usual.differences(image)
        milliseconds = (time.perf_counter() - began) * 1000
        return Prepared(source, image.shape, pixels, reason, differences, scope, milliseconds)

    def score_prepared(self, images: Sequence[Prepared]) -> list[Result]:
        """Score images, `images_at_once` at a time; gives the warnings of each `Result`."""
        began = time.perf_counter()
        self._warn(text for image in images for text in image.warnings)
        looks = look(self, (image.pixels for image in images))
        results = [self._result(image, seen) for image, seen in zip(images, looks, strict=True)]
        share = (time.perf_counter() - began) * 1000 / max(1, len(images))
        return [
            replace(result, milliseconds=image.milliseconds + share)
            for image, result in zip(images, results, strict=True)
        ]

    @property
    def images_at_once(self) -> int:
        """How many images to score together: in the whole view, images fill a batch."""
        return VIEWS_AT_ONCE if self.settings.view.kind == "whole" else 1

    def save(self, folder: Path | str) -> None:
        """Write the model folder; replaces an earlier model there once all is written.

        Raises:
            InputError: the folder cannot be written to, or holds something else.
            ModelError: the detector is not fitted yet.
        """
        fitted = self.fitted
        modules = nn.ModuleDict({"networks": self.networks})
        if self.feature_space is not None:
            modules["space"] = self.feature_space
        write_model(Path(folder), self.settings, fitted, modules, self.roi)

    @classmethod
    def from_model(cls, model: StoredModel, device: str = "auto") -> Self:
        """Build the detector that a model folder describes.

        Raises:
            SettingsError: the settings are not valid for this detector.
            ModelError: weights or statistics do not fit the settings.
        """
        values = without_idle(cls.settings_type, model.settings)
        detector = cls.from_settings(values, device)
        channels: int = model.preparation.channels
        if detector.settings.space == "features":
            backbone, place = detector.settings.backbone, model.facts.get("place")
            space = model.module("space", lambda: FeatureSpace(backbone, place))
            detector.feature_space, channels = space.to(detector.device).eval(), space.channels

        def build() -> nn.ModuleDict:
            detector.networks = detector.build_all(channels)
            for member in detector.members:
                member.drop_idle()
            return detector.networks

        networks = model.module("networks", build, detector.only_for_training)
        networks = networks.to(detector.device).to(memory_format=torch.channels_last)
        detector.networks = networks.eval()
        detector.fitted, detector.roi = model.fitted, model.roi
        detector._check_statistics(detector.fitted.statistics, model.folder)
        return detector

    def _check_statistics(self, statistics: Sequence[Statistics], folder: Path) -> None:
        if len(statistics) != len(self.members):
            raise ModelError(f"{folder} holds no statistics for some of its networks")
        missing = {name for name in self.counted for one in statistics if not one.measured(name)}
        if self.settings.score.standardise and missing:
            raise ModelError(f"{folder} holds no usable statistics of {', '.join(sorted(missing))}")

    @property
    def bits(self) -> int:
        """Significant bits of 16-bit images, as found in the normal images."""
        return self.fitted.preparation.bits

    def _result(self, image: Prepared, seen: Look) -> Result:
        fitted, source = self.fitted, image.source
        scores, heat = judge_all(self.settings, seen.evidence, fitted.statistics, image.scope)
        calibration = fitted.calibration
        return Result(
            image=None if isinstance(source, np.ndarray) else str(source),
            score=calibration.score(scores),
            scores=scores,
            p_value=calibration.p_value([math.inf] * len(scores) if image.reason else scores),
            threshold=calibration.threshold,
            false_alarm_rate=calibration.false_alarm_rate,
            size=(image.shape[0], image.shape[1]),
            heat=heat,
            cell=self.grid.stride if self.grid else 1,
            heat_threshold=calibration.heat_threshold,
            region_p_value=calibration.region_p_value,
            prepared=seen.prepared,
            reconstruction=seen.reconstruction,
            milliseconds=0.0,
            reason=image.reason and f"not like the images learnt: {image.reason}",
            warnings=image.warnings,
            roi=self.roi,
            smallest_defect=self.settings.score.smallest_defect,
            pixels_per_mm=self.settings.score.pixels_per_mm,
        )

    def _warn_of_promise(self) -> None:
        """Warn of copies, and of too few held-out images for the requested false-alarm rate."""
        fitted = self.fitted
        copies = fitted.facts.get("recalibration", fitted.facts).get("copies")
        if copies:
            warnings.warn(
                f"copies or near copies of other images: {copies}", ImageWarning, stacklevel=3
            )
        for shortfall in fitted.calibration.shortfalls("recalibration" in fitted.facts):
            warnings.warn(shortfall, PromiseWarning, stacklevel=3)

    def _warn(self, texts: Iterable[str]) -> None:
        """Give each warning once in the life of this detector."""
        for text in texts:
            if text not in self._said:
                self._said = {*self._said, text}
                warnings.warn(text, ImageWarning, stacklevel=2)


def _folder_or_sources(images: Images) -> Path | list[Source]:
    """Keep a folder as a path, so that messages can name it; list other images as sources."""
    return Path(images) if isinstance(images, Path | str) else as_sources(images)
