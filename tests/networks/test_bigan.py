import torch

from anomgan.networks.bigan import JointDiscriminator


def test_the_pair_counts_and_not_one_half_of_it():
    torch.manual_seed(0)
    network = JointDiscriminator(32, 1, 5, 4, 16).eval()
    x, z = torch.randn(3, 1, 32, 32), torch.randn(3, 5)
    logits, features = network(x, z)
    assert logits.shape == (3, 1) and features.shape == (3, 16)
    assert not torch.allclose(network(x, -z)[1], features)
    assert not torch.allclose(network(-x, z)[1], features)
