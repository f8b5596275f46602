"""f-AnoGAN: trains a GAN first, then an encoder that inverts its generator.

Schlegl, Seeböck, Waldstein, Langs and Schmidt-Erfurth, "f-AnoGAN: Fast Unsupervised Anomaly
Detection with Generative Adversarial Networks", Medical Image Analysis 2019. The encoder replaces
the latent search of AnoGAN with one forward pass.

In feature space x is a feature vector, and generator, critic and encoder are 1x1 convolutions. Both
phases and their losses are the paper's. The hard normals in the encoder's batches are ours.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Unpack

import torch
import torch.nn.functional as F
from pydantic import Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from torch import Tensor, nn

from anomgan.config import HiddenLayer, Section, Settings, TrainingSettings, Weights
from anomgan.data.views import Maps
from anomgan.detectors.arguments import FAnoGANOptions
from anomgan.detectors.base import Detector
from anomgan.detectors.method import Profile
from anomgan.generators import GENERATORS, GeneratorName, LatentGAN, LatentSettings
from anomgan.generators.wgan_gp import WGANGPSettings
from anomgan.losses import feature_matching
from anomgan.networks.dcgan import Encoder
from anomgan.networks.pointwise import PointwiseNetwork
from anomgan.networks.resnet import ResNetEncoder
from anomgan.training.hard import rebuilding_error
from anomgan.training.recipe import Adam, Phase, Recipe, RMSProp, Update

Mode = Literal["ziz", "izi", "izi_f"]
GENERATOR = "the GAN of the first phase"
NETWORK = "settings of that GAN; other GANs have other keys, see anomgan/generators"


class EncoderSettings(Section):
    """How the encoder is trained in the second phase; generator and discriminator stay fixed."""

    mode: Mode = Field(
        "izi_f",
        description="ziz: error of the latent vector (StyleGAN: the style) of generated images; "
        "izi: error of the rebuilt image; izi_f: also the error in the discriminator's features",
    )
    kappa: float = Field(1.0, ge=0, description="weight of the feature error in izi_f")
    layer: HiddenLayer = -1
    features: int = Field(16, ge=1, le=1024, description="feature maps after the first layer")
    blocks: Literal["plain", "residual"] = Field(
        "plain",
        description="plain: the convolutions of DCGAN; residual: the blocks of WGAN-GP's critic, "
        "as in the authors' code",
    )
    output: Literal["linear", "tanh"] = Field(
        "linear",
        description="tanh keeps the latent vector in [-1, 1], as in the authors' code (not for "
        "StyleGAN, whose styles have no such range)",
    )
    steps: int = Field(800, ge=1, description="training steps of the encoder")
    optimiser: Literal["adam", "rmsprop"] = Field(
        "adam", description="rmsprop as in the authors' code, with decay 0.9"
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="learning rate of the optimiser")


class GANFirstWeights(Weights):
    """Evidence of f-AnoGAN. With `squared` 1 and `feature` kappa, the sum is equation 6."""

    feature: float = Field(
        0.0,
        ge=0,
        description="squared difference of the discriminator's features of image and "
        "reconstruction",
    )


class GANFirstSettings(Settings):
    """Settings of a detector whose GAN is trained first."""

    idle = {"features": frozenset({"encoder.blocks"})}

    generator: GeneratorName
    network: SerializeAsAny[LatentSettings]
    encoder: EncoderSettings

    @classmethod
    def suited(cls, defaults: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """Drop the defaults of `network` that the chosen generator does not use."""
        name = values.get("generator", defaults["generator"])
        if name not in list(GENERATORS):  # a list, because the name may not be hashable
            return defaults
        known = GENERATORS[name].settings_type.model_fields
        network = {key: one for key, one in defaults["network"].items() if key in known}
        return defaults | {"network": network}

    @field_validator("network", mode="plain")
    @classmethod
    def _is_of_the_generator(cls, network: Any, info: ValidationInfo) -> Any:
        if "generator" not in info.data:  # it was invalid, which is reported separately
            return network
        name = info.data["generator"]
        kind = GENERATORS[name].settings_type
        given = network if isinstance(network, Mapping) else {}
        unknown = [key for key in given if key not in kind.model_fields]
        if not unknown:
            return kind.model_validate(network)
        known = ", ".join(kind.model_fields)
        error = PydanticCustomError("unused", f"{name} does not use it (known here: {known})")
        raise ValidationError.from_exception_data(
            "network",
            [InitErrorDetails(type=error, loc=(key,), input=given[key]) for key in unknown],
        )


class FAnoGANSettings(GANFirstSettings):
    """Settings of f-AnoGAN; the defaults are for images of parts."""

    in_features = {
        "training": {"steps": 3000, "beta1": 0.0, "beta2": 0.9},
        "network": {"features": 512, "latent_dim": 128, "critic_steps": 2},
        "encoder": {"features": 512, "steps": 3000, "learning_rate": 5e-4},
        "weights": {"feature": 0.0},
        "heatmap_weights": {"feature": 0.0},
    }

    detector: Literal["f-anogan"] = "f-anogan"
    generator: GeneratorName = Field("wgan_gp", description=GENERATOR)
    training: TrainingSettings = TrainingSettings(steps=400, batch_size=16, learning_rate=5e-4)
    network: SerializeAsAny[LatentSettings] = Field(
        WGANGPSettings(latent_dim=64, features=8, critic_steps=3), description=NETWORK
    )
    encoder: EncoderSettings = EncoderSettings()
    weights: GANFirstWeights = GANFirstWeights(feature=1.0, residual=1.0, contrast=1.0)
    heatmap_weights: GANFirstWeights = GANFirstWeights(feature=1.0, residual=1.0, contrast=1.0)


class EncoderRecipe(Recipe):
    """Second phase: E learns to invert G; G and D stay fixed (section 2.2).

    Args:
        gan: the trained generator and discriminator.
        encoder: maps images to latent vectors; to the style w if the generator has one.
        settings: mode and kappa.
    """

    players = {"encoder": ("encoder",)}
    optimiser: Adam | RMSProp = Adam(5e-5, 0.5, 0.999)

    def __init__(self, gan: LatentGAN, encoder: nn.Module, settings: EncoderSettings) -> None:
        self.networks = nn.ModuleDict({"encoder": encoder})
        self.gan = gan
        self.settings = settings
        if settings.optimiser == "rmsprop":
            self.optimiser = RMSProp(decay=0.9)

    def difficulty(self, x: Tensor) -> Tensor:
        self.gan.networks.eval()
        return rebuilding_error(x, self.gan.decode(encode(self.networks["encoder"], x)))

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield the encoder's update."""
        self.gan.networks.eval()
        mode = self.settings.mode
        if mode == "ziz":
            with torch.no_grad():
                code = self.gan.embed(self.gan.draw(len(x), x))
                generated = self.gan.decode(code)
            latent = F.mse_loss(encode(self.networks["encoder"], generated), code)  # eq. 2
            yield Update("encoder", latent, {"latent": latent})
            return
        rebuilt = self.gan.decode(encode(self.networks["encoder"], x))
        image = F.mse_loss(rebuilt, x)  # eq. 3
        if mode == "izi":
            yield Update("encoder", image, {"image": image})
            return
        layer = self.settings.layer
        features = self.gan.features(x, layer).detach()
        feature = feature_matching(self.gan.features(rebuilt, layer), features)
        loss = image + self.settings.kappa * feature  # eq. 4
        yield Update("encoder", loss, {"image": image, "feature": feature})


