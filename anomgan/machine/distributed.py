"""Several processes that train one model together, each on its share of every batch.

Gradients are averaged after each `backward`, not by DistributedDataParallel: players take turns,
a network serves several of them, and penalties differentiate gradients. An average of what
`backward` has left suits all of these, and is seen where it happens.
"""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from anomgan.errors import SettingsError, TrainingError

Value = TypeVar("Value")
ENDED = (
    "another process of this training has ended, or this one was told to end; where another has "
    "failed, its own message says why. If a checkpoint was saved, the same command with --resume "
    "goes on"
)
PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others, which may read their images from a slower disk."""


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that `torchrun` has started, if any, while the body runs.

    After an error the group is not left in good order, which might wait for processes that are
    gone: this process ends, its connections close, and so the others end, too.

    Raises:
        TrainingError: `torchrun` ends this process, because another one has failed.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    previous = signal.signal(signal.SIGTERM, _told_to_end)
    dist.init_process_group(timeout=PATIENCE)  # gloo for tensors of the CPU, nccl for GPUs
    try:
        yield
    except BaseException:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends by itself, and is to say why
        raise
    dist.barrier()  # a process that lets go of one at work may crash
    dist.destroy_process_group()
    signal.signal(signal.SIGTERM, previous)


def _told_to_end(number: int, frame: FrameType | None) -> None:
    raise TrainingError(ENDED)


def ranks() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0; number 0 alone writes files and speaks to the user."""
    return dist.get_rank() if dist.is_initialized() else 0


def check_batch_size(size: int) -> None:
    """Every process needs a share of the batch, of at least two views for statistics.

    Raises:
        SettingsError: the batch cannot be divided like that.
    """
    count = ranks()
    if count > 1 and (size % count or size < 2 * count):
        raise SettingsError(
            f"training.batch_size = {size} is divided among {count} processes: it must be a "
            f"multiple of {count}, and at least {2 * count}"
        )


def share(batch: Sequence[Tensor], joined: int) -> list[Tensor]:
    """The views of a batch that are this process's part, and their labels.

    Args:
        batch: views [N, ...], and labels [N] or [N, K] if there are any.
        joined: of how many batches, equally labelled, it consists; each is divided by itself.

    Returns:
        One view in `ranks()`, label by label, so that each process has as many of each.
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
    """Replace each tensor by its mean over all processes; they are of one device and type."""
    some = list(tensors)
    if ranks() == 1 or not some:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in some])
    _add_up_(flat)
    means = (flat / ranks()).split([tensor.numel() for tensor in some])
    for tensor, mean in zip(some, means, strict=True):
        tensor.copy_(mean.view(tensor.shape))


def average(x: Tensor) -> Tensor:
    """The mean of a tensor over all processes; gradients pass through it to all of them."""
    return _Sum.apply(x) / ranks()


def largest(*values: float) -> list[float]:
    """Of each value the largest in all processes."""
    if ranks() == 1:
        return list(values)
    # On the CPU: a process that is gone is noticed here, where GPUs would wait for it.
    tensor = torch.tensor(values, dtype=torch.float64)
    with _others():
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return tensor.tolist()


def from_first(make: Callable[[], Value]) -> Value:
    """What the first process makes, given to all."""
    if ranks() == 1:
        return make()
    box = [make() if rank() == 0 else None]
    with _others():
        dist.broadcast_object_list(box)
    return box[0]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        total = x.clone()
        _add_up_(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        # What one process put in, the losses of all depend on.
        return _Sum.apply(gradient)


def _add_up_(tensor: Tensor) -> None:
    with _others():
        dist.all_reduce(tensor)


@contextmanager
def _others() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(ENDED) from error
