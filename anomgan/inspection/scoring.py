"""`anomgan score` as a job: many images, one line each, tables, heatmaps, raw maps."""

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anomgan.data.decode import read_image, to_uint8
from anomgan.data.folders import list_images
from anomgan.detectors import load
from anomgan.detectors.base import Detector
from anomgan.detectors.result import Result
from anomgan.errors import InputError
from anomgan.files import atomic_path
from anomgan.pictures import save_overlay
from anomgan.training.progress import progress_bar

COLUMNS = (
    "image",
    "score",
    "p_value",
    "verdict",
    "threshold",
    "false_alarm_rate",
    "regions",
    "heatmap",
    "milliseconds",
    "model",
    "error",
)
Row = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class ScoreJob:
    """What to score and what to leave behind.

    Attributes:
        images: files to score.
        folder: folder whose images are scored too.
        model: model folder.
        table: .csv or .jsonl file for the results.
        pictures: folder for overlays and raw maps.
        overlays: save an overlay PNG per image.
        maps: save the raw float32 map per image (.npy).
        as_json: say one JSON object per image.
        device: "auto", "cpu", "cuda" or "mps".
    """

    images: list[Path]
    folder: Path | None
    model: Path
    table: Path | None
    pictures: Path
    overlays: bool
    maps: bool
    as_json: bool
    device: str


@dataclass
class Outcome:
    """Counts over a job."""

    total: int
    anomalous: int = 0
    failed: int = 0


def run_score(job: ScoreJob, say: Say) -> Outcome:
    """Score all images of a job; one that cannot be read is reported and the rest go on.

    Raises:
        InputError: there is nothing to score, or the table is not .csv or .jsonl.
        ModelError: the model cannot be loaded.
    """
    paths = list(job.images) + (list_images(job.folder) if job.folder else [])
    if not paths:
        raise InputError("nothing to score; give --image part.png or --dir parts/")
    root = Path(os.path.commonpath([path.resolve().parent for path in paths]))
    detector = load(job.model, job.device)
    outcome = Outcome(len(paths))
    with _table(job.table) as write, progress_bar("scoring", len(paths)) as report:
        for done, (path, result) in enumerate(_results(detector, paths), start=1):
            row = _row(detector, job, path, path.resolve().relative_to(root), result)
            outcome.failed += "error" in row
            outcome.anomalous += row.get("verdict") == "anomalous"
            write(row)
            if job.as_json:
                say(json.dumps(row))
            elif not job.table or "error" in row:
                say(_line(row))
            report(done)
    if not job.as_json and len(paths) > 1:
        say(_closing(outcome, job))
    return outcome


def _results(
    detector: Detector, paths: Sequence[Path]
) -> Iterator[tuple[Path, Result | InputError]]:
    """The result of each image, or what is wrong with it; small ones are scored in batches."""
    for first in range(0, len(paths), detector.images_at_once):
        some = paths[first : first + detector.images_at_once]
        try:
            yield from zip(some, detector.score(some), strict=True)
        except InputError:
            yield from ((path, _result(detector, path)) for path in some)


def _result(detector: Detector, path: Path) -> Result | InputError:
    try:
        return detector.score(path)
    except InputError as error:
        return error


def _row(
    detector: Detector, job: ScoreJob, path: Path, name: Path, result: Result | InputError
) -> Row:
    if isinstance(result, InputError):
        return {"image": str(path), "error": str(result)}
    row = result.as_dict() | {"model": str(job.model)}
    if job.overlays:
        row["heatmap"] = str(job.pictures / f"{name}.heatmap.png")
        write_overlay(Path(row["heatmap"]), result, path, detector.bits)
    if job.maps:
        with atomic_path(job.pictures / f"{name}.heatmap.npy") as temporary:
            np.save(temporary, result.heatmap)
    return row


def write_overlay(target: Path, result: Result, path: Path, bits: int) -> None:
    """Save the photograph at `path` beside its heatmap; `bits` as the model reads 16-bit files."""
    save_overlay(
        target,
        to_uint8(read_image(path), bits),
        result.heatmap,
        threshold=result.heat_threshold,
        regions=[(r.x, r.y, r.width, r.height) for r in result.regions],
        title=f"{path.name}: {result.verdict}, score {result.score:.3g} "
        f"(threshold {result.threshold:.3g}), p = {result.p_value:.3g}",
    )


@contextmanager
def _table(path: Path | None) -> Iterator[Callable[[Row], None]]:
    if path is None:
        yield lambda row: None
        return
    kind = path.suffix.lower()
    if kind not in (".csv", ".jsonl"):
        raise InputError(f"--out {path}: the table must end in .csv or .jsonl")
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        if kind == ".jsonl":
            yield lambda row: print(json.dumps(row), file=file)
            return
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        yield lambda row: writer.writerow(row | {"regions": json.dumps(row.get("regions", []))})


def _line(row: Row) -> str:
    if "error" in row:
        return f"error      {row['error']}"
    regions = len(row["regions"])
    text = f"{row['verdict']:<10} {row['image']}  score {row['score']:.4g}  p {row['p_value']:.3g}"
    if regions:
        first = row["regions"][0]
        text += f"  {regions} region{'s' * (regions > 1)}, hottest at x {first['x']} y {first['y']}"
        text += f" ({first['width']} x {first['height']})"
    return text + (f"  {row['heatmap']}" if row["heatmap"] else "")


def _closing(outcome: Outcome, job: ScoreJob) -> str:
    ok = outcome.total - outcome.anomalous - outcome.failed
    text = f"{outcome.total} images: {ok} ok, {outcome.anomalous} anomalous"
    if outcome.failed:
        text += f", {outcome.failed} could not be scored"
    return text + (f"; table in {job.table}" if job.table else "")
