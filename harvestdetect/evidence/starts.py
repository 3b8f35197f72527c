"""Whether accounts began together, given on how many days each of them is active.

Whoever is active on most days of a dump is seen on its first days. So a group of busy accounts seems to begin together
beside accounts that come once or twice, whatever their number of prompts. Here an account is compared with others that
are active on about as many days, and with as large a share of their days as the candidate has of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import NO_TIME
from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.evidence.nulls import MAX_MEMBERS, draw_until_settled
from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.timed_prompts import TimedPrompts, compared, least_draws
from harvestdetect.util.arrays import Bools, Floats, Ints, Ints32, changes, run_starts, spread
from harvestdetect.util.periods import DAY

__all__ = ["ActiveDays", "active_days", "common_start"]

ALIKE_DAYS: Final = 1.25
"""Factor within which the active days of two accounts are about as many. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveDays:
    """The days on which accounts are active."""

    count: Ints
    """int64[a]: how many they are, of every account."""
    others: Ints
    """int64[b], ascending: the number of active days of each account to compare with that has a time."""
    number: Ints
    """int64[b]: the number of each of these accounts."""
    place: Ints
    """int64[a]: where the days of every account begin in ``begun``."""
    begun: Ints
    """int64[.]: seconds of the first request on each active day, by account and day."""
    candidates: bool
    """Whether candidates have some of the accounts to compare with."""

    def without(self, members: Ints32) -> ActiveDays:
        """The same without the members of one candidate."""
        if not self.candidates:
            return self
        member = np.zeros(len(self.count), bool)
        member[members] = True
        keep = ~member[self.number]
        return replace(self, others=self.others[keep], number=self.number[keep])


def active_days(
    account: npt.NDArray[np.integer[Any]], time: Ints, others: Bools, *, candidates: bool = False
) -> ActiveDays:
    """The days on which accounts are active.

    Args:
        account: int[r], of every request, ascending.
        time: int64[r], its seconds or NO_TIME; ascending within an account.
        others: bool[a], the accounts to compare with.
        candidates: whether candidates have some of these accounts.
    """
    known = time != NO_TIME
    account, time = account[known], time[known]
    day = time // DAY
    new = run_starts(account, day)
    count = np.bincount(account[new], minlength=len(others))
    free = np.flatnonzero(others & (count > 0))
    free = free[np.argsort(count[free], kind="stable")]
    return ActiveDays(
        count=count,
        others=count[free],
        number=free,
        place=np.cumsum(count) - count,
        begun=time[new],
        candidates=candidates,
    )


def common_start(
    timed: TimedPrompts | None, sent: Ints32, account: Ints32, active: ActiveDays, *, seed: int
) -> Observation | None:
    """Whether the accounts began together.

    Args:
        timed: of the candidate; None where too little is known of its times.
        sent: int32[q], ascending: prompts of the candidate.
        account: int32[p], of every prompt, ascending.
        active: days of all accounts.
        seed: of every draw.

    Returns:
        None if too little is known, or fewer than :data:`~harvestdetect.evidence.least_data.MIN_COMPARED` other
        accounts have times.
    """
    if timed is None or len(active.others) < MIN_COMPARED:
        return None
    sent = sent[timed.plausible(timed.time[sent])]
    first = run_starts(account[sent].astype(np.int64))
    if len(first) < 2:
        return None
    time = timed.time[sent]
    new = changes(account[sent], time // DAY)
    chosen = spread(len(first), MAX_MEMBERS)
    start = np.minimum.reduceat(time, first)[chosen]
    days = np.add.reduceat(new.astype(np.int64), first)[chosen]
    total = np.maximum(active.count[account[sent[first[chosen]]]], days)
    low, width = _alike(active, total)
    rng = np.random.default_rng(seed)

    def draw(begin: int, end: int) -> Floats:
        pick = low + (rng.random((end - begin, len(low))) * width).astype(np.int64)
        theirs = active.others[pick]
        part = np.clip(np.rint(theirs * (days / total)).astype(np.int64), 1, theirs)
        begun = active.begun[active.place[active.number[pick]] + _earliest(theirs, part, rng)]
        return np.where(timed.plausible(begun).all(axis=1), _spread_of(begun), np.nan)

    value = float(_spread_of(start[None])[0])
    null = draw_until_settled(value, draw, draws=timed.groups.draws, small=True, least=least_draws())
    if len(null) < least_draws():
        return None
    return compared(
        value,
        null,
        small=True,
        sentence=(
            "The accounts' first prompts of this kind lie {value:.1f} days apart (standard deviation); {expected:.1f} "
            "among other accounts."
        ),
        against="groups of other accounts that are active on as many days each",
    )


def _alike(active: ActiveDays, days: Ints) -> tuple[Ints, Ints]:
    """The accounts that each member is compared with: where they begin in ``others``, and how many they are."""
    count = len(active.others)
    low = np.searchsorted(active.others, np.ceil(days / ALIKE_DAYS), side="left")
    high = np.searchsorted(active.others, np.floor(days * ALIKE_DAYS), side="right")
    few = high - low < MIN_COMPARED
    middle = np.clip((low + high) // 2 - MIN_COMPARED // 2, 0, count - MIN_COMPARED)
    # whoever is active on as many days as the outermost ones belongs to them, whatever the order of equals
    wider = np.searchsorted(active.others, active.others[middle], side="left")
    end = np.searchsorted(active.others, active.others[middle + MIN_COMPARED - 1], side="right")
    low, high = np.where(few, wider, low), np.where(few, end, high)
    return low, high - low


def _earliest(days: Ints, part: Ints, rng: np.random.Generator) -> Ints:
    """The place of the earliest of some days, drawn without replacement.

    The chance that it comes after place ``j`` is the product of ``(days - part - i) / (days - i)`` over ``i <= j``.

    Args:
        days: int64[g, m], to draw from.
        part: int64[g, m], how many are drawn, 1 to ``days``.
        rng: draws one number for each.
    """
    drawn = rng.random(days.shape).ravel()
    place = np.zeros(drawn.shape, np.int64)
    going, later = np.arange(len(drawn)), np.ones(drawn.shape)
    left, gap = days.ravel(), (days - part).ravel()
    step = 0
    while len(going):
        later = later * (gap[going] - step) / (left[going] - step)
        on = drawn[going] < later
        going, later = going[on], later[on]
        place[going] += 1
        step += 1
    return place.reshape(days.shape)


def _spread_of(starts: Ints) -> Floats:
    """Standard deviation, in days, of int64[g, m] seconds: float64[g]."""
    return np.asarray(starts.std(axis=1) / DAY)
