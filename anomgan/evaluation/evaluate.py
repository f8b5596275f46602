"""Measures a fitted detector on images whose truth is known."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from anomgan.data.copies import count_known, digest
from anomgan.data.folders import read_groups
from anomgan.data.masks import open_mask
from anomgan.data.normals import read_source
from anomgan.data.public_sets import GOOD, LabelledImage
from anomgan.detectors.base import Detector
from anomgan.detectors.evidence import batches
from anomgan.detectors.result import Result
from anomgan.errors import InputError
from anomgan.machine.progress import progress_bar
from anomgan.metrics.detection import auroc, average_precision, best_f1, fpr_at_95_tpr
from anomgan.metrics.intervals import auroc_interval
from anomgan.metrics.pixels import PixelScores

AUPRO_LIMIT = 0.3
"""False-positive rate of pixels up to which AUPRO is integrated."""


@dataclass
class Masks:
    """The masks of an evaluation, in the order in which they were read.

    Attributes:
        found: all of them.
        empty: those that show no defect, though their images are defective.
        scaled: those that were scaled to the size of their image.
    """

    found: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)
    scaled: list[Path] = field(default_factory=list)

    def read(
        self, image: LabelledImage, shape: tuple[int, int], inside: np.ndarray
    ) -> np.ndarray | None:
        """The mask of an image as bool [H, W], if it has one; only what is `inside` is a defect.

        Raises:
            InputError: it cannot be read, or does not fit the `shape` of the image.
        """
        if image.mask is None:
            return None
        pixels, is_scaled = open_mask(image.mask, image.source, shape)
        pixels = pixels & inside
        self.found.append(image.mask)
        if not pixels.any():
            self.empty.append(image.mask)
        if is_scaled:
            self.scaled.append(image.mask)
        return pixels

    @property
    def show_defects(self) -> bool:
        """Whether there is a pixel of a defect to measure with."""
        return len(self.found) > len(self.empty)


@dataclass(frozen=True)
class Evaluation:
    """The results of a detector on images whose truth is known.

    Attributes:
        images: in the order of everything below.
        scores: image scores [N].
        p_values: likewise.
        alarms: bool [N], whether each was called anomalous.
        groups: physical part of each image, or None.
        threshold: of the verdicts.
        false_alarm_rate: what the threshold promises.
        masks: those of the images.
        pixel_auroc: of all pixels; None without masks that show a defect.
        pixel_aupro: up to `AUPRO_LIMIT`; likewise.
        milliseconds: per image, reading included.
        learnt: number of good images that the detector has learnt from.
    """

    images: Sequence[LabelledImage]
    scores: np.ndarray
    p_values: np.ndarray
    alarms: np.ndarray
    groups: Sequence[str] | None
    threshold: float
    false_alarm_rate: float
    masks: Masks
    pixel_auroc: float | None
    pixel_aupro: float | None
    milliseconds: float
    learnt: int

    @property
    def labels(self) -> np.ndarray:
        """1 anomalous, 0 normal [N]."""
        return np.array([image.is_anomalous for image in self.images], int)

    @property
    def kinds(self) -> list[str]:
        """Kinds of defects, sorted."""
        return sorted({image.kind for image in self.images} - {GOOD})

    def of_kind(self, kind: str) -> np.ndarray:
        """Which images are of a kind, bool [N]."""
        return np.array([image.kind == kind for image in self.images])

    def kind_auroc(self, kind: str) -> float:
        """AUROC of one kind of defect against all good images."""
        some = self.of_kind(kind) | self.of_kind(GOOD)
        return auroc(self.labels[some], self.scores[some])

    def figures(self) -> dict[str, Any]:
        """All figures, by the names of the benchmark records."""
        labels, scores = self.labels, self.scores
        return {
            "n_test_normal": int((labels == 0).sum()),
            "n_test_anomalous": int(labels.sum()),
            "image_auroc": auroc(labels, scores),
            "image_auroc_95": auroc_interval(labels, scores, self.groups),
            "image_ap": average_precision(labels, scores),
            "image_f1_max": best_f1(labels, scores),
            "fpr_at_95_tpr": fpr_at_95_tpr(labels, scores),
            "false_alarm_rate_target": self.false_alarm_rate,
            "false_alarm_rate_observed": float(self.alarms[labels == 0].mean()),
            "detected": float(self.alarms[labels == 1].mean()),
            "pixel_auroc": self.pixel_auroc,
            "pixel_aupro_0.3": self.pixel_aupro,
            "per_defect": {kind: self.kind_auroc(kind) for kind in self.kinds},
            "score_ms_per_image": self.milliseconds,
        }


def evaluate(
    detector: Detector, images: Sequence[LabelledImage], groups: Path | None = None
) -> Evaluation:
    """Score all images and measure. One heatmap at a time is in memory, and a float per pixel.

    Args:
        detector: a fitted one.
        images: good and defective ones.
        groups: table that names the physical part of each; intervals then draw whole parts.

    Raises:
        InputError: an image or a mask cannot be read, or there are only good or only defective
            images.
        ModelError: the detector is not fitted.
    """
    named = read_groups(groups, [Path(str(i.source)) for i in images]) if groups else None
    pixels = PixelScores() if any(image.mask for image in images) else None
    masks = Masks()
    digests: list[np.ndarray] = []
    scores, p_values, alarms = [], [], []
    seconds = 0.0
    with progress_bar("scoring", len(images)) as report:
        results = _score(detector, images, digests)
        for done, image in enumerate(images, start=1):
            began = time.perf_counter()
            result = next(results)
            seconds += time.perf_counter() - began
            scores.append(result.score)
            p_values.append(result.p_value)
            alarms.append(result.is_anomalous)
            if pixels:
                inside = result.inside
                mask = masks.read(image, result.size, inside)
                pixels.add(result.heatmap, mask, inside)
            report(done)
    pixels = pixels if masks.show_defects else None
    fitted = detector.fitted
    return Evaluation(
        images=images,
        scores=np.array(scores),
        p_values=np.array(p_values),
        alarms=np.array(alarms),
        groups=named,
        threshold=fitted.calibration.threshold,
        false_alarm_rate=fitted.calibration.false_alarm_rate,
        masks=masks,
        pixel_auroc=pixels.auroc() if pixels else None,
        pixel_aupro=pixels.aupro(AUPRO_LIMIT) if pixels else None,
        milliseconds=1000 * seconds / len(images),
        learnt=0 if fitted.learnt is None else count_known(digests, fitted.learnt),
    )


def _score(
    detector: Detector, images: Sequence[LabelledImage], digests: list[np.ndarray]
) -> Iterator[Result]:
    """Score images as they come, each decoded once; appends the digests of good ones."""
    for some in batches(images, detector.images_at_once):
        prepared = []
        for image in some:
            pixels = read_source(image.source)
            if not image.is_anomalous:
                digests.append(digest(pixels))
            try:
                prepared.append(detector.prepare(pixels))
            except InputError as error:
                name = "" if isinstance(image.source, np.ndarray) else f"{image.source}: "
                raise InputError(f"{name}{error}") from None
        yield from detector.score_prepared(prepared)
