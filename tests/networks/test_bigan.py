import pytest
import torch

from anomgan.errors import SettingsError
from anomgan.networks.bigan import (
    DigitDiscriminator,
    DigitEncoder,
    DigitGenerator,
    JointDiscriminator,
)


def weights(network):
    return sum(weight.numel() for weight in network.parameters())


def test_the_networks_for_digits_have_the_sizes_of_the_paper():
    encoder, generator = DigitEncoder(28, 1, 200, 64), DigitGenerator(28, 1, 200, 64, 1024)
    discriminator = DigitDiscriminator(28, 1, 200, 64, 1024)
    z = encoder(torch.randn(3, 1, 28, 28))
    x = generator(z[:, :, None, None])
    assert z.shape == (3, 200) and x.shape == (3, 1, 28, 28) and x.abs().max() <= 1
    logits, features = discriminator(x, z)
    assert logits.shape == (3, 1) and features.shape == (3, 1024)
    convolutions = 9 * 32 + 9 * 32 * 64 + 9 * 64 * 128 + 32 + 64 + 128
    assert weights(encoder) == convolutions + 2 * (64 + 128) + 7 * 7 * 128 * 200 + 200
    assert weights(discriminator.joint) == (7 * 7 * 64 + 512) * 1024 + 1024


def test_a_size_that_cannot_be_halved_twice_is_refused():
    with pytest.raises(SettingsError, match="view.size = 30: must be a multiple of 4"):
        DigitEncoder(30, 1, 5, 4)
    with pytest.raises(SettingsError, match="network.features = 3: must be even"):
        DigitEncoder(28, 1, 5, 3)


@pytest.mark.parametrize("kind", [JointDiscriminator, DigitDiscriminator])
def test_the_pair_counts_and_not_one_half_of_it(kind):
    torch.manual_seed(0)
    network = kind(32, 1, 5, 4, 16).eval()
    x, z = torch.randn(3, 1, 32, 32), torch.randn(3, 5)
    logits, features = network(x, z)
    assert logits.shape == (3, 1) and features.shape == (3, 16)
    assert not torch.allclose(network(x, -z)[1], features)
    assert not torch.allclose(network(-x, z)[1], features)
