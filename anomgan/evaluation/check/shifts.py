"""How far parts have moved from where they usually lie, if they lie still."""

import cv2
import numpy as np

STILL = 0.6
"""Least correlation of the usual photograph with the median of all: parts lie in one place.
Where they lie in any direction, the median is a blur."""
CALM = 1.0
"""Pixels of 64 by which the usual photograph may be shifted."""
FAR = 2.0
"""Pixels of 64, 3% of the side, from which on a shift is told."""
BETTER = 0.5
"""A shift is believed if undoing it removes this share of what differs from the median."""
MOST = 500
"""Photographs that the median is taken of."""


def find_shifts(small: np.ndarray) -> np.ndarray | None:
    """How far each small photograph [n, h, w] is moved, as shares of width and height [n, 2].

    A shift that does not explain the difference is 0. None if the parts do not lie still.
    """
    median = np.median(small[:: -(-len(small) // MOST)], axis=0).astype(np.float32)
    window = cv2.createHanningWindow(median.shape[::-1], cv2.CV_32F)
    found = np.array([cv2.phaseCorrelate(median, one, window)[0] for one in small])
    found = np.nan_to_num(found)
    alike = np.array([_alike(one, median) for one in small])
    if np.median(alike) < STILL or np.median(np.linalg.norm(found, axis=1)) > CALM:
        return None
    for place, (x, y) in enumerate(found):
        back = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
        size = median.shape[::-1]
        undone = cv2.warpAffine(small[place], back, size, borderMode=cv2.BORDER_REPLICATE)
        if 1 - _alike(undone, median) > (1 - BETTER) * (1 - alike[place]):
            found[place] = 0
    return found / median.shape[::-1]


def where(shift: np.ndarray) -> str:
    """A shift in words; empty if it is too small."""
    x, y = shift
    if np.hypot(x, y) * 64 < FAR:
        return ""
    sides = [(x, "to the right", "to the left"), (y, "down", "up")]
    words = [f"{abs(by):.0%} {more if by > 0 else less}" for by, more, less in sides]
    return "moved " + " and ".join(w for w, (by, _, _) in zip(words, sides) if abs(by) >= 0.01)


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two images."""
    a, b = one - one.mean(), other - other.mean()
    scale = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 0.0
