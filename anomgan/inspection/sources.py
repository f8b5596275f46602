"""Frames of cameras and videos, by OpenCV.

Both kinds of source have the same interface: `frames` yields frames until the source ends or an
event is set, `came` and `dropped` count, `close` lets go of the device. A video waits for whoever
takes its frames. A camera does not: its frames are read in a thread, and the oldest one is dropped
when too many wait.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Full, Queue
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import cv2
import numpy as np

from anomgan.errors import InputError
from anomgan.inspection.triggers import Trigger

WAITING = 4
"""Frames of a camera that wait to be scored, at most; each takes memory and makes results later."""
RETRY = 1.0
"""Seconds between two attempts to open a camera that is away."""
TIMEOUT = 5000
"""Milliseconds after which a stream that does not answer is away."""
POLL = 0.1
"""Seconds between two looks at the event that stops a source."""


class Frame(NamedTuple):
    """A picture of a camera or a video.

    Attributes:
        name: unique; ends in the number of the frame, or in the time (UTC) for a camera.
        time: seconds since the start of a video, or since 1970 for a camera.
        image: uint8 [H, W, 3] in RGB.
    """

    name: str
    time: float
    image: np.ndarray


class Capture(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Whether there is a frame, and the frame, uint8 [H, W, 3] in BGR."""

    def release(self) -> None:
        """Let go of the device."""


class FrameSource(Protocol):
    """A camera or a video.

    Attributes:
        name: for people; a stream's has no password.
        came: frames that were read.
        dropped: frames that the trigger chose and that nobody took in time.
        version: size and time of a video's file, which tell it from a later one of its name.
    """

    name: str
    came: int
    dropped: int
    version: dict[str, int]

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Frames that the trigger chooses, until the source ends or `stop` is set."""

    def close(self) -> None:
        """Let go of the device."""


class Video:
    """A video from its first frame to its last; no frame is dropped.

    Args:
        capture: an open one.
        name: for people; a frame is called `name#number`, counted from 0.
        trigger: chooses frames.
        tell: called with a sentence when the video ends before it should.
        version: see `FrameSource`.
    """

    dropped = 0

    def __init__(
        self,
        capture: cv2.VideoCapture,
        name: str,
        trigger: Trigger,
        tell: Callable[[str], None],
        version: dict[str, int],
    ) -> None:
        self.name, self.version = name, version
        self.came = 0
        self._capture, self._trigger, self._tell = capture, trigger, tell
        self._claimed = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Frames that the trigger chooses, until the video ends or `stop` is set."""
        while not stop.is_set():
            image = _next_image(self._capture)
            if image is None:
                if self.came < self._claimed:
                    self._tell(
                        f"{self.name} should have {self._claimed} frames, but only {self.came} can "
                        f"be read"
                    )
                return
            number, self.came = self.came, self.came + 1
            seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if self._trigger(seconds, image):
                yield Frame(f"{self.name}#{number:06}", seconds, image)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class Camera:
    """A camera, or a stream: frames come whether or not somebody is ready for them.

    When it gives no more frames, it is opened again until it does.

    Args:
        open_capture: opens it; raises InputError where that fails.
        name: for people; a frame is called `name/time`.
        trigger: chooses frames; called in a thread of the camera's.
        tell: called with a sentence when the camera goes away and when it is back, in that thread.
        retry: seconds between two attempts to open it again.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(
        self,
        open_capture: Callable[[], Capture],
        name: str,
        trigger: Trigger,
        tell: Callable[[str], None],
        retry: float = RETRY,
    ) -> None:
        self.name = name
        self.version: dict[str, int] = {}
        self.came = self.dropped = 0
        self._open, self._trigger, self._tell, self._retry = open_capture, trigger, tell, retry
        self._capture = open_capture()
        self._waiting: Queue[Frame] = Queue(WAITING)
        self._closed = threading.Event()
        self._failure: Exception | None = None
        self._reader: threading.Thread | None = None

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Frames that the trigger chooses, from now on until `stop` is set."""
        # A daemon: a read that hangs must not keep the program from ending.
        self._reader = threading.Thread(target=self._read, name=self.name, daemon=True)
        self._reader.start()
        while not (stop.is_set() or self._closed.is_set()):
            try:
                yield self._waiting.get(timeout=POLL)
            except Empty:
                if self._failure is not None:
                    raise self._failure from None

    def close(self) -> None:
        """Let go of the camera; frames that still wait are dropped."""
        self._closed.set()
        if self._reader is None:
            self._capture.release()
        else:
            self._reader.join(TIMEOUT / 1000)
        while not self._waiting.empty():
            self._waiting.get_nowait()
            self.dropped += 1

    def _read(self) -> None:
        try:
            while not self._closed.is_set():
                image = _next_image(self._capture)
                if image is None:
                    self._wait_until_back()
                else:
                    self._take(image)
        except Exception as error:  # raised again where frames are taken
            self._failure = error
        finally:
            self._capture.release()

    def _wait_until_back(self) -> None:
        self._tell(f"{self.name} gives no frames; it is tried again every {self._retry:g} s")
        while True:
            self._capture.release()
            if self._closed.wait(self._retry):
                return
            with suppress(InputError):
                self._capture = self._open()
                image = _next_image(self._capture)
                if image is not None:
                    break
        self._tell(f"{self.name} is back")
        self._take(image)

    def _take(self, image: np.ndarray) -> None:
        self.came += 1
        now = time.time()
        if not self._trigger(now, image):
            return
        frame = Frame(f"{self.name}/{_stamp(now)}", now, image)
        while True:
            try:
                return self._waiting.put_nowait(frame)
            except Full:
                with suppress(Empty):  # somebody took it just now
                    self._waiting.get_nowait()
                    self.dropped += 1


