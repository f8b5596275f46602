"""Baselines without a GAN. A GAN that does not beat them is not worth its cost.

They are detectors like all others, with the same preparation, calibration and metrics. Benchmarks
run them beside the GANs.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, Self, Unpack, cast

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from anomgan.config import (
    Features,
    LatentDim,
    ScoreSettings,
    Section,
    Settings,
    ViewSettings,
    Weights,
)
from anomgan.data.views import Maps
from anomgan.detectors.arguments import (
    AutoencoderOptions,
    MeanImageOptions,
    NearestOptions,
    PrincipalOptions,
)
from anomgan.detectors.base import Detector
from anomgan.detectors.feature_baselines import Coreset, EigenMapsAlone, Gaussian, PlaceGaussian
from anomgan.detectors.method import Profile
from anomgan.networks.dcgan import Bottleneck, Decoder, Encoder, stride_of
from anomgan.networks.pointwise import PointwiseNetwork
from anomgan.training.hard import rebuilding_error
from anomgan.training.recipe import Phase, Recipe, Update


class WholeSettings(Settings):
    """Settings of a baseline that compares whole images, pixel by pixel."""

    idle = {"pixels": frozenset({"training"})}

    view: ViewSettings = ViewSettings(kind="whole", size=64)
    score: ScoreSettings = ScoreSettings(standardise=False, smooth=0.0, top_share=1.0)
    weights: Weights = Weights(residual=1.0, contrast=0.0)
    heatmap_weights: Weights = Weights(residual=1.0, contrast=0.0)

    @model_validator(mode="after")
    def _sees_whole_images(self) -> Self:
        if self.view.kind != "whole":
            raise ValueError(f"{self.detector} compares whole images; set view.kind=whole")
        return self


class MeanImageSettings(WholeSettings):
    """Settings of the mean image."""

    detector: Literal["mean-image"] = "mean-image"


class MeanImage(Detector):
    """Mean absolute distance to the mean normal image."""

    profile = Profile("distance to the mean image", "nothing", "never: a baseline")
    settings_type = MeanImageSettings

    def __init__(self, **given: Unpack[MeanImageOptions]) -> None:
        super().__init__(**given)

    def build(self, channels: int) -> nn.ModuleDict:
        size = self.settings.view.size
        return nn.ModuleDict({"mean": _Memory(channels, size, size)})

    def learn(self, views: Iterable[Tensor]) -> None:
        _memory(self.networks, "mean").values = torch.cat(list(views)).mean(0)

    def infer(self, x: Tensor) -> Maps:
        return {"reconstruction": _memory(self.networks, "mean").values.expand_as(x)}


class PrincipalSettings(WholeSettings):
    """Settings of PCA."""

    detector: Literal["pca"] = "pca"
    components: int = Field(32, ge=1, le=4096, description="number of principal components")


class Principal(Detector):
    """Distance between an image and its projection on the normal images' principal components."""

    profile = Profile("projecting on principal components", "seconds", "never: a baseline")
    settings_type = PrincipalSettings
    settings: PrincipalSettings

    def __init__(self, **given: Unpack[PrincipalOptions]) -> None:
        super().__init__(**given)

    def build(self, channels: int) -> nn.ModuleDict:
        pixels = channels * self.settings.view.size**2
        return nn.ModuleDict(
            {"mean": _Memory(pixels), "components": _Memory(self.settings.components, pixels)}
        )

    def learn(self, views: Iterable[Tensor]) -> None:
        x = torch.cat(list(views)).flatten(1).numpy()
        count = min(self.settings.components, *x.shape)
        # Imported here: it takes 80 MB of memory that other detectors do not need.
        from sklearn.decomposition import PCA

        found = PCA(count, svd_solver="randomized", random_state=self.settings.seed).fit(x)
        _memory(self.networks, "mean").values = torch.from_numpy(found.mean_).float()
        _memory(self.networks, "components").values[:count] = torch.from_numpy(
            found.components_
        ).float()

    def infer(self, x: Tensor) -> Maps:
        mean, components = (
            _memory(self.networks, "mean").values,
            _memory(self.networks, "components").values,
        )
        projected = (x.flatten(1) - mean) @ components.T @ components + mean
        return {"reconstruction": projected.view_as(x)}


class NearestWeights(Weights):
    """Evidence of the nearest neighbours."""

    distance: float = Field(0.0, ge=0, description="mean distance to the nearest neighbours")


class NearestSettings(WholeSettings):
    """Settings of the nearest neighbours."""

    detector: Literal["nearest"] = "nearest"
    neighbours: int = Field(5, ge=1, le=100, description="nearest normal images that count")
    keep: int = Field(
        4096, ge=100, le=1_000_000, description="normal images that are stored, the first ones"
    )
    weights: NearestWeights = NearestWeights(distance=1.0, residual=0.0, contrast=0.0)
    heatmap_weights: NearestWeights = NearestWeights(residual=1.0, contrast=0.0)


