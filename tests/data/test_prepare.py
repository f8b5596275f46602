import cv2
import numpy as np
import pytest

from anomgan.config import ImageSettings, ViewSettings
from anomgan.data.prepare import Preparation, flatten_lighting
from anomgan.errors import InputError


def decide(shapes, view=None, all_grey=True, **image):
    return Preparation.decide(
        ImageSettings(**{"lighting": "keep"} | image),
        ViewSettings(**view or {}),
        all_grey=all_grey,
        bits=16,
        shapes=shapes,
    )


def test_channels_follow_the_images_unless_they_are_set():
    assert decide([(100, 100)]).channels == 1
    assert decide([(100, 100)], all_grey=False).channels == 3
    assert decide([(100, 100)], all_grey=False, channels="grey").channels == 1


def test_one_factor_scales_all_images_and_keeps_their_aspect():
    prepare = decide([(500, 1000)] * 3 + [(90, 80)], max_side=250)
    assert prepare.scale == 0.25
    assert prepare(np.zeros((500, 1000), np.uint8)).shape == (125, 250, 1)
    assert prepare(np.zeros((400, 300), np.uint8)).shape == (100, 75, 1)


def test_only_images_smaller_than_half_a_patch_are_enlarged_in_the_patch_view():
    assert decide([(100, 80)]).scale == 1
    prepare = decide([(28, 28)])
    assert prepare(np.zeros((28, 28), np.uint8)).shape == (32, 32, 1)
    thin = decide([(1000, 50)] * 3 + [(8, 8)], max_side=250)
    assert thin(np.zeros((1000, 50), np.uint8)).shape == (640, 32, 1)


def test_images_are_enlarged_to_a_patch_if_crops_must_lie_inside():
    view = {"size": 64, "past_edge": False}
    assert decide([(100, 80)], view=view).scale == 1
    prepare = decide([(300, 400)] * 3, view=view | {"size": 256}, max_side=286)
    assert prepare(np.zeros((300, 400), np.uint8)).shape == (256, 341, 1)


def test_the_whole_view_fits_the_longer_side():
    prepare = decide([(100, 80)], view={"kind": "whole", "size": 32})
    assert prepare(np.zeros((100, 50), np.uint8)).shape == (32, 16, 1)
    assert prepare(np.zeros((8, 8, 3), np.uint8)).shape == (32, 32, 1)


@pytest.mark.parametrize("shape", [(100, 60, 3), (60, 100, 3), (61, 100), (60, 60)])
def test_the_centre_view_is_the_middle_square_of_an_image(rng, shape):
    prepare = decide([shape], view={"kind": "centre", "size": 32}, all_grey=False)
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    side = min(shape[:2])
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    middle = image[top : top + side, left : left + side]
    assert prepare(image).shape == (32, 32, 3)
    assert np.array_equal(prepare(image), prepare(middle))


def test_images_smaller_than_half_a_patch_are_named():
    with pytest.raises(InputError, match="part.png is 31 x 200 pixels.*half a patch of 64 x 64"):
        decide([(200, 200)])(np.zeros((200, 31), np.uint8), "part.png")
    assert decide([(200, 200)])(np.zeros((200, 32), np.uint8)).shape == (200, 32, 1)


def test_flattening_takes_away_a_lighting_gradient(rng):
    texture = cv2.GaussianBlur(rng.normal(0, 1, (128, 128)).astype(np.float32), (0, 0), 1)
    texture = 15 * texture / texture.std()
    ramp = np.linspace(60, 160, 128)[None, :] + np.zeros((128, 1))
    even, tilted = (
        flatten_lighting(np.clip(light + texture, 0, 255).astype(np.uint8)[:, :, None], 0.1)
        for light in (np.full((128, 128), 110.0), ramp)
    )
    # Away from the border, where the ramp ends.
    inside = (slice(None), slice(32, 96), 0)
    assert np.corrcoef(even[inside].ravel(), tilted[inside].ravel())[0, 1] > 0.97
    columns = tilted[inside].mean(axis=0)
    assert abs(columns[:16].mean() - columns[-16:].mean()) < 8


def test_flattening_keeps_a_blank_image_blank():
    assert np.ptp(flatten_lighting(np.full((64, 64, 3), 90, np.uint8), 0.1)) == 0


def test_flattening_does_not_blow_up_noise_on_a_blank_area(rng):
    image = rng.normal(100, 1, (128, 128))
    image[:, :64] += 40 * rng.standard_normal((128, 64))
    flat = flatten_lighting(np.clip(image, 0, 255).astype(np.uint8)[:, :, None], 0.05)
    assert flat[:, 90:].std() < 0.3 * flat[:, :40].std()
