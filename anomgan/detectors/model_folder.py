"""The model folder of a detector: the model itself, and pictures for people."""

import shutil
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from anomgan.config import Settings
from anomgan.config_values import merge
from anomgan.data.prepare import Preparation
from anomgan.data.roi import Roi
from anomgan.data.usual import Usual
from anomgan.detectors.calibration import Calibration
from anomgan.detectors.earlier import current_settings
from anomgan.detectors.fitted import Fitted
from anomgan.detectors.heatmaps import Statistics
from anomgan.detectors.packing import pack, unpack
from anomgan.errors import ModelError, SettingsError
from anomgan.model_files import (
    CALIBRATION,
    RESTORE,
    SAMPLES,
    fit_weights,
    kind_of,
    read_folder,
    read_history,
    write_folder,
)
from anomgan.pictures import save_grid, save_histogram
from anomgan.training.checkpoint import prefixed, unprefixed

LEARNT = "learnt"
"""Name of the tensor with the digests of the training images."""
ROI = "roi"
"""Name of the tensor with the mask of the region of interest."""
PACKED = "space/eigenmaps.components"
"""Name of the tensor that is stored with four bits per value."""
Module = TypeVar("Module", bound=nn.Module)


@dataclass
class StoredModel:
    """The contents of a model folder, or of an exported file, read and checked.

    Attributes:
        folder: the model folder or the exported file.
        detector: name of the method.
        version: of anomgan that wrote it.
        created: UTC time, ISO 8601.
        settings: all settings of the detector.
        preparation: how images become network input.
        calibration: of scores on held-out images.
        usual: simple statistics of good images; None in models that did not store them.
        facts: about the training.
        tensors: "networks/...", "statistics/..." and, in feature space, "space/..."; in an
            exported file, only the statistics and "roi".
    """

    folder: Path
    detector: str
    version: str
    created: str
    settings: dict[str, Any]
    preparation: Preparation
    calibration: Calibration
    usual: Usual | None
    facts: dict[str, Any]
    tensors: dict[str, Tensor]

    @classmethod
    def from_card(
        cls, card: Mapping[str, Any], tensors: Mapping[str, Tensor], folder: Path
    ) -> "StoredModel":
        """Build the model that the card of a folder or of an exported file describes.

        Raises:
            ModelError: a value in the card is missing or not valid.
        """
        usual = card.get("usual")
        try:
            return cls(
                folder=folder,
                detector=str(card["detector"]),
                version=str(card["version"]),
                created=str(card["created"]),
                settings=current_settings(card, folder),
                preparation=Preparation.from_dict(card["preparation"]),
                calibration=Calibration.from_dict(card["calibration"]),
                usual=None if usual is None else Usual.from_dict(usual),
                facts=_read_facts(card["training"]),
                tensors=dict(tensors),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the card of {folder} is damaged: {error}; {RESTORE}") from error

    @property
    def fitted(self) -> Fitted:
        """Everything that turns trained networks into verdicts."""
        statistics = read_statistics(unprefixed("statistics", self.tensors))
        facts = {"created": self.created} | self.facts
        learnt = self.tensors.get(LEARNT)
        return Fitted(
            self.preparation,
            statistics,
            self.calibration,
            self.usual,
            None if learnt is None else learnt.numpy(),
            facts,
        )

    @property
    def roi(self) -> Roi | None:
        """The part of each image that counts; None for all of it.

        Raises:
            ModelError: it is damaged.
        """
        mask = self.tensors.get(ROI)
        if mask is None:
            return None
        if mask.dtype != torch.uint8 or mask.ndim != 2 or not mask.any():
            raise ModelError(f"the region of interest of {self.folder} is damaged; {RESTORE}")
        return Roi(mask.numpy() > 0)

    def module(
        self, name: str, build: Callable[[], Module], idle: Set[str] = frozenset()
    ) -> Module:
        """Build a module and load the weights that are stored under `name`.

        Args:
            name: under which the weights are stored.
            build: builds the module.
            idle: networks in it that earlier models stored and that are no longer built.

        Raises:
            ModelError: the weights do not fit the module.
        """
        stored = unprefixed(name, self.tensors)
        used = {path: one for path, one in stored.items() if not idle & set(path.split(".")[:2])}
        weights = fit_weights(build, used, self.folder)
        module = build()
        module.load_state_dict(weights)
        return module


def statistics_tensors(fitted: Fitted) -> dict[str, Tensor]:
    """Name the statistics of each network by its number; `read_statistics` reads them."""
    return {
        name: tensor
        for number, one in enumerate(fitted.statistics)
        for name, tensor in prefixed(str(number), one.tensors).items()
    }


def read_statistics(tensors: Mapping[str, Tensor]) -> list[Statistics]:
    """Read the statistics of each network; those of earlier models have no number."""
    count = len({name.partition("/")[0] for name in tensors if "/" in name})
    if not count:
        return [Statistics(tensors)]
    return [Statistics(unprefixed(str(number), tensors)) for number in range(count)]


def roi_tensors(roi: Roi | None) -> dict[str, Tensor]:
    """Name the mask of the region of interest; `StoredModel.roi` reads it."""
    return {} if roi is None else {ROI: torch.from_numpy(roi.mask.astype(np.uint8))}


def write_model(
    folder: Path, settings: Settings, fitted: Fitted, modules: nn.ModuleDict, roi: Roi | None
) -> None:
    """Write a model folder: all of it appears at once, or the earlier one stays.

    Raises:
        InputError: the folder cannot be written to, the disk is full, or the folder is not a model.
    """
    card = {
        "detector": settings.detector,
        "settings": settings.model_dump(mode="json"),
        "preparation": fitted.preparation.as_dict(),
        "calibration": fitted.calibration.as_dict(),
        "usual": fitted.usual and fitted.usual.as_dict(),
        "training": fitted.facts,
    }
    tensors = {
        name: tensor
        for module, part in modules.items()
        for name, tensor in prefixed(module, _halved(part.state_dict())).items()
    }
    tensors = _packed(tensors)
    tensors |= prefixed("statistics", statistics_tensors(fitted)) | roi_tensors(roi)
    if fitted.learnt is not None:
        tensors[LEARNT] = torch.from_numpy(fitted.learnt)
    write_folder(folder, card, tensors, fitted.history, lambda place: _draw(place, fitted))


def _halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert tensors to half precision if they lose nothing by it, such as pretrained weights."""
    halves = {name: tensor.half() for name, tensor in tensors.items() if tensor.is_floating_point()}
    same = {name: half for name, half in halves.items() if torch.equal(half.float(), tensors[name])}
    return {**tensors, **same}


def change_rate(folder: Path, out: Path, rate: float) -> Calibration:
    """Give a model another false-alarm rate; it stays calibrated on the same images.

    Args:
        folder: the model folder.
        out: the model folder to write or replace.
        rate: share of good images that may be called anomalous, above 0 and below 1.

    Raises:
        InputError: `out` cannot be written to, or is not a model.
        ModelError: the model is missing or damaged.
        SettingsError: the rate is not between 0 and 1.
    """
    if not 0 < rate < 1:
        raise SettingsError(f"the false-alarm rate {rate:g} is not above 0 and below 1")
    card, tensors = _read_detector(folder)
    stored, samples = StoredModel.from_card(card, tensors, folder), folder / SAMPLES
    calibration = stored.calibration.at_rate(rate)
    settings = merge(card["settings"], {"calibration": {"false_alarm_rate": rate}})
    card |= {"settings": settings, "calibration": calibration.as_dict()}

    def draw(place: Path) -> None:
        if samples.exists():
            shutil.copyfile(samples, place / SAMPLES)
        _draw_histogram(place, calibration)

    write_folder(out, card, tensors, read_history(folder), draw)
    return calibration


def _draw(folder: Path, fitted: Fitted) -> None:
    if fitted.samples:
        shown = [[one for one in sample if one is not None] for sample in fitted.samples]
        titles = ("as the networks see it", "rebuilt", "heatmap")
        save_grid(
            folder / SAMPLES,
            shown,
            titles if len(shown[0]) == len(titles) else (titles[0], titles[-1]),
            title="Good images with the highest scores",
        )
    _draw_histogram(folder, fitted.calibration)


def _draw_histogram(folder: Path, calibration: Calibration) -> None:
    save_histogram(
        folder / CALIBRATION,
        {"good images": calibration.scores},
        calibration.threshold,
        "Scores of good images that took no part in training",
    )


def read_model(folder: Path) -> StoredModel:
    """Read and check a model folder.

    Raises:
        ModelError: it is missing, incomplete, damaged, of a newer format, or not a detector.
    """
    card, tensors = _read_detector(folder)
    return StoredModel.from_card(card, _unpacked(tensors, folder), folder)


def _read_detector(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    card, tensors = read_folder(folder, "anomgan fit")
    if "detector" not in card:
        raise ModelError(f"{folder} holds {kind_of(card)}, not a detector")
    return card, tensors


def _packed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Pack the eigenmaps if they lose nothing by it; those of a model of format 1 would."""
    if PACKED not in tensors:
        return tensors
    packed = pack(tensors[PACKED])
    if not torch.equal(unpack(packed), tensors[PACKED].cpu().float()):
        return tensors
    others = {name: tensor for name, tensor in tensors.items() if name != PACKED}
    return others | prefixed(PACKED, packed)


def _unpacked(tensors: dict[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """Unpack the eigenmaps if they are packed."""
    packed = unprefixed(PACKED, tensors)
    if not packed:
        return tensors
    try:
        eigenmaps = unpack(packed)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"the eigenmaps of {folder} are damaged: {error}; {RESTORE}") from error
    others = {name: one for name, one in tensors.items() if not name.startswith(f"{PACKED}/")}
    return others | {PACKED: eigenmaps}


def _read_facts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check that the facts about the training are complete."""
    facts = dict(values)
    for name in ("images", "training_images", "calibration_images", "skipped_images", "seconds"):
        if not isinstance(facts[name], int | float):
            raise TypeError(f"training.{name} = {facts[name]!r} is not a number")
    for name in ("groups", "steps", "device", "data_fingerprint"):
        if name not in facts:
            raise KeyError(f"training.{name}")
    return facts
