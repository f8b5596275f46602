import pytest
import torch

from anomgan.networks.classifier import ConvClassifier


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sides", [(16, 16), (28, 28), (32, 50), (96, 96)])
def test_an_image_of_any_sides_has_a_value_for_each_class(channels, sides):
    logits, features = ConvClassifier(channels, 7)(torch.randn(2, channels, *sides))
    assert logits.shape == (2, 7) and features.shape == (2, 256)


def test_in_use_each_image_is_judged_by_itself():
    network = ConvClassifier(1, 3).eval()
    x = torch.randn(4, 1, 16, 16)
    alone = torch.cat([network(one[None])[0] for one in x])
    assert torch.allclose(network(x)[0], alone, atol=1e-5)
