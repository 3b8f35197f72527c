"""The clusters of a view: all found anew, or those of an earlier scan carried on.

A view (wording or meaning) is clustered in several *channels*, each a way to find clusters: by chord distance, by
shared neighbours, and the leaves of the first tree.

Most of what a later scan of the same dumps and some more would find is what the earlier scan found, and building the
trees is most of the cost. So a few new texts can join the clusters of the earlier scan. A text joins a cluster that is
at least as near to it as the cluster's members are to one another, which is the side of HDBSCAN's cut on which the text
would lie. The new texts are also clustered among themselves, together with the unclustered texts around them: a group
to which enough accounts return is a cluster of its own, even inside a larger one. If it is part of an earlier
campaign, its template or its accounts show it later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from harvestdetect.cluster.distances import shared_distance, shared_length
from harvestdetect.cluster.forest_tasks import forest_on, worth_sending
from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.selection import select_by_accounts, select_flat, tree_leaves
from harvestdetect.cluster.spanning import spanning_forest
from harvestdetect.cluster.tree import Tree, tree_of
from harvestdetect.data import Neighbors, View
from harvestdetect.engines.engine import Engine
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.sharing import Shared
from harvestdetect.settings import Settings
from harvestdetect.util.amounts import NEARLY_ALL
from harvestdetect.util.arrays import Bools, Floats32, Ints32, pairs

__all__ = ["Clustered", "carry_on", "cluster_view"]


PARALLEL_TREES: Final = 50_000
"""Number of points from which another process builds one of the trees. Starting it takes about a second."""
EDGES_AT_ONCE: Final = 1 << 20
"""Neighbour entries per block. It bounds memory and changes no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """A set of points that one channel found."""

    channel: str
    """``wording`` or ``meaning``, followed by ``/shared`` or ``/leaf`` for the other channels of the view."""
    points: Ints32
    """int32[p], ascending: rows of the view."""
    quality: float
    """The quality that the selection gave it; higher is better."""
    reach: float
    """The largest distance from a point to its nearest fellow in the cluster, as the channel measures distance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channel:
    """How one tree of a view is built."""

    name: str
    by_shared_neighbors: bool
    """Whether distances are those of :func:`shared_distance`, without core distances."""
    leaves: bool
    """Whether the leaves of the tree are a channel of their own."""
    floor: float
    cap: float

    @property
    def leaf_name(self) -> str:
        """The name of the channel of the tree's leaves."""
        return f"{self.name}/leaf"

    @property
    def names(self) -> tuple[str, ...]:
        """The channels whose clusters come from this tree."""
        return (self.name,) if self.by_shared_neighbors else (self.name, self.leaf_name)


