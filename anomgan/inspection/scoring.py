"""`anomgan score` as a job: many images, one line each, tables, heatmaps, raw maps."""

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from anomgan.data.folders import list_images
from anomgan.errors import InputError, Interrupted
from anomgan.inspection.results_table import Row, check_kind, identity, open_table
from anomgan.inspection.scorer import Pictures, Scorer
from anomgan.machine.progress import progress_bar

Say = Callable[[str], None]


@dataclass(frozen=True)
class ScoreJob:
    """What to score and what to leave behind.

    Attributes:
        images: files to score.
        folder: folder whose images are scored too.
        model: model folder.
        table: .csv or .jsonl file for the results.
        resume: go on with the table of an earlier run.
        pictures: what to keep of each image beside its row.
        as_json: say one JSON object per image.
        device: "auto", "cpu", "cuda" or "mps".
        ray: address of a Ray cluster that is to score; None scores here.
    """

    images: list[Path]
    folder: Path | None
    model: Path
    table: Path | None
    resume: bool
    pictures: Pictures
    as_json: bool
    device: str
    ray: str | None = None


@dataclass
class Outcome:
    """Counts over a job."""

    total: int
    anomalous: int = 0
    failed: int = 0

    def count(self, row: Row) -> None:
        """Take the verdict of a row into account, or that there is none."""
        verdict = row.get("verdict")
        self.failed += not verdict
        self.anomalous += verdict == "anomalous"


def run_score(job: ScoreJob, say: Say) -> Outcome:
    """Score every image of a job once; one that cannot be read is reported and the rest go on.

    Returns:
        Counts over all images, those that an earlier run has scored among them.

    Raises:
        InputError: there is nothing to score, or the table cannot be written or gone on with, or
            pictures cannot be written or would be scored themselves.
        ModelError: the model cannot be loaded.
        SettingsError: there is no such Ray cluster.
        Interrupted: Ctrl-C was pressed; the table holds the results so far.
    """
    if job.table:
        check_kind(job.table)
    elif job.resume:
        raise InputError("--resume goes on with a table; name it with --out")
    if job.folder:
        job.pictures.check_outside(job.folder)
    listed = job.images + (list_images(job.folder) if job.folder else [])
    if not listed:
        raise InputError("nothing to score; give --image part.png or --dir parts/")
    try:
        return _score(job, {identity(path): path for path in listed}, say)
    except KeyboardInterrupt:
        if not job.table:
            raise
        raise Interrupted(
            f"stopped; {job.table} holds the results so far, the same command with --resume goes on"
        ) from None


def _score(job: ScoreJob, images: dict[str, Path], say: Say) -> Outcome:
    scorer = Scorer(job.model, job.device, job.pictures)
    root = os.path.commonpath([p.resolve() for p in {path.parent for path in images.values()}])
    outcome = Outcome(len(images))

    def name(path: Path) -> Path:
        return path.parent.resolve().relative_to(root) / path.name

    def earlier(row: Row) -> None:
        if images.pop(identity(row["image"]), None):
            outcome.count(row)

    table = (
        open_table(job.table, scorer.model["model_id"], earlier if job.resume else None)
        if job.table
        else nullcontext()
    )
    with table as rows, progress_bar("scoring", outcome.total) as report:
        done = outcome.total - len(images)
        if done and not job.as_json:
            say(f"{done} of {outcome.total} images are in {job.table} already")
        paths = list(images.values())
        scored = scorer.spread_rows(job.ray, paths, name) if job.ray else scorer.rows(paths, name)
        for number, row in enumerate(scored, start=done + 1):
            if rows:
                rows.append(row)
            outcome.count(row)
            if job.as_json:
                say(json.dumps(row))
            elif not job.table or "error" in row:
                say(describe(row))
            report(number)
    if not job.as_json and outcome.total > 1:
        say(closing(outcome, job.table))
    return outcome


def describe(row: Row) -> str:
    """A row in one line."""
    if "error" in row:
        return f"error      {row['error']}"
    regions = len(row["regions"])
    text = f"{row['verdict']:<10} {row['image']}  score {row['score']:.4g}  p {row['p_value']:.3g}"
    if regions:
        first = row["regions"][0]
        text += f"  {regions} region{'s' * (regions > 1)}, hottest at x {first['x']} y {first['y']}"
        text += f" ({first['width']} x {first['height']})"
    return text + (f"  {row['heatmap']}" if row["heatmap"] else "")


def closing(outcome: Outcome, table: Path | None) -> str:
    """The counts of a job in one line."""
    ok = outcome.total - outcome.anomalous - outcome.failed
    text = f"{outcome.total} images: {ok} ok, {outcome.anomalous} anomalous"
    if outcome.failed:
        text += f", {outcome.failed} could not be scored"
    return text + (f"; table in {table}" if table else "")
