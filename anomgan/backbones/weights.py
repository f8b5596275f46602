"""Loads pretrained weights from a file, a Python package, or timm's hub, and checks them.

No file is executed: safetensors holds only tensors, and any other file is read by PyTorch's loader
in its weights-only mode.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from anomgan.backbones.registry import Entry
from anomgan.backbones.timm_networks import build
from anomgan.errors import InputError
from anomgan.machine.files import sha256_of

State = dict[str, Tensor]


def load_state(entry: Entry, file: Path | None) -> tuple[State, str, str | None]:
    """Load the weights of a backbone under timm's names, in float32.

    Args:
        entry: the backbone.
        file: weights under timm's names; None for the backbone's package or timm's hub.

    Returns:
        The tensors, where they come from, and the SHA-256 of their file. The SHA-256 is None if
        timm keeps no file in the hub's cache.

    Raises:
        InputError: the weights are not available, are damaged, or are not those that were tested.
    """
    if file is not None:
        return _read(file), str(file), sha256_of(file)
    if entry.package is not None:
        return _from_package(entry)
    return _from_hub(entry)


def is_available(entry: Entry) -> bool:
    """Whether the weights are on this machine. Does not use the network."""
    if entry.package is not None:
        return find_spec(entry.package) is not None
    return _cached(entry) is not None


def _from_package(entry: Entry) -> tuple[State, str, str]:
    """Load the weights in a package, which are in timm's order, but under other names."""
    file = _packaged_file(entry)
    sha256 = sha256_of(file)
    if sha256 != entry.sha256:
        raise InputError(
            f"{file} is not the file that anomgan was tested with: its SHA-256 is {sha256}, not "
            f"{entry.sha256}; install the package {entry.package} again"
        )
    packaged = without_counters(_read(file))
    with torch.device("meta"):
        wanted = without_counters(build(entry.timm_name).state_dict())
    shapes = [tensor.shape for tensor in packaged.values()]
    if shapes != [tensor.shape for tensor in wanted.values()]:
        raise InputError(f"{file} does not fit timm's {entry.timm_name}; install timm>=1.0.9")
    return (
        dict(zip(wanted, packaged.values(), strict=True)),
        f"package {entry.package}",
        sha256,
    )


def _packaged_file(entry: Entry) -> Path:
    spec = find_spec(str(entry.package))
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = [file for folder in folders for file in sorted(Path(folder).rglob("*.pth"))]
    if not files:
        raise InputError(
            f"the package {entry.package} with the weights of {entry.name} is missing or "
            f"incomplete; install it again, or {_GIVE_A_FILE}"
        )
    return files[0]


def _from_hub(entry: Entry) -> tuple[State, str, str | None]:
    """Load the weights that timm downloads on first use and caches."""
    import timm

    try:
        # Some of timm's networks only warn and stay random if they have no registered weights.
        if not timm.models.is_model_pretrained(entry.timm_name):
            raise InputError("timm knows no weights for it")
        network = timm.create_model(entry.timm_name, pretrained=True)
    except Exception as error:  # many libraries: no network, no such file, a full disk
        raise InputError(
            f"the weights of backbone {entry.name} are not on this machine and could not be "
            f"downloaded. Connect to the internet, so that timm can download them, or "
            f"{_GIVE_A_FILE} ({type(error).__name__}: {error})"
        ) from error
    file = _cached(entry)
    state = {name: tensor.float() for name, tensor in network.state_dict().items()}
    return state, f"timm {entry.timm_name}", sha256_of(file) if file else None


_GIVE_A_FILE = "give a file with --set backbone.weights=FILE.safetensors"


def _cached(entry: Entry) -> Path | None:
    """Find the file that timm downloaded earlier."""
    from huggingface_hub import try_to_load_from_cache
    from timm.models import get_pretrained_cfg

    about = get_pretrained_cfg(entry.timm_name)
    if about is None or not about.hf_hub_id:
        return None
    for name in ("model.safetensors", "pytorch_model.bin"):
        path = try_to_load_from_cache(about.hf_hub_id, name)
        if isinstance(path, str):
            return Path(path)
    return None


def _read(file: Path) -> State:
    """Read tensors by name; half precision becomes float32."""
    try:
        if file.suffix == ".safetensors":
            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read weights {file}: {error.strerror or error}") from error
    except Exception as error:  # each format has its own errors for damaged files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{file} is damaged or holds no weights; download it again ({reason})"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(x, Tensor) for x in state.values()):
        raise InputError(f"{file} holds no weights: anomgan expects tensors under timm's names")
    return {name: x.float() if x.is_floating_point() else x for name, x in state.items()}


def without_counters(state: State) -> State:
    """Remove the batch counters of batch norms, which only training needs."""
    return {name: x for name, x in state.items() if not name.endswith("num_batches_tracked")}
