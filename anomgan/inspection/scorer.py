"""Turns image files and frames into rows of results, and draws their pictures."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from anomgan.data.decode import to_uint8
from anomgan.data.encode import write_heatmap
from anomgan.data.normals import Source, read_source
from anomgan.data.own_files import refuse_inside
from anomgan.detectors import load
from anomgan.detectors.base import Detector, Prepared
from anomgan.detectors.result import Result, tell_apart
from anomgan.errors import InputError
from anomgan.inspection.drift import Drift
from anomgan.inspection.results_table import Row
from anomgan.machine.cluster import spread
from anomgan.machine.names import LONGEST, escaped, shortened
from anomgan.model_files import model_id
from anomgan.networks.folding import fold_batch_norms
from anomgan.pictures import save_overlay

SIDE_BY_SIDE = 4
"""Most batches that are scored at once; each takes memory."""
PICTURE_NAME = LONGEST - len(".heatmap.png")
"""Longest name of a picture before its ending, in bytes."""


@dataclass(frozen=True)
class Pictures:
    """What is saved for each image besides its row.

    Attributes:
        folder: where it goes.
        overlays: an overlay PNG.
        maps: the raw float32 map (.npy).
    """

    folder: Path
    overlays: bool = False
    maps: bool = False

    def check_outside(self, folder: Path) -> None:
        """Check that pictures are not written where they would be scored.

        Raises:
            InputError: they would lie in `folder`.
        """
        if self.overlays or self.maps:
            refuse_inside(self.folder, folder)


class Scorer:
    """A loaded model that turns images into rows.

    Args:
        model: model folder, or an exported file.
        device: "auto", "cpu", "cuda" or "mps".
        pictures: what to save besides the rows.

    Raises:
        ModelError: the model cannot be loaded.
    """

    def __init__(self, model: Path, device: str, pictures: Pictures) -> None:
        self._detector, self.model = load_to_score(model, device)
        self._pictures = pictures
        self._made_of = model, device, pictures
        self.images_at_once = self._detector.images_at_once

    def rows(self, paths: Sequence[Path], name: Callable[[Path], Path]) -> Iterator[Row]:
        """The row of each image; small images are scored in batches.

        An image that cannot be read gets a row with an error. The pictures of an image are written
        before its row is yielded.

        Args:
            paths: image files.
            name: gives the path of an image's pictures, relative to their folder, without ending.

        Raises:
            InputError: a picture cannot be written.
        """
        for some, results in self._results(paths):
            for path, result in zip(some, results, strict=True):
                yield self._row(str(path), path, name(path), result)

    def frame_row(self, image: str, pixels: np.ndarray, name: Path) -> Row:
        """The row of a frame, as of an image in `rows`.

        Args:
            image: what the row calls it.
            pixels: uint8 [H, W, 3] in RGB.
            name: path of its pictures, relative to their folder, without ending.

        Raises:
            InputError: a picture cannot be written.
        """
        try:
            result: Result | InputError = self._detector.score(pixels)
        except InputError as error:
            result = InputError(f"{image}: {error}")
        return self._row(image, pixels, name, result)

    def drift(self) -> Drift:
        """Follows whether new scores are still like those of the model's calibration."""
        return Drift(self._detector.fitted.calibration)

    def spread_rows(
        self, address: str, paths: Sequence[Path], name: Callable[[Path], Path]
    ) -> Iterator[Row]:
        """The same rows in the same order, from the workers of a Ray cluster; see `spread`.

        Raises:
            SettingsError: there is no such cluster.
            InputError: a picture cannot be written.
            ModelError: a worker cannot load the model.
        """
        named = [(path, name(path)) for path in paths]
        size = self.images_at_once
        pieces = (named[first : first + size] for first in range(0, len(named), size))
        work = partial(_rows_there, *self._made_of)
        device = self._made_of[1]
        for rows in spread(address, work, pieces, self._lost, device=device, ordered=True):
            yield from rows

    def _lost(self, named: Sequence[tuple[Path, Path]]) -> list[Row]:
        return [
            {"image": str(path), "error": f"{path}: the process that scored it died"} | self.model
            for path, _ in named
        ]

    def _results(
        self, paths: Sequence[Path]
    ) -> Iterator[tuple[Sequence[Path], list[Result | InputError]]]:
        """Batches and their results, in order; a few are read and scored side by side.

        With all threads on one batch, torch is slower: small convolutions wait for each other.
        """
        size, threads = self.images_at_once, torch.get_num_threads()
        batches = [paths[first : first + size] for first in range(0, len(paths), size)]
        at_once = max(1, min(len(batches), SIDE_BY_SIDE, threads))
        coming: deque[tuple[Sequence[Path], Future[list[Result | InputError]]]] = deque()
        pool = ThreadPoolExecutor(at_once)
        try:
            for batch in batches:
                coming.append((batch, pool.submit(self._score, batch, threads // at_once)))
                if len(coming) > at_once:  # one batch waits, so that no thread does
                    some, scored = coming.popleft()
                    yield some, scored.result()
            for some, scored in coming:
                yield some, scored.result()
        finally:
            pool.shutdown(cancel_futures=True)  # waits for what is being scored
            torch.set_num_threads(threads)  # later threads would inherit our number

    def _score(self, paths: Sequence[Path], threads: int) -> list[Result | InputError]:
        torch.set_num_threads(threads)
        prepared = [self._prepare(path) for path in paths]
        good = [image for image in prepared if isinstance(image, Prepared)]
        results = iter(self._detector.score_prepared(good))
        return [next(results) if isinstance(image, Prepared) else image for image in prepared]

    def _prepare(self, path: Path) -> Prepared | InputError:
        try:
            return self._detector.prepare(path)
        except InputError as error:
            return error

    def _row(self, image: str, source: Source, name: Path, result: Result | InputError) -> Row:
        if isinstance(result, InputError):
            return {"image": image, "error": str(result)} | self.model
        row = result.as_dict() | {"image": image} | self.model
        # Short enough for the longest ending; both kinds of pictures have the same name.
        below = self._pictures.folder / name.with_name(shortened(name.name, PICTURE_NAME))
        if self._pictures.overlays:
            row["heatmap"] = f"{below}.heatmap.png"
            title = Path(image).name
            write_overlay(Path(row["heatmap"]), result, source, title, self._detector.bits)
        if self._pictures.maps:
            write_heatmap(Path(f"{below}.heatmap.npy"), result.heatmap)
        return row


def load_to_score(model: Path, device: str) -> tuple[Detector, Row]:
    """Load a detector with its batch norms folded, and what each row of results says of the model.

    If the model is replaced in the meantime, it is loaded anew.

    Raises:
        ModelError: the model cannot be loaded.
        SettingsError: the device is not available.
    """
    while True:
        identity = model_id(model)
        detector = load(model, device)
        if model_id(model) == identity:
            fold_batch_norms(detector.networks)
            return detector, {"model": str(model), "model_id": identity}


def _rows_there(
    model: Path, device: str, pictures: Pictures, named: Sequence[tuple[Path, Path]]
) -> list[Row]:
    names = dict(named)
    return list(_scorer(model, device, pictures).rows(list(names), names.__getitem__))


_scorer = cache(Scorer)
"""So that a worker loads its model once."""


def write_overlay(target: Path, result: Result, source: Source, name: str, bits: int) -> None:
    """Save an image beside its heatmap; `name` heads it, `bits` as the model reads 16-bit files."""
    score, threshold = tell_apart(result.score, result.threshold)
    save_overlay(
        target,
        to_uint8(read_source(source), bits),
        result.heatmap,
        threshold=result.heat_threshold,
        regions=[(r.x, r.y, r.width, r.height) for r in result.regions],
        title=f"{escaped(name)}: {result.verdict}, score {score} (threshold {threshold}), "
        f"p = {result.p_value:.3g}",
    )
