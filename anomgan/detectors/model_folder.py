"""A model is a folder: `model.json`, `weights.safetensors`, and pictures for people."""

import csv
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from anomgan.config import Settings
from anomgan.data.prepare import Preparation
from anomgan.detectors.calibration import Calibration
from anomgan.detectors.fitted import Fitted
from anomgan.errors import InputError, ModelError
from anomgan.files import atomic_folder, restore_interrupted
from anomgan.pictures import save_grid, save_histogram
from anomgan.training.checkpoint import prefixed, unprefixed

FORMAT_VERSION = 1
CARD = "model.json"
WEIGHTS = "weights.safetensors"


@dataclass
class StoredModel:
    """The contents of a model folder, read and checked.

    Attributes:
        folder: where it was read from.
        detector: name of the method.
        version: of anomgan that wrote it.
        created: UTC time, ISO 8601.
        settings: all settings of the detector.
        preparation: how photographs become network input.
        calibration: of scores on held-out images.
        facts: training facts.
        tensors: "networks/..." and "statistics/...".
    """

    folder: Path
    detector: str
    version: str
    created: str
    settings: dict[str, Any]
    preparation: Preparation
    calibration: Calibration
    facts: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def statistics(self) -> dict[str, Tensor]:
        """Mean and deviation of each evidence."""
        return unprefixed("statistics", self.tensors)

    def load_weights(self, networks: nn.ModuleDict) -> None:
        """Copy the stored weights into `networks`.

        Raises:
            ModelError: they do not fit the networks that the settings describe.
        """
        try:
            networks.load_state_dict(unprefixed("networks", self.tensors))
        except RuntimeError as error:
            raise ModelError(
                f"{self.folder / WEIGHTS} does not fit the settings in {CARD}; "
                f"the model is damaged: fit again, or restore the folder from a copy"
            ) from error


def check_target(folder: Path) -> None:
    """Refuse to replace a folder that is not a model.

    Raises:
        InputError: `folder` exists and holds something else.
    """
    if folder.is_file():
        raise InputError(f"{folder} is a file; choose another folder for the model")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / CARD).exists():
        raise InputError(f"{folder} holds files but no model; choose another folder for the model")


def write_model(folder: Path, settings: Settings, fitted: Fitted, networks: nn.ModuleDict) -> None:
    """Write a model folder; the whole of it appears at once, or the earlier one stays.

    Raises:
        InputError: the folder cannot be written to, the disk is full, or it is not a model.
    """
    check_target(folder)
    tensors = prefixed("networks", networks.state_dict())
    tensors |= prefixed("statistics", fitted.statistics.tensors)
    calibration = fitted.calibration
    weights = to_bytes({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
    with atomic_folder(folder) as temporary:
        (temporary / WEIGHTS).write_bytes(weights)
        card = {
            "format_version": FORMAT_VERSION,
            "detector": settings.detector,
            "version": version("anomgan"),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": settings.model_dump(mode="json"),
            "preparation": fitted.preparation.as_dict(),
            "calibration": {
                "false_alarm_rate": calibration.false_alarm_rate,
                "requested_rate": calibration.requested_rate,
                "scores": calibration.scores.tolist(),
                "heat": calibration.heat.tolist(),
                "score_weights": calibration.score_weights.tolist(),
                "heat_weights": calibration.heat_weights.tolist(),
            },
            "training": fitted.facts,
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }
        (temporary / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        _write_pictures(temporary, fitted)


def _write_pictures(folder: Path, fitted: Fitted) -> None:
    if fitted.history:
        with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
            names = dict.fromkeys(name for row in fitted.history for name in row)
            writer = csv.DictWriter(file, list(names))
            writer.writeheader()
            writer.writerows(fitted.history)
    if fitted.samples:
        save_grid(
            folder / "samples.png",
            fitted.samples,
            ("as the networks see it", "rebuilt", "heatmap"),
            title="Held-out good images",
        )
    save_histogram(
        folder / "calibration.png",
        {"held-out good images": fitted.calibration.scores},
        fitted.calibration.threshold,
        "Scores of good images that took no part in training",
    )


def read_model(folder: Path) -> StoredModel:
    """Read and check a model folder.

    Raises:
        ModelError: it is missing, incomplete, damaged, or of a newer format.
    """
    restore_interrupted(folder)
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {folder}; make one with: anomgan fit")
    card = _read_card(folder / CARD)
    weights = _read_file(folder / WEIGHTS)
    if hashlib.sha256(weights).hexdigest() != card.get("weights_sha256"):
        raise ModelError(f"{folder / WEIGHTS} is damaged: its checksum is not the one in {CARD}")
    try:
        return StoredModel(
            folder=folder,
            detector=card["detector"],
            version=card["version"],
            created=card["created"],
            settings=card["settings"],
            preparation=Preparation(**card["preparation"]),
            calibration=Calibration(
                **{
                    name: np.asarray(value) if isinstance(value, list) else value
                    for name, value in card["calibration"].items()
                }
            ),
            facts=card["training"],
            tensors=load_tensors(weights),
        )
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise ModelError(f"{folder / CARD} is damaged: {error}") from error


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(_read_file(path))
        found = card["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged: it is not the description of a model") from error
    if found != FORMAT_VERSION:
        raise ModelError(
            f"{path} has model format {found}; this version of anomgan reads {FORMAT_VERSION}: "
            f"install the version that wrote it, or fit again"
        )
    return card


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path} is missing; {path.parent} is not a whole model") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
