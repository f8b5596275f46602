"""PNG files chunk by chunk, for what no library writes."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes, right: bool = True) -> bytes:
    """A chunk of a PNG file; its checksum may be a wrong one."""
    checksum = zlib.crc32(kind + body) ^ (not right)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def header(width: int, height: int, bits: int, kind: int) -> bytes:
    """The first chunk; kind 0 is grey, 2 is RGB, 4 and 6 are the same with alpha."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))


def png(pixels: np.ndarray, *chunks: bytes) -> bytes:
    """A PNG file of uint8 or uint16 [H, W] or [H, W, C], with more chunks before its pixels."""
    height, width = pixels.shape[:2]
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[pixels[0, 0].size]
    big = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big)
    first, last = header(width, height, 8 * pixels.itemsize, kind), chunk(b"IEND", b"")
    return SIGNATURE + first + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows)) + last
