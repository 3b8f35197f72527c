"""Clusters of a view in all its channels, found anew or carried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harvestdetect import Settings
from harvestdetect.cluster.distances import core_distance, shared_distance, shared_length
from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.views import Clustered, carry_on, cluster_view
from harvestdetect.data import Neighbors
from harvestdetect.neighbors.search import nearest
from harvestdetect.util.arrays import Floats32

SETTINGS = Settings(k=16, min_samples=3, min_accounts=5)


def around(centre: int, count: int, *, width: float = 0.02, d: int = 48) -> Floats32:
    """So many points about a direction that the number stands for; the same ones every time."""
    rng = np.random.default_rng(centre)
    middle = rng.standard_normal(d)
    rows = middle / np.linalg.norm(middle) + width * rng.standard_normal((count, d))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def strewn(count: int, *, seed: int = 0, d: int = 48) -> Floats32:
    rows = np.random.default_rng([seed, 99]).standard_normal((count, d))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Points with two of an account each, and what is known of them."""

    near: Neighbors
    core: npt.NDArray[np.float32]
    postings: Postings


def view_of(*parts: Floats32) -> View:
    vectors = np.concatenate(parts)
    n = len(vectors)
    account = (np.arange(n) // 2).astype(np.int32)
    near = nearest(vectors, k=SETTINGS.k)
    return View(
        near=near,
        core=core_distance(near, min_samples=SETTINGS.min_samples, account=account, senders=np.ones(n, np.int32)),
        postings=Postings(
            start=np.arange(n + 1),
            account=account,
            text=np.arange(n, dtype=np.int32),
            volume=np.bincount(account).astype(np.int32),
        ),
    )


def found(view: View, *, with_reach: bool = True) -> list[Clustered]:
    return cluster_view("wording", view.near, view.core, view.postings, settings=SETTINGS, with_reach=with_reach)


def carried(view: View, earlier: Sequence[Clustered], new: Sequence[int]) -> tuple[list[Clustered], int]:
    fresh = np.zeros(len(view.core), bool)
    fresh[list(new)] = True
    return carry_on(
        "wording", view.near, view.core, view.postings, earlier=earlier, new=fresh, settings=SETTINGS
    )  # fmt: skip


def told(clusters: Sequence[Clustered]) -> list[tuple[str, tuple[int, ...]]]:
    return [(one.channel, tuple(one.points.tolist())) for one in clusters]


def holding(clusters: Sequence[Clustered], channel: str, points: set[int]) -> list[set[int]]:
    """The clusters of a channel that hold any of some points."""
    return [own for one in clusters if one.channel == channel and (own := set(one.points.tolist())) & points]


CHANNELS = ("wording", "wording/leaf", "wording/shared")


def test_every_channel_finds_a_tight_group_and_says_how_far_it_reaches() -> None:
    view = view_of(around(1, 40), strewn(500))
    for channel in ("wording", "wording/shared"):
        (own,) = holding(found(view), channel, set(range(40)))
        assert len(own) >= 38
    assert all(one.reach == 0 for one in found(view, with_reach=False))
    assert told(found(view)) == told(found(view, with_reach=False))


def test_the_reach_is_the_loosest_points_distance_to_a_fellow() -> None:
    view = view_of(around(1, 40), around(2, 40, width=0.05), strewn(500))
    shared = shared_distance(view.near)
    for one in found(view):
        held = set(one.points.tolist())
        plain = one.channel != "wording/shared"
        least = SETTINGS.distance_floor if plain else shared_length(SETTINGS.k, SETTINGS.k)
        for p in held:
            apart = [
                max(float(view.near.distance[p, j]), float(view.core[p]), float(view.core[q]))
                if plain
                else float(shared[p, j])
                for j, q in enumerate(view.near.index[p].tolist())
                if q in held
            ]
            least = max(least, min(apart, default=0.0))
        assert one.reach == pytest.approx(least, abs=1e-6)


def test_where_nothing_came_nothing_changes() -> None:
    view = view_of(around(1, 40), around(2, 60, width=0.05), strewn(500))
    before = found(view)
    again, joined = carried(view, before, [])
    assert joined == 0
    assert told(again) == told(before)
    assert [one.reach for one in again] == [one.reach for one in before]


def test_new_points_within_reach_join_their_cluster_and_others_do_not() -> None:
    tight, others = around(1, 44), strewn(501)
    old = found(view_of(tight[:40], others[:500]))
    # rows of the earlier view where they are now: four new ones of the group stand behind its first forty
    place = np.concatenate((np.arange(40), np.arange(44, 544))).astype(np.int32)
    earlier = [replace(one, points=place[one.points]) for one in old]
    view = view_of(tight, others)
    after, joined = carried(view, earlier, [*range(40, 44), 544])
    assert joined == 4
    for channel in ("wording", "wording/shared"):
        before = holding(earlier, channel, set(range(40)))
        assert holding(after, channel, set(range(40))) == [before[0] | set(range(40, 44))]
    assert not holding(after, "wording", {544})


def test_a_group_that_came_is_a_cluster_of_its_own() -> None:
    group, others = around(7, 30), strewn(500)
    earlier = found(view_of(around(1, 40), others))
    view = view_of(around(1, 40), others, group)
    after, _ = carried(view, earlier, range(540, 570))
    assert told(after)[: len(holding(earlier, "wording", set(range(540))))] == told(earlier)[:1]
    for channel in ("wording", "wording/shared"):
        (own,) = holding(after, channel, set(range(540, 570)))
        assert len(own & set(range(540, 570))) >= 28


def test_a_tight_group_that_came_within_a_wide_cluster_is_one_of_its_own() -> None:
    wide, others = around(2, 40, width=0.07), strewn(500)
    earlier = found(view_of(wide, others))
    (before,) = holding(earlier, "wording", set(range(40)))
    assert len(before) > 30
    after, _ = carried(view_of(wide, others, around(2, 60, width=0.01)[40:]), earlier, range(540, 560))
    groups = holding(after, "wording", set(range(540, 560)))
    assert [group for group in groups if len(group & set(range(540, 560))) >= 18 and not group & before]
    # new points that are no nearer to one another than the others stay with these
    after, _ = carried(view_of(wide, others, around(2, 60, width=0.07)[40:]), earlier, range(540, 560))
    assert len(holding(after, "wording", before)) == 1


def test_a_few_that_came_make_a_cluster_with_free_ones_that_were_there() -> None:
    group, others = around(7, 30), strewn(500)
    few = found(view_of(group[:6], others))
    assert not holding(few, "wording", set(range(6)))
    place = np.concatenate((np.arange(6), np.arange(30, 530))).astype(np.int32)
    after, _ = carried(view_of(group, others), [replace(o, points=place[o.points]) for o in few], range(6, 30))
    (own,) = holding(after, "wording", set(range(30)))
    assert own & set(range(6))


def test_what_has_left_is_gone_and_a_cluster_of_one_point_with_it() -> None:
    view = view_of(around(1, 40), strewn(500))
    (one,) = (c for c in found(view) if c.channel == "wording")
    less, lone = replace(one, points=one.points[:20]), replace(one, points=one.points[30:31])
    after, _ = carried(view, [less, lone], [])
    assert told(after) == [("wording", tuple(less.points.tolist()))]


@given(
    sizes=st.lists(st.integers(2, 30), min_size=1, max_size=5),
    width=st.sampled_from([0.01, 0.05, 0.1]),
    came=st.integers(0, 60),
    seed=st.integers(0, 20),
)
@hypothesis_settings(max_examples=40, deadline=None)
def test_the_clusters_of_a_channel_share_no_point_and_lose_none(
    sizes: list[int], width: float, came: int, seed: int
) -> None:
    parts = [around(number, size, width=width) for number, size in enumerate(sizes)]
    vectors = np.concatenate((*parts, strewn(300, seed=seed)))
    order = np.random.default_rng(seed).permutation(len(vectors))
    view = view_of(vectors[order])
    new = set(range(min(came, len(vectors) // 2)))
    old = np.array([i for i in range(len(vectors)) if i not in new], np.int32)
    earlier = [replace(one, points=old[one.points]) for one in found(view_of(vectors[order][old]))]
    after, joined = carried(view, earlier, sorted(new))
    assert joined <= len(new)
    for channel in CHANNELS:
        own = [set(one.points.tolist()) for one in after if one.channel == channel]
        assert not any(a & b for a, b in combinations(own, 2))
        # those that stood are first, with all their points, and only new ones have come to them
        stood = [set(one.points.tolist()) for one in earlier if one.channel == channel]
        for before, now in zip(stood, own, strict=False):
            assert before <= now
            assert now - before <= new
    again, more = carried(view, after, [])
    assert (told(again), more) == (told(after), 0)
