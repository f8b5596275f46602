"""Which frames of a camera or a video to look at."""

from collections.abc import Callable

import numpy as np

from anomgan.data.decode import reduced

SMALL = 64
"""Longer side of the picture in which movement is looked for; small enough to average out noise."""
MOVED = 12
"""Change of any pixel of that picture, of 255, that counts as movement."""
QUIET = 0.3
"""Seconds without movement after which a picture has settled."""
Trigger = Callable[[float, np.ndarray], bool]
"""Whether to look at a frame, by its time and pixels. It is asked about every frame, in order."""


def every_frame(time: float, image: np.ndarray) -> bool:
    """Look at all frames."""
    return True


class Every:
    """Look at one frame every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds - 1e-6  # times of frames are rounded
        self._last: float | None = None

    def __call__(self, time: float, image: np.ndarray) -> bool:
        # Absolute, as the clock of a camera's frames may be set back.
        if self._last is not None and abs(time - self._last) < self._seconds:
            return False
        self._last = time
        return True


class WhenSettled:
    """Look once each time that the picture has come to rest, and once at the start."""

    def __init__(self) -> None:
        self._reference: np.ndarray | None = None
        self._since = 0.0
        self._has_moved = True

    def __call__(self, time: float, image: np.ndarray) -> bool:
        small = reduced(image, SMALL).astype(np.int16)
        reference = self._reference
        if (
            reference is None
            or small.shape != reference.shape
            or np.abs(small - reference).max() > MOVED
        ):
            self._reference, self._since, self._has_moved = small, time, True
            return False
        if abs(time - self._since) < QUIET:
            return False
        # The reference is never old, or a slow change of the light would count as movement.
        self._reference, self._since = small, time
        settled, self._has_moved = self._has_moved, False
        return settled
