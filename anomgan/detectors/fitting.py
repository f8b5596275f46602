"""Fits any detector: read, hold out, train, measure, calibrate. Also recalibrates it."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
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
from anomgan.data.store import ImageStore
from anomgan.data.usual import Usual
from anomgan.data.views import to_network, to_square
from anomgan.detectors.calibration import Calibration, hold_out
from anomgan.detectors.evidence import evidence_of, look
from anomgan.detectors.feature_space import LearntSpace, MapFiles, learn_space
from anomgan.detectors.fitted import Fitted, Sample
from anomgan.detectors.heatmaps import Evidence, Statistics, judge, pool
from anomgan.detectors.method import Method
from anomgan.errors import InputError
from anomgan.machine.progress import progress_bar
from anomgan.training.phases import train_phase, vector_batches, view_batches
from anomgan.training.recipe import Phase
from anomgan.training.trainer import Batches, TrainingSummary

FEWEST_TRAINING_IMAGES = 10
STATISTICS_IMAGES = 200
"""Training images on which the statistics of the evidence are measured."""
CELLS_OF_PLAY = 1.0
"""Cells of a feature map by which the position of a part varies."""
FLOOR_OF_CELLS = 1.0
"""Least deviation of a cell, as a share of the usual one. So quiet cells do not count more than
others, which would harm parts that lie in any direction."""
SAMPLES = 6
"""Held-out images shown in samples.png."""


@dataclass(frozen=True)
class FitOptions:
    """How to read the images and where to keep checkpoints; see `Detector.fit`.

    With `weights` the networks are not trained: they get these.
    """

    groups: Path | None = None
    work_folder: Path | None = None
    resume: bool = False
    skip_unreadable: bool = False
    weights: Mapping[str, Tensor] | None = None


@dataclass
class Parts:
    """Prepared normal images, the indices of the training images, and the group of each."""

    store: ImageStore
    preparation: Preparation
    training: list[int]
    groups: list[str]
    fingerprint: str


def fit_method(
    method: Method, normals: Path | str | Sequence[Source], options: FitOptions
) -> Fitted:
    """Train `method.networks` and calibrate; see `Detector.fit`."""
    settings = method.settings
    backbones = method.load_backbone()
    _try_networks(method)
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        folder = options.work_folder or Path(scratch)
        minimum = settings.calibration.minimum
        read = _read(normals, folder, options.skip_unreadable)
        _require(
            read,
            normals,
            minimum + FEWEST_TRAINING_IMAGES,
            f"{minimum} to calibrate on (calibration.minimum) and {FEWEST_TRAINING_IMAGES} to "
            f"train on",
        )
        groups, copies = _read_groups(read, options.groups)
        training, held = _divide(groups or read.names, settings, copies)
        shapes = read.shapes()
        preparation = Preparation.decide(
            settings.image,
            settings.view,
            all_grey=read.all_grey,
            bits=read.bits,
            shapes=shapes,
            long_side=method.feature_space.long_side if method.feature_space else None,
        )
        usual = Usual.measure(read, read.bits)
        with read.prepared(preparation, folder) as store:
            names = [(groups or read.names)[index] for index in training]
            parts = Parts(store, preparation, training, names, read.fingerprint)
            learnt = _learn_space(method, parts, options)
            summaries = _train(method, parts, learnt, options)
            statistics = _measure(method, parts, learnt)
            held_groups = [groups[index] for index in held] if groups else None
            rate = settings.calibration.false_alarm_rate
            calibration, samples = _calibrate(method, store, held, held_groups, statistics, rate)
    learnt_from = np.stack([read.digests[index] for index in training])
    fitted = Fitted(preparation, statistics, calibration, usual, learnt_from, {}, samples=samples)
    fitted.history = [row for summary in summaries for row in summary.history]
    fitted.facts = {
        "images": len(read),
        "training_images": len(training),
        "calibration_images": len(held),
        "groups": len(set(groups)) if groups else None,
        "copies": copies,
        "skipped_images": len(read.skipped),
        "steps": sum(summary.steps for summary in summaries),
        "seconds": round(sum(summary.seconds for summary in summaries), 1),
        "device": str(method.device),
        "data_fingerprint": read.fingerprint,
    }
    if learnt is not None:
        facts = {"place": learnt.place, "explained": learnt.explained}
        fitted.facts |= {"backbones": backbones} | facts
    return fitted


def recalibrate_method(
    method: Method,
    fitted: Fitted,
    normals: Path | str | Sequence[Source],
    settings: CalibrationSettings,
    options: FitOptions,
) -> Fitted:
    """Calibrate on other good images; see `Detector.recalibrate`."""
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        read = _read(normals, Path(scratch), options.skip_unreadable)
        _require(read, normals, settings.minimum, "to calibrate on (calibration.minimum)")
        _refuse_learnt(read, fitted)
        groups, copies = _read_groups(read, options.groups)
        usual = Usual.measure(read, fitted.preparation.bits)
        with read.prepared(fitted.preparation, Path(scratch)) as store:
            # The statistics are part of the detector, like the weights, and do not change.
            rate, every = settings.false_alarm_rate, range(len(store))
            calibration, samples = _calibrate(method, store, every, groups, fitted.statistics, rate)
    recalibration = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "images": len(read),
        "groups": len(set(groups)) if groups else None,
        "copies": copies,
        "skipped_images": len(read.skipped),
        "data_fingerprint": read.fingerprint,
    }
    facts = fitted.facts | {"recalibration": recalibration}
    usual = usual if fitted.usual is None else usual.joined(fitted.usual)
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


def _divide(groups: Sequence[str], settings: Settings, copies: int) -> tuple[list[int], list[int]]:
    calibration = settings.calibration
    training, held = hold_out(groups, calibration.share, calibration.minimum, settings.seed)
    if len(training) >= FEWEST_TRAINING_IMAGES:
        return training, held
    if copies:
        raise InputError(
            f"{copies} of {len(groups)} images are copies of others, so that there are only "
            f"{len(groups) - copies} different photographs: take more, of other parts"
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
        method.feature_space, parts.store, parts.training, parts.groups, settings, work, seed
    )


def _train(
    method: Method, parts: Parts, learnt: LearntSpace | None, options: FitOptions
) -> list[TrainingSummary]:
    settings = method.settings

    def batches_of(phase: Phase) -> Batches:
        if learnt is not None:
            return vector_batches(phase, learnt.vectors, settings.seed)
        return view_batches(phase, parts.store, parts.training, settings)

    torch.manual_seed(settings.seed)
    space = method.feature_space
    method.networks = method.build(space.channels if space else parts.preparation.channels)
    if options.weights is not None:
        method.networks.load_state_dict(options.weights)
        method.networks.to(method.device).eval()
        return []
    summaries = [
        train_phase(
            name,
            phase,
            batches_of(phase),
            settings,
            fingerprint=parts.fingerprint,
            device=method.device,
            work_folder=options.work_folder,
            resume=options.resume,
        )
        for name, phase in method.phases().items()
    ]
    if learnt is not None:
        method.learn(one[None].float() for one in learnt.maps)
    else:
        images = (parts.store[index] for index in parts.training)
        size = settings.view.size
        method.learn(to_network(to_square(image, size)[None]) for image in images)
    method.networks.to(method.device).eval()
    return summaries


def _measure(method: Method, parts: Parts, learnt: LearntSpace | None) -> Statistics:
    store = parts.store
    if learnt is not None:
        maps = learnt.maps[:: max(1, len(learnt.maps) // STATISTICS_IMAGES)]
        seen = _counted(map(partial(evidence_of, method), maps), len(maps))
        aligned = learnt.place is not None
        return Statistics.measure(seen, aligned, play=CELLS_OF_PLAY, floor=FLOOR_OF_CELLS)
    one_size = len({store.shape(index) for index in range(len(store))}) == 1
    # Statistics come from training images, so that held-out and new images are scored by the same
    # detector. The conformal guarantee needs this.
    some = parts.training[:: max(1, len(parts.training) // STATISTICS_IMAGES)]
    seen = (one.evidence for one in look(method, (store[index] for index in some)))
    return Statistics.measure(_counted(seen, len(some)), one_size)


def _calibrate(
    method: Method,
    store: ImageStore,
    held: Sequence[int],
    groups: Sequence[str] | None,
    statistics: Statistics,
    rate: float,
) -> tuple[Calibration, list[Sample]]:
    """Calibrate on the images `held` of a store, with their groups; also return samples."""
    scores, heat = [], []
    samples: list[Sample] = []
    looks = look(method, (store[index] for index in held))
    with progress_bar("calibrating", len(held)) as report:
        for done, seen in enumerate(looks, start=1):
            score, heatmap = judge(method.settings, seen.evidence, statistics)
            scores.append(score)
            heat.append(pool(heatmap, method.settings.score))
            if len(samples) < SAMPLES:
                samples.append((seen.prepared, seen.reconstruction, heatmap))
            report(done)
    return Calibration.from_scores(scores, heat, rate, groups), samples


def _counted(evidence: Iterable[Evidence], total: int) -> Iterator[Evidence]:
    with progress_bar("measuring normal residuals", total) as report:
        for done, one in enumerate(evidence, start=1):
            yield one
            report(done)
