"""Similarity of two images of the same object."""

import cv2
import numpy as np

from anomgan.errors import InputError

DEVIATION, WINDOW = 1.5, 11
"""Standard deviation and side of the Gaussian window, in pixels."""
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the structural similarity at every pixel, 1 if both look the same; SSIM is the mean.

    Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment", IEEE Transactions on Image
    Processing 2004, equation 13, with their window.

    Args:
        first: uint8 [H, W].
        second: uint8 [H, W].

    Raises:
        InputError: the shapes differ.
    """
    if first.shape != second.shape or first.ndim != 2:
        raise InputError(f"images must be [H, W] of one size, not {first.shape}, {second.shape}")
    x, y = first.astype(np.float64), second.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    return likeness / ((mean_x**2 + mean_y**2 + C1) * (variance_x + variance_y + C2))


def match_histogram(image: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Match the histogram of an image [H, W] uint8 to that of `like`."""
    levels, counts = np.unique(image, return_counts=True)
    share = (np.cumsum(counts) - counts / 2) / image.size
    wanted = np.quantile(like, share)
    table = np.zeros(256, np.uint8)
    table[levels] = np.rint(wanted)
    return table[image]


def _blur(x: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(x, (WINDOW, WINDOW), DEVIATION)
