"""Which candidates give up accounts to a part of theirs, and in which order those that share some give them up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harvestdetect.data import Campaign, Evidence, Tier, Way
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.judge.resolve import _by_strongest_part, _come_late, _divide, _subtract

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
    assert _come_late([accounts(0, 40), accounts(10, 25), accounts(30, 50)], tiers, [False] * 3, [False] * 3) == pieces


def test_candidates_with_the_same_accounts_are_no_come_late_of_each_other() -> None:
    assert _come_late([accounts(0, 20), accounts(0, 20)], [1, 1], [False, False], [False, False]) == [False, False]
    assert _come_late([accounts(0, 20), accounts(0, 21)], [1, 1], [False, False], [False, False]) == [True, False]
    assert _come_late([], [], [], []) == []


@pytest.mark.parametrize(
    ("tiers", "late"),
    [
        ([0, 0, 0], [True, False, False]),  # two campaigns that follow one another
        ([0, 1, 1], [True, False, False]),  # they are found at review
        ([0, 2, 2], [False, True, True]),  # its pieces are at watch
        ([2, 2, 2], [True, False, False]),
        ([1, 0, 2], [True, False, False]),  # one piece is most of it
    ],
)
def test_a_chain_comes_after_come_late_that_are_most_of_it(tiers: list[int], late: list[bool]) -> None:
    found = [accounts(0, 100), accounts(0, 60), accounts(60, 80)]
    assert _come_late(found, tiers, [True, False, False], [False] * 3) == late


@pytest.mark.parametrize(
    ("order", "tiers", "late"),
    [
        ("whole one two", [0, 0, 0], [False, True, True]),  # the whole says more than each of its templates
        ("whole one two", [1, 1, 2], [False, True, True]),
        ("one whole two", [0, 1, 1], [False, True, False]),  # one says more, and has most of the whole
        ("two whole one", [0, 1, 1], [False, False, True]),  # one says more, and has little of it
        ("one two whole", [0, 0, 0], [False, False, True]),
    ],
)
def test_a_candidate_of_infrastructure_comes_after_what_says_more_about_most_of_it(
    order: str, tiers: list[int], late: list[bool]
) -> None:
    parts = {"whole": accounts(0, 100), "one": accounts(0, 60), "two": accounts(60, 80)}
    names = order.split()
    found = [parts[name] for name in names]
    assert _come_late(found, tiers, [False] * 3, [name == "whole" for name in names]) == late


def campaign(first: int, last: int, *, ways: tuple[Way, ...] = ("texts",), generations: int = 0) -> Campaign:
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
        generations=generations,
    )


def divided(campaigns: list[Campaign], scores: list[float], *, rest: float = 0.0) -> tuple[list[Campaign], list[float]]:
    """The candidates after they were divided, and the score of each; a score stands for the measures.

    Args:
        campaigns: the candidates.
        scores: of each.
        rest: the score of whatever is measured again.
    """

    def judge(measured: Sequence[float]) -> list[Any]:
        return [SimpleNamespace(score=score, tier=tier_of(score)) for score in measured]

    def tier_of(score: float) -> Tier | None:
        return "urgent" if score > 6 else "review" if score > 3 else "watch" if score > 0 else None

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


@pytest.mark.parametrize(
    ("whole", "part", "rest", "stays"),
    [
        (7.0, 9.0, 8.0, True),
        (4.0, 5.0, 4.0, True),
        (4.0, 5.0, 7.0, True),
        (7.0, 9.0, 5.0, False),  # the others alone are lower
        (5.0, 9.0, 8.0, False),  # the whole is lower than its part
        (1.0, 2.0, 1.5, False),  # only at watch
    ],
)
def test_two_pools_of_one_campaign_stay_together(whole: float, part: float, rest: float, stays: bool) -> None:
    both = [campaign(0, 40), campaign(0, 15)]
    found, scores = divided(both, [whole, part], rest=rest)
    assert (found[0] is both[0]) == stays
    assert scores == ([whole, part] if stays else [min(whole, rest), part])


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


# ---------------------------------------------------------------- overlaps


@dataclass(frozen=True)
class Made:
    """The measures of a candidate, by their bits."""

    bits: float
    evidence: tuple[str, ...] = ("some",)
    readings: Mapping[str, float] = field(default_factory=dict)


def test_a_candidate_that_gets_a_tier_when_others_lose_theirs_comes_late_too() -> None:
    """Bits are relative to the other candidates: each that loses its evidence makes the others stand out."""

    def judge(measured: Sequence[Made]) -> list[Any]:
        lost = sum(not one.evidence for one in measured)
        scores = [one.bits + lost if one.evidence else -9.0 for one in measured]
        return [
            SimpleNamespace(score=score, tier="review" if score > 3 else "watch" if score > 0 else None)
            for score in scores
        ]

    bench: Any = SimpleNamespace(
        scale=SimpleNamespace(judge=judge),
        measure=lambda some: [Made(-9.0)] * len(some),
        settings=SimpleNamespace(min_accounts=10),
        scan=SimpleNamespace(
            corpus=SimpleNamespace(
                prompts=SimpleNamespace(account=np.repeat(accounts(0, 100), EACH), accounts=range(100))
            )
        ),
    )
    campaigns = [campaign(0, 40), campaign(0, 12), campaign(12, 24), campaign(24, 36), campaign(50, 62)]
    measured: Any = [Made(5.0), Made(1.0), Made(-0.5), Made(-1.5), Made(-0.5)]
    found: Any = _subtract(campaigns, measured, bench)
    assert [bool(one.evidence) for one in found] == [True, False, False, False, True]


# ---------------------------------------------------------------- chains

CHAIN: tuple[Way, ...] = ("accounts", "succession")


def sentences(campaigns: list[Campaign], ranks: list[tuple[str | None, float]]) -> list[str]:
    """The sentence of each candidate's evidence after the chains were judged by their parts.

    Args:
        campaigns: the candidates.
        ranks: the tier and the score of each.
    """
    measured = [
        MeasuredCandidate(
            evidence=(
                Evidence(
                    id="flat_day",
                    family="time",
                    name="flat day",
                    value=0.1,
                    null="people",
                    expected=0.3,
                    p_value=0.01,
                    sentence=f"candidate {i}",
                ),
            ),
            benign=(),
            templated=True,
            targets=(),
            shared_values=(),
            readings={"words": float(i)},
        )
        for i in range(len(campaigns))
    ]
    bench: Any = SimpleNamespace(
        scale=SimpleNamespace(judge=lambda _: [SimpleNamespace(tier=tier, score=score) for tier, score in ranks]),
        scan=SimpleNamespace(corpus=SimpleNamespace(prompts=SimpleNamespace(account=np.zeros(EACH * 100, np.int32)))),
    )
    after = _by_strongest_part(campaigns, measured, bench)
    return [f"{one.evidence[0].sentence} {one.readings['words']:.0f}" for one in after]


@pytest.mark.parametrize("whole", [("review", 9.0), ("watch", 1.0), (None, -3.0)])
def test_a_long_chain_has_the_evidence_of_the_part_that_ranks_first(whole: tuple[str | None, float]) -> None:
    """One candidate is mostly outside of the chain, and another chain is no part of it."""
    found = [
        campaign(0, 50, ways=CHAIN, generations=6), campaign(0, 10), campaign(10, 20), campaign(40, 70),
        campaign(0, 30, ways=CHAIN, generations=5),
    ]  # fmt: skip
    ranks = [whole, ("urgent", 6.0), ("review", 8.0), ("urgent", 12.0), (None, -1.0)]
    first, *others = sentences(found, ranks)
    assert first == "In the strongest part of this chain: candidate 1 1"
    assert others == [
        "candidate 1 1", "candidate 2 2", "candidate 3 3", "In the strongest part of this chain: candidate 1 1"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("generations", "part"), [(2, ("urgent", 9.0)), (6, (None, 0.1)), (6, ("watch", 9.0)), (6, ("review", 1.9))]
)
def test_a_short_chain_and_one_that_ranks_before_its_parts_keep_their_evidence(
    generations: int, part: tuple[str | None, float]
) -> None:
    found = [campaign(0, 50, ways=CHAIN, generations=generations), campaign(0, 10)]
    assert sentences(found, [("review", 2.0), part]) == ["candidate 0 0", "candidate 1 1"]


def test_without_chains_every_candidate_keeps_its_evidence() -> None:
    assert sentences([campaign(0, 50), campaign(0, 10)], [("watch", 1.0), ("urgent", 9.0)]) == [
        "candidate 0 0", "candidate 1 1"
    ]  # fmt: skip
    assert sentences([], []) == []
