"""Whether the members were first seen together, and whether most accounts of that time are members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.data import NO_TIME
from harvestdetect.evidence.observation import Observation
from harvestdetect.util.amounts import EXCEPTIONAL, MIN_SAMPLE
from harvestdetect.util.arrays import AnyInts, Ints, Ints32
from harvestdetect.util.periods import DAY
from harvestdetect.util.tails import hypergeometric_tail

__all__ = ["FirstSeen", "cohort_coverage", "first_seen_of"]


COUNTED: Final = 1 << 22
"""Counts of accounts by time and volume that are stored at most, which bounds memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSeen:
    """When the accounts of a dump were first seen, to be counted by time and volume."""

    first: Ints
    """int64[accounts], seconds of the first prompt of each, or NO_TIME."""
    volume: AnyInts
    """int[accounts], requests of each."""
    time: Ints
    """int64[b], ascending: ``first`` of those that have one."""
    rank: Ints32
    """int32[b]: the volume of each of these, as a position in ``volumes``."""
    volumes: AnyInts
    """int[v], ascending: the volumes there are."""
    step: int
    """Accounts to a row of ``up_to``."""
    up_to: Ints32
    """int32[., v + 1]: entry [i, j] counts the accounts among the first ``i * step`` in ``time`` whose rank is below
    j."""

    def count(self, least: float, most: float, low: float = -np.inf, high: float = np.inf) -> int:
        """Accounts of ``least`` to ``most`` requests that were first seen from ``low`` to ``high``."""
        ranks = np.searchsorted(self.volumes, least), np.searchsorted(self.volumes, most, side="right")
        ends = np.searchsorted(self.time, low), np.searchsorted(self.time, high, side="right")
        found = [0, 0]
        for i, end in enumerate(map(int, ends)):
            row = end // self.step
            rest = self.rank[row * self.step : end]
            found[i] = int(self.up_to[row, ranks[1]] - self.up_to[row, ranks[0]])
            found[i] += int(((rest >= ranks[0]) & (rest < ranks[1])).sum())
        return max(found[1] - found[0], 0)


def first_seen_of(first: Ints, volume: AnyInts) -> FirstSeen:
    """When the accounts of a dump were first seen.

    Args:
        first: int64[accounts], seconds of the first prompt of every account of the dump, or NO_TIME.
        volume: int[accounts], requests of every account.
    """
    dated = np.flatnonzero(first != NO_TIME)
    dated = dated[np.argsort(first[dated], kind="stable")]
    volumes, rank = np.unique(volume[dated], return_inverse=True)
    step = max(int(np.sqrt(len(dated))), len(dated) * (len(volumes) + 1) // COUNTED, 1)
    rows = len(dated) // step + 1
    counts = np.bincount(
        np.arange(len(dated)) // step * (len(volumes) + 1) + rank + 1, minlength=rows * (len(volumes) + 1)
    )
    up_to = np.zeros((rows + 1, len(volumes) + 1), np.int32)
    up_to[1:] = counts.reshape(rows, -1).cumsum(axis=0).cumsum(axis=1)
    return FirstSeen(
        first=first,
        volume=volume,
        time=first[dated],
        rank=rank.astype(np.int32),
        volumes=volumes,
        step=step,
        up_to=up_to,
    )


def cohort_coverage(seen: FirstSeen, members: Ints32, *, outside: int, seed: int) -> Observation | None:
    """Whether accounts first seen when the members were are members more often than accounts of any other time.

    Half of the members, drawn at random, set the window of time and of volume; the other half is counted. If all
    members did both, the window would fit them by construction. The window leaves out
    :data:`~harvestdetect.util.amounts.EXCEPTIONAL` of the half that sets it, at either end. If members come when
    other accounts do, the number of them within the window is hypergeometric among accounts of comparable volume.

    Args:
        seen: when all accounts of the dump were first seen.
        members: int32[a], ascending.
        outside: accounts that sent the candidate's texts and were not taken as members.
        seed: of the draw.

    Returns:
        None where fewer than :data:`~harvestdetect.util.amounts.MIN_SAMPLE` members of either half have a time.
    """
    first, volume = seen.first, seen.volume
    own = members[first[members] != NO_TIME]
    if len(own) < 2 * MIN_SAMPLE:
        return None
    set_by, counted_by = np.array_split(np.random.default_rng(seed).permutation(own), 2)
    low, high = np.quantile(first[set_by], (EXCEPTIONAL, 1 - EXCEPTIONAL))
    least, most = np.quantile(volume[set_by], (EXCEPTIONAL, 1 - EXCEPTIONAL))

    def members_of(accounts: Ints32) -> tuple[int, int]:
        """How many of some accounts have a comparable volume, and how many of these were first seen within."""
        comparable = accounts[(volume[accounts] >= least) & (volume[accounts] <= most)]
        return len(comparable), int(((first[comparable] >= low) & (first[comparable] <= high)).sum())

    every, cohort = seen.count(least, most), seen.count(least, most, low, high)
    (set_all, set_within), (counted_all, counted) = members_of(set_by), members_of(counted_by)
    p_value = hypergeometric_tail(counted, total=every - set_all, marked=counted_all, drawn=cohort - set_within)
    within, senders = set_within + counted, len(members) + outside
    usual = (set_all + counted_all) / max(every, 1)
    return Observation(
        value=within / max(cohort, 1),
        null="accounts of comparable volume first seen at any time (hypergeometric)",
        expected=usual,
        p_value=p_value,
        sentence=(
            f"{within:,} of the {cohort:,} accounts that were first seen within the same {(high - low) / DAY:.1f} "
            f"days and sent as many prompts are members ({within / max(cohort, 1):.0%}); {usual:.0%} of the accounts "
            f"of any time are. {len(members) / senders:.0%} of the {senders:,} accounts that sent such prompts are "
            "members."
        ),
    )
