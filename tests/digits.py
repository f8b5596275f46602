"""scikit-learn's digits, enlarged to 32 pixels: small real data on which detectors must work."""

import numpy as np
from sklearn.datasets import load_digits

from anomgan.detectors.base import Detector
from anomgan.metrics.detection import auroc

WHOLE = {"image": {"lighting": "keep"}, "view": {"kind": "whole", "size": 32}}


def load() -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [N, 32, 32] and their digits."""
    images, labels = load_digits(return_X_y=True)
    return (np.kron(images.reshape(-1, 8, 8), np.ones((4, 4))) * 15.9).astype(np.uint8), labels


def separation(made: Detector) -> float:
    """AUROC of zeros, of which it learns 140, against 150 other digits."""
    images, labels = load()
    zeros, others = images[labels == 0], images[labels != 0][:150]
    made.fit(list(zeros[:140]))
    results = made.score([*zeros[140:], *others])
    truth = [0] * len(zeros[140:]) + [1] * len(others)
    return auroc(truth, [result.score for result in results])
