"""Exponential moving average of the weights (EMA), which is used after training."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from anomgan.machine.progress import progress_bar
from anomgan.training.frozen import training_mode
from anomgan.training.recipe import Recipe

SETTLE_BATCHES = 50
"""Batches on which the batch-norm statistics of averaged weights are measured."""


class WeightAverage:
    """Moving average of the weights of a recipe's networks.

    Args:
        recipe: its networks must already be on their device.
        decay: share of the average that is kept at each step; 0 for no average: then the last
            weights are used.

    Attributes:
        networks: copy of the networks with the averaged weights; None if the decay is 0.
    """

    def __init__(self, recipe: Recipe, decay: float) -> None:
        self.recipe = recipe
        self.decay = decay
        self.networks = copy.deepcopy(recipe.networks) if decay else None

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Update the average with the weights after a step; steps count from 0."""
        if self.networks is None:
            return
        # A smaller decay in the first steps, or the average would still contain the first weights.
        decay = min(self.decay, (1 + step) / (10 + step))
        averages, currents = self.networks.state_dict(), self.recipe.networks.state_dict()
        for average, current in zip(averages.values(), currents.values(), strict=True):
            if average.is_floating_point():
                average.lerp_(current, 1 - decay)
            else:
                average.copy_(current)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Give the recipe the averaged weights, in evaluation mode, while the body runs."""
        current = self.recipe.networks
        self.recipe.networks = (current if self.networks is None else self.networks).eval()
        try:
            yield
        finally:
            training_mode(current)
            self.recipe.networks = current

    @contextmanager
    def settled(self, run: Callable[[int], None]) -> Iterator[None]:
        """Give the recipe what `settle` would give it, in evaluation mode, while the body runs.

        Args:
            run: as in `settle`.
        """
        current, memory = self.recipe.networks, copy.deepcopy(self.recipe.memory.state_dict())
        averaged = current if self.networks is None else self.networks
        self.recipe.networks = copy.deepcopy(averaged)
        training_mode(self.recipe.networks)
        try:
            if self.networks is not None and _forget_statistics(self.recipe.networks):
                with torch.no_grad():
                    for step in range(self._settle_steps()):
                        run(step)
            self.recipe.networks.eval()
            yield
        finally:
            training_mode(current)
            self.recipe.networks = current
            self.recipe.memory.load_state_dict(memory)

    def settle(self, run: Callable[[int], None]) -> None:
        """Give the recipe the averaged weights for good, and measure their batch-norm statistics.

        The statistics from training belong to the weights of single steps. Averaged weights give
        smaller activations, and with the old statistics a generator would produce plain grey.

        Args:
            run: passes the batch of a step through the recipe's networks.
        """
        if self.networks is None:
            return
        self.recipe.networks.load_state_dict(self.networks.state_dict())
        if not _forget_statistics(self.recipe.networks):
            return
        steps = self._settle_steps()
        with torch.no_grad(), progress_bar("averaging weights", steps) as report:
            for step in range(steps):
                run(step)
                report(step + 1)

    def _settle_steps(self) -> int:
        """Steps that take `SETTLE_BATCHES`; those of a critic with five batches take long."""
        return -(-SETTLE_BATCHES // self.recipe.batches_per_step)


def _forget_statistics(networks: nn.Module) -> bool:
    """Let every batch norm measure its statistics anew, as a mean over batches; False if none.

    Those of frozen parts, which are in evaluation mode, keep theirs.
    """
    norm = nn.modules.batchnorm._BatchNorm
    every = (layer for layer in networks.modules() if isinstance(layer, norm))
    normalised = [layer for layer in every if layer.training]
    for layer in normalised:
        layer.reset_running_stats()
        layer.momentum = None
    return bool(normalised)
