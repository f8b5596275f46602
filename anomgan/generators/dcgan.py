"""DCGAN: a GAN of strided convolutions with batch norm.

Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", ICLR 2016. Trained with the minimax loss for the discriminator
and the non-saturating one for the generator (Goodfellow et al. 2014).
"""

from collections.abc import Iterator

from torch import Tensor, nn

from anomgan.config import SpectralNorm
from anomgan.generators.base import LatentGAN, LatentSettings
from anomgan.losses import discriminator_minimax, generator_non_saturating
from anomgan.networks.dcgan import Decoder, Discriminator
from anomgan.training.recipe import Adam, Update


class DCGANSettings(LatentSettings):
    """Settings of DCGAN."""

    spectral_norm: SpectralNorm = True


class DCGAN(LatentGAN):
    """Recipe of DCGAN; Adam with the paper's step size and momentum (section 4)."""

    name = "dcgan"
    settings_type = DCGANSettings
    settings: DCGANSettings
    optimiser = Adam(2e-4, 0.5, 0.999)

    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """A decoder as generator, an encoder with one output as discriminator."""
        latent_dim, features = self.settings.latent_dim, self.settings.features
        return {
            "generator": Decoder(size, channels, latent_dim, features),
            "discriminator": Discriminator(size, channels, features, self.settings.spectral_norm),
        }

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield the discriminator's update on fakes and real views, then the generator's."""
        fake = self.generate(self.draw(len(x), x))
        loss = discriminator_minimax(self.judge(x), self.judge(fake.detach()))
        yield Update("discriminator", loss, {"discriminator": loss})

        loss = generator_non_saturating(self.judge(fake))
        yield Update("generator", loss, {"generator": loss})
