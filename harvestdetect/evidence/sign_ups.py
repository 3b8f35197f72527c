"""When the accounts were created and first used, against other accounts of the same time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from harvestdetect.corpus.creation_times import AccountTimes
from harvestdetect.data import NO_TIME
from harvestdetect.evidence import nulls
from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.evidence.nulls import draw_until_settled
from harvestdetect.evidence.observation import Observation
from harvestdetect.evidence.timed_prompts import compared
from harvestdetect.util.amounts import MIN_SAMPLE
from harvestdetect.util.arrays import AnyInts, Bools, Floats, Ints, Ints32, spread
from harvestdetect.util.periods import DAY, HOUR

__all__ = ["Creations", "creations_of", "sign_up_cohort", "sign_up_gap"]


MATCHED: Final = 3
"""Times as many other accounts as members, and as :data:`~harvestdetect.evidence.least_data.MIN_COMPARED` at least,
that a member is compared with: those nearest in time. With too few of them, every member is compared with accounts of
all times. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Creations:
    """When accounts were created, with the other accounts sorted for looking up those near in time."""

    times: AccountTimes
    seen_from: int | None
    """First prompt of the dump; None where no prompt has a time."""
    by_first: Ints
    """int64[b]: the accounts to compare with, ordered by their first prompt."""
    first: Ints
    """int64[b]: the first prompt of each of ``by_first``, in seconds."""
    by_created: Ints
    """int64[c]: those of ``by_first`` that were created within the dump, ordered by their creation."""
    created: Ints
    """int64[c]: the creation of each of ``by_created``, in seconds."""

    def fresh(self, accounts: AnyInts) -> Bools:
        """Which accounts were created within the dump: only they show their first prompt."""
        if self.seen_from is None:
            return np.zeros(len(accounts), bool)
        created, first = self.times.created[accounts], self.times.first[accounts]
        return np.asarray((created >= self.seen_from) & (first >= created))


def creations_of(times: AccountTimes, others: Bools) -> Creations:
    """What sign-ups are compared with, computed once for all candidates.

    Args:
        times: of all accounts.
        others: bool[accounts], those to compare with: outside every candidate.
    """
    free = np.flatnonzero(others & (times.created != NO_TIME))
    seen = times.first[times.first != NO_TIME]
    by_first = free[np.argsort(times.first[free], kind="stable")]
    found = Creations(
        times=times,
        seen_from=int(seen.min()) if len(seen) else None,
        by_first=by_first,
        first=times.first[by_first],
        by_created=by_first[:0],
        created=times.created[:0],
    )
    new = free[found.fresh(free)]
    new = new[np.argsort(times.created[new], kind="stable")]
    return replace(found, by_created=new, created=times.created[new])


