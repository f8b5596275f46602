"""`anomgan info`: a readable card of a model."""

from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.options import DEFAULT_MODEL


def info(
    model: Annotated[
        Path, typer.Argument(help="Model folder, or an exported file.")
    ] = DEFAULT_MODEL,
) -> None:
    """Show what a model is, what it learnt from, and what its verdicts promise."""
    from anomgan.inspection.cards import model_card

    typer.echo(model_card(model))
