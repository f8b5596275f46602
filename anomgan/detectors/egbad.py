"""EGBAD: a bidirectional GAN, whose encoder learns to invert the generator as both are trained.

Zenati, Foo, Lecouat, Manek and Chandrasekhar, "Efficient GAN-Based Anomaly Detection", ICLR 2018
workshop, on BiGAN (Donahue, Krähenbühl and Darrell, ICLR 2017). The discriminator sees pairs of
image and latent vector: (x, E(x)) and (G(z), z). It cannot tell them apart only if E inverts G.

A cycle term |x - G(E(x))| is ours; without it E inverts G only after very long training.

In feature space x is a feature vector, and the networks are fully connected. Two more things are
ours: a Wasserstein critic of pairs with a gradient penalty, because the minimax discriminator
leaves out rare normals; and hard normals in each batch.
"""

from collections.abc import Iterator
from typing import Literal, Unpack

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import Features, LatentDim, Section, Settings, TrainingSettings, Weights
from anomgan.data.views import Maps
from anomgan.detectors.arguments import EGBADOptions
from anomgan.detectors.base import Detector
from anomgan.detectors.method import Profile
from anomgan.losses import (
    critic_wasserstein,
    discriminator_minimax,
    generator_non_saturating,
    generator_wasserstein,
    gradient_penalty,
)
from anomgan.networks.bigan import (
    DigitDiscriminator,
    DigitEncoder,
    DigitGenerator,
    JointDiscriminator,
)
from anomgan.networks.dcgan import Decoder, Encoder
from anomgan.networks.pointwise import PointwiseJointDiscriminator, PointwiseNetwork
from anomgan.training.hard import rebuilding_error
from anomgan.training.recipe import Adam, Phase, Recipe, Update


class NetworkSettings(Section):
    """Sizes of the networks."""

    latent_dim: LatentDim = 64
    features: Features = 16
    joint: int = Field(256, ge=1, le=8192, description="units of the joint layer")
    layout: Literal["pyramid", "digits"] = Field(
        "pyramid",
        description="pyramid: the networks of DCGAN, down to 4 x 4 cells; digits: the paper's for "
        "MNIST, which halve an image twice, with more dropout",
    )


class LossSettings(Section):
    """Weights of the losses of encoder and generator."""

    adversarial: float = Field(
        1.0, ge=0, description="adversarial loss: pairs should fool the discriminator"
    )
    critic: Literal["minimax", "wasserstein"] = Field(
        "minimax",
        description="minimax: the paper's discriminator of pairs; wasserstein: a critic of pairs "
        "with a gradient penalty, which covers rare normals better in feature space",
    )
    gradient_penalty: float = Field(
        10.0, ge=0, description="weight of the penalty of the wasserstein critic"
    )
    reconstruction: float = Field(
        10.0,
        ge=0,
        description="L1 distance of image and G(E(x)), as in ALICE (Li et al. 2017); 0: the paper",
    )


class EGBADWeights(Weights):
    """Evidence of EGBAD. The paper adds 0.9 x residual and 0.1 x one of the two others."""

    cross_entropy: float = Field(
        0.0, ge=0, description="cross-entropy of D(x, E(x)) with the label 1"
    )
    feature: float = Field(
        0.0,
        ge=0,
        description="L1 distance of D's joint features of (x, E(x)) and (G(E(x)), E(x))",
    )


class EGBADSettings(Settings):
    """Settings of EGBAD; the defaults are for images of parts."""

    in_features = {
        "training": {"steps": 3000, "beta1": 0.0, "beta2": 0.9},
        "network": {"features": 512, "latent_dim": 64, "joint": 512},
        "loss": {"critic": "wasserstein", "reconstruction": 30.0},
        "weights": {"feature": 0.0},
        "heatmap_weights": {"feature": 0.0},
    }
    idle = {"features": frozenset({"network.layout"})}

    detector: Literal["egbad"] = "egbad"
    training: TrainingSettings = TrainingSettings(learning_rate=5e-4)
    network: NetworkSettings = NetworkSettings()
    loss: LossSettings = LossSettings()
    weights: EGBADWeights = EGBADWeights(feature=0.3, residual=1.0, contrast=1.0)
    heatmap_weights: EGBADWeights = EGBADWeights(feature=0.3, residual=1.0, contrast=1.0)