def encode(encoder: nn.Module, x: Tensor) -> Tensor:
    """Encode images [N, C, H, W] as codes [N, latent_dim] for the generator."""
    return encoder(x).flatten(1)


class GANFirst(Detector):
    """A detector that trains a GAN first, then an encoder that inverts the generator."""

    settings: GANFirstSettings
    gan: LatentGAN

    @property
    def uses_encoder(self) -> bool:
        """Whether the detector trains and uses an encoder."""
        return True

    def build(self, channels: int) -> nn.ModuleDict:
        settings, in_features = self.settings, self.settings.space == "features"
        size, latent_dim = settings.view.size, settings.network.latent_dim
        method = GENERATORS[settings.generator]
        self.gan = method(1 if in_features else size, channels, settings.network)
        networks = nn.ModuleDict({**self.gan.networks})
        if self.uses_encoder:
            own = settings.encoder
            if in_features:
                encoder: nn.Module = PointwiseNetwork(channels, latent_dim, own.features)
            else:
                kind = ResNetEncoder if own.blocks == "residual" else Encoder
                encoder = kind(size, channels, latent_dim, own.features)
            linear = own.output == "linear"
            networks["encoder"] = encoder if linear else nn.Sequential(encoder, nn.Tanh())
        return networks

    def phases(self) -> dict[str, Phase]:
        settings = self.settings
        phases: dict[str, Phase] = {settings.generator: Phase(self.gan, settings.training)}
        if self.uses_encoder:
            recipe = EncoderRecipe(self.gan, self.networks["encoder"], settings.encoder)
            own = {
                "steps": settings.encoder.steps,
                "learning_rate": settings.encoder.learning_rate,
                "beta1": None,
            }
            phases["encoder"] = Phase(recipe, settings.training.model_copy(update=own))
        return phases

    def compare(self, x: Tensor, code: Tensor, layer: int) -> Maps:
        """Decode codes [N, D] of views x, and measure the feature error of the reconstructions."""
        rebuilt = self.gan.decode(code)
        if "feature" not in self.counted:  # saves the discriminator
            return {"reconstruction": rebuilt}
        distance = self.gan.features(rebuilt, layer) - self.gan.features(x, layer)
        feature = distance.square().mean(1, keepdim=True)
        return {
            "reconstruction": rebuilt,
            "feature": F.interpolate(feature, size=x.shape[-2:], mode="nearest"),
        }


class FAnoGAN(GANFirst):
    """A WGAN-GP (or another GAN) and an encoder; one forward pass per view.

    Example:
        >>> detector = FAnoGAN(encoder={"mode": "izi"}).fit("ok/")
        >>> detector.score("part.png").is_anomalous
        False
    """

    profile = Profile(
        infers="encoding into a GAN that was trained first",
        costs="slow to train (WGAN-GP, then the encoder); one forward pass per view",
        choose="for aligned objects, if training may take long",
    )
    settings_type = FAnoGANSettings
    settings: FAnoGANSettings

    def __init__(self, **given: Unpack[FAnoGANOptions]) -> None:
        super().__init__(**given)

    def infer(self, x: Tensor) -> Maps:
        """Return the reconstruction and the feature error (equation 6) of each place."""
        return self.compare(x, encode(self.networks["encoder"], x), self.settings.encoder.layer)
