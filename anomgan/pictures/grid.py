"""Draws contact sheets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from anomgan.pictures.canvas import DPI, plain, save, show


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
    figure = Figure(figsize=(2.2 * len(columns) + 0.6, 2.2 * len(rows) + 0.5), dpi=DPI)
    figure.set_layout_engine("constrained")
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
