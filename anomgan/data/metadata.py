"""What a file holds besides pixels: its orientation, and how many pictures there are."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from anomgan.machine.notes import note

ORIENTATION = 0x0112
"""Tag of EXIF and TIFF."""
UPRIGHT: dict[Any, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: np.rot90(np.fliplr(image)),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(np.fliplr(image), -1),
    8: np.rot90,
}
"""What undoes each orientation."""
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
PNG_KEPT = (b"tRNS", b"eXIf")
JPEG_SCAN, JPEG_KEPT = 0xDA, (0xE0, 0xEE)
"""Markers: where pixels begin; JFIF and Adobe, which say what the colours are."""


def upright(pixels: np.ndarray, image: Image.Image) -> np.ndarray:
    """Turn pixels as the metadata of their image say.

    Only this tag is read, so other damage to the metadata does no harm.
    """
    if image.format == "TIFF":  # Pillow and OpenCV have turned it already
        return pixels
    try:
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION))
    except Exception:  # Pillow raises exceptions of every kind for broken metadata
        return pixels
    return turn(pixels) if turn else pixels


def without_metadata(data: bytes) -> bytes:
    """A PNG or JPEG file without what its pixels and its orientation don't need.

    Text, thumbnails and colour profiles may be damaged, or larger than decoders accept. What the
    pixels need stays, with its checksums. Other files stay as they are.
    """
    if data.startswith(PNG):
        return _bare_png(data)
    return _bare_jpeg(data) if data.startswith(JPEG) else data


def tell_of_more(name: str, kind: str, count: int) -> None:
    """Say that only the first of several pictures in a file is used."""
    if count > 1:
        what = "pages" if kind == "TIFF" else "pictures" if kind in ("MPO", "HEIF") else "frames"
        note(
            f"{name} holds {count} {what}; only the first one is used "
            f"(said for the first such {kind} file only)",
            once=f"several pictures in {kind}",
        )


def pictures_in(image: ImageFile.ImageFile) -> int:
    """Number of pages or frames; 1 where that cannot be found out."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a later frame may be damaged; the first one shows whether it is, too
        return 1


def _bare_png(data: bytes) -> bytes:
    parts, at = [PNG], len(PNG)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at : at + 12 + length]
        intact = chunk[-4:] == struct.pack(">I", zlib.crc32(chunk[4:-4]))
        if kind[:1].isupper() or (kind in PNG_KEPT and intact):
            parts.append(chunk)
        at += len(chunk)
        if kind == b"IEND":
            break
    return b"".join(parts)


def _bare_jpeg(data: bytes) -> bytes:
    parts, at = [JPEG], len(JPEG)
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != JPEG_SCAN:
        marker, length = struct.unpack_from(">xBH", data, at)
        segment = data[at : at + 2 + max(2, length)]
        says_more = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not says_more or marker in JPEG_KEPT or segment[4:8] == b"Exif":
            parts.append(segment)
        at += len(segment)
    return b"".join([*parts, data[at:]])
