"""AnoGAN: searches the latent space of a generator for the code that best rebuilds the image.

Schlegl, Seeböck, Waldstein, Schmidt-Erfurth and Langs, "Unsupervised Anomaly Detection with
Generative Adversarial Networks to Guide Marker Discovery", IPMI 2017.

In feature space x is a feature vector, and the search runs for all vectors of a map at once. The
search is the paper's. Three things are ours: an encoder gives the starting point, the search takes
fewer steps from there, and the GAN is a WGAN-GP, which covers rare normals better than a DCGAN.
"""

from typing import Literal, Unpack

from pydantic import Field, SerializeAsAny
from torch import Tensor

from anomgan.config import ImageSettings, TrainingSettings
from anomgan.data.views import Maps
from anomgan.detectors.arguments import AnoGANOptions
from anomgan.detectors.f_anogan import (
    GENERATOR,
    NETWORK,
    EncoderSettings,
    FAnoGANSettings,
    GANFirst,
    GANFirstSettings,
    GANFirstWeights,
    encode,
)
from anomgan.detectors.method import Profile
from anomgan.generators import GeneratorName, LatentSettings
from anomgan.generators.dcgan import DCGANSettings
from anomgan.generators.latent_search import Found, SearchSettings, search


class AnoGANWeights(GANFirstWeights):
    """Evidence of AnoGAN."""

    search: float = Field(0.0, ge=0, description="loss at the end of the search, equation 6")


class AnoGANSettings(GANFirstSettings):
    """Settings of AnoGAN; the defaults are for images of parts."""

    in_features = {
        **FAnoGANSettings.in_features,
        "generator": "wgan_gp",
        "search": {"steps": 20, "patience": 0, "learning_rate": 0.02, "chunk": 4096},
    }

    detector: Literal["anogan"] = "anogan"
    generator: GeneratorName = Field("dcgan", description=GENERATOR)
    image: ImageSettings = ImageSettings(max_side=128)
    training: TrainingSettings = TrainingSettings(learning_rate=5e-4)
    network: SerializeAsAny[LatentSettings] = Field(
        DCGANSettings(latent_dim=64, features=8), description=NETWORK
    )
    search: SearchSettings = SearchSettings(steps=30, patience=10)
    start: Literal["random", "encoder"] = Field(
        "encoder",
        description="where the search starts: at random codes, or at the code from an encoder, "
        "which is trained as in f-AnoGAN and saves most of the steps",
    )
    encoder: EncoderSettings = Field(
        EncoderSettings(mode="izi"), description="used when the search starts from an encoder"
    )
    weights: AnoGANWeights = AnoGANWeights(residual=1.0, contrast=1.0)
    heatmap_weights: AnoGANWeights = AnoGANWeights(residual=1.0, contrast=1.0)


class AnoGAN(GANFirst):
    """Searches the latent space of a GAN for each view, in many steps.

    Example:
        >>> detector = AnoGAN(search={"steps": 200, "restarts": 2}).fit("ok/")
        >>> detector.score("part.png").is_anomalous
        False
    """

    profile = Profile(
        infers="searching the latent space of a GAN, step by step",
        costs="dozens of passes per view",
        choose="for few images; to check what an encoder misses",
    )
    searches = True
    settings_type = AnoGANSettings
    settings: AnoGANSettings

    def __init__(self, **given: Unpack[AnoGANOptions]) -> None:
        super().__init__(**given)

    @property
    def uses_encoder(self) -> bool:
        return self.settings.start == "encoder"

    def search(self, x: Tensor) -> Found:
        """Find the codes of views x [N, C, H, W] in [-1, 1]."""
        start = encode(self.networks["encoder"], x) if self.uses_encoder else None
        return search(self.gan, x, self.settings.search, start=start)

    def infer(self, x: Tensor) -> Maps:
        """Return the best reconstruction found, its feature error, and the loss of equation 6."""
        found = self.search(x)
        loss = found.loss[:, None, None, None] / x[0].numel()
        return {**self.compare(x, found.code, self.settings.search.layer), "search": loss}
