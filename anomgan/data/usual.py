"""Simple statistics of good images, which detect a frame that shows no part at all.

A detector compares small places with what it has learnt. A frame that is black or out of focus may
have nothing that is not in the background of good images. So the whole frame is compared, too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from anomgan.data.decode import is_grey, reduced, to_uint8, with_channels
from anomgan.data.roi import Roi

SIDE = 512
"""Longer side in pixels that images are scaled down to; sharpness depends on it."""
LEAST_MARGIN = {"brightness": 25.0, "red": 15.0, "blue": 15.0}
"""Grey levels of 255. Good images may be this far outside the range that was seen, or as far as
the range is wide."""
FACTOR = 2.0
"""All other statistics may be smaller, or larger, than in any good image seen by this factor."""
NO_CONTRAST = 2.0
"""Grey levels of 255, standard deviation."""
WORDS = {
    "brightness": ("darker", "brighter"),
    "contrast": ("less contrast", "more contrast"),
    "sharpness": ("less sharp", "more noise or detail"),
    "red": ("other colours", "other colours"),
    "blue": ("other colours", "other colours"),
    "height": ("smaller", "larger"),
    "width": ("smaller", "larger"),
}


def plain_statistics(image: np.ndarray, roi: Roi | None = None) -> dict[str, float]:
    """Brightness, contrast, sharpness, colour and size of an image uint8 [H, W] or [H, W, 3].

    All but the size are those of the region of interest.

    Contrast is the standard deviation of the grey values. Sharpness is that of their differences
    from the mean of 3 x 3 pixels. "red" and "blue" are the means of these channels minus green.
    """
    height, width = image.shape[:2]
    image = reduced(image, SIDE)
    grey = with_channels(image, 1)[:, :, 0].astype(np.float32)
    inside = np.s_[:, :] if roi is None else roi.at(image.shape)
    red, green, blue = with_channels(image, 3)[inside].reshape(-1, 3).mean(0)
    return {
        "brightness": float(grey[inside].mean()),
        "contrast": float(grey[inside].std()),
        "sharpness": float((grey - cv2.blur(grey, (3, 3)))[inside].std()),
        "red": float(red - green),
        "blue": float(blue - green),
        "height": float(height),
        "width": float(width),
    }


@dataclass(frozen=True, config=ConfigDict(strict=True))
class Usual:
    """The ranges in which the simple statistics of good images lie.

    Attributes:
        low: least value of each statistic.
        high: largest value of each.
        depths: bits per channel of the files, 8 or 16.
        grey: whether no image has colour.
    """

    low: dict[str, float]
    high: dict[str, float]
    depths: list[int]
    grey: bool

    @classmethod
    def measure(cls, images: Iterable[np.ndarray], bits: int, roi: Roi | None = None) -> "Usual":
        """Measure good images, uint8 or uint16 [H, W] or [H, W, 3], at least one.

        Args:
            images: as they were decoded.
            bits: significant bits of the 16-bit ones.
            roi: the part of each image that counts; None for all of it.
        """
        found, depths, grey = [], set(), True
        for image in images:
            found.append(plain_statistics(to_uint8(image, bits), roi))
            depths.add(8 * image.itemsize)
            grey = grey and is_grey(image)
        low = {name: min(one[name] for one in found) for name in WORDS}
        high = {name: max(one[name] for one in found) for name in WORDS}
        return cls(low, high, sorted(depths), grey)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Usual":
        """Read the values of `as_dict` back.

        Raises:
            ValueError: they cannot be those of good images.
        """
        try:
            usual = cls(**values)
        except ValidationError as error:
            raise ValueError(f"usual: {error.errors()[0]['msg']}") from error
        if not set(WORDS) == set(usual.low) == set(usual.high):
            raise ValueError("usual: low and high must name all statistics")
        return usual

    def as_dict(self) -> dict[str, Any]:
        """Plain values for model.json."""
        return asdict(self)

    def joined(self, other: "Usual") -> "Usual":
        """The ranges that hold both."""
        low = {name: min(self.low[name], other.low[name]) for name in WORDS}
        high = {name: max(self.high[name], other.high[name]) for name in WORDS}
        depths = sorted({*self.depths, *other.depths})
        return Usual(low, high, depths, self.grey and other.grey)

    def unlike(self, image: np.ndarray, roi: Roi | None = None) -> str | None:
        """How a uint8 image differs greatly from all good ones, in words; None if it does not.

        The limits are wide, so this adds hardly any false alarms to those of a calibrated score.
        """
        words = []
        for name, value in plain_statistics(image, roi).items():
            low, high = self._limits(name)
            if name == "contrast" and value < min(low, NO_CONTRAST):
                words.append("no contrast")
            elif not low <= value <= high:
                words.append(WORDS[name][value > high])
        return ", ".join(dict.fromkeys(words)) or None

    def differences(self, image: np.ndarray) -> list[str]:
        """How an image differs in kind from the good ones: colour, depth, size; a text for each.

        The texts do not depend on the image, so each needs to be said only once.
        """
        found = []
        if self.grey and not is_grey(image):
            found.append("colour images, but all images learnt were grey: colour is ignored")
        depth = 8 * image.itemsize
        if depth not in self.depths:
            learnt = " and ".join(map(str, self.depths))
            found.append(f"images of {depth} bits, but those learnt had {learnt}")
        size = dict(zip(("height", "width"), image.shape))
        if any(not self.low[name] <= side <= self.high[name] for name, side in size.items()):
            found.append(f"images of another size than those learnt ({self._sizes()} px)")
        return found

    def _limits(self, name: str) -> tuple[float, float]:
        low, high = self.low[name], self.high[name]
        if name in LEAST_MARGIN:
            margin = max(LEAST_MARGIN[name], high - low)
            return low - margin, high + margin
        return low / FACTOR, high * FACTOR

    def _sizes(self) -> str:
        spans = [
            f"{low:g}" if low == high else f"{low:g} to {high:g}"
            for low, high in ((self.low[name], self.high[name]) for name in ("width", "height"))
        ]
        return " x ".join(spans)
