"""How the accounts stand to one another: load, list of work, shared templates, focus, density, cohort."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import AnyInts, spread
from harvestdetect.data import NO_TIME, Evidence
from harvestdetect.evidence.nulls import HEAVY, Groups, tail_p

__all__ = [
    "DECIDING",
    "NEED_TEMPLATE",
    "OwnSubjects",
    "block_density",
    "coherence",
    "cohort_coverage",
    "even_load",
    "even_load_ratio",
    "focus",
    "linked_templates",
    "shared_list",
]

Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

DECIDING: Final = ("even load", "one list of work", "linked templates")
"""The measures on which the family stands; linked clusters can only agree."""
NEED_TEMPLATE: Final = ("one list of work", "focus", "block density", "cohort coverage")
"""Measures that a common subject explains as well: people who share one send alike prompts, come back to it, and came
when it came up."""
COMPOSITIONS: Final = 4999
MAX_SHARES: Final = 2_500_000
"""Fewer compositions are drawn of very many accounts."""
DEALT: Final = 4.0
"""Standard deviations of a shuffle from which requests are not dealt at random, whatever other accounts do."""
MIN_PAIRS: Final = 30
FOCUS_DRAWS: Final = 99
FOCUS_PROMPTS: Final = 150
"""Prompts of a campaign, evenly chosen, whose likeness is compared."""
DENSITY_DRAWS: Final = 999
POPULAR: Final = 5.0
"""What is added to the accounts of a cluster before the logarithm, as in FRAUDAR."""
MIN_COHORT: Final = 12
"""Members with a time that cohort coverage needs; half of them set the window."""
MIDDLE: Final = (0.1, 0.9)
"""Quantiles of first prompts, and of volumes, between which accounts are of one cohort, and comparable."""


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


def focus(groups: Groups, vectors: Floats32) -> Evidence | None:
    """How narrow the campaign's prompts are: the likeness of prompts by different members.

    Only prompts that belong to the campaign are looked at, so what members send besides changes nothing. A campaign is
    alike by the way it was found, and other accounts are taken whatever they ask: a small p-value says that there is
    a common subject, not that it is a suspicious one.

    Args:
        groups: matched with the campaign.
        vectors: float32[p, d], of every prompt.

    Returns:
        None where there is one member only.
    """
    chosen = spread(len(groups.own), FOCUS_PROMPTS)
    member = groups.member[chosen]
    if not len(member) or member[0] == member[-1]:
        return None
    value = float(_across(vectors[groups.own[chosen]][None], member)[0])
    null = _across(vectors[groups.drawn[:FOCUS_DRAWS, chosen]], member)
    usual = float(np.median(null))
    return Evidence(
        name="focus",
        family="structure",
        value=value,
        null="groups of other accounts with as many prompts each, whatever they ask",
        expected=usual,
        p_value=tail_p(value, null),
        sentence=(
            f"Two of these prompts by different accounts have a cosine of {value:.2f}; two prompts of other accounts "
            f"{usual:.2f}."
        ),
    )


def _across(vectors: Floats32, member: Ints) -> Floats:
    """Mean cosine of two prompts of different members: float64[g] of float32[g, t, d] and int64[t], ascending."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-6)
    starts = np.flatnonzero(np.concatenate(([True], member[1:] != member[:-1])))
    sums = np.add.reduceat(unit, starts, axis=1)
    each = np.diff(np.append(starts, len(member)))
    within = (sums**2).sum(axis=(1, 2))
    return np.asarray(((sums.sum(axis=1) ** 2).sum(axis=1) - within) / (len(member) ** 2 - (each**2).sum()), np.float64)


