"""Image files out."""

import zlib
from pathlib import Path

import cv2
import numpy as np

from anomgan.data.own_files import GENERATED, is_generated, refuse_to_overwrite
from anomgan.machine.files import atomic_path

BEFORE_TEXT = 33
"""Bytes of a PNG file before the place for text: its signature, and the chunk with its size."""


def write_png(path: Path, image: np.ndarray) -> None:
    """Write a uint8 image [H, W] or [H, W, 3] in RGB as it is, marked as made by anomgan.

    Raises:
        InputError: the folder cannot be written to, the disk is full, or there is a file that
            anomgan did not write.
    """
    refuse_to_overwrite(path, is_own=is_generated)
    pixels = image if image.ndim == 2 else image[:, :, ::-1]
    data = cv2.imencode(".png", pixels)[1].tobytes()
    length, check = (len(GENERATED) - 4).to_bytes(4), zlib.crc32(GENERATED).to_bytes(4)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data[:BEFORE_TEXT] + length + GENERATED + check + data[BEFORE_TEXT:])
