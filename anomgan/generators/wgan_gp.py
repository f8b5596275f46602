"""WGAN-GP: a Wasserstein GAN with a penalty on critic gradients whose length is not 1.

Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, "Improved Training of Wasserstein GANs",
NeurIPS 2017, algorithm 1, on residual networks (appendix F).
"""

from collections.abc import Iterator

import torch
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import CriticSteps
from anomgan.generators.base import LatentGAN, LatentSettings
from anomgan.losses import critic_wasserstein, generator_wasserstein, gradient_penalty
from anomgan.networks.resnet import ResNetCritic, ResNetGenerator
from anomgan.training.recipe import Adam, Update


class WGANGPSettings(LatentSettings):
    """Settings of WGAN-GP."""

    critic_steps: CriticSteps = 5
    gradient_penalty: float = Field(
        10.0, ge=0, description="weight of the gradient penalty, lambda"
    )


class WGANGP(LatentGAN):
    """Recipe of WGAN-GP; a step trains the critic `critic_steps` times, then the generator."""

    name = "wgan_gp"
    settings_type = WGANGPSettings
    settings: WGANGPSettings
    optimiser = Adam(1e-4, 0.0, 0.9)

    def __init__(self, size: int, channels: int, settings: WGANGPSettings) -> None:
        super().__init__(size, channels, settings)
        self.batches_per_step = settings.critic_steps

    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """Residual generator and critic; the critic has the name `discriminator`."""
        latent_dim, features = self.settings.latent_dim, self.settings.features
        return {
            "generator": ResNetGenerator(size, channels, latent_dim, features),
            "discriminator": ResNetCritic(size, channels, features),
        }

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield one update of the critic per batch of real views, then the generator's."""
        for real in x.chunk(self.batches_per_step):
            with torch.no_grad():
                fake = self.generate(self.draw(len(real), real))
            estimate = critic_wasserstein(self.judge(real), self.judge(fake))
            penalty = gradient_penalty(self.judge, real, fake)
            yield Update(
                "discriminator",
                estimate + self.settings.gradient_penalty * penalty,
                {"wasserstein": -estimate, "penalty": penalty},
            )
        loss = generator_wasserstein(self.judge(self.generate(self.draw(len(real), real))))
        yield Update("generator", loss, {"generator": loss})
