"""How evenly the prompts are spread over the accounts, and whether the same accounts sent several templates."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.evidence.nulls import draw_until_settled, tail_p
from harvestdetect.evidence.observation import Observation
from harvestdetect.util.amounts import MIN_SAMPLE
from harvestdetect.util.arrays import Floats, spread

__all__ = ["even_load", "even_load_ratio", "least_beyond", "linked_clusters", "linked_templates"]


COMPOSITIONS: Final = 1999
"""Ways to share the prompts out that are drawn, at most. Chosen."""
MAX_SHARES: Final = 2_500_000
"""Shares that are drawn in all, which bounds time: fewer compositions are drawn of many accounts."""
LEAST_COMPOSITIONS: Final = 999
"""Compositions that are drawn at least. Where even these exceed :data:`MAX_SHARES`, only some of the accounts are
compared, evenly chosen."""
LEAST_LOG_P: Final = -700.0
"""Smallest natural logarithm of a link's p-value. It is a little below that of
:data:`~harvestdetect.evidence.nulls.P_FLOOR`; the results of earlier scans have it."""


def even_load_ratio(counts: npt.NDArray[np.integer]) -> float:
    """Variance of the counts over that of a geometric distribution with the same mean; 1 is how people are."""
    mean = float(counts.mean())
    return float(counts.var() / (mean * (mean - 1))) if mean > 1 else 1.0


def least_beyond(stray_hits: int, used: npt.NDArray[np.integer]) -> int:
    """The number of prompts that makes nobody a member, which :func:`even_load` takes as strays.

    Accounts that sent prompts of one linked cluster only may have been taken out, and then every member has two prompts
    or more. A null that begins at one prompt would make such accounts look even because of how they were chosen.

    Args:
        stray_hits: most prompts of an account that was left out as a stray.
        used: int[a], how many of the clusters each member sent prompts of.
    """
    return max(stray_hits, int((used > 1).all()))


def even_load(counts: npt.NDArray[np.int32], *, strays: int = 0, seed: int) -> Observation | None:
    """Whether the accounts send about as much each, as behind a load balancer.

    The null shares the same total out among as many accounts, every way being equally likely (Bose-Einstein
    statistics). Independent users with a geometric number of requests look like that; people are rather more uneven.
    Only what members sent beyond ``strays`` is compared. A geometric number has no memory, so leaving out accounts up
    to there as strays cannot make the others look even.

    Args:
        counts: int32[a], prompts of each member.
        strays: the most prompts of an account that was left out as a stray.
        seed: of the null.

    Returns:
        None where fewer than :data:`~harvestdetect.util.amounts.MIN_SAMPLE` accounts, or prompts beyond the
        first of each, are left to compare.
    """
    counts = counts[counts > strays] - strays
    every = len(counts)
    counts = counts[spread(every, MAX_SHARES // LEAST_COMPOSITIONS)]
    total, members = int(counts.sum()), len(counts)
    if min(members, total - members) < MIN_SAMPLE:
        return None
    rng = np.random.default_rng(seed)

    def composed(low: int, high: int) -> Floats:
        shares = rng.standard_exponential((high - low, members))
        shares /= shares.sum(axis=1, keepdims=True)
        return np.asarray(np.log(rng.multinomial(total - members, shares).var(axis=1) + 1e-3))

    value = float(counts.var())
    mean = total / members
    draws = min(COMPOSITIONS, max(LEAST_COMPOSITIONS, MAX_SHARES // members))
    null = draw_until_settled(np.log(value + 1e-3), composed, draws=draws, small=True)
    return Observation(
        value=value / mean,
        null="the same prompts shared out among as many independent users",
        expected=float(np.exp(np.median(null))) / mean,
        p_value=tail_p(float(np.log(value + 1e-3)), null, small=True),
        sentence=(
            f"{every} accounts sent {mean + strays:.1f} of these prompts each with a variance-to-mean ratio of "
            f"{value / mean:.2f}; independent users would show about {np.exp(np.median(null)) / mean:.2f}."
        ),
    )


def linked_templates(templates: int, log_p: float, *, accounts: int, several: float) -> Observation | None:
    """Whether the same accounts sent several different templates.

    Args:
        templates: how many of the linked clusters are templates that nobody fills by chance.
        log_p: natural log of the weakest link's corrected p-value.
        accounts: of the candidate.
        several: share of them that sent prompts of several clusters.

    Returns:
        None where fewer than two templates are linked.
    """
    return _linked(templates, "different templates", log_p, accounts, several) if templates > 1 else None


def linked_clusters(
    clusters: int, templates: int, log_p: float, *, accounts: int, several: float
) -> Observation | None:
    """Whether the same accounts sent several kinds of prompts that share a subject rather than a template.

    It is a measure of its own, which does not decide: people have several interests.

    Args:
        clusters: that are linked.
        templates: how many of them are templates that nobody fills by chance.
        log_p: natural log of the weakest link's corrected p-value.
        accounts: of the candidate.
        several: share of them that sent prompts of several clusters.

    Returns:
        None where nothing is linked, or :func:`linked_templates` has a value.
    """
    return _linked(clusters, "kinds of prompts", log_p, accounts, several) if clusters > 1 >= templates else None


def _linked(count: int, what: str, log_p: float, accounts: int, several: float) -> Observation:
    return Observation(
        value=float(count),
        null="overlap of accounts given how much each of them sent",
        expected=1.0,
        p_value=float(np.exp(max(log_p, LEAST_LOG_P))),
        sentence=f"{accounts} accounts sent {count} {what}, {several:.0%} of them more than one.",
    )
