"""What all generators of images from latent vectors share; detectors embed them as they are."""

from abc import abstractmethod
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import Section
from anomgan.training.recipe import Recipe


class GANSettings(Section):
    """Sizes of generator and opponent, and how they are trained."""

    latent_dim: int = Field(100, ge=1, le=4096, description="length of a latent vector")
    features: int = Field(32, ge=1, le=1024, description="feature maps after the first layer")
    spectral_norm: bool = Field(
        True, description="DCGAN: spectral norm instead of batch norm in the discriminator"
    )
    saturating: bool = Field(
        False, description="GAN: the generator descends log(1 - D(G(z))), equation 1"
    )
    critic_steps: int = Field(
        5, ge=1, le=100, description="WGAN, WGAN-GP: critic steps per step"
    )
    clip: float = Field(0.01, gt=0, description="WGAN: largest magnitude of a critic's weight")
    gradient_penalty: float = Field(10.0, ge=0, description="WGAN-GP: weight of the penalty")


class LatentGAN(Recipe):
    """A generator of images from latent vectors and its opponent, trained together.

    Args:
        size: side of the images in pixels: 8, 16, 32, 64, 128, ...
        channels: image channels, 1 or 3.
        settings: sizes and training.
    """

    name: ClassVar[str]
    players = {"generator": ("generator",), "discriminator": ("discriminator",)}

    def __init__(self, size: int, channels: int, settings: GANSettings) -> None:
        self.settings = settings
        self.networks = nn.ModuleDict(self.build(size, channels))

    @abstractmethod
    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """The networks "generator" (z to x) and "discriminator" (x to values and features)."""

    def generate(self, z: Tensor) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] of latent vectors [N, latent_dim]."""
        return self.networks["generator"](z[:, :, None, None])

    def features(self, x: Tensor, layer: int = -1) -> Tensor:
        """Feature maps of a hidden layer of the discriminator; -1 is the last, 0 the first."""
        return self.networks["discriminator"](x, layer)[1]

    def draw(self, count: int, like: Tensor) -> Tensor:
        """Latent vectors [count, latent_dim] from N(0, 1), on the device of `like`."""
        return torch.randn(count, self.settings.latent_dim, device=like.device)
