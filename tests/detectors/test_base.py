import warnings

import numpy as np
import pytest
import torch
from conftest import TINY

from anomgan import EGBAD, AnoGAN, FAnoGAN, GANomaly
from anomgan.data.decode import read_image
from anomgan.data.flange import DEFECTS, write_line
from anomgan.data.folders import list_images
from anomgan.detectors import load
from anomgan.detectors.result import tell_apart
from anomgan.errors import ImageWarning, InputError, ModelError, PromiseWarning, SettingsError
from anomgan.metrics.detection import auroc


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    write_line(folder, 60, 10, 5, size=128)
    return folder


@pytest.fixture(scope="module")
def fitted(parts):
    settings = {
        "image": {"lighting_radius": 0.08},
        "view": {"size": 32},
        "network": {"features": 16, "latent_dim": 16},
        "training": {"steps": 600, "batch_size": 16, "learning_rate": 5e-4},
    }
    return GANomaly(device="cpu", **settings).fit(parts / "train" / "good")


def test_defects_on_parts_are_separated_and_located(fitted, parts):
    good = [fitted.score(path).score for path in list_images(parts / "test" / "good")]
    for defect in DEFECTS:
        paths = list_images(parts / "test" / defect)
        results = fitted.score(paths)
        scores = [result.score for result in results]
        assert auroc([0] * len(good) + [1] * len(scores), good + scores) > 0.9, defect
        for path, result in zip(paths, results):
            mask = read_image(parts / "ground_truth" / defect / f"{path.stem}_mask.png") > 0
            assert result.heatmap[mask].max() > np.quantile(result.heatmap[~mask], 0.99)


def test_a_result_is_whole(fitted, parts):
    path = list_images(parts / "test" / "stain")[0]
    result = fitted.score(path)
    assert result.image == str(path)
    assert result.heatmap.shape == (128, 128) and result.heatmap.dtype == np.float32
    assert result.reconstruction.shape == result.prepared.shape == (128, 128)
    assert result.reconstruction.dtype == np.uint8
    assert result.is_anomalous == (result.score > result.threshold)
    assert result.verdict == ("anomalous" if result.is_anomalous else "ok")
    assert set(result.as_dict()) >= {"image", "score", "p_value", "verdict", "regions"}


def test_paths_arrays_and_lists_give_the_same_scores(fitted, parts):
    paths = list_images(parts / "test" / "good")
    by_path = [fitted.score(str(path)).score for path in paths]
    arrays = [read_image(path) for path in paths]
    assert [result.score for result in fitted.score(paths)] == by_path
    assert [result.score for result in fitted.score(arrays)] == by_path
    assert fitted.score(np.dstack([arrays[0]] * 3)).score == pytest.approx(by_path[0], abs=1e-3)


def test_images_of_other_sizes_are_scored(fitted, rng):
    for shape in [(32, 32), (101, 57), (40, 300, 3)]:
        result = fitted.score(rng.integers(0, 256, shape, dtype=np.uint8))
        assert result.heatmap.shape == shape[:2]


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_a_frame_that_shows_nothing_is_never_ok(fitted, tmp_path, grey):
    fitted.save(tmp_path / "model")
    frame = np.full((128, 128), grey, np.uint8)
    for detector in (fitted, load(tmp_path / "model", "cpu")):
        result = detector.score(frame)
        assert result.verdict == "anomalous"
        assert "not like the images learnt: " in result.reason and "no contrast" in result.reason
        assert result.p_value == pytest.approx(1 / (fitted.fitted.calibration.groups + 1))
        assert detector.predict([frame]).tolist() == [-1]


def test_good_parts_are_called_anomalous_for_no_other_reason_and_have_no_regions(fitted, parts):
    results = fitted.score(list_images(parts / "test" / "good"))
    assert [result.reason for result in results] == [None] * len(results)
    assert all(not result.regions for result in results if not result.is_anomalous)


