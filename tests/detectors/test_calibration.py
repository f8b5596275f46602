import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.detectors.calibration import Calibration, hold_out


def calibrate(scores, rate=0.1):
    return Calibration.from_scores(scores, scores, rate)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=50), st.integers(-1, 21))
def test_p_value_is_its_definition(scores, score):
    expected = (1 + sum(s >= score for s in scores)) / (1 + len(scores))
    assert calibrate(scores).p_value([score]) == pytest.approx(expected)


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=60),
    st.integers(-1, 21),
    st.floats(0.001, 0.9),
)
def test_above_the_threshold_is_the_same_as_a_p_value_within_the_rate(scores, score, rate):
    calibration = calibrate(scores, rate)
    flagged = calibration.p_value([score]) <= calibration.false_alarm_rate + 1e-12
    assert flagged == (score > calibration.threshold)


@given(st.lists(st.floats(0.1, 10), min_size=5, max_size=60), st.floats(-1e-6, 1e-6))
def test_a_held_out_image_keeps_its_verdict_when_it_is_rounded_in_another_way(scores, share):
    calibration = calibrate(scores, 0.3)
    for score in scores:
        rounded = score * (1 + share)
        assert calibration.p_value([rounded]) >= calibration.p_value([score])
        assert (rounded > calibration.threshold) <= (score > calibration.threshold)


@pytest.mark.parametrize(("n", "rate"), [(99, 0.01), (104, 0.01), (50, 0.1), (20, 0.05)])
def test_the_promise_is_kept_on_average(n, rate):
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(4000):
        threshold = calibrate(rng.exponential(size=n), rate).threshold
        rates.append(np.exp(-threshold))
    assert np.mean(rates) <= rate * 1.03
    assert np.mean(rates) >= 0.5 * rate


def test_the_interval_of_the_rate_covers_what_it_says():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(4000):
        calibration = calibrate(rng.exponential(size=80), 0.05)
        low, high = calibration.rate_interval()
        inside.append(low <= np.exp(-calibration.threshold) <= high)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_too_few_images_raise_the_rate_to_what_they_can_promise():
    calibration = calibrate(range(20), 0.01)
    assert calibration.false_alarm_rate == pytest.approx(1 / 21)
    assert calibration.requested_rate == 0.01
    (shortfall,) = calibration.shortfalls()
    assert "takes at least 99 calibration images" in shortfall
    assert calibration.threshold == pytest.approx(19, rel=1e-4)
    assert calibration.p_value([19.5]) <= calibration.false_alarm_rate
    assert calibrate(range(99), 0.01).false_alarm_rate == 0.01


def grouped(rng, groups, rate):
    """A calibration on groups of up to 6 images that differ more between than within groups."""
    names = np.repeat(np.arange(groups), rng.integers(1, 7, groups))
    scores = rng.normal(size=groups)[names] + 0.3 * rng.normal(size=len(names))
    return Calibration.from_scores(scores, scores, rate, names.tolist())


def test_images_of_one_group_count_as_one():
    calibration = Calibration.from_scores([1, 2, 3, 9], [1, 2, 3, 9], 0.4, list("aaab"))
    assert calibration.groups == 2
    assert calibration.p_value([10]) == pytest.approx(1 / 3)
    assert calibration.p_value([5]) == pytest.approx(2 / 3)
    assert calibration.p_value([3]) == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert calibration.threshold == pytest.approx(9, rel=1e-4)


def test_the_promise_is_kept_for_images_of_new_groups():
    rng = np.random.default_rng(0)
    alarms = [
        grouped(rng, 30, 0.1).p_value([rng.normal() + 0.3 * rng.normal()]) <= 0.1
        for _ in range(4000)
    ]
    assert 0.06 < np.mean(alarms) < 0.11


@given(st.integers(0, 10**6), st.floats(0.01, 0.9), st.floats(-3, 3))
def test_threshold_and_p_value_agree_with_groups(seed, rate, score):
    calibration = grouped(np.random.default_rng(seed), 12, rate)
    flagged = calibration.p_value([score]) <= calibration.false_alarm_rate + 1e-12
    assert flagged == (score > calibration.threshold)


@given(
    st.lists(st.integers(0, 15), min_size=20, max_size=120),
    st.floats(0.05, 0.4),
    st.integers(0, 1000),
)
def test_groups_are_never_divided(numbers, share, seed):
    groups = [f"tile {n}" for n in numbers]
    training, held = hold_out(groups, share, 5, seed)
    assert sorted(training + held) == list(range(len(groups)))
    assert not {groups[i] for i in training} & {groups[i] for i in held}
    assert len(held) >= max(5, share * len(groups))
    assert (training, held) == hold_out(groups, share, 5, seed)


def by_folds(scores, folds, rate=0.1, groups=None):
    return Calibration.from_scores(scores, scores, rate, groups, np.array(folds))


