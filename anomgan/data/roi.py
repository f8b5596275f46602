"""The region of interest: the part of an image that counts."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from anomgan.data.masks import marked_pixels
from anomgan.errors import InputError

LONGEST = 1024
"""Longer side, in pixels, of the stored mask; and the side of the grid that polygons are drawn
on."""
NUMBER = r"-?(?:\d+\.?\d*|\.\d+)"
POLYGON = re.compile(rf"\s*{NUMBER}\s*,\s*{NUMBER}(?:\s+{NUMBER}\s*,\s*{NUMBER})*\s*")
SIMPLER = 0.002
"""Largest distance of an outline from what it goes around, as a share of the longer side."""
HELP = 'a mask, white where images count, or corners such as "0.1,0.2 0.9,0.2 0.5,0.8"'


@dataclass(frozen=True)
class Roi:
    """The region of interest of all images of a model.

    Attributes:
        mask: bool [h, w], at most `LONGEST` on the longer side; True where images count. It is
            resized to each image.
        any_proportions: whether it suits images of all proportions, as corners in fractions do.
    """

    mask: np.ndarray
    any_proportions: bool = False

    @classmethod
    def read(cls, given: "Given") -> "Roi":
        """Read a region of interest.

        Args:
            given: a file, white (above 0) where images count; or a mask [h, w] or [h, w, C]; or the
                corners of a polygon, as `polygon` takes them; or a region.

        Raises:
            InputError: it cannot be read, is empty, or is no polygon in an image.
        """
        if isinstance(given, Roi):
            return given
        if isinstance(given, np.ndarray):
            mask = given if given.ndim == 2 else given.max(axis=-1)
            return cls._of_mask(mask > 0, "the mask of the region of interest")
        if isinstance(given, str) and POLYGON.fullmatch(given) and not Path(given).exists():
            return cls.polygon(given)
        if not Path(given).is_file():
            raise InputError(f"the region of interest {given} is not a file; give {HELP}")
        return cls._of_mask(marked_pixels(Path(given)), f"the mask {given}")

    @classmethod
    def polygon(cls, text: str) -> Self:
        """Draw a polygon from its corners "x,y x,y x,y".

        They are in fractions of width and height, from the upper left.

        Raises:
            InputError: it is no polygon in an image.
        """
        if not POLYGON.fullmatch(text):
            raise InputError(f'{text!r} is not a list of corners such as "0.1,0.2 0.9,0.2 0.5,0.8"')
        return cls(_draw_polygon(text), any_proportions=True)

    @classmethod
    def _of_mask(cls, mask: np.ndarray, name: str) -> Self:
        if mask.ndim != 2 or not mask.any():
            raise InputError(f"{name} is empty; it must be white where images count")
        shrink = min(1.0, LONGEST / max(mask.shape))
        return cls(_resize(mask, [max(1, round(shrink * side)) for side in mask.shape]))

    def require(self, shapes: Sequence[tuple[int, ...]], names: Sequence[str]) -> None:
        """Check that the mask has the proportions of every image, to one pixel of the smaller one.

        Raises:
            InputError: names the first image that it does not suit.
        """
        rows, columns = self.mask.shape
        for (height, width, *_), name in zip(shapes, names, strict=True):
            off = abs(height * columns - width * rows)
            if off > max(width, columns) and not self.any_proportions:
                raise InputError(
                    f"the region of interest has the proportions {columns} : {rows}, but {name} is "
                    f"{width} x {height} pixels; draw it on such an image"
                )

    def at(self, shape: Sequence[int], stride: int = 1) -> np.ndarray:
        """Find what counts in an image of `shape`, or in its map.

        Args:
            shape: height and width of the image in pixels, and possibly more.
            stride: pixels from one cell of a map to the next.

        Returns:
            bool [H, W], or for each cell whether half of it or more counts, [rows, columns]; if
            there is none, those of which most counts. Cells that reach past the edge of the image
            go by what is in it.
        """
        mask = _resize(self.mask, shape[:2])
        if stride == 1:
            return mask
        margins = [(0, -side % stride) for side in shape[:2]]
        counts, there = (
            np.pad(one, margins).reshape(-(-shape[0] // stride), stride, -1, stride).sum((1, 3))
            for one in (mask, np.ones_like(mask))
        )
        shares = counts / there
        return np.asarray((shares >= min(0.5, shares.max())) & (counts > 0))

    @property
    def share(self) -> float:
        """Share of the image that counts."""
        return float(self.mask.mean())

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what counts, as shares of width and height."""
        rows, columns = (np.flatnonzero(self.mask.any(axis)) for axis in (1, 0))
        height, width = self.mask.shape
        right, bottom = (columns[-1] + 1) / width, (rows[-1] + 1) / height
        return columns[0] / width, rows[0] / height, right, bottom

    @property
    def outlines(self) -> list[list[tuple[float, float]]]:
        """Polygons around what counts, and around holes: corners x, y in fractions."""
        height, width = self.mask.shape
        found, _ = cv2.findContours(
            np.pad(self.mask.astype(np.uint8), 1), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
        )
        simple = (cv2.approxPolyDP(one, SIMPLER * max(height, width), True)[:, 0] for one in found)
        return [
            [((x - 0.5) / width, (y - 0.5) / height) for x, y in one.tolist()] for one in simple
        ]

    @property
    def digest(self) -> str:
        """Hexadecimal digits that tell it from other regions."""
        about = repr(self.mask.shape).encode() + self.mask.tobytes()
        return hashlib.sha256(about).hexdigest()[:16]


def _resize(mask: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    size = (int(shape[1]), int(shape[0]))
    return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT) > 0


def _draw_polygon(text: str) -> np.ndarray:
    corners = np.array([pair.split(",") for pair in re.sub(r"\s*,\s*", ",", text).split()], float)
    if len(corners) < 3:
        raise InputError(
            f"the region of interest {text!r} needs 3 corners or more, but has {len(corners)}"
        )
    if corners.min() < 0 or corners.max() > 1:
        raise InputError(
            f"the region of interest {text!r} reaches out of the image; corners are x,y in "
            f"fractions of width and height, from 0 to 1"
        )
    mask = np.zeros((LONGEST, LONGEST), np.uint8)
    # Pixel n reaches from n to n + 1, and is drawn at its middle.
    points = np.round((corners * LONGEST - 0.5).clip(0, LONGEST - 1)).astype(np.int32)
    if cv2.contourArea(points) < 1:
        raise InputError(f"the region of interest {text!r} has no area")
    return cv2.fillPoly(mask, [points], 1) > 0


Given = Path | str | np.ndarray | Roi
"""What `Roi.read` takes."""
