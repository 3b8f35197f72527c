"""How much sets have in common."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.accounts.overlaps import distinct, overlaps

COUNT = 12
sets_of = st.lists(st.sets(st.integers(0, COUNT - 1), min_size=1), max_size=8)


def arrays(sets: list[set[int]]) -> list[np.ndarray]:
    return [np.array(sorted(one), np.int32) for one in sets]


@settings(deadline=None)
@given(sets_of, sets_of)
def test_overlaps_are_those_of_sets(first: list[set[int]], second: list[set[int]]) -> None:
    found = list(overlaps(arrays(first), arrays(second), count=COUNT))
    assert len(found) == len(first)
    for mine, one in zip(first, found, strict=True):
        by_place = dict(
            zip(one.places.tolist(), zip(one.shared.tolist(), one.jaccard.tolist(), strict=True), strict=True)
        )
        assert set(by_place) == {i for i, other in enumerate(second) if mine & other}
        for place, (shared, jaccard) in by_place.items():
            assert shared == len(mine & second[place])
            assert jaccard == pytest.approx(shared / len(mine | second[place]))


@settings(deadline=None)
@given(sets_of, st.sampled_from([0.3, 0.5, 1.0]))
def test_distinct_keeps_what_is_unlike_all_that_is_kept(sets: list[set[int]], least: float) -> None:
    kept: list[int] = []
    for number, one in enumerate(sets):
        if all(len(one & sets[i]) < least * len(one | sets[i]) for i in kept):
            kept.append(number)
    assert distinct(arrays(sets), [least] * len(sets), count=COUNT) == kept
