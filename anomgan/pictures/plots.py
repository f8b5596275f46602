"""Plots histograms of scores, curves of detectors, and curves of training."""

from collections.abc import Mapping, Sequence
from itertools import cycle, product
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anomgan.pictures.canvas import COLOURS, DPI, in_own_style, plain, plot, save


@in_own_style
def save_histogram(
    path: Path, scores: Mapping[str, np.ndarray], threshold: float, title: str
) -> None:
    """Save histograms of named groups of scores on common bins, with the threshold.

    The axis is logarithmic when a few positive scores are far above the others.
    """
    values = np.concatenate([np.asarray(group, dtype=float) for group in scores.values()])
    low, high = min(values.min(), threshold), max(values.max(), threshold)
    size = max(abs(low), abs(high)) or 1.0
    if high - low < 1e-6 * size:
        low, high = low - 0.5 * size, high + 0.5 * size
    skewed = low > 0 and high > 20 * np.median(values)
    edges = np.geomspace(low, high, 42) if skewed else np.linspace(low, high, 42)
    bins = list(edges)
    figure, axis = plot(title, "score", "images")
    for (name, group), colour in zip(scores.items(), cycle(COLOURS), strict=False):
        label = plain(f"{name} ({len(group)})")
        axis.hist(group, bins, color=colour, alpha=0.6, label=label, edgecolor="white", lw=0.3)
    axis.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.3g}")
    if skewed:
        axis.set_xscale("log")
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(frameon=False)
    save(figure, path)


@in_own_style
def save_roc(
    path: Path, curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]], title: str
) -> None:
    """Save ROC curves: (false-positive rate, true-positive rate, AUROC) by name."""
    figure, axis = plot(title, "false alarms among good parts", "defects found")
    figure.set_size_inches(5.5, 5.5 + 0.25 * len(curves))
    styles = cycle(product(("-", "--"), COLOURS))
    for (name, (false_alarms, found, area)), style in zip(curves.items(), styles, strict=False):
        label = fill(plain(f"{name}: AUROC {area:.3f}"), 60)
        axis.plot(false_alarms, found, linestyle=style[0], color=style[1], lw=2, label=label)
    axis.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="chance")
    axis.set_aspect("equal")
    # Outside, because a long legend inside would cover the curves.
    figure.legend(frameon=False, loc="outside lower center")
    save(figure, path)


@in_own_style
def save_precision_recall(
    path: Path,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]],
    share: float,
    title: str,
) -> None:
    """Save precision-recall curves: (recall, precision, average precision) by name.

    Args:
        path: PNG to write.
        curves: (recall, precision, average precision) by name.
        share: share of anomalous images, which is the precision of chance.
        title: text above the picture.
    """
    figure, axis = plot(title, "defects found", "alarms that are defects")
    figure.set_size_inches(5.5, 5.5)
    for (name, (recall, precision, area)), colour in zip(
        curves.items(), cycle(COLOURS), strict=False
    ):
        label = plain(f"{name}: AP {area:.3f}")
        axis.step(recall, precision, where="post", color=colour, lw=2, label=label)
    axis.axhline(share, color="0.6", linestyle=":", label="chance")
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axis.legend(frameon=False, loc="lower left")
    save(figure, path)


@in_own_style
def save_curves(path: Path, history: Sequence[Mapping[str, float]], title: str) -> None:
    """Save the losses over the training steps: smoothed curves over pale raw values.

    The Wasserstein estimate, penalties, and the share of steps in which players train have their
    own panels, because their scales differ.

    Args:
        path: PNG to write.
        history: rows with "step" and any of the terms; a term that is not in a row has no point.
        title: text above the picture.
    """
    panels = _curve_panels(history)
    figure = Figure(figsize=(7, 1 + 2.6 * len(panels)), dpi=DPI, layout="constrained")
    figure.suptitle(plain(title), fontsize=11)
    axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axis, (label, names) in zip(axes, panels.items(), strict=True):
        for name, colour in zip(names, cycle(COLOURS), strict=False):
            rows = [row for row in history if name in row]
            steps, values = (np.array([row[key] for row in rows]) for key in ("step", name))
            line = "." if len(rows) == 1 else "-"  # a line through one point is invisible
            axis.plot(steps, values, color=colour, alpha=0.25)
            axis.plot(steps, _smooth(values), line, color=colour, label=name.replace("_", " "))
        axis.set_ylabel(label)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False)
    axes[-1].set_xlabel("steps")
    save(figure, path)


def _curve_panels(history: Sequence[Mapping[str, float]]) -> dict[str, list[str]]:
    """Group terms by the label of their panel; leave out players that train at every step."""
    panels: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for row in history for name in row if name != "step"):
        label = {"wasserstein": "Wasserstein estimate", "penalty": "penalty"}.get(name, "loss")
        if name.endswith("_trains"):
            if all(row.get(name, 1) == 1 for row in history):
                continue
            label = "share of steps"
        if name.startswith("kid_"):
            label = "quality, 0 at best"
        panels.setdefault(label, []).append(name)
    return dict(sorted(panels.items(), key=lambda panel: panel[0] != "loss"))


def _smooth(values: np.ndarray) -> np.ndarray:
    """Smooth values by a moving mean over a tenth of them, over fewer at the ends."""
    half = len(values) // 20
    sums = np.concatenate([[0], np.cumsum(values)])
    first = np.maximum(np.arange(len(values)) - half, 0)
    last = np.minimum(np.arange(len(values)) + half + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)
