"""Nodes of a tree that are chosen because their accounts come back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.cluster.distances import core_distance
from harvestdetect.cluster.node_counts import sender_counts
from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.repeat_senders import chance_of, expected_returning, texts_of_each
from harvestdetect.cluster.selection import best_antichain, select_by_accounts, select_flat
from harvestdetect.cluster.tree import Tree, build_tree
from harvestdetect.data import Clusters
from harvestdetect.neighbors.search import nearest
from harvestdetect.util.arrays import Ints32
from tests.cluster.making import blobs, lone_component, random_graph, tree_of, unit


def antichains(parent: list[int]) -> list[tuple[int, ...]]:
    def above(node: int) -> set[int]:
        found = set()
        while parent[node] >= 0:
            node = parent[node]
            found.add(node)
        return found

    chains = [above(i) for i in range(len(parent))]
    return [
        chosen
        for size in range(len(parent) + 1)
        for chosen in itertools.combinations(range(len(parent)), size)
        if not any(a in chains[b] for a in chosen for b in chosen)
    ]


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[int], list[float]]:
    count = draw(st.integers(1, 9))
    parent = [-1, *(draw(st.integers(0, i - 1)) for i in range(1, count))]
    return parent, draw(st.lists(st.integers(0, 6).map(float), min_size=count, max_size=count))


@given(trees())
@settings(max_examples=150, deadline=None)
def test_thebest_antichain_equals_brute_force(tree: tuple[list[int], list[float]]) -> None:
    parent, quality = tree
    chosen = tuple(best_antichain(np.array(parent, np.int32), np.array(quality)).tolist())
    possible = antichains(parent)
    assert chosen in possible
    assert all(quality[c] > 0 for c in chosen)
    assert sum(quality[c] for c in chosen) == max(sum(quality[c] for c in p) for p in possible)


def postings_of(account: Ints32, *, volume: Ints32 | None = None) -> Postings:
    """Every point one text of one account."""
    n = len(account)
    own = np.bincount(account).astype(np.int32)
    return Postings(
        start=np.arange(n + 1),
        account=account,
        text=np.arange(n, dtype=np.int32),
        volume=own if volume is None else volume,
    )


def planted(accounts: Ints32, *, noise: int = 900, seed: int = 0) -> tuple[Tree, Postings]:
    """A tight group, sent by ``accounts`` (one a point), in_sorted accounts with five texts each."""
    vectors = lone_component(len(accounts), noise, seed=seed)
    others = accounts.max(initial=-1) + 1 + np.arange(noise, dtype=np.int32) // 5
    account = np.concatenate((accounts, others)).astype(np.int32)
    near = nearest(vectors, k=32)
    core = core_distance(near, min_samples=5, account=account, senders=np.ones(len(account), np.int32))
    tree = build_tree(near, core=core, floor=0.1, cap=0.9, min_cluster_size=8)
    return tree, postings_of(account)


def plain_qualities(
    tree: Tree, postings: Postings, *, min_accounts: int, max_account_share: float, max_share: float
) -> list[float]:
    """Node by node, each from all its rows."""
    chance = chance_of(postings.volume)
    quality = []
    for node, (a, b) in enumerate(zip(tree.first.tolist(), tree.last.tolist(), strict=True)):
        quality.append(0.0)
        if not tree.real[node] or b - a < 2 or b - a > 4 * max_share * tree.n:
            continue
        rows = postings.rows(tree.points[a:b])
        each = texts_of_each(postings.account[rows], postings.text[rows])
        expected = float(expected_returning(np.array([each.sum()]), chance)[0])
        held, accounts, back = int(each.sum()), len(each), int((each > 1).sum())
        if held > max_share * int(postings.volume.sum()) or min(accounts, back) < min_accounts:
            continue
        if each.max() <= max_account_share * held:
            quality[-1] = back * np.log((back + 1) / (expected + 1)) * back / accounts
    return quality


def plain_antichain(parent: list[int], quality: list[float]) -> list[int]:
    below, covered, taken = [0.0] * len(parent), [False] * len(parent), []
    for node in range(len(parent) - 1, 0, -1):
        below[parent[node]] += max(below[node], quality[node])
    for node, up in enumerate(parent):
        covered[node] = up >= 0 and covered[up]
        if not covered[node] and quality[node] > 0 and quality[node] >= below[node]:
            taken.append(node)
            covered[node] = True
    return taken


@given(
    seed=st.integers(0, 9_999),
    n=st.integers(6, 90),
    accounts=st.integers(1, 12),
    texts=st.integers(1, 60),
    rows=st.integers(1, 4),
    size=st.integers(2, 5),
    least=st.integers(1, 3),
    account_share=st.sampled_from([0.25, 0.5, 1.0]),
    share=st.sampled_from([0.1, 0.3, 0.9]),
)
@settings(max_examples=150, deadline=None)
def test_selection_equals_one_node_by_node(
    seed: int, n: int, accounts: int, texts: int, rows: int, size: int, least: int, account_share: float, share: float
) -> None:
    rng = np.random.default_rng(seed)
    near, core = random_graph(n, 4, levels=int(rng.choice([3, 10_000])), seed=seed)
    tree = build_tree(near, core=core / 4, floor=0.05, cap=0.9, min_cluster_size=size)
    start = np.concatenate(([0], np.cumsum(rng.integers(0, rows + 1, n))))
    account = rng.integers(0, accounts, start[-1]).astype(np.int32)
    text = rng.integers(0, texts, start[-1]).astype(np.int32)
    volume = (np.bincount(account, minlength=accounts) + rng.integers(1, 40, accounts)).astype(np.int32)
    postings = Postings(start=start, account=account, text=text, volume=volume)
    limits = {"max_account_share": account_share, "max_share": share}
    found, quality = select_by_accounts(tree, postings, min_accounts=least, **limits)
    expected = plain_qualities(tree, postings, min_accounts=least, **limits)
    chosen = plain_antichain(tree.parent.tolist(), [max(q, 0.0) for q in expected])
    chosen.sort(key=lambda c: -expected[c])
    assert quality == pytest.approx([expected[c] for c in chosen], abs=1e-9)
    assert [f.tolist() for f in found] == [sorted(tree.points[tree.first[c] : tree.last[c]].tolist()) for c in chosen]


@pytest.mark.parametrize("seed", range(3))
def test_counts_of_deep_trees_equal_those_node_by_node(seed: int) -> None:
    rng = np.random.default_rng(seed)
    depth, own = 300, 3
    n = depth * own
    first = (own * np.arange(depth)).astype(np.int32)
    tree = Tree(
        n=n,
        parent=np.arange(-1, depth - 1, dtype=np.int32),
        first=first,
        last=np.full(depth, n, np.int32),
        points=rng.permutation(n).astype(np.int32),
        real=np.ones(depth, bool),
        condensed=None,
        local=np.arange(n, dtype=np.int32),
    )
    account, text = rng.integers(0, 40, 2 * n).astype(np.int32), rng.integers(0, 200, 2 * n).astype(np.int32)
    postings = Postings(start=np.arange(0, 2 * n + 1, 2), account=account, text=text, volume=np.full(40, 90, np.int32))
    found = sender_counts(tree, postings, np.ones(depth, bool))
    counts = np.stack((found.texts, found.accounts, found.returning, found.most), axis=1)
    for node in range(depth):
        rows = postings.rows(tree.points[first[node] :])
        each = np.bincount([a for a, _ in set(zip(account[rows].tolist(), text[rows].tolist(), strict=True))])
        assert counts[node].tolist() == [each.sum(), (each > 0).sum(), (each > 1).sum(), each.max()]


def test_accounts_that_come_back_make_a_cluster() -> None:
    tree, postings = planted(np.repeat(np.arange(15, dtype=np.int32), 4))
    found, quality = select_by_accounts(tree, postings, min_accounts=10, max_account_share=0.25)
    assert [f.tolist() for f in found] == [list(range(60))]
    assert quality[0] > 10


def test_accounts_that_come_once_make_none() -> None:
    tree, postings = planted(np.arange(60, dtype=np.int32))
    assert select_by_accounts(tree, postings, min_accounts=10, max_account_share=0.25)[0] == []


def test_too_few_accounts_make_none() -> None:
    tree, postings = planted(np.repeat(np.arange(9, dtype=np.int32), 6))
    assert select_by_accounts(tree, postings, min_accounts=10, max_account_share=1.0)[0] == []


def test_a_node_in_which_one_account_dominates_is_not_chosen() -> None:
    # one account with 28 of 88 texts
    accounts = np.concatenate((np.zeros(28, np.int32), 1 + np.repeat(np.arange(15, dtype=np.int32), 4)))
    tree, postings = planted(accounts)
    for points in select_by_accounts(tree, postings, min_accounts=10, max_account_share=0.25)[0]:
        inside = postings.account[points]
        assert np.bincount(inside).max() <= 0.25 * len(points)
    found, _ = select_by_accounts(tree, postings, min_accounts=10, max_account_share=0.5)
    assert [f.tolist() for f in found] == [list(range(88))]


def test_heavy_accounts_that_would_come_back_by_chance_count_for_less() -> None:
    accounts = np.repeat(np.arange(15, dtype=np.int32), 4)
    tree, light = planted(accounts)
    heavy = postings_of(
        light.account, volume=np.where(np.arange(len(light.volume)) < 15, 200, light.volume).astype(np.int32)
    )
    _, of_light = select_by_accounts(tree, light, min_accounts=10, max_account_share=0.25)
    _, of_heavy = select_by_accounts(tree, heavy, min_accounts=10, max_account_share=0.25)
    assert len(of_heavy) == 0 or of_heavy[0] < of_light[0] / 2


def test_a_node_with_a_great_share_of_all_texts_is_a_topic() -> None:
    tree, postings = planted(np.repeat(np.arange(15, dtype=np.int32), 4))
    assert select_by_accounts(tree, postings, min_accounts=10, max_account_share=0.25, max_share=0.03)[0] == []


def test_one_text_behind_several_points_is_one_text() -> None:
    # head, tail and whole of each account's only prompt: nobody comes back
    tree, postings = planted(np.repeat(np.arange(20, dtype=np.int32), 3))
    text = postings.text.copy()
    text[:60] = np.repeat(np.arange(20), 3)
    once = Postings(start=postings.start, account=postings.account, text=text, volume=postings.volume)
    assert select_by_accounts(tree, once, min_accounts=10, max_account_share=0.25)[0] == []


def test_selected_clusters_are_disjoint_sorted_and_best_first() -> None:
    rng = np.random.default_rng(4)
    vectors = unit(
        np.concatenate(
            [unit(rng.standard_normal((1, 64))) + 0.02 * rng.standard_normal((60, 64)) for _ in range(5)]
            + [rng.standard_normal((2_700, 64))]
        )
    )
    account = np.concatenate(
        [20 * g + rng.integers(0, 12 + g, 60) for g in range(5)] + [100 + np.arange(2_700) // 5]
    ).astype(np.int32)
    near = nearest(vectors, k=32)
    core = core_distance(near, min_samples=5, account=account, senders=np.ones(3_000, np.int32))
    tree = build_tree(near, core=core, floor=0.1, cap=0.9, min_cluster_size=8)
    found, quality = select_by_accounts(tree, postings_of(account), min_accounts=10, max_account_share=0.25)
    assert len(found) == len(quality) == 5
    assert (np.diff(quality) <= 0).all()
    points = np.concatenate(found)
    assert len(set(points.tolist())) == len(points)
    assert {int(f[0]) // 60 for f in found} == set(range(5))
    assert all((np.diff(f) > 0).all() and len(f) == 60 for f in found)


def test_selection_does_not_depend_on_the_order_of_points() -> None:
    vectors = lone_component(60, 900)
    account = np.concatenate((np.repeat(np.arange(15), 4), 15 + np.arange(900) // 5)).astype(np.int32)
    found = []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(960)
        near = nearest(vectors[order], k=32)
        core = core_distance(near, min_samples=5, account=account[order], senders=np.ones(960, np.int32))
        tree = build_tree(near, core=core, floor=0.1, cap=0.9, min_cluster_size=8)
        nodes, quality = select_by_accounts(tree, postings_of(account[order]), min_accounts=10, max_account_share=0.25)
        found.append(([sorted(order[node].tolist()) for node in nodes], [round(float(q), 6) for q in quality]))
    assert found[0][0] == [list(range(60))]
    assert all(f == found[0] for f in found)


def test_an_empty_tree_has_no_clusters() -> None:
    tree = tree_of(lone_component(0, 40), k=8, cap=0.3)
    found, quality = select_by_accounts(
        tree, postings_of(np.arange(40, dtype=np.int32)), min_accounts=2, max_account_share=1.0
    )
    assert found == []
    assert len(quality) == 0


def test_rows_of_postings() -> None:
    postings = Postings(
        start=np.array([0, 2, 2, 5]),
        account=np.arange(5, dtype=np.int32),
        text=np.arange(5, dtype=np.int32),
        volume=np.ones(5, np.int32),
    )
    assert postings.rows(np.array([0, 2], np.int32)).tolist() == [0, 1, 2, 3, 4]
    assert postings.rows(np.array([2], np.int32)).tolist() == [2, 3, 4]
    assert postings.rows(np.array([1], np.int32)).tolist() == []


def test_flat_labels_are_whole_numbers_from_nought() -> None:
    flat: Clusters = select_flat(tree_of(blobs(300, 6, width=0.1, seed=2), k=40, cap=0.9), method="leaf")
    used = sorted(set(flat.label.tolist()) - {-1})
    assert used == list(range(len(flat.persistence)))
    assert ((flat.probability > 0) == (flat.label >= 0)).all()
    assert (flat.probability <= 1).all()
