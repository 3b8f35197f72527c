"""Which groups of a scan a signature fits without its words: by subjects, form, tempo and list together.

The *likeness* of a group is that of its profile times that of its form times the mean of those of tempo and list, as
far as they are known. Innocent people ask about the same subjects, but seldom in the same form, at the same pace and in
lists of the same size.

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

__all__ = ["Fitting", "ProfileCandidate", "fitting", "likenesses", "stands_alone", "together"]

SURE: Final[tuple[Tier, ...]] = ("urgent", "review")
"""Tiers of findings that are hardly ever innocent."""
FITS: Final = 0.3
"""Likeness from which such a finding fits. Chosen on tuning data."""
CLEARLY: Final = 1.1
"""Least ratio of the likeness of such a finding to that of any other one. Chosen on tuning data."""
MOST_PARTS: Final = 4
"""Findings that count together at most. Chosen."""
PARTS_CLEARLY: Final = 1.25
"""Least ratio of the likeness of each of several findings to that of any other one. Chosen on tuning data."""
OTHER_FITS: Final = 0.5
"""Likeness from which a finding at ``watch``, or a candidate that is no finding, fits. Chosen on tuning data: in native
innocent traffic, groups reached 0.45."""
CHOSEN_FITS: Final = 0.75
"""Likeness from which a group fits whose prompts were chosen by the signature; it is higher for that reason. Chosen on
tuning data: groups outside the campaign reached 0.71."""
ALONE: Final = 1.3
"""Least ratio of the likeness of such a group, or of a finding at ``watch``, to that of any other candidate. Chosen on
tuning data."""
COMPARED: Final = FITS / ALONE
"""Likeness of profiles below which the rest of a group is not compared: no rule depends on it then."""
ALSO_LIKE: Final = 0.05
"""Largest share of the other candidates that may be as alike. Chosen."""
OVERLAP: Final = 0.1
"""Share of common accounts from which two candidates are not compared as different ones. Chosen."""
INSIDE: Final = 0.5
"""Share of a candidate's accounts that are members of findings, from which it is not reported beside these. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileCandidate:
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
    form, *pace = shape
    known = [value for value in pace if not math.isnan(value)]
    return profile * (1.0 if math.isnan(form) else form) * (sum(known) / len(known) if known else 1.0)


def likenesses(
    candidates: Sequence[ProfileCandidate], profile: Floats, shape: Callable[[int], Sequence[float]]
) -> Floats:
    """How alike a signature and each candidate are: float64[n]; 0 where the profiles are too unlike.

    Args:
        candidates: n, of the scan.
        profile: float64[n], the likeness of the profile of each.
        shape: from the number of a candidate to the likenesses of its form, tempo and list.
    """
    like = np.zeros(len(profile))
    for i in np.flatnonzero(profile >= COMPARED).tolist():
        like[i] = together(float(profile[i]), shape(i))
    return _of_findings(candidates, like)


def fitting(
    candidates: Sequence[ProfileCandidate], like: Floats, *, taken: frozenset[str], worded: bool = False
) -> Fitting | None:
    """The groups that a signature fits.

    Args:
        candidates: n, of the scan.
        like: float64[n], see :func:`likenesses`.
        taken: findings that the words of some signature fit. They are compared, but do not fit again.
        worded: whether the signature has words. They fitted nothing, so only findings with other words can fit.

    Returns:
        None if none fits.
    """
    sure = [i for i, c in enumerate(candidates) if c.tier in SURE and c.campaign_id not in taken]
    return _sure(candidates, like, sure) or _other(candidates, like, taken, worded)


