"""The order in which candidates give up the accounts that they share."""

from __future__ import annotations

import numpy as np
import pytest

from harvestdetect.judge.verdict import _pieces


def accounts(first: int, last: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.arange(first, last, dtype=np.int32)


@pytest.mark.parametrize(
    ("tiers", "pieces"),
    [([1, 1, 1], [False, True, False]), ([2, 1, 1], [False, False, False]), ([0, 1, 0], [False, True, False])],
)
def test_a_piece_is_in_a_larger_candidate_of_no_lower_tier(tiers: list[int], pieces: list[bool]) -> None:
    """The third has half of its accounts in the first. Tier 0 is the highest."""
    assert _pieces([accounts(0, 40), accounts(10, 25), accounts(30, 50)], tiers) == pieces


def test_candidates_with_the_same_accounts_are_no_pieces_of_each_other() -> None:
    assert _pieces([accounts(0, 20), accounts(0, 20)], [1, 1]) == [False, False]
    assert _pieces([accounts(0, 20), accounts(0, 21)], [1, 1]) == [True, False]
    assert _pieces([], []) == []
