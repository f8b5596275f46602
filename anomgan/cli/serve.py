"""`anomgan serve`: the station, an HTTP service with a page for the operator."""

import re
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomgan.cli.json_lines import LogJson
from anomgan.cli.options import DEFAULT_MODEL, Device
from anomgan.cli.say import argument
from anomgan.cli.serve_log import JsonServeLog, TextServeLog
from anomgan.cli.watch import EverySeconds, Settled, frame_trigger
from anomgan.errors import InputError, SettingsError
from anomgan.machine.files import make_folder

if TYPE_CHECKING:
    from fastapi import FastAPI

    from anomgan.inspection.triggers import Trigger
    from anomgan.station.app import OwnSource
    from anomgan.station.station import Station

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="Model folder or exported file; NAME=PATH names it, otherwise it is called like its "
        f"folder. May be repeated. Default: {DEFAULT_MODEL}.",
    ),
]
NAME = re.compile(r"[\w.-]+")
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
Token = Annotated[
    str | None,
    typer.Option(help="Secret that clients must know. Other users of this machine can see it."),
]
TokenFile = Annotated[Path | None, typer.Option(help="File that holds the token.")]
Keep = Annotated[
    Path | None, typer.Option(help="Keep every upload in this folder. Default: keep none.")
]
Watch = Annotated[
    list[str] | None,
    typer.Option(
        help="Folder whose new images are scored, too; NAME=DIR for a model other than the first. "
        "May be repeated."
    ),
]
Camera = Annotated[
    int | None,
    typer.Option(
        min=0, help="Number of a camera of this machine, from 0; its frames go to the first model."
    ),
]
Video = Annotated[
    str | None,
    typer.Option(
        help="Video file, or address such as rtsp://host/stream; its frames go to the first model."
    ),
]
ReviewFolder = Annotated[
    Path | None,
    typer.Option(
        "--review",
        help="Keep doubtful and anomalous images in this folder for a person to review. Default: "
        "no review.",
    ),
]
Queue = Annotated[int, typer.Option(min=1, help="Images that may wait; more are refused with 503.")]
MaxMB = Annotated[float, typer.Option(min=0.001, help="Size of an upload at most, in megabytes.")]


def serve(
    model: Models = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Token = None,
    token_file: TokenFile = None,
    keep: Keep = None,
    watch: Watch = None,
    camera: Camera = None,
    video: Video = None,
    every: EverySeconds = None,
    when_settled: Settled = False,
    review: ReviewFolder = None,
    queue: Queue = 16,
    max_mb: MaxMB = 50,
    log_json: LogJson = False,
    device: Device = "auto",
) -> None:
    """Serve models over HTTP, with a page for the operator, until Ctrl-C or SIGTERM.

    Without a token, only this machine can reach the station. Exit codes: 0 ended, 2 bad input or
    settings.
    """
    log = JsonServeLog() if log_json else TextServeLog()
    with log.open():
        _check_frames(camera, video, every, when_settled)
        trigger = frame_trigger(every, when_settled)
        paths = named_models(model or [str(DEFAULT_MODEL)])
        watched = [_model_and_folder(text, paths) for text in watch or []]
        secret = _secret(token, token_file)
        try:
            from anomgan.station.app import create_app
            from anomgan.station.guard import is_this_machine
            from anomgan.station.review import Review
            from anomgan.station.station import Station, load_models
        except ImportError as error:
            raise SettingsError(
                f'the station needs {error.name}; install it with: pip install "anomgan[station]"'
            ) from None
        if secret is None and not is_this_machine(host):
            raise SettingsError(
                f"--host {host} lets other machines in; give a token as well: --token-file FILE"
            )
        if keep is not None:
            make_folder(keep)
        with _listen(host, port) as listening:
            station = Station(
                load_models(paths, device),
                places=queue,
                most=round(max_mb * 1e6),
                keep=keep,
                review=Review(review) if review else None,
                scored=log.scored,
            )
            sources = _own_sources(station, watched, camera, video, trigger)
            app = create_app(station, secret, sources)
            log.started(station.models, _address(listening))
            _run(app, listening, log.uvicorn)
            log.stopped(station.models)


def _check_frames(
    camera: int | None, video: str | None, every: float | None, when_settled: bool
) -> None:
    """Refuse options that do not go together."""
    if camera is not None and video is not None:
        raise InputError("give --camera or --video, not both")
    if camera is None and video is None and (every is not None or when_settled):
        raise InputError(
            "--every and --when-settled choose frames; use them with --camera or --video"
        )


def _own_sources(
    station: "Station",
    watched: Sequence[tuple[str, Path]],
    camera: int | None,
    video: str | None,
    trigger: "Trigger",
) -> "list[OwnSource]":
    """Folders to watch, and the camera or the video for the first model."""
    from anomgan.inspection.sources import open_camera, open_video
    from anomgan.station.filmed import FilmedSource
    from anomgan.station.watched import WatchedFolder

    sources: list[OwnSource] = [
        WatchedFolder(station, station.models[name], path) for name, path in watched
    ]
    first = next(iter(station.models.values()))
    if camera is not None:
        sources.append(FilmedSource(station, first, partial(open_camera, camera, trigger)))
    if video is not None:
        sources.append(FilmedSource(station, first, partial(open_video, video, trigger)))
    return sources


def named_models(given: list[str]) -> dict[str, Path]:
    """The path of each model by its name.

    Raises:
        InputError: a name is not usable, or there twice.
    """
    paths: dict[str, Path] = {}
    for text in given:
        name, equals, after = text.partition("=")
        path = Path(after)
        if not equals or Path(text).exists():
            path = Path(text)
            name = path.resolve().name
        if not NAME.fullmatch(name):
            raise InputError(
                f"--model {text}: the name {name!r} may have letters, digits, . _ and - only; "
                f"give another one: --model name={argument(path)}"
            )
        if name in paths:
            raise InputError(
                f"two models are called {name}; name one: --model name={argument(path)}"
            )
        paths[name] = path
    return paths


def _model_and_folder(text: str, models: Mapping[str, Path]) -> tuple[str, Path]:
    """The model for a folder to watch: the one that is named, or the first."""
    name, equals, folder = text.partition("=")
    if equals and name in models:
        return name, Path(folder)
    return next(iter(models)), Path(text)


def _secret(token: str | None, file: Path | None) -> str | None:
    """The token that is given, directly or in a file."""
    if token is not None and file is not None:
        raise SettingsError("--token and --token-file are both given; give one of them")
    if file is not None:
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read the token in {file}: {error}") from None
    if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
        raise SettingsError("the token must be of letters, digits and signs in ASCII")
    return token


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}, port {port}: {error.strerror}; give another --port or --host"
        ) from None


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _run(app: "FastAPI", listening: socket.socket, log: Mapping[str, Any]) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
        **log,
    )
    # uvicorn raises the signal that has ended it once more, when all is in order.
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)
