"""Fits any detector: read, hold out, train, measure, calibrate. Also recalibrates it."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anomgan.config import CalibrationSettings, Settings
from anomgan.data.copies import count_known, find_copies, thumbnail
from anomgan.data.decode import to_uint8
from anomgan.data.folders import list_images, read_groups
from anomgan.data.normals import NormalImages, Source, read_normals
from anomgan.data.prepare import Preparation
from anomgan.data.roi import Given, Roi
from anomgan.data.store import ImageStore
from anomgan.data.usual import Usual
from anomgan.data.vectors import Vectors
from anomgan.data.views import to_network, to_square
from anomgan.detectors.calibration import hold_out
from anomgan.detectors.feature_space import LearntSpace, MapFiles, learn_space
from anomgan.detectors.fitted import Fitted
from anomgan.detectors.folds import deal
from anomgan.detectors.heatmaps import Statistics
from anomgan.detectors.measuring import (
    calibrate,
    calibrate_folds,
    measure_features,
    measure_pixels,
    name_highest,
)
from anomgan.detectors.method import Method
from anomgan.errors import InputError
from anomgan.machine.progress import progress_bar
from anomgan.training.batches import Batches
from anomgan.training.phases import train_phase, vector_batches, view_batches
from anomgan.training.recipe import Phase
from anomgan.training.trainer import TrainingSummary

FEWEST_TRAINING_IMAGES = 10
PLACE_FOLDS = 16
"""Eigenmaps see a training image by the others of so many folds, and a new image by all of them.
Few folds would make training images look stranger than new ones."""


@dataclass(frozen=True)
class FitOptions:
    """How to read the images and where to keep checkpoints; see `Detector.fit`.

    With `weights` the networks are not trained: they get these.
    """

    groups: Path | None = None
    work_folder: Path | None = None
    resume: bool = False
    skip_unreadable: bool = False
    roi: Given | None = None
    weights: Mapping[str, Tensor] | None = None


@dataclass
class Parts:
    """Prepared normal images and their shapes before, the training images and their groups."""

    store: ImageStore
    preparation: Preparation
    training: list[int]
    groups: list[str]
    folds: np.ndarray
    fingerprint: str
    shapes: list[tuple[int, int]]


def fit_method(
    method: Method, normals: Path | str | Sequence[Source], options: FitOptions
) -> Fitted:
    """Train `method.networks` and calibrate; see `Detector.fit`."""
    settings = method.settings
    method.roi = None if options.roi is None else Roi.read(options.roi)
    backbones = method.load_backbone()
    _try_networks(method)
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        folder = options.work_folder or Path(scratch)
        read = _read(normals, folder, options.skip_unreadable)
        _require(read, normals, *_fewest(settings.calibration))
        groups, copies = _read_groups(read, options.groups)
        training, held = _divide(groups or read.names, settings, copies)
        shapes = read.shapes()
        if method.roi is not None:
            method.roi.require(shapes, read.names)
        preparation = Preparation.decide(
            settings.image,
            settings.view,
            all_grey=read.all_grey,
            bits=read.bits,
            shapes=shapes,
            long_side=method.feature_space.long_side if method.feature_space else None,
        )
        usual = Usual.measure(read, read.bits, method.roi)
        with read.prepared(preparation, folder) as store:
            _require_cells(method, store, shapes)
            named = [(groups or read.names)[index] for index in training]
            folds = deal(named, settings.calibration.folds, settings.seed)
            about = read.fingerprint if method.roi is None else read.fingerprint + method.roi.digest
            parts = Parts(store, preparation, training, named, folds, about, shapes)
            learnt = _learn_space(method, parts, options)
            summaries, statistics = _train(method, parts, learnt, options)
            if held:
                held_groups = [groups[index] for index in held] if groups else None
                calibrated = held
                calibration, samples, scores = calibrate(
                    method, store, held, held_groups, statistics, settings.calibration, shapes
                )
            else:
                assert learnt is not None  # folds are for feature space only
                seen_groups = [groups[index] for index in learnt.images] if groups else None
                calibrated = learnt.images
                calibration, samples, scores = calibrate_folds(
                    method,
                    store,
                    learnt,
                    folds[learnt.images],
                    seen_groups,
                    statistics,
                    settings.calibration,
                    shapes,
                )
    learnt_from = np.stack([read.digests[index] for index in training])
    fitted = Fitted(preparation, statistics, calibration, usual, learnt_from, {}, samples=samples)
    fitted.history = [row for summary in summaries for row in summary.history]
    fitted.facts = {
        "images": len(read),
        "training_images": len(training),
        "calibration_images": len(calibration.scores),
        "folds": settings.calibration.folds if calibration.folds is not None else None,
        "groups": len(set(groups)) if groups else None,
        "copies": copies,
        "skipped_images": len(read.skipped),
        "steps": sum(summary.steps for summary in summaries),
        "seconds": round(sum(summary.seconds for summary in summaries), 1),
        "device": str(method.device),
        "data_fingerprint": read.fingerprint,
        "highest": name_highest(scores, [read.names[index] for index in calibrated]),
    }
    if learnt is not None:
        facts = {"place": learnt.place, "explained": learnt.explained}
        fitted.facts |= {"backbones": backbones} | facts
    return fitted


def recalibrate_method(
    method: Method,
    fitted: Fitted,
    normals: Path | str | Sequence[Source],
    options: FitOptions,
) -> Fitted:
    """Calibrate on other good images, and set `method.roi`; see `Detector.recalibrate`."""
    settings = method.settings.calibration
    if options.roi is not None:
        method.roi = Roi.read(options.roi)
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        read = _read(normals, Path(scratch), options.skip_unreadable)
        _require(read, normals, settings.minimum, "to calibrate on (calibration.minimum)")
        _refuse_learnt(read, fitted)
        groups, copies = _read_groups(read, options.groups)
        shapes = read.shapes()
        if method.roi is not None:
            method.roi.require(shapes, read.names)
        usual = Usual.measure(read, fitted.preparation.bits, method.roi)
        with read.prepared(fitted.preparation, Path(scratch)) as store:
            _require_cells(method, store, shapes)
            # The statistics are part of the detector, like the weights, and do not change.
            calibration, samples, scores = calibrate(
                method, store, range(len(store)), groups, fitted.statistics, settings, shapes
            )
    recalibration = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "images": len(read),
        "groups": len(set(groups)) if groups else None,
        "copies": copies,
        "skipped_images": len(read.skipped),
        "data_fingerprint": read.fingerprint,
        "highest": name_highest(scores, read.names),
    }
    facts = fitted.facts | {"recalibration": recalibration}
    if fitted.usual is not None and options.roi is None:  # they are of the same part of an image
        usual = usual.joined(fitted.usual)
    return replace(fitted, calibration=calibration, usual=usual, facts=facts, samples=samples)


def _try_networks(method: Method) -> None:
    """Build the networks without allocating memory, so that bad settings raise at once."""
    space, wanted = method.feature_space, method.settings.image.channels
    # Whether images are grey is not known yet; it only changes the first and the last layer.
    channels = space.channels if space else 3 if wanted == "rgb" else 1
    with torch.device("meta"):
        method.build(channels)


def _read(normals: Path | str | Sequence[Source], folder: Path, skip: bool) -> NormalImages:
    sources: list[Source] = []
    sources += list_images(Path(normals)) if isinstance(normals, Path | str) else normals
    with progress_bar("reading images", len(sources)) as report:
        return read_normals(sources, folder=folder, skip_unreadable=skip, report=report)


def _require(
    read: NormalImages, normals: Path | str | Sequence[Source], minimum: int, purpose: str
) -> None:
    if len(read) < minimum:
        where = f"{normals} holds" if isinstance(normals, Path | str) else "there are"
        raise InputError(
            f"{where} only {len(read)} usable images; at least {minimum} are needed: {purpose}"
        )


def _require_cells(method: Method, store: ImageStore, shapes: Sequence[tuple[int, int]]) -> None:
    """Check that a place counts in each image, and that it can hold the smallest defect."""
    side = method.grid.stride if method.grid else 1
    for shape, original in {(store.shape(index), shapes[index]) for index in range(len(store))}:
        pixels = shape[0] * shape[1] if method.roi is None else int(method.roi.at(shape).sum())
        if pixels < side**2:
            raise InputError(
                f"the region of interest covers {pixels} pixels of an image of {shape[1]} x "
                f"{shape[0]}, as the networks see it, less than one place of the map, {side} x "
                f"{side}; draw a larger one"
            )
        least = method.scope(shape, original).least
        if least is not None and least * side**2 > pixels:
            raise InputError(
                f"the smallest defect, {method.settings.score.smallest_defect:g} px², is larger "
                f"than what counts of an image of {original[1]} x {original[0]} pixels"
            )


def _refuse_learnt(read: NormalImages, fitted: Fitted) -> None:
    known = fitted.learnt
    same = len(read) if read.fingerprint == fitted.facts["data_fingerprint"] else 0
    if known is not None:
        same = count_known(np.stack(read.digests), known)
    if same:
        raise InputError(
            f"{same} of {len(read)} images are training images of the model, whatever their names "
            f"are now; their scores are too low to calibrate on: give new images"
        )


def _read_groups(read: NormalImages, table: Path | None) -> tuple[list[str] | None, int]:
    """Find the group of each image, and count copies; without a table, copies share a group."""
    if table:
        return read_groups(table, [Path(name) for name in read.names]), 0
    firsts = find_copies(np.stack([thumbnail(to_uint8(image, read.bits)) for image in read]))
    copies = len(read) - len(set(firsts))
    return [read.names[first] for first in firsts] if copies else None, copies


def _fewest(calibration: CalibrationSettings) -> tuple[int, str]:
    """How many images a fit needs, and what for."""
    if calibration.method == "folds":
        fewest = max(calibration.minimum, 2 * FEWEST_TRAINING_IMAGES)
        return fewest, "to train and to calibrate on"
    return calibration.minimum + FEWEST_TRAINING_IMAGES, (
        f"{calibration.minimum} to calibrate on (calibration.minimum) and {FEWEST_TRAINING_IMAGES} "
        f"to train on"
    )


def _divide(groups: Sequence[str], settings: Settings, copies: int) -> tuple[list[int], list[int]]:
    """Divide images into (training, held out); with folds, none is held out."""
    calibration, different = settings.calibration, len(set(groups))
    if calibration.method == "folds":
        training, held = list(range(len(groups))), list[int]()
        enough = different >= max(calibration.folds, FEWEST_TRAINING_IMAGES if copies else 0)
    else:
        training, held = hold_out(groups, calibration.share, calibration.minimum, settings.seed)
        enough = len(training) >= FEWEST_TRAINING_IMAGES
    if enough:
        return training, held
    if copies:
        raise InputError(
            f"{copies} of {len(groups)} images are copies of others, so that there are only "
            f"{len(groups) - copies} different photographs: take more, of other parts"
        )
    if calibration.method == "folds":
        raise InputError(
            f"the images are of {different} groups; calibration.folds = {calibration.folds} needs "
            f"that many: add images of other groups"
        )
    raise InputError(
        f"only {len(training)} images are left to train on after whole groups were held out "
        f"for calibration ({len(held)} images); more groups are needed"
    )


def _learn_space(method: Method, parts: Parts, options: FitOptions) -> LearntSpace | None:
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
        deal(parts.groups, PLACE_FOLDS, seed),
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
        summaries += _train_phases(member, parts, vectors, options, suffix)
        training = np.flatnonzero(seen).tolist()
        member.learn(learnt.maps[index][None].float() for index in training)
        _finish(member)
        statistics.append(measure_features(member, learnt, training))
    return summaries, statistics


def _train_phases(
    member: Method, parts: Parts, vectors: Vectors | None, options: FitOptions, suffix: str = ""
) -> list[TrainingSummary]:
    """Train the networks of one member, on vectors in feature space."""
    settings = member.settings

    def batches_of(phase: Phase) -> Batches:
        if vectors is not None:
            return vector_batches(phase, vectors, settings.seed)
        return view_batches(phase, parts.store, parts.training, settings)

    if options.weights is not None:
        return []
    return [
        train_phase(
            name + suffix,
            phase,
            batches_of(phase),
            settings,
            fingerprint=parts.fingerprint,
            device=member.device,
            work_folder=options.work_folder,
            resume=options.resume,
        )
        for name, phase in member.phases().items()
    ]


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
