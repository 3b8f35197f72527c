"""How the accounts stand to one another: load, list of work, shared templates, focus, density, cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import NO_TIME, Evidence
from harvestdetect.evidence.nulls import HEAVY, Groups, draw_until_settled, steps, tail_p
from harvestdetect.util.arrays import AnyInts, Floats, Floats32, Ints, Ints32, Vectors, spread

__all__ = [
    "DECIDING",
    "EVEN_LOAD",
    "NEED_TEMPLATE",
    "Joined",
    "OwnSubjects",
    "block_density",
    "coherence",
    "cohort_coverage",
    "even_load",
    "even_load_ratio",
    "focus",
    "joined_when",
    "least_beyond",
    "linked_templates",
    "shared_list",
]


EVEN_LOAD: Final = "even load"
DECIDING: Final = (EVEN_LOAD, "one list of work", "linked templates")
"""The measures on which the family stands; linked clusters can only agree."""
NEED_TEMPLATE: Final = ("one list of work", "focus", "block density", "cohort coverage")
"""Measures that a common subject explains as well: people who share one send alike prompts, come back to it, and came
when it came up."""
COMPOSITIONS: Final = 1999
MAX_SHARES: Final = 2_500_000
"""Fewer compositions are drawn of very many accounts, no fewer than :data:`LEAST_COMPOSITIONS`..."""
LEAST_COMPOSITIONS: Final = 999
"""...and of more accounts than that leaves only some are looked at, evenly chosen."""
DEALT: Final = 4.0
"""Standard deviations of a shuffle from which requests are not dealt at random, whatever other accounts do."""
LEAST_USUAL: Final = 0.02
"""Least likeness within other accounts that is divided by."""
MIN_PAIRS: Final = 30
ROUNDING: Final = 1e-5
"""Of vectors nearer to their mean than this only rounding is left."""
BAND: Final = 1.65
"""How far, over the square root of the draws, the quantiles lie from a median that it is between (in 999 of 1,000)."""
GATHERED: Final = 1 << 19
"""Numbers of vectors worked on at once."""
FOCUS_DRAWS: Final = 99
"""Groups that a campaign's likeness is compared with."""
FOCUS_PROMPTS: Final = 150
"""Prompts of a campaign, evenly chosen, whose likeness is compared."""
DENSITY_DRAWS: Final = 999
POPULAR: Final = 5.0
"""What is added to the accounts of a cluster before the logarithm, as in FRAUDAR."""
MIN_COHORT: Final = 12
"""Members with a time that cohort coverage needs; half of them set the window."""
COUNTED: Final = 1 << 22
"""Counts that are kept of accounts by time and volume."""
MIDDLE: Final = (0.1, 0.9)
"""Quantiles of first prompts, and of volumes, between which accounts are of one cohort, and comparable."""


def even_load_ratio(counts: npt.NDArray[np.integer]) -> float:
    """Variance of the counts over that of a geometric distribution with the same mean; 1 is how people are."""
    mean = float(counts.mean())
    return float(counts.var() / (mean * (mean - 1))) if mean > 1 else 1.0


