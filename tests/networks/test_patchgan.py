import pytest
import torch
from torch import nn

from anomgan.networks.patchgan import PatchGAN


@pytest.mark.parametrize(("layers", "expected"), [(1, 16), (2, 34), (3, 70)])
def test_a_logit_sees_a_patch_of_a_known_size(layers, expected):
    torch.manual_seed(0)
    network = PatchGAN(1, 2, layers)
    # Instance norm, which sees the whole image, is taken out to see what convolutions see.
    for number, layer in enumerate(network.layers):
        if isinstance(layer, nn.InstanceNorm2d):
            network.layers[number] = nn.Identity()
    x = torch.randn(1, 1, 160, 160, requires_grad=True)
    logits = network(x)
    middle = logits.shape[2] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], x)
    rows, columns = gradient[0, 0].nonzero().T
    for places in (rows, columns):
        assert places.max() - places.min() + 1 == expected


@pytest.mark.parametrize(
    ("size", "layers", "logits"), [(256, 3, 30), (64, 3, 6), (32, 3, 2), (16, 2, 2), (8, 1, 2)]
)
def test_there_is_a_logit_for_every_patch(size, layers, logits):
    network = PatchGAN(3, 4, layers)
    assert network(torch.randn(2, 3, size, size)).shape == (2, 1, logits, logits)


def test_widths_double_up_to_eight_times_the_first():
    widths = [
        layer.out_channels for layer in PatchGAN(3, 8, 5).layers if isinstance(layer, nn.Conv2d)
    ]
    assert widths == [8, 16, 32, 64, 64, 64, 1]
