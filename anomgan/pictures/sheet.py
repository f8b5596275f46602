"""Draws a sheet of photographs, each under a title of its own."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import cv2
import numpy as np
from matplotlib.figure import Figure

from anomgan.pictures.canvas import DPI, plain, save, show

SIDE = 260
"""Pixels of the longer side of each photograph."""
LETTERS = 34
"""In a line of a title."""
COLUMNS = 5


def save_sheet(path: Path, images: Sequence[np.ndarray], titles: Sequence[str], title: str) -> None:
    """Save photographs, uint8 [H, W] or [H, W, 3], in rows; there is one at least."""
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(2.7 * max(2, columns), 3.5 * rows + 0.5), dpi=DPI)
    figure.set_layout_engine("constrained")
    figure.suptitle(plain(title), fontsize=12)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(images) :]:
        axis.set_axis_off()
    for axis, image, text in zip(axes, images, titles):
        show(axis, reduced(image))
        lines = (fill(line, LETTERS) for line in text.split("\n"))
        axis.set_title(plain("\n".join(lines)), fontsize=8)
    save(figure, path)


def reduced(image: np.ndarray) -> np.ndarray:
    """An image no larger than the sheet shows it."""
    height, width = image.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
