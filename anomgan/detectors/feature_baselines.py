"""Baselines in feature space: detection by the features alone, without a GAN.

They see the same features as the GAN detectors, so the difference in score is what the GAN adds.
"""

from collections.abc import Iterable
from typing import ClassVar, Literal, Unpack, cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from anomgan.config import (
    IN_FEATURES,
    BackboneSettings,
    ImageSettings,
    ScoreSettings,
    Settings,
    Weights,
)
from anomgan.data.views import Maps
from anomgan.detectors.arguments import CoresetOptions, GaussianOptions, PlaceGaussianOptions
from anomgan.detectors.base import Detector
from anomgan.detectors.coreset_memory import VectorMemory, draw_vectors, greedy_k_centre
from anomgan.detectors.eigenmaps import to_grid
from anomgan.detectors.method import Profile
from anomgan.machine.progress import progress_bar

PROJECTED = 32
"""Dimensions in which the coreset is chosen; a random projection nearly preserves distances."""
REGULARISER = 0.01
"""Variance that PaDiM adds in each direction, because there are few images per place."""


class DistanceWeights(Weights):
    """Evidence of the baselines that measure their own distance."""

    distance: float = Field(0.0, ge=0, description="distance to the normal features")


class FeatureSettings(Settings):
    """Settings of a baseline that works in feature space only."""

    idle = {"features": frozenset({"training"})}

    space: Literal["features"] = Field("features", description="this method works on features only")
    image: ImageSettings = ImageSettings(**IN_FEATURES["image"])
    backbone: BackboneSettings = BackboneSettings(align="none")
    score: ScoreSettings = ScoreSettings(standardise=False, **IN_FEATURES["score"])


class GaussianSettings(FeatureSettings):
    """Settings of one Gaussian for all places."""

    detector: Literal["gaussian"] = "gaussian"
    weights: Weights = Weights(magnitude=1.0)
    heatmap_weights: Weights = Weights(magnitude=1.0)


class Gaussian(Detector):
    """One Gaussian for all places; scores are Mahalanobis distances of feature vectors.

    Whitening has already fitted the Gaussian. The mean square of a whitened vector, the evidence
    "magnitude", is its squared distance divided by the number of directions.
    """

    profile = Profile("Mahalanobis distance to all normal features", "seconds", "never: a baseline")
    settings_type: ClassVar[type[FeatureSettings]] = GaussianSettings

    def __init__(self, **given: Unpack[GaussianOptions]) -> None:
        super().__init__(**given)

    def build(self, channels: int) -> nn.ModuleDict:
        return nn.ModuleDict()

    def infer(self, x: Tensor) -> Maps:
        return {"reconstruction": torch.zeros_like(x)}


class EigenMapsSettings(FeatureSettings):
    """Settings of the eigenmaps; backbone.components is their number."""

    detector: Literal["eigenmaps"] = "eigenmaps"
    backbone: BackboneSettings = BackboneSettings()
    score: ScoreSettings = ScoreSettings(**IN_FEATURES["score"])
    weights: Weights = Weights(magnitude=1.0)
    heatmap_weights: Weights = Weights(magnitude=1.0)


class EigenMapsAlone(Gaussian):
    """The remainder that eigenmaps leave of a feature map: mean square, standardised by place.

    If eigenmaps explain too little to be used, this is the same as one Gaussian.
    """

    profile = Profile("measuring what eigenmaps do not explain", "seconds", "never: a baseline")
    settings_type = EigenMapsSettings


class PlaceGaussianSettings(FeatureSettings):
    """Settings of a Gaussian for each place."""

    detector: Literal["place-gaussian"] = "place-gaussian"
    backbone: BackboneSettings = BackboneSettings(align="none", directions=64)
    grid: int = Field(
        36,
        ge=1,
        le=128,
        description="rows and columns of the grid of places; feature maps are resized to it. A "
        "square image of 512 px has 36 rows with its border, 16 px each",
    )
    weights: DistanceWeights = DistanceWeights(distance=1.0)
    heatmap_weights: DistanceWeights = DistanceWeights(distance=1.0)


