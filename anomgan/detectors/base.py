"""What all detectors share: fit, score, save. A method adds its networks and its inference."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, overload

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.config import Settings, build_settings, merge
from anomgan.data.normals import Source, read_source
from anomgan.data.views import (
    LARGEST_TILE,
    Maps,
    from_square,
    overlap,
    scan,
    shrink,
    squeezed,
    to_network,
    to_pixels,
    to_square,
)
from anomgan.detectors.feature_space import (
    FeatureSpace,
    Grid,
    as_maps,
    as_vectors,
    feature_evidence,
)
from anomgan.detectors.fitted import Fitted
from anomgan.detectors.fitting import FitOptions, fit_detector, recalibrate_detector
from anomgan.detectors.heatmaps import Evidence, Statistics, combine, compare, pool, soften
from anomgan.detectors.model_folder import StoredModel, write_model
from anomgan.detectors.result import Result
from anomgan.errors import ModelError
from anomgan.machine.device import choose_device
from anomgan.training.recipe import Phase

Item = TypeVar("Item")
VIEWS_AT_ONCE = 64
"""Views in one batch when scoring."""


@dataclass(frozen=True)
class Prepared:
    """An image that is read and ready for the networks.

    Attributes:
        source: where it came from.
        shape: of the image itself.
        pixels: uint8 [h, w, C], as the networks see it.
        milliseconds: what that took.
    """

    source: Source
    shape: tuple[int, ...]
    pixels: np.ndarray
    milliseconds: float


@dataclass(frozen=True)
class Look:
    """What the networks make of one prepared image.

    Attributes:
        prepared: uint8 [h, w] or [h, w, 3], the image as the networks see it.
        reconstruction: uint8, likewise; None in feature space.
        evidence: maps by name: of "residual", "squared", "contrast" and the method's own, those
            that have a weight; [h, w], or a value for each cell of the features.
    """

    prepared: np.ndarray
    reconstruction: np.ndarray | None
    evidence: Evidence


@dataclass(frozen=True)
class Profile:
    """A detector in a line for people who choose: how it infers, what it costs, when to use it."""

    infers: str
    costs: str
    choose: str


class Detector(ABC):
    """Base of all detectors.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        **values: settings, nested as in a settings file: `training={"steps": 500}`.

    Raises:
        SettingsError: names every setting that is unknown or out of range.
    """

    settings_type: ClassVar[type[Settings]]
    profile: ClassVar[Profile]
    stride: int | None = None
    """Multiple that sides of an input must be; None if only a view's size will do."""
    searches: ClassVar[bool] = False
    """Whether it searches with gradients for each image, which no exported graph can."""
    logits: ClassVar[frozenset[str]] = frozenset()
    """Evidence that is a logit, which is standardised as such."""
    networks: nn.ModuleDict
    feature_space: FeatureSpace | None = None
    """What sees the images in feature space; None in pixel space."""

    def __init__(self, *, device: str = "auto", **values: Any) -> None:
        self.settings = build_settings(self.settings_type, values)
        self.device = choose_device(device)
        self.fitted: Fitted | None = None

    @abstractmethod
    def build(self, channels: int) -> nn.ModuleDict:
        """Its networks, freshly initialised.

        Args:
            channels: of an image, 1 or 3; in feature space, the length of a feature vector.
        """

    @abstractmethod
    def phases(self) -> dict[str, Phase]:
        """Its training phases by name, in order; they train `self.networks`."""

    def learn(self, views: Iterable[Tensor]) -> None:
        """What is learnt from the training images without descending a gradient.

        Args:
            views: every training image as a whole view [1, C, size, size] in [-1, 1].
        """

    @abstractmethod
    def infer(self, x: Tensor) -> Maps:
        """Maps of views x [N, C, H, W] in [-1, 1], or of feature vectors x [N, D, 1, 1].

        Returns:
            "reconstruction" like x, and the method's own evidence: maps [N, 1, H, W], or one
            value per view [N, 1, 1, 1].
        """

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

    def recalibrate(
        self,
        normals: Path | str | Sequence[Source],
        *,
        groups: Path | str | None = None,
        false_alarm_rate: float | None = None,
        skip_unreadable: bool = False,
    ) -> Self:
        """Replace the calibration by one on new good images; what was learnt stays as it is.

        All of them are calibrated on, so that none may be one that the detector learnt from.

        Args:
            normals: folder of good images, or a list of paths or arrays.
            groups: CSV table that names the group (physical part, lot) of each image.
            false_alarm_rate: to keep to; None for the present one.
            skip_unreadable: leave out images that cannot be read.

        Raises:
            InputError: the images cannot be used, or are those that the detector learnt from.
            SettingsError: the rate is not between 0 and 1.
            ModelError: the detector is not fitted yet.
        """
        fitted, settings = self._require_fitted(), self.settings
        if false_alarm_rate is not None:
            values = {"calibration": {"false_alarm_rate": false_alarm_rate}}
            settings = build_settings(self.settings_type, merge(settings.model_dump(), values))
        options = FitOptions(Path(groups) if groups else None, skip_unreadable=skip_unreadable)
        self.fitted = recalibrate_detector(self, fitted, normals, settings.calibration, options)
        self.settings = settings
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
            return next(self.score_each([images]))
        return list(self.score_each(images))

    def score_each(self, images: Iterable[Source]) -> Iterator[Result]:
        """Score images as they come, a few at a time; raises as `score` does."""
        for some in _batches(images, self.images_at_once):
            yield from self.score_prepared([self.prepare(source) for source in some])

    def prepare(self, source: Source) -> Prepared:
        """Read an image and prepare it; any thread may do that. Raises as `score` does."""
        preparation, began = self._require_fitted().preparation, time.perf_counter()
        name = "image" if isinstance(source, np.ndarray) else str(source)
        image = read_source(source, name)
        pixels = preparation(image, name)
        return Prepared(source, image.shape, pixels, (time.perf_counter() - began) * 1000)

    def score_prepared(self, images: Sequence[Prepared]) -> list[Result]:
        """Score images, as many as `images_at_once` together."""
        began = time.perf_counter()
        looks = self.look(image.pixels for image in images)
        results = [
            self._result(image.source, image.shape, seen)
            for image, seen in zip(images, looks, strict=True)
        ]
        share = (time.perf_counter() - began) * 1000 / max(1, len(images))
        return [
            replace(result, milliseconds=image.milliseconds + share)
            for image, result in zip(images, results, strict=True)
        ]

    @property
    def images_at_once(self) -> int:
        """Images that are best scored together: small whole ones fill a batch."""
        return VIEWS_AT_ONCE if self.settings.view.kind == "whole" else 1

    def save(self, folder: Path | str) -> None:
        """Write the model folder; an earlier model there is replaced when all went well.

        Raises:
            InputError: the folder cannot be written to, or holds something else.
            ModelError: the detector is not fitted yet.
        """
        modules = nn.ModuleDict({"networks": self.networks})
        if self.feature_space is not None:
            modules["space"] = self.feature_space
        write_model(Path(folder), self.settings, self._require_fitted(), modules)

    @classmethod
    def from_model(cls, model: StoredModel, device: str = "auto") -> Self:
        """The detector that a model folder describes.

        Raises:
            SettingsError: the settings cannot be those of this detector.
            ModelError: weights or statistics do not fit the settings.
        """
        detector = cls(device=device, **model.settings)
        channels = model.preparation.channels
        if detector.settings.space == "features":
            backbone, place = detector.settings.backbone, model.facts.get("place")
            space = model.module("space", lambda: FeatureSpace(backbone, place))
            detector.feature_space, channels = space.to(detector.device).eval(), space.channels
        networks = model.module("networks", lambda: detector.build(channels))
        detector.networks = networks.to(detector.device, memory_format=torch.channels_last).eval()
        detector.fitted = model.fitted
        detector._check_statistics(detector.fitted.statistics, model.folder)
        return detector

    def _check_statistics(self, statistics: Statistics, folder: Path) -> None:
        missing = sorted(name for name in self.counted if not statistics.measured(name))
        if self.settings.score.standardise and missing:
            raise ModelError(f"{folder} holds no usable statistics of {', '.join(missing)}")

    def look(self, images: Iterable[np.ndarray]) -> Iterator[Look]:
        """Pass prepared images [h, w, C] of any size through the networks, view by view."""
        if self.grid is not None:
            return (self._look_at_features(image) for image in images)
        if self.settings.view.kind == "whole":
            return self._look_at_wholes(images)
        return (self._evidence(image, self._scan(image)) for image in images)

    def _look_at_wholes(self, images: Iterable[np.ndarray]) -> Iterator[Look]:
        size = self.settings.view.size
        for some in _batches(images, VIEWS_AT_ONCE):
            squares = np.stack([to_square(image, size) for image in some])
            found = self._see(to_network(squares))
            for index, image in enumerate(some):
                maps = {
                    name: from_square(m[index : index + 1], *image.shape[:2])
                    for name, m in found.items()
                }
                yield self._evidence(image, maps)

    def _look_at_features(self, image: np.ndarray) -> Look:
        assert self.grid is not None
        padded = self.grid.surround(image)
        maps = self._see(to_network(padded[None]))
        cut = partial(self.grid.crop, padded=padded.shape, shape=image.shape)
        evidence = self._softened({name: cut(m) for name, m in maps.items()})
        return Look(squeezed(image), None, evidence)

    def evidence_of(self, features: Tensor) -> Evidence:
        """The evidence of a map [D, h, w] in feature space, cell by cell."""
        return self._softened(self._compute(self.see_features, features[None].float()))

    def _softened(self, maps: Maps) -> Evidence:
        """Of maps [1, 1, h, w] those that have a weight, smoothed."""
        names, smooth = self.counted, self.settings.score.smooth
        return {n: soften(m[0, 0].numpy(), smooth) for n, m in maps.items() if n in names}

    def _scan(self, prepared: np.ndarray) -> Maps:
        """Maps of a whole image; of the scales that it is seen at, the hottest."""
        maps = self._scan_once(prepared)
        height, width = prepared.shape[:2]
        for number in range(1, self.settings.view.scales):
            small = shrink(prepared, round(height / 2**number), round(width / 2**number))
            if min(small.shape[:2]) < self.settings.view.size // 2:
                break
            for name, found in self._scan_once(small).items():
                if name != "reconstruction":
                    found = F.interpolate(found, (height, width), mode="bilinear")
                    maps[name] = torch.maximum(maps[name], found)
        return maps

    def _scan_once(self, prepared: np.ndarray) -> Maps:
        size = self.settings.view.size
        if self.stride is None:
            tile, stride, batch = size, size, VIEWS_AT_ONCE
        else:
            tile, stride, batch = LARGEST_TILE, self.stride, 1
        margin = overlap(size)
        return scan(prepared, self._see, tile=tile, stride=stride, margin=margin, batch_size=batch)

    def _evidence(self, prepared: np.ndarray, maps: Maps) -> Look:
        reconstruction = maps.pop("reconstruction")
        rebuilt = reconstruction[0].permute(1, 2, 0).numpy()
        names = self.counted
        evidence = {name: values[0, 0].numpy() for name, values in maps.items() if name in names}
        evidence |= compare(prepared, rebuilt, self.settings.score.smooth, names)
        return Look(squeezed(prepared), squeezed(to_pixels(reconstruction)[0]), evidence)

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
    def grid(self) -> Grid | None:
        """How the cells of feature space lie on an image; None in pixel space."""
        return self.feature_space.grid if self.feature_space is not None else None

    def load_backbone(self) -> list[dict[str, Any]]:
        """Load the pretrained network of feature space, before any image is read.

        Returns:
            Where its weights are from; nothing in pixel space.

        Raises:
            SettingsError: the backbone is unknown.
            InputError: its weights cannot be had, or do not fit.
        """
        if self.settings.space == "pixels":
            return []
        backbone = self.settings.backbone
        self.feature_space = FeatureSpace(backbone).to(self.device).eval()
        file = Path(backbone.weights) if backbone.weights else None
        return self.feature_space.extractor.load_weights(file)

    @property
    def bits(self) -> int:
        """Significant bits of 16-bit images, as found in the normal images."""
        return self._require_fitted().preparation.bits

    @property
    def counted(self) -> set[str]:
        """Evidence that has a weight, in the score or in the heatmap."""
        weights = (self.settings.weights, self.settings.heatmap_weights)
        return {name for some in weights for name, weight in some.as_dict().items() if weight}

    def see(self, x: Tensor) -> Maps:
        """What `infer` makes of images x [N, C, H, W] in [-1, 1], in the space of the detector.

        Returns:
            In pixel space as `infer`; in feature space as `see_features`.
        """
        if self.feature_space is None:
            return self.infer(x)
        return self.see_features(self.feature_space(x))

    def see_features(self, features: Tensor) -> Maps:
        """What `infer` makes of every place of features [N, D, h, w].

        Returns:
            Maps [N, 1, h, w]: the evidence that all methods share, and the method's own.
        """
        x = as_vectors(features)
        maps = self.infer(x)
        directions = self.settings.backbone.directions
        maps |= feature_evidence(x, maps.pop("reconstruction"), directions)
        return {name: as_maps(values, features) for name, values in maps.items()}

    def _see(self, x: Tensor) -> Maps:
        maps = self._compute(self.see, x)
        if self.grid is not None:
            return maps
        return {name: m.expand(-1, -1, *x.shape[-2:]) for name, m in maps.items()}

    def _compute(self, see: Callable[[Tensor], Maps], x: Tensor) -> Maps:
        mixed = self.settings.score.precision == "bfloat16"
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            return {name: m.float().cpu() for name, m in see(x.to(self.device)).items()}

    def _result(self, source: Source, shape: tuple[int, ...], seen: Look) -> Result:
        fitted = self._require_fitted()
        score, heat = self.judge(seen.evidence, fitted.statistics)
        calibration = fitted.calibration
        return Result(
            image=None if isinstance(source, np.ndarray) else str(source),
            score=score,
            p_value=calibration.p_value(score),
            threshold=calibration.threshold,
            false_alarm_rate=calibration.false_alarm_rate,
            size=(shape[0], shape[1]),
            heat=heat,
            cell=self.grid.stride if self.grid else 1,
            heat_threshold=calibration.heat_threshold,
            prepared=seen.prepared,
            reconstruction=seen.reconstruction,
            milliseconds=0.0,
        )

    def _require_fitted(self) -> Fitted:
        if self.fitted is None:
            raise ModelError("this detector has not learnt anything yet; call fit first")
        return self.fitted


def _batches(images: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(images)
    while some := list(islice(remaining, size)):
        yield some
