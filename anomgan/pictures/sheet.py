"""Draws a sheet of photographs, each under a title of its own."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure

from anomgan.data.decode import reduced
from anomgan.pictures.canvas import DPI, in_own_style, plain, save, show

SIDE = 260
"""Pixels of the longer side of each photograph."""
LETTERS = 34
"""In a line of a title."""
COLUMNS = 5


@in_own_style
def save_sheet(path: Path, images: Sequence[np.ndarray], titles: Sequence[str], title: str) -> None:
    """Save photographs, uint8 [H, W] or [H, W, 3], in rows; there is one at least."""
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(
        figsize=(2.7 * max(2, columns), 3.5 * rows + 0.5), dpi=DPI, layout="constrained"
    )
    figure.suptitle(plain(title), fontsize=12)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(images) :]:
        axis.set_axis_off()
    for axis, image, text in zip(axes, images, titles):
        show(axis, reduced(image, SIDE))
        lines = (fill(line, LETTERS) for line in text.split("\n"))
        axis.set_title(plain("\n".join(lines)), fontsize=8)
    save(figure, path)
