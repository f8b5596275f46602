import numpy as np
import pytest
import torch

from anomgan.detectors.eigenmaps import EigenMaps, to_grid, unexplained
from anomgan.detectors.folds import deal

SHAPE = (5, 4, 6)


def _random(count, seed=0, shape=SHAPE):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


def _mixtures(count, parts=3, noise=0.02):
    """Maps that vary in few ways, around a mean."""
    basis, weights = _random(parts, 1), _random(count, 2, (parts,))
    return torch.einsum("np,pdhw->ndhw", weights, basis) + _random(1, 3) + noise * _random(count, 4)


def _folds(count, seed=0):
    return deal([f"image {number}" for number in range(count)], 4, seed)


@pytest.mark.parametrize(("count", "shape"), [(1, SHAPE), (4, SHAPE), (9, SHAPE), (4, (4, 50, 60))])
def test_what_is_left_is_what_a_singular_value_decomposition_leaves(count, shape):
    """Of maps that are computed at once, and of one with more than `VALUES_AT_ONCE`."""
    normal, new = _random(10, shape=shape), _random(6, 9, shape)
    flat = normal.flatten(1).double().numpy()
    mean = flat.mean(0)
    components = np.linalg.svd(flat - mean, full_matrices=False)[2][:count]
    different = new.flatten(1).double().numpy() - mean
    expected = different - different @ components.T @ components
    left = EigenMaps.fit(normal, count).remainder(new)
    assert left.shape == new.shape
    # Components are kept in half precision.
    np.testing.assert_allclose(left.flatten(1).numpy(), expected, atol=1e-2)


def test_mixtures_of_normal_maps_are_explained_and_other_maps_are_not():
    normal = _mixtures(12, noise=0)
    eigenmaps = EigenMaps.fit(normal, 3)
    weights = torch.tensor([[0.7, 0.5, -0.2], [3.0, -1.0, -1.0]])  # of sum 1 each
    mixed = torch.einsum("np,pdhw->ndhw", weights, normal[:3])
    power = mixed.square().mean()
    assert eigenmaps.remainder(mixed).square().mean() < 1e-4 * power
    assert eigenmaps.remainder(_random(2, 8)).square().mean() > 0.5


def test_a_missing_part_is_left_at_its_place():
    normal = _mixtures(12)
    new = normal[:1].clone()
    new[:, :, 2, 3] += 2
    left = EigenMaps.fit(normal, 3).remainder(new).square().sum(1)[0]
    assert divmod(int(left.argmax()), SHAPE[2]) == (2, 3)


def test_the_scale_divides_what_is_left():
    eigenmaps = EigenMaps.fit(_random(8), 2)
    eigenmaps.scales.copy_(torch.tensor([2.0, 4.0]))
    new = _random(2, 5)
    whole, rest = eigenmaps(new).chunk(2, 1)
    torch.testing.assert_close(whole, new / 2)
    torch.testing.assert_close(rest, eigenmaps.remainder(new) / 4)


def test_maps_of_another_size_are_brought_to_the_grid():
    weights = _random(8, 0, (5, 1, 1))
    eigenmaps = EigenMaps.fit(weights.expand(-1, -1, 4, 6), 4)
    new = weights[:2] + torch.tensor([0.0, 1.0])[:, None, None, None]
    left = eigenmaps(new.expand(-1, -1, 9, 3))[:, 5:]
    assert left.shape == (2, 5, 4, 6)
    torch.testing.assert_close(left, eigenmaps(new.expand(-1, -1, 4, 6))[:, 5:], atol=1e-5, rtol=0)
    assert to_grid(_random(1), (4, 6)).equal(_random(1))


def test_maps_that_share_nothing_are_not_explained():
    left, share = unexplained(_random(40).half(), _folds(40), 8)
    assert abs(share) < 0.1
    assert left.shape == (40, *SHAPE) and left.dtype == torch.half


def test_mixtures_of_few_maps_are_explained_and_what_is_left_is_their_noise():
    maps = _mixtures(40, noise=0.5).half()
    left, share = unexplained(maps, _folds(40), 3)
    assert share == pytest.approx(1 - 0.5**2 / float(maps.float().square().mean()), abs=0.02)
    assert left.float().square().mean().sqrt() == pytest.approx(0.5, rel=0.15)


def test_each_map_is_seen_as_a_new_one_is():
    """Eigenmaps that a map took part in would leave nothing of it."""
    maps = _random(12).half()
    left, _ = unexplained(maps, _folds(12), 20)
    assert float(EigenMaps.fit(maps, 20).remainder(maps.float()).square().mean()) < 1e-4
    assert left.float().square().mean(dim=(1, 2, 3)).min() > 0.5


def test_images_of_one_group_do_not_explain_each_other():
    maps = _random(20).repeat(2, 1, 1, 1).half()
    _, alone = unexplained(maps, _folds(40), 40)
    _, together = unexplained(maps, np.tile(_folds(20), 2), 40)
    assert alone > 0.4
    assert together < 0.1


def test_two_maps_are_enough():
    maps = _random(2).half()
    eigenmaps = EigenMaps.fit(maps, 100)
    assert len(eigenmaps.components) == 1
    torch.testing.assert_close(
        eigenmaps.remainder(maps.float()), torch.zeros(2, *SHAPE), atol=1e-2, rtol=0
    )
    left, share = unexplained(maps, np.array([0, 1]), 100)
    # The other one is all that is known of each.
    torch.testing.assert_close(left[0], maps[0] - maps[1], atol=1e-2, rtol=0)
    assert np.isfinite(share)


def test_maps_that_are_all_alike_are_explained_by_their_mean():
    maps = _random(1).half().repeat(8, 1, 1, 1)
    eigenmaps = EigenMaps.fit(maps, 4)
    assert eigenmaps.components.isfinite().all()
    torch.testing.assert_close(
        eigenmaps.remainder(maps.float()), torch.zeros(8, *SHAPE), atol=1e-4, rtol=0
    )
    ones = torch.ones(8, *SHAPE)
    torch.testing.assert_close(eigenmaps.remainder(maps.float() + 1), ones, atol=1e-2, rtol=0)
    left, share = unexplained(maps, _folds(8), 4)
    assert left.isfinite().all() and share == pytest.approx(1, abs=1e-4)
