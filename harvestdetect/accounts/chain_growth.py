"""Chains over time grow: groups join a chain of several generations although they are no pieces.

Of some generations only a part is found, or accounts of several together. Such groups have neither the size nor the
period of a piece. But what a whole chain asks for is known far better than what one piece does. So a group joins if

* it is as alike to the whole chain, within a tenth (``EXCEPTIONAL``), as two halves of one group are;
* it is more alike than nearly all groups that cannot join, which are the null distribution (``FEW``);
* nearly all of its accounts sent most of their requests within a period as long as that of a piece;
* its new accounts a day are at most 1.5 times those of the median piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harvestdetect.accounts.payloads import Payloads
from harvestdetect.accounts.pieces import Periods, Piece
from harvestdetect.corpus.by_prompt import in_sorted
from harvestdetect.data import NO_TIME, Prompts
from harvestdetect.util.amounts import EXCEPTIONAL, FEW, GROUP, MIN_SAMPLE, MOST, NEARLY_ALL, SMALL_PART
from harvestdetect.util.arrays import Bools, Floats, Ints32, run_starts, unique
from harvestdetect.util.periods import DAY

__all__ = ["ChainGroups", "GrownChain", "grown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainGroups:
    """Groups that are compared with one another."""

    groups: Sequence[Piece]
    """g groups."""
    periods: Periods
    payloads: Payloads
    dealt: Bools
    """bool[g]: see :attr:`harvestdetect.accounts.payloads.Payloads.dealt`."""


class GrownChain(NamedTuple):
    """What joins a chain."""

    groups: list[int]
    """Places of the groups, ascending."""
    generations: int
    """Of the chain with these groups."""


def grown(chain: Sequence[int], compared: ChainGroups, prompts: Prompts, *, most_a_day: float) -> GrownChain:
    """The groups that join a chain.

    Args:
        chain: places of its pieces.
        compared: all groups.
        prompts: of all groups.
        most_a_day: most accounts a day of a group that joins.
    """
    groups = compared.groups
    mine = unique(np.concatenate([groups[i].accounts for i in chain]))
    cosine, share = compared.payloads.likeness_to(np.array(chain))
    alike = (share >= 1 - EXCEPTIONAL) & (share <= 1 / (1 - EXCEPTIONAL)) & compared.dealt
    alike[list(chain)] = False
    new = [group.accounts[~in_sorted(group.accounts, mine)] for group in groups]
    periods = compared.periods.of(np.array(chain))
    length = int(periods.days.max())
    joins = np.zeros(len(groups), bool)
    busiest: dict[int, Floats] = {}
    for i in np.flatnonzero(alike).tolist():
        mask = in_sorted(prompts.account[groups[i].prompts], new[i])
        time = prompts.time[groups[i].prompts[mask]]
        if len(new[i]) < MIN_SAMPLE or (time == NO_TIME).any():
            continue
        first, last = _busiest(prompts.account[groups[i].prompts[mask]], time / DAY)
        inside = last - first <= length
        days = max(last.max() - first.min(), length)
        busiest[i] = np.stack((first, last))
        joins[i] = inside.mean() >= NEARLY_ALL and len(new[i]) <= most_a_day * days
    outside = np.array(
        [len(left) > (1 - SMALL_PART) * len(group.accounts) for left, group in zip(new, groups, strict=True)]
    )
    null = np.sort(cosine[outside & ~joins])
    above = len(null) - np.searchsorted(null, cosine)
    found = np.flatnonzero(joins & (above + 1 <= FEW * (len(null) + 1))).tolist()
    # an account may be in several of these groups
    _, once = np.unique(np.concatenate([mine[:0], *(new[i] for i in found)]), return_index=True)
    spans = np.concatenate([np.empty((2, 0)), *(busiest[i] for i in found)], axis=1)
    return GrownChain(found, _generations(periods, spans[:, once] // 1, length))


def _generations(periods: Periods, accounts: Floats, length: int) -> int:
    """Length of the longest series of generations in which each begins after the one before has ended.

    A generation is a piece, or three accounts that joined (``GROUP``) and as many days as the longest piece has.

    Args:
        periods: of the pieces.
        accounts: float64[2, a]: first and last day of the busiest period of each account that joined.
        length: days of the longest piece.
    """
    found, end = 0, -np.inf
    while True:
        ends = periods.last[periods.first > end].tolist()
        first, last = accounts[:, accounts[0] > end]
        if len(last) >= GROUP:
            ends.append(max(np.sort(last)[GROUP - 1], first.min() + length - 1))
        if not ends:
            return found
        found, end = found + 1, min(ends)


def _busiest(account: Ints32, day: Floats) -> tuple[Floats, Floats]:
    """float64[a] each: begin and end of the shortest period with most requests of each account, in days.

    Args:
        account: int32[r]: of each request; a different ones.
        day: float64[r]: of each request.
    """
    order = np.lexsort((day, account))
    account, day = account[order], day[order]
    start = run_starts(account)
    first, last = np.empty(len(start)), np.empty(len(start))
    for place, mine in enumerate(np.split(day, start[1:])):
        size = int(np.ceil(MOST * len(mine)))
        length = mine[size - 1 :] - mine[: len(mine) - size + 1]
        begin = int(length.argmin())
        first[place], last[place] = mine[begin], mine[begin + size - 1]
    return first, last
