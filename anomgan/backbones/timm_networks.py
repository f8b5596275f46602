"""timm's networks behind one interface: build, measure, cut after a stage, run.

The stages of an EfficientNet are the groups in its `blocks`. The stages of any other network are
those of timm's `forward_intermediates`: the blocks of a transformer, the resolutions of a
convolutional network.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from anomgan.errors import SettingsError

if TYPE_CHECKING:
    from timm.models.efficientnet import EfficientNet

PROBE_SIDE = 448
"""Pixels; a multiple of the usual strides and patches: 14, 16 and 32."""


Network = Any
"""One of timm's networks, which are modules; what they have in common besides has no type."""


class Stage(NamedTuple):
    """The channels of a stage's feature map, and its pixels per cell."""

    channels: int
    stride: int


def build(timm_name: str) -> nn.Module:
    """Build the whole network with random weights; RuntimeError if timm does not know the name."""
    import timm

    try:
        network = timm.create_model(timm_name, pretrained=False, dynamic_img_size=True)
    except TypeError:  # networks that take any image size do not have this argument
        network = timm.create_model(timm_name, pretrained=False)
    return network.eval()


@lru_cache
def measure(timm_name: str) -> tuple[tuple[Stage, ...], int]:
    """Measure all stages of a network, and count its weights, without computing anything.

    Raises:
        SettingsError: the network gives no feature maps for images of any size.
    """
    height, width = PROBE_SIDE, 2 * PROBE_SIDE
    try:
        with torch.device("meta"):
            network = build(timm_name)
            maps = run(network, torch.zeros(1, 3, height, width), range(_count(network)))
    except MemoryError:
        raise
    except Exception as error:  # timm's networks fail in many ways, with errors of many kinds
        raise SettingsError(
            f"timm's {timm_name} gives no feature maps for images of any size; choose another "
            f"backbone ({type(error).__name__}: {error})"
        ) from error
    stages = tuple(Stage(x.shape[1], height // x.shape[2]) for x in maps)
    if any(x.shape[2] * s.stride != height for x, s in zip(maps, stages, strict=True)):
        raise SettingsError(
            f"the feature maps of timm's {timm_name} do not line up with the image; choose "
            f"another backbone"
        )
    return stages, sum(weight.numel() for weight in network.parameters())


def cut(network: Network, stages: Sequence[int]) -> Network:
    """Remove the layers after the last of `stages`, in place. The other layers keep their names."""
    if _has_blocks(network):
        network.blocks = network.blocks[: max(stages) + 1]
        for head in ("conv_head", "bn2", "global_pool", "classifier"):
            setattr(network, head, nn.Identity())
    else:
        network.prune_intermediate_layers(list(stages), prune_norm=True, prune_head=True)
    return network


def run(network: Network, x: Tensor, stages: Sequence[int]) -> list[Tensor]:
    """Compute the feature maps [N, channels, h, w] of `stages`, in ascending order."""
    if not _has_blocks(network):
        return network.forward_intermediates(
            x, indices=list(stages), stop_early=True, intermediates_only=True
        )
    maps = []
    x = network.bn1(network.conv_stem(x))
    for index, block in enumerate(network.blocks):
        x = block(x)
        if index in stages:
            maps.append(x)
    return maps


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Fold each batch norm of an EfficientNet into the convolution before it, in place.

    timm's batch norm also applies the activation, so the activation replaces it. Other networks do
    not change, because the order of their layers is not that of their names.
    """
    if not _has_blocks(network):
        return network
    for module in list(network.modules()):
        convolution = ""
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d):
                convolution = name
            elif isinstance(child, nn.BatchNorm2d):
                fused = fuse_conv_bn_eval(getattr(module, convolution), child)
                setattr(module, convolution, _pad_by_constants(fused))
                setattr(module, name, child.act)
    return network


def _pad_by_constants(convolution: nn.Conv2d) -> nn.Module:
    """Replace the padding that timm computes from the size of each image with a constant one.

    The padding is always the same for sides that are multiples of the stride, and an exported graph
    is smaller without the arithmetic.
    """
    from timm.layers.conv2d_same import Conv2dSame

    if not isinstance(convolution, Conv2dSame):
        return convolution
    (height, width), (down, across) = convolution.kernel_size, convolution.stride
    plain = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        (height, width),
        (down, across),
        groups=convolution.groups,
    )
    plain.weight, plain.bias = convolution.weight, convolution.bias
    sides = ((width - across) // 2, (width - across + 1) // 2)
    ends = ((height - down) // 2, (height - down + 1) // 2)
    kind = _PaddedDepthwise if plain.groups > 1 and sides == ends else nn.Sequential
    return kind(nn.ZeroPad2d((*sides, *ends)), plain)


class _PaddedDepthwise(nn.Sequential):
    """Zero padding of p and p + 1 on opposite sides, then a depthwise convolution, in one pass.

    The padded map would be a copy of the largest maps of the network. The same sums come from a
    kernel with one more row and column of zeros, and padding of p + 1 on both sides.
    """

    def forward(self, x: Tensor) -> Tensor:
        padding, convolution = cast("tuple[nn.ZeroPad2d, nn.Conv2d]", tuple(self))
        left, right, *_ = padding.padding
        weight = F.pad(convolution.weight, (right - left, 0, right - left, 0))
        return F.conv2d(
            x, weight, convolution.bias, convolution.stride, right, groups=convolution.groups
        )


def _has_blocks(network: nn.Module) -> TypeGuard["EfficientNet"]:
    from timm.models.efficientnet import EfficientNet

    return isinstance(network, EfficientNet)


def _count(network: Network) -> int:
    """Number of stages."""
    if _has_blocks(network):
        return len(network.blocks)
    return len(network.feature_info)
