"""Turns a photograph into the image that the networks see, the same for fit and for score."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import cv2
import numpy as np
from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from anomgan.config import MAX_SIDE, ImageSettings, ViewSettings
from anomgan.data.decode import MAX_PIXELS, to_uint8, with_channels
from anomgan.data.views import HALF_RANGE
from anomgan.errors import InputError

if TYPE_CHECKING:  # at run time that would be a circle of imports
    from anomgan.data.normals import NormalImages

FLATTENED_RANGE = 3.0
"""Standard deviations that a flattened image spans on each side of mid grey."""


@dataclass(frozen=True, config=ConfigDict(strict=True))
class Preparation:
    """How images are prepared; decided once from the normal images and kept in the model.

    Attributes:
        channels: 1 (grey) or 3 (RGB).
        bits: significant bits of 16-bit images.
        view: "whole", "patch", "centre" (the middle square), or "features" for the input of a
            pretrained network.
        size: pixels; side of a view, or longer side of a network's input.
        scale: factor by which images are scaled (patch view).
        lighting: "keep" or "flatten".
        lighting_radius: Gaussian deviation for the local mean, as a share of the height.
    """

    channels: Literal[1, 3]
    bits: Annotated[int, Field(ge=8, le=16)]
    view: Literal["whole", "patch", "centre", "features"]
    size: Annotated[int, Field(ge=8, le=MAX_SIDE)]
    scale: Annotated[float, Field(gt=0, le=512)]
    lighting: Literal["keep", "flatten"]
    lighting_radius: Annotated[float, Field(ge=0, le=1)]

    @classmethod
    def of(
        cls,
        normals: "NormalImages",
        image: ImageSettings,
        view: ViewSettings,
        long_side: int | None = None,
    ) -> "Preparation":
        """Choose channels and scale by the normal images; see `decide`."""
        return cls.decide(
            image,
            view,
            all_grey=normals.all_grey,
            bits=normals.bits,
            shapes=normals.shapes(),
            long_side=long_side,
        )

    @classmethod
    def decide(
        cls,
        image: ImageSettings,
        view: ViewSettings,
        *,
        all_grey: bool,
        bits: int,
        shapes: Sequence[tuple[int, ...]],
        long_side: int | None = None,
    ) -> "Preparation":
        """Choose channels and scale by the normal images.

        In the patch view, images are scaled down to `image.max_side` on the longer side, but so
        that the shorter side is at least half a patch, or a patch if crops must lie inside an
        image. `long_side` is the input size of a pretrained network, if one sees the images.
        """
        grey = all_grey if image.channels == "auto" else image.channels == "grey"
        longest = float(np.median([max(shape[:2]) for shape in shapes]))
        shortest = float(np.median([min(shape[:2]) for shape in shapes]))
        needed = view.size / 2 if view.past_edge else view.size
        return cls(
            channels=1 if grey else 3,
            bits=bits,
            view=view.kind if long_side is None else "features",
            size=view.size if long_side is None else long_side,
            scale=max(min(1.0, image.max_side / longest), needed / shortest),
            lighting=image.lighting,
            lighting_radius=image.lighting_radius,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for model.json; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preparation":
        """Read values back.

        Raises:
            ValueError: names those that are missing, unknown or out of range.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            wrong = (f"{detail['loc'][0]}: {detail['msg']}" for detail in error.errors())
            raise ValueError("preparation." + "; preparation.".join(wrong)) from error

    def __call__(self, image: np.ndarray, name: str = "image") -> np.ndarray:
        """Prepare a decoded image [H, W] or [H, W, 3] as uint8 [h, w, channels].

        In the patch view both sides are scaled by `scale`; otherwise the longer side becomes
        `size`, in the centre view after the image is cut to a square. The aspect ratio is kept.

        Raises:
            InputError: the image is smaller than half a patch, or too large when scaled.
        """
        if self.view == "centre":
            image = _middle_square(image)
        x = with_channels(to_uint8(image, self.bits), self.channels)
        height, width = x.shape[:2]
        scale = self.scale if self.view == "patch" else self.size / max(height, width)
        new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))
        # Reflection can fill up to half a patch.
        if self.view == "patch" and 2 * min(new_height, new_width) < self.size:
            scaled = f" ({new_width} x {new_height} after scaling)" if scale != 1 else ""
            raise InputError(
                f"{name} is {width} x {height} pixels{scaled}, smaller than half a patch of "
                f"{self.size} x {self.size}; use larger images, or fit with a smaller view.size "
                f"or with view.kind=whole"
            )
        if new_height * new_width > MAX_PIXELS:
            raise InputError(
                f"{name} is {width} x {height} pixels, {new_width} x {new_height} after scaling, "
                f"which is too large; give smaller images to this model"
            )
        if (new_height, new_width) != (height, width):
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            x = cv2.resize(x, (new_width, new_height), interpolation=method)
        x = x.reshape(new_height, new_width, self.channels)
        return flatten_lighting(x, self.lighting_radius) if self.lighting == "flatten" else x


def _middle_square(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def flatten_lighting(image: np.ndarray, radius: float) -> np.ndarray:
    """Remove slow brightness changes and even out the contrast; uint8 [H, W, C] to the same.

    Every pixel becomes (value - local mean) / deviation. The local mean is that of a Gaussian
    window of `radius` times the height. The deviation is that of the whole image: a local one
    would even out large defects, and amplify noise in blank areas.
    """
    x = image.astype(np.float32)
    detail = x - _blur(x, max(1.0, radius * image.shape[0]))
    deviation = np.sqrt(np.square(detail).mean() + 1)
    flat = detail / (FLATTENED_RANGE * deviation)
    return np.clip(np.rint((flat + 1) * HALF_RANGE), 0, 255).astype(np.uint8)


def _blur(x: np.ndarray, sigma: float) -> np.ndarray:
    """Wide Gaussian on float32 [H, W, C]; done at a quarter of the size where nothing is lost."""
    height, width = x.shape[:2]
    shrink = min(4, int(sigma / 3))
    if shrink < 2 or min(height, width) < 8 * shrink:
        return cv2.GaussianBlur(x, (0, 0), sigma).reshape(x.shape)
    small = cv2.resize(x, (width // shrink, height // shrink), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).reshape(x.shape)
