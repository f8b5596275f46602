"""Feature space: a detector is trained on the feature map of a pretrained network.

    image -> backbone -> whitening -> cells of about 16 px -> eigenmaps -> map [channels, h, w]

Each place of the map is a separate view, x [1, channels, 1, 1]. So recipes work the same in both
spaces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm, sqrt
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.backbones import FeatureExtractor, crop, surround
from anomgan.config import MAX_SIDE, BackboneSettings
from anomgan.data.views import Maps
from anomgan.detectors.eigenmaps import EigenMaps, to_grid

CELL = 16
"""Pixels from one cell to the next, at least. Whitened vectors are averaged over a cell, so that
variation within a cell counts less."""


@dataclass(frozen=True)
class Grid:
    """The grid of cells on an image.

    Attributes:
        stride: pixels from one cell to the next.
        multiple: the sides of an image must be multiples of this.
    """

    stride: int
    multiple: int

    def surround(self, image: np.ndarray) -> np.ndarray:
        """Add the border that a backbone needs to a prepared image [h, w, C]."""
        return surround(image, self.multiple)

    def crop(self, maps: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Cut maps of an image with its border to the cells of the image, whose shape is given."""
        sides = [side + 2 * self.multiple + -side % self.multiple for side in shape[:2]]
        whole = to_grid(maps, [side // self.stride for side in sides])
        return crop(whole, shape, self.stride, self.multiple)


class FeatureSpace(nn.Module):
    """Turns images [N, C, H, W] in [-1, 1] into a detector's input [N, channels, h, w].

    Args:
        settings: of the backbone.
        place: shape and number of the eigenmaps, as `describe` gives them; None for no eigenmaps.

    Raises:
        SettingsError: a name, stage or stride is unknown.
    """

    def __init__(self, settings: BackboneSettings, place: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.extractor = FeatureExtractor(
            settings.name, settings.stages, settings.stride, settings.directions
        )
        self.eigenmaps = EigenMaps(place["shape"], place["components"]) if place else None
        self.pool = max(1, CELL // self.extractor.stride)
        stride = self.pool * self.extractor.stride
        self.grid = Grid(stride, lcm(stride, self.extractor.multiple))
        self.given_side = settings.long_side

    @property
    def channels(self) -> int:
        """Values per place: those of a whitened vector, and of its remainder if eigenmaps exist."""
        directions = sum(self.extractor.shares)
        return directions if self.eigenmaps is None else 2 * directions

    def long_side(self, shapes: Sequence[tuple[int, ...]]) -> int:
        """Choose the longer side of prepared images, in pixels, from the shapes of normal images.

        If the settings do not say, the median image gets as many pixels as a square of the
        backbone's usual size. So a thin image keeps as much detail as a square one, at the same
        cost. It is not enlarged for that.
        """
        usual = self.extractor.long_side
        if self.given_side is not None:
            return self.given_side
        short, long = np.median(np.sort([shape[:2] for shape in shapes], axis=1), axis=0)
        return max(usual, min(round(usual * sqrt(long / short)), int(long), MAX_SIDE))

    def describe(self) -> dict[str, Any] | None:
        """Return the argument `place` of the constructor; None if there are no eigenmaps."""
        if self.eigenmaps is None:
            return None
        shape = list(self.eigenmaps.shape)
        return {"shape": shape, "components": len(self.eigenmaps.components)}

    def forward(self, x: Tensor) -> Tensor:
        features = self.coarsen(self.extractor(x))
        return features if self.eigenmaps is None else self.eigenmaps(features)

    def coarsen(self, fine: Tensor) -> Tensor:
        """Average maps of the extractor [N, C, h, w] over cells, with a binomial filter."""
        if self.pool == 1:
            return fine
        cells = F.pad(F.avg_pool2d(fine, self.pool), (1, 1, 1, 1), mode="replicate")
        return F.avg_pool2d(F.avg_pool2d(cells, 2, stride=1), 2, stride=1)


def as_vectors(features: Tensor) -> Tensor:
    """Rearrange maps [N, D, h, w] as vectors [N * h * w, D, 1, 1]."""
    return features.movedim(1, -1).reshape(-1, features.shape[1], 1, 1)


def as_maps(values: Tensor, like: Tensor) -> Tensor:
    """Rearrange values [N * h * w, c, 1, 1] as maps [N, c, h, w] of the size of features `like`."""
    count, _, height, width = like.shape
    return values.reshape(count, height, width, -1).movedim(-1, 1)


def feature_evidence(x: Tensor, rebuilt: Tensor, directions: int) -> Maps:
    """Compute the evidence that all methods share, [N, 1, 1, 1], from vectors [N, D, 1, 1].

    It is the mean absolute and the mean squared difference of vectors and reconstructions, and the
    mean square of the vectors. All are taken over the last `directions` channels, which hold the
    remainder if eigenmaps are used.
    """
    left, difference = x[:, -directions:], (x - rebuilt)[:, -directions:]
    return {
        "residual": difference.abs().mean(1, keepdim=True),
        "squared": difference.square().mean(1, keepdim=True),
        "magnitude": left.square().mean(1, keepdim=True),
    }
