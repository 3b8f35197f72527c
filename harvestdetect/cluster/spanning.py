"""The minimum spanning forest of the mutual reachability graph, in little memory.

The graph has n k edges, too many for one sparse matrix. So the edges are spanned in bands of rising length and block by
block: the forest of some edges, with the remaining edges, has the same minimum spanning forest as all edges. For the
same reason the edges of some rows can be reduced to their forest anywhere (:func:`forest_of_rows`), and the forests
joined (:func:`join_forests`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from harvestdetect.data import Neighbors
from harvestdetect.util.arrays import Floats32, Ints32, unique

__all__ = ["Edges", "Forest", "forest_of_rows", "join_forests", "spanning_forest"]


EDGES_AT_ONCE: Final = 1 << 20
"""Edges per block. It bounds memory and changes no result."""

SMALLEST: Final = 1e-300
"""Placeholder for a length of zero, since SciPy drops explicit zeros. It rounds to zero in float32."""

BAND_QUANTILES: Final = (1 / 8, 1 / 4, 1 / 2)
"""Quantiles of the edge lengths at which bands end. They set the speed and change no result; chosen."""

BAND_SAMPLE: Final = 100_000
"""About the number of edge lengths from which these quantiles are estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Undirected edges, ``low < high``; an edge may occur twice."""

    low: Ints32
    high: Ints32
    length: Floats32

    def graph(self, n: int) -> Any:
        """A sparse matrix (CSR) of n points. The edges must be sorted by ``low``."""
        from scipy import sparse

        indptr = np.zeros(n + 1, np.int32)
        np.cumsum(np.bincount(self.low, minlength=n), out=indptr[1:])
        return sparse.csr_matrix((np.maximum(self.length, SMALLEST, dtype=np.float64), self.high, indptr), shape=(n, n))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """A minimum spanning forest of n points."""

    low: Ints32
    """int32[e]: one end of each edge."""
    high: Ints32
    """int32[e]: the other end, greater than ``low``."""
    length: Floats32
    """float32[e]: the mutual reachability distance of the ends."""
    component: Ints32
    """int32[n]: the connected component of each point."""


def spanning_forest(
    neighbors: Neighbors, *, core: Floats32, distance: Floats32 | None, floor: float, cap: float
) -> Forest:
    """The minimum spanning forest of the mutual reachability graph.

    Of edges of equal length the one with the lowest ``low``, then the lowest ``high``, is preferred, so the forest is
    unique.

    Args:
        neighbors: the k nearest neighbours of n points.
        core: float32[n], core distances.
        distance: float32[n, k], used instead of the chord distances of the neighbours; None means those.
        floor: shorter distances count as equal to it.
        cap: longer edges are left out.
    """
    from scipy.sparse import csgraph

    n, k = neighbors.index.shape
    shortest, longest = _bounds(floor, cap)
    rows = max(1, EDGES_AT_ONCE // max(k, 1))
    blocks = [slice(start, start + rows) for start in range(0, n, rows)]
    lengths = neighbors.distance if distance is None else distance
    reach = _mutual_reachability(neighbors.index, lengths, core, shortest, blocks)
    forest = _no_edges()
    component = np.arange(n, dtype=np.int32)
    above = -np.inf
    for limit in _band_ends(reach, longest):
        pending = [forest]
        for block in blocks:
            part = reach[block].ravel()
            where = np.flatnonzero((part > above) & (part <= limit))
            row, column = (where // k + block.start).astype(np.int32), neighbors.index[block].ravel()[where]
            # shorter edges have joined the other pairs already
            apart = component[row] != component[column]
            row, column = row[apart], column[apart]
            pending.append(Edges(low=np.minimum(row, column), high=np.maximum(row, column), length=part[where[apart]]))
            if sum(len(edges.low) for edges in pending) > max(2 * n, EDGES_AT_ONCE):
                pending = [_spanned(n, pending)]
        forest = _spanned(n, pending)
        component = csgraph.connected_components(forest.graph(n), directed=False)[1]
        above = limit
    return Forest(low=forest.low, high=forest.high, length=forest.length, component=component)


def forest_of_rows(
    neighbors: Neighbors, *, core: Floats32, rows: slice, lengths: Floats32, floor: float, cap: float
) -> Edges:
    """The minimum spanning forest of the edges from some rows to their neighbours, see :func:`spanning_forest`.

    Args:
        neighbors: the k nearest neighbours of n points.
        core: float32[n], core distances.
        rows: r of the points, a slice of step 1.
        lengths: float32[r, k], the distance of each of these rows to its neighbours.
        floor: shorter distances count as equal to it.
        cap: longer edges are left out.
    """
    shortest, longest = _bounds(floor, cap)
    index = neighbors.index[rows]
    reach = _reach_of_block(index, lengths, core[rows], core, shortest)
    row, place = np.nonzero(reach <= longest)
    row, column = (row + rows.start).astype(np.int32), index[row, place]
    ends = unique(np.concatenate((row, column)))
    # the ends keep their order, so the same edge is preferred among equal ones
    low, high = (np.searchsorted(ends, take(row, column)).astype(np.int32) for take in (np.minimum, np.maximum))
    forest = _spanned(len(ends), [Edges(low=low, high=high, length=reach[reach <= longest])])
    return Edges(low=ends[forest.low], high=ends[forest.high], length=forest.length)


def join_forests(n: int, forests: Iterable[Edges]) -> Forest:
    """The minimum spanning forest of n points, given the forests of all edges in parts."""
    from scipy.sparse import csgraph

    pending = [_no_edges()]
    for forest in forests:
        pending.append(forest)
        if sum(len(edges.low) for edges in pending) > max(2 * n, EDGES_AT_ONCE):
            pending = [_spanned(n, pending)]
    whole = _spanned(n, pending)
    component = csgraph.connected_components(whole.graph(n), directed=False)[1]
    return Forest(low=whole.low, high=whole.high, length=whole.length, component=component)


def _no_edges() -> Edges:
    return Edges(low=np.empty(0, np.int32), high=np.empty(0, np.int32), length=np.empty(0, np.float32))


def _bounds(floor: float, cap: float) -> tuple[np.float32, float]:
    """The shortest and the longest length. Rounding to float32 must not move a length across floor or cap."""
    return _round_down(floor), float(_round_down(cap)) if floor <= cap else -np.inf


def _mutual_reachability(
    index: Ints32, lengths: Floats32, core: Floats32, shortest: np.float32, blocks: list[slice]
) -> Floats32:
    """Mutual reachability distances: float32[n, k]; the greatest of the edge's length and both core distances."""
    reach = np.empty(index.shape, np.float32)
    for block in blocks:
        reach[block] = _reach_of_block(index[block], lengths[block], core[block], core, shortest)
    return reach


