"""The pictures that people look at: overlays, histograms, ROC curves, contact sheets."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle, product
from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from anomgan.files import atomic_path

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, told apart by colour-blind readers."""
HEAT = "inferno"
MARK = "#56B4E9"
DPI = 100


def save_overlay(
    path: Path,
    image: np.ndarray,
    heatmap: np.ndarray,
    *,
    threshold: float,
    regions: Sequence[tuple[int, int, int, int]] = (),
    title: str = "",
) -> None:
    """A photograph beside the same photograph under its heatmap, with a colour bar.

    Only what lies above the threshold is coloured, on a scale that ends at twice the threshold
    for every image: a good part does not look alarming. Up to 1200 pixels high, each pixel of the
    photograph is shown as a square of whole pixels.

    Args:
        path: PNG to write.
        image: uint8 [H, W] or [H, W, 3].
        heatmap: float [H, W], higher is more anomalous.
        threshold: value above which a place is anomalous.
        regions: boxes (x, y, width, height) to draw.
        title: line above the picture, wrapped where it is too long.
    """
    zoom = _zoom(*image.shape[:2])
    figure, (photograph, overlay, beside) = _panels(image.shape[:2], zoom, title)
    low, high = _heat_range(threshold)
    scale = ScalarMappable(Normalize(low, high), HEAT)
    sharp = "nearest" if zoom >= 1 else "antialiased"
    for axis in (photograph, overlay):
        _show(axis, image, interpolation=sharp)
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
    _save(figure, path)


def save_histogram(
    path: Path, scores: Mapping[str, np.ndarray], threshold: float, title: str
) -> None:
    """Histograms of named groups of scores on common bins, with the threshold.

    The axis is logarithmic when a few positive scores are far above the others.
    """
    values = np.concatenate([np.asarray(group, dtype=float) for group in scores.values()])
    low, high = min(values.min(), threshold), max(values.max(), threshold)
    size = max(abs(low), abs(high)) or 1.0
    if high - low < 1e-6 * size:
        low, high = low - 0.5 * size, high + 0.5 * size
    skewed = low > 0 and high > 20 * np.median(values)
    bins = np.geomspace(low, high, 42) if skewed else np.linspace(low, high, 42)
    figure, axis = _plot(title, "score", "images")
    for (name, group), colour in zip(scores.items(), cycle(COLOURS), strict=False):
        label = _plain(f"{name} ({len(group)})")
        axis.hist(group, bins, color=colour, alpha=0.6, label=label, edgecolor="white", lw=0.3)
    axis.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.3g}")
    if skewed:
        axis.set_xscale("log")
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(frameon=False)
    _save(figure, path)


def save_roc(
    path: Path, curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]], title: str
) -> None:
    """ROC curves: (false-positive rate, true-positive rate, AUROC) by name."""
    figure, axis = _plot(title, "false alarms among good parts", "defects found")
    figure.set_size_inches(5.5, 5.5)
    styles = cycle(product(("-", "--"), COLOURS))
    for (name, (false_alarms, found, area)), style in zip(curves.items(), styles, strict=False):
        label = _plain(f"{name}: AUROC {area:.3f}")
        axis.plot(false_alarms, found, linestyle=style[0], color=style[1], lw=2, label=label)
    axis.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="chance")
    axis.set_aspect("equal")
    axis.legend(frameon=False, loc="lower right")
    _save(figure, path)


def save_precision_recall(
    path: Path,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]],
    share: float,
    title: str,
) -> None:
    """Precision-recall curves: (recall, precision, average precision) by name.

    Args:
        path: PNG to write.
        curves: as above.
        share: of the images that are anomalous, the precision of chance.
        title: above the picture.
    """
    figure, axis = _plot(title, "defects found", "alarms that are defects")
    figure.set_size_inches(5.5, 5.5)
    for (name, (recall, precision, area)), colour in zip(
        curves.items(), cycle(COLOURS), strict=False
    ):
        label = _plain(f"{name}: AP {area:.3f}")
        axis.step(recall, precision, where="post", color=colour, lw=2, label=label)
    axis.axhline(share, color="0.6", linestyle=":", label="chance")
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axis.legend(frameon=False, loc="lower left")
    _save(figure, path)


