"""Reads checkpoints that authors have published, and puts their weights into our networks.

A file is loaded as weights only: nothing in it is executed. The module of each format has a table
of the authors' names and ours.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anomgan.config_values import build_settings
from anomgan.data.labels import LabelSet
from anomgan.data.prepare import Preparation
from anomgan.errors import InputError, ModelError
from anomgan.generators.loading import build_model
from anomgan.generators.trained import TrainedGenerator, settings_of
from anomgan.machine.device import choose_device
from anomgan.machine.files import sha256_of

LEAVES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
"""Names of the tensors of a layer."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a file that `torch.save` wrote, which must hold a dict.

    Raises:
        InputError: the file cannot be read.
        ModelError: it is not a checkpoint, or holds more than weights.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} is not a checkpoint of PyTorch, or holds more than weights; files that may "
            f"run code are not loaded"
        ) from error
    except (RuntimeError, EOFError, KeyError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(f"{path} is not a checkpoint of PyTorch, or is damaged") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not the weights of networks")
    return content


def weights_of(checkpoint: Mapping[str, Any], part: str, path: Path) -> dict[str, Tensor]:
    """The weights of one network in a checkpoint.

    Raises:
        ModelError: the network is missing, or is something else than named weights.
    """
    if part not in checkpoint:
        found = ", ".join(map(str, list(checkpoint)[:6])) or "nothing"
        raise ModelError(f"{path} has no {part} (it has {found}); is it of another method?")
    tensors = checkpoint[part]
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(one, Tensor) for name, one in tensors.items()
    ):
        raise ModelError(f"{path}: {part} does not hold the weights of a network")
    return dict(tensors)


def shape_of(tensors: Mapping[str, Tensor], name: str, dimensions: int, path: Path) -> list[int]:
    """Shape of a tensor from which the size of a network is known.

    Raises:
        ModelError: it is missing, or has another number of dimensions.
    """
    if name not in tensors:
        raise ModelError(f"{path} has no {name}; is it of another method?")
    shape = list(tensors[name].shape)
    if len(shape) != dimensions:
        raise ModelError(f"{path}: {name} has the shape {shape}, but needs {dimensions} dimensions")
    return shape


def tensors_of(layers: Mapping[str, str]) -> dict[str, str]:
    """Names of tensors, by the names of their layers."""
    return {f"{a}.{leaf}": f"{b}.{leaf}" for a, b in layers.items() for leaf in LEAVES}


def fill(
    network: nn.Module, tensors: Mapping[str, Tensor], names: Mapping[str, str], path: Path
) -> None:
    """Load tensors into a network.

    Args:
        network: to be filled.
        tensors: by the authors' names.
        names: our name for each of theirs. Those that the network does not have are ignored.
        path: of the file, for messages.

    Raises:
        ModelError: names a tensor that is missing, left over, or of another shape.
    """
    wanted = network.state_dict()
    known = {theirs: ours for theirs, ours in names.items() if ours in wanted}
    missing, left = sorted(known.keys() - tensors.keys()), sorted(tensors.keys() - known.keys())
    if missing:
        raise ModelError(f"{path} has no {_some(missing)}; the network needs it")
    if left:
        raise ModelError(f"{path} has {_some(left)}, which has no place in the network")
    for theirs, ours in known.items():
        given, needed = list(tensors[theirs].shape), list(wanted[ours].shape)
        if given != needed:
            raise ModelError(f"{path}: {theirs} has the shape {given}; {needed} is needed")
        if not torch.isfinite(tensors[theirs]).all():
            raise ModelError(f"{path} is damaged: {theirs} holds values that are not finite")
    network.load_state_dict({known[name]: one for name, one in tensors.items()}, strict=False)


def new_model(
    method: str,
    *,
    size: int,
    channels: int,
    network: Mapping[str, Any],
    sets: tuple[LabelSet, ...] = (),
    device: str = "auto",
) -> TrainedGenerator:
    """A model of whole images with new weights, which an import replaces.

    Raises:
        SettingsError: a size is out of range.
    """
    given = {
        "image": {"channels": "rgb" if channels == 3 else "grey"},
        "view": {"size": size},
        "network": dict(network),
    }
    settings = build_settings(settings_of(method), given)
    preparation = Preparation.decide(
        settings.image, settings.view, all_grey=channels == 1, bits=8, shapes=[(size, size)]
    )
    return build_model(settings, preparation, sets, choose_device(device))


def origin(path: Path, untrained: list[str]) -> dict[str, Any]:
    """Where weights are from, for the card of a model."""
    about = {"file": path.name, "sha256": sha256_of(path), "untrained": untrained}
    return {"imported": about}


def _some(names: list[str]) -> str:
    others = f" (and {len(names) - 1} others)" if len(names) > 1 else ""
    return names[0] + others
