"""How many accounts two sets of prompts have in common, and how many by chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from harvestdetect.util.arrays import AnyArray, AnyInts, Floats, Ints, Ints32, blocks_of, ranges
from harvestdetect.util.tails import poisson_log_tail

__all__ = ["Overlaps", "Pairs", "blocks", "by_chance", "log_tail", "overlaps_of", "shared_pairs"]


MIN_LOG_P: Final = -1e6
"""Smallest logarithm of a tail that is reported, instead of minus infinity."""

CELLS_AT_ONCE: Final = 1 << 20
"""Pairs of sets, or terms of their sums, per block. It bounds memory and changes no result."""

PROMPT_BITS: Final = 32
"""Lower bits of a packed number, which count prompts; the bits above count accounts."""

MAX_RATE: Final = 1 - 1e-12
"""Highest probability that a prompt falls into a set, so that logarithms stay finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaps:
    """Who sent what in c sets of prompts that have no prompt in common."""

    sent_into: Any
    """Sparse int64[c, a] (CSR): 1 where an account sent into a set."""
    packed: Any
    """Sparse int64[c, a] (CSR): its prompts in the set plus 2**32, so that one product sums accounts and prompts."""
    sent_by: Any
    """``sent_into`` transposed: int64[a, c] (CSR)."""
    packed_by: Any
    """``packed`` transposed: int64[a, c] (CSR)."""
    size: Ints
    """int64[c]: accounts of each set."""
    sent: Ints
    """int64[c]: prompts of each set."""
    own: Ints
    """int64[c]: all prompts of its accounts."""
    rest: Ints
    """int64[r]: a histogram for each set, one after another: numbers of prompts that its accounts sent elsewhere,
    ascending."""
    times: Ints
    """int64[r]: how many of the set's accounts sent that many prompts elsewhere."""
    start: Ints
    """int64[c + 1]: where the histogram of each set begins."""
    total: int
    """Prompts of the corpus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """n pairs of sets; each array is int64[n]."""

    first: Ints
    second: Ints
    shared: Ints
    """Accounts that the two sets have in common."""
    inside: Ints
    """Prompts of the second set by the accounts of the first."""
    back: Ints
    """Prompts of the first set by the accounts of the second."""

    def at(self, chosen: AnyArray) -> Pairs:
        """The pairs selected by a mask or by positions."""
        return Pairs(
            first=self.first[chosen],
            second=self.second[chosen],
            shared=self.shared[chosen],
            inside=self.inside[chosen],
            back=self.back[chosen],
        )


def overlaps_of(accounts: Sequence[Ints32], prompts: Sequence[Ints32], volume: Ints32) -> Overlaps:
    """Who sent what in some sets.

    Args:
        accounts: for each of c sets the distinct accounts, ascending.
        prompts: for each set the number of prompts of each of these accounts in it.
        volume: int32[a], the number of prompts of every account.
    """
    from scipy import sparse

    size = np.array([len(a) for a in accounts], np.int64)
    shape = (len(accounts), len(volume))
    rows = np.repeat(np.arange(len(accounts)), size)
    columns = np.concatenate([np.empty(0, np.int32), *accounts])
    hits = np.concatenate([np.empty(0, np.int64), *prompts]).astype(np.int64)
    sent_into = sparse.csr_matrix((np.ones(len(rows), np.int64), (rows, columns)), shape)
    packed = sparse.csr_matrix((hits + (1 << PROMPT_BITS), (rows, columns)), shape)
    # accounts with as many prompts elsewhere have equal terms in every sum: one entry of a histogram
    rest, times = np.unique(rows << PROMPT_BITS | np.maximum(volume[columns] - hits, 0), return_counts=True)
    return Overlaps(
        sent_into=sent_into,
        packed=packed,
        sent_by=sent_into.T.tocsr(),
        packed_by=packed.T.tocsr(),
        size=size,
        sent=np.array([int(p.sum()) for p in prompts], np.int64),
        own=np.array([int(volume[a].sum()) for a in accounts], np.int64),
        rest=rest & (1 << PROMPT_BITS) - 1,
        times=times,
        start=np.searchsorted(rest >> PROMPT_BITS, np.arange(len(accounts) + 1)),
        total=int(volume.sum()),
    )


def blocks(overlaps: Overlaps) -> Iterator[slice]:
    """All sets in blocks for :func:`shared_pairs`, of at most :data:`CELLS_AT_ONCE` shared accounts, or of one set."""
    sets_of_account = np.diff(overlaps.sent_by.indptr)
    return blocks_of(overlaps.sent_into @ sets_of_account, CELLS_AT_ONCE)


def shared_pairs(overlaps: Overlaps, block: slice) -> Pairs:
    """The pairs of a set in a block and any other set with accounts in common, by the first set, then by the second.

    Args:
        overlaps: of all sets.
        block: one of :func:`blocks`.
    """
    there = overlaps.sent_into[block] @ overlaps.packed_by
    back = overlaps.packed[block] @ overlaps.sent_by
    # no packed number is zero, so both products have entries for the same pairs
    there.sort_indices()
    back.sort_indices()
    first = np.repeat(np.arange(block.start, block.stop), np.diff(there.indptr))
    apart = first != there.indices
    low = (1 << PROMPT_BITS) - 1
    return Pairs(
        first=first[apart],
        second=there.indices[apart].astype(np.int64),
        shared=there.data[apart] >> PROMPT_BITS,
        inside=there.data[apart] & low,
        back=back.data[apart] & low,
    )


def by_chance(overlaps: Overlaps, pairs: Pairs) -> Floats:
    """The expected number of accounts that the sets of each pair have in common by chance: float64[n].

    Under the null hypothesis, the accounts of one set send into the other at the rate of all accounts outside the
    first, given how much each of them sent. The larger value of the two directions counts.
    """
    return np.maximum(
        _expected_senders(overlaps, pairs.first, pairs.second, pairs.inside),
        _expected_senders(overlaps, pairs.second, pairs.first, pairs.back),
    )


def _expected_senders(overlaps: Overlaps, one: Ints, other: Ints, inside: Ints) -> Floats:
    """The expected number of accounts of one set that send into the other; ``inside`` prompts of that are theirs."""
    rate = (overlaps.sent[other] - inside + 1) / np.maximum(overlaps.total - overlaps.own[one], 1)
    stays = np.log1p(-np.minimum(rate, MAX_RATE))
    width = np.diff(overlaps.start)[one]
    found = np.empty(len(one))
    for block in blocks_of(width, CELLS_AT_ONCE):
        part = width[block]
        terms = ranges(overlaps.start[one[block]], part)
        senders = -np.expm1(overlaps.rest[terms] * np.repeat(stays[block], part)) * overlaps.times[terms]
        found[block] = np.bincount(np.repeat(np.arange(len(part)), part), senders, len(part))
    return found


def log_tail(overlaps: Overlaps, shared: AnyInts, expected: Floats) -> Floats:
    """Natural logarithm of the Poisson tail of the accounts in common, Bonferroni-corrected over all pairs of sets."""
    count = len(overlaps.sent)
    return np.asarray(
        np.maximum(poisson_log_tail(shared, expected), MIN_LOG_P) + np.log(count * (count - 1) / 2), np.float64
    )