class EGBADRecipe(Recipe):
    """One training step of the bidirectional GAN, section 3 of the paper."""

    players = {"generator": ("encoder", "generator"), "discriminator": ("discriminator",)}
    optimiser = Adam(1e-5, 0.5, 0.999)

    def __init__(self, networks: nn.ModuleDict, latent_dim: int, loss: LossSettings) -> None:
        self.networks = networks
        self.latent_dim = latent_dim
        self.loss = loss

    def difficulty(self, x: Tensor) -> Tensor:
        net = self.networks
        z = net["encoder"](x).flatten(1)[:, :, None, None]
        return rebuilding_error(x, net["generator"](z))

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield the discriminator's update, then that of encoder and generator."""
        net = self.networks
        z = torch.randn(len(x), self.latent_dim, device=x.device)
        z_of_x = net["encoder"](x).flatten(1)
        x_of_z = net["generator"](z[:, :, None, None])
        yield self._discriminate((x, z_of_x.detach()), (x_of_z.detach(), z))

        # Labels swapped: the encoder's pair should look generated, the generator's pair real.
        wasserstein = self.loss.critic == "wasserstein"
        fool = generator_wasserstein if wasserstein else generator_non_saturating
        encoder = fool(-net["discriminator"](x, z_of_x)[0])
        generator = fool(net["discriminator"](x_of_z, z)[0])
        loss = self.loss.adversarial * (encoder + generator)
        terms = {"encoder": encoder, "generator": generator}
        if self.loss.reconstruction:
            rebuilt = net["generator"](z_of_x[:, :, None, None])
            terms["reconstruction"] = F.l1_loss(rebuilt, x)
            loss = loss + self.loss.reconstruction * terms["reconstruction"]
        yield Update("generator", loss, terms)

    def _discriminate(
        self, encoded: tuple[Tensor, Tensor], generated: tuple[Tensor, Tensor]
    ) -> Update:
        """Return the discriminator's update on pairs (x, E(x)) and (G(z), z)."""
        net = self.networks["discriminator"]
        real, fake = net(*encoded)[0], net(*generated)[0]
        if self.loss.critic == "minimax":
            loss = discriminator_minimax(real, fake)
            return Update("discriminator", loss, {"discriminator": loss})
        estimate = critic_wasserstein(real, fake)
        split = encoded[0].shape[1]
        pairs = (torch.cat([x.flatten(1), z], 1)[:, :, None, None] for x, z in (encoded, generated))
        penalty = gradient_penalty(
            lambda pair: net(pair[:, :split], pair[:, split:, 0, 0])[0], *pairs
        )
        return Update(
            "discriminator",
            estimate + self.loss.gradient_penalty * penalty,
            {"wasserstein": -estimate, "penalty": penalty},
        )


class EGBAD(Detector):
    """Bidirectional GAN; one forward pass per view.

    Example:
        >>> detector = EGBAD(training={"steps": 2000}).fit("ok/")
        >>> detector.score("part.png").is_anomalous
        False
    """

    profile = Profile(
        infers="rebuilding the image, and scoring it with the joint discriminator",
        costs="quick to train; one forward pass per view",
        choose="for small aligned objects; if latent vectors are wanted too",
    )
    settings_type = EGBADSettings
    settings: EGBADSettings

    def __init__(self, **given: Unpack[EGBADOptions]) -> None:
        super().__init__(**given)

    def build(self, channels: int) -> nn.ModuleDict:
        network, size = self.settings.network, self.settings.view.size
        if self.settings.space == "features":
            latent_dim, width = network.latent_dim, network.features
            return nn.ModuleDict(
                {
                    "encoder": PointwiseNetwork(channels, latent_dim, width),
                    "generator": PointwiseNetwork(latent_dim, channels, width),
                    "discriminator": PointwiseJointDiscriminator(
                        channels, latent_dim, width, network.joint
                    ),
                }
            )
        shape = (size, channels, network.latent_dim, network.features)
        if network.layout == "digits":
            return nn.ModuleDict(
                {
                    "encoder": DigitEncoder(*shape),
                    "generator": DigitGenerator(*shape, network.joint),
                    "discriminator": DigitDiscriminator(*shape, network.joint),
                }
            )
        return nn.ModuleDict(
            {
                "encoder": Encoder(*shape),
                "generator": Decoder(*shape),
                "discriminator": JointDiscriminator(*shape, network.joint),
            }
        )

    def phases(self) -> dict[str, Phase]:
        latent_dim = self.settings.network.latent_dim
        recipe = EGBADRecipe(self.networks, latent_dim, self.settings.loss)
        return {"egbad": Phase(recipe, self.settings.training)}

    def infer(self, x: Tensor) -> Maps:
        """Return the reconstruction and both discriminator scores, section 3 of the paper.

        The cross-entropy is of D(x, E(x)), as in the paper; the authors' code uses
        D(G(E(x)), E(x)).
        """
        net = self.networks
        z = net["encoder"](x).flatten(1)
        rebuilt = net["generator"](z[:, :, None, None])
        if not self.counted & {"cross_entropy", "feature"}:  # saves the discriminator
            return {"reconstruction": rebuilt}
        logits, features = net["discriminator"](x, z)
        _, features_rebuilt = net["discriminator"](rebuilt, z)
        return {
            "reconstruction": rebuilt,
            "cross_entropy": F.softplus(-logits)[:, :, None, None],
            "feature": (features - features_rebuilt).abs().mean(1)[:, None, None, None],
        }
