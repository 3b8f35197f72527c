"""Which nodes of a condensed tree are clusters.

HDBSCAN has two selections, ``leaf`` and ``eom`` (excess of mass); both are those of the ``hdbscan`` package. Excess of
mass rewards density, so it finds topics. For campaigns, nodes are selected by how many accounts return to them, beyond
chance. The best set of disjoint nodes is found by dynamic programming, as in FOSC (Campello, Moulavi, Zimek and
Sander 2013, "A framework for semi-supervised and unsupervised optimal extraction of clusters from hierarchies").
"""

from __future__ import annotations

from typing import Final

import numpy as np

from harvestdetect.cluster.node_counts import sender_counts
from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.repeat_senders import chance_of, expected_returning
from harvestdetect.cluster.tree import Tree
from harvestdetect.data import Clusters, Neighbors
from harvestdetect.util.arrays import Floats, Ints, Ints32

__all__ = ["best_antichain", "select_by_accounts", "select_by_cohesion", "select_flat", "tree_leaves"]


MAX_TEXT_SHARE: Final = 0.1
"""Largest share of all texts of the corpus that a cluster may contain; a larger node is a topic. Chosen."""

POINTS_PER_TEXT: Final = 4.0
"""A node with more than this times :data:`MAX_TEXT_SHARE` of the points is not counted, which saves time near the root.
It could be a cluster only if its texts had more than this times as many points each as all texts have. Chosen."""

MAX_POINT_SHARE: Final = 0.25
"""Largest share of all points in a node that is chosen by cohesion. Chosen."""

COHESION_OF: Final = 15
"""Nearest neighbours from which the cohesion of a node is computed. Chosen."""

MIN_POINTS: Final = 2
"""Points that a selected node needs at least."""


def select_flat(tree: Tree, *, method: str) -> Clusters:
    """The flat clustering of the ``hdbscan`` package; ``method`` is ``leaf`` or ``eom``."""
    from hdbscan._hdbscan_tree import compute_stability, get_clusters

    label, probability, persistence = get_clusters(tree.condensed, compute_stability(tree.condensed), method)
    q = len(tree.points)
    out = np.full(tree.n, -1, np.int32)
    strength = np.zeros(tree.n, np.float32)
    where = np.empty(q, np.int32)
    where[tree.local] = tree.points
    out[where] = label[:q]
    strength[where] = np.where(label[:q] >= 0, probability[:q], 0.0)
    # renumber by first point: the phantom's label vanishes, and labels do not depend on the order of nodes
    used, start = np.unique(out[out >= 0], return_index=True)
    order = used[np.argsort(start)]
    renumber = np.full(int(label.max(initial=-1)) + 2, -1, np.int32)
    renumber[order] = np.arange(len(order), dtype=np.int32)
    return Clusters(label=renumber[out], probability=strength, persistence=np.asarray(persistence)[order])


def tree_leaves(tree: Tree) -> list[Ints32]:
    """The points of each leaf of a tree, ascending; the leaf with the lowest point first.

    These are the clusters of :func:`select_flat` by ``leaf``. They follow from the tree, and so need no import of the
    ``hdbscan`` package, which takes a second.
    """
    leaf = np.ones(len(tree.parent), np.bool_)
    leaf[tree.parent[1:]] = False
    leaf[0] = False  # the root of a tree is never a cluster
    leaf &= tree.last > tree.first  # the phantom has no points
    points = [np.sort(tree.points[tree.first[i] : tree.last[i]]) for i in np.flatnonzero(leaf)]
    return sorted(points, key=lambda one: int(one[0]))


def select_by_accounts(
    tree: Tree,
    postings: Postings,
    *,
    min_accounts: int,
    max_account_share: float,
    max_share: float | None = None,
    points: int | None = None,
) -> tuple[list[Ints32], Floats]:
    """The disjoint nodes to which more accounts return than chance explains.

    The quality of a node S is ``r * log((r + 1) / (E + 1)) * r / a``. Of its ``a`` accounts, ``r`` sent two or more
    texts of S. ``E`` is the number expected if every account drew its texts at random, each from S with probability
    |S| / N. The last factor prefers a pure node to the one around it.

    Args:
        tree: over n points.
        postings: of the n points.
        min_accounts: a node to which fewer accounts return has no quality.
        max_account_share: a node of which one account sent a larger share of the texts has no quality.
        max_share: a node with a larger share of all texts has no quality; None means :data:`MAX_TEXT_SHARE`.
        points: the number of all points, where the tree is over some of them; None means n.

    Returns:
        the points of each selected node, ascending, best node first; and their qualities.
    """
    if max_share is None:
        max_share = MAX_TEXT_SHARE
    all_texts = int(postings.volume.sum())
    size = tree.last - tree.first
    eligible = tree.real & (size <= POINTS_PER_TEXT * max_share * (tree.n if points is None else points))
    counts = sender_counts(tree, postings, eligible)
    eligible &= (size >= MIN_POINTS) & (counts.texts <= max_share * all_texts)
    eligible &= (counts.returning >= min_accounts) & (counts.accounts >= min_accounts)
    eligible &= counts.most <= max_account_share * counts.texts
    texts, accounts, returning = counts.texts[eligible], counts.accounts[eligible], counts.returning[eligible]
    quality = np.zeros(len(eligible))
    expected = expected_returning(texts, chance_of(postings.volume))
    quality[eligible] = returning * np.log((returning + 1) / (expected + 1)) * returning / accounts
    chosen = best_antichain(tree.parent, np.maximum(quality, 0.0))
    chosen = chosen[np.argsort(-quality[chosen], kind="stable")]
    return [np.sort(tree.points[tree.first[c] : tree.last[c]]) for c in chosen], quality[chosen]


