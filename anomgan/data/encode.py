"""Image files out, and heatmaps as arrays."""

import zlib
from pathlib import Path

import cv2
import numpy as np

from anomgan.data.own_files import (
    GENERATED,
    HEATMAP,
    is_generated,
    is_heatmap,
    refuse_to_overwrite,
)
from anomgan.machine.files import atomic_path

HEADER = 256
"""Bytes of a heatmap's file before its values."""
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


def write_heatmap(path: Path, heatmap: np.ndarray) -> None:
    """Write a heatmap float32 [H, W] as .npy, marked as made by anomgan.

    Raises:
        InputError: as `write_png`.
    """
    refuse_to_overwrite(path, is_own=is_heatmap)
    header = HEATMAP + f"'fortran_order': False, 'shape': {heatmap.shape}, }}".encode()
    with atomic_path(path) as temporary:
        temporary.write_bytes(header.ljust(HEADER - 1) + b"\n" + heatmap.astype("<f4").tobytes())
