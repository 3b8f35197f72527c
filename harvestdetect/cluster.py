"""From neighbours and senders to clusters.

HDBSCAN (Campello, Moulavi, Sander 2013; McInnes, Healy, Astels 2017) on the graph of nearest neighbours, in one
tree over all components, with two changes that prompts need:

* the core distance counts distinct accounts, so that one account's many near-equal texts are no density;
* nodes of the condensed tree are selected by how many accounts come back to them, beyond chance, instead of by
  excess of mass, which rewards topics. The best set of disjoint nodes is found by dynamic programming as in FOSC
  (Campello, Moulavi, Zimek, Sander 2013).

``leaf`` and ``eom`` are the selections of the ``hdbscan`` package, which also does linkage and condensation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import ranges
from harvestdetect.data import Clusters, Neighbors
from harvestdetect.returning import chance_of, returning

__all__ = [
    "Postings",
    "Tree",
    "build_tree",
    "core_distance",
    "select_by_accounts",
    "select_flat",
    "shared_distance",
]

Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

BRIDGE: Final = 4.0
"""Distance between components; no chord is longer than 2."""


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
    block = max(1, 4_000_000 // max(k, 1))
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


def shared_distance(neighbors: Neighbors) -> Floats32:
    """One minus the share of nearest neighbours that a point and each of its neighbours have in common.

    Blind to density: a loose template and a tight one look alike (Jarvis, Patrick 1973; Ertoz et al. 2003).

    Returns:
        float32[n, k]; inf where there is no neighbour.
    """
    from scipy import sparse

    n, k = neighbors.index.shape
    held = neighbors.index >= 0
    indptr = np.concatenate(([0], np.cumsum(held.sum(axis=1) + 1)))
    index = np.concatenate((np.arange(n, dtype=np.int32)[:, None], neighbors.index), axis=1)
    keep = np.concatenate((np.ones((n, 1), bool), held), axis=1)
    data = np.ones(int(indptr[-1]), np.float32)
    graph = sparse.csr_matrix((data, index[keep], indptr), shape=(n, n))
    out = np.full((n, k), np.inf, np.float32)
    columns = np.broadcast_to(np.arange(k), (n, k))
    transposed = graph.T.tocsr()
    for start in range(0, n, 2048):
        stop = min(start + 2048, n)
        common = graph[start:stop] @ transposed
        mask = held[start:stop]
        rows = np.broadcast_to(np.arange(stop - start)[:, None], mask.shape)[mask]
        if not rows.size:
            continue
        values = np.asarray(common[rows, neighbors.index[start:stop][mask]]).ravel()
        out[start + rows, columns[start:stop][mask]] = 1.0 - values / (k + 1)
    return out


# ---------------------------------------------------------------- the tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A condensed tree over n points, all components in one.

    Nodes are numbered 0..c-1, every parent before its children; the points of a node are ``points[first:last]``,
    so a node's children lie within its range.
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
    from scipy import sparse
    from scipy.sparse import csgraph

    n, k = neighbors.index.shape
    between = neighbors.distance if distance is None else distance
    rows = np.repeat(np.arange(n, dtype=np.int32), k)
    columns = neighbors.index.ravel()
    held = columns >= 0
    rows, columns, weight = rows[held], columns[held], between.ravel()[held]
    reach = np.maximum(np.maximum(core[rows], core[columns]), weight).astype(np.float64)
    reach = np.maximum(reach, floor)
    close = reach <= cap
    rows, columns, reach = rows[close], columns[close], reach[close]
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    order = np.lexsort((reach, high, low))
    low, high, reach = low[order], high[order], reach[order]
    once = np.ones(len(low), bool)
    once[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    low, high, reach = low[once], high[once], reach[once]

    inside = np.unique(np.concatenate((low, high)))
    q = len(inside)
    low, high = np.searchsorted(inside, low), np.searchsorted(inside, high)
    graph = sparse.csr_matrix((reach, (low, high)), shape=(q, q))
    spanning = csgraph.minimum_spanning_tree(graph).tocoo()
    order = np.lexsort((spanning.col, spanning.row, spanning.data))
    edges = np.stack((spanning.row[order], spanning.col[order], spanning.data[order]), axis=1).astype(np.float64)
    _, component = csgraph.connected_components(graph, directed=False)
    return _condense(n, inside.astype(np.int32), edges, component, min_cluster_size)


def _condense(n: int, inside: Ints32, edges: Floats, component: Ints32, min_cluster_size: int) -> Tree:
    """Joins components, and a phantom one, beyond every distance, and condenses.

    A tree's root is never a cluster; the phantom keeps a lone component from being the root.
    """
    from hdbscan._hdbscan_linkage import label
    from hdbscan._hdbscan_tree import condense_tree

    q = len(inside)
    size = max(min_cluster_size, 2)
    phantom = np.arange(q, q + size)
    inner = np.stack((phantom[:-1], phantom[1:], np.full(size - 1, BRIDGE / 2)), axis=1)
    heads = np.concatenate((np.unique(component, return_index=True)[1] if q else np.empty(0, np.int64), [q]))
    bridges = []
    while len(heads) > 1:
        pairs = len(heads) // 2
        bridges.append(np.stack((heads[: 2 * pairs : 2], heads[1 : 2 * pairs : 2]), axis=1))
        heads = np.concatenate((heads[: 2 * pairs : 2], heads[2 * pairs :]))
    joined = np.concatenate(bridges) if bridges else np.empty((0, 2))
    outer = np.concatenate((joined, np.full((len(joined), 1), BRIDGE)), axis=1)
    linkage = label(np.concatenate((edges, inner, outer)))
    condensed = condense_tree(linkage, size)
    return _number(n, q, inside, condensed)


def _number(n: int, q: int, inside: Ints32, condensed: Any) -> Tree:
    """Numbers the nodes of a condensed tree so that each is a range of points."""
    root = int(condensed["parent"].min())
    is_node = condensed["child_size"] > 1
    count = 1 + int(is_node.sum())
    parent = np.full(count, -1, np.int64)
    parent[condensed["child"][is_node] - root] = condensed["parent"][is_node] - root
    children: list[list[int]] = [[] for _ in range(count)]
    for node in range(1, count):
        children[int(parent[node])].append(node)
    leaves = condensed[~is_node]
    leaves = leaves[leaves["child"] < q]
    by_parent = np.argsort(leaves["parent"], kind="stable")
    holders = leaves["parent"][by_parent] - root
    local_sorted = leaves["child"][by_parent]
    starts = np.searchsorted(holders, np.arange(count + 1))
    # preorder: a node's own points, then its children's
    order: list[int] = []
    first = np.zeros(count, np.int32)
    last = np.zeros(count, np.int32)
    pieces: list[Ints] = []
    position = 0
    stack: list[tuple[int, bool]] = [(0, False)]
    while stack:
        node, leaving = stack.pop()
        if leaving:
            last[node] = position
            continue
        order.append(node)
        first[node] = position
        own = local_sorted[starts[node] : starts[node + 1]]
        pieces.append(own)
        position += len(own)
        stack.append((node, True))
        stack.extend((child, False) for child in reversed(children[node]))
    local = np.concatenate(pieces).astype(np.int32) if pieces else np.empty(0, np.int32)
    ends = np.full(count, np.inf)
    np.minimum.at(ends, condensed["parent"] - root, condensed["lambda_val"])
    real = ends > 1.0 / BRIDGE * (1 + 1e-9)
    rank = np.empty(count, np.int32)
    rank[order] = np.arange(count, dtype=np.int32)
    parent = parent[order]
    return Tree(
        n=n,
        parent=np.where(parent < 0, -1, rank[parent]).astype(np.int32),
        first=first[order],
        last=last[order],
        points=inside[local] if q else np.empty(0, np.int32),
        real=real[order] & (last[order] > first[order]),
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


def select_by_accounts(
    tree: Tree,
    postings: Postings,
    *,
    min_accounts: int,
    max_account_share: float,
    max_share: float = 0.1,
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

    Returns:
        points of each selected node, ascending, best first; and their qualities.
    """
    chance = chance_of(postings.volume)
    texts = int(postings.volume.sum())
    count = len(tree.parent)
    quality = np.zeros(count)
    for node in range(count):
        size = tree.last[node] - tree.first[node]
        if not tree.real[node] or size < 2 or size > 4 * max_share * tree.n:
            continue
        rows = postings.rows(tree.points[tree.first[node] : tree.last[node]])
        each, expected = returning(postings.account[rows], postings.text[rows], chance)
        held, accounts, back = int(each.sum()), len(each), int((each > 1).sum())
        if held > max_share * texts or accounts < min_accounts or back < min_accounts:
            continue
        if each.max() <= max_account_share * held:
            quality[node] = back * np.log((back + 1) / (expected + 1)) * back / accounts
    chosen = _best_antichain(tree.parent, np.maximum(quality, 0.0))
    chosen = chosen[np.argsort(-quality[chosen], kind="stable")]
    return [np.sort(tree.points[tree.first[c] : tree.last[c]]) for c in chosen], quality[chosen]


def _best_antichain(parent: Ints32, quality: Floats) -> Ints:
    """The set of nodes, none above another, with the greatest sum of quality; parents precede children."""
    count = len(parent)
    below = np.zeros(count)
    for node in range(count - 1, 0, -1):
        below[parent[node]] += max(below[node], quality[node])
    taken = np.zeros(count, bool)
    covered = np.zeros(count, bool)
    for node in range(count):
        above = parent[node] >= 0 and covered[parent[node]]
        taken[node] = not above and quality[node] > 0 and quality[node] >= below[node]
        covered[node] = above or taken[node]
    return np.flatnonzero(taken)