def stands_alone(
    accounts: AnyInts, likeness: float, candidates: Sequence[ProfileCandidate], like: Floats
) -> float | None:
    """Whether a group of accounts that is no candidate fits. Its prompts were chosen by the signature.

    Args:
        accounts: of the group, ascending.
        likeness: of the group.
        candidates: n, of the scan.
        like: float64[n], of the candidates.

    Returns:
        the likeness of the best candidate with other accounts; None if the group does not fit.
    """
    own = ProfileCandidate(campaign_id=None, tier=None, accounts=accounts)
    rest = float(np.max(like[_apart([own], candidates)], initial=0.0))
    fits = likeness >= max(CHOSEN_FITS, ALONE * rest) and _is_no_part(own, candidates)
    return rest if fits else None


def _of_findings(candidates: Sequence[ProfileCandidate], like: Floats) -> Floats:
    """The likenesses, where a finding takes that of a candidate with mostly the same accounts if it is higher.

    A scan finds a campaign in several ways, and a finding does not always have the accounts that are most alike.
    """
    found = like.copy()
    others = [i for i, c in enumerate(candidates) if c.campaign_id is None and like[i] > 0]
    for i, finding in enumerate(candidates):
        for other in others if finding.campaign_id is not None else ():
            size = max(len(finding.accounts), len(candidates[other].accounts))
            if like[other] > found[i] and len(_both(finding, candidates[other])) >= INSIDE * size:
                found[i] = like[other]
    return found


def _both(one: ProfileCandidate, other: ProfileCandidate) -> AnyInts:
    return np.intersect1d(one.accounts, other.accounts)


def _sure(candidates: Sequence[ProfileCandidate], like: Floats, sure: Sequence[int]) -> Fitting | None:
    """One or several findings at ``review`` or above.

    Args:
        candidates: of the scan.
        like: likeness of each.
        sure: such findings that may fit.
    """
    order = sorted(sure, key=lambda i: (-like[i], i))
    for parts in range(1, min(len(order), MOST_PARTS) + 1):
        chosen, last = order[:parts], order[parts - 1]
        if like[last] < FITS:
            return None
        apart = _apart([candidates[i] for i in chosen], candidates)
        # without another finding to compare with, all other candidates stand in
        rivals = order[parts:] if len(order) > 1 else apart
        rest = float(np.max(like[rivals], initial=0.0))
        as_like = float(np.mean(like[apart] >= like[last])) if apart else 0.0
        if like[last] >= (CLEARLY if parts == 1 else PARTS_CLEARLY) * rest and as_like <= ALSO_LIKE:
            return Fitting(chosen=tuple(chosen), rest=rest)
    return None


def _other(candidates: Sequence[ProfileCandidate], like: Floats, taken: frozenset[str], worded: bool) -> Fitting | None:
    """A finding at ``watch``; without one, a candidate that is no finding and not mostly a part of some."""
    listed = [i for i, one in enumerate(candidates) if one.tier not in SURE and one.campaign_id not in taken]
    watched = [i for i in listed if candidates[i].campaign_id is not None and like[i] >= OTHER_FITS]
    unknown = [i for i in listed if candidates[i].campaign_id is None and like[i] >= OTHER_FITS and not worded]
    for pool in (watched, [i for i in unknown if _is_no_part(candidates[i], candidates)]):
        if pool:
            best = max(pool, key=lambda i: (like[i], -i))
            rest = float(np.max(like[_apart([candidates[best]], candidates)], initial=0.0))
            if like[best] >= ALONE * rest:
                return Fitting(chosen=(best,), rest=rest)
    return None


def _is_no_part(one: ProfileCandidate, candidates: Sequence[ProfileCandidate]) -> bool:
    """Whether few of the accounts of a group are members of findings."""
    found = [c.accounts for c in candidates if c.campaign_id is not None]
    members = np.unique(np.concatenate([np.empty(0, np.int64), *found]))
    return len(np.intersect1d(one.accounts, members)) < INSIDE * len(one.accounts)


def _apart(chosen: Sequence[ProfileCandidate], candidates: Sequence[ProfileCandidate]) -> list[int]:
    """The candidates that share few accounts with each of some."""
    return [
        i
        for i, other in enumerate(candidates)
        if all(len(_both(other, one)) < OVERLAP * len(other.accounts) for one in chosen)
    ]