def _reach_of_block(
    others: Ints32, lengths: Floats32, own: Floats32, core: Floats32, shortest: np.float32
) -> Floats32:  # fmt: skip
    """Mutual reachability distances of some points, whose core distances are ``own``: float32[r, k]."""
    part = np.maximum(lengths, own[:, None])
    np.maximum(part, core[others], out=part)
    np.maximum(part, shortest, out=part)
    part[others < 0] = np.inf
    return part


def _round_down(value: float) -> np.float32:
    """The greatest float32 that is not above a number."""
    near = np.float32(value)
    return near if float(near) <= value else np.nextafter(near, np.float32(-np.inf))


def _band_ends(reach: Floats32, longest: float) -> list[float]:
    """The lengths at which bands of edges end, ascending; the last is ``longest``."""
    sample = reach[:: max(1, reach.size // BAND_SAMPLE)]
    sample = sample[sample <= longest]
    inner = np.unique(np.quantile(sample, BAND_QUANTILES, method="lower")) if sample.size else np.empty(0)
    return [*inner[inner < longest].tolist(), longest]


def _spanned(n: int, parts: list[Edges]) -> Edges:
    """The minimum spanning forest of some edges of n points, sorted by ``low``.

    SciPy prefers earlier entries among equal ones, so sorting by ``low`` and ``high`` makes the forest unique.
    ``parts`` is emptied, so that its memory is free while the forest is computed.
    """
    from scipy.sparse import csgraph

    key = np.concatenate([part.low for part in parts]).astype(np.int64)
    key <<= 32
    key |= np.concatenate([part.high for part in parts])
    length = np.concatenate([part.length for part in parts])
    parts.clear()
    order = np.argsort(key)
    length, key = length[order], key[order]
    del order
    edges = Edges(low=(key >> 32).astype(np.int32), high=key.astype(np.int32), length=length)
    del key, length
    graph = edges.graph(n)
    del edges
    spanning = csgraph.minimum_spanning_tree(graph, overwrite=True)
    return Edges(
        low=np.repeat(np.arange(n, dtype=np.int32), np.diff(spanning.indptr)),
        high=spanning.indices.astype(np.int32, copy=False),
        length=spanning.data.astype(np.float32),
    )
