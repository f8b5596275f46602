"""`anomgan generator sample` as a job: images that a generator draws."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from anomgan.errors import InputError
from anomgan.generators.loading import load_gan
from anomgan.machine.files import atomic_folder
from anomgan.pictures import save_grid

RECORD = "samples.json"
"""How the images of a folder were made; it marks folders that may be replaced."""
DEFAULT_SAMPLES = Path("anomgan-samples")
DEFAULT_STRIP = Path("anomgan-interpolation.png")
IN_A_ROW, MOST_SHOWN = 8, 64


@dataclass(frozen=True)
class SampleJob:
    """What to draw.

    Attributes:
        model: model folder.
        count: images.
        seed: of the latent vectors.
        label: what they are to show; None for whatever comes.
        truncation: StyleGAN's psi.
        interpolate: go from one latent vector to another.
        out: folder of numbered images; None: the default, unless there is a picture.
        grid: picture of all; None: none, but the default with `interpolate`.
        device: "auto", "cpu", "cuda" or "mps".
    """

    model: Path
    count: int
    seed: int
    label: str | None
    truncation: float
    interpolate: bool
    out: Path | None
    grid: Path | None
    device: str


def run_sample(job: SampleJob) -> str:
    """Draw, save, and say what is where.

    Raises:
        ModelError: the model cannot be loaded, or draws nothing.
        SettingsError: the label is unknown, or the method has no truncation.
        InputError: `out` holds something else than earlier samples, or cannot be written to.
    """
    grid = job.grid or (DEFAULT_STRIP if job.interpolate else None)
    out = job.out or (None if grid else DEFAULT_SAMPLES)
    if grid and grid.suffix.lower() != ".png":
        raise InputError(f"--grid {grid}: the picture must end in .png")
    if out:
        _check(out)
    model = load_gan(job.model, job.device)
    draw = model.interpolate if job.interpolate else model.sample
    images = draw(job.count, job.seed, label=job.label, truncation=job.truncation)
    said = []
    if out:
        _write(out, images, job, model.settings.generator)
        said.append(f"{len(images)} images in {out}/")
    if grid:
        _draw(grid, images)
        said.append(f"Picture: {grid}")
    return "\n".join(said)


def _check(out: Path) -> None:
    """Refuse to mix samples with other files, or to replace files that are not samples."""
    if out.is_file():
        raise InputError(f"{out} is a file; choose another folder for the images")
    if not out.is_dir():
        return
    names = {path.name for path in out.iterdir()}
    others = sorted(name for name in names - {RECORD} if not re.fullmatch(r"\d{6,}\.png", name))
    if names and (others or RECORD not in names):
        raise InputError(
            f"{out} holds other files than earlier samples, such as {min(others or names)}; choose "
            f"another folder"
        )


def _write(out: Path, images: np.ndarray, job: SampleJob, generator: str) -> None:
    """Numbered images and a record, all at once; earlier samples there are replaced."""
    record = {
        "model": str(job.model),
        "generator": generator,
        "images": len(images),
        "seed": job.seed,
        "class": job.label,
        "truncation": job.truncation,
        "interpolated": job.interpolate,
    }
    with atomic_folder(out) as temporary:
        for number, image in enumerate(images):
            Image.fromarray(image).save(temporary / f"{number:06d}.png")
        (temporary / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _draw(path: Path, images: np.ndarray) -> None:
    """Rows of images; of very many only some, evenly chosen."""
    shown = np.linspace(0, len(images) - 1, min(len(images), MOST_SHOWN)).round().astype(int)
    cells = list(images[shown])
    width = min(IN_A_ROW, len(cells))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % width)
    rows = [cells[first : first + width] for first in range(0, len(cells), width)]
    save_grid(path, rows, [""] * width)
