"""Tables of results that grow by whole rows, so that an interrupted job can continue."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from anomgan.errors import InputError
from anomgan.machine.files import lock_file
from anomgan.machine.names import escaped_cell, unescaped

COLUMNS = (
    *("image", "score", "scores", "p_value", "verdict", "reason", "threshold"),
    *("false_alarm_rate", "regions", "heatmap", "warnings", "milliseconds"),
    *("model", "model_id", "error"),
)
LISTS = ("scores", "regions", "warnings")
"""Columns that hold JSON in CSV."""
KINDS = (".csv", ".jsonl")
Row = dict[str, Any]


def identity(image: Path | str) -> str:
    """What identifies an image in a table: its absolute path."""
    return os.path.abspath(image)


def check_kind(path: Path) -> None:
    """Check that a table is .csv or .jsonl.

    Raises:
        InputError: `path` has another suffix.
    """
    if path.suffix.lower() not in KINDS:
        raise InputError(f"--out {path}: the table must end in {' or '.join(KINDS)}")


@contextmanager
def open_table(
    path: Path,
    model_id: str,
    earlier: Callable[[Row], None] | None,
    columns: Sequence[str] = COLUMNS,
) -> Iterator["ResultsTable"]:
    """Open a table for appending, locked; its rows are on the disk when the body has ended.

    Args:
        path: .csv or .jsonl file.
        model_id: of the model whose results it holds.
        earlier: called with each existing row; those of CSV have only strings. None refuses a
            table that holds anything.
        columns: keys of a row, for the header of CSV.

    Raises:
        InputError: the file cannot be written to, holds rows of another model or something else,
            or another job is writing it.
    """
    check_kind(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    with file:
        if not lock_file(file):
            raise InputError(f"another job is writing {path}; wait for it, or give another --out")
        if earlier is None and path.stat().st_size:
            raise InputError(
                f"{path} exists already; continue it with --resume, or give another --out"
            )
        table = ResultsTable(path, file, columns)
        for row in table.read():
            if row["model_id"] != model_id:
                raise InputError(
                    f"{path} holds results of another model; give that one with --model, or "
                    f"another --out"
                )
            if earlier:
                earlier(row)
        table.begin()
        yield table
        table.sync()


class ResultsTable:
    """A table that `open_table` has opened."""

    def __init__(self, path: Path, file: io.FileIO, columns: Sequence[str]) -> None:
        self.path = path
        self._file = file
        self._columns = columns
        self._is_csv = path.suffix.lower() == ".csv"
        self._end = 0

    def read(self) -> Iterator[Row]:
        """The existing rows; half a row at the end, left by a kill, is cut off.

        Raises:
            InputError: the file holds something else.
        """
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    self._cut_off(line)
                elif self._is_csv and number == 1:
                    if line != self._header:
                        raise self._foreign(number)
                    self._end = len(line)
                else:
                    row = self._parsed(line, number)
                    self._end += len(line)
                    yield row

    def begin(self) -> None:
        """Write the header of CSV, if there is none yet."""
        if self._is_csv and not self._end:
            self._write(self._header)

    def append(self, row: Row) -> None:
        """Add a row, which survives the end of this process.

        Raises:
            InputError: the disk is full or gone; the rows so far are whole.
        """
        self._write(self._line(row))

    def sync(self) -> None:
        """Flush the rows to the disk, so that they survive a power cut.

        Raises:
            InputError: the disk is full or gone.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror}") from error

    def _write(self, line: bytes) -> None:
        rest = line
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise InputError(
                f"cannot write {self.path}: {error.strerror}; its rows so far are whole, and the "
                f"job can be continued from them"
            ) from error
        self._end += len(line)

    def _cut_off(self, line: bytes) -> None:
        """Drop a last line without an end, if it can be the beginning of a row."""
        start = b'{"image": ' if not self._is_csv else b"" if self._end else self._header
        begun = line.rstrip(b"\0")  # a power cut can leave zeros
        if not (begun.startswith(start) or start.startswith(begun)):
            raise self._foreign(1)
        self._file.truncate(self._end)

    def _line(self, row: Row) -> bytes:
        if not self._is_csv:
            return (json.dumps(row) + "\n").encode()
        flat = {n: escaped_cell(v) if isinstance(v, str) else v for n, v in row.items()}
        flat |= {name: json.dumps(row.get(name, [])) for name in LISTS}
        return self._csv_line([flat.get(name) for name in self._columns])

    @property
    def _header(self) -> bytes:
        return self._csv_line(self._columns)

    def _csv_line(self, values: Sequence[Any]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text).writerow(values)
        return text.getvalue().encode()

    def _parsed(self, line: bytes, number: int) -> Row:
        try:
            if self._is_csv:
                values = next(csv.reader([line.decode(errors="surrogateescape")]))
                row = dict(zip(self._columns, values, strict=True))
                return {n: v if n in LISTS else unescaped(v) for n, v in row.items()}
            row = json.loads(line)
            if set(self._columns) >= set(row) >= {"image", "model_id"}:
                return row
        except (ValueError, TypeError, csv.Error):
            pass
        raise self._foreign(number)

    def _foreign(self, number: int) -> InputError:
        return InputError(
            f"line {number} of {self.path} is not a row of results; give another --out, or correct "
            f"that line"
        )
