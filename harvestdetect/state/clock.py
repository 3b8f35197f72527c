"""Checks the clock of a run, because a wrong clock would move the window or leave a night out of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import NO_TIME
from harvestdetect.errors import ClockError
from harvestdetect.report.format import iso_time
from harvestdetect.state.store import Store
from harvestdetect.util.periods import DAY

__all__ = ["AHEAD_OF_NOW", "Guard", "Span", "check_clock", "guard_of", "last_run", "time_of_adding"]

AHEAD_OF_NOW: Final = DAY
"""Seconds by which a prompt may be ahead of the clock. A later time is a mistake and does not move the window. A day
covers all time zones."""
DRIFT: Final = 300
"""Seconds by which the clock may be behind the last run. Time services set clocks back by seconds to minutes after a
machine starts or migrates. This does no harm, because windows are counted in days."""
FIRST_RELEASE: Final = 1_767_225_600
"""Unix seconds of 2026-01-01 UTC, before which the project did not exist. Machines without a battery-backed clock start
in 1970, or on the day when their image was made."""
AHEAD_SHARE: Final = 0.9
"""Share of the new prompts that must be ahead of the clock for the clock to be in doubt, rather than the dump."""
LEAST_JUMP: Final = 30 * DAY
"""Seconds by which the clock may advance more than the prompts. This allows an outage of some weeks."""
LEAST_JUMP_UNTIMED: Final = 366 * DAY
"""As ``LEAST_JUMP``, for a state whose prompts have no times, so that only the clock itself can be checked."""
NEWEST: Final = 0.9
"""Quantile of the times of the new prompts that counts as their end, so that single wrong times do not matter."""
REMEDY: Final = "correct the clock or, if it is right, run again with --trust-clock"
"""What messages tell the user to do."""


@dataclass(slots=True)
class Span:
    """The times of the prompts of a file, compared with the clock."""

    first: int | None = None
    """Unix seconds of the first prompt that is not ahead of the clock."""
    last: int | None = None
    """Unix seconds of the last prompt that is not ahead of the clock."""
    latest: int | None = None
    """Unix seconds of the last prompt."""
    prompts: int = 0
    """Number of prompts."""
    ahead: int = 0
    """Number of prompts that are ahead of the clock."""
    days: Counter[int] = field(default_factory=Counter)
    """Day since 1970 -> number of prompts that are not ahead of the clock."""

    def add(self, time: npt.NDArray[np.int64], now: int) -> None:
        """Adds prompts.

        Args:
            time: int64[prompts], Unix seconds, or :data:`~harvestdetect.data.NO_TIME`.
            now: Unix seconds of the clock.
        """
        self.prompts += len(time)
        timed = time[time != NO_TIME]
        if not len(timed):
            return
        self.latest = _greatest(self.latest, int(timed.max()))
        allowed = timed[timed <= now + AHEAD_OF_NOW]
        self.ahead += len(timed) - len(allowed)
        if len(allowed):
            low = int(allowed.min())
            self.first = low if self.first is None else min(self.first, low)
            self.last = _greatest(self.last, int(allowed.max()))
            day, count = np.unique(allowed // DAY, return_counts=True)
            self.days.update(dict(zip(day.tolist(), count.tolist(), strict=True)))

    @property
    def is_ahead(self) -> bool:
        """Whether nearly all prompts are ahead of the clock."""
        return self.prompts > 0 and self.ahead >= AHEAD_SHARE * self.prompts


@dataclass(frozen=True, slots=True)
class Guard:
    """Compares the clock of a run with its new prompts, before any of them counts."""

    now: int
    """Unix seconds."""
    window: int
    """Length of the window in seconds."""
    last: int | None
    """Unix seconds of the latest run; None without one."""
    newest: int | None
    """Unix seconds of the newest prompt of that run; None without times."""

    @property
    def jumped(self) -> bool:
        """Whether the clock advanced so far since the last run that the prompts must confirm it."""
        return self.last is not None and self.now - self.last > max(self.window, LEAST_JUMP)

    def doubts(self, span: Span) -> bool:
        """Whether a file must wait until all files are read, because it may show that the clock is wrong."""
        return self.jumped or span.is_ahead

    def check(self, spans: list[Span]) -> None:
        """Compares the clock with the prompts of all new files.

        Raises:
            ClockError: the clock cannot be right.
        """
        whole = Span(prompts=sum(s.prompts for s in spans), ahead=sum(s.ahead for s in spans))
        for span in spans:
            whole.days.update(span.days)
        if whole.is_ahead:
            latest = max(s.latest for s in spans if s.latest is not None)
            raise ClockError(
                f"the clock says {iso_time(self.now)}, but {whole.ahead:,} of {whole.prompts:,} new prompts are more "
                f"than a day later, the latest at {iso_time(latest)}; {REMEDY}"
            )
        if self.jumped:
            self._check_jump(whole.days)

    def _check_jump(self, days: Counter[int]) -> None:
        """Checks that the prompts confirm a clock that has jumped.

        Args:
            days: day since 1970 -> number of new prompts.

        Raises:
            ClockError: they do not.
        """
        assert self.last is not None
        if self.newest is None and not days:
            if self.now - self.last > max(self.window, LEAST_JUMP_UNTIMED):
                raise ClockError(
                    f"the clock says {iso_time(self.now)}, the last run was at {iso_time(self.last)}, and no prompt "
                    f"has a time to confirm it; {REMEDY}"
                )
            return
        came = _quantile(days)
        newest = came if self.newest is None else max(self.newest, came or self.newest)
        before = self.newest if self.newest is not None else newest
        assert newest is not None
        assert before is not None
        moved, behind = newest - before, max(self.last - before, 0)
        if self.now - self.last - moved > max(self.window, LEAST_JUMP, behind):
            raise ClockError(
                f"the clock says {iso_time(self.now)}, the last run was at {iso_time(self.last)}, but the newest "
                f"prompts advanced only from {iso_time(before)} to {iso_time(newest)}; {REMEDY}"
            )


def check_clock(store: Store, now: int) -> None:
    """Compares the clock with the state, before any file is read.

    Raises:
        ClockError: the clock is before the last run, or before the first release.
    """
    last = last_run(store)
    if last is not None and now < last - DRIFT:
        raise ClockError(
            f"the clock says {iso_time(now)}, but the last run of this state was at {iso_time(last)}; {REMEDY}"
        )
    if now < FIRST_RELEASE:
        raise ClockError(
            f"the clock says {iso_time(now)}, which is before harvestdetect existed ({iso_time(FIRST_RELEASE)}); "
            f"{REMEDY}"
        )


def guard_of(store: Store, *, now: int, window: int) -> Guard:
    """The guard of a run. It starts from the latest run by time, so that a run whose clock was behind does not make the
    right clock look like a jump.

    Args:
        store: the state.
        now: Unix seconds.
        window: length of the window in seconds.
    """
    rows = store.rows(
        "SELECT max(started, finished) AS at, window_end FROM runs WHERE finished IS NOT NULL ORDER BY at DESC LIMIT 1"
    )
    if not rows:
        return Guard(now=now, window=window, last=None, newest=None)
    return Guard(now=now, window=window, last=rows[0]["at"], newest=rows[0]["window_end"])


def time_of_adding(store: Store, now: int) -> int:
    """Unix seconds that the state records as the time at which files are added now.

    This is the time of the clock, but not before a time that the state knows to be past, because of a run and of
    prompts at that time. So a file without times does not leave the window early because the clock was behind.
    """
    ran = store.rows("SELECT max(max(started, finished)) AS at FROM runs WHERE finished IS NOT NULL")[0]["at"]
    latest = store.rows("SELECT max(latest_time) AS at FROM files")[0]["at"]
    if ran is None:
        return now
    return max(now, int(ran) if latest is None else min(int(ran), int(latest)))


def last_run(store: Store) -> int | None:
    """Unix seconds of the last finished run, by its own clock; None without one.

    This is the last run by number, not by time, so that the time of a wrong clock counts only until the next run.
    """
    rows = store.rows("SELECT started, finished FROM runs WHERE finished IS NOT NULL ORDER BY run DESC LIMIT 1")
    return max(int(rows[0]["started"]), int(rows[0]["finished"])) if rows else None


def _greatest(one: int | None, other: int) -> int:
    return other if one is None else max(one, other)


def _quantile(days: Counter[int]) -> int | None:
    """Unix seconds of the end of the day at which :data:`NEWEST` of the prompts are reached; None without prompts."""
    total, seen = sum(days.values()), 0
    for day, count in sorted(days.items()):
        seen += count
        if seen >= NEWEST * total:
            return (day + 1) * DAY
    return None
