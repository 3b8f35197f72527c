"""When programs and people send: schedules, bursts, and the request times of real senders."""

from __future__ import annotations

import random
from typing import Final, Literal, TypeAlias

from benchmarks.real_texts import START
from benchmarks.sources import WINDOW
from benchmarks.world_sources import Times
from harvestdetect.util.periods import DAY, HOUR

__all__ = ["PROGRAMS", "Tempo", "TempoKind"]

TempoKind: TypeAlias = Literal["cron", "office", "burst", "steady", "real", "person"]
PROGRAMS: Final[tuple[TempoKind, ...]] = ("cron", "office", "burst", "burst", "steady", "real")
"""The tempos of programs, as often as they occur."""
_PERIODS: Final = (HOUR, 6 * HOUR, 12 * HOUR, DAY, DAY, DAY, 7 * DAY)
"""Seconds between two runs of a schedule."""


class Tempo:
    """Draws request times.

    Args:
        times: of real senders.
        rng: of every draw.
    """

    def __init__(self, times: Times, rng: random.Random) -> None:
        self._times = times
        self._rng = rng

    def program(self, count: int, *, low: float = 0, high: float = WINDOW, kind: TempoKind | None = None) -> list[int]:
        """The times of a program, ascending; ``kind`` is drawn if None."""
        return self.of(self._rng.choice(PROGRAMS) if kind is None else kind, count, low=low, high=high)

    def of(self, kind: TempoKind, count: int, *, low: float, high: float) -> list[int]:
        """``count`` times between two days of the window, ascending, in seconds since 1970."""
        first, last = START + int(low * DAY), START + max(int(high * DAY), int(low * DAY) + HOUR)
        rng = self._rng
        if kind == "cron":
            found = self._cron(count, first, last)
        elif kind == "office":
            found = self._office(count, first, last)
        elif kind == "burst":
            found = self._bursts(count, first, last)
        elif kind == "steady":
            found = [rng.randrange(first, last) for _ in range(count)]
        else:
            found = self._real(count, first, last, kind)
        return sorted(min(max(time, first), last - 1) for time in found)

    def _cron(self, count: int, first: int, last: int) -> list[int]:
        rng = self._rng
        period = min(rng.choice(_PERIODS), last - first)
        runs = max(1, (last - first) // period)
        each = max(1, -(-count // runs))
        start = first + rng.randrange(period) if runs > 1 else first + rng.randrange(max(1, last - first))
        used = max(1, -(-count // each))
        skip = rng.randrange(max(1, runs - used + 1))
        return [
            start + (skip + number // each) * period + number % each * rng.randint(2, 40) + rng.randrange(20)
            for number in range(count)
        ]

    def _office(self, count: int, first: int, last: int) -> list[int]:
        rng = self._rng
        opens = rng.choice((6, 7, 8, 9, 13, 14, 16, 23))
        days = [d for d in range((last - first) // DAY + 1) if ((first // DAY + d) + 3) % 7 < 5] or [0]
        return [
            first // DAY * DAY + rng.choice(days) * DAY + int((opens + min(max(rng.gauss(4.5, 2.4), 0), 10)) * HOUR)
            for _ in range(count)
        ]

    def _bursts(self, count: int, first: int, last: int) -> list[int]:
        rng = self._rng
        starts = [rng.randrange(first, last) for _ in range(min(count, rng.choice((1, 1, 2, 4))))]
        pace = rng.lognormvariate(2.5, 1.3)
        now = dict.fromkeys(range(len(starts)), 0.0)
        found = []
        for number in range(count):
            burst = number * len(starts) // count
            found.append(starts[burst] + int(now[burst]))
            now[burst] += rng.expovariate(1 / pace)
        return found

    def _real(self, count: int, first: int, last: int, kind: TempoKind) -> list[int]:
        """The times of a real sender, moved by whole days; a short trace is sent again on other days."""
        rng = self._rng
        traces = self._times.human if kind == "person" else self._times.machine
        trace = traces[rng.randrange(len(traces))]
        for _ in range(6):
            if len(trace) >= min(count, 20):
                break
            trace = traces[rng.randrange(len(traces))]
        start = rng.randrange(max(1, len(trace) - count + 1))
        part = trace[start : start + count]
        span = max(1, (last - first) // DAY) * DAY
        shift = rng.randrange(span // DAY) * DAY
        found = []
        for number in range(count):
            time = part[number % len(part)] + number // len(part) * rng.randint(1, 9) * DAY + int(rng.gauss(0, 300))
            found.append(first // DAY * DAY + (time + shift) % span)
        return found
