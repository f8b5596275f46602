"""Metrics of generated images: similarity to real images, and diversity.

All take features [N, D] of any network. When you report a metric, name the network.
"""

import numpy as np
from scipy.spatial.distance import squareform
from sklearn.metrics.pairwise import cosine_distances, polynomial_kernel

from anomgan.errors import InputError

BLOCK = 1000
"""Images in one block of KID."""


def fid(real: np.ndarray, fake: np.ndarray) -> float:
    """Fréchet distance of two Gaussians fitted to the features; 0 if they are equal.

    |m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)): Heusel et al., "GANs Trained by a Two
    Time-Scale Update Rule Converge to a Local Nash Equilibrium", NeurIPS 2017, equation 6. It is
    biased for few images, so compare only values from equal numbers of images.

    Raises:
        InputError: there are fewer than 2 images, the lengths of the features differ, or a feature
            is not finite.
    """
    real, fake = _checked(real, fake)
    shift = np.square(real.mean(0) - fake.mean(0)).sum()
    first, second = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    first, second = np.atleast_2d(first), np.atleast_2d(second)
    # The trace of a matrix root is the sum of the roots of the eigenvalues. The eigenvalues of a
    # product of covariances are not negative; rounding adds tiny negative and imaginary parts.
    roots = np.sqrt(np.maximum(np.linalg.eigvals(first @ second).real, 0))
    return float(shift + np.trace(first) + np.trace(second) - 2 * roots.sum())


def kid(real: np.ndarray, fake: np.ndarray) -> float:
    """Kernel Inception distance: unbiased squared MMD with the kernel (x . y / D + 1)^3.

    Binkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs", ICLR 2018, section 4. It is
    the mean over blocks of at most 1,000 images, in random order. It may be slightly negative.

    Raises:
        InputError: as `fid`.
    """
    real, fake = _checked(real, fake)
    rng = np.random.default_rng(0)
    real, fake = rng.permutation(real), rng.permutation(fake)
    size = min(len(real), len(fake), BLOCK)
    blocks = [
        _mmd(real[start : start + size], fake[start : start + size])
        for start in range(0, min(len(real), len(fake)) - size + 1, size)
    ]
    return float(np.mean(blocks))


def diversity(features: np.ndarray) -> float:
    """Mean distance between two images; 0 if a generator has collapsed to a single image.

    It is the mean pairwise Euclidean distance of the given features, each divided by its length.
    For translations give the features of outputs for one input: translations of different images
    differ even if the generator ignores the style.

    Raises:
        InputError: as `fid`.
    """
    x, _ = _checked(features, features)
    halves = squareform(cosine_distances(x), checks=False)  # of the squared distances
    return float(np.sqrt(2 * halves).mean())


def _mmd(real: np.ndarray, fake: np.ndarray) -> float:
    """Compute equation 4 of the paper, without pairs of an image with itself."""
    n, m = len(real), len(fake)
    scale = {"degree": 3, "gamma": 1 / real.shape[1], "coef0": 1}
    among_real = polynomial_kernel(real, real, **scale)
    among_fake = polynomial_kernel(fake, fake, **scale)
    between = polynomial_kernel(real, fake, **scale)
    within = (among_real.sum() - np.trace(among_real)) / (n * (n - 1))
    within += (among_fake.sum() - np.trace(among_fake)) / (m * (m - 1))
    return float(within - 2 * between.mean())


def _checked(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise InputError(f"features must be [N, D] of one D, not {real.shape} and {fake.shape}")
    if min(len(real), len(fake)) < 2:
        raise InputError("at least 2 real and 2 generated images are needed")
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise InputError("the features hold numbers that are not finite")
    return real, fake