class PlaceGaussian(Detector):
    """One Gaussian for each place of aligned images; scores are Mahalanobis distances.

    The idea is from Defard et al., "PaDiM: A Patch Distribution Modeling Framework for Anomaly
    Detection and Localization", ICPR 2021. Here, vectors are whitened and cut to the directions of
    largest variance; PaDiM draws channels of the raw vectors at random.
    """

    profile = Profile(
        "Mahalanobis distance to the normal features of the place", "seconds", "never: a baseline"
    )
    settings_type = PlaceGaussianSettings
    settings: PlaceGaussianSettings

    def __init__(self, **given: Unpack[PlaceGaussianOptions]) -> None:
        super().__init__(**given)

    def build(self, channels: int) -> nn.ModuleDict:
        return nn.ModuleDict({"gaussians": GaussianGrid(self.settings.grid, channels)})

    def learn(self, views: Iterable[Tensor]) -> None:
        assert self.grid is not None
        # New maps have a border, but the maps to learn from come without one.
        border = (self.grid.multiple // self.grid.stride,) * 4
        whole = (F.pad(one, border, mode="replicate") for one in views)
        cast(GaussianGrid, self.networks.to(self.device)["gaussians"]).fit(whole)

    def infer(self, x: Tensor) -> Maps:
        return {"reconstruction": torch.zeros_like(x)}

    def see_features(self, features: Tensor) -> Maps:
        """Compute the evidence of features [N, D, h, w]: the shared one and "distance"."""
        distance = self.networks["gaussians"](features)
        shared = super().see_features(features)
        return shared | {"distance": to_grid(distance, features.shape[-2:])}


class GaussianGrid(nn.Module):
    """Turns maps [N, D, h, w] into Mahalanobis distances [N, 1, side, side] at each place.

    Args:
        side: rows and columns of the grid.
        channels: D.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, side: int, channels: int) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("mean", torch.zeros(side**2, channels))
        # The matrix W of each place; W^T W is the inverse of the covariance.
        self.register_buffer("factor", torch.zeros(side**2, channels, channels))

    def fit(self, maps: Iterable[Tensor]) -> None:
        """Learn mean and covariance of each place from at least two maps [1, D, h, w]."""
        count = 0
        total = torch.zeros(self.mean.shape, dtype=torch.float64)
        products = torch.zeros(self.factor.shape, dtype=torch.float64)
        for one in maps:
            x = self._by_place(one).mT.double()  # [places, D, 1]
            total += x[:, :, 0]
            products.baddbmm_(x, x.mT)
            count += 1
        mean = total / count
        covariance = (products - count * mean[:, :, None] * mean[:, None]) / (count - 1)
        identity = torch.eye(mean.shape[1], dtype=torch.float64)
        root = torch.linalg.cholesky(covariance + REGULARISER * identity)
        self.mean.copy_(mean)
        self.factor.copy_(torch.linalg.solve_triangular(root, identity, upper=False))

    def forward(self, x: Tensor) -> Tensor:
        white = (self._by_place(x) - self.mean[:, None]) @ self.factor.mT
        return white.norm(dim=2).T.reshape(-1, 1, self.side, self.side)

    def _by_place(self, x: Tensor) -> Tensor:
        """Rearrange maps [N, D, h, w] as vectors [places, N, D]."""
        return to_grid(x, (self.side, self.side)).flatten(2).permute(2, 0, 1)


class CoresetSettings(FeatureSettings):
    """Settings of the coreset."""

    detector: Literal["coreset"] = "coreset"
    vectors: Literal["raw", "whitened"] = Field(
        "whitened",
        description="raw: directions keep the variance that the network gives them; whitened: all "
        "directions count equally",
    )
    keep: int = Field(10_000, ge=1, le=1_000_000, description="normal vectors that are stored")
    candidates: int = Field(
        100_000,
        ge=1,
        le=20_000_000,
        description="normal vectors, drawn at random, from which the stored ones are chosen",
    )
    weights: DistanceWeights = DistanceWeights(distance=1.0)
    heatmap_weights: DistanceWeights = DistanceWeights(distance=1.0)


class Coreset(Detector):
    """Distance of each feature vector to the nearest vector of a coreset of normal ones.

    The idea is from Roth et al., "Towards Total Recall in Industrial Anomaly Detection"
    (PatchCore), CVPR 2022. PatchCore compares raw vectors in all directions, and weights the score
    of an image by the neighbours of the nearest vector. Here, vectors are compared in the
    directions of largest variance only, raw or whitened.
    """

    profile = Profile("comparing with a coreset of features", "a minute", "never: a baseline")
    settings_type = CoresetSettings
    settings: CoresetSettings

    def __init__(self, **given: Unpack[CoresetOptions]) -> None:
        super().__init__(**given)

    def build(self, channels: int) -> nn.ModuleDict:
        return nn.ModuleDict({"memory": VectorMemory(self.settings.keep, channels)})

    def learn(self, views: Iterable[Tensor]) -> None:
        generator = torch.Generator().manual_seed(self.settings.seed)
        memory = cast(VectorMemory, self.networks["memory"])
        if self.settings.vectors == "raw":
            assert self.feature_space is not None
            memory.scale.copy_(self.feature_space.extractor.deviations())
        vectors = draw_vectors(map(self._in_roi, views), self.settings.candidates, generator)
        vectors = vectors * memory.scale
        points = vectors
        if vectors.shape[1] > PROJECTED:
            points = vectors @ torch.randn(vectors.shape[1], PROJECTED, generator=generator)
        count = min(self.settings.keep, len(vectors))
        with progress_bar("choosing vectors", count) as report:
            chosen = greedy_k_centre(points.to(self.device), count, report)
        memory.fill(vectors[chosen.cpu()])
        self.networks.to(self.device)

    def _in_roi(self, view: Tensor) -> Tensor:
        """Take the vectors of a map [1, D, h, w] that count, [1, D, n, 1]."""
        if self.roi is None or self.grid is None:
            return view
        shape = [self.grid.stride * side for side in view.shape[-2:]]
        return view[..., torch.from_numpy(self.roi.at(shape, self.grid.stride)), None]

    def infer(self, x: Tensor) -> Maps:
        memory = cast(VectorMemory, self.networks["memory"])
        scale = memory.scale[:, None, None]
        nearest = memory(x * scale)
        distance = (x * scale - nearest).norm(dim=1, keepdim=True)
        return {"reconstruction": nearest / scale, "distance": distance}
