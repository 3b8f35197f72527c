"""Which groups of a scan a signature fits without its words: by subjects, form, tempo and list together.

The *likeness* of a group is that of its profile times the mean of the likenesses of form, tempo and list, as far as
they are known. Innocent people ask about the same subjects, but seldom in the same form, at the same pace and in lists
of the same size.

Findings at ``review`` or above need a lower likeness than others. A campaign may be several findings in another scan,
for example because only some of its accounts share an address. So the findings that fit best count together if all
others fit clearly worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.data import Tier
from harvestdetect.util.arrays import AnyInts, Floats

__all__ = ["Candidate", "Fitting", "fitting", "together"]

LEAST_PROFILE: Final = 0.6
"""Likeness of profiles from which a group can fit. Chosen on tuning data."""
COMPARED: Final = 0.45
"""Likeness of profiles below which the rest of a group is not compared: no rule depends on it then."""
SURE: Final[tuple[Tier, ...]] = ("urgent", "review")
"""Tiers of findings that are hardly ever innocent."""
SURE_FITS: Final = 0.5
"""Likeness from which such a finding fits. Chosen on tuning data."""
CLEARLY: Final = 1.1
"""Least ratio of the likeness of such a finding to that of any other one. Chosen on tuning data."""
MOST_PARTS: Final = 4
"""Findings that count together at most. Chosen."""
PARTS_CLEARLY: Final = 1.25
"""Least ratio of the likeness of each of several findings to that of any other one. Chosen on tuning data."""
OTHER_FITS: Final = 0.75
"""Likeness from which a finding at ``watch``, or a candidate that is no finding, fits. Chosen on tuning data: innocent
groups reached 0.73."""
OTHER_SHAPE: Final = 0.85
"""Mean likeness of form, tempo and list that such a group needs besides. Chosen on tuning data: that of the innocent
groups that came nearest was 0.80."""
ALONE: Final = 1.3
"""Least ratio of the likeness of such a group to that of any other candidate. Chosen on tuning data."""
ALSO_LIKE: Final = 0.05
"""Most of the other candidates that may be as like, as a share of them. Chosen."""
OVERLAP: Final = 0.1
"""Share of common accounts from which two candidates are not compared as different ones. Chosen."""
INSIDE: Final = 0.5
"""Share of a candidate's accounts that are members of findings, from which it is not reported beside these. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is compared of one candidate."""

    campaign_id: str | None
    """Of its finding; None if it is none."""
    tier: Tier | None
    accounts: AnyInts
    """Ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """The groups that fit."""

    chosen: tuple[int, ...]
    """The best first."""
    rest: float
    """Likeness of the best of the others."""


def together(profile: float, shape: Sequence[float]) -> float:
    """The likeness of a group.

    Args:
        profile: likeness of the profiles; NaN if it is not known.
        shape: likenesses of form, tempo and list; NaN for each that is not known.
    """
    known = [value for value in shape if not math.isnan(value)]
    return profile * (sum(known) / len(known)) if known else profile


def fitting(
    candidates: Sequence[Candidate],
    profile: Floats,
    shape: Callable[[int], Sequence[float]],
    *,
    taken: frozenset[str],
) -> Fitting | None:
    """The groups that a signature fits.

    Args:
        candidates: n, of the scan.
        profile: float64[n], the likeness of the profile of each.
        shape: from the number of a candidate to the likenesses of its form, tempo and list.
        taken: findings that the words of some signature fit. They are compared, but do not fit again.

    Returns:
        None if none fits.
    """
    like = profile.copy()
    for i in np.flatnonzero(profile >= COMPARED).tolist():
        like[i] = together(float(profile[i]), shape(i))
    able = {i for i in np.flatnonzero(profile >= LEAST_PROFILE).tolist() if candidates[i].campaign_id not in taken}
    sure = [i for i, c in enumerate(candidates) if c.tier in SURE and c.campaign_id not in taken]
    alike = {i for i in able if like[i] >= OTHER_SHAPE * profile[i]}
    return _sure(candidates, like, sure, able) or _other(candidates, like, alike)


def _sure(candidates: Sequence[Candidate], like: Floats, sure: Sequence[int], able: set[int]) -> Fitting | None:
    """One or several findings at ``review`` or above.

    Args:
        candidates: of the scan.
        like: likeness of each.
        sure: such findings.
        able: candidates that can fit.
    """
    order = sorted(sure, key=lambda i: (-like[i], i))
    for parts in range(1, min(len(order), MOST_PARTS) + 1):
        chosen, last = order[:parts], order[parts - 1]
        if last not in able or like[last] < SURE_FITS:
            return None
        apart = _apart(chosen, candidates)
        # without another finding to compare with, all other candidates stand in
        rivals = order[parts:] if len(order) > 1 else apart
        rest = float(np.max(like[rivals], initial=0.0))
        as_like = float(np.mean(like[apart] >= like[last])) if apart else 0.0
        if like[last] >= (CLEARLY if parts == 1 else PARTS_CLEARLY) * rest and as_like <= ALSO_LIKE:
            return Fitting(chosen=tuple(chosen), rest=rest)
    return None


def _other(candidates: Sequence[Candidate], like: Floats, able: set[int]) -> Fitting | None:
    """A finding at ``watch``, or a candidate that is no finding and not mostly a part of some."""
    found = [c.accounts for c in candidates if c.campaign_id is not None]
    members = np.unique(np.concatenate([np.empty(0, np.int64), *found]))

    def is_apart(one: Candidate) -> bool:
        return len(np.intersect1d(one.accounts, members)) < INSIDE * len(one.accounts)

    pool = [i for i in sorted(able) if candidates[i].tier not in SURE and like[i] >= OTHER_FITS]
    pool = [i for i in pool if candidates[i].campaign_id is not None or is_apart(candidates[i])]
    if not pool:
        return None
    best = max(pool, key=lambda i: (like[i], -i))
    rest = float(np.max(like[_apart([best], candidates)], initial=0.0))
    return Fitting(chosen=(best,), rest=rest) if like[best] >= ALONE * rest else None


def _apart(chosen: Sequence[int], candidates: Sequence[Candidate]) -> list[int]:
    """The candidates that share few accounts with each of some."""
    own = [candidates[i].accounts for i in chosen]
    return [
        i
        for i, other in enumerate(candidates)
        if i not in chosen
        and all(len(np.intersect1d(other.accounts, one)) < OVERLAP * len(other.accounts) for one in own)
    ]
