"""Clusters: the guard on hdbscan's private functions, and what prompts need beyond them."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.cluster import spanning
from harvestdetect.cluster import tree as cluster
from harvestdetect.cluster.distances import core_distance, shared_distance
from harvestdetect.cluster.node_counts import sender_counts
from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.repeat_senders import chance_of, expected_returning, texts_of_each
from harvestdetect.cluster.selection import best_antichain, select_by_accounts, select_flat, tree_leaves
from harvestdetect.cluster.spanning import _band_ends
from harvestdetect.cluster.tree import Tree, build_tree, condense, single_linkage
from harvestdetect.data import Clusters, Neighbors
from harvestdetect.neighbors.search import nearest
from harvestdetect.util.arrays import Floats32, Ints32


def unit(rows: npt.NDArray[Any]) -> Floats32:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def blobs(n: int, groups: int, *, d: int = 8, width: float = 0.15, seed: int = 0) -> Floats32:
    rng = np.random.default_rng(seed)
    centres = unit(rng.standard_normal((groups, d)))
    return unit(centres[rng.integers(0, groups, n)] + width * rng.standard_normal((n, d)))


def lone_component(points: int = 30, noise: int = 150, *, d: int = 64, seed: int = 0) -> Floats32:
    """One tight group, first, in_sorted points that have nobody near."""
    rng = np.random.default_rng(seed)
    centre = rng.standard_normal((1, d))
    tight = unit(centre / np.linalg.norm(centre) + 0.02 * rng.standard_normal((points, d)))
    return np.concatenate((tight, unit(rng.standard_normal((noise, d)))))


def own_accounts(n: int) -> dict[str, Ints32]:
    """Every point from an account of its own."""
    return {"account": np.arange(n, dtype=np.int32), "senders": np.ones(n, np.int32)}


def tree_of(
    vectors: Floats32,
    *,
    k: int | None = None,
    min_samples: int = 1,
    floor: float = 0.0,
    cap: float = 2.0,
    min_cluster_size: int = 8,
) -> Tree:
    n = len(vectors)
    near = nearest(vectors, k=n - 1 if k is None else k)
    core = core_distance(near, min_samples=min_samples, **own_accounts(n))
    return build_tree(near, core=core, floor=floor, cap=cap, min_cluster_size=min_cluster_size)


def renamed(label: npt.NDArray[Any]) -> list[int]:
    """Labels by first appearance, noise kept."""
    names: dict[int, int] = {-1: -1}
    return [names.setdefault(int(x), len(names) - 1) for x in label]


def dense(distance: npt.NDArray[np.float64], *, method: str, min_samples: int, min_cluster_size: int) -> Any:
    import hdbscan

    model = hdbscan.HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min_samples,
        metric="precomputed",
        cluster_selection_method=method,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package, on newer versions of others
        return model.fit(distance)


def chords(vectors: Floats32) -> npt.NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return np.asarray(np.linalg.norm(wide[:, None] - wide[None], axis=2))


# ---------------------------------------------------------------- the guard
#
# compute_stability and get_clusters are private functions of the hdbscan package. These tests hold them, and the
# condensed tree that tree.py makes and feeds them, against the package's public, dense, quadratic way. They also hold
# linkage, condensation and leaves, which are written anew, against the package's.
#
# Correspondence: hdbscan says that min_samples counts the point itself, but its core distance is that to the
# min_samples-th *other* point (entry min_samples of the sorted row, which begins with the point's own zero).
# Here min_samples counts other accounts, so with every point from an account of its own the numbers agree.
#
# With min_samples = 1 mutual reachability is the distance itself and random points have no ties. Above, a core
# distance is the length of several edges at once, and which of them are in the spanning tree, and with which
# child a point between two clusters goes, is anybody's choice; there ties are broken before the comparison.


@pytest.mark.parametrize("method", ["leaf", "eom"])
@pytest.mark.parametrize("seed", range(8))
def test_labels_equal_dense_hdbscan(method: str, seed: int) -> None:
    vectors = blobs(200, 5, seed=seed)
    ours = select_flat(tree_of(vectors), method=method)
    theirs = dense(chords(vectors), method=method, min_samples=1, min_cluster_size=8)
    assert theirs.labels_.max() >= 1
    assert renamed(ours.label) == renamed(theirs.labels_)
    assert len(ours.persistence) == theirs.labels_.max() + 1
    assert np.allclose(ours.probability, theirs.probabilities_, atol=1e-4)


def clusters_of(rows: Any) -> set[tuple[frozenset[int], frozenset[int], float, tuple[tuple[int, float], ...]]]:
    """Of each cluster of a condensed tree its points, its parent's, when it begins, and when which point leaves it."""
    root = int(rows["parent"].min())
    below: dict[int, set[int]] = {}
    # points first, then clusters from the leaves on
    for row in rows[np.lexsort((-rows["child"], rows["child_size"] > 1))]:
        child = int(row["child"])
        below.setdefault(int(row["parent"]), set()).update({child} if row["child_size"] == 1 else below[child])
    begins = {int(r["child"]): (int(r["parent"]), float(r["lambda_val"])) for r in rows if r["child_size"] > 1}
    assert {child: len(below[child]) for child in begins} == {
        int(r["child"]): int(r["child_size"]) for r in rows if r["child_size"] > 1
    }
    leaving: dict[int, list[tuple[int, float]]] = {}
    for row in rows[rows["child_size"] == 1]:
        leaving.setdefault(int(row["parent"]), []).append((int(row["child"]), float(row["lambda_val"])))
    found = set()
    for one, points in below.items():
        parent, since = begins.get(one, (root, 0.0))
        found.add((frozenset(points), frozenset(below[parent]), since, tuple(sorted(leaving.get(one, ())))))
    return found


