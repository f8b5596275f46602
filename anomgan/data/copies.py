"""The same photograph twice: equal pixels, or nearly equal ones after encoding it anew."""

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from anomgan.data.decode import with_channels

SIDE = 32
"""Pixels of a thumbnail."""
NEAR = 0.75
"""Grey levels of 255, root mean square over a thumbnail. JPEG at quality 50 changes it by .7, a
shift of the part by one pixel by .6 to 5; different photographs of parts differ by 1.7 to 15."""
NEAR_SHARE = 0.1
"""Of a thumbnail's deviation: thumbnails of blank surfaces are alike without being copies."""
BLOCK = 1024
"""Thumbnails that are compared at once."""
DIGEST_BYTES = 8


def digest(image: np.ndarray) -> np.ndarray:
    """What tells the pixels of a decoded image from all others, uint8 [8]; names do not matter."""
    made = hashlib.blake2b(f"{image.shape} {image.dtype}".encode(), digest_size=DIGEST_BYTES)
    made.update(np.ascontiguousarray(image).data)
    return np.frombuffer(made.digest(), np.uint8)


def count_known(digests: np.ndarray, known: np.ndarray) -> int:
    """How many of the digests [n, 8] are among the known ones [m, 8]."""
    found = {row.tobytes() for row in known}
    return sum(row.tobytes() in found for row in digests)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Small grey version of an image uint8 [H, W] or [H, W, 3], float32 [1024]."""
    grey = with_channels(image, 1)[:, :, 0]
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel().astype(np.float32)


def near_copies(thumbnails: Sequence[np.ndarray]) -> list[int]:
    """For each image the first one that it is a near copy of, directly or by others in between.

    An image without copies is given itself.
    """
    every = np.stack(thumbnails)
    order = np.argsort(every.mean(axis=1), kind="stable")
    x = every[order]
    means, lengths = x.mean(axis=1), np.square(x).sum(axis=1)
    limits = np.minimum(NEAR, NEAR_SHARE * x.std(axis=1))
    pairs = []
    for first in range(0, len(x), BLOCK):
        rows = slice(first, first + BLOCK)
        # Means differ by less than thumbnails do, so that later ones need not be compared.
        end = int(np.searchsorted(means, means[rows][-1] + NEAR, side="right"))
        products = x[rows] @ x[first:end].T
        squared = lengths[rows, None] + lengths[None, first:end] - 2 * products
        near = squared <= x.shape[1] * np.square(limits[rows, None])
        pairs.append(np.argwhere(near) + first)
    one, other = np.concatenate(pairs).T
    graph = coo_array((np.ones(len(one)), (order[one], order[other])), shape=(len(x), len(x)))
    _, members = connected_components(graph, directed=False)
    _, firsts = np.unique(members, return_index=True)
    return [int(firsts[member]) for member in members]
