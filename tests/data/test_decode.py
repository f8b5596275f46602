import io
import os
import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import SIGNATURE, chunk, header
from PIL import Image

from anomgan.data.decode import check_array, is_grey, read_image, to_uint8, with_channels
from anomgan.errors import InputError

GREY = np.arange(12 * 10, dtype=np.uint8).reshape(12, 10)
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm"])
def test_grey_and_rgb_come_back_exactly(tmp_path, suffix):
    assert (read_image(save(tmp_path / f"rgb.{suffix}", RGB)) == RGB).all()
    assert (read_image(save(tmp_path / f"grey.{suffix}", GREY)) == GREY).all()


def test_jpeg_and_webp_are_read(tmp_path):
    assert read_image(save(tmp_path / "a.jpg", RGB)).shape == RGB.shape
    assert read_image(save(tmp_path / "a.webp", RGB)).shape == RGB.shape


def test_palette_becomes_colour(tmp_path):
    flat = np.zeros((8, 8, 3), np.uint8)
    flat[:4] = (200, 10, 30)
    Image.fromarray(flat).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png")
    assert (read_image(tmp_path / "p.png") == flat).all()


def test_one_bit_images_become_black_and_white(tmp_path):
    Image.fromarray(GREY > 60).save(tmp_path / "1.png")
    assert (read_image(tmp_path / "1.png") == np.where(GREY > 60, 255, 0)).all()


def test_sixteen_bits_are_kept(tmp_path):
    deep = GREY.astype(np.uint16) * 500
    assert (read_image(save(tmp_path / "deep.png", deep)) == deep).all()
    assert (read_image(save(tmp_path / "deep.tif", deep)) == deep).all()
    colour = RGB.astype(np.uint16) * 257
    for name in ("colour.png", "colour.tif"):
        cv2.imwrite(str(tmp_path / name), colour[:, :, ::-1])
        found = read_image(tmp_path / name)
        assert found.dtype == np.uint16
        assert (found == colour).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_exif_rotation_is_applied_to_sixteen_bit_colour(tmp_path, orientation, suffix):
    path = tmp_path / f"deep.{suffix}"
    cv2.imwrite(str(path), (RGB.astype(np.uint16) * 257)[:, :, ::-1])
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = insert_exif_chunk if suffix == "png" else set_tiff_orientation
    path.write_bytes(turn(path.read_bytes(), exif))
    upright = read_image(save(tmp_path / "eight.png", RGB, exif=exif))
    assert (read_image(path) == upright.astype(np.uint16) * 257).all()


def insert_exif_chunk(png, exif):
    """Pillow cannot write 16-bit colour, and OpenCV's way to write EXIF is not in every version."""
    return insert_chunk(png, b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))


def insert_chunk(png, kind, body):
    header = 33
    return png[:header] + chunk(kind, body) + png[header:]


@pytest.mark.parametrize("image", [GREY, RGB])
def test_a_transparent_colour_of_sixteen_bits_becomes_black(tmp_path, image):
    deep = image.astype(np.uint16) * 257 + 5
    key = np.atleast_1d(deep[2, 3])
    ok, png = cv2.imencode(".png", deep[:, :, ::-1] if deep.ndim == 3 else deep)
    path = tmp_path / "key.png"
    path.write_bytes(insert_chunk(png.tobytes(), b"tRNS", key.astype(">u2").tobytes()))
    here = (deep.reshape(12, 10, -1) == key).all(2)
    expected = np.where(here[:, :, None] if deep.ndim == 3 else here, 0, deep)
    assert ok and here.sum() == 1 and (read_image(path) == expected).all()


def test_sixteen_bits_of_jpeg_2000_are_kept(tmp_path):
    deep = GREY.astype(np.uint16) * 257
    assert (read_image(save(tmp_path / "a.jp2", deep)) == deep).all()


def set_tiff_orientation(tiff, exif):
    return with_tag(tiff, 0x0112, exif[0x0112])


def with_tag(tiff, tag, value):
    """A little-endian TIFF with one 16-bit tag set, by a new directory at its end."""
    start = struct.unpack_from("<I", tiff, 4)[0]
    count = struct.unpack_from("<H", tiff, start)[0]
    entries = [tiff[at : at + 12] for at in range(start + 2, start + 2 + 12 * count, 12)]
    tags = {struct.unpack_from("<H", entry)[0]: entry for entry in entries}
    tags[tag] = struct.pack("<HHIHH", tag, 3, 1, value, 0)
    tiff += bytes(len(tiff) % 2)
    directory = struct.pack("<H", len(tags)) + b"".join(tags[key] for key in sorted(tags))
    return tiff[:4] + struct.pack("<I", len(tiff)) + tiff[8:] + directory + bytes(4)


