import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from anomgan.training.hard import CANDIDATES, to_draw, with_hardest
from anomgan.training.recipe import Recipe


class _Known(Recipe):
    """Finds a vector as hard as its first value is high."""

    players = {"norm": ("norm",)}

    def __init__(self):
        self.networks = nn.ModuleDict({"norm": nn.BatchNorm2d(1)}).train()

    def difficulty(self, x):
        assert not self.networks.training
        self.networks["norm"](x)
        return x.flatten(1)[:, 0]

    def step(self, x):
        yield from ()


class _Silent(_Known):
    """Cannot say how hard a vector is."""

    def difficulty(self, x):
        return None


def _vectors(values):
    return torch.as_tensor(values, dtype=torch.float32)[:, None, None, None]


def _batch(values, images, size, recipe=None):
    """The values of a batch, in order of size."""
    made = with_hardest(recipe or _Known(), _vectors(values), torch.as_tensor(images), size)
    assert made.shape[1:] == (1, 1, 1)
    return made.flatten().sort().values.tolist()


@given(st.integers(2, 512), st.floats(0, 1, exclude_max=True), st.integers(1, 40))
def test_a_batch_keeps_its_size_and_has_only_what_was_drawn(size, share, images):
    count = to_draw(size, share)
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randint(images, (count,), generator=generator)
    values = torch.randperm(count, generator=generator)
    batch = _batch(values, numbers, size)
    assert len(batch) == size
    assert set(batch) <= set(values.tolist())


@given(st.integers(2, 4096), st.floats(0, 1, exclude_max=True))
def test_each_hard_place_has_four_candidates(size, share):
    hard = round(share * size)
    assert 0 <= hard <= size
    assert to_draw(size, share) == size + (CANDIDATES - 1) * hard == size + 3 * hard
    assert to_draw(size, 0.0) == size


def test_the_hardest_of_the_candidates_are_taken():
    size = 20
    count = to_draw(size, 0.5)
    values = torch.randperm(count, generator=torch.Generator().manual_seed(1)).float()
    batch = _batch(values, range(count), size)
    at_random, candidates = values[:10], values[10:]
    assert batch == sorted(at_random.tolist() + candidates.sort().values[-10:].tolist())


def test_a_bad_image_gives_at_most_twice_its_fair_share():
    """Every candidate of image 0 is harder than all others; 40 places for 10 images."""
    size = 80
    count = to_draw(size, 0.5)
    images = torch.arange(count) % 10
    values = torch.arange(count) + count * (images == 0)
    batch = _batch(values, images, size)
    at_random = set(values[:40].tolist())
    given = [value for value in batch if value not in at_random and value >= count]
    assert len(given) == math.ceil(2 * 40 / 10)
    candidates = values[40:][images[40:] == 0]
    assert given == candidates.sort().values[-8:].tolist()


def test_one_image_fills_the_batch_by_itself():
    count = to_draw(8, 0.5)
    assert _batch(range(count), [7] * count, 8) == [0, 1, 2, 3, 16, 17, 18, 19]


def test_a_batch_is_filled_where_few_images_may_not_give_more():
    """All candidates but three are of one image, which may give no more than 4 of 8."""
    size = 8
    count = to_draw(size, 0.96)
    images = torch.zeros(count, dtype=torch.long)
    images[:4] = torch.arange(4)
    assert len(_batch(range(count), images, size)) == size


def test_without_a_hard_share_vectors_stay_as_they_come():
    drawn = _vectors(range(6))
    assert torch.equal(with_hardest(_Known(), drawn, torch.zeros(6), 6), drawn)


def test_a_method_that_cannot_say_gets_vectors_as_they_come():
    drawn = _vectors(range(to_draw(6, 0.5)))
    batch = with_hardest(_Silent(), drawn, torch.arange(len(drawn)), 6)
    assert torch.equal(batch, drawn[:6])


@pytest.mark.parametrize("recipe", [_Known(), _Silent()])
def test_looking_for_hard_vectors_leaves_the_networks_as_they_were(recipe):
    before = {name: one.clone() for name, one in recipe.networks.state_dict().items()}
    _batch(range(to_draw(6, 0.5)), range(to_draw(6, 0.5)), 6, recipe)
    assert recipe.networks.training
    after = recipe.networks.state_dict()
    assert all(torch.equal(one, after[name]) for name, one in before.items())


def test_hard_vectors_are_not_always_at_the_same_places():
    """A critic takes its batch in pieces, each of which is to have its share of them."""
    torch.manual_seed(0)
    count = to_draw(64, 0.5)
    batch = with_hardest(_Known(), _vectors(range(count)), torch.arange(count), 64).flatten()
    hard = (batch >= 32).float()
    assert hard.sum() == 32
    assert 8 < hard[:32].sum() < 24
