"""Feature vectors of the normal images, and batches of them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Vectors:
    """Feature vectors to learn from.

    Attributes:
        values: [n, D], half precision.
        images: [n], the number of the image that each is from.
    """

    values: Tensor
    images: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def of_images(self, kept: np.ndarray) -> "Vectors":
        """Keep the vectors of some images; `kept` says of each image [m] whether it is one."""
        if kept.all():
            return self
        chosen = torch.from_numpy(kept)[self.images]
        return Vectors(self.values[chosen], self.images[chosen])


class VectorSampler:
    """Training batches; the batch of a step depends on (seed, step) alone.

    Args:
        vectors: those to train on.
        count: vectors per batch.
        seed: base of the randomness.
    """

    def __init__(self, vectors: Vectors, count: int, seed: int = 0) -> None:
        self.vectors = vectors
        self.count = count
        self.seed = seed

    def __call__(self, step: int) -> list[Tensor]:
        """Vectors [count, D, 1, 1], and the number [count] of the image that each is from."""
        rng = np.random.default_rng((self.seed, step))
        chosen = torch.from_numpy(rng.integers(len(self.vectors), size=self.count))
        return [self.vectors.values[chosen][:, :, None, None], self.vectors.images[chosen]]
