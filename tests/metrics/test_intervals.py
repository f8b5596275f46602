import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from anomgan.errors import InputError
from anomgan.metrics import intervals
from anomgan.metrics.detection import auroc
from anomgan.metrics.intervals import auroc_interval, compare_auroc


def scored(rng, n, gap):
    labels = np.arange(n) % 2
    return labels, rng.normal(size=n) + gap * labels


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 3)), min_size=2))
def test_the_area_of_a_sample_is_that_of_scikit_learn(images):
    y, scores, weights = np.array(images).T
    if not 0 < weights[y == 1].sum() < weights.sum():
        return
    expected = roc_auc_score(y, scores, sample_weight=weights)
    assert intervals._weighted(y, scores, weights) == pytest.approx(expected)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth = auroc(*scored(rng, 200_000, 1.0))
    covered = 0
    for _ in range(40):
        low, high = auroc_interval(*scored(rng, 80, 1.0))
        covered += low <= truth <= high
    assert 34 <= covered <= 40


def test_images_of_one_part_count_as_one():
    labels, scores = scored(np.random.default_rng(1), 40, 1.0)
    groups = [str(i) for i in range(40)] * 5
    low, high = auroc_interval(np.tile(labels, 5), np.tile(scores, 5), groups)
    wrong_low, wrong_high = auroc_interval(np.tile(labels, 5), np.tile(scores, 5))
    single_low, single_high = auroc_interval(labels, scores)
    assert high - low == pytest.approx(single_high - single_low, abs=0.03)
    assert high - low > 1.7 * (wrong_high - wrong_low)


def test_a_paired_comparison_tells_a_better_detector_from_an_equal_one():
    rng = np.random.default_rng(2)
    labels, good = scored(rng, 300, 2.0)
    worse = good + rng.normal(size=300) * 2
    found = compare_auroc(labels, good, worse)
    assert found.low > 0 and found.p_value < 0.01
    assert found.mean == pytest.approx(auroc(labels, good) - auroc(labels, worse))
    turned = compare_auroc(labels, worse, good)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    same = compare_auroc(labels, good, good)
    assert same.low <= 0 <= same.high and same.p_value == 1


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="not finite"):
        auroc_interval([0, 1], [0.0, np.nan])
