"""GANomaly: an encoder-decoder-encoder trained to rebuild normal images.

Akcay, Atapour-Abarghouei and Breckon, "GANomaly: Semi-Supervised Anomaly Detection via
Adversarial Training", ACCV 2018. The first encoder and the decoder rebuild the image; the second
encoder computes the latent vector of the rebuilt image. For normal images, both the image and the
latent vector are close to the original; for anomalous images they are not.

The losses and the order of the updates are those of the authors' code, which takes squared
distances where the paper has norms. Four defaults are ours: a latent vector per cell of a view,
spectral norm, a discriminator that skips steps while it wins, and residuals in the score.

In feature space x is a feature vector and the networks are 1x1 convolutions. Two things are ours:
half of each batch are hard normals (`training.hard`), and the score is the squared error of the
vector, instead of the latent distance.
"""

from collections.abc import Iterator
from typing import Literal, Unpack

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import Features, LatentDim, Section, Settings, SpectralNorm, Weights
from anomgan.data.views import Maps
from anomgan.detectors.arguments import GANomalyOptions
from anomgan.detectors.base import Detector
from anomgan.detectors.method import Profile
from anomgan.losses import discriminator_minimax, feature_matching
from anomgan.networks.dcgan import Bottleneck, Decoder, Discriminator, Encoder, stride_of
from anomgan.networks.pointwise import PointwiseDiscriminator, PointwiseNetwork
from anomgan.training.hard import rebuilding_error
from anomgan.training.recipe import Adam, Phase, Recipe, Update


class NetworkSettings(Section):
    """Sizes of the networks."""

    features: Features = 16
    latent_dim: LatentDim = 32
    bottleneck: Bottleneck = Field(
        "map",
        description="vector: one latent vector per view, as in the paper; map: one per cell of a "
        "4 x 4 grid on the view, so that large images are scored in one pass",
    )
    spectral_norm: SpectralNorm = True


class LossSettings(Section):
    """Weights of the generator's losses (equation 4), and when the discriminator is trained."""

    adversarial: float = Field(1.0, ge=0, description="feature matching, equation 1")
    contextual: float = Field(
        50.0, ge=0, description="L1 distance of image and reconstruction, equation 2"
    )
    encoder: float = Field(1.0, ge=0, description="L2 distance of both latents, equation 3")
    discriminator_floor: float = Field(
        0.2,
        ge=0,
        lt=0.69,
        description="the discriminator skips a step if its loss is below this, because features of "
        "a winning discriminator do not help the generator (0: it is always trained)",
    )


class GANomalyWeights(Weights):
    """Evidence of GANomaly."""

    latent: float = Field(
        0.0,
        ge=0,
        description="mean squared distance of both latents, as in the authors' code; equation 5 "
        "has the L1 distance",
    )


class GANomalySettings(Settings):
    """Settings of GANomaly; the defaults are for images of parts."""

    in_features = {
        "training": {"steps": 1000, "learning_rate": 1e-3},
        "network": {"features": 256, "latent_dim": 64},
        "calibration": {"method": "folds"},
        "loss": {"discriminator_floor": 0.0},
        "weights": {"latent": 0.0},
        "heatmap_weights": {"latent": 0.0},
    }

    idle = {"features": frozenset({"network.bottleneck", "network.spectral_norm"})}

    detector: Literal["ganomaly"] = "ganomaly"
    network: NetworkSettings = NetworkSettings()
    loss: LossSettings = LossSettings()
    weights: GANomalyWeights = GANomalyWeights(latent=0.3, residual=1.0, contrast=1.0)
    heatmap_weights: GANomalyWeights = GANomalyWeights(latent=0.3, residual=1.0, contrast=1.0)


