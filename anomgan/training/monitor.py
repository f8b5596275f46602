"""Looks at a training from time to time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Monitor:
    """Functions to call between steps, while the recipe has the averaged weights.

    The networks are in evaluation mode.

    Attributes:
        show: called with the number of steps done.
        show_every: steps from one call of `show` to the next; 0 for never.
        measure: returns figures by name, for the progress bar and the history; the weights with the
            lowest first figure are kept. Batch norms have the statistics of the averaged weights.
        measure_every: steps from one call of `measure` to the next; 0 for never.
    """

    show: Callable[[int], None] = lambda step: None
    show_every: int = 0
    measure: Callable[[], Mapping[str, float]] = dict
    measure_every: int = 0
