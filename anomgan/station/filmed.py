"""Scores the frames of a camera or a video that the station's machine reads."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import cv2

from anomgan.errors import InputError
from anomgan.inspection.sources import Frame, FrameSource
from anomgan.station.served import ServedModel
from anomgan.station.station import Station
from anomgan.station.uploads import Upload

LOG = logging.getLogger("anomgan")
QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 1]
"""A frame becomes a PNG file, so that the review and `--keep` have it without loss."""


class FilmedSource:
    """Frames of a camera or a video, scored one after the other as uploads are.

    Args:
        station: scores the frames.
        model: scores them.
        open_source: opens the camera or the video, which tells its problems to the argument.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(
        self,
        station: Station,
        model: ServedModel,
        open_source: Callable[[Callable[[str], None]], FrameSource],
    ) -> None:
        self._station, self.model = station, model
        self._told: tuple[str, int] | None = None
        self._ended = False
        self._stop = threading.Event()
        self._source = open_source(self._tell)

    @property
    def about(self) -> dict[str, Any]:
        """What a page shows of the source."""
        source = self._source
        return {
            "name": _shown(source.name),
            "came": source.came,
            "dropped": source.dropped,
            "ended": self._ended,
        }

    @property
    def problem(self) -> str | None:
        """What the source has told, until the next frame comes."""
        if self._told is None or self._told[1] != self._source.came:
            return None
        return self._told[0]

    async def run(self) -> None:
        """Score frames until the source ends or this task is cancelled."""
        loop = asyncio.get_running_loop()
        with closing(self._source) as source, ThreadPoolExecutor(1, "anomgan-frames") as reader:
            frames = source.frames(self._stop)
            try:
                while frame := await loop.run_in_executor(reader, next, frames, None):
                    await self._score(frame)
            finally:
                self._stop.set()
                self._ended = True

    async def _score(self, frame: Frame) -> None:
        try:
            upload = await self._station.help(lambda: _upload(frame))
            await self._station.score(self.model, upload)
        except InputError as error:
            LOG.warning(str(error))

    def _tell(self, text: str) -> None:
        self._told = text, self._source.came
        LOG.warning(text)


def _shown(name: str) -> str:
    """Leave the folder of a video's file out of the name of the video, or of a frame."""
    return os.path.basename(name) if os.path.isabs(name) else name


def _upload(frame: Frame) -> Upload:
    _, data = cv2.imencode(".png", frame.image[:, :, ::-1], QUICK)
    return Upload(_shown(frame.name), data.tobytes())
