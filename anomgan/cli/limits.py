"""`anomgan limits`: the smallest defects that a model finds, from good parts alone."""

from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.options import DEFAULT_MODEL, Device, ScoringModel
from anomgan.cli.say import say


def limits(
    normal_dir: Annotated[
        Path,
        typer.Option(
            help="Folder of images of good parts, at least some of which the model has not learnt "
            "from; the others are left out."
        ),
    ],
    model: ScoringModel = DEFAULT_MODEL,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("anomgan-limits"),
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Kind of defect to draw, such as pit. May be repeated. Default: all."),
    ] = None,
    per_kind: Annotated[int, typer.Option(min=20, help="Defects of each kind to draw.")] = 300,
    part_mask: Annotated[
        Path | None,
        typer.Option(
            help="Where the part is: one mask for all images, or a folder with a mask for each. "
            "Default: what differs from a plain background, or else the whole image."
        ),
    ] = None,
    pixels_per_mm: Annotated[
        float | None,
        typer.Option(help="Scale of the images, to give sizes in mm, too. Default: the model's."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run that was stopped.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Find out which defects are too small or too faint to be found.

    Scratches, cracks, pits, stains, smears, dents, missing pieces and foreign material are drawn on
    good images, and the model scores them. Writes limits.html, which holds everything, and
    limits.json.
    """
    from anomgan.data.folders import list_images
    from anomgan.detectors import load
    from anomgan.errors import InputError
    from anomgan.evaluation.limits import (
        Bench,
        Limits,
        check_out,
        describe_bench,
        run_trials,
        write_limits,
    )
    from anomgan.evaluation.limits.defects import KINDS

    kinds = list(dict.fromkeys(kind or KINDS))
    unknown = [name for name in kinds if name not in KINDS]
    if unknown:
        raise InputError(f"there is no kind of defect {unknown[0]!r}, only {', '.join(KINDS)}")
    if pixels_per_mm is not None and not 0 < pixels_per_mm < float("inf"):
        raise InputError(f"--pixels-per-mm is {pixels_per_mm:g}; it must be above 0")
    check_out(out, resume)
    detector = load(model, device)
    if pixels_per_mm is None:
        pixels_per_mm = detector.settings.score.pixels_per_mm
    bench = Bench.prepare(detector, list_images(normal_dir), normal_dir, part_mask)
    found = Limits.of(kinds, run_trials(bench, kinds, per_kind, out, resume))
    write_limits(found, bench, out, str(model), pixels_per_mm)
    for line in (*found.sentences(pixels_per_mm), *describe_bench(bench)):
        say(line)
    say(f"Curves and pictures: {out / 'limits.html'}")
