"""Lines of text on the terminal."""

from collections.abc import Sequence
from pathlib import Path

import typer

from anomgan.machine.names import escaped


def say(line: str, *, err: bool = False) -> None:
    """Print one line, whatever the names of files in it hold."""
    typer.echo(escaped(line), err=err)


def text_of(lines: Sequence[str]) -> str:
    """Lines as one text to print, whatever the names of files in them hold."""
    return "\n".join(map(escaped, lines))


def argument(path: Path) -> str:
    """A path as it is written in a command that a reader may copy."""
    return f'"{path}"' if " " in str(path) else str(path)
