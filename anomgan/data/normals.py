"""Normal images: decoded once, checked, prepared and kept as uint8."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomgan.data.copies import digest
from anomgan.data.decode import check_array, is_grey, read_image
from anomgan.data.depth import Depth
from anomgan.data.folders import list_images
from anomgan.data.store import ImageStore
from anomgan.errors import InputError
from anomgan.machine.notes import note

Source = Path | str | np.ndarray
"""An image: a path, or a uint8 or uint16 array [H, W] or [H, W, 3] in RGB."""
LISTED = 20
"""Unreadable files that an error message names one by one."""
LEAVE_OUT = ", or leave them out with --skip-unreadable (skip_unreadable=True)"


def sources_of(images: Path | str | Sequence[Source]) -> list[Source]:
    """List the images of a folder, or those of a list.

    Raises:
        InputError: the folder does not exist, cannot be read, or holds no images.
    """
    return list(list_images(Path(images)) if isinstance(images, Path | str) else images)


def name_of(source: Source, number: int) -> str:
    """The path of an image; an array is called by its number."""
    return f"image {number}" if isinstance(source, np.ndarray) else str(source)


def read_source(source: Source, name: str = "image") -> np.ndarray:
    """Decode a path, or check an array."""
    return check_array(source, name) if isinstance(source, np.ndarray) else read_image(source)


@dataclass
class NormalImages:
    """Decoded normal images of one data set.

    Attributes:
        names: path, or position in the list, of each image.
        store: their pixels; 16-bit images as pairs of bytes.
        deep: positions of the 16-bit images.
        depth: of the 16-bit images together.
        all_grey: no image has colour.
        fingerprint: SHA-256 over names and pixels.
        digests: of the pixels of each image, uint8 [8]; see `copies.digest`.
        skipped: messages of the images that could not be read.
    """

    names: list[str]
    store: ImageStore
    deep: set[int]
    depth: Depth
    all_grey: bool
    fingerprint: str
    digests: list[np.ndarray]
    skipped: list[str]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        image = self.store[index]
        if index in self.deep:
            image = image.view(np.uint16)
        return image[:, :, 0] if image.shape[2] == 1 else image

    @property
    def bits(self) -> int:
        """Significant bits, common to all 16-bit images; 16 when there are none."""
        return self.depth.bits

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def shapes(self) -> list[tuple[int, int]]:
        """Height and width of every image."""
        return [self.store.shape(index)[:2] for index in range(len(self))]

    def prepared(
        self, prepare: Callable[[np.ndarray, str], np.ndarray], folder: Path
    ) -> ImageStore:
        """Prepare every image; the originals are freed."""
        store = ImageStore(folder=folder)
        for index, name in enumerate(self.names):
            store.append(prepare(self[index], name))
        self.store.close()
        return store


def read_normals(
    sources: Sequence[Source],
    *,
    folder: Path,
    skip_unreadable: bool | None = None,
    report: Callable[[int], None] = lambda done: None,
) -> NormalImages:
    """Decode every image once.

    Args:
        sources: paths or arrays.
        folder: for pixels that do not fit in memory; nothing is left there.
        skip_unreadable: leave out what cannot be read instead of raising; None if the user has no
            such choice, so that the message offers none.
        report: called with the number of images read so far.

    Raises:
        InputError: lists every image that cannot be read.
    """
    normals = NormalImages([], ImageStore(folder=folder), set(), Depth(), True, "", [], [])
    fingerprint = hashlib.sha256()
    for number, source in enumerate(sources):
        name = name_of(source, number)
        try:
            image = read_source(source, name)
        except InputError as error:
            normals.skipped.append(str(error))
            continue
        about = f"{Path(name).name} {image.shape} {image.dtype}\n"
        fingerprint.update(about.encode(errors="surrogateescape"))
        fingerprint.update(image.data)
        normals.digests.append(digest(image))
        _add(normals, image, name)
        report(number + 1)
    if normals.skipped and not skip_unreadable:
        shown = [f"  {problem}" for problem in normals.skipped[:LISTED]]
        more = len(normals.skipped) - LISTED
        raise InputError(
            f"{len(normals.skipped)} of {len(sources)} images cannot be read:",
            *shown,
            *([f"  and {more} more"] if more > 0 else []),
            f"remove or replace them{'' if skip_unreadable is None else LEAVE_OUT}",
        )
    if normals.deep:
        note(normals.depth.describe(len(normals)))
    normals.fingerprint = fingerprint.hexdigest()
    return normals


def _add(normals: NormalImages, image: np.ndarray, name: str) -> None:
    normals.all_grey = normals.all_grey and is_grey(image)
    if image.dtype == np.uint16:
        normals.deep.add(len(normals.names))
        normals.depth.count(image, name)
    pixels = np.ascontiguousarray(image if image.ndim == 3 else image[:, :, None])
    normals.store.append(pixels.view(np.uint8))
    normals.names.append(name)
