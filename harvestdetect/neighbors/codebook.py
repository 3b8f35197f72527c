"""A codebook of a space: centres by k-means, and the nearest ones of each row (vector quantisation)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import numpy as np

from harvestdetect.neighbors.partition import nearest_of, over_all, train_centres
from harvestdetect.neighbors.quantize import quantize, rotation
from harvestdetect.neighbors.search import thread_pool
from harvestdetect.util.arrays import Ints, Ints8, Ints32, spread, unit
from harvestdetect.util.vectors import Rows

__all__ = ["nearest_at_scales", "nearest_centres"]

ROWS_PER_TASK: Final = 1_024
"""Rows that one thread encodes and compares with centres at a time."""
TRAINED_PER_CENTRE: Final = 4
"""Rows for each centre from which the centres are computed: a codebook need not be the best one."""
MEAN_OF: Final = 65_536
"""Rows, evenly chosen, from which the mean of all is computed."""


def nearest_centres(
    vectors: Rows, *, count: int, each: int = 1, rows: Ints32 | None = None, threads: int = 0, seed: int = 0
) -> Ints32:
    """The nearest of ``count`` centres to each row, best first: int32[n, each]; -1 where there are fewer centres.

    Arguments as for :func:`nearest_at_scales`.
    """
    return nearest_at_scales(vectors, counts=[count], each=each, rows=rows, threads=threads, seed=seed)[0]


def nearest_at_scales(
    vectors: Rows,
    *,
    counts: Sequence[int],
    each: int = 1,
    rows: Ints32 | None = None,
    threads: int = 0,
    seed: int = 0,
) -> list[Ints32]:
    """The nearest centres to each row in several codebooks, best first.

    The mean of all rows is taken out first, because the texts of one log have a direction in common. The centres come
    from spherical k-means on eight-bit codes, whose products are exact: the result is the same on any machine and
    with any number of threads. Codes are computed block by block, so only those of a few rows are in memory.

    Args:
        vectors: float16 or float32[m, d], unit rows but for rounding.
        counts: of the centres of each codebook at most; empty ones are left out.
        each: centres of each row.
        rows: int32[n], the rows to use; None means all.
        threads: 0 takes all cores.
        seed: of the sample from which the centres are computed.

    Returns:
        for each codebook int32[n, each]; -1 where there are fewer centres.
    """
    chosen = np.arange(vectors.shape[0], dtype=np.int32) if rows is None else rows
    n = len(chosen)
    found = [np.full((n, each), -1, np.int32) for _ in counts]
    if not n:
        return found
    code = _Codes(vectors, chosen)
    with thread_pool(threads, codes="torch" in sys.modules) as pool:
        centres = [
            train_centres(code, min(count, n), each=TRAINED_PER_CENTRE, over=pool.map, seed=seed) for count in counts
        ]

        def compare(start: int) -> None:
            part = slice(start, start + ROWS_PER_TASK)
            codes = code[part]
            for place, centre in zip(found, centres, strict=True):
                place[part] = nearest_of(codes, centre, each)

        over_all(pool, compare, range(0, n, ROWS_PER_TASK))
    return found


class _Codes:
    """The codes of some rows of vectors without their mean, rotated. They are computed when they are asked for.

    Args:
        vectors: float16 or float32[m, d].
        rows: int32[n], at least one.
    """

    def __init__(self, vectors: Rows, rows: Ints32) -> None:
        self._vectors, self._rows = vectors, rows
        some = rows[spread(len(rows), MEAN_OF)]
        total = np.zeros(vectors.shape[1])
        for start in range(0, len(some), ROWS_PER_TASK):
            total += unit(vectors[some[start : start + ROWS_PER_TASK]]).sum(axis=0, dtype=np.float64)
        self._mean = (total / len(some)).astype(np.float32)
        self._turn = rotation(vectors.shape[1])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, part: slice | Ints) -> Ints8:
        """int8[r, d]."""
        return quantize(unit(unit(self._vectors[self._rows[part]]) - self._mean) @ self._turn)
