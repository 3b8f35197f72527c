"""Nearest neighbours of unit vectors. Only this package deals in similarities; all other code sees distances.

Few vectors are compared with each other (:mod:`harvestdetect.neighbors.exact`). Many are searched by cells and by
neighbours of neighbours (:mod:`harvestdetect.neighbors.by_cells`).

Everything runs in fixed blocks, so the result does not depend on the number of threads or on the order of blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeAlias

import numpy as np

from harvestdetect.data import Neighbors
from harvestdetect.neighbors.by_cells import search_by_cells
from harvestdetect.neighbors.exact import search_exactly, top_cosines
from harvestdetect.neighbors.lists import Pool, Search, chord_distance
from harvestdetect.neighbors.partition import Partition
from harvestdetect.util.arrays import Floats32, Ints32, unit
from harvestdetect.util.blas import limit_blas
from harvestdetect.util.machine import cores
from harvestdetect.util.vectors import Rows

__all__ = ["Known", "chord_distance", "nearest", "nearest_to", "thread_pool"]

_ROWS_PER_COPY: Final = 65_536
"""Rows whose known neighbours are copied at a time."""

Known: TypeAlias = tuple[Neighbors, Ints32]
"""Neighbours that an earlier search found, and where its rows are now."""


def nearest(
    vectors: Rows,
    *,
    k: int,
    exact_below: int = 30_000,
    threads: int = 0,
    seed: int = 0,
    progress: Callable[[int], object] = lambda rows: None,
    notes: Callable[[str], object] = lambda note: None,
    known: Known | None = None,
    partition: Partition | None = None,
    leave: Callable[[Partition], object] = lambda partition: None,
) -> Neighbors:
    """The k nearest other rows of each row.

    Many parameters because all but the first two are independent options with defaults.

    Args:
        vectors: float16 or float32[n, d], rows of length 1 up to rounding; an array or a
            :class:`~harvestdetect.util.vectors.RowFile`. A :class:`numpy.memmap` is taken as an array, and its pages
            then count as the process's memory.
        k: how many. Rows of the result end with -1 and inf if fewer than k others were found.
        exact_below: most rows of an exact search. Above, the search is inexact, until
            :data:`~harvestdetect.neighbors.recall.TARGET_RECALL` is reached on a sample.
        threads: 0 takes all cores.
        seed: of the cells.
        progress: called with the number of rows done since the last call.
        notes: called with a sentence that states the recall of an inexact search.
        known: what was found among m other rows, and int32[m], the place of each of them among these rows, -1 if it
            is gone. Only rows that are new or lost a neighbour are searched, and new rows enter the lists of others.
        partition: of these rows, as an inexact search of most of them made it. It saves making cells.
        leave: called with the partition that an inexact search has used.

    Raises:
        ValueError: ``known`` has another k, or places two rows at one.
    """
    n = len(vectors)
    # Memory that is not written to yet counts for nothing, and a search of all rows by cells writes these last.
    index, distance = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    if known is not None or n <= max(exact_below, 1):
        index[...], distance[...] = -1, np.inf
    wanted = np.arange(n, dtype=np.int32) if known is None else _copy_known(known, index, distance)
    entering = np.ones(n, bool)
    if known is not None:
        entering[known[1][known[1] >= 0]] = False
    progress(n - len(wanted))
    if n < 2 or not len(wanted):
        progress(len(wanted))
        return Neighbors(index=index, distance=distance)
    with thread_pool(threads, codes=n > exact_below) as pool:
        search = Search(
            vectors=vectors, wanted=wanted, entering=entering, index=index, distance=distance, pool=pool, done=progress
        )
        if n <= exact_below:
            search_exactly(search, unit(vectors[:]))
        else:
            search_by_cells(search, seed=seed, notes=notes, partition=partition, on_partition=leave)
    return Neighbors(index=index, distance=distance)


def nearest_to(queries: Floats32, vectors: Floats32, *, k: int) -> Neighbors:
    """The k rows of ``vectors`` nearest to each of the ``queries``, exactly."""
    ids = np.full((len(queries), k), -1, np.int32)
    distance = np.full((len(queries), k), np.inf, np.float32)
    if len(queries) and len(vectors):
        cosine, found = top_cosines(queries, vectors, min(k, len(vectors)))
        ids[:, : found.shape[1]] = found
        distance[:, : found.shape[1]] = chord_distance(cosine)
    return Neighbors(index=ids, distance=distance)


@contextmanager
def thread_pool(threads: int, *, codes: bool) -> Iterator[Pool]:
    """Threads for the blocks. Matrix products inside a block run on one thread.

    Args:
        threads: 0 takes all cores.
        codes: whether torch may multiply codes.
    """
    with (
        limit_blas(1),
        ThreadPoolExecutor(threads or cores(), initializer=_one_thread, initargs=(codes,)) as pool,
    ):
        yield pool


def _one_thread(codes: bool) -> None:
    import faiss

    faiss.omp_set_num_threads(1)
    if codes:
        import torch

        torch.set_num_threads(1)


def _copy_known(known: Known, index: Ints32, distance: Floats32) -> Ints32:
    """Copies known neighbours to the present places of their rows. Returns the rows to be searched, ascending."""
    old, place = known
    n, k = index.shape
    if old.index.shape[1] != k:
        raise ValueError(f"the known neighbours have k = {old.index.shape[1]}, the search has k = {k}")
    kept = np.flatnonzero(place >= 0)
    if len(kept) and np.bincount(place[kept]).max() > 1:
        raise ValueError("two known rows are placed at one row")
    wanted = np.ones(n, bool)
    for start in range(0, len(kept), _ROWS_PER_COPY):
        rows = kept[start : start + _ROWS_PER_COPY]
        found = old.index[rows]
        moved = np.where(found < 0, np.int32(-1), place[found])
        whole = ~((moved < 0) & (found >= 0)).any(axis=1)
        rows, moved = rows[whole], moved[whole]
        index[place[rows]] = moved
        distance[place[rows]] = old.distance[rows]
        wanted[place[rows]] = False
    return np.flatnonzero(wanted).astype(np.int32)
