"""Scores the frames of a camera or a video as they come."""

import re
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from anomgan.errors import InputError
from anomgan.inspection.drift import DriftAlarm
from anomgan.inspection.results_table import COLUMNS, ResultsTable, Row, check_kind, open_table
from anomgan.inspection.scorer import Pictures, Scorer
from anomgan.inspection.sources import RETRY, Frame, FrameSource
from anomgan.inspection.watch import Tell, Version


class FrameWatcher:
    """Scores the frames that a source gives, until it ends.

    A frame's row is its result and the time of the frame. Frames of a video file that an earlier
    run has scored are not scored again.

    Args:
        source: an open camera or video; the caller closes it.
        model: model folder, or an exported file.
        table: .csv or .jsonl file for the results; an existing one is continued.
        pictures: what to save for each frame besides its row.
        device: "auto", "cpu", "cuda" or "mps".
        scored: called with each row once it is written.
        notice: called with other messages: the kind, and a text (the source when it starts).

    Raises:
        InputError: `table` is neither .csv nor .jsonl.
        ModelError: the model cannot be loaded.
    """

    def __init__(
        self,
        source: FrameSource,
        model: Path,
        table: Path,
        *,
        pictures: Pictures,
        device: str = "auto",
        scored: Callable[[Row], None],
        notice: Tell,
    ) -> None:
        check_kind(table)
        self._source, self._table = source, table
        self._tell_row, self._tell = scored, notice
        self._scored: set[tuple[str, ...]] = set()
        self._scorer = Scorer(model, device, pictures)
        self._drift = DriftAlarm(self._scorer.drift(), partial(notice, "drift"))

    def run(self, stop: threading.Event, interval: float = RETRY) -> None:
        """Score frames until the source ends or `stop` is set.

        If the disk is full later on, writing is tried again every `interval` seconds. A camera's
        frames are dropped and counted meanwhile.

        Raises:
            InputError: the table cannot be continued; the first row or picture cannot be written,
                or a later one until `stop` was set.
        """
        columns = (*COLUMNS, "time", *Version._fields)
        model_id = self._scorer.model["model_id"]
        with open_table(self._table, model_id, self._remember, columns) as table:
            self._tell("watching", self._source.name)
            patience = None  # what never worked is a mistake, not a full disk
            for frame in self._source.frames(stop):
                version = self._source.version
                if version and _key({"image": frame.name} | version) in self._scored:
                    continue
                row = self._kept(frame, table, stop, patience)
                table.sync()
                self._tell_row(row)
                self._drift.add(row)
                patience = interval

    def _kept(
        self, frame: Frame, table: ResultsTable, stop: threading.Event, patience: float | None
    ) -> Row:
        """Score a frame and write its row; try again every `patience` seconds, if given."""
        told = False
        while True:
            try:
                row = self._scorer.frame_row(frame.name, frame.image, self._picture_name(frame))
                table.append(row | {"time": frame.time} | self._source.version)
            except InputError as error:
                if patience is None:
                    raise
                if not told:
                    self._tell("problem", f"{error}; it is tried again every {patience:g} s")
                told = True
                if stop.wait(patience):
                    raise
            else:
                if told:
                    self._tell("problem", f"{table.path} is written again")
                return row

    def _remember(self, row: Row) -> None:
        """Take in a row of an earlier run; only frames of a file can come again."""
        if row.get("mtime_ns"):
            self._scored.add(_key(row))
        self._drift.add(row)

    def _picture_name(self, frame: Frame) -> Path:
        """With the time of a file, or pictures would replace those of its earlier version."""
        name = re.sub(r"[^\w.-]+", "-", frame.name).strip("-")
        version = self._source.version
        return Path(f"{name}.{version['mtime_ns']}" if version else name)


def _key(row: Row) -> tuple[str, ...]:
    """What identifies a frame of a file."""
    return tuple(str(row[name]) for name in ("image", *Version._fields))
