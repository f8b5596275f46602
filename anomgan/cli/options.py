"""Options that several verbs have."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_MODEL = Path("anomgan-model")
DEFAULT_HEATMAPS = Path("anomgan-heatmaps")
DEFAULT_GENERATOR = Path("anomgan-generator")

Model = Annotated[Path, typer.Option(help="Model folder.")]
ScoringModel = Annotated[Path, typer.Option(help="Model folder, or an exported file.")]
Groups = Annotated[
    Path | None,
    typer.Option(help="CSV table: which physical part each image shows (columns file, group)."),
]
SkipUnreadable = Annotated[
    bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read.")
]
Heatmap = Annotated[
    bool, typer.Option("--heatmap", help="Save the heatmap over each image as a PNG.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Ray = Annotated[
    str | None,
    typer.Option(
        help="Spread the work over a Ray cluster: HOST:PORT of its head, or local to start one "
        "here. Folders must have the same names on all its machines."
    ),
]

Generator = Annotated[Path, typer.Option(help="Folder of a trained generator.")]
Domains = Annotated[
    list[str] | None,
    typer.Option("--domain", help="Or NAME=DIR: the images of one domain. Repeated for each."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
