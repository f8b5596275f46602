"""What a method states: its networks, its training phases and its inference."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from anomgan.config import Settings
from anomgan.data.views import Maps
from anomgan.detectors.feature_space import (
    FeatureSpace,
    Grid,
    as_maps,
    as_vectors,
    feature_evidence,
)
from anomgan.training.recipe import Phase


@dataclass(frozen=True)
class Profile:
    """A detector in a line for people who choose: how it infers, what it costs, when to use it."""

    infers: str
    costs: str
    choose: str


class Method(ABC):
    """The part of a detector that differs from method to method.

    Attributes:
        settings: of `settings_type`.
        device: where the networks compute.
        networks: those of `build`, once they are there.
    """

    settings_type: ClassVar[type[Settings]]
    profile: ClassVar[Profile]
    searches: ClassVar[bool] = False
    """Whether it searches with gradients for each image, which no exported graph can."""
    settings: Settings
    device: torch.device
    networks: nn.ModuleDict
    feature_space: FeatureSpace | None = None
    """What sees the images in feature space; None in pixel space."""

    @abstractmethod
    def build(self, channels: int) -> nn.ModuleDict:
        """Its networks, freshly initialised.

        Args:
            channels: of an image, 1 or 3; in feature space, the length of a feature vector.
        """

    @abstractmethod
    def phases(self) -> dict[str, Phase]:
        """Its training phases by name, in order; they train `self.networks`."""

    def learn(self, views: Iterable[Tensor]) -> None:
        """What is learnt from the training images without descending a gradient.

        Args:
            views: every training image as a whole view [1, C, size, size] in [-1, 1].
        """

    @abstractmethod
    def infer(self, x: Tensor) -> Maps:
        """Maps of views x [N, C, H, W] in [-1, 1], or of feature vectors x [N, D, 1, 1].

        Returns:
            "reconstruction" like x, and the method's own evidence: maps [N, 1, H, W], or one
            value per view [N, 1, 1, 1].
        """

    def see(self, x: Tensor) -> Maps:
        """What `infer` makes of images x [N, C, H, W] in [-1, 1], in the space of the detector.

        Returns:
            In pixel space as `infer`; in feature space as `see_features`.
        """
        if self.feature_space is None:
            return self.infer(x)
        return self.see_features(self.feature_space(x))

    def see_features(self, features: Tensor) -> Maps:
        """What `infer` makes of every place of features [N, D, h, w].

        Returns:
            Maps [N, 1, h, w]: the evidence that all methods share, and the method's own.
        """
        x = as_vectors(features)
        maps = self.infer(x)
        directions = self.settings.backbone.directions
        maps |= feature_evidence(x, maps.pop("reconstruction"), directions)
        return {name: as_maps(values, features) for name, values in maps.items()}

    @property
    def stride(self) -> int | None:
        """Multiple that sides of an input must be; None if only a view's size will do."""
        return None

    @property
    def grid(self) -> Grid | None:
        """How the cells of feature space lie on an image; None in pixel space."""
        return self.feature_space.grid if self.feature_space is not None else None

    def load_backbone(self) -> list[dict[str, Any]]:
        """Load the pretrained network of feature space, before any image is read.

        Returns:
            Where its weights are from; nothing in pixel space.

        Raises:
            SettingsError: the backbone is unknown.
            InputError: its weights cannot be had, or do not fit.
        """
        self.feature_space = None
        if self.settings.space == "pixels":
            return []
        backbone = self.settings.backbone
        self.feature_space = FeatureSpace(backbone).to(self.device).eval()
        file = Path(backbone.weights) if backbone.weights else None
        return self.feature_space.extractor.load_weights(file)

    @property
    def counted(self) -> set[str]:
        """Evidence that has a weight, in the score or in the heatmap."""
        weights = (self.settings.weights, self.settings.heatmap_weights)
        return {name for some in weights for name, weight in some.as_dict().items() if weight}
