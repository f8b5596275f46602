"""Files as strangers have them: each is the smallest that shows what once went wrong."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
import tifffile
from image_files import chunk, png
from PIL import Image

from anomgan.data.decode import read_image
from anomgan.errors import InputError

GREY = np.arange(12 * 10, dtype=np.uint8).reshape(12, 10)
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)
DEEP = RGB.astype(np.uint16) * 257


def read(tmp_path, content, name="part"):
    (tmp_path / name).write_bytes(content)
    return read_image(tmp_path / name)


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(pixels, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, metadata=None, **options)
    return buffer.getvalue()


def bmp(pixels, header):
    """A BMP file with four bytes a pixel and a header of version 4 (108) or 5 (124)."""
    height, width = pixels.shape[:2]
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII", header, width, -height, 1, 32, 3, 0, 0, 0, 0, 0) + masks
    info = info.ljust(header, b"\0")
    body = pixels[:, :, [2, 1, 0, 3]].tobytes()
    start = 14 + header
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + body


@pytest.mark.parametrize("value", [0, 7])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "bmp4", "bmp5", "deep png", "deep tiff"])
def test_alpha_that_says_nothing_is_ignored(tmp_path, kind, value):
    clear = np.dstack([RGB, np.full(GREY.shape, value, np.uint8)])
    content, expected = {
        "bmp4": lambda: (bmp(clear, 108), RGB),
        "bmp5": lambda: (bmp(clear, 124), RGB),
        "deep png": lambda: (png(clear.astype(np.uint16) * 257), DEEP),
        "deep tiff": lambda: (
            tiff(clear.astype(np.uint16) * 257, photometric="rgb", extrasamples=["unassalpha"]),
            DEEP,
        ),
    }.get(
        kind,
        lambda: (
            saved(
                Image.fromarray(clear),
                kind,
                **({"lossless": True, "exact": True} if kind == "WEBP" else {}),
            ),
            RGB,
        ),
    )()
    assert (read(tmp_path, content) == expected).all()


@pytest.mark.parametrize(
    "entries",
    [
        [(0x011A, 5, 1, 26), (0x0112, 3, 1, 6)],  # a resolution of 0 / 0
        [(0x011A, 10, 1, 26), (0x0112, 3, 1, 6)],  # a signed one
        [(0x0112, 3, 1, 6), (0x8769, 4, 1, 9999)],  # a directory beyond the end
        [(0x0112, 3, 1, 6), None],  # the directory ends too early
    ],
)
def test_orientation_is_found_among_broken_tags(tmp_path, entries):
    packed = [struct.pack("<HHII", *entry) for entry in entries if entry]
    body = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(packed)
    body += b"" if None in entries else bytes(4) + struct.pack("<ii", -1, 0)
    content = saved(Image.fromarray(RGB), "JPEG")
    plain = read(tmp_path, content)
    segment = b"Exif\0\0" + body
    content = (
        content[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(segment)) + segment + content[2:]
    )
    assert (read(tmp_path, content) == np.rot90(plain, -1)).all()


@pytest.mark.parametrize(
    "strange",
    [
        chunk(b"tEXt", b"Comment\0hello", right=False),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 * 2**20))),
        chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(2 * 2**20))),
    ],
)
@pytest.mark.parametrize("pixels", [RGB, DEEP, GREY])
def test_what_a_png_says_beside_its_pixels_does_no_harm(tmp_path, pixels, strange):
    assert (read(tmp_path, png(pixels, strange)) == pixels).all()
    turned = chunk(b"eXIf", b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIII", 0x112, 3, 1, 3, 0))
    assert (read(tmp_path, png(pixels, strange, turned)) == pixels[::-1, ::-1]).all()


def test_a_png_with_damaged_pixels_is_still_refused(tmp_path):
    content = bytearray(png(RGB, chunk(b"tEXt", b"Comment\0hello", right=False)))
    content[-20] ^= 1
    with pytest.raises(InputError, match="part"):
        read(tmp_path, bytes(content))


@pytest.mark.parametrize("order", "<>")
def test_white_is_zero_is_turned_round(tmp_path, order):
    deep = DEEP[:, :, 0]
    content = tiff(65535 - deep, photometric="miniswhite", byteorder=order)
    assert (read(tmp_path, content) == deep).all()


@pytest.mark.parametrize("order", "<>")
def test_sixteen_bit_colour_in_planes_is_read(tmp_path, order):
    planes = np.moveaxis(DEEP, 2, 0)
    content = tiff(planes, photometric="rgb", planarconfig="separate", byteorder=order)
    assert (read(tmp_path, content) == DEEP).all()


@pytest.mark.parametrize("white", [100, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", [b"P2", b"P3", b"P5", b"P6"])
def test_netpbm_keeps_its_levels_and_takes_its_white_for_white(tmp_path, kind, white):
    colour = kind in (b"P3", b"P6")
    values = np.linspace(0, white, 12 * 10 * (3 if colour else 1)).astype(int)
    packed = values.astype(">u2" if white > 255 else "u1").tobytes()
    text = b"# a comment\n" + b" ".join(b"%d" % value for value in values)
    body = packed if kind in (b"P5", b"P6") else text
    image = read(tmp_path, kind + b"\n10 12\n%d\n" % white + body)
    top = 255 if white < 256 else 65535
    assert image.dtype == (np.uint8 if white < 256 else np.uint16)
    assert np.abs(image.ravel() - values * top / white).max() <= 0.5 + 1e-9


def test_a_short_netpbm_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="part is truncated"):
        read(tmp_path, b"P6 2 2 4095\n" + bytes(9))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_more_pictures_than_one_are_told_once_for_each_kind(tmp_path, caplog, kind):
    pages = [Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())]
    content = saved(pages[0], kind, save_all=True, append_images=pages[1:])
    for name in ("one", "two"):
        read(tmp_path, content, name)
    (text,) = caplog.messages
    assert "one holds 2 " in text and "only the first one is used" in text


@pytest.mark.parametrize("kind", ["GIF", "JPEG2000", "AVIF"])
def test_other_formats_are_read(tmp_path, kind):
    grey = np.full((16, 16), 90, np.uint8)
    image = read(tmp_path, saved(Image.fromarray(grey), kind))
    assert image.shape[:2] == (16, 16) and np.abs(image.astype(int) - 90).max() <= 1


def test_heif_is_read_where_it_can_be(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    image = read(tmp_path, saved(Image.fromarray(np.full((64, 64, 3), 90, np.uint8)), "HEIF"))
    assert image.shape == (64, 64, 3) and np.abs(image.astype(int) - 90).max() <= 3


def test_where_heif_cannot_be_read_it_says_what_to_install(tmp_path, monkeypatch):
    from anomgan.data import decode

    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    decode._reads_heif.cache_clear()
    with pytest.raises(InputError, match=r'pip install "anomgan\[heif\]"'):
        read(tmp_path, b"\0\0\0\x18ftypheic" + bytes(16))
    decode._reads_heif.cache_clear()
