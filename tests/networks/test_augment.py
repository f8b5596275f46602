import pytest
import torch

from anomgan.networks.augment import augment


def augmented(x, seed=0):
    torch.manual_seed(seed)
    return augment(x)


@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (3, 3, 32, 32), (2, 3, 24, 40)])
def test_an_image_keeps_its_shape_and_its_values_or_is_grey(shape):
    x = torch.rand(shape) + 1
    changed = augmented(x)
    assert changed.shape == shape and changed.dtype == x.dtype
    for before, after in zip(x, changed, strict=True):
        values = set(after.flatten().tolist())
        assert 0 in values and len(values) > 1 and values <= {0, *before.flatten().tolist()}


def test_each_image_is_changed_in_its_own_way_and_by_the_seed_alone():
    x = torch.rand(1, 3, 16, 16).repeat(5, 1, 1, 1)
    changed = augmented(x)
    for first in range(5):
        for second in range(first):
            assert not torch.equal(changed[first], changed[second])
    assert torch.equal(changed, augmented(x))
    assert not torch.equal(changed, augmented(x, seed=1))


def test_all_channels_of_an_image_are_changed_alike():
    first, second = augmented(torch.rand(20, 1, 16, 16).repeat(1, 2, 1, 1)).chunk(2, 1)
    assert torch.equal(first, second)


def test_an_image_does_not_reach_into_another():
    x = torch.rand(3, 1, 16, 16)
    other = x.clone()
    other[1] = -1
    before, after = augmented(x), augmented(other)
    assert torch.equal(before[::2], after[::2]) and not torch.equal(before[1], after[1])


def test_gradients_are_those_of_finite_differences():
    x = (torch.rand(2, 2, 8, 8, dtype=torch.float64) * 2 - 1).requires_grad_()
    assert torch.autograd.gradcheck(augmented, x)


def test_a_dot_moves_by_up_to_an_eighth_and_is_cut_out_now_and_then():
    x = torch.zeros(3000, 1, 16, 16)
    x[:, :, 8, 8] = 1
    image, row, column = torch.nonzero(augmented(x)[:, 0], as_tuple=True)
    assert len(image) == len(image.unique()), "a dot stays one dot"
    for place in (row, column):
        assert place.min() == 6 and place.max() == 10
        counts = torch.bincount(place - 6).float()
        assert counts.min() > 0.7 * counts.max(), "all shifts are as likely"
    # An 8 x 8 square around any of 16 x 16 pixels covers a place in the middle a quarter of times.
    assert 1 - len(image) / 3000 == pytest.approx(0.25, abs=0.03)
