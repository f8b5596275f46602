"""The losses of all methods, as pure functions.

Each returns the mean over the batch as a scalar tensor, computed in float32 from values of any
precision and shape.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_minimax(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Binary cross-entropy of a discriminator, real = 1 and fake = 0, the mean of both halves.

    Goodfellow et al. 2014, equation 1. It is ln 2 = 0.69 at chance, and near 0 if the discriminator
    wins.
    """
    return (_cross_entropy(real_logits, 1.0) + _cross_entropy(fake_logits, 0.0)) / 2


def discriminator_matching(
    real_logits: Tensor, fake_logits: Tensor, mislabelled_logits: Tensor | None = None
) -> Tensor:
    """Cross-entropy of a discriminator that also checks labels, the mean of both halves.

    The target is 1 for real images with their label. It is 0 for fakes and for real images with a
    wrong label, which have half the weight each. Reed et al. 2016, algorithm 1, line 8.
    """
    if mislabelled_logits is None:
        return discriminator_minimax(real_logits, fake_logits)
    wrong = (_cross_entropy(fake_logits, 0.0) + _cross_entropy(mislabelled_logits, 0.0)) / 2
    return (_cross_entropy(real_logits, 1.0) + wrong) / 2


def generator_minimax(fake_logits: Tensor) -> Tensor:
    """log(1 - D(G(z))): the original minimax loss, which saturates while the discriminator wins.

    Goodfellow et al. 2014, equation 1.
    """
    return -_cross_entropy(fake_logits, 0.0)


def generator_non_saturating(fake_logits: Tensor) -> Tensor:
    """-log D(G(z)): the loss with strong gradients while the discriminator wins.

    Goodfellow et al. 2014, section 3.
    """
    return _cross_entropy(fake_logits, 1.0)


def critic_wasserstein(real_values: Tensor, fake_values: Tensor) -> Tensor:
    """E[critic(fake)] - E[critic(real)]; its negative estimates the Wasserstein distance.

    Arjovsky et al. 2017, equation 2 and algorithm 1.
    """
    return fake_values.float().mean() - real_values.float().mean()


def generator_wasserstein(fake_values: Tensor) -> Tensor:
    """-E[critic(fake)]; Arjovsky et al. 2017, algorithm 1."""
    return -fake_values.float().mean()


def discriminator_least_squares(real_values: Tensor, fake_values: Tensor) -> Tensor:
    """(D(x) - 1)^2 and D(G(z))^2, the mean of both halves.

    Mao et al. 2017, equation 9, as CycleGAN uses it.
    """
    real, fake = real_values.float(), fake_values.float()
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def generator_least_squares(fake_values: Tensor) -> Tensor:
    """(D(G(z)) - 1)^2; Mao et al. 2017, equation 9, without its factor of one half."""
    return (fake_values.float() - 1).square().mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (|gradient of the critic| - 1)^2 at random points between real and fake images.

    Gulrajani et al. 2017, equation 3. Differentiable with respect to the critic's weights. It is 0
    under `torch.no_grad`, where no critic learns and the penalty would be most of the work.
    """
    if not torch.is_grad_enabled():
        return torch.zeros((), device=real.device)
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # The small number keeps the square root differentiable if a gradient is 0.
    length = (gradient.square().sum(dim=(1, 2, 3)) + 1e-12).sqrt()
    return (length - 1).square().mean()


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Mean of |gradient of the discriminator's logits|^2 at real images; R1 is this x gamma / 2.

    Mescheder et al. 2018, equation 9. Differentiable with respect to the discriminator's weights.
    It is 0 under `torch.no_grad`.
    """
    if not torch.is_grad_enabled():
        return torch.zeros((), device=real.device)
    at = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(at).sum(), at, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def feature_matching(fake_features: Tensor, real_features: Tensor) -> Tensor:
    """Mean squared distance of the discriminator features of pairs of images.

    Salimans et al. 2016, section 3.1, for each pair of images as in GANomaly and f-AnoGAN.
    """
    return F.mse_loss(fake_features, real_features)


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
