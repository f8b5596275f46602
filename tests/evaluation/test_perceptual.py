from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from anomgan.errors import InputError
from anomgan.evaluation.perceptual import LPIPS, BackboneDistance, BackboneFeatures


@pytest.fixture(scope="module")
def distance():
    return BackboneDistance("cpu")


@pytest.fixture
def pictures(rng):
    """Smooth random pictures in colour."""
    noise = rng.normal(0, 1, (4, 64, 64, 3)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 4) for one in noise])
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def test_an_image_is_at_no_distance_from_itself_and_closer_to_a_blurred_copy_than_to_others(
    distance, pictures
):
    assert np.allclose(distance.between(pictures, pictures), 0)
    blurred = np.stack([cv2.GaussianBlur(one, (0, 0), 1) for one in pictures])
    near, far = (distance.between(pictures, other) for other in (blurred, pictures[::-1]))
    assert (near > 0).all() and (near < 0.5 * far).all()


def test_the_distance_among_images_is_the_mean_over_pairs(distance, pictures):
    first, second = [0, 0, 1], [1, 2, 2]
    expected = distance.between(pictures[first], pictures[second]).mean()
    assert distance.among(pictures[:3]) == pytest.approx(expected, rel=1e-5)
    assert distance.among(pictures[[0, 0]]) == pytest.approx(0)
    with pytest.raises(InputError, match="at least 2 images"):
        distance.among(pictures[:1])


def test_grey_images_and_images_of_several_sizes_are_compared(distance, pictures):
    grey = pictures[..., 0]
    assert distance.between(grey, np.stack([grey] * 3, -1)) == pytest.approx(0, abs=1e-6)
    assert distance.between([grey[0]], [pictures[0, :40]]).shape == (1,)


def test_the_embedded_backbone_has_features_for_fid(pictures):
    features = BackboneFeatures("cpu").features(pictures)
    assert features.shape == (4, 232) and np.isfinite(features).all()


@pytest.mark.skipif(find_spec("lpips") is not None, reason="the package lpips is installed")
def test_without_its_package_lpips_says_what_to_install():
    with pytest.raises(InputError, match=r"pip install \"anomgan\[lpips\]\".*--distance lite0"):
        LPIPS("cpu")
