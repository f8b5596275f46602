import matplotlib
import numpy as np
import pytest
from conftest import file_limit
from PIL import Image

from anomgan.errors import InputError
from anomgan.pictures import (
    save_curves,
    save_grid,
    save_histogram,
    save_overlay,
    save_precision_recall,
    save_roc,
    save_samples,
)
from anomgan.pictures.sheet import save_sheet


def pixels(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def occurrences(picture, photograph):
    """Places at which `photograph` stands in `picture`, pixel by pixel."""
    height, width = photograph.shape[:2]
    rgb = np.dstack([photograph] * 3) if photograph.ndim == 2 else photograph
    starts = np.argwhere((picture == rgb[0, 0]).all(axis=2))
    return [
        (y, x) for y, x in starts if np.array_equal(picture[y : y + height, x : x + width], rgb)
    ]


@pytest.mark.parametrize(
    ("shape", "zoom"),
    [((28, 28), 10), ((100, 600), 3), ((200, 300, 3), 2), ((373, 248), 1), ((300, 200, 3), 1)],
)
def test_a_good_part_is_shown_twice_unchanged_pixel_by_pixel(tmp_path, rng, shape, zoom):
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    heatmap = np.full(shape[:2], 0.99, np.float32)
    save_overlay(tmp_path / "o.png", image, heatmap, threshold=1.0, title="a good part")
    shown = image.repeat(zoom, axis=0).repeat(zoom, axis=1)
    assert len(occurrences(pixels(tmp_path / "o.png"), shown)) == 2


@pytest.mark.parametrize("shape", [(1400, 500), (3000, 2000, 3), (10, 2000), (2000, 10)])
def test_overlays_of_large_and_narrow_images_have_a_sensible_size(tmp_path, shape):
    image = np.full(shape, 90, np.uint8)
    save_overlay(tmp_path / "o.png", image, np.zeros(shape[:2], np.float32), threshold=1.0)
    height, width = pixels(tmp_path / "o.png").shape[:2]
    assert height <= 1250 and width <= 8400


@pytest.mark.parametrize("threshold", [1.0, 0.01, 0.0, -2.0])
def test_only_what_is_above_the_threshold_changes_the_photograph(tmp_path, threshold):
    image = np.full((256, 256), 120, np.uint8)
    cold = np.full((256, 256), threshold, np.float32)
    hot = cold.copy()
    hot[180:200, 40:60] += 0.3 * (abs(threshold) or 1)
    for name, heat in (("colder", cold - 5), ("cold", cold), ("hot", hot)):
        save_overlay(tmp_path / f"{name}.png", image, heat, threshold=threshold)
    plain = pixels(tmp_path / "cold.png")
    assert (plain == pixels(tmp_path / "colder.png")).all()
    change = np.abs(pixels(tmp_path / "hot.png") - plain).max(axis=2)
    rows, columns = np.nonzero(change)
    assert len(rows) == 20 * 20 and np.ptp(rows) == np.ptp(columns) == 19
    assert change[change > 0].min() > 40, "what is above the threshold must be plain to see"


def test_heat_above_twice_the_threshold_looks_the_same_in_every_image(tmp_path):
    image = np.full((256, 256), 120, np.uint8)
    for peak in (2, 50):
        heatmap = np.zeros((256, 256), np.float32)
        heatmap[100:120, 100:120] = peak
        save_overlay(tmp_path / f"{peak}.png", image, heatmap, threshold=1.0)
    assert (pixels(tmp_path / "2.png") == pixels(tmp_path / "50.png")).all()


def test_a_region_is_framed_and_its_inside_left_alone(tmp_path):
    image, heatmap = np.full((256, 256), 120, np.uint8), np.zeros((256, 256), np.float32)
    save_overlay(tmp_path / "without.png", image, heatmap, threshold=1.0)
    save_overlay(tmp_path / "with.png", image, heatmap, threshold=1.0, regions=[(100, 60, 40, 20)])
    change = (pixels(tmp_path / "with.png") != pixels(tmp_path / "without.png")).any(axis=2)
    rows, columns = np.nonzero(change)
    assert 20 <= np.ptp(rows) <= 26 and 40 <= np.ptp(columns) <= 46
    top, left = rows.min(), columns.min()
    assert not change[top + 4 : top + 18, left + 4 : left + 38].any()


@pytest.mark.parametrize("name", [r"price$\bad$.png", "undecodable\udcff.png", "long" * 10])
def test_any_file_name_can_be_a_title(tmp_path, name):
    image = np.zeros((64, 64), np.uint8)
    save_overlay(tmp_path / "o.png", image, image.astype(np.float32), threshold=1.0, title=name)
    save_histogram(tmp_path / "h.png", {name: np.arange(3.0)}, 1.0, name)
    save_roc(tmp_path / "r.png", {name: (np.array([0, 1]), np.array([0, 1]), 0.5)}, name)
    save_grid(tmp_path / "g.png", [[image]], (name,), (name,), name)
    save_curves(tmp_path / "c.png", [{"step": 20, "generator": 0.5}], name)
    assert all(pixels(path).std() > 5 for path in tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    "values", [[1.0] * 5, [0.0] * 5, [1e20] * 5, [0.1] * 50 + [100.0], [-1.0, 2.0, 3.0]]
)
def test_histograms_of_odd_scores_show_bars_and_threshold(tmp_path, values):
    save_histogram(tmp_path / "h.png", {"good": np.array(values)}, values[-1], "scores")
    plot = pixels(tmp_path / "h.png")[60:380]
    blue = (plot[..., 2] - plot[..., 0] > 60).sum()
    assert blue > 500 and (plot.max(axis=2) < 40).sum() > 200


def test_every_curve_of_many_is_drawn(tmp_path):
    curves = {f"method {i}": (np.array([0, i / 10, 1]), np.array([0, 1, 1]), 1.0) for i in range(9)}
    save_roc(tmp_path / "nine.png", curves, "ROC")
    curves["method 8"] = curves["method 7"]
    save_roc(tmp_path / "twice.png", curves, "ROC")
    assert (pixels(tmp_path / "nine.png") != pixels(tmp_path / "twice.png")).any()


def blue_and_orange(path):
    """Where the first two curves of a panel are, the smoothed ones in full colour."""
    return [
        np.argwhere(np.abs(pixels(path) - colour).max(axis=2) < 30)
        for colour in ((0, 114, 178), (213, 94, 0))
    ]


def test_a_term_is_drawn_where_it_has_rows(tmp_path):
    rows = [{"step": 20 * i, "first": 0.0, "second": 1.0} for i in range(1, 101)]
    for row in rows[:50]:
        del row["second"]
    save_curves(tmp_path / "c.png", rows, "losses")
    first, second = (len(np.unique(places[:, 1])) for places in blue_and_orange(tmp_path / "c.png"))
    assert 0.4 < second / first < 0.6


def test_noise_is_smoothed_over_but_still_shown(tmp_path, rng):
    noise = [{"step": 20 * i, "loss": value} for i, value in enumerate(rng.normal(size=400), 1)]
    save_curves(tmp_path / "c.png", noise, "losses")
    smooth = blue_and_orange(tmp_path / "c.png")[0]
    sheet = pixels(tmp_path / "c.png")
    shown = np.argwhere(sheet[..., 2] - sheet[..., 0] > 30)
    assert np.ptp(shown[:, 0]) > 150
    rows = smooth[(smooth[:, 1] > 150) & (smooth[:, 1] < 500)][:, 0]
    assert np.percentile(rows, 95) - np.percentile(rows, 5) < 0.4 * np.ptp(shown[:, 0])


def test_what_has_a_scale_of_its_own_has_a_panel_of_its_own(tmp_path):
    def height(**terms):
        rows = [{"step": 20 * i} | terms for i in range(1, 30)]
        rows[0] |= {name: 0.5 for name in terms if name.startswith("some")}
        save_curves(tmp_path / "c.png", rows, "losses")
        return pixels(tmp_path / "c.png").shape[0]

    one = height(generator=1.0, discriminator=2.0)
    assert height(generator=1.0, generator_trains=1.0) == one
    assert height(generator=1.0, some_trains=1.0) == height(generator=1.0, wasserstein=30.0) > one
    assert height(generator=1.0, wasserstein=30.0, penalty=0.1) > height(wasserstein=1.0, penalty=1)


def test_a_grid_shows_photographs_as_they_are_and_maps_on_one_scale(tmp_path, rng):
    photograph = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    flat = [np.full((20, 30), value, np.float32) for value in (0.0, 0.5, 1.0)]
    rows = [[photograph, map_] for map_ in flat]
    save_grid(tmp_path / "g.png", rows, ("image", "map"), ("a", "b", "c"), "title")
    sheet = pixels(tmp_path / "g.png")
    for end in ((0, 0, 3), (252, 255, 164)):
        assert (np.abs(sheet - end).max(axis=2) <= 1).sum() > 1000, "both ends of the scale"
    colours = {tuple(c) for c in sheet.reshape(-1, 3)}
    assert {tuple(c) for c in photograph.reshape(-1, 3)} <= colours


def test_samples_stand_in_rows_with_names_above_their_columns(tmp_path):
    colours = np.array([[[250, 10, 10], [10, 250, 10]], [[10, 10, 250], [90, 90, 90]]], np.uint8)
    rows = [[np.full((12, 9, 3), colour, np.uint8) for colour in row] for row in colours]
    save_samples(tmp_path / "s.png", rows, ("a", "b"), "title")
    save_samples(tmp_path / "plain.png", [[image[..., 0] for image in row] for row in rows])
    sheet = pixels(tmp_path / "s.png")
    places = [
        np.argwhere((sheet == colour).all(axis=2)).mean(0) for colour in colours.reshape(4, 3)
    ]
    (top, left), (same_top, right), (bottom, same_left), _ = np.array(places)
    assert top == same_top < bottom and left == same_left < right
    assert {10, 90, 250} <= set(pixels(tmp_path / "plain.png").ravel())


def test_a_grid_with_limits_draws_equal_values_alike_in_all_columns(tmp_path):
    cold, hot = (np.full((20, 30), value, np.float32) for value in (0.0, 1.0))
    save_grid(tmp_path / "g.png", [[cold, hot]], ("a", "b"), limits=(0, 2))
    sheet = pixels(tmp_path / "g.png")
    for colour in ((0, 0, 3), (188, 55, 84)):  # the first and the middle one of inferno
        assert (np.abs(sheet - colour).max(axis=2) <= 1).sum() > 1000


def test_a_failing_write_leaves_the_old_picture(tmp_path):
    curve = {"a": (np.array([0, 1]), np.array([0, 1]), 0.5)}
    save_roc(tmp_path / "roc.png", curve, "old")
    old = (tmp_path / "roc.png").read_bytes()
    with file_limit(1000), pytest.raises(InputError, match="cannot write"):
        save_roc(tmp_path / "roc.png", curve, "new")
    assert (tmp_path / "roc.png").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["roc.png"]


OWN_STYLE = {"text.usetex": True, "savefig.dpi": 37, "savefig.bbox": "tight", "font.size": 20}


@pytest.mark.parametrize(
    "draw",
    [
        lambda path: save_histogram(path, {"a_b": np.arange(9.0)}, 3.0, "100% of $x"),
        lambda path: save_curves(path, [{"step": n, "loss": n / 2} for n in range(9)], "a_b"),
        lambda path: save_roc(path, {"a_b": (np.arange(3.0), np.arange(3.0), 0.5)}, "a_b"),
        lambda path: save_precision_recall(
            path, {"a_b": (np.arange(3.0), np.arange(3.0), 0.5)}, 0.5, "a_b"
        ),
        lambda path: save_grid(path, [[np.zeros((8, 8), np.uint8)]], ["a_b"], title="a_b"),
        lambda path: save_samples(path, [[np.zeros((8, 8), np.uint8)]], ["a_b"], "a_b"),
        lambda path: save_sheet(path, [np.zeros((8, 8), np.uint8)], ["a_b"], "a_b"),
        lambda path: save_overlay(
            path, np.zeros((64, 64), np.uint8), np.eye(64), threshold=0.5, title="a_b"
        ),
    ],
)
def test_a_users_own_style_changes_nothing(tmp_path, draw):
    draw(tmp_path / "before.png")
    with matplotlib.rc_context(OWN_STYLE):
        draw(tmp_path / "after.png")
        assert matplotlib.rcParams["savefig.dpi"] == 37
    assert (tmp_path / "after.png").read_bytes() == (tmp_path / "before.png").read_bytes()
