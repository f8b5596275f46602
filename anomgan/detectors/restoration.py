"""Adversarial restoration: repair what was damaged on purpose, then see what else gets repaired.

A generator restores views that were damaged synthetically. A discriminator of patches tells
restored views from clean ones and draws the generator towards surfaces that look like those of good
parts. A pixel-wise discriminator compares a view with its restoration and says where it is not
genuine.

After DRAEM (Zavrtanik, Kristan and Skocaj, ICCV 2021), with an adversarial loss in place of SSIM
and damage that needs no second data set.
"""

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import (
    ImageSettings,
    ScoreSettings,
    Section,
    Settings,
    TrainingSettings,
    ViewSettings,
    Weights,
)
from anomgan.data.damage import damage
from anomgan.data.views import Maps
from anomgan.detectors.base import Detector, Profile
from anomgan.errors import SettingsError
from anomgan.losses import discriminator_least_squares, generator_least_squares
from anomgan.networks.patchgan import PatchGAN
from anomgan.networks.unet import UNet
from anomgan.training.recipe import Adam, Phase, Recipe, Update


class NetworkSettings(Section):
    """Sizes of the networks."""

    features: int = Field(
        16,
        ge=2,
        le=1024,
        description="feature maps of the pixel-wise discriminator; generator and discriminator "
        "have half as many",
    )


class LossSettings(Section):
    """Weights of the losses of generator and pixel-wise discriminator."""

    adversarial: float = Field(1.0, ge=0, description="patches that fool the discriminator")
    restoration: float = Field(10.0, ge=0, description="L1 of clean and restored")
    damage: float = Field(
        1.0, ge=0, description="L1 over what was damaged alone, a small share of the pixels"
    )
    pixel: float = Field(
        1.0, ge=0, description="cross-entropy of the pixel-wise discriminator with the damage"
    )


class RestorationWeights(Weights):
    """Evidence of the restoration detector."""

    fake: float = Field(
        0.0, ge=0, description="logit of the pixel-wise discriminator: not genuine here"
    )


class RestorationSettings(Settings):
    """Settings of the restoration detector; the defaults are for photographs of parts."""

    detector: Literal["restoration"] = "restoration"
    image: ImageSettings = ImageSettings(max_side=384, lighting="keep")
    view: ViewSettings = ViewSettings(size=128)
    training: TrainingSettings = TrainingSettings(steps=8000, batch_size=8, decay_from=0.5)
    network: NetworkSettings = NetworkSettings()
    loss: LossSettings = LossSettings()
    score: ScoreSettings = ScoreSettings(standardise=False)
    weights: RestorationWeights = RestorationWeights(fake=1.0)
    heatmap_weights: RestorationWeights = RestorationWeights(fake=1.0)


class RestorationRecipe(Recipe):
    """One training step: damage, restore, compare."""

    players = {
        "generator": ("generator", "pixel_discriminator"),
        "discriminator": ("discriminator",),
    }
    optimiser = Adam(1e-3, 0.9, 0.999)

    def __init__(self, networks: nn.ModuleDict, loss: LossSettings) -> None:
        self.networks = networks
        self.loss = loss

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield the update of generator and pixel-wise discriminator, then the discriminator's.

        The first two work together, as in DRAEM: the better the restoration, the plainer the
        difference that the other has to see.
        """
        discriminator = self.networks["discriminator"]
        damaged, mask = damage(x)
        restored, fake = restore_and_compare(self.networks, damaged)
        terms = {
            "adversarial": generator_least_squares(discriminator(restored)),
            "restoration": F.l1_loss(restored, x),
            "damage": F.l1_loss(restored * mask, x * mask) / mask.mean().clamp_min(1e-3),
            "pixel": F.binary_cross_entropy_with_logits(fake, mask),
        }
        weights = self.loss.model_dump()
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        yield Update("generator", loss, terms)

        loss = discriminator_least_squares(discriminator(x), discriminator(restored.detach()))
        yield Update("discriminator", loss, {"discriminator": loss})


def restore_and_compare(networks: nn.ModuleDict, x: Tensor) -> tuple[Tensor, Tensor]:
    """Restoration of x [N, C, H, W] and logits [N, 1, H, W] of where x is not genuine."""
    restored = torch.tanh(networks["generator"](x))
    return restored, networks["pixel_discriminator"](torch.cat([x, restored], 1))


class Restoration(Detector):
    """Restores the part and compares; fully convolutional, one pass over a large image.

    Example:
        >>> detector = Restoration(training={"minutes": 10}).fit("ok/")
        >>> detector.score("part.png").is_anomalous
        False
    """

    profile = Profile(
        infers="restoring the view, then comparing both pixel by pixel",
        costs="slow to train; two forward passes per image",
        choose="first: textures and parts, large and small defects",
    )
    settings_type = RestorationSettings
    settings: RestorationSettings

    def build(self, channels: int) -> nn.ModuleDict:
        features, size = self.settings.network.features, self.settings.view.size
        generator = UNet(channels, channels, features // 2)
        if size % generator.stride:
            raise SettingsError(f"view.size = {size}: must be a multiple of {generator.stride}")
        return nn.ModuleDict(
            {
                "generator": generator,
                "pixel_discriminator": UNet(2 * channels, 1, features),
                "discriminator": PatchGAN(channels, features // 2),
            }
        )

    def phases(self) -> dict[str, Phase]:
        recipe = RestorationRecipe(self.networks, self.settings.loss)
        return {"restoration": Phase(recipe, self.settings.training)}

    @property
    def stride(self) -> int:
        return self.networks["generator"].stride

    def infer(self, x: Tensor) -> Maps:
        """The restored view, and the logit that a place is not genuine."""
        restored, fake = restore_and_compare(self.networks, x)
        return {"reconstruction": restored, "fake": fake}
