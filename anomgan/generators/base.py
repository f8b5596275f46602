"""Base of the generators from latent vectors, which detectors use as they are."""

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from anomgan.config import Features, LatentDim, Section, TrainingSettings
from anomgan.errors import SettingsError
from anomgan.networks.pointwise import PointwiseDiscriminator, PointwiseNetwork
from anomgan.training.recipe import Recipe


class LatentSettings(Section):
    """Settings of every generator of images from latent vectors; a method adds its own."""

    latent_dim: LatentDim = 100
    features: Features = 32


class LatentGAN(Recipe):
    """A generator from latent vectors and its discriminator or critic, trained together.

    Args:
        size: side of the images in pixels: 8, 16, 32, 64, 96, 128, ...; 1 for feature vectors:
            small networks of 1x1 convolutions then replace the method's own.
        channels: image channels, 1 or 3; or the length of a feature vector.
        settings: of the method, an instance of its `settings_type`.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[LatentSettings]]
    training: ClassVar[TrainingSettings] = TrainingSettings(steps=5000, batch_size=64)
    players = {"generator": ("generator",), "discriminator": ("discriminator",)}

    def __init__(self, size: int, channels: int, settings: LatentSettings) -> None:
        self.settings = settings
        built = self.build(size, channels) if size > 1 else self._build_pointwise(channels)
        self.networks = nn.ModuleDict(built)

    @abstractmethod
    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """The networks "generator" (z to x) and "discriminator" (x to values and features)."""

    def _build_pointwise(self, channels: int) -> dict[str, nn.Module]:
        latent_dim, width = self.settings.latent_dim, self.settings.features
        return {
            "generator": PointwiseNetwork(latent_dim, channels, width),
            "discriminator": PointwiseDiscriminator(channels, width),
        }

    def generate(self, z: Tensor) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] of latent vectors [N, latent_dim]."""
        return self.networks["generator"](z[:, :, None, None])

    def embed(self, z: Tensor) -> Tensor:
        """Codes [N, D] of latent vectors [N, latent_dim], in the space where a search takes place.

        For most methods this is the latent space; for StyleGAN it is the style space W.
        """
        return z

    def decode(self, code: Tensor) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] of codes [N, D]; `generate` is decode(embed(z))."""
        return self.generate(code)

    def widen(self, code: Tensor) -> Tensor:
        """Codes in the largest space that `decode` accepts: W+ for StyleGAN."""
        return code

    def between(self, first: Tensor, last: Tensor, count: int) -> Tensor:
        """Codes [count, D] on the way from one latent vector [latent_dim] to another."""
        return self.embed(on_the_sphere(first, last, count))

    def truncate(self, code: Tensor, psi: float) -> Tensor:
        """Codes moved towards the mean code by 1 - psi, for more typical images.

        Raises:
            SettingsError: psi is not 1, and the method has no truncation.
        """
        if psi != 1:
            raise SettingsError(f"{self.name} has no truncation; stylegan has")
        return code

    def improbability(self, code: Tensor) -> Tensor:
        """Penalty [N] for codes [N, D] that are improbable under the training distribution.

        |z|^2 / 2, which is the negative log density of N(0, 1) up to a constant.
        """
        return code.square().sum(1) / 2

    def features(self, x: Tensor, layer: int = -1) -> Tensor:
        """Feature maps of a hidden layer of the discriminator; -1 is the last, 0 the first."""
        return self.networks["discriminator"](x, layer)[1]

    def judge(self, x: Tensor) -> Tensor:
        """Output of the discriminator for images [N, C, H, W]."""
        return self.networks["discriminator"](x)[0]

    def draw(self, count: int, like: Tensor) -> Tensor:
        """Latent vectors [count, latent_dim] from N(0, 1), on the device of `like`."""
        return torch.randn(count, self.settings.latent_dim, device=like.device)


def draw_normal(*shape: int, seed: int) -> Tensor:
    """Numbers from N(0, 1), float32 on the CPU: the same seed gives the same ones everywhere."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")


def on_the_sphere(first: Tensor, last: Tensor, count: int) -> Tensor:
    """Latent vectors [count, D] between two, along the sphere.

    Training hardly ever draws latent vectors near the origin, where a straight line would lead.
    """
    angle = torch.acos(torch.cosine_similarity(first, last, dim=0).clamp(-1, 1))
    way = torch.linspace(0, 1, count, dtype=first.dtype, device=first.device)[:, None]
    if angle.sin() < 1e-3:  # the same direction or the opposite one; those of one number always are
        return first.lerp(last, way)
    return (torch.sin((1 - way) * angle) * first + torch.sin(way * angle) * last) / angle.sin()
