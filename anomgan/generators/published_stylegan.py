"""Imports StyleGAN from its best-known port: github.com/rosinality/style-based-gan-pytorch.

The files are `stylegan-256px-new.model` and so on. The synthesis network is ours with the design
"paper". The discriminator is not imported, because ours is residual.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from anomgan.errors import ModelError, SettingsError
from anomgan.generators.base import draw_normal
from anomgan.generators.published import (
    fill,
    new_model,
    origin,
    read_checkpoint,
    shape_of,
    weights_of,
)
from anomgan.generators.stylegan import StyleGAN
from anomgan.generators.trained import TrainedGenerator
from anomgan.machine.device import inference
from anomgan.networks.dcgan import pyramid
from anomgan.networks.stylegan import MAPPING_RATE, RELU_GAIN

PART = "g_running"
"""The averaged weights of the generator."""
RESOLUTION = re.compile(r"generator\.(progression|to_rgb)\.(\d+)\.(.+)")
FILTER = re.compile(r"conv1\.[12]\.(weight|weight_flip)")
"""The filter (1, 2, 1), which never changes."""
AVERAGED = 10_000
"""Latent vectors for the mean style, as in the port."""

Change = Callable[[Tensor], Tensor]


def import_stylegan(path: Path, size: int, device: str = "auto") -> TrainedGenerator:
    """Read mapping and synthesis network for images of one size.

    The file has layers for all sizes up to 1024 pixels, whatever size it was trained to.

    Args:
        path: the checkpoint.
        size: side of the images in pixels.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        InputError: the file cannot be read.
        ModelError: it is not such a checkpoint; names what does not fit.
        SettingsError: it has no images of this size.
    """
    theirs = weights_of(read_checkpoint(path), PART, path)
    depth = _levels(theirs, size, path) - 1
    _, widths, *_ = shape_of(theirs, "generator.progression.0.conv1.input", 4, path)
    to_image = f"generator.to_rgb.{depth}.conv.weight_orig"
    channels, features, *_ = shape_of(theirs, to_image, 4, path)
    latent_dim, _ = shape_of(theirs, "style.1.linear.weight_orig", 2, path)
    mapping_layers = sum(name.startswith("style.") and name.endswith("orig") for name in theirs)
    model = new_model(
        "stylegan",
        size=size,
        channels=channels,
        network={
            "latent_dim": latent_dim,
            "features": features,
            "widest": widths // features,
            "design": "paper",
            "mapping_layers": mapping_layers,
        },
        device=device,
    )
    table = _mapping(mapping_layers) | _synthesis(depth, theirs)
    wanted = {name: one for name, one in theirs.items() if _of_use(name, depth)}
    names = {name: ours for name, (ours, _) in table.items()}
    gan = model.method
    assert isinstance(gan, StyleGAN)
    fill(gan.networks, _changed(wanted, table, path), names, path)
    z = draw_normal(AVERAGED, latent_dim, seed=0)
    with inference(model.device):
        gan.mapping.mean.copy_(gan.embed(z.to(model.device)).mean(0))
    model.facts = origin(path, ["discriminator"])
    return model


def _levels(theirs: dict[str, Tensor], size: int, path: Path) -> int:
    """Number of resolutions, from 4 pixels to `size`."""
    count = len({name.split(".")[2] for name in theirs if name.startswith("generator.to_rgb.")})
    sizes = [4 << level for level in range(1, count)]
    if not sizes:
        raise ModelError(f"{path}: {PART} has no generator.to_rgb; is it of another method?")
    if size not in sizes:
        known = ", ".join(map(str, sizes))
        raise SettingsError(f"{path} has images of {known} pixels, not {size}: name one size")
    return pyramid(size)[0] + 1


def _of_use(name: str, depth: int) -> bool:
    """Whether a tensor is of a resolution up to 4 * 2^depth, and no filter."""
    found = RESOLUTION.fullmatch(name)
    if not found:
        return True
    part, level, rest = found[1], int(found[2]), found[3]
    return level == depth if part == "to_rgb" else level <= depth and not FILTER.fullmatch(rest)


def _changed(
    theirs: dict[str, Tensor], table: dict[str, tuple[str, Change]], path: Path
) -> dict[str, Tensor]:
    """Their tensors with the values that ours have."""
    changed = dict(theirs)
    for name in theirs.keys() & table.keys():
        try:
            changed[name] = table[name][1](theirs[name])
        except (RuntimeError, IndexError, ValueError) as error:
            shape = list(theirs[name].shape)
            raise ModelError(f"{path}: {name} has the shape {shape}, which is wrong") from error
    return changed


def _mapping(layers: int) -> dict[str, tuple[str, Change]]:
    """Their layers have the full learning rate; see `EqualLinear`."""
    return {
        f"style.{2 * layer + 1}.linear.{leaf}": (f"mapping.layers.{layer}.{ours}", _slowed)
        for layer in range(layers)
        for leaf, ours in (("weight_orig", "weight"), ("bias", "bias"))
    }


def _synthesis(depth: int, theirs: dict[str, Tensor]) -> dict[str, tuple[str, Change]]:
    """Our name for each tensor of the synthesis network, and how its values change."""
    table = {
        "generator.progression.0.conv1.input": ("synthesis.start", _same),
        f"generator.to_rgb.{depth}.conv.weight_orig": ("synthesis.to_image.0.weight", _no_gain),
        f"generator.to_rgb.{depth}.conv.bias": ("synthesis.to_image.0.bias", _same),
    }
    for level in range(depth + 1):
        their, ours = f"generator.progression.{level}", f"synthesis.blocks.{level}"
        for half in (0, 1):
            style = f"{their}.adain{half + 1}.style.linear"
            table |= {
                f"{their}.noise{half + 1}.weight_orig": (f"{ours}.{half}.strength", _strength),
                f"{style}.weight_orig": (f"{ours}.{half}.style.weight", _no_gain),
                f"{style}.bias": (f"{ours}.{half}.style.bias", _from_one),
            }
        convolutions: list[tuple[int, str, str, Change]] = [
            (1, "conv2.conv.weight_orig", "conv2.conv.bias", _same)
        ]
        if f"{their}.conv1.0.weight" in theirs:
            convolutions.append((0, "conv1.0.weight", "conv1.0.bias", _fused))
        elif level:
            convolutions.append((0, "conv1.1.conv.weight_orig", "conv1.1.conv.bias", _same))
        for half, weight, bias, change in convolutions:
            layer = f"{ours}.{half}.convolve"
            table[f"{their}.{weight}"] = (f"{layer}.weight", change)
            table[f"{their}.{bias}"] = (f"{layer}.bias", _same)
    return table


def _same(values: Tensor) -> Tensor:
    return values


def _slowed(values: Tensor) -> Tensor:
    return values / MAPPING_RATE


def _no_gain(weights: Tensor) -> Tensor:
    """They scale all layers as before a leaky ReLU."""
    return weights * RELU_GAIN


def _strength(weights: Tensor) -> Tensor:
    """They scale the noise as the weights of a layer with as many inputs as there are maps."""
    return weights[0] * math.sqrt(2 / weights.shape[1])


def _from_one(biases: Tensor) -> Tensor:
    """Their scale is the output itself; ours is 1 plus the output."""
    scale, shift = biases.chunk(2)
    return torch.cat([scale - 1, shift])


def _fused(weights: Tensor) -> Tensor:
    """A transposed convolution that doubles, as copying pixels and a convolution; which is ours."""
    return weights.transpose(0, 1).flip(2, 3) / 4
