"""Draws contact sheets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from anomgan.pictures.canvas import DPI, in_own_style, plain, save, show


@in_own_style
def save_grid(
    path: Path,
    rows: Sequence[Sequence[np.ndarray]],
    columns: Sequence[str],
    row_labels: Sequence[str] = (),
    title: str = "",
    *,
    limits: tuple[float, float] | None = None,
) -> None:
    """Save a contact sheet; cells are uint8 images or float maps [H, W].

    Maps are drawn on the scale `limits`, from the darkest value to the brightest. Without it, each
    column has its own scale.
    """
    figure = Figure(
        figsize=(2.2 * len(columns) + 0.6, 2.2 * len(rows) + 0.5), dpi=DPI, layout="constrained"
    )
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for c, name in enumerate(columns):
        maps = [row[c] for row in rows if row[c].dtype != np.uint8]
        own = (min(m.min() for m in maps), max(m.max() for m in maps)) if maps else (0, 255)
        grid[0, c].set_title(plain(name), fontsize=10)
        for r, row in enumerate(rows):
            show(grid[r, c], row[c], *(limits or own))
            if c == 0 and row_labels:
                grid[r, c].set_ylabel(plain(row_labels[r]), fontsize=9)
    if title:
        figure.suptitle(plain(title), fontsize=12)
    save(figure, path)


@in_own_style
def save_samples(
    path: Path, rows: Sequence[Sequence[np.ndarray]], columns: Sequence[str] = (), title: str = ""
) -> None:
    """Save rows of uint8 images of one size, with names above the columns.

    They share one axis: a grid of a hundred axes takes seconds to draw.
    """
    height, width = rows[0][0].shape[:2]
    gap = max(1, width // 16)
    sheet = np.full(
        (len(rows) * (height + gap) - gap, len(rows[0]) * (width + gap) - gap, 3), 255, np.uint8
    )
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            top, left = r * (height + gap), c * (width + gap)
            colour = image if image.ndim == 3 else image[:, :, None]
            sheet[top : top + height, left : left + width] = colour
    size = (1.2 * len(rows[0]) + 0.4, 1.2 * len(rows) * height / width + 0.6)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    axis = figure.subplots()
    show(axis, sheet)
    if any(columns):
        middles = [c * (width + gap) + width / 2 for c in range(len(columns))]
        axis.set_xticks(middles, [plain(name) for name in columns], fontsize=9)
        axis.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    if title:
        figure.suptitle(plain(title), fontsize=12)
    save(figure, path)
