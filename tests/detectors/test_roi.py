"""The region of interest: what is outside of it changes nothing."""

import cv2
import numpy as np
import pytest
from conftest import TINY

from anomgan import GANomaly, load
from anomgan.cli.info import model_card
from anomgan.config_values import build_settings
from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.data.public_sets import read_pair
from anomgan.detectors.exporter import export_model
from anomgan.detectors.ganomaly import GANomalySettings
from anomgan.detectors.heatmaps import Scope, Statistics, judge
from anomgan.errors import InputError
from anomgan.evaluation.evaluate import evaluate
from anomgan.model_files import read_folder

LEFT = "0,0 0.5,0 0.5,1 0,1"
SPACES = {
    "features": {
        "space": "features",
        "backbone": {"long_side": 160, "directions": 16},
        "training": {"steps": 3, "batch_size": 16},
        "network": {"features": 8, "latent_dim": 4},
        "calibration": {"folds": 2, "false_alarm_rate": 0.2},
    },
    "pixels": TINY | {"image": {"lighting": "keep"}},
}


@pytest.fixture(scope="module")
def good(line):
    return [read_image(path) for path in list_images(line / "train" / "good")]


@pytest.fixture(scope="module")
def fitted(good, tmp_path_factory):
    """A model of each space that counts the left half: a mask of another size, and a polygon."""
    mask = tmp_path_factory.mktemp("masks") / "left.png"
    cv2.imwrite(str(mask), np.repeat(np.uint8([[255, 0]]), 20, 1).repeat(40, 0))
    given = {"features": mask, "pixels": LEFT}
    return {
        name: GANomaly(device="cpu", **settings).fit(good, roi=given[name])
        for name, settings in SPACES.items()
    }


def scribbled(image, columns):
    image = image.copy()
    image[30:60, columns] = np.random.default_rng(1).choice([0, 255], image[30:60, columns].shape)
    return image


@pytest.mark.parametrize("space", SPACES)
def test_a_defect_counts_inside_and_not_outside(fitted, good, space):
    plain, inside, outside = fitted[space].score(
        [good[0], scribbled(good[0], np.s_[10:30]), scribbled(good[0], np.s_[78:])]
    )
    assert inside.score > 1.5 * abs(plain.score)
    assert outside.score == pytest.approx(plain.score, abs=0.02 * (inside.score - plain.score))
    assert inside.is_anomalous
    for result in (plain, inside, outside):
        assert (result.heatmap[:, 48:] == result.heatmap.min()).all()
        assert result.heatmap[:, :48].std() > 0
    assert inside.regions and all(one.x + one.width <= 48 for one in inside.regions)


def test_what_good_images_show_outside_is_not_learnt(fitted, good, rng):
    littered = [image.copy() for image in good]
    for image in littered:
        image[:, 80:] = rng.integers(0, 256, image[:, 80:].shape)
    other = GANomaly(device="cpu", **SPACES["features"]).fit(littered, roi=LEFT).fitted
    expected = fitted["features"].fitted
    assert other.facts["explained"] == pytest.approx(expected.facts["explained"], abs=0.01)
    # Scores of good images are near 0; if the litter counted, they would be 0.6 and more.
    assert other.calibration.scores == pytest.approx(expected.calibration.scores, abs=0.1)
    assert other.usual.low["brightness"] == pytest.approx(expected.usual.low["brightness"])


def test_the_region_is_kept_in_the_model_and_in_an_exported_file(fitted, good, tmp_path):
    frames = [good[0], scribbled(good[1], np.s_[10:30])]
    expected = fitted["features"].score(frames)
    fitted["features"].save(tmp_path / "model")
    export_model(tmp_path / "model", tmp_path / "part.pt", "torchscript", frames)
    for model in (tmp_path / "model", tmp_path / "part.pt"):
        assert "Region of interest: 50% of the image, from 0% to 50% of" in model_card(model)
        for one, other in zip(load(model, "cpu").score(frames), expected, strict=True):
            assert one.score == pytest.approx(other.score, rel=1e-3, abs=1e-3)
            assert np.array_equal(one.inside, other.inside) and not one.inside.all()
            np.testing.assert_allclose(one.heat, other.heat, rtol=1e-3, atol=1e-3)


