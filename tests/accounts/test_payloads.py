"""How alike payloads are, whatever the number of requests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harvestdetect.accounts.payloads import Payloads, payloads_of
from tests.accounts.test_chains import Groups


def made(groups: Groups, order: np.ndarray[Any, np.dtype[np.int64]] | None = None) -> Payloads:
    pieces, corpus, parts = groups.built(order)
    return payloads_of([piece.prompts for piece in pieces], corpus, parts)


def subjects(*subject: int, seed: int = 0, times: int = 1) -> Groups:
    """Groups with a template of their own that ask about subjects, the first with more requests."""
    groups = Groups(seed)
    for number, one in enumerate(subject):
        mine = groups.add(one, 0, 3, template=f"t{number}a t{number}b")
        for _ in range(times - 1 if number == 0 else 0):
            groups.add(one, 0, 3, template=f"t{number}a t{number}b", accounts=mine)
            for row in groups.rows:
                row.group = min(row.group, number)
            groups.count = number + 1
    groups.background(20)
    return groups


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_groups_with_one_list_are_as_alike_as_halves(seed: int, times: int) -> None:
    found = made(subjects(1, 1, 2, seed=seed, times=times)).likeness_as_of_halves
    assert 0.85 < found[0, 1] < 1.15
    assert found[0, 2] < 0.4
    assert np.allclose(found, found.T, atol=1e-5)


def test_half_of_the_subjects_in_common_is_less_than_that() -> None:
    groups = Groups()
    for number, both in enumerate(((1, 2), (1, 2), (1, 3))):
        first = groups.accounts
        for half, one in enumerate(both):  # every account asks about both
            groups.add(one, 0, 3, template=f"t{number}", accounts=list(range(first, first + 6)))
            for row in groups.rows:
                row.group = min(row.group, number)
            groups.count = number + 1
            assert half < 2
    groups.background(20)
    found = made(groups).likeness_as_of_halves
    assert found[0, 1] > 0.85
    assert 0.3 < found[0, 2] < 0.75


def test_several_pieces_together() -> None:
    groups = subjects(1, 1, 1, 2)
    cosine, share = made(groups).likeness_to(np.array([0, 1]))
    assert 0.9 < share[2] < 1.1
    assert share[3] < 0.3
    assert cosine[2] > cosine[3]
    assert cosine[0] == 0  # none of its accounts is left


def test_the_order_of_rows_does_not_matter() -> None:
    groups = subjects(1, 1, 2)
    order = np.random.default_rng(3).permutation(len(groups.rows))
    one, other = made(groups), made(groups, order)
    assert np.array_equal(one.likeness_as_of_halves, other.likeness_as_of_halves)
    assert np.array_equal(one.likeness_to(np.array([0])), other.likeness_to(np.array([0])))
