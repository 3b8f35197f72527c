"""Groups of accounts that may be pieces of a chain over time, and when they were active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from harvestdetect.accounts import overlaps
from harvestdetect.data import NO_TIME, Prompts
from harvestdetect.util.amounts import EXCEPTIONAL, MIN_SAMPLE, MOST, NEARLY_ALL, SEVERAL
from harvestdetect.util.arrays import Bools, Floats, Ints, Ints32, unique
from harvestdetect.util.periods import DAY

__all__ = ["Periods", "Piece", "distinct", "periods_of", "pieces_of"]

GAP: Final = 0.01
"""Probability of a gap in time that divides a group. Chosen."""
SHORT: Final = 0.3
"""Longest period of a piece, as a share of that of the whole dump. Chosen."""
MAX_GAP_IN_PERIODS: Final = 2
"""Longest time between two pieces that continue each other, in periods of the longer one: a piece between them may not
have been found. Chosen."""


class Piece(NamedTuple):
    """A group of accounts that may be a part of a campaign."""

    accounts: Ints32
    """int32[a], ascending."""
    prompts: Ints32
    """int32[q], ascending."""


def pieces_of(group: Piece, prompts: Prompts) -> list[Piece]:
    """The parts of a group that were active one after the other; the group itself where there are not several.

    The accounts are put in the order of their median day. Days at random leave a gap of a share g of the whole period
    between n accounts with a probability of at most ``n (1 - g) ** (n - 1)``. A gap that is less likely than
    :data:`GAP` divides the group, and so on within both parts. Parts of fewer than 5 accounts (``MIN_SAMPLE``),
    which were active apart from all others, are left out.
    """
    time = prompts.time[group.prompts]
    if not len(time) or (time == NO_TIME).any():
        return [group]
    sender = np.searchsorted(group.accounts, prompts.account[group.prompts])
    order = np.lexsort((time, sender))
    start = np.searchsorted(sender[order], np.arange(len(group.accounts) + 1))
    middle = time[order][(start[:-1] + start[1:] - 1) // 2]
    by_time = np.argsort(middle, kind="stable")
    parts = _cut(by_time, middle[by_time] / DAY)
    if len(parts) == 1 and len(parts[0]) == len(by_time):
        return [group]
    found = []
    for part in parts:
        inside = np.zeros(len(group.accounts), bool)
        inside[part] = True
        found.append(Piece(group.accounts[inside], group.prompts[inside[sender]]))
    return found


def distinct(groups: Sequence[Piece], prompts: int) -> list[int]:
    """The groups without those that have nearly the same prompts as an earlier one: their positions, ascending.

    Args:
        groups: earlier ones are kept.
        prompts: the number of all prompts.
    """
    sets = [group.prompts for group in groups]
    return overlaps.distinct(sets, [NEARLY_ALL] * len(sets), count=prompts)


def _cut(accounts: Ints, day: Floats) -> list[Ints]:
    """The parts of accounts that are in the order of their days; see :func:`pieces_of`."""
    count = len(accounts)
    if count > MIN_SAMPLE:
        gap = np.diff(day)
        at = int(gap.argmax()) + 1
        chance = count * (1 - gap[at - 1] / max(day[-1] - day[0], 1.0)) ** (count - 1)
        if chance < GAP and max(at, count - at) >= MIN_SAMPLE:
            return [
                part
                for side in (slice(0, at), slice(at, count))
                if len(accounts[side]) >= MIN_SAMPLE
                for part in _cut(accounts[side], day[side])
            ]
    return [accounts]


@dataclass(frozen=True, slots=True)
class Periods:
    """When groups were active, in days."""

    first: Ints
    """int64[g]: first day of the period of each group."""
    last: Ints
    """int64[g]: last day of it; before the first day if it is not known."""
    short: Bools
    """bool[g]: whether the period is a short part of the dump, and the accounts sent enough for one."""
    cut: Bools
    """bool[g]: whether the group was active where the dump begins or ends: it may have begun before, or go on."""

    @property
    def days(self) -> Ints:
        """int64[g]: length of the period of each group; 0 if it is not known."""
        return self.last - self.first + 1

    def adjoin(self, rows: Ints, others: Ints) -> Bools:
        """bool[r, s]: whether the periods of two groups are short and near, and have less than half in common."""
        common, shorter, longer = self._common(rows, others)
        near = -common <= MAX_GAP_IN_PERIODS * longer
        return np.asarray((common < MOST * shorter) & near & self.short[rows, None] & self.short[others])

    def coincide(self, rows: Ints, others: Ints) -> Bools:
        """bool[r, s]: whether the periods of two groups are short and have half or more in common."""
        common, shorter, _ = self._common(rows, others)
        return np.asarray((common >= MOST * shorter) & self.short[rows, None] & self.short[others])

    def _common(self, rows: Ints, others: Ints) -> tuple[Ints, Ints, Ints]:
        """int64[r, s] each: the days that two periods have in common or, negative, the days between them; the length
        of the shorter one; and of the longer one."""
        first, last = self.first[rows, None], self.last[rows, None]
        length, other = self.days[rows, None], self.days[others]
        common = np.minimum(last, self.last[others]) - np.maximum(first, self.first[others]) + 1
        return common, np.minimum(length, other), np.maximum(length, other)

    def of(self, groups: Ints) -> Periods:
        """The periods of some groups, in the order of ``groups``."""
        return Periods(self.first[groups], self.last[groups], self.short[groups], self.cut[groups])

    def generations(self, groups: Sequence[int]) -> int:
        """Length of the longest series of some groups in which each begins after the one before has ended."""
        found, end = 0, int(self.first[groups].min()) - 1
        for last, first in sorted(zip(self.last[groups].tolist(), self.first[groups].tolist(), strict=True)):
            if first > end:
                found, end = found + 1, last
        return found


def periods_of(groups: Sequence[Piece], account: Ints32, time: Ints) -> Periods:
    """The period of each group, from the first to the last of its central requests."""
    known = time != NO_TIME
    day = np.where(known, time, 0) // DAY
    first, last = np.zeros(len(groups), np.int64), np.full(len(groups), -1, np.int64)
    for i, group in enumerate(groups):
        mine = group.prompts[known[group.prompts]]
        if 2 * len(mine) >= len(group.prompts) and len(mine):
            first[i], last[i] = _central(account[mine], day[mine])
    whole = _central(account[known], day[known]) if known.any() else (0, -1)
    length = last - first + 1
    # accounts that sent one each, at any time, do not show when they were active
    enough = np.array([len(group.prompts) >= SEVERAL * len(group.accounts) for group in groups])
    short = enough & (length > 0) & (length <= SHORT * (whole[1] - whole[0] + 1))
    return Periods(first, last, short, _cut_off(groups, account, time))


def _cut_off(groups: Sequence[Piece], account: Ints32, time: Ints) -> Bools:
    """bool[g]: whether more than a few accounts of a group (``EXCEPTIONAL``) sent within a day of an end of the dump.

    The dump begins with its fifth request and ends with the fifth from last (``MIN_SAMPLE``): a few times may be wrong.
    """
    known = np.sort(time[time != NO_TIME])
    if len(known) < MIN_SAMPLE:
        return np.zeros(len(groups), bool)
    begin, end = known[MIN_SAMPLE - 1] + DAY, known[-MIN_SAMPLE] - DAY
    cut = []
    for group in groups:
        sent = time[group.prompts]
        most = EXCEPTIONAL * len(group.accounts)
        at_end = account[group.prompts[sent > end]]
        at_begin = account[group.prompts[(sent != NO_TIME) & (sent < begin)]]
        cut.append(max(len(unique(at_begin)), len(unique(at_end))) > most)
    return np.array(cut, bool)


def _central(account: Ints32, day: Ints) -> tuple[int, int]:
    """The first and the last day of the central requests; each account has the same weight."""
    order = np.argsort(day, kind="stable")
    weight = np.cumsum(1 / np.bincount(account)[account[order]])
    low, high = np.searchsorted(weight, (EXCEPTIONAL * weight[-1], (1 - EXCEPTIONAL) * weight[-1]))
    return int(day[order[low]]), int(day[order[min(int(high), len(order) - 1)]])
