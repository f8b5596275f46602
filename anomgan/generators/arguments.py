"""The sections of a generator's settings as `train_generator` takes them, for editors and mypy.

The settings themselves (`anomgan.config`, and the file of each method) have defaults, ranges and
descriptions. A test keeps names and types here equal to theirs.
"""

from typing import Literal, TypedDict

from anomgan.networks.conditional import Told
from anomgan.networks.stylegan import Design


class ImageOptions(TypedDict, total=False):
    """Keys of `ImageSettings`."""

    channels: Literal["auto", "grey", "rgb"]
    max_side: int
    lighting: Literal["keep", "flatten"]
    lighting_radius: float


class ViewOptions(TypedDict, total=False):
    """Keys of `ViewSettings`."""

    kind: Literal["whole", "patch", "centre"]
    size: int
    flip: bool
    past_edge: bool


class TrainingOptions(TypedDict, total=False):
    """Keys of `TrainingSettings` that apply to images."""

    steps: int
    minutes: float | None
    batch_size: int
    learning_rate: float | None
    beta1: float | None
    beta2: float | None
    decay_from: float
    precision: Literal["auto", "float32", "bfloat16"]
    ema: float
    checkpoint_minutes: float


class LatentOptions(TypedDict, total=False):
    """Keys of `LatentSettings`, which all generators from latent vectors have."""

    latent_dim: int
    features: int


class GANOptions(LatentOptions, total=False):
    """Keys of `GANSettings`."""

    saturating: bool
    discriminator_steps: int


class DCGANOptions(LatentOptions, total=False):
    """Keys of `DCGANSettings`."""

    spectral_norm: bool


class WGANOptions(LatentOptions, total=False):
    """Keys of `WGANSettings`."""

    critic_steps: int
    clip: float


class WGANGPOptions(LatentOptions, total=False):
    """Keys of `WGANGPSettings`."""

    critic_steps: int
    gradient_penalty: float


class StyleGANOptions(LatentOptions, total=False):
    """Keys of `StyleGANSettings`."""

    widest: int
    design: Design
    mapping_layers: int
    style_mixing: float
    r1: float


class CGANOptions(LatentOptions, total=False):
    """Keys of `CGANSettings`."""

    told: Told
    embedding_dim: int
    matching_aware: bool
    spectral_norm: bool


class TranslatorOptions(TypedDict, total=False):
    """Keys of `TranslatorSettings`, which all translators have."""

    features: int
    change: bool


class CycleGANOptions(TranslatorOptions, total=False):
    """Keys of `CycleGANSettings`."""

    blocks: int
    patch_layers: int
    spectral_norm: bool
    cycle: float
    identity: float
    pool: int


class StarGANOptions(TranslatorOptions, total=False):
    """Keys of `StarGANSettings`."""

    blocks: int
    critic_steps: int
    domain: float
    reconstruction: float
    gradient_penalty: float
    skip: bool
    texture: bool
    diff_augment: bool


class StarGANv2Options(TranslatorOptions, total=False):
    """Keys of `StarGANv2Settings`."""

    latent_dim: int
    style_dim: int
    hidden: int
    style: float
    diversity: float
    cycle: float
    r1: float
    texture: bool
    matching_aware: bool
    mapping_rate: float


LatentGANOptions = GANOptions | DCGANOptions | WGANOptions | WGANGPOptions | StyleGANOptions
"""The keys of one GAN that a detector can be built on."""

NetworkOptions = (
    LatentGANOptions | CGANOptions | CycleGANOptions | StarGANOptions | StarGANv2Options
)
"""The keys of one method; mypy rejects a mixture of several methods' keys."""
