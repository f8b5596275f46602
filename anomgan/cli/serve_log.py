"""What `anomgan serve` logs: nothing but where it listens, or lines of JSON."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anomgan.cli.json_lines import JsonLines
from anomgan.cli.say import say
from anomgan.inspection.results_table import Row

if TYPE_CHECKING:
    from anomgan.station.served import ServedModel


class TextServeLog:
    """One line of text on standard output."""

    uvicorn: dict[str, object] = {}
    """Settings of the server's own log."""

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let notes and errors of the body be printed, as they are without a log."""
        yield

    def started(self, models: Mapping[str, "ServedModel"], address: str) -> None:
        """The station listens."""
        say(f"serving {', '.join(models)} at {address}; Ctrl-C ends it")

    def scored(self, model: "ServedModel", row: Row) -> None:
        """An image was scored."""

    def stopped(self, models: Mapping[str, "ServedModel"]) -> None:
        """The station has ended."""


class JsonServeLog(TextServeLog):
    """Events: start, scored (with the row of the image), drift, warning, error, stopped."""

    uvicorn = {"log_config": None}

    def __init__(self) -> None:
        self._lines = JsonLines("anomgan", "uvicorn")
        self._drift: dict[str, str] = {}

    @contextmanager
    def open(self) -> Iterator[None]:
        with self._lines.open():
            yield

    def started(self, models: Mapping[str, "ServedModel"], address: str) -> None:
        self._lines.write("start", models=list(models), address=address)

    def scored(self, model: "ServedModel", row: Row) -> None:
        self._lines.write("scored", served=model.name, **row)
        report = model.loaded.inspector.drift
        if report.state != self._drift.setdefault(model.name, "steady"):
            self._drift[model.name] = report.state
            self._lines.write("drift", served=model.name, text=str(report))

    def stopped(self, models: Mapping[str, "ServedModel"]) -> None:
        self._lines.write("stopped", counts={n: one.parts.counts for n, one in models.items()})
