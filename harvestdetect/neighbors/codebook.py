"""A codebook of a space: centres by k-means, and the nearest ones of each row (vector quantisation)."""

from __future__ import annotations

from typing import Final

import numpy as np

from harvestdetect.neighbors.partition import over_all, train_centres
from harvestdetect.neighbors.quantize import NO_SCORE, int8_products, quantize, rotation
from harvestdetect.neighbors.search import thread_pool
from harvestdetect.util.arrays import Floats32, Ints32, spread, unit
from harvestdetect.util.vectors import Rows

__all__ = ["nearest_centres"]

ROWS_PER_TASK: Final = 2_048
"""Rows that one thread compares with the centres at a time."""
MEAN_OF: Final = 65_536
"""Rows, evenly chosen, from which the mean of all is computed."""


def nearest_centres(vectors: Rows, *, count: int, each: int, threads: int = 0, seed: int = 0) -> Ints32:
    """The nearest of ``count`` centres to each row, best first: int32[n, each].

    The mean of all rows is taken out first, because the texts of one log have a direction in common. The centres come
    from spherical k-means on eight-bit codes, whose products are exact: the result is the same on any machine and
    with any number of threads.

    Args:
        vectors: float16 or float32[n, d], unit rows.
        count: of centres, at most n; fewer where some stay empty.
        each: centres of each row, at most ``count``.
        threads: 0 takes all cores.
        seed: of the sample from which the centres are computed.
    """
    n, d = vectors.shape
    mean = unit(vectors[spread(n, MEAN_OF)]).mean(axis=0, dtype=np.float64).astype(np.float32)
    turn = rotation(d)
    starts = range(0, n, ROWS_PER_TASK)
    code = np.empty((n, d), np.int8)
    found = np.empty((n, each), np.int32)

    def encode(start: int) -> None:
        block = slice(start, min(start + ROWS_PER_TASK, n))
        code[block] = _code(vectors[block], mean, turn)

    with thread_pool(threads, codes=True) as pool:
        over_all(pool, encode, starts)
        centre = train_centres(code, count, pool=pool, seed=seed)
        width = min(each, len(centre))

        def compare(start: int) -> None:
            block = slice(start, min(start + ROWS_PER_TASK, n))
            product = int8_products(code[block], centre)
            row = np.arange(len(product))
            for place in range(width):  # the first of equal ones
                best = product.argmax(axis=1)
                found[block, place] = best
                product[row, best] = NO_SCORE

        over_all(pool, compare, starts)
    found[:, width:] = -1
    return found


def _code(rows: Rows, mean: Floats32, turn: Floats32) -> np.ndarray:
    return quantize(unit(unit(rows) - mean) @ turn)
