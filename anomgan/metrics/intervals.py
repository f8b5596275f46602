"""Bootstrap confidence intervals of an AUROC, and of the difference of two."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from anomgan.metrics.detection import Values, checked

DRAWS = 1000
"""Bootstrap samples."""


@dataclass(frozen=True)
class Difference:
    """AUROC of one detector minus that of another on the same images.

    Attributes:
        mean: the difference on all images.
        low: lower end of the 95% interval.
        high: upper end of the 95% interval.
        p_value: two-sided p-value of the difference.
    """

    mean: float
    low: float
    high: float
    p_value: float


def auroc_interval(
    labels: Values, scores: Values, groups: Sequence[str] | None = None
) -> tuple[float, float]:
    """Compute the 95% percentile-bootstrap interval of the AUROC.

    Args:
        labels: 1 anomalous, 0 normal.
        scores: higher is more anomalous.
        groups: group (physical part) of each image; whole groups are drawn. None: single images.

    Raises:
        InputError: as `auroc`.
    """
    y, s = checked(labels, scores)
    areas = [_weighted(y, s, weights) for weights in _draws(y, groups)]
    low, high = np.percentile(areas, (2.5, 97.5))
    return float(low), float(high)


def compare_auroc(
    labels: Values, first: Values, second: Values, groups: Sequence[str] | None = None
) -> Difference:
    """Compare two detectors in pairs: both are measured on every bootstrap sample.

    Raises:
        InputError: as `auroc`.
    """
    (y, a), (_, b) = checked(labels, first), checked(labels, second)
    draws = _draws(y, groups)
    gains = np.array([_weighted(y, a, w) - _weighted(y, b, w) for w in draws])
    low, high = np.percentile(gains, (2.5, 97.5))
    # The smallest possible p-value is 2 / (draws + 1).
    tail = min((gains <= 0).sum(), (gains >= 0).sum())
    p_value = min(1.0, 2 * (tail + 1) / (len(gains) + 1))
    mean = roc_auc_score(y, a) - roc_auc_score(y, b)
    return Difference(float(mean), float(low), float(high), float(p_value))


def _draws(y: np.ndarray, groups: Sequence[str] | None) -> list[np.ndarray]:
    """Count each image in each bootstrap sample; samples of only one class are left out."""
    _, member = np.unique(groups if groups is not None else np.arange(len(y)), return_inverse=True)
    count = member.max() + 1
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(DRAWS):
        weights = np.bincount(rng.integers(count, size=count), minlength=count)[member]
        if 0 < weights[y == 1].sum() < weights.sum():
            draws.append(weights)
    return draws


def _weighted(y: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """AUROC of weighted images; ties count by half.

    It is a hundred times as fast as scikit-learn's, which sorts and computes the curve each time.
    """
    levels, level = np.unique(scores, return_inverse=True)
    bad, good = (
        np.bincount(level[y == label], weights[y == label], minlength=len(levels))
        for label in (1, 0)
    )
    below = np.cumsum(good) - good / 2
    return float(bad @ below / (bad.sum() * good.sum()))
