"""Perceptual distance of images: how different they look to a pretrained network.

Published figures use LPIPS. Its package and its backbone are not installed with anomgan, so there
is also a distance in the features of the embedded backbone. The two are not comparable: a distance
is a part of the name of each figure that is measured with it.
"""

from importlib import import_module
from itertools import combinations
from pickle import UnpicklingError
from typing import Protocol

import numpy as np
import torch
from scipy.spatial.distance import pdist
from torch import Tensor
from torchvision.models import AlexNet_Weights

from anomgan.backbones.extractor import Backbone
from anomgan.backbones.registry import BACKBONES
from anomgan.backbones.weights import load_state
from anomgan.data.views import to_network
from anomgan.errors import InputError
from anomgan.evaluation.feature_networks import (
    BATCH,
    Images,
    infer,
    prepare,
    where_to_put,
    whole_images,
)
from anomgan.machine.device import choose_device, inference, own_state

SIZE, FEATURE_SIZE = 256, 128
"""Sides in pixels to which images are scaled, for distances and for the features of FID."""
BACKBONE = "lite0"


class PerceptualDistance(Protocol):
    """Measures how different images look; `name` is a part of the names of the figures."""

    name: str

    def between(self, first: Images, second: Images) -> np.ndarray:
        """Distance float32 [N] of each image to the one at the same place."""

    def among(self, images: Images) -> float:
        """Mean distance over all pairs of images."""


class BackboneFeatures:
    """The embedded backbone as a network for FID and KID, offline: means of its feature maps.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
    """

    name = BACKBONE

    def __init__(self, device: str = "auto") -> None:
        self.device = choose_device(device)
        self.network = _load_backbone(self.device)

    def features(self, images: Images) -> np.ndarray:
        """Features float32 [N, 232]."""

        def means(x: Tensor) -> Tensor:
            return torch.cat([one.mean((2, 3)) for one in self.network.maps(x)], 1)

        return infer(images, whole_images(FEATURE_SIZE, channels=3), means, self.device)


class BackboneDistance:
    """Distance in the embedded backbone's feature maps. It is not LPIPS.

    The formula is equation 1 of Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable
    Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018, with all channel weights 1:
    feature vectors have unit length; their squared difference is averaged over the places of a map
    and summed over the stages. LPIPS has another backbone, and weights learnt from people's
    judgement.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
    """

    name = f"{BACKBONE}_perceptual"

    def __init__(self, device: str = "auto") -> None:
        self.device = choose_device(device)
        self.network = _load_backbone(self.device)

    def between(self, first: Images, second: Images) -> np.ndarray:
        """Distance float32 [N] of each image to the one at the same place."""
        return np.square(self._embed(first) - self._embed(second)).sum(1)

    def among(self, images: Images) -> float:
        """Mean distance over all pairs of images.

        Raises:
            InputError: there are fewer than 2 images.
        """
        _check_pairs(images)
        return float(pdist(self._embed(images), "sqeuclidean").mean())

    def _embed(self, images: Images) -> np.ndarray:
        """Vectors [N, D] whose squared Euclidean distance is that of the images."""

        def unit(x: Tensor) -> Tensor:
            maps = self.network.maps(x)
            unit = [one / one.square().sum(1, keepdim=True).clamp_min(1e-10).sqrt() for one in maps]
            return torch.cat([one.flatten(1) / one[0, 0].numel() ** 0.5 for one in unit], 1)

        return infer(images, whole_images(SIZE, channels=3), unit, self.device)


class LPIPS:
    """LPIPS with AlexNet (Zhang et al. 2018), by the authors' package.

    Args:
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        InputError: the package is not installed, or AlexNet cannot be downloaded, or is damaged.
    """

    name = "lpips_alex"

    def __init__(self, device: str = "auto") -> None:
        self.device = choose_device(device)
        try:
            with own_state(self.device):
                network = import_module("lpips").LPIPS(net="alex", verbose=False)
        except ImportError as error:
            raise InputError(
                'LPIPS needs the package lpips: pip install "anomgan[lpips]"; without it, choose '
                f"--distance {BACKBONE}"
            ) from error
        except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
            raise InputError(
                f"cannot get AlexNet, the backbone of LPIPS ({error}); "
                f"{where_to_put(AlexNet_Weights.DEFAULT)}, or choose --distance {BACKBONE}"
            ) from error
        self.network = network.to(self.device).eval()

    def between(self, first: Images, second: Images) -> np.ndarray:
        """Distance float32 [N] of each image to the one at the same place."""
        found = []
        with inference(self.device):
            for start in range(0, len(first), BATCH):
                some = slice(start, start + BATCH)
                a, b = (
                    to_network(prepare(images[some], whole_images(SIZE, channels=3), start))
                    for images in (first, second)
                )
                found.append(self.network(a.to(self.device), b.to(self.device)).flatten().cpu())
        return torch.cat(found).numpy()

    def among(self, images: Images) -> float:
        """Mean distance over all pairs of images.

        Raises:
            InputError: there are fewer than 2 images.
        """
        _check_pairs(images)
        first, second = zip(*combinations(images, 2), strict=True)
        return float(self.between(first, second).mean())


DISTANCES: dict[str, type[BackboneDistance] | type[LPIPS]] = {
    BACKBONE: BackboneDistance,
    "lpips": LPIPS,
}
"""The distances by their names on the command line."""


def _load_backbone(device: torch.device) -> Backbone:
    entry = BACKBONES[BACKBONE]
    with own_state(device):
        network = Backbone(entry)
        state, origin, _ = load_state(entry, None)
        network.load(state, origin)
        return network.to(device)


def _check_pairs(images: Images) -> None:
    if len(images) < 2:
        raise InputError("at least 2 images are needed to compare them with each other")
