import pytest
import torch
import torch.nn.functional as F

from anomgan.networks.unet import UNet


@pytest.mark.parametrize("shape", [(64, 64), (32, 96)])
def test_any_multiple_of_the_stride_keeps_its_size(shape):
    network = UNet(3, 2, 4)
    assert network.stride == 32
    assert network(torch.zeros(2, 3, *shape)).shape == (2, 2, *shape)


def test_it_overfits_a_mask_to_the_pixel():
    torch.manual_seed(0)
    network = UNet(1, 1, 8)
    x = torch.rand(4, 1, 32, 32)
    mask = (x > 0.7).float()
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(80):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(network(x), mask)
        loss.backward()
        optimizer.step()
    assert ((network(x) > 0) == (mask > 0)).float().mean() > 0.99
