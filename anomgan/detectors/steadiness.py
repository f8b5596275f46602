"""A figure for choosing settings where there are good images only."""

from typing import Any

import numpy as np

from anomgan.detectors.inputs import Images


def steadiness(detector: Any, images: Images, y: object = None) -> float:
    """How closely held-out good images score alike; a scorer for scikit-learn's searches.

    `GridSearchCV(GANomaly(), grid, scoring=steadiness)` fits to good images alone and asks those
    held out. The figure is minus the mean distance of their scores from the median one, in units
    of the distance from the median to the threshold: 0 is perfectly steady, near -1 many good
    images are near an alarm. It has no scale, so that settings whose scores differ in scale can be
    compared.

    It says nothing about defects. A detector that is blind to everything is steady; one that sees
    more detail may well be less so. Use it to find out how long to train, or to sort out settings
    under which good parts scatter, and choose among the rest by images of real defects.

    Args:
        detector: a fitted detector, or a pipeline that ends in one.
        images: good images that the detector has not learnt from, as `fit` takes them.
        y: ignored.

    Returns:
        At most 0; minus infinity where half of the images or more are called anomalous.
    """
    margins = np.asarray(detector.decision_function(images))
    middle = float(np.median(margins))
    return -float(np.abs(margins - middle).mean()) / middle if middle > 0 else -float("inf")
