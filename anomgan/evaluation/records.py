"""Records of finished cells: one JSON line each, appended and never changed."""

import json
import os
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anomgan.data.own_files import is_cell, refuse_to_overwrite
from anomgan.errors import InputError
from anomgan.machine.files import atomic_path
from anomgan.machine.names import LONGEST, shortened

Record = dict[str, Any]
PACKAGES = ("anomgan", "torch", "torchvision", "numpy", "scikit-learn")
KEY = ("dataset", "category", "protocol", "limit", "detector", "config", "settings", "seed")
"""Keys that identify a cell."""
RESULTS = "benchmarks/results"
"""Where the repository keeps records."""


def key_of(record: Record) -> tuple[Any, ...]:
    """The values that identify a cell."""
    return tuple(record.get(name) for name in KEY)


def read_records(path: Path) -> list[Record]:
    """The latest record of each cell.

    Raises:
        InputError: the file cannot be read, or is another one.
    """
    if not path.exists():
        return []
    found = read_lines(path)
    if not found and path.read_bytes()[:1] not in (b"", b"{"):  # not the beginning of a record
        raise InputError(f"{path} holds no results of a benchmark; choose another file")
    return list({key_of(record): record for record in found}.values())


def read_lines(path: Path) -> list[Record]:
    """The objects in a file of JSON lines; a line that a crash cut off is left out.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    found = []
    for line in lines:
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return [one for one in found if isinstance(one, dict)]


def append_record(path: Path, record: Record) -> None:
    """Append a record; it is on the disk when this returns.

    Raises:
        InputError: the file cannot be written to.
    """
    line = json.dumps(record) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a crash cut the last line off; begin a new one
                    line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def environment(device: torch.device) -> Record:
    """Where and with what a figure was measured."""
    versions = {name: version(name) for name in PACKAGES}
    gpu = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    return {
        "device": f"{device}{gpu}",
        "threads": torch.get_num_threads(),
        "versions": versions | {"python": platform.python_version()},
        "commit": _commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def scores_path(results: Path, record: Record) -> Path:
    """Where the scores of a cell's images are kept, beside the file of records."""
    names = (record[n] for n in ("dataset", "category", "detector", "settings", "seed"))
    name = shortened("_".join(map(str, names)), LONGEST - len(".npz"))
    return results.with_suffix(".scores") / f"{name}.npz"


def save_scores(path: Path, labels: np.ndarray, scores: np.ndarray, groups: list[str]) -> None:
    """Keep the scores of a cell, for curves and for comparing detectors image by image.

    Raises:
        InputError: the file cannot be written, or there is one that anomgan did not write.
    """
    refuse_to_overwrite(path, is_own=is_cell)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, labels=labels, scores=scores, groups=np.array(groups, str))


def _commit() -> str | None:
    """The commit of the package's source, if it is a git checkout.

    Changes of the source are said; new results are none.
    """
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    commit = _git(folder, "rev-parse", "--short", "HEAD")
    changed = _git(folder, "status", "--short", "--untracked-files=no", "--", f":!{RESULTS}")
    return f"{commit}-dirty" if commit and changed else commit or None


def _git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
