import numpy as np
import pytest
from hypothesis import given
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


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_auroc_counts_pairs_and_half_of_the_ties(items):
    labels, scores = np.array([i[0] for i in items], int), np.array([i[1] for i in items])
    if len(set(labels)) < 2:
        return
    bad, good = scores[labels == 1][:, None], scores[labels == 0][None]
    expected = ((bad > good) + 0.5 * (bad == good)).mean()
    assert auroc(labels, scores) == pytest.approx(expected)


def test_figures_of_a_case_by_hand():
    assert auroc(LABELS, SCORES) == 0.75
    # Ranked 0.8 (bad), 0.4 (good), 0.35 (bad): precision 1 at half the recall, then 2/3.
    assert average_precision(LABELS, SCORES) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert best_f1(LABELS, SCORES) == pytest.approx(0.8)
    assert fpr_at_95_tpr(LABELS, SCORES) == 0.5
    false_alarms, found = roc_points(LABELS, SCORES)
    assert (false_alarms[0], found[0], false_alarms[-1], found[-1]) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.1, float("nan")], "1 scores are not finite"),
        ([0, 1], [0.1, float("inf")], "not finite"),
        ([0, 0], [0.1, 0.2], "both needed"),
        ([0, 2], [0.1, 0.2], "0 .normal. or 1"),
        ([0, 1], [0.1], "2 labels and 1 scores"),
    ],
)
def test_impossible_input_is_refused(labels, scores, message):
    for figure in (auroc, average_precision, best_f1, fpr_at_95_tpr, roc_points):
        with pytest.raises(InputError, match=message):
            figure(labels, scores)
