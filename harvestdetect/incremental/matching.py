"""Matches clusters and candidates of this scan with those of an earlier scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harvestdetect.incremental.folder import pack
from harvestdetect.util.amounts import NEARLY_ALL
from harvestdetect.util.arrays import AnyArray

__all__ = ["most_alike", "similar_size"]


def similar_size(first: int, second: int) -> bool:
    """Whether two sets of these sizes can have a Jaccard index of at least :data:`NEARLY_ALL`."""
    return NEARLY_ALL <= first / max(second, 1) <= 1 / NEARLY_ALL


def most_alike(old: Sequence[AnyArray], new: Sequence[AnyArray], *, count: int) -> dict[int, int]:
    """For each new set, the most similar old set, if their Jaccard index is at least :data:`NEARLY_ALL`.

    Args:
        old: sets of numbers below ``count``; -1 marks members that are gone.
        new: sets of numbers below ``count``.
        count: upper bound of the numbers.
    """
    from scipy import sparse

    def incidence(sets: Sequence[AnyArray]) -> Any:
        start, packed = pack([members[members >= 0] for members in sets])
        return sparse.csr_matrix((np.ones(len(packed), np.int32), packed, start), shape=(len(sets), count))

    if not old or not new:
        return {}
    both = (incidence(new) @ incidence(old).T).tocoo()
    size_new, size_old = np.array([len(members) for members in new]), np.array([len(members) for members in old])
    index = both.data / (size_new[both.row] + size_old[both.col] - both.data)
    chosen = np.flatnonzero(index >= NEARLY_ALL)
    # Sorted so that the most similar comes last, and the first of equals: the last entry of a key stays in the dict.
    chosen = chosen[np.lexsort((-both.col[chosen], index[chosen], both.row[chosen]))]
    return dict(zip(both.row[chosen].tolist(), both.col[chosen].tolist(), strict=True))
