"""Exact nearest neighbours: every row is compared with every other one, by FAISS."""

from __future__ import annotations

import numpy as np

from harvestdetect.neighbors.lists import ROWS_PER_BLOCK, Search, chord_distance, first_of_each
from harvestdetect.neighbors.partition import over_all
from harvestdetect.util.arrays import Floats32, Ints, Ints32

__all__ = ["search_exactly", "top_cosines"]


def search_exactly(search: Search, vectors: Floats32) -> None:
    """Compares the wanted rows with all rows. Entering rows also enter the lists of the other rows.

    Args:
        search: what is searched, and the lists that are filled.
        vectors: float32[n, d], the rows of ``search`` scaled to length 1.
    """
    n, k = search.index.shape
    wanted, index, distance = search.wanted, search.index, search.distance

    def fill(start: int) -> int:
        rows = wanted[start : start + ROWS_PER_BLOCK]
        cosine, found = top_cosines(vectors[rows], vectors, min(k + 1, n))
        index[rows], distance[rows] = _without_self(cosine, found, rows, k)
        return len(rows)

    for count in search.pool.map(fill, range(0, len(wanted), ROWS_PER_BLOCK)):
        search.done(count)
    others = np.setdiff1d(np.arange(n, dtype=np.int32), wanted, assume_unique=True)
    new = np.flatnonzero(search.entering).astype(np.int32)
    if not len(new):
        return

    def enter(start: int) -> None:
        rows = others[start : start + ROWS_PER_BLOCK]
        cosine, found = top_cosines(vectors[rows], vectors[new], min(k, len(new)))
        chord = np.concatenate((distance[rows], chord_distance(cosine)), axis=1)
        ids = np.concatenate((index[rows], new[found]), axis=1)
        index[rows], distance[rows] = first_of_each(chord, ids, k)

    over_all(search.pool, enter, range(0, len(others), ROWS_PER_BLOCK))


def top_cosines(queries: Floats32, vectors: Floats32, k: int) -> tuple[Floats32, Ints]:
    """The greatest cosines of each query and the rows that have them: float32[q, k], int64[q, k]."""
    import faiss

    cosine, found = faiss.knn(
        np.ascontiguousarray(queries, np.float32),
        np.ascontiguousarray(vectors, np.float32),
        k,
        metric=faiss.METRIC_INNER_PRODUCT,
    )
    return np.asarray(cosine), np.asarray(found)


def _without_self(cosine: Floats32, found: Ints, rows: Ints32, k: int) -> tuple[Ints32, Floats32]:
    """The neighbours of a block of rows, without each row itself."""
    chord = np.where(found < 0, np.float32(np.inf), chord_distance(cosine))
    chord[found == rows[:, None]] = np.inf
    return first_of_each(chord, found.astype(np.int32), k)
