"""The judgement: which tier by which rule, and never more than watch for wording alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.data import TIERS, BenignExplanation, Evidence, Family, Tier
from harvestdetect.triage import AGREES, ALONE, TEXT_FDR, Judgement, family_p_values, judge

FDR = 0.01
SURE = 1e-9
P_VALUES = st.one_of(st.floats(0, 1), st.floats(0, 40).map(lambda x: 10.0**-x))
BEYOND: tuple[Family, ...] = ("structure", "time", "infrastructure")


def evidence(name: str, family: Family, p_value: float) -> Evidence:
    return Evidence(
        name=name,
        family=family,
        value=1.0,
        null="chance",
        expected=0.0,
        p_value=p_value,
        sentence="A sentence.",
    )


def explanation(verdict: Any = "fits", caps: Tier | None = "watch") -> BenignExplanation:
    return BenignExplanation(name="a reading", verdict=verdict, statistic=1.0, sentence="A sentence.", caps=caps)


def measured(families: Mapping[Family, float], measures: int = 1) -> list[Evidence]:
    """Evidence that gives these p-values per family: so many measures that say the same."""
    return [evidence(f"{f} {i}", f, p) for f, p in families.items() for i in range(measures)]


def judged(
    *families: Mapping[Family, float],
    benign: Sequence[BenignExplanation] = (),
    templated: bool = True,
    measures: int = 1,
) -> list[Judgement]:
    count = len(families)
    return judge(
        [measured(f, measures) for f in families],
        [benign] * count,
        [templated] * count,
        deciding={},
        fdr=FDR,
    )


def tier(families: Mapping[Family, float], **how: Any) -> Tier | None:
    return judged(families, **how)[0].tier


# ---------------------------------------------------------------- families


def test_one_p_value_per_family_by_simes() -> None:
    found = family_p_values(
        [
            evidence("even load", "structure", 0.01),
            evidence("one list of work", "structure", 0.04),
            evidence("flat day", "time", 0.5),
        ],
        {},
    )
    assert found == {"structure": pytest.approx(0.02), "time": pytest.approx(0.5)}


def test_only_the_deciding_measures_of_a_family_count() -> None:
    items = [
        evidence("rigid wording", "text", 0.3),
        evidence("density", "text", 1e-12),
        evidence("x", "time", 0.2),
    ]
    assert family_p_values(items, {"text": ("rigid wording",)}) == {
        "text": pytest.approx(0.3),
        "time": pytest.approx(0.2),
    }
    assert family_p_values([items[1]], {"text": ("rigid wording",)}) == {}
    assert family_p_values([], {}) == {}


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=8))
@settings(deadline=None)
def test_a_family_lies_between_its_least_p_value_and_bonferroni(p_values: list[float]) -> None:
    found = family_p_values([evidence(str(i), "time", p) for i, p in enumerate(p_values)], {})["time"]
    assert min(p_values) * (1 - 1e-12) <= found
    assert found <= min(1.0, min(p_values) * len(p_values)) * (1 + 1e-12)


def test_a_p_value_of_nought_is_held_above_it() -> None:
    assert 0 < family_p_values([evidence("x", "time", 0.0)], {})["time"] < 1e-20


# ---------------------------------------------------------------- tiers


def test_two_families_beyond_text_are_urgent() -> None:
    assert tier({"structure": SURE, "time": SURE}) == "urgent"
    assert tier({"structure": SURE, "infrastructure": SURE, "text": 1.0}) == "urgent"
    assert tier({"structure": SURE, "time": SURE}, templated=False) == "urgent"


def test_one_family_on_a_template_is_for_review() -> None:
    for family in BEYOND:
        assert tier({family: FDR / 2}) == "review"
        assert tier({family: FDR / 2, "text": SURE}, templated=False) == "review"


def test_one_family_without_a_template_must_be_surer_and_agree_with_itself() -> None:
    sure: dict[Family, float] = {"time": ALONE * FDR / 2, "text": 1.0}
    assert tier(sure, templated=False, measures=2) == "review"
    assert tier(sure, templated=False) is None  # a single measure
    assert tier({"time": 2 * ALONE * FDR, "text": 1.0}, templated=False, measures=2) is None
    assert tier({"time": FDR / 2, "text": 1.0}, templated=False, measures=2) is None
    assert tier({"time": FDR / 2, "text": SURE}, templated=False) == "review"


@pytest.mark.parametrize(("second", "expected"), [(AGREES, "review"), (1.5 * AGREES, None)])
@pytest.mark.parametrize("deciding", [{}, {"structure": ("even load", "one list of work")}])
def test_a_second_measure_agrees_whether_it_decides_or_not(
    deciding: Mapping[str, Sequence[str]], second: float, expected: Tier | None
) -> None:
    items = [evidence("even load", "structure", SURE), evidence("linked clusters", "structure", second)]
    assert judge([items], [()], [False], deciding=deciding, fdr=FDR)[0].tier == expected
    other = [items[0], evidence("flat day", "time", second)]  # of another family
    assert judge([other], [()], [False], deciding=deciding, fdr=FDR)[0].tier in (None, "urgent")


def test_only_the_deciding_measures_make_a_family_stand() -> None:
    items = [evidence("rigid wording", "text", 0.9), evidence("density", "text", SURE)]
    for names, expected in ((("rigid wording",), None), (("density",), "watch")):
        found = judge([items], [()], [True], deciding={"text": names}, fdr=FDR)
        assert found[0].tier == expected


def test_text_alone_is_to_watch() -> None:
    assert tier({"text": TEXT_FDR / 2}) == "watch"
    assert tier({"text": 0.0, "time": 0.5, "structure": 0.5}) == "watch"
    assert tier({"text": 2 * TEXT_FDR}) is None


def test_nothing_that_stands_is_no_finding() -> None:
    assert tier({}) is None
    assert tier({"structure": 0.5, "time": 0.2, "text": 0.9}) is None
    assert tier({"structure": 2 * FDR, "time": 2 * FDR}) is None


def test_intent_alone_lifts_nothing() -> None:
    assert tier({"intent": SURE}) is None


@given(p_values=st.lists(P_VALUES, min_size=1, max_size=12), templated=st.booleans())
@settings(max_examples=200, deadline=None)
def test_text_alone_never_makes_more_than_watch(p_values: list[float], templated: bool) -> None:
    wording: list[dict[Family, float]] = [{"text": p} for p in p_values]
    for found in judged(*wording, templated=templated, measures=2):
        assert found.tier in (None, "watch")
        assert found.q_value > 0.99
        assert found.score <= 3.0


@given(text=st.lists(P_VALUES, min_size=1, max_size=8), templated=st.booleans())
@settings(max_examples=100, deadline=None)
def test_text_never_lifts_a_finding_that_stands_on_nothing_else(text: list[float], templated: bool) -> None:
    weak: list[dict[Family, float]] = [{"text": p, "structure": 0.6, "time": 0.7} for p in text]
    assert {f.tier for f in judged(*weak, templated=templated)} <= {None, "watch"}


@given(
    families=st.lists(st.dictionaries(st.sampled_from(["text", *BEYOND]), P_VALUES), min_size=1, max_size=10),
    caps=st.sampled_from([None, *TIERS]),
    templated=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_cap_never_lifts_and_always_holds(
    families: list[dict[Family, float]], caps: Tier | None, templated: bool
) -> None:
    free = judged(*families, templated=templated)
    capped = judged(*families, benign=[explanation(caps=caps)], templated=templated)
    for before, after in zip(free, capped, strict=True):
        assert (before.tier is None) == (after.tier is None)
        assert (before.score, before.q_value, before.families) == (after.score, after.q_value, after.families)
        if before.tier and after.tier:
            places = [TIERS.index(t) for t in (before.tier, after.tier, caps or "urgent")]
            assert places[1] == max(places[0], places[2])


def test_the_strictest_cap_counts() -> None:
    strong: dict[Family, float] = {"structure": SURE, "time": SURE}
    several = [explanation(caps="review"), explanation(caps="watch"), explanation("unlikely", None)]
    assert tier(strong, benign=several) == "watch"
    assert tier(strong, benign=several[:1]) == "review"
    assert tier(strong, benign=[explanation("unlikely", None), explanation("unknown", None)]) == "urgent"


# ---------------------------------------------------------------- many candidates


def test_no_candidates_no_judgements() -> None:
    assert judge([], [], [], deciding={}, fdr=FDR) == []


def test_many_candidates_need_surer_evidence() -> None:
    one: dict[Family, float] = {"structure": FDR / 2}
    assert judged(one)[0].tier == "review"
    crowd: list[dict[Family, float]] = [{"structure": 0.9}] * 99
    assert judged(one, *crowd)[0].tier is None
    assert judged({"structure": FDR / 200}, *crowd)[0].tier == "review"


def test_a_missing_family_counts_as_no_evidence() -> None:
    found = judged({"structure": SURE}, {"structure": 0.9, "time": 0.9}, {})
    assert [f.tier for f in found] == ["review", None, None]
    assert found[2].q_value > 0.99


@given(st.lists(P_VALUES, min_size=2, max_size=20), st.sampled_from(BEYOND))
@settings(max_examples=150, deadline=None)
def test_q_values_and_scores_are_monotone_in_p(p_values: list[float], family: Family) -> None:
    ordered = sorted(p_values)
    found = judged(*({family: p} for p in ordered))
    q_values = [f.q_value for f in found]
    assert all(a <= b + 1e-12 for a, b in pairwise(q_values))
    assert all(max(p, 0.0) <= q + 1e-9 <= 1 + 1e-9 for p, q in zip(ordered, q_values, strict=True))
    scores = [f.score for f in found]
    assert all(a >= b for a, b in pairwise(scores))
    tiers = [len(TIERS) if f.tier is None else TIERS.index(f.tier) for f in found]
    assert tiers == sorted(tiers)


@given(
    st.lists(st.dictionaries(st.sampled_from(["text", *BEYOND]), P_VALUES), min_size=1, max_size=10),
    st.randoms(use_true_random=False),
)
@settings(max_examples=80, deadline=None)
def test_the_order_of_candidates_changes_nothing(families: list[dict[Family, float]], random: Any) -> None:
    order = list(range(len(families)))
    random.shuffle(order)
    straight = judged(*families)
    turned = judged(*(families[i] for i in order))
    for place, i in enumerate(order):
        assert turned[place].tier == straight[i].tier
        assert turned[place].q_value == pytest.approx(straight[i].q_value)
        assert turned[place].families == straight[i].families


def test_families_that_stand_are_named_strongest_first() -> None:
    found = judged({"structure": 1e-4, "time": 1e-8, "text": 1e-6, "infrastructure": 0.5})[0]
    assert found.families == ("time", "text", "structure")


def test_the_q_value_is_small_for_evidence_beyond_wording() -> None:
    found = judged({"structure": 1e-8, "time": 1e-6}, {"text": 0.0}, {"structure": 0.4})
    assert found[0].q_value < 1e-9
    assert found[0].score > found[1].score
    assert found[1].q_value > 0.9
    assert np.isfinite([f.score for f in judged({"structure": 0.0, "time": 0.0, "text": 0.0})]).all()
