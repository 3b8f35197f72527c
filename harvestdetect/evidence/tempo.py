"""At which hours and on which days the accounts send, against groups of other accounts."""

from __future__ import annotations

from typing import Final

import numpy as np

from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.timed_prompts import TimedPrompts, observed
from harvestdetect.util.amounts import MIN_SAMPLE
from harvestdetect.util.arrays import Floats, Ints
from harvestdetect.util.periods import DAY, HOUR

__all__ = ["flat_day", "no_sittings", "same_hours", "steady_days"]


SESSION: Final = 1_800
"""Seconds. Two successive prompts of one account that are closer than this belong to one sitting. Half an hour is the
usual inactivity timeout of web analytics."""


def flat_day(timed: TimedPrompts | None) -> Observation | None:
    """Whether the prompts spread evenly over the hours of the day, as those of people do not."""
    return observed(
        timed,
        _hours,
        small=True,
        sentence=(
            "The prompts spread over the 24 hours of the day with a chi-square of {value:.0f}; other accounts, who "
            "sleep and work, show about {expected:.0f}."
        ),
    )


def no_sittings(timed: TimedPrompts | None) -> Observation | None:
    """Whether an account's prompts come one by one, as those of a person at a keyboard do not."""
    if timed is None or timed.returning < MIN_SAMPLE:
        return None
    return observed(
        timed,
        _sittings,
        small=True,
        sentence=(
            "{value:.0%} of an account's successive prompts came within half an hour of each other; {expected:.0%} do "
            "among other accounts."
        ),
    )


def steady_days(timed: TimedPrompts | None) -> Observation | None:
    """Whether the number of prompts a day varies little."""
    return observed(
        timed,
        _days,
        small=True,
        sentence=(
            "The daily number of prompts varies little (variance-to-mean ratio {value:.1f}; {expected:.1f} among other "
            "accounts)."
        ),
    )


def same_hours(timed: TimedPrompts | None) -> Observation | None:
    """Whether the accounts act in the same hours of the same days."""
    return observed(
        timed,
        _together,
        small=False,
        sentence=(
            "In an hour with any of these prompts {value:.1f} came, against {expected:.1f} in groups of other accounts."
        ),
    )


# ---------------------------------------------------------------- the statistics


def _hours(times: Ints, member: Ints) -> Floats:
    """Chi-square distance per prompt of the hours of the day from a flat day."""
    g, t = times.shape
    hour = (times % DAY) // HOUR
    counts = np.bincount((np.arange(g)[:, None] * 24 + hour).ravel(), minlength=24 * g).reshape(g, 24)
    return np.asarray(((counts - t / 24) ** 2).sum(axis=1) * 24 / t)


def _sittings(times: Ints, member: Ints) -> Floats:
    """Share of an account's successive prompts that fall into one sitting, every account counting alike."""
    same = member[1:] == member[:-1]
    close = np.diff(times, axis=1)[:, same] < SESSION
    _, of, pairs = np.unique(member[1:][same], return_inverse=True, return_counts=True)
    return np.asarray(np.round((close / pairs[of]).sum(axis=1) / len(pairs), 9))


def _days(times: Ints, member: Ints) -> Floats:
    """Variance-to-mean ratio of the prompts per day, from the first to the last day."""
    day = times // DAY
    first = day.min(axis=1)
    span = int((day.max(axis=1) - first).max()) + 1
    g = len(times)
    counts = (
        np.bincount((np.arange(g)[:, None] * span + day - first[:, None]).ravel(), minlength=span * g)
        .reshape(g, span)
        .astype(np.float64)
    )
    length = day.max(axis=1) - first + 1
    mean = times.shape[1] / length
    square = (counts**2).sum(axis=1) / length - mean**2
    return np.asarray(square / mean)


def _together(times: Ints, member: Ints) -> Floats:
    """Prompts per hour of the window in which anything came: high when accounts act at the same hours."""
    hour = np.sort(times // HOUR, axis=1)
    return np.asarray(times.shape[1] / (1 + (np.diff(hour, axis=1) > 0).sum(axis=1)))
