"""The lists of nearest neighbours that a search fills, and the order of neighbours in them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.util.arrays import Bools, Floats32, Ints32, Words
from harvestdetect.util.vectors import Rows

__all__ = ["ROWS_PER_BLOCK", "Pool", "Search", "chord_distance", "first_of_each"]

ROWS_PER_BLOCK: Final = 4_096
"""Number of rows that one thread searches at a time."""

Pool: TypeAlias = ThreadPoolExecutor


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search for the k nearest neighbours of some of n rows. ``index`` and ``distance`` are filled in place."""

    vectors: Rows
    """float16 or float32[n, d]: rows of length 1, up to rounding."""
    wanted: Ints32
    """int32[m], ascending: the rows that are searched."""
    entering: Bools
    """bool[n]: new rows, which also enter the lists of rows that are not searched."""
    index: Ints32
    """int32[n, k]: neighbours of each row, -1 if there are fewer than k."""
    distance: Floats32
    """float32[n, k]: chord distance of each neighbour, inf if there are fewer than k."""
    pool: Pool
    done: Callable[[int], object]
    """Called with the number of rows done since the last call."""


def chord_distance(cosine: npt.NDArray[Any]) -> Floats32:
    """The straight distance between two points of the unit sphere: sqrt(2 - 2 cos)."""
    return np.sqrt(np.clip(2.0 - 2.0 * cosine, 0.0, 4.0)).astype(np.float32)


def first_of_each(chord: Floats32, found: Ints32, k: int) -> tuple[Ints32, Floats32]:
    """The k nearest of each row, ascending by distance and then by id.

    Args:
        chord: float32[r, m], distances.
        found: int32[r, m], ids; -1 where the distance is inf.
        k: how many.

    Returns:
        int32[r, k], ids; float32[r, k], distances. They end with -1 and inf if there are fewer than k.
    """
    if chord.shape[1] < k:
        fill = ((0, 0), (0, k - chord.shape[1]))
        chord = np.pad(chord, fill, constant_values=np.inf)
        found = np.pad(found, fill, constant_values=-1)
    return _unpacked(np.sort(_packed(chord, found), axis=1)[:, :k])


def _packed(value: Floats32, ids: Ints32) -> Words:
    """A value of at least 0 and an id as one number that sorts by value, then by id. A value of inf sorts last."""
    packed = (value + np.float32(0.0)).view(np.uint32).astype(np.uint64) << np.uint64(32)
    packed |= ids.astype(np.uint32)
    packed[np.isinf(value)] = np.iinfo(np.uint64).max
    return packed


def _unpacked(packed: Words) -> tuple[Ints32, Floats32]:
    """The inverse of :func:`_packed`: ids (-1 where the value is inf) and values."""
    ids = packed.astype(np.uint32).view(np.int32)
    value = (packed >> np.uint64(32)).astype(np.uint32).view(np.float32)
    return ids, np.where(np.isnan(value), np.float32(np.inf), value)
