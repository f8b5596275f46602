"""Losses as pure functions, by the names that the field uses.

Each returns the mean over the batch as a scalar tensor.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_minimax(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Binary cross-entropy of a discriminator, real = 1 and fake = 0, the mean of both halves.

    Goodfellow et al. 2014, equation 1. ln 2 = 0.69 when it is at chance, near 0 when it wins.
    """
    return (_cross_entropy(real_logits, 1.0) + _cross_entropy(fake_logits, 0.0)) / 2


def generator_minimax(fake_logits: Tensor) -> Tensor:
    """log(1 - D(G(z))): the game as it stands; it saturates while the discriminator wins.

    Goodfellow et al. 2014, equation 1.
    """
    return -_cross_entropy(fake_logits, 0.0)


def generator_non_saturating(fake_logits: Tensor) -> Tensor:
    """-log D(G(z)): strong gradients while the discriminator wins.

    Goodfellow et al. 2014, section 3.
    """
    return _cross_entropy(fake_logits, 1.0)


def critic_wasserstein(real_values: Tensor, fake_values: Tensor) -> Tensor:
    """E[critic(fake)] - E[critic(real)]; its negative estimates the Wasserstein distance.

    Arjovsky et al. 2017, equation 2 and algorithm 1.
    """
    return fake_values.mean() - real_values.mean()


def generator_wasserstein(fake_values: Tensor) -> Tensor:
    """-E[critic(fake)]; Arjovsky et al. 2017, algorithm 1."""
    return -fake_values.mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (|gradient of the critic| - 1)^2 at random points between real and fake images.

    Gulrajani et al. 2017, equation 3. Differentiable with respect to the critic's weights.
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    with torch.enable_grad():  # the penalty is a matter of gradients even where nobody descends
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # The small number keeps the root differentiable where a gradient vanishes.
    length = (gradient.square().sum(dim=(1, 2, 3)) + 1e-12).sqrt()
    return (length - 1).square().mean()


def feature_matching(fake_features: Tensor, real_features: Tensor) -> Tensor:
    """Mean squared distance of discriminator features of matching images.

    Salimans et al. 2016, section 3.1, image by image as GANomaly and f-AnoGAN use it.
    """
    return F.mse_loss(fake_features, real_features)


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
