"""The clusters of a view: all found anew, or those of an earlier scan carried on.

A view is clustered in channels, by plain distance and by shared neighbours. Most of what a later scan of the same dumps
and some more would find is what the earlier one found, and building the trees is most of the cost. So a few new texts
join the clusters that stand: a text belongs to a cluster that it is as near to as the members of that are to one
another, which is the side of HDBSCAN's cut on which it would lie. Before that they are clustered among themselves, with
the free texts around them: a group to which enough accounts come back is a cluster of its own, even within a wider one.
Where it is more of a campaign that stands, its template or its accounts say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.cluster.tree import Postings, Tree, build_tree, select_by_accounts, select_flat, shared_distance
from harvestdetect.data import Neighbors, View
from harvestdetect.settings import Settings
from harvestdetect.util.arrays import Floats32, Ints32, pairs

__all__ = ["Clustered", "carry_on", "cluster_view"]


SHARED_FLOOR: Final = 0.02
SHARED_CAP: Final = 0.95
ROUNDS: Final = 3
"""New texts join by way of others that have joined, so often at most."""
AROUND: Final = 8
"""Nearest neighbours of a new point that may make a cluster with it."""
FRESH: Final = 0.2
"""Share of new points that a cluster of the others has: what was there before was looked at then."""
BLOCK: Final = 1 << 20
"""Edges worked on at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """A set of points that a channel found."""

    channel: str
    """``wording`` or ``meaning``, also with ``/shared`` or ``/leaf`` behind it."""
    points: Ints32
    """int32[p], ascending: rows of the view."""
    quality: float
    """Of the selection that found it (higher is better)."""
    reach: float
    """The greatest of the distances from a point to the nearest other one in it, as the tree has distances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channel:
    """How a tree of a view is built."""

    name: str
    shared: bool
    """By shared neighbours, not by distance."""
    floor: float
    cap: float


def _channels(view: View, settings: Settings) -> tuple[_Channel, ...]:
    return (
        _Channel(name=view, shared=False, floor=settings.distance_floor, cap=settings.distance_cap),
        _Channel(name=f"{view}/shared", shared=True, floor=SHARED_FLOOR, cap=SHARED_CAP),
    )


def cluster_view(
    view: View, neighbors: Neighbors, core: Floats32, postings: Postings, *, settings: Settings, lasting: bool = False
) -> list[Clustered]:
    """The clusters of a view, channel by channel.

    Args:
        view: that the neighbours are of.
        neighbors: of n points.
        core: float32[n], see :func:`harvestdetect.cluster.tree.core_distance`.
        postings: of the n points.
        settings: distances, selection and least numbers.
        lasting: whether they may be carried on later; else their reach is not measured, and 0.
    """
    found: list[Clustered] = []
    for channel in _channels(view, settings):
        distance = shared_distance(neighbors) if channel.shared else None
        found.extend(_found(channel, neighbors, distance, core, postings, settings, lasting=lasting))
    return found


def carry_on(
    view: View,
    neighbors: Neighbors,
    core: Floats32,
    postings: Postings,
    *,
    earlier: Sequence[Clustered],
    new: npt.NDArray[np.bool_],
    settings: Settings,
) -> tuple[list[Clustered], int]:
    """Clusters of an earlier scan with the points that have come, and the clusters that these make among themselves.

    Args:
        view: that the neighbours are of.
        neighbors: of n points.
        core: float32[n].
        postings: of the n points.
        earlier: clusters found of most of the points, by their rows now.
        new: bool[n], the points that were not there.
        settings: distances, selection and least numbers.

    Returns:
        the clusters, those from before first and in their order; and how many points joined one of those.
    """
    found: list[Clustered] = []
    joined = np.zeros(len(new), bool)
    for channel in _channels(view, settings):
        stand: dict[str, list[Clustered]] = {}
        label: dict[str, Ints32] = {}
        for name in (channel.name,) if channel.shared else (channel.name, f"{channel.name}/leaf"):
            stand[name] = [one for one in earlier if one.channel == name]
            label[name] = _labels([one.points for one in stand[name]], len(new))
            _join(label[name], stand[name], new, channel, neighbors, core)
        rest = _rest(new, label[channel.name] < 0, neighbors)
        own: dict[str, list[Clustered]] = {name: [] for name in stand}
        for one in _found_among(rest, channel, neighbors, core, postings, settings):
            # what stood in a cluster stays there
            points = one.points[new[one.points] | (label[one.channel][one.points] < 0)]
            if len(points) > 1 and new[points].mean() >= FRESH:
                label[one.channel][points] = -1
                own[one.channel].append(replace(one, points=points))
        for name, clusters in stand.items():
            joined |= new & (label[name] >= 0)
            found.extend(_grown(clusters, label[name]))
            found.extend(own[name])
    return found, int(joined.sum())


# ---------------------------------------------------------------- a tree and what it holds


def _found(
    channel: _Channel,
    neighbors: Neighbors,
    distance: Floats32 | None,
    core: Floats32,
    postings: Postings,
    settings: Settings,
    *,
    lasting: bool,
    rows: Ints32 | None = None,
    points: int | None = None,
) -> list[Clustered]:
    """The clusters of one channel; of the points in ``rows`` of so many, where these are named."""
    own_core = np.zeros_like(core) if channel.shared else core
    tree = build_tree(
        neighbors,
        core=own_core,
        distance=distance,
        floor=channel.floor,
        cap=channel.cap,
        min_cluster_size=settings.min_cluster_size,
    )
    held = [(channel.name, own, quality) for own, quality in _select(tree, postings, settings, points)]
    if not channel.shared and settings.selection == "account":
        held += [(f"{channel.name}/leaf", own, 0.0) for own in _select_leaves(tree, postings, settings)]
    found: list[Clustered] = []
    for name in dict.fromkeys(name for name, _, _ in held):
        own = [(inside, quality) for other, inside, quality in held if other == name]
        reach = np.zeros(len(own), np.float32)
        if lasting:
            reach = _reach([inside for inside, _ in own], neighbors, distance, own_core, channel.floor)
        found.extend(
            Clustered(
                channel=name,
                points=np.sort(inside if rows is None else rows[inside]),
                quality=quality,
                reach=far,
            )
            for (inside, quality), far in zip(own, reach.tolist(), strict=True)
        )
    return found


def _found_among(
    rows: Ints32,
    channel: _Channel,
    neighbors: Neighbors,
    core: Floats32,
    postings: Postings,
    settings: Settings,
) -> list[Clustered]:
    """The clusters that some points make among themselves, as one channel sees them."""
    if not len(rows):
        return []
    place = np.full(len(core) + 1, -1, np.int32)  # the last is that of no neighbour
    place[rows] = np.arange(len(rows), dtype=np.int32)
    inner = Neighbors(index=place[neighbors.index[rows]], distance=neighbors.distance[rows])
    distance = shared_distance(neighbors, rows=rows) if channel.shared else None
    own = postings.among(rows)
    return _found(channel, inner, distance, core[rows], own, settings, lasting=True, rows=rows, points=len(core))


def _select(tree: Tree, postings: Postings, settings: Settings, points: int | None) -> Iterator[tuple[Ints32, float]]:
    if settings.selection == "account":
        nodes, quality = select_by_accounts(
            tree,
            postings,
            min_accounts=settings.min_accounts,
            max_account_share=settings.max_account_share,
            points=points,
        )
        yield from zip(nodes, quality.tolist(), strict=True)
        return
    yield from _select_flat(tree, settings.selection)


def _select_flat(tree: Tree, method: str) -> Iterator[tuple[Ints32, float]]:
    flat = select_flat(tree, method=method)
    order = np.argsort(flat.label, kind="stable").astype(np.int32)
    borders = np.searchsorted(flat.label[order], np.arange(len(flat.persistence) + 1))
    for number, persistence in enumerate(flat.persistence.tolist()):
        yield order[borders[number] : borders[number + 1]], persistence


def _select_leaves(tree: Tree, postings: Postings, settings: Settings) -> Iterator[Ints32]:
    """The densest places that enough accounts share, whether they come back to them or not.

    Over several templates each account may send one filling of each. Such leaves count where they turn out to be
    templates.
    """
    leaves = [points for points, _ in _select_flat(tree, "leaf")]
    if not leaves:
        return
    points = np.concatenate(leaves)
    of = np.repeat(np.arange(len(leaves)), [len(leaf) for leaf in leaves])
    rows = np.repeat(of, postings.start[points + 1] - postings.start[points])
    accounts = np.bincount(pairs(rows, postings.account[postings.rows(points)])[0], minlength=len(leaves))
    for leaf, count in zip(leaves, accounts.tolist(), strict=True):
        if count >= settings.min_accounts:
            yield leaf


# ---------------------------------------------------------------- carried on


def _labels(clusters: Sequence[Ints32], count: int) -> Ints32:
    """Which of some disjoint sets each of so many points is in, -1 for none: int32[count]."""
    label = np.full(count, -1, np.int32)
    for number, points in enumerate(clusters):
        label[points] = number
    return label


def _grown(clusters: Sequence[Clustered], label: Ints32) -> Iterator[Clustered]:
    """The clusters with the points that are labelled as theirs; those that have fewer than two are gone."""
    held = np.flatnonzero(label >= 0).astype(np.int32)
    held = held[np.argsort(label[held], kind="stable")]
    borders = np.searchsorted(label[held], np.arange(len(clusters) + 1))
    for number, one in enumerate(clusters):
        points = held[borders[number] : borders[number + 1]]
        if len(points) > 1:
            yield replace(one, points=points)


def _blocks(rows: Ints32, k: int) -> Iterator[Ints32]:
    width = max(1, BLOCK // max(k, 1))
    for start in range(0, len(rows), width):
        yield rows[start : start + width]


def _reach(
    clusters: Sequence[Ints32], neighbors: Neighbors, distance: Floats32 | None, core: Floats32, floor: float
) -> Floats32:
    """See :attr:`Clustered.reach`, of disjoint sets of points; the floor where no point has a fellow in its list."""
    label = _labels(clusters, len(core))
    found = np.full(len(clusters), floor, np.float32)
    for rows in _blocks(np.flatnonzero(label >= 0).astype(np.int32), neighbors.index.shape[1]):
        index = neighbors.index[rows]
        fellow = (index >= 0) & (label[index] == label[rows][:, None])
        reach = _mutual((neighbors.distance if distance is None else distance)[rows], core[rows], core[index])
        nearest = np.where(fellow, reach, np.inf).min(axis=1, initial=np.inf)
        some = np.isfinite(nearest)
        np.maximum.at(found, label[rows[some]], nearest[some])
    return found


def _mutual(distance: Floats32, core: Floats32, others: Floats32) -> Floats32:
    return np.maximum(np.maximum(distance, core[:, None]), others)


def _join(
    label: Ints32,
    clusters: Sequence[Clustered],
    new: npt.NDArray[np.bool_],
    channel: _Channel,
    neighbors: Neighbors,
    core: Floats32,
) -> None:
    """Labels new points that are no farther from a cluster than its reach; of several it is the nearest one."""
    if not clusters:
        return
    reach = np.array([one.reach for one in clusters], np.float32)
    waiting = np.flatnonzero(new).astype(np.int32)
    for _ in range(ROUNDS):
        chosen = np.full(len(waiting), -1, np.int32)
        done = 0
        for rows in _blocks(waiting, neighbors.index.shape[1]):
            index = neighbors.index[rows]
            held = np.where(index >= 0, label[index], -1)
            if channel.shared:
                apart = shared_distance(neighbors, rows=rows)
            else:
                apart = _mutual(neighbors.distance[rows], core[rows], core[index])
            fits = (held >= 0) & (apart <= reach[held])
            apart = np.where(fits, apart, np.inf)
            nearest = apart.argmin(axis=1)
            every = np.arange(len(rows))
            chosen[done : done + len(rows)] = np.where(fits[every, nearest], held[every, nearest], -1)
            done += len(rows)
        label[waiting] = chosen
        if not (chosen >= 0).any():
            return
        waiting = waiting[chosen < 0]


def _rest(fresh: npt.NDArray[np.bool_], free: npt.NDArray[np.bool_], neighbors: Neighbors) -> Ints32:
    """Some points and the free ones among their nearest neighbours: int32[r], ascending."""
    taken = fresh.copy()
    for rows in _blocks(np.flatnonzero(fresh).astype(np.int32), AROUND):
        index = neighbors.index[rows, :AROUND]
        taken[index[(index >= 0) & free[index]]] = True
    return np.flatnonzero(taken).astype(np.int32)
