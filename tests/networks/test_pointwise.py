import pytest
import torch
from torch import nn

from anomgan.networks.pointwise import (
    Pointwise,
    PointwiseDiscriminator,
    PointwiseJointDiscriminator,
    PointwiseNetwork,
)


@pytest.fixture
def network():
    """An encoder in evaluation mode, whose batch norms have seen something."""
    torch.manual_seed(0)
    made = PointwiseNetwork(6, 3, 16)
    made(3 * torch.randn(64, 6, 2, 2) + 1)
    return made.eval()


def _as_convolutions(network):
    """The same network out of `nn.Conv2d`."""
    layers = []
    for layer in network.modules():
        if isinstance(layer, Pointwise):
            made = nn.Conv2d(layer.in_features, layer.out_features, 1)
            made.load_state_dict({"weight": layer.weight[:, :, None, None], "bias": layer.bias})
            layers.append(made)
        elif not isinstance(layer, nn.Sequential):
            layers.append(layer)
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (1, 9)])
def test_a_network_is_one_of_convolutions_1x1(network, shape):
    x = torch.randn(4, 6, *shape)
    convolutions = _as_convolutions(network)
    assert sum(isinstance(layer, nn.Conv2d) for layer in convolutions) == 3
    found = network(x)
    assert found.shape == (4, 3, *shape)
    torch.testing.assert_close(found, convolutions(x), rtol=1e-4, atol=1e-5)


def test_a_place_gives_the_same_in_a_map_and_alone(network):
    x = torch.randn(2, 6, 4, 5)
    alone = x.permute(0, 2, 3, 1).reshape(-1, 6, 1, 1)
    found = network(alone).reshape(2, 4, 5, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(network(x), found, rtol=1e-4, atol=1e-5)


def test_no_place_sees_another(network):
    x = torch.randn(1, 6, 3, 3)
    changed = x.clone()
    changed[:, :, 1, 2] += 5
    moved = (network(x) - network(changed)).abs().amax(1)[0] > 1e-5
    assert moved.nonzero().tolist() == [[1, 2]]


def test_an_encoder_reaches_values_of_any_size(network):
    x = torch.randn(50, 6, 1, 1)
    small, large = network(x), network(100 * x)
    assert large.min() < 10 * small.min() < 0 < 10 * small.max() < large.max()


def test_a_discriminator_gives_a_logit_of_each_place_and_the_layer_that_is_asked_for():
    torch.manual_seed(0)
    discriminator = PointwiseDiscriminator(6, 16)
    x = torch.randn(2, 6, 3, 4)
    logits, last = discriminator(x)
    assert logits.shape == (2, 1, 3, 4) and last.shape == (2, 16, 3, 4)
    first = discriminator(x, 0)[1]
    torch.testing.assert_close(first, discriminator.hidden[0](x))
    torch.testing.assert_close(last, discriminator.hidden[1](first))
    torch.testing.assert_close(logits, discriminator.head(last))
    assert torch.equal(discriminator(x, 1)[1], last)


def test_the_logit_of_a_vector_does_not_depend_on_its_company():
    """A gradient penalty of single vectors takes that; batch norm would break it."""
    torch.manual_seed(0)
    discriminator = PointwiseDiscriminator(6, 16).train()
    x = torch.randn(8, 6, 1, 1)
    torch.testing.assert_close(discriminator(x)[0][:1], discriminator(x[:1])[0])


@pytest.mark.parametrize("count", [1, 5])
def test_a_joint_discriminator_judges_pairs(count):
    torch.manual_seed(0)
    discriminator = PointwiseJointDiscriminator(6, 3, 16, 10)
    x, z = torch.randn(count, 6, 1, 1), torch.randn(count, 3)
    logits, features = discriminator(x, z)
    assert logits.shape == (count, 1) and features.shape == (count, 10)
    assert not torch.allclose(logits, discriminator(x + 1, z)[0])
    assert not torch.allclose(logits, discriminator(x, z + 1)[0])
