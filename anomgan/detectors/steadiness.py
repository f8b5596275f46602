"""A metric for choosing settings if there are only good images."""

from typing import Any

import numpy as np

from anomgan.detectors.inputs import Images


def steadiness(detector: Any, images: Images, y: object = None) -> float:
    """Measure how similar the scores of held-out good images are; a scorer for scikit-learn.

    `GridSearchCV(GANomaly(), grid, scoring=steadiness)` fits to good images and measures held-out
    good images. The metric is minus the mean distance of their scores from the median score, in
    units of the distance from the median to the threshold. At 0 all scores are equal; near -1 many
    good images are close to the threshold. The metric has no unit, so settings whose scores differ
    in scale can be compared.

    The metric says nothing about defects. A detector that sees nothing is perfectly steady; one
    that sees more detail may be less steady. Use the metric to find out how long to train, or to
    rule out settings under which the scores of good images scatter. Choose among the rest with
    images of real defects.

    Args:
        detector: a fitted detector, or a pipeline that ends in one.
        images: good images, not training images, as `fit` takes them.
        y: ignored.

    Returns:
        At most 0; minus infinity if half of the images or more are called anomalous.
    """
    margins = np.asarray(detector.decision_function(images))
    middle = float(np.median(margins))
    return -float(np.abs(margins - middle).mean()) / middle if middle > 0 else -float("inf")
