"""The files of any trained model: `model.json`, `weights.safetensors`, `history.csv`; no pickle."""

import csv
import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from anomgan.data.own_files import is_own_picture
from anomgan.errors import InputError, ModelError
from anomgan.machine.files import atomic_folder, restore_interrupted, state_of

FORMAT_VERSION = 2
READABLE = (1, 2)
"""Formats that this version reads. In 2, eigenmaps are packed. There may be a region of interest,
which an earlier version would not know of: it would count all of each image."""
RESTORE = "restore the folder from a copy, or make the model again"
"""What to do about a damaged model."""
CARD = "model.json"
WEIGHTS = "weights.safetensors"
HISTORY = "history.csv"
SAMPLES = "samples.png"
LOSSES = "losses.png"
CALIBRATION = "calibration.png"
SNAPSHOTS = "samples"
"""Folder of the sample grids drawn during the training of a generator."""
BEST = "best"
"""Model folder in the model folder: the generator's weights with the best quality."""
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""Files that file managers leave in every folder."""
FILES = (CARD, WEIGHTS, HISTORY, SAMPLES, LOSSES, CALIBRATION)
CHECKSUM = "card_sha256"
LARGEST_CARD, LARGEST_WEIGHTS = 64 * 2**20, 2 * 2**30
"""Bytes that are read at most: the scores of 700,000 held-out images, 500 million weights."""


def check_target(folder: Path) -> None:
    """Refuse to replace a folder that is not a model, that holds more, or that we are in.

    Raises:
        InputError: `folder` exists and holds something else, or cannot be read.
    """
    other = "choose another folder for the model"
    try:
        if folder.is_file():
            raise InputError(f"{folder} is a file; {other}")
        if not folder.is_dir():
            return
        if folder.samefile(os.curdir):
            raise InputError(f"{folder} is the current folder; call it from another, by its name")
        if any(folder.iterdir()) and not (folder / CARD).exists():
            raise InputError(f"{folder} holds files but no model; {other}")
        strange = sorted(_strange(folder))
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}") from error
    if strange:
        raise InputError(
            f"{strange[0]} would be lost when the model in {folder} is replaced; move it out of "
            f"there, or {other}"
        )


def _strange(folder: Path) -> Iterator[Path]:
    """The files in a model folder that are no part of the model."""
    for path in folder.rglob("*"):
        place = path.relative_to(folder).parent
        if path.is_dir() or path.name in LITTER:
            continue
        if place in (Path(), Path(BEST)) and path.name in FILES:
            continue
        if place != Path(SNAPSHOTS) or not is_own_picture(path):
            yield path


def write_folder(
    folder: Path,
    card: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    history: Sequence[Mapping[str, float]],
    draw: Callable[[Path], None],
) -> None:
    """Write a model folder; the whole of it appears at once, or the earlier one stays.

    Args:
        folder: to be written or replaced.
        card: JSON-able description; format, version, time and checksums are added.
        tensors: everything that was learnt.
        history: rows of mean losses; no file if empty.
        draw: leaves pictures in the folder that it is given.

    Raises:
        InputError: the folder cannot be written to, the disk is full, it holds something else than
            a model, or the weights are too large.
    """
    check_target(folder)
    weights = to_bytes({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
    if len(weights) > LARGEST_WEIGHTS:
        raise InputError(
            f"the model has {len(weights):,} bytes of weights; {LARGEST_WEIGHTS:,} can be stored: "
            f"fit with smaller networks"
        )
    about = {
        "format_version": FORMAT_VERSION,
        "version": version("anomgan"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **card,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    about[CHECKSUM] = card_checksum(about)
    with atomic_folder(folder) as temporary:
        (temporary / WEIGHTS).write_bytes(weights)
        (temporary / CARD).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        if history:
            _write_history(temporary / HISTORY, history)
        draw(temporary)


def read_folder(folder: Path, made_by: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read and check the card and the tensors of a model folder; nothing in it is executed.

    A folder that is replaced in the meantime is read anew.

    Args:
        folder: to be read.
        made_by: the command that makes such a folder, for those who have none.

    Raises:
        ModelError: it is missing, incomplete, damaged, or of a newer format.
    """
    while True:
        before = state_of(folder)
        try:
            return _read_once(folder, made_by)
        except ModelError:
            if state_of(folder) == before:
                raise


def _read_once(folder: Path, made_by: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        restore_interrupted(folder)
        problem = _why_no_model(folder)
    except OSError as error:
        raise ModelError(f"cannot read {folder}: {error.strerror}") from error
    if problem:
        raise ModelError(f"{problem}; make one with: {made_by}")
    card = parse_card(read_file(folder / CARD, LARGEST_CARD), folder / CARD)
    path = folder / WEIGHTS
    weights = read_file(path, LARGEST_WEIGHTS)
    if hashlib.sha256(weights).hexdigest() != card.get("weights_sha256"):
        raise ModelError(f"{path} is damaged: its checksum is not that in {CARD}; {RESTORE}")
    try:
        tensors = load_tensors(weights)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path} is damaged: {error}; {RESTORE}") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
            raise ModelError(
                f"{path} is damaged: {name} holds values that are not finite; {RESTORE}"
            )
    return card, tensors


