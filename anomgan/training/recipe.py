"""What a method tells the training loop: its networks and one training step."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from anomgan.config import TrainingSettings


@dataclass(frozen=True)
class Update:
    """One loss to descend, for the networks of one player.

    Attributes:
        player: name of the player whose weights change.
        loss: scalar tensor, the weighted sum that is minimised.
        terms: its parts as the history and the progress bar show them.
        apply: False when the player sits this step out; its terms are logged all the same.
    """

    player: str
    loss: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)
    apply: bool = True


@dataclass(frozen=True)
class Adam:
    """A method's own settings of Adam, used unless the training settings say otherwise."""

    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999


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
        players: names of the networks that each player owns, by player.
        optimiser: the method's own, and its settings.
        networks: all networks, by name; their state is checkpointed and averaged.
        batches_per_step: how many batches of views one step is given, joined into one.
        steps_done: steps before this one; the loop says it.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]]
    optimiser: ClassVar[Adam | RMSProp] = Adam()
    networks: nn.ModuleDict
    batches_per_step: int = 1
    steps_done: int = 0

    @abstractmethod
    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield the updates of one training step in the method's order.

        The loop descends each update before it asks for the next one, so that code after a
        `yield` sees the changed weights. `x` is a batch of views [N, C, H, W] in [-1, 1].
        """
