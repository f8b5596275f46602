"""Regions below the smallest defect make no verdict; sizes are known in mm."""

import numpy as np
import pytest
from conftest import TINY

from anomgan import GANomaly, load
from anomgan.cli.info import model_card
from anomgan.cli.options import read_area
from anomgan.detectors.baselines import MeanImage
from anomgan.detectors.heatmaps import level_of_area
from anomgan.errors import InputError, SettingsError

SCORE = {"smallest_defect": 400.0, "pixels_per_mm": 4.0, "standardise": False, "smooth": 0.0}
WHOLE = {
    "view": {"size": 64},
    "image": {"lighting": "keep"},
    "calibration": {"minimum": 10, "false_alarm_rate": 0.1},
}


@pytest.fixture(scope="module")
def good():
    rng = np.random.default_rng(0)
    return [rng.normal(100, 5, (128, 128)).clip(0, 255).astype(np.uint8) for _ in range(30)]


@pytest.fixture(scope="module")
def fitted(good):
    """A model that counts 400 square pixels, 100 of the pixels that it sees, and more."""
    return MeanImage(device="cpu", score=SCORE, **WHOLE).fit(good)


def marked(image, side, value):
    image = image.copy()
    image[40 : 40 + side, 60 : 60 + side] = value
    return image


def test_a_small_defect_makes_no_verdict_and_a_large_one_does(fitted, good):
    plain = MeanImage(device="cpu", score=SCORE | {"smallest_defect": None}, **WHOLE).fit(good)
    small, large = marked(good[0], 12, 160), marked(good[0], 24, 140)
    assert plain.score(small).is_anomalous
    assert not fitted.score(small).is_anomalous
    result = fitted.score(marked(large, 4, 160))
    assert result.is_anomalous
    assert result.score == level_of_area(result.heat, 100)
    (region,) = result.regions  # noise that touches the defect belongs to its region
    assert region.x <= 60 < 84 <= region.x + region.width + 1 and region.area >= 400


def test_good_images_are_calibrated_by_the_same_rule(fitted, good):
    threshold, new = fitted.fitted.calibration.threshold, [image[::-1] for image in good]
    again = fitted.recalibrate(new).fitted.calibration
    assert again.scores == pytest.approx(sorted(result.score for result in fitted.score(new)))
    assert again.threshold == pytest.approx(threshold, rel=0.2)


def test_regions_are_given_in_mm_too(fitted, good, tmp_path):
    row = fitted.score(marked(good[0], 24, 140)).as_dict()
    (region,) = row["regions"]
    for name in ("x", "y", "width", "height"):
        assert region[f"{name}_mm"] == pytest.approx(region[name] / 4)
    assert region["area_mm2"] == pytest.approx(region["area"] / 16)
    fitted.save(tmp_path / "model")
    card = model_card(tmp_path / "model")
    assert "Scale: 4 pixels per mm" in card and "below 400 px² (25 mm²) make no verdict" in card
    assert load(tmp_path / "model", "cpu").score(good[0]).pixels_per_mm == 4


def test_a_smallest_defect_that_cannot_be_is_refused(good):
    with pytest.raises(InputError, match=r"20000 px², is larger than what counts of .* 128 x 128"):
        MeanImage(score=SCORE | {"smallest_defect": 2e4}, **WHOLE).fit(good)
    with pytest.raises(SettingsError, match="pixels_per_mm"):
        GANomaly(**TINY, score={"pixels_per_mm": float("inf")})


def test_areas_are_in_square_pixels_or_square_millimetres():
    assert read_area("200px2", None) == read_area(" 200 px²", 3) == 200
    assert read_area("9mm2", 12.5) == pytest.approx(9 * 156.25)
    assert read_area(".5mm²", 2) == 2
    for wrong in ("9", "9px", "9 mm", "-9px2", "nine"):
        with pytest.raises(InputError, match="give an area such as 200px2 or 9mm2"):
            read_area(wrong, 1)
    with pytest.raises(InputError, match="give the scale as well, --pixels-per-mm"):
        read_area("9mm2", None)
