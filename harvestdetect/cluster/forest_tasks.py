"""Minimum spanning forests on an engine: each task reduces the edges of some points to their forest.

A task gets a range of points. The neighbours and core distances of all points are shared once for a view. What comes
back is the forest of these edges, a few per point instead of k, and this process joins the forests. The result is that
of :func:`harvestdetect.cluster.spanning.spanning_forest`, because the forest is unique.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from harvestdetect.cluster.distances import shared_distance
from harvestdetect.cluster.spanning import Edges, Forest, forest_of_rows, join_forests
from harvestdetect.data import Neighbors
from harvestdetect.engines.engine import Engine, map_in_order
from harvestdetect.engines.sharing import Shared
from harvestdetect.util.arrays import Floats32

__all__ = ["forest_on", "worth_sending"]

PARALLEL_POINTS: Final = 20_000
"""Number of points from which other machines span them. A tree of fewer takes a second."""
EDGES_PER_TASK: Final = 1 << 22
"""Neighbour entries that a task reduces to a forest. More of them leave less to join, and need more memory."""
TASKS_PER_WORKER: Final = 2
"""Tasks for each worker, if there are enough points."""


def worth_sending(points: int, engine: Engine) -> bool:
    """Whether an engine spans so many points faster than this process, which has other cores but uses only one."""
    return engine.elsewhere and engine.workers > 1 and points >= PARALLEL_POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class _ForestInputs:
    """What the tasks of an engine have in common."""

    neighbors: Neighbors
    core: Floats32
    by_shared_neighbors: bool
    floor: float
    cap: float


def forest_on(
    engine: Engine, neighbors: Neighbors, *, core: Floats32, by_shared_neighbors: bool, floor: float, cap: float
) -> Forest:
    """The minimum spanning forest of the mutual reachability graph, made on an engine.

    Args:
        engine: runs the tasks.
        neighbors: the k nearest neighbours of n points.
        core: float32[n], core distances.
        by_shared_neighbors: whether distances are those of :func:`~harvestdetect.cluster.distances.shared_distance`
            instead of the chord distances of the neighbours.
        floor: shorter distances count as equal to it.
        cap: longer edges are left out.
    """
    n, k = neighbors.index.shape
    engine.share(neighbors)  # once for all trees of the view
    work = engine.share(
        _ForestInputs(neighbors=neighbors, core=core, by_shared_neighbors=by_shared_neighbors, floor=floor, cap=cap)
    )
    size = max(1, min(EDGES_PER_TASK // max(k, 1), -(-n // (TASKS_PER_WORKER * engine.workers))))
    ranges = [(start, min(start + size, n)) for start in range(0, n, size)]
    return join_forests(n, map_in_order(engine, partial(_span_rows, work), ranges))


def _span_rows(work: Shared[_ForestInputs], rows: tuple[int, int]) -> Edges:
    """The forest of the edges of some points; it runs on an engine."""
    known, wanted = work.value(), slice(*rows)
    lengths = known.neighbors.distance[wanted]
    if known.by_shared_neighbors:
        lengths = shared_distance(known.neighbors, rows=np.arange(*rows, dtype=np.int32))
    return forest_of_rows(
        known.neighbors, core=known.core, rows=wanted, lengths=lengths, floor=known.floor, cap=known.cap
    )
