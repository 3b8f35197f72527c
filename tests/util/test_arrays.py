"""Small functions on arrays, against plain ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.util.arrays import run_starts, spread, unit, widened


def test_every_finite_float16_is_widened_exactly() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(-1, 8)
    assert np.array_equal(widened(finite), finite.astype(np.float32))
    assert np.array_equal(widened(finite[:, ::2]), finite[:, ::2].astype(np.float32))
    out = np.empty(finite.shape, np.float32)
    assert widened(finite, out) is out


def test_wide_numbers_are_copied() -> None:
    rows = np.array([[3.0, 4.0]], np.float32)
    assert widened(rows) is not rows
    assert unit(rows).tolist() == [[np.float32(0.6), np.float32(0.8)]]
    assert rows.tolist() == [[3.0, 4.0]]


@settings(deadline=None)
@given(count=st.integers(0, 300), at_most=st.integers(0, 300))
def test_positions_are_spread_from_the_first_to_the_last(count: int, at_most: int) -> None:
    found = spread(count, at_most)
    assert found.dtype == np.int64
    assert len(found) == min(count, at_most)
    assert (np.diff(found) > 0).all()
    if len(found) > 1:
        assert (found[0], found[-1]) == (0, count - 1)


@given(rows=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), max_size=12))
def test_a_run_starts_where_a_column_changes(rows: list[tuple[int, int]]) -> None:
    first, second = np.array(rows, np.int64).reshape(-1, 2).T
    expected = [i for i, row in enumerate(rows) if not i or row != rows[i - 1]]
    assert run_starts(first, second).tolist() == expected
