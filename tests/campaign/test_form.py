"""Campaigns: which clusters the same accounts sent, and which accounts belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harvestdetect.campaign import shared_accounts as overlap
from harvestdetect.campaign import users
from harvestdetect.campaign.form import ClusterGroup, form_campaigns, joined, without
from harvestdetect.campaign.links import (
    COPIED_RELIEF,
    RIGID_RELIEF,
    Link,
    communities,
    is_copied,
    link_clusters,
)
from harvestdetect.campaign.membership import membership
from harvestdetect.campaign.users import split_users
from harvestdetect.data import Campaign
from harvestdetect.util.amounts import GROUP, MOST, SMALL_PART
from harvestdetect.util.arrays import Ints32

LOG_P = -16.0


def volumes(count: int, *, seed: int = 0) -> Ints32:
    """Heavy-tailed: most accounts send a few prompts, some hundreds."""
    return np.ceil(np.random.default_rng(seed).pareto(1.2, count) * 5 + 1).clip(max=400).astype(np.int32)


def chance_cluster(rng: np.random.Generator, volume: Ints32, size: int) -> tuple[Ints32, Ints32]:
    """Accounts behind ``size`` prompts drawn from all."""
    owner = np.repeat(np.arange(len(volume), dtype=np.int32), volume)
    accounts, counts = np.unique(owner[rng.permutation(len(owner))[:size]], return_counts=True)
    return accounts, counts.astype(np.int32)


def link(first: int, second: int, *, overlap: float = 0.8, log_p: float = -30.0) -> Link:
    return Link(first=first, second=second, shared=10, expected=0.1, log_p=log_p, overlap=overlap)


# ---------------------------------------------------------------- links


def test_clusters_that_the_same_accounts_sent_are_linked() -> None:
    volume = volumes(2_000)
    ring = np.flatnonzero(volume < 20)[:30].astype(np.int32)
    other = np.flatnonzero(volume < 20)[100:130].astype(np.int32)
    three = np.full(30, 3, np.int32)
    found = link_clusters([ring, other, ring[5:]], [three, three, three[5:]], volume, log_p=LOG_P)
    assert [(f.first, f.second, f.shared) for f in found] == [(0, 2, 25)]
    assert found[0].log_p < LOG_P
    assert found[0].expected < 2
    assert found[0].overlap == 1.0


def test_chance_links_nothing() -> None:
    volume = volumes(3_000, seed=1)
    rng = np.random.default_rng(2)
    drawn = [chance_cluster(rng, volume, int(rng.integers(50, 400))) for _ in range(50)]
    assert link_clusters([a for a, _ in drawn], [c for _, c in drawn], volume, log_p=LOG_P) == []


@pytest.mark.parametrize("seed", range(5))
def test_fifty_pairs_drawn_at_random_are_not_linked(seed: int) -> None:
    rng = np.random.default_rng(seed)
    volume = volumes(1_500, seed=seed)
    for _ in range(10):
        one, two = (chance_cluster(rng, volume, 250) for _ in range(2))
        assert link_clusters([one[0], two[0]], [one[1], two[1]], volume, log_p=LOG_P) == []


def test_heavy_accounts_that_fall_into_every_subject_link_nothing() -> None:
    # twenty-five accounts that send two hundred times the usual: they are in both clusters by their volume
    volume = np.concatenate((np.full(25, 2_000), np.full(5_000, 10))).astype(np.int32)
    heavy = np.arange(25, dtype=np.int32)
    light = np.arange(25, 5_025, dtype=np.int32)
    one, two = np.concatenate((heavy, light[:25])), np.concatenate((heavy, light[100:125]))
    prompts = np.concatenate((np.full(25, 9), np.ones(25))).astype(np.int32)
    assert link_clusters([one, two], [prompts, prompts], volume, log_p=LOG_P) == []
    # the same overlap by light accounts is a link
    ring = light[:50]
    found = link_clusters([ring, np.concatenate((ring[:25], light[100:125]))], [prompts, prompts], volume, log_p=LOG_P)
    assert len(found) == 1


def test_the_log_p_is_a_corrected_poisson_tail() -> None:
    from scipy.stats import poisson

    volume = np.full(1_000, 10, np.int32)
    a, b, c = (np.arange(i, i + 20, dtype=np.int32) for i in (0, 10, 500))
    two = np.full(20, 2, np.int32)
    (found,) = link_clusters([a, b, c], [two, two, two], volume, log_p=-1.0)
    # of the 40 prompts of the second cluster 20 are by accounts outside the first, which sent 9,800 in all
    expected = 20 * (1 - (1 - 21 / 9_800) ** 8)
    assert found.expected == pytest.approx(expected)
    assert found.log_p == pytest.approx(poisson.logsf(9, expected) + np.log(3))
    assert found.overlap == 0.5


def test_a_small_part_of_a_cluster_is_no_link() -> None:
    volume = np.full(20_000, 5, np.int32)
    a, b = np.arange(0, 200, dtype=np.int32), np.arange(180, 380, dtype=np.int32)
    ones = np.ones(200, np.int32)
    assert link_clusters([a, b], [ones, ones], volume, log_p=LOG_P) == []


SENDERS = st.dictionaries(st.integers(0, 39), st.integers(1, 9), min_size=1, max_size=30)


def sent(clusters: Sequence[dict[int, int]]) -> tuple[list[Ints32], list[Ints32]]:
    """Accounts and prompts of clusters that are given as prompts by account."""
    return (
        [np.array(sorted(c), np.int32) for c in clusters],
        [np.array([c[a] for a in sorted(c)], np.int32) for c in clusters],
    )


def shared_by_chance(one: dict[int, int], other: dict[int, int], volume: Ints32) -> float:
    """Account by account: those of the first set that would send into the second as often as the rest of all do."""
    outside = sum(n for a, n in other.items() if a not in one)
    rate = min((outside + 1) / max(int(volume.sum()) - sum(int(volume[a]) for a in one), 1), 1 - 1e-12)
    return sum(1 - (1 - rate) ** max(int(volume[a]) - n, 0) for a, n in one.items())


@given(
    st.lists(SENDERS, max_size=9),
    st.lists(st.integers(1, 60), min_size=40, max_size=40),
    st.sets(st.integers(0, 8)),
    st.sets(st.integers(0, 8), max_size=3),
    st.sampled_from([-6.0, -1.0, 0.5, 1e9]),
    st.sampled_from([1, 5, overlap.CELLS_AT_ONCE]),
)
@settings(max_examples=200, deadline=None)
def test_links_are_those_of_a_loop_over_pairs(
    clusters: list[dict[int, int]], load: list[int], rigid: set[int], copied: set[int], log_p: float, cells: int
) -> None:
    from scipy.stats import poisson

    volume = np.array(load, np.int32)
    wanted = []
    for i, j in combinations(range(len(clusters)), 2):
        shared = len(clusters[i].keys() & clusters[j].keys())
        expected = max(
            shared_by_chance(clusters[i], clusters[j], volume), shared_by_chance(clusters[j], clusters[i], volume)
        )
        if {i, j} & copied:
            expected *= COPIED_RELIEF
        part = shared / min(len(clusters[i]), len(clusters[j]))
        tail = max(poisson.logsf(shared - 1, expected), overlap.MIN_LOG_P) + np.log(
            len(clusters) * (len(clusters) - 1) / 2
        )
        cut = log_p * RIGID_RELIEF if {i, j} <= rigid else log_p
        assume(abs(tail - cut) > 1e-9)
        if shared >= GROUP and part >= SMALL_PART and tail < cut:
            wanted.append((i, j, shared, expected, tail, part))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "CELLS_AT_ONCE", cells)
        found = link_clusters(
            *sent(clusters), volume, log_p=log_p, rigid=[i in rigid for i in range(len(clusters))],
            copied=[i in copied for i in range(len(clusters))],
        )  # fmt: skip
    assert [(f.first, f.second, f.shared) for f in found] == [w[:3] for w in wanted]
    for link, (_, _, _, expected, tail, part) in zip(found, wanted, strict=True):
        assert (link.expected, link.log_p, link.overlap) == pytest.approx((expected, tail, part), rel=1e-6, abs=1e-9)


@given(st.lists(SENDERS, min_size=1, max_size=9), st.sampled_from([1, 20, overlap.CELLS_AT_ONCE]))
def test_each_shared_pair_is_given_once_in_order(clusters: list[dict[int, int]], cells: int) -> None:
    overlaps = overlap.overlaps_of(*sent(clusters), np.full(40, 50, np.int32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "CELLS_AT_ONCE", cells)
        parts = [overlap.shared_pairs(overlaps, block) for block in overlap.blocks(overlaps)]
    assert all(len(part.first) <= max(cells, len(clusters)) for part in parts)
    assert cells < overlap.CELLS_AT_ONCE or len(parts) == 1
    found = [
        row
        for p in parts
        for row in zip(*(v.tolist() for v in (p.first, p.second, p.shared, p.inside, p.back)), strict=True)
    ]
    assert found == [
        (i, j, len(both), sum(clusters[j][a] for a in both), sum(clusters[i][a] for a in both))
        for i in range(len(clusters))
        for j in range(len(clusters))
        if i != j and (both := clusters[i].keys() & clusters[j].keys())
    ]


def test_texts_that_many_people_send_word_for_word_are_no_campaign() -> None:
    # 3,000 people send two popular texts now and then, 3,000 programs never do
    draw = np.random.default_rng(5)
    volume = np.full(6_000, 40, np.int32)
    sets = [np.unique(draw.integers(0, 3_000, 1_200), return_counts=True) for _ in range(2)]
    accounts, counts = [a.astype(np.int32) for a, _ in sets], [n.astype(np.int32) for _, n in sets]
    assert link_clusters(accounts, counts, volume, log_p=LOG_P)
    assert link_clusters(accounts, counts, volume, log_p=LOG_P, copied=[True, False]) == []
    # a ring that sends two texts only is linked whatever they are
    ring = np.arange(40, dtype=np.int32)
    assert link_clusters([ring, ring], [counts[0][:40]] * 2, volume, log_p=LOG_P, copied=[True, True])


def test_copied_clusters_are_mostly_one_text() -> None:
    many = np.arange(10, dtype=np.int32)
    assert not is_copied(many)
    assert not is_copied(many[:0])
    assert is_copied(np.concatenate((many, np.full(round(10 * MOST / (1 - MOST)), 99, np.int32))))


def test_few_clusters_have_no_links() -> None:
    volume = np.full(10, 5, np.int32)
    assert link_clusters([], [], volume, log_p=LOG_P) == []
    assert link_clusters([np.arange(5, dtype=np.int32)], [np.ones(5, np.int32)], volume, log_p=LOG_P) == []


# ---------------------------------------------------------------- communities


def test_communities_are_the_linked_clusters_and_the_single_ones() -> None:
    links = [link(0, 1), link(1, 4), link(0, 4), link(2, 6)]
    assert communities(links, 8, seed=0) == [[0, 1, 4], [2, 6], [3], [5], [7]]
    assert communities([], 3, seed=0) == [[0], [1], [2]]
    assert communities([], 0, seed=0) == []


def test_two_rings_that_one_weak_link_joins_are_two() -> None:
    rings = [list(range(5)), list(range(5, 10))]
    links = [link(a, b) for ring in rings for a in ring for b in ring if a < b] + [link(4, 5, overlap=0.2)]
    assert communities(links, 10, seed=0) == rings
    assert communities(links, 10, seed=7) == rings


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda p: p[0] < p[1]), max_size=20))
@settings(max_examples=40, deadline=None)
def test_communities_are_a_partition_and_the_same_twice(pairs: list[tuple[int, int]]) -> None:
    links = [link(a, b) for a, b in sorted(set(pairs))]
    groups = communities(links, 12, seed=3)
    assert sorted(i for g in groups for i in g) == list(range(12))
    assert groups == communities(links, 12, seed=3)


# ---------------------------------------------------------------- users of one template only


def dealt(rings: Sequence[tuple[int, int, Sequence[int]]], *, clusters: int = 3, seed: int = 0) -> list[Ints32]:
    """``(accounts, prompts of each, clusters they rotate over by chance)``: account of every prompt, then prompts of
    every cluster."""
    rng = np.random.default_rng(seed)
    account, cluster, first = [], [], 0
    for size, each, over in rings:
        account.append(np.repeat(np.arange(first, first + size), each))
        cluster.append(rng.choice(over, size * each))
        first += size
    where = np.concatenate(cluster)
    return [
        np.concatenate(account).astype(np.int32),
        *(np.flatnonzero(where == c).astype(np.int32) for c in range(clusters)),
    ]


def accounts_by_part(parts: Sequence[tuple[list[int], dict[int, Ints32]]], account: Ints32) -> list[set[int]]:
    return [{int(a) for c in clusters for a in account[held[c]]} for clusters, held in parts]


def check_parts(parts: Sequence[tuple[list[int], dict[int, Ints32]]], assigned: Sequence[Ints32]) -> None:
    """Every prompt of every cluster is in one part."""
    for c in range(len(assigned)):
        held = np.concatenate([h[c] for clusters, h in parts if c in clusters])
        assert np.array_equal(np.sort(held), assigned[c])


def test_two_campaigns_that_share_a_template_are_told_apart() -> None:
    account, *assigned = dealt([(20, 8, (0, 1, 2)), (15, 6, (0,))])
    parts = split_users([0, 1, 2], assigned, account=account, min_accounts=10, log_p=LOG_P)
    assert [clusters for clusters, _ in parts] == [[0, 1, 2], [0]]
    check_parts(parts, assigned)
    assert accounts_by_part(parts, account) == [set(range(20)), set(range(20, 35))]


def test_two_campaigns_that_share_one_template_and_have_one_each_are_told_apart() -> None:
    account, *assigned = dealt([(20, 12, (0, 1)), (20, 12, (0, 2))])
    volume = np.bincount(account, minlength=30_000).astype(np.int32) + 3
    users = [np.unique(account[held], return_counts=True) for held in assigned]
    links = link_clusters([a for a, _ in users], [n.astype(np.int32) for _, n in users], volume, log_p=LOG_P)
    assert [(found.first, found.second) for found in links] == [(0, 1), (0, 2)]
    parts = [
        accounts
        for group in communities(links, 3, seed=0)
        for accounts in accounts_by_part(
            split_users(group, assigned, account=account, min_accounts=10, log_p=LOG_P), account
        )
    ]
    assert not [accounts for accounts in parts if accounts & set(range(20)) and accounts & set(range(20, 40))]


def test_what_is_left_of_two_clusters_has_enough_accounts() -> None:
    """Four accounts send both; those of either one alone would leave them as nobody's."""
    account, *assigned = dealt([(4, 24, (0, 1)), (20, 12, (0,)), (20, 12, (1,))], clusters=2)
    parts = split_users([0, 1], assigned, account=account, min_accounts=10, log_p=LOG_P)
    check_parts(parts, assigned)
    found = accounts_by_part(parts, account)
    assert all(len(accounts) >= 10 for accounts in found)
    assert any(set(range(4)) <= accounts for accounts in found)


