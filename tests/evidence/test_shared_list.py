"""What accounts have in common, word for word: one list that all work through, or one that is dealt out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.evidence.wording import in_common
from harvestdetect.util.arrays import Ints32

ACCOUNTS = 30
SHARED = 0.2
"""Share that tells the two apart in these tests."""


def sent(lists: list[list[int]]) -> tuple[Ints32, Ints32]:
    """Account and content of each prompt."""
    account = np.repeat(np.arange(len(lists), dtype=np.int32), [len(one) for one in lists])
    return account, np.array([text for one in lists for text in one], np.int32)


def by_brute_force(lists: list[list[int]]) -> float:
    pairs = list(combinations([set(one) for one in lists if one], 2))
    return sum(len(a & b) for a, b in pairs) / max(sum(min(len(a), len(b)) for a, b in pairs), 1)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), max_size=8), max_size=7), st.randoms())
def test_it_is_the_share_over_all_pairs_in_any_order(lists: list[list[int]], order: object) -> None:
    account, content = sent(lists)
    found = in_common(account, content)
    assert found == pytest.approx(by_brute_force(lists))
    assert 0 <= found <= 1
    mixed = np.random.default_rng(len(content)).permutation(len(content))
    assert in_common(account[mixed], content[mixed]) == found
    # what an account repeats does not count
    assert in_common(np.append(account, account), np.append(content, content)) == pytest.approx(found)


@pytest.mark.parametrize("seed", range(3))
def test_a_public_benchmark_is_in_common(seed: int) -> None:
    """Teams run all of it, or half of it, some several times."""
    rng = np.random.default_rng(seed)
    lists = [rng.choice(80, rng.integers(40, 81), replace=False).tolist() * rng.integers(1, 4) for _ in range(ACCOUNTS)]
    assert in_common(*sent(lists)) >= 2 * SHARED


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_list_that_is_dealt_out_is_not(times: int) -> None:
    """Even if each prompt is sent two or three times, as for several answers."""
    rng = np.random.default_rng(times)
    work = np.concatenate([rng.permutation(600) for _ in range(times)])
    found = in_common(*sent([part.tolist() for part in np.array_split(work, ACCOUNTS)]))
    assert found <= 1.2 * times / ACCOUNTS
    assert found < SHARED / 1.5


def test_nobody_or_one_account_has_nothing_in_common() -> None:
    assert in_common(*sent([])) == in_common(*sent([[1, 2, 2]])) == 0
    assert in_common(*sent([[1], [1]])) == 1
