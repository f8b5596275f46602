"""A line of text on the terminal."""

import typer

from anomgan.machine.names import escaped


def say(line: str, *, err: bool = False) -> None:
    """Print one line, whatever the names of files in it hold."""
    typer.echo(escaped(line), err=err)
