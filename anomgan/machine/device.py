"""Where to compute."""

import os

import torch

from anomgan.errors import SettingsError

BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16")
"""What torch calls processor units for bfloat16."""


def choose_device(name: str) -> torch.device:
    """The device called `name`; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Each of the processes that `torchrun` starts on a machine has a GPU of its own.

    Raises:
        SettingsError: the device is unknown or not available on this machine, or there are fewer
            GPUs than processes.
    """
    if not isinstance(name, str):
        raise SettingsError(f"unknown device {name!r}; choose auto, cpu, cuda or mps")
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((kind for kind, usable in available.items() if usable), "cpu")
    kind = name.partition(":")[0]
    if kind not in ("cpu", *available):
        raise SettingsError(f"unknown device {name}; choose auto, cpu, cuda or mps")
    if not available.get(kind, True):
        raise SettingsError(f"device {name} is not available here; use --device auto or cpu")
    place = int(os.environ.get("LOCAL_RANK", 0))
    if name == "cuda" and place:
        if place >= torch.cuda.device_count():
            raise SettingsError(
                f"each process needs a GPU, and there are only {torch.cuda.device_count()} here; "
                f"start fewer with --nproc-per-node, or use --device cpu"
            )
        name = f"cuda:{place}"
    return torch.device(name)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has units for bfloat16, with which mixed precision is faster."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # An older torch does not say what its processor has; float32 is right everywhere.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(capabilities.get(unit) for unit in BFLOAT16_UNITS)
