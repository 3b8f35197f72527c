"""From neighbours and senders to clusters.

HDBSCAN (Campello, Moulavi, Sander 2013; McInnes, Healy, Astels 2017) on the graph of nearest neighbours, in one
tree over all components, with two changes that prompts need:

* the core distance counts distinct accounts, so that one account's many near-equal texts are no density;
* nodes of the condensed tree are selected by how many accounts come back to them, beyond chance, instead of by
  excess of mass, which rewards topics. The best set of disjoint nodes is found by dynamic programming as in FOSC
  (Campello, Moulavi, Zimek, Sander 2013).

``leaf`` and ``eom`` are the selections of the ``hdbscan`` package, which also does linkage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.cluster.repeat_senders import chance_of, expected_returning
from harvestdetect.data import Clusters, Neighbors
from harvestdetect.util.arrays import AnyInts, Floats, Floats32, Ints, Ints32, ranges, unique

__all__ = [
    "Postings",
    "Tree",
    "build_tree",
    "core_distance",
    "select_by_accounts",
    "select_flat",
    "shared_distance",
]


BRIDGE: Final = 4.0
"""Distance between components; no chord is longer than 2."""

BLOCK: Final = 1 << 20
"""Edges worked on at once."""

SORTED: Final = 1 << 18
"""Neighbours sorted at once: they stay in the processor's cache."""

MERGES: Final = 5_000
"""Merges of a dendrogram that are worked out at once."""

LOW: Final = (1 << 32) - 1
"""The lower half of two numbers packed into one."""

TINY: Final = 1e-300
"""Stands for a distance of nought; less than any other float32."""

MAX_TEXT_SHARE: Final = 0.1
"""Greatest share of all texts that one cluster may hold."""

POINT_SHARE_FACTOR: Final = 4
"""Greatest share of all points that one cluster may hold, as a multiple of the greatest share of texts: a text may have
several points."""

BANDS: Final = (1 / 8, 1 / 4, 1 / 2)
"""The lightest part of the edges that is spanned first, then the next, and so on."""


# ---------------------------------------------------------------- distances


