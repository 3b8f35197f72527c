"""Nearest neighbours of unit vectors. The only place that knows similarities; all that leaves is a distance.

The search runs in fixed blocks of rows, so the result does not depend on what runs the blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import unit
from harvestdetect.data import Neighbors

__all__ = ["chord_distance", "nearest", "nearest_to"]

BLOCK: Final = 4096
"""Rows searched at once."""
TARGET_RECALL: Final = 0.95
"""Share of the true neighbours that an inexact search must find on a sample."""
CELL: Final = 1_000
"""Points of a cell, on average."""
_SAMPLE: Final = 1_024
_TRAIN_PER_CELL: Final = 100

Vectors = npt.NDArray[np.float32]
Ints32 = npt.NDArray[np.int32]


def chord_distance(cosine: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The straight distance between two points of the unit sphere: sqrt(2 - 2 cos)."""
    return np.sqrt(np.clip(2.0 - 2.0 * cosine, 0.0, 4.0)).astype(np.float32)


def nearest(
    vectors: npt.NDArray[np.floating[Any]],
    *,
    k: int,
    exact_below: int = 60_000,
    threads: int = 0,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> Neighbors:
    """The k nearest other rows of each row.

    Args:
        vectors: float16 or float32[n, d], unit rows but for rounding.
        k: how many; rows of the result end with -1 / inf where fewer than k others were found.
        exact_below: exact search up to so many rows; above, only the cells nearest to a row are searched, as many as
            reach :data:`TARGET_RECALL` on a sample.
        threads: of FAISS; 0 takes all cores.
        seed: of the cells.
        progress: called with the number of further rows done.
    """
    import faiss

    n = len(vectors)
    ids = np.full((n, k), -1, np.int32)
    distance = np.full((n, k), np.inf, np.float32)
    if n < 2:
        return Neighbors(index=ids, distance=distance)
    vectors = unit(vectors)
    faiss.omp_set_num_threads(threads or _cores())
    done = progress or (lambda rows: None)
    if n <= exact_below:
        for start in range(0, n, BLOCK):
            stop = min(start + BLOCK, n)
            cosine, found = _top(vectors[start:stop], vectors, min(k + 1, n))
            _without_self(cosine, found, np.arange(start, stop), ids[start:stop], distance[start:stop])
            done(stop - start)
        return Neighbors(index=ids, distance=distance)
    cosine, found = _by_cells(vectors, k=k + 1, seed=seed, done=done)
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        _without_self(cosine[rows], found[rows], np.arange(start, rows.stop), ids[rows], distance[rows])
    return Neighbors(index=ids, distance=distance)


def nearest_to(queries: Vectors, vectors: Vectors, *, k: int) -> Neighbors:
    """The k rows of ``vectors`` nearest to each of the ``queries``, exactly."""
    ids = np.full((len(queries), k), -1, np.int32)
    distance = np.full((len(queries), k), np.inf, np.float32)
    if len(queries) and len(vectors):
        cosine, found = _top(queries, vectors, min(k, len(vectors)))
        ids[:, : found.shape[1]] = found
        distance[:, : found.shape[1]] = chord_distance(cosine)
    return Neighbors(index=ids, distance=distance)


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _top(queries: Vectors, vectors: Vectors, k: int) -> tuple[Vectors, npt.NDArray[np.int64]]:
    """Greatest cosines and their rows: float32[q, k], int64[q, k]."""
    import faiss

    cosine, found = faiss.knn(
        np.ascontiguousarray(queries, np.float32),
        np.ascontiguousarray(vectors, np.float32),
        k,
        metric=faiss.METRIC_INNER_PRODUCT,
    )
    return np.asarray(cosine), np.asarray(found)


def _without_self(
    cosine: Vectors,
    found: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    ids: Ints32,
    distance: Vectors,
) -> None:
    """Writes the neighbours of a block without the row itself, ties in the order of their index."""
    k = ids.shape[1]
    chord = np.where(found < 0, np.float32(np.inf), chord_distance(cosine))
    chord[found == rows[:, None]] = np.inf
    found = np.where(np.isinf(chord), np.iinfo(np.int64).max, found)
    order = np.lexsort((found, chord), axis=1)[:, :k]
    chord = np.take_along_axis(chord, order, 1)
    found = np.take_along_axis(found, order, 1)
    found[np.isinf(chord)] = -1
    ids[:, : found.shape[1]] = found
    distance[:, : found.shape[1]] = chord


def _by_cells(
    vectors: Vectors, *, k: int, seed: int, done: Callable[[int], object]
) -> tuple[Vectors, npt.NDArray[np.int64]]:
    """The k greatest cosines of each row, itself included, over the cells nearest to it.

    Like an inverted file, turned round: every cell is multiplied at once with all the rows that probe it, so the work
    is a few large matrix products instead of many short scans.
    """
    import faiss

    n, d = vectors.shape
    cells = max(2, n // CELL)
    means = faiss.Kmeans(
        d, cells, niter=10, seed=seed + 1, spherical=True,
        min_points_per_centroid=1, max_points_per_centroid=_TRAIN_PER_CELL,
    )  # fmt: skip
    means.train(vectors)
    centroids = np.asarray(means.centroids)
    home = _top(vectors, centroids, 1)[1][:, 0]
    probes = _probes(vectors, centroids, home, k=k, seed=seed)
    probed = _top(vectors, centroids, probes)[1].astype(np.int32)
    by_home = np.argsort(home, kind="stable").astype(np.int32)
    homes = np.searchsorted(home[by_home], np.arange(cells + 1))
    by_cell = np.argsort(probed.ravel(), kind="stable")
    rows_of = (by_cell // probes).astype(np.int32)
    borders = np.searchsorted(probed.ravel()[by_cell], np.arange(cells + 1))
    cosine = np.full((n, k), -np.inf, np.float32)
    found = np.full((n, k), -1, np.int64)
    reported = 0
    for cell in range(cells):
        points = by_home[homes[cell] : homes[cell + 1]]
        rows = rows_of[borders[cell] : borders[cell + 1]]
        if len(points) and len(rows):
            new_cosine, new = _top(vectors[rows], vectors[points], min(k, len(points)))
            _merge(cosine, found, rows, new_cosine, points[new].astype(np.int64))
        share = n * (cell + 1) // cells
        done(share - reported)
        reported = share
    return cosine, found


def _merge(
    cosine: Vectors,
    found: npt.NDArray[np.int64],
    rows: Ints32,
    new_cosine: Vectors,
    new: npt.NDArray[np.int64],
) -> None:
    """Keeps the greatest of what each row had and what a cell adds."""
    k = cosine.shape[1]
    better = new_cosine[:, 0] > cosine[rows, -1]
    rows, new_cosine, new = rows[better], new_cosine[better], new[better]
    both = np.concatenate((cosine[rows], new_cosine), axis=1)
    ids = np.concatenate((found[rows], new), axis=1)
    order = np.argsort(-both, axis=1, kind="stable")[:, :k]
    cosine[rows] = np.take_along_axis(both, order, 1)
    found[rows] = np.take_along_axis(ids, order, 1)


def _probes(vectors: Vectors, centroids: Vectors, home: npt.NDArray[np.int64], *, k: int, seed: int) -> int:
    """The fewest cells per row that hold the target share of the true neighbours of a sample."""
    sample = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:_SAMPLE])
    truth = _top(vectors[sample], vectors, k)[1]
    nearest_cells = _top(vectors[sample], centroids, len(centroids))[1]
    rank = np.empty_like(nearest_cells)
    np.put_along_axis(rank, nearest_cells, np.broadcast_to(np.arange(len(centroids)), rank.shape), 1)
    needed = np.sort(np.take_along_axis(rank, home[truth], 1).ravel())
    return int(needed[int(np.ceil(TARGET_RECALL * len(needed))) - 1]) + 1
