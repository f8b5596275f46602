"""Where to compute."""

import torch

from anomgan.errors import SettingsError


def choose_device(name: str) -> torch.device:
    """The device called `name`; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        SettingsError: the device is unknown or not available on this machine.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next((kind for kind, usable in available.items() if usable), "cpu")
    kind = name.partition(":")[0]
    if kind not in ("cpu", *available):
        raise SettingsError(f"unknown device {name}; choose auto, cpu, cuda or mps")
    if not available.get(kind, True):
        raise SettingsError(f"device {name} is not available here; use --device auto or cpu")
    return torch.device(name)
