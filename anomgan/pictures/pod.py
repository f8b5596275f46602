"""Plots probability-of-detection curves, and a map of where on a part defects are missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomgan.pictures.canvas import COLOURS, in_own_style, plot, save

BINS = 8
"""Points that show the observed shares."""


@dataclass(frozen=True)
class Curve:
    """A curve with its confidence band, and what was observed.

    Attributes:
        x: sizes or contrasts, ascending [n].
        share: of the curve [n].
        low: lower end of the band [n].
        high: upper end of it [n].
        observed_x: size or contrast of each defect near the curve [m].
        observed: whether it was found [m].
    """

    x: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    observed_x: np.ndarray
    observed: np.ndarray


@in_own_style
def save_pod(
    path: Path, curve: Curve, marks: Sequence[tuple[str, float]], title: str, x_label: str
) -> None:
    """Save a POD curve with named sizes marked on it; points are shares of equally many defects."""
    figure, axis = plot(title, x_label, "share found")
    axis.fill_between(curve.x, curve.low, curve.high, color=COLOURS[0], alpha=0.2, lw=0)
    axis.plot(curve.x, curve.share, color=COLOURS[0], lw=2)
    order = np.argsort(curve.observed_x)
    for some in np.array_split(order, min(BINS, max(1, len(order) // 5))):
        if len(some):
            middle = float(np.exp(np.log(curve.observed_x[some]).mean()))
            axis.plot(middle, curve.observed[some].mean(), "o", color=COLOURS[1], ms=5)
    for (name, value), colour in zip(marks, COLOURS[2:]):
        axis.axvline(value, color=colour, ls="--", lw=1, label=f"{name} {value:.3g}")
    axis.axhline(0.9, color="0.6", ls=":", lw=1)
    axis.set(xscale="log", ylim=(-0.03, 1.03), xlim=(curve.x[0], curve.x[-1]))
    ticks = [t for b in range(-3, 5) for t in (10.0**b, 2 * 10.0**b, 5 * 10.0**b)]
    shown = [t for t in ticks if curve.x[0] <= t <= curve.x[-1]]
    axis.set_xticks(shown, [f"{t:g}" for t in shown])
    axis.set_xticks([], minor=True)
    if marks:
        axis.legend(frameon=False)
    save(figure, path)


@in_own_style
def save_map(
    path: Path, image: np.ndarray, ratio: np.ndarray, blind: np.ndarray, title: str
) -> None:
    """Save a map of the share found, beside the part.

    Args:
        path: PNG to write.
        image: uint8 [h, w] or [h, w, 3], the part as the map sees it.
        ratio: found divided by expected at each place [rows, columns]; NaN where nothing is known.
        blind: bool, likewise.
        title: text above the picture.
    """
    figure, axis = plot(title, "", "")
    figure.set_size_inches(7, 3.6)
    axis.remove()
    left, right = figure.subplots(1, 2)
    left.imshow(image if image.ndim == 3 else np.dstack([image] * 3), aspect="auto")
    right.imshow(ratio, cmap="RdYlGn", vmin=0.4, vmax=1.2, aspect="auto")
    for (row, column), value in np.ndenumerate(ratio):
        text = "" if np.isnan(value) else f"{value:.0%}" + (" !" if blind[row, column] else "")
        right.text(column, row, text, ha="center", va="center", fontsize=8)
    for one in (left, right):
        one.set(xticks=[], yticks=[])
    figure.suptitle(title, fontsize=11)
    save(figure, path)
