"""What both sides of the comparison are given, and how a side is measured. Needs torch alone."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from measured import Figures
from torch import Tensor

SIZE, CHANNELS, FEATURES, LATENT_DIM, BATCH = 64, 3, 64, 100, 32
"""The peer's defaults, at 64 px."""


def views() -> Tensor:
    """A batch as the networks see it."""
    return torch.rand(BATCH, CHANNELS, SIZE, SIZE, generator=torch.manual_seed(0)) * 2 - 1


def per_second(work: Callable[[], object], images: int) -> float:
    """Images per second of work that has been done once before."""
    work()
    began = time.perf_counter()
    work()
    return images / (time.perf_counter() - began)


def arithmetic(work: Callable[[], object]) -> float:
    """Multiply-adds per image of work on one batch."""
    from torch.utils.flop_counter import FlopCounterMode  # after memory is measured, it takes some

    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 2 / BATCH


def parameters(networks: torch.nn.Module) -> int:
    """Number of weights."""
    return sum(weight.numel() for weight in networks.parameters())


def run(jobs: dict[str, Callable[[Path, int, str], Figures]]) -> None:
    """Do the job that the command line names, and leave its figures in a file."""
    job, place, steps, precision, out = sys.argv[1:]
    Path(out).write_text(json.dumps(jobs[job](Path(place), int(steps), precision)))
