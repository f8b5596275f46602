"""What a method tells the training loop: its networks and one training step."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from anomgan.config import TrainingSettings


@dataclass(frozen=True)
class Update:
    """One loss to descend, for the networks of one player.

    Attributes:
        player: name of the player whose weights change.
        loss: scalar tensor, the weighted sum that is minimised.
        terms: its parts as the history and the progress bar show them.
        floor: the player sits this step out unless its loss is above this, over the views of all
            processes; its terms are logged all the same.
    """

    player: str
    loss: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)
    floor: float = -math.inf


@dataclass(frozen=True)
class Adam:
    """A method's own settings of Adam, used unless the training settings say otherwise."""

    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    weight_decay: float = 0.0


@dataclass(frozen=True)
class RMSProp:
    """A method's own settings of RMSProp, without momentum."""

    learning_rate: float = 5e-5


@dataclass(frozen=True)
class Phase:
    """A recipe and how long and how fast to train it."""

    recipe: "Recipe"
    training: TrainingSettings


class Recipe(ABC):
    """A method: networks that take turns at descending losses.

    Attributes:
        players: names of the networks that change together, by player.
        optimiser: the method's own, and its settings.
        rates: what the step size is multiplied by, for networks that need another one.
        networks: all networks, by name; their state is checkpointed and averaged.
        memory: what training remembers beside the weights; checkpointed, not part of the model.
            Each process has its own; a resumed training begins with the first one's in all.
        batches_per_step: how many batches of views one step is given, joined into one.
        steps_done: steps before this one; the loop says it.
        share_done: of the training, from 0 to 1; likewise.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]]
    optimiser: ClassVar[Adam | RMSProp] = Adam()
    rates: ClassVar[Mapping[str, float]] = {}
    networks: nn.ModuleDict
    memory: nn.Module = nn.Module()
    batches_per_step: int = 1
    steps_done: int = 0
    share_done: float = 0.0

    def difficulty(self, x: Tensor) -> Tensor | None:
        """How badly each of the vectors x [N, D, 1, 1] is learnt so far, [N]; see `hard`.

        None where the method cannot say; it is then trained on vectors as they come.
        """
        return None

    @abstractmethod
    def step(self, *batch: Any, **_: Any) -> Iterator[Update]:
        """Yield the updates of one training step in the method's order.

        A method takes `step(x)`, or `step(x, c)` if it learns from labelled views. The loop
        descends each update before it asks for the next one, so that code after a `yield` sees
        the changed weights. Which networks are asked, and in which order, must not depend on the
        views: processes that train together would wait for each other.

        Args:
            batch: views x [N, C, H, W] in [-1, 1], and their labels c [N, K] as
                `data.labels.LabelledImages` gives them.
        """
