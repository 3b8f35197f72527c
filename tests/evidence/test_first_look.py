"""The measures of the first look: significant on a planted effect, silent on their null."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from harvestdetect.data import NO_TIME, Evidence
from harvestdetect.evidence.least_data import MIN_PROMPTS
from harvestdetect.evidence.load import even_load, even_load_ratio, least_beyond, linked_clusters, linked_templates
from harvestdetect.evidence.measures import MEASURES
from harvestdetect.evidence.nulls import Groups, draw_groups, pool_of
from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.wording import copies_share
from harvestdetect.evidence.work_list import (
    OWN_SUBJECTS,
    OwnSubjects,
    _if_dealt,
    coherence,
    compare_likeness,
    one_list_of_work,
)
from harvestdetect.util.amounts import MIN_SAMPLE
from harvestdetect.util.arrays import Ints, Vectors
from tests.evidence.table import TEMPO, text_evidence, time_evidence

HOUR, DAY = 3_600, 86_400
T0 = 1_772_323_200
DAYS = 28
CAMPAIGN = 30
"""Accounts of a campaign, the first ones."""
OTHERS = 250
EACH = 20


def by_id(found: list[Evidence]) -> dict[str, Evidence]:
    return {e.id: e for e in found}


# ---------------------------------------------------------------- even load


@pytest.mark.parametrize("seed", range(4))
def test_an_even_load_is_found(seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(12, 40).astype(np.int32) + 1
    found = even_load(counts, seed=0)
    assert found is not None
    assert found.p_value < 1e-4
    assert found.value < found.expected
    assert next(m.family for m in MEASURES if m.id == "even_load") == "structure"
    assert "40 accounts" in found.sentence


@pytest.mark.parametrize("seed", range(6))
def test_the_load_of_independent_users_is_not(seed: int) -> None:
    counts = np.random.default_rng(seed).geometric(1 / 12, 40).astype(np.int32)
    found = even_load(counts, seed=0)
    assert found is not None
    assert found.p_value > 0.02


def test_the_p_values_of_independent_users_are_about_uniform() -> None:
    rng = np.random.default_rng(8)
    found = [even_load(rng.geometric(1 / 8, 30).astype(np.int32), seed=0) for _ in range(150)]
    p_values = np.array([f.p_value for f in found if f is not None])
    assert len(p_values) == 150
    assert (p_values <= 0.1).mean() < 0.2
    assert (p_values <= 0.01).mean() < 0.04


@pytest.mark.parametrize("strays", [1, 3])
def test_leaving_out_strays_does_not_make_a_load_even(strays: int) -> None:
    p_values = []
    for seed in range(200):
        counts = np.random.default_rng(seed).geometric(1 / 6, 40).astype(np.int32)
        found = even_load(counts[counts > strays], strays=strays, seed=0)
        assert found is not None
        p_values.append(found.p_value)
    assert np.mean(np.array(p_values) < 0.05) <= 0.1
    assert 0.1 < np.mean(np.array(p_values) < 0.5) < 0.6  # rather too large than too small


def test_a_load_that_is_even_without_its_strays_is_found() -> None:
    counts = np.random.default_rng(0).poisson(12, 40).astype(np.int32) + 4
    found = even_load(counts, strays=2, seed=0)
    assert found is not None
    assert found.p_value < 1e-4
    assert f"sent {counts.mean():.1f} of these prompts each" in found.sentence
    # members at or below the strays' count are no part of the comparison
    assert even_load(np.append(counts, [1, 2, 2]).astype(np.int32), strays=2, seed=0) == found


def test_all_at_the_strays_count_have_no_load() -> None:
    assert even_load(np.full(40, 3, np.int32), strays=3, seed=0) is None
    assert even_load(np.full(40, 4, np.int32), strays=3, seed=0) is None


def test_next_to_nothing_has_no_load() -> None:
    assert even_load(np.ones(40, np.int32), seed=0) is None
    assert even_load(np.array([50, 50, 50, 50], np.int32), seed=0) is None
    assert even_load(np.array([], np.int32), seed=0) is None


def test_the_same_seed_gives_the_same_load() -> None:
    counts = np.random.default_rng(0).geometric(1 / 9, 25).astype(np.int32)
    assert even_load(counts, seed=5) == even_load(counts, seed=5)


def test_the_load_ratio_is_one_for_people_and_small_for_a_balancer() -> None:
    rng = np.random.default_rng(1)
    assert even_load_ratio(rng.geometric(1 / 10, 20_000)) == pytest.approx(1.0, abs=0.08)
    assert even_load_ratio(rng.poisson(9, 20_000) + 1) == pytest.approx(0.1, abs=0.02)
    assert even_load_ratio(np.full(10, 7)) == 0.0
    assert even_load_ratio(np.ones(10, np.int32)) == 1.0


# ---------------------------------------------------------------- linked templates


def test_accounts_chosen_for_sending_two_kinds_are_not_even_for_that() -> None:
    """Independent users (a geometric number of each of two kinds), of whom those that sent both are left."""
    rng = np.random.default_rng(5)
    found = {0: 0, 1: 0}
    for seed in range(40):
        sent = rng.geometric(0.6, (200, 2)) - 1
        both = sent[(sent > 0).all(axis=1)]
        used = (both > 0).sum(axis=1)
        assert least_beyond(0, used) == 1
        for strays in found:
            load = even_load(both.sum(axis=1).astype(np.int32), strays=strays, seed=seed)
            found[strays] += load is not None and load.p_value < 0.01
    assert found[0] > 30 > 8 > found[1]
    assert least_beyond(0, np.array([2, 1, 3])) == 0
    assert least_beyond(4, np.array([2, 2])) == 4


def test_linked_templates() -> None:
    assert linked_templates(1, -40.0, accounts=20, several=0.75) is None
    assert linked_templates(0, 0.0, accounts=20, several=0.75) is None
    assert linked_clusters(1, 1, -40.0, accounts=20, several=0.75) is None
    assert linked_clusters(0, 0, 0.0, accounts=20, several=0.75) is None
    assert linked_clusters(4, 3, -40.0, accounts=20, several=0.75) is None
    found = linked_templates(3, -40.0, accounts=20, several=0.75)
    assert found is not None
    assert found.value == 3.0
    assert found.p_value == pytest.approx(np.exp(-40.0))
    assert found.sentence == "20 accounts sent 3 different templates, 75% of them more than one."
    endless = linked_templates(2, -1e9, accounts=20, several=0.75)
    assert endless is not None
    assert endless.p_value > 0


def test_linked_subjects_are_named_apart() -> None:
    assert linked_templates(1, -40.0, accounts=20, several=0.75) is None
    found = linked_clusters(4, 1, -40.0, accounts=20, several=0.75)
    assert found is not None
    assert found.value == 4.0
    assert "20 accounts sent 4 kinds of prompts, 75% of them" in found.sentence


# ---------------------------------------------------------------- matched groups


def account_column(each: int = EACH) -> npt.NDArray[np.int32]:
    return np.repeat(np.arange(CAMPAIGN + OTHERS, dtype=np.int32), each)


def groups_of(account: npt.NDArray[np.int32]) -> Groups:
    """The first accounts against the others."""
    excluded = np.arange(CAMPAIGN + OTHERS) < CAMPAIGN
    own = np.flatnonzero(account < CAMPAIGN).astype(np.int32)
    groups = draw_groups(pool_of(account, ~excluded), own, account, seed=0)
    assert groups is not None
    return groups


def timed(account: npt.NDArray[np.int32], time: Ints) -> list[Evidence]:
    return time_evidence(groups_of(account), time, account)


def shared_list(groups: Groups, vectors: Vectors) -> tuple[Observation, OwnSubjects] | None:
    """The measure, and whether the accounts have subjects of their own."""
    work_list = compare_likeness(groups, vectors)
    found = one_list_of_work(work_list)
    return None if work_list is None or found is None else (found, work_list.own_subjects)


def topics(rng: np.random.Generator, count: int, *, own: float, d: int = 24) -> npt.NDArray[np.float32]:
    """Vectors of ``count`` accounts' prompts, each account near its own subject by the weight ``own``."""
    subject = rng.standard_normal((count, 1, d))
    rows = own * subject + rng.standard_normal((count, EACH, d))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    return np.asarray(rows.reshape(-1, d), np.float32)