def sign_up_cohort(creations: Creations, members: Ints32, *, seed: int) -> Observation | None:
    """Whether the members were created on the same days.

    A member is compared with accounts that were first seen at about the same time, so that a wave of newcomers to the
    whole service is no evidence. Accounts without a creation are left out of both sides.

    Args:
        creations: all accounts, and which of them to compare with; no member is one of these.
        members: int32[a], ascending.
        seed: of the draws.

    Returns:
        None where most members, or too many other accounts, lack a creation.
    """
    created = creations.times.created
    own = _with_creation(creations, members)
    if not len(own) or len(creations.first) < MATCHED * MIN_COMPARED:
        return None
    chosen = own[spread(len(own), nulls.MAX_MEMBERS)]
    rng = np.random.default_rng(seed)
    near = _near(creations.times.first[chosen], creations.first)
    value = float(_same_day(created[chosen][None])[0])
    null = draw_until_settled(
        value, lambda low, high: _same_day(created[creations.by_first[_matched(near, high - low, rng)]])
    )
    busiest = np.sort(np.unique(created[own] // DAY, return_counts=True)[1])[-3:].sum()
    return compared(
        value,
        null,
        small=False,
        sentence=(
            "{value:.1%} of the pairs of accounts signed up on the same day, {expected:.1%} among other accounts first "
            f"seen at the same time; {busiest} of {len(own)} on the three busiest days."
        ),
        against="as many other accounts, first seen at about the same time",
    )


def sign_up_gap(creations: Creations, members: Ints32, *, seed: int) -> Observation | None:
    """Whether the members were put to use after the same time from their sign-up on.

    Only accounts created within the dump show their first prompt. They are compared with others created at about the
    same time.

    Args:
        creations: all accounts, and which of them to compare with; no member is one of these.
        members: int32[a], ascending.
        seed: of the draws.

    Returns:
        None where most members lack a creation or were created before the dump, or too few others were created within.
    """
    times = creations.times
    own = _with_creation(creations, members)
    newly = own[creations.fresh(own)]
    if not len(own) or len(newly) < max(MIN_SAMPLE, len(own) / 2) or len(creations.created) < MATCHED * MIN_COMPARED:
        return None
    chosen = newly[spread(len(newly), nulls.MAX_MEMBERS)]
    near = _near(times.created[chosen], creations.created)
    rng = np.random.default_rng(seed)

    def gap(accounts: AnyInts) -> Floats:
        return np.asarray(np.log(times.first[accounts] - times.created[accounts] + 60.0))

    value = float(_middle_half(gap(chosen)[None])[0])
    null = draw_until_settled(
        value,
        lambda low, high: _middle_half(gap(creations.by_created[_matched(near, high - low, rng)])),
        small=True,
    )
    usual = float(np.exp(np.median(gap(newly))) / HOUR)
    return compared(
        value,
        null,
        small=True,
        sentence=(
            f"{usual:.1f} hours lie between sign-up and first prompt (median of {len(newly)} accounts); the "
            "quartiles differ by a factor of {value:.1f}, among other new accounts by {expected:.1f}."
        ),
        against="as many other accounts, opened within the dump at about the same time",
        logs=True,
    )


def _with_creation(creations: Creations, members: Ints32) -> Ints32:
    """The members with a known creation; none where these are too few or less than half of the members."""
    own: Ints32 = members[creations.times.created[members] != NO_TIME]
    return own[:0] if len(own) < MIN_SAMPLE or len(own) < len(members) / 2 else own


def _near(own: Ints, others: Ints) -> tuple[Ints, Ints]:
    """Where in ``others``, ascending, those near each of m moments begin, and how many they are.

    A moment that is NO_TIME is compared with all others.
    """
    window = min(len(others), MATCHED * max(MIN_COMPARED, len(own)))
    low = np.clip(np.searchsorted(others, own) - window // 2, 0, len(others) - window)
    return np.where(own == NO_TIME, 0, low), np.where(own == NO_TIME, len(others), window)


def _matched(near: tuple[Ints, Ints], draws: int, rng: np.random.Generator) -> Ints:
    """Positions int64[draws, m] of others near each of m moments."""
    low, size = near
    return np.asarray(low + (rng.random((draws, len(low))) * size).astype(np.int64))


def _same_day(created: Ints) -> Floats:
    """Share of pairs created on one day: float64[g] of int64[g, m]."""
    g, m = created.shape
    day = np.sort(created // DAY, axis=1)
    new = np.ones((g, m), bool)
    new[:, 1:] = day[:, 1:] != day[:, :-1]
    start = np.flatnonzero(new)
    count = np.diff(np.append(start, g * m))
    pairs = np.bincount(start // m, count * (count - 1.0), minlength=g)
    return np.asarray(pairs / (m * (m - 1)), np.float64)


def _middle_half(values: Floats) -> Floats:
    """Distance of the quartiles: float64[g] of float64[g, m]."""
    low, high = np.quantile(values, (0.25, 0.75), axis=1)
    return np.asarray(high - low)
