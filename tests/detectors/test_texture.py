import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from anomgan.detectors.texture import CAUTION, OCTAVES, expected, regress, texture


def test_texture_says_how_much_detail_there_is_and_of_what_size(rng):
    grain = rng.normal(0, 1, (128, 128))
    fine, harsher = (np.uint8(128 + strength * grain.clip(-3, 3)) for strength in (10, 20))
    coarse = np.kron(fine[:16, :16], np.ones((8, 8), np.uint8))
    assert texture(fine).shape == (OCTAVES,)
    assert texture(harsher)[0] - texture(fine)[0] == pytest.approx(np.log(2), abs=0.1)
    assert texture(fine)[0] > texture(coarse)[0] and texture(fine)[3] < texture(coarse)[3]
    assert np.isfinite(texture(np.zeros((3, 5, 3), np.uint8))).all(), "flat, small and in colour"


def test_expectations_are_those_of_ridge_regression_and_stay_within_what_was_seen(rng):
    seen = rng.normal(0, [1, 2, 3, 1, 1, 0.5], (60, OCTAVES))
    alarms = seen @ rng.normal(0, 1, OCTAVES) + rng.normal(0, 0.3, 60)
    line = regress(seen, alarms)
    scaler = StandardScaler().fit(seen)
    ridge = Ridge(CAUTION).fit(scaler.transform(seen), alarms - alarms.mean())
    for one in seen[:5]:
        wanted = ridge.predict(scaler.transform(one[None]))[0]
        assert expected(one, line) == pytest.approx(wanted, abs=1e-3)
    assert expected(seen.max(0) + 100, line) == pytest.approx(expected(seen.max(0), line))
