"""Whether the accounts' prompts come from one list: how alike the prompts of one account are, and those of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.evidence.nulls import Groups, draw_until_settled, steps, tail_p
from harvestdetect.evidence.observation import Observation
from harvestdetect.util.arrays import AnyInts, Floats, Floats32, Ints, Vectors, run_starts, spread, widened

__all__ = ["OwnSubjects", "WorkList", "coherence", "compare_likeness", "focus", "one_list_of_work", "own_excess"]


OWN_SUBJECTS: Final = 5.0
"""Standard deviations above shuffled prompts from which accounts have subjects of their own. Their prompts were then
not dealt at random, whatever other accounts do. Chosen."""
NO_MORE_ALIKE: Final = 3.0
"""Standard deviations of a shuffle below which the sentence says that one account's prompts are no more alike. It
decides nothing."""
LEAST_USUAL: Final = 0.02
"""Cosine. The likeness within other accounts counts as at least this when something is divided by it, because a
likeness next to zero is noise. Chosen."""
ROUNDING: Final = 1e-5
"""A vector nearer to the mean than this, as a share of the mean's length, is rounding error and counts as zero."""
GATHERED: Final = 1 << 19
"""Numbers of vectors that are processed in one block, which bounds memory."""
NO_SPREAD: Final = 1e-9
"""Standard deviation of a deal up to which all prompts are one text, and any deal is as good as another."""
FOCUS_DRAWS: Final = 99
"""Groups that a candidate's focus is compared with. Chosen."""
FOCUS_PROMPTS: Final = 150
"""Prompts of a candidate, evenly chosen, whose likeness is compared for the focus. Chosen."""


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
    return widened(vectors.take(rows.ravel(), axis=0).reshape(*rows.shape, vectors.shape[1]))


def _centred(vectors: Vectors, kept: npt.NDArray[np.bool_]) -> tuple[Floats32, Floats32]:
    """Some of the t vectors of each group, less the mean of all t, and the factors that make them unit rows.

    Args:
        vectors: float[g, t, d].
        kept: bool[t], k of them.

    Returns:
        float32[g, k, d] and float32[g, k]; the factor is 0 where a vector has no length.
    """
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
    starts = run_starts(member)
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
    starts = run_starts(member)
    value = float((np.add.reduceat(unit, starts, axis=0) ** 2).sum() - square.sum())

    def split(total: float, squares: float, rows: Floats) -> tuple[float, float, float]:
        """Sums of products of two entries: of the same pair, of pairs with one prompt in common, of pairs with none."""
        one = float((rows**2).sum()) - squares
        return 2 * squares, 4 * one, total**2 - 2 * squares - 4 * one

    a, b = split(a_all, a_squares, a_rows), split(b_all, b_squares, b_rows)
    ways = (2 * n * (n - 1), 4 * n * (n - 1) * (n - 2), n * (n - 1) * (n - 2) * (n - 3))
    mean = a_all * b_all / (n * (n - 1))
    second = sum(x * y / w for x, y, w in zip(a, b, ways, strict=True))
    deviation = float(np.sqrt(max(second - mean**2, 0.0)))
    return value / a_all, mean / a_all, deviation / a_all