def test_compressed_sixteen_bit_colour_in_planes_is_refused(tmp_path):
    path = tmp_path / "planes.tif"
    cv2.imwrite(str(path), RGB.astype(np.uint16))  # OpenCV compresses by LZW
    path.write_bytes(with_tag(path.read_bytes(), 0x011C, 2))
    with pytest.raises(InputError, match="planes.tif .* channel by channel"):
        read_image(path)


def test_floating_point_images_are_refused(tmp_path):
    with pytest.raises(InputError, match="floating-point"):
        read_image(save(tmp_path / "f.tif", GREY.astype(np.float32)))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"hello, this is text", "not an image"), (b"\x89PNG\r\n", "not an image")],
)
def test_files_that_are_no_images_are_named(tmp_path, content, message):
    (tmp_path / "part.png").write_bytes(content)
    with pytest.raises(InputError, match=f"part.png {message}|part.png is {message}"):
        read_image(tmp_path / "part.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_truncated_files_are_refused(tmp_path, rng, suffix):
    noise = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    path = save(tmp_path / f"cut.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cut"):
        read_image(path)


@pytest.mark.parametrize("side", [10_000, 40_000])
def test_absurd_dimensions_are_refused_from_the_header(tmp_path, side):
    (tmp_path / "bomb.ppm").write_bytes(b"P6 %d %d 255\n" % (side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="bomb.ppm claims .*89 million"):
            read_image(tmp_path / "bomb.ppm")


def test_a_picture_of_nothing_at_an_absurd_size_is_refused(tmp_path):
    """A whole PNG of 50,000 x 50,000 black pixels, which is 300 kB."""
    side, packer = 50_000, zlib.compressobj()
    rows = bytes(100 * (1 + side // 8))
    packed = b"".join(packer.compress(rows) for _ in range(side // 100)) + packer.flush()
    content = header(side, side, 1, 0) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    (tmp_path / "black.png").write_bytes(SIGNATURE + content)
    with pytest.raises(InputError, match="black.png claims .*89 million.*scale it down, or cut"):
        read_image(tmp_path / "black.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_files_without_an_end_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="pipe.png is a pipe"):
        read_image(tmp_path / "pipe.png")
    with (tmp_path / "empty.png").open("wb") as file:
        file.truncate(10 * 2**30)  # takes no room on the disk
    with pytest.raises(InputError, match="empty.png has 10,737,418,240 bytes"):
        read_image(tmp_path / "empty.png")


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match="there is no file .*gone.png"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)


def encoded(kind):
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
@settings(
    max_examples=100,
    deadline=None,  # a mutated header may claim millions of pixels
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_files_never_raise_anything_else(tmp_path, kind, data):
    content = bytearray(encoded(kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "mutated"
    path.write_bytes(content)
    try:
        image = read_image(path)
    except InputError as error:
        assert "mutated" in str(error)
    else:
        assert image.dtype in (np.uint8, np.uint16)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_arrays_of_the_wrong_kind_are_refused(wrong):
    with pytest.raises(InputError, match="uint8 or uint16"):
        check_array(wrong)


def test_arrays_need_not_be_contiguous():
    turned = check_array(np.moveaxis(RGB, 0, 1)[:, ::2])
    assert turned.flags.c_contiguous
    assert check_array(GREY[:, :, None]).shape == GREY.shape


def test_arrays_may_have_the_higher_byte_first():
    there = check_array(np.array([[1, 40_000]], ">u2"))
    assert there.dtype == np.uint16 and there.tolist() == [[1, 40_000]]


@given(st.sampled_from([10, 12, 14, 16]))
def test_full_range_maps_to_full_range(bits):
    top = 2**bits - 1
    values = np.array([[0, top // 2, top, 65535]], np.uint16)
    assert to_uint8(values, bits).tolist() == [[0, 127, 255, 255]]


def test_channels_are_converted():
    assert is_grey(GREY) and is_grey(np.dstack([GREY] * 3)) and not is_grey(RGB)
    assert (with_channels(np.dstack([GREY] * 3), 1)[:, :, 0] == GREY).all()
    assert (with_channels(GREY, 3) == GREY[:, :, None]).all()