@pytest.mark.parametrize("seed", range(20))
def test_a_campaign_that_rotates_its_templates_is_not_split(seed: int) -> None:
    rng = np.random.default_rng(seed)
    each = rng.geometric(0.3, 60)
    account = np.repeat(np.arange(60), each).astype(np.int32)
    where = rng.choice(3, len(account), p=rng.dirichlet([3, 3, 3]))
    assigned = [np.flatnonzero(where == c).astype(np.int32) for c in range(3)]
    ((clusters, held),) = split_users([0, 1, 2], assigned, account=account, min_accounts=10, log_p=LOG_P)
    assert clusters == [0, 1, 2]
    assert sorted(held) == [0, 1, 2]
    assert all(np.array_equal(held[c], assigned[c]) for c in range(3))


def test_too_few_users_of_one_template_are_left_in() -> None:
    account, *assigned = dealt([(20, 8, (0, 1, 2)), (9, 12, (0,))])
    assert len(split_users([0, 1, 2], assigned, account=account, min_accounts=10, log_p=LOG_P)) == 1


def test_a_single_cluster_has_no_other_users() -> None:
    account, *assigned = dealt([(20, 8, (0, 1, 2))])
    ((clusters, held),) = split_users([1], assigned, account=account, min_accounts=2, log_p=LOG_P)
    assert clusters == list(held) == [1]
    assert np.array_equal(held[1], assigned[1])


