"""Training state in one safetensors file, written atomically and without pickle."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor
from torch.optim import Optimizer

from anomgan.errors import TrainingError
from anomgan.machine.files import atomic_path


@dataclass
class Checkpoint:
    """Everything that a run needs to continue as if it had never stopped.

    Attributes:
        step: steps done.
        seconds: training time so far.
        facts: images and settings of the run; a resumed run must have the same.
        history: one row of mean losses per logged step.
        tensors: weights, averages and optimiser state, by name.
    """

    step: int
    seconds: float
    facts: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write to `path`; replaces an earlier checkpoint only when this one is complete."""
        about = {name: getattr(self, name) for name in ("step", "seconds", "facts", "history")}
        tensors = {name: t.detach().cpu().contiguous() for name, t in self.tensors.items()}
        text = json.dumps(about)
        metadata = {"checkpoint": text, "sha256": _checksum(text, tensors)}
        with atomic_path(path) as temporary:
            temporary.write_bytes(to_bytes(tensors, metadata))

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read a file that `save` wrote.

        Raises:
            TrainingError: the file is damaged or is not a checkpoint.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            checksum = _checksum(metadata["checkpoint"], tensors)
            # Checkpoints of the first versions have no checksum.
            if metadata.get("sha256", checksum) != checksum:
                raise ValueError("its checksum does not match")
            return cls(**json.loads(metadata["checkpoint"]), tensors=tensors)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise TrainingError(
                f"checkpoint {path} is damaged ({error}); delete it to start again"
            ) from error


def _checksum(about: str, tensors: Mapping[str, Tensor]) -> str:
    """Compute the SHA-256 of everything in a checkpoint."""
    digest = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add `prefix/` before the name of every tensor."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def unprefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Select the tensors whose name begins with `prefix/`, and remove the prefix."""
    start = f"{prefix}/"
    return {name[len(start) :]: t for name, t in tensors.items() if name.startswith(start)}


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return an optimiser's running moments as named tensors."""
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore the tensors of `optimizer_tensors`; `optimizer` keeps its own learning rates."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
