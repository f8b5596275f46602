"""Image files in: whatever a camera or a phone writes becomes a uint8 or uint16 array."""

import io
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from anomgan.errors import InputError

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
MAX_PIXELS = 89_000_000
"""Below Pillow's own limit, so that its warning is never shown."""
MAX_BYTES = 10**9
"""Of a file: more than as many pixels of 16-bit RGBA take."""
ACCEPTED = (
    f"the {MAX_PIXELS // 1_000_000} million that are accepted; scale it down, or cut it into pieces"
)
ORIENTATION, BITS_PER_SAMPLE, PLANAR_CONFIGURATION = 0x0112, 0x0102, 0x011C
"""Tags of EXIF and TIFF."""
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: np.rot90(np.fliplr(image)),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(np.fliplr(image), -1),
    8: np.rot90,
}
"""What undoes each EXIF orientation."""


def read_image(path: Path | str) -> np.ndarray:
    """Decode an image file.

    Returns:
        uint8, or uint16 for files of more than 8 bits, [H, W] or [H, W, 3] in RGB. EXIF rotation
        is applied, transparency is laid over black, of several pages the first is taken.

    Raises:
        InputError: the file cannot be opened, is not an image, is cut off, claims more than
            `MAX_PIXELS` pixels, or has more than `MAX_BYTES` bytes.
    """
    data = _read_bytes(Path(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decode(data, str(path))
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise InputError(f"{path} claims far more than {ACCEPTED}") from None
    except UnidentifiedImageError:
        raise InputError(
            f"{path} is not an image that can be read (PNG, JPEG, BMP, TIFF, WebP or PPM)"
        ) from None
    except Exception as error:
        # Decoders meet damaged files with exceptions of every kind; a user needs the file's name.
        raise InputError(f"{path} is damaged or truncated: {error}") from error


def from_pillow(image: Image.Image, name: str = "image") -> np.ndarray:
    """The pixels of a PIL image, as `read_image` would give them.

    Raises:
        InputError: they are floating-point numbers, or outside 0 to 65535.
    """
    if image.mode == "F":
        raise InputError(f"{name} holds floating-point pixels; save it with 8 or 16 bits")
    return _pixels(image, name)


def check_array(array: np.ndarray, name: str = "image") -> np.ndarray:
    """Check an image given as an array; [H, W, 1] becomes [H, W].

    Raises:
        InputError: it is not uint8 or uint16, or not [H, W], [H, W, 1] or [H, W, 3].
    """
    usable = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))
    if array.dtype not in (np.uint8, np.uint16) or not usable or array.size == 0:
        raise InputError(
            f"{name} is an array of {array.dtype} with shape {array.shape}; it must be uint8 or "
            f"uint16 with shape [H, W] or [H, W, 3] (RGB)"
        )
    grey = array.ndim == 3 and array.shape[2] == 1
    return np.ascontiguousarray(array[:, :, 0] if grey else array)


def bits_used(image: np.ndarray) -> int:
    """Significant bits: 8 for uint8, else 8, 10, 12, 14 or 16 by the largest value.

    Cameras write 10 or 12 bits into 16-bit files.
    """
    if image.dtype == np.uint8:
        return 8
    largest = int(image.max())
    return next(bits for bits in (8, 10, 12, 14, 16) if largest < 2**bits)


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


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """A uint8 image as [H, W, channels], for 1 (luminance) or 3 (RGB) channels."""
    if channels == 1:
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return grey[:, :, None]
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)


def _read_bytes(path: Path) -> bytes:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
            raise InputError(f"{path} is a pipe or a device, not an image")  # it may have no end
        if about.st_size > MAX_BYTES:
            raise InputError(
                f"{path} has {about.st_size:,} bytes, more than the {MAX_BYTES:,} accepted"
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not an image") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not data:
        raise InputError(f"{path} is empty")
    return data


def _decode(data: bytes, name: str) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise InputError(f"{name} claims {width} x {height} pixels, more than {ACCEPTED}")
        deep_colour = _has_deep_colour(image, name)
        image.load()
        if image.mode == "F":
            raise InputError(f"{name} holds floating-point pixels; save it with 8 or 16 bits")
        if deep_colour:
            return _decode_deep_colour(data, image, name)
        return _pixels(image, name)


def _pixels(image: Image.Image, name: str) -> np.ndarray:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        return _deep_grey(upright, name)
    return _eight_bits(upright)


def _has_deep_colour(image: ImageFile.ImageFile, name: str) -> bool:
    """Whether the file has 16-bit colour, which Pillow would cut down to 8 bits."""
    if image.mode not in ("RGB", "RGBA"):
        return False
    if isinstance(image, TiffImageFile):
        deep = max(image.tag_v2.get(BITS_PER_SAMPLE, (8,))) > 8
        if deep and image.tag_v2.get(PLANAR_CONFIGURATION) == 2:
            # Neither library reads these: both return noise without a word.
            raise InputError(
                f"{name} stores 16-bit colour channel by channel, which cannot be read; "
                f"save it with interleaved channels (planar configuration 1)"
            )
    return any(";16" in str(tile[3]) for tile in image.tile)


def _decode_deep_colour(data: bytes, image: ImageFile.ImageFile, name: str) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        raise InputError(f"{name} has 16-bit colour of a kind that cannot be read")
    colour = pixels[:, :, 2::-1]
    if image.mode == "RGBA":
        opacity = pixels[:, :, 3:].astype(np.float32) / 65535
        colour = np.rint(colour * opacity).astype(np.uint16)
    if image.format == "PNG":  # OpenCV turns TIFF by itself
        turn = UPRIGHT.get(image.getexif().get(ORIENTATION, 1))
        colour = turn(colour) if turn else colour
    return np.ascontiguousarray(colour)


def _deep_grey(image: Image.Image, name: str) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise InputError(f"{name} holds values outside 0 to 65535; save it with 8 or 16 bits")
    return np.ascontiguousarray(pixels.astype(np.uint16))


def _eight_bits(image: Image.Image) -> np.ndarray:
    if image.has_transparency_data:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, "black"), over).convert("RGB")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    pixels = np.array(image)
    return pixels