def test_clusters_outside_the_group_do_not_matter() -> None:
    # the second ring has a template of its own, which is not linked
    account, *assigned = dealt([(20, 8, (0, 1)), (15, 12, (0, 2))])
    parts = split_users([0, 1], assigned, account=account, min_accounts=10, log_p=LOG_P)
    assert [clusters for clusters, _ in parts] == [[0, 1], [0]]
    assert accounts_by_part(parts, account) == [set(range(20)), set(range(20, 35))]


@given(seed=st.integers(0, 500), sizes=st.lists(st.integers(2, 25), min_size=1, max_size=3), least=st.integers(2, 10))
@settings(max_examples=40, deadline=None)
def test_parts_hold_every_prompt_once(seed: int, sizes: list[int], least: int) -> None:
    rng = np.random.default_rng(seed)
    rings = [(n, int(rng.integers(1, 9)), sorted(set(rng.integers(0, 3, 2).tolist()))) for n in sizes]
    account, *assigned = dealt(rings, seed=seed)
    group = [c for c in range(3) if len(assigned[c])]
    parts = split_users(group, assigned, account=account, min_accounts=least, log_p=LOG_P)
    assert {c for clusters, _ in parts for c in clusters} == set(group)
    for c in group:
        prompts = np.concatenate([held[c] for clusters, held in parts if c in clusters])
        assert np.array_equal(np.sort(prompts), assigned[c])
    for clusters, held in parts[1:]:
        assert len({int(a) for c in clusters for a in account[held[c]]}) >= least


