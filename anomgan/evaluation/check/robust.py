"""Robust deviations: a few odd values do not change them."""

import numpy as np

FAR = 5.0
"""Robust deviations from the median from which on a fact is far out. Of normal values, one in a
million is. Real facts have longer tails, so each must also differ by an amount that matters."""


def deviations(values: np.ndarray) -> np.ndarray:
    """How many robust standard deviations each value is above the median."""
    from_median = values - np.median(values)
    return from_median / max(1.4826 * float(np.median(np.abs(from_median))), 1e-12)
