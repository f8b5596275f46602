"""Draws pictures for people: overlays, histograms, curves, contact sheets."""

from anomgan.pictures.grid import save_grid, save_samples
from anomgan.pictures.overlay import save_overlay
from anomgan.pictures.plots import save_curves, save_histogram, save_precision_recall, save_roc

__all__ = [
    "save_curves",
    "save_grid",
    "save_samples",
    "save_histogram",
    "save_overlay",
    "save_precision_recall",
    "save_roc",
]
