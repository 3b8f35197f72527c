"""How the accounts stand to one another: load, list of work, shared templates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import Evidence
from harvestdetect.evidence.nulls import Groups, tail_p

__all__ = [
    "DECIDING",
    "OwnSubjects",
    "coherence",
    "even_load",
    "even_load_ratio",
    "linked_templates",
    "shared_list",
]

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

DECIDING: Final = ("even load", "one list of work", "linked templates")
"""The measures on which the family stands; linked clusters can only agree."""
COMPOSITIONS: Final = 4999
MAX_SHARES: Final = 2_500_000
"""Fewer compositions are drawn of very many accounts."""
DEALT: Final = 4.0
"""Standard deviations of a shuffle from which requests are not dealt at random, whatever other accounts do."""
MIN_PAIRS: Final = 30


def even_load_ratio(counts: npt.NDArray[np.integer]) -> float:
    """Variance of the counts over that of a geometric distribution with the same mean; 1 is how people are."""
    mean = float(counts.mean())
    return float(counts.var() / (mean * (mean - 1))) if mean > 1 else 1.0


def even_load(counts: npt.NDArray[np.int32], *, strays: int = 0, seed: int) -> Evidence | None:
    """Whether the accounts send about as much each, as under a load balancer.

    The null shares the same total out among as many accounts so that every way is as likely (Bose-Einstein), which
    is how independent users with a geometric number of requests look; people are rather more uneven. Only what members
    sent beyond ``strays`` is compared: a geometric number has no memory, so leaving out accounts up to there as strays
    cannot make the others look even.

    Args:
        counts: int32[a], prompts of each member.
        strays: most prompts of an account that was left out as a stray.
        seed: of the null.

    Returns:
        None where there is next to nothing to share out.
    """
    counts = counts[counts > strays] - strays
    total, members = int(counts.sum()), len(counts)
    if total - members < 10 or members < 5:
        return None
    rng = np.random.default_rng(seed)
    shares = rng.standard_exponential((min(COMPOSITIONS, max(999, MAX_SHARES // members)), members))
    shares /= shares.sum(axis=1, keepdims=True)
    null = np.log(rng.multinomial(total - members, shares).var(axis=1) + 1e-3)
    value = float(counts.var())
    mean = total / members
    return Evidence(
        name="even load",
        family="structure",
        value=value / mean,
        null="the same prompts shared out among as many independent users",
        expected=float(np.exp(np.median(null))) / mean,
        p_value=tail_p(float(np.log(value + 1e-3)), null, small=True),
        sentence=(
            f"{members} accounts sent {mean + strays:.1f} of these prompts each with a variance-to-mean ratio of "
            f"{value / mean:.2f}; independent users would show about {np.exp(np.median(null)) / mean:.2f}."
        ),
    )


def linked_templates(clusters: int, templates: int, log_p: float, accounts: int) -> Evidence | None:
    """Whether the same accounts sent several different templates.

    Clusters that share a subject rather than a template are named apart: people have several interests.

    Args:
        clusters: that are linked.
        templates: how many of them are templates.
        log_p: natural log of the weakest link's corrected p-value.
        accounts: of the campaign.
    """
    if clusters < 2:
        return None
    named = templates > 1
    return Evidence(
        name="linked templates" if named else "linked clusters",
        family="structure",
        value=float(templates if named else clusters),
        null="overlap of accounts given how much each of them sent",
        expected=1.0,
        p_value=float(np.exp(max(log_p, -700.0))),
        sentence=(
            f"The same {accounts} accounts sent {templates} different templates."
            if named
            else f"The same {accounts} accounts sent {clusters} kinds of prompts."
        ),
    )


def coherence(vectors: Floats32, member: npt.NDArray[np.int64]) -> Floats:
    """How much alike the prompts of one account are, beyond what all prompts of the group share.

    Args:
        vectors: float32[g, t, d].
        member: int64[t], ascending from 0.

    Returns:
        float64[g]: mean cosine of two prompts of the same account, after the group's mean is taken away.
    """
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=2, keepdims=True)
    centred = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-6)
    starts = np.flatnonzero(np.concatenate(([True], member[1:] != member[:-1])))
    sums = np.add.reduceat(centred, starts, axis=1)
    each = np.diff(np.append(starts, len(member)))
    pairs = float((each * (each - 1)).sum())
    own = (centred**2).sum(axis=(1, 2))
    return np.asarray(((sums**2).sum(axis=(1, 2)) - own) / max(pairs, 1.0), np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSubjects:
    """Whether the accounts of a campaign have subjects of their own."""

    deviations: float
    """Standard deviations of a shuffle by which two prompts of one account are more alike."""
    of_usual: float
    """Their likeness over that within other accounts; 1 is how people are."""


def shared_list(groups: Groups, vectors: Floats32) -> tuple[Evidence, OwnSubjects] | None:
    """Whether the accounts' requests are dealt out of one list, rather than each account's own.

    People come back to their own subjects: two prompts of one account are more alike than two of different ones.
    When a list of work is dealt to a pool of accounts, they are not.

    Args:
        groups: matched with the campaign.
        vectors: float32[p, d], of every prompt.

    Returns:
        the evidence, and how far the accounts have subjects of their own; None where too few accounts have several
        prompts.
    """
    each = np.bincount(groups.member)
    if (each * (each - 1)).sum() / 2 < MIN_PAIRS:
        return None
    own = vectors[groups.own]
    value = float(coherence(own[None], groups.member)[0])
    null = np.empty(len(groups.drawn))
    block = max(1, 4_000_000 // (own.size + 1))
    for start in range(0, len(null), block):
        null[start : start + block] = coherence(vectors[groups.drawn[start : start + block]], groups.member)
    rng = np.random.default_rng(0)
    shuffled = np.array([coherence(own[rng.permutation(len(own))][None], groups.member)[0] for _ in range(99)])
    deviation = (value - float(shuffled.mean())) / max(float(shuffled.std()), 1e-9)
    evidence = Evidence(
        name="one list of work",
        family="structure",
        value=value,
        null="groups of other accounts with as many prompts each",
        expected=float(np.median(null)),
        p_value=tail_p(value, null, small=True),
        sentence=(
            f"Two of these prompts by one account are no more alike (cosine {value:.2f}) than by two accounts; within "
            f"other accounts the figure is {float(np.median(null)):.2f}."
            if deviation < 3
            else f"Two of these prompts by one account have a cosine of {value:.2f} beyond what all share; within "
            f"other accounts the figure is {float(np.median(null)):.2f}."
        ),
    )
    if deviation >= DEALT:
        evidence = replace(evidence, p_value=1.0)
    usual = max(float(np.median(null)), 0.02)
    return evidence, OwnSubjects(deviations=deviation, of_usual=value / usual)
