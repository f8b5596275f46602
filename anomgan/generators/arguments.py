"""Types of the sections that `train_generator` takes. Written by a script.

`python tests/typed_arguments.py` writes this file from the settings, which describe each key, check
values and hold the defaults. A key may be left out.
"""

from typing import Literal, TypedDict


class ImageOptions(TypedDict, total=False):
    """How an image is prepared for the networks."""

    channels: Literal["auto", "grey", "rgb"]
    max_side: int
    lighting: Literal["keep", "flatten"]
    lighting_radius: float


class ViewOptions(TypedDict, total=False):
    """Which part of an image a network sees at once."""

    kind: Literal["whole", "patch", "centre"]
    size: int
    flip: bool
    past_edge: bool


class TrainingOptions(TypedDict, total=False):
    """How long and how fast to train: settings of the training loop."""

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
    """Settings of every generator of images from latent vectors; a method adds its own."""

    latent_dim: int
    features: int


class TranslatorOptions(TypedDict, total=False):
    """Settings of every translator; a method adds its own."""

    features: int
    change: bool


class GANOptions(LatentOptions, total=False):
    """Settings of the first GAN."""

    saturating: bool
    discriminator_steps: int


class DCGANOptions(LatentOptions, total=False):
    """Settings of DCGAN."""

    spectral_norm: bool


class WGANOptions(LatentOptions, total=False):
    """Settings of WGAN."""

    critic_steps: int
    clip: float


class WGANGPOptions(LatentOptions, total=False):
    """Settings of WGAN-GP."""

    critic_steps: int
    gradient_penalty: float


class StyleGANOptions(LatentOptions, total=False):
    """Settings of StyleGAN."""

    widest: int
    design: Literal["skip", "paper"]
    mapping_layers: int
    style_mixing: float
    r1: float


class CGANOptions(LatentOptions, total=False):
    """Settings of the conditional GAN."""

    told: Literal["plane", "embedding", "projection"]
    embedding_dim: int
    matching_aware: bool
    spectral_norm: bool


class CycleGANOptions(TranslatorOptions, total=False):
    """Settings of CycleGAN."""

    blocks: int
    patch_layers: int
    spectral_norm: bool
    cycle: float
    identity: float
    pool: int


class StarGANOptions(TranslatorOptions, total=False):
    """Settings of StarGAN."""

    blocks: int
    critic_steps: int
    domain: float
    reconstruction: float
    gradient_penalty: float
    skip: bool
    texture: bool
    diff_augment: bool


class StarGANv2Options(TranslatorOptions, total=False):
    """Settings of StarGAN v2."""

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