def test_each_score_is_compared_with_that_of_the_network_that_gave_it():
    calibration = by_folds([1, 4, 2, 8, 3], [0, 0, 1, 1, 1], rate=0.4)
    # Above 1 and 4 by the first network, above 2 and 3 but not 8 by the second.
    assert calibration.p_value([5, 6]) == pytest.approx(2 / 6)
    assert calibration.p_value([0, 9]) == pytest.approx(3 / 6)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2)), min_size=3, max_size=60),
    st.lists(st.integers(-1, 21), min_size=3, max_size=3),
    st.floats(0.001, 0.9),
)
def test_with_folds_the_score_says_what_the_p_value_says(known, each, rate):
    scores, folds = zip(*known)
    calibration = by_folds(scores, folds, rate)
    flagged = calibration.p_value(each) <= calibration.false_alarm_rate + 1e-12
    assert flagged == (calibration.score(each) > calibration.threshold)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2)), min_size=3, max_size=60),
    st.integers(-1, 21),
)
def test_the_score_of_networks_that_agree_is_theirs(known, score):
    scores, folds = zip(*known)
    assert by_folds(scores, folds).score([score] * 3) == pytest.approx(score)
    assert calibrate(scores).score([score] * 3) == score


def test_the_score_is_the_mean_unless_it_is_on_the_wrong_side_of_the_threshold():
    calibration = by_folds([1, 2, 3, 4, 5, 6], [0, 0, 0, 1, 1, 1], rate=0.3)
    assert calibration.threshold == pytest.approx(5, rel=1e-4)
    assert calibration.score([0, 4]) == 2
    assert calibration.score([8, 8]) == 8
    # Above all of the first fold and only one of the second, which is too few.
    assert calibration.p_value([9, 4.5]) == pytest.approx(3 / 7)
    assert calibration.score([9, 4.5]) == calibration.threshold


@pytest.mark.parametrize(("n", "rate"), [(40, 0.05), (100, 0.1)])
def test_with_folds_the_rate_is_kept_on_average(n, rate):
    """The networks are means of the other folds; scores are distances from them."""
    rng, false_alarms, worst = np.random.default_rng(0), [], []
    folds = np.arange(n) % 4
    for _ in range(4000):
        x, new = rng.normal(size=n), rng.normal()
        means = [x[folds != fold].mean() for fold in range(4)]
        calibration = by_folds(np.abs(x - np.array(means)[folds]), folds, rate)
        false_alarms.append(calibration.p_value(np.abs(new - np.array(means))) <= rate)
        worst.append(calibration.worst_rate)
    assert np.mean(false_alarms) == pytest.approx(rate, abs=0.015)
    assert np.mean(false_alarms) < min(worst)


def test_the_worst_rate_is_that_of_the_theorem():
    assert calibrate(range(99), 0.01).worst_rate == 0.01
    calibration = by_folds(range(100), np.arange(100) % 4, 0.1)
    assert calibration.worst_rate == pytest.approx(0.2 + 2 * 0.75 / 26)


def test_folds_are_stored_and_read():
    calibration = by_folds([3, 1, 2, 5], [0, 1, 0, 1])
    again = Calibration.from_dict(calibration.as_dict())
    assert again.folds.tolist() == [1, 0, 0, 1]
    assert again.p_value([2, 4]) == calibration.p_value([2, 4])
    with pytest.raises(ValueError, match="a fold for each score"):
        Calibration.from_dict(calibration.as_dict() | {"folds": [0, 1]})


def test_the_first_network_is_calibrated_by_its_own_fold():
    alone = by_folds([3, 1, 2, 5], [0, 1, 0, 1]).of_first_network()
    assert alone.scores.tolist() == [2, 3]
    assert alone.p_value([2.5]) == pytest.approx(2 / 3)


def test_what_the_threshold_would_be_without_the_highest_scores():
    scores, others = [3.0, 1, 9, 2, 50, 4], [3.0, 1, 9, 2, 4]
    calibration = Calibration.from_scores(scores, scores, 0.4)
    expected = Calibration.from_scores(others, others, 0.4)
    assert calibration.threshold_without(1) == expected.threshold
    assert calibration.threshold_without(5) == pytest.approx(1, rel=1e-4)
    assert calibration.threshold_without(6) is None


def test_a_region_is_compared_with_the_hottest_of_each_good_image():
    heat, peaks = [1.0, 2, 3, 4], [5.0, 8, 6, 7]
    calibration = Calibration.from_scores([1, 2, 3, 4], heat, 0.2, peaks=peaks)
    assert [calibration.region_p_value(x) for x in (9, 7, 5.5, 1)] == pytest.approx(
        [1 / 5, 3 / 5, 4 / 5, 1]
    )
    assert calibration.heat_threshold == 4
    asked = Calibration.from_scores([1, 2, 3, 4], heat, 0.2, peaks=peaks, region_rate=0.4)
    assert asked.heat_threshold == 7  # one good image in four has a hotter region
    assert not list(asked.shortfalls())
    rare = Calibration.from_scores([1, 2, 3, 4], heat, 0.2, peaks=peaks, region_rate=0.1)
    (shortfall,) = rare.shortfalls()
    assert "a region rate of 10.00% takes at least 9 calibration images; 4 can" in shortfall
    again = Calibration.from_dict(asked.as_dict())
    assert again.heat_threshold == 7 and again.region_p_value(9) == pytest.approx(1 / 5)


def test_of_an_earlier_model_the_p_value_of_regions_is_not_known():
    stored = calibrate([1, 2, 3, 4]).as_dict()
    del stored["peaks"], stored["peak_weights"]
    earlier = Calibration.from_dict(stored)
    assert earlier.region_p_value(3) is None and earlier.heat_threshold == 4
