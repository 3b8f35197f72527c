"""How many accounts two sets of prompts share, and how many they would by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["Overlaps", "by_chance", "log_tail", "overlaps_of"]

Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

LEAST_LOG_P: Final = -1e6
"""No logarithm of a tail is smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaps:
    """Who sent what in c sets of prompts that share no prompt."""

    shared: Any
    """Sparse int[c, c] (CSR): accounts that two sets have in common."""
    inside: Any
    """Sparse int[c, c] (CSR): prompts of the second set by the accounts of the first."""
    sent: Ints
    """int64[c]: prompts of each set."""
    own: Ints
    """int64[c]: all prompts of its accounts."""
    rest: Sequence[Ints32]
    """For each set, beside each of its accounts the prompts that the account sent elsewhere."""
    total: int
    """Prompts of the corpus."""


def overlaps_of(accounts: Sequence[Ints32], prompts: Sequence[Ints32], volume: Ints32) -> Overlaps:
    """The overlaps of some sets.

    Args:
        accounts: for each of c sets the distinct accounts, ascending.
        prompts: beside each account its prompts in that set.
        volume: int32[a], prompts of every account.
    """
    from scipy import sparse

    shape = (len(accounts), len(volume))
    rows = np.repeat(np.arange(len(accounts)), [len(a) for a in accounts])
    columns = np.concatenate([np.empty(0, np.int32), *accounts])
    held = sparse.csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape)
    amount = sparse.csr_matrix((np.concatenate([np.empty(0, np.int32), *prompts]), (rows, columns)), shape)
    return Overlaps(
        shared=(held @ held.T).tocsr(),
        inside=(held @ amount.T).tocsr(),
        sent=np.array([int(p.sum()) for p in prompts], np.int64),
        own=np.array([int(volume[a].sum()) for a in accounts], np.int64),
        rest=[np.maximum(volume[a] - p, 0) for a, p in zip(accounts, prompts, strict=True)],
        total=int(volume.sum()),
    )


def by_chance(overlaps: Overlaps, one: int, others: npt.NDArray[np.integer]) -> Floats:
    """Accounts that a set would share with each of some others: float64[len(others)].

    The accounts of one set send into the other as often as all accounts outside the first do, given how much each of
    them sent; the larger of the two directions counts.
    """

    def falling(x: int, y: npt.NDArray[np.integer]) -> Floats:
        inside = overlaps.inside[x, y].toarray().ravel()
        rate = (overlaps.sent[y] - inside + 1) / max(overlaps.total - int(overlaps.own[x]), 1)
        stays = np.log1p(-np.minimum(rate, 1 - 1e-12))
        return np.asarray(-np.expm1(overlaps.rest[x][:, None] * stays).sum(axis=0), np.float64)

    there = falling(one, others)
    back = [falling(int(y), np.array([one]))[0] for y in others]
    return np.asarray(np.maximum(there, back), np.float64)


def log_tail(overlaps: Overlaps, shared: npt.NDArray[np.integer], expected: Floats) -> Floats:
    """Natural log of the Poisson tail of sharing so many accounts, times the number of pairs of sets (Bonferroni)."""
    from scipy.stats import poisson

    count = len(overlaps.sent)
    return np.asarray(
        np.maximum(poisson.logsf(shared - 1, expected), LEAST_LOG_P) + np.log(count * (count - 1) / 2), np.float64
    )