def test_images_of_another_kind_are_warned_of_once(parts):
    made = GANomaly(device="cpu", **TINY).fit(parts / "train" / "good")
    image = read_image(list_images(parts / "test" / "good")[0])
    deep_colour = np.dstack([image, image, image // 2]).astype(np.uint16) * 257
    with pytest.warns(ImageWarning) as caught:
        result = made.score(deep_colour[:100])
    assert [str(one.message) for one in caught] == result.warnings
    assert [text.split()[0] for text in result.warnings] == ["colour", "images", "images"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = made.score(deep_colour[:100])
    assert again.warnings == result.warnings


def test_a_promise_weaker_than_asked_for_is_warned_of(line):
    settings = TINY | {"calibration": {"minimum": 6, "false_alarm_rate": 0.01}}
    with pytest.warns(PromiseWarning, match="takes at least 99 calibration images"):
        GANomaly(device="cpu", **settings).fit(line / "train" / "good")


@pytest.mark.parametrize(
    ("score", "threshold", "texts"),
    [
        (1.0, 20.0, ("1", "20")),
        (10.61, 10.58, ("10.61", "10.58")),
        (1.00002, 1.00001, ("1.00002", "1.00001")),
        (np.nextafter(14.4282, np.inf), 14.4282, ("just above 14.4", "14.4")),
        (14.4282, 14.4282, ("just below 14.4", "14.4")),
    ],
)
def test_scores_are_written_with_the_digits_that_tell_them_from_the_threshold(
    score, threshold, texts
):
    assert tell_apart(score, threshold) == texts


@pytest.mark.parametrize(
    "values",
    [
        {"view": {"kind": "whole", "size": 32}},
        {"network": {"features": 8, "latent_dim": 8, "bottleneck": "vector"}},
        {"image": {"channels": "rgb"}},
    ],
)
def test_every_view_scores_at_the_size_of_the_image(line, values):
    settings = {key: TINY.get(key, {}) | values.get(key, {}) for key in TINY | values}
    made = GANomaly(device="cpu", **settings).fit(line / "train" / "good")
    result = made.score(np.full((96, 70), 90, np.uint8))
    assert result.heatmap.shape == (96, 70)


def test_scores_in_bfloat16_are_nearly_those_in_float32(line):
    exact, rough = (
        GANomaly(device="cpu", **TINY, score={"precision": precision}).fit(line / "train" / "good")
        for precision in ("float32", "bfloat16")
    )
    paths = list_images(line / "test")
    scores = [[result.score for result in made.score(paths)] for made in (exact, rough)]
    assert scores[0] != scores[1]
    assert scores[0] == pytest.approx(scores[1], rel=0.05, abs=0.05)
    assert rough.score(paths[0]).heatmap.dtype == np.float32


def test_a_folder_with_few_images_is_refused(tmp_path, line):
    images = [read_image(path) for path in list_images(line / "train" / "good")]
    with pytest.raises(InputError, match="only 15 usable images; at least 16 are needed"):
        GANomaly(device="cpu", **TINY).fit(images[:15])


def test_many_copies_of_a_few_photographs_are_few_photographs(line, rng):
    images = [read_image(path) for path in list_images(line / "train" / "good")]
    copies = [
        np.clip(image + rng.integers(-1, 2, image.shape), 0, 255).astype(np.uint8)
        for image in images[:3]
        for _ in range(14)
    ]
    with pytest.warns(PromiseWarning, match="1 can promise no less than 50"):
        made = GANomaly(device="cpu", **TINY).fit(copies)
    assert made.fitted.facts["copies"] == 39
    with pytest.raises(InputError, match="27 of 28 images are copies.*only 1 different"):
        GANomaly(device="cpu", **TINY).fit(images[:1] * 28)
    with pytest.warns(ImageWarning, match="copies of other images: 5"):
        made = GANomaly(device="cpu", **TINY).fit([*images, *images[:5]])
    assert made.fitted.facts["groups"] == 24
    assert made.fitted.facts["copies"] == 5


def test_groups_that_are_too_large_are_refused(tmp_path, line):
    rows = [
        f"{path.name},{'a' if i < 20 else 'b'}"
        for i, path in enumerate(list_images(line / "train" / "good"))
    ]
    (tmp_path / "groups.csv").write_text("\n".join(["file,group", *rows]))
    made = GANomaly(device="cpu", **TINY)
    with pytest.raises(InputError, match="more groups are needed"):
        made.fit(line / "train" / "good", groups=tmp_path / "groups.csv")


def test_images_smaller_than_half_a_patch_are_named(fitted):
    with pytest.raises(InputError, match="15 x 90 pixels.*half a patch of 32 x 32"):
        fitted.score(np.zeros((90, 15), np.uint8))


def test_images_a_little_smaller_than_a_patch_are_scored(fitted, rng):
    image = rng.integers(0, 256, (90, 16), dtype=np.uint8)
    assert fitted.score(image).heatmap.shape == (90, 16)


def test_scoring_and_saving_before_fitting_are_refused(tmp_path):
    with pytest.raises(ModelError, match="call fit first"):
        GANomaly(device="cpu").score(np.zeros((90, 90), np.uint8))
    with pytest.raises(ModelError, match="call fit first"):
        GANomaly(device="cpu").save(tmp_path / "model")


@pytest.mark.parametrize("wrong", [None, 3, b"image", [None], [[0, 1], [2, 3]]])
def test_what_is_no_image_is_named(fitted, wrong):
    with pytest.raises(InputError, match="an image is of type (NoneType|int|bytes|list); give a"):
        fitted.score(wrong)


def test_devices_are_checked():
    with pytest.raises(SettingsError, match="choose auto, cpu, cuda or mps"):
        GANomaly(device="gpu")


@pytest.mark.parametrize("method", [GANomaly, EGBAD, FAnoGAN, AnoGAN])
@pytest.mark.parametrize("channels", ["auto", "rgb"])
def test_networks_that_cannot_be_built_are_found_before_images_are_read(
    method, channels, parts, monkeypatch
):
    def read(*_, **__):
        raise AssertionError("images are read")

    monkeypatch.setattr("anomgan.detectors.reading.read_normals", read)
    detector = method(device="cpu", view={"size": 36}, image={"channels": channels})
    with pytest.raises(SettingsError, match="36"):
        detector.fit(parts / "train" / "good")


def test_trying_the_networks_draws_nothing(parts, monkeypatch):
    """So that a seed gives what it always gave."""
    states = []

    def stop(*_):
        states.append(torch.get_rng_state())
        raise ZeroDivisionError

    monkeypatch.setattr("anomgan.detectors.fitting.read_good", stop)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        FAnoGAN(device="cpu", **TINY).fit(parts / "train" / "good")
    assert torch.equal(states[0], before)
