import pickle
from copy import deepcopy

import pytest
import torch
from torch import nn

from anomgan.networks.spectral import spectral_norm


@pytest.mark.parametrize("copied", [deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@pytest.mark.parametrize("bias", [True, False])
def test_a_copy_of_a_layer_is_the_same_and_learns_on(copied, bias):
    layer = nn.Conv2d(3, 5, 2, bias=bias)
    plain = layer.weight.detach().flatten(1)
    spectral_norm(layer)
    x = torch.rand(1, 3, 8, 8)
    for _ in range(20):
        layer(x)
    again = copied(copied(layer).eval())
    assert torch.linalg.matrix_norm(again.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.1)
    assert torch.equal(again(x), layer.eval()(x))
    for one in (layer, again):
        one.train()(x).sum().backward()
    weight = "parametrizations.weight.original"
    first, second = (dict(one.named_parameters()) for one in (layer, again))
    assert torch.equal(first[weight].flatten(1), plain)
    assert torch.equal(first[weight].grad, second[weight].grad)
