import pytest
import torch

from anomgan.data.damage import damage, half_seen, how_seen


@pytest.fixture
def views():
    torch.manual_seed(0)
    return torch.rand(64, 3, 32, 32) * 2 - 1


def test_what_the_mask_leaves_out_hardly_changes(views):
    damaged, mask = damage(views)
    assert damaged.shape == views.shape and mask.shape == (64, 1, 32, 32)
    assert damaged.min() >= -1 and damaged.max() <= 1
    assert mask.min() == 0 and 0.5 < mask.max() <= 1
    change = (damaged - views).abs().mean(1, keepdim=True)
    assert change[mask == 0].max() == 0
    assert change[mask > 0.5].mean() > 3 * change[(mask > 0) & (mask < 0.5)].mean()


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


def test_a_change_is_half_seen_when_it_is_as_large_as_the_deviation_of_noise():
    torch.manual_seed(0)
    noise = 0.2 * torch.randn(4, 1, 64, 64)
    half = half_seen(noise)
    assert 0.18 < half.mean() < 0.22
    changed = noise + half
    assert how_seen(noise, changed, half)[..., 2:-2, 2:-2].mean() == pytest.approx(0.5, abs=0.02)
    assert how_seen(noise, noise, half).max() == 0


def test_structure_hides_less_than_noise_as_strong():
    torch.manual_seed(0)
    threads = torch.sin(torch.arange(64.0) * 2 * torch.pi / 12).expand(1, 1, 64, 64)
    noise = threads.std() * torch.randn(1, 1, 64, 64)
    assert half_seen(threads).mean() < 0.5 * half_seen(noise).mean()


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
