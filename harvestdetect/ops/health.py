"""Checks from the metrics of the last run whether a regular job still works."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Final

from harvestdetect.ops.metrics import read_metrics

__all__ = ["Health", "check_health"]

CLOCK_TOLERANCE: Final = 300.0
"""Seconds by which a time in the file may be ahead of the clock, because clocks of machines differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The result of :func:`check_health`."""

    healthy: bool
    """Whether a run succeeded recently enough."""
    sentence: str
    """What was found."""


def check_health(metrics: str | os.PathLike[str], *, max_age: float, now: float | None = None) -> Health:
    """Checks whether a run succeeded recently enough. It never raises.

    Args:
        metrics: file that ``scan --metrics`` writes.
        max_age: most seconds since the end of the last successful run.
        now: Unix seconds; None takes those of the clock.
    """
    now = time.time() if now is None else now
    found = read_metrics(metrics)
    path = os.fspath(metrics)
    success, code = found.get("last_success_timestamp_seconds"), found.get("last_run_exit_code", 0.0)
    if success is None:
        return Health(healthy=False, sentence=f"no run has written metrics to {path}")
    last = f"the last run ended with exit code {code:.0f}"
    if not success:
        return Health(healthy=False, sentence=f"no run has succeeded yet; {last}")
    age = now - success
    if age < -CLOCK_TOLERANCE:
        ahead = f"the metrics in {path} are {_duration(-age)} ahead of the clock; one of the two clocks was wrong"
        return Health(healthy=False, sentence=ahead)
    sentence = f"the last successful run ended {_duration(max(age, 0.0))} ago"
    if age > max_age:
        return Health(healthy=False, sentence=f"{sentence}, but {_duration(max_age)} is the limit; {last}")
    if found.get("window_complete") == 0:
        sentence += "; its window was incomplete"
    return Health(healthy=True, sentence=sentence)


def _duration(seconds: float) -> str:
    """A duration in the largest unit of which there are at least two."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
