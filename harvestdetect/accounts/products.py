"""Inner products of rows of sparse matrices, pair by pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harvestdetect.util.arrays import AnyInts, Floats32

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["pair_products", "row_products"]

PAIRS_AT_ONCE: Final = 65_536
"""Pairs whose rows are copied at a time."""


def row_products(first: sparse.csr_matrix, second: sparse.csr_matrix) -> Floats32:
    """The inner product of each row of a matrix with the same row of another: float32[r]."""
    return np.asarray(first.multiply(second).sum(axis=1), np.float32).ravel()


def pair_products(matrix: sparse.csr_matrix, first: AnyInts, second: AnyInts) -> Floats32:
    """The inner products of pairs of rows of a matrix: float32[m].

    Args:
        matrix: float32[r, c].
        first: int[m], one row of each pair.
        second: int[m], the other.
    """
    found = np.empty(len(first), np.float32)
    for start in range(0, len(first), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        found[part] = row_products(matrix[first[part]], matrix[second[part]])
    return found
