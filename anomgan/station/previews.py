"""Pictures of a scored image for a page: the image made smaller, and its heat as a layer."""

import cv2
import matplotlib
import numpy as np

from anomgan.data.decode import reduced, to_uint8
from anomgan.detectors.result import Result
from anomgan.pictures.canvas import HEAT
from anomgan.pictures.overlay import heat_range

PHOTO, THUMBNAIL = 1024, 160
"""Pixels of the longer side."""


def heat_layer(result: Result, side: int | None = None) -> bytes:
    """The heatmap as a PNG to lay over the image: colours where it is warm, transparent elsewhere.

    Colours are those of the pictures of `anomgan score --heatmap`. They fade out below the heat at
    which regions are marked, so that a good part does not look alarming.

    Args:
        result: of the image.
        side: pixels of the longer side at most; None for the size of the image.
    """
    heat = result.heatmap if side is None else reduced(result.heatmap, side)
    low, high = heat_range(result.heat_threshold)
    warmth = np.clip((heat - low) / (high - low), 0, 1)
    colours = matplotlib.colormaps[HEAT](np.linspace(0, 1, 256), bytes=True)[:, 2::-1]  # to BGR
    opacity = np.clip((heat - low) / (result.heat_threshold - low), 0, 1) ** 4
    layer = np.dstack([colours[np.rint(warmth * 255).astype(np.uint8)], np.rint(opacity * 255)])
    return _encoded(".png", layer.astype(np.uint8), (cv2.IMWRITE_PNG_COMPRESSION, 1))


def photo(image: np.ndarray, bits: int, side: int) -> bytes:
    """An image (uint8 or uint16 of `bits` bits, [H, W] or [H, W, 3] in RGB) as a small JPEG."""
    small = to_uint8(reduced(image, side), bits)
    if small.ndim == 3:
        small = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    return _encoded(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, 88))


def _encoded(suffix: str, image: np.ndarray, settings: tuple[int, int]) -> bytes:
    _, data = cv2.imencode(suffix, image, settings)
    return data.tobytes()
