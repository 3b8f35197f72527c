"""When the prompts came, against groups of other accounts with as many prompts each."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import NO_TIME, Evidence
from harvestdetect.evidence.nulls import Groups, tail_p

__all__ = ["DAY", "SITTINGS", "time_evidence"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HOUR: Final = 3_600
DAY: Final = 86_400
SITTINGS: Final = "no sittings"
"""The measure that tells a machine from a person at a keyboard."""
SESSION: Final = 1_800
"""Two prompts of one account within so many seconds are one sitting."""
MIN_PROMPTS: Final = 40
MIN_RETURNING: Final = 10
"""Accounts with several prompts that the measure of sittings needs."""


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


def _starts(times: Ints, member: Ints) -> Floats:
    """Standard deviation, in days, of the accounts' first prompts."""
    first = np.flatnonzero(np.concatenate(([True], member[1:] != member[:-1])))
    return np.asarray(np.minimum.reduceat(times, first, axis=1).std(axis=1) / DAY)


def _together(times: Ints, member: Ints) -> Floats:
    """Prompts per hour of the window in which anything came: high when accounts act at the same hours."""
    hour = np.sort(times // HOUR, axis=1)
    return np.asarray(times.shape[1] / (1 + (np.diff(hour, axis=1) > 0).sum(axis=1)))


_MEASURES: Final = (
    (
        "flat day",
        _hours,
        True,
        "The prompts spread over the 24 hours of the day with a chi-square of {value:.0f}; other accounts, who sleep "
        "and work, show about {expected:.0f}.",
    ),
    (
        SITTINGS,
        _sittings,
        True,
        "{value:.0%} of an account's successive prompts came within half an hour of each other; {expected:.0%} do "
        "among other accounts.",
    ),
    (
        "steady days",
        _days,
        True,
        "The daily number of prompts varies little (variance-to-mean ratio {value:.1f}; {expected:.1f} among other "
        "accounts).",
    ),
    (
        "common start",
        _starts,
        True,
        "The accounts' first prompts of this kind lie {value:.1f} days apart (standard deviation); {expected:.1f} "
        "among other accounts.",
    ),
    (
        "same hours",
        _together,
        False,
        "In an hour with any of these prompts {value:.1f} came, against {expected:.1f} in groups of other accounts.",
    ),
)


def time_evidence(groups: Groups, time: Ints) -> list[Evidence]:
    """The time measures of a campaign; none where too few of its prompts have a time.

    Args:
        groups: matched with the campaign.
        time: int64[p], seconds of every prompt, or NO_TIME.
    """
    own = time[groups.own]
    if len(own) < MIN_PROMPTS or (own == NO_TIME).mean() > 0.1:
        return []
    drawn = time[groups.drawn]
    drawn = drawn[(drawn != NO_TIME).all(axis=1)]
    held = own != NO_TIME
    own, drawn, member = own[held][None], drawn[:, held], groups.member[held]
    if len(drawn) < 99:
        return []
    returning = int((np.bincount(member) > 1).sum())
    found = []
    for name, measure, small, sentence in _MEASURES:
        if measure is _sittings and returning < MIN_RETURNING:
            continue
        value = float(measure(own, member)[0])
        null = measure(drawn, member)
        expected = float(np.median(null))
        found.append(
            Evidence(
                name=name,
                family="time",
                value=value,
                null="groups of other accounts with as many prompts each",
                expected=expected,
                p_value=tail_p(value, null, small=small),
                sentence=sentence.format(value=value, expected=expected),
            )
        )
    return found
