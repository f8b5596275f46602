"""`anomgan watch` as a job: images are scored as they arrive in a folder.

The folder is looked at again and again, which works on network shares, too, where nobody is told
of new files.
"""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from anomgan.data.folders import is_image, visible_files
from anomgan.errors import InputError
from anomgan.inspection.results_table import (
    COLUMNS,
    ResultsTable,
    Row,
    check_kind,
    identity,
    open_table,
)
from anomgan.inspection.scorer import Pictures, Scorer, check_outside
from anomgan.inspection.scoring import Outcome, Say, closing, describe
from anomgan.machine.files import move_into

PATIENCE = 5
"""Looks at which a file must have stayed the same before it is called unreadable."""


@dataclass(frozen=True)
class WatchJob:
    """What to watch and what to do with it.

    Attributes:
        folder: where images arrive, in sub-folders, too.
        model: model folder.
        table: .csv or .jsonl file for the results; one that exists is gone on with.
        pictures: what to keep of each image beside its row.
        move_ok: folder that good images are moved to; None leaves them.
        move_anomalous: likewise for anomalous ones.
        interval: seconds between two looks.
        device: "auto", "cpu", "cuda" or "mps".
    """

    folder: Path
    model: Path
    table: Path
    pictures: Pictures
    move_ok: Path | None
    move_anomalous: Path | None
    interval: float
    device: str


class Version(NamedTuple):
    """What tells a file from another one that had its name before."""

    size: int
    mtime_ns: int


class Scored(NamedTuple):
    """What is known of a file whose row is in the table; verdict "" for an error."""

    version: Version
    verdict: str


def run_watch(job: WatchJob, say: Say, stop: threading.Event) -> Outcome:
    """Score the images of a folder as they arrive, until `stop` is set.

    A file is complete when size and time are the same at two looks and it can be decoded. Its row
    is on the disk before the file is moved, so that after a crash the table says what is done: a
    file has one row for each content that it was complete with.

    Returns:
        Counts over the images scored by this call.

    Raises:
        InputError: there is no such folder, the table cannot be written or gone on with, a picture
            cannot be written, or files would be moved to where they come from.
        ModelError: the model cannot be loaded.
    """
    check_kind(job.table)
    watch = _Watch(job, say)
    with open_table(
        job.table, watch.scorer.model["model_id"], watch.remember, (*COLUMNS, *Version._fields)
    ) as table:
        say(f"watching {watch.folder}; Ctrl-C ends it")
        while not stop.is_set():
            watch.look(table, stop)
            stop.wait(job.interval)
    say(closing(watch.outcome, job.table))
    return watch.outcome


class _Watch:
    def __init__(self, job: WatchJob, say: Say) -> None:
        self.folder = Path(os.path.abspath(job.folder))
        self.outcome = Outcome(0)
        self._table = job.table
        self._targets = {"ok": job.move_ok, "anomalous": job.move_anomalous}
        self._say = say
        self._scored: dict[str, Scored] = {}
        self._waiting: dict[Path, tuple[Version, int]] = {}
        self._problems: set[str] = set()
        _versions(self.folder)  # raises where there is no such folder
        job.pictures.check_outside(job.folder)
        for target in filter(None, (job.move_ok, job.move_anomalous)):
            check_outside(target, job.folder)
        self.scorer = Scorer(job.model, job.device, job.pictures)

    def remember(self, row: Row) -> None:
        """Take up a row that an earlier run has left."""
        try:
            version = Version(int(row["size"]), int(row["mtime_ns"]))
        except (KeyError, ValueError):
            raise InputError(
                f"{self._table} was not made by anomgan watch, which notes size and time of each "
                f"file; give another --out"
            ) from None
        self._scored[identity(row["image"])] = Scored(version, row.get("verdict", ""))

    def look(self, table: ResultsTable, stop: threading.Event) -> None:
        """Score what is complete, move what is scored, say what is in the way and was not yet."""
        problems: set[str] = set()
        try:
            found = _versions(self.folder)
        except InputError as error:  # a share that is away for a moment
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
        for first in range(0, len(ready), self.scorer.images_at_once):
            if stop.is_set():
                break
            some = ready[first : first + self.scorer.images_at_once]
            self._score([path for _, path in some], table, problems)
        for problem in sorted(problems - self._problems):
            self._say(f"problem    {problem}")
        self._problems = problems

    def _score(self, paths: Sequence[Path], table: ResultsTable, problems: set[str]) -> None:
        try:
            rows = list(self.scorer.rows(paths, self._picture_name))
        except InputError:
            if all(_version(path) == self._waiting[path][0] for path in paths):
                raise
            return  # one was changed or taken away under our hands; the next look will tell
        settled = {}
        for path, row in zip(paths, rows, strict=True):
            version, looks = self._waiting[path]
            if _version(path) != version or ("error" in row and looks < PATIENCE):
                continue
            table.append(row | version._asdict())
            settled[path] = self._scored[identity(path)] = Scored(version, row.get("verdict", ""))
            self.outcome.total += 1
            self.outcome.count(row)
            self._say(describe(row))
        table.sync()
        for path, scored in settled.items():
            self._move(path, scored, problems)

    def _move(self, path: Path, scored: Scored, problems: set[str]) -> None:
        target = self._targets.get(scored.verdict)
        if target is None or _version(path) != scored.version:
            return
        try:
            moved = move_into(target / path.relative_to(self.folder).parent, path)
        except InputError as error:
            problems.add(str(error))
            return
        if moved.name != path.name:
            self._say(f"moved      {path} to {moved}, as there was a {path.name}")

    def _picture_name(self, path: Path) -> Path:
        """With the time, or an image's pictures would take the place of its namesake's."""
        version, _ = self._waiting[path]
        return path.relative_to(self.folder).with_name(f"{path.name}.{version.mtime_ns}")


def _versions(folder: Path) -> dict[Path, Version]:
    """The images that are in a folder now."""
    found = ((path, _version(path)) for path in visible_files(folder) if is_image(path))
    return {path: version for path, version in found if version}


def _version(path: Path) -> Version | None:
    """None when the file is gone, or cannot be asked for the moment."""
    try:
        about = path.stat()
    except OSError:
        return None
    return Version(about.st_size, about.st_mtime_ns)
