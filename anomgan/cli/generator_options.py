"""Options that several verbs of `anomgan generator` have."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_GENERATOR = Path("anomgan-generator")

Model = Annotated[Path, typer.Option(help="Folder of a trained generator.")]
Domains = Annotated[
    list[str] | None,
    typer.Option("--domain", help="Or NAME=DIR: the images of one domain. Repeated for each."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
