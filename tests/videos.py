"""Videos for tests, without loss."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

FPS = 10.0


def write_video(path: Path, images: Sequence[np.ndarray], codec: str = "FFV1") -> Path:
    """Write images uint8 [H, W, 3] in RGB, ten a second."""
    height, width = images[0].shape[:2] if images else (48, 64)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), FPS, (width, height))
    for image in images:
        writer.write(image[:, :, ::-1])
    writer.release()
    return path
