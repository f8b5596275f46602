"""Where the part is in an image: what differs from a plain background, or the whole image."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from anomgan.data.decode import reduced, with_channels
from anomgan.data.masks import find_masks, open_mask
from anomgan.errors import InputError

SIDE = 512
"""Pixels of the longer side at which a part is looked for."""
BORDER = 0.02
"""Width of the frame in which the background is looked for, as a share of the longer side."""
PLAIN = 0.25
"""The frame shows a plain background if it varies by less than this share of the image's range."""
AGREE = 0.8
"""Share of the images that must show a part on a plain background."""
LEAST, MOST = 0.01, 0.9
"""Share of the image that a part on a background covers."""


def on_background(images: Iterable[np.ndarray]) -> bool:
    """Whether images uint8 show a part on a plain background, most of them at least."""
    return bool(np.mean([find_part(image) is not None for image in images]) >= AGREE)


def find_part(image: np.ndarray) -> np.ndarray | None:
    """Find the part of an image uint8 [H, W] or [H, W, 3] that has a plain background.

    The background is what the frame of the image shows. The part is what differs from it in
    colour, divided by Otsu's threshold. From the half of it that differs most, a watershed grows to
    the nearest strong edge, so that a soft shadow is left out. Holes are filled, specks removed.

    Returns:
        bool [H, W], or None if the frame is not plain, or hardly anything or nearly all differs.
    """
    height, width = image.shape[:2]
    small = with_channels(reduced(image, SIDE), 3).astype(np.float32)
    frame = np.ones(small.shape[:2], bool)
    edge = max(1, round(BORDER * max(frame.shape)))
    frame[edge:-edge, edge:-edge] = False
    far = np.linalg.norm(small - np.median(small[frame], axis=0), axis=2)
    far = cv2.GaussianBlur(far, (0, 0), 1)
    reach = float(np.quantile(far, 0.99))
    if reach < 1 or np.quantile(far[frame], 0.9) > PLAIN * reach:
        return None
    scaled = np.minimum(far * (255 / reach), 255).astype(np.uint8)
    _, part = cv2.threshold(scaled, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    if not LEAST <= part.mean() <= MOST:
        return None
    part = _filled(_to_the_edge(small.astype(np.uint8), far, part > 0))
    if not LEAST <= part.mean() <= MOST:
        return None
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_NEAREST) > 0


def _to_the_edge(image: np.ndarray, far: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Grow from what is surely the part, and from the background, to the strongest edge between."""
    markers = np.where(dilated(part), 0, 1).astype(np.int32)
    markers[part & (far >= np.median(far[part]))] = 2
    return (cv2.watershed(image, markers) == 2).astype(np.uint8)


def dilated(mask: np.ndarray, reach: int = 2) -> np.ndarray:
    """Grow a mask bool [H, W] by some pixels."""
    side = 2 * reach + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _filled(part: np.ndarray) -> np.ndarray:
    """Fill holes, and drop pieces that are less than a twentieth of the largest one."""
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.contourArea(outline) for outline in outlines]
    large = [o for o, area in zip(outlines, areas) if area >= 0.05 * max(areas)]
    return cv2.drawContours(np.zeros_like(part), large, -1, 1, cv2.FILLED)


class Parts:
    """Finds the part in each image: from masks that a user has given, or from the image.

    Args:
        paths: of all images.
        images: some of them, uint8, to see whether they show a part on a plain background.
        masks: one mask for all images, or a folder with a mask for each.
        folder: of the images, in which masks are named as in `masks`.

    Raises:
        InputError: a mask is missing.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        images: Iterable[np.ndarray],
        masks: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        self.masks: dict[Path, Path] = {}
        if masks is None:
            self.way = "background" if on_background(images) else "whole"
            return
        self.way = "masks"
        if not masks.is_dir():
            self.masks = dict.fromkeys(paths, masks)
            return
        assert folder is not None
        for path, mask in zip(paths, find_masks(paths, folder, masks), strict=True):
            if mask is None:
                raise InputError(f"{masks} holds no mask of the part in {path}")
            self.masks[path] = mask

    def find(self, path: Path, image: np.ndarray) -> np.ndarray:
        """The part of an image uint8 [H, W] or [H, W, 3] as bool [H, W].

        Raises:
            InputError: the mask cannot be read, does not fit, or is empty.
        """
        shape = (image.shape[0], image.shape[1])
        if self.way == "masks":
            part = open_mask(self.masks[path], path, shape).pixels
            if not part.any():
                raise InputError(
                    f"the mask {self.masks[path]} is empty; it must be white on the part"
                )
            return part
        found = find_part(image) if self.way == "background" else None
        return np.ones(shape, bool) if found is None else found
