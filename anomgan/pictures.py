"""The pictures that people look at: overlays, histograms, ROC curves, contact sheets."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from anomgan.files import atomic_path

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, told apart by colour-blind readers."""
HEAT = "inferno"
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

    The colour scale runs from half the threshold to twice the threshold for every image, and
    what lies below is transparent: a good part does not look alarming.

    Args:
        path: PNG to write.
        image: uint8 [H, W] or [H, W, 3].
        heatmap: float [H, W], higher is more anomalous.
        threshold: value above which a place is anomalous.
        regions: boxes (x, y, width, height) to draw.
        title: line above the picture.
    """
    low, high = _heat_range(threshold)
    opacity = np.clip((heatmap - low) / (threshold - low), 0, 1) ** 2 * 0.75
    figure, axes = _panels(image.shape[:2], 2, title)
    for axis in axes:
        _show(axis, image)
    scale = ScalarMappable(Normalize(low, high), HEAT)
    axes[1].imshow(
        heatmap, cmap=HEAT, norm=scale.norm, alpha=opacity, interpolation="nearest"
    )
    for x, y, width, height in regions:
        box = (x - 1.5, y - 1.5), width + 2, height + 2
        axes[1].add_patch(Rectangle(*box, fill=False, edgecolor="#56B4E9", linewidth=1.0))
    bar = figure.colorbar(scale, ax=axes, fraction=0.03, pad=0.02, extend="max")
    bar.ax.axhline(threshold, color="#56B4E9", linewidth=2)
    bar.set_ticks([low, threshold, high])
    bar.set_ticklabels([f"{low:.3g}", f"{threshold:.3g}\nthreshold", f"{high:.3g}"])
    _save(figure, path)


def save_histogram(
    path: Path, scores: Mapping[str, np.ndarray], threshold: float, title: str
) -> None:
    """Histograms of named groups of scores on common bins, with the threshold.

    The axis is logarithmic when a few positive scores are far above the others.
    """
    values = np.concatenate([np.asarray(group, dtype=float) for group in scores.values()])
    low, high = min(values.min(), threshold), max(values.max(), threshold)
    if low == high:
        low, high = low - 0.5, high + 0.5
    skewed = low > 0 and high > 20 * np.median(values)
    bins = np.geomspace(low, high, 41) if skewed else np.linspace(low, high, 41)
    figure, axis = _plot(title, "score", "images")
    for (name, group), colour in zip(scores.items(), COLOURS, strict=False):
        label = f"{name} ({len(group)})"
        axis.hist(group, bins, color=colour, alpha=0.6, label=label, edgecolor="white", lw=0.3)
    axis.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.3g}")
    if skewed:
        axis.set_xscale("log")
    axis.legend(frameon=False)
    _save(figure, path)


def save_roc(
    path: Path, curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]], title: str
) -> None:
    """ROC curves: (false-positive rate, true-positive rate, AUROC) by name."""
    figure, axis = _plot(title, "false alarms among good parts", "defects found")
    figure.set_size_inches(5.5, 5.5)
    axis.plot([0, 1], [0, 1], color="0.7", linestyle=":", label="chance")
    for (name, (false_alarms, found, area)), colour in zip(curves.items(), COLOURS, strict=False):
        axis.plot(false_alarms, found, color=colour, linewidth=2, label=f"{name}: AUROC {area:.3f}")
    axis.set_aspect("equal")
    axis.legend(frameon=False, loc="lower right")
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
        grid[0, c].set_title(name, fontsize=10)
        for r, row in enumerate(rows):
            _show(grid[r, c], row[c], *scale)
            if c == 0 and row_labels:
                grid[r, c].set_ylabel(row_labels[r], fontsize=9)
    if title:
        figure.suptitle(title, fontsize=12)
    _save(figure, path)


def _heat_range(threshold: float) -> tuple[float, float]:
    reach = max(abs(threshold), 1e-6)
    return threshold - 0.5 * reach, threshold + reach


def _panels(shape: tuple[int, int], count: int, title: str) -> tuple[Figure, list[Axes]]:
    height, width = shape
    pixels = float(np.clip(height, 256, 1200))
    panel = pixels / DPI
    figure = Figure(figsize=(count * panel * width / height + 1.2, panel + 0.5), dpi=DPI)
    figure.set_layout_engine("constrained")
    if title:
        figure.suptitle(title, fontsize=10)
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _show(axis: Axes, image: np.ndarray, low: float = 0, high: float = 255) -> None:
    smooth = "nearest" if max(image.shape[:2]) < 128 else "antialiased"
    cmap = "gray" if image.dtype == np.uint8 else HEAT
    axis.imshow(image, cmap=cmap, vmin=low, vmax=high, interpolation=smooth)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def _plot(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 4.2), dpi=DPI)
    figure.set_layout_engine("constrained")
    axis = figure.subplots()
    axis.set_title(title, fontsize=11)
    axis.set_xlabel(x_label)
    axis.set_ylabel(y_label)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
