"""Scores uploads one after the other, whoever sends them, within bounds of memory."""

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from anomgan.data.decode import decode_image
from anomgan.detectors.result import Result
from anomgan.errors import InputError
from anomgan.inspection.results_table import Row
from anomgan.machine.files import atomic_path, make_folder
from anomgan.station.parts import Part
from anomgan.station.previews import PHOTO, THUMBNAIL, heat_layer, photo
from anomgan.station.review import Review
from anomgan.station.served import Loaded, ServedModel
from anomgan.station.uploads import Upload

DECODERS = 2
"""Threads that decode and draw, and decoded images at most."""
Done = TypeVar("Done")


class Full(Exception):
    """All places of the queue are taken; come again after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the queue is full; try again in {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Scored:
    """A part, and what is drawn only when asked for."""

    part: Part
    result: Result


class Station:
    """Models, and the one queue before them. Its methods are called in one event loop.

    One image is scored at a time, with all threads that torch has: so scores are those of
    `anomgan score --image` to the last digit, and an image takes no longer than it does there.

    Args:
        models: by name.
        places: images that may wait or be worked on; more are turned away.
        most: bytes of an upload.
        keep: folder in which every upload is kept; None keeps none.
        review: where parts wait for a person's word.
        scored: called with the model and the row of each image.

    Raises:
        InputError: `keep` cannot be made.
    """

    def __init__(
        self,
        models: Mapping[str, ServedModel],
        places: int,
        most: int,
        keep: Path | None = None,
        review: Review | None = None,
        scored: Callable[[ServedModel, Row], None] = lambda model, row: None,
    ) -> None:
        self.models = models
        self.review = review
        self._tell = scored
        self.started = datetime.now(UTC).isoformat()
        if keep is not None:
            make_folder(keep)
        self._keep = keep
        self._keep_problem: str | None = None
        self.most = most
        self.waiting = 0
        self.turned_away = 0
        self._places = places
        self._decoded = asyncio.Semaphore(DECODERS)
        self._helpers = ThreadPoolExecutor(DECODERS, "anomgan-station")
        self._scoring = ThreadPoolExecutor(1, "anomgan-scoring")

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue; take it before the upload is read.

        Raises:
            Full: there is none.
        """
        if self.waiting >= self._places:
            self.turned_away += 1
            raise Full(self._patience())
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1

    async def score(self, model: ServedModel, upload: Upload) -> Scored:
        """Score an image.

        Raises:
            InputError: it cannot be read, or is too small.
        """
        async with self._decoded:
            try:
                image = await self.help(lambda: decode_image(upload.data, upload.name))
                loaded = model.loaded
                result = await self._in(self._scoring, lambda: loaded.inspector.inspect(image))
            except InputError:
                model.parts.count_unreadable()
                raise
            scored = await self.help(lambda: _part(model, loaded, upload, image, result))
        self._tell(model, scored.part.row)
        if self._keep is not None:
            await self.help(lambda: self._keep_upload(model, scored.part, upload))
        if self.review is not None:
            review = self.review
            await self.help(lambda: review.queue(model.name, scored.part, upload))
        return scored

    async def help(self, work: Callable[[], Done]) -> Done:
        """Do some work in a thread beside the event loop."""
        return await self._in(self._helpers, work)

    def close(self) -> None:
        """End the threads."""
        self._helpers.shutdown()
        self._scoring.shutdown()
        if self.review is not None:
            self.review.close()

    @property
    def problems(self) -> list[str]:
        """What does not work at the moment."""
        problems = [model.problem for model in self.models.values()]
        problems += [self._keep_problem, self.review.problem if self.review else None]
        return [problem for problem in problems if problem]

    def _keep_upload(self, model: ServedModel, part: Part, upload: Upload) -> None:
        """Keep a file as it came; a verdict does not wait for a disk that is full."""
        assert self._keep is not None
        name = f"{part.stamp}-{part.row['verdict']}{upload.suffix}"
        try:
            with atomic_path(self._keep / model.name / part.scored[:10] / name) as temporary:
                temporary.write_bytes(upload.data)
        except InputError as error:
            self._keep_problem = f"{error}; images are scored, but not kept"
        else:
            self._keep_problem = None

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], Done]) -> Done:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def _patience(self) -> int:
        """Seconds after which half of the queue will be done."""
        latencies = (model.loaded.inspector.latency.p50 for model in self.models.values())
        slowest = max(filter(math.isfinite, latencies), default=0.0)
        return max(1, round(self.waiting / 2 * slowest / 1000))


def load_models(paths: Mapping[str, Path], device: str) -> dict[str, ServedModel]:
    """Load models by name; raises as `ServedModel`."""
    return {name: ServedModel(name, path, device) for name, path in paths.items()}


def _part(
    model: ServedModel, loaded: Loaded, upload: Upload, image: np.ndarray, result: Result
) -> Scored:
    row = result.as_dict() | {"image": upload.name} | loaded.names
    pictures = {
        "photo": photo(image, loaded.bits, PHOTO),
        "thumbnail": photo(image, loaded.bits, THUMBNAIL),
        "heat": heat_layer(result, PHOTO // 2),
    }
    return Scored(model.parts.add(row, result.size, pictures), result)
