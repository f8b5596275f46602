"""Networks whose features measure generated images: what they share, and Inception v3.

Published figures use Inception v3, trained on the photographs of ImageNet. Digits and parts look
like none of these: there, a classifier of your own labelled images (`evaluation.classifier`) sees
more. Figures of different networks cannot be compared, so each figure's name has the network's.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import Inception_V3_Weights, WeightsEnum, inception_v3

from anomgan.data.decode import check_array
from anomgan.data.prepare import Preparation
from anomgan.data.views import to_network, to_square
from anomgan.errors import InputError
from anomgan.machine.device import choose_device, inference, own_state

BATCH = 64
"""Images in a batch."""
INCEPTION_SIZE = 299

Images = Sequence[np.ndarray] | np.ndarray
"""uint8 [N, H, W] or [N, H, W, 3] in RGB, or a list of images of any sizes."""


class FeatureNetwork(Protocol):
    """Turns images into features; `name` is a part of the names of the figures."""

    name: str

    def features(self, images: Images) -> np.ndarray:
        """Features float32 [N, D]."""


class Inception:
    """Inception v3 (Szegedy et al., CVPR 2016): the 2048 features before its classes.

    Images are scaled to 299 pixels on the longer side, by averages if they shrink, and the shorter
    side is padded by reflection. Papers differ in scaling and in weights, so compare only figures
    that were measured here.

    Args:
        weights: of torchvision's `inception_v3`, by the names in its `state_dict`.
        device: "auto", "cpu", "cuda" or "mps".
    """

    name = "inception_v3"

    def __init__(self, weights: Mapping[str, Tensor], device: str = "auto") -> None:
        # The weights are made for values in [-1, 1], which our x has. torchvision converts from its
        # ImageNet normalisation (transform_input), which we leave out.
        self.device = choose_device(device)
        with own_state(self.device):
            network = inception_v3(weights=None, init_weights=False, transform_input=False)
        network.load_state_dict(weights)
        network.fc = nn.Identity()
        self.network = network.to(self.device).eval()

    def features(self, images: Images) -> np.ndarray:
        """Features float32 [N, 2048]."""
        preparation = whole_images(INCEPTION_SIZE, channels=3)
        return infer(images, preparation, self.network, self.device)


def load_inception(device: str = "auto") -> Inception:
    """Inception v3 as trained on ImageNet; its weights, 104 MB, are downloaded the first time.

    Raises:
        InputError: they cannot be downloaded, or the downloaded file is damaged.
    """
    trained = Inception_V3_Weights.IMAGENET1K_V1
    try:
        # Weights only: a file of torch's own format could otherwise run any code when loaded.
        weights = trained.get_state_dict(check_hash=True, weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise InputError(
            f"cannot get the weights of Inception v3 ({error}); {where_to_put(trained)}, or use "
            f"lite0, which is embedded, or a classifier of your own images"
        ) from error
    return Inception(weights, device)


def where_to_put(weights: WeightsEnum) -> str:
    """Say where torchvision looks for weights before it tries to download them."""
    path = Path(torch.hub.get_dir(), "checkpoints", Path(weights.url).name)
    return f"put the file {weights.url} at {path}"


def whole_images(size: int, channels: Literal[1, 3]) -> Preparation:
    """Preparation that scales the longer side of an image to `size` and changes nothing else."""
    return Preparation(
        channels=channels,
        bits=8,
        view="whole",
        size=size,
        scale=1.0,
        lighting="keep",
        lighting_radius=0.0,
    )


def prepare(images: Images, preparation: Preparation, first: int = 0) -> np.ndarray:
    """Views uint8 [N, size, size, C]; `first` is the number of the first image in messages.

    Raises:
        InputError: an image is not uint8, or not [H, W] or [H, W, 3].
    """
    views = []
    for number, image in enumerate(images, first):
        image = check_array(image, f"image {number}")
        if image.dtype != np.uint8:
            raise InputError(f"image {number} has 16 bits; only uint8 images can be measured")
        views.append(to_square(preparation(image), preparation.size))
    return np.stack(views)


def infer(
    images: Images,
    preparation: Preparation,
    network: Callable[[Tensor], Tensor],
    device: torch.device,
) -> np.ndarray:
    """Run a network on images batch by batch; returns its outputs [N, D].

    Raises:
        InputError: there are no images, or as `prepare`.
    """
    if len(images) == 0:
        raise InputError("there are no images")
    found = []
    with inference(device):
        for first in range(0, len(images), BATCH):
            views = prepare(images[first : first + BATCH], preparation, first)
            found.append(network(to_network(views).to(device)).cpu())
    return torch.cat(found).numpy()
