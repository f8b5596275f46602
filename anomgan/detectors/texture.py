"""How alarms go with the texture of an image: good parts that are rougher raise more of them."""

import cv2
import numpy as np
import torch
from torch import Tensor

OCTAVES = 6
"""Bands of detail, from the finest on, each twice as coarse as the one before."""
FLAT = 0.1
"""Grey levels that are added to each deviation, so that a flat image has a logarithm."""
CAUTION = 3.0
"""Weight of the penalty on slopes (ridge regression), in images."""


def texture(image: np.ndarray) -> np.ndarray:
    """How much there is of each band of detail in an image.

    Args:
        image: uint8 [h, w] or [h, w, C].

    Returns:
        Logarithms of the deviations of the bands of a Laplacian pyramid (Burt and Adelson 1983),
        [OCTAVES].
    """
    grey = image.reshape(*image.shape[:2], -1).mean(axis=2, dtype=np.float32)
    bands = []
    for _ in range(OCTAVES):
        smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
        bands.append(np.log((grey - smooth).std() + FLAT))
        height, width = (max(1, side // 2) for side in grey.shape)
        grey = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_AREA)
    return np.array(bands)


def regress(textures: np.ndarray, alarms: np.ndarray) -> Tensor:
    """What there is to expect of a texture: [4, OCTAVES], for `expected`.

    Args:
        textures: of good images, [N, OCTAVES].
        alarms: logarithm of how often each of them raises alarms, [N].

    Returns:
        Least, greatest and mean value of each band, and its slope, by ridge regression.
    """
    mean, deviation = textures.mean(0), textures.std(0) + 1e-6
    standard = (textures - mean) / deviation
    penalty = CAUTION * np.eye(textures.shape[1])
    slopes = np.linalg.solve(
        standard.T @ standard + penalty, standard.T @ (alarms - alarms.mean())
    )
    rows = [textures.min(0), textures.max(0), mean, slopes / deviation]
    return torch.as_tensor(np.stack(rows), dtype=torch.float32)


def expected(texture: np.ndarray, line: Tensor) -> float:
    """Logarithm of how much more often such an image raises alarms than good ones do on the mean.

    Textures beyond those of good images count as the nearest of theirs.
    """
    least, greatest, mean, slopes = line.numpy()
    return float((np.clip(texture, least, greatest) - mean) @ slopes)
