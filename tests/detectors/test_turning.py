import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anomgan.config import BackboneSettings
from anomgan.data.store import ImageStore
from anomgan.detectors.eigenmaps import EigenMaps, multiply
from anomgan.detectors.feature_space import FeatureSpace
from anomgan.detectors.learnt_space import learn_space
from anomgan.detectors.map_files import MapFiles
from anomgan.detectors.turning import (
    ENOUGH,
    FLIPS,
    QUARTERS,
    _unexplained,
    draw_turns,
    helpful_turns,
    turned,
)

SIDE = 64
BACKBONE = BackboneSettings(long_side=SIDE, directions=16, components=20)


def test_turns_are_the_eight_of_a_square():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    assert np.array_equal(turned(image, 0), image)
    assert np.array_equal(turned(image, 1), np.rot90(image))
    assert np.array_equal(turned(image, 2), image[::-1, ::-1])
    assert np.array_equal(turned(image, 4), image[:, ::-1])
    assert np.array_equal(turned(image, 6), image[::-1])
    assert len({turned(image[:, :3], turn).tobytes() for turn in range(8)}) == 8
    for turn in FLIPS:
        assert turned(image, turn).shape == image.shape
    for turn in QUARTERS:
        assert turned(image, turn).shape == (4, 3, 1)


@given(count=st.integers(1, 2 * ENOUGH), most=st.integers(2, 1000), square=st.booleans())
def test_copies_fill_up_few_images_and_are_spread_evenly(count, most, square):
    drawn = draw_turns([(64, 64 if square else 48, 3)] * count, most, seed=1)
    possible = 7 if square else 3
    assert len(drawn) == min(max(0, min(ENOUGH, most) - count), possible * count)
    assert len(set(drawn)) == len(drawn)
    assert {turn for _, turn in drawn} <= set(FLIPS + QUARTERS if square else FLIPS)
    if drawn:
        each = np.bincount([image for image, _ in drawn], minlength=count)
        assert each.max() - each.min() <= 1


def test_one_image_that_is_not_square_rules_out_quarter_turns():
    drawn = draw_turns([(64, 64, 3), (64, 65, 3)], 100, seed=0)
    assert {turn for _, turn in drawn} == set(FLIPS)


def test_what_is_left_unexplained_is_what_eigenmaps_leave():
    maps = torch.randn(20, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    maps[:, 1] += 3
    folds, used, images = np.arange(20) % 4, np.arange(20) < 16, np.arange(20) < 10
    expected = 0.0
    for fold in range(4):
        eigenmaps = EigenMaps.fit(maps[torch.from_numpy(used & (folds != fold))], 5)
        held = maps[torch.from_numpy(images & (folds == fold))]
        expected += float(eigenmaps.remainder(held).square().sum())
    found = _unexplained(multiply(maps), folds, used, images, 5)
    assert found == pytest.approx(expected, rel=1e-4)


def _bar(angle: float) -> np.ndarray:
    """A part that lies in some direction: a bar with a head, [SIDE, SIDE, 1]."""
    image = np.full((SIDE, SIDE), 200, np.uint8)
    ends = SIDE / 2 + np.outer([-1, 1], [np.cos(angle), np.sin(angle)]) * SIDE * 0.35
    start, end = (tuple(int(v) for v in one) for one in ends)
    cv2.line(image, start, end, 60, 7)
    cv2.circle(image, start, 8, 90, -1)
    return image[:, :, None]


def _learn(images, **changes):
    space = FeatureSpace(BACKBONE).eval()
    space.extractor.load_weights()
    with ImageStore() as store:
        for image in images:
            store.append(image)
        folds, settings = np.arange(len(images)) % 4, BACKBONE.model_copy(update=changes)
        files = MapFiles(None, {}, False)
        return learn_space(space, store, range(len(images)), folds, settings, files, seed=0)


def test_parts_in_any_direction_are_turned_and_copies_stay_with_their_image():
    rng = np.random.default_rng(0)
    learnt = _learn([_bar(angle) for angle in rng.uniform(0, 2 * np.pi, 16)])
    assert learnt.images[:16] == list(range(16)) and learnt.turns[:16] == [0] * 16
    assert set(learnt.turns[16:]) == set(FLIPS + QUARTERS)
    assert len(learnt.maps) == len(learnt.images) == 8 * 16
    alone = _learn([_bar(angle) for angle in rng.uniform(0, 2 * np.pi, 16)], augment="none")
    assert alone.turns == [0] * 16


def test_parts_that_lie_still_are_not_turned():
    rng = np.random.default_rng(0)
    learnt = _learn([_bar(angle) for angle in rng.normal(0.3, 0.05, 16)])
    assert learnt.turns == [0] * 16
    assert learnt.place is not None


def test_turns_that_show_what_never_occurs_are_left_out():
    """Each turn has its own mean map here, and images vary about theirs."""
    noise = torch.randn(320, 50, 2, 2, generator=torch.Generator().manual_seed(0))
    folds, turns = np.arange(320) // 8 % 4, np.arange(320) % 8
    means = 3 * torch.randn(8, 50, 2, 2, generator=torch.Generator().manual_seed(1))
    assert helpful_turns(multiply(means[turns] + noise), folds, turns, 100) == ()


def test_three_images_in_two_groups_are_too_few_to_tell():
    maps = torch.randn(24, 50, 2, 2, generator=torch.Generator().manual_seed(0))
    folds, turns = np.repeat([0, 0, 1], 8), np.arange(24) % 8
    assert helpful_turns(multiply(maps), folds, turns, 100) == ()


def test_images_that_are_all_alike_are_not_turned():
    folds, turns = np.arange(64) // 8, np.arange(64) % 8
    for values in (torch.zeros(64, 50, 2, 2), torch.ones(64, 50, 2, 2)):
        assert helpful_turns(multiply(values), folds, turns, 100) == ()
