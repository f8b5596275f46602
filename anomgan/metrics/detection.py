"""Metrics of how well scores separate anomalous images (label 1) from normal ones (label 0).

Labels and scores are [n]. All functions raise what `checked` raises.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from anomgan.errors import InputError

Values = Sequence[float] | np.ndarray


def auroc(labels: Values, scores: Values) -> float:
    """Area under the ROC curve: probability that an anomalous image scores above a normal one."""
    return float(roc_auc_score(*checked(labels, scores)))


def average_precision(labels: Values, scores: Values) -> float:
    """Area under the precision-recall curve, computed as a sum of steps."""
    return float(average_precision_score(*checked(labels, scores)))


def best_f1(labels: Values, scores: Values) -> float:
    """Largest harmonic mean of precision and recall over all thresholds."""
    precision, recall, _ = precision_recall_curve(*checked(labels, scores))
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())


def fpr_at_95_tpr(labels: Values, scores: Values) -> float:
    """Smallest false-positive rate at which at least 95% of the anomalous images are detected."""
    false_positive, true_positive = roc_points(labels, scores)
    return float(false_positive[true_positive >= 0.95].min())


def roc_points(labels: Values, scores: Values) -> tuple[np.ndarray, np.ndarray]:
    """Compute the ROC curve as (false-positive rate, true-positive rate), a point per threshold."""
    # Keep points on a straight line between others: they are thresholds that can be chosen.
    false_positive, true_positive, _ = roc_curve(*checked(labels, scores), drop_intermediate=False)
    return false_positive, true_positive


def precision_recall_points(labels: Values, scores: Values) -> tuple[np.ndarray, np.ndarray]:
    """Compute the precision-recall curve as (recall, precision), from recall 1 down to 0."""
    precision, recall, _ = precision_recall_curve(*checked(labels, scores))
    return recall, precision


def checked(labels: Values, scores: Values) -> tuple[np.ndarray, np.ndarray]:
    """Convert labels to integers and scores to floats, and check them.

    Raises:
        InputError: the lengths differ, the labels are not 0 and 1 or one of them is missing, or a
            score is not a finite number.
    """
    y, s = np.asarray(labels), np.asarray(scores, dtype=float)
    if y.shape != s.shape or y.ndim != 1:
        raise InputError(f"{y.size} labels and {s.size} scores; there must be one score per label")
    if not np.isin(y, (0, 1)).all():
        raise InputError("labels must be 0 (normal) or 1 (anomalous)")
    if len(np.unique(y)) < 2:
        raise InputError("normal and anomalous images are both needed to measure detection")
    if not np.isfinite(s).all():
        raise InputError(f"{int((~np.isfinite(s)).sum())} scores are not finite numbers")
    return y.astype(int), s
