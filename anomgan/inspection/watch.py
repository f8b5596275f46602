"""Scores images as they arrive in a folder.

The folder is listed again and again. This also works on network shares, which do not report new
files.
"""

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from anomgan.data.folders import survey
from anomgan.data.own_files import is_own_picture, refuse_inside
from anomgan.errors import InputError
from anomgan.inspection.drift import DriftAlarm
from anomgan.inspection.results_table import (
    COLUMNS,
    ResultsTable,
    Row,
    check_kind,
    identity,
    open_table,
)
from anomgan.inspection.scorer import Pictures, Scorer
from anomgan.machine.files import move_into
from anomgan.machine.notes import note

PATIENCE = 5
"""Number of looks after which an unchanged file is called unreadable."""
Notice = Literal["watching", "problem", "moved", "drift"]
"""Kinds of messages of a watcher besides rows."""
Tell = Callable[[Notice, str], None]


class Version(NamedTuple):
    """Distinguishes a file from an earlier one of the same name."""

    size: int
    mtime_ns: int


class Scored(NamedTuple):
    """A file whose row is in the table; the verdict is "" for an error."""

    version: Version
    verdict: str


class Watcher:
    """Scores the images of a folder as they arrive.

    A file is complete when its size and time are the same at two looks and it can be decoded. Its
    row is on the disk before the file is moved, so the table says what is done even after a crash:
    a file has one row for each complete content that it had.

    Args:
        folder: where images arrive, in sub-folders, too.
        model: model folder.
        table: .csv or .jsonl file for the results; an existing one is continued.
        pictures: what to save for each image besides its row.
        move_ok: folder that good images are moved to; None leaves them.
        move_anomalous: likewise for anomalous ones.
        device: "auto", "cpu", "cuda" or "mps".
        scored: called with each row once it is written.
        notice: called with other messages: the kind, and a text (the folder when it starts).

    Raises:
        InputError: there is no such folder, or results would be written or moved into it.
        ModelError: the model cannot be loaded.
    """

    def __init__(
        self,
        folder: Path,
        model: Path,
        table: Path,
        *,
        pictures: Pictures,
        move_ok: Path | None = None,
        move_anomalous: Path | None = None,
        device: str = "auto",
        scored: Callable[[Row], None],
        notice: Tell,
    ) -> None:
        check_kind(table)
        self.folder = Path(os.path.abspath(folder))
        self._table = table
        self._targets = {"ok": move_ok, "anomalous": move_anomalous}
        self._tell_row, self._tell = scored, notice
        self._scored: dict[str, Scored] = {}
        self._waiting: dict[Path, tuple[Version, int]] = {}
        self._problems: set[str] = set()
        self._looked: dict[Path, tuple[Version | None, bool]] = {}
        self._left_out: set[str] = set()
        self._list()  # raises where there is no such folder
        pictures.check_outside(folder)
        for target in filter(None, (move_ok, move_anomalous)):
            refuse_inside(target, folder)
        self._scorer = Scorer(model, device, pictures)
        self._drift = DriftAlarm(self._scorer.drift(), partial(notice, "drift"))

    def run(self, stop: threading.Event, interval: float = 1.0) -> None:
        """Look at the folder every `interval` seconds until `stop` is set.

        Raises:
            InputError: the table cannot be written or continued, or a picture cannot be written.
        """
        columns = (*COLUMNS, *Version._fields)
        with open_table(
            self._table, self._scorer.model["model_id"], self._remember, columns
        ) as table:
            self._tell("watching", str(self.folder))
            while not stop.is_set():
                self._look(table, stop)
                stop.wait(interval)

    def _remember(self, row: Row) -> None:
        """Take in a row of an earlier run."""
        try:
            version = Version(int(row["size"]), int(row["mtime_ns"]))
        except (KeyError, ValueError):
            raise InputError(
                f"{self._table} was not made by anomgan watch, which writes size and time of each "
                f"file; give another --out"
            ) from None
        self._scored[identity(row["image"])] = Scored(version, row.get("verdict", ""))
        self._drift.add(row)

    def _look(self, table: ResultsTable, stop: threading.Event) -> None:
        """Score what is complete, move what is scored, and report new problems."""
        problems: set[str] = set()
        try:
            found = self._list()
        except InputError as error:  # a network share that is away for a moment
            found = {}
            problems.add(str(error))
        waiting = {}
        for path, version in found.items():
            scored = self._scored.get(identity(path))
            if scored and scored.version == version:
                self._move(path, scored, problems)
            else:
                before, looks = self._waiting.get(path, (None, 0))
                waiting[path] = version, looks + 1 if version == before else 1
        self._waiting = waiting
        ready = sorted((v.mtime_ns, path) for path, (v, looks) in waiting.items() if looks > 1)
        for first in range(0, len(ready), self._scorer.images_at_once):
            if stop.is_set():
                break
            some = ready[first : first + self._scorer.images_at_once]
            self._score([path for _, path in some], table, problems)
        for problem in sorted(problems - self._problems):
            self._tell("problem", problem)
        self._problems = problems

    def _list(self) -> dict[Path, Version]:
        """The images that are in the folder now; a note says which other kinds of files are."""
        looked: dict[Path, tuple[Version | None, bool]] = {}

        def is_own(path: Path) -> bool:
            """Reads the file only if it has changed since the last look."""
            version = version_of(path)
            before = self._looked.get(path)
            if before is None or before[0] != version:
                before = version, is_own_picture(path)
            looked[path] = before
            return before[1]

        found = survey(self.folder, is_own)
        self._looked = looked
        # Hidden files are none of them: many cameras write one, and rename it when it is whole.
        left_out = {*found.others, *found.folders, *(["own"] if found.own else [])}
        if left_out - self._left_out:
            note(f"{self.folder}: left out: {found.left_out()}")
        self._left_out |= left_out
        return {path: version for path, (version, own) in looked.items() if version and not own}

    def _score(self, paths: Sequence[Path], table: ResultsTable, problems: set[str]) -> None:
        try:
            rows = list(self._scorer.rows(paths, self._picture_name))
        except InputError:
            if all(version_of(path) == self._waiting[path][0] for path in paths):
                raise
            return  # one was changed or removed meanwhile; the next look will find out
        settled = {}
        for path, row in zip(paths, rows, strict=True):
            version, looks = self._waiting[path]
            if version_of(path) != version or ("error" in row and looks < PATIENCE):
                continue
            table.append(row | version._asdict())
            settled[path] = self._scored[identity(path)] = Scored(version, row.get("verdict", ""))
            self._tell_row(row)
            self._drift.add(row)
        table.sync()
        for path, scored in settled.items():
            self._move(path, scored, problems)

    def _move(self, path: Path, scored: Scored, problems: set[str]) -> None:
        target = self._targets.get(scored.verdict)
        if target is None or version_of(path) != scored.version:
            return
        try:
            moved = move_into(target / path.relative_to(self.folder).parent, path)
        except InputError as error:
            problems.add(str(error))
            return
        if moved.name != path.name:
            self._tell("moved", f"{path} to {moved}, as there was a {path.name}")

    def _picture_name(self, path: Path) -> Path:
        """With the time, or pictures would replace those of an earlier image of the same name."""
        version, _ = self._waiting[path]
        return path.relative_to(self.folder).with_name(f"{path.name}.{version.mtime_ns}")


def version_of(path: Path) -> Version | None:
    """None if the file is gone, or cannot be read for the moment."""
    try:
        about = path.stat()
    except OSError:
        return None
    return Version(about.st_size, about.st_mtime_ns)
