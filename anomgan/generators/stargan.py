"""StarGAN: one generator for all domains; a label says to which one an image is translated.

Choi, Choi, Kim, Ha, Kim and Choo, "StarGAN: Unified Generative Adversarial Networks for
Multi-Domain Image-to-Image Translation", CVPR 2018.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import TrainingSettings
from anomgan.data.labels import LabelSet
from anomgan.generators.translator import Texture, Translator, TranslatorSettings
from anomgan.losses import critic_wasserstein, generator_wasserstein, gradient_penalty
from anomgan.networks.augment import augment
from anomgan.networks.cyclegan import TranslatorNet
from anomgan.networks.dcgan import he_initialise
from anomgan.networks.stargan import StarGANDiscriminator
from anomgan.networks.texture import with_texture
from anomgan.training.recipe import Adam, Update


class StarGANSettings(TranslatorSettings):
    """Settings of StarGAN."""

    blocks: int = Field(6, ge=1, le=32, description="residual blocks of the generator")
    critic_steps: int = Field(
        5, ge=1, le=100, description="steps of the discriminator for each step of the generator"
    )
    domain: float = Field(
        1.0, ge=0, description="weight of the domain classification loss, in both networks"
    )
    reconstruction: float = Field(
        10.0, ge=0, description="weight of the reconstruction (cycle) loss"
    )
    gradient_penalty: float = Field(10.0, ge=0, description="weight of the gradient penalty")
    skip: bool = Field(
        False,
        description="the last layer of the generator also sees the maps of the first one, at full "
        "size: colours follow edges (not in the paper)",
    )
    texture: Texture = False
    diff_augment: bool = Field(
        False,
        description="the discriminator sees all images translated and with a square cut out, at "
        "random; for few images (not in the paper)",
    )


class StarGAN(Translator):
    """Recipe of StarGAN, for classes and attributes, of one data set or of several together."""

    name = "stargan"
    settings_type = StarGANSettings
    training = TrainingSettings(steps=4000, batch_size=16, decay_from=0.5)
    players = {"generator": ("generator",), "discriminator": ("discriminator",)}
    optimiser = Adam(1e-4, 0.5, 0.999)
    settings: StarGANSettings

    def __init__(
        self, size: int, channels: int, settings: StarGANSettings, sets: tuple[LabelSet, ...]
    ) -> None:
        super().__init__(size, channels, settings, sets)
        self.batches_per_step = settings.critic_steps

    def build(self, size: int, channels: int) -> dict[str, nn.Module]:
        """A translator conditioned on labels (and mask), and a classifying discriminator."""
        settings = self.settings
        labels = sum(len(one.names) for one in self.sets)
        mask = len(self.sets) if len(self.sets) > 1 else 0
        generator = TranslatorNet(
            channels + labels + mask,
            channels,
            settings.features,
            settings.blocks,
            kernel=4,
            affine=True,
            change=settings.change,
            # Transposed convolutions leave a grid. The generator uses it: it makes the
            # discriminator see the domain asked for, where nobody else does.
            smooth=settings.change,
            skip=settings.skip,
            texture=settings.texture,
        )
        if settings.change:
            # It has no norm layers outside of its blocks, and from the papers' small weights it
            # would output next to nothing for hundreds of steps. It starts with the image itself.
            generator.apply(he_initialise)
            for weight in generator.layers[-2].parameters():  # before tanh
                nn.init.zeros_(weight)
        shown = 2 * channels if settings.texture else channels
        discriminator = StarGANDiscriminator(size, shown, labels, settings.features)
        return {"generator": generator, "discriminator": discriminator}

    def step(self, x: Tensor, c: Tensor) -> Iterator[Update]:
        """Yield one update of the discriminator per batch (eq. 5), then the generator's (eq. 6)."""
        settings, discriminator = self.settings, self.networks["discriminator"]
        count = settings.critic_steps
        for real, label in zip(x.chunk(count), c.chunk(count), strict=True):
            wanted = self.shuffle(label)
            with torch.no_grad():
                fake = self.translate(real, wanted)
            seen, made = self.shown(real, fake)
            values, logits = discriminator(seen)
            estimate = critic_wasserstein(values, discriminator(made)[0])
            penalty = gradient_penalty(lambda between: discriminator(between)[0], seen, made)
            domain = self.label_error(logits, label)  # equation 2
            yield Update(
                "discriminator",
                estimate + settings.domain * domain + settings.gradient_penalty * penalty,
                {"wasserstein": -estimate, "domain_real": domain, "penalty": penalty},
            )

        fake = self.translate(real, wanted)
        values, logits = discriminator(*self.shown(fake))
        adversarial = generator_wasserstein(values)
        domain = self.label_error(logits, wanted)  # equation 3
        back = F.l1_loss(self.translate(fake, label), real)  # equation 4
        loss = adversarial + settings.domain * domain + settings.reconstruction * back
        terms = {"generator": adversarial, "domain_fake": domain, "reconstruction": back}
        yield Update("generator", loss, terms)

    def shown(self, *images: Tensor) -> tuple[Tensor, ...]:
        """Images [N, C, H, W] as the discriminator sees them; a fake is augmented as its source.

        Augmented images are also cut off at -1 and 1, as in a file: the generator can't hide
        anything beyond.
        """
        if self.settings.diff_augment:
            images = tuple(image.clamp(-1, 1) for image in images)
        if self.settings.texture:
            images = tuple(with_texture(image) for image in images)
        if self.settings.diff_augment:
            images = augment(torch.cat(images, 1)).chunk(len(images), 1)
        return images

    def translate(self, x: Tensor, style: Tensor) -> Tensor:
        """Images x [N, C, H, W] translated to labels `style` [N, K]; nan stands for unknown."""
        beside = style.nan_to_num(0.0)
        if len(self.sets) > 1:
            beside = torch.cat([beside, self._known(style).to(beside.dtype)], 1)  # equation 7
        return self.networks["generator"](x, beside)

    def shuffle(self, c: Tensor) -> Tensor:
        """Target labels [N, K]: those of the batch, shuffled among images of the same data set."""
        wanted = c.clone()
        for known in self._known(c).T:
            rows = known.nonzero().flatten()
            wanted[rows] = c[rows[torch.randperm(len(rows)).to(rows.device)]]
        return wanted

    def label_error(self, logits: Tensor, c: Tensor) -> Tensor:
        """Mean cross-entropy of the known labels: softmax for classes, sigmoid for attributes.

        The attributes of an image are summed, as in the authors' code.
        """
        total = logits.new_zeros(())
        start = 0
        for known, one in zip(self._known(c).T, self.sets, strict=True):
            columns = slice(start, start + len(one.names))
            start += len(one.names)
            guess, truth = logits[known, columns], c[known, columns]
            if one.exclusive:
                total = total + F.cross_entropy(guess, truth.argmax(1), reduction="sum")
            else:
                total = total + F.binary_cross_entropy_with_logits(guess, truth, reduction="sum")
        return total / len(c)

    def _known(self, c: Tensor) -> Tensor:
        """Which label sets are known for each image, bool [N, sets]."""
        lengths = [len(one.names) for one in self.sets]
        return torch.stack([~part.isnan().any(1) for part in c.split(lengths, 1)], 1)
