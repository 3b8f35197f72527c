"""The times of a candidate's prompts beside those of the drawn groups, and how a statistic of them is compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from harvestdetect.data import NO_TIME
from harvestdetect.evidence import nulls
from harvestdetect.evidence.least_data import MIN_PROMPTS
from harvestdetect.evidence.nulls import Groups, draw_until_settled, tail_p
from harvestdetect.evidence.observation import Observation
from harvestdetect.util.amounts import EXCEPTIONAL
from harvestdetect.util.arrays import Bools, Floats, Ints
from harvestdetect.util.periods import DAY, HOUR

__all__ = [
    "Statistic",
    "TimedPrompts",
    "compared",
    "least_draws",
    "observed",
    "timed_prompts",
]


MAX_DAYS: Final = 1_500
"""Days from the candidate's median time. A time farther away is a mistake in the dump; such times would also need much
memory. Chosen."""
AT_ONCE: Final = 1 << 20
"""Times, or hours of all groups, that are processed in one block, which bounds memory."""

SAME_NUMBER: Final = "groups of other accounts with as many prompts each"
"""The null of most measures of time, in words."""
Statistic: TypeAlias = Callable[[Ints, Ints], Floats]
"""A statistic of int64[g, t], the times of g groups, and int64[t], members ascending from 0. It gives float64[g], NaN
for a group without a value."""


@dataclass(slots=True, kw_only=True)
class TimedPrompts:
    """The prompts of a candidate that have a time, and the times of the drawn groups.

    The groups' times are looked up when a measure first asks for them, and then shared between measures.
    """

    groups: Groups
    time: Ints
    """int64[p], seconds of every prompt of the dump, or NO_TIME."""
    compared: Bools
    """bool[t]: which of ``groups.own`` are compared."""
    median: int
    """Median of the candidate's times; others may be :data:`MAX_DAYS` away from it."""
    own: Ints
    """int64[1, t]: the candidate's times."""
    member: Ints
    """int64[t]: the member that sent each, from 0, ascending."""
    times_drawn: dict[int, Ints] = field(default_factory=dict)
    """Times of the groups of each step, by its first group, as far as they were asked for."""

    def plausible(self, time: Ints) -> Bools:
        """Which times, or NO_TIME, are known and not too far away from the candidate's."""
        near = (time >= self.median - MAX_DAYS * DAY) & (time <= self.median + MAX_DAYS * DAY)
        return np.asarray(near & (time != NO_TIME))

    def usable(self, low: int, high: int) -> Bools:
        """Which groups of one of :func:`~harvestdetect.evidence.nulls.steps` have plausible times throughout."""
        return np.asarray(self.plausible(self.time[self.groups.some(low, high)]).all(axis=1))

    def drawn(self, low: int, high: int) -> Ints:
        """The times of the usable groups of one step: int64[g, t]."""
        if low not in self.times_drawn:
            prompts = self.groups.some(low, high)
            self.times_drawn[low] = self.time[prompts[self.usable(low, high)][:, self.compared]]
        return self.times_drawn[low]

    @property
    def returning(self) -> int:
        """Members with several prompts."""
        return int((np.bincount(self.member) > 1).sum())


def timed_prompts(groups: Groups, time: Ints) -> TimedPrompts | None:
    """The times that are compared.

    Args:
        groups: matched with the candidate.
        time: int64[p], seconds of every prompt of the dump, or NO_TIME.

    Returns:
        None where fewer than :data:`~harvestdetect.evidence.least_data.MIN_PROMPTS` prompts are compared, or more than
        :data:`~harvestdetect.util.amounts.EXCEPTIONAL` of them lack a time.
    """
    own = time[groups.own]
    known = own != NO_TIME
    if len(own) < MIN_PROMPTS or (~known).mean() > EXCEPTIONAL:
        return None
    median = int(np.median(own[known]))
    known &= abs(own - median) <= MAX_DAYS * DAY
    member = groups.member[known]
    return TimedPrompts(
        groups=groups,
        time=time,
        compared=np.asarray(known),
        median=median,
        own=own[known][None],
        member=np.cumsum(np.diff(member, prepend=member[:1]) > 0),
    )


def least_draws() -> int:
    """Drawn groups with a value that a comparison needs: those of the first step."""
    return nulls.STEPS[0]


def observed(
    timed: TimedPrompts | None, statistic: Statistic, *, small: bool, sentence: str, logs: bool = False
) -> Observation | None:
    """A statistic of the candidate beside that of as many drawn groups as its p-value takes.

    Args:
        timed: of the candidate; None where too little is known of its times.
        statistic: of the times.
        small: whether small values are the extreme ones.
        sentence: with ``{value}`` and ``{expected}``.
        logs: whether the statistic is the logarithm of what is shown.

    Returns:
        None where the candidate has no value, or fewer than :func:`least_draws` groups have one.
    """
    if timed is None:
        return None
    value = float(statistic(timed.own, timed.member)[0])
    if np.isnan(value):
        return None
    null = draw_until_settled(
        value,
        lambda low, high: _in_blocks(statistic, timed.drawn(low, high), timed.member),
        draws=timed.groups.draws,
        small=small,
        least=least_draws(),
    )
    if len(null) < least_draws():
        return None
    return compared(value, null, small=small, sentence=sentence, logs=logs)


def compared(
    value: float, null: Floats, *, small: bool, sentence: str, against: str = SAME_NUMBER, logs: bool = False
) -> Observation:
    """The observation of a value among drawn ones.

    Args:
        value: of the candidate.
        null: float64[g], drawn.
        small: whether small values are the extreme ones.
        sentence: with ``{value}`` and ``{expected}``.
        against: what the null is, in words.
        logs: whether value and null are logarithms of what is shown.
    """
    shown, expected = (float(np.exp(x) if logs else x) for x in (value, np.median(null)))
    return Observation(
        value=shown,
        null=against,
        expected=expected,
        p_value=tail_p(value, null, small=small),
        sentence=sentence.format(value=shown, expected=expected),
    )


def _in_blocks(statistic: Statistic, times: Ints, member: Ints) -> Floats:
    """A statistic of many groups, computed block by block so that memory stays small: float64[g]."""
    if not len(times):
        return np.empty(0)
    days = int((times.max() - times.min()) // DAY) + 2
    block = max(1, AT_ONCE // max(times.shape[1], days * DAY // HOUR))
    return np.concatenate([statistic(times[i : i + block], member) for i in range(0, len(times), block)])