def test_a_model_counts_another_part_after_a_recalibration(patch_model, line, tmp_path):
    new = list_images(line / "test" / "good") * 3
    frames = [read_image(path) for path in new]
    detector = load(patch_model, "cpu")
    before = read_folder(patch_model, "")[1]
    detector.recalibrate(frames, roi=LEFT)
    spoiled = [scribbled(frame, np.s_[70:]) for frame in frames]
    assert not any(result.is_anomalous for result in detector.score(spoiled))
    assert any(result.is_anomalous for result in load(patch_model, "cpu").score(spoiled))
    scores = sorted(result.score for result in detector.score(frames))
    assert detector.fitted.calibration.scores == pytest.approx(scores)
    detector.save(tmp_path / "model")
    again = load(tmp_path / "model", "cpu").recalibrate(frames)  # the region stays
    assert again.fitted.calibration.scores == pytest.approx(scores)
    assert read_folder(tmp_path / "model", "")[1].keys() - before.keys() == {"roi"}


@pytest.mark.parametrize("roi", ["0,0 0.05,0 0,0.05", np.ones((40, 60), bool), "0,0 1,1"])
def test_a_wrong_region_is_refused_before_the_training(good, roi, tmp_path):
    detector = GANomaly(device="cpu", **SPACES["features"])
    problem = "less than one place of the map, 16 x 16|60 : 40, but image 0 is 96 x 96|has 2"
    with pytest.raises(InputError, match=problem):
        detector.fit(good, roi=roi, work_folder=tmp_path)
    assert not list(tmp_path.iterdir())


def _marked(columns):
    mask = np.zeros((96, 96), np.uint8)
    mask[30:60, columns] = 255
    return mask


def test_an_evaluation_counts_the_pixels_inside(fitted, good, tmp_path):
    for name, image in {
        "ok/0": good[0],
        "bad/0": scribbled(good[1], np.s_[10:30]),
        "bad/1": scribbled(good[2], np.s_[78:]),
        "mask/0": _marked(np.s_[10:30]),
        "mask/1": _marked(np.s_[78:]),
    }.items():
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), image)
    images = read_pair(tmp_path / "ok", tmp_path / "bad", tmp_path / "mask")
    found = evaluate(fitted["features"], images)
    assert found.pixel_auroc > 0.9  # 0.75 at most, if the defect outside had to be found
    assert [path.name for path in found.masks.empty] == ["1.png"]


def test_background_score_and_statistics_are_those_of_a_map_without_its_outside(rng):
    maps = [rng.normal(3, 1, (12, 20)) for _ in range(6)]
    scope = Scope(np.arange(20) < np.full((12, 1), 8))
    weights = {"squared": 1.0, "residual": 0.0, "contrast": 0.0, "latent": 0.0}
    settings = build_settings(
        GANomalySettings,
        {
            "score": {"background": 0.25, "top_share": 0.1},
            "weights": weights,
            "heatmap_weights": weights,
        },
    )
    for one in maps:
        one[:, 8:] *= 50
    statistics = Statistics.measure([{"squared": scope.of(one)} for one in maps], per_pixel=False)
    cut = Statistics.measure([{"squared": one[:, :8]} for one in maps], per_pixel=False)
    score, heat = judge(settings, {"squared": maps[0]}, statistics, scope)
    expected, inside = judge(settings, {"squared": maps[0][:, :8]}, cut)
    assert score == pytest.approx(expected)
    assert np.allclose(heat[:, :8], inside) and (heat[:, 8:] == inside.min()).all()
