import json

import cv2
import numpy as np
import pytest
import timm
import torch
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st
from plates import SIDE, draw_plates
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F

from anomgan import EGBAD, AnoGAN, FAnoGAN, GANomaly, load
from anomgan.config import BackboneSettings
from anomgan.detectors.baselines import Principal
from anomgan.detectors.feature_space import FeatureSpace, Grid, as_maps, as_vectors
from anomgan.errors import InputError, ModelError, SettingsError, TrainingError
from anomgan.model_files import CARD, CHECKSUM, card_checksum

LINE = {
    "backbone": {"long_side": 256},
    "training": {"steps": 60, "batch_size": 64},
    "network": {"features": 64},
    "calibration": {"folds": 3, "false_alarm_rate": 0.2},
}
SHORT = {
    "backbone": {"long_side": 48, "directions": 16},
    "training": {"steps": 3, "batch_size": 16},
    "network": {"features": 16, "latent_dim": 4},
    "calibration": TINY["calibration"] | {"method": "held-out"},
}
ENCODER = {"encoder": {"steps": 3, "features": 16}}
METHODS = {
    GANomaly: SHORT,
    EGBAD: SHORT,
    FAnoGAN: SHORT | ENCODER,
    AnoGAN: SHORT | ENCODER | {"search": {"steps": 3}},
}


def _detector(method=GANomaly, **values):
    return method(device="cpu", space="features", **values)


@pytest.fixture(scope="module")
def fitted(line):
    return _detector(**LINE).fit(line / "train" / "good")


@pytest.fixture(scope="module")
def scored(fitted, line):
    """Results of the test images, and the mask of each; None for a good one."""
    paths = sorted((line / "test").glob("*/*.png"))
    masks = [line / "ground_truth" / path.parent.name / f"{path.stem}_mask.png" for path in paths]
    return fitted.score(paths), [
        cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) if mask.exists() else None for mask in masks
    ]


def test_defects_score_higher_than_good_parts(scored):
    results, masks = scored
    defective = [mask is not None for mask in masks]
    assert sum(defective) == 12 and len(defective) == 15
    assert roc_auc_score(defective, [result.score for result in results]) > 0.9
    assert all(0 < result.p_value <= 1 for result in results)


def test_the_heatmap_is_hottest_on_the_defect(scored):
    hits = []
    for result, mask in zip(*scored, strict=True):
        assert result.heatmap.shape == result.size == (96, 96)
        assert result.reconstruction is None
        if mask is not None:
            # Cells of 16 of the 256 pixels that the backbone sees: 6 of the image's own.
            near = cv2.dilate(mask, np.ones((25, 25), np.uint8)) > 0
            hits.append(near.flat[result.heatmap.argmax()])
    assert np.mean(hits) > 0.7


def test_regions_are_marked_on_anomalous_images_alone(scored):
    found = [(bool(result.regions), result.is_anomalous) for result in scored[0]]
    assert (True, True) in found
    assert (True, False) not in found


def test_regions_have_p_values_and_hot_ones_are_rare_in_good_images(fitted, scored):
    peaks = fitted.fitted.calibration.peaks
    for result in scored[0]:
        for region in result.regions:
            expected = (1 + (peaks >= region.peak).sum()) / (1 + len(peaks))
            assert region.p_value == pytest.approx(expected)
            assert region.peak <= result.heat.max() + 1e-6


