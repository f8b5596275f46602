"""Folds: images are dealt into parts, so that each can be seen by what the others teach."""

from collections.abc import Sequence

import numpy as np


def deal(groups: Sequence[str], count: int, seed: int) -> np.ndarray:
    """Deal images into folds at random; a group stays together, because its images are alike.

    Args:
        groups: of each image.
        count: number of folds.
        seed: of the random order.

    Returns:
        The fold of each image [n], from 0; there are at most as many folds as groups.
    """
    names = np.random.default_rng((seed, 3)).permutation(sorted(set(groups)))
    folds = {str(name): place % count for place, name in enumerate(names)}
    return np.array([folds[group] for group in groups])
