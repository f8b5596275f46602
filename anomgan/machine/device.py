"""Chooses the device to compute on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from anomgan.errors import SettingsError

BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16")
"""torch's names of processor units for bfloat16."""


def choose_device(name: str) -> torch.device:
    """Choose the device called `name`; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Each process that `torchrun` starts on a machine gets its own GPU.

    Raises:
        SettingsError: the device is unknown or not available on this machine, or there are fewer
            GPUs than processes.
    """
    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((kind for kind, found in usable.items() if found), "cpu")
    device = read_device(name)
    if not usable.get(device.type, True):
        raise SettingsError(f"device {name} is not available here; use --device auto or cpu")
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if (device.index or 0) >= count:
        there = "is only one" if count == 1 else f"are {count}, from {device.type}:0"
        raise SettingsError(f"device {name} is not available here; there {there}")
    place = int(os.environ.get("LOCAL_RANK", 0))
    if name != "cuda" or not place:
        return device
    if place >= count:
        raise SettingsError(
            f"each process needs a GPU, and there are only {count} here; start fewer with "
            f"--nproc-per-node, or use --device cpu"
        )
    return torch.device("cuda", place)


def read_device(name: object) -> torch.device:
    """Parse the name of a device, without checking that the device is available.

    Raises:
        SettingsError: the name is unknown.
    """
    known = (
        f"unknown device {name!r}; choose auto, cpu, cuda or mps, or one of several as in cuda:1"
    )
    try:
        device = torch.device(name) if isinstance(name, str) else None
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise SettingsError(known)
    return device


@contextmanager
def own_state(device: torch.device) -> Iterator[None]:
    """Compute as in a new process, and leave the caller's random numbers as they are.

    Whatever the caller has switched on or off: gradients are on, autocast is off, and new tensors
    are float32 on the CPU. The default type of tensors is that of the whole process: meanwhile, the
    caller's other threads have float32, too.
    """
    seeded = device.type == "cuda" or torch.cuda.is_initialized()  # a seed is that of all GPUs
    devices = range(torch.cuda.device_count()) if seeded else ()
    elsewhere = torch.empty(0).device.type != "cpu"
    dtype = torch.get_default_dtype()
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
        torch.device("cpu") if elsewhere else nullcontext(),  # slows small networks down
        torch.random.fork_rng(devices),
    ):
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


@contextmanager
def inference(device: torch.device) -> Iterator[None]:
    """Compute without gradients, and in float32 within the caller's autocast, too."""
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has units for bfloat16, which make mixed precision faster."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # An older torch does not tell the processor's capabilities; float32 works everywhere.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(capabilities.get(unit) for unit in BFLOAT16_UNITS)
