"""`anomgan score`: verdicts and heatmaps for images."""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from json import dumps
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from anomgan.cli.batch import Outcome, describe_row, exit_if_failed, verdict_counts
from anomgan.cli.options import (
    DEFAULT_HEATMAPS,
    DEFAULT_MODEL,
    Device,
    Heatmap,
    Ray,
    ScoringModel,
)
from anomgan.cli.say import say
from anomgan.errors import InputError, Interrupted
from anomgan.inspection.results_table import Row, check_kind, identity, open_table

if TYPE_CHECKING:
    from anomgan.inspection.scorer import Scorer

Images = Annotated[list[Path] | None, typer.Option(help="Image to score. May be repeated.")]
Table = Annotated[
    Path | None,
    typer.Option(help="Table for the results, appended as they come: .csv or .jsonl."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the table of an earlier run.")]
SaveMap = Annotated[
    bool, typer.Option("--save-map", help="Save the raw float32 heatmap of each image (.npy).")
]
FailOnAnomaly = Annotated[
    bool, typer.Option("--fail-on-anomaly", help="Exit with 1 when an image is anomalous.")
]


def score(
    image: Images = None,
    dir: Annotated[Path | None, typer.Option(help="Score every image in this folder.")] = None,
    model: ScoringModel = DEFAULT_MODEL,
    out: Table = None,
    resume: Resume = False,
    heatmap: Heatmap = False,
    heatmap_dir: Annotated[
        Path, typer.Option(help="Folder for heatmaps and maps.")
    ] = DEFAULT_HEATMAPS,
    save_map: SaveMap = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per image.")] = False,
    fail_on_anomaly: FailOnAnomaly = False,
    device: Device = "auto",
    ray: Ray = None,
) -> None:
    """Classify images as ok or anomalous, say how sure that is, and show where defects are.

    Exit codes: 0 done, 1 an image is anomalous (only with --fail-on-anomaly), 2 bad input or
    settings, 3 some images of a batch could not be read, 130 Ctrl-C, 143 SIGTERM.
    """
    from anomgan.inspection.scorer import Pictures, Scorer

    if out:
        check_kind(out)
    elif resume:
        raise InputError("--resume continues a table; name it with --out")
    pictures = Pictures(heatmap_dir, heatmap, save_map)
    if dir:
        pictures.check_outside(dir)
    images = _each_once(image or [], dir)
    try:
        scorer = Scorer(model, device, pictures)
        outcome = _score(scorer, images, out, resume=resume, as_json=json, ray=ray)
    except KeyboardInterrupt:
        if not out:
            raise
        raise Interrupted(
            f"stopped; the results so far are in {out}; to continue, run the same command with "
            f"--resume"
        ) from None
    exit_if_failed(outcome)
    if fail_on_anomaly and outcome.anomalous:
        raise typer.Exit(1)


def _each_once(images: Sequence[Path], folder: Path | None) -> dict[str, Path]:
    """The images to score by their identity, so that one that is named twice is scored once."""
    from anomgan.data.folders import list_images

    listed = [*images, *(list_images(folder) if folder else [])]
    if not listed:
        raise InputError("nothing to score; give --image part.png or --dir parts/")
    return {identity(path): path for path in listed}


def below_common(folders: Iterable[PurePath]) -> dict[PurePath, Path]:
    """Where each absolute folder lies below the lowest that holds them all; drives are folders."""
    parts = {one: [*re.findall(r"[^:\\/?]+", one.drive), *one.parts[1:]] for one in folders}
    shared = len(os.path.commonprefix(list(parts.values())))
    return {one: Path(*names[shared:]) for one, names in parts.items()}


def _score(
    scorer: "Scorer",
    images: dict[str, Path],
    table: Path | None,
    *,
    resume: bool,
    as_json: bool,
    ray: str | None,
) -> Outcome:
    """Score images, write and print the rows, and count them; earlier rows of the table, too."""
    from anomgan.machine.progress import progress_bar

    folders = {folder: folder.resolve() for folder in {path.parent for path in images.values()}}
    below = below_common(folders.values())
    outcome = Outcome(len(images))

    def name(path: Path) -> Path:
        return below[folders[path.parent]] / path.name

    def earlier(row: Row) -> None:
        if images.pop(identity(row["image"]), None):
            outcome.count(row)

    opened = (
        open_table(table, scorer.model["model_id"], earlier if resume else None)
        if table
        else nullcontext()
    )
    with opened as rows, progress_bar("scoring", outcome.total) as report:
        done = outcome.total - len(images)
        if done and not as_json:
            say(f"{done} of {outcome.total} images are in {table} already")
        paths = list(images.values())
        scored = scorer.spread_rows(ray, paths, name) if ray else scorer.rows(paths, name)
        for number, row in enumerate(scored, start=done + 1):
            if rows:
                rows.append(row)
            outcome.count(row)
            outcome.warn(row)
            if as_json:
                typer.echo(dumps(row))
            elif not table or "error" in row:
                say(describe_row(row))
            report(number)
    if not as_json and outcome.total > 1:
        say(verdict_counts(outcome, table))
    return outcome
