"""What a method tells the training loop: its networks and one training step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor, nn


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


class Recipe(Protocol):
    """A method: networks that take turns at descending losses.

    Attributes:
        networks: all networks, by name; their state is checkpointed and averaged.
        players: names of the networks that each player owns, by player.
    """

    networks: nn.ModuleDict
    players: Mapping[str, tuple[str, ...]]

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield the updates of one training step in the method's order.

        The loop descends each update before it asks for the next one, so that code after a
        `yield` sees the changed weights. `x` is a batch of views [N, C, H, W] in [-1, 1].
        """
        ...
