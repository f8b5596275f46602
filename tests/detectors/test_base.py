import numpy as np
import pytest

from anomgan import GANomaly
from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.errors import InputError, ModelError, SettingsError
from anomgan.metrics.detection import auroc
from conftest import TINY


@pytest.fixture(scope="module")
def fitted(line):
    settings = TINY | {"training": {"steps": 250, "batch_size": 16, "learning_rate": 1e-3}}
    return GANomaly(device="cpu", **settings).fit(line / "train" / "good")


def test_defects_on_parts_are_separated_and_located(fitted, line):
    labels, scores, inside, outside = [], [], [], []
    for kind in ("good", "stain", "dent"):
        for path in list_images(line / "test" / kind):
            result = fitted.score(path)
            labels.append(int(kind != "good"))
            scores.append(result.score)
            if kind == "stain":
                mask = read_image(line / "ground_truth" / kind / f"{path.stem}_mask.png") > 0
                inside.append(result.heatmap[mask].mean())
                outside.append(result.heatmap[~mask].mean())
    assert auroc(labels, scores) > 0.9
    assert np.mean(inside) > np.mean(outside) + 1


def test_a_result_is_whole(fitted, line):
    path = list_images(line / "test" / "stain")[0]
    result = fitted.score(path)
    assert result.image == str(path)
    assert result.heatmap.shape == (96, 96) and result.heatmap.dtype == np.float32
    assert result.reconstruction.shape == result.prepared.shape == (96, 96)
    assert result.reconstruction.dtype == np.uint8
    assert result.is_anomalous == (result.score > result.threshold)
    assert result.verdict == ("anomalous" if result.is_anomalous else "ok")
    assert set(result.as_dict()) >= {"image", "score", "p_value", "verdict", "regions"}


def test_paths_arrays_and_lists_give_the_same_scores(fitted, line):
    paths = list_images(line / "test" / "good")
    by_path = [fitted.score(str(path)).score for path in paths]
    arrays = [read_image(path) for path in paths]
    assert [result.score for result in fitted.score(paths)] == by_path
    assert [result.score for result in fitted.score(arrays)] == by_path
    assert fitted.score(np.dstack([arrays[0]] * 3)).score == pytest.approx(by_path[0], abs=1e-3)


def test_images_of_other_sizes_are_scored(fitted, rng):
    for shape in [(32, 32), (101, 57), (40, 300, 3)]:
        result = fitted.score(rng.integers(0, 256, shape, dtype=np.uint8))
        assert result.heatmap.shape == shape[:2]


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


def test_a_folder_with_few_images_is_refused(tmp_path, line):
    images = [read_image(path) for path in list_images(line / "train" / "good")]
    with pytest.raises(InputError, match="only 15 usable images; at least 16 are needed"):
        GANomaly(device="cpu", **TINY).fit(images[:15])


def test_groups_that_are_too_large_are_refused(tmp_path, line):
    rows = [f"{path.name},{'a' if i < 20 else 'b'}" for i, path in
            enumerate(list_images(line / "train" / "good"))]
    (tmp_path / "groups.csv").write_text("\n".join(["file,group", *rows]))
    made = GANomaly(device="cpu", **TINY)
    with pytest.raises(InputError, match="more groups are needed"):
        made.fit(line / "train" / "good", groups=tmp_path / "groups.csv")


def test_images_smaller_than_a_patch_are_named(fitted):
    with pytest.raises(InputError, match="20 x 90 pixels.*patch of 32 x 32"):
        fitted.score(np.zeros((90, 20), np.uint8))


def test_scoring_before_fitting_is_refused():
    with pytest.raises(ModelError, match="call fit first"):
        GANomaly(device="cpu").score(np.zeros((90, 90), np.uint8))


def test_devices_are_checked():
    with pytest.raises(SettingsError, match="choose auto, cpu, cuda or mps"):
        GANomaly(device="gpu")