def save_curves(path: Path, history: Sequence[Mapping[str, float]], title: str) -> None:
    """Losses over the steps of a training, smoothed, over their pale raw values.

    The Wasserstein estimate, penalties, and how often players train have panels of their own,
    because their scales are.

    Args:
        path: PNG to write.
        history: rows with "step" and any of the terms; a term that is not in a row has no point.
        title: above the picture.
    """
    panels = _curve_panels(history)
    figure = Figure(figsize=(7, 1 + 2.6 * len(panels)), dpi=DPI)
    figure.set_layout_engine("constrained")
    figure.suptitle(_plain(title), fontsize=11)
    axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axis, (label, names) in zip(axes, panels.items(), strict=True):
        for name, colour in zip(names, cycle(COLOURS), strict=False):
            rows = [row for row in history if name in row]
            steps, values = (np.array([row[key] for row in rows]) for key in ("step", name))
            line = "." if len(rows) == 1 else "-"  # a line through one point is not to be seen
            axis.plot(steps, values, color=colour, alpha=0.25)
            axis.plot(steps, _smooth(values), line, color=colour, label=name.replace("_", " "))
        axis.set_ylabel(label)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    axes[-1].set_xlabel("steps")
    _save(figure, path)


def save_grid(
    path: Path,
    rows: Sequence[Sequence[np.ndarray]],
    columns: Sequence[str],
    row_labels: Sequence[str] = (),
    title: str = "",
) -> None:
    """A contact sheet; cells are uint8 images or float maps [H, W], on one scale per column."""
    figure = Figure(figsize=(2.2 * len(columns) + 0.6, 2.2 * len(rows) + 0.5), dpi=DPI)
    figure.set_layout_engine("constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for c, name in enumerate(columns):
        maps = [row[c] for row in rows if row[c].dtype != np.uint8]
        scale = (min(m.min() for m in maps), max(m.max() for m in maps)) if maps else (0, 255)
        grid[0, c].set_title(_plain(name), fontsize=10)
        for r, row in enumerate(rows):
            _show(grid[r, c], row[c], *scale)
            if c == 0 and row_labels:
                grid[r, c].set_ylabel(_plain(row_labels[r]), fontsize=9)
    if title:
        figure.suptitle(_plain(title), fontsize=12)
    _save(figure, path)


def _curve_panels(history: Sequence[Mapping[str, float]]) -> dict[str, list[str]]:
    """The terms of each panel, by its label; without players that train at every step."""
    panels: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for row in history for name in row if name != "step"):
        label = {"wasserstein": "Wasserstein estimate", "penalty": "penalty"}.get(name, "loss")
        if name.endswith("_trains"):
            if all(row.get(name, 1) == 1 for row in history):
                continue
            label = "share of steps"
        panels.setdefault(label, []).append(name)
    return dict(sorted(panels.items(), key=lambda panel: panel[0] != "loss"))


def _smooth(values: np.ndarray) -> np.ndarray:
    """Means over a tenth of the values around each, over fewer at the ends."""
    half = len(values) // 20
    sums = np.concatenate([[0], np.cumsum(values)])
    first = np.maximum(np.arange(len(values)) - half, 0)
    last = np.minimum(np.arange(len(values)) + half + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)


def _heat_range(threshold: float) -> tuple[float, float]:
    reach = abs(threshold) or 1.0
    return threshold - 0.5 * reach, threshold + reach


def _zoom(height: int, width: int) -> float:
    """Whole-number enlargement to 256 pixels of height; reduction only of what is too large."""
    return min(max(1, math.ceil(256 / height)), 1200 / height, 4096 / width)


def _panels(shape: tuple[int, int], zoom: float, title: str) -> tuple[Figure, list[Axes]]:
    """Two panels of exactly `zoom` times `shape` pixels, and a narrow one for a colour bar."""
    height, width = (max(1, round(zoom * side)) for side in shape)
    space, bar, labels = 12, 16, 90
    total_width = 2 * width + 4 * space + bar + labels
    lines = wrap(title, (total_width - 2 * space) // 8)
    total_height = height + 2 * space + 18 * len(lines)
    # A hundredth of a pixel more, because a size that is rounded down would lose a whole one.
    figure = Figure(((total_width + 0.01) / DPI, (total_height + 0.01) / DPI), dpi=DPI)
    figure.text(
        space / total_width, 1 - 8 / total_height, _plain("\n".join(lines)), va="top", fontsize=10
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


def _plain(text: str) -> str:
    """Text to be drawn as it is: no formula between dollar signs, no undecodable bytes."""
    return text.encode("utf-8", "replace").decode().replace("$", r"\$")


def _show(
    axis: Axes, image: np.ndarray, low: float = 0, high: float = 255, interpolation: str = "auto"
) -> None:
    if image.dtype == np.uint8 and image.ndim == 2:
        image = np.dstack([image] * 3)  # a grey colour map would be off by one here and there
    axis.imshow(image, cmap=HEAT, vmin=low, vmax=high, interpolation=interpolation)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def _plot(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4.2), dpi=DPI)
    figure.set_layout_engine("constrained")
    axis = figure.subplots()
    axis.set_title(_plain(title), fontsize=11)
    axis.set_xlabel(x_label)
    axis.set_ylabel(y_label)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