def own_excess(vectors: Vectors, rows: Ints, member: Ints, cluster: AnyInts) -> float | None:
    """How much more alike two prompts of one account are than a random deal within each template gives, at most.

    One standard deviation of the deal is added, so that few prompts do not look dealt by chance. An account that has
    one template at a time is not more alike by that, as each template counts by itself.

    Args:
        vectors: float[p, d], of every prompt.
        rows: int64[t], of the prompts that are compared.
        member: int64[t], ascending: the account of each.
        cluster: int[t], the template of each.

    Returns:
        a difference of cosines, the mean over templates by their pairs of prompts of one account; None where these are
        fewer than :data:`~harvestdetect.evidence.least_data.MIN_COMPARED`. Templates whose prompts have one vector are
        left out: any deal of them is as good as another.
    """
    pairs, total, variance = 0.0, 0.0, 0.0
    for one in np.unique(cluster):
        own = np.flatnonzero(cluster == one)
        _, who = np.unique(member[own], return_inverse=True)
        each = np.bincount(who)
        count = float((each * (each - 1)).sum()) / 2
        if count == 0 or len(own) < 4 or len(each) < 2:  # see _if_dealt
            continue
        value, mean, deviation = _if_dealt(_gathered(vectors, rows[own]), who)
        if deviation < NO_SPREAD:
            continue  # prompts that are all alike tell nothing about whose they are
        pairs += count
        total += count * (value - mean)
        variance += (count * deviation) ** 2
    return (total + float(np.sqrt(variance))) / pairs if pairs >= MIN_COMPARED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSubjects:
    """Whether the accounts of a candidate have subjects of their own."""

    deviations: float
    """Standard deviations of a shuffle by which two prompts of one account are more alike than dealt ones."""
    of_usual: float
    """Their likeness over that within other accounts; 1 is how people are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkList:
    """How alike two prompts of one account are, beside a random deal and beside other accounts."""

    value: float
    """Mean cosine of two prompts of one account, after the mean of all prompts is taken away."""
    deviations: float
    """See :attr:`OwnSubjects.deviations`."""
    dealt: bool
    """Whether the prompts may have been dealt to the accounts at random."""
    null: Floats
    """float64[g]: the value of drawn groups of other accounts."""

    @property
    def usual(self) -> float:
        """The value within other accounts."""
        return float(np.median(self.null))

    @property
    def own_subjects(self) -> OwnSubjects:
        """How far the accounts have subjects of their own."""
        return OwnSubjects(deviations=self.deviations, of_usual=self.value / max(self.usual, LEAST_USUAL))


def compare_likeness(groups: Groups, vectors: Vectors) -> WorkList | None:
    """Compares the prompts of one account with a random deal and with the prompts of other accounts.

    People come back to their own subjects: two prompts of one account are more alike than two of different ones.
    When a list of work is dealt to a pool of accounts, they are not.

    Args:
        groups: matched with the candidate.
        vectors: float[p, d], of every prompt.

    Returns:
        None where the accounts have fewer than :data:`~harvestdetect.evidence.least_data.MIN_COMPARED` pairs of
        prompts, or all prompts have one vector.
    """
    each = np.bincount(groups.member)
    if (each * (each - 1)).sum() / 2 < MIN_COMPARED:
        return None
    value, mean, spread_by = _if_dealt(_gathered(vectors, groups.own), groups.member)
    if spread_by < NO_SPREAD:
        return None
    deviations = (value - mean) / spread_by
    dealt = deviations < OWN_SUBJECTS
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
        null = others(*next(steps(groups.draws)))
    return WorkList(value=value, deviations=deviations, dealt=dealt, null=null)


def one_list_of_work(work_list: WorkList | None) -> Observation | None:
    """Whether the accounts' requests are dealt out of one list, rather than each account's own.

    The p-value is 1 where the accounts have subjects of their own by :data:`OWN_SUBJECTS` deviations or more.
    """
    if work_list is None:
        return None
    value, usual = work_list.value, work_list.usual
    return Observation(
        value=value,
        null="groups of other accounts with as many prompts each",
        expected=usual,
        p_value=tail_p(value, work_list.null, small=True) if work_list.dealt else 1.0,
        sentence=(
            f"Two of these prompts by one account are no more alike (cosine {value:.2f}) than by two accounts; within "
            f"other accounts the figure is {usual:.2f}."
            if work_list.deviations < NO_MORE_ALIKE
            else f"Two of these prompts by one account have a cosine of {value:.2f} beyond what all share; within "
            f"other accounts the figure is {usual:.2f}."
        ),
    )


def focus(groups: Groups | None, vectors: Vectors) -> Observation | None:
    """How narrow the subject is: the likeness of prompts by different members.

    Only prompts that belong to the candidate are read, so what members send besides changes nothing. A candidate is
    alike by the way it was found, and other accounts are drawn whatever they ask. So a small p-value says that there is
    a common subject, not that it is a suspicious one.

    Args:
        groups: matched with the candidate; None where too few other accounts exist.
        vectors: float[p, d], of every prompt.

    Returns:
        None where there are no groups, or one member only.
    """
    if groups is None:
        return None
    chosen = spread(len(groups.own), FOCUS_PROMPTS)
    member = groups.member[chosen]
    if not len(member) or member[0] == member[-1]:
        return None
    value = float(_across(_gathered(vectors, groups.own[None, chosen]), member)[0])
    drawn = [groups.some(low, high)[:, chosen] for low, high in steps(groups.draws) if high <= FOCUS_DRAWS]
    null = _across(_gathered(vectors, np.concatenate(drawn)), member)
    usual = float(np.median(null))
    return Observation(
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
