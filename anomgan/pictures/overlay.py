"""Draws an image and its heatmap."""

import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from anomgan.pictures.canvas import DPI, HEAT, in_own_style, plain, save, show

MARK = "#56B4E9"


@in_own_style
def save_overlay(
    path: Path,
    image: np.ndarray,
    heatmap: np.ndarray,
    *,
    threshold: float,
    regions: Sequence[tuple[int, int, int, int]] = (),
    title: str = "",
) -> None:
    """Save an image beside the same image under its heatmap, with a colour bar.

    Only places above the threshold are coloured. The scale ends at twice the threshold for every
    image, so that a good part does not look alarming. In images up to 1200 pixels high, each pixel
    is drawn as a square of whole pixels.

    Args:
        path: PNG to write.
        image: uint8 [H, W] or [H, W, 3].
        heatmap: float [H, W], higher is more anomalous.
        threshold: value above which a place is anomalous.
        regions: boxes (x, y, width, height) to draw.
        title: text above the picture, wrapped if it is too long.
    """
    zoom = _zoom(*image.shape[:2])
    figure, (photograph, overlay, beside) = _panels(image.shape[:2], zoom, title)
    low, high = heat_range(threshold)
    scale = ScalarMappable(Normalize(low, high), HEAT)
    sharp = "nearest" if zoom >= 1 else "antialiased"
    for axis in (photograph, overlay):
        show(axis, image, interpolation=sharp)
    colours = scale.to_rgba(heatmap, alpha=0.65 * (heatmap > threshold))
    overlay.imshow(colours, interpolation=sharp)
    gap = 1.5 / zoom
    for x, y, width, height in regions:
        corner = x - 0.5 - gap, y - 0.5 - gap
        size = width + 2 * gap, height + 2 * gap
        overlay.add_patch(Rectangle(corner, *size, fill=False, edgecolor=MARK, clip_on=False))
    bar = figure.colorbar(scale, cax=beside, extend="max", extendfrac=0.03)
    beside.axhspan(low, threshold, color="white")
    beside.axhline(threshold, color=MARK, linewidth=2)
    bar.set_ticks([threshold, high], labels=[f"{threshold:.3g}\nthreshold", f"{high:.3g}"])
    bar.set_label("heat", labelpad=-45)
    save(figure, path)


def heat_range(threshold: float) -> tuple[float, float]:
    """The values between which heat changes its colour."""
    reach = abs(threshold) or 1.0
    return threshold - 0.5 * reach, threshold + reach


def _zoom(height: int, width: int) -> float:
    """Choose a whole-number enlargement to 256 pixels of height; reduce only large images."""
    return min(max(1, math.ceil(256 / height)), 1200 / height, 4096 / width)


def _panels(shape: tuple[int, int], zoom: float, title: str) -> tuple[Figure, list[Axes]]:
    """Make two panels of exactly `zoom` times `shape` pixels, and a narrow one for a colour bar."""
    height, width = (max(1, round(zoom * side)) for side in shape)
    space, bar, labels = 12, 16, 90
    total_width = 2 * width + 4 * space + bar + labels
    lines = wrap(title, (total_width - 2 * space) // 8)
    total_height = height + 2 * space + 18 * len(lines)
    # A hundredth of a pixel more, because rounding down would lose a whole pixel.
    figure = Figure(((total_width + 0.01) / DPI, (total_height + 0.01) / DPI), dpi=DPI)
    figure.text(
        space / total_width, 1 - 8 / total_height, plain("\n".join(lines)), va="top", fontsize=10
    )
    corners = [(space, width), (2 * space + width, width), (3 * space + 2 * width, bar)]
    return figure, [
        figure.add_axes(
            (
                left / total_width,
                space / total_height,
                wide / total_width,
                height / total_height,
            )
        )
        for left, wide in corners
    ]
