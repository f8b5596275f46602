"""Decodes image files: what a camera or a phone writes becomes a uint8 or uint16 array.

Everywhere in the package, an image is such an array, [H, W] or [H, W, 3] in RGB.
"""

import io
import stat
import warnings
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from anomgan.data.deep import (
    has_deep_colour,
    read_deep_colour,
    read_netpbm,
    white_is_zero,
    without_key,
)
from anomgan.data.metadata import pictures_in, tell_of_more, upright, without_metadata
from anomgan.data.opacity import over_black
from anomgan.data.tiff import read_tiff
from anomgan.errors import InputError

FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF", "WEBP", "PPM", "GIF", "JPEG2000", "AVIF")
READABLE = "PNG, JPEG, BMP, TIFF, WebP, PPM, GIF, JPEG 2000, AVIF or HEIF"
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"),
    *(".bmp", ".dib", ".tif", ".tiff", ".btf", ".webp", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf"),
    *(".avif", ".avifs", ".heic", ".heif", ".hif"),
)
MAX_PIXELS = 89_000_000
"""Below Pillow's own limit, so that its warning is never shown."""
MAX_BYTES = 10**9
"""Largest file: more than `MAX_PIXELS` pixels of 16-bit RGBA take."""
ACCEPTED = (
    f"the {MAX_PIXELS // 1_000_000} million that are accepted; scale it down, or cut it into pieces"
)


def read_image(path: Path | str) -> np.ndarray:
    """Decode an image file.

    Returns:
        uint8, or uint16 for files of more than 8 bits, [H, W] or [H, W, 3] in RGB. EXIF rotation
        is applied. Transparency is laid over black unless it is the same everywhere. Of several
        pages or frames the first is taken, and a note says so.

    Raises:
        InputError: the file cannot be opened, is not an image, is cut off, claims more than
            `MAX_PIXELS` pixels, or has more than `MAX_BYTES` bytes.
    """
    return decode_image(read_file(Path(path)), str(path))


def read_file(path: Path, most: int = MAX_BYTES) -> bytes:
    """The content of an image file of at most `most` bytes.

    Raises:
        InputError: it cannot be opened, is larger, or is no file: a pipe or a device may have no
            end.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
            raise InputError(f"{path} is a pipe or a device, not an image")
        if about.st_size > most:
            raise InputError(f"{path} has {about.st_size:,} bytes, more than the {most:,} accepted")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not an image") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decode the content of an image file, as `read_image` does; `name` is for messages.

    Raises:
        InputError: as `read_image`.
    """
    if not data:
        raise InputError(f"{name} is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(data, name)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise InputError(f"{name} claims far more than {ACCEPTED}") from None
    except UnidentifiedImageError:
        raise InputError(f"{name} is not an image that can be read ({READABLE})") from None
    except Exception as error:
        # Decoders raise exceptions of every kind for damaged files; a user needs the file's name.
        raise InputError(f"{name} is damaged or truncated: {error}") from error


def from_pillow(image: Image.Image, name: str = "image") -> np.ndarray:
    """The pixels of a PIL image, as `read_image` would give them.

    Raises:
        InputError: they are floating-point numbers, or outside 0 to 65535.
    """
    if image.mode == "F":
        raise InputError(f"{name} holds floating-point pixels; save it with 8 or 16 bits")
    pixels = _deep_grey(image, name) if image.mode.startswith("I") else _eight_bits(image)
    return np.ascontiguousarray(upright(pixels, image))


def check_array(array: np.ndarray, name: str = "image") -> np.ndarray:
    """Check an image given as an array; [H, W, 1] becomes [H, W].

    Raises:
        InputError: it is not uint8 or uint16, or not [H, W], [H, W, 1] or [H, W, 3].
    """
    usable = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))
    native = array.dtype.newbyteorder("=")  # some files and cameras have the higher byte first
    if native not in (np.uint8, np.uint16) or not usable or array.size == 0:
        raise InputError(
            f"{name} is an array of {array.dtype} with shape {array.shape}; it must be uint8 or "
            f"uint16 with shape [H, W] or [H, W, 3] (RGB)"
        )
    grey = array.ndim == 3 and array.shape[2] == 1
    return np.ascontiguousarray(array[:, :, 0] if grey else array, native)


def to_uint8(image: np.ndarray, bits: int) -> np.ndarray:
    """Map 0 .. 2**bits - 1 of a uint16 image to 0 .. 255, clipping above; uint8 stays as it is."""
    if image.dtype == np.uint8:
        return image
    scaled = image.astype(np.float32) * np.float32(255 / (2**bits - 1))
    return np.minimum(np.rint(scaled), 255).astype(np.uint8)


def is_grey(image: np.ndarray) -> bool:
    """Whether an image has no colour: one channel, or three equal ones."""
    if image.ndim == 2:
        return True
    return bool((image == image[:, :, :1]).all())


def reduced(image: np.ndarray, side: int) -> np.ndarray:
    """Scale an image or a map down so that its longer side is at most `side` pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """A uint8 image as [H, W, channels], for 1 (luminance) or 3 (RGB) channels."""
    if channels == 1:
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return grey[:, :, None]
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)


def _decode(data: bytes, name: str) -> np.ndarray:
    """Decode a file; if that fails, try again without metadata."""
    try:
        return _decode_as_it_is(data, name)
    except Exception:
        bare = without_metadata(data)
        if bare == data:
            raise
        return _decode_as_it_is(bare, name)


def _decode_as_it_is(data: bytes, name: str) -> np.ndarray:
    plain = read_tiff(data, name, MAX_PIXELS)
    if plain is not None:
        return _unsigned(plain, name)
    with Image.open(io.BytesIO(data), formats=_formats(data, name)) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise InputError(f"{name} claims {width} x {height} pixels, more than {ACCEPTED}")
        if image.format == "PPM":
            pixels = read_netpbm(data, image, name)
            if pixels is not None:
                return pixels
        deep_colour, reversed_grey = has_deep_colour(image, data, name), white_is_zero(image)
        image.load()
        if image.format != "TIFF":
            tell_of_more(name, str(image.format), pictures_in(image))
        if deep_colour:
            return np.ascontiguousarray(read_deep_colour(data, image, name))
        pixels = from_pillow(image, name)
        return 65535 - pixels if reversed_grey and image.mode.startswith("I") else pixels


def _formats(data: bytes, name: str) -> tuple[str, ...]:
    """The formats that a file can have."""
    if data[4:8] != b"ftyp" or data[8:12] in (b"avif", b"avis"):
        return FORMATS
    if not _reads_heif():
        raise InputError(
            f'{name} is a HEIF image, as phones write them; to read it: pip install "anomgan[heif]"'
        )
    return ("HEIF",)


@cache
def _reads_heif() -> bool:
    """Let Pillow read HEIF, if pillow-heif is installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _deep_grey(image: Image.Image, name: str) -> np.ndarray:
    pixels = _unsigned(np.asarray(image), name)
    if "transparency" in image.info:
        pixels = without_key(pixels, image.info["transparency"])
    return pixels


def _unsigned(pixels: np.ndarray, name: str) -> np.ndarray:
    """Convert integers of any type to uint8 or uint16."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise InputError(f"{name} holds values outside 0 to 65535; save it with 8 or 16 bits")
    return np.ascontiguousarray(pixels, np.uint16)


def _eight_bits(image: Image.Image) -> np.ndarray:
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        return over_black(pixels[:, :, :3], pixels[:, :, 3])
    if image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return np.array(image)
