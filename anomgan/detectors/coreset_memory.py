"""A memory of normal vectors that cover all others: drawing, choosing, nearest-neighbour search."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from anomgan.detectors.feature_space import as_vectors

BLOCK = 512
"""Stored vectors in one block of the search."""


class VectorMemory(nn.Module):
    """Maps vectors [N, D, 1, 1] to the nearest stored ones, [N, D, 1, 1].

    Args:
        size: number of stored vectors.
        channels: D.
    """

    values: Tensor
    scale: Tensor
    """[D]; the factor for each direction, applied to vectors before they are compared."""

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(size, channels))
        self.register_buffer("scale", torch.ones(channels))

    def fill(self, vectors: Tensor) -> None:
        """Store vectors [n, D], n at most `size`; if there are fewer, some are stored twice."""
        self.values.copy_(vectors[torch.arange(len(self.values)) % len(vectors)])

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        least = torch.full_like(flat[:, 0], torch.inf)
        nearest = torch.zeros_like(least, dtype=torch.long)
        # The number of blocks depends only on the settings, so that a graph can be exported.
        for number, block in enumerate(self.values.split(BLOCK)):
            found = (block.square().sum(1) - 2 * (flat @ block.T)).float().min(1)
            nearest = torch.where(found.values < least, found.indices + number * BLOCK, nearest)
            least = torch.minimum(least, found.values)
        return self.values[nearest].view_as(x)


def draw_vectors(maps: Iterable[Tensor], count: int, generator: torch.Generator) -> Tensor:
    """Draw at most `count` vectors [n, D] of maps [1, D, h, w] in random order, all equally likely.

    Each vector gets a random number, and those with the lowest numbers are kept. So the memory
    used does not grow with the number of maps.
    """
    vectors, numbers, held = [], [], 0
    for one in maps:
        vectors.append(as_vectors(one).flatten(1))
        numbers.append(torch.rand(len(vectors[-1]), dtype=torch.float64, generator=generator))
        held += len(vectors[-1])
        if held > 2 * count:
            lowest, some = _lowest(torch.cat(numbers), torch.cat(vectors), count)
            vectors, numbers, held = [some], [lowest], count
    return _lowest(torch.cat(numbers), torch.cat(vectors), count)[1]


def _lowest(numbers: Tensor, vectors: Tensor, count: int) -> tuple[Tensor, Tensor]:
    found = numbers.topk(min(count, len(numbers)), largest=False, sorted=True)
    return found.values, vectors[found.indices]


def greedy_k_centre(points: Tensor, count: int, report: Callable[[int], object]) -> Tensor:
    """Choose points that cover all: each is the farthest from those chosen before it.

    Args:
        points: [n, d]; the first one is chosen first.
        count: how many to choose, n at most.
        report: called with the number chosen so far.

    Returns:
        The indices [count] of the chosen points, in the order of choice.
    """
    lengths = points.square().sum(1)
    gaps = torch.full_like(lengths, torch.inf)
    chosen = torch.zeros(count, dtype=torch.long, device=points.device)
    for number in range(1, count):
        latest = chosen[number - 1]
        squared = torch.addmv(lengths, points, points[latest], alpha=-2) + lengths[latest]
        gaps = torch.minimum(gaps, squared)
        gaps[latest] = -torch.inf  # rounding must not choose it twice
        chosen[number] = gaps.argmax()
        report(number + 1)
    return chosen
