"""WGAN: a critic estimates the Wasserstein distance; clipped weights bound its slope.

Arjovsky, Chintala and Bottou, "Wasserstein Generative Adversarial Networks", ICML 2017,
algorithm 1, on the networks of DCGAN.
"""

from collections.abc import Iterator

import torch
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import CriticSteps
from anomgan.generators.base import LatentGAN, LatentSettings
from anomgan.losses import critic_wasserstein, generator_wasserstein
from anomgan.networks.dcgan import Decoder, Discriminator
from anomgan.training.recipe import RMSProp, Update

EARLY_STEPS, EARLY_ROUNDS = 25, 20
"""In the first EARLY_STEPS steps the critic sees its batches EARLY_ROUNDS times: 100 critic steps
instead of 5, as in the authors' code, because the generator needs a critic near its optimum."""


class WGANSettings(LatentSettings):
    """Settings of WGAN."""

    critic_steps: CriticSteps = 5
    clip: float = Field(0.01, gt=0, description="largest magnitude of a weight of the critic")


class WGAN(LatentGAN):
    """Recipe of WGAN; no sigmoid, no logarithm, no momentum."""

    name = "wgan"
    settings_type = WGANSettings
    settings: WGANSettings
    optimiser = RMSProp(5e-5)

    def __init__(self, size: int, channels: int, settings: WGANSettings) -> None:
        super().__init__(size, channels, settings)
        self.batches_per_step = settings.critic_steps

    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """DCGAN's networks; the critic has the name `discriminator`."""
        latent_dim, features = self.settings.latent_dim, self.settings.features
        return {
            "generator": Decoder(size, channels, latent_dim, features),
            "discriminator": Discriminator(size, channels, features),
        }

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield updates of the critic, clipping its weights after each, then the generator's."""
        critic = self.networks["discriminator"]
        rounds = EARLY_ROUNDS if self.steps_done < EARLY_STEPS else 1
        for real in x.chunk(self.batches_per_step) * rounds:
            with torch.no_grad():
                fake = self.generate(self.draw(len(real), real))
            loss = critic_wasserstein(self.judge(real), self.judge(fake))
            yield Update("discriminator", loss, {"wasserstein": -loss})
            with torch.no_grad():
                for weight in critic.parameters():
                    weight.clamp_(-self.settings.clip, self.settings.clip)
        loss = generator_wasserstein(self.judge(self.generate(self.draw(len(real), real))))
        yield Update("generator", loss, {"generator": loss})
