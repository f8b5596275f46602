"""Decodes files of 16-bit colour, which Pillow would reduce to 8 bits."""

import re
import struct

import cv2
import numpy as np
from PIL import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from anomgan.data.metadata import upright
from anomgan.data.opacity import over_black
from anomgan.errors import InputError

BITS_PER_SAMPLE, PHOTOMETRIC, PLANAR_CONFIGURATION = 0x0102, 0x0106, 0x011C
"""Tags of TIFF."""
SIZE_MARKER = b"\xff\x4f\xff\x51"
"""Begins a JPEG 2000 codestream; the depth of its first channel is 42 bytes on."""


def has_deep_colour(image: ImageFile.ImageFile, data: bytes, name: str) -> bool:
    """Whether an opened file, not loaded yet, must be read by `read_deep_colour`.

    Raises:
        InputError: it has 16-bit colour that no library reads.
    """
    if image.format == "JPEG2000":
        return _jpeg2000_bits(data) > 8
    if image.mode not in ("LA", "RGB", "RGBA"):
        return False
    if isinstance(image, TiffImageFile):
        deep = max(image.tag_v2.get(BITS_PER_SAMPLE, (8,))) > 8
        if deep and image.tag_v2.get(PLANAR_CONFIGURATION) == 2:
            # Both libraries return noise and no error.
            raise InputError(
                f"{name} stores compressed 16-bit colour channel by channel, which cannot be read; "
                f"save it without compression"
            )
    return any(";16" in str(tile[3]) for tile in image.tile)


def read_deep_colour(data: bytes, image: ImageFile.ImageFile, name: str) -> np.ndarray:
    """Decode a loaded file of deep colour with OpenCV, upright and over black.

    Raises:
        InputError: OpenCV cannot read it.
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise InputError(f"{name} has 16-bit colour of a kind that cannot be read")
    if pixels.ndim == 2:
        return pixels
    colour = pixels[:, :, 2::-1]
    if image.mode in ("LA", "RGBA"):
        colour = over_black(colour, pixels[:, :, 3])
    elif "transparency" in image.info:
        colour = without_key(colour, image.info["transparency"])
    return upright(colour, image)


def without_key(colour: np.ndarray, key: int | tuple[int, ...]) -> np.ndarray:
    """Make black what has the file's transparent colour in pixels [H, W] or [H, W, 3]."""
    opaque = colour != np.asarray(key, colour.dtype)
    opaque = opaque if opaque.ndim == 2 else opaque.any(axis=2)
    top = np.iinfo(colour.dtype).max
    return over_black(colour, np.where(opaque, top, 0).astype(colour.dtype))


def read_netpbm(data: bytes, image: ImageFile.ImageFile, name: str) -> np.ndarray | None:
    """Decode a PGM or PPM file whose white is not 255; None for files that Pillow reads well.

    Pillow is slow with these, and reads only 8 bits of colour. White becomes 255 or 65535.

    Raises:
        InputError: the file is truncated or damaged.
    """
    codec, _, start, args = image.tile[0]
    if codec not in ("ppm", "ppm_plain") or image.mode in ("1", "F"):
        return None
    assert isinstance(args, tuple)  # raw mode and white
    white, (width, height) = int(args[-1]), image.size
    shape = (height, width, 3) if image.mode == "RGB" else (height, width)
    count = int(np.prod(shape))
    if codec == "ppm":
        kind = np.dtype(np.uint8 if white < 256 else ">u2")
        there = (len(data) - start) // kind.itemsize
        values = np.frombuffer(data, kind, min(count, there), start)
    else:
        text = re.sub(rb"#[^\r\n]*", b"", data[start:]).split()
        values = np.array([int(word) for word in text[:count]], np.int64)
    if values.size < count:
        raise InputError(f"{name} is truncated: {values.size} of {count} values are there")
    if values.min() < 0 or values.max() > white:
        raise InputError(f"{name} is damaged: it holds values outside 0 to {white}, its white")
    top = 255 if white < 256 else 65535
    scaled = (values.astype(np.uint64) * top + white // 2) // white
    return scaled.astype(np.uint8 if white < 256 else np.uint16).reshape(shape)


def white_is_zero(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow has left the greys of a 16-bit TIFF file inverted."""
    return isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == 0


def _jpeg2000_bits(data: bytes) -> int:
    start = data.find(SIZE_MARKER)
    if start < 0 or start + 42 >= len(data):
        return 8
    return (struct.unpack_from("B", data, start + 42)[0] & 0x7F) + 1
