"""Scores the images that arrive in a folder of the station's machine."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from anomgan.data.decode import read_file
from anomgan.data.folders import is_image, visible_files
from anomgan.data.own_files import is_own_picture
from anomgan.errors import InputError
from anomgan.inspection.watch import Version, version_of
from anomgan.station.served import ServedModel
from anomgan.station.station import Station
from anomgan.station.uploads import Upload

INTERVAL = 0.5
"""Seconds between two looks at the folder."""
LOG = logging.getLogger("anomgan")
Versions = dict[Path, Version]


class WatchedFolder:
    """Images that arrive in a folder; those that are there at the start are left alone.

    An image is scored when its size and time are the same at two looks. Pictures that anomgan
    wrote, such as heatmaps, are left out. Nothing in the folder is changed.

    Args:
        station: scores the images.
        model: scores them.
        folder: and what lies below it.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, station: Station, model: ServedModel, folder: Path) -> None:
        self._station, self.model, self._folder = station, model, folder
        self._done = _versions(folder)
        self._before = dict(self._done)
        self._came = 0
        self.problem: str | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What a page shows of the folder."""
        name = self._folder.resolve().name
        return {"name": f"{name}/", "came": self._came, "dropped": 0, "ended": False}

    async def run(self) -> None:
        """Look at the folder until this task is cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.look()

    async def look(self) -> None:
        """Score what is new and complete."""
        try:
            found = await asyncio.to_thread(_versions, self._folder)
        except InputError as error:  # a share that is away for a moment
            self.problem = str(error)
            return
        self.problem = None
        new = [path for path, version in found.items() if self._done.get(path) != version]
        settled = [path for path in new if self._before.get(path) == found[path]]
        self._before = found
        self._done = {path: self._done[path] for path in found if path in self._done}
        for path in sorted(settled, key=lambda path: found[path].mtime_ns):
            self._done[path] = found[path]
            if not await asyncio.to_thread(is_own_picture, path):
                self._came += 1
                await self._score(path)

    async def _score(self, path: Path) -> None:
        try:
            data = await asyncio.to_thread(read_file, path, self._station.most)
            await self._station.score(self.model, Upload(path.name, data))
        except InputError as error:
            LOG.warning(str(error))


def _versions(folder: Path) -> Versions:
    """Size and time of each image in a folder; not of one that has just gone."""
    found = {path: version_of(path) for path in visible_files(folder) if is_image(path)}
    return {path: version for path, version in found.items() if version}
