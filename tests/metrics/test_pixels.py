import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from anomgan.errors import InputError
from anomgan.metrics.pixels import PixelScores


def collect(maps, masks):
    pixels = PixelScores()
    for heatmap, mask in zip(maps, masks, strict=True):
        pixels.add(heatmap, mask)
    return pixels


def brute_force(maps, masks, limit):
    """The definition: a point per threshold, trapezoids between, cut at the limit."""
    regions = []
    for heatmap, mask in zip(maps, masks, strict=True):
        components, count = ndimage.label(mask, np.ones((3, 3)))
        regions += [heatmap[components == n + 1] for n in range(count)]
    normal = np.concatenate([m[~mask] for m, mask in zip(maps, masks, strict=True)])
    thresholds = [np.inf, *np.unique(np.concatenate([m.ravel() for m in maps]))[::-1]]
    rate = np.array([(normal >= t).mean() for t in thresholds])
    overlap = np.array([np.mean([(r >= t).mean() for r in regions]) for t in thresholds])
    reached = rate == limit  # what rises straight up there is not below the limit
    at_limit = overlap[reached].min() if reached.any() else np.interp(limit, rate, overlap)
    inside = rate < limit
    x, y = np.append(rate[inside], limit), np.append(overlap[inside], at_limit)
    return np.trapezoid(y, x) / limit if hasattr(np, "trapezoid") else np.trapz(y, x) / limit


@settings(deadline=None, max_examples=60)
@given(
    st.data(),
    st.floats(0.05, 1.0),
    st.sampled_from([3, 30, 10_000]),  # few values make many ties
)
def test_equal_to_the_definition_and_to_scikit_learn(data, limit, values):
    shape = (3, 6, 7)
    numbers = data.draw(hnp.arrays(int, shape, elements=st.integers(0, values)))
    masks = data.draw(hnp.arrays(bool, shape))
    masks[0, 0, 0], masks[0, 3, 3] = True, False
    maps = (numbers / values).astype(np.float32)
    pixels = collect(maps, masks)
    assert pixels.aupro(limit) == pytest.approx(brute_force(maps, masks, limit), abs=1e-6)
    assert pixels.auroc() == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()), abs=1e-6)


def test_a_defect_that_is_colder_than_all_else_has_no_area_at_any_limit():
    heatmap, mask = np.ones((4, 4)), np.zeros((4, 4), bool)
    heatmap[0, 0], mask[0, 0] = 0, True
    for limit in (0.3, 1.0):
        assert collect([heatmap], [mask]).aupro(limit) == 0
        assert brute_force([heatmap], [mask], limit) == 0


def test_a_case_by_hand():
    heatmap = np.array([[9.0, 0.0, 0.0, 0.0, 0.0, 4.0], [5.0, 0.0, 6.0, 0.0, 3.0, 2.0]])
    mask = np.array([[1, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 1]], bool)
    # Of 8 normal pixels 6 lies above one defect's pixel 5, and 6 and 3 above the other's 2.
    first = (0.25 + (0.25 - 1 / 8)) / 2
    second = ((0.25 - 1 / 8) + 0) / 2
    assert collect([heatmap], [mask]).aupro(0.25) == pytest.approx((first + second) / 2 / 0.25)


def test_a_small_defect_counts_as_much_as_a_large_one():
    heatmap, mask = np.zeros((20, 20)), np.zeros((20, 20), bool)
    mask[2:12, 2:12] = mask[18, 18] = True
    heatmap[2:12, 2:12] = 1
    heatmap[18, 18] = -1
    assert collect([heatmap], [mask]).aupro() == pytest.approx(0.5, abs=1e-6)


def test_images_without_a_mask_are_normal_throughout():
    defect = np.array([[0.5, 0.1]])
    seen = np.array([[True, False]])
    alone = collect([defect], [seen]).auroc()
    with_good = collect([defect, np.ones((1, 8))], [seen, None]).auroc()
    assert alone == 1 and with_good == pytest.approx(1 / 9)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InputError, match="finite"):
        PixelScores().add(np.array([[np.nan]]))
    with pytest.raises(InputError, match=r"mask is \(2, 2\)"):
        PixelScores().add(np.zeros((2, 3)), np.zeros((2, 2), bool))
    with pytest.raises(InputError, match="masks empty"):
        collect([np.zeros((2, 2))], [np.zeros((2, 2), bool)]).aupro()
    with pytest.raises(InputError, match="rate 1.5"):
        collect([np.eye(2)], [np.eye(2) > 0]).aupro(1.5)
