"""Parts of networks that are not trained: their weights and statistics stay as they are."""

from collections.abc import Sequence
from difflib import get_close_matches

from torch import nn

from anomgan.errors import SettingsError


def freeze(networks: nn.ModuleDict, names: Sequence[str]) -> None:
    """Freeze parts of networks.

    Args:
        networks: of a recipe.
        names: of networks or of their sub-modules, such as "mapping" or "synthesis.blocks.0".

    Raises:
        SettingsError: there is no such part, or nothing is left to train.
    """
    parts = {name: part for name, part in networks.named_modules() if name}
    for name in names:
        if name not in parts:
            near = get_close_matches(name, parts, n=4, cutoff=0.5)
            similar = f" Similar: {', '.join(near)}." if near else ""
            raise SettingsError(
                f"there is no part {name} to freeze.{similar} The networks are "
                f"{', '.join(networks)}"
            )
        parts[name].requires_grad_(False)
    if not any(weight.requires_grad for weight in networks.parameters()):
        raise SettingsError("all networks are frozen; leave some to train")


def training_mode(networks: nn.Module) -> None:
    """Set networks to training mode, and their frozen parts to evaluation mode."""
    networks.train()
    for part in networks.modules():
        weights = list(part.parameters())
        if weights and not any(weight.requires_grad for weight in weights):
            part.eval()
