"""`anomgan watch`: scores images as they arrive in a folder."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomgan.cli.batch import Outcome, describe_row, verdict_counts
from anomgan.cli.options import DEFAULT_HEATMAPS, DEFAULT_MODEL, Device, Heatmap, ScoringModel
from anomgan.cli.say import say
from anomgan.inspection.results_table import Row

if TYPE_CHECKING:
    from anomgan.inspection.watch import Notice

Table = Annotated[
    Path,
    typer.Option(
        help="Table to append the results to: .csv or .jsonl. Images that are already in it are "
        "not scored again."
    ),
]
MoveOk = Annotated[
    Path | None, typer.Option(help="Move good images to this folder. Default: do not move them.")
]
MoveAnomalous = Annotated[
    Path | None,
    typer.Option(help="Move anomalous images to this folder. Default: do not move them."),
]


def watch(
    dir: Annotated[Path, typer.Option(help="Folder to watch for new images.")],
    out: Table,
    model: ScoringModel = DEFAULT_MODEL,
    move_ok: MoveOk = None,
    move_anomalous: MoveAnomalous = None,
    interval: Annotated[
        float, typer.Option(min=0.01, help="Seconds between two checks of the folder.")
    ] = 1.0,
    heatmap: Heatmap = False,
    heatmap_dir: Annotated[Path, typer.Option(help="Folder for heatmaps.")] = DEFAULT_HEATMAPS,
    device: Device = "auto",
) -> None:
    """Score images as they arrive in a folder, until Ctrl-C or SIGTERM.

    An image is scored if it did not change between two checks and can be decoded. If you start the
    command again, even after a crash, it continues where it stopped. Exit codes: 0 ended, 2 bad
    input or settings.
    """
    from anomgan.inspection.scorer import Pictures
    from anomgan.inspection.watch import Watcher
    from anomgan.machine.stopping import stop_signal

    outcome = Outcome(0)

    def say_row(row: Row) -> None:
        outcome.total += 1
        outcome.count(row)
        outcome.warn(row)
        say(describe_row(row))

    with stop_signal() as stop:
        before = signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
        try:
            watcher = Watcher(
                dir,
                model,
                out,
                pictures=Pictures(heatmap_dir, heatmap),
                move_ok=move_ok,
                move_anomalous=move_anomalous,
                device=device,
                scored=say_row,
                notice=_say_notice,
            )
            watcher.run(stop, interval)
            say(verdict_counts(outcome, out))
        finally:
            signal.signal(signal.SIGTERM, before)


def _say_notice(kind: "Notice", text: str) -> None:
    if kind == "watching":
        say(f"watching {text}; Ctrl-C ends it")
    else:
        say(f"{kind:<10} {text}")
