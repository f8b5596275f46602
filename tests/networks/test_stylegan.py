import math

import pytest
import torch

from anomgan.networks.stylegan import (
    EqualConv2d,
    EqualLinear,
    MappingNetwork,
    StyleDiscriminator,
    SynthesisNetwork,
    adaptive_instance_norm,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("size", "layers"), [(8, 4), (32, 8), (256, 14)])
@pytest.mark.parametrize("channels", [1, 3])
def test_style_to_image_to_logit(size, layers, channels):
    synthesis = SynthesisNetwork(size, channels, 7, 2)
    assert synthesis.layers == layers, "two per resolution"
    x = synthesis(torch.randn(2, layers, 7))
    assert x.shape == (2, channels, size, size) and x.abs().max() <= 1
    discriminator = StyleDiscriminator(size, channels, 2)
    logits, last = discriminator(x)
    _, first = discriminator(x, 0)
    assert logits.shape == (2, 1)
    width = 2 * min(size // 4, 8)
    assert last.shape == (2, width, 4, 4) and first.shape == (2, 4, size // 2, size // 2)


def test_w_has_about_the_scale_of_z_and_does_not_depend_on_its_length():
    mapping = MappingNetwork(64, 8)
    z = torch.randn(100, 64)
    w = mapping(z)
    assert w.shape == (100, 64) and 0.3 < w.square().mean().sqrt() < 3
    assert torch.allclose(mapping(5 * z), w, atol=1e-4)


def test_noise_is_new_in_training_and_fixed_in_evaluation():
    synthesis = SynthesisNetwork(16, 1, 4, 4)
    styles = torch.randn(1, 6, 4).expand(3, -1, -1)
    x = synthesis(styles)
    assert torch.allclose(x[0], x[1], atol=1e-6), "its strength is 0 at first"
    for name, strength in synthesis.named_parameters():
        if name.endswith("strength"):
            torch.nn.init.constant_(strength, 0.5)
    x = synthesis(styles)
    assert (x[0] - x[1]).abs().max() > 0.01
    synthesis.eval()
    x = synthesis(styles)
    assert torch.allclose(x[0], x[1], atol=1e-6) and torch.equal(x, synthesis(styles))


def test_the_noise_that_is_fixed_comes_with_the_weights():
    one, other = SynthesisNetwork(8, 1, 4, 2).eval(), SynthesisNetwork(8, 1, 4, 2).eval()
    other.load_state_dict(one.state_dict())
    styles = torch.randn(2, 4, 4)
    assert torch.equal(one(styles), other(styles))


def test_an_equalised_layer_is_scaled_when_it_runs():
    linear = EqualLinear(50, 3)
    x = torch.randn(4, 50)
    by_hand = x @ linear.weight.T * math.sqrt(2 / 50)
    assert torch.allclose(linear(x), by_hand, atol=1e-5)
    convolution = EqualConv2d(5, 3, 3, gain=1.0)
    patch = torch.randn(1, 5, 3, 3)
    by_hand = (convolution.weight * patch).sum((1, 2, 3)) / math.sqrt(5 * 9)
    assert torch.allclose(convolution(patch)[0, :, 1, 1], by_hand, atol=1e-5)


def test_equalised_weights_have_deviation_1_and_keep_that_of_the_signal():
    convolution = EqualConv2d(64, 64, 3, gain=1.0)
    assert convolution.weight.std().item() == pytest.approx(1, rel=0.02)
    inner = convolution(torch.randn(8, 64, 16, 16))[:, :, 1:-1, 1:-1]
    assert inner.std().item() == pytest.approx(1, rel=0.1)


def test_a_step_of_adam_moves_a_layer_of_a_hundredth_of_the_rate_so_much_less():
    usual, slow = EqualLinear(40, 40), EqualLinear(40, 40, rate=0.01)
    x = torch.randn(1000, 40)
    assert slow(x).std().item() == pytest.approx(usual(x).std().item(), rel=0.1)

    def moved(layer):
        before = layer(x).detach()
        optimizer = torch.optim.Adam(layer.parameters(), 0.01)
        layer(x).sum().backward()
        optimizer.step()
        return (layer(x) - before).abs().mean().item()

    assert moved(slow) == pytest.approx(0.01 * moved(usual), rel=0.1)


def test_adaptive_instance_norm_by_hand():
    # Mean 3 and deviation 2; with scale 5 and shift 7 the values -1, 1 become 2 and 12.
    x = torch.tensor([1.0, 5.0, 1.0, 5.0]).view(1, 1, 2, 2)
    y = adaptive_instance_norm(x, torch.tensor([[5.0]]), torch.tensor([[7.0]]))
    assert torch.allclose(y.flatten(), torch.tensor([2.0, 12.0, 2.0, 12.0]), atol=1e-4)


def test_a_style_of_a_layer_acts_on_that_layer_and_later_ones_only():
    synthesis = SynthesisNetwork(16, 1, 4, 4).eval()
    inputs = []
    synthesis.blocks[1][1].register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    styles = torch.randn(1, 6, 4)
    x = synthesis(styles)
    styles[:, 3] += 1
    assert (synthesis(styles) - x).abs().max() > 0.01
    assert torch.equal(*inputs)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_discriminator_takes_any_number_of_images_and_sees_whether_they_are_all_the_same(
    count,
):
    discriminator = StyleDiscriminator(16, 1, 4)
    x = torch.randn(count, 1, 16, 16, requires_grad=True)
    logits, features = discriminator(x)
    (gradient,) = torch.autograd.grad(logits.sum(), x)
    assert logits.shape == (count, 1) and gradient.isfinite().all()
    alone_logit, alone_features = discriminator(x[:1])
    assert torch.allclose(features[:1], alone_features, atol=1e-5), "no company in the features"
    assert torch.allclose(logits[:1], alone_logit, atol=1e-5) == (count == 1)
