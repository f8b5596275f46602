"""Adversarial restoration: find what is not genuine, and draw what should be there instead.

A generator fills holes that were cut into views of good parts. A pixel-wise discriminator sees
views that were filled or damaged synthetically and says, for every pixel, whether it is genuine;
the generator learns to leave nothing to say. Of a new part, the discriminator's map is the heatmap;
what it does not believe is cut out and filled, which gives the restored part.

The discriminator is the U-Net of Schonfeld, Schiele and Khoreva (CVPR 2020), the generator a
context encoder (Pathak et al., CVPR 2016), and the damage that of DRAEM (Zavrtanik, Kristan and
Skocaj, ICCV 2021). Unlike DRAEM's, the discriminator does not see the restoration of the whole
view: it found fewer defects of kinds that were not drawn in training when it did.
"""

from collections.abc import Iterator
from typing import Literal, cast

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
from anomgan.data.damage import damage, draw_shapes, half_seen, how_seen
from anomgan.data.views import Maps
from anomgan.detectors.arguments import (
    CalibrationOptions,
    ImageOptions,
    RestorationLossOptions,
    RestorationNetworkOptions,
    RestorationWeightsOptions,
    ScoreOptions,
    TrainingOptions,
    ViewOptions,
)
from anomgan.detectors.base import Detector
from anomgan.detectors.method import Profile
from anomgan.errors import SettingsError
from anomgan.networks.unet import UNet
from anomgan.training.recipe import Adam, Phase, Recipe, Update

FILLED = 0.25
"""Share of the views that the generator fills a hole of; two at least, for batch norm."""
EXPOSURE = 0.2
"""Up to which views are exposed longer or shorter: logarithm of the gain."""
CONTRAST = 0.12
"""Up to which their contrast, and their gamma, is higher or lower: logarithms of the factors."""
OFFSET = 0.07
"""Up to which they are lighter or darker all over, on the scale [-1, 1]."""
RIM = 4
"""Pixels around what is not believed that are cut out, too."""


class NetworkSettings(Section):
    """Sizes of the networks."""

    features: int = Field(
        16,
        ge=2,
        le=1024,
        description="feature maps of the discriminator; the generator has half as many",
    )


class LossSettings(Section):
    """Weights of the losses of the generator."""

    adversarial: float = Field(1.0, ge=0, description="filled holes that pass for genuine")
    restoration: float = Field(10.0, ge=0, description="L1 of what was there and what is filled in")


class RestorationWeights(Weights):
    """Evidence of the restoration detector."""

    fake: float = Field(0.0, ge=0, description="logit of the discriminator: not genuine here")


class RestorationSettings(Settings):
    """Settings of the restoration detector; the defaults are for photographs of parts."""

    detector: Literal["restoration"] = "restoration"
    image: ImageSettings = ImageSettings(max_side=384, lighting="keep")
    view: ViewSettings = ViewSettings(size=128, scales=2, flip=True, flip_vertical=True)
    training: TrainingSettings = TrainingSettings(
        steps=8000, batch_size=16, decay_from=0.5, precision="auto"
    )
    network: NetworkSettings = NetworkSettings()
    loss: LossSettings = LossSettings()
    score: ScoreSettings = ScoreSettings(top_share=[0.0005, 0.002, 0.005, 0.02, 0.05])
    weights: RestorationWeights = RestorationWeights(fake=1.0)
    heatmap_weights: RestorationWeights = RestorationWeights(fake=1.0)


