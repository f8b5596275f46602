"""Whitening: a rotation and scaling after which normal features have variance 1 in each direction.

It is a principal component analysis of the normal feature vectors. Directions in which normal
features hardly vary count as much as the others. Defects show in these directions.
"""

from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.errors import InputError

FLOOR = 1e-8
"""A direction needs at least this share of the largest variance; smaller ones are rounding."""
ROUNDING = 1e-12
"""Variance of float32 features from rounding alone, as a share of the mean square."""


class Moments:
    """Count, sum and products of vectors [n, channels], added up batch by batch in float64."""

    def __init__(self, channels: int) -> None:
        self.count = torch.zeros((), dtype=torch.int64)
        self.sum = torch.zeros(channels, dtype=torch.float64)
        self.products = torch.zeros(channels, channels, dtype=torch.float64)

    def add(self, vectors: Tensor) -> None:
        """Add vectors [n, channels]."""
        vectors = vectors.detach().to("cpu", torch.float64)
        self.count += len(vectors)
        self.sum += vectors.sum(0)
        self.products += vectors.T @ vectors

    def __iadd__(self, other: "Moments") -> Self:
        """Add the moments of other vectors."""
        self.count += other.count
        self.sum += other.sum
        self.products += other.products
        return self

    def tensors(self) -> dict[str, Tensor]:
        """Return the state by name, for saving and resuming."""
        return {"count": self.count, "sum": self.sum, "products": self.products}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Restore the state that `tensors` returned."""
        moments = cls(len(tensors["sum"]))
        for name, own in moments.tensors().items():
            own.copy_(tensors[name])
        return moments

    def part(self, start: int, stop: int) -> "Moments":
        """Return the moments of the channels from `start` up to, but without, `stop`."""
        part = Moments(stop - start)
        part.count.copy_(self.count)
        part.sum.copy_(self.sum[start:stop])
        part.products.copy_(self.products[start:stop, start:stop])
        return part

    def mean(self) -> Tensor:
        """Return the mean, [channels]."""
        return self.sum / self.count

    def covariance(self) -> Tensor:
        """Return the population covariance, [channels, channels]."""
        mean = self.mean()
        return self.products / self.count - torch.outer(mean, mean)


class Whitening(nn.Module):
    """Turns feature maps [N, channels, h, w] into whitened maps [N, directions, h, w].

    On the vectors of the fit, each direction has mean 0 and variance 1, and no two directions are
    correlated. Directions without variance give 0.

    Args:
        channels: of the feature maps.
        directions: how many to keep, from the largest variance down.
    """

    mean: Tensor
    directions: Tensor

    def __init__(self, channels: int, directions: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("directions", torch.zeros(directions, channels))

    @classmethod
    def fit(cls, moments: Moments, directions: int) -> Self:
        """Learn from the moments of normal vectors.

        With fewer vectors or channels than `directions`, the surplus directions give 0.

        Raises:
            InputError: the vectors do not vary at all.
        """
        if moments.count == 0:
            raise InputError("no feature vectors to learn from: there are no images")
        channels = len(moments.sum)
        variances, vectors = torch.linalg.eigh(moments.covariance())
        variances, vectors = variances.flip(0), vectors.T.flip(0)
        mean_square = moments.products.trace() / moments.count
        if variances[0] <= ROUNDING * mean_square:
            raise InputError("the normal images are all blank or alike: their features do not vary")
        kept = int((variances > FLOOR * variances[0]).sum().clamp(max=directions))
        vectors = vectors[:kept] * _signs(vectors[:kept])
        whitening = cls(channels, directions)
        whitening.mean.copy_(moments.mean())
        whitening.directions[:kept] = (vectors / variances[:kept, None].sqrt()).float()
        return whitening

    def deviations(self) -> Tensor:
        """Return the directions' deviations before whitening, as shares of the largest."""
        lengths = self.directions.norm(dim=1)  # reciprocal deviations; 0 without variance
        least = lengths[lengths > 0].min()
        return torch.where(lengths > 0, least / lengths.clamp_min(least), 1.0)

    def forward(self, maps: Tensor) -> Tensor:
        return F.conv2d(maps - self.mean[:, None, None], self.directions[:, :, None, None])


def _signs(vectors: Tensor) -> Tensor:
    """Find the signs [n, 1] that make the largest component of each vector positive.

    An eigenvector's sign is arbitrary; with this rule, it is the same on every machine.
    """
    largest = vectors.abs().argmax(1, keepdim=True)
    return vectors.gather(1, largest).sign()
