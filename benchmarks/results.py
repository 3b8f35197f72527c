"""The result of one dump of the recall benchmark, and means with intervals over several results."""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from harvestdetect.util.intervals import wilson

__all__ = ["COUNTED", "OURS", "Finding", "Interval", "JudgedGroup", "Result", "interval", "wilson"]

OURS: Final = "harvestdetect"
"""Name of the detector that is not a baseline."""
COUNTED: Final = ("urgent", "review")
"""Tiers at which a finding counts."""
ENOUGH_SEEDS: Final = 5
"""Number of seeds from which intervals are bootstrapped over seeds."""
DRAWS: Final = 2_000
"""Bootstrap samples of an interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedGroup:
    """A planted group and how it was judged."""

    name: str
    scenario: str
    kind: str
    accounts: int
    harvest: int
    found: bool
    tier: str | None
    recall: float
    """Recall of the best finding."""
    precision: float | None
    covered: int
    """Accounts in any finding at urgent or review."""
    days: float | None = None
    """Days from its first harvest prompt to the end of the first prefix in which it is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding, as far as the tables need it."""

    tier: str
    score: float
    q: float | None
    accounts: int
    false: bool
    """Whether fewer than half of its accounts are planted in a campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One dump, scanned and scored."""

    part: str
    dump: str
    metadata: bool
    seed: int
    detector: str
    variant: str
    origin: str = ""
    """Where the texts come from, in words."""
    rows: int = 0
    benign_rows: int = 0
    accounts: int = 0
    seconds: float = 0.0
    memory_mb: float = 0.0
    campaign_recall: float | None = None
    account_recall: float | None = None
    account_precision: float | None = None
    recommended_precision: float | None = None
    average_precision: float | None = None
    flagged: int = 0
    """Accounts in findings at urgent or review."""
    flagged_guilty: int = 0
    look_alikes_urgent: int = 0
    """Look-alikes that are the largest planted group of a false urgent finding."""
    groups: tuple[JudgedGroup, ...] = ()
    findings: tuple[Finding, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    left_out: str = ""
    """Why the dump could not be planted; empty where it could."""


# ---------------------------------------------------------------- means


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and its interval."""

    mean: float
    low: float
    high: float
    how: str
    """``bootstrap``, ``wilson`` or ``range``."""

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f}–{self.high:.3f})"


def interval(by_seed: Mapping[int, Sequence[float]], *, counts: bool = False) -> Interval | None:
    """Mean over all values and its 95 % interval; None where there is no value.

    From :data:`ENOUGH_SEEDS` seeds on, whole seeds are resampled, since the values of one seed depend on one another.
    With fewer seeds it is Wilson's interval where the values are zeros and ones, and the range over seeds otherwise.
    """
    known = {seed: list(values) for seed, values in by_seed.items() if values}
    everything = [v for values in known.values() for v in values]
    if not everything:
        return None
    mean = statistics.fmean(everything)
    if len(known) >= ENOUGH_SEEDS:
        rng = random.Random(0)
        groups = list(known.values())
        means = []
        for _ in range(DRAWS):
            drawn = rng.choices(groups, k=len(groups))
            means.append(sum(map(sum, drawn)) / sum(map(len, drawn)))
        means.sort()
        return Interval(
            mean=mean, low=means[round(0.025 * DRAWS)], high=means[round(0.975 * DRAWS) - 1], how="bootstrap"
        )
    if counts:
        low, high = wilson(round(sum(everything)), len(everything))
        return Interval(mean=mean, low=low, high=high, how="wilson")
    means = [statistics.fmean(values) for values in known.values()]
    return Interval(mean=mean, low=min(means), high=max(means), how="range")
