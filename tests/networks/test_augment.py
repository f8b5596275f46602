import pytest
import torch

from anomgan.networks.augment import augment


def augmented(x, seed=0):
    torch.manual_seed(seed)
    return augment(x)


@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (3, 3, 32, 32), (2, 3, 24, 40)])
def test_shape_and_kind_are_kept_and_values_stay_finite(shape):
    for value in (torch.rand(shape) * 2 - 1, torch.ones(shape), -torch.ones(shape)):
        changed = augmented(value)
        assert changed.shape == shape and changed.dtype == value.dtype
        assert torch.isfinite(changed).all() and changed.abs().max() < 5


def test_each_image_is_changed_in_its_own_way_and_by_the_seed_alone():
    x = torch.rand(1, 3, 16, 16).repeat(5, 1, 1, 1)
    changed = augmented(x)
    for first in range(5):
        for second in range(first):
            assert not torch.allclose(changed[first], changed[second], atol=1e-3)
    assert torch.equal(changed, augmented(x))
    assert not torch.allclose(changed, augmented(x, seed=1), atol=1e-3)


def test_an_image_does_not_reach_into_another():
    x = torch.rand(3, 1, 16, 16)
    other = x.clone()
    other[1] = -1
    before, after = augmented(x), augmented(other)
    assert torch.equal(before[::2], after[::2]) and not torch.equal(before[1], after[1])


def test_gradients_are_those_of_finite_differences():
    x = (torch.rand(2, 3, 8, 8, dtype=torch.float64) * 2 - 1).requires_grad_()
    assert torch.autograd.gradcheck(augmented, x)
    assert torch.autograd.gradgradcheck(lambda x: augmented(x).square(), x[:1, :, :4, :4])


def test_every_image_gets_a_finite_gradient():
    x = torch.rand(200, 1, 16, 16, requires_grad=True)
    augmented(x).square().sum().backward()
    assert torch.isfinite(x.grad).all() and (x.grad != 0).any(dim=(1, 2, 3)).all()


def test_a_dot_moves_by_up_to_an_eighth_and_is_cut_out_now_and_then():
    x = torch.zeros(3000, 1, 16, 16)
    x[:, :, 8, 8] = 100  # far above any brightness
    changed = augmented(x)[:, 0]
    image, row, column = torch.nonzero(changed > 20, as_tuple=True)
    assert len(image) == len(image.unique()), "a dot stays one dot"
    for place in (row, column):
        assert place.min() == 6 and place.max() == 10
        counts = torch.bincount(place - 6).float()
        assert counts.min() > 0.7 * counts.max(), "all shifts are as likely"
    # An 8 x 8 square around any of 16 x 16 pixels covers a place in the middle a quarter of times.
    assert 1 - len(image) / 3000 == pytest.approx(0.25, abs=0.03)


def test_brightness_and_colour_change_both_ways():
    x = torch.zeros(4000, 3, 16, 16)
    x[:, 0] = 0.3
    # More than half of the pixels are neither cut out nor moved in from beyond the edge.
    red, green, _ = augmented(x).flatten(2).median(dim=2).values.T
    colour = red - green
    assert colour.mean() == pytest.approx(0.3, abs=0.01), "on average nothing changes"
    assert 0 <= colour.min() < 0.01 and 0.85 < colour.max() < 0.9, "0.3 * 2 * 1.5 at most"
    brightness = (red + 2 * green) / 3 - 0.1
    assert brightness.mean() == pytest.approx(0, abs=0.02)
    assert -0.501 < brightness.min() < -0.45 and 0.45 < brightness.max() < 0.501
