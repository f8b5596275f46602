"""`anomgan generator sample`: generates images."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from anomgan.cli.options import DEFAULT_GENERATOR, Device, Generator, Seed
from anomgan.cli.say import say
from anomgan.errors import InputError
from anomgan.machine.notes import counted

if TYPE_CHECKING:
    import numpy as np

RECORD = "samples.json"
"""Record of how the images were generated; it marks folders that may be replaced."""
DEFAULT_SAMPLES = Path("anomgan-samples")
DEFAULT_STRIP = Path("anomgan-interpolation.png")
DEFAULT_MIX = Path("anomgan-mix.png")
IN_A_ROW, MOST_SHOWN = 8, 64

Label = Annotated[
    str | None,
    typer.Option("--class", help="Class of the images. Default: one class after the other."),
]
Truncation = Annotated[
    float, typer.Option(min=0, help="StyleGAN: below 1, images are more typical but less varied.")
]
Mix = Annotated[
    Literal["coarse", "middle", "fine"] | None,
    typer.Option(
        help="StyleGAN: one picture that mixes two sets of at most 8 images. Each mixture has its "
        "coarse, middle or fine layers from the image above it, and all others from the image "
        "beside it."
    ),
]
Interpolate = Annotated[
    bool, typer.Option("--interpolate", help="Interpolate between two images, as a strip.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder for 000000.png and so on. Earlier samples in it are replaced, other files "
        "never. Default: anomgan-samples, unless --grid, --interpolate or --mix is given."
    ),
]
Grid = Annotated[
    Path | None,
    typer.Option(
        help="PNG file for one picture of all images (64 at most). Default with --interpolate: "
        "anomgan-interpolation.png; with --mix: anomgan-mix.png."
    ),
]


def sample(
    model: Generator = DEFAULT_GENERATOR,
    count: Annotated[int, typer.Option(min=1, help="Number of images.")] = 16,
    seed: Seed = 0,
    label: Label = None,
    truncation: Truncation = 1.0,
    interpolate: Interpolate = False,
    mix: Mix = None,
    out: Out = None,
    grid: Grid = None,
    device: Device = "auto",
) -> None:
    """Generate images."""
    from anomgan.generators.loading import load_gan

    if mix:
        if out or label or interpolate:
            raise InputError(
                "--mix draws one picture, --grid; leave out --out, --class and --interpolate"
            )
        _mix(model, mix, min(count, IN_A_ROW), seed, truncation, grid or DEFAULT_MIX, device)
        return
    grid = grid or (DEFAULT_STRIP if interpolate else None)
    out = out or (None if grid else DEFAULT_SAMPLES)
    if grid:
        _check_picture(grid)
    if out:
        _check(out)
    gan = load_gan(model, device)
    draw = gan.interpolate if interpolate else gan.sample
    images = draw(count, seed, label=label, truncation=truncation)
    if out:
        record = {
            "model": str(model),
            "generator": gan.settings.generator,
            "images": len(images),
            "seed": seed,
            "class": label,
            "truncation": truncation,
            "interpolated": interpolate,
        }
        _write(out, images, record)
    if grid:
        _draw(grid, images)
    if out:
        say(f"{counted(len(images), 'image')} in {out}/")
    if grid:
        say(f"Picture: {grid}")


def _mix(
    model: Path, part: str, count: int, seed: int, truncation: float, grid: Path, device: str
) -> None:
    """Save a picture of mixed styles, with the sources above and beside them."""
    from anomgan.generators.loading import load_gan
    from anomgan.pictures import save_grid

    _check_picture(grid)
    rows = load_gan(model, device).mix(part, count, seed, truncation=truncation)
    save_grid(grid, rows, ["", *[part] * count])
    say(f"Picture: {grid}")


def _check_picture(grid: Path) -> None:
    from anomgan.data.own_files import refuse_to_overwrite

    if grid.suffix.lower() != ".png":
        raise InputError(f"--grid {grid}: the picture must end in .png")
    refuse_to_overwrite(grid)


def _check(out: Path) -> None:
    """Refuse to mix samples with other files, or to replace files that are not samples."""
    if out.is_file():
        raise InputError(f"{out} is a file; choose another folder for the images")
    if not out.is_dir():
        return
    files = {path.name: path for path in out.iterdir()}
    others = [name for name, path in files.items() if not _is_sample(path)]
    if files and (others or RECORD not in files):
        raise InputError(
            f"{out} holds other files than earlier samples, such as {min(others or files)}; choose "
            f"another folder"
        )


def _is_sample(path: Path) -> bool:
    """Whether a file is of earlier samples."""
    from anomgan.data.own_files import is_own_file

    is_named = path.name == RECORD or re.fullmatch(r"\d{6,}\.png", path.name)
    return bool(is_named) and is_own_file(path)


def _write(out: Path, images: "np.ndarray", record: dict[str, Any]) -> None:
    """Write numbered images and a record, all at once; earlier samples there are replaced."""
    from anomgan.data.encode import write_png
    from anomgan.data.own_files import JSON
    from anomgan.machine.files import atomic_folder

    with atomic_folder(out) as temporary:
        for number, image in enumerate(images):
            write_png(temporary / f"{number:06d}.png", image)
        text = json.dumps(JSON | record, indent=1) + "\n"
        (temporary / RECORD).write_text(text, encoding="utf-8")


def _draw(path: Path, images: "np.ndarray") -> None:
    """Save rows of images; if there are too many, choose some at even distances."""
    import numpy as np

    from anomgan.pictures import save_samples

    shown = np.linspace(0, len(images) - 1, min(len(images), MOST_SHOWN)).round().astype(int)
    cells = list(images[shown])
    width = min(IN_A_ROW, len(cells))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % width)
    rows = [cells[first : first + width] for first in range(0, len(cells), width)]
    save_samples(path, rows)