@settings(deadline=None, max_examples=80)
@given(n=st.integers(2, 60), size=st.integers(2, 9), seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 40))
def test_condensation_equals_that_of_the_package(n: int, size: int, seed: int, steps: int) -> None:
    from hdbscan._hdbscan_tree import condense_tree
    from scipy.cluster.hierarchy import linkage

    rng = np.random.default_rng(seed)
    # few different distances, nought in_sorted them
    merged = linkage(rng.integers(0, steps, (n, 1)).astype(np.float64), "single")
    ours, theirs = condense(merged, size), condense_tree(merged, size)
    assert ours.dtype == theirs.dtype
    assert len(ours) == len(theirs)
    assert clusters_of(ours) == clusters_of(theirs)
    assert (ours["parent"] < ours["child"])[ours["child_size"] > 1].all()
    assert sorted({*ours["parent"].tolist(), n}) == list(range(n, n + 1 + int((ours["child_size"] > 1).sum())))
    pairs = np.sort(ours[ours["child_size"] > 1], order="child")
    assert (pairs["parent"][::2] == pairs["parent"][1::2]).all()


@settings(deadline=None, max_examples=80)
@given(n=st.integers(2, 120), size=st.integers(2, 6), seed=st.integers(0, 2**32 - 1), equal=st.sampled_from([0, 4, 30]))
def test_the_package_selects_the_same_of_either_condensation(n: int, size: int, seed: int, equal: int) -> None:
    from hdbscan._hdbscan_linkage import label
    from hdbscan._hdbscan_tree import compute_stability, condense_tree, get_clusters

    rng = np.random.default_rng(seed)
    ends = np.stack(([rng.integers(0, i) for i in range(1, n)], np.arange(1, n)), axis=1)
    distance = np.sort(rng.random(n - 1))
    distance[:equal] = 0.0
    merged = label(np.column_stack((rng.permutation(ends), distance)).astype(float))
    ours, theirs = condense(merged, size), condense_tree(merged, size)
    for method in ("leaf", "eom"):
        found, expected = (get_clusters(rows, compute_stability(rows), method) for rows in (ours, theirs))
        assert renamed(found[0]) == renamed(expected[0])
        assert (found[1] == expected[1]).all()
        inside = found[0] >= 0
        assert found[2][found[0][inside]] == pytest.approx(expected[2][expected[0][inside]])


@given(
    seed=st.integers(0, 9_999),
    n=st.integers(3, 70),
    k=st.integers(1, 14),
    levels=st.sampled_from([1, 3, 9, 10_000]),
    cap=st.sampled_from([0.3, 0.7, 1.0]),
    size=st.integers(2, 6),
)
@settings(max_examples=120, deadline=None)
def test_the_leaves_are_those_that_the_package_selects(
    seed: int, n: int, k: int, levels: int, cap: float, size: int
) -> None:
    near, core = random_graph(n, k, levels=levels, seed=seed)
    tree = build_tree(near, core=core, floor=0.1, cap=cap, min_cluster_size=size)
    flat = select_flat(tree, method="leaf")
    theirs = [np.flatnonzero(flat.label == label).tolist() for label in range(flat.label.max(initial=-1) + 1)]
    assert [leaf.tolist() for leaf in tree_leaves(tree)] == theirs


