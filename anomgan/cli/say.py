"""Lines of text on the terminal."""

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

import typer

from anomgan.machine.names import escaped


def say(line: str, *, err: bool = False) -> None:
    """Print one line, whatever the names of files in it hold."""
    typer.echo(escaped(line), err=err)


def text_of(lines: Sequence[str]) -> str:
    """Lines as one text to print, whatever the names of files in them hold."""
    return "\n".join(map(escaped, lines))


def print_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, lines: bool = False
) -> None:
    """Print a table; on a narrow terminal words are broken, and nothing is cut off.

    Args:
        heads: of the columns; the first one holds names, which are not broken.
        rows: a text for each column.
        lines: whether there is a line between two rows.
    """
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    # Text, because brackets in a name would be taken for a style.
    columns = [Column(Text(head), overflow="fold") for head in heads]
    columns[0].no_wrap = True
    table = Table(*columns, show_lines=lines)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def argument(value: Path | str) -> str:
    """A path or a name as it is written in a command that a reader may copy."""
    if os.name == "posix":
        return shlex.quote(str(value))
    return f'"{value}"' if " " in str(value) else str(value)
