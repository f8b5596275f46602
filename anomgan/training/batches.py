"""The batch of each step, read while the step before it runs."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from torch import Tensor

from anomgan.machine.distributed import share

Batches = Callable[[int], Sequence[Tensor]]
"""Gives the batch of a step, always the same for the same step: uint8 views [N, C, H, W], and
labels if there are any; or float feature vectors [N, D, 1, 1], and the image number of each."""


class BatchReader:
    """Gives this process its share of the batch of a step.

    Args:
        batches: gives the batch of a step.
        parts: number of batches for a recipe that takes several in one step.
    """

    def __init__(self, batches: Batches, parts: int) -> None:
        self.batches = batches
        self.parts = parts
        self.thread: ThreadPoolExecutor | None = None
        self.next: dict[int, Future[Sequence[Tensor]]] = {}

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """Read the next batch during each step, so that a GPU does not wait for it."""
        with ThreadPoolExecutor(1) as self.thread:
            try:
                yield
            finally:
                self.thread = None
                self.next.clear()

    def read(self, step: int) -> Sequence[Tensor]:
        """Read the batch of a step, or take the one that was read ahead."""
        ready = self.next.pop(step, None)
        if self.thread is not None:
            self.next = {step + 1: self.thread.submit(self.batches, step + 1)}
        return share(self.batches(step) if ready is None else ready.result(), self.parts)
