"""Hard normals: part of each batch are the vectors that the networks rebuild worst.

Rare normal places (highlights, the flank of a thread) have the highest scores in good images, so
they set the threshold. A network that sees them only as often as they occur never learns them.
"""

import math

import torch
from torch import Tensor

from anomgan.training.recipe import Recipe

CANDIDATES = 4
"""Candidates for each hard vector of a batch."""
FAIR_SHARES = 2
"""Most hard vectors from one image, as a multiple of its fair share."""


def rebuilding_error(x: Tensor, rebuilt: Tensor) -> Tensor:
    """Compute the mean squared error [N] of rebuilt vectors, which says how hard each one is."""
    return (x - rebuilt).square().flatten(1).mean(1)


def to_draw(batch_size: int, hard_share: float) -> int:
    """Count the vectors to draw for a batch of `batch_size` with a share of hard ones."""
    hard = round(hard_share * batch_size)
    return batch_size - hard + CANDIDATES * hard


def with_hardest(recipe: Recipe, drawn: Tensor, images: Tensor, batch_size: int) -> Tensor:
    """Make a batch of vectors drawn at random and the hardest of the other candidates.

    At most twice its fair share of the hard vectors comes from one image. A bad image among the
    good ones is hard, too, and must not be what the networks learn best.

    Args:
        recipe: measures how hard each vector is.
        drawn: `to_draw` vectors [M, D, 1, 1].
        images: number [M] of the image that each vector is from.
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
    most = math.ceil(FAIR_SHARES * hard / len(images.unique()))
    order = order[_occurrence(images[split:][order]) < most][:hard]
    chosen = torch.cat([drawn[:split], candidates[order]])
    if len(chosen) < batch_size:  # too few images, each at its limit
        chosen = torch.cat([chosen, candidates[: batch_size - len(chosen)]])
    return chosen[torch.randperm(batch_size, device=chosen.device)]


def _occurrence(images: Tensor) -> Tensor:
    """Count how often the image of each entry occurs before the entry, [M]."""
    order = images.argsort(stable=True)
    ordered = images[order]
    place = torch.arange(len(images), device=images.device)
    turn = torch.empty_like(place)
    turn[order] = place - torch.searchsorted(ordered, ordered)
    return turn
