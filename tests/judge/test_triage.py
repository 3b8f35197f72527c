"""The judgement: which tier so many bits give, and what other cuts would give."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.data import TIERS, BenignExplanation, Family, RateStep, Tier
from harvestdetect.judge.ledger import Curve, Ledger, Posted
from harvestdetect.judge.triage import (
    BEYOND_TEXT,
    CARRIES,
    NEIGHBOURS,
    URGENT,
    WATCH,
    Judgement,
    changes,
    doubt_of,
    expected_false,
    judge,
    q_values,
    ranked,
    steps,
    tier_at,
    tier_of,
    tier_of_reach,
    what_if,
)
from tests.judge.curves import toy_curve

FDR = 0.2
FAMILIES: tuple[Family, ...] = ("text", *BEYOND_TEXT)
BITS = st.floats(-30, 30)
RANK = {tier: place for place, tier in enumerate([*TIERS, None])}


def curve(family: Family) -> Curve:
    return toy_curve((0.0, 1.0), (0.0, 1.0), (1.0, 0.1), family=family)


def ledger_of(prior: float = 0.0, **held: Any) -> Ledger:
    """A ledger with two rows in each family."""
    return Ledger(curves={f"{f} {i}": curve(f) for f in FAMILIES for i in (1, 2)}, prior=prior, steady=50, **held)


LEDGER = ledger_of()


def posted(families: Mapping[Family, float]) -> Posted:
    """The ledger of a candidate with so many bits in each family, in two rows."""
    rows = {f"{f} {i}": bits / 2 for f, bits in families.items() for i in (1, 2)}
    total = sum(rows.values())
    return Posted(rows=rows, total=total, probability=float(1 - 1 / (1 + np.exp2(total))))


def explanation(caps: Tier | None = "watch") -> BenignExplanation:
    return BenignExplanation(id="rule", name="a rule", verdict="fits", statistic=1.0, sentence="A sentence.", caps=caps)


def judged(
    *families: Mapping[Family, float], benign: Sequence[BenignExplanation] = (), fdr: float = FDR
) -> list[Judgement]:
    return judge(list(map(posted, families)), [benign] * len(families), ledger=LEDGER, fdr=fdr)


def tier(families: Mapping[Family, float], **how: Any) -> Tier | None:
    return judged(families, **how)[0].tier


def bits_of(innocence: float) -> float:
    """The bits of a candidate with this probability of innocence."""
    return math.log2((1 - innocence) / innocence)


# ---------------------------------------------------------------- tiers


@pytest.mark.parametrize(
    ("innocence", "expected"),
    [(FDR * 0.99, "review"), (FDR * 1.01, "watch"), (WATCH * FDR * 0.99, "watch"), (WATCH * FDR * 1.01, None)],
)
def test_the_probability_of_innocence_decides(innocence: float, expected: Tier | None) -> None:
    for one, other in itertools.permutations(FAMILIES, 2):
        assert tier({one: 5.0, other: bits_of(innocence) - 5.0}) == expected


def test_a_candidate_for_which_no_family_carries_weight_is_no_finding() -> None:
    little = dict.fromkeys(FAMILIES, 0.99 * CARRIES)
    assert bits_of(FDR) < sum(little.values())
    assert tier(little) is None
    assert tier({**little, "text": CARRIES}) == "review"
    assert set(judged(little)[0].reach.values()) == {math.inf}


def test_urgent_needs_surer_bits_and_two_families_beyond_text() -> None:
    sure = bits_of(URGENT * FDR * 0.99)
    assert tier({"structure": sure - CARRIES, "time": CARRIES}) == "urgent"
    assert tier({"structure": sure - 0.98 * CARRIES, "time": 0.98 * CARRIES}) == "review"
    assert tier({"structure": 30.0}) == tier({"text": 30.0, "infrastructure": 30.0}) == "review"
    assert tier({"structure": CARRIES, "infrastructure": CARRIES, "text": sure}) == "urgent"
    nearly = bits_of(URGENT * FDR * 1.01)
    assert tier({"structure": nearly / 2, "time": nearly / 2}) == "review"


def test_what_speaks_against_a_campaign_counts_as_well() -> None:
    strong: dict[Family, float] = {"structure": 6.0, "time": 6.0}
    assert tier(strong) == "urgent"
    assert tier({**strong, "infrastructure": -9.0}) == "review"
    assert tier({**strong, "text": -12.0}) == "watch"
    assert tier({**strong, "text": -30.0}) is None


def test_a_candidate_without_a_row_is_no_finding_whatever_the_prior() -> None:
    for total in (-5.0, 0.0, 30.0):
        (found,) = judge([Posted(rows={}, total=total, probability=0.5)], [()], ledger=LEDGER, fdr=1.0)
        assert found.tier is None
        assert (found.families, found.family_results) == ((), ())
        assert steps(found) == (RateStep(fdr=0.0, tier=None),)
        assert changes(found, fdr=FDR) == ()


def test_no_candidates_no_judgements() -> None:
    assert judge([], [], ledger=LEDGER, fdr=FDR) == []
    assert ranked([]) == []
    assert len(q_values([])) == 0


@given(
    families=st.dictionaries(st.sampled_from(FAMILIES), BITS, min_size=1),
    more=st.dictionaries(st.sampled_from(FAMILIES), st.floats(0, 30)),
    fdr=st.floats(0, 1),
)
@settings(max_examples=300, deadline=None)
def test_more_bits_never_lower_a_tier(families: dict[Family, float], more: dict[Family, float], fdr: float) -> None:
    # in one order, because sums are rounded
    ordered = {f: families[f] for f in FAMILIES if f in families}
    before = judged(ordered, fdr=fdr)[0]
    after = judged(
        {f: families.get(f, 0.0) + more.get(f, 0.0) for f in FAMILIES if f in families or f in more}, fdr=fdr
    )[0]
    assert RANK[after.tier] <= RANK[before.tier]
    assert after.score >= before.score
    assert after.probability >= before.probability


@given(
    st.lists(st.dictionaries(st.sampled_from(FAMILIES), BITS, min_size=1), min_size=1, max_size=10),
    st.randoms(use_true_random=False),
)
@settings(max_examples=80, deadline=None)
def test_the_order_of_candidates_changes_nothing(families: list[dict[Family, float]], random: Any) -> None:
    order = list(range(len(families)))
    random.shuffle(order)
    straight, turned = judged(*families), judged(*(families[i] for i in order))
    for place, i in enumerate(order):
        assert turned[place].tier == straight[i].tier
        assert turned[place].q_value == pytest.approx(straight[i].q_value)
        assert turned[place].families == straight[i].families


def test_other_candidates_change_no_tier_once_the_bits_are_given() -> None:
    one: dict[Family, float] = {"structure": bits_of(FDR * 0.9)}
    crowd: list[dict[Family, float]] = [{"structure": -4.0}] * 99
    assert judged(one, *crowd)[0].tier == judged(one)[0].tier == "review"


def test_a_judgement_names_the_families_that_carry_weight_strongest_first() -> None:
    found = judged({"structure": 2.0, "time": 5.0, "text": 3.0, "infrastructure": CARRIES * 0.9})[0]
    assert found.families == ("time", "text", "structure")
    assert [(s.family, s.bits, s.stands) for s in found.family_results] == [
        ("text", 3.0, True), ("structure", 2.0, True), ("time", 5.0, True), ("infrastructure", 0.9, False),
    ]  # fmt: skip
    assert found.score == pytest.approx(10.9)
    assert found.rows == posted({"structure": 2.0, "time": 5.0, "text": 3.0, "infrastructure": 0.9}).rows


def test_findings_are_ranked_by_tier_then_by_bits() -> None:
    found = judged({"text": 9.0}, {"time": -3.0}, {"structure": 4.0, "time": 4.0}, {"text": 12.0}, {"text": 1.5})
    assert [j.tier for j in found] == ["review", None, "urgent", "review", "watch"]
    assert ranked(found) == [2, 3, 0, 4]


# ---------------------------------------------------------------- hard rules


@given(
    families=st.lists(st.dictionaries(st.sampled_from(FAMILIES), BITS, min_size=1), min_size=1, max_size=6),
    caps=st.sampled_from([None, *TIERS]),
)
@settings(max_examples=150, deadline=None)
def test_a_cap_never_lifts_and_always_holds(families: list[dict[Family, float]], caps: Tier | None) -> None:
    free = judged(*families)
    capped = judged(*families, benign=[explanation(caps)])
    for before, after in zip(free, capped, strict=True):
        assert (before.tier is None) == (after.tier is None)
        assert (before.score, before.q_value, before.families) == (after.score, after.q_value, after.families)
        assert before.tier == before.uncapped == after.uncapped
        if before.tier and after.tier:
            places = [TIERS.index(t) for t in (before.tier, after.tier, caps or "urgent")]
            assert places[1] == max(places[0], places[2])


@pytest.mark.parametrize("against", [-3.0, -CARRIES, -0.9 * CARRIES, 0.0, 2.0])
def test_for_urgent_benign_explanations_that_fit_count_twice(against: float) -> None:
    """Two rows speak for one office; their sum decides."""
    ids = ("one_organisation", "one_network")
    ledger = replace(LEDGER, curves={**LEDGER.curves, **{id_: curve("infrastructure") for id_ in ids}})
    enough = bits_of(URGENT * FDR)
    for more in (-0.01, 0.01):
        doubt = against if against <= -CARRIES else 0.0
        total = enough - doubt + more
        half = (total - against) / 2
        rows = {"structure 1": half, "time 1": half, "one_organisation": against - 1.0, "one_network": 1.0}
        probability = float(1 - 1 / (1 + np.exp2(total)))
        found = judge([Posted(rows=rows, total=total, probability=probability)], [()], ledger=ledger, fdr=FDR)[0]
        assert found.tier == ("urgent" if more > 0 else "review")
        assert doubt_of(found.rows) == doubt
        why = (
            f"It would be urgent if the {-against:.1f} bits that benign explanations take away counted once, not twice."
        )
        assert (why in changes(found, fdr=FDR)) == (more < 0 and doubt < 0)


def test_a_judgement_says_what_capped_it() -> None:
    strong: dict[Family, float] = {"structure": 10.0, "time": 10.0}
    free = judged(strong)[0]
    assert (free.tier, free.uncapped, free.cap, free.capped_by) == ("urgent", "urgent", None, ())
    several = [explanation("review"), explanation("watch"), explanation(None)]
    held = judged(strong, benign=several)[0]
    assert (held.tier, held.uncapped, held.cap, held.capped_by) == ("watch", "urgent", "watch", ("a rule",))
    assert changes(held, fdr=FDR)[-1] == "It would be urgent if no hard rule capped it: a rule."
    below = judged({"text": 1.0, "time": -0.5}, benign=several[:1])[0]
    assert (below.tier, below.uncapped, below.cap) == ("watch", "watch", "review")
    assert not any("rule" in sentence for sentence in changes(below, fdr=FDR))


# ---------------------------------------------------------------- q-values


@given(st.lists(BITS, min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_a_q_value_is_the_mean_innocence_of_what_is_at_least_as_strong(totals: list[float]) -> None:
    found = q_values(totals)
    for total, q in zip(totals, found, strict=True):
        as_strong = [1 / (1 + 2**other) for other in totals if other >= total]
        assert q == pytest.approx(sum(as_strong) / len(as_strong))
    ordered = sorted(zip(totals, found, strict=True), reverse=True)
    assert all(a[1] <= b[1] + 1e-12 for a, b in pairwise(ordered))


def test_equal_totals_share_their_q_value() -> None:
    assert q_values([3.0, 1.0, 3.0, 1.0]).tolist() == pytest.approx(
        [1 / 9, (2 / 9 + 2 / 3) / 4, 1 / 9, (2 / 9 + 2 / 3) / 4]
    )
    assert q_values([200.0])[0] == pytest.approx(0.0, abs=1e-50)


# ---------------------------------------------------------------- other cuts


CANDIDATES = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(FAMILIES), BITS),
        st.sampled_from([None, None, "review", "watch"]),
    ),
    min_size=1,
    max_size=8,
)


def weighed(candidates: Any, fdr: float) -> list[Judgement]:
    return judge(
        [posted(families) for families, _ in candidates],
        [[explanation(cap)] if cap else [] for _, cap in candidates],
        ledger=LEDGER,
        fdr=fdr,
    )


@given(CANDIDATES, st.floats(1e-12, 1))
@settings(max_examples=200, deadline=None)
def test_the_tier_at_another_cut_is_that_of_judging_again(candidates: Any, fdr: float) -> None:
    for (families, cap), here, there in zip(
        candidates, weighed(candidates, FDR), weighed(candidates, fdr), strict=True
    ):
        assert tier_at(here, FDR) == here.tier
        assert tier_at(here, fdr) == there.tier
        assert here.reach == there.reach
        if families and not cap:
            assert tier_of(posted(families).total, here.family_results, doubt=0.0, fdr=fdr) == there.tier


@given(CANDIDATES)
@settings(max_examples=100, deadline=None)
def test_steps_are_where_the_tier_changes(candidates: Any) -> None:
    for judgement in weighed(candidates, FDR):
        found = steps(judgement)
        assert found[0].fdr == 0
        rank = [RANK[s.tier] for s in found]
        assert rank == sorted(set(rank), reverse=True)
        assert [s.fdr for s in found] == sorted({s.fdr for s in found})
        for before, step in pairwise(found):
            assert tier_at(judgement, step.fdr) == step.tier
            assert tier_at(judgement, float(np.nextafter(step.fdr, 0))) == before.tier
        assert tier_at(judgement, 1.0) == found[-1].tier


def test_what_would_change_the_tier_in_words() -> None:
    one = judged({"structure": bits_of(0.1)})[0]
    assert steps(one) == (
        RateStep(fdr=0.0, tier=None),
        RateStep(fdr=pytest.approx(0.1 / WATCH), tier="watch"),
        RateStep(fdr=pytest.approx(0.1), tier="review"),
    )
    assert changes(one, fdr=FDR) == (
        "It would be at watch at a false-discovery rate below 0.1.",
        f"It would be no finding at a false-discovery rate below {0.1 / WATCH:.2g}.",
    )
    two = judged({"structure": bits_of(0.04) / 2, "time": bits_of(0.04) / 2})[0]
    assert changes(two, fdr=FDR)[-1] == "It would be urgent at a false-discovery rate of 0.4 or more."
    assert changes(judged({"text": 5.0, "time": -25.0})[0], fdr=FDR)[0].startswith(
        "It would be at watch at a false-discovery rate"
    )
    assert changes(judged({"structure": 30.0})[0], fdr=FDR) == ()  # too far below to speak of


@given(CANDIDATES, st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_what_if_counts_what_judging_again_would_give(candidates: Any, fdr: float) -> None:
    ledger = ledger_of(held_out=((math.inf, 0.1, 0.02),), held_out_count=9)
    cuts = what_if(weighed(candidates, fdr), ledger=ledger, fdr=fdr)
    assert [c.fdr for c in cuts] == sorted({min(1.0, fdr * times) for times in NEIGHBOURS})
    for cut in cuts:
        again = weighed(candidates, cut.fdr)
        assert cut.findings == {t: sum(j.tier == t for j in again) for t in TIERS}
        assert cut.expected_false == pytest.approx(expected_false(again, ledger=ledger, fdr=cut.fdr))


# ---------------------------------------------------------------- expected false findings


def test_expected_false_is_the_share_of_held_out_innocents_at_the_tier_or_what_is_stated() -> None:
    ledger = ledger_of(
        held_out=((0.5, 0.05, 0.01), (math.inf, 0.15, 0.04), (math.inf, math.inf, 0.19)), held_out_count=99
    )
    candidates = judged({"text": 0.0}, {"text": 0.0}, {"text": bits_of(0.25)})
    found = expected_false(candidates, ledger=ledger, fdr=FDR)
    assert found == pytest.approx({"urgent": 1.25 * 1 / 100, "review": 1.25 * 3 / 100, "watch": 0.25})
    stricter = expected_false(candidates, ledger=ledger, fdr=0.02)
    assert stricter == pytest.approx({"urgent": 1.25 / 100, "review": 1.25 / 100, "watch": 1.25 * 2 / 100})
    assert expected_false([], ledger=ledger, fdr=FDR) == {"urgent": 0.0, "review": 0.0, "watch": 0.0}


def test_no_fewer_false_findings_are_expected_than_their_probabilities_say() -> None:
    ledger = ledger_of(held_out=((math.inf, math.inf, 0.19),), held_out_count=999)
    (one,) = candidates = judged({"structure": bits_of(0.2) + 1e-6})
    assert one.tier == "review"
    assert expected_false(candidates, ledger=ledger, fdr=FDR)["review"] == pytest.approx(1 - one.probability)


def test_without_held_out_innocents_nothing_is_expected() -> None:
    found = expected_false(judged({"text": 0.0}), ledger=LEDGER, fdr=FDR)
    assert all(math.isnan(x) for x in found.values())


def test_the_tier_of_a_held_out_innocent() -> None:
    reach = (0.5, 0.05, 0.01)
    assert [tier_of_reach(reach, fdr) for fdr in (0.005, 0.01, 0.05, 0.5)] == [None, "watch", "review", "urgent"]
    assert tier_of_reach((math.inf, math.inf, math.inf), 1.0) is None


def test_the_guide_names_the_neighbouring_rates() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "usage.md").read_text(encoding="utf-8")
    *most, last = (f"{times:g}" for times in NEIGHBOURS)
    assert f"at {', '.join(most)} and {last} times the false-discovery rate of the scan" in guide
