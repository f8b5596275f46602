"""GAN: generator and discriminator, fully connected, in a minimax game.

Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville and Bengio, "Generative
Adversarial Nets", NeurIPS 2014, algorithm 1.
"""

from collections.abc import Iterator

from pydantic import Field
from torch import Tensor, nn

from anomgan.generators.base import LatentGAN, LatentSettings
from anomgan.losses import discriminator_minimax, generator_minimax, generator_non_saturating
from anomgan.networks.mlp import MLPDiscriminator, MLPGenerator
from anomgan.training.recipe import Adam, Update


class GANSettings(LatentSettings):
    """Settings of the first GAN."""

    saturating: bool = Field(
        False, description="the generator descends log(1 - D(G(z))), equation 1"
    )
    discriminator_steps: int = Field(
        1,
        ge=1,
        le=100,
        description="steps of the discriminator for each step of the generator, k in the paper",
    )


class GAN(LatentGAN):
    """Recipe of the first GAN, with Adam instead of the paper's momentum."""

    name = "gan"
    settings_type = GANSettings
    settings: GANSettings
    optimiser = Adam(2e-4, 0.5, 0.999)

    def __init__(self, size: int, channels: int, settings: GANSettings) -> None:
        super().__init__(size, channels, settings)
        self.batches_per_step = settings.discriminator_steps

    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """Two networks of fully connected layers."""
        latent_dim, features = self.settings.latent_dim, self.settings.features
        return {
            "generator": MLPGenerator(size, channels, latent_dim, features),
            "discriminator": MLPDiscriminator(size, channels, features),
        }

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield an update of the discriminator per batch of real views, then the generator's."""
        for real in x.chunk(self.batches_per_step):
            fake = self.generate(self.draw(len(real), real))
            loss = discriminator_minimax(self.judge(real), self.judge(fake.detach()))
            yield Update("discriminator", loss, {"discriminator": loss})

        descend = generator_minimax if self.settings.saturating else generator_non_saturating
        loss = descend(self.judge(fake))
        yield Update("generator", loss, {"generator": loss})
