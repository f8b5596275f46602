"""The interface between a method and the training loop: its networks and one training step."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from anomgan.config import TrainingSettings


@dataclass(frozen=True)
class Update:
    """One loss to minimise, for the networks of one player.

    Attributes:
        player: name of the player whose weights change.
        loss: scalar tensor, the weighted sum that is minimised.
        terms: parts of the loss, for the history and the progress bar.
        floor: the player skips the step unless its loss, averaged over all processes, is above
            this; its terms are still logged.
    """

    player: str
    loss: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)
    floor: float = -math.inf


@dataclass(frozen=True)
class Adam:
    """A method's own settings of Adam, used unless the training settings override them."""

    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    weight_decay: float = 0.0


@dataclass(frozen=True)
class RMSProp:
    """A method's own settings of RMSProp, without momentum; `decay` is that of the mean square."""

    learning_rate: float = 5e-5
    decay: float = 0.99


@dataclass(frozen=True)
class Phase:
    """A recipe and how long and how fast to train it."""

    recipe: "Recipe"
    training: TrainingSettings


class Recipe(ABC):
    """A method: networks that are trained in turns, each on its own loss.

    Attributes:
        players: names of the networks that change together, by player.
        optimiser: the method's own optimiser and its settings.
        rates: factor of the learning rate, for networks that need another one.
        networks: all networks, by name; their state is checkpointed and averaged.
        memory: training state besides the weights; checkpointed, but not part of the model. Each
            process has its own; a resumed training starts with that of the first process in all.
        batches_per_step: number of batches of views for one step, concatenated.
        steps_done: number of steps before this one; set by the loop.
        share_done: share of the training that is done, from 0 to 1; set by the loop.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]]
    optimiser: Adam | RMSProp = Adam()
    rates: Mapping[str, float] = {}
    networks: nn.ModuleDict
    memory: nn.Module = nn.Module()
    batches_per_step: int = 1
    steps_done: int = 0
    share_done: float = 0.0

    def difficulty(self, x: Tensor) -> Tensor | None:
        """Measure how badly each of the vectors x [N, D, 1, 1] is rebuilt so far, [N]; see `hard`.

        None if the method cannot measure it; then it is trained on random vectors only.
        """
        return None

    @abstractmethod
    def step(self, *batch: Any, **_: Any) -> Iterator[Update]:
        """Yield the updates of one training step in the method's order.

        A method takes `step(x)`, or `step(x, c)` if it learns from labelled views. The loop applies
        each update before it asks for the next one, so code after a `yield` sees the changed
        weights. The networks used, and their order, must not depend on the views. Otherwise
        processes that train together would wait for each other.

        Args:
            batch: views x [N, C, H, W] in [-1, 1], and their labels c [N, K] in the form of
                `data.labels.LabelledImages`.
        """
