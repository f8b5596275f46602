import pytest
import torch

from anomgan.data.damage import damage


@pytest.fixture
def views():
    torch.manual_seed(0)
    return torch.rand(64, 3, 32, 32) * 2 - 1


def test_what_the_mask_leaves_out_hardly_changes(views):
    damaged, mask = damage(views)
    assert damaged.shape == views.shape and mask.shape == (64, 1, 32, 32)
    assert damaged.min() >= -1 and damaged.max() <= 1
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    change = (damaged - views).abs().mean(1, keepdim=True)
    assert change[mask == 1].mean() > 0.2
    assert change[mask == 0].mean() < 0.03


def test_some_views_stay_clean_and_none_is_all_damage(views):
    damaged, mask = damage(views)
    clean = (damaged == views).flatten(1).all(1)
    assert 4 <= clean.sum() <= 24
    assert mask[clean].sum() == 0
    assert mask.mean((1, 2, 3)).max() < 0.8


def test_what_cannot_be_seen_is_not_asked_for():
    torch.manual_seed(0)
    grainy, smooth = torch.randn(64, 1, 32, 32) * 0.5, torch.zeros(64, 1, 32, 32)
    shares = []
    for views in (grainy, smooth):
        torch.manual_seed(1)
        shares.append(damage(views)[1].mean())
    assert 0 < shares[0] < 0.9 * shares[1]


def test_damage_is_decided_by_the_seed(views):
    pairs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        pairs.append(damage(views)[0])
    assert torch.equal(pairs[0], pairs[1])
    assert not torch.equal(pairs[0], pairs[2])


@pytest.mark.parametrize("size", [8, 16, 64])
def test_small_views_can_be_damaged(size):
    torch.manual_seed(0)
    damaged, mask = damage(torch.zeros(16, 1, size, size))
    assert torch.isfinite(damaged).all() and mask.sum() > 0
