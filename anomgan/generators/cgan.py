"""cGAN: a GAN whose generator and discriminator are conditioned on a label.

Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014, with the networks of DCGAN. The
discriminator also rejects real images with a wrong label (it is matching-aware), as in Reed, Akata,
Yan, Logeswaran, Schiele and Lee, "Generative Adversarial Text to Image Synthesis", ICML 2016,
algorithm 1.
"""

from collections.abc import Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import SpectralNorm, TrainingSettings
from anomgan.data.labels import LabelSet
from anomgan.errors import SettingsError
from anomgan.generators.base import LatentSettings
from anomgan.losses import discriminator_matching, generator_non_saturating
from anomgan.networks.conditional import ConditionalDiscriminator, ConditionalGenerator, Told
from anomgan.training.recipe import Adam, Recipe, Update


class CGANSettings(LatentSettings):
    """Settings of the conditional GAN."""

    told: Told = Field(
        "plane",
        description="how the networks receive the label. plane: the discriminator as an image "
        "channel, the generator as it is, joined to z; embedding: both as a learnt vector; "
        "projection: the generator as a learnt vector, the discriminator as the inner product of "
        "a learnt vector and its deepest features",
    )
    embedding_dim: int = Field(32, ge=1, le=4096, description="length of a label's learnt vector")
    matching_aware: bool = Field(
        True, description="train the discriminator to reject real images with a wrong label, too"
    )
    spectral_norm: SpectralNorm = True


class CGAN(Recipe):
    """Recipe of the conditional GAN, for classes or attributes.

    Args:
        size: side of the images in pixels: 8, 16, 32, 64, 96, 128, ...
        channels: image channels, 1 or 3.
        settings: of the method.
        sets: the labels of one data set.

    Raises:
        SettingsError: `sets` has more than one entry.
    """

    name: ClassVar[str] = "cgan"
    settings_type = CGANSettings
    training = TrainingSettings(steps=5000, batch_size=64)
    players = {"generator": ("generator",), "discriminator": ("discriminator",)}
    optimiser = Adam(2e-4, 0.5, 0.999)

    def __init__(
        self, size: int, channels: int, settings: CGANSettings, sets: tuple[LabelSet, ...]
    ) -> None:
        if len(sets) != 1:
            raise SettingsError("cgan learns the labels of one data set, not of several together")
        self.settings = settings
        self.sets = sets
        labels, features = len(sets[0].names), settings.features
        told, width = settings.told, settings.embedding_dim
        self.networks = nn.ModuleDict(
            {
                "generator": ConditionalGenerator(
                    size,
                    channels,
                    settings.latent_dim,
                    labels,
                    0 if told == "plane" else width,
                    features,
                ),
                "discriminator": ConditionalDiscriminator(
                    size, channels, labels, told, width, features, settings.spectral_norm
                ),
            }
        )

    def step(self, x: Tensor, c: Tensor) -> Iterator[Update]:
        """Yield the discriminator's update on its pairs, then the generator's."""
        z = torch.randn(len(x), self.settings.latent_dim, device=x.device)
        fake = self.generate(z, c)
        wrong = self.judge(x, self.mislabel(c)) if self.settings.matching_aware else None
        loss = discriminator_matching(self.judge(x, c), self.judge(fake.detach(), c), wrong)
        yield Update("discriminator", loss, {"discriminator": loss})

        loss = generator_non_saturating(self.judge(fake, c))
        yield Update("generator", loss, {"generator": loss})

    def generate(self, z: Tensor, c: Tensor) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] of latent vectors [N, latent_dim] and labels [N, K]."""
        return self.networks["generator"](z, c)

    def judge(self, x: Tensor, c: Tensor) -> Tensor:
        """Logits [N, 1] of images and labels."""
        return self.networks["discriminator"](x, c)

    def mislabel(self, c: Tensor) -> Tensor:
        """Wrong labels [N, K], all equally likely: other classes, or other sets of attributes."""
        rows, count = len(c), c.shape[1]
        if self.sets[0].exclusive:
            other = (c.argmax(1) + torch.randint(1, count, (rows,)).to(c.device)) % count
            return F.one_hot(other, count).to(c)
        turned = torch.randint(2, (rows, count))
        while len(right := (~turned.any(1)).nonzero().flatten()):
            turned[right] = torch.randint(2, (len(right), count))
        return (c - turned.to(c)).abs()
