import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from anomgan.detectors.packing import pack, rounded, unpack

VALUES = st.floats(-100, 100, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3)
TENSORS = arrays(np.float32, array_shapes(max_dims=4, max_side=9), elements=VALUES)


@given(TENSORS)
def test_values_move_by_at_most_an_eighth_of_the_largest_of_their_block(values):
    x = torch.from_numpy(values)
    kept = rounded(x)
    assert kept.shape == x.shape
    for some, before in zip(kept.flatten().split(16), x.flatten().split(16), strict=True):
        # Half a step; a whole one opposite to the largest value. Steps are in half precision.
        assert (some - before).abs().max() <= before.abs().max() / 8 * 1.01


@given(TENSORS)
def test_rounding_twice_changes_nothing_more(values):
    once = rounded(torch.from_numpy(values))
    assert torch.equal(rounded(once), once)


def test_normal_values_lose_one_percent_of_their_power():
    x = torch.randn(1000, 64, generator=torch.Generator().manual_seed(0))
    assert float((rounded(x) - x).square().mean()) < 0.01


def test_a_value_takes_half_a_byte_and_a_step():
    packed = pack(torch.randn(10, 64))
    assert sum(one.numel() * one.element_size() for one in packed.values()) == 640 / 2 + 40 * 2 + 16


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("shape", torch.tensor([1.5, 2.0])),
        ("shape", torch.tensor([-3, 4])),
        ("shape", torch.tensor([10**6, 10**6])),
        ("levels", torch.zeros(3, 8)),
        ("steps", torch.zeros(9, 9).half()),
    ],
)
def test_damaged_parts_are_an_error(part, value):
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        unpack({**pack(torch.ones(40)), part: value})


@pytest.mark.parametrize("missing", ["levels", "steps", "shape"])
def test_a_missing_part_is_an_error(missing):
    packed = pack(torch.ones(40))
    del packed[missing]
    with pytest.raises(KeyError):
        unpack(packed)
