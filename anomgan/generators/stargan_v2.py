"""StarGAN v2: one generator for all domains and for many styles in each domain.

Choi, Uh, Yoo and Ha, "StarGAN v2: Diverse Image Synthesis for Multiple Domains", CVPR 2020.
"""

from collections.abc import Iterator
from typing import cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import LatentDim, TrainingSettings
from anomgan.data.labels import LabelSet
from anomgan.generators.base import draw_normal
from anomgan.generators.translator import Texture, Translator, TranslatorSettings
from anomgan.losses import discriminator_matching, generator_non_saturating, r1_penalty
from anomgan.networks.dcgan import he_initialise
from anomgan.networks.stargan_v2 import ImageHeads, MappingNetwork, StyledGenerator
from anomgan.networks.texture import with_texture
from anomgan.training.recipe import Adam, Update


class StarGANv2Settings(TranslatorSettings):
    """Settings of StarGAN v2."""

    latent_dim: LatentDim = 16
    style_dim: int = Field(64, ge=1, le=4096, description="length of a style")
    hidden: int = Field(256, ge=1, le=4096, description="width of the mapping network")
    style: float = Field(1.0, ge=0, description="weight of the style reconstruction loss")
    diversity: float = Field(
        1.0,
        ge=0,
        description="weight of the diversity loss at the start of the training; it decays to 0",
    )
    cycle: float = Field(1.0, ge=0, description="weight of the cycle-consistency loss")
    r1: float = Field(1.0, ge=0, description="weight of the gradient penalty on real images, gamma")
    texture: Texture = False
    matching_aware: bool = Field(
        False,
        description="train the discriminator to reject real images of other domains, too: it "
        "learns from few images what a domain is (not in the paper)",
    )
    mapping_rate: float = Field(
        0.01,
        gt=0,
        le=1,
        description="learning rate of the mapping network, as a share of that of the others; a "
        "short training needs more than the paper's",
    )


class StarGANv2(Translator):
    """Recipe of StarGAN v2; a step has source images and two reference images for each."""

    name = "stargan_v2"
    settings_type = StarGANv2Settings
    training = TrainingSettings(steps=4000, batch_size=8, ema=0.999)
    players = {
        "discriminator": ("discriminator",),
        "generator": ("generator", "mapping", "style_encoder"),
        "generator_by_reference": ("generator",),
    }
    optimiser = Adam(1e-4, 0.0, 0.99, weight_decay=1e-4)
    has_styles = True
    batches_per_step = 3
    settings: StarGANv2Settings

    def __init__(
        self, size: int, channels: int, settings: StarGANv2Settings, sets: tuple[LabelSet, ...]
    ) -> None:
        super().__init__(size, channels, settings, sets)
        self.rates = {"mapping": settings.mapping_rate}
        self.stride = cast(StyledGenerator, self.networks["generator"]).stride

    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """Generator, mapping network, style encoder and discriminator."""
        own, domains = self.settings, len(self.domains())
        generator = StyledGenerator(
            size, channels, own.style_dim, own.features, own.change, own.texture
        )
        shown = 2 * channels if own.texture else channels
        networks: dict[str, nn.Module] = {
            "generator": generator,
            "mapping": MappingNetwork(own.latent_dim, own.style_dim, domains, own.hidden),
            "style_encoder": ImageHeads(size, channels, own.style_dim, domains, own.features),
            "discriminator": ImageHeads(size, shown, 1, domains, own.features),
        }
        for network in networks.values():
            network.apply(he_initialise)  # appendix B
        if own.change:
            # He initialisation would add noise as strong as the image to it.
            for weight in generator.head[-1].parameters():
                nn.init.zeros_(weight)
        return networks

    def step(self, x: Tensor, c: Tensor) -> Iterator[Update]:
        """Yield updates of the discriminator, then the generator's, by latent and by reference."""
        x, first, second = x.chunk(3)
        # All three batches have the same labels in the same order. Shuffled alike, the last two
        # give pairs of references of one domain.
        source = c.chunk(3)[0].argmax(1)
        order = torch.randperm(len(x)).to(x.device)
        target, first, second = source[order], first[order], second[order]
        z = torch.randn(2, len(x), self.settings.latent_dim, device=x.device)

        for reference in (False, True):
            with torch.no_grad():
                style = self._style(first, target) if reference else self._map(z[0], target)
                fake = self.networks["generator"](x, style)
            yield self._judge(x, source, fake, target)

        styles = self._map(z[0], target), self._map(z[1], target)
        yield self._generate("generator", x, source, target, *styles)
        styles = self._style(first, target), self._style(second, target)
        yield self._generate("generator_by_reference", x, source, target, *styles)

    def _judge(self, x: Tensor, source: Tensor, fake: Tensor, target: Tensor) -> Update:
        discriminator = self.networks["discriminator"]
        x, fake = self._shown(x), self._shown(fake)
        mistaken = None
        if self.settings.matching_aware:
            domains = len(self.domains())
            other = (source + torch.randint(1, domains, source.shape).to(source.device)) % domains
            mistaken = discriminator(x, other)
        # The sum of both halves as in equation 1, not their mean.
        adversarial = 2 * discriminator_matching(
            discriminator(x, source), discriminator(fake, target), mistaken
        )
        penalty = r1_penalty(lambda real: discriminator(real, source), x)
        terms = {"discriminator": adversarial, "r1": penalty}
        return Update("discriminator", adversarial + self.settings.r1 / 2 * penalty, terms)

    def _generate(
        self,
        player: str,
        x: Tensor,
        source: Tensor,
        target: Tensor,
        style: Tensor,
        other_style: Tensor,
    ) -> Update:
        generator, settings = self.networks["generator"], self.settings
        fake = generator(x, style)
        adversarial = generator_non_saturating(
            self.networks["discriminator"](self._shown(fake), target)
        )
        read_back = F.l1_loss(self._style(fake, target), style)  # equation 2
        with torch.no_grad():
            other = generator(x, other_style)
        diversity = F.l1_loss(fake, other)  # equation 3
        cycle = F.l1_loss(generator(fake, self._style(x, source)), x)  # equation 4
        loss = (
            adversarial
            + settings.style * read_back
            - settings.diversity * (1 - self.share_done) * diversity
            + settings.cycle * cycle
        )  # equation 5
        terms = {"generator": adversarial, "style": read_back}
        return Update(player, loss, terms | {"diversity": diversity, "cycle": cycle})

    def style(self, c: Tensor, reference: Tensor | None, seed: int) -> Tensor:
        """Styles [N, style_dim] of reference images, or random ones for the domains c [N, K]."""
        target = c.argmax(1)
        if reference is not None:
            return self._style(reference, target)
        z = draw_normal(1, self.settings.latent_dim, seed=seed).to(c.device)
        return self._map(z.expand(len(c), -1), target)

    def translate(self, x: Tensor, style: Tensor) -> Tensor:
        """Images x [N, C, H, W] translated to styles [N, style_dim]."""
        return self.networks["generator"](x, style)

    def _shown(self, x: Tensor) -> Tensor:
        """Images [N, C, H, W] as the discriminator sees them."""
        return with_texture(x) if self.settings.texture else x

    def _style(self, x: Tensor, y: Tensor) -> Tensor:
        return self.networks["style_encoder"](x, y)

    def _map(self, z: Tensor, y: Tensor) -> Tensor:
        return self.networks["mapping"](z, y)
