"""The condensed cluster tree of HDBSCAN, over a graph of nearest neighbours.

The method is HDBSCAN (Campello, Moulavi and Sander 2013; Campello, Moulavi, Zimek and Sander 2015): mutual
reachability distances, a minimum spanning tree, single linkage, and a tree condensed to clusters of a minimum size.
Three things differ here. The graph has k neighbours per point instead of all. All of its components are in one tree.
And the core distance counts accounts (:func:`harvestdetect.cluster.distances.core_distance`).

Linkage and condensation give what the ``hdbscan`` package gives. They are written anew, because the package takes long
for millions of points, and its import takes a second. The flat selections are those of the package
(:mod:`harvestdetect.cluster.selection`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from harvestdetect.cluster.spanning import Forest, spanning_forest
from harvestdetect.data import Neighbors
from harvestdetect.util.arrays import AnyInts, Bools, Floats, Floats32, Ints, Ints32, unique

__all__ = ["Tree", "build_tree", "condense", "single_linkage", "tree_of"]


BRIDGE: Final = 4.0
"""Distance that joins components of the graph. It is above every real distance, since no chord is longer than 2."""

MERGES_AT_ONCE: Final = 2_000
"""Merges of a dendrogram that are worked out at once. It sets the speed and changes no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A condensed tree over n points that contains all components of the graph.

    The c nodes are numbered in preorder, the root first. Node i contains ``points[first[i]:last[i]]``: first the
    points that are in none of its children, then those of each child in turn.
    """

    n: int
    parent: Ints32
    """int32[c]: the parent of each node; -1 for the root."""
    first: Ints32
    """int32[c]: where the points of each node begin in ``points``."""
    last: Ints32
    """int32[c]: where they end."""
    points: Ints32
    """int32[q]: the points that are in the tree. The other points have no neighbour within the cap."""
    real: Bools
    """bool[c]: false for nodes that join points farther apart than the cap."""
    condensed: Any
    """The same tree as a record array of the ``hdbscan`` package; see :func:`condense`."""
    local: Ints32
    """int32[q]: the number in ``condensed`` of each of ``points``."""


def build_tree(
    neighbors: Neighbors,
    *,
    core: Floats32,
    distance: Floats32 | None = None,
    floor: float,
    cap: float,
    min_cluster_size: int,
) -> Tree:
    """The condensed tree of the mutual reachability graph.

    Args:
        neighbors: the k nearest neighbours of n points.
        core: float32[n], core distances.
        distance: float32[n, k], used instead of the chord distances of the neighbours; None means those.
        floor: shorter distances count as equal to it, so that lambda = 1 / distance stays finite.
        cap: points farther apart than this are not joined.
        min_cluster_size: the number of points that a node needs.
    """
    forest = spanning_forest(neighbors, core=core, distance=distance, floor=floor, cap=cap)
    return tree_of(forest, floor=floor, min_cluster_size=min_cluster_size)


def tree_of(forest: Forest, *, floor: float, min_cluster_size: int) -> Tree:
    """The condensed tree of a minimum spanning forest of n points; arguments as for :func:`build_tree`."""
    n = len(forest.component)
    inside = unique(np.concatenate((forest.low, forest.high)))
    place = np.full(n, -1, np.int32)
    place[inside] = np.arange(len(inside), dtype=np.int32)
    weight = np.maximum(forest.length.astype(np.float64), floor)
    order = np.lexsort((forest.high, forest.low, weight))
    edges = np.stack((place[forest.low[order]], place[forest.high[order]], weight[order]), axis=1)
    heads = place[inside[np.unique(forest.component[inside], return_index=True)[1]]]
    size = max(min_cluster_size, 2)
    linkage = single_linkage(_bridged(edges, heads, len(inside), size))
    return _numbered(n, inside, condense(linkage, size))


def _bridged(edges: Floats, heads: Ints32, count: int, size: int) -> Floats:
    """A spanning tree that joins all components of a spanning forest, and a phantom one, at :data:`BRIDGE`.

    The root of a tree is never a cluster. The phantom component keeps the only real component from being the root.

    Args:
        edges: float64[e, 3], ends and length, shortest first.
        heads: int32[components], one point of each component.
        count: the number of points. The phantom's points follow.
        size: the points of the phantom component, enough to be a node of its own.
    """
    phantom = np.arange(count, count + size)
    phantom_edges = np.stack((phantom[:-1], phantom[1:], np.full(size - 1, BRIDGE / 2)), axis=1)
    heads = np.append(heads, count)
    bridges = []
    while len(heads) > 1:  # join pairs of components, then pairs of pairs: the tree stays shallow
        pairs = len(heads) // 2
        bridges.append(np.stack((heads[: 2 * pairs : 2], heads[1 : 2 * pairs : 2]), axis=1))
        heads = np.concatenate((heads[: 2 * pairs : 2], heads[2 * pairs :]))
    joined = np.concatenate(bridges) if bridges else np.empty((0, 2))
    bridge_edges = np.concatenate((joined, np.full((len(joined), 1), BRIDGE)), axis=1)
    return np.concatenate((edges, phantom_edges, bridge_edges))


def single_linkage(edges: Floats) -> Floats:
    """The single-linkage dendrogram of a spanning tree: what ``label`` of the ``hdbscan`` package computes.

    That function follows all merges since a point was last looked up, which is slow for millions of points. Here
    :data:`MERGES_AT_ONCE` edges are taken at a time, between the clusters that the edges before have made.

    Args:
        edges: float64[n - 1, 3], ends and length of each edge, shortest first.

    Returns:
        float64[n - 1, 4], in the format of ``scipy.cluster.hierarchy``.
    """
    n = len(edges) + 1
    out = np.empty((n - 1, 4))
    out[:, 2] = edges[:, 2]
    slot = np.arange(n)  # of each point, a point of the same cluster: a union-find forest
    name = np.arange(n)  # the number of each cluster, at its representative's slot
    size = np.ones(n, np.int64)  # its number of points, at the same place
    for start in range(0, n - 1, MERGES_AT_ONCE):
        ends = edges[start : start + MERGES_AT_ONCE, :2].astype(np.int64)
        while not np.array_equal(ends, up := slot[ends]):
            ends = up
        slots, local = np.unique(ends, return_inverse=True)
        merged, sizes, last = _merged(local.reshape(ends.shape), size[slots])
        made = np.arange(n + start, n + start + len(ends))
        out[start : start + len(ends), :2] = np.concatenate((name[slots], made))[merged]
        out[start : start + len(ends), 3] = sizes
        _, head, cluster = np.unique(last, return_index=True, return_inverse=True)
        slot[slots] = slots[head][cluster]
        name[slots[head]] = made[last[head]]
        size[slots[head]] = sizes[last[head]]
    return out


def _merged(ends: Ints, size: Ints) -> tuple[Ints, Ints, Ints]:
    """Merges clusters one pair after the other, by union-find with path compression.

    Args:
        ends: int64[e, 2], a forest over m clusters; each edge merges what its ends are in by then.
        size: int64[m], the points of each cluster.

    Returns:
        int64[e, 2], what each edge merges: below m one of the clusters, and m + i what edge i has made; int64[e], the
        points of what each edge makes; and int64[m], the last edge that merged what each cluster is in.
    """
    count = len(size)
    above, sizes = list(range(count + len(ends))), size.tolist()
    pairs: list[tuple[int, int]] = []
    for made, (left, right) in enumerate(ends.tolist(), count):
        pair = (_top(above, left), _top(above, right))
        above[pair[0]] = above[pair[1]] = made
        sizes.append(sizes[pair[0]] + sizes[pair[1]])
        pairs.append(pair)
    last = [_top(above, one) - count for one in range(count)]
    return np.array(pairs), np.array(sizes[count:]), np.array(last)


def _top(above: list[int], node: int) -> int:
    """The root above a node; every node on the way then has it as its parent."""
    root = node
    while above[root] != root:
        root = above[root]
    while above[node] != root:
        above[node], node = root, above[node]
    return root


def condense(linkage: Floats, min_cluster_size: int) -> Any:
    """The condensed tree of a dendrogram: what ``condense_tree`` of the ``hdbscan`` package computes.

    Clusters are numbered differently and rows are in another order: first the rows of clusters, from the root on and in
    pairs, then those of points. The package's selections need a cluster's own row before the rows of what it contains.

    Args:
        linkage: float64[n - 1, 4], in the format of ``scipy.cluster.hierarchy``.
        min_cluster_size: the number of points that a cluster needs, at least 2.

    Returns:
        A record array with one row per cluster but the root, whose number is n, and one per point.
    """
    merges = len(linkage)
    n, root = merges + 1, 2 * merges
    left, right = linkage[:, 0].astype(np.intp), linkage[:, 1].astype(np.intp)
    size = np.concatenate((np.ones(n, np.intp), linkage[:, 3].astype(np.intp)))
    large = size >= min_cluster_size
    large[root] = True
    above = np.empty(root + 1, np.intp)
    above[left] = above[right] = np.arange(n, root + 1)
    above[root] = root
    with np.errstate(divide="ignore"):
        lambdas = 1.0 / linkage[:, 2]
    # a merge of two large nodes is a true split; later merges are nearer to the root
    split = np.flatnonzero(large[left] & large[right])[::-1]
    label = np.full(root + 1, -1, np.intp)
    label[root] = n
    label[left[split]] = n + 1 + 2 * np.arange(len(split))
    label[right[split]] = n + 2 + 2 * np.arange(len(split))
    # a node that is no cluster belongs to the next cluster above; a point leaves at its lowest large node
    cluster = _lowest_marked(label >= 0, above)
    leaves = _lowest_marked(large, above)[:n]
    rows = np.empty(
        2 * len(split) + n,
        [("parent", np.intp), ("child", np.intp), ("lambda_val", float), ("child_size", np.intp)],
    )
    pairs, points = rows[: 2 * len(split)], rows[2 * len(split) :]
    pairs["parent"] = np.repeat(label[cluster[split + n]], 2)
    pairs["child"] = n + 1 + np.arange(len(pairs))
    pairs["lambda_val"] = np.repeat(lambdas[split], 2)
    pairs["child_size"] = np.stack((size[left[split]], size[right[split]]), axis=1).ravel()
    points["parent"] = label[cluster[leaves]]
    points["child"] = np.arange(n)
    points["lambda_val"] = lambdas[leaves - n]
    points["child_size"] = 1
    return rows


def _lowest_marked(marked: Bools, above: Ints) -> AnyInts:
    """For each node the nearest marked node at or above it, by pointer jumping; the root must be marked."""
    found = np.where(marked, np.arange(len(above)), above)
    while not np.array_equal(found, up := found[found]):
        found = up
    return found


def _numbered(n: int, inside: Ints32, condensed: Any) -> Tree:
    """Numbers the nodes of a condensed tree in preorder, so that the points of each node are a range.

    Args:
        n: the number of all points.
        inside: int32[q], the points in the tree. Points from q on in ``condensed`` are the phantom's.
        condensed: see :func:`condense`.
    """
    q = len(inside)
    root = int(condensed["parent"].min())  # also the number of points, the phantom's included
    is_node = condensed["child_size"] > 1
    nodes, leaves = condensed[is_node], condensed[~is_node]
    count = 1 + len(nodes)
    parent = np.zeros(count, np.int64)
    parent[nodes["child"] - root] = nodes["parent"] - root
    size = np.full(count, root)
    size[nodes["child"] - root] = nodes["child_size"]
    holder = leaves["parent"] - root
    # children come in pairs: where each begins within its parent, then within all nodes above
    begin = np.bincount(holder, minlength=count)[parent]
    begin[0] = 0
    begin[2::2] += size[1::2]
    above = parent
    while above.any():
        begin, above = begin + begin[above], above[above]
    order = np.lexsort((-size, begin))
    rank = np.empty(count, np.int32)
    rank[order] = np.arange(count, dtype=np.int32)
    local = leaves["child"][np.argsort(rank[holder], kind="stable")]
    kept = np.concatenate(([0], np.cumsum(local < q, dtype=np.int32)), dtype=np.int32)
    first, last = kept[begin[order]], kept[begin[order] + size[order]]
    local = local[local < q].astype(np.int32)
    ends = np.full(count, np.inf)
    np.minimum.at(ends, condensed["parent"] - root, condensed["lambda_val"])
    real = ends > 1.0 / BRIDGE * (1 + 1e-9)
    up = rank[parent[order]]
    up[0] = -1
    return Tree(
        n=n,
        parent=up,
        first=first,
        last=last,
        points=inside[local],
        real=real[order] & (last > first),
        condensed=condensed,
        local=local,
    )
