import pytest
import torch

from anomgan.networks.resnet import ResNetCritic, ResNetEncoder, ResNetGenerator


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_latent_to_image_to_value(size, channels):
    x = ResNetGenerator(size, channels, 7, 2)(torch.randn(2, 7, 1, 1))
    assert x.shape == (2, channels, size, size) and x.abs().max() <= 1
    critic = ResNetCritic(size, channels, 2)
    value, last = critic(x)
    _, first = critic(x, 0)
    assert value.shape == (2, 1)
    assert last.shape == (2, 16, 4, 4) and first.shape == (2, 4, size // 2, size // 2)
    assert ResNetEncoder(size, channels, 7, 2)(x).shape == (2, 7)


def test_the_critic_sees_each_image_by_itself():
    critic = ResNetCritic(32, 1, 4)
    x = torch.randn(6, 1, 32, 32)
    alone = torch.cat([critic(one[None])[0] for one in x])
    assert torch.allclose(critic(x)[0], alone, atol=1e-5)