def test_a_saved_model_gives_the_same_scores(fitted, scored, line, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = load(tmp_path / "model", "cpu")
    for path, expected in zip(sorted((line / "test").glob("*/*.png")), scored[0], strict=True):
        result = loaded.score(path)
        assert result.score == pytest.approx(expected.score, rel=1e-4, abs=1e-4)
        assert result.verdict == expected.verdict
        np.testing.assert_allclose(result.heat, expected.heat, rtol=1e-3, atol=1e-3)


def test_each_image_is_calibrated_by_the_network_that_has_not_seen_it(fitted, line):
    paths = sorted((line / "train" / "good").glob("*.png"))
    seen = [path.name for path in paths]
    calibration = fitted.fitted.calibration
    assert len(calibration.scores) == len(seen) == fitted.fitted.facts["training_images"]
    assert sorted(set(calibration.folds)) == [0, 1, 2] and len(fitted.members) == 3
    assert {row["training"] for row in fitted.fitted.history} == {1, 2, 3}
    # Training images score lower by the networks that have seen them, so lower on the whole.
    again = np.array([result.scores for result in fitted.score(paths)])
    assert again.shape == (len(paths), 3)
    assert again.mean() < calibration.scores.mean()


def test_all_networks_together_keep_to_the_minutes():
    training = {"steps": 10**6, "batch_size": 16, "minutes": 0.02}
    values = SHORT | {"training": training, "calibration": {"method": "folds", "minimum": 5}}
    facts = _detector(**values).fit(draw_plates(24, seed=4)).fitted.facts
    # 0.02 minutes are 1.2 s for all four; each takes at least one step, however slow it is.
    assert facts["seconds"] < 3 * 1.2


def test_a_model_of_folds_is_recalibrated_on_the_mean_of_its_networks(fitted, line, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = load(tmp_path / "model", "cpu")
    paths = sorted((line / "test" / "good").glob("*.png")) * 7
    arrays = [
        cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) + np.uint8(n) for n, path in enumerate(paths)
    ]
    loaded.recalibrate(arrays)
    assert loaded.fitted.calibration.folds is None
    result = loaded.score(arrays[0])
    assert result.score == pytest.approx(np.mean(result.scores))
    loaded.save(tmp_path / "again")
    assert load(tmp_path / "again", "cpu").score(arrays[0]).verdict == result.verdict


def test_groups_stay_in_one_fold_and_must_be_as_many_as_folds(line, tmp_path):
    plates = draw_plates(24, seed=3)
    for number, plate in enumerate(plates):
        cv2.imwrite(str(tmp_path / f"{number}.png"), plate)
    table = tmp_path / "groups.csv"
    rows = [f"{number}.png,{number % 2}" for number in range(24)]
    table.write_text("\n".join(["file,group", *rows]))
    settings = SHORT | {"calibration": {"method": "folds", "folds": 3}}
    with pytest.raises(InputError, match="2 groups; calibration.folds = 3 needs"):
        _detector(**settings).fit(tmp_path, groups=table)
    settings["calibration"] = {"method": "folds", "folds": 2, "false_alarm_rate": 0.4}
    detector = _detector(**settings).fit(tmp_path, groups=table)
    assert detector.fitted.calibration.groups == 2


def test_settings_of_the_other_way_to_calibrate_are_refused():
    with pytest.raises(SettingsError, match="method = folds: calibration.share has no effect"):
        _detector(calibration={"share": 0.2})
    with pytest.raises(SettingsError, match="method = held-out: calibration.folds has no effect"):
        _detector(calibration={"method": "held-out", "folds": 3})
    with pytest.raises(SettingsError, match="only available if space = features"):
        GANomaly(calibration={"method": "folds"})


def test_a_model_says_where_its_backbone_is_from_and_what_place_explains(fitted):
    facts = fitted.fitted.facts
    (backbone,) = facts["backbones"]
    assert backbone["name"] == "lite0" and backbone["licence"] == "Apache-2.0"
    assert len(backbone["sha256"]) == 64
    assert 0.1 <= facts["explained"] < 1
    assert facts["place"] == fitted.feature_space.describe()


@pytest.fixture(scope="module", params=METHODS, ids=lambda method: method.__name__)
def short(request):
    """Each method after a few steps, on grey images."""
    return _detector(request.param, **METHODS[request.param]).fit(draw_plates(20, seed=0))


def test_every_method_scores_images_of_any_kind(short, rng):
    shapes = [(SIDE, SIDE), (8, 8), (1, 300), (300, 1), (50, 70, 3), (8, 8, 3), (31, 97)]
    for shape in shapes:
        result = short.score(rng.integers(0, 256, shape, dtype=np.uint8))
        assert np.isfinite(result.score) and result.heatmap.shape == shape[:2]
        assert np.isfinite(result.heatmap).all()
    assert np.isfinite(short.score(np.zeros((SIDE, SIDE), np.uint8)).score)


def test_every_method_is_saved_and_loaded(short, tmp_path):
    short.save(tmp_path / "model")
    images = draw_plates(3, seed=9)
    expected = [result.score for result in short.score(images)]
    scores = [result.score for result in load(tmp_path / "model", "cpu").score(images)]
    assert scores == pytest.approx(expected, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("align", ["auto", "none"])
def test_colour_is_seen_by_a_model_of_colour_images(align):
    brass = [np.stack([one, one, one // 2], -1) for one in draw_plates(20, seed=0)]
    values = SHORT | {"backbone": SHORT["backbone"] | {"align": align}}
    detector = _detector(**values).fit(brass)
    assert detector.fitted.preparation.channels == 3
    one, other = detector.score(brass[0]), detector.score(brass[0][..., ::-1].copy())
    assert np.isfinite([one.score, other.score]).all() and one.score != other.score
    for shape in [(SIDE, SIDE), (8, 8), (1, 300, 3), (300, 1, 3)]:
        assert np.isfinite(detector.score(np.full(shape, 90, np.uint8)).score)


def test_images_of_mixed_sizes_are_learnt_from():
    plates = draw_plates(20, seed=0)
    mixed = [cv2.resize(one, (SIDE - number, SIDE + number)) for number, one in enumerate(plates)]
    detector = _detector(**SHORT).fit(mixed)
    results = detector.score(mixed[::5])
    assert np.isfinite([result.score for result in results]).all()
    assert [result.heatmap.shape for result in results] == [one.shape for one in mixed[::5]]


def test_a_missing_part_is_found_where_parts_lie_still():
    """The plate goes on where the part was, so that nothing looks wrong but that it is gone."""
    values = LINE | {"backbone": {"long_side": 256}}
    good, new = draw_plates(30, seed=0), draw_plates(10, seed=1)
    detector = _detector(**values).fit(good)
    assert detector.feature_space.eigenmaps is not None
    missing = detector.score(draw_plates(3, seed=2, part=False))
    highest = max(result.score for result in detector.score(new))
    assert min(result.score for result in missing) > highest
    assert all(result.is_anomalous for result in missing)
    place = np.zeros((SIDE, SIDE), bool)
    place[12:24, 12:24] = True
    for result in missing:
        assert result.heatmap[place].mean() > 2 * abs(result.heatmap[~place].mean())


def test_without_alignment_there_are_no_eigenmaps():
    values = SHORT | {"backbone": SHORT["backbone"] | {"align": "none"}}
    detector = _detector(**values).fit(draw_plates(20, seed=0))
    assert detector.feature_space.eigenmaps is None
    assert detector.fitted.facts["place"] is None and detector.fitted.facts["explained"] is None


def test_less_is_explained_of_parts_that_lie_anywhere(rng):
    """Eigenmaps would take out of a new map what only another image has at that place."""
    still = draw_plates(24, seed=0, side=192)
    anywhere = [np.roll(one, rng.integers(0, 192, 2), (0, 1)) for one in still]
    explained = []
    for images in (still, anywhere):
        values = SHORT | {"backbone": {"long_side": 192, "augment": "none"}}
        explained.append(_detector(**values).fit(images).fitted.facts["explained"])
    assert 0 < explained[1] < 0.6 * explained[0] < explained[0] < 1


def test_images_that_are_all_alike_are_refused_or_learnt_without_a_nan(tmp_path):
    alike = draw_plates(1, seed=0) * 20
    with pytest.raises(InputError, match="19 of 20 images are copies"):
        _detector(**SHORT).fit(alike)
    paths = [tmp_path / f"{number}.png" for number in range(20)]
    for path, image in zip(paths, alike, strict=True):
        cv2.imwrite(str(path), image)
    table = tmp_path / "parts.csv"  # says that they show different parts
    table.write_text("\n".join(["file,part", *(f"{path.name},{path.stem}" for path in paths)]))
    detector = _detector(**SHORT).fit(paths, groups=table)
    one, other = detector.score(draw_plates(2, seed=0))
    assert np.isfinite([one.score, other.score]).all()
    assert one.score < other.score


def test_one_group_to_learn_from_is_enough(tmp_path):
    """The other one is held out, so that nothing says what images of different groups share."""
    for number, image in enumerate(draw_plates(24, seed=0)):
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), image)
    rows = [f"{number:02d}.png,{'first' if number < 12 else 'second'}" for number in range(24)]
    (tmp_path / "groups.csv").write_text("\n".join(["image,group", *rows]))
    detector = _detector(**SHORT).fit(
        [tmp_path / f"{number:02d}.png" for number in range(24)], groups=tmp_path / "groups.csv"
    )
    assert np.isfinite(detector.score(tmp_path / "00.png").score)
    assert detector.feature_space.eigenmaps is None


def _no_reading(*_, **__):
    raise AssertionError("an image was read")


@pytest.mark.parametrize("kind", ["missing", "cut short", "of another network"])
def test_weights_that_cannot_be_used_are_named_before_any_image_is_read(
    kind, tmp_path, monkeypatch
):
    monkeypatch.setattr("anomgan.detectors.reading.read_normals", _no_reading)
    file = tmp_path / "mine.safetensors"
    if kind != "missing":
        network = "tf_efficientnet_lite0" if kind == "cut short" else "resnet18"
        save_file(timm.create_model(network, pretrained=False).state_dict(), file)
    if kind == "cut short":
        file.write_bytes(file.read_bytes()[:100_000])
    values = SHORT | {"backbone": {"weights": str(file)}}
    with pytest.raises(InputError, match=r"mine\.safetensors"):
        _detector(**values).fit(draw_plates(20, seed=0))


def test_a_misspelt_backbone_is_answered_by_names_that_are_near(monkeypatch):
    monkeypatch.setattr("anomgan.detectors.reading.read_normals", _no_reading)
    with pytest.raises(SettingsError, match=r"'resnet19' is unknown.*did you mean: .*resnet18"):
        _detector(backbone={"name": "resnet19"}).fit(draw_plates(20, seed=0))


def test_a_method_that_knows_pixels_alone_says_so():
    with pytest.raises(SettingsError, match="pca works on pixels only"):
        _detector(Principal)


@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([Grid(16, 16), Grid(8, 16), Grid(14, 28)]),
)
def test_cells_of_a_surrounded_image_are_those_of_the_image(height, width, grid):
    image = np.random.default_rng(0).integers(1, 256, (height, width, 1), dtype=np.uint8)
    padded = grid.surround(image)
    assert not padded.shape[0] % grid.multiple and not padded.shape[1] % grid.multiple
    start = grid.multiple
    np.testing.assert_array_equal(padded[start : start + height, start : start + width], image)
    means = F.avg_pool2d(torch.from_numpy(padded).float().movedim(-1, 0)[None], grid.stride)
    cells = grid.crop(means, image.shape)
    rows, columns = -(-height // grid.stride), -(-width // grid.stride)
    assert cells.shape == (1, 1, rows, columns)
    inside = height // grid.stride, width // grid.stride  # cells that lie in the image whole
    if min(inside):
        own = F.avg_pool2d(torch.from_numpy(image).float().movedim(-1, 0)[None], grid.stride)
        torch.testing.assert_close(cells[..., : inside[0], : inside[1]], own)


def test_maps_of_another_size_are_cut_to_the_cells_of_the_image():
    grid, image = Grid(16, 16), np.zeros((50, 33, 1), np.uint8)
    eigen_sized = torch.rand(2, 3, 9, 4)
    assert grid.crop(eigen_sized, image.shape).shape == (2, 3, 4, 3)


def test_vectors_become_the_map_that_they_are_from():
    features = torch.randn(2, 5, 3, 4)
    vectors = as_vectors(features)
    assert vectors.shape == (24, 5, 1, 1)
    assert torch.equal(vectors[17, :, 0, 0], features[1, :, 1, 1])
    assert torch.equal(as_maps(vectors, features), features)
    assert torch.equal(as_maps(vectors[:, :1], features), features[:, :1])


@pytest.mark.parametrize(
    ("shapes", "side"),
    [
        ([(1024, 1024, 3)], 512),
        ([(500, 1250)], 810),  # 810 x 324 pixels are as many as 512 x 512
        ([(500, 1250), (1250, 500)], 810),
        ([(300, 600)], 600),  # not enlarged
        ([(100, 300)], 512),  # as small square ones are
        ([(1, 5000)], 4096),
    ],
)
def test_thin_images_get_as_many_pixels_as_square_ones(shapes, side):
    assert FeatureSpace(BackboneSettings()).long_side(shapes) == side
    assert FeatureSpace(BackboneSettings(long_side=64)).long_side(shapes) == 64


def test_a_fit_is_not_resumed_with_another_size_of_image(tmp_path):
    plates = draw_plates(20, seed=0)
    _detector(**SHORT).fit(plates, work_folder=tmp_path)
    values = SHORT | {"backbone": SHORT["backbone"] | {"long_side": 64}}
    with pytest.raises(TrainingError, match="other images or backbone settings"):
        _detector(**values).fit(plates, work_folder=tmp_path, resume=True)
    again = _detector(**SHORT).fit(plates, work_folder=tmp_path, resume=True)
    assert np.isfinite(again.score(plates[0]).score)


@pytest.mark.parametrize("place", [{}, {"shape": [1, 2]}, {"shape": "x", "components": 3}, [1]])
def test_a_damaged_description_of_place_is_a_model_error(short, tmp_path, place):
    short.save(tmp_path / "model")
    path = tmp_path / "model" / CARD
    card = json.loads(path.read_text())
    card["training"]["place"] = place
    path.write_text(json.dumps(card | {CHECKSUM: card_checksum(card)}))
    with pytest.raises(ModelError, match="damaged"):
        load(tmp_path / "model", "cpu")
