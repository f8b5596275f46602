"""Projection: find the codes from which a generator rebuilds images, and the error that is left.

Abdal, Qin and Wonka, "Image2StyleGAN: How to Embed Images Into the StyleGAN Latent Space?", ICCV
2019. Here AnoGAN's search finds the codes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from anomgan.generators.base import LatentGAN
from anomgan.generators.latent_search import SearchSettings, search
from anomgan.machine.device import inference

PROJECTION = SearchSettings(space="w+", steps=300, restarts=2)
"""A long search; in W+ for StyleGAN."""


@dataclass
class Projection:
    """Result for N images.

    Attributes:
        code: codes [N, D]; `gan.decode` turns them into `rebuilt`.
        rebuilt: images [N, C, H, W] in [-1, 1].
        error: mean absolute difference [N] from the images, in [0, 2].
    """

    code: Tensor
    rebuilt: Tensor
    error: Tensor


def project(gan: LatentGAN, x: Tensor, settings: SearchSettings = PROJECTION) -> Projection:
    """Find the code of each image.

    Args:
        gan: generator and discriminator in evaluation mode.
        x: images [N, C, H, W] in [-1, 1].
        settings: space and budget.
    """
    with inference(x.device):
        code = search(gan, x, settings).code
        rebuilt = torch.cat([gan.decode(some) for some in code.split(settings.chunk)])
    return Projection(code, rebuilt, (x - rebuilt).abs().flatten(1).mean(1))
