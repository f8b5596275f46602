"""`anomgan score`: verdicts and heatmaps for images."""

from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.options import (
    DEFAULT_HEATMAPS,
    DEFAULT_MODEL,
    Device,
    Heatmap,
    Ray,
    ScoringModel,
)


def score(
    image: Annotated[
        list[Path] | None, typer.Option(help="Photograph to score. May be repeated.")
    ] = None,
    dir: Annotated[Path | None, typer.Option(help="Score every image in this folder.")] = None,
    model: ScoringModel = DEFAULT_MODEL,
    out: Annotated[
        Path | None,
        typer.Option(help="Table for the results, appended as they come: .csv or .jsonl."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the table of an earlier run.")
    ] = False,
    heatmap: Heatmap = False,
    heatmap_dir: Annotated[
        Path, typer.Option(help="Folder for heatmaps and maps.")
    ] = DEFAULT_HEATMAPS,
    save_map: Annotated[
        bool, typer.Option("--save-map", help="Save the raw float32 heatmap of each image (.npy).")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per image.")] = False,
    fail_on_anomaly: Annotated[
        bool, typer.Option("--fail-on-anomaly", help="Exit with 1 when an image is anomalous.")
    ] = False,
    device: Device = "auto",
    ray: Ray = None,
) -> None:
    """Say ok or anomalous, how sure, and where.

    Exit codes: 0 done, 1 an image is anomalous (only with --fail-on-anomaly), 2 bad input or
    settings, 3 some images of a batch could not be read, 130 Ctrl-C.
    """
    from anomgan.inspection.scorer import Pictures
    from anomgan.inspection.scoring import ScoreJob, run_score

    job = ScoreJob(
        images=image or [],
        folder=dir,
        model=model,
        table=out,
        resume=resume,
        pictures=Pictures(heatmap_dir, heatmap, save_map),
        as_json=json,
        device=device,
        ray=ray,
    )
    outcome = run_score(job, typer.echo)
    if outcome.failed:
        raise typer.Exit(2 if outcome.failed == outcome.total else 3)
    if fail_on_anomaly and outcome.anomalous:
        raise typer.Exit(1)
