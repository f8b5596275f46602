import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from anomgan.config import ScoreSettings
from anomgan.config_values import build_settings
from anomgan.detectors.evidence import compare, contrast_map, residual_map
from anomgan.detectors.ganomaly import GANomalySettings
from anomgan.detectors.heatmaps import (
    Statistics,
    combine,
    find_regions,
    judge,
    level_of_area,
    pool,
)


def test_statistics_of_maps_of_any_size_are_those_of_all_pixels(rng):
    maps = [rng.normal(3, 2, (40, 40)) for _ in range(20)]
    statistics = Statistics.measure([{"residual": m} for m in maps], per_pixel=False)
    everything = np.stack(maps)
    standard = statistics.standardise("residual", everything[0])
    expected = (everything[0] - everything.mean()) / everything.std()
    assert np.allclose(standard, expected, atol=1e-4)


def test_statistics_per_pixel_know_where_normal_images_are_restless(rng):
    maps = [rng.normal(1, 0.1, (60, 60)).astype(np.float32) for _ in range(50)]
    for m in maps:
        m[:, :30] *= 10
    statistics = Statistics.measure([{"residual": m} for m in maps], per_pixel=True)
    same = np.full((60, 60), 10.0)
    standard = statistics.standardise("residual", same)
    assert abs(standard[:, :20]).max() < 1.5
    assert standard[:, 40:].min() > 5
    assert statistics.standardise("residual", np.zeros((30, 90))).shape == (30, 90)
    assert statistics.image_shape == (60, 60)


def test_only_what_is_asked_of_the_difference_is_worked_out(rng):
    prepared = rng.integers(0, 256, (20, 30, 1), dtype=np.uint8)
    rebuilt = rng.uniform(-1, 1, (20, 30, 1)).astype(np.float32)
    everything = compare(prepared, rebuilt, 1.0, {"residual", "squared", "contrast"})
    assert compare(prepared, rebuilt, 1.0, {"latent"}) == {}
    assert set(compare(prepared, rebuilt, 1.0, {"squared"})) == {"squared"}
    for name, values in everything.items():
        assert np.array_equal(compare(prepared, rebuilt, 1.0, {name})[name], values)


def test_a_pixel_that_never_moves_does_not_divide_by_zero():
    statistics = Statistics.measure([{"latent": np.ones((8, 8))}] * 3, per_pixel=True)
    assert np.isfinite(statistics.standardise("latent", np.zeros((8, 8)))).all()


def test_evidence_is_weighted_and_summed():
    evidence = {"latent": np.full((2, 2), 3.0), "residual": np.full((2, 2), 5.0)}
    statistics = Statistics({})
    weights = {"latent": 0.5, "residual": 2.0}
    assert (combine(evidence, weights, statistics, False) == 11.5).all()
    assert (combine(evidence, {"latent": 1.0, "residual": 0.0}, statistics, False) == 3).all()


@pytest.mark.parametrize(("share", "expected"), [(1e-9 + 0.001, 99), (0.1, 94.5), (1.0, 49.5)])
def test_pooling_is_the_mean_of_the_hottest_share(share, expected):
    heatmap = np.random.default_rng(0).permutation(100).reshape(10, 10).astype(np.float32)
    assert pool(heatmap, ScoreSettings(top_share=share)) == pytest.approx(expected)


def test_a_score_above_the_threshold_always_has_a_region(rng):
    for _ in range(20):
        heatmap = rng.normal(size=(30, 30)).astype(np.float32)
        score = pool(heatmap, ScoreSettings(top_share=0.01))
        assert find_regions(heatmap, score - 1e-3)


def test_regions_are_boxes_around_what_is_hot_hottest_first():
    heatmap = np.zeros((20, 30), np.float32)
    heatmap[2:5, 3:9] = 2
    heatmap[10:12, 20:21] = 7
    first, second = find_regions(heatmap, 1)
    assert (first.x, first.y, first.width, first.height, first.peak) == (20, 10, 1, 2, 7)
    assert (first.area, second.area) == (2, 18)
    assert (second.x, second.y, second.width, second.height, second.peak) == (3, 2, 6, 3, 2)
    assert find_regions(heatmap, 7) == []


def test_grain_cancels_in_the_residual_and_a_defect_does_not(rng):
    difference = rng.choice([-0.2, 0.2], (60, 60, 1)).astype(np.float32)
    difference[20:30, 20:30] = 0.2
    assert np.allclose(residual_map(difference, 0), 0.2)
    smoothed = residual_map(difference, 2)
    assert smoothed[23:27, 23:27].min() > 2 * np.median(smoothed)


def test_contrast_counts_a_residual_against_its_surroundings():
    residual = np.full((200, 200), 0.1, np.float32)
    residual[:, 100:] = 0.4
    residual[50, 50] += 0.2
    residual[50, 150] += 0.2
    contrast = contrast_map(residual)
    assert residual[50, 50] < residual[50, 150]
    assert contrast[50, 50] > contrast[50, 150]
    assert contrast[150, 150] < 1.0


def test_an_image_that_is_rebuilt_worse_all_over_scores_as_any_other(rng):
    score = {"standardise": False, "background": 0.25, "top_share": 0.01}
    weights = {"squared": 1.0, "residual": 0.0, "contrast": 0.0, "latent": 0.0}
    settings = build_settings(
        GANomalySettings, {"score": score, "weights": weights, "heatmap_weights": weights}
    )
    calm = rng.random((40, 40)).astype(np.float32)
    defect = calm.copy()
    defect[:5, :5] += 3
    found = [judge(settings, {"squared": m}, Statistics({}))[0] for m in (calm, calm + 7, defect)]
    assert found[0] == pytest.approx(found[1], abs=1e-4)
    assert found[2] > found[0] + 2


@pytest.mark.parametrize(
    ("area", "level"), [(0.3, 9), (1, 9), (1.1, 6), (3, 5), (4, 5), (4.5, 2), (6, 2), (7, 1)]
)
def test_the_level_of_an_area_is_that_of_the_hottest_region_as_large(area, level):
    heatmap = np.array(
        [
            [9, 1, 1, 1, 1, 1],
            [1, 1, 1, 5, 6, 1],
            [1, 1, 1, 6, 5, 1],
            [1, 1, 2, 1, 1, 1],  # it touches the 6 at a corner
            [1, 2, 1, 1, 8, 1],
        ],
        np.float32,
    )
    assert level_of_area(heatmap, area) == level
    inside = np.ones(heatmap.shape, bool)
    inside[:3] = False
    assert level_of_area(heatmap, area, inside) == (8 if area <= 1 else 2 if area <= 2 else 1)


@given(arrays(np.int8, (6, 7), elements=st.integers(0, 5)), st.integers(1, 42))
def test_the_level_of_an_area_is_the_largest_value_of_an_area_opening(values, area):
    expected = [
        level
        for level in np.unique(values)
        if max(np.bincount(label(values >= level, np.ones((3, 3)))[0].ravel())[1:]) >= area
    ]
    assert level_of_area(values.astype(np.float32), area) == max(expected)
