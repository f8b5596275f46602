"""Hard normals: part of each batch are the vectors that the networks know worst.

Rare normal places (highlights, the flank of a thread) score highest among good images and so set
the threshold. A network that meets them as rarely as they come never learns them.
"""

import math

import torch
from torch import Tensor

from anomgan.training.recipe import Recipe

CANDIDATES = 4
"""Vectors that compete for each hard place of a batch."""
FAIR_SHARES = 2
"""Hard vectors that one image may give, as a multiple of its fair share."""


def rebuilding_error(x: Tensor, rebuilt: Tensor) -> Tensor:
    """Mean squared difference [N] of vectors and what is made of them: how hard each one is."""
    return (x - rebuilt).square().flatten(1).mean(1)


def to_draw(batch_size: int, hard_share: float) -> int:
    """Vectors to draw for a batch of `batch_size`, `hard_share` of which are hard."""
    hard = round(hard_share * batch_size)
    return batch_size - hard + CANDIDATES * hard


def with_hardest(recipe: Recipe, drawn: Tensor, images: Tensor, batch_size: int) -> Tensor:
    """A batch of vectors drawn at random, completed by the hardest of the others.

    An image gives at most twice its fair share of the hard ones: a bad image among the good ones
    is hard to learn, too, and must not be what the networks learn best.

    Args:
        recipe: says how hard each vector is.
        drawn: `to_draw` vectors [M, D, 1, 1].
        images: number [M] of the image that each is from.
        batch_size: vectors in the batch.

    Returns:
        Vectors [batch_size, D, 1, 1] in random order.
    """
    hard = (len(drawn) - batch_size) // (CANDIDATES - 1)
    if not hard:
        return drawn
    split = batch_size - hard
    candidates = drawn[split:]
    recipe.networks.eval()
    with torch.no_grad():
        difficulty = recipe.difficulty(candidates)
    recipe.networks.train()
    if difficulty is None:
        return drawn[:batch_size]
    order = difficulty.argsort(descending=True)
    order = order[_turn(images[split:][order]) < _most(images, hard)][:hard]
    chosen = torch.cat([drawn[:split], candidates[order]])
    if len(chosen) < batch_size:  # a few images only, which may not give more
        chosen = torch.cat([chosen, candidates[: batch_size - len(chosen)]])
    return chosen[torch.randperm(batch_size, device=chosen.device)]


def _most(images: Tensor, hard: int) -> int:
    return math.ceil(FAIR_SHARES * hard / len(images.unique()))


def _turn(images: Tensor) -> Tensor:
    """How often the image of each entry came before it, [M]."""
    order = images.argsort(stable=True)
    ordered = images[order]
    place = torch.arange(len(images), device=images.device)
    turn = torch.empty_like(place)
    turn[order] = place - torch.searchsorted(ordered, ordered)
    return turn