@pytest.mark.parametrize("min_samples", [1, 2, 5, 9])
def test_core_distances_equal_those_of_dense_hdbscan(min_samples: int) -> None:
    vectors = blobs(120, 4, seed=3)
    core = core_distance(nearest(vectors, k=119), min_samples=min_samples, **own_accounts(120))
    row = np.sort(chords(vectors), axis=1)  # begins with the point itself
    assert np.allclose(core, row[:, min_samples], atol=1e-4)


@pytest.mark.parametrize("method", ["leaf", "eom"])
@pytest.mark.parametrize("min_samples", [2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_labels_equal_dense_hdbscan_on_mutual_reachability(method: str, min_samples: int, seed: int) -> None:
    vectors = blobs(200, 5, seed=seed)
    near = nearest(vectors, k=199)
    core = core_distance(near, min_samples=min_samples, **own_accounts(200)).astype(np.float64)
    reach = np.maximum(np.maximum(core[:, None], core[None]), chords(vectors))
    noise = np.triu(np.random.default_rng(seed).random((200, 200)), 1) * 1e-5
    reach += noise + noise.T
    np.fill_diagonal(reach, 0.0)
    distance = np.take_along_axis(reach, near.index.astype(np.int64), 1).astype(np.float32)
    ours = select_flat(
        build_tree(near, core=np.zeros(200, np.float32), distance=distance, floor=0.0, cap=2.0, min_cluster_size=8),
        method=method,
    )
    theirs = dense(reach.astype(np.float32).astype(np.float64), method=method, min_samples=1, min_cluster_size=8)
    assert renamed(ours.label) == renamed(theirs.labels_)


@pytest.mark.parametrize("method", ["leaf", "eom"])
def test_labels_with_ties_are_those_of_dense_hdbscan_but_for_a_few_points_between(method: str) -> None:
    from sklearn.metrics import adjusted_rand_score

    equal = 0
    for seed in range(8):
        vectors = blobs(200, 5, width=0.08, seed=seed)
        ours = select_flat(tree_of(vectors, min_samples=5, min_cluster_size=12), method=method)
        theirs = dense(chords(vectors), method=method, min_samples=5, min_cluster_size=12)
        assert adjusted_rand_score(ours.label, theirs.labels_) > 0.95
        equal += renamed(ours.label) == renamed(theirs.labels_)
    assert equal >= 6


# ---------------------------------------------------------------- a component of its own


@pytest.mark.parametrize("method", ["leaf", "eom"])
@pytest.mark.parametrize("seed", range(6))
def test_a_lone_component_is_labelled_whole_in_any_order(method: str, seed: int) -> None:
    vectors = lone_component(seed=seed)
    order = np.random.default_rng(seed).permutation(len(vectors))
    tree = tree_of(vectors[order], k=32, min_samples=5, floor=0.1, cap=0.9, min_cluster_size=16)
    label = select_flat(tree, method=method).label
    inside = order < 30
    assert set(label[inside].tolist()) == {0}
    assert set(label[~inside].tolist()) == {-1}


def test_a_component_and_nothing_else_is_labelled() -> None:
    label = select_flat(
        tree_of(lone_component(noise=0), k=16, min_samples=5, floor=0.1, cap=0.9, min_cluster_size=16),
        method="leaf",
    ).label
    assert label.tolist() == [0] * 30


@pytest.mark.parametrize("method", ["leaf", "eom"])
def test_labels_do_not_depend_on_the_order_of_points(method: str) -> None:
    vectors = blobs(300, 6, width=0.1, seed=2)
    straight = select_flat(tree_of(vectors, k=40, cap=0.9), method=method)
    order = np.random.default_rng(1).permutation(300)
    turned = select_flat(tree_of(vectors[order], k=40, cap=0.9), method=method)
    assert renamed(straight.label[order]) == renamed(turned.label)
    assert straight.label.max() >= 3


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_few_points_are_noise(n: int) -> None:
    near = nearest(blobs(7, 1)[:n], k=4)
    core = core_distance(near, min_samples=2, **own_accounts(n))
    tree = build_tree(near, core=core, floor=0.1, cap=0.9, min_cluster_size=8)
    for method in ("leaf", "eom"):
        flat = select_flat(tree, method=method)
        assert flat.label.tolist() == [-1] * n
        assert flat.probability.tolist() == [0.0] * n
        assert len(flat.persistence) == 0


def test_nothing_below_the_cap_leaves_an_empty_tree() -> None:
    tree = tree_of(lone_component(0, 60), k=8, cap=0.3)
    assert len(tree.points) == 0
    assert select_flat(tree, method="eom").label.tolist() == [-1] * 60


def test_equal_points_are_one_cluster() -> None:
    vectors = np.repeat(blobs(1, 1), 40, axis=0)
    label = select_flat(tree_of(vectors, k=32, floor=0.1, cap=0.9), method="leaf").label
    assert label.tolist() == [0] * 40


# ---------------------------------------------------------------- the tree


def check_tree(tree: Tree) -> None:
    count = len(tree.parent)
    assert tree.parent[0] == -1
    assert (tree.parent[1:] < np.arange(1, count)).all()
    assert (tree.parent[1:] >= 0).all()
    assert (tree.first <= tree.last).all()
    for node in range(1, count):
        above = tree.parent[node]
        assert tree.first[above] <= tree.first[node]
        assert tree.last[node] <= tree.last[above]
    for a, b in itertools.combinations(range(count), 2):
        if tree.parent[a] == tree.parent[b]:
            assert tree.last[a] <= tree.first[b] or tree.last[b] <= tree.first[a]
    assert (tree.first[0], tree.last[0]) == (0, len(tree.points))
    assert len(set(tree.points.tolist())) == len(tree.points)


@given(seed=st.integers(0, 50), cap=st.sampled_from([0.2, 0.5, 1.0, 2.0]), size=st.integers(2, 12))
@settings(max_examples=25, deadline=None)
def test_nodes_are_nested_ranges_over_the_points_with_a_near_neighbour(seed: int, cap: float, size: int) -> None:
    vectors = blobs(60, 4, width=0.2, seed=seed)
    tree = tree_of(vectors, k=10, min_samples=2, floor=0.05, cap=cap, min_cluster_size=size)
    check_tree(tree)
    near = nearest(vectors, k=10)
    core = core_distance(near, min_samples=2, **own_accounts(60))
    reach = np.maximum(np.maximum(core[:, None], core[near.index]), near.distance)
    linked = {i for i, j in zip(*np.nonzero(reach <= cap), strict=True)}
    linked |= {int(near.index[i, j]) for i, j in zip(*np.nonzero(reach <= cap), strict=True)}
    assert set(tree.points.tolist()) == linked


def random_graph(n: int, k: int, *, levels: int, seed: int) -> tuple[Neighbors, npt.NDArray[np.float32]]:
    """Neighbours at random, most with ties, some missing, and core distances."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(n) for _ in range(n)]
    index = np.stack([order[order != i][:k] for i, order in enumerate(orders)]).astype(np.int32)
    distance = np.sort(rng.integers(1, levels + 1, index.shape) / np.float32(levels), axis=1).astype(np.float32)
    missing = np.arange(index.shape[1]) >= rng.integers(1, 4 * k, n)[:, None]
    index[missing], distance[missing] = -1, np.inf
    core = (rng.integers(0, levels, n) / np.float32(levels)).astype(np.float32)
    core[rng.random(n) < 0.05] = np.inf
    return Neighbors(index=index, distance=distance), core


def plain_condensed(near: Neighbors, core: Any, *, floor: float, cap: float, size: int) -> tuple[Any, Any]:
    """The condensed tree, from all edges at once, and the points in it."""
    from hdbscan._hdbscan_linkage import label
    from scipy.sparse import csgraph, csr_matrix

    least: dict[tuple[int, int], float] = {}
    for i, j in zip(*np.nonzero(near.index >= 0), strict=True):
        other = int(near.index[i, j])
        edge = (min(int(i), other), max(int(i), other))
        reach = max(float(core[i]), float(core[other]), float(near.distance[i, j]), floor)
        if reach <= cap:
            least[edge] = min(reach, least.get(edge, np.inf))
    inside = np.unique(np.array(list(least), np.int64).reshape(-1, 2))
    q = len(inside)
    place = {int(point): at for at, point in enumerate(inside)}
    rows = [(place[a], place[b]) for a, b in sorted(least)]
    ends = np.array(rows, np.int64).reshape(-1, 2)
    graph = csr_matrix((np.array([least[e] for e in sorted(least)]), (ends[:, 0], ends[:, 1])), shape=(q, q))
    spanning = csgraph.minimum_spanning_tree(graph).tocoo()
    part = csgraph.connected_components(graph, directed=False)[1]
    edges = sorted(zip(spanning.data.tolist(), spanning.row.tolist(), spanning.col.tolist(), strict=True))
    edges += [(2.0, a, a + 1) for a in range(q, q + size - 1)]
    heads = [*np.unique(part, return_index=True)[1].tolist(), q]
    while len(heads) > 1:
        edges += [(4.0, a, b) for a, b in zip(heads[::2], heads[1::2], strict=False)]
        heads = heads[::2]
    linked = label(np.array([(a, b, reach) for reach, a, b in edges], float))
    return condense(linked, size), inside


def plain_nodes(condensed: Any, inside: Any) -> list[tuple[int, list[int]]]:
    """The nodes of a condensed tree in preorder: each one's parent, and its points in theirs."""
    below: dict[int, list[tuple[int, int]]] = {}
    for row in condensed:
        below.setdefault(int(row["parent"]), []).append((int(row["child"]), int(row["child_size"])))
    nodes: list[tuple[int, list[int]]] = []

    def visit(node: int, parent: int) -> list[int]:
        number = len(nodes)
        nodes.append((parent, []))
        points = [int(inside[c]) for c, size in below[node] if size == 1 and c < len(inside)]
        for child in sorted(c for c, size in below[node] if size > 1):
            points += visit(child, number)
        nodes[number][1].extend(points)
        return points

    visit(int(condensed["parent"].min()), -1)
    return nodes


@given(
    seed=st.integers(0, 9_999),
    n=st.integers(3, 70),
    k=st.integers(1, 14),
    levels=st.sampled_from([1, 3, 9, 10_000]),
    floor=st.sampled_from([0.1, 0.35]),
    cap=st.sampled_from([0.3, 0.7, 1.0]),
    size=st.integers(2, 6),
    block=st.sampled_from([1, 20, 1 << 20]),
)
@settings(max_examples=120, deadline=None)
def test_a_tree_by_bands_and_blocks_equals_one_of_all_edges_at_once(
    seed: int, n: int, k: int, levels: int, floor: float, cap: float, size: int, block: int
) -> None:
    near, core = random_graph(n, k, levels=levels, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spanning, "EDGES_AT_ONCE", block)
        patch.setattr(cluster, "MERGES_AT_ONCE", 1 + block % 7)
        tree = build_tree(near, core=core, floor=floor, cap=cap, min_cluster_size=size)
    condensed, inside = plain_condensed(near, core, floor=floor, cap=cap, size=size)
    assert (tree.condensed == condensed).all()
    check_tree(tree)
    nodes = list(zip(tree.parent.tolist(), tree.first.tolist(), tree.last.tolist(), strict=True))
    assert [(up, tree.points[a:b].tolist()) for up, a, b in nodes] == plain_nodes(condensed, inside)
    assert inside[tree.local].tolist() == tree.points.tolist()


@given(seed=st.integers(0, 9_999), n=st.integers(2, 60), merges=st.integers(1, 70))
@settings(max_examples=60, deadline=None)
def test_linking_in_steps_equals_linking_at_once(seed: int, n: int, merges: int) -> None:
    from hdbscan._hdbscan_linkage import label

    rng = np.random.default_rng(seed)
    ends = np.stack(([rng.integers(0, i) for i in range(1, n)], np.arange(1, n)), axis=1)
    ends = rng.permutation(rng.permuted(ends, axis=1))
    edges = np.column_stack((rng.permutation(n)[ends], np.sort(rng.random(n - 1)))).astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "MERGES_AT_ONCE", merges)
        assert (single_linkage(edges) == label(edges)).all()


def test_points_at_no_distance_are_joined() -> None:
    tree = tree_of(np.repeat(blobs(3, 3), 20, axis=0), k=19, floor=0.0, cap=0.5)
    nodes = {tuple(sorted(tree.points[a:b].tolist())) for a, b in zip(tree.first, tree.last, strict=True)}
    assert nodes >= {tuple(range(start, start + 20)) for start in (0, 20, 40)}


def test_bands_end_at_quantiles_of_all_columns() -> None:
    reach = np.tile(np.arange(1, 33, dtype=np.float32) / 32, (200_000, 1))
    assert _band_ends(reach, 1.0) == pytest.approx([4 / 32, 8 / 32, 16 / 32, 1.0], abs=1 / 32)
    assert _band_ends(np.full((4, 3), np.inf, np.float32), 0.9) == [0.9]
    assert _band_ends(np.full((4, 3), 0.5, np.float32), 0.5) == [0.5]


def test_nodes_that_span_more_than_the_cap_are_not_real() -> None:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    vectors = blobs(150, 6, width=0.08, seed=1)
    near = nearest(vectors, k=20)
    tree = tree_of(vectors, k=20, cap=0.6)
    rows = np.repeat(np.arange(150), 20)
    close = near.distance.ravel() <= 0.6
    graph = csr_matrix((np.ones(int(close.sum())), (rows[close], near.index.ravel()[close])), shape=(150, 150))
    count, part = connected_components(graph, directed=False)
    assert count > 1
    assert not tree.real[0]
    real = np.flatnonzero(tree.real)
    assert len(real)
    for node in real:
        assert len(set(part[tree.points[tree.first[node] : tree.last[node]]].tolist())) == 1


# ---------------------------------------------------------------- distances


@given(
    seed=st.integers(0, 99),
    min_samples=st.integers(1, 6),
    accounts=st.integers(1, 12),
    most=st.integers(1, 4),
    k=st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_core_distance_counts_accounts_not_texts(seed: int, min_samples: int, accounts: int, most: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    near = nearest(blobs(30, 3, seed=seed), k=k)
    account = rng.integers(0, accounts, 30).astype(np.int32)
    senders = rng.integers(1, most + 1, 30).astype(np.int32)
    core = core_distance(near, min_samples=min_samples, account=account, senders=senders)
    for i in range(30):
        seen = {int(account[i])}
        count = int(senders[i]) - 1
        expected = np.inf
        for j, distance in zip(near.index[i].tolist(), near.distance[i].tolist(), strict=True):
            if j < 0:
                break
            count += int(senders[j]) - 1 + (int(account[j]) not in seen)
            seen.add(int(account[j]))
            if count >= min_samples:
                expected = distance
                break
        assert core[i] == np.float32(expected)


def test_many_texts_of_one_account_are_no_density() -> None:
    vectors = lone_component(40, 60)
    near = nearest(vectors, k=32)
    one = np.arange(100, dtype=np.int32)
    one[:40] = 0
    core = core_distance(near, min_samples=5, account=one, senders=np.ones(100, np.int32))
    assert (core[:40] > 0.9).all()
    assert (core_distance(near, min_samples=5, **own_accounts(100))[:40] < 0.5).all()


def test_a_text_of_many_accounts_is_dense_by_itself() -> None:
    near = nearest(lone_component(0, 20), k=5)
    senders = np.ones(20, np.int32)
    senders[3] = 6
    core = core_distance(near, min_samples=5, account=np.arange(20, dtype=np.int32), senders=senders)
    assert core[3] == near.distance[3, 0]


@given(seed=st.integers(0, 99), n=st.integers(2, 40), k=st.integers(1, 10))
@settings(max_examples=40, deadline=None)
def test_shared_distance_equals_set_overlap(seed: int, n: int, k: int) -> None:
    near = nearest(blobs(n, 3, seed=seed), k=k)
    found = shared_distance(near)
    assert found.shape == (n, k)
    around = [{i, *(int(j) for j in near.index[i] if j >= 0)} for i in range(n)]
    for i in range(n):
        for place, j in enumerate(near.index[i].tolist()):
            expected = 1 - len(around[i] & around[j]) / (k + 1) if j >= 0 else np.inf
            assert found[i, place] == pytest.approx(expected, abs=1e-6)


def test_shared_distance_of_no_points() -> None:
    assert shared_distance(nearest(blobs(1, 1)[:0], k=4)).shape == (0, 4)


def test_shared_distance_of_one_point() -> None:
    assert np.isinf(shared_distance(nearest(blobs(1, 1), k=4))).all()


def test_shared_distance_in_blocks() -> None:
    rng = np.random.default_rng(0)
    index = np.stack([rng.permutation(4_999)[:4] for _ in range(5_000)]).astype(np.int32)
    index += index >= np.arange(5_000)[:, None]
    near = Neighbors(index=index, distance=np.ones((5_000, 4), np.float32))
    found = shared_distance(near)
    for i in (0, 2_047, 2_048, 4_999):
        for place, j in enumerate(index[i].tolist()):
            common = {i, *index[i].tolist()} & {j, *index[j].tolist()}
            assert found[i, place] == pytest.approx(1 - len(common) / 5)


# ---------------------------------------------------------------- selection by accounts


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
