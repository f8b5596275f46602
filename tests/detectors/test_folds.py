from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from anomgan.detectors.folds import deal


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40), st.integers(2, 6))
def test_a_group_stays_together_and_folds_hold_equally_many_groups(groups, count):
    folds = deal(groups, count, seed=0)
    of_group = {group: fold for group, fold in zip(groups, folds)}
    assert [of_group[group] for group in groups] == list(folds)
    sizes = Counter(of_group.values()).values()
    assert len(sizes) == min(count, len(of_group))
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_alone_decides():
    names = [str(number) for number in range(40)]
    first, again, other = (deal(names, 4, seed).tolist() for seed in (0, 0, 1))
    assert first == again != other
