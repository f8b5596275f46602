"""How far values are out, in deviations that a few odd values don't change."""

import numpy as np

FAR = 5.0
"""Robust deviations from the median that a plain fact must be away. Of normal values, one in a
million is; real facts have longer tails, so that each must also differ by as much as matters."""


def deviations(values: np.ndarray) -> np.ndarray:
    """How many robust standard deviations each value is above the median."""
    from_median = values - np.median(values)
    return from_median / max(1.4826 * float(np.median(np.abs(from_median))), 1e-12)
