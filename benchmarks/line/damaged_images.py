"""What becomes of 10,000 damaged image files, and of images that claim huge sizes.

    OMP_NUM_THREADS=1 python benchmarks/line/damaged_images.py

Bytes are flipped, cut out, replaced by those of another file, or set to extremes in the header;
each file is read in a child process, with limits on time and memory. Needs Linux. Appends to
benchmarks/results/line_faults.jsonl.
"""

import argparse
import io
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from trials import record_fault, run_trials

from anomgan.data.decode import MAX_PIXELS, read_image
from anomgan.errors import InputError

EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x01")
HEADER = 64
"""Bytes at the beginning of a file in which the fields that matter lie."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    options = parser.parse_args()
    samples = _samples()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "damaged"
        for number, (kind, files) in enumerate(samples.items()):
            count = len(range(number, options.files, len(samples)))
            endings, peak = run_trials(count, lambda n, files=files: _read(path, _damage(files, n)))
            record_fault(
                f"damaged {kind} file", count, _outcome(endings), **endings, peak_megabytes=peak
            )
        bombs = _bombs()
        endings, peak = run_trials(len(bombs), lambda n: _read(path, bombs[n]))
    record_fault(
        f"image that claims more than {MAX_PIXELS // 10**6} million pixels",
        len(bombs),
        _outcome(endings),
        **endings,
        peak_megabytes=peak,
    )


def _outcome(endings: dict[str, int]) -> str:
    return ", ".join(f"{endings.get(name, 0):,} {name}" for name in sorted({"refused", *endings}))


def _read(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    try:
        read_image(path)
    except InputError:
        return "refused"
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return "failed otherwise"
    return "read"


def _samples() -> dict[str, list[bytes]]:
    """Files of each format, of every depth that it has."""
    rng = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(48), 3 * np.arange(64)).astype(np.uint8)
    grey = ramp + rng.integers(0, 20, ramp.shape, np.uint8)
    colour = np.dstack([grey, grey[::-1], 255 - grey])
    deep, rgba = grey.astype(np.uint16) * 257, np.dstack([colour, grey])
    deep_colour = colour.astype(np.uint16) * 257
    eight = [Image.fromarray(pixels) for pixels in (grey, colour)]
    clear, palette = Image.fromarray(rgba), eight[1].quantize(16)
    more = {
        "PNG": [clear, palette, eight[0].convert("1"), Image.fromarray(deep)],
        "JPEG": [],
        "BMP": [palette],
        "TIFF": [clear, Image.fromarray(deep)],
        "WEBP": [clear],
        "PPM": [],
    }
    files = {kind: [_encoded(image, kind) for image in eight + more[kind]] for kind in more}
    files["JPEG"].append(_encoded(eight[1], "JPEG", progressive=True, exif=_turned()))
    files["WEBP"].append(_encoded(eight[1], "WEBP", lossless=True))
    packings = ("tiff_lzw", "tiff_adobe_deflate", "jpeg")
    files["TIFF"] += [_encoded(eight[1], "TIFF", compression=name) for name in packings]
    for kind, suffix in (("PNG", ".png"), ("TIFF", ".tif")):
        files[kind].append(cv2.imencode(suffix, deep_colour)[1].tobytes())
    return files


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _damage(files: list[bytes], number: int) -> bytes:
    """One of the files with damage of one of four kinds, by its number."""
    rng = np.random.default_rng(number)
    content = bytearray(files[rng.integers(len(files))])
    other = files[rng.integers(len(files))]
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: _flip(content, rng),
        lambda: _set_fields(content, rng),
        lambda: (
            bytes(content[: (at := rng.integers(len(content)))])
            + bytes(content[at + rng.integers(1, 1 + len(content) - at) :])
        ),
        lambda: bytes(content[: rng.integers(len(content))]) + other[rng.integers(len(other)) :],
    )
    return ways[number % len(ways)]()


def _flip(content: bytearray, rng: np.random.Generator) -> bytes:
    for at in rng.integers(len(content), size=rng.integers(1, 9)):
        content[at] ^= rng.integers(1, 256)
    return bytes(content)


def _set_fields(content: bytearray, rng: np.random.Generator) -> bytes:
    """Extremes in up to three fields of the header; a PNG's checksum is made to fit them."""
    for _ in range(rng.integers(1, 4)):
        at, length = rng.integers(HEADER), rng.choice((1, 2, 4))
        content[at : at + length] = EXTREMES[rng.integers(len(EXTREMES))] * length
    if content[12:16] == b"IHDR":
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def _bombs() -> list[bytes]:
    """A whole PNG of 50,000 x 50,000 black pixels, and headers of as many and more."""
    side = 50_000
    small = {kind: _encoded(Image.new("RGB", (64, 64)), kind) for kind in ("BMP", "TIFF", "JPEG")}
    bmp = bytearray(small["BMP"])
    struct.pack_into("<ii", bmp, 18, side, side)
    jpeg = small["JPEG"]
    frame = jpeg.index(b"\xff\xc0") + 5
    jpeg = jpeg[:frame] + struct.pack(">HH", 65_500, 65_500) + jpeg[frame + 4 :]
    tiff = bytearray(small["TIFF"])
    first, entries = struct.unpack_from("<I", tiff, 4)[0], {256, 257}
    for at in range(first + 2, first + 2 + 12 * struct.unpack_from("<H", tiff, first)[0], 12):
        if struct.unpack_from("<H", tiff, at)[0] in entries:
            struct.pack_into("<HII", tiff, at + 2, 4, 1, side)
    headers = [b"P6 %d %d 255\n" % (size, size) for size in (9_500, side, 10**9)]
    return [_black_png(side), bytes(bmp), jpeg, bytes(tiff), *headers]


def _black_png(side: int) -> bytes:
    packer = zlib.compressobj()
    rows = bytes(100 * (1 + side // 8))
    packed = b"".join(packer.compress(rows) for _ in range(side // 100)) + packer.flush()
    content = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    for kind, body in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")):
        chunk = kind + body
        content += struct.pack(">I", len(body)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return content


if __name__ == "__main__":
    main()
