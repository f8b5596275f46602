import re

import numpy as np
import pytest

from anomgan.detectors.calibration import Calibration
from anomgan.inspection.drift import Drift


def start(rng, count=99, rate=0.02):
    scores = rng.normal(size=count)
    return Drift(Calibration.from_scores(scores, scores, rate))


def follow(drift, scores):
    for score in scores:
        drift.add([score])
    return drift.report()


def test_a_steady_line_is_hardly_ever_called_drifting(rng):
    reports = [follow(start(rng, 10 + 40 * (i % 2)), rng.normal(size=200)) for i in range(100)]
    # At most 1 in 100 is promised; 5 of 100 would be four deviations more.
    assert sum(report.state != "steady" for report in reports) <= 4
    assert sum(report.state == "out of calibration" for report in reports) <= 1
    quarters = np.mean([report.quarters for report in reports], 0)
    assert quarters == pytest.approx([0.25] * 4, abs=0.05)


def test_a_threshold_on_few_images_is_allowed_for(rng):
    # Six images promise 1/7, and with bad luck a third of the good ones are called anomalous.
    reports = [follow(start(rng, 6), rng.normal(size=200)) for _ in range(60)]
    assert max(1 - report.ok / report.images for report in reports) > 0.3
    assert sum(report.state != "steady" for report in reports) <= 3


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (lambda good: good + 1, "rise"),
        (lambda good: good - 1, "fall"),
        (lambda good: good / 5, "gather"),
        (lambda good: 0 * good, "gather"),  # a frozen camera
        (lambda good: good + 9, "more than .* of the images are anomalous"),
    ],
)
@pytest.mark.parametrize("first", [0, 500])
def test_a_change_is_found_whenever_it_comes_and_named(rng, changed, reason, first):
    drift = start(rng)
    assert follow(drift, rng.normal(size=first)).state == "steady"
    report = follow(drift, changed(rng.normal(size=150)))
    assert report.state == "out of calibration" and report.evidence >= 1000
    assert report.images == first + 150
    assert re.search(reason, report.reason) and report.reason in str(report)


def test_a_moderate_share_of_defective_parts_is_no_drift(rng):
    states = []
    for _ in range(20):
        scores = rng.normal(size=400)
        scores[rng.random(400) < 0.1] += 6
        report = follow(start(rng), scores)
        assert report.ok < 390
        states.append(report.state)
    assert states.count("steady") >= 19


def test_a_state_stays_until_the_model_is_recalibrated(rng):
    drift = start(rng)
    bad = follow(drift, rng.normal(2, 1, 200))
    after = follow(drift, rng.normal(size=500))
    assert bad.state == after.state == "out of calibration"
    assert after.quarters[3] < 0.5 < bad.quarters[3]


def test_recent_quarters_are_those_of_the_calibration():
    scores = list(range(1, 101))
    drift = Drift(Calibration.from_scores(scores, scores, 0.01))
    assert follow(drift, [3, 10, 80.5, 99]).quarters == pytest.approx((0.5, 0, 0, 0.5), abs=0.02)


def test_photographs_of_one_part_weigh_as_one(rng):
    names = np.repeat(np.arange(25), rng.integers(1, 7, 25))
    steady = 0
    for _ in range(60):
        scores = rng.normal(size=25)[names] + 0.3 * rng.normal(size=len(names))
        drift = Drift(Calibration.from_scores(scores, scores, 0.05, names.tolist()))
        steady += follow(drift, rng.normal(0, 1.04, size=200)).state == "steady"
    assert steady >= 57


def test_equal_scores_are_no_drift(rng):
    drift = Drift(Calibration.from_scores([1.0] * 30 + [2.0] * 10, [1.0] * 40, 0.05))
    assert follow(drift, rng.choice([1.0, 2.0], p=[0.75, 0.25], size=300)).state == "steady"


def test_a_line_without_a_single_ok_image_has_no_quarters(rng):
    report = follow(start(rng), [99.0] * 60)
    assert report.state == "out of calibration" and report.ok == 0
    assert np.isnan(report.quarters).all() and "nan" not in str(report)
