"""A codebook of a space: centres by k-means, and the nearest ones of each row (vector quantisation)."""

from __future__ import annotations

import sys
from typing import Final

import numpy as np

from harvestdetect.neighbors.partition import nearest_of, over_all, train_centres
from harvestdetect.neighbors.quantize import quantize, rotation
from harvestdetect.neighbors.search import thread_pool
from harvestdetect.util.arrays import Ints32, spread, unit
from harvestdetect.util.vectors import Rows

__all__ = ["nearest_centres"]

ROWS_PER_TASK: Final = 1_024
"""Rows that one thread encodes or compares with centres at a time."""
TRAINED_PER_CENTRE: Final = 4
"""Rows for each centre from which the centres are computed: a codebook need not be the best one."""
MEAN_OF: Final = 65_536
"""Rows, evenly chosen, from which the mean of all is computed."""


def nearest_centres(
    vectors: Rows, *, count: int, each: int = 1, rows: Ints32 | None = None, threads: int = 0, seed: int = 0
) -> Ints32:
    """The nearest of ``count`` centres to each row, best first: int32[n, each]; -1 where there are fewer centres.

    The mean of all rows is taken out first, because the texts of one log have a direction in common. The centres come
    from spherical k-means on eight-bit codes, whose products are exact: the result is the same on any machine and
    with any number of threads.

    Args:
        vectors: float16 or float32[m, d], unit rows but for rounding.
        count: of centres at most; empty ones are left out.
        each: centres of each row.
        rows: int32[n], the rows to use; None means all.
        threads: 0 takes all cores.
        seed: of the sample from which the centres are computed.
    """
    chosen = np.arange(vectors.shape[0], dtype=np.int32) if rows is None else rows
    n, d = len(chosen), vectors.shape[1]
    found = np.full((n, each), -1, np.int32)
    if not n:
        return found
    mean = unit(vectors[chosen[spread(n, MEAN_OF)]]).mean(axis=0, dtype=np.float64).astype(np.float32)
    turn = rotation(d)
    starts = range(0, n, ROWS_PER_TASK)
    code = np.empty((n, d), np.int8)

    def encode(start: int) -> None:
        part = chosen[start : start + ROWS_PER_TASK]
        code[start : start + len(part)] = quantize(unit(unit(vectors[part]) - mean) @ turn)

    with thread_pool(threads, codes="torch" in sys.modules) as pool:
        over_all(pool, encode, starts)
        centre = train_centres(code, min(count, n), each=TRAINED_PER_CENTRE, over=pool.map, seed=seed)

        def compare(start: int) -> None:
            part = slice(start, start + ROWS_PER_TASK)
            found[part] = nearest_of(code[part], centre, each)

        over_all(pool, compare, starts)
    return found
