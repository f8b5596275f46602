import numpy as np
import pytest
from similarity import match_histogram, ssim

from anomgan.errors import InputError


def test_an_image_is_entirely_like_itself(rng):
    image = rng.integers(0, 256, (20, 30), dtype=np.uint8)
    assert ssim(image, image) == pytest.approx(np.ones((20, 30)))


def test_flat_images_differ_by_their_brightness_alone():
    dark, bright = np.full((16, 16), 60, np.uint8), np.full((16, 16), 120, np.uint8)
    expected = (2 * 60 * 120 + 2.55**2) / (60**2 + 120**2 + 2.55**2)
    assert ssim(dark, bright) == pytest.approx(np.full((16, 16), expected))


def test_a_window_is_compared_as_the_paper_says(rng):
    first, second = rng.integers(0, 256, (2, 11, 11), dtype=np.uint8)
    distance = np.arange(11) - 5
    line = np.exp(-(distance**2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    x, y = first.astype(float), second.astype(float)
    mx, my = (weights * x).sum(), (weights * y).sum()
    vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
    cov = (weights * (x - mx) * (y - my)).sum()
    c1, c2 = 2.55**2, 7.65**2
    expected = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim(first, second)[5, 5] == pytest.approx(expected)


def test_images_of_different_sizes_are_refused():
    with pytest.raises(InputError, match="one size"):
        ssim(np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8))


def test_a_matched_image_has_the_wanted_distribution_and_keeps_its_order(rng):
    image = rng.integers(0, 128, (50, 50), dtype=np.uint8)
    like = rng.normal(180, 20, 5000).clip(0, 255).astype(np.uint8)
    matched = match_histogram(image, like)
    for share in (0.1, 0.5, 0.9):
        assert np.quantile(matched, share) == pytest.approx(np.quantile(like, share), abs=2)
    order = np.argsort(image.ravel(), kind="stable")
    assert (np.diff(matched.ravel()[order].astype(int)) >= 0).all()
