"""MNIST from disk, in the layout of torchvision: `<root>/MNIST/raw/*-ubyte`."""

from pathlib import Path

import numpy as np
from torchvision.datasets import MNIST

from anomgan.errors import InputError


def read_mnist(root: Path | str, train: bool) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [N, 28, 28] and digits [N] of the training or the test set.

    Raises:
        InputError: the files are not there, or damaged.
    """
    try:
        data = MNIST(str(root), train=train)
    except (RuntimeError, OSError, AssertionError, ValueError) as error:
        raise InputError(
            f"{root} does not hold MNIST (MNIST/raw/train-images-idx3-ubyte and so on): {error}"
        ) from error
    return data.data.numpy(), data.targets.numpy()
