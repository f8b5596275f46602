import math

import pytest
import torch

from anomgan.losses import (
    critic_wasserstein,
    discriminator_least_squares,
    discriminator_matching,
    discriminator_minimax,
    feature_matching,
    generator_least_squares,
    generator_minimax,
    generator_non_saturating,
    generator_wasserstein,
    gradient_penalty,
    r1_penalty,
)


def logit(p):
    return torch.tensor([[math.log(p / (1 - p))]])


def test_minimax_at_chance_is_ln_2():
    loss = discriminator_minimax(torch.zeros(4, 1), torch.zeros(4, 1))
    assert loss.item() == pytest.approx(math.log(2))


def test_minimax_by_hand():
    # D(x) = 0.8, D(G(z)) = 0.3: -(ln 0.8 + ln 0.7) / 2
    loss = discriminator_minimax(logit(0.8), logit(0.3))
    assert loss.item() == pytest.approx(-(math.log(0.8) + math.log(0.7)) / 2, rel=1e-6)


def test_non_saturating_by_hand():
    assert generator_non_saturating(logit(0.3)).item() == pytest.approx(-math.log(0.3), rel=1e-6)


def test_the_minimax_loss_of_the_generator_by_hand():
    assert generator_minimax(logit(0.3)).item() == pytest.approx(math.log(0.7), rel=1e-6)


def test_matching_by_hand():
    # D(x, c) = 0.8, D(G(z), c) = 0.3, D(x, wrong c) = 0.4; the wrong ones share a half.
    loss = discriminator_matching(logit(0.8), logit(0.3), logit(0.4))
    expected = -(math.log(0.8) + (math.log(0.7) + math.log(0.6)) / 2) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    plain = discriminator_matching(logit(0.8), logit(0.3))
    assert plain.item() == pytest.approx(-(math.log(0.8) + math.log(0.7)) / 2, rel=1e-6)


def test_least_squares_by_hand():
    real, fake = torch.tensor([[3.0], [0.0]]), torch.tensor([[1.0], [-2.0]])
    # Squared distances from 1: 4 and 1; from 0: 1 and 4. The generator's from 1: 0 and 9.
    assert discriminator_least_squares(real, fake).item() == pytest.approx((2.5 + 2.5) / 2)
    assert discriminator_least_squares(real, 3 * fake).item() == pytest.approx((2.5 + 22.5) / 2)
    assert generator_least_squares(fake).item() == pytest.approx(4.5)


def test_wasserstein_by_hand():
    real, fake = torch.tensor([[3.0], [5.0]]), torch.tensor([[1.0], [0.0]])
    assert critic_wasserstein(real, fake).item() == pytest.approx(0.5 - 4.0)
    assert generator_wasserstein(fake).item() == pytest.approx(-0.5)


@pytest.mark.parametrize("slope", [0.0, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_known(slope):
    # The gradient is the same everywhere: length `slope`, penalty (slope - 1)^2.
    direction = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    direction *= slope / direction.norm()

    def critic(x):
        return (x * direction).flatten(1).sum(1, keepdim=True)

    real, fake = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    penalty = gradient_penalty(critic, real, fake)
    assert penalty.item() == pytest.approx((slope - 1) ** 2, abs=1e-5)


def test_the_gradient_of_the_penalty_agrees_with_finite_differences():
    torch.manual_seed(0)
    weight = torch.randn(1, 1, 3, 3, dtype=torch.double, requires_grad=True)
    real = torch.randn(2, 1, 4, 4, dtype=torch.double)
    fake = torch.randn(2, 1, 4, 4, dtype=torch.double)

    def penalty(weight):
        torch.manual_seed(1)
        values = lambda x: torch.nn.functional.conv2d(x, weight).tanh().sum((2, 3))  # noqa: E731
        return gradient_penalty(values, real, fake)

    assert torch.autograd.gradcheck(penalty, (weight,))


def test_no_penalty_is_computed_where_nothing_learns():
    x = torch.randn(2, 1, 4, 4)
    with torch.no_grad():
        assert gradient_penalty(pytest.fail, x, x) == r1_penalty(pytest.fail, x) == 0


def test_r1_by_hand():
    # D(x) = sum of x^2: the gradient is 2 x, its squared length 4 |x|^2.
    real = torch.tensor([[1.0, 2.0], [0.0, 3.0]]).view(2, 1, 1, 2)
    penalty = r1_penalty(lambda x: x.square().sum((1, 2, 3))[:, None], real)
    assert penalty.item() == pytest.approx(4 * (5 + 9) / 2)


def test_the_gradient_of_r1_agrees_with_finite_differences():
    torch.manual_seed(0)
    weight = torch.randn(1, 1, 3, 3, dtype=torch.double, requires_grad=True)
    real = torch.randn(2, 1, 4, 4, dtype=torch.double)

    def penalty(weight):
        logits = lambda x: torch.nn.functional.conv2d(x, weight).tanh().sum((2, 3))  # noqa: E731
        return r1_penalty(logits, real)

    assert torch.autograd.gradcheck(penalty, (weight,))


def test_feature_matching_by_hand():
    fake = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    real = torch.tensor([[0.0, 0.0], [2.0, 1.0]])
    assert feature_matching(fake, real).item() == pytest.approx((1 + 4 + 4 + 1) / 4)
