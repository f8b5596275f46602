"""`anomgan watch`: verdicts for images as they arrive."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.options import DEFAULT_HEATMAPS, DEFAULT_MODEL, Device, Heatmap, ScoringModel


def watch(
    dir: Annotated[Path, typer.Option(help="Folder in which images arrive.")],
    out: Annotated[
        Path,
        typer.Option(
            help="Table that the results are appended to: .csv or .jsonl. What is in it already "
            "is not scored again."
        ),
    ],
    model: ScoringModel = DEFAULT_MODEL,
    move_ok: Annotated[
        Path | None, typer.Option(help="Move good images to this folder. Default: leave them.")
    ] = None,
    move_anomalous: Annotated[
        Path | None,
        typer.Option(help="Move anomalous images to this folder. Default: leave them."),
    ] = None,
    interval: Annotated[
        float, typer.Option(min=0.01, help="Seconds between two looks at the folder.")
    ] = 1.0,
    heatmap: Heatmap = False,
    heatmap_dir: Annotated[Path, typer.Option(help="Folder for heatmaps.")] = DEFAULT_HEATMAPS,
    device: Device = "auto",
) -> None:
    """Score images as they arrive in a folder, until Ctrl-C or SIGTERM.

    An image is scored once it has stayed the same for two looks and can be decoded. Started again,
    after a crash, too, it goes on where it was. Exit codes: 0 ended, 2 bad input or settings.
    """
    from anomgan.inspection.scorer import Pictures
    from anomgan.inspection.watching import WatchJob, run_watch
    from anomgan.machine.stopping import stop_signal

    job = WatchJob(
        folder=dir,
        model=model,
        table=out,
        pictures=Pictures(heatmap_dir, heatmap),
        move_ok=move_ok,
        move_anomalous=move_anomalous,
        interval=interval,
        device=device,
    )
    with stop_signal() as stop:
        before = signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
        try:
            run_watch(job, typer.echo, stop)
        finally:
            signal.signal(signal.SIGTERM, before)
