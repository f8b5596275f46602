import numpy as np
import pytest
import torch
from conftest import TINY, a_callers_state
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from anomgan import AnoGAN, GANomaly, load
from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.detectors import steadiness
from anomgan.errors import InputError, ModelError, SettingsError

QUICK = TINY | {"training": {"steps": 2, "batch_size": 4}}
SMALL = {
    "image": {"lighting": "keep"},
    "view": {"kind": "whole", "size": 8},
    "network": {"features": 2, "latent_dim": 2, "bottleneck": "vector"},
    "training": {"steps": 1, "batch_size": 4},
    "calibration": {"minimum": 5, "share": 0.2, "false_alarm_rate": 0.2},
}


class OfTables(GANomaly):
    """Draws each row of a table as an image: scikit-learn's checks know tables alone."""

    def fit(self, X, y=None):
        return super().fit(drawn(validate_data(self, X, ensure_min_samples=2)))

    def score_samples(self, X):
        check_is_fitted(self)
        return super().score_samples(drawn(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


def drawn(table):
    """Rows [n, features] as images [n, 8, 4 * features], uint8."""
    grey = np.mod(16 * table + 128, 256).astype(np.uint8)  # equal rows alone are equal images
    return np.repeat(np.repeat(grey[:, None], 8, axis=1), 4, axis=2)


SCORE = "`score` gives a Result of each image: verdict, heatmap and regions, no single figure"
FEW = "learns from 10 or 12 rows; so few images cannot be learnt from and calibrated on"
FAILED = {
    "check_do_not_raise_errors_in_init_or_set_params": "a wrong setting is refused where it is "
    "written, not after 10,000 images are read",
    "check_no_attributes_set_in_init": "`settings` and `fitted` are there from the start",
    "check_dont_overwrite_parameters": "`networks` and `fitted` are public, without underscores",
    "check_fit_score_takes_y": SCORE,
    "check_n_features_in_after_fitting": SCORE,
    "check_pipeline_consistency": SCORE,
    "check_estimators_nan_inf": FEW,
    "check_classifier_data_not_an_array": FEW,
    "check_fit2d_1feature": FEW,
}
"""By scikit-learn's check why a detector of images does not pass it; it passes all others."""


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [OfTables(device="cpu", **SMALL)], expected_failed_checks=lambda estimator: FAILED
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def good(line):
    return list_images(line / "train" / "good")


@pytest.fixture(scope="module")
def fitted(good):
    return GANomaly(device="cpu", **QUICK).fit(good)


def test_signs_are_scikit_learns(fitted, line):
    paths = list_images(line / "test" / "stain") + list_images(line / "test" / "good")
    results = fitted.score(paths)
    scores = np.array([result.score for result in results])
    assert np.array_equal(fitted.score_samples(paths), -scores)
    margins = fitted.decision_function(paths)
    assert np.array_equal(margins, fitted.score_samples(paths) - fitted.offset_)
    assert np.array_equal(margins < 0, [result.is_anomalous for result in results])
    assert np.array_equal(fitted.predict(paths), np.where(margins < 0, -1, 1))


def test_images_come_in_many_ways(fitted, line):
    folder = line / "test" / "good"
    paths = list_images(folder)
    expected = fitted.score_samples(paths)
    arrays = [read_image(path) for path in paths]
    for images in (
        folder,
        str(folder),
        [str(path) for path in paths],
        arrays,
        np.stack(arrays),
        np.stack([np.dstack([one] * 3) for one in arrays]),
        [Image.open(path) for path in paths],
        np.array([str(path) for path in paths], dtype=object),
        np.array([str(path) for path in paths]),
    ):
        assert np.allclose(fitted.score_samples(images), expected, atol=1e-3), type(images)
    assert fitted.score(Image.open(paths[0])).score == -expected[0]
    assert fitted.score_samples(paths[0]).shape == (1,)


@pytest.mark.parametrize("wrong", [np.zeros((20, 5)), np.zeros((64, 64, 3), np.uint8), 3, [3, 4]])
def test_what_is_no_batch_of_images_is_refused(fitted, wrong):
    with pytest.raises(InputError, match=r"\[n, H, W\]|PIL"):
        fitted.score_samples(wrong)
    with pytest.raises(InputError, match=r"\[n, H, W\]|PIL"):
        GANomaly(device="cpu", **QUICK).fit(wrong)


def test_a_fit_to_arrays_is_a_fit_to_files(fitted, good, line):
    again = clone(fitted).fit(np.stack([read_image(path) for path in good]), None)
    paths = list_images(line / "test" / "good")
    assert again.fitted.facts["images"] == len(good)
    assert again.score_samples(paths).shape == fitted.score_samples(paths).shape


@pytest.mark.parametrize("space", ["pixels", "features"])
def test_the_callers_state_of_torch_does_not_matter_and_stays(images, tmp_path, space):
    calibration = SMALL["calibration"] | {"method": "held-out"}
    given = {"device": "cpu", "training": {"steps": 2}, "calibration": calibration}
    if space == "features":
        made = GANomaly(space=space, backbone={"long_side": 64}, **given)
    else:
        view = {"kind": "patch", "size": 16}
        made = AnoGAN(view=view, encoder={"steps": 2}, search={"steps": 5}, **given)
    zeros, others = images[0][:15], images[1][:2]
    expected = [result.score for result in clone(made).fit(zeros).score(others)]
    with torch.random.fork_rng(), a_callers_state():
        before = torch.get_rng_state()
        made.fit(zeros).save(tmp_path / "model")
        copy = load(tmp_path / "model", "cpu")
        assert torch.equal(torch.get_rng_state(), before)
        for one in (made, copy):
            assert [result.score for result in one.score(others)] == expected


def test_a_clone_is_unfitted_and_alike(fitted, good, line):
    copy = clone(fitted)
    assert copy.settings == fitted.settings
    with pytest.raises(NotFittedError):
        check_is_fitted(copy)
    with pytest.raises(ModelError, match="call fit first"):
        copy.predict(good)
    paths = list_images(line / "test" / "good")
    copy.fit(good)
    assert np.array_equal(copy.score_samples(paths), fitted.score_samples(paths))


def test_a_loaded_model_can_be_cloned_and_says_what_differs(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = load(tmp_path / "model", device="cpu")
    assert clone(loaded).settings == fitted.settings
    assert repr(loaded) == repr(fitted)
    assert "view={'size': 32}" in repr(loaded) and "loss" not in repr(loaded)


def test_parameters_are_read_and_set_by_section_and_key():
    made = GANomaly(training={"steps": 5})
    assert made.get_params(deep=False)["training"] == {"steps": 5}
    assert made.get_params()["training__steps"] == 5
    assert made.get_params()["training__ema"] == 0.995
    made.set_params(training__ema=0.5, seed=3)
    assert (made.settings.training.steps, made.settings.training.ema) == (5, 0.5)
    assert made.settings.seed == 3
    with pytest.raises(SettingsError, match="unknown parameter trainning__steps"):
        made.set_params(trainning__steps=3)
    with pytest.raises(SettingsError, match="training.steps = 0"):
        made.set_params(seed=4, training__steps=0)
    assert made.settings.seed == 3, "nothing is changed when something is wrong"


def test_what_was_learnt_goes_with_the_settings_it_was_learnt_with(fitted, good):
    made = clone(fitted).fit(good)
    made.set_params(score__smooth=2.0)
    with pytest.raises(ModelError, match="call fit first"):
        made.score(good[0])


def test_it_is_the_last_step_of_a_pipeline_and_searched_over_good_images(good):
    mirror = FunctionTransformer(lambda images: [np.fliplr(read_image(one)) for one in images])
    steps = make_pipeline(mirror, GANomaly(device="cpu", **QUICK))
    grid = {"ganomaly__training__steps": np.arange(1, 3), "ganomaly__seed": [0]}
    search = GridSearchCV(steps, grid, scoring=steadiness, cv=2, error_score="raise")
    search.set_params(estimator__ganomaly__calibration={"minimum": 5, "false_alarm_rate": 0.2})
    search.fit([*good, *good])
    assert np.isfinite(search.cv_results_["mean_test_score"]).any()
    assert set(search.predict(good[:3])) <= {-1, 1}


def test_steadiness_is_the_scatter_in_units_of_the_way_to_an_alarm():
    class Margins:
        def decision_function(self, images):
            return np.array(images)

    assert steadiness(Margins(), [2.0, 2.0, 2.0]) == 0
    assert steadiness(Margins(), [1.0, 2.0, 3.0]) == pytest.approx(-1 / 3)
    assert steadiness(Margins(), [10.0, 20.0, 30.0]) == pytest.approx(-1 / 3)
    assert steadiness(Margins(), [-2.0, -1.0, 3.0]) == -np.inf
