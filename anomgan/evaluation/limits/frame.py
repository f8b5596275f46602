"""Places on a part, wherever it lies in the image."""

from dataclasses import dataclass

import cv2
import numpy as np

LONG = 1.5
"""Times that a part is longer than wide, from which on its own axes are used."""
RIM = 0.02
"""Width of the rim, as a share of the part's longer side."""


@dataclass(frozen=True)
class Frame:
    """A part's own coordinates, from 0 to 1 along and across it.

    A part that is much longer than wide has the axes of its shape, its heavier end first, so that
    places are the same ones however it lies. Other parts have the rectangle around them.

    Attributes:
        matrix: [2, 3], from (column, row, 1) to the place (along, across).
        inside: float32 [H, W], pixels to the nearest place that is not the part.
        length: pixels of the longer side.
    """

    matrix: np.ndarray
    inside: np.ndarray
    length: float

    @classmethod
    def of(cls, part: np.ndarray) -> "Frame":
        """The frame of a part bool [H, W]."""
        rows, columns = np.nonzero(part)
        points = np.stack([columns, rows], axis=1).astype(float)
        axes = np.eye(2)
        if not part.all():
            middle = points - points.mean(axis=0)
            values, vectors = np.linalg.eigh(np.cov(middle.T) if len(points) > 1 else axes)
            if values[1] > LONG**2 * max(values[0], 1e-9):
                main = vectors[:, 1]
                skew = float(np.mean((middle @ main) ** 3))
                main = main * (1 if skew > 0 else -1)  # the thin end is far from the middle
                axes = np.stack([main, [-main[1], main[0]]])
        turned = points @ axes.T
        low, high = turned.min(axis=0), turned.max(axis=0)
        scale = 1 / (high - low + 1)
        matrix = np.column_stack([axes * scale[:, None], (0.5 - low) * scale])
        # Outside of the image is not the part.
        padded = np.pad(part.astype(np.uint8), 1)
        inside = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
        return cls(matrix, inside, float((high - low + 1).max()))

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Where on the part a point of the image is, each from 0 to 1."""
        along, across = np.clip(self.matrix @ [column, row, 1], 0, 1)
        return float(along), float(across)

    def at_rim(self, row: float, column: float) -> bool:
        """Whether a point of the image lies at the rim of the part."""
        height, width = self.inside.shape
        place = min(max(round(row), 0), height - 1), min(max(round(column), 0), width - 1)
        return bool(self.inside[place] < RIM * self.length)

    def straight(self, image: np.ndarray, side: int) -> np.ndarray:
        """The part as a square picture of `side` pixels, along it from left to right."""
        return np.asarray(cv2.warpAffine(image, self.matrix * side, (side, side)))
