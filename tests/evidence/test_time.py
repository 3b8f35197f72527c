"""Coordination and sign-ups: each measure on a planted effect, on its null, and on what people do for good reasons."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.corpus.creation_times import AccountTimes, account_times
from harvestdetect.data import NO_TIME, Evidence
from harvestdetect.evidence.candidate import timed_of
from harvestdetect.evidence.nulls import Groups, draw_groups, pool_of
from harvestdetect.evidence.sign_ups import creations_of
from harvestdetect.util.amounts import EXCEPTIONAL, MIN_SAMPLE
from harvestdetect.util.arrays import Ints, Ints32
from tests.evidence.table import (
    COORDINATION,
    TEMPO,
    coordination_evidence,
    sign_up_evidence,
    take,
    time_evidence,
)

HOUR, DAY = 3_600, 86_400
T0 = 1_772_323_200
DAYS = 28
CAMPAIGN, OTHERS, EACH = 30, 300, 20
ACCOUNT = np.repeat(np.arange(CAMPAIGN + OTHERS, dtype=np.int32), EACH)


def people(
    rng: np.random.Generator, count: int, *, hour: float | None = None, days: tuple[int, int] = (0, DAYS)
) -> Ints:
    """Sittings in waking hours: int64[count, EACH], ascending; ``hour`` is the common middle of the day."""
    rows = []
    for _ in range(count):
        first = rng.integers(days[0], days[1] - 8)
        middle = rng.uniform(0, 24) if hour is None else hour
        times: list[float] = []
        while len(times) < EACH:
            start = rng.integers(first, days[1]) * DAY + rng.normal(middle, 3) * HOUR
            times += (start + np.cumsum(rng.exponential(120, rng.integers(2, 8)))).tolist()
        rows.append(sorted(times[:EACH]))
    return T0 + np.array(rows).astype(np.int64)


def groups_of(draws: int = 199) -> Groups:
    excluded = np.arange(CAMPAIGN + OTHERS) < CAMPAIGN
    own = np.flatnonzero(ACCOUNT < CAMPAIGN).astype(np.int32)
    groups = draw_groups(pool_of(ACCOUNT, ~excluded), own, ACCOUNT, seed=0, draws=draws)
    assert groups is not None
    return groups


GROUPS = groups_of()


def weighed(campaign: Ints, others: Ints, model: Ints32 | None = None) -> dict[str, Evidence]:
    time = np.concatenate((campaign.ravel(), others.ravel()))
    return {e.id: e for e in coordination_evidence(GROUPS, time, model=model)}


def adopted(rng: np.random.Generator, time: Ints, *, launch: int = 8, lag: float = 10.0) -> Ints32:
    """Models of people who move to the new one some days after its launch."""
    moves = T0 + launch * DAY + rng.exponential(lag * DAY, CAMPAIGN + OTHERS)
    return (time >= moves[ACCOUNT]).astype(np.int32)


# ---------------------------------------------------------------- under the null


def test_groups_of_the_same_people_are_seldom_called_coordinated() -> None:
    rng = np.random.default_rng(1)
    found: dict[str, list[float]] = {}
    runs = 120
    for _ in range(runs):
        campaign, others = people(rng, CAMPAIGN), people(rng, OTHERS)
        time = np.concatenate((campaign.ravel(), others.ravel()))
        for name, evidence in weighed(campaign, others, adopted(rng, time)).items():
            found.setdefault(name, []).append(evidence.p_value)
    assert set(found) == set(COORDINATION)
    for name, values in found.items():
        p = np.array(values)
        assert len(p) == runs
        assert (p <= 0.05).mean() <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / runs), name
        assert (p <= 0.005).mean() <= 0.03, name
        assert p.max() > 0.5, name


def test_a_time_zone_and_a_week_in_common_are_not_synchrony() -> None:
    rng = np.random.default_rng(2)
    p = [
        weighed(people(rng, CAMPAIGN, hour=14.0, days=(6, 18)), people(rng, OTHERS))["synchrony"].p_value
        for _ in range(25)
    ]
    assert (np.array(p) <= 0.05).mean() <= 0.12


# ---------------------------------------------------------------- planted


@pytest.mark.parametrize("seed", range(3))
def test_accounts_that_come_together_on_many_days_are_synchronous(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bins = np.sort(rng.choice(DAYS * 8, EACH, replace=False))
    campaign = T0 + bins * 3 * HOUR + rng.integers(0, 3 * HOUR, (CAMPAIGN, EACH))
    found = weighed(np.sort(campaign, axis=1), people(rng, OTHERS))["synchrony"]
    assert found.p_value < 1e-3
    assert found.value > 2 * found.expected


def test_one_event_is_not_synchrony() -> None:
    rng = np.random.default_rng(3)
    campaign = people(rng, CAMPAIGN)
    campaign[:, 10] = T0 + 14 * DAY + rng.integers(0, 3 * HOUR, CAMPAIGN)
    found = weighed(np.sort(campaign, axis=1), people(rng, OTHERS))["synchrony"]
    assert found.p_value > 0.05


def test_a_common_hour_every_day_is_not_synchrony() -> None:
    rng = np.random.default_rng(4)
    day = np.sort(np.array([rng.choice(DAYS, EACH, replace=False) for _ in range(CAMPAIGN)]), axis=1)
    campaign = T0 + day * DAY + 9 * HOUR + rng.integers(0, HOUR, (CAMPAIGN, EACH))
    assert weighed(campaign, people(rng, OTHERS))["synchrony"].p_value > 0.05


@pytest.mark.parametrize("seed", range(3))
def test_accounts_at_full_rate_from_the_first_day_have_no_ramp(seed: int) -> None:
    rng = np.random.default_rng(seed)
    campaign = T0 + np.sort(rng.integers(0, 5 * DAY, (CAMPAIGN, EACH)), axis=1)
    found = weighed(campaign, people(rng, OTHERS))["no_ramp_up"]
    assert found.p_value < 1e-2
    assert found.value < found.expected


def test_accounts_that_work_up_to_their_rate_have_one() -> None:
    rng = np.random.default_rng(0)
    campaign = T0 + np.sort(rng.beta(4, 1, (CAMPAIGN, EACH)) * 8 * DAY, axis=1).astype(np.int64)
    found = weighed(campaign, people(rng, OTHERS))["no_ramp_up"]
    steady = T0 + np.sort(rng.random((CAMPAIGN, EACH)) * 8 * DAY, axis=1).astype(np.int64)
    assert found.value > weighed(steady, people(rng, OTHERS))["no_ramp_up"].value


@pytest.mark.parametrize("seed", range(3))
def test_a_pool_that_takes_over_is_a_hand_over(seed: int) -> None:
    rng = np.random.default_rng(seed)
    campaign = np.sort(rng.integers(0, 12 * DAY, (CAMPAIGN, EACH)), axis=1)
    campaign[CAMPAIGN // 2 :] += 12 * DAY
    found = weighed(T0 + campaign, people(rng, OTHERS))["hand_over"]
    assert found.p_value < 1e-3
    assert found.value > 0.2
    assert "%" in found.sentence


@pytest.mark.parametrize("seed", range(3))
def test_small_pools_that_follow_one_another_are_hand_overs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = np.arange(CAMPAIGN) // 3 * 3 * DAY
    campaign = T0 + start[:, None] + np.sort(rng.integers(0, 3 * DAY, (CAMPAIGN, EACH)), axis=1)
    found = weighed(campaign, people(rng, OTHERS))["hand_over"]
    assert found.value < EXCEPTIONAL
    assert found.p_value < 0.05


def test_a_pool_that_stays_is_no_hand_over() -> None:
    rng = np.random.default_rng(0)
    campaign = T0 + np.sort(rng.integers(0, DAYS * DAY, (CAMPAIGN, EACH)), axis=1)
    found = weighed(campaign, people(rng, OTHERS))["hand_over"]
    assert found.p_value > 0.05


def test_an_event_at_which_some_end_and_some_begin_is_no_hand_over() -> None:
    rng = np.random.default_rng(1)
    event = 12 * DAY + rng.integers(0, 4 * HOUR, (CAMPAIGN, EACH // 2))
    rest = rng.integers(0, 12 * DAY, (CAMPAIGN, EACH // 2))
    rest[CAMPAIGN // 2 :] += 13 * DAY
    campaign = T0 + np.sort(np.concatenate((rest, event), axis=1), axis=1)
    assert weighed(campaign, people(rng, OTHERS))["hand_over"].p_value > 0.1


def machines(rng: np.random.Generator) -> Ints:
    return T0 + np.sort(rng.integers(0, DAYS * DAY, (CAMPAIGN, EACH)), axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_a_pool_that_moves_to_a_model_at_once_is_a_pivot(seed: int) -> None:
    rng = np.random.default_rng(seed)
    campaign, others = machines(rng), people(rng, OTHERS)
    time = np.concatenate((campaign.ravel(), others.ravel()))
    model = np.where(ACCOUNT < CAMPAIGN, time >= T0 + 14 * DAY, adopted(rng, time)).astype(np.int32)
    found = weighed(campaign, others, model)["model_pivot"]
    assert found.p_value < 1e-2
    assert found.value > 0.3
    assert "2026-03-1" in found.sentence


@pytest.mark.parametrize("seed", range(3))
def test_a_launch_at_which_everybody_moves_is_no_pivot(seed: int) -> None:
    rng = np.random.default_rng(seed)
    campaign, others = people(rng, CAMPAIGN), people(rng, OTHERS)
    time = np.concatenate((campaign.ravel(), others.ravel()))
    model = adopted(rng, time, launch=16, lag=0.3)
    assert weighed(campaign, others, model)["model_pivot"].p_value > 0.01


def test_models_used_side_by_side_are_no_pivot() -> None:
    rng = np.random.default_rng(6)
    campaign, others = machines(rng), people(rng, OTHERS)
    model = rng.integers(0, 3, len(ACCOUNT)).astype(np.int32)
    assert weighed(campaign, others, model)["model_pivot"].p_value > 0.01


# ---------------------------------------------------------------- what is missing


def test_an_unknown_model_is_no_evidence() -> None:
    rng = np.random.default_rng(0)
    campaign, others = machines(rng), people(rng, OTHERS)
    model = np.full(len(ACCOUNT), -1, np.int32)
    assert "model_pivot" not in weighed(campaign, others, model)
    assert "model_pivot" not in weighed(campaign, others)
    model[ACCOUNT >= CAMPAIGN] = 0
    assert "model_pivot" not in weighed(campaign, others, model)


def test_without_times_there_is_nothing_to_say() -> None:
    rng = np.random.default_rng(0)
    time = np.concatenate((machines(rng).ravel(), people(rng, OTHERS).ravel()))
    assert coordination_evidence(GROUPS, np.full(len(time), NO_TIME)) == []
    some = time.copy()
    some[::4] = NO_TIME
    assert coordination_evidence(GROUPS, some) == []
    background = time.copy()
    background[CAMPAIGN * EACH :] = NO_TIME
    assert coordination_evidence(GROUPS, background) == []


def test_a_time_far_from_all_others_costs_no_memory() -> None:
    rng = np.random.default_rng(0)
    time = np.concatenate((machines(rng).ravel(), people(rng, OTHERS).ravel()))
    time[0], time[EACH * CAMPAIGN] = 0, 253_402_300_799
    found = coordination_evidence(GROUPS, time) + time_evidence(GROUPS, time, ACCOUNT)
    assert len(found) == 8
    assert all(np.isfinite([e.value, e.expected, e.p_value]).all() for e in found)


def test_short_bursts_have_no_lifetimes_to_compare() -> None:
    rng = np.random.default_rng(0)
    campaign = T0 + np.sort(rng.integers(0, DAY, (CAMPAIGN, EACH)), axis=1)
    found = weighed(campaign, people(rng, OTHERS))
    assert set(found) == set()


@given(shift=st.integers(-300, 300), seed=st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_another_year_gives_the_same_evidence(shift: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    campaign, others = machines(rng), people(rng, OTHERS)
    before = weighed(campaign, others)
    after = weighed(campaign + shift * DAY, others + shift * DAY)
    assert {n: (e.value, e.p_value) for n, e in before.items()} == {n: (e.value, e.p_value) for n, e in after.items()}


def test_a_measure_that_is_not_wanted_is_not_there_and_changes_no_other() -> None:
    rng = np.random.default_rng(0)
    campaign, others = machines(rng), people(rng, OTHERS)
    time = np.concatenate((campaign.ravel(), others.ravel()))
    model = adopted(rng, time)
    both = time_evidence(GROUPS, time, ACCOUNT) + coordination_evidence(GROUPS, time, model=model)
    for id_ in (*COORDINATION, "flat_day"):
        left = time_evidence(GROUPS, time, ACCOUNT, ids=set(TEMPO) - {id_}) + coordination_evidence(
            GROUPS, time, model=model, ids=set(COORDINATION) - {id_}
        )
        assert left == [e for e in both if e.id != id_]


def test_groups_without_times_cost_no_measure_while_enough_have_them() -> None:
    rng = np.random.default_rng(0)
    time = np.concatenate((machines(rng).ravel(), people(rng, OTHERS).ravel()))
    groups = groups_of(999)
    time[CAMPAIGN * EACH :: 4 * EACH] = NO_TIME
    # some one in eight hundred groups has times throughout, were every account as likely to be drawn
    assert [e.id for e in time_evidence(groups, time, ACCOUNT)] == ["common_start"]  # compared account by account
    time = np.where(time == NO_TIME, T0, time)
    time[CAMPAIGN * EACH : CAMPAIGN * EACH + 3 * EACH] = NO_TIME
    assert {"flat_day", "same_hours"} <= {e.id for e in time_evidence(groups, time, ACCOUNT)}


# ---------------------------------------------------------------- sign-ups


ACCOUNTS = 1_500
WINDOW = 40 * DAY


def newcomers(rng: np.random.Generator, accounts: int = ACCOUNTS) -> AccountTimes:
    """Half of the accounts older than the dump, the others created within it; seen at any time after."""
    created = np.where(
        rng.random(accounts) < 0.5,
        T0 - rng.exponential(200 * DAY, accounts),
        T0 + rng.random(accounts) * 0.9 * WINDOW,
    ).astype(np.int64)
    low = np.maximum(created, T0)
    first = low + (rng.random(accounts) ** 3 * (T0 + WINDOW - low)).astype(np.int64)
    return AccountTimes(created=created, first=first)


def judged(
    of: AccountTimes, members: npt.NDArray[np.integer], others: npt.NDArray[np.bool_] | None = None
) -> dict[str, Evidence]:
    everybody = np.ones(len(of.created), bool)
    free = everybody if others is None else others.copy()
    free[members] = False
    found = sign_up_evidence(creations_of(of, free), np.sort(members).astype(np.int32), seed=0)
    return {e.id: e for e in found}


def test_the_times_of_an_account_are_the_earliest_creation_and_the_first_prompt() -> None:
    account = np.array([0, 0, 2, 2, 3], np.int32)
    created = np.array([50, 40, NO_TIME, NO_TIME, 7])
    time = np.array([NO_TIME, 90, 80, 85, NO_TIME])
    prompts: Any = SimpleNamespace(account=account, created_at=created, time=time, accounts=range(5))
    found = account_times(prompts)
    assert found.created.tolist() == [40, NO_TIME, NO_TIME, 7, NO_TIME]
    assert found.first.tolist() == [90, NO_TIME, 80, NO_TIME, NO_TIME]
    prompts.created_at = np.full(5, NO_TIME)
    assert account_times(prompts).created.tolist() == [NO_TIME] * 5


def test_random_accounts_are_seldom_a_cohort() -> None:
    rng = np.random.default_rng(3)
    found: dict[str, list[float]] = {}
    runs = 150
    for _ in range(runs):
        of = newcomers(rng)
        fresh = np.flatnonzero(of.created >= T0)
        for members in (rng.choice(ACCOUNTS, 30, replace=False), rng.choice(fresh, 30, replace=False)):
            for name, evidence in judged(of, members).items():
                found.setdefault(name, []).append(evidence.p_value)
    # accounts that are all new stand out as a cohort among old and new ones, so only the first kind is a null for it
    cohort = np.array(found["sign_up_cohort"][::2])
    gap = np.array(found["sign_up_gap"])
    for p in (cohort, gap):
        assert len(p) >= runs
        assert (p <= 0.05).mean() <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / runs)
        assert p.max() > 0.5


def test_accounts_opened_within_days_are_a_cohort() -> None:
    rng = np.random.default_rng(0)
    of = newcomers(rng)
    members = np.arange(40)
    of.created[members] = T0 + 5 * DAY + rng.integers(0, 3 * DAY, 40)
    of.first[members] = T0 + 9 * DAY + rng.integers(0, DAY, 40)
    found = judged(of, members)
    assert set(found) == {"sign_up_cohort", "sign_up_gap"}
    assert found["sign_up_cohort"].p_value < 1e-4
    assert found["sign_up_gap"].p_value < 1e-2
    assert "40 of 40 on the three busiest days" in found["sign_up_cohort"].sentence
    assert {e.family for e in found.values()} == {"time"}


def test_a_wave_of_newcomers_to_the_whole_service_is_no_cohort() -> None:
    # on one day hundreds sign up and write; the group is first seen then, as others are
    rng = np.random.default_rng(1)
    wave_days = []
    anyone = []
    for _ in range(40):
        of = newcomers(rng)
        wave = rng.choice(ACCOUNTS, 500, replace=False)
        of.created[wave] = T0 + 20 * DAY + rng.integers(0, DAY, 500)
        of.first[wave] = of.created[wave] + rng.integers(0, DAY, 500)
        seen = np.flatnonzero((of.first >= T0 + 20 * DAY) & (of.first < T0 + 22 * DAY))
        members = rng.choice(seen, 30, replace=False)
        wave_days.append(judged(of, members)["sign_up_cohort"].p_value)
        unmatched = AccountTimes(created=of.created, first=np.full(ACCOUNTS, NO_TIME))
        anyone.append(judged(unmatched, members)["sign_up_cohort"].p_value)
    assert (np.array(wave_days) <= 0.05).mean() <= 0.15
    assert (np.array(anyone) <= 0.001).mean() > 0.9  # what the matching takes away


def test_unknown_sign_ups_are_no_evidence() -> None:
    rng = np.random.default_rng(0)
    of = newcomers(rng)
    of.created[:21] = NO_TIME
    assert judged(of, np.arange(40)) == {}
    of.created[:40] = T0
    of.created[5:] = NO_TIME
    assert judged(of, np.arange(MIN_SAMPLE - 3)) == {}
    assert judged(of, np.arange(40)) == {}
    # nobody to compare with
    of.created[:] = T0
    others = np.zeros(ACCOUNTS, bool)
    others[:60] = True
    assert judged(of, np.arange(40), others) == {}


def test_members_without_any_time_are_compared_with_all() -> None:
    rng = np.random.default_rng(0)
    of = newcomers(rng)
    of.first[:] = NO_TIME
    of.created[:30] = T0 + rng.integers(0, DAY, 30)
    found = judged(of, np.arange(30))
    assert set(found) == {"sign_up_cohort"}
    assert found["sign_up_cohort"].p_value < 1e-4


# ---------------------------------------------------------------- times that are missing in part


@pytest.mark.parametrize(("missing", "found"), [(0.0, True), (1 / 3, True), (0.6, False)])
def test_prompts_without_a_time_take_no_part_on_either_side(missing: float, found: bool) -> None:
    rng = np.random.default_rng(5)
    machines = np.sort(T0 + rng.integers(0, DAYS * DAY, (CAMPAIGN, EACH)), axis=1)
    time = np.concatenate((machines.ravel(), people(rng, OTHERS).ravel()))
    time[rng.random(len(time)) < missing] = NO_TIME
    timed = time != NO_TIME
    excluded = np.arange(CAMPAIGN + OTHERS) < CAMPAIGN
    rows = np.flatnonzero(timed).astype(np.int32)
    pool = None if timed.all() else pool_of(ACCOUNT[rows], ~excluded, row=rows)
    context: Any = SimpleNamespace(
        comparison=SimpleNamespace(timed_pool=pool),
        scan=SimpleNamespace(corpus=SimpleNamespace(prompts=SimpleNamespace(account=ACCOUNT))),
    )
    own = np.flatnonzero(ACCOUNT < CAMPAIGN).astype(np.int32)
    compared = timed_of(GROUPS, own, time, context, seed=0)
    assert (compared is not None) == found
    if compared is not None:
        assert (compared.own != NO_TIME).all()
        (flat,) = take(("flat_day",), timed=compared)
        assert flat.p_value < 0.01
