"""`anomgan watch`: scores images as they arrive in a folder, and frames of a camera or a video."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomgan.cli.json_lines import LogJson
from anomgan.cli.options import DEFAULT_HEATMAPS, DEFAULT_MODEL, Device, Heatmap, ScoringModel
from anomgan.cli.watch_log import JsonLog, TextLog
from anomgan.errors import InputError
from anomgan.machine.stopping import stop_signal

if TYPE_CHECKING:
    from anomgan.inspection.sources import FrameSource
    from anomgan.inspection.triggers import Trigger

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
    log_json: LogJson = False,
    device: Device = "auto",
) -> None:
    """Score images as they arrive in a folder, or frames of a camera or a video.

    Runs until Ctrl-C or SIGTERM, or until the video ends. An image is scored once it has not
    changed between two checks and can be decoded. All frames are scored, unless --every or
    --when-settled is given. If you start the command again, even after a crash, it continues where
    it stopped. Exit codes: 0 ended, 2 bad input or settings.
    """
    from anomgan.inspection.frame_watch import FrameWatcher
    from anomgan.inspection.scorer import Pictures
    from anomgan.inspection.watch import Watcher

    log = JsonLog(out) if log_json else TextLog(out)
    with log.open(), stop_signal() as stop:
        _check(dir, camera, video, every, when_settled, moves=bool(move_ok or move_anomalous))
        pictures = Pictures(heatmap_dir, heatmap)
        source = None
        if dir is not None:
            Watcher(
                dir,
                model,
                out,
                pictures=pictures,
                move_ok=move_ok,
                move_anomalous=move_anomalous,
                device=device,
                scored=log.row,
                notice=log.notice,
            ).run(stop, interval)
        else:
            trigger = frame_trigger(every, when_settled)
            with closing(_open(camera, video, trigger, log, interval)) as source:
                FrameWatcher(
                    source,
                    model,
                    out,
                    pictures=pictures,
                    device=device,
                    scored=log.row,
                    notice=log.notice,
                ).run(stop, interval)
        log.stopped(source)


def _check(
    folder: Path | None,
    camera: int | None,
    video: str | None,
    every: float | None,
    when_settled: bool,
    moves: bool,
) -> None:
    """Refuse options that do not go together."""
    if sum(one is not None for one in (folder, camera, video)) != 1:
        raise InputError("say what to watch: --dir DIR, --camera NUMBER or --video FILE")
    if folder is None and moves:
        raise InputError("only files can be moved; use --move-ok and --move-anomalous with --dir")
    if folder is not None and (every is not None or when_settled):
        raise InputError("--every and --when-settled choose frames; use them without --dir")


def frame_trigger(every: float | None, when_settled: bool) -> "Trigger":
    """Which frames to score.

    Raises:
        InputError: both options are given.
    """
    if every is not None and when_settled:
        raise InputError("give --every or --when-settled, not both")
    from anomgan.inspection.triggers import Every, WhenSettled, every_frame

    if every is not None:
        return Every(every)
    return WhenSettled() if when_settled else every_frame


def _open(
    camera: int | None, video: str | None, trigger: "Trigger", log: TextLog, retry: float
) -> "FrameSource":
    from anomgan.inspection.sources import open_camera, open_video

    def tell(text: str) -> None:
        log.notice("problem", text)

    if camera is not None:
        return open_camera(camera, trigger, tell, retry)
    assert video is not None
    return open_video(video, trigger, tell, retry)
