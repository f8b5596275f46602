"""A frozen pretrained network that turns images into one feature map."""

from collections.abc import Sequence
from math import lcm
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anomgan.backbones.registry import Entry
from anomgan.backbones.timm_networks import build, cut, fold_batch_norms, measure, run
from anomgan.backbones.weights import State, without_counters
from anomgan.errors import InputError, SettingsError


class Backbone(nn.Module):
    """Turns images [N, 1 or 3, H, W] in [-1, 1] into maps [N, channels, H / stride, W / stride].

    Only the layers up to the last stage exist, with batch norms folded. The weights are random
    until `load` or `load_state_dict`. They are never trained, and the network stays in evaluation
    mode.

    Args:
        entry: the backbone.
        stages: stages whose feature maps are concatenated; default: those of `entry`.
        stride: pixels per cell of the concatenated map; default: that of `entry`.

    Attributes:
        channels: of the concatenated map.
        stride: pixels per cell.
        multiple: the sides of an image must be multiples of this.

    Raises:
        SettingsError: the network has no such stage, or its maps cannot have that stride.
    """

    def __init__(
        self, entry: Entry, stages: Sequence[int] | None = None, stride: int | None = None
    ) -> None:
        super().__init__()
        self.entry = entry
        self.stages = tuple(sorted(set(entry.stages if stages is None else stages)))
        self.stride = entry.stride if stride is None else stride
        known = measure(entry.timm_name)[0]
        _check_stages(self.stages, len(known), entry.name)
        chosen = [known[index] for index in self.stages]
        self.strides = [stage.stride for stage in chosen]
        _check_stride(self.stride, self.strides, entry.name)
        self.channels = sum(stage.channels for stage in chosen)
        self.multiple = lcm(self.stride, *self.strides)
        self._hold(fold_batch_norms(cut(build(entry.timm_name), self.stages)))

    def load(self, state: State, origin: str = "the weights") -> None:
        """Load pretrained weights under timm's names; tensors that are not needed are left out.

        The weights are rounded to half precision, so that storing them that way changes nothing.

        Args:
            state: tensors of the whole network.
            origin: where they come from, for error messages.

        Raises:
            InputError: a tensor is missing, has another shape, or holds unusable values.
        """
        network = cut(build(self.entry.timm_name), self.stages)
        wanted = without_counters(network.state_dict())
        _check_fit(state, wanted, f"{origin} does not fit backbone {self.entry.name}")
        network.load_state_dict({name: state[name] for name in wanted})
        fold_batch_norms(network)
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
                if not tensor.isfinite().all():
                    raise InputError(f"{origin}: {name} holds values beyond half precision")
        self._hold(network.to(next(self.parameters()).device))

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever `mode` says."""
        return super().train(False)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The feature maps of the stages, each at its own stride."""
        return run(self.network, self._normalise(x), self.stages)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.maps(x)
        size = (x.shape[-2] // self.stride, x.shape[-1] // self.stride)
        joined = torch.cat(
            [self._resize(m, s, size) for m, s in zip(maps, self.strides, strict=True)], 1
        )
        return F.avg_pool2d(F.pad(joined, (1, 1, 1, 1), mode="replicate"), 3, stride=1)

    def _hold(self, network: nn.Module) -> None:
        self.network = network.requires_grad_(False)
        self.eval()

    def _normalise(self, x: Tensor) -> Tensor:
        """Convert values in [-1, 1] to the range that the network was trained on."""
        # Channels last: convolutions take about half the time on a CPU.
        x = x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        shift = [(0.5 - m) / s for m, s in zip(self.entry.mean, self.entry.std, strict=True)]
        scale = [0.5 / s for s in self.entry.std]
        if shift == [0, 0, 0] and scale == [1, 1, 1]:
            return x
        return x * x.new_tensor(scale).view(3, 1, 1) + x.new_tensor(shift).view(3, 1, 1)

    def _resize(self, features: Tensor, stride: int, size: tuple[Any, Any]) -> Tensor:
        if stride > self.stride:
            return F.interpolate(features, size=size, mode="bilinear", align_corners=False)
        if stride < self.stride:
            return F.avg_pool2d(features, self.stride // stride)
        return features


def _check_stages(stages: tuple[int, ...], count: int, name: str) -> None:
    if not stages or stages[0] < 0 or stages[-1] >= count:
        raise SettingsError(
            f"backbone.stages = {list(stages)}: {name} has the stages 0 to {count - 1}; name one "
            f"or more of them"
        )


def _check_stride(stride: int, strides: list[int], name: str) -> None:
    fits = stride > 0 and all(own >= stride or stride % own == 0 for own in strides)
    if not fits:
        raise SettingsError(
            f"backbone.stride = {stride}: must be at most {min(strides)}, or a multiple of the "
            f"strides of the stages of {name}: {', '.join(map(str, strides))}"
        )


def _check_fit(state: State, wanted: State, problem: str) -> None:
    missing = [name for name in wanted if name not in state]
    if missing:
        raise InputError(f"{problem}: {len(missing)} tensors are missing, first {missing[0]}")
    for name, tensor in wanted.items():
        if state[name].shape != tensor.shape:
            raise InputError(
                f"{problem}: {name} is {list(state[name].shape)}, not {list(tensor.shape)}"
            )
        if not state[name].isfinite().all():
            raise InputError(f"{problem}: {name} holds values that are not finite")
