import math

import pytest
import torch

from anomgan.losses import discriminator_minimax, feature_matching


def test_minimax_at_chance_is_ln_2():
    loss = discriminator_minimax(torch.zeros(4, 1), torch.zeros(4, 1))
    assert loss.item() == pytest.approx(math.log(2))


def test_minimax_by_hand():
    # D(x) = 0.8, D(G(z)) = 0.3: -(ln 0.8 + ln 0.7) / 2
    def logit(p):
        return torch.tensor([[math.log(p / (1 - p))]])

    loss = discriminator_minimax(logit(0.8), logit(0.3))
    assert loss.item() == pytest.approx(-(math.log(0.8) + math.log(0.7)) / 2, rel=1e-6)


def test_feature_matching_by_hand():
    fake = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    real = torch.tensor([[0.0, 0.0], [2.0, 1.0]])
    assert feature_matching(fake, real).item() == pytest.approx((1 + 4 + 4 + 1) / 4)
