"""Masks of defects: which file belongs to which image, and which pixels it marks."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from anomgan.data.decode import read_image
from anomgan.data.folders import is_image, visible_files
from anomgan.errors import InputError

ENDING = re.compile(r"[-_. ](masks?|gt|ground_?truth|label)$", re.IGNORECASE)
"""What may follow the name of the image in the name of its mask."""
LOSSY = (".jpg", ".jpeg", ".webp")
MOST_CLASSES = 32
"""A mask with more values than this has smoothed edges, and no class numbers."""


class Mask(NamedTuple):
    """Where an image is defective.

    Attributes:
        pixels: bool [H, W], as large as the image.
        is_scaled: whether the file has another size.
    """

    pixels: np.ndarray
    is_scaled: bool


def find_masks(images: Sequence[Path], below: Path, folder: Path) -> list[Path | None]:
    """The mask of each image, None where there is none.

    A mask has the stem of its image, or that and an ending such as `_mask` or `_gt`; upper and
    lower case and the two ways to write an accent in Unicode are the same. It lies in `folder`
    where the image lies in `below`; a sub-folder that only one of them has is allowed.

    Args:
        images: files below `below`.
        below: folder of images.
        folder: folder of masks.

    Raises:
        InputError: two files could be the mask of one image, one that of two images, or no file
            is the mask of an image.
    """
    own = set(images)
    files = sorted(p for p in visible_files(folder) if is_image(p) and p not in own)
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        for stem in {path.stem, ENDING.sub("", path.stem)}:
            by_stem[_fold(stem)].append(path)
    masks = [
        _mask_of(image, image.relative_to(below), folder, by_stem[_fold(image.stem)])
        for image in images
    ]
    _refuse_shared(images, masks)
    if files and not any(masks):
        raise InputError(
            f"{folder} holds {len(files)} images, such as {files[0]}, but no mask of an image in "
            f"{below}; a mask has the sub-folder and the name of its image, with _mask or _gt "
            f"after it or without"
        )
    return masks


def _mask_of(image: Path, inner: Path, folder: Path, candidates: Sequence[Path]) -> Path | None:
    """The best candidate: in the same sub-folder rather than one around it, in the same case."""
    place = _parts(inner.parent)
    places = {path: _parts(path.relative_to(folder).parent) for path in candidates}
    found = [path for path in candidates if _one_in_the_other(places[path], place)]
    found = [path for path in found if places[path] == place] or found
    name = unicodedata.normalize("NFC", image.stem)
    found = [p for p in found if unicodedata.normalize("NFC", p.stem).startswith(name)] or found
    if len(found) > 1:
        raise InputError(
            f"{found[0]} and {found[1]} could both be the mask of {image}; leave only one of them"
        )
    return found[0] if found else None


def _refuse_shared(images: Sequence[Path], masks: Sequence[Path | None]) -> None:
    owners: dict[Path, Path] = {}
    for image, mask in zip(images, masks, strict=True):
        if mask and owners.setdefault(mask, image) != image:
            raise InputError(
                f"{mask} could be the mask of {owners[mask]} and of {image}; give each a mask of "
                f"its own, in the same sub-folder as the image"
            )


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _parts(folder: Path) -> tuple[str, ...]:
    return tuple(map(_fold, folder.parts))


def _one_in_the_other(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def open_mask(path: Path, image: object, shape: tuple[int, int]) -> Mask:
    """Read a mask: pixels above 0, or above half of the maximum if edges are smooth.

    A mask of another size is scaled if it has the proportions of its image.

    Args:
        path: the mask.
        image: what it belongs to, for messages.
        shape: height and width of the image.

    Raises:
        InputError: it cannot be read, or has other proportions.
    """
    pixels = marked_pixels(path)
    if pixels.shape == shape:
        return Mask(pixels, is_scaled=False)
    if not _is_scaled(pixels.shape, shape):
        raise InputError(
            f"the mask {path} is {pixels.shape[1]} x {pixels.shape[0]} pixels, but its image "
            f"{image} is {shape[1]} x {shape[0]}; give a mask of that size, or in its proportions"
        )
    scaled = cv2.resize(pixels.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return Mask(scaled > 0, is_scaled=True)


def marked_pixels(path: Path) -> np.ndarray:
    """Read the pixels that a mask marks, bool [h, w]; see `open_mask`.

    Raises:
        InputError: it cannot be read.
    """
    values = read_image(path)
    if values.ndim == 3:
        values = values.max(axis=2)
    lossy = path.suffix.lower() in LOSSY or len(np.unique(values)) > MOST_CLASSES
    pixels = values > (values.max() // 2 if lossy else 0)
    if pixels.all() or not pixels.any():  # the colours tell nothing, but a palette may
        numbers = _palette_numbers(path)
        if numbers is not None and numbers.any() and numbers.shape == pixels.shape:
            return numbers > 0
    return pixels


def _palette_numbers(path: Path) -> np.ndarray | None:
    try:
        with Image.open(path) as image:
            return np.asarray(image) if image.mode == "P" else None
    except UnidentifiedImageError:  # a TIFF that only tifffile reads, which has no palette
        return None


def _is_scaled(mask: Sequence[int], image: Sequence[int]) -> bool:
    """Whether both sides were scaled by the same factor, up to rounding."""
    small, large = sorted((tuple(mask), tuple(image)))
    if not all(a < b for a, b in zip(small, large, strict=True)):
        return False
    low = max((side - 0.5) / whole for side, whole in zip(small, large, strict=True))
    high = min((side + 0.5) / whole for side, whole in zip(small, large, strict=True))
    return low <= high
