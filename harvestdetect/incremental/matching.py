"""When a cluster or a candidate of this scan is the same as one of an earlier scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from harvestdetect.incremental.folder import pack
from harvestdetect.util.arrays import AnyArray

__all__ = ["SAME_CANDIDATE", "SAME_SET", "most_alike", "similar_size"]

SAME_SET: Final = 0.8
"""Jaccard index from which two clusters (by their texts) or two candidates (by their accounts) are the same."""
SAME_CANDIDATE: Final = 0.5
"""Jaccard index from which two candidates are the same where fewer accounts have joined than a campaign needs."""


def similar_size(one: int, other: int, least: float = SAME_SET) -> bool:
    """Whether two sizes differ by no more than a Jaccard index of ``least`` allows."""
    return least <= one / max(other, 1) <= 1 / least


def most_alike(
    old: Sequence[AnyArray], new: Sequence[AnyArray], *, count: int, jaccard: float = SAME_SET
) -> dict[int, int]:
    """For each new set the most similar old set, where one is similar enough.

    Args:
        old: sets of numbers below ``count``; -1 stands for members that are gone.
        new: sets of numbers below ``count``.
        count: how many numbers there are.
        jaccard: the Jaccard index that two sets must reach.
    """
    from scipy import sparse

    def incidence(sets: Sequence[AnyArray]) -> Any:
        start, members = pack([own[own >= 0] for own in sets])
        return sparse.csr_matrix((np.ones(len(members), np.int32), members, start), shape=(len(sets), count))

    if not old or not new:
        return {}
    both = (incidence(new) @ incidence(old).T).tocoo()
    size_new, size_old = np.array([len(own) for own in new]), np.array([len(own) for own in old])
    index = both.data / (size_new[both.row] + size_old[both.col] - both.data)
    chosen = np.flatnonzero(index >= jaccard)
    # Sorted so that the most similar comes last, and the first of equals: the last entry of a key stays in the dict.
    chosen = chosen[np.lexsort((-both.col[chosen], index[chosen], both.row[chosen]))]
    return dict(zip(both.row[chosen].tolist(), both.col[chosen].tolist(), strict=True))
