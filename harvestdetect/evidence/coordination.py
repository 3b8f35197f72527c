"""How far the accounts act as one: synchrony, no ramp-up, a hand-over between two pools of accounts.

A statistic is NaN where the candidate, or a drawn group, is too short or too small for it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.timed_prompts import TimedPrompts, observed
from harvestdetect.util.amounts import EXCEPTIONAL, FEW, GROUP, MIN_SAMPLE, SEVERAL
from harvestdetect.util.arrays import Bools, Floats, Ints, run_starts, unique
from harvestdetect.util.periods import DAY, HOUR

__all__ = ["hand_over", "no_ramp_up", "synchrony"]


SYNC_HOURS: Final = 3
"""Hours of a bin: two accounts that are active in the same bin of one day are together. Chosen."""
GRID: Final = 6 * HOUR
"""Seconds between the moments at which a hand-over, or a move to a model, is sought. A finer grid takes longer and
finds about the same. Chosen."""
GRIDS: Final = DAY // GRID
"""Steps of the grid in a day."""
LASTING_DAYS: Final = SEVERAL
"""Days between the first and the last prompt of an account from which it has a usual rate and can be part of a
hand-over. The volume of a hand-over is compared with that of as many days before and after it."""


def synchrony(timed: TimedPrompts | None) -> Observation | None:
    """Whether two accounts act in the same hours of one day more often than at these hours of neighbouring days."""
    return observed(
        timed,
        _synchrony,
        small=False,
        logs=True,
        sentence=(
            f"Two accounts were active in the same {SYNC_HOURS} hours of one day "
            "{value:.1f} times as often as in those hours of the days before and after, without their busiest days; "
            "{expected:.1f} times among other accounts."
        ),
    )


def no_ramp_up(timed: TimedPrompts | None) -> Observation | None:
    """Whether an account sends at its usual rate from the first day on."""
    return observed(
        timed,
        _ramp,
        small=True,
        logs=True,
        sentence=(
            "An account's rate on its first day and its rate thereafter differ by a factor of {value:.1f}; by "
            "{expected:.1f} among other accounts."
        ),
    )


def hand_over(timed: TimedPrompts | None) -> Observation | None:
    """Whether one pool of accounts stops when another begins, while the volume goes on."""
    return observed(
        timed,
        _hand_over,
        small=False,
        sentence=(
            "Within a day before or after one moment, {value:.0%} of the accounts stopped and as many began, while the "
            "volume went on (the smaller of the two shares, times the evenness of the volume); in groups of other "
            "accounts {expected:.0%} did."
        ),
    )


# ---------------------------------------------------------------- the statistics


def _lifetimes(times: Ints, member: Ints) -> tuple[Ints, Ints]:
    """First and last prompt of each account, int64[g, m] each."""
    start = run_starts(member)
    return np.minimum.reduceat(times, start, axis=1), np.maximum.reduceat(times, start, axis=1)


def _synchrony(times: Ints, member: Ints) -> Floats:
    """Log ratio of how often two accounts act in the same hours of one day and at these hours of neighbouring days.

    SynchroTrap (Cao et al., CCS 2014) counts how often two accounts act in the same bin. People of one time zone, or
    of one week, do so without knowing one another; the neighbouring days take that away. One event is no synchrony, so
    :data:`~harvestdetect.util.amounts.EXCEPTIONAL` of the active days, the busiest ones, are left out.
    """
    g = len(times)
    size = DAY // (SYNC_HOURS * HOUR)
    own = times // (SYNC_HOURS * HOUR) - int(times.min() // DAY) * size
    days = int(own.max()) // size + 2  # a day more, so that an account's next day is its own
    bins, accounts = days * size, int(member[-1]) + 1
    seen = unique((np.arange(g)[:, None] * accounts + member) * bins + own)
    row, where = seen // (accounts * bins), seen % bins
    active = np.bincount(row * bins + where, minlength=g * bins).reshape(g, days, size)
    together = (active * (active - 1)).sum(axis=2)
    again = np.searchsorted(seen, seen + size)
    again = seen[np.minimum(again, len(seen) - 1)] == seen + size
    alone = np.bincount((row * days + where // size)[again], minlength=g * days).reshape(g, days)
    following = (active[:, :-1] * active[:, 1:]).sum(axis=2) - alone[:, :-1]
    apart = np.zeros((g, days))
    apart[:, :-1] += following / 2
    apart[:, 1:] += following / 2
    order = np.argsort(together - apart, axis=1, kind="stable")
    lived = (active.sum(axis=2) > 0).sum(axis=1)
    kept = days - 1 - np.ceil(EXCEPTIONAL * lived).astype(np.int64)
    rows = np.arange(g)
    near = np.take_along_axis(together, order, axis=1).cumsum(axis=1)[rows, kept]
    far = np.take_along_axis(apart, order, axis=1).cumsum(axis=1)[rows, kept]
    return np.where(lived >= MIN_SAMPLE, np.log((near + 1) / (far + 1)), np.nan)


def _ramp(times: Ints, member: Ints) -> Floats:
    """How far the rate of an account's first day is from its rate thereafter (mean absolute log ratio).

    First and last prompt are not counted: they define the time that is looked at.
    """
    first, last = _lifetimes(times, member)
    start = run_starts(member)
    count = np.diff(np.append(start, len(member)))
    early = np.add.reduceat((times < first[:, member] + DAY).astype(np.int64), start, axis=1)
    span = (last - first) / DAY
    shown = (count >= MIN_SAMPLE) & (span >= LASTING_DAYS)
    usual = (count - early - 1) / np.maximum(span - 1, 1)
    distance = np.where(shown, abs(np.log(early - 0.5) - np.log(np.maximum(usual, 0) + 0.5)), 0)
    enough = shown.sum(axis=1)
    return np.where(enough >= MIN_SAMPLE, distance.sum(axis=1) / np.maximum(enough, 1), np.nan)


def _hand_over(times: Ints, member: Ints) -> Floats:
    """The largest value over all moments of: the smaller of two shares, times how even the volumes are.

    The shares are those of the accounts that end and that begin within a day of the moment. The volumes are those
    before, in and after these two days. Two accounts are no pool, nor are few of all: three of 138
    stopped when three others began, by chance. An event at which all come together is the last that some accounts do
    and the first that others do, but then more comes than before and after.
    """
    g = len(times)
    first, last = _lifetimes(times, member)
    base = int(times.min()) // GRID
    bins = int(times.max()) // GRID - base + 1
    lasting = last - first >= LASTING_DAYS * DAY
    margin = (LASTING_DAYS + 1) * GRIDS

    def counted(of: Ints, weight: Bools | None = None) -> Ints:
        """Counts up to each border of the grid, and to ``margin`` further ones on either side.

        The shape is int64[g, bins + 1 + 2 * margin].
        """
        place = np.arange(g)[:, None] * bins + of // GRID - base
        counts = np.bincount(place.ravel() if weight is None else place[weight], minlength=g * bins).reshape(g, bins)
        up_to = np.zeros((g, bins + 1 + 2 * margin), np.int64)
        np.cumsum(counts, axis=1, out=up_to[:, margin + 1 : -margin])
        up_to[:, -margin:] = up_to[:, -margin - 1, None]
        return up_to

    def around(up_to: Ints, before: int, after: int) -> Ints:
        """Counts from ``before`` steps before to ``after`` steps after each border."""
        low, high = margin - before, margin + after
        return up_to[:, high : high + bins + 1] - up_to[:, low : low + bins + 1]

    changed = np.minimum(around(counted(last, lasting), GRIDS, GRIDS), around(counted(first, lasting), GRIDS, GRIDS))
    accounts = int(member[-1]) + 1
    changed = np.where(changed < max(GROUP, FEW * accounts), 0, changed) / accounts
    volume = counted(times)
    rates = np.array(
        [
            around(volume, margin, -GRIDS) / LASTING_DAYS,
            around(volume, GRIDS, GRIDS) / 2,
            around(volume, -GRIDS, margin) / LASTING_DAYS,
        ]
    )
    even = rates.min(axis=0) / np.maximum(rates.max(axis=0), 1e-9)
    border = np.arange(bins + 1)[None]
    inside = (border >= times.min(axis=1)[:, None] // GRID - base + margin) & (
        border <= times.max(axis=1)[:, None] // GRID - base + 1 - margin
    )
    return np.where(inside.any(axis=1), np.where(inside, changed * even, 0).max(axis=1), np.nan)
