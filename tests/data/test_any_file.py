"""Random files of every container, depth, number of channels, orientation and byte order.

`ANOMGAN_FILES=10000` tries more of them.
"""

import io
import os
import struct

import numpy as np
import tifffile
from image_files import chunk, png
from PIL import Image

from anomgan.data.decode import read_image
from anomgan.data.metadata import UPRIGHT

FILES = int(os.environ.get("ANOMGAN_FILES", 1000))
CONTAINERS = ("png", "tiff", "netpbm", "bmp", "webp", "jpeg")


def over_black(pixels):
    """The reference for transparency, in floating point."""
    if pixels.shape[2] in (1, 3):
        return pixels
    colour, alpha = pixels[:, :, :-1], pixels[:, :, -1:].astype(float)
    if np.ptp(alpha) == 0:
        return colour
    return np.floor(colour * alpha / np.iinfo(pixels.dtype).max + 0.5).astype(pixels.dtype)


def exif(turn, order):
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, turn, 0, 0)


def write_png(pixels, turn, order, rng):
    return png(pixels, chunk(b"eXIf", exif(turn, order)))


def write_tiff(pixels, turn, order, rng):
    colours = 3 if pixels.shape[2] > 2 else 1
    alpha = ["unassalpha"] if pixels.shape[2] in (2, 4) else None
    white = colours == 1 and not alpha and rng.random() < 0.3
    planes = pixels.shape[2] > 1 and pixels.dtype == np.uint16 and rng.random() < 0.3
    stored = np.iinfo(pixels.dtype).max - pixels if white else pixels
    stored = (
        np.moveaxis(stored, 2, 0)
        if planes
        else np.squeeze(stored, 2)
        if white or (pixels.shape[2] == 1)
        else stored
    )
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        stored,
        byteorder=order,
        bigtiff=bool(rng.random() < 0.2),
        photometric="miniswhite" if white else "rgb" if colours == 3 else "minisblack",
        planarconfig=None if pixels.shape[2] == 1 else "separate" if planes else "contig",
        extrasamples=alpha,
        compression="zlib" if rng.random() < 0.5 else None,
        rowsperstrip=int(rng.integers(1, 9)),
        extratags=[(0x0112, 3, 1, turn, True)],
        metadata=None,
    )
    return buffer.getvalue()


def write_netpbm(pixels, turn, order, rng):
    kind = b"P6" if pixels.shape[2] == 3 else b"P5"
    head = b"%s\n%d %d\n%d\n" % (kind, pixels.shape[1], pixels.shape[0], np.iinfo(pixels.dtype).max)
    return head + pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()


def write_by_pillow(kind, **options):
    def write(pixels, turn, order, rng):
        buffer = io.BytesIO()
        squeezed = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
        Image.fromarray(squeezed).save(
            buffer,
            kind,
            **options,
            **({} if kind == "BMP" else {"exif": b"Exif\0\0" + exif(turn, order)}),
        )
        return buffer.getvalue()

    return write


WRITERS = {
    "png": (write_png, (1, 2, 3, 4), (np.uint8, np.uint16)),
    "tiff": (write_tiff, (1, 2, 3, 4), (np.uint8, np.uint16)),
    "netpbm": (write_netpbm, (1, 3), (np.uint8, np.uint16)),
    "bmp": (write_by_pillow("BMP"), (1, 3), (np.uint8,)),
    "webp": (write_by_pillow("WEBP", lossless=True, exact=True), (3, 4), (np.uint8,)),
    "jpeg": (write_by_pillow("JPEG"), (1, 3), (np.uint8,)),
}


def expected(container, content, pixels, turn):
    if container == "jpeg":  # lossy: what Pillow makes of it
        shown = np.asarray(Image.open(io.BytesIO(content)))
        pixels = shown if shown.ndim == 3 else shown[:, :, None]
    shown = over_black(pixels)
    turns = container not in ("netpbm", "bmp") and turn in UPRIGHT
    return UPRIGHT[turn](shown) if turns else shown


def test_no_pixel_is_wrong_whatever_the_file(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "file"
    for number in range(FILES):
        container = CONTAINERS[number % len(CONTAINERS)]
        write, channels, types = WRITERS[container]
        kind, count = types[rng.integers(len(types))], int(rng.choice(channels))
        shape = (*rng.integers(1, 24, 2), count)
        pixels = rng.integers(0, np.iinfo(kind).max + 1, shape).astype(kind)
        turn, order = int(rng.integers(1, 9)), "<>"[rng.integers(2)]
        content = write(pixels, turn, order, rng)
        path.write_bytes(content)
        found, wanted = read_image(path), expected(container, content, pixels, turn)
        where = f"file {number}: {container} {shape} {kind.__name__} turn {turn} order {order}"
        found = found if found.ndim == 3 else found[:, :, None]
        if wanted.shape[2] == 1 and found.shape[2] == 3:
            assert (found == found[:, :, :1]).all(), where
            found = found[:, :, :1]
        assert found.dtype == wanted.dtype and found.shape == wanted.shape, where
        assert (found == wanted).all(), where
