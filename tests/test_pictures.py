import numpy as np
import pytest
from PIL import Image

from anomgan.errors import InputError
from anomgan.pictures import save_grid, save_histogram, save_overlay, save_roc


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("shape", [(28, 28), (200, 300, 3), (100, 600), (1400, 500)])
def test_overlays_of_any_image_are_pictures_of_sensible_size(tmp_path, rng, shape):
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    save_overlay(tmp_path / "o.png", image, np.zeros(shape[:2], np.float32), threshold=1.0)
    height, width = pixels(tmp_path / "o.png").shape[:2]
    assert 250 < height < 1500
    assert width > height * shape[1] / shape[0]


def test_only_what_is_hot_changes_the_photograph(tmp_path):
    image = np.full((256, 256), 120, np.uint8)
    cold, hot = np.zeros((256, 256), np.float32), np.zeros((256, 256), np.float32)
    hot[180:200, 40:60] = 5.0
    for name, heat in (("cold", cold), ("hot", hot), ("warm", cold + 0.4)):
        save_overlay(tmp_path / f"{name}.png", image, heat, threshold=1.0)
    plain = pixels(tmp_path / "cold.png")
    assert (plain == pixels(tmp_path / "warm.png")).all(), "below half the threshold: unchanged"
    rows, columns = np.nonzero((plain != pixels(tmp_path / "hot.png")).any(axis=2))
    assert len(rows) > 100
    assert np.ptp(rows) < 30 and np.ptp(columns) < 30


def test_a_threshold_below_zero_is_drawn(tmp_path):
    image = np.zeros((64, 64), np.uint8)
    save_overlay(tmp_path / "o.png", image, np.zeros((64, 64), np.float32), threshold=-2.0)
    assert (tmp_path / "o.png").exists()


@pytest.mark.parametrize("values", [[1.0] * 5, [0.1] * 50 + [100.0], [-1.0, 2.0, 3.0]])
def test_histograms_of_odd_scores_are_drawn(tmp_path, values):
    save_histogram(tmp_path / "h.png", {"good": np.array(values)}, values[-1], "scores")
    assert pixels(tmp_path / "h.png").std() > 5


def test_roc_and_grid_are_drawn(tmp_path, rng):
    points = np.array([0.0, 0.2, 1.0]), np.array([0.0, 0.9, 1.0]), 0.85
    save_roc(tmp_path / "roc.png", {"ganomaly": points}, "ROC")
    row = [rng.integers(0, 256, (20, 30), dtype=np.uint8), rng.random((20, 30))]
    save_grid(tmp_path / "grid.png", [row, row], ("image", "map"), ("one", "two"), "title")
    for name in ("roc.png", "grid.png"):
        assert pixels(tmp_path / name).std() > 5


def test_a_failing_write_leaves_the_old_picture(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(InputError, match="cannot write"):
        save_roc(tmp_path / "file" / "roc.png", {}, "")
    assert (tmp_path / "file").read_text() == "old"