def _why_no_model(folder: Path) -> str:
    """Why a folder is not a model, not even a damaged one; empty if it is one."""
    if folder.is_file():
        return f"{folder} is a file, not a model folder"
    if not folder.is_dir():
        return f"there is no model folder {folder}"
    if not any((folder / name).exists() for name in (CARD, WEIGHTS)):
        return f"{folder} is no model folder: it holds neither {CARD} nor {WEIGHTS}"
    return ""


def kind_of(card: Mapping[str, Any]) -> str:
    """What kind of model a card describes, in words."""
    if "generator" in card:
        return f"a generator, {card['generator']}"
    if "detector" in card:
        return f"a detector, {card['detector']}"
    return "a classifier" if "classes" in card else "a damaged model"


def card_checksum(card: Mapping[str, Any]) -> str:
    """SHA-256 of the content of a card, however it is laid out."""
    content = {name: value for name, value in card.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def model_id(model: Path) -> str:
    """Twelve hexadecimal digits that tell a model from any other, wherever it lies.

    The beginning of the SHA-256 of an exported file, or of the card in a model folder, which holds
    that of its weights.

    Raises:
        ModelError: the file or the card is missing.
    """
    if not model.is_file() and (problem := _why_no_model(model)):
        raise ModelError(problem)
    path, limit = (model, LARGEST_WEIGHTS) if model.is_file() else (model / CARD, LARGEST_CARD)
    return hashlib.sha256(read_file(path, limit)).hexdigest()[:12]


def read_history(folder: Path) -> list[dict[str, float]]:
    """The rows of mean losses in a model folder; none if there is no history.csv.

    Raises:
        ModelError: the file is damaged.
    """
    path = folder / HISTORY
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                {name: int(text) if text.isdigit() else float(text) for name, text in row if text}
                for row in (line.items() for line in csv.DictReader(file, restval=""))
            ]
    except (OSError, ValueError, AttributeError, csv.Error) as error:
        raise ModelError(f"{path} is damaged: {error}; remove it or restore it") from error


def fit_weights(
    build: Callable[[], nn.Module], tensors: Mapping[str, Tensor], folder: Path
) -> dict[str, Tensor]:
    """Stored weights as the networks take them which the settings describe.

    The networks are built without memory for their weights: settings out of a damaged or hostile
    card may ask for any amount. Layers under spectral norm had no bias in the first versions: it is
    0 for such a model.

    Raises:
        ModelError: names or shapes differ.
    """
    with torch.device("meta"):
        wanted = {name: tensor.shape for name, tensor in build().state_dict().items()}
    fitting = dict(tensors)
    for name in wanted.keys() - tensors.keys():
        layer = name.removesuffix(".bias")
        if f"{layer}.parametrizations.weight.original" in tensors:
            fitting[name] = torch.zeros(wanted[name])
    if wanted != {name: tensor.shape for name, tensor in fitting.items()}:
        raise ModelError(
            f"{folder / WEIGHTS} does not fit the settings in {CARD}; "
            f"the model is damaged, or its networks are those of an earlier version; {RESTORE}"
        )
    return fitting


def parse_card(text: bytes | str, path: Path) -> dict[str, Any]:
    """The description of a model, read from `path`.

    Raises:
        ModelError: it is damaged, or of a newer format.
    """
    try:
        card: dict[str, Any] = json.loads(text, parse_float=_finite, parse_constant=_finite)
        found = card["format_version"]
        checksum = card_checksum(card)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} is damaged: it is not the description of a model ({error}); {RESTORE}"
        ) from error
    if found not in READABLE:
        raise ModelError(
            f"{path} has model format {found}; this version of anomgan reads "
            f"{' and '.join(map(str, READABLE))}: "
            f"install the version that wrote it, or fit again"
        )
    # Cards of the first models had no checksum.
    if card.get(CHECKSUM, checksum) != checksum:
        raise ModelError(
            f"{path} was changed after it was written, or is damaged: its checksum is not its own; "
            f"{RESTORE}"
        )
    return card


def read_file(path: Path, limit: int) -> bytes:
    """The content of a file of a model, of at most `limit` bytes.

    Raises:
        ModelError: it is missing, larger, or cannot be read.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe or a device may have no end
            raise ModelError(
                f"{path} is no file, so that {path.parent} is no whole model; {RESTORE}"
            )
        if about.st_size > limit:
            raise ModelError(f"{path} has {about.st_size:,} bytes, more than the {limit:,} allowed")
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path} is missing from the model; {RESTORE}") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error


def _write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        names = dict.fromkeys(name for row in history for name in row)
        writer = csv.DictWriter(file, list(names))
        writer.writeheader()
        writer.writerows(history)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value
