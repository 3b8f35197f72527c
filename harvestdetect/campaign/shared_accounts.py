"""How many accounts two sets of prompts share, and how many they would by chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.util.arrays import Floats, Ints, Ints32, ranges

__all__ = ["Overlaps", "Pairs", "blocks", "by_chance", "log_tail", "overlaps_of", "shared_pairs"]


LEAST_LOG_P: Final = -1e6
"""No logarithm of a tail is smaller."""
CELLS: Final = 1 << 20
"""Pairs of sets, or terms of their sums, that are held at a time."""
HALF: Final = 32
"""Bits of a packed number for the prompts; those above count accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaps:
    """Who sent what in c sets of prompts that share no prompt."""

    held: Any
    """Sparse int64[c, a] (CSR): 1 where an account sent into a set."""
    packed: Any
    """Sparse int64[c, a] (CSR): its prompts there plus 2**32, so that one product sums accounts and prompts."""
    held_by: Any
    """``held`` transposed: int64[a, c] (CSR)."""
    packed_by: Any
    """``packed`` transposed: int64[a, c] (CSR)."""
    size: Ints
    """int64[c]: accounts of each set."""
    sent: Ints
    """int64[c]: prompts of each set."""
    own: Ints
    """int64[c]: all prompts of its accounts."""
    rest: Ints
    """int64[r]: set after set, the distinct numbers of prompts that its accounts sent elsewhere, ascending."""
    times: Ints
    """int64[r]: how many of the set's accounts sent so many."""
    start: Ints
    """int64[c + 1]: where each set begins in these."""
    total: int
    """Prompts of the corpus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Some pairs of sets, each int64[n]."""

    first: Ints
    second: Ints
    shared: Ints
    """Accounts that the two have in common."""
    inside: Ints
    """Prompts of the second set by the accounts of the first."""
    back: Ints
    """Prompts of the first set by the accounts of the second."""

    def at(self, chosen: npt.NDArray[Any]) -> Pairs:
        """Those at a mask, or at positions."""
        return Pairs(
            first=self.first[chosen],
            second=self.second[chosen],
            shared=self.shared[chosen],
            inside=self.inside[chosen],
            back=self.back[chosen],
        )


def overlaps_of(accounts: Sequence[Ints32], prompts: Sequence[Ints32], volume: Ints32) -> Overlaps:
    """The overlaps of some sets.

    Args:
        accounts: for each of c sets the distinct accounts, ascending.
        prompts: beside each account its prompts in that set.
        volume: int32[a], prompts of every account.
    """
    from scipy import sparse

    size = np.array([len(a) for a in accounts], np.int64)
    shape = (len(accounts), len(volume))
    rows = np.repeat(np.arange(len(accounts)), size)
    columns = np.concatenate([np.empty(0, np.int32), *accounts])
    hits = np.concatenate([np.empty(0, np.int64), *prompts]).astype(np.int64)
    held = sparse.csr_matrix((np.ones(len(rows), np.int64), (rows, columns)), shape)
    packed = sparse.csr_matrix((hits + (1 << HALF), (rows, columns)), shape)
    # equal terms are computed once: accounts that sent as many prompts elsewhere
    rest, times = np.unique(rows << HALF | np.maximum(volume[columns] - hits, 0), return_counts=True)
    return Overlaps(
        held=held,
        packed=packed,
        held_by=held.T.tocsr(),
        packed_by=packed.T.tocsr(),
        size=size,
        sent=np.array([int(p.sum()) for p in prompts], np.int64),
        own=np.array([int(volume[a].sum()) for a in accounts], np.int64),
        rest=rest & (1 << HALF) - 1,
        times=times,
        start=np.searchsorted(rest >> HALF, np.arange(len(accounts) + 1)),
        total=int(volume.sum()),
    )


def blocks(overlaps: Overlaps) -> Iterator[slice]:
    """All sets in turn, as many at a time as share accounts with others :data:`CELLS` times at most, or one."""
    met = np.diff(overlaps.held_by.indptr)  # sets of each account
    done = np.cumsum(overlaps.held @ met)
    low = 0
    while low < len(done):
        high = max(int(np.searchsorted(done, (done[low - 1] if low else 0) + CELLS, side="right")), low + 1)
        yield slice(low, high)
        low = high


def shared_pairs(overlaps: Overlaps, block: slice) -> Pairs:
    """Each of some sets with each other set that shares accounts with it, by the first, then by the second.

    Args:
        overlaps: of all sets.
        block: one of :func:`blocks`.
    """
    there = overlaps.held[block] @ overlaps.packed_by
    back = overlaps.packed[block] @ overlaps.held_by
    # no packed number is zero, so that both hold the same pairs
    there.sort_indices()
    back.sort_indices()
    first = np.repeat(np.arange(block.start, block.stop), np.diff(there.indptr))
    apart = first != there.indices
    low = (1 << HALF) - 1
    return Pairs(
        first=first[apart],
        second=there.indices[apart].astype(np.int64),
        shared=there.data[apart] >> HALF,
        inside=there.data[apart] & low,
        back=back.data[apart] & low,
    )


def by_chance(overlaps: Overlaps, pairs: Pairs) -> Floats:
    """Accounts that the sets of each pair would share: float64[n].

    The accounts of one set send into the other as often as all accounts outside the first do, given how much each of
    them sent; the larger of the two directions counts.
    """
    return np.maximum(
        _falling(overlaps, pairs.first, pairs.second, pairs.inside),
        _falling(overlaps, pairs.second, pairs.first, pairs.back),
    )


def _falling(overlaps: Overlaps, one: Ints, other: Ints, inside: Ints) -> Floats:
    """Accounts of one set that would send into the other, of which ``inside`` prompts are theirs."""
    rate = (overlaps.sent[other] - inside + 1) / np.maximum(overlaps.total - overlaps.own[one], 1)
    stays = np.log1p(-np.minimum(rate, 1 - 1e-12))
    width = np.diff(overlaps.start)[one]
    ends = np.cumsum(width)
    found = np.empty(len(one))
    low = 0
    while low < len(one):
        done = int(ends[low - 1]) if low else 0
        high = max(int(np.searchsorted(ends, done + CELLS, side="right")), low + 1)
        part = width[low:high]
        terms = ranges(overlaps.start[one[low:high]], part)
        falls = -np.expm1(overlaps.rest[terms] * np.repeat(stays[low:high], part)) * overlaps.times[terms]
        found[low:high] = np.bincount(np.repeat(np.arange(high - low), part), falls, high - low)
        low = high
    return found


def log_tail(overlaps: Overlaps, shared: npt.NDArray[np.integer], expected: Floats) -> Floats:
    """Natural log of the Poisson tail of sharing so many accounts, times the number of pairs of sets (Bonferroni)."""
    from scipy.stats import poisson

    count = len(overlaps.sent)
    return np.asarray(
        np.maximum(poisson.logsf(shared - 1, expected), LEAST_LOG_P) + np.log(count * (count - 1) / 2), np.float64
    )