def select_by_cohesion(tree: Tree, neighbors: Neighbors, *, least: int) -> list[tuple[Ints32, float]]:
    """The disjoint nodes whose points keep to themselves.

    The quality of a node S of n points is ``sqrt(|S|) * c**2 * log(n / |S|)``. The cohesion c is the share of the
    nearest neighbours of its points that lie in S. A part of a homogeneous group has the cohesion of chance, its share
    of the group, so the group wins over its parts. A group of two populations loses to them, because the logarithm,
    which is what one learns from membership, is greater for a part.

    Args:
        tree: over n points.
        neighbors: of the points.
        least: points of a node.

    Returns:
        the points of each node, ascending, and its cohesion; best node first.
    """
    width = min(COHESION_OF, neighbors.index.shape[1])
    size = tree.last - tree.first
    place = np.full(tree.n + 1, -1, np.int64)
    place[tree.points] = np.arange(len(tree.points))
    inside = _inside(tree, place[neighbors.index[tree.points, :width]])
    cohesion = inside / np.maximum(size * np.minimum(width, size - 1), 1)
    good = tree.real & (size >= least) & (size <= MAX_POINT_SHARE * tree.n)
    quality = np.where(good, np.sqrt(size) * cohesion**2 * np.log(tree.n / np.maximum(size, 1)), 0.0)
    chosen = best_antichain(tree.parent, quality)
    chosen = chosen[np.argsort(-quality[chosen], kind="stable")]
    return [(np.sort(tree.points[tree.first[c] : tree.last[c]]), float(cohesion[c])) for c in chosen]


def _inside(tree: Tree, place: Ints) -> Ints:
    """The number of neighbours inside each node of the points of the node: int64[c].

    A neighbour counts for the deepest node that has the point and the neighbour, and for the nodes above it. That node
    is found by steps of powers of two towards the root (binary lifting), longest first.

    Args:
        tree: with q points and c nodes.
        place: int64[q, k]: the places of the neighbours of each point; -1 for one outside the tree.
    """
    # the deepest node of every point: nodes are in preorder, and the points of none of its children come first in each
    deepest = np.searchsorted(tree.first, np.arange(len(tree.points)), side="right") - 1
    steps = [np.maximum(tree.parent, 0)]  # the root is above itself
    while (steps[-1] > 0).any():
        steps.append(steps[-1][steps[-1]])
    row, column = np.nonzero(place >= 0)
    node, other = deepest[row], place[row, column]
    for above in reversed(steps):
        higher = above[node]
        outside = (other < tree.first[higher]) | (other >= tree.last[higher])
        node = np.where(outside, higher, node)
    outside = (other < tree.first[node]) | (other >= tree.last[node])
    node = np.where(outside, steps[0][node], node)
    count = np.bincount(node, minlength=len(tree.parent))
    for child in range(len(tree.parent) - 1, 0, -1):
        count[tree.parent[child]] += count[child]
    return count


def best_antichain(parent: Ints32, quality: Floats) -> Ints:
    """The set of nodes, none an ancestor of another, with the greatest total quality; an upper node wins a tie.

    Args:
        parent: int32[c], -1 for the root; parents come before their children.
        quality: float64[c]; nodes without a positive quality are never chosen.
    """
    good = quality > 0
    above = parent.copy()
    while (skip := np.flatnonzero((above >= 0) & ~good[above])).size:
        above[skip] = above[above[skip]]
    # only the few nodes with quality are left, each with the next such node above it
    nodes = np.flatnonzero(good).tolist()
    up = dict(zip(nodes, above[good].tolist(), strict=True))
    worth = dict(zip(nodes, quality[good].tolist(), strict=True))
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
