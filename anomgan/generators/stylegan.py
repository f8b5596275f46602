"""StyleGAN: a mapping network turns the latent into a style that modulates every layer.

Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative Adversarial Networks",
CVPR 2019. Trained with the non-saturating loss and a gradient penalty on real images (section 2;
Mescheder et al. 2018). The penalty is computed every 16 steps only, as in StyleGAN2 (Karras et al.
2020, section 4).
"""

from collections.abc import Iterator
from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn

from anomgan.errors import SettingsError
from anomgan.generators.base import LatentGAN, LatentSettings
from anomgan.losses import discriminator_minimax, generator_non_saturating, r1_penalty
from anomgan.networks.dcgan import WIDEST
from anomgan.networks.pointwise import PointwiseDiscriminator
from anomgan.networks.stylegan import (
    Design,
    MappingNetwork,
    PointwiseSynthesis,
    StyleDiscriminator,
    SynthesisNetwork,
)
from anomgan.training.recipe import Adam, Update

PENALTY_EVERY = 16
"""Steps between gradient penalties; each one is weighted by this number."""
TRUNCATED = 8
"""Layers to which truncation applies: those of 4 x 4 to 32 x 32 (appendix B)."""
PARTS = {"coarse": slice(0, 4), "middle": slice(4, 8), "fine": slice(8, None)}
"""Layers by what they decide: those up to 8 x 8, up to 32 x 32, and above (section 3.1)."""
MEAN_DECAY = 0.995
"""Decay per step of the mean style."""


class StyleGANSettings(LatentSettings):
    """Settings of StyleGAN."""

    widest: int = Field(
        WIDEST,
        ge=1,
        le=64,
        description="largest number of feature maps, as a multiple of features; the paper has "
        "512, which is 32 times the 16 of images of 1024 pixels",
    )
    design: Design = Field(
        "skip",
        description="skip: the generator sums images of all resolutions, as in StyleGAN2; paper: "
        "the last resolution alone gives the image, as in StyleGAN after its growth",
    )
    mapping_layers: int = Field(8, ge=1, le=16, description="layers from z to w")
    style_mixing: float = Field(
        0.9, ge=0, le=1, description="share of training images made of two latent vectors"
    )
    r1: float = Field(1.0, ge=0, description="weight of the gradient penalty on real images, gamma")