def least_beyond(stray_hits: int, used: npt.NDArray[np.integer]) -> int:
    """Prompts that make nobody a member: what :func:`even_load` takes as strays.

    Of linked clusters whoever sends one only may be taken out as no part of it, and two prompts are then the least that
    a member has. Compared with a null that begins at one, such accounts look even for having been chosen so.

    Args:
        stray_hits: most prompts of an account that was left out as a stray.
        used: int[a], how many of the clusters each member sent prompts of.
    """
    return max(stray_hits, int((used > 1).all()))


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
    every = len(counts)
    counts = counts[spread(every, MAX_SHARES // LEAST_COMPOSITIONS)]
    total, members = int(counts.sum()), len(counts)
    if total - members < 10 or members < 5:
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
    return Evidence(
        name=EVEN_LOAD,
        family="structure",
        value=value / mean,
        null="the same prompts shared out among as many independent users",
        expected=float(np.exp(np.median(null))) / mean,
        p_value=tail_p(float(np.log(value + 1e-3)), null, small=True),
        sentence=(
            f"{every} accounts sent {mean + strays:.1f} of these prompts each with a variance-to-mean ratio of "
            f"{value / mean:.2f}; independent users would show about {np.exp(np.median(null)) / mean:.2f}."
        ),
    )


def linked_templates(clusters: int, templates: int, log_p: float, *, accounts: int, several: float) -> Evidence | None:
    """Whether the same accounts sent several different templates.

    Clusters that share a subject rather than a template are named apart: people have several interests.

    Args:
        clusters: that are linked.
        templates: how many of them are templates.
        log_p: natural log of the weakest link's corrected p-value.
        accounts: of the campaign.
        several: share of them that sent prompts of several clusters.
    """
    if clusters < 2:
        return None
    named = templates > 1
    sent = f"{templates} different templates" if named else f"{clusters} kinds of prompts"
    return Evidence(
        name="linked templates" if named else "linked clusters",
        family="structure",
        value=float(templates if named else clusters),
        null="overlap of accounts given how much each of them sent",
        expected=1.0,
        p_value=float(np.exp(max(log_p, -700.0))),
        sentence=f"{accounts} accounts sent {sent}, {several:.0%} of them more than one.",
    )


def coherence(vectors: Vectors, member: npt.NDArray[np.int64]) -> Floats:
    """How much alike the prompts of one account are, beyond what all prompts of the group share.

    Args:
        vectors: float[g, t, d].
        member: int64[t], ascending from 0.

    Returns:
        float64[g]: mean cosine of two prompts of the same account, after the group's mean is taken away.
    """
    each = np.bincount(member)
    several = each[member] > 1
    centred, weight = _centred(vectors, several)
    sums = _summed(centred, weight, member[several])
    pairs = float((each * (each - 1)).sum())
    return np.asarray((_squares(sums).sum(axis=1, dtype=np.float64) - (weight > 0).sum(axis=1)) / max(pairs, 1.0))


def _gathered(vectors: Vectors, rows: Ints) -> Floats32:
    """``vectors[rows]`` in float32."""
    taken = vectors.take(rows.ravel(), axis=0).reshape(*rows.shape, vectors.shape[1])
    return taken.astype(np.float32, copy=False)


def _centred(vectors: Vectors, kept: npt.NDArray[np.bool_]) -> tuple[Floats32, Floats32]:
    """Of float[g, t, d] some of the t vectors after the mean of all t is taken away, float32[g, k, d], and what makes
    each a unit row, float32[g, k]; 0 where it has no length."""
    t = vectors.shape[1]
    mean = np.matmul(np.full((1, t), 1 / max(t, 1), np.float32), vectors)
    centred = np.asarray((vectors if kept.all() else vectors[:, kept]) - mean, np.float32)
    length = np.sqrt(_squares(centred))
    rounding = ROUNDING * np.maximum(np.sqrt(_squares(mean)), 1)
    return centred, np.divide(1, length, out=np.zeros_like(length), where=length > rounding)


def _squares(vectors: Floats32) -> Floats32:
    """Squared lengths: float32[g, t] of float32[g, t, d]."""
    return np.asarray(np.einsum("gtd,gtd->gt", vectors, vectors))


def _summed(vectors: Floats32, weight: Vectors, member: Ints) -> Floats32:
    """Weighted sums over each member: float32[g, m, d] of float32[g, t, d], float32[g, t] and int64[t], ascending."""
    from scipy import sparse

    g, t, d = vectors.shape
    starts = np.flatnonzero(np.concatenate(([True], member[1:] != member[:-1]))) if t else np.empty(0, np.int64)
    # of matrices this small a sparse product is several times as fast as ``np.add.reduceat``
    sums = sparse.csr_matrix(
        (
            weight.ravel(),
            np.arange(g * t, dtype=np.int32),
            np.append((np.arange(g)[:, None] * t + starts).ravel(), g * t).astype(np.int32),
        ),
        shape=(g * len(starts), g * t),
    ) @ vectors.reshape(g * t, d)
    return np.asarray(sums, np.float32).reshape(g, len(starts), d)


def _if_dealt(vectors: Vectors, member: Ints) -> tuple[float, float, float]:
    """:func:`coherence` of one group, and its mean and standard deviation over all ways to deal the prompts anew.

    The moments are exact (Mantel 1967, "The detection of disease clustering and a generalized regression approach"):
    the sum of ``a[i, j] b[s(i), s(j)]`` over all pairs, where a is 1 for two prompts of one account, b their cosine and
    s a random order.

    Args:
        vectors: float[t, d], t at least 4.
        member: int64[t], ascending from 0.
    """
    centred, weight = _centred(vectors[None], np.ones(len(member), bool))
    unit = centred[0].astype(np.float64) * weight[0][:, None]
    n, each = len(member), np.bincount(member)
    a_rows = (each - 1)[member].astype(np.float64)
    a_all = float(a_rows.sum())
    a_squares = a_all
    square = (unit**2).sum(axis=1)
    b_rows = unit @ unit.sum(axis=0) - square
    b_all = float(b_rows.sum())
    b_squares = float(((unit.T @ unit) ** 2).sum() - (square**2).sum())
    starts = np.flatnonzero(np.concatenate(([True], member[1:] != member[:-1])))
    value = float((np.add.reduceat(unit, starts, axis=0) ** 2).sum() - square.sum())

    def split(total: float, squares: float, rows: Floats) -> tuple[float, float, float]:
        """Sums of products of two entries that stand for the same pair, for pairs with one in common, with none."""
        one = float((rows**2).sum()) - squares
        return 2 * squares, 4 * one, total**2 - 2 * squares - 4 * one

    a, b = split(a_all, a_squares, a_rows), split(b_all, b_squares, b_rows)
    ways = (2 * n * (n - 1), 4 * n * (n - 1) * (n - 2), n * (n - 1) * (n - 2) * (n - 3))
    mean = a_all * b_all / (n * (n - 1))
    second = sum(x * y / w for x, y, w in zip(a, b, ways, strict=True))
    deviation = float(np.sqrt(max(second - mean**2, 0.0)))
    return value / a_all, mean / a_all, deviation / a_all


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSubjects:
    """Whether the accounts of a campaign have subjects of their own."""

    deviations: float
    """Standard deviations of a shuffle by which two prompts of one account are more alike."""
    of_usual: float
    """Their likeness over that within other accounts; 1 is how people are."""


def shared_list(
    groups: Groups, vectors: Vectors, *, told_at: tuple[float, Sequence[float]] | None = None
) -> tuple[Evidence, OwnSubjects] | None:
    """Whether the accounts' requests are dealt out of one list, rather than each account's own.

    People come back to their own subjects: two prompts of one account are more alike than two of different ones.
    When a list of work is dealt to a pool of accounts, they are not.

    Args:
        groups: matched with the campaign.
        vectors: float[p, d], of every prompt.
        told_at: deviations from which :attr:`OwnSubjects.of_usual` is asked for, and the values of it at which the
            answer changes: groups are drawn until it is clear on which side of each it lies.

    Returns:
        the evidence, and how far the accounts have subjects of their own; None where too few accounts have several
        prompts.
    """
    each = np.bincount(groups.member)
    if (each * (each - 1)).sum() / 2 < MIN_PAIRS:
        return None
    value, mean, spread_by = _if_dealt(_gathered(vectors, groups.own), groups.member)
    # where all prompts are one text any deal is as good as another
    varied = spread_by > 1e-9
    deviation = (value - mean) / spread_by if varied else 0.0
    dealt = varied and deviation < DEALT
    asked = told_at is not None and deviation >= told_at[0]
    block = max(1, GATHERED // max(len(groups.own) * vectors.shape[1], 1))

    def others(low: int, high: int) -> Floats:
        drawn = groups.some(low, high)
        parts = [
            coherence(_gathered(vectors, drawn[start : start + block]), groups.member)
            for start in range(0, high - low, block)
        ]
        return np.concatenate(parts)

    if dealt:
        null = draw_until_settled(value, others, draws=groups.draws, small=True)
    else:
        null = np.empty(0)
        for low, high in steps(groups.draws):
            null = np.concatenate((null, others(low, high)))
            if not (asked and told_at and _between(value, null, told_at[1])):
                break
    usual = float(np.median(null))
    evidence = Evidence(
        name="one list of work",
        family="structure",
        value=value,
        null="groups of other accounts with as many prompts each",
        expected=usual,
        p_value=tail_p(value, null, small=True) if dealt else 1.0,
        sentence=(
            f"Two of these prompts by one account are no more alike (cosine {value:.2f}) than by two accounts; within "
            f"other accounts the figure is {usual:.2f}."
            if deviation < 3
            else f"Two of these prompts by one account have a cosine of {value:.2f} beyond what all share; within "
            f"other accounts the figure is {usual:.2f}."
        ),
    )
    return evidence, OwnSubjects(deviations=deviation, of_usual=value / max(usual, LEAST_USUAL))


def _between(value: float, null: Floats, told_at: Sequence[float]) -> bool:
    """Whether the value over the median of the null may lie on either side of one of these."""
    band = min(BAND / np.sqrt(len(null)), 0.5)
    low, high = (value / max(float(q), LEAST_USUAL) for q in np.quantile(null, (0.5 + band, 0.5 - band)))
    return any(low < share <= high for share in told_at)


def focus(groups: Groups, vectors: Vectors) -> Evidence | None:
    """How narrow the campaign's prompts are: the likeness of prompts by different members.

    Only prompts that belong to the campaign are looked at, so what members send besides changes nothing. A campaign is
    alike by the way it was found, and other accounts are taken whatever they ask: a small p-value says that there is
    a common subject, not that it is a suspicious one.

    Args:
        groups: matched with the campaign.
        vectors: float[p, d], of every prompt.

    Returns:
        None where there is one member only.
    """
    chosen = spread(len(groups.own), FOCUS_PROMPTS)
    member = groups.member[chosen]
    if not len(member) or member[0] == member[-1]:
        return None
    value = float(_across(_gathered(vectors, groups.own[None, chosen]), member)[0])
    drawn = [groups.some(low, high)[:, chosen] for low, high in steps(groups.draws) if high <= FOCUS_DRAWS]
    null = _across(_gathered(vectors, np.concatenate(drawn)), member)
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
    each = np.bincount(member)
    weight = 1 / np.maximum(np.sqrt(_squares(vectors)), 1e-6)
    total = _squares(np.matmul(weight[:, None], vectors))[:, 0]
    within = _squares(_summed(vectors, weight, member)).sum(axis=1, dtype=np.float64)
    return np.asarray((total - within) / (len(member) ** 2 - (each**2).sum()))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """When the accounts of a dump were first seen, to be counted by time and volume."""

    first: Ints
    """int64[accounts], seconds of the first prompt of each, or NO_TIME."""
    volume: AnyInts
    """int[accounts], requests of each."""
    time: Ints
    """int64[b], ascending: ``first`` of those that have one."""
    rank: Ints32
    """int32[b]: the volume of each of these, as a position in ``volumes``."""
    volumes: AnyInts
    """int[v], ascending: the volumes there are."""
    step: int
    """Accounts to a row of ``upto``."""
    upto: Ints32
    """int32[., v + 1]: of the first so many times ``step`` in ``time``, those whose rank is below so much."""

    def count(self, least: float, most: float, low: float = -np.inf, high: float = np.inf) -> int:
        """Accounts of ``least`` to ``most`` requests that were first seen from ``low`` to ``high``."""
        ranks = np.searchsorted(self.volumes, least), np.searchsorted(self.volumes, most, side="right")
        ends = np.searchsorted(self.time, low), np.searchsorted(self.time, high, side="right")
        found = [0, 0]
        for i, end in enumerate(map(int, ends)):
            row = end // self.step
            rest = self.rank[row * self.step : end]
            found[i] = int(self.upto[row, ranks[1]] - self.upto[row, ranks[0]])
            found[i] += int(((rest >= ranks[0]) & (rest < ranks[1])).sum())
        return max(found[1] - found[0], 0)


def joined_when(first: Ints, volume: AnyInts) -> Joined:
    """When the accounts of a dump were first seen.

    Args:
        first: int64[accounts], seconds of the first prompt of every account of the dump, or NO_TIME.
        volume: int[accounts], requests of every account.
    """
    held = np.flatnonzero(first != NO_TIME)
    held = held[np.argsort(first[held], kind="stable")]
    volumes, rank = np.unique(volume[held], return_inverse=True)
    step = max(int(np.sqrt(len(held))), len(held) * (len(volumes) + 1) // COUNTED, 1)
    rows = len(held) // step + 1
    counts = np.bincount(
        np.arange(len(held)) // step * (len(volumes) + 1) + rank + 1, minlength=rows * (len(volumes) + 1)
    )
    upto = np.zeros((rows + 1, len(volumes) + 1), np.int32)
    upto[1:] = counts.reshape(rows, -1).cumsum(axis=0).cumsum(axis=1)
    return Joined(
        first=first, volume=volume, time=first[held], rank=rank.astype(np.int32), volumes=volumes, step=step, upto=upto
    )


def cohort_coverage(joined: Joined, members: Ints32, *, outside: int, seed: int) -> Evidence | None:
    """Whether the accounts that joined when the members did are members, more than accounts of any other time.

    Half of the members, drawn at random, set the window of time and of volume; the others are counted, or the
    window would be made to fit. Among accounts of comparable volume the number of members that were first seen within
    the window is hypergeometric if members joined when others do.

    Args:
        joined: when all accounts of the dump were first seen.
        members: int32[a], ascending.
        outside: accounts that sent the campaign's texts and were not taken as members.
        seed: of the draw.

    Returns:
        None where fewer than :data:`MIN_COHORT` members have a time.
    """
    from scipy.stats import hypergeom

    first, volume = joined.first, joined.volume
    own = members[first[members] != NO_TIME]
    if len(own) < MIN_COHORT:
        return None
    set_by, told = np.array_split(np.random.default_rng(seed).permutation(own), 2)
    low, high = np.quantile(first[set_by], MIDDLE)
    least, most = np.quantile(volume[set_by], MIDDLE)

    def members_of(accounts: Ints32) -> tuple[int, int]:
        """How many of some accounts are of comparable volume, and how many of these are within."""
        comparable = accounts[(volume[accounts] >= least) & (volume[accounts] <= most)]
        return len(comparable), int(((first[comparable] >= low) & (first[comparable] <= high)).sum())

    every, cohort = joined.count(least, most), joined.count(least, most, low, high)
    (set_all, set_within), (told_all, counted) = members_of(set_by), members_of(told)
    p_value = hypergeom.sf(counted - 1, every - set_all, told_all, cohort - set_within)
    within, senders = set_within + counted, len(members) + outside
    usual = (set_all + told_all) / max(every, 1)
    return Evidence(
        name="cohort coverage",
        family="structure",
        value=within / max(cohort, 1),
        null="accounts of comparable volume first seen at any time (hypergeometric)",
        expected=usual,
        p_value=float(p_value),
        sentence=(
            f"Of {cohort:,} accounts first seen within the same {(high - low) / 86_400:.1f} days with as many prompts, "
            f"{within:,} are members ({within / max(cohort, 1):.0%}), of those of any time {usual:.0%}; of the "
            f"{senders:,} accounts that sent such prompts, {len(members) / senders:.0%}."
        ),
    )