class RestorationRecipe(Recipe):
    """One training step: cut holes and fill them, damage, tell what is genuine."""

    players = {"generator": ("generator",), "discriminator": ("discriminator",)}
    optimiser = Adam(1e-3, 0.9, 0.999)

    def __init__(self, networks: nn.ModuleDict, loss: LossSettings) -> None:
        self.networks = networks
        self.loss = loss

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield the generator's update, then the discriminator's."""
        discriminator = self.networks["discriminator"]
        x = expose(x)
        some = x[: max(2, round(FILLED * len(x)))]
        hole = draw_shapes(some)
        filled = fill(self.networks["generator"], some, hole)
        inside = hole.sum().clamp_min(1)
        terms = {
            "adversarial": (F.softplus(discriminator(filled)) * hole).sum() / inside,
            "restoration": ((filled - some).abs() * hole).mean(1).sum() / inside,
        }
        weights = self.loss.model_dump()
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        yield Update("generator", loss, terms)

        filled = filled.detach()
        damaged, mask = damage(torch.cat([filled, x[len(some) :]]))
        seen = how_seen(some, filled, half_seen(some))
        mask[: len(some)] = torch.maximum(mask[: len(some)], seen)
        loss = F.binary_cross_entropy_with_logits(discriminator(damaged), mask)
        yield Update("discriminator", loss, {"discriminator": loss})


def expose(x: Tensor) -> Tensor:
    """Views [N, C, H, W] in [-1, 1], each as under another lamp and another camera setting.

    Gain, offset, contrast and gamma vary. Otherwise good parts that are photographed a little
    otherwise than those of training would be called anomalous as a whole.
    """

    def uniform(limit: float) -> Tensor:
        return torch.empty(len(x), 1, 1, 1, device=x.device).uniform_(-limit, limit)

    x = ((x + 1) / 2).clamp_min(1e-6) ** uniform(CONTRAST).exp() * 2 - 1
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * uniform(CONTRAST).exp() + mean + uniform(OFFSET)
    return ((x + 1) * uniform(EXPOSURE).exp() - 1).clamp(-1, 1)


def fill(generator: nn.Module, x: Tensor, hole: Tensor) -> Tensor:
    """Views x [N, C, H, W] with what the generator draws into holes [N, 1, H, W], 1 inside.

    The generator does not see what was there: where a hole has a soft rim, it sees nothing of it.
    """
    cut = (hole > 0.05).to(x.dtype)
    drawn = torch.tanh(generator(torch.cat([x * (1 - cut), cut], 1)))
    return x + hole * (drawn - x)


class Restoration(Detector):
    """Finds what is not genuine and restores it; fully convolutional, tiles as large as 768 pixels.

    Example:
        >>> detector = Restoration(training={"minutes": 10}).fit("ok/")
        >>> detector.score("part.png").is_anomalous
        False
    """

    profile = Profile(
        infers="a map of what is not genuine; that part is cut out and filled",
        costs="slow to train; two forward passes per image and scale",
        choose="textures on pixels, when no pretrained network may be used",
    )
    settings_type = RestorationSettings
    settings: RestorationSettings
    logits = frozenset({"fake"})

    def __init__(
        self,
        *,
        device: str = "auto",
        seed: int = 0,
        space: Literal["pixels"] = "pixels",
        image: ImageOptions | None = None,
        view: ViewOptions | None = None,
        training: TrainingOptions | None = None,
        network: RestorationNetworkOptions | None = None,
        loss: RestorationLossOptions | None = None,
        calibration: CalibrationOptions | None = None,
        score: ScoreOptions | None = None,
        weights: RestorationWeightsOptions | None = None,
        heatmap_weights: RestorationWeightsOptions | None = None,
    ) -> None:
        super().__init__(
            device=device,
            seed=seed,
            space=space,
            image=image,
            view=view,
            training=training,
            network=network,
            loss=loss,
            calibration=calibration,
            score=score,
            weights=weights,
            heatmap_weights=heatmap_weights,
        )

    def build(self, channels: int) -> nn.ModuleDict:
        features, size = self.settings.network.features, self.settings.view.size
        discriminator = UNet(channels, 1, features)
        if size % discriminator.stride:
            raise SettingsError(f"view.size = {size}: must be a multiple of {discriminator.stride}")
        generator = UNet(channels + 1, channels, max(1, features // 2))
        return nn.ModuleDict({"generator": generator, "discriminator": discriminator})

    def phases(self) -> dict[str, Phase]:
        recipe = RestorationRecipe(self.networks, self.settings.loss)
        return {"restoration": Phase(recipe, self.settings.training)}

    @property
    def stride(self) -> int:
        return cast(UNet, self.networks["discriminator"]).stride

    def infer(self, x: Tensor) -> Maps:
        """The logit that a place is not genuine, and the view with such places restored."""
        fake = self.networks["discriminator"](x)
        suspect = F.max_pool2d(fake, 2 * RIM + 1, 1, RIM) > 0
        restored = fill(self.networks["generator"], x, suspect.to(x.dtype))
        return {"reconstruction": restored, "fake": fake}