def open_camera(
    number: int, trigger: Trigger, tell: Callable[[str], None], retry: float = RETRY
) -> Camera:
    """Open a camera of this machine, 0 being the first one; see `Camera`.

    Raises:
        InputError: there is no such camera, or another program uses it.
    """
    return Camera(lambda: _open_number(number), f"camera-{number}", trigger, tell, retry)


def open_video(
    video: str, trigger: Trigger, tell: Callable[[str], None], retry: float = RETRY
) -> Video | Camera:
    """Open a file, or an address such as rtsp://host/stream or http://host/video.mp4.

    An address without an end is a `Camera`.

    Raises:
        InputError: it does not exist, is no video, or has no frames.
    """
    if "://" not in video:
        return _open_file(Path(video), trigger, tell)
    address = urlsplit(video)
    name = f"{address.scheme}://{(address.netloc.rpartition('@')[2])}{address.path}"
    capture = _open_address(video, name)
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        return Video(capture, name, trigger, tell, {})
    capture.release()
    return Camera(lambda: _open_address(video, name), name, trigger, tell, retry)


def _open_file(path: Path, trigger: Trigger, tell: Callable[[str], None]) -> Video:
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a video; to watch it, use --dir")
    try:
        about = path.stat()
    except OSError as error:
        reason = "there is no file" if isinstance(error, FileNotFoundError) else "cannot read"
        raise InputError(f"{reason} {path}") from None
    capture = _quiet_capture(str(path))
    if not capture.isOpened():
        raise InputError(f"{path} is not a video that can be read")
    if not capture.read()[0]:
        raise InputError(f"{path} holds no frames that can be read")
    capture.open(str(path))  # from the first frame again
    version = {"size": about.st_size, "mtime_ns": about.st_mtime_ns}
    return Video(capture, os.path.abspath(path), trigger, tell, version)


def _open_number(number: int) -> cv2.VideoCapture:
    capture = _quiet_capture(number)
    if not capture.isOpened():
        raise InputError(
            f"cannot open camera {number}; there is no such camera, or another program uses it"
        )
    return capture


def _open_address(address: str, name: str) -> cv2.VideoCapture:
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT]
    capture = _quiet_capture(address, cv2.CAP_FFMPEG, limits)
    if not capture.isOpened():
        raise InputError(f"cannot open {name}; check the address, and that a video is sent there")
    return capture


def _quiet_capture(*what: object) -> cv2.VideoCapture:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg has messages, too
    with _quietly():
        return cv2.VideoCapture(*what)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the messages that OpenCV prints on its own."""
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def _next_image(capture: Capture) -> np.ndarray | None:
    """The next frame in RGB; None if there is none."""
    try:
        with _quietly():
            there, image = capture.read()
    except cv2.error:
        return None
    if not there or image is None:
        return None
    return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB)


def _stamp(seconds: float) -> str:
    """A time as 20261128T090347.123456Z, which may be part of a file's name."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
