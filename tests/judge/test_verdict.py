"""Which candidates give up accounts to a part of theirs, and in which order those that share some give them up."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harvestdetect.data import Campaign, Way
from harvestdetect.judge.verdict import _divide, _pieces

EACH = 3
"""Prompts of every account."""


def accounts(first: int, last: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.arange(first, last, dtype=np.int32)


@pytest.mark.parametrize(
    ("tiers", "pieces"),
    [([1, 1, 1], [False, True, False]), ([2, 1, 1], [False, False, False]), ([0, 1, 0], [False, True, False])],
)
def test_a_piece_is_in_a_larger_candidate_of_no_lower_tier(tiers: list[int], pieces: list[bool]) -> None:
    """The third has half of its accounts in the first. Tier 0 is the highest."""
    assert _pieces([accounts(0, 40), accounts(10, 25), accounts(30, 50)], tiers, [False] * 3) == pieces


def test_candidates_with_the_same_accounts_are_no_pieces_of_each_other() -> None:
    assert _pieces([accounts(0, 20), accounts(0, 20)], [1, 1], [False, False]) == [False, False]
    assert _pieces([accounts(0, 20), accounts(0, 21)], [1, 1], [False, False]) == [True, False]
    assert _pieces([], [], []) == []


@pytest.mark.parametrize(
    ("tiers", "late"),
    [
        ([0, 0, 0], [True, False, False]),  # two campaigns that follow one another
        ([0, 1, 1], [False, True, True]),  # its pieces say less
        ([1, 0, 2], [True, False, False]),  # one piece is most of it
    ],
)
def test_a_chain_comes_after_pieces_that_are_most_of_it(tiers: list[int], late: list[bool]) -> None:
    found = [accounts(0, 100), accounts(0, 60), accounts(60, 80)]
    assert _pieces(found, tiers, [True, False, False]) == late


def campaign(first: int, last: int, *, ways: tuple[Way, ...] = ("texts",)) -> Campaign:
    own = accounts(first, last)
    prompts = np.arange(EACH * first, EACH * last, dtype=np.int32)
    return Campaign(
        clusters=np.zeros(1, np.int32),
        accounts=own,
        membership=np.ones(len(own)),
        harvest_share=np.ones(len(own)),
        harvest_prompts=np.full(len(own), EACH, np.int32),
        prompts=prompts,
        prompt_cluster=np.zeros(len(prompts), np.int32),
        link_log_p=0.0,
        ways=ways,
    )


def divided(campaigns: list[Campaign], scores: list[float], *, rest: float = 0.0) -> tuple[list[Campaign], list[float]]:
    """The candidates after they were divided, and the score of each; a score stands for the measures.

    Args:
        campaigns: the candidates.
        scores: of each.
        rest: the score of whatever is measured again.
    """

    def judge(measured: Sequence[float]) -> list[Any]:
        return [SimpleNamespace(score=score) for score in measured]

    bench: Any = SimpleNamespace(
        scale=SimpleNamespace(judge=judge),
        measure=lambda some: [rest] * len(some),
        settings=SimpleNamespace(min_accounts=10),
        scan=SimpleNamespace(
            corpus=SimpleNamespace(prompts=SimpleNamespace(account=np.repeat(accounts(0, 100), EACH)))
        ),
    )
    measured: Any = scores
    found, after = _divide(campaigns, measured, bench)
    return found, list(after)  # type: ignore[arg-type]


def test_a_whole_keeps_the_accounts_outside_of_a_part_that_says_more() -> None:
    whole, part, other = campaign(0, 40), campaign(0, 15), campaign(30, 60)
    (rest, *others), scores = divided([whole, part, other], [2.0, 5.0, 1.0], rest=-3.0)
    assert rest.accounts.tolist() == list(range(15, 40))
    assert len(rest.prompts) == EACH * 25
    assert others == [part, other]
    assert scores == [-3.0, 5.0, 1.0]


def test_a_rest_never_says_more_than_its_whole() -> None:
    (rest, _), scores = divided([campaign(0, 40), campaign(0, 15)], [2.0, 5.0], rest=4.0)
    assert len(rest.accounts) == 25
    assert scores == [2.0, 5.0]


def test_a_whole_without_enough_other_accounts_is_left_out() -> None:
    part = campaign(0, 35)
    assert divided([campaign(0, 40), part], [2.0, 5.0]) == ([part], [5.0])


@pytest.mark.parametrize("score", [1.0, 2.0])
def test_a_whole_that_says_as_much_as_its_part_stays(score: float) -> None:
    both = [campaign(0, 40), campaign(0, 15)]
    assert divided(both, [2.0, score]) == (both, [2.0, score])


def test_a_chain_is_not_divided() -> None:
    both = [campaign(0, 40, ways=("accounts", "succession")), campaign(0, 15)]
    assert divided(both, [2.0, 5.0]) == (both, [2.0, 5.0])


def test_without_parts_nothing_is_divided() -> None:
    both = [campaign(0, 40), campaign(30, 60)]
    assert divided(both, [2.0, 5.0]) == (both, [2.0, 5.0])
    assert divided([], []) == ([], [])