def _channels(view: View, settings: Settings, k: int) -> tuple[_Channel, ...]:
    """The trees of a view.

    The shared-neighbour distance needs no bounds of its own. Two lists that differ in one entry are as near as two
    equal ones, and points whose lists have only one entry in common are not joined: any two neighbours have one.

    Args:
        view: the view.
        settings: distances and selection.
        k: the number of neighbours in a list.
    """
    return (
        _Channel(
            name=view,
            by_shared_neighbors=False,
            leaves=settings.selection == "account",
            floor=settings.distance_floor,
            cap=settings.distance_cap,
        ),
        _Channel(
            name=f"{view}/shared",
            by_shared_neighbors=True,
            leaves=False,
            floor=shared_length(k, k),
            cap=shared_length(2, k),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Graph:
    """The n points to cluster and their neighbours, with the distances of one channel."""

    neighbors: Neighbors
    lengths: Floats32 | None
    """float32[n, k]: the channel's distance to each neighbour; None: that of :func:`shared_distance`, which an engine
    computes for the tree, and this process for the rows that it needs."""
    core: Floats32
    """float32[n]: core distances; zero in a channel that ignores density."""
    postings: Postings
    row: Ints32
    """int32[n], ascending: the number of each point in the view."""
    total: int
    """The number of all points of the view."""


def cluster_view(
    view: View,
    neighbors: Neighbors,
    core: Floats32,
    postings: Postings,
    *,
    settings: Settings,
    with_reach: bool = False,
    engine: Engine | None = None,
) -> list[Clustered]:
    """The clusters of a view, channel by channel.

    Args:
        view: the view of the neighbours.
        neighbors: the k nearest neighbours of n points.
        core: float32[n], see :func:`harvestdetect.cluster.distances.core_distance`.
        postings: of the n points.
        settings: distances, selection and minimum sizes.
        with_reach: whether to measure the reach of each cluster, which a later scan needs to carry it on. Otherwise it
            is 0.
        engine: spans the points if its workers are on other machines, and builds a tree beside this process if they are
            on this one; None does all in this process.
    """
    engine = engine or Loop()
    first, *others = _channels(view, settings, neighbors.index.shape[1])
    known = _ViewToCluster(neighbors=neighbors, core=core, postings=postings, settings=settings, with_reach=with_reach)
    waiting: list[Callable[[], list[Clustered]]]
    if engine.workers > 1 and not engine.elsewhere and len(core) >= PARALLEL_TREES:
        # a tree is the work of one core
        work = engine.share(known)
        waiting = [engine.submit(_of_channel, work, channel) for channel in others]
    else:
        waiting = [partial(_clusters_of, known, channel, engine) for channel in others]
    found = _clusters_of(known, first, engine)
    for result in waiting:
        found.extend(result())
    engine.forget(known)
    return found


def carry_on(
    view: View,
    neighbors: Neighbors,
    core: Floats32,
    postings: Postings,
    *,
    earlier: Sequence[Clustered],
    new: Bools,
    settings: Settings,
) -> tuple[list[Clustered], int]:
    """The clusters of an earlier scan with the new points that join them, and the clusters that new points form.

    Args:
        view: the view of the neighbours.
        neighbors: the k nearest neighbours of n points.
        core: float32[n], core distances.
        postings: of the n points.
        earlier: the clusters of the earlier scan; their points are rows of the view now.
        new: bool[n], the points that the earlier scan did not have.
        settings: distances, selection and minimum sizes.

    Returns:
        the clusters, channel by channel, those of the earlier scan first and in their order; and the number of points
        that joined one of those.
    """
    found: list[Clustered] = []
    joined = np.zeros(len(new), bool)
    for channel in _channels(view, settings, neighbors.index.shape[1]):
        known = {name: [one for one in earlier if one.channel == name] for name in channel.names}
        label = {name: _joined(known[name], new, channel, neighbors, core) for name in channel.names}
        rest = _with_free_around(new, label[channel.name] < 0, neighbors, settings.min_cluster_size)
        own: dict[str, list[Clustered]] = {name: [] for name in channel.names}
        for one in _clusters_among(rest, channel, neighbors, core, postings, settings):
            # earlier points stay in their clusters; a group of mostly earlier points was judged in the earlier scan
            points = one.points[new[one.points] | (label[one.channel][one.points] < 0)]
            if len(points) > 1 and (~new[points]).mean() < NEARLY_ALL:
                label[one.channel][points] = -1
                own[one.channel].append(replace(one, points=points))
        for name in channel.names:
            joined |= new & (label[name] >= 0)
            found.extend(_with_points_of(known[name], label[name]))
            found.extend(own[name])
    return found, int(joined.sum())


# ---------------------------------------------------------------- clusters of one tree


@dataclass(frozen=True, slots=True, kw_only=True)
class _ViewToCluster:
    """A view to cluster; see :func:`cluster_view`."""

    neighbors: Neighbors
    core: Floats32
    postings: Postings
    settings: Settings
    with_reach: bool


def _of_channel(work: Shared[_ViewToCluster], channel: _Channel) -> list[Clustered]:
    """The clusters of one channel; it runs on an engine."""
    return _clusters_of(work.value(), channel, Loop())


def _clusters_of(work: _ViewToCluster, channel: _Channel, engine: Engine) -> list[Clustered]:
    """The clusters of one channel of a view."""
    graph = _graph(channel, work.neighbors, work.core, work.postings, engine)
    return _clusters(channel, graph, work.settings, with_reach=work.with_reach, engine=engine)


def _graph(
    channel: _Channel, neighbors: Neighbors, core: Floats32, postings: Postings, engine: Engine
) -> _Graph:  # fmt: skip
    """All points of a view, as one channel measures their distances."""
    lengths: Floats32 | None = neighbors.distance
    if channel.by_shared_neighbors:
        lengths = None if worth_sending(len(core), engine) else shared_distance(neighbors)
    return _Graph(
        neighbors=neighbors,
        lengths=lengths,
        core=np.zeros_like(core) if channel.by_shared_neighbors else core,
        postings=postings,
        row=np.arange(len(core), dtype=np.int32),
        total=len(core),
    )


def _graph_among(
    rows: Ints32, channel: _Channel, neighbors: Neighbors, core: Floats32, postings: Postings
) -> _Graph:  # fmt: skip
    """Some points of a view, with the neighbours that are among them, as one channel measures their distances."""
    place = np.full(len(core) + 1, -1, np.int32)  # the last entry is that of a missing neighbour, -1
    place[rows] = np.arange(len(rows), dtype=np.int32)
    shared = channel.by_shared_neighbors
    return _Graph(
        neighbors=Neighbors(index=place[neighbors.index[rows]], distance=neighbors.distance[rows]),
        lengths=shared_distance(neighbors, rows=rows) if shared else neighbors.distance[rows],
        core=np.zeros(len(rows), core.dtype) if shared else core[rows],
        postings=postings.among(rows),
        row=rows,
        total=len(core),
    )


def _clusters(
    channel: _Channel, graph: _Graph, settings: Settings, *, with_reach: bool, engine: Engine
) -> list[Clustered]:  # fmt: skip
    """The clusters of one tree: those selected, then the leaves."""
    if worth_sending(len(graph.core), engine):
        forest = forest_on(
            engine, graph.neighbors, core=graph.core, by_shared_neighbors=channel.by_shared_neighbors,
            floor=channel.floor, cap=channel.cap,
        )  # fmt: skip
    else:
        forest = spanning_forest(
            graph.neighbors, core=graph.core, distance=graph.lengths, floor=channel.floor, cap=channel.cap
        )
    tree = tree_of(forest, floor=channel.floor, min_cluster_size=settings.min_cluster_size)
    selected = list(_selected(tree, graph, settings))
    leaves = [(points, 0.0) for points in _shared_leaves(tree, graph.postings, settings)] if channel.leaves else []
    found: list[Clustered] = []
    for name, clusters in ((channel.name, selected), (channel.leaf_name, leaves)):
        reach = np.zeros(len(clusters), np.float32)
        if with_reach:
            reach = _reach([points for points, _ in clusters], graph, channel.floor)
        found.extend(
            Clustered(channel=name, points=np.sort(graph.row[points]), quality=quality, reach=far)
            for (points, quality), far in zip(clusters, reach.tolist(), strict=True)
        )
    return found


def _clusters_among(
    rows: Ints32,
    channel: _Channel,
    neighbors: Neighbors,
    core: Floats32,
    postings: Postings,
    settings: Settings,
) -> list[Clustered]:
    """The clusters of one tree over some points of the view."""
    if not len(rows):
        return []
    graph = _graph_among(rows, channel, neighbors, core, postings)
    return _clusters(channel, graph, settings, with_reach=True, engine=Loop())


def _selected(tree: Tree, graph: _Graph, settings: Settings) -> Iterator[tuple[Ints32, float]]:
    """The points and the quality of each selected node."""
    if settings.selection == "account":
        nodes, quality = select_by_accounts(
            tree,
            graph.postings,
            min_accounts=settings.min_accounts,
            max_account_share=settings.max_account_share,
            points=graph.total,
        )
        yield from zip(nodes, quality.tolist(), strict=True)
        return
    yield from _selected_flat(tree, settings.selection)


def _selected_flat(tree: Tree, method: str) -> Iterator[tuple[Ints32, float]]:
    """The points and the persistence of each cluster of a flat selection."""
    flat = select_flat(tree, method=method)
    order = np.argsort(flat.label, kind="stable").astype(np.int32)
    borders = np.searchsorted(flat.label[order], np.arange(len(flat.persistence) + 1))
    for number, persistence in enumerate(flat.persistence.tolist()):
        yield order[borders[number] : borders[number + 1]], persistence


def _shared_leaves(tree: Tree, postings: Postings, settings: Settings) -> Iterator[Ints32]:
    """The leaves of a tree that enough accounts share, whether they return to them or not.

    With several templates, each account may send one filling of each. Such leaves are kept later only if they turn out
    to be templates.
    """
    leaves = tree_leaves(tree)
    if not leaves:
        return
    points = np.concatenate(leaves)
    leaf_of = np.repeat(np.arange(len(leaves)), [len(leaf) for leaf in leaves])
    rows = np.repeat(leaf_of, postings.start[points + 1] - postings.start[points])
    accounts = np.bincount(pairs(rows, postings.account[postings.rows(points)])[0], minlength=len(leaves))
    for leaf, count in zip(leaves, accounts.tolist(), strict=True):
        if count >= settings.min_accounts:
            yield leaf


def _reach(clusters: Sequence[Ints32], graph: _Graph, floor: float) -> Floats32:
    """The reach of each of some disjoint clusters, see :attr:`Clustered.reach`: float32[clusters].

    It is the floor where no point has another point of the cluster among its neighbours.
    """
    label = _labels(clusters, len(graph.core))
    found = np.full(len(clusters), floor, np.float32)
    for rows in _blocks(np.flatnonzero(label >= 0).astype(np.int32), graph.neighbors.index.shape[1]):
        index = graph.neighbors.index[rows]
        fellow = (index >= 0) & (label[index] == label[rows][:, None])
        lengths = shared_distance(graph.neighbors, rows=rows) if graph.lengths is None else graph.lengths[rows]
        reach = _mutual(lengths, graph.core[rows], graph.core[index])
        nearest = np.where(fellow, reach, np.inf).min(axis=1, initial=np.inf)
        some = np.isfinite(nearest)
        np.maximum.at(found, label[rows[some]], nearest[some])
    return found


# ---------------------------------------------------------------- earlier clusters


def _labels(clusters: Sequence[Ints32], count: int) -> Ints32:
    """The number of the cluster of each point, of disjoint clusters; -1 for none: int32[count]."""
    label = np.full(count, -1, np.int32)
    for number, points in enumerate(clusters):
        label[points] = number
    return label


def _with_points_of(clusters: Sequence[Clustered], label: Ints32) -> Iterator[Clustered]:
    """The clusters with the points that are labelled as theirs; those left with fewer than two are dropped."""
    inside = np.flatnonzero(label >= 0).astype(np.int32)
    inside = inside[np.argsort(label[inside], kind="stable")]
    borders = np.searchsorted(label[inside], np.arange(len(clusters) + 1))
    for number, one in enumerate(clusters):
        points = inside[borders[number] : borders[number + 1]]
        if len(points) > 1:
            yield replace(one, points=points)


def _blocks(rows: Ints32, k: int) -> Iterator[Ints32]:
    """The rows in blocks of at most :data:`EDGES_AT_ONCE` neighbour entries."""
    width = max(1, EDGES_AT_ONCE // max(k, 1))
    for start in range(0, len(rows), width):
        yield rows[start : start + width]


def _mutual(lengths: Floats32, core: Floats32, others: Floats32) -> Floats32:
    """Mutual reachability distances: float32[r, k]."""
    return np.maximum(np.maximum(lengths, core[:, None]), others)


def _joined(
    clusters: Sequence[Clustered], new: Bools, channel: _Channel, neighbors: Neighbors, core: Floats32
) -> Ints32:
    """The label of each point, after new points joined the nearest cluster that is within its reach: int32[n].

    A point may join by way of points that joined before, so this goes on until no point joins.
    """
    label = _labels([one.points for one in clusters], len(new))
    if not clusters:
        return label
    reach = np.array([one.reach for one in clusters], np.float32)
    waiting = np.flatnonzero(new).astype(np.int32)
    while len(waiting):
        chosen = np.full(len(waiting), -1, np.int32)
        done = 0
        for rows in _blocks(waiting, neighbors.index.shape[1]):
            index = neighbors.index[rows]
            cluster = np.where(index >= 0, label[index], -1)
            if channel.by_shared_neighbors:
                distance = shared_distance(neighbors, rows=rows)
            else:
                distance = _mutual(neighbors.distance[rows], core[rows], core[index])
            fits = (cluster >= 0) & (distance <= reach[cluster])
            nearest = np.where(fits, distance, np.inf).argmin(axis=1)
            each = np.arange(len(rows))
            chosen[done : done + len(rows)] = np.where(fits[each, nearest], cluster[each, nearest], -1)
            done += len(rows)
        label[waiting] = chosen
        if not (chosen >= 0).any():
            break
        waiting = waiting[chosen < 0]
    return label


def _with_free_around(new: Bools, free: Bools, neighbors: Neighbors, nearest: int) -> Ints32:
    """The new points and the free points among the ``nearest`` neighbours of each: int32[r], ascending."""
    taken = new.copy()
    for rows in _blocks(np.flatnonzero(new).astype(np.int32), nearest):
        index = neighbors.index[rows, :nearest]
        taken[index[(index >= 0) & free[index]]] = True
    return np.flatnonzero(taken).astype(np.int32)
