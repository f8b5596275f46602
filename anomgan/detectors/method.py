"""The interface of a method: its networks, its training phases and its inference."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor, nn

from anomgan.config import Settings
from anomgan.data.roi import Roi
from anomgan.data.views import Maps
from anomgan.detectors.feature_space import (
    FeatureSpace,
    Grid,
    as_maps,
    as_vectors,
    feature_evidence,
)
from anomgan.detectors.heatmaps import Scope
from anomgan.errors import InputError
from anomgan.training.recipe import Phase


@dataclass(frozen=True)
class Profile:
    """A short description for choosing a detector: how it infers, what it costs, when to use it."""

    infers: str
    costs: str
    choose: str


class Method(ABC):
    """The part of a detector that differs between methods.

    Attributes:
        settings: of type `settings_type`.
        device: device of the networks.
        networks: the result of `build_all`; set when the detector is fitted or loaded.
    """

    settings_type: ClassVar[type[Settings]]
    profile: ClassVar[Profile]
    searches: ClassVar[bool] = False
    """Whether scoring searches with gradients for each image; an exported graph cannot do that."""
    settings: Settings
    device: torch.device
    networks: nn.ModuleDict
    feature_space: FeatureSpace | None = None
    """Turns images into features; None in pixel space."""
    roi: Roi | None = None
    """The part of each image that counts; None for all of it."""

    @abstractmethod
    def build(self, channels: int) -> nn.ModuleDict:
        """Build the networks with new random weights.

        Args:
            channels: of an image, 1 or 3; in feature space, the length of a feature vector.
        """

    def build_all(self, channels: int) -> nn.ModuleDict:
        """Build the networks, or those of each fold by its number; see `build`."""
        calibration = self.settings.calibration
        if calibration.method == "held-out":
            return self.build(channels)
        return nn.ModuleDict({str(k): self.build(channels) for k in range(calibration.folds)})

    @property
    def only_for_training(self) -> frozenset[str]:
        """Networks that `infer` does not use; a trained detector does not keep them."""
        return frozenset()

    def drop_idle(self) -> None:
        """Remove the networks that `infer` of one member does not use."""
        for name in self.only_for_training & set(self.networks):
            del self.networks[name]

    @property
    def members(self) -> list[Self]:
        """The method itself, or a copy with the networks of each fold."""
        if self.settings.calibration.method == "held-out":
            return [self]
        members = []
        for networks in self.networks.values():
            member = copy(self)
            member.networks = cast(nn.ModuleDict, networks)
            members.append(member)
        return members

    def phases(self) -> dict[str, Phase]:
        """Return the training phases by name, in order; they train `self.networks`.

        A method without gradients has none, and learns in `learn`.
        """
        return {}

    def learn(self, views: Iterable[Tensor]) -> None:
        """Learn from the training images without gradient descent.

        Args:
            views: every training image as a whole view [1, C, size, size] in [-1, 1].
        """

    @abstractmethod
    def infer(self, x: Tensor) -> Maps:
        """Compute maps of views x [N, C, H, W] in [-1, 1], or of feature vectors x [N, D, 1, 1].

        Returns:
            "reconstruction" of the shape of x, and the method's own evidence: maps [N, 1, H, W], or
            one value per view [N, 1, 1, 1].
        """

    def see(self, x: Tensor) -> Maps:
        """Run `infer` on images x [N, C, H, W] in [-1, 1], in the space of the detector.

        Returns:
            In pixel space, the maps of `infer`; in feature space, those of `see_features`, joined
            as maps [N, members, h, w].
        """
        if self.feature_space is None:
            return self.infer(x)
        features = self.feature_space(x)
        each = [member.see_features(features) for member in self.members]
        return {name: torch.cat([maps[name] for maps in each], 1) for name in each[0]}

    def see_features(self, features: Tensor) -> Maps:
        """Run `infer` of one member on every place of features [N, D, h, w].

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
        """The sides of an input must be multiples of this; None: they must be a view's size."""
        return None

    @property
    def grid(self) -> Grid | None:
        """The grid of feature-space cells on an image; None in pixel space."""
        return self.feature_space.grid if self.feature_space is not None else None

    def scope(self, shape: Sequence[int], original: Sequence[int], name: str = "image") -> Scope:
        """Find what counts in the maps of a prepared image.

        Args:
            shape: of the image, [h, w] or [h, w, C].
            original: the same before it was prepared.
            name: of the image, for messages.

        Raises:
            InputError: nothing of the region of interest is left in an image of this shape.
        """
        stride = self.grid.stride if self.grid else 1
        inside = None if self.roi is None else self.roi.at(shape, stride)
        if inside is not None and not inside.any():
            raise InputError(
                f"{name} is {original[1]} x {original[0]} pixels, and the networks see it at "
                f"{shape[1]} x {shape[0]}, where nothing is left of the region of interest"
            )
        smallest = self.settings.score.smallest_defect
        if smallest is None:
            return Scope(inside)
        scale = math.sqrt(shape[0] * shape[1] / (original[0] * original[1]))
        return Scope(inside, smallest * (scale / stride) ** 2)

    def load_backbone(self) -> list[dict[str, Any]]:
        """Load the pretrained network of feature space, before any image is read.

        Returns:
            Where the weights of each backbone are from; an empty list in pixel space.

        Raises:
            SettingsError: the backbone is unknown.
            InputError: its weights are not available, or do not fit.
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
        """Evidence that has a weight in the score or in the heatmap."""
        weights = (self.settings.weights, self.settings.heatmap_weights)
        return {name for some in weights for name, weight in some if weight}
