"""Finds parts that lie elsewhere than usual, if the others lie still."""

import cv2
import numpy as np

from anomgan.evaluation.check.robust import FAR, deviations

STILL = 0.6
"""Least correlation of a typical photograph with the median of all if parts lie in one place.
If they lie in all directions, the median is a blur."""
CALM = 1.0
"""Pixels of the small version by which a typical photograph may be shifted."""
LEAST_SHIFT = 0.03
"""Share of a side; a smaller shift is not reported."""
BETTER = 0.5
"""A shift counts if undoing it removes this share of the difference from the median."""
MOST = 500
"""Most photographs for the median."""


def find_shifts(small: np.ndarray) -> np.ndarray | None:
    """The shift of each small photograph [n, h, w], as shares of width and height [n, 2].

    It is 0 if it is not far out or does not explain the difference. None if the parts do not lie
    still.
    """
    median = np.median(small[:: -(-len(small) // MOST)], axis=0).astype(np.float32)
    window = cv2.createHanningWindow(median.shape[::-1], cv2.CV_32F)
    found = np.array([_shift(one, median, window) for one in small])
    lengths = np.linalg.norm(found, axis=1)
    alike = np.array([_alike(one, median) for one in small])
    if np.median(alike) < STILL or np.median(lengths) > CALM:
        return None
    far = (deviations(lengths) > FAR) & (lengths > LEAST_SHIFT * median.shape[1])
    found[~far] = 0
    for place in np.flatnonzero(far):
        x, y = found[place]
        back = np.array([[1, 0, -x], [0, 1, -y]], np.float32)
        size = median.shape[::-1]
        undone = cv2.warpAffine(small[place], back, size, borderMode=cv2.BORDER_REPLICATE)
        if 1 - _alike(undone, median) > (1 - BETTER) * (1 - alike[place]):
            found[place] = 0
    return found / median.shape[::-1]


def where(x: float, y: float) -> str:
    """Describe a shift."""
    sides = [(x, "to the right", "to the left"), (y, "down", "up")]
    words = [f"{abs(by):.0%} {more if by > 0 else less}" for by, more, less in sides]
    return "moved " + " and ".join(w for w, (by, _, _) in zip(words, sides) if abs(by) >= 0.01)


def _shift(one: np.ndarray, median: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Shift of an image from the median, in pixels (x, y)."""
    # Copies, because OpenCV multiplies the window into its inputs.
    found, _ = cv2.phaseCorrelate(median.copy(), one.copy(), window)
    return np.nan_to_num(found)


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two images."""
    a, b = one - one.mean(), other - other.mean()
    scale = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 0.0