class Nearest(Detector):
    """Distance to the k nearest normal images, pixel by pixel on downscaled images."""

    profile = Profile("comparing with every normal image", "memory", "never: a baseline")
    settings_type = NearestSettings
    settings: NearestSettings

    def __init__(self, **given: Unpack[NearestOptions]) -> None:
        super().__init__(**given)

    def build(self, channels: int) -> nn.ModuleDict:
        pixels = channels * self.settings.view.size**2
        return nn.ModuleDict({"images": _Memory(self.settings.keep, pixels)})

    def learn(self, views: Iterable[Tensor]) -> None:
        x = torch.cat(list(views)).flatten(1)[: self.settings.keep]
        memory = _memory(self.networks, "images").values.fill_(FAR)
        memory[: len(x)] = x

    def infer(self, x: Tensor) -> Maps:
        images = _memory(self.networks, "images").values
        found = torch.cdist(x.flatten(1), images).topk(self.settings.neighbours, largest=False)
        return {
            "reconstruction": images[found.indices[:, 0]].view_as(x),
            "distance": found.values.mean(1)[:, None, None, None],
        }


class AutoencoderNetworks(Section):
    """Sizes of the networks, as in GANomaly."""

    features: Features = 16
    latent_dim: LatentDim = 32
    bottleneck: Bottleneck = Field("map", description="as in GANomaly: vector or map")


class AutoencoderSettings(Settings):
    """Settings of the autoencoder; views, sizes and score are as in GANomaly."""

    in_features = {
        "training": {"steps": 1000},
        "network": {"features": 512, "latent_dim": 64},
    }

    idle = {"features": frozenset({"network.bottleneck"})}

    detector: Literal["autoencoder"] = "autoencoder"
    network: AutoencoderNetworks = AutoencoderNetworks()
    weights: Weights = Weights(residual=1.0, contrast=1.0)
    heatmap_weights: Weights = Weights(residual=1.0, contrast=1.0)


class AutoencoderRecipe(Recipe):
    """Trains on the mean squared error between image and reconstruction alone."""

    players = {"autoencoder": ("encoder", "decoder")}

    def __init__(self, networks: nn.ModuleDict) -> None:
        self.networks = networks

    def difficulty(self, x: Tensor) -> Tensor:
        return rebuilding_error(x, self.networks["decoder"](self.networks["encoder"](x)))

    def step(self, x: Tensor) -> Iterator[Update]:
        """Yield the only update."""
        error = F.mse_loss(self.networks["decoder"](self.networks["encoder"](x)), x)
        yield Update("autoencoder", error, {"error": error})


class Autoencoder(Detector):
    """GANomaly without the second encoder and the discriminator."""

    profile = Profile("rebuilding the image", "quick to train", "never: a baseline")
    settings_type = AutoencoderSettings
    settings: AutoencoderSettings

    def __init__(self, **given: Unpack[AutoencoderOptions]) -> None:
        super().__init__(**given)

    def build(self, channels: int) -> nn.ModuleDict:
        network, size = self.settings.network, self.settings.view.size
        if self.settings.space == "features":
            latent_dim, width = network.latent_dim, network.features
            return nn.ModuleDict(
                {
                    "encoder": PointwiseNetwork(channels, latent_dim, width),
                    "decoder": PointwiseNetwork(latent_dim, channels, width),
                }
            )
        shape = (size, channels, network.latent_dim, network.features, network.bottleneck)
        return nn.ModuleDict({"encoder": Encoder(*shape), "decoder": Decoder(*shape)})

    def phases(self) -> dict[str, Phase]:
        return {"autoencoder": Phase(AutoencoderRecipe(self.networks), self.settings.training)}

    @property
    def stride(self) -> int | None:
        return stride_of(self.settings.view.size, self.settings.network.bottleneck)

    def infer(self, x: Tensor) -> Maps:
        return {"reconstruction": self.networks["decoder"](self.networks["encoder"](x))}


FAR = 1e3
"""A pixel value that no image has, so that an unused row of the memory is never a neighbour."""


class _Memory(nn.Module):
    """Values that a model stores but does not train."""

    values: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(shape))


def _memory(networks: nn.ModuleDict, name: str) -> _Memory:
    return cast(_Memory, networks[name])


BASELINES: dict[str, type[Detector]] = {
    "autoencoder": Autoencoder,
    "coreset": Coreset,
    "eigenmaps": EigenMapsAlone,
    "gaussian": Gaussian,
    "mean-image": MeanImage,
    "nearest": Nearest,
    "pca": Principal,
    "place-gaussian": PlaceGaussian,
}
