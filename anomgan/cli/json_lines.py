"""A log for other programs: JSON objects on standard error, one a line."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from anomgan.errors import AnomganError

LogJson = Annotated[
    bool,
    typer.Option(
        "--log-json", help="Write one JSON object a line on standard error instead of text."
    ),
]


class JsonLines:
    """Writes events, each with its time (UTC).

    Args:
        loggers: names of loggers whose messages become warnings.
    """

    def __init__(self, *loggers: str) -> None:
        self._loggers = [logging.getLogger(name) for name in loggers]

    @contextmanager
    def open(self) -> Iterator[None]:
        """Notes and errors while the body runs become events."""
        handler = _Handler(self)
        for logger in self._loggers:
            logger.addHandler(handler)
        try:
            yield
        except AnomganError as error:
            self.write("error", text=str(error))
            raise typer.Exit(error.exit_code) from None
        finally:
            for logger in self._loggers:
                logger.removeHandler(handler)

    def write(self, event: str, **facts: Any) -> None:
        """Write an event."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        typer.echo(json.dumps({"logged": now, "event": event, **facts}), err=True)


class _Handler(logging.Handler):
    """Turns the messages of loggers into warnings."""

    def __init__(self, lines: JsonLines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.write("warning", text=self.format(record))
