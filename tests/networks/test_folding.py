import pytest
import torch
from torch import nn

from anomgan.networks.dcgan import Decoder, Discriminator, Encoder
from anomgan.networks.folding import fold_batch_norms


@pytest.mark.parametrize(
    ("network", "x"),
    [
        (Encoder(32, 1, 6, 4, "map"), torch.randn(2, 1, 64, 32)),
        (Decoder(32, 3, 6, 4), torch.randn(2, 6, 1, 1)),
        (Discriminator(32, 1, 4), torch.randn(2, 1, 32, 32)),
    ],
)
def test_a_folded_network_gives_the_same_numbers_without_batch_norms(network, x):
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.weight, module.bias):
                nn.init.normal_(values)
            nn.init.uniform_(module.running_var, 0.1, 2)
    network.eval()
    before = network(x)
    fold_batch_norms(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    torch.testing.assert_close(network(x), before, rtol=1e-4, atol=1e-5)


def test_only_what_follows_a_convolution_is_folded():
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 3), nn.ReLU())
    x = torch.randn(4, 2, 8, 8)
    network(x)  # moves the running statistics
    before = network.eval()(x)
    fold_batch_norms(network)
    assert isinstance(network[0], nn.BatchNorm2d)
    assert torch.equal(network(x), before)
