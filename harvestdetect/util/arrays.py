"""Names of array types, and small functions on index arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = [
    *("AnyArray", "AnyInts", "Bools", "Bytes", "Digests", "Floats", "Floats16", "Floats32", "Ints", "Ints16", "Ints32"),
    *(
        "Ints8",
        "Vectors",
        "Words",
        "blocks_of",
        "changes",
        "mixed",
        "packed_pairs",
        "pairs",
        "ranges",
        "run_starts",
        "spread",
        "unique",
        "unit",
        "widened",
    ),
]

Ints: TypeAlias = npt.NDArray[np.int64]
Ints32: TypeAlias = npt.NDArray[np.int32]
Ints16: TypeAlias = npt.NDArray[np.int16]
Ints8: TypeAlias = npt.NDArray[np.int8]
AnyInts: TypeAlias = npt.NDArray[np.integer[Any]]
Words: TypeAlias = npt.NDArray[np.uint64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Floats32: TypeAlias = npt.NDArray[np.float32]
Floats16: TypeAlias = npt.NDArray[np.float16]
Vectors: TypeAlias = npt.NDArray[np.floating[Any]]
Digests: TypeAlias = npt.NDArray[np.void]
AnyArray: TypeAlias = npt.NDArray[Any]
Whole = TypeVar("Whole", bound=np.integer[Any])


def ranges(start: AnyInts, count: AnyInts) -> Ints:
    """``start[i], start[i] + 1, ..., start[i] + count[i] - 1`` for every i in turn: int64[sum of count]."""
    return np.repeat(start - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))


def blocks_of(cost: AnyInts, at_most: int) -> Iterator[slice]:
    """All rows in order, in blocks whose total cost is at most ``at_most``, or of one row.

    Args:
        cost: int[n], what each row costs, such as the bytes or the terms that it needs.
        at_most: the most that a block may cost.
    """
    done = np.cumsum(cost)
    low = 0
    while low < len(done):
        limit = (done[low - 1] if low else 0) + at_most
        high = max(int(np.searchsorted(done, limit, side="right")), low + 1)
        yield slice(low, high)
        low = high


def unique(values: npt.NDArray[Whole]) -> npt.NDArray[Whole]:
    """The distinct values, ascending.

    This sorts the values. :func:`numpy.unique` hashes integers first since numpy 2.3, which takes many times as long
    for packed pairs.
    """
    ordered = np.sort(values, axis=None)
    first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return np.asarray(ordered[first])


def pairs(first: AnyInts, second: AnyInts) -> tuple[Ints, Ints]:
    """The distinct pairs of two arrays of numbers from 0 to 2**31 - 1, ascending, as two arrays."""
    packed = unique(packed_pairs(first, second))
    return packed >> 32, packed & 0xFFFFFFFF


def packed_pairs(first: AnyInts, second: AnyInts) -> Ints:
    """Pairs of numbers from 0 to 2**31 - 1 as int64 that sort as the pairs do: ``first`` is in the upper half."""
    packed = first.astype(np.int64)
    packed <<= 32
    packed |= second
    return packed


def changes(*columns: AnyArray) -> Bools:
    """Which rows differ from the row before in any column. The first row counts as different."""
    new = np.zeros(len(columns[0]), np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new


def run_starts(*columns: AnyArray) -> Ints:
    """Where each run of rows that are equal in all columns begins: int64[runs], ascending."""
    return np.flatnonzero(changes(*columns))


def mixed(value: Words) -> Words:
    """The finalizer of SplitMix64: a bijection in which every bit depends on all."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))


def spread(count: int, at_most: int) -> Ints:
    """At most ``at_most`` positions out of ``count``, evenly spread, ascending."""
    if count <= at_most:
        return np.arange(count)
    return unique(np.linspace(0, max(count - 1, 0), min(count, at_most)).astype(np.int64))


def unit(vectors: Vectors) -> Floats32:
    """Rows scaled to length 1, float32[n, d]. The result of a row depends on that row only."""
    out = widened(vectors)
    norms = np.sqrt(np.einsum("ij,ij->i", out, out, dtype=np.float64))
    out /= np.maximum(norms, 1e-12).astype(np.float32)[:, None]
    return out


def widened(vectors: Vectors, out: Floats32 | None = None) -> Floats32:
    """Finite numbers as float32, in a new array or in ``out``, which has the same shape.

    float16 is widened by shifting bits, which is exact and several times as fast as numpy's conversion.
    """
    if out is None:
        out = np.empty(vectors.shape, np.float32)
    if vectors.dtype != np.float16:
        out[...] = vectors
        return out
    bits = out.view(np.int32)
    bits[...] = np.ascontiguousarray(vectors).view(np.int16)
    bits <<= 13
    bits &= np.int32(-0x70000001)
    out *= np.float32(2.0**112)
    return out
