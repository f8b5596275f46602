"""Losses as pure functions, by the names that the field uses.

Each returns the mean over the batch as a scalar tensor.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_minimax(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Binary cross-entropy of a discriminator, real = 1 and fake = 0, the mean of both halves.

    Goodfellow et al. 2014, equation 1. ln 2 = 0.69 when it is at chance, near 0 when it wins.
    """
    real = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return (real + fake) / 2


def feature_matching(fake_features: Tensor, real_features: Tensor) -> Tensor:
    """Mean squared distance of discriminator features of matching images.

    Salimans et al. 2016, section 3.1, image by image as GANomaly uses it.
    """
    return F.mse_loss(fake_features, real_features)
