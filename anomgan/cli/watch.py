"""`anomgan watch`: scores images as they arrive in a folder, and frames of a camera or a video."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomgan.cli.batch import Outcome, describe_row, verdict_counts
from anomgan.cli.options import DEFAULT_HEATMAPS, DEFAULT_MODEL, Device, Heatmap, ScoringModel
from anomgan.cli.say import say
from anomgan.errors import InputError
from anomgan.inspection.results_table import Row

if TYPE_CHECKING:
    from anomgan.inspection.sources import Source, Trigger
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
Camera = Annotated[
    int | None, typer.Option(min=0, help="Or: number of a camera of this machine, from 0.")
]
Video = Annotated[
    str | None, typer.Option(help="Or: video file, or address such as rtsp://host/stream.")
]
EverySeconds = Annotated[
    float | None,
    typer.Option("--every", min=0.001, help="Seconds between two frames that are scored."),
]
Settled = Annotated[
    bool,
    typer.Option("--when-settled", help="Score a frame each time that the picture comes to rest."),
]
Interval = Annotated[
    float,
    typer.Option(
        min=0.01, help="Seconds between two checks of the folder, or of a camera that is away."
    ),
]


def watch(
    out: Table,
    dir: Annotated[Path | None, typer.Option(help="Folder to watch for new images.")] = None,
    camera: Camera = None,
    video: Video = None,
    every: EverySeconds = None,
    when_settled: Settled = False,
    model: ScoringModel = DEFAULT_MODEL,
    move_ok: MoveOk = None,
    move_anomalous: MoveAnomalous = None,
    interval: Interval = 1.0,
    heatmap: Heatmap = False,
    heatmap_dir: Annotated[Path, typer.Option(help="Folder for heatmaps.")] = DEFAULT_HEATMAPS,
    device: Device = "auto",
) -> None:
    """Score images as they arrive in a folder, or frames of a camera or a video.

    Goes on until Ctrl-C or SIGTERM, or until the video ends. An image is scored if it did not
    change between two checks and can be decoded. All frames are scored, unless --every or
    --when-settled is given. If you start the command again, even after a crash, it continues where
    it stopped. Exit codes: 0 ended, 2 bad input or settings.
    """
    from anomgan.inspection.frame_watch import FrameWatcher
    from anomgan.inspection.scorer import Pictures
    from anomgan.inspection.watch import Watcher

    if sum(one is not None for one in (dir, camera, video)) != 1:
        raise InputError("say what to watch: --dir DIR, --camera NUMBER or --video FILE")
    if dir is None and (move_ok or move_anomalous):
        raise InputError("only files can be moved; use --move-ok and --move-anomalous with --dir")
    if dir is not None and (every is not None or when_settled):
        raise InputError("--every and --when-settled choose frames; use them without --dir")
    if every is not None and when_settled:
        raise InputError("give --every or --when-settled, not both")
    outcome = Outcome(0)

    def say_row(row: Row) -> None:
        outcome.total += 1
        outcome.count(row)
        outcome.warn(row)
        say(describe_row(row))

    pictures = Pictures(heatmap_dir, heatmap)
    with _until_stopped() as stop:
        if dir is not None:
            Watcher(
                dir,
                model,
                out,
                pictures=pictures,
                move_ok=move_ok,
                move_anomalous=move_anomalous,
                device=device,
                scored=say_row,
                notice=_say_notice,
            ).run(stop, interval)
        else:
            source = _open(camera, video, _trigger(every, when_settled), interval)
            try:
                FrameWatcher(
                    source,
                    model,
                    out,
                    pictures=pictures,
                    device=device,
                    scored=say_row,
                    notice=_say_notice,
                ).run(stop)
            finally:
                source.close()
                say(_frame_counts(source))
        say(verdict_counts(outcome, out))


@contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set."""
    from anomgan.machine.stopping import stop_signal

    with stop_signal() as stop:
        before = signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
        try:
            yield stop
        finally:
            signal.signal(signal.SIGTERM, before)


def _trigger(every: float | None, when_settled: bool) -> "Trigger":
    from anomgan.inspection.sources import Every, WhenSettled, every_frame

    if every is not None:
        return Every(every)
    return WhenSettled() if when_settled else every_frame


def _open(camera: int | None, video: str | None, trigger: "Trigger", retry: float) -> "Source":
    from anomgan.inspection.sources import open_camera, open_video

    def tell(text: str) -> None:
        _say_notice("problem", text)

    if camera is not None:
        return open_camera(camera, trigger, tell, retry)
    assert video is not None
    return open_video(video, trigger, tell, retry)


def _frame_counts(source: "Source") -> str:
    text = f"{source.came} frames came from {source.name}"
    if source.dropped:
        text += f"; {source.dropped} were dropped, as earlier ones were still being scored"
    return text


def _say_notice(kind: "Notice", text: str) -> None:
    if kind == "watching":
        say(f"watching {text}; Ctrl-C ends it")
    else:
        say(f"{kind:<10} {text}")
