"""`anomgan watch`: verdicts for images as they arrive."""

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
        help="Table that the results are appended to: .csv or .jsonl. What is in it already "
        "is not scored again."
    ),
]
MoveOk = Annotated[
    Path | None, typer.Option(help="Move good images to this folder. Default: leave them.")
]
MoveAnomalous = Annotated[
    Path | None, typer.Option(help="Move anomalous images to this folder. Default: leave them.")
]


def watch(
    dir: Annotated[Path, typer.Option(help="Folder in which images arrive.")],
    out: Table,
    model: ScoringModel = DEFAULT_MODEL,
    move_ok: MoveOk = None,
    move_anomalous: MoveAnomalous = None,
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
