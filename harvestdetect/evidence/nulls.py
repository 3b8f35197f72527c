"""What chance gives: matched groups of other accounts, and p-values from what was drawn.

A campaign is compared with groups of accounts that no candidate holds, as many accounts with as many prompts each.
Such a group keeps what people do (sessions, days, habits, own topics), which a shuffle would destroy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import ranges, spread

__all__ = ["DRAWS", "Groups", "Pool", "draw_groups", "pool_of", "tail_p"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DRAWS: Final = 999
"""Groups drawn per campaign."""
LEAST: Final = 1e-300
"""No p-value is smaller."""
MAX_MEMBERS: Final = 100
"""A larger campaign is compared by so many of its accounts, evenly chosen."""
HEAVY: Final = 4
"""No member counts for more than so many times the usual number of prompts."""
ENOUGH: Final = 20
"""A count that fewer other accounts reach is cut down to what so many reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Accounts to draw from, by falling volume; their prompts are runs of ``Corpus.prompts``."""

    start: Ints
    volume: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Matched groups, and the part of the campaign that they are matched with."""

    own: Ints
    """int64[t]: prompts of the campaign that are compared."""
    drawn: Ints
    """int64[g, t]: prompts of g groups in the same order of members."""
    member: Ints
    """int64[t]: 0..m-1, ascending."""


def pool_of(account: npt.NDArray[np.int32], accounts: int, excluded: npt.NDArray[np.bool_]) -> Pool:
    """The accounts outside every candidate.

    Args:
        account: int32[p], ascending, of every prompt.
        accounts: how many there are.
        excluded: bool[accounts].
    """
    borders = np.searchsorted(account, np.arange(accounts + 1))
    volume = np.diff(borders)
    free = np.flatnonzero(~excluded & (volume > 0))
    order = free[np.argsort(-volume[free], kind="stable")]
    return Pool(start=borders[order], volume=volume[order])


def draw_groups(
    pool: Pool,
    prompts: npt.NDArray[np.int32],
    account: npt.NDArray[np.int32],
    *,
    seed: int,
    draws: int = DRAWS,
) -> Groups | None:
    """Groups of other accounts with as many prompts each as the members of a campaign.

    A drawn account gives prompts spread over all its traffic, which makes it look less like a person at a keyboard than
    it is: the comparison errs on the side of the accused.

    Args:
        pool: where to draw from.
        prompts: int32[q], ascending, of the campaign.
        account: int32[p], of every prompt.
        seed: of the draws.
        draws: how many groups.

    Returns:
        None where fewer than :data:`ENOUGH` other accounts exist.
    """
    if len(pool.volume) < ENOUGH:
        return None
    rng = np.random.default_rng(seed)
    members, first, count = np.unique(account[prompts], return_index=True, return_counts=True)
    chosen = spread(len(members), MAX_MEMBERS)
    first, count = first[chosen], count[chosen]
    count = np.minimum(count, min(int(pool.volume[ENOUGH - 1]), HEAVY * int(np.ceil(np.median(count)))))
    reach = np.searchsorted(-pool.volume, -count, side="right")  # accounts with at least that many prompts
    pick = (rng.random((draws, len(count))) * reach).astype(np.int64)
    room = pool.volume[pick]
    member = np.repeat(np.arange(len(count)), count)
    step = np.arange(len(member)) - np.repeat(np.cumsum(count) - count, count)
    # one prompt out of each of as many equal stretches of the account's traffic
    room, many = room[:, member], count[member]
    low, high = step * room // many, (step + 1) * room // many
    drawn = pool.start[pick][:, member] + low + (rng.random(low.shape) * (high - low)).astype(np.int64)
    own = prompts[ranges(first, count)]
    return Groups(own=own.astype(np.int64), drawn=drawn, member=member)


def tail_p(value: float, null: Floats, *, small: bool = False) -> float:
    """The chance that the null gives a value as extreme.

    The rank among the draws; beyond the most extreme draws an exponential tail fitted to the outermost tenth (the
    generalised Pareto approximation of Knijnenburg et al. 2009 with its shape held at zero, which never claims a
    bounded tail).

    Args:
        value: observed.
        null: float64[g], drawn.
        small: whether small values are the extreme ones.
    """
    if small:
        value, null = -value, -null
    rank = (1 + int((null >= value).sum())) / (len(null) + 1)
    if rank * (len(null) + 1) > 10 or len(null) < 50:
        return rank
    ordered = np.sort(null)
    outer = ordered[-len(null) // 10 :]
    threshold = (outer[0] + ordered[-len(null) // 10 - 1]) / 2
    scale = float((outer - threshold).mean())
    if scale <= 0 or value <= threshold:
        return rank
    return float(min(rank, max(0.1 * np.exp(-(value - threshold) / scale), LEAST)))
