import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from anomgan.metrics.pod import Pod


def simulated(rng, count=300, noise=0.5):
    """Sizes, and whether log(size) + noise is above log(10); the true a90."""
    sizes = np.exp(rng.uniform(np.log(2), np.log(64), count))
    found = np.log(sizes) + rng.normal(0, noise, count) > np.log(10)
    return sizes, found, 10 * np.exp(noise * ndtri(0.9))


def test_coefficients_and_likelihood_are_those_of_statsmodels():
    rng = np.random.default_rng(1)
    sizes = np.exp(rng.uniform(np.log(2), np.log(64), 300))
    contrasts = np.exp(rng.uniform(np.log(0.03), np.log(0.4), 300))
    found = np.log(sizes * contrasts) + rng.normal(0, 0.5, 300) > 0
    pod = Pod(sizes, found, contrasts)
    # statsmodels 0.14, Probit(found, [1, log size, log contrast]).fit()
    np.testing.assert_allclose(pod.coefficients, [-0.50970575, 1.77224419, 1.59473843], rtol=1e-5)
    assert pod.limit(0.5, 0.1).best.value == pytest.approx(
        np.exp((0.50970575 - 1.59473843 * np.log(0.1)) / 1.77224419), rel=1e-5
    )


def test_bounds_are_those_of_a_likelihood_on_a_grid(rng):
    sizes, found, _ = simulated(rng)
    limit = Pod(sizes, found).limit(0.9)
    x = np.log(sizes)
    a90, slope = np.log(np.geomspace(12, 32, 200)), np.linspace(0.8, 4, 100)
    eta = ndtri(0.9) + slope[:, None, None] * (x - a90[:, None])
    likelihood = np.log(np.clip(ndtr(np.where(found, eta, -eta)), 1e-300, 1)).sum(axis=2)
    profile = 2 * (likelihood.max() - likelihood.max(axis=0))
    # 1.6499 and 1.9679 are the quantiles of Student's t with 299 degrees of freedom.
    sure = np.exp(a90[profile <= 1.6499**2])
    both = np.exp(a90[profile <= 1.9679**2])
    assert limit.sure.value == pytest.approx(sure.max(), rel=0.01)
    assert limit.low.value == pytest.approx(both.min(), rel=0.01)
    assert limit.high.value == pytest.approx(both.max(), rel=0.01)


def test_the_band_meets_the_share_at_the_sure_size(rng):
    sizes, found, _ = simulated(rng)
    pod = Pod(sizes, found)
    low, high = pod.band(pod.limit(0.9).sure.value)
    assert low == pytest.approx(0.9, abs=0.002) and high > 0.95


def test_bounds_hold_as_often_as_they_say():
    rng, trials = np.random.default_rng(0), 120
    sure = interval = 0
    for _ in range(trials):
        sizes, found, truth = simulated(rng)
        limit = Pod(sizes, found).limit(0.9)
        sure += limit.sure.value >= truth
        interval += limit.low.value <= truth <= limit.high.value
    # With a true coverage of 95%, fewer happen once in a thousand.
    assert min(sure, interval) >= binom.ppf(0.001, trials, 0.95)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (lambda sizes, rng: sizes > 0, "all found"),
        (lambda sizes, rng: sizes < 0, "none found"),
        (lambda sizes, rng: sizes > 10, "a step"),
        (lambda sizes, rng: rng.random(len(sizes)) < 0.4, "no trend"),
        (lambda sizes, rng: sizes < 10 + rng.normal(0, 3, len(sizes)), "no trend"),
    ],
)
def test_no_curve_is_fitted_through_nothing(found, why, rng):
    sizes = simulated(rng)[0]
    assert Pod(sizes, found(sizes, rng)).why_none == why


def test_a_size_beyond_those_that_were_tried_is_not_guessed(rng):
    sizes, found, _ = simulated(rng)
    small = sizes < 14  # half of them are found, never nine in ten
    limit = Pod(sizes[small], found[small]).limit(0.9)
    assert limit.sure.beyond == "above" and limit.sure.value == pytest.approx(sizes[small].max())
    large = sizes > 30
    found[np.flatnonzero(large)[0]] = False
    assert Pod(sizes[large], found[large]).limit(0.5).best.beyond == "below"


def test_many_defects_on_few_images_make_bounds_wide(rng):
    sizes = np.exp(rng.uniform(np.log(2), np.log(64), 300))
    images = np.arange(300) % 6
    easy = rng.normal(0, 0.6, 6)[images]  # images differ in how well defects are found
    found = np.log(sizes) + easy + rng.normal(0, 0.3, 300) > np.log(10)
    alone = Pod(sizes, found).limit(0.9)
    together = Pod(sizes, found, images=images).limit(0.9)
    assert together.best == alone.best
    assert together.sure.value > 1.1 * alone.sure.value


def test_wrong_arrays_are_refused():
    with pytest.raises(ValueError, match="one length"):
        Pod(np.array([1.0, 2.0]), np.array([True]))
    with pytest.raises(ValueError, match="above 0"):
        Pod(np.array([0.0, 2.0]), np.array([True, False]))