def core_distance(neighbors: Neighbors, *, min_samples: int, account: Ints32, senders: Ints32) -> Floats32:
    """The distance within which ``min_samples`` other accounts stand.

    Args:
        neighbors: of n points.
        min_samples: accounts besides the point's own first one.
        account: int32[n], one of the accounts that sent each point.
        senders: int32[n], how many accounts sent each point.

    Returns:
        float32[n]; inf where fewer than ``min_samples`` are among the neighbours.
    """
    n, k = neighbors.index.shape
    core = np.full(n, np.inf, np.float32)
    block = max(1, BLOCK // max(k, 1))
    for start in range(0, n, block):
        index = neighbors.index[start : start + block]
        held = index >= 0
        of = np.where(held, account[index], -1)
        own = account[start : start + block][:, None]
        order = np.argsort(of, axis=1, kind="stable")
        ordered = np.take_along_axis(of, order, 1)
        first = np.ones_like(held)
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        new = np.zeros_like(held)
        np.put_along_axis(new, order, first, 1)
        gained = np.where(held, (new & (of != own)) + (senders[index] - 1), 0)
        total = np.cumsum(gained, axis=1) + (senders[start : start + block] - 1)[:, None]
        enough = total >= min_samples
        where = enough.argmax(axis=1)
        reached = enough[np.arange(len(where)), where]
        chosen = neighbors.distance[start : start + block][np.arange(len(where)), where]
        core[start : start + block] = np.where(reached, chosen, np.inf)
    return core


def shared_distance(neighbors: Neighbors, *, rows: Ints32 | None = None) -> Floats32:
    """One minus the share of nearest neighbours that a point and each of its neighbours have in common.

    Blind to density: a loose template and a tight one look alike (Jarvis, Patrick 1973; Ertoz et al. 2003). The two
    lists of an edge, each with the point itself, are sorted as one and equal neighbours in it counted: the cost is
    O(n k * k log k), however many lists a point is in.

    Args:
        neighbors: of all points.
        rows: int32[n], the points whose distances are asked for; None: all.

    Returns:
        float32[n, k]; inf where there is no neighbour.
    """
    n, k = neighbors.index.shape
    every = np.arange(n, dtype=np.int32) if rows is None else rows
    n = len(every)
    out = np.full((n, k), np.inf, np.float32)
    width = 2 * (k + 1)
    block = max(1, SORTED // (max(k, 1) * width))
    missing = -1 - np.arange(k, dtype=np.int32)
    some_missing = bool((neighbors.index < 0).any())
    for start in range(0, n, block):
        point = every[start : start + block]
        index = neighbors.index[point]
        held = index >= 0
        lists = np.empty((len(index), k, width), np.int32)
        lists[:, :, :k] = index[:, None]
        lists[:, :, k] = point[:, None]
        lists[:, :, k + 1 : -1] = neighbors.index[index]
        lists[:, :, -1] = index
        if some_missing:  # what is missing equals nothing
            for part, none in ((lists[:, :, :k], missing), (lists[:, :, k + 1 : -1], missing - k)):
                np.copyto(part, none, where=part < 0)
        lists.sort(axis=2)
        flat = lists.ravel()
        equal = np.zeros(flat.size, np.int8)
        np.equal(flat[1:], flat[:-1], out=equal[:-1].view(np.bool_))
        equal = equal.reshape(lists.shape)
        equal[:, :, -1] = 0
        common = np.einsum("ijk->ij", equal, dtype=np.int32).astype(np.float32)
        np.copyto(out[start : start + block], 1.0 - common / np.float32(k + 1), where=held)
    return out


# ---------------------------------------------------------------- the tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A condensed tree over n points, all components in one.

    Nodes are numbered 0..c-1 in preorder; the points of a node are ``points[first:last]``: those that are in none of
    its children, then those of each child in turn.
    """

    n: int
    parent: Ints32
    """int32[c]; -1 for the root."""
    first: Ints32
    last: Ints32
    points: Ints32
    """int32[q]: the points that are in the tree; the others have no neighbour below the cap."""
    real: npt.NDArray[np.bool_]
    """bool[c]: false for nodes that hold parts farther apart than the cap."""
    condensed: Any
    """The record array of the ``hdbscan`` package."""
    local: Ints32
    """int32[q]: the points in the numbering of ``condensed``."""


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
        neighbors: of n points.
        core: float32[n].
        distance: float32[n, k] to use instead of the chord distance of the neighbours.
        floor: distances below it count as equal to it, so that lambda stays finite.
        cap: greater distances join nothing.
        min_cluster_size: points that a node needs.
    """
    from scipy.sparse import csgraph

    n, k = neighbors.index.shape
    # in float32 order, what is below floor or above cap stays so
    least, most = _below(floor), float(_below(cap)) if floor <= cap else -np.inf
    reach = np.empty((n, k), np.float32)
    rows = max(1, BLOCK // max(k, 1))
    blocks = [slice(start, start + rows) for start in range(0, n, rows)]
    for block in blocks:
        index, part = neighbors.index[block], reach[block]
        np.maximum((neighbors.distance if distance is None else distance)[block], core[block, None], out=part)
        np.maximum(part, core[index], out=part)
        np.maximum(part, least, out=part)
        part[index < 0] = np.inf

    forest = _Edges(low=np.empty(0, np.int32), high=np.empty(0, np.int32), reach=np.empty(0, np.float32))
    component = np.arange(n, dtype=np.int32)
    above = -np.inf
    for limit in _limits(reach, most):
        waiting = [forest]
        for block in blocks:
            part = reach[block].ravel()
            where = np.flatnonzero((part > above) & (part <= limit))
            row, column = (where // k + block.start).astype(np.int32), neighbors.index[block].ravel()[where]
            # lighter edges join the others already
            apart = component[row] != component[column]
            row, column = row[apart], column[apart]
            waiting.append(_Edges(low=np.minimum(row, column), high=np.maximum(row, column), reach=part[where[apart]]))
            if sum(len(edges.low) for edges in waiting) > max(2 * n, BLOCK):
                waiting = [_lightest(n, waiting)]
        forest = _lightest(n, waiting)
        component = csgraph.connected_components(forest.graph(n), directed=False)[1]
        above = limit
    del reach

    inside = unique(np.concatenate((forest.low, forest.high)))
    place = np.full(n, -1, np.int32)
    place[inside] = np.arange(len(inside), dtype=np.int32)
    weight = np.maximum(forest.reach.astype(np.float64), floor)
    order = np.lexsort((forest.high, forest.low, weight))
    edges = np.stack((place[forest.low[order]], place[forest.high[order]], weight[order]), axis=1)
    heads = place[inside[np.unique(component[inside], return_index=True)[1]]]
    return _condense(n, inside, edges, heads, min_cluster_size)


def _below(value: float) -> np.float32:
    """The greatest float32 that is not above a number."""
    near = np.float32(value)
    return near if float(near) <= value else np.nextafter(near, np.float32(-np.inf))


def _limits(reach: Floats32, most: float) -> list[float]:
    """Where bands of edges end, ascending up to ``most``."""
    some = reach[:: max(1, reach.size // 100_000)]
    some = some[some <= most]
    inner = np.unique(np.quantile(some, BANDS, method="lower")) if some.size else np.empty(0)
    return [*inner[inner < most].tolist(), most]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edges:
    """Edges of a graph; the same may be there twice."""

    low: Ints32
    high: Ints32
    reach: Floats32

    def graph(self, n: int) -> Any:
        """A sparse matrix with the entries as they stand, which are sorted by ``low``."""
        from scipy import sparse

        indptr = np.zeros(n + 1, np.int32)
        np.cumsum(np.bincount(self.low, minlength=n), out=indptr[1:])
        # a stored nought would be no edge
        return sparse.csr_matrix((np.maximum(self.reach, TINY, dtype=np.float64), self.high, indptr), shape=(n, n))


def _lightest(n: int, parts: list[_Edges]) -> _Edges:
    """The spanning forest of n points that has the least reach, of equals the first by ``low`` and ``high``.

    So ordered no two edges are equal, there is one forest, and it may be found part by part: of some of the edges
    first, then of that and the others. ``parts`` is emptied.
    """
    from scipy.sparse import csgraph

    key = np.concatenate([part.low for part in parts]).astype(np.int64)
    key <<= 32
    key |= np.concatenate([part.high for part in parts])
    reach = np.concatenate([part.reach for part in parts])
    parts.clear()  # they are large
    order = np.argsort(key)
    reach, key = reach[order], key[order]
    del order
    edges = _Edges(low=(key >> 32).astype(np.int32), high=key.astype(np.int32), reach=reach)
    del key, reach
    graph = edges.graph(n)
    del edges
    spanning = csgraph.minimum_spanning_tree(graph, overwrite=True)
    return _Edges(
        low=np.repeat(np.arange(n, dtype=np.int32), np.diff(spanning.indptr)),
        high=spanning.indices.astype(np.int32, copy=False),
        reach=spanning.data.astype(np.float32),
    )


def _condense(n: int, inside: Ints32, edges: Floats, heads: Ints32, min_cluster_size: int) -> Tree:
    """Joins components, of which ``heads`` names a point each, and a phantom one, beyond every distance, and condenses.

    A tree's root is never a cluster; the phantom keeps a lone component from being the root.
    """
    q = len(inside)
    size = max(min_cluster_size, 2)
    phantom = np.arange(q, q + size)
    inner = np.stack((phantom[:-1], phantom[1:], np.full(size - 1, BRIDGE / 2)), axis=1)
    heads = np.append(heads, q)
    bridges = []
    while len(heads) > 1:
        pairs = len(heads) // 2
        bridges.append(np.stack((heads[: 2 * pairs : 2], heads[1 : 2 * pairs : 2]), axis=1))
        heads = np.concatenate((heads[: 2 * pairs : 2], heads[2 * pairs :]))
    joined = np.concatenate(bridges) if bridges else np.empty((0, 2))
    outer = np.concatenate((joined, np.full((len(joined), 1), BRIDGE)), axis=1)
    linkage = _link(np.concatenate((edges, inner, outer)))
    return _number(n, q, inside, _condensed(linkage, size))


def _link(edges: Floats) -> Floats:
    """What ``label`` of the ``hdbscan`` package makes of all edges of a spanning tree, lightest first.

    It looks for the cluster of a point along all merges since the point was last met, which is slow over millions.
    So it gets some thousand edges at a time, between the clusters that the edges before have made.
    """
    from hdbscan._hdbscan_linkage import label
    from scipy import sparse
    from scipy.cluster.hierarchy import from_mlab_linkage
    from scipy.sparse import csgraph

    n = len(edges) + 1
    out = edges.copy()
    slot = np.arange(n)  # a point of the same cluster, which may have another in its place by now
    name = np.arange(n)  # of the cluster, at its last slot
    for start in range(0, n - 1, MERGES):
        ends = edges[start : start + MERGES, :2].astype(np.int64)
        while not np.array_equal(ends, up := slot[ends]):
            ends = up
        slots, local = np.unique(ends, return_inverse=True)
        local = local.reshape(ends.shape)
        graph = sparse.csr_matrix((np.ones(len(local)), (local[:, 0], local[:, 1])), shape=(len(slots), len(slots)))
        component = csgraph.connected_components(graph, directed=False)[1]
        heads = np.unique(component, return_index=True)[1]
        # label wants a tree: bridges come last and are cut off again
        tree = np.concatenate((local, np.stack((heads[:-1], heads[1:]), axis=1)))
        merged = label(np.concatenate((tree, np.zeros((len(tree), 1))), axis=1))[: len(local), :2].astype(np.int64)
        made = n + start + np.arange(len(local))
        out[start : start + len(local), :2] = np.concatenate((name[slots], made))[merged]
        slot[slots] = slots[heads][component]
        np.maximum.at(name, slot[ends[:, 0]], made)
    out[:, :2] += 1  # counts from 1 there
    return np.asarray(from_mlab_linkage(out))


def _condensed(linkage: Floats, min_cluster_size: int) -> Any:
    """What ``condense_tree`` of the ``hdbscan`` package makes of a hierarchy, without walking it node by node.

    The clusters are numbered otherwise, and the rows are in another order: first those of clusters, from the root on
    and in pairs, then those of points. The package's selections need a cluster's own row before those of what is
    in it.

    Args:
        linkage: float64[n - 1, 4], as ``scipy.cluster.hierarchy`` has it.
        min_cluster_size: points that a cluster needs, at least 2.

    Returns:
        A row for each cluster but the root, whose number is n, and for each point.
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
    split = np.flatnonzero(large[left] & large[right])[::-1]  # what is merged later is nearer to the root
    label = np.full(root + 1, -1, np.intp)
    label[root] = n
    label[left[split]] = n + 1 + 2 * np.arange(len(split))
    label[right[split]] = n + 2 + 2 * np.arange(len(split))
    # what is no cluster of its own is of the one above; a point leaves where its lowest large node is
    top = _climbed(np.where(label >= 0, np.arange(root + 1), above))
    leaves = _climbed(np.where(large, np.arange(root + 1), above))[:n]
    rows = np.empty(
        2 * len(split) + n,
        [("parent", np.intp), ("child", np.intp), ("lambda_val", float), ("child_size", np.intp)],
    )
    pairs, points = rows[: 2 * len(split)], rows[2 * len(split) :]
    pairs["parent"] = np.repeat(label[top[split + n]], 2)
    pairs["child"] = n + 1 + np.arange(len(pairs))
    pairs["lambda_val"] = np.repeat(lambdas[split], 2)
    pairs["child_size"] = np.stack((size[left[split]], size[right[split]]), axis=1).ravel()
    points["parent"] = label[top[leaves]]
    points["child"] = np.arange(n)
    points["lambda_val"] = lambdas[leaves - n]
    points["child_size"] = 1
    return rows


def _climbed(above: AnyInts) -> AnyInts:
    """Where each node comes to that goes up until it is at one that is above itself."""
    while not np.array_equal(above, up := above[above]):
        above = up
    return above


def _number(n: int, q: int, inside: Ints32, condensed: Any) -> Tree:
    """Numbers the nodes of a condensed tree so that each is a range of points."""
    root = int(condensed["parent"].min())  # also how many points there are, with the phantom's
    is_node = condensed["child_size"] > 1
    nodes, leaves = condensed[is_node], condensed[~is_node]
    count = 1 + len(nodes)
    parent = np.zeros(count, np.int64)
    parent[nodes["child"] - root] = nodes["parent"] - root
    size = np.full(count, root)
    size[nodes["child"] - root] = nodes["child_size"]
    holder = leaves["parent"] - root
    # children come in pairs; where each begins within its parent, then within all above it
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


# ---------------------------------------------------------------- selection


def select_flat(tree: Tree, *, method: str) -> Clusters:
    """The selections of the ``hdbscan`` package: ``leaf`` or ``eom``."""
    from hdbscan._hdbscan_tree import compute_stability, get_clusters

    label, probability, persistence = get_clusters(tree.condensed, compute_stability(tree.condensed), method)
    q = len(tree.points)
    out = np.full(tree.n, -1, np.int32)
    strength = np.zeros(tree.n, np.float32)
    where = np.empty(q, np.int32)
    where[tree.local] = tree.points
    out[where] = label[:q]
    strength[where] = np.where(label[:q] >= 0, probability[:q], 0.0)
    # number by first point: the phantom's label vanishes, and labels do not depend on the order of nodes
    used, start = np.unique(out[out >= 0], return_index=True)
    order = used[np.argsort(start)]
    renumber = np.full(int(label.max(initial=-1)) + 2, -1, np.int32)
    renumber[order] = np.arange(len(order), dtype=np.int32)
    return Clusters(label=renumber[out], probability=strength, persistence=np.asarray(persistence)[order])


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """Who sent which text as which point: rows (account, text) of n points in compressed form."""

    start: Ints
    """int64[n + 1]: the rows of point i are ``start[i]:start[i + 1]``."""
    account: Ints32
    text: Ints32
    """A distinct whole prompt; one text can hold several points."""
    volume: Ints32
    """int32[accounts]: distinct texts of each account in the whole corpus."""

    def rows(self, points: Ints32) -> Ints:
        """The rows of some points."""
        return ranges(self.start[points], self.start[points + 1] - self.start[points])

    def among(self, points: Ints32) -> Postings:
        """The same of some points alone, numbered in their order."""
        rows = self.rows(points)
        size = self.start[points + 1] - self.start[points]
        return Postings(
            start=np.concatenate(([0], np.cumsum(size))),
            account=self.account[rows],
            text=self.text[rows],
            volume=self.volume,
        )


def select_by_accounts(
    tree: Tree,
    postings: Postings,
    *,
    min_accounts: int,
    max_account_share: float,
    max_share: float = MAX_TEXT_SHARE,
    points: int | None = None,
) -> tuple[list[Ints32], Floats]:
    """The disjoint nodes to which more accounts come back than chance would bring.

    The quality of a node S is ``rep * log((rep + 1) / (E + 1)) * rep / a``: of its ``a`` accounts ``rep``
    have two or more texts in S, ``E`` would if every account drew its texts at random, each from S with probability
    |S| / N. The last factor prefers a pure node to the one around it.

    Args:
        tree: over n points.
        postings: of the n points.
        min_accounts: a node with fewer accounts that come back has no quality.
        max_account_share: nor has one of which a single account sent a greater share.
        max_share: nor has one with a greater share of all texts.
        points: how many there are in all, where the tree is over some of them.

    Returns:
        points of each selected node, ascending, best first; and their qualities.
    """
    texts = int(postings.volume.sum())
    size = tree.last - tree.first
    able = tree.real & (size <= POINT_SHARE_FACTOR * max_share * (tree.n if points is None else points))
    held, accounts, back, most = _senders(tree, postings, able)
    able &= (size >= 2) & (held <= max_share * texts) & (back >= min_accounts) & (accounts >= min_accounts)
    able &= most <= max_account_share * held
    held, accounts, back = held[able], accounts[able], back[able]
    quality = np.zeros(len(able))
    expected = expected_returning(held, chance_of(postings.volume))
    quality[able] = back * np.log((back + 1) / (expected + 1)) * back / accounts
    chosen = _best_antichain(tree.parent, np.maximum(quality, 0.0))
    chosen = chosen[np.argsort(-quality[chosen], kind="stable")]
    return [np.sort(tree.points[tree.first[c] : tree.last[c]]) for c in chosen], quality[chosen]


def _senders(tree: Tree, postings: Postings, able: npt.NDArray[np.bool_]) -> tuple[Ints, Ints, Ints, Ints]:
    """Who sent the points of each node: distinct (account, text), accounts, those with two or more texts, most texts.

    Every account has a tree of its own: the nodes with its points, and where these meet. Its count of texts changes
    at those nodes only, so a few numbers at them, summed over the nodes below each node, give the answer for all
    nodes, in O((r + c) log(r + c)) for r rows and c nodes, however deep the tree is.

    Args:
        tree: over n points.
        postings: of the n points.
        able: bool[c], the nodes to count; with a node, all below it.

    Returns:
        four arrays int64[c]; what they hold for other nodes means nothing.
    """
    count = len(tree.parent)
    every = np.arange(count)
    end = np.maximum(np.searchsorted(tree.first, tree.last), every + 1)  # of the nodes below, which follow each node
    lowest = _doubled(tree.parent, np.minimum)

    def meet(a: Ints, b: Ints) -> Ints:
        """The lowest node above both, or one of them, where a <= b: in preorder the least parent after a, up to b."""
        return np.where(a == b, a, _over(lowest, np.minimum, np.minimum(a + 1, b), b + 1))

    def below(values: Ints) -> Ints:
        total = np.concatenate(([0], np.cumsum(values)))
        return np.asarray(total[end] - total[every])

    def at(nodes: Ints) -> Ints:
        return np.bincount(nodes, minlength=count)

    holder = np.cumsum(np.bincount(tree.first, minlength=len(tree.points) + 1))[: len(tree.points)] - 1
    inside = able[holder]
    points, holder = tree.points[inside], holder[inside]
    rows = postings.rows(points)
    node = np.repeat(holder, postings.start[points + 1] - postings.start[points])
    pair = postings.account[rows].astype(np.int64) << 32 | postings.text[rows]
    order = np.argsort(pair, kind="stable")  # nodes ascend within a pair
    pair, node = pair[order], node[order]
    again = pair[1:] == pair[:-1]
    account = pair & ~LOW
    twins = account[1:][again] | meet(node[:-1][again], node[1:][again])
    rows = account | node
    del pair, order, account, node

    keys = unique(rows)
    same = (keys[1:] ^ keys[:-1]) <= LOW
    meets = meet(keys[:-1][same] & LOW, keys[1:][same] & LOW)
    keys = unique(np.concatenate((keys, (keys[1:][same] & ~LOW) | meets)))
    node = keys & LOW
    same = (keys[1:] ^ keys[:-1]) <= LOW
    above = meet(node[:-1][same], node[1:][same])  # of all but the first of each account
    own = np.bincount(np.searchsorted(keys, rows), minlength=len(keys))
    own -= np.bincount(np.searchsorted(keys, twins), minlength=len(keys))
    total = np.concatenate(([0], np.cumsum(own)))
    texts = total[np.searchsorted(keys, (keys & ~LOW) | end[node])] - total[:-1]

    twice = texts > 1
    held = np.zeros(count, np.int64)
    np.add.at(held, node, own)
    most = np.zeros(count, np.int64)
    np.maximum.at(most, node, texts)
    return (
        below(held),
        below(at(node) - at(above)),
        below(at(node[twice]) - at(above[twice[1:][same]])),
        _over(_doubled(most, np.maximum), np.maximum, every, end),
    )


def _doubled(values: AnyInts, best: np.ufunc) -> AnyInts:
    """[j, i]: the best of ``values[i : i + 2**j]``, where there are so many."""
    out = np.empty((max(len(values).bit_length(), 1), len(values)), values.dtype)
    out[0] = values
    for level in range(1, len(out)):
        half = 1 << (level - 1)
        out[level] = out[level - 1]
        best(out[level - 1, :-half], out[level - 1, half:], out=out[level, :-half])
    return out


def _over(doubled: AnyInts, best: np.ufunc, start: Ints, stop: Ints) -> Ints:
    """The best of ``values[start:stop]`` for each of many ranges, none of them empty."""
    level = np.frexp(stop - start)[1] - 1
    return np.asarray(best(doubled[level, start], doubled[level, stop - (1 << level)]), np.int64)


def _best_antichain(parent: Ints32, quality: Floats) -> Ints:
    """The set of nodes, none above another, with the greatest sum of quality; parents precede children."""
    good = quality > 0
    above = parent.copy()
    while (skip := np.flatnonzero((above >= 0) & ~good[above])).size:
        above[skip] = above[above[skip]]
    # nodes without quality are out of the way; few are left
    nodes = np.flatnonzero(good).tolist()
    up, worth = (
        dict(zip(nodes, above[good].tolist(), strict=True)),
        dict(zip(nodes, quality[good].tolist(), strict=True)),
    )
    below = dict.fromkeys((-1, *nodes), 0.0)
    for node in reversed(nodes):
        below[up[node]] += max(below[node], worth[node])
    covered = {-1: False}
    taken = []
    for node in nodes:
        covered[node] = covered[up[node]]
        if not covered[node] and worth[node] >= below[node]:
            taken.append(node)
            covered[node] = True
    return np.array(taken, np.int64)
