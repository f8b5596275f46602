"""What `anomgan watch` prints: lines of text, or of JSON."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from anomgan.cli.batch import Outcome, describe_row, verdict_counts
from anomgan.cli.json_lines import JsonLines
from anomgan.cli.say import say
from anomgan.inspection.results_table import Row
from anomgan.machine.notes import counted

if TYPE_CHECKING:
    from anomgan.inspection.sources import FrameSource
    from anomgan.inspection.watch import Notice


class TextLog:
    """Lines of text on standard output.

    Args:
        table: of the results.
    """

    def __init__(self, table: Path) -> None:
        self.table = table
        self.outcome = Outcome(0)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let notes and errors of the body be printed, as they are without a log."""
        yield

    def row(self, row: Row) -> None:
        """An image was scored."""
        self.outcome.total += 1
        self.outcome.count(row)
        self.outcome.warn(row)
        say(describe_row(row))

    def notice(self, kind: "Notice", text: str) -> None:
        """Something else has happened."""
        if kind == "watching":
            say(f"watching {text}; Ctrl-C ends it")
        else:
            say(f"{kind:<10} {text}")

    def stopped(self, source: "FrameSource | None") -> None:
        """The watch has ended; `source` gave the frames."""
        if source is not None:
            text = f"{counted(source.came, 'frame')} came from {source.name}"
            if source.dropped:
                text += f"; {source.dropped} were dropped, as earlier ones were still being scored"
            say(text)
        say(verdict_counts(self.outcome, self.table))


class JsonLog(TextLog):
    """JSON objects on standard error, one a line, each with its time (UTC) and the event.

    Events: start, scored (with the row of the image), warning, moved, drift, error, stopped (with
    counts).
    """

    def __init__(self, table: Path) -> None:
        super().__init__(table)
        self._lines = JsonLines("anomgan")

    @contextmanager
    def open(self) -> Iterator[None]:
        """Notes and errors while the body runs become events."""
        with self._lines.open():
            yield

    def row(self, row: Row) -> None:
        """An image was scored."""
        self.outcome.total += 1
        self.outcome.count(row)
        for text in self.outcome.new_warnings(row):
            self._lines.write("warning", text=text, image=row["image"])
        self._lines.write("scored", **row)

    def notice(self, kind: "Notice", text: str) -> None:
        """Something else has happened."""
        if kind == "watching":
            self._lines.write("start", watching=text, table=str(self.table))
        else:
            self._lines.write("warning" if kind == "problem" else kind, text=text)

    def stopped(self, source: "FrameSource | None") -> None:
        """The watch has ended; `source` gave the frames."""
        outcome = self.outcome
        counts = {
            "images": outcome.total,
            "ok": outcome.ok,
            "anomalous": outcome.anomalous,
            "failed": outcome.failed,
        }
        if source is not None:
            counts |= {"frames": source.came, "dropped": source.dropped}
        self._lines.write("stopped", **counts)
