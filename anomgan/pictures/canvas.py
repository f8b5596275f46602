"""Shared parts of all pictures: colours, axes, and atomic writing."""

from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomgan.data.own_files import MARK, is_own_picture, refuse_to_overwrite
from anomgan.machine.files import atomic_path

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""
HEAT = "inferno"
DPI = 100
in_own_style = style.context("default")
"""Decorates what draws: a user's own style, such as text by LaTeX, changes and breaks nothing."""


def show(
    axis: Axes, image: np.ndarray, low: float = 0, high: float = 255, interpolation: str = "auto"
) -> None:
    """Draw an image uint8 [H, W] or [H, W, 3], or a map [H, W] in colours from low to high."""
    if image.dtype == np.uint8 and image.ndim == 2:
        image = np.dstack([image] * 3)  # a grey colour map would change some values by one
    axis.imshow(image, cmap=HEAT, vmin=low, vmax=high, interpolation=interpolation)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def plot(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """Make a figure with one set of axes."""
    figure = Figure(figsize=(7, 4.2), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    axis.set_title(plain(title), fontsize=11)
    axis.set_xlabel(x_label)
    axis.set_ylabel(y_label)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def plain(text: str) -> str:
    """Escape text, so that it is drawn as it is: no formulas, no undecodable bytes."""
    return text.encode("utf-8", "replace").decode().replace("$", r"\$")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, completely or not at all.

    Raises:
        InputError: the file cannot be written, or there is one that anomgan did not write.
    """
    refuse_to_overwrite(path, is_own=is_own_picture)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata=MARK)
