"""How much sets have in common: accounts of groups, or their prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harvestdetect.util.arrays import Floats, Ints, Ints32

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Overlap", "distinct", "members", "overlaps"]


class Overlap(NamedTuple):
    """What one set has in common with those of a list that it overlaps with."""

    places: Ints32
    """int32[s]: the positions of these sets in the list."""
    shared: Ints
    """int[s]: how many numbers both have."""
    jaccard: Floats
    """float64[s]: the Jaccard index."""


def members(sets: Sequence[Ints32], count: int) -> sparse.csr_matrix:
    """Which set has which of ``count`` numbers: int32[sets, count], ones."""
    from scipy import sparse

    start = np.concatenate(([0], np.cumsum([len(one) for one in sets], dtype=np.int64)))
    column = np.concatenate(sets) if sets else np.empty(0, np.int32)
    return sparse.csr_matrix((np.ones(len(column), np.int32), column, start), shape=(len(sets), count))


def overlaps(first: Sequence[Ints32], second: Sequence[Ints32], *, count: int) -> Iterator[Overlap]:
    """For each set, how it overlaps with those of another list.

    Args:
        first: int32[.] each, distinct numbers.
        second: the same.
        count: above every number.
    """
    rows, columns = members(first, count), members(second, count)
    overlap = (rows @ columns.T).tocsr()
    size, other = np.diff(rows.indptr), np.diff(columns.indptr)
    for number in range(len(first)):
        part = slice(overlap.indptr[number], overlap.indptr[number + 1])
        places, shared = overlap.indices[part], overlap.data[part]
        yield Overlap(places, shared, shared / (size[number] + other[places] - shared))


def distinct(sets: Sequence[Ints32], least: Sequence[float], *, count: int) -> list[int]:
    """The positions of the sets that are not the same as an earlier one that is kept, ascending.

    Args:
        sets: int32[.] each, distinct numbers.
        least: of each set, the Jaccard index from which it is the same as another.
        count: above every number.
    """
    kept = np.zeros(len(sets), bool)
    for number, one in enumerate(overlaps(sets, sets, count=count)):
        kept[number] = not (kept[one.places] & (one.jaccard >= least[number])).any()
    return np.flatnonzero(kept).tolist()
