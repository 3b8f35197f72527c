"""When the accounts of a design send: real rhythms of people and programs, moved into the dump."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from benchmarks.independent.kinds import Clock
from harvestdetect.util.periods import DAY, HOUR

__all__ = ["Rhythms", "Tempo", "geometric"]

WEEK: Final = 168
"""Hours of a week."""
_OFFICE: Final = (0.3, 1, 1.2, 1.2, 0.6, 0.7, 1.1, 1.1, 1, 0.8, 0.3, 0.1)
"""Relative activity of an office from 8 to 20 o'clock."""
_STEPS: Final = (3_600, 7_200, 14_400, 21_600, 43_200, 86_400)
"""Seconds between two runs of a schedule."""
_EVENING: Final = (0.4, 0.8, 1.2, 1.2, 0.9, 0.4)
"""Relative activity from 18 to 24 o'clock."""
_SHIFT: Final = (0.6, 1, 1.1, 1, 0.4, 1, 1.1, 0.8)
"""Relative activity in the eight hours of a shift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythms:
    """Times of real senders."""

    weeks: tuple[tuple[float, ...], ...]
    """For each person, the share of commits in each hour of the week, which starts on Monday."""
    commits: tuple[tuple[float, ...], ...]
    """Commit times of programs, in seconds, ascending."""
    service: tuple[tuple[float, ...], ...]
    """Request times of the users of an image service, in seconds, ascending."""
    pauses: tuple[float, ...]
    """Seconds between two requests of a conversation."""
    gaps: tuple[float, ...]
    """Seconds between two requests to a busy service."""


def geometric(rng: random.Random, chance: float) -> int:
    """The number of trials up to the first success."""
    return 1 + int(math.log(1 - rng.random()) / math.log(1 - chance))


class Tempo:
    """Draws request times.

    Args:
        rhythms: of real senders.
        rng: of every draw.
        start: first second of the dump.
        days: its length.
    """

    def __init__(self, rhythms: Rhythms, rng: random.Random, *, start: int, days: int) -> None:
        self._rhythms = rhythms
        self._rng = rng
        self._start = start
        self._days = days

    def times(self, clock: Clock, count: int, first: float, last: float, *, zone: int | None = None) -> list[float]:
        """``count`` times between two days of the dump, ascending, in seconds since 1970.

        Args:
            clock: *people* have hours of their own, are active on few days and send in short sessions. An *office*
                works from Monday to Friday. *Steady* is around the clock. A *schedule* runs at fixed intervals.
                *Bursts* have the gaps of a busy service. *Service* and *commits* are the times of one real sender.
                A *shift* is one of three, from Monday to Saturday. *Weekend* and *evening* are what they say.
                *Nightly* runs once a day, at the hour of the zone or at an hour of the account's own.
            count: of the times.
            first: day.
            last: day.
            zone: hours by which the day is moved.
        """
        first = max(0.0, first)
        last = max(min(self._days - 0.02, last), first + 0.05)
        low, high = self._start + first * DAY, self._start + last * DAY
        if clock in ("people", "office", "shifts", "weekend", "evening"):
            found = self._hours(clock, count, low, high, zone)
        elif clock == "nightly":
            found = self._nightly(count, low, high, zone)
        elif clock == "steady":
            found = [self._rng.uniform(low, high) for _ in range(count)]
        elif clock == "schedule":
            found = self._schedule(count, low, high)
        elif clock == "bursts":
            found = self._bursts(count, low, high)
        else:
            found = self._sender(count, low, high, service=clock == "service")
        end = self._start + self._days * DAY - 5
        return sorted(min(max(time, self._start), end) for time in found)

    def _hours(self, clock: Clock, count: int, low: float, high: float, zone: int | None) -> list[float]:
        """Short sessions in the hours of a week that a person, an office or a shift works in."""
        rng = self._rng
        hours = range(int(low // HOUR), int(high // HOUR) + 1)
        if clock == "people":
            own = rng.choice(self._rhythms.weeks)
            moved = rng.randint(-11, 12) if zone is None else zone
            week = [own[(hour - moved) % WEEK] for hour in range(WEEK)]
        elif clock == "office":
            week = _office_week(zone or 0)
        elif clock == "shifts":
            week = _week(_SHIFT, 6 + 8 * rng.randrange(3) - (zone or 0), range(6))
        elif clock == "weekend":
            week = _week((0.5, *[1.0] * 10, 0.5), 10 - (zone or 0), (5, 6))
        else:
            week = _week(_EVENING, 18 - (rng.randint(-11, 12) if zone is None else zone), range(7))
        # 1 January 1970 was a Thursday
        weights = [week[(hour + 3 * 24) % WEEK] + 1e-9 for hour in hours]
        if clock == "people" and len(hours) > 48:
            active = [rng.gammavariate(0.5, 1) + 1e-3 for _ in range(len(hours) // 24 + 1)]
            weights = [weight * active[i // 24] for i, weight in enumerate(weights)]
        summed = list(accumulate(weights))
        found: list[float] = []
        while len(found) < count:
            time = rng.choices(hours, cum_weights=summed)[0] * HOUR + rng.uniform(0, HOUR)
            for _ in range(min(count - len(found), geometric(rng, 0.35))):
                found.append(time)
                time += min(1_500.0, rng.choice(self._rhythms.pauses) * rng.lognormvariate(0, 0.5) + 8)
        return found

    def _schedule(self, count: int, low: float, high: float) -> list[float]:
        rng = self._rng
        step = rng.choice(_STEPS)
        each = math.ceil(count / max(1, int((high - low) // step)))
        base, pace = low + rng.randrange(HOUR), rng.uniform(3, 25)
        return [base + i // each * step + i % each * pace + rng.expovariate(1 / 4) for i in range(count)]

    def _nightly(self, count: int, low: float, high: float, zone: int | None) -> list[float]:
        """One run a day at the same minute; where there are more days than prompts, on some of them."""
        rng = self._rng
        own = rng.randrange(24) * HOUR + rng.choice((0, 0, 900, 1_800)) if zone is None else zone % 24 * HOUR + 600
        nights = [day for day in range(int(low // DAY), int(high // DAY) + 1) if low <= day * DAY + own <= high]
        nights = nights or [int(low // DAY)]
        if len(nights) > count:
            nights = sorted(rng.sample(nights, count))
        each, pace = math.ceil(count / len(nights)), rng.uniform(3, 25)
        return [nights[i // each] * DAY + own + i % each * pace + rng.expovariate(1 / 4) for i in range(count)]

    def _bursts(self, count: int, low: float, high: float) -> list[float]:
        rng = self._rng
        bursts = rng.randint(1, 4)
        found: list[float] = []
        for _ in range(bursts):
            time, pace = rng.uniform(low, high), rng.uniform(2, 30)
            for _ in range(math.ceil(count / bursts)):
                time += rng.choice(self._rhythms.gaps) * pace + 0.5
                found.append(time)
        return found[:count]

    def _sender(self, count: int, low: float, high: float, *, service: bool) -> list[float]:
        """The times of one real sender, shortened to the period if they are longer."""
        rng = self._rng
        senders = self._rhythms.service if service else self._rhythms.commits
        if service:
            senders = tuple(s for s in senders if len(s) >= count) or (max(senders, key=len),)
        own = rng.choice(senders)
        start = rng.randrange(max(1, len(own) - count + 1))
        part = list(own[start : start + count])
        part += [rng.uniform(part[0], part[-1] + 1) for _ in range(count - len(part))]
        part.sort()
        length = part[-1] - part[0]
        pace = min(1.6 if service else 1.0, (high - low) / max(1.0, length))
        begin = low + (rng.uniform(0, max(1.0, high - low - length * pace)) if service else 0.0)
        return [begin + (time - part[0]) * pace + rng.uniform(0, 40) for time in part]


def _office_week(zone: int) -> list[float]:
    week = [0.002] * WEEK
    for day in range(5):
        for hour, weight in enumerate(_OFFICE, start=8):
            week[day * 24 + (hour - zone) % 24] += weight
    return week


def _week(hours: Sequence[float], first: int, days: Iterable[int]) -> list[float]:
    """A week with the same hours on some days, the first of them at an hour that may be of the day before or after."""
    week = [0.002] * WEEK
    for day in days:
        for hour, weight in enumerate(hours):
            week[(day * 24 + first + hour) % WEEK] += weight
    return week