class GANomalyRecipe(Recipe):
    """One training step of GANomaly, section 3.2 of the paper."""

    players = {
        "generator": ("encoder", "decoder", "second_encoder"),
        "discriminator": ("discriminator",),
    }
    optimiser = Adam(2e-4, 0.5, 0.999)

    def __init__(self, networks: nn.ModuleDict, loss: LossSettings) -> None:
        self.networks = networks
        self.loss = loss

    def difficulty(self, x: Tensor) -> Tensor:
        net = self.networks
        return rebuilding_error(x, net["decoder"](net["encoder"](x)))

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield the generator's update, then the discriminator's, as in the authors' code."""
        net = self.networks
        z = net["encoder"](x)
        x_hat = net["decoder"](z)
        z_hat = net["second_encoder"](x_hat)
        real_logits, real_features = net["discriminator"](x)
        _, fake_features = net["discriminator"](x_hat)

        adversarial = feature_matching(fake_features, real_features.detach())  # eq. 1
        contextual = F.l1_loss(x_hat, x)  # eq. 2
        encoder = F.mse_loss(z_hat, z)  # eq. 3
        weight = self.loss
        yield Update(
            "generator",  # eq. 4
            weight.adversarial * adversarial
            + weight.contextual * contextual
            + weight.encoder * encoder,
            {"adversarial": adversarial, "contextual": contextual, "encoder": encoder},
        )

        fake_logits, _ = net["discriminator"](x_hat.detach())
        discriminator = discriminator_minimax(real_logits, fake_logits)
        yield Update(
            "discriminator",
            discriminator,
            {"discriminator": discriminator},
            floor=weight.discriminator_floor,
        )


class GANomaly(Detector):
    """An encoder-decoder-encoder detector; one forward pass per image.

    Example:
        >>> detector = GANomaly(training={"steps": 500}).fit("ok/")
        >>> detector.score("part.png").is_anomalous
        False
    """

    profile = Profile(
        infers="rebuilding the image and its latent vector",
        costs="quick to train; one forward pass per image",
        choose="first, on features; on pixels, for aligned objects",
    )
    settings_type = GANomalySettings
    settings: GANomalySettings

    def __init__(self, **given: Unpack[GANomalyOptions]) -> None:
        super().__init__(**given)

    def build(self, channels: int) -> nn.ModuleDict:
        network, size = self.settings.network, self.settings.view.size
        if self.settings.space == "features":
            latent_dim, width = network.latent_dim, network.features
            return nn.ModuleDict(
                {
                    "encoder": PointwiseNetwork(channels, latent_dim, width),
                    "decoder": PointwiseNetwork(latent_dim, channels, width),
                    "second_encoder": PointwiseNetwork(channels, latent_dim, width),
                    "discriminator": PointwiseDiscriminator(channels, width),
                }
            )
        shape = (size, channels, network.latent_dim, network.features, network.bottleneck)
        return nn.ModuleDict(
            {
                "encoder": Encoder(*shape),
                "decoder": Decoder(*shape),
                "second_encoder": Encoder(*shape),
                "discriminator": Discriminator(
                    size, channels, network.features, network.spectral_norm
                ),
            }
        )

    def phases(self) -> dict[str, Phase]:
        recipe = GANomalyRecipe(self.networks, self.settings.loss)
        return {"ganomaly": Phase(recipe, self.settings.training)}

    @property
    def only_for_training(self) -> frozenset[str]:
        idle = {"discriminator"}
        return frozenset(idle if "latent" in self.counted else idle | {"second_encoder"})

    @property
    def stride(self) -> int | None:
        return stride_of(self.settings.view.size, self.settings.network.bottleneck)

    def infer(self, x: Tensor) -> Maps:
        """Return the reconstruction, and the squared distance of both latents (section 3.3)."""
        z = self.networks["encoder"](x)
        x_hat = self.networks["decoder"](z)
        if "latent" not in self.counted:  # saves the second encoder, a third of the work
            return {"reconstruction": x_hat}
        distance = (z - self.networks["second_encoder"](x_hat)).square().mean(1, keepdim=True)
        latent = F.interpolate(distance, size=x.shape[-2:], mode="bilinear")
        return {"reconstruction": x_hat, "latent": latent}
