import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from anomgan.errors import InputError
from anomgan.metrics.detection import (
    auroc,
    average_precision,
    best_f1,
    fpr_at_95_tpr,
    roc_points,
)

LABELS = [0, 0, 1, 1]
SCORES = [0.1, 0.4, 0.35, 0.8]
ITEMS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=60)


def both_labels(items):
    labels, scores = np.array(items).T
    assume(0 < labels.sum() < len(labels))
    return labels, scores


@given(ITEMS)
def test_auroc_counts_pairs_and_half_of_the_ties(items):
    labels, scores = both_labels(items)
    bad, good = scores[labels == 1][:, None], scores[labels == 0][None]
    expected = ((bad > good) + 0.5 * (bad == good)).mean()
    assert auroc(labels, scores) == pytest.approx(expected)


@given(ITEMS)
def test_figures_agree_with_trying_every_threshold(items):
    labels, scores = both_labels(items)
    area, last_recall, f1, rates = 0.0, 0.0, [], []
    for threshold in sorted(set(scores), reverse=True):
        alarm = scores >= threshold
        hits = (alarm & (labels == 1)).sum()
        recall, precision = hits / labels.sum(), hits / alarm.sum()
        area += (recall - last_recall) * precision
        last_recall = recall
        f1.append(2 * hits / (alarm.sum() + labels.sum()))
        if recall >= 0.95:
            rates.append(alarm[labels == 0].mean())
    assert average_precision(labels, scores) == pytest.approx(area)
    assert best_f1(labels, scores) == pytest.approx(max(f1))
    assert fpr_at_95_tpr(labels, scores) == pytest.approx(min(rates))


def test_a_threshold_between_two_others_on_a_straight_curve_counts():
    # At each score one good and one anomalous image: 19 of 20 are found with 19 false alarms.
    scores = [*range(20), *range(20)]
    assert fpr_at_95_tpr([0] * 20 + [1] * 20, scores) == pytest.approx(0.95)


def test_figures_of_a_case_by_hand():
    assert auroc(LABELS, SCORES) == 0.75
    # Ranked 0.8 (bad), 0.4 (good), 0.35 (bad): precision 1 at half the recall, then 2/3.
    assert average_precision(LABELS, SCORES) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert best_f1(LABELS, SCORES) == pytest.approx(0.8)
    assert fpr_at_95_tpr(LABELS, SCORES) == 0.5
    false_alarms, found = roc_points(LABELS, SCORES)
    np.testing.assert_allclose(false_alarms, [0, 0, 0.5, 0.5, 1])
    np.testing.assert_allclose(found, [0, 0.5, 0.5, 1, 1])


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.1, float("nan")], "1 scores are not finite"),
        ([0, 1], [0.1, float("inf")], "not finite"),
        ([0, 0], [0.1, 0.2], "both needed"),
        ([], [], "both needed"),
        ([0, 2], [0.1, 0.2], "0 .normal. or 1"),
        ([0, 1], [0.1], "2 labels and 1 scores"),
    ],
)
def test_impossible_input_is_refused(labels, scores, message):
    for figure in (auroc, average_precision, best_f1, fpr_at_95_tpr, roc_points):
        with pytest.raises(InputError, match=message):
            figure(labels, scores)
