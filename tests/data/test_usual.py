import cv2
import numpy as np
import pytest

from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.data.usual import Usual, plain_statistics


def textured(rng, height=60, width=80, channels=3):
    """A frame of grain and shading around mid grey."""
    shading = np.linspace(-40, 40, width)[None, :, None]
    grain = rng.normal(0, 12, (height, width, channels))
    return np.clip(120 + shading + grain, 0, 255).astype(np.uint8)


@pytest.fixture
def usual(rng):
    return Usual.measure([textured(rng) for _ in range(12)], 16)


def test_statistics_of_a_case_worked_out_by_hand():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, 2:] = 100, 40, 10
    found = plain_statistics(image)
    grey = round(0.299 * 100 + 0.587 * 40 + 0.114 * 10)
    assert found["brightness"] == found["contrast"] == pytest.approx(grey / 2)
    assert (found["red"], found["blue"]) == (30, -15)
    assert (found["height"], found["width"]) == (2, 4)


def test_another_good_image_is_like_the_others(usual, rng):
    assert all(usual.unlike(textured(rng)) is None for _ in range(20))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (np.zeros_like, "darker, no contrast"),
        (lambda x: np.full_like(x, 255), "brighter, no contrast"),
        (lambda x: np.full_like(x, 120), "no contrast"),
        (lambda x: x // 8 + 100, "less contrast"),
        (lambda x: cv2.GaussianBlur(x, (0, 0), 3), "less sharp"),
        (lambda x: x[..., ::-1] // np.array([3, 1, 1], np.uint8), "other colours"),
        (lambda x: x[:20], "smaller"),
        (lambda x: np.tile(x, (3, 3, 1)), "larger"),
        (lambda x: x + 70, "brighter"),
    ],
)
def test_a_frame_unlike_all_good_ones_is_told(usual, rng, change, word):
    assert word in usual.unlike(change(textured(rng)))


def test_a_lens_cap_with_the_noise_of_a_sensor_is_told(usual, rng):
    noise = np.clip(rng.normal(6, 3, (60, 80)), 0, 255).astype(np.uint8)
    assert "less contrast" in usual.unlike(noise)


@pytest.mark.parametrize("name", ["screw", "magnetic_tile", "solar_mono"])
def test_good_and_defective_photographs_are_all_like_good_ones(real_data, name):
    folder = real_data(name)
    usual = Usual.measure(map(read_image, list_images(folder / "train" / "good")), 16)
    told = {path: usual.unlike(read_image(path)) for path in list_images(folder / "test")[::3]}
    assert not {path: words for path, words in told.items() if words}


def test_what_differs_in_kind_is_named_without_the_image(rng):
    grey = [textured(rng, channels=1)[:, :, 0] for _ in range(3)]
    usual = Usual.measure(grey, 16)
    assert usual.differences(grey[0]) == []
    deep_colour = textured(rng, 61).astype(np.uint16)
    colour, depth, size = usual.differences(deep_colour)
    assert "colour" in colour
    assert depth == "images of 16 bits, but those learnt had 8"
    assert size == "images of another size than those learnt (80 x 60 px)"
    assert usual.differences(np.dstack([grey[0]] * 3)) == []


def test_what_is_usual_survives_the_model_card_and_grows_with_more_images(usual, rng):
    assert Usual.from_dict(usual.as_dict()) == usual
    bright = Usual.measure([textured(rng) + 60], 16)
    both = usual.joined(bright)
    assert both.unlike(textured(rng) + 60) is None
    assert both.high["brightness"] == bright.high["brightness"]


def test_a_damaged_card_is_refused(usual):
    card = usual.as_dict()
    with pytest.raises(ValueError, match="usual"):
        Usual.from_dict(card | {"depths": "8"})
    with pytest.raises(ValueError, match="all statistics"):
        Usual.from_dict(card | {"low": {"brightness": 1.0}})
