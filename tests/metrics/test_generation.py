import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import pdist

from anomgan.errors import InputError
from anomgan.metrics.generation import diversity, fid, kid


def test_fid_of_one_feature_is_the_formula_for_two_normal_distributions(rng):
    a, b = rng.normal(1, 2, (5000, 1)), rng.normal(4, 5, (5000, 1))
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert fid(a, b) == pytest.approx(expected, rel=1e-6)


def test_fid_of_rotated_axes_is_that_of_the_axes(rng):
    a, b = rng.normal(size=(400, 6)) * np.arange(1, 7), rng.normal(size=(400, 6))
    turn, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    assert fid(a @ turn, b @ turn) == pytest.approx(fid(a, b), rel=1e-6)
    # With covariances that share their axes the root is that of the eigenvalues.
    exact = np.diag(np.arange(1.0, 4.0))
    whitened = rng.normal(size=(500, 3))
    whitened = (whitened - whitened.mean(0)) @ np.linalg.inv(
        np.linalg.cholesky(np.cov(whitened, rowvar=False))
    ).T
    assert fid(whitened @ exact, whitened) == pytest.approx(0 + 1 + 4, rel=1e-6)


def test_fid_is_the_formula_with_the_root_of_a_matrix(rng):
    a, b = rng.normal(size=(100, 5)) @ rng.normal(size=(5, 5)), rng.normal(1, 2, (80, 5))
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.real(sqrtm(first @ second))
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first + second - 2 * root)
    assert fid(a, b) == pytest.approx(expected, rel=1e-8)


def test_fid_of_the_same_images_is_nothing(rng):
    a = rng.normal(size=(50, 80))  # fewer images than features: singular covariances
    assert fid(a, a) == pytest.approx(0, abs=1e-3)


def test_kid_is_the_sum_over_pairs(rng):
    a, b = rng.normal(size=(5, 3)), rng.normal(0.5, 1, (5, 3))

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    pairs = [(i, j) for i in range(5) for j in range(5)]
    apart = [pair for pair in pairs if pair[0] != pair[1]]
    expected = np.mean([kernel(a[i], a[j]) + kernel(b[i], b[j]) for i, j in apart])
    expected -= 2 * np.mean([kernel(a[i], b[j]) for i, j in pairs])
    assert kid(a, b) == pytest.approx(expected, rel=1e-9)


def test_kid_is_unbiased_where_fid_is_not(rng):
    few = [(rng.normal(size=(30, 8)), rng.normal(size=(30, 8))) for _ in range(100)]
    scores = [kid(a, b) for a, b in few]
    assert abs(np.mean(scores)) < 3 * np.std(scores) / 10
    assert np.mean([fid(a, b) for a, b in few]) > 0.5


def test_diversity_is_the_mean_distance_of_pairs(rng):
    x = rng.normal(size=(20, 5))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert diversity(x) == pytest.approx(pdist(unit).mean(), rel=1e-6)
    assert diversity(np.ones((4, 5))) == pytest.approx(0, abs=1e-6)


def test_what_cannot_be_compared_is_refused(rng):
    a = rng.normal(size=(4, 3))
    for wrong, said in ((a[:1], "at least 2"), (a[:, :2], "of one D"), (a * np.nan, "not finite")):
        with pytest.raises(InputError, match=said):
            fid(a, wrong)
