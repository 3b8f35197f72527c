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
from harvestdetect.cluster.distances import core_distance
from harvestdetect.cluster.selection import select_flat, tree_leaves
from harvestdetect.cluster.spanning import _band_ends
from harvestdetect.cluster.tree import Tree, build_tree, condense, single_linkage
from harvestdetect.data import Neighbors
from harvestdetect.neighbors.search import nearest
from harvestdetect.util.arrays import Floats32
from tests.cluster.making import blobs, lone_component, own_accounts, random_graph, tree_of


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
