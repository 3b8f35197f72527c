"""Whether the clock of a run may be believed: a wrong one would move the window, or leave a night out of it."""

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

__all__ = ["AHEAD_OF_NOW", "Guard", "Span", "check_clock", "guard_of", "last_run", "time_of_adding"]

DAY: Final = 86_400
AHEAD_OF_NOW: Final = DAY
"""Seconds: a time that is later than the clock by more than this is a mistake and moves no window. It leaves room for
the zones of the world."""
DRIFT: Final = 300
"""Seconds that a clock may be behind the last run. Time services set clocks back by seconds to minutes after a start or
a migration of a machine, and nothing in a state depends on so little: windows are counted in days."""
FIRST_RELEASE: Final = 1_767_225_600
"""2026-01-01 UTC: the project did not exist before. Machines without a clock of their own start in 1970, or on the day
when their image was made."""
NEARLY_ALL: Final = 0.9
"""Share of the new prompts that must be later than the clock allows before the clock is doubted, and not the dump."""
LEAST_JUMP: Final = 30 * DAY
"""Seconds that the clock may always move more than the prompts do: an outage of some weeks is no wrong clock."""
LEAST_JUMP_UNTIMED: Final = 366 * DAY
"""The same in a state without times, where only the clock itself can be looked at."""
NEWEST: Final = 0.9
"""Quantile of the new prompts' times that says how far the data moved: single wrong times do not count."""
REMEDY: Final = "set the clock right, or, if it is right, repeat the run with --trust-clock"


@dataclass(slots=True)
class Span:
    """From when to when the prompts of a file are, as a clock sees them."""

    first: int | None = None
    """Unix seconds, of the times that the clock allows."""
    last: int | None = None
    latest: int | None = None
    """Of all times."""
    prompts: int = 0
    ahead: int = 0
    """Prompts that are later than the clock allows."""
    days: Counter[int] = field(default_factory=Counter)
    """Day since 1970 -> prompts that the clock allows."""

    def add(self, time: npt.NDArray[np.int64], now: int) -> None:
        """Takes the times of more prompts, :data:`~harvestdetect.data.NO_TIME` where there is none."""
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
        """Whether nearly all prompts are later than the clock allows."""
        return self.prompts > 0 and self.ahead >= NEARLY_ALL * self.prompts


@dataclass(frozen=True, slots=True)
class Guard:
    """Compares the clock of a run with the prompts that it brings, before any of them counts."""

    now: int
    window: int
    last: int | None
    """When the latest run was; None: there was none."""
    newest: int | None
    """The newest prompt of that run."""

    @property
    def jumped(self) -> bool:
        """Whether the clock moved so far that the prompts must show that time has passed."""
        return self.last is not None and self.now - self.last > max(self.window, LEAST_JUMP)

    def doubts(self, span: Span) -> bool:
        """Whether a file must wait until all are read: it may show that the clock is wrong."""
        return self.jumped or span.is_ahead

    def check(self, spans: list[Span]) -> None:
        """Compares the clock with all new files.

        Raises:
            ClockError: it cannot be right.
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
        assert self.last is not None
        if self.newest is None and not days:
            if self.now - self.last > max(self.window, LEAST_JUMP_UNTIMED):
                raise ClockError(
                    f"the clock says {iso_time(self.now)}, the last run was at {iso_time(self.last)}, and no prompt "
                    f"has a time that shows which is right; {REMEDY}"
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
                f"prompts moved only from {iso_time(before)} to {iso_time(newest)}; {REMEDY}"
            )


def check_clock(store: Store, now: int) -> None:
    """Compares the clock with the state, before anything is read.

    Raises:
        ClockError: the clock is before the last run, or before the project began.
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
    """What compares the prompts of a run with its clock: with the latest run by time, so that one whose clock was
    behind does not make the right one look like a jump."""
    rows = store.rows(
        "SELECT max(started, finished) AS at, window_end FROM runs WHERE finished IS NOT NULL ORDER BY at DESC LIMIT 1"
    )
    if not rows:
        return Guard(now=now, window=window, last=None, newest=None)
    return Guard(now=now, window=window, last=rows[0]["at"], newest=rows[0]["window_end"])


def time_of_adding(store: Store, now: int) -> int:
    """When files are noted as added that are read now: Unix seconds.

    It is what the clock says, but not before what the state knows to have passed: a run was then, and there are prompts
    of then. So a file without times does not leave the window early because its clock was behind.
    """
    ran = store.rows("SELECT max(max(started, finished)) AS at FROM runs WHERE finished IS NOT NULL")[0]["at"]
    latest = store.rows("SELECT max(latest_time) AS at FROM files")[0]["at"]
    if ran is None:
        return now
    return max(now, int(ran) if latest is None else min(int(ran), int(latest)))


def last_run(store: Store) -> int | None:
    """When the last run that was finished was, by its own clock: Unix seconds.

    The last by number, not by time: a clock that was wrong once counts until the next run.
    """
    rows = store.rows("SELECT started, finished FROM runs WHERE finished IS NOT NULL ORDER BY run DESC LIMIT 1")
    return max(int(rows[0]["started"]), int(rows[0]["finished"])) if rows else None


def _greatest(one: int | None, other: int) -> int:
    return other if one is None else max(one, other)


def _quantile(days: Counter[int]) -> int | None:
    """The end of the day until which :data:`NEWEST` of the prompts are; None without any."""
    total, seen = sum(days.values()), 0
    for day, count in sorted(days.items()):
        seen += count
        if seen >= NEWEST * total:
            return (day + 1) * DAY
    return None
