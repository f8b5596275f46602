"""From image files to rows of results, and the pictures that go with them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from anomgan.data.decode import read_image, to_uint8
from anomgan.detectors import load
from anomgan.detectors.base import Prepared
from anomgan.detectors.result import Result
from anomgan.errors import InputError
from anomgan.files import atomic_path
from anomgan.inspection.cluster import spread
from anomgan.inspection.results_table import Row
from anomgan.model_files import model_id
from anomgan.networks.folding import fold_batch_norms
from anomgan.pictures import save_overlay


@dataclass(frozen=True)
class Pictures:
    """What is kept of each image beside its row.

    Attributes:
        folder: where it goes.
        overlays: an overlay PNG.
        maps: the raw float32 map (.npy).
    """

    folder: Path
    overlays: bool = False
    maps: bool = False

    def check_outside(self, folder: Path) -> None:
        """Refuse to leave pictures where they would be taken for images to score.

        Raises:
            InputError: they would lie in `folder`.
        """
        if self.overlays or self.maps:
            check_outside(self.folder, folder)


class Scorer:
    """A loaded model that turns images into rows.

    Args:
        model: model folder, or an exported file.
        device: "auto", "cpu", "cuda" or "mps".
        pictures: what to keep beside the rows.

    Raises:
        ModelError: the model cannot be loaded.
    """

    def __init__(self, model: Path, device: str, pictures: Pictures) -> None:
        self._detector = load(model, device)
        fold_batch_norms(self._detector.networks)
        self._pictures = pictures
        self._made_of = model, device, pictures
        self.model = {"model": str(model), "model_id": model_id(model)}
        self.images_at_once = self._detector.images_at_once

    def rows(self, paths: Sequence[Path], name: Callable[[Path], Path]) -> Iterator[Row]:
        """The row of each image; small images are scored in batches.

        An image that cannot be read gets a row with an error. Its pictures are written before an
        image's row is given.

        Args:
            paths: image files.
            name: below which name, relative to the folder of pictures, those of an image go.

        Raises:
            InputError: a picture cannot be written.
        """
        for some, prepared in self._read_ahead(paths):
            good = [image for image in prepared if isinstance(image, Prepared)]
            results = iter(self._detector.score_prepared(good))
            for path, image in zip(some, prepared, strict=True):
                result = next(results) if isinstance(image, Prepared) else image
                yield self._row(path, name(path), result)

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

    def _read_ahead(
        self, paths: Sequence[Path]
    ) -> Iterator[tuple[Sequence[Path], list[Prepared | InputError]]]:
        """Images as many as are scored at once; the next ones are read meanwhile."""
        size = self.images_at_once
        batches = [paths[first : first + size] for first in range(0, len(paths), size)]
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._read, [])
            for some, following in pairwise([[], *batches, []]):
                prepared, coming = coming.result(), reader.submit(self._read, following)
                yield some, prepared

    def _read(self, paths: Sequence[Path]) -> list[Prepared | InputError]:
        return [self._prepare(path) for path in paths]

    def _prepare(self, path: Path) -> Prepared | InputError:
        try:
            return self._detector.prepare(path)
        except InputError as error:
            return error

    def _row(self, path: Path, name: Path, result: Result | InputError) -> Row:
        if isinstance(result, InputError):
            return {"image": str(path), "error": str(result)} | self.model
        row = result.as_dict() | self.model
        below = self._pictures.folder / name
        if self._pictures.overlays:
            row["heatmap"] = f"{below}.heatmap.png"
            write_overlay(Path(row["heatmap"]), result, path, self._detector.bits)
        if self._pictures.maps:
            with atomic_path(Path(f"{below}.heatmap.npy")) as temporary:
                np.save(temporary, result.heatmap)
        return row


def _rows_there(
    model: Path, device: str, pictures: Pictures, named: Sequence[tuple[Path, Path]]
) -> list[Row]:
    names = dict(named)
    return list(_scorer(model, device, pictures).rows(list(names), names.__getitem__))


_scorer = cache(Scorer)
"""A worker loads its model once."""


def check_outside(target: Path, folder: Path) -> None:
    """Refuse a folder for output whose files would be taken for images to score.

    Raises:
        InputError: `target` is `folder` or lies in it.
    """
    if target.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{target} lies in {folder}, whose images are scored; choose a folder outside"
        )


def write_overlay(target: Path, result: Result, path: Path, bits: int) -> None:
    """Save the photograph at `path` beside its heatmap; `bits` as the model reads 16-bit files."""
    save_overlay(
        target,
        to_uint8(read_image(path), bits),
        result.heatmap,
        threshold=result.heat_threshold,
        regions=[(r.x, r.y, r.width, r.height) for r in result.regions],
        title=f"{path.name}: {result.verdict}, score {result.score:.3g} "
        f"(threshold {result.threshold:.3g}), p = {result.p_value:.3g}",
    )