def test_coherence_is_the_mean_cosine_within_accounts() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((3, 12, 5)).astype(np.float32)
    member = np.repeat(np.arange(4), 3)
    found = coherence(vectors, member)
    for g in range(3):
        centred = vectors[g] - vectors[g].mean(axis=0)
        centred /= np.linalg.norm(centred, axis=1, keepdims=True)
        cosines = [
            float(centred[i] @ centred[j]) for i in range(12) for j in range(12) if i != j and member[i] == member[j]
        ]
        assert found[g] == pytest.approx(np.mean(cosines), abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_one_list_of_work_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.concatenate((topics(rng, CAMPAIGN, own=0.0), topics(rng, OTHERS, own=0.7)))
    found = shared_list(groups_of(account_column()), vectors)
    assert found is not None
    evidence, own = found
    assert evidence.p_value < 1e-3
    assert evidence.value < evidence.expected
    assert own.deviations < 3
    assert own.of_usual < 0.3
    assert "no more alike" in evidence.sentence


@pytest.mark.parametrize("seed", range(3))
def test_accounts_with_subjects_of_their_own_are_no_list(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = shared_list(groups_of(account_column()), topics(rng, CAMPAIGN + OTHERS, own=0.7))
    assert found is not None
    evidence, own = found
    assert evidence.p_value > 0.02
    assert own.deviations > 3
    assert own.of_usual == pytest.approx(1.0, abs=0.35)


@pytest.mark.parametrize("seed", range(3))
def test_accounts_with_some_subjects_of_their_own_are_never_dealt_a_list(seed: int) -> None:
    # far less coherent than other accounts, and yet each comes back to its own
    rng = np.random.default_rng(seed)
    vectors = np.concatenate((topics(rng, CAMPAIGN, own=0.4), topics(rng, OTHERS, own=2.0)))
    found = shared_list(groups_of(account_column()), vectors)
    assert found is not None
    evidence, own = found
    assert own.deviations >= OWN_SUBJECTS
    assert own.of_usual < 0.35
    assert evidence.value < evidence.expected
    assert evidence.p_value == 1.0
    assert "no more alike" not in evidence.sentence


def test_a_deal_is_compared_with_all_ways_to_deal() -> None:
    rng = np.random.default_rng(0)
    member = np.repeat(np.arange(3), (3, 2, 1))
    vectors = rng.standard_normal((6, 5)).astype(np.float32)
    every = [coherence(vectors[list(order)][None], member)[0] for order in permutations(range(6))]
    value, mean, deviation = _if_dealt(vectors, member)
    assert value == pytest.approx(coherence(vectors[None], member)[0], abs=1e-6)
    assert mean == pytest.approx(np.mean(every), abs=1e-6)
    assert deviation == pytest.approx(np.std(every), abs=1e-6)


def test_of_one_text_sent_by_all_nothing_is_told() -> None:
    rng = np.random.default_rng(0)
    vectors = topics(rng, CAMPAIGN + OTHERS, own=0.7)
    vectors[: CAMPAIGN * EACH] = vectors[0]
    assert compare_likeness(groups_of(account_column()), vectors) is None


def test_half_precision_gives_the_same_list() -> None:
    vectors = topics(np.random.default_rng(2), CAMPAIGN + OTHERS, own=0.7)
    vectors[: CAMPAIGN * EACH] = np.random.default_rng(3).standard_normal((CAMPAIGN * EACH, 24))
    half, full = (shared_list(groups_of(account_column()), vectors.astype(kind)) for kind in (np.float16, np.float32))
    assert half is not None
    assert full is not None
    assert half[0].p_value == pytest.approx(full[0].p_value, rel=0.2)
    assert half[1].deviations == pytest.approx(full[1].deviations, abs=0.05)


def test_a_single_prompt_per_account_is_no_list() -> None:
    account = account_column(each=1)
    assert shared_list(groups_of(account), np.zeros((len(account), 4), np.float32)) is None


def test_equal_vectors_do_not_divide_by_nought() -> None:
    account = account_column()
    assert compare_likeness(groups_of(account), np.ones((len(account), 4), np.float32)) is None


# ---------------------------------------------------------------- time


def people(rng: np.random.Generator, count: int, each: int = EACH) -> Ints:
    """Sittings in waking hours, on days of their own: int64[count, each], ascending."""
    rows = []
    for _ in range(count):
        first = rng.integers(0, DAYS - 8)
        times: list[float] = []
        while len(times) < each:
            start = (first + rng.integers(0, DAYS - first)) * DAY + rng.normal(14, 3) * HOUR
            times += (start + np.cumsum(rng.exponential(120, rng.integers(2, 8)))).tolist()
        rows.append(sorted(times[:each]))
    return T0 + np.array(rows).astype(np.int64)


def machines(rng: np.random.Generator, count: int) -> Ints:
    """At any hour of any day."""
    return T0 + np.sort(rng.integers(0, DAYS * DAY, (count, EACH)), axis=1)


def times_of(campaign: Ints, rng: np.random.Generator) -> Ints:
    return np.concatenate((campaign.ravel(), people(rng, OTHERS, campaign.shape[1]).ravel()))


@pytest.mark.parametrize("seed", range(3))
def test_machines_at_work_around_the_clock_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = by_id(timed(account_column(), times_of(machines(rng, CAMPAIGN), rng)))
    assert set(found) == set(TEMPO)
    for name in ("flat_day", "no_sittings", "steady_days"):
        assert found[name].p_value < 1e-3, name
        assert found[name].value < found[name].expected
    assert found["same_hours"].p_value > 0.05
    assert {e.family for e in found.values()} == {"time"}


@pytest.mark.parametrize("seed", range(4))
def test_people_are_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = timed(account_column(), times_of(people(rng, CAMPAIGN), rng))
    assert len(found) == 5
    assert min(e.p_value for e in found) > 0.01


def test_accounts_that_start_together_are_found() -> None:
    rng = np.random.default_rng(2)
    times = people(rng, CAMPAIGN)
    times[:, 0] = T0 + rng.integers(0, 2 * HOUR, CAMPAIGN)
    found = by_id(timed(account_column(), times_of(times, rng)))
    assert found["common_start"].p_value < 1e-3
    assert found["common_start"].value < 0.1
    assert found["flat_day"].p_value > 0.01


def test_accounts_that_act_at_the_same_hours_are_found() -> None:
    rng = np.random.default_rng(5)
    hours = np.sort(rng.permutation(DAYS * 24)[:EACH])
    times = T0 + hours[None] * HOUR + rng.integers(0, 600, (CAMPAIGN, EACH))
    found = by_id(timed(account_column(), times_of(times, rng)))
    assert found["same_hours"].p_value < 1e-3
    assert found["same_hours"].value > found["same_hours"].expected


def test_without_times_there_is_no_time_evidence() -> None:
    account = account_column()
    groups = groups_of(account)
    assert time_evidence(groups, np.full(len(account), NO_TIME), account) == []
    rng = np.random.default_rng(0)
    times = times_of(machines(rng, CAMPAIGN), rng)
    some = times.copy()
    some[::4] = NO_TIME
    assert time_evidence(groups, some, account) == []
    few = times.copy()
    few[: CAMPAIGN * EACH : 30] = NO_TIME
    found = by_id(time_evidence(groups, few, account))
    assert found["no_sittings"].p_value < 1e-3
    assert all(np.isfinite([e.value, e.expected, e.p_value]).all() for e in found.values())


def test_a_background_without_times_proves_nothing() -> None:
    rng = np.random.default_rng(0)
    times = times_of(machines(rng, CAMPAIGN), rng)
    times[CAMPAIGN * EACH :] = NO_TIME
    assert timed(account_column(), times) == []


def test_few_prompts_have_no_time_evidence() -> None:
    account = account_column(each=1)
    assert timed(account, T0 + np.arange(len(account))) == []


def test_sittings_need_accounts_that_return() -> None:
    # one heavy account and many with a single prompt: nothing to say of an account's successive prompts
    counts = np.ones(CAMPAIGN + OTHERS, np.int64)
    counts[: MIN_SAMPLE - 1] = EACH
    counts[CAMPAIGN:] = EACH
    account = np.repeat(np.arange(CAMPAIGN + OTHERS, dtype=np.int32), counts)
    assert counts[:CAMPAIGN].sum() >= MIN_PROMPTS
    times = T0 + np.random.default_rng(0).integers(0, DAYS * DAY, len(account))
    found = by_id(timed(account, times))
    assert "no_sittings" not in found
    assert "flat_day" in found
    counts[MIN_SAMPLE - 1] = EACH
    account = np.repeat(np.arange(CAMPAIGN + OTHERS, dtype=np.int32), counts)
    times = T0 + np.random.default_rng(0).integers(0, DAYS * DAY, len(account))
    assert "no_sittings" in by_id(timed(account, times))


def test_all_at_one_moment() -> None:
    account = account_column()
    found = timed(account, np.full(len(account), T0))
    assert all(np.isfinite([e.value, e.expected, e.p_value]).all() for e in found)
    assert all(e.p_value > 0.5 for e in found)


# ---------------------------------------------------------------- text


def text(**changes: Any) -> dict[str, Evidence]:
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {
        "fixed_words": 3,
        "rigidity": 0.1,
        "shared_words": 3.0,
        "background_fixed": rng.poisson(3, 500).astype(np.float64),
        "background_shared": rng.gamma(4.0, 0.8, 500),
        "distances": rng.normal(0.8, 0.1, 60),
        "background_distances": np.sort(rng.normal(0.8, 0.1, 500)),
        "contents": np.arange(200, dtype=np.int32),
    }
    return by_id(text_evidence(**{**values, **changes}))


def test_a_planted_template_is_found_in_the_wording() -> None:
    found = text(fixed_words=25, rigidity=0.8, shared_words=30.0, distances=np.full(60, 0.3))
    for name in ("rigid_wording", "shared_wording", "density"):
        assert found[name].p_value < 0.005, name
    assert found["fillings_not_copies"].p_value < 1e-6
    assert {e.family for e in found.values()} == {"text"}
    assert "25 words" in found["rigid_wording"].sentence
    assert "80%" in found["rigid_wording"].sentence


def test_ordinary_wording_is_not() -> None:
    found = text()
    for name in ("rigid_wording", "shared_wording", "density"):
        assert found[name].p_value > 0.1, name


def test_a_text_that_is_passed_on_repeats_itself() -> None:
    contents = np.zeros(200, np.int32)
    contents[:40] = np.arange(40)
    found = text(contents=contents)["fillings_not_copies"]
    assert found.p_value > 0.5
    assert found.value == pytest.approx(40 / 200)
    assert text(contents=np.array([7], np.int32))["fillings_not_copies"].p_value <= 1.0


def test_without_a_background_wording_proves_nothing() -> None:
    none = np.empty(0)
    found = text(fixed_words=50, shared_words=50.0, background_fixed=none, background_shared=none,
                 background_distances=none)  # fmt: skip
    assert found["rigid_wording"].p_value == found["shared_wording"].p_value == 1.0
    assert "density" not in found


def test_copies_share() -> None:
    assert copies_share(np.array([1, 1, 1, 2], np.int32)) == 0.5
    assert copies_share(np.array([1, 2, 3], np.int32)) == 0.0
    assert copies_share(np.array([], np.int32)) == 0.0
