"""Imports StarGAN v2 as its authors publish it: github.com/clovaai/stargan-v2, `*_nets_ema.ckpt`.

The networks for animal faces (AFHQ) are ours. That for CelebA-HQ sends details around its
bottleneck, through masks from a network of facial landmarks; it can't be imported.
"""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from anomgan.data.labels import LabelSet
from anomgan.errors import ModelError, SettingsError
from anomgan.generators.published import (
    fill,
    new_model,
    origin,
    read_checkpoint,
    shape_of,
    tensors_of,
    weights_of,
)
from anomgan.generators.trained import TrainedGenerator

ENCODE = {
    "norm1": "first.0",
    "conv1": "first.2",
    "norm2": "second.0",
    "conv2": "second.2",
    "conv1x1": "shortcut",
}
DECODE = {
    "norm1.fc": "first.affine",
    "conv1": "grow",
    "norm2.fc": "second.affine",
    "conv2": "conv",
    "conv1x1": "shortcut",
}
GENERATOR = {"from_rgb": "stem", "to_rgb.0": "head.0", "to_rgb.2": "head.2"}
"""Their names of layers, and ours."""
SMALLEST = 64
"""Side in pixels from which both generators halve an image equally often."""


def import_stargan_v2(
    path: Path, domains: Sequence[str] = (), device: str = "auto"
) -> TrainedGenerator:
    """Read generator, mapping network and style encoder; the discriminator too if it is there.

    Args:
        path: the checkpoint.
        domains: their names, in the order of the authors' folders, which is alphabetical: cat, dog
            and wild for AFHQ. Default: domain0, domain1 and so on.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        InputError: the file cannot be read.
        ModelError: it is not such a checkpoint; names what does not fit.
        SettingsError: there are more or fewer domains.
    """
    checkpoint = read_checkpoint(path)
    generator = weights_of(checkpoint, "generator", path)
    mapping = weights_of(checkpoint, "mapping_network", path)
    encoder = weights_of(checkpoint, "style_encoder", path)
    blocks = _count(generator, "encode.", ".conv1.weight")
    depth = _count(encoder, "shared.", ".conv1.weight")
    size = 4 * 2**depth
    # With the masks, the authors halve an image once more: down to 8 pixels.
    if "fan" in checkpoint or blocks == depth + 1:
        raise ModelError(
            f"{path} is a model with a high-pass filter (w_hpf = 1, as for CelebA-HQ), which needs "
            f"a network of facial landmarks; only models without it (w_hpf = 0, as for AFHQ) can "
            f"be imported"
        )
    if size < SMALLEST:
        raise ModelError(f"{path} is of images of {size} pixels; {SMALLEST} are needed at least")
    features, channels, *_ = shape_of(generator, "from_rgb.weight", 4, path)
    hidden, latent_dim = shape_of(mapping, "shared.0.weight", 2, path)
    _, style_dim = shape_of(generator, "decode.0.norm1.fc.weight", 2, path)
    names = _domains(domains, _count(mapping, "unshared.", ".0.weight"), path)
    sizes = {"features": features, "hidden": hidden}
    sizes |= {"latent_dim": latent_dim, "style_dim": style_dim}
    model = new_model(
        "stargan_v2",
        size=size,
        channels=channels,
        network=sizes,
        sets=(LabelSet(names, exclusive=True),),
        device=device,
    )
    networks = model.method.networks
    fill(networks["generator"], generator, _generator(blocks), path)
    fill(networks["mapping"], mapping, _mapping(len(names)), path)
    heads = {f"unshared.{one}": f"heads.{one}" for one in range(len(names))}
    fill(networks["style_encoder"], encoder, tensors_of(_body("shared", depth) | heads), path)
    trained = "discriminator" in checkpoint
    if trained:
        last = f"main.{depth + 4}"
        judge = _divided(weights_of(checkpoint, "discriminator", path), last, path)
        heads = {f"{last}.{one}": f"heads.{one}" for one in range(len(names))}
        fill(networks["discriminator"], judge, tensors_of(_body("main", depth) | heads), path)
    model.facts = origin(path, [] if trained else ["discriminator"])
    return model


def _generator(blocks: int) -> dict[str, str]:
    names = dict(GENERATOR)
    for side, table in (("encode", ENCODE), ("decode", DECODE)):
        for block in range(blocks):
            names |= {f"{side}.{block}.{a}": f"{side}.{block}.{b}" for a, b in table.items()}
    return tensors_of(names)


def _mapping(domains: int) -> dict[str, str]:
    """Theirs has linear layers and ReLUs in one row; ours has pairs."""
    names = {f"shared.{2 * layer}": f"shared.{layer}.0" for layer in range(4)}
    for one in range(domains):
        names |= {f"unshared.{one}.{2 * layer}": f"branches.{one}.{layer}.0" for layer in range(3)}
        names[f"unshared.{one}.6"] = f"branches.{one}.3"
    return tensors_of(names)


def _body(name: str, depth: int) -> dict[str, str]:
    """Of the style encoder or the discriminator: all but the heads."""
    names = {f"{name}.{layer}": f"layers.{layer}" for layer in (0, depth + 2)}
    for block in range(1, depth + 1):
        names |= {f"{name}.{block}.{a}": f"layers.{block}.{b}" for a, b in ENCODE.items()}
    return names


def _divided(tensors: dict[str, Tensor], last: str, path: Path) -> dict[str, Tensor]:
    """Their last 1x1 convolution, with a map for each domain, as a linear layer for each."""
    shape_of(tensors, f"{last}.weight", 4, path)
    shape_of(tensors, f"{last}.bias", 1, path)
    weights, biases = tensors.pop(f"{last}.weight").flatten(1), tensors.pop(f"{last}.bias")
    tensors |= {f"{last}.{one}.weight": row[None] for one, row in enumerate(weights)}
    return tensors | {f"{last}.{one}.bias": row[None] for one, row in enumerate(biases)}


def _count(tensors: dict[str, Tensor], start: str, end: str) -> int:
    return sum(name.startswith(start) and name.endswith(end) for name in tensors)


def _domains(names: Sequence[str], count: int, path: Path) -> tuple[str, ...]:
    if names and len(set(names)) != count:
        raise SettingsError(f"{path} has {count} domains; give {count} different names")
    return tuple(names) or tuple(f"domain{one}" for one in range(count))
