"""The judgement: which tier by which rule, and never more than watch for wording alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.data import TIERS, BenignExplanation, Evidence, Family, RateStep, Tier
from harvestdetect.evidence.observation import SUPPORTS
from harvestdetect.judge.triage import (
    ALONE,
    BEYOND_TEXT,
    NEIGHBOURS,
    Judgement,
    changes,
    expected_false,
    family_p_values,
    judge,
    steps,
    tier_at,
    what_if,
)

FDR = 0.01
SURE = 1e-9
P_VALUES = st.one_of(st.floats(0, 1), st.floats(0, 40).map(lambda x: 10.0**-x))
BEYOND: tuple[Family, ...] = ("structure", "time", "infrastructure")


def evidence(name: str, family: Family, p_value: float) -> Evidence:
    return Evidence(
        id=name,
        name=f"the {name}",
        family=family,
        value=1.0,
        null="chance",
        expected=0.0,
        p_value=p_value,
        sentence="A sentence.",
    )


def explanation(verdict: Any = "fits", caps: Tier | None = "watch") -> BenignExplanation:
    return BenignExplanation(
        id="reading", name="a reading", verdict=verdict, statistic=1.0, sentence="A sentence.", caps=caps
    )


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


@pytest.mark.parametrize(("second", "expected"), [(SUPPORTS, "review"), (1.5 * SUPPORTS, None)])
@pytest.mark.parametrize("deciding", [{}, {"structure": ("even load", "one list of work")}])
def test_a_second_measure_agrees_whether_it_decides_or_not(
    deciding: Mapping[str, Sequence[str]], second: float, expected: Tier | None
) -> None:
    items = [evidence("even load", "structure", SURE), evidence("linked clusters", "structure", second)]
    assert judge([items], [()], [False], deciding=deciding, fdr=FDR)[0].tier == expected
    other = [items[0], evidence("flat day", "time", second)]  # of another family
    assert judge([other], [()], [False], deciding=deciding, fdr=FDR)[0].tier in (None, "urgent")


@given(
    st.lists(st.tuples(st.booleans(), P_VALUES), min_size=1, max_size=5),
    st.integers(0, 20),
    st.floats(0.001, 1),
)
def test_measures_that_do_not_decide_agree_only_with_one_that_does(
    measures: list[tuple[bool, float]], others: int, fdr: float
) -> None:
    items = [evidence(f"{'first' if d else 'second'} {i}", "time", p) for i, (d, p) in enumerate(measures)]
    deciding = {"time": [e.id for e in items if e.id.startswith("first")]}
    sets = [items, *[[evidence("first 0", "time", 1.0)]] * others]
    count = len(sets)
    found = judge(sets, [()] * count, [False] * count, deciding=deciding, fdr=fdr)[0]
    agreeing = [d for d, p in measures if p <= SUPPORTS]
    if found.tier == "review":
        assert any(agreeing)
        assert len(agreeing) >= 2
    sure = any(d and p <= ALONE * fdr / (len(deciding["time"]) * count) for d, p in measures)
    assert found.tier == "review" or not (sure and len(agreeing) >= 2)


def test_only_the_deciding_measures_make_a_family_stand() -> None:
    items = [evidence("rigid wording", "text", 0.9), evidence("density", "text", SURE)]
    for names, expected in ((("rigid wording",), None), (("density",), "watch")):
        found = judge([items], [()], [True], deciding={"text": names}, fdr=FDR)
        assert found[0].tier == expected


def test_text_alone_is_to_watch() -> None:
    assert tier({"text": SUPPORTS / 2}) == "watch"
    assert tier({"text": 0.0, "time": 0.5, "structure": 0.5}) == "watch"
    assert tier({"text": 2 * SUPPORTS}) is None


def test_nothing_that_stands_is_no_finding() -> None:
    assert tier({}) is None
    assert tier({"structure": 0.5, "time": 0.2, "text": 0.9}) is None
    assert tier({"structure": 2 * FDR, "time": 2 * FDR}) is None


def test_intent_alone_lifts_nothing() -> None:
    assert tier({"intent": SURE}) is None


@given(
    families=st.lists(st.dictionaries(st.sampled_from(["text", *BEYOND]), P_VALUES), min_size=1, max_size=6),
    more=st.dictionaries(st.sampled_from(["text", "intent", *BEYOND]), P_VALUES),
    templated=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_measures_that_only_explain_change_no_tier(
    families: list[dict[Family, float]], more: dict[Family, float], templated: bool
) -> None:
    # beyond text they are taken only of candidates with a template
    taken = {f: p for f, p in more.items() if templated or f not in BEYOND}
    explaining = [evidence(f"explains {f}", f, p) for f, p in taken.items()]
    deciding = {f: [f"{f} 0"] for f in ("text", "intent", *BEYOND)}
    plain, explained = (
        judge(
            [[*measured(f), *others] for f in families],
            [()] * len(families),
            [templated] * len(families),
            deciding=deciding,
            fdr=FDR,
        )
        for others in ([], explaining)
    )
    for before, after in zip(plain, explained, strict=True):
        same = [replace(s, agreed=False) for s in before.standings]
        assert [replace(s, agreed=False) for s in after.standings] == same
        assert replace(after, standings=()) == replace(before, standings=())


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


# ---------------------------------------------------------------- what an explanation needs


def test_a_judgement_says_how_each_family_came_out() -> None:
    found = judged({"structure": 0.004, "text": 1e-6, "intent": SURE}, {"structure": 0.5, "time": 0.3})
    first, second = found
    assert [(s.family, s.p_value, s.adjusted, s.cut, s.stands) for s in first.standings] == [
        ("text", pytest.approx(1e-6), pytest.approx(2e-6), SUPPORTS, True),
        ("structure", pytest.approx(0.004), pytest.approx(0.008), FDR, True),
    ]
    assert [s.family for s in second.standings] == ["structure", "time"]
    assert not any(s.stands for s in second.standings)


def test_a_judgement_says_what_capped_it() -> None:
    free = judged({"structure": SURE, "time": SURE})[0]
    assert (free.tier, free.uncapped, free.cap, free.capped_by) == ("urgent", "urgent", None, ())
    several = [explanation(caps="review"), explanation(caps="watch"), explanation("unlikely", None)]
    held = judged({"structure": SURE, "time": SURE}, benign=several)[0]
    assert (held.tier, held.uncapped, held.cap, held.capped_by) == ("watch", "urgent", "watch", ("a reading",))
    below = judged({"text": SURE}, benign=several[:1])[0]
    assert (below.tier, below.uncapped, below.cap) == ("watch", "watch", "review")
    assert changes(held, fdr=FDR)[-1] == "It would be urgent if no innocent reading fitted: a reading."
    assert not any("reading" in sentence for sentence in changes(below, fdr=FDR))


CANDIDATES = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["text", *BEYOND]), P_VALUES),
        st.booleans(),  # templated
        st.sampled_from([None, None, "review", "watch"]),
        st.integers(1, 2),
    ),
    min_size=1,
    max_size=8,
)


def weighed(candidates: Any, fdr: float) -> list[Judgement]:
    return judge(
        [measured(families, measures) for families, _, _, measures in candidates],
        [[explanation(caps=cap)] if cap else [] for _, _, cap, _ in candidates],
        [templated for _, templated, _, _ in candidates],
        deciding={},
        fdr=fdr,
    )


@given(CANDIDATES, st.floats(1e-12, 1))
@settings(max_examples=200, deadline=None)
def test_the_tier_at_another_cut_is_that_of_judging_again(candidates: Any, fdr: float) -> None:
    for here, there in zip(weighed(candidates, FDR), weighed(candidates, fdr), strict=True):
        assert tier_at(here, FDR) == here.tier
        assert tier_at(here, fdr) == there.tier
        assert here.reach == there.reach


@given(CANDIDATES)
@settings(max_examples=100, deadline=None)
def test_steps_are_where_the_tier_changes(candidates: Any) -> None:
    for judgement in weighed(candidates, FDR):
        found = steps(judgement)
        assert found[0].fdr == 0
        rank = [3 if s.tier is None else TIERS.index(s.tier) for s in found]
        assert rank == sorted(set(rank), reverse=True)
        assert [s.fdr for s in found] == sorted({s.fdr for s in found})
        for before, step in pairwise(found):
            assert tier_at(judgement, step.fdr) == step.tier
            assert tier_at(judgement, float(np.nextafter(step.fdr, 0))) == before.tier
        assert tier_at(judgement, 1.0) == found[-1].tier


def test_what_would_change_the_tier_in_words() -> None:
    one = judged({"structure": 0.0004, "time": 0.03})[0]
    assert steps(one) == (
        RateStep(fdr=0.0, tier=None),
        RateStep(fdr=pytest.approx(0.0004), tier="review"),
        RateStep(fdr=pytest.approx(0.03), tier="urgent"),
    )
    assert changes(one, fdr=FDR) == (
        "It would be no finding at a false-discovery rate below 0.0004.",
        "It would be urgent at a false-discovery rate of 0.03 or more.",
    )
    assert changes(judged({"text": SURE})[0], fdr=FDR) == ()
    assert changes(judged({"structure": SURE})[0], fdr=FDR) == ()  # too far below to speak of
    without = judged({"time": ALONE * 0.02, "text": 1.0}, templated=False, measures=2)[0]
    assert changes(without, fdr=FDR) == ("It would be for review at a false-discovery rate of 0.02 or more.",)


def test_the_nearest_change_comes_first() -> None:
    one = judged({"structure": 1e-5, "time": 1e-4, "text": SURE})[0]
    assert changes(one, fdr=FDR) == (
        "It would be for review at a false-discovery rate below 0.0001.",
        "It would be to watch at a false-discovery rate below 1e-05.",
    )


@given(CANDIDATES, st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_what_if_counts_what_judging_again_would_give(candidates: Any, fdr: float) -> None:
    cuts = what_if(weighed(candidates, fdr), fdr=fdr)
    assert [c.fdr for c in cuts] == sorted({min(1.0, fdr * times) for times in NEIGHBOURS})
    for cut in cuts:
        again = weighed(candidates, cut.fdr)
        assert cut.findings == {t: sum(j.tier == t for j in again) for t in TIERS}
        assert cut.expected_false == pytest.approx(expected_false(again, fdr=cut.fdr))


# ---------------------------------------------------------------- expected false findings


def test_expected_false_of_nothing() -> None:
    assert expected_false([], fdr=FDR) == {"urgent": 0.0, "review": 0.0, "watch": 0.0}
    unmeasured = judged({}, {}, {})
    assert expected_false(unmeasured, fdr=FDR) == {"urgent": 0.0, "review": 0.0, "watch": 0.0}


def test_expected_false_by_hand() -> None:
    one = judged({"structure": 0.5, "time": 0.5, "text": 0.5})
    assert expected_false(one, fdr=FDR) == pytest.approx({"urgent": FDR**2, "review": 2 * FDR, "watch": SUPPORTS})
    # Four candidates, two of them let in by structure; the other two would be let in as the third.
    strong: dict[Family, float] = {"structure": SURE}
    weak: dict[Family, float] = {"structure": 0.9}
    four = judged(strong, strong, weak, weak)
    assert expected_false(four, fdr=FDR)["review"] == pytest.approx(FDR * (2 + 2 + 3 + 3) / 4)
    assert expected_false(four, fdr=FDR)["urgent"] == 0  # no second family was measured
    bare = judged(strong, strong, weak, weak, templated=False, measures=2)
    assert expected_false(bare, fdr=FDR)["review"] == pytest.approx(ALONE * FDR * (2 + 2 + 3 + 3) / 4)


def test_a_family_that_stands_makes_a_false_urgent_more_likely_than_chance_alone() -> None:
    none = expected_false(judged({"structure": 0.5, "time": 0.5}), fdr=FDR)["urgent"]
    one = expected_false(judged({"structure": SURE, "time": 0.5}), fdr=FDR)["urgent"]
    assert none == pytest.approx(FDR**2)
    assert one == pytest.approx(FDR)


def test_a_capped_candidate_can_be_false_at_its_cap_only() -> None:
    innocent: dict[Family, float] = {"structure": 0.5, "time": 0.5, "text": 0.5}
    held = judged(innocent, benign=[explanation(caps="watch")])
    assert expected_false(held, fdr=FDR) == pytest.approx({"urgent": 0, "review": 0, "watch": SUPPORTS + 2 * FDR})
    held = judged(innocent, benign=[explanation(caps="review")])
    assert expected_false(held, fdr=FDR) == pytest.approx({"urgent": 0, "review": 2 * FDR, "watch": SUPPORTS})


@pytest.mark.parametrize(("both", "single"), [(0, 0), (1, 0), (0, 6), (8, 4), (20, 10)])
def test_the_stated_number_is_at_least_the_realised_one(both: int, single: int) -> None:
    """Candidates with two real families, with one, with none; text by chance or not; some capped, some templated."""
    count, times, fdr = 40, 150, 0.2
    rng = np.random.default_rng(both * 100 + single)
    stated, realised = np.zeros((times, 3)), np.zeros((times, 3))
    deciding = {family: (f"{family} 0",) for family in ("text", *BEYOND)}
    for round_ in range(times):
        wording = rng.random(count) < 0.5  # by chance
        templated = (rng.random(count) < 0.5).tolist()
        caps = [rng.choice(["review", "watch"]) if rng.random() < 0.1 else None for _ in range(count)]
        real = [
            set(rng.choice(BEYOND, 2 if i < both else 1 if i < both + single else 0, replace=False).tolist())
            for i in range(count)
        ]
        items = []
        for i in range(count):
            own = [evidence("text 0", "text", float(rng.random()) if wording[i] else SURE)]
            for family in BEYOND:
                own.append(evidence(f"{family} 0", family, float(rng.random() ** (6 if family in real[i] else 1))))
                if rng.random() < 0.5:
                    own.append(evidence(f"{family} 1", family, SUPPORTS / 2))  # agrees, does not decide
            items.append(own)
        benign = [[explanation(caps=c)] if c else [] for c in caps]
        found = judge(items, benign, templated, deciding=deciding, fdr=fdr)
        stated[round_] = [expected_false(found, fdr=fdr)[t] for t in TIERS]
        for i, judgement in enumerate(found):
            if judgement.tier == "urgent":
                realised[round_, 0] += len(real[i]) < 2
            elif judgement.tier == "review" or judgement.uncapped in ("urgent", "review"):
                realised[round_, TIERS.index(judgement.tier or "watch")] += not real[i]
            elif judgement.tier == "watch":
                realised[round_, 2] += wording[i]
    error = (realised - stated).std(axis=0) / np.sqrt(times)
    assert (stated.mean(axis=0) >= realised.mean(axis=0) - 3 * error).all()
    # An estimate, not a blanket: where nothing is real it is near what comes about.
    if not both + single:
        assert stated[:, 1].mean() <= 1.5 * realised[:, 1].mean()
    assert set(BEYOND) == set(BEYOND_TEXT)
