"""Trains one model in several processes, each on its share of every batch.

Gradients are averaged after each `backward`, not by DistributedDataParallel: players take turns,
several players can share a network, and penalties differentiate gradients. Averaging the gradients
after `backward` works in all these cases, and the code shows where it happens.
"""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from anomgan.errors import SettingsError, TrainingError

Value = TypeVar("Value")
ENDED = (
    "another process of this training has ended, or this one was told to end; if another process "
    "has failed, its own message says why. If a checkpoint was saved, run the same command with "
    "--resume to continue"
)
PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others, which may read images from a slower disk."""


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that `torchrun` has started, if any, while the body runs.

    After an error, the group is not shut down properly, because that could wait for processes that
    have ended. This process ends, its connections close, and so the others end, too.

    Raises:
        TrainingError: `torchrun` ends this process, because another one has failed.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    # Functions of this module take the group of the moment when it is imported as their default.
    # That would keep the group's threads alive after we leave it, and they can crash our exit.
    import torch.distributed.nn.functional  # noqa: F401

    previous = signal.signal(signal.SIGTERM, _told_to_end)
    dist.init_process_group(timeout=PATIENCE)  # gloo for tensors of the CPU, nccl for GPUs
    try:
        yield
    except BaseException:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends anyway, and must report the error
        raise
    dist.barrier()  # leaving the group while others still work may crash
    dist.destroy_process_group()
    signal.signal(signal.SIGTERM, previous)


def _told_to_end(number: int, frame: FrameType | None) -> None:
    raise TrainingError(ENDED)


def ranks() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0; only number 0 writes files and prints."""
    return dist.get_rank() if dist.is_initialized() else 0


def check_batch_size(size: int) -> None:
    """Check that each process gets an equal share of the batch, of at least two views.

    Raises:
        SettingsError: the batch cannot be divided that way.
    """
    count = ranks()
    if count > 1 and (size % count or size < 2 * count):
        raise SettingsError(
            f"training.batch_size = {size} is divided among {count} processes: it must be a "
            f"multiple of {count}, and at least {2 * count}"
        )


def share(batch: Sequence[Tensor], joined: int) -> list[Tensor]:
    """Select this process's share of a batch: views and their labels.

    Args:
        batch: views [N, ...], and labels [N] or [N, K] if there are any.
        joined: number of concatenated batches with equal labels; each is divided separately.

    Returns:
        One view in `ranks()`, chosen label by label, so that all processes have equally many of
        each label.
    """
    if ranks() == 1:
        return list(batch)
    views, *labels = batch
    order = torch.arange(len(views) // joined)
    if labels:
        kinds = labels[0][: len(order)].nan_to_num(-1.0)
        order = torch.unique(kinds, dim=0, return_inverse=True)[1].argsort(stable=True)
    mine = order[rank() :: ranks()]
    places = torch.cat([mine + number * len(order) for number in range(joined)])
    return [part[places] for part in batch]


def average_(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor with its mean over all processes; all must have one device and type."""
    some = list(tensors)
    if ranks() == 1 or not some:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in some])
    _add_up_(flat)
    means = (flat / ranks()).split([tensor.numel() for tensor in some])
    for tensor, mean in zip(some, means, strict=True):
        tensor.copy_(mean.view(tensor.shape))


def average(x: Tensor) -> Tensor:
    """Average a tensor over all processes; gradients flow back to all of them."""
    return _Sum.apply(x) / ranks()


def largest(*values: float) -> list[float]:
    """Find the largest of each value over all processes."""
    if ranks() == 1:
        return list(values)
    # On the CPU, where a process that has ended is noticed; GPUs would wait for it.
    tensor = torch.tensor(values, dtype=torch.float64)
    with _ended_processes():
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return tensor.tolist()


def from_first(make: Callable[[], Value]) -> Value:
    """Call `make` in the first process, and return its result in all."""
    if ranks() == 1:
        return make()
    box: list[Any] = [make() if rank() == 0 else None]
    with _ended_processes():
        dist.broadcast_object_list(box)
    found: Value = box[0]
    return found


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        total = x.clone()
        _add_up_(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        # The losses of all processes depend on the input of each.
        return _Sum.apply(gradient)


def _add_up_(tensor: Tensor) -> None:
    with _ended_processes():
        dist.all_reduce(tensor)


@contextmanager
def _ended_processes() -> Iterator[None]:
    """Explain torch's error for a process that has ended."""
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(ENDED) from error
