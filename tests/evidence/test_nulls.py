"""What chance gives."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.evidence.nulls import (
    LEAST_MEMBERS,
    MAX_MEMBERS,
    MAX_PROMPTS,
    SETTLED,
    STEPS,
    Pool,
    draw_groups,
    draw_until_settled,
    pool_of,
    steps,
    tail_p,
)
from harvestdetect.util.arrays import Floats, Ints32, spread, unique


def accounts_with(volume: npt.NDArray[np.integer]) -> Ints32:
    """The ``account`` column of a corpus whose accounts have these volumes."""
    return np.repeat(np.arange(len(volume), dtype=np.int32), volume)


# ---------------------------------------------------------------- tail_p


@given(st.lists(st.integers(-(2**62), 2**62), max_size=30), st.sampled_from([np.int64, np.int32]))
def test_distinct_values_are_numpys(values: list[int], kind: type) -> None:
    own = np.array([value % 2**31 if kind is np.int32 else value for value in values] * 2, kind)
    found = unique(own)
    assert found.dtype == own.dtype
    assert found.tolist() == np.unique(own).tolist()


def test_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(0)
    found = np.array([tail_p(float(rng.standard_normal()), rng.standard_normal(199)) for _ in range(4_000)])
    for level in (0.02, 0.05, 0.1, 0.25, 0.5, 0.9):
        share = float((found <= level).mean())
        assert abs(share - level) < 4 * np.sqrt(level * (1 - level) / 4_000) + 0.005


@pytest.mark.parametrize("rate", [0.004, 0.02, 0.1, 0.5, 3.0])
def test_tail_of_counts(rate: float) -> None:
    """A measure that is nearly always nought has no tail to fit but that of the draws that are more."""
    rng = np.random.default_rng(3)
    found = np.array([tail_p(float(rng.poisson(rate)), rng.poisson(rate, 999) / 1.0) for _ in range(4_000)])
    for level in (0.01, 0.002):
        assert (found <= level).mean() <= 1.5 * level + 0.001
    null = np.append(np.zeros(990), np.full(9, 0.02))
    assert tail_p(0.04, null) >= 1e-3 * 0.9
    assert 1e-12 < tail_p(1.0, null) < 1e-9  # nine draws say little about the scale


def test_the_tail_does_not_claim_much_more_than_its_rate() -> None:
    rng = np.random.default_rng(1)
    found = np.array([tail_p(float(rng.standard_exponential()), rng.standard_exponential(299)) for _ in range(6_000)])
    assert (found <= 0.001).mean() < 0.004
    assert (found <= 0.0001).mean() < 0.001


@given(
    null=st.lists(st.floats(-100, 100), min_size=1, max_size=120),
    values=st.lists(st.floats(-150, 150), min_size=2, max_size=10),
    small=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_p_values_are_monotone_in_the_value_and_in_range(null: list[float], values: list[float], small: bool) -> None:
    found = [tail_p(v, np.array(null), small=small) for v in sorted(values, reverse=small)]
    assert all(0 < p <= 1 for p in found)
    assert all(a >= b - 1e-12 for a, b in pairwise(found))


@given(null=st.lists(st.floats(-100, 100), min_size=1, max_size=80), value=st.floats(-150, 150))
@settings(deadline=None)
def test_small_values_mirror_great_ones(null: list[float], value: float) -> None:
    assert tail_p(value, np.array(null), small=True) == tail_p(-value, -np.array(null))


def test_a_rank_counts_the_value_itself() -> None:
    null = np.arange(30, dtype=np.float64)
    assert tail_p(100.0, null) == pytest.approx(1 / 31)
    assert tail_p(29.0, null) == pytest.approx(2 / 31)
    assert tail_p(-1.0, null) == 1.0
    assert tail_p(-1.0, null, small=True) == pytest.approx(1 / 31)


def test_beyond_the_draws_the_p_value_falls_on() -> None:
    null = np.random.default_rng(0).standard_normal(999)
    near, far, farther = (tail_p(v, null) for v in (4.0, 6.0, 9.0))
    assert 1 / 1_000 > near > far > farther > 0
    assert far < 1e-4


def test_equal_draws_claim_no_tail() -> None:
    assert tail_p(5.0, np.zeros(999)) == pytest.approx(1 / 1_000)
    assert tail_p(0.0, np.zeros(999)) == 1.0


def test_a_p_value_is_never_nought() -> None:
    assert tail_p(1e9, np.random.default_rng(0).standard_normal(999)) > 0


# ---------------------------------------------------------------- drawing in steps


def drawn_from(null: Floats, asked: list[int] | None = None) -> Callable[[int, int], Floats]:
    def draw(low: int, high: int) -> Floats:
        if asked is not None:
            asked.append(high)
        return null[low:high]

    return draw


def test_the_steps_cover_all_draws_once() -> None:
    for draws in (1, 99, 100, 250, 999, 1_999):
        bounds = list(steps(draws))
        assert [low for low, _ in bounds] == [0, *(high for _, high in bounds[:-1])]
        assert bounds[-1][1] == draws
        assert all(low < high for low, high in bounds)


@given(st.integers(0, 2**32 - 1), st.floats(-4, 4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_is_extreme_gets_all_draws_and_the_rest_the_first(seed: int, value: float, small: bool) -> None:
    null = np.random.default_rng(seed).standard_normal(999)
    asked: list[int] = []
    found = draw_until_settled(value, drawn_from(null, asked), small=small)
    assert np.array_equal(found, null[: len(found)])
    assert asked == [n for n in STEPS if n <= len(found)]
    extreme = (null <= value) if small else (null >= value)
    for n in asked[:-1]:
        assert extreme[:n].sum() < SETTLED
    if len(found) < 999:
        # a settled measure has the rank among what was drawn
        assert extreme[: len(found)].sum() >= SETTLED
        assert tail_p(value, found, small=small) == (1 + extreme[: len(found)].sum()) / (len(found) + 1)


def test_p_values_of_draws_in_steps_are_valid() -> None:
    rng = np.random.default_rng(4)
    runs = 4_000
    found = []
    for _ in range(runs):
        null = rng.standard_normal(999)
        value = float(rng.standard_normal())
        drawn = draw_until_settled(value, drawn_from(null))
        found.append((1 + int((drawn >= value).sum())) / (len(drawn) + 1))
    p_values = np.array(found)
    for level in (0.005, 0.01, 0.03, 0.04, 0.05, 0.1, 0.11, 0.2, 0.5):
        assert (p_values <= level).mean() < level + 3.5 * np.sqrt(level * (1 - level) / runs)
    assert (p_values <= 0.2).mean() > 0.17  # and they do not waste much


def test_draws_without_a_value_do_not_count() -> None:
    null = np.zeros(999)
    null[::2] = np.nan
    found = draw_until_settled(0.0, drawn_from(null), least=99)
    assert len(found) == 149
    assert not np.isnan(found).any()


# ---------------------------------------------------------------- spread


@given(st.integers(0, 500), st.integers(1, 120))
@settings(deadline=None)
def test_spread_takes_first_and_last_and_no_more_than_asked(count: int, at_most: int) -> None:
    found = spread(count, at_most).tolist()
    assert found == sorted(set(found))
    assert len(found) == min(count, at_most)
    if count and at_most > 1:
        assert (found[0], found[-1]) == (0, count - 1)


# ---------------------------------------------------------------- pool and groups


def test_the_pool_holds_the_other_accounts_by_falling_volume() -> None:
    volume = np.array([3, 0, 7, 5, 7, 1])
    excluded = np.array([False, False, False, True, False, False])
    pool = pool_of(accounts_with(volume), ~excluded)
    assert pool.volume.tolist() == [7, 7, 3, 1]
    assert pool.start.tolist() == [3, 15, 0, 22]


@given(seed=st.integers(0, 200), members=st.integers(1, 25))
@settings(max_examples=30, deadline=None)
def test_a_candidate_is_never_compared_with_its_own_accounts(seed: int, members: int) -> None:
    rng = np.random.default_rng(seed)
    volume = rng.integers(0, 12, members + 60)
    account = accounts_with(volume)
    own = np.flatnonzero(account < members).astype(np.int32)
    everyone = pool_of(account, np.ones(len(volume), bool), candidates=True)
    others = pool_of(account, np.arange(len(volume)) >= members)
    pool = everyone.without(np.arange(members))
    assert (pool.start.tolist(), pool.volume.tolist()) == (others.start.tolist(), others.volume.tolist())
    if len(own):
        groups = draw_groups(pool, own, account, seed=0, draws=5)
        assert groups is not None
        assert account[groups.drawn].min() >= members


def test_without_candidates_in_it_a_pool_is_shared_as_it_is() -> None:
    pool = pool_of(accounts_with(np.array([3, 5, 7])), np.array([True, True, False]))
    assert pool.without(np.array([2])) is pool


def test_too_few_others_give_no_groups() -> None:
    volume = np.full(MIN_COMPARED + 4, 6)
    account = accounts_with(volume)
    excluded = np.arange(len(volume)) < 5
    own = np.arange(30, dtype=np.int32)
    assert draw_groups(pool_of(account, ~excluded), own, account, seed=0) is None
    excluded[4] = False
    assert draw_groups(pool_of(account, ~excluded), own, account, seed=0) is not None
    none = np.empty(0, np.int64)
    assert draw_groups(Pool(start=none, volume=none, sent=none), own, account, seed=0) is None


@given(seed=st.integers(0, 500), members=st.integers(1, 130))
@settings(max_examples=40, deadline=None)
def test_groups_are_of_other_accounts_with_as_many_prompts_each(seed: int, members: int) -> None:
    rng = np.random.default_rng(seed)
    volume = rng.integers(1, 30, members + 60)
    account = accounts_with(volume)
    excluded = np.arange(len(volume)) < members
    borders = np.concatenate(([0], np.cumsum(volume)))
    own = np.concatenate([borders[a] + np.arange(rng.integers(1, volume[a] + 1)) for a in range(members)]).astype(
        np.int32
    )
    pool = pool_of(account, ~excluded)
    groups = draw_groups(pool, own, account, seed=seed, draws=25)
    assert groups is not None
    assert groups.drawn.shape == (25, len(groups.own)) == (25, len(groups.member))
    count = groups.member.max() + 1
    assert groups.member.tolist() == sorted(groups.member.tolist())
    assert set(groups.member.tolist()) == set(range(count))
    assert count == min(members, MAX_MEMBERS)
    # the campaign's side: its own prompts, each member one account
    assert set(groups.own.tolist()) <= set(own.tolist())
    assert len(set(groups.own.tolist())) == len(groups.own)
    # the other side: no excluded account, one account per member, its prompts in order
    owner = account[groups.drawn]
    assert not excluded[owner].any()
    for m in range(count):
        mine = groups.member == m
        assert len(set(account[groups.own[mine]].tolist())) == 1
        assert (owner[:, mine] == owner[:, mine][:, :1]).all()
        assert (np.diff(groups.drawn[:, mine], axis=1) >= 0).all()


def test_no_prompt_is_drawn_twice_for_one_member() -> None:
    volume = np.concatenate((np.full(10, 10), np.full(40, 13)))
    account = accounts_with(volume)
    groups = draw_groups(pool_of(account, ~(np.arange(50) < 10)), np.arange(100, dtype=np.int32), account, seed=0)
    assert groups is not None
    for member in range(10):
        assert (np.diff(groups.drawn[:, groups.member == member], axis=1) > 0).all()


def test_the_counts_are_those_of_the_campaign() -> None:
    volume = np.full(80, 20)
    account = accounts_with(volume)
    own = np.concatenate([20 * a + np.arange(2 + a) for a in range(4)]).astype(np.int32)
    groups = draw_groups(pool_of(account, ~(np.arange(80) < 4)), own, account, seed=0, draws=10)
    assert groups is not None
    assert np.bincount(groups.member).tolist() == [2, 3, 4, 5]
    assert groups.own.tolist() == own.tolist()


def test_the_first_groups_are_the_same_whatever_is_asked_for_later() -> None:
    account = accounts_with(np.full(80, 20))
    pool = pool_of(account, ~(np.arange(80) < 4))
    own = np.arange(80, dtype=np.int32)
    some, every = (draw_groups(pool, own, account, seed=1) for _ in range(2))
    assert some is not None
    assert every is not None
    first = STEPS[0]
    assert np.array_equal(some.some(0, first), every.drawn[:first])
    assert len(some.by_step) == 1
    assert np.array_equal(some.some(299, 999), every.drawn[299:])
    assert np.array_equal(some.drawn, every.drawn)


def test_rows_that_repeat_a_request_are_never_drawn() -> None:
    account = accounts_with(np.full(50, 8))
    row = np.flatnonzero(np.arange(len(account)) % 4 != 1).astype(np.int32)
    pool = pool_of(account[row], ~(np.arange(50) < 5), row=row)
    groups = draw_groups(pool, row[account[row] < 5], account, seed=0, draws=99)
    assert groups is not None
    assert set(groups.drawn.ravel().tolist()) <= set(row.tolist())
    assert (account[groups.drawn] >= 5).all()


@pytest.mark.parametrize(("members", "each"), [(3_000, 20), (500, 400), (30, 2_000)])
def test_a_large_campaign_is_compared_by_a_part(members: int, each: int) -> None:
    volume = np.concatenate((np.full(members, each), np.full(60, 2_100)))
    account = accounts_with(volume)
    inside = np.arange(len(volume)) < members
    own = np.arange(members * each, dtype=np.int32)
    groups = draw_groups(pool_of(account, ~inside), own, account, seed=0, draws=9)
    assert groups is not None
    assert len(groups.own) <= MAX_PROMPTS
    assert len(groups.own) > 0.3 * min(MAX_PROMPTS, MAX_MEMBERS * each)
    count = np.bincount(groups.member)
    assert min(LEAST_MEMBERS, members) <= len(count) <= MAX_MEMBERS
    # each by its first prompts
    first = np.searchsorted(groups.member, np.arange(len(count)))
    assert (groups.own[first] % each == 0).all()


def test_the_draws_follow_the_seed() -> None:
    account = accounts_with(np.full(80, 20))
    pool = pool_of(account, ~(np.arange(80) < 4))
    own = np.arange(80, dtype=np.int32)
    one, two, other = (draw_groups(pool, own, account, seed=s, draws=20) for s in (1, 1, 2))
    assert one is not None
    assert two is not None
    assert other is not None
    assert np.array_equal(one.drawn, two.drawn)
    assert not np.array_equal(one.drawn, other.drawn)


def test_every_other_account_is_drawn_about_equally() -> None:
    account = accounts_with(np.full(60, 10))
    groups = draw_groups(pool_of(account, ~(np.arange(60) < 10)), np.arange(100, dtype=np.int32), account, seed=0)
    assert groups is not None
    first = np.searchsorted(groups.member, np.arange(10))
    share = np.bincount(account[groups.drawn[:, first]].ravel(), minlength=60)[10:] / (999 * 10)
    assert abs(share - 1 / 50).max() < 0.005
