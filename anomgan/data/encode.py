"""Image files out."""

from pathlib import Path

import cv2
import numpy as np

from anomgan.machine.files import atomic_path


def write_png(path: Path, image: np.ndarray) -> None:
    """Write a uint8 image [H, W] or [H, W, 3] in RGB as it is.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    pixels = image if image.ndim == 2 else image[:, :, ::-1]
    _, data = cv2.imencode(".png", pixels)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())
