"""Options that several commands share."""

import re
from pathlib import Path
from typing import Annotated

import typer

from anomgan.errors import InputError

DEFAULT_MODEL = Path("anomgan-model")
DEFAULT_HEATMAPS = Path("anomgan-heatmaps")
DEFAULT_GENERATOR = Path("anomgan-generator")

Model = Annotated[Path, typer.Option(help="Model folder.")]
ScoringModel = Annotated[Path, typer.Option(help="Model folder, or an exported file.")]
Groups = Annotated[
    Path | None,
    typer.Option(help="CSV table of the physical part in each image (columns file, group)."),
]
Roi = Annotated[
    str | None,
    typer.Option(
        metavar="MASK|POLYGON",
        help="The part of each image that counts: a mask, white where it counts, with the "
        "proportions of the images; or the corners of a polygon in fractions of width and height "
        'from the upper left: "0.1,0.2 0.9,0.2 0.5,0.8".',
    ),
]
SmallestDefect = Annotated[
    str | None,
    typer.Option(
        metavar="AREA",
        help="Smallest area of a region of the heatmap that counts as a defect: 200px2 or 9mm2. "
        "Default: any area counts.",
    ),
]
PixelsPerMm = Annotated[
    float | None, typer.Option(help="Scale of the images, to give sizes in mm, too.")
]
AREA = re.compile(r"(\d+\.?\d*|\.\d+)\s*(px|mm)(?:2|²)")
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
        help="Distribute the work over a Ray cluster: HOST:PORT of its head, or local to start a "
        "cluster here. Folders must have the same names on all machines."
    ),
]

LogDir = Annotated[
    Path | None,
    typer.Option(help="Folder for losses, learning rates and samples, to watch with TensorBoard."),
]

Generator = Annotated[Path, typer.Option(help="Folder of a trained generator.")]
Domains = Annotated[
    list[str] | None,
    typer.Option(
        "--domain",
        help="NAME=DIR: folder of the images of one domain, instead of --data-dir. Repeat it for "
        "each domain.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")]
TrainingSeed = Annotated[int | None, typer.Option(help="Seed of all random numbers. Default: 0.")]
"""None where a settings file may give it."""


def read_area(text: str, pixels_per_mm: float | None) -> float:
    """Read an area, such as 200px2 or 9mm2, in square pixels.

    Raises:
        InputError: it is not such an area, or the scale is missing for square millimetres.
    """
    found = AREA.fullmatch(text.strip())
    if not found:
        raise InputError(f"--smallest-defect {text}: give an area such as 200px2 or 9mm2")
    area = float(found[1])
    if found[2] == "px":
        return area
    if pixels_per_mm is None:
        raise InputError(f"--smallest-defect {text}: give the scale as well, --pixels-per-mm")
    return area * pixels_per_mm**2
