"""Fits any detector: read, hold out, train, measure, calibrate."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anomgan.data.normals import Source
from anomgan.data.prepare import Preparation
from anomgan.data.roi import Given, Roi
from anomgan.data.store import ImageStore
from anomgan.data.usual import Usual
from anomgan.data.vectors import Vectors
from anomgan.data.views import to_network, to_square
from anomgan.detectors.calibration import Calibration
from anomgan.detectors.fitted import Fitted, Sample
from anomgan.detectors.folds import deal
from anomgan.detectors.heatmaps import Statistics
from anomgan.detectors.learnt_space import LearntSpace, learn_space
from anomgan.detectors.map_files import MapFiles
from anomgan.detectors.measuring import (
    calibrate,
    calibrate_folds,
    measure_features,
    measure_pixels,
    name_highest,
)
from anomgan.detectors.method import Method
from anomgan.detectors.reading import (
    describe_images,
    divide,
    fewest_images,
    find_groups,
    read_good,
    require,
    require_cells,
)
from anomgan.training.batches import Batches
from anomgan.training.phases import train_phase, vector_batches, view_batches
from anomgan.training.recipe import Phase
from anomgan.training.trainer import TrainingSummary

PLACE_FOLDS = 16
"""Folds for eigenmaps. The remainder of a training image is taken by eigenmaps of the other folds,
that of a new image by eigenmaps of all images. With few folds, training images would look stranger
than new ones."""


@dataclass(frozen=True)
class FitOptions:
    """How to read the images and where to keep checkpoints; see `Detector.fit`.

    `weights`, if given, are loaded into the networks instead of training them.
    """

    groups: Path | None = None
    work_folder: Path | None = None
    resume: bool = False
    skip_unreadable: bool = False
    roi: Given | None = None
    weights: Mapping[str, Tensor] | None = None


@dataclass(frozen=True)
class Parts:
    """The prepared good images, and which of them train.

    Attributes:
        store: all images.
        preparation: how they were prepared.
        shapes: of all images before that.
        groups: of all images; None if each is its own.
        training: positions of the training images in the store.
        folds: of each training image.
        fingerprint: of the images, and of what counts in them.
    """

    store: ImageStore
    preparation: Preparation
    shapes: list[tuple[int, int]]
    groups: list[str] | None
    training: list[int]
    folds: np.ndarray
    fingerprint: str

    def groups_of(self, images: Sequence[int]) -> list[str] | None:
        """The groups of images, given as positions in the store."""
        return None if self.groups is None else [self.groups[index] for index in images]


def fit_method(method: Method, normals: Path | Sequence[Source], options: FitOptions) -> Fitted:
    """Train `method.networks` and calibrate; see `Detector.fit`."""
    settings = method.settings
    method.roi = None if options.roi is None else Roi.read(options.roi)
    backbones = method.load_backbone()
    _try_networks(method)
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        folder = options.work_folder or Path(scratch)
        read = read_good(normals, folder, options.skip_unreadable)
        require(read, normals, *fewest_images(settings.calibration))
        groups, copies = find_groups(read, options.groups)
        training, held = divide(groups or read.names, settings, copies)
        shapes = read.shapes()
        if method.roi is not None:
            method.roi.require(shapes, read.names)
        space = method.feature_space
        long_side = space.long_side(shapes) if space else None
        preparation = Preparation.of(read, settings.image, settings.view, long_side)
        usual = Usual.measure(read, read.bits, method.roi)
        with read.prepared(preparation, folder) as store:
            require_cells(method, store, shapes)
            named = [(groups or read.names)[index] for index in training]
            folds = deal(named, settings.calibration.folds, settings.seed)
            about = read.fingerprint if method.roi is None else read.fingerprint + method.roi.digest
            parts = Parts(store, preparation, shapes, groups, training, folds, about)
            learnt = _learn_space(method, parts, named, options)
            summaries, statistics = _train(method, parts, learnt, options)
            calibration, samples, highest = _calibrate(
                method, parts, held, learnt, statistics, read.names
            )
    learnt_from = np.stack([read.digests[index] for index in training])
    facts: dict[str, Any] = {
        **describe_images(read, groups, copies),
        "training_images": len(training),
        "calibration_images": len(calibration.scores),
        "folds": settings.calibration.folds if calibration.folds is not None else None,
        "steps": sum(summary.steps for summary in summaries),
        "seconds": round(sum(summary.seconds for summary in summaries), 1),
        "device": str(method.device),
        "highest": highest,
    }
    if learnt is not None:
        facts |= {"backbones": backbones, "place": learnt.place, "explained": learnt.explained}
        facts["turned_copies"] = len(learnt.turns) - learnt.turns.count(0)
    history = [
        {"training": number, **row}
        for number, summary in enumerate(summaries, start=1)
        for row in summary.history
    ]
    return Fitted(preparation, statistics, calibration, usual, learnt_from, facts, history, samples)


def _try_networks(method: Method) -> None:
    """Build the networks without allocating memory, so that bad settings raise at once."""
    space, wanted = method.feature_space, method.settings.image.channels
    # Whether images are grey is not known yet; it only changes the first and the last layer.
    channels = space.channels if space else 3 if wanted == "rgb" else 1
    with torch.device("meta"):
        method.build(channels)


def _learn_space(
    method: Method, parts: Parts, groups: Sequence[str], options: FitOptions
) -> LearntSpace | None:
    """Prepare the training data in feature space; None in pixel space."""
    if method.feature_space is None:
        return None
    settings, seed = method.settings.backbone, method.settings.seed
    facts = {
        "backbone": settings.model_dump(mode="json"),
        "preparation": parts.preparation.as_dict(),
        "images": parts.fingerprint,
        "training_images": parts.training,
        "seed": seed,
    }
    work = MapFiles(options.work_folder, facts, options.resume)
    return learn_space(
        method.feature_space,
        parts.store,
        parts.training,
        deal(groups, PLACE_FOLDS, seed),
        settings,
        work,
        seed,
        method.roi,
    )


def _train(
    method: Method, parts: Parts, learnt: LearntSpace | None, options: FitOptions
) -> tuple[list[TrainingSummary], list[Statistics]]:
    """Train each member of the method, and measure the evidence of its training images."""
    torch.manual_seed(method.settings.seed)
    space = method.feature_space
    method.networks = method.build_all(space.channels if space else parts.preparation.channels)
    if options.weights is not None:
        method.networks.load_state_dict(options.weights)
    members, summaries, statistics = method.members, list[TrainingSummary](), list[Statistics]()
    for number, member in enumerate(members):
        if learnt is None:
            summaries += _train_phases(member, parts, None, options)
            images = (parts.store[index] for index in parts.training)
            size = method.settings.view.size
            member.learn(to_network(to_square(image, size)[None]) for image in images)
            _finish(member)
            statistics.append(measure_pixels(member, parts.store, parts.training, parts.shapes))
            continue
        seen = np.ones(len(learnt.images), dtype=bool)
        suffix = ""
        if len(members) > 1:
            seen = parts.folds[learnt.images] != number
            suffix = f"-{number + 1}-of-{len(members)}"
        vectors = learnt.vectors.of_images(seen)
        summaries += _train_phases(member, parts, vectors, options, len(members), suffix)
        training = np.flatnonzero(seen).tolist()
        member.learn(learnt.maps[index][None].float() for index in training)
        _finish(member)
        statistics.append(measure_features(member, learnt, training))
    return summaries, statistics


def _train_phases(
    member: Method,
    parts: Parts,
    vectors: Vectors | None,
    options: FitOptions,
    members: int = 1,
    suffix: str = "",
) -> list[TrainingSummary]:
    """Train the networks of one of the members, on vectors in feature space."""
    settings = member.settings

    def share_of(phase: Phase) -> Phase:
        """The phase with this member's share of the time, if that is limited."""
        minutes = phase.training.minutes
        if minutes is None:
            return phase
        share = {"minutes": minutes / members}
        return replace(phase, training=phase.training.model_copy(update=share))

    def batches_of(phase: Phase) -> Batches:
        if vectors is not None:
            return vector_batches(phase, vectors, settings.seed)
        return view_batches(phase, parts.store, parts.training, settings)

    if options.weights is not None:
        return []
    return [
        train_phase(
            name + suffix,
            share_of(phase),
            batches_of(phase),
            settings,
            fingerprint=parts.fingerprint,
            device=member.device,
            work_folder=options.work_folder,
            resume=options.resume,
        )
        for name, phase in member.phases().items()
    ]


