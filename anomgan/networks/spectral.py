"""Spectral norm on layers that can be pickled.

Miyato, Kataoka, Koyama and Yoshida, "Spectral Normalization for Generative Adversarial Networks",
ICLR 2018.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import type_before_parametrizations


def spectral_norm(layer: nn.Module) -> None:
    """Divide the weight of a layer by its largest singular value, in place.

    This is torch's spectral norm. Torch lets nobody pickle such a layer, but a detector may be
    pickled, so the layer learns how.
    """
    parametrizations.spectral_norm(layer)
    type(layer).__reduce__ = _reduce  # type: ignore[assignment] # torch made a class for this layer


def _reduce(layer: nn.Module) -> tuple[Callable[..., nn.Module], tuple[Any, ...]]:
    plain: nn.Module = object.__new__(type_before_parametrizations(layer))
    original = layer.get_parameter("parametrizations.weight.original")
    parameters = layer._parameters | {"weight": original}
    vars(plain).update(vars(layer) | {"_parameters": parameters, "_modules": {}})
    return _restore, (plain, layer.state_dict())


def _restore(layer: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    spectral_norm(layer)
    layer.load_state_dict(weights)
    return layer
