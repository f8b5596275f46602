"""Plain facts of photographs: size, depth, exposure, sharpness, marks of compression."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from anomgan.data.copies import thumbnail
from anomgan.data.decode import is_grey, to_uint8, with_channels
from anomgan.data.usual import plain_statistics

SIDE = 64
"""Side in pixels of the small version in which shifts are found, to a tenth of a pixel."""
WHITE, BLACK = 254, 1
"""Ends of the scale; JPEG and scaling change clipped values by one."""
BLOCK = 8
"""Pixels of a block of JPEG."""
LOOKED_AT = 1024
"""Blocks are searched in so many pixels of each side; they are the same everywhere."""
LEAST_STEP = 0.2
"""Grey levels that are added to steps between pixels, so that rounding does not count."""
EXIF, TAKEN = 0x8769, 0x9003
"""Tags: the EXIF part of the metadata, and the time when the photograph was taken."""


@dataclass(frozen=True)
class Facts:
    """Facts of one photograph that need no learning.

    Attributes:
        name: path of the file.
        height: pixels.
        width: pixels.
        depth: bits per channel of the file.
        is_grey: it has no colour.
        brightness: mean grey value of 255.
        contrast: standard deviation of the grey values.
        sharpness: of the image at 512 px; see `data.usual.plain_statistics`.
        white: share of pixels at the upper end of the scale, in any channel.
        black: share of pixels at the lower end, in all channels.
        blocks: steps between blocks of 8 pixels, as a multiple of the largest steps elsewhere.
        thumbnail: for finding copies.
        small: grey, float32 [64, 64], for finding shifts.
    """

    name: str
    height: int
    width: int
    depth: int
    is_grey: bool
    brightness: float
    contrast: float
    sharpness: float
    white: float
    black: float
    blocks: float
    thumbnail: np.ndarray
    small: np.ndarray

    @classmethod
    def measure(cls, name: str, image: np.ndarray, bits: int) -> "Facts":
        """Measure a decoded image, uint8 or uint16 with `bits` significant bits."""
        pixels = to_uint8(image, bits)
        statistics = plain_statistics(pixels)
        grey = with_channels(pixels, 1)[:, :, 0]
        brightest = pixels if pixels.ndim == 2 else pixels.max(2)
        return cls(
            name=name,
            height=image.shape[0],
            width=image.shape[1],
            depth=8 * image.itemsize,
            is_grey=is_grey(image),
            brightness=statistics["brightness"],
            contrast=statistics["contrast"],
            sharpness=statistics["sharpness"],
            white=float((brightest >= WHITE).mean()),
            black=float((brightest <= BLACK).mean()),
            blocks=blockiness(grey),
            thumbnail=thumbnail(pixels),
            small=cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the small versions."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in ("thumbnail", "small")
        }


def blockiness(grey: np.ndarray) -> float:
    """How much larger steps between blocks of 8 x 8 pixels are than others; about 1 without JPEG.

    Steps in an image uint8 [H, W] are compared with the largest ones at the seven other places in a
    block, so that texture does not count. Values below 1 become 1.
    """
    x = grey[:LOOKED_AT, :LOOKED_AT].astype(np.float32)
    ratios = [1.0]
    for some in (x, x.T):
        steps = np.abs(np.diff(some, axis=1)).mean(0)
        blocks = len(steps) // BLOCK
        if blocks < 2:
            continue
        means = steps[: blocks * BLOCK].reshape(blocks, BLOCK).mean(0) + LEAST_STEP
        ratios.append(float(means[-1] / means[:-1].max()))
    return max(1.0, float(np.mean(ratios[1:] or ratios)))


def in_order(names: Sequence[str]) -> list[int]:
    """Positions of photographs in the order in which they were taken.

    That is their time in EXIF if all have one, otherwise the order of their names, with numbers by
    value. The time of a file is not used: copying and unpacking change it.
    """
    times = []
    for name in names:
        if not (time := _taken(name)):
            return sorted(range(len(names)), key=lambda place: _by_number(names[place]))
        times.append(time)
    return sorted(range(len(names)), key=lambda place: (times[place], _by_number(names[place])))


def _by_number(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if place % 2 else (0, part) for place, part in enumerate(parts)]


def _taken(name: str) -> str | None:
    try:
        with Image.open(Path(name)) as image:
            return str(image.getexif().get_ifd(EXIF).get(TAKEN) or "").strip("\0 ") or None
    except Exception:  # Pillow raises exceptions of every kind for broken metadata
        return None