def _calibrate(
    method: Method,
    parts: Parts,
    held: list[int],
    learnt: LearntSpace | None,
    statistics: Sequence[Statistics],
    names: Sequence[str],
) -> tuple[Calibration, list[Sample], list[tuple[str, float]]]:
    """Calibrate on the images that were held out, or on the training images by folds.

    Returns:
        The calibration, samples, and the images with the highest scores.
    """
    store, shapes = parts.store, parts.shapes
    if held:
        images = held
        calibration, samples, scores = calibrate(
            method, store, held, parts.groups_of(held), statistics, shapes
        )
    else:
        assert learnt is not None  # folds are for feature space only
        images = learnt.images[: learnt.turns.count(0)]
        groups, folds = parts.groups_of(images), parts.folds[images]
        calibration, samples, scores = calibrate_folds(
            method, store, learnt, folds, groups, statistics, shapes
        )
    return calibration, samples, name_highest(scores, [names[index] for index in images])


@torch.no_grad()
def _finish(member: Method) -> None:
    """Keep what scoring needs of a trained member.

    In feature space, weights are rounded to half precision, so that the model folder can store them
    that way.
    """
    member.drop_idle()
    member.networks.to(member.device).eval()
    if member.feature_space is not None:
        for weight in member.networks.parameters():
            weight.copy_(weight.half())
