"""Finds copies of images: equal pixels, or nearly equal ones after a small change.

Copies promise nothing about new parts: forty copies of three photographs are three photographs.
"""

import hashlib
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist, squareform

from anomgan.data.decode import with_channels

SIDE = 16
"""Pixels of a thumbnail: so few that noise and compression vanish."""
NEAR = 1.0
"""Largest difference between the thumbnails of copies: grey levels, root mean square. JPEG at
quality 40 or slight noise changes 0.5, and 1.0 in images of 100 pixels. Photographs of different
aligned parts differ by at least 1.2, usually by more than 4."""
SHARE = 0.1
"""Largest difference, too, as a share of the distance between very different images of the set:
dark or plain images are similar without being copies."""
APART = 3
"""Copies are this many times closer to each other than to any other image. Photographs of a part
that hardly moves, or under drifting light, are close to each other, too, but have no such gap."""
SOME = 300
"""Images from which the distances of the whole set are estimated."""
DIGEST_BYTES = 8


def digest(image: np.ndarray) -> np.ndarray:
    """A hash of the pixels of a decoded image, uint8 [8]; its name does not matter."""
    made = hashlib.blake2b(f"{image.shape} {image.dtype}".encode(), digest_size=DIGEST_BYTES)
    made.update(np.ascontiguousarray(image).data)
    return np.frombuffer(made.digest(), np.uint8)


def count_known(digests: Iterable[np.ndarray], known: np.ndarray) -> int:
    """Count the digests [8] that are among the known ones [m, 8]."""
    found = {row.tobytes() for row in known}
    return sum(row.tobytes() in found for row in digests)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """A tiny grey version of an image uint8 [H, W] or [H, W, 3], float32 [256]."""
    grey = with_channels(image, 1)[:, :, 0].astype(np.float32)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel()


def find_copies(thumbnails: np.ndarray) -> list[int]:
    """For each image, the number of the first image that it is a copy of, or its own number.

    Copies of copies count as copies. Brightness does not matter.

    Args:
        thumbnails: [N, 256], grey levels from 0 to 255.
    """
    number_of: dict[bytes, int] = {}
    first = [number_of.setdefault(one.tobytes(), n) for n, one in enumerate(thumbnails)]
    if len(number_of) > 1:
        clusters = _Clusters(thumbnails)
        for cluster in clusters:
            if clusters.is_apart(cluster):
                for number in cluster:
                    first[number] = min(cluster)
    return first


class _Clusters:
    """Clusters of images: each is similar to at least one other of its cluster."""

    def __init__(self, thumbnails: np.ndarray) -> None:
        self.points = (thumbnails - thumbnails.mean(axis=1, keepdims=True)) / SIDE
        some = np.random.default_rng(0).permutation(self.points)[:SOME]
        self.limit = min(NEAR, SHARE * float(np.quantile(pdist(some), 0.9)))
        # Block means never differ by more than the pixels, so a tree of them finds all neighbours.
        blocks = self.points.reshape(-1, 4, SIDE // 4, 4, SIDE // 4)
        self.coarse = SIDE // 4 * blocks.mean(axis=(2, 4)).reshape(-1, 16)
        self.tree = cKDTree(self.coarse)

    def __iter__(self) -> Iterator[list[int]]:
        free = np.ones(len(self.points), bool)
        for number in range(len(free)):
            if free[number]:
                free[number] = False
                cluster = [number]
                for one in cluster:  # it grows meanwhile
                    near = self._within(one, self.limit, free)
                    free[near] = False
                    cluster += near.tolist()
                if len(cluster) > 1:
                    yield cluster

    def is_apart(self, cluster: list[int]) -> bool:
        """Whether these are copies: much nearer to each other than to any other image."""
        some = cluster[:SOME]
        distances = squareform(pdist(self.points[some]))
        reach = (distances + np.diag(np.full(len(some), np.inf))).min(axis=1).max()
        others = np.ones(len(self.points), bool)
        others[cluster] = False
        return bool(
            others.any()
            and distances.max() <= 2 * self.limit
            and not any(len(self._within(one, APART * reach, others)) for one in some)
        )

    def _within(self, one: int, distance: float, among: np.ndarray) -> np.ndarray:
        near = np.array(self.tree.query_ball_point(self.coarse[one], distance + 1e-6))
        near = near[among[near]]
        apart = np.linalg.norm(self.points[near] - self.points[one], axis=1)
        return near[apart <= distance]