def apart_by_loop(hits: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Pairs of rows with fewer accounts in common than accounts that rotate over both would give."""
    from scipy.stats import poisson

    found = np.zeros((len(hits), len(hits)), bool)
    for i, j in combinations(range(len(hits)), 2):
        each = hits[i] + hits[j]
        share = hits[i].sum() / each.sum()
        used = each > 0
        expected = float((1 - share ** each[used] - (1 - share) ** each[used]).sum())
        both = int(((hits[i] > 0) & (hits[j] > 0)).sum())
        found[i, j] = found[j, i] = poisson.logcdf(both, max(expected, 1e-9)) < LOG_P
    return found


@given(seed=st.integers(0, 10_000), count=st.integers(2, 6), at_once=st.sampled_from([1, 50, users.SHARED_AT_ONCE]))
@settings(max_examples=60, deadline=None)
def test_clusters_are_apart_as_in_a_loop_over_pairs(seed: int, count: int, at_once: int) -> None:
    rng = np.random.default_rng(seed)
    sides = rng.integers(0, 3, 80)
    hits = rng.poisson(rng.choice([0.02, 0.5, 3.0], (count, 3))[:, sides])
    hits[:, 0] = 1
    account = np.repeat(np.tile(np.arange(80), count), hits.ravel()).astype(np.int32)
    assigned = np.split(np.arange(len(account), dtype=np.int32), np.cumsum(hits.sum(axis=1))[:-1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(users, "SHARED_AT_ONCE", at_once)
        found = users._apart(users._usage(range(count), assigned, account), LOG_P)
    assert np.array_equal(found, apart_by_loop(hits))


def test_rings_that_share_one_template_are_told_apart_whatever_its_place() -> None:
    for shared in range(5):
        first, second = np.split(np.delete(np.arange(5), shared), 2)
        rings = [(30, 30, [shared, *first.tolist()]), (25, 30, [shared, *second.tolist()]), (12, 3, [shared])]
        account, *assigned = dealt(rings, clusters=5)
        parts = split_users(list(range(5)), assigned, account=account, min_accounts=10, log_p=LOG_P)
        check_parts(parts, assigned)
        # who sent the shared template only is with the larger ring, and then taken out of it
        assert sorted(map(min, accounts_by_part(parts, account))) == [0, 30, 55]
        assert [c for c, _ in parts if len(c) == 1] == [[shared]]


# ---------------------------------------------------------------- membership


def alone(hits: Ints32, volume: Ints32, *, templates: Ints32 | None = None, **corpus: int) -> npt.NDArray[np.float64]:
    """The memberships of one campaign."""
    (sure,) = membership([hits], [volume], templates=None if templates is None else [templates], **corpus)
    return sure


def test_members_are_told_from_strays() -> None:
    hits = np.concatenate((np.full(40, 6), np.ones(30))).astype(np.int32)
    volume = np.concatenate((np.full(40, 10), np.full(30, 300))).astype(np.int32)
    sure = alone(hits, volume, total_prompts=40_000, total_accounts=3_000)
    assert (sure[:40] > 0.9).all()
    assert (sure[40:] < 0.5).all()


def test_more_hits_make_a_member_and_more_volume_a_stray() -> None:
    hits = np.concatenate((np.full(40, 6), [1, 2, 3, 4])).astype(np.int32)
    volume = np.concatenate((np.full(40, 10), [50, 50, 50, 50])).astype(np.int32)
    sure = alone(hits, volume, total_prompts=40_000, total_accounts=3_000)
    assert (np.diff(sure[-4:]) >= -1e-9).all()
    hits[-4:] = 1
    volume[-4:] = [2, 20, 200, 400]
    sure = alone(hits, volume, total_prompts=40_000, total_accounts=3_000)
    assert (np.diff(sure[-4:]) <= 1e-9).all()


@pytest.mark.parametrize("seed", range(3))
def test_an_uneven_load_is_no_reason_to_leave_members_out(seed: int) -> None:
    # members that send a geometric number of the texts, strays that send one or two of them among many others
    hits = np.concatenate((np.random.default_rng(seed).geometric(1 / 8, 50), np.ones(20))).astype(np.int32)
    volume = np.concatenate((hits[:50] + 2, np.full(20, 250))).astype(np.int32)
    sure = alone(hits, volume, total_prompts=60_000, total_accounts=4_000)
    assert (sure[:50][hits[:50] > 1] > 0.5).all()
    assert (sure[50:] < 0.5).all()


def test_with_several_templates_those_who_use_one_are_the_strays() -> None:
    hits = np.concatenate((np.full(30, 6), np.full(60, 1))).astype(np.int32)
    volume = np.concatenate((np.full(30, 9), np.full(60, 40))).astype(np.int32)
    templates = np.concatenate((np.full(30, 3), np.ones(60))).astype(np.int32)
    sure = alone(hits, volume, total_prompts=40_000, total_accounts=3_000, templates=templates)
    assert (sure[:30] > 0.9).all()
    assert (sure[30:] < 0.5).all()


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 200), st.integers(1, 4)), min_size=1, max_size=30),
    st.integers(0, 5_000),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_membership_is_a_finite_share(accounts: list[tuple[int, int, int]], others: int, several: bool) -> None:
    hits = np.array([h for h, _, _ in accounts], np.int32)
    volume = np.array([h + more for h, more, _ in accounts], np.int32)
    templates = np.array([min(h, t) for h, _, t in accounts], np.int32)
    sure = alone(
        hits,
        volume,
        total_prompts=int(volume.sum()) + 3 * others,
        total_accounts=len(accounts) + others,
        templates=templates if several else None,
    )
    assert sure.shape == hits.shape
    assert np.isfinite(sure).all()
    assert ((sure >= 0) & (sure <= 1)).all()


@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 40), st.integers(0, 200), st.integers(1, 4)), min_size=1, max_size=12),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_campaigns_that_are_fitted_together_do_not_know_of_one_another(
    campaigns: list[list[tuple[int, int, int]]],
) -> None:
    hits = [np.array([h for h, _, _ in own], np.int32) for own in campaigns]
    volume = [np.array([h + more for h, more, _ in own], np.int32) for own in campaigns]
    templates = [np.array([min(h, t) for h, _, t in own], np.int32) for own in campaigns]
    corpus = {"total_prompts": 50_000, "total_accounts": 2_000}
    together = membership(hits, volume, templates=templates, **corpus)
    for i, sure in enumerate(together):
        np.testing.assert_allclose(sure, alone(hits[i], volume[i], templates=templates[i], **corpus), atol=1e-5)


# ---------------------------------------------------------------- forming


def form_campaign(
    clusters: Sequence[int], assigned: Any, links: Sequence[Link], *, nearby: Ints32 | None = None,
    rigid: bool = False, **corpus: Any,
) -> Campaign:  # fmt: skip
    """One campaign."""
    (found,) = form_campaigns(
        [ClusterGroup(clusters=clusters, prompts=assigned, nearby=nearby, rigid=rigid)], links, **corpus
    )  # fmt: skip
    return found


@given(seed=st.integers(0, 200))
@settings(max_examples=30, deadline=None)
def test_a_campaign_adds_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    account = np.sort(rng.integers(0, 60, 600)).astype(np.int32)
    volume = np.bincount(account, minlength=60).astype(np.int32)
    chosen = rng.permutation(600)[:150].astype(np.int32)
    assigned = [np.sort(part) for part in np.split(chosen, [40, 90])]
    campaign = form_campaign([2, 0], assigned, [], account=account, volume=volume)
    owner = {int(p): c for c in (0, 2) for p in assigned[c]}
    members = set(campaign.accounts.tolist())
    assert campaign.clusters.tolist() == [0, 2]
    assert campaign.prompts.tolist() == sorted(p for p in owner if int(account[p]) in members)
    assert campaign.prompt_cluster.tolist() == [owner[p] for p in campaign.prompts.tolist()]
    assert campaign.accounts.tolist() == sorted(members)
    assert (campaign.membership >= 0.5).all()
    for a, hits, share in zip(campaign.accounts, campaign.harvest_prompts, campaign.harvest_share, strict=True):
        assert hits == sum(account[p] == a for p in owner)
        assert share == pytest.approx(hits / volume[a])
    assert campaign.link_log_p == 0.0


def test_every_account_is_a_member_when_all_are_alike() -> None:
    account = np.repeat(np.arange(300, dtype=np.int32), 10)
    first, second = (np.concatenate([np.arange(a * 10 + s, a * 10 + s + 4) for a in range(20)]) for s in (0, 4))
    assigned = [first.astype(np.int32), second.astype(np.int32), np.array([2_990], np.int32)]
    volume = np.bincount(account).astype(np.int32)
    campaign = form_campaign([0, 1], assigned, [], account=account, volume=volume)
    assert campaign.accounts.tolist() == list(range(20))
    assert campaign.harvest_prompts.tolist() == [8] * 20
    assert campaign.harvest_share.tolist() == [0.8] * 20


def test_strays_are_left_out_with_their_prompts() -> None:
    account = np.concatenate(
        (np.repeat(np.arange(30), 10), np.repeat(np.arange(30, 40), 400), np.repeat(np.arange(40, 2_000), 5))
    ).astype(np.int32)
    ring = np.concatenate([np.arange(a * 10, a * 10 + 6) for a in range(30)])
    strays = 300 + 400 * np.arange(10)
    assigned = [np.sort(np.concatenate((ring, strays))).astype(np.int32)]
    volume = np.bincount(account).astype(np.int32)
    campaign = form_campaign([0], assigned, [], account=account, volume=volume)
    assert campaign.accounts.tolist() == list(range(30))
    assert campaign.prompts.tolist() == ring.tolist()
    assert campaign.stray_hits == 1


def test_the_weakest_link_inside_holds_the_campaign() -> None:
    account = np.repeat(np.arange(40, dtype=np.int32), 10)
    volume = np.bincount(account).astype(np.int32)
    assigned = [np.arange(i, 400, 10, dtype=np.int32) for i in range(4)]
    links = [link(0, 1, log_p=-40.0), link(1, 2, log_p=-20.0), link(2, 3, log_p=-17.0)]
    assert form_campaign([0, 1, 2], assigned, links, account=account, volume=volume).link_log_p == -20.0
    assert form_campaign([0, 1], assigned, links, account=account, volume=volume).link_log_p == -40.0
    assert form_campaign([3], assigned, links, account=account, volume=volume).link_log_p == 0.0
    assert form_campaign([2, 0, 1], assigned, links, account=account, volume=volume).link_log_p == -20.0
    crossed = [link(0, 2, log_p=-30.0), link(0, 3, log_p=-25.0), link(2, 3, log_p=-19.0)]
    assert form_campaign([3, 0], assigned, crossed, account=account, volume=volume).link_log_p == -25.0


def test_rigid_templates_are_linked_sooner() -> None:
    volume = np.full(800, 60, np.int32)
    one, two = np.arange(0, 40, dtype=np.int32), np.arange(30, 70, dtype=np.int32)
    each = np.ones(40, np.int32)
    (first,) = link_clusters([one, two], [each, each], volume, log_p=-5.0)
    assert -16 < first.log_p < 0.45 * -16
    for rigid, links in (([True, True], 1), ([True, False], 0), ([False, True], 0), (None, 0)):
        assert len(link_clusters([one, two], [each, each], volume, log_p=-16.0, rigid=rigid)) == links


def test_who_fills_a_rigid_template_is_a_member() -> None:
    # twenty accounts fill it four times, ten once
    account = np.repeat(np.arange(30, dtype=np.int32), 8)
    assigned = [np.concatenate([np.arange(8 * a, 8 * a + (4 if a < 20 else 1)) for a in range(30)]).astype(np.int32)]
    volume = np.full(3_000, 8, np.int32)
    loose = form_campaign([0], assigned, [], account=account, volume=volume)
    rigid = form_campaign([0], assigned, [], account=account, volume=volume, rigid=True)
    assert (len(loose.accounts), len(rigid.accounts)) == (20, 30)
    assert (rigid.membership >= 0.9).all()


def test_where_a_subject_is_shared_one_prompt_makes_no_member_unless_more_lie_nearby() -> None:
    account = np.repeat(np.arange(30, dtype=np.int32), 8)
    assigned = [np.concatenate([np.arange(8 * a, 8 * a + (3 if a < 20 else 1)) for a in range(30)]).astype(np.int32)]
    volume = np.full(3_000, 8, np.int32)
    everybody = form_campaign([0], assigned, [], account=account, volume=volume)
    assert len(everybody.accounts) == 30
    found = form_campaign([0], assigned, [], account=account, volume=volume, nearby=np.array([25, 25], np.int32))
    assert found.accounts.tolist() == [*range(20), 25]
    assert set(found.outside.tolist()) == set(range(20, 30)) - {25}


def test_a_campaign_without_some_of_its_accounts() -> None:
    account = np.repeat(np.arange(20, dtype=np.int32), 4)
    assigned = [np.arange(0, 40, dtype=np.int32), np.arange(40, 80, dtype=np.int32)]
    whole = form_campaign([0, 1], assigned, [], account=account, volume=np.full(2_000, 4, np.int32))
    part = without(whole, np.arange(10, 20, dtype=np.int32), account=account)
    assert part.accounts.tolist() == list(range(10))
    assert part.clusters.tolist() == [0]
    assert set(account[part.prompts].tolist()) == set(range(10))
    assert len(part.prompts) == len(part.prompt_cluster) == int(part.harvest_prompts.sum())


# ---------------------------------------------------------------- joining


@given(seed=st.integers(0, 200))
@settings(max_examples=30, deadline=None)
def test_a_joined_campaign_adds_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    account = np.sort(rng.integers(0, 60, 600)).astype(np.int32)
    volume = np.bincount(account, minlength=60).astype(np.int32)
    assigned = [np.sort(part) for part in np.split(rng.permutation(600)[:150].astype(np.int32), [30, 60, 110])]
    parts = [form_campaign(clusters, assigned, [], account=account, volume=volume) for clusters in ([3], [0, 2], [1])]
    whole = joined(parts, volume=volume)
    members = {a for part in parts for a in part.accounts.tolist()}
    assert whole.accounts.tolist() == sorted(members)
    assert whole.clusters.tolist() == [0, 1, 2, 3]
    owner = {p: c for part in parts for p, c in zip(part.prompts.tolist(), part.prompt_cluster.tolist(), strict=True)}
    assert whole.prompts.tolist() == sorted(owner)
    assert whole.prompt_cluster.tolist() == [owner[p] for p in sorted(owner)]
    accounts, hits = np.unique(account[whole.prompts], return_counts=True)
    assert whole.accounts.tolist() == accounts.tolist()
    assert whole.harvest_prompts.tolist() == hits.tolist()
    assert whole.harvest_share.tolist() == pytest.approx((hits / volume[accounts]).tolist())
    for a, sure in zip(whole.accounts, whole.membership, strict=True):
        assert sure == max(float(part.membership[part.accounts == a].max(initial=0)) for part in parts)
    outside = {a for part in parts for a in part.outside.tolist()} - members
    assert whole.outside.tolist() == sorted(outside)
    for a, hit in zip(whole.outside, whole.outside_hits, strict=True):
        assert hit == sum(int(part.outside_hits[part.outside == a].sum()) for part in parts)
    assert len(whole.outside) == len(whole.outside_membership)
    assert whole.stray_hits == max(part.stray_hits for part in parts)
    for name in ("accounts", "clusters", "harvest_prompts", "prompts", "prompt_cluster", "outside", "outside_hits"):
        assert getattr(whole, name).dtype == np.int32, name
    back = joined(parts[::-1], volume=volume)
    for name in Campaign.__slots__:
        assert np.array_equal(getattr(back, name), getattr(whole, name)), name


def test_the_weakest_link_of_any_part_holds_the_whole() -> None:
    account = np.repeat(np.arange(40, dtype=np.int32), 10)
    volume = np.bincount(account).astype(np.int32)
    assigned = [np.arange(i, 400, 10, dtype=np.int32) for i in range(5)]
    links = [link(0, 1, log_p=-40.0), link(2, 3, log_p=-20.0)]
    one, two, three = (form_campaign(c, assigned, links, account=account, volume=volume) for c in ([0, 1], [2, 3], [4]))
    assert joined([one, two], volume=volume).link_log_p == -20.0
    assert joined([one, three], volume=volume).link_log_p == 0.0


def test_a_whole_was_found_in_the_ways_of_its_parts() -> None:
    account = np.repeat(np.arange(40, dtype=np.int32), 10)
    volume = np.bincount(account).astype(np.int32)
    assigned = [np.arange(i, 400, 10, dtype=np.int32) for i in range(2)]
    one, two = (form_campaign([c], assigned, [], account=account, volume=volume) for c in range(2))
    by_accounts = replace(two, ways=("accounts", "infrastructure"))
    assert joined([one, two], volume=volume).ways == ("texts",)
    for parts in ([one, by_accounts], [by_accounts, one]):
        assert joined(parts, volume=volume).ways == ("texts", "accounts", "infrastructure")
    chain = replace(one, generations=6)
    assert joined([chain, replace(two, generations=2)], volume=volume).generations == 6
