"""Metrics of how well heatmaps separate the pixels of defects from all others."""

import numpy as np
from scipy import ndimage

from anomgan.errors import InputError

EIGHT_NEIGHBOURS = np.ones((3, 3), int)


class PixelScores:
    """Collects heatmaps and masks image by image, and measures them together.

    It stores one float32 per pixel, and another while measuring: 8 GB for 1,000 images of
    1 megapixel. All metrics are exact, over all thresholds, and ties count by half.
    """

    def __init__(self) -> None:
        self._normal: list[np.ndarray] = []
        self._defects: list[np.ndarray] = []

    def add(
        self,
        heatmap: np.ndarray,
        mask: np.ndarray | None = None,
        inside: np.ndarray | None = None,
    ) -> None:
        """Add an image.

        Args:
            heatmap: float [H, W], higher is more anomalous.
            mask: bool [H, W], True on defects; None for an image without defects.
            inside: bool [H, W], the pixels that count; None for all.

        Raises:
            InputError: the shapes differ, or the heatmap holds numbers that are not finite.
        """
        if not np.isfinite(heatmap).all():
            raise InputError("a heatmap holds numbers that are not finite")
        values = heatmap.astype(np.float32)
        inside = np.ones(values.shape, bool) if inside is None else inside
        if mask is None:
            self._normal.append(values[inside])
            return
        if mask.shape != heatmap.shape:
            raise InputError(f"a mask is {mask.shape}, its heatmap {heatmap.shape}")
        components, count = ndimage.label(mask & inside, EIGHT_NEIGHBOURS)
        self._normal.append(values[inside & ~mask])
        self._defects += [values[components == number] for number in range(1, count + 1)]

    def auroc(self) -> float:
        """Area under the ROC curve of pixels: probability that a defect's pixel is hotter.

        Raises:
            InputError: there are no pixels of defects, or no others.
        """
        normal = self._sorted_normal()
        values = np.concatenate(self._defects)
        cooler, at_most = _ranks(normal, values)
        return float((cooler + at_most).mean(dtype=np.float64) / 2)

    def aupro(self, limit: float = 0.3) -> float:
        """Area under the per-region-overlap curve up to a false-positive rate, divided by the rate.

        The overlap at a threshold is the share of a connected defect (8 neighbours) that is above
        it, averaged over all defects. So small defects count as much as large ones (Bergmann et
        al., "The MVTec Anomaly Detection Dataset", IJCV 2021, section 5.1.2).

        Args:
            limit: largest false-positive rate of pixels, in (0, 1].

        Raises:
            InputError: there are no pixels of defects, or no others, or `limit` is out of range.
        """
        if not 0 < limit <= 1:
            raise InputError(f"the false-positive rate {limit} is not in (0, 1]")
        normal = self._sorted_normal()
        areas = [_area(normal, values, limit).mean() for values in self._defects]
        return float(np.mean(areas) / limit)

    def _sorted_normal(self) -> np.ndarray:
        if not self._defects or not sum(values.size for values in self._normal):
            raise InputError("pixels on and off defects are both needed; are the masks empty?")
        normal = np.concatenate(self._normal)
        self._normal = [normal]
        normal.sort()
        return normal


def _ranks(normal: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the shares of the sorted `normal` that are below each value, and at most equal."""
    below = np.searchsorted(normal, values, "left") / len(normal)
    return below, np.searchsorted(normal, values, "right") / len(normal)


def _area(normal: np.ndarray, values: np.ndarray, limit: float) -> np.ndarray:
    """Compute what each pixel of a defect adds to the area under the curve, up to `limit`.

    As the threshold falls past the pixel's value, the false-positive rate rises from `start` to
    `end`, which differ if some normal pixels have the same value. The curve rises on a straight
    line between them, and the pixel counts fully from `end` on.
    """
    below, at_most = _ranks(normal, values)
    start, end = 1 - at_most, 1 - below
    whole = np.maximum(limit - end, 0) + (end - start) / 2
    cut = np.square(np.maximum(limit - start, 0)) / np.maximum(2 * (end - start), 1e-300)
    return np.where(end <= limit, whole, np.where(start < limit, cut, 0))
