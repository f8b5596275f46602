"""Decodes TIFF files, some of which Pillow reduces to 8 bits, inverts or refuses."""

import io
import logging
from typing import TYPE_CHECKING

import numpy as np

from anomgan.data.metadata import ORIENTATION, UPRIGHT, tell_of_more
from anomgan.data.opacity import over_black
from anomgan.errors import InputError

if TYPE_CHECKING:
    from tifffile import TiffPage

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
UNPACKED = (1, 8, 32946, 32773)
"""Compressions that tifffile reads by itself: none, two names of deflate, packbits."""
WHITE_IS_ZERO, GREY, RGB = 0, 1, 2
FLOAT = 3
UNASSOCIATED = 2
"""Alpha by which colour is not multiplied. If it is, Pillow divides by it, and colour is lost."""


def read_tiff(data: bytes, name: str, max_pixels: int) -> np.ndarray | None:
    """The first page of a TIFF file in grey or colour, as integers of any kind, upright.

    Returns:
        [H, W] or [H, W, 3]; None for other and for compressed files, which Pillow or OpenCV read.

    Raises:
        InputError: it holds floating-point numbers.
    """
    if data[:4] not in MAGIC:
        return None
    import tifffile  # takes a quarter of a second, which most users never need

    # Its log of damage would be printed before our message.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tell_of_more(
            name, "TIFF", sum(not getattr(page, "is_reduced", False) for page in file.pages)
        )
        page = file.pages.first
        if page.sampleformat == FLOAT:
            raise InputError(f"{name} holds floating-point pixels; save it with 8 or 16 bits")
        if not _is_ours(page) or page.imagewidth * page.imagelength > max_pixels:
            return None
        pixels = page.asarray()
        pixels = np.moveaxis(pixels, 0, -1) if page.axes == "SYX" else pixels
        if page.photometric == WHITE_IS_ZERO:
            pixels = np.iinfo(pixels.dtype).max - pixels
        turn = UPRIGHT.get(page.tags.valueof(ORIENTATION))
        pixels = _opaque(pixels, page) if pixels.ndim == 3 else pixels
        return turn(pixels) if turn else pixels


def _is_ours(page: "TiffPage") -> bool:
    colours = {WHITE_IS_ZERO: 1, GREY: 1, RGB: 3}.get(page.photometric)
    return (
        page.bitspersample in (8, 16, 32)
        and page.compression in UNPACKED
        and page.axes in ("YX", "YXS", "SYX")
        and colours is not None
        and page.samplesperpixel - len(page.extrasamples) == colours
    )


def _opaque(pixels: np.ndarray, page: "TiffPage") -> np.ndarray:
    """Only the colour of [H, W, S], laid over black if there is an alpha channel."""
    colours = page.samplesperpixel - len(page.extrasamples)
    colour = pixels[:, :, 0] if colours == 1 else pixels[:, :, :colours]
    if UNASSOCIATED not in page.extrasamples:
        return colour
    return over_black(colour, pixels[:, :, colours + page.extrasamples.index(UNASSOCIATED)])