class StyleGAN(LatentGAN):
    """Recipe of StyleGAN.

    Its codes are styles. In W a code is one w [N, latent_dim] for all layers. In W+ it is one w per
    layer, concatenated to [N, layers * latent_dim] (Abdal, Qin and Wonka 2019).
    """

    name = "stylegan"
    settings_type = StyleGANSettings
    settings: StyleGANSettings
    players = {"generator": ("mapping", "synthesis"), "discriminator": ("discriminator",)}
    optimiser = Adam(2e-3, 0.0, 0.99)

    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """Mapping and synthesis network (the generator), and the discriminator."""
        own = self.settings
        return {
            "mapping": MappingNetwork(own.latent_dim, own.mapping_layers),
            "synthesis": SynthesisNetwork(
                size, channels, own.latent_dim, own.features, own.design, own.widest
            ),
            "discriminator": StyleDiscriminator(size, channels, own.features, own.widest),
        }

    def _build_pointwise(self, channels: int) -> dict[str, nn.Module]:
        own = self.settings
        return {
            "mapping": MappingNetwork(own.latent_dim, own.mapping_layers),
            "synthesis": PointwiseSynthesis(channels, own.latent_dim, own.features),
            "discriminator": PointwiseDiscriminator(channels, own.features),
        }

    @property
    def mapping(self) -> MappingNetwork:
        """From latent vectors to styles."""
        return cast(MappingNetwork, self.networks["mapping"])

    @property
    def synthesis(self) -> SynthesisNetwork | PointwiseSynthesis:
        """From styles to images or feature vectors."""
        return cast(SynthesisNetwork | PointwiseSynthesis, self.networks["synthesis"])

    def generate(self, z: Tensor) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] of latent vectors [N, latent_dim]."""
        return self.decode(self.embed(z))

    def embed(self, z: Tensor) -> Tensor:
        """Styles w [N, latent_dim] of latent vectors [N, latent_dim]."""
        return self.mapping(z)

    def decode(self, code: Tensor) -> Tensor:
        """Images [N, C, H, W] in [-1, 1] of styles in W or W+."""
        return self.synthesis(self._styles(self.widen(code)))

    def widen(self, code: Tensor) -> Tensor:
        """Styles in W+ [N, layers * latent_dim]; styles in W are repeated for every layer."""
        layers = self.synthesis.layers
        return self._styles(code).expand(-1, layers, -1).flatten(1)

    def truncate(self, code: Tensor, psi: float) -> Tensor:
        """Styles moved towards the mean style: psi 1 keeps them, psi 0 gives the mean.

        Trades variety for quality (appendix B): w' = mean + psi * (w - mean), in the layers up to
        32 x 32 only, so that larger images keep their fine detail.
        """
        styles = self._styles(self.widen(code))
        coarse, fine = styles[:, :TRUNCATED], styles[:, TRUNCATED:]
        coarse = self.mapping.mean.expand_as(coarse).lerp(coarse, psi)
        return torch.cat([coarse, fine], 1).flatten(1)

    def between(self, first: Tensor, last: Tensor, count: int) -> Tensor:
        """Styles [count, latent_dim] on the line between those of two latent vectors (section 4).

        A line in W is less entangled than one in Z: fewer features appear and disappear on it.
        """
        ends = self.embed(torch.stack([first, last]))
        way = torch.linspace(0, 1, count, dtype=ends.dtype, device=ends.device)[:, None]
        return ends[0].lerp(ends[1], way)

    def combine(self, code: Tensor, other: Tensor, part: str) -> Tensor:
        """Styles in W+ that are those of `other` in the layers of a part, see `PARTS` (figure 3).

        Raises:
            SettingsError: there is no such part, or images of this size have no such layers.
        """
        if part not in PARTS:
            raise SettingsError(f"unknown part {part} of the styles; choose {', '.join(PARTS)}")
        styles, others = self._styles(self.widen(code)).clone(), self._styles(self.widen(other))
        if not styles[:, PARTS[part]].numel():
            raise SettingsError(f"images of this size have no {part} layers; train a larger one")
        styles[:, PARTS[part]] = others[:, PARTS[part]]
        return styles.flatten(1)

    def improbability(self, code: Tensor) -> Tensor:
        """Half the squared distance [N] from the mean style; in W+ the mean over the layers."""
        distance = self._styles(code) - self.mapping.mean
        return distance.square().sum(2).mean(1) / 2

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield the discriminator's update on fakes and real views, then the generator's."""
        fake = self._imagine(len(x), x)
        chance = discriminator_minimax(self.judge(x), self.judge(fake.detach()))
        loss, terms = 2 * chance, {"discriminator": chance}  # gamma is for the sum of both halves
        if self.settings.r1 and self.steps_done % PENALTY_EVERY == 0:
            terms["penalty"] = r1_penalty(self.judge, x)
            loss = loss + PENALTY_EVERY * self.settings.r1 / 2 * terms["penalty"]
        yield Update("discriminator", loss, terms)

        loss = generator_non_saturating(self.judge(fake))
        yield Update("generator", loss, {"generator": loss})

    def _imagine(self, count: int, like: Tensor) -> Tensor:
        """Fakes for training, some of them of two mixed styles; updates the mean style."""
        w, other = self.embed(self.draw(2 * count, like)).chunk(2)
        self._follow(w)
        return self.decode(self._mix(w, other))

    def _mix(self, w: Tensor, other: Tensor) -> Tensor:
        """Styles in W+; a share of them switch to `other` at a random layer (section 3.1)."""
        count, layers = len(w), self.synthesis.layers
        crossover = torch.randint(1, layers, (count, 1), device=w.device)
        mixed = torch.rand(count, 1, device=w.device) < self.settings.style_mixing
        swap = mixed & (torch.arange(layers, device=w.device) >= crossover)
        styles = torch.where(swap[:, :, None], other[:, None], w[:, None])
        return styles.flatten(1)

    def _follow(self, w: Tensor) -> None:
        mapping = self.mapping
        if not any(weight.requires_grad for weight in mapping.parameters()):
            return  # it is frozen
        # A smaller decay at the start, or short trainings would end with a mean near 0.
        decay = min(MEAN_DECAY, (1 + self.steps_done) / (10 + self.steps_done))
        mapping.mean.lerp_(w.detach().float().mean(0), 1 - decay)

    def _styles(self, code: Tensor) -> Tensor:
        """Codes as [N, 1 or layers, latent_dim]."""
        return code.view(len(code), -1, self.settings.latent_dim)