def block_density(
    account: AnyInts,
    cluster: AnyInts,
    *,
    popularity: AnyInts,
    share: Floats,
    sent: AnyInts,
    strays: int = 0,
    seed: int,
) -> Evidence | None:
    """How densely the members use the campaign's clusters, after FRAUDAR (Hooi et al., KDD 2016).

    In the matrix of accounts and clusters a prompt counts ``1 / log(accounts that use the cluster + 5)``; the density
    is what the members' prompts in the campaign's clusters count, per member. What a member sends elsewhere is no part
    of it and cannot lower it: neither the prompts nor the popularity of these clusters change.

    A member is one by its first prompts (``strays + 1`` of them), so only what came after those is counted; no member
    counts for more than :data:`~harvestdetect.evidence.nulls.HEAVY` times the usual. The null keeps the number of
    prompts of each member and lets all that came after its first fall into clusters by their popularity. Given how many
    prompts it takes to become a member, the later ones are as free as ever, so that choosing the members by their
    prompts makes no density. That people come back to what interests them does.

    Args:
        account: int[q], ascending, of every prompt of the campaign; an account's prompts in the order of time.
        cluster: int[q], of the same, 0..t-1.
        popularity: int[t], accounts of the dump that use each cluster.
        share: float64[t], share of the dump's requests in each cluster.
        sent: int[a], all requests of each member.
        strays: most prompts of an account that was left out as a stray.
        seed: of the null.

    Returns:
        None where no member sent more than it takes to be one.
    """
    starts = np.flatnonzero(np.concatenate(([True], account[1:] != account[:-1])))
    each = np.diff(np.append(starts, len(account)))
    rank = np.arange(len(account)) - np.repeat(starts, each)
    beyond = np.maximum(each - strays - 1, 0)
    free = int(np.maximum(np.asarray(sent, np.int64) - strays - 1, 0).sum())
    if not beyond.any() or not free:
        return None
    most = strays + HEAVY * max(int(np.median(beyond)), 1)
    counted = (rank > strays) & (rank <= most)
    weight = 1 / np.log(np.asarray(popularity) + POPULAR)
    value = float(weight[cluster[counted]].sum()) / len(starts)
    chance = np.append(share, max(0.0, 1 - float(share.sum())))
    fallen = np.random.default_rng(seed).multinomial(free, chance / chance.sum(), DENSITY_DRAWS)[:, :-1]
    null = fallen @ weight / len(starts)
    usual = float(null.mean())
    return Evidence(
        name="block density",
        family="structure",
        value=value,
        null="the members' prompts falling into clusters by popularity",
        expected=usual,
        p_value=tail_p(value, null),
        sentence=(
            f"Beyond what it takes to be a member, {len(starts):,} accounts sent {counted.sum() / len(starts):.1f} "
            f"prompts each into its {'cluster' if len(share) == 1 else f'{len(share):,} clusters'}: a density of "
            f"{value:.2f}, popular clusters counting less; prompts that fall by popularity give {usual:.2f}."
        ),
    )


def cohort_coverage(first: Ints, volume: AnyInts, members: Ints32, *, outside: int, seed: int) -> Evidence | None:
    """Whether the accounts that joined when the members did are members, more than accounts of any other time.

    Half of the members, drawn at random, set the window of time and of volume; the others are counted, or the
    window would be made to fit. Among accounts of comparable volume the number of members that were first seen within
    the window is hypergeometric if members joined when others do.

    Args:
        first: int64[accounts], seconds of the first prompt of every account of the dump, or NO_TIME.
        volume: int[accounts], requests of every account.
        members: int32[a], ascending.
        outside: accounts that sent the campaign's texts and were not taken as members.
        seed: of the draw.

    Returns:
        None where fewer than :data:`MIN_COHORT` members have a time.
    """
    from scipy.stats import hypergeom

    own = members[first[members] != NO_TIME]
    if len(own) < MIN_COHORT:
        return None
    set_by, told = np.array_split(np.random.default_rng(seed).permutation(own), 2)
    low, high = np.quantile(first[set_by], MIDDLE)
    least, most = np.quantile(volume[set_by], MIDDLE)
    comparable = (first != NO_TIME) & (volume >= least) & (volume <= most)
    within = comparable & (first >= low) & (first <= high)
    others = comparable.copy()
    others[set_by] = False
    counted = int((others & within)[told].sum())
    p_value = hypergeom.sf(counted - 1, int(others.sum()), int(others[told].sum()), int((others & within).sum()))
    cohort, joined, senders = int(within.sum()), int(within[own].sum()), len(members) + outside
    usual = float(comparable[own].sum() / max(int(comparable.sum()), 1))
    return Evidence(
        name="cohort coverage",
        family="structure",
        value=joined / max(cohort, 1),
        null="accounts of comparable volume first seen at any time (hypergeometric)",
        expected=usual,
        p_value=float(p_value),
        sentence=(
            f"Of {cohort:,} accounts first seen within the same {(high - low) / 86_400:.1f} days with as many prompts, "
            f"{joined:,} are members ({joined / max(cohort, 1):.0%}), of those of any time {usual:.0%}; of the "
            f"{senders:,} accounts that sent such prompts, {len(members) / senders:.0%}."
        ),
    )
