"""What chance gives: matched groups of other accounts, and p-values from draws.

A candidate is compared with groups of other accounts, as many accounts with as many prompts each. They are outside
every candidate, unless most accounts are in candidates (:mod:`harvestdetect.evidence.comparison`). Such a group keeps
what people do (sessions, days, habits, own topics), which a shuffle would destroy.

Most candidates are innocent and lie in the middle of the null, which a few dozen draws show. So draws are made in steps
(:data:`STEPS`). A measure is settled at the first step at which :data:`SETTLED` of the draws are at least as extreme as
the candidate, and its p-value is then its rank among these draws (sequential Monte Carlo p-values, Besag & Clifford
1991, with a look at each step instead of after each draw).

Such a p-value is valid. Take a level a, and the first step whose n draws allow a settled measure to reach it,
``(SETTLED + 1) / (n + 1) <= a``. A measure that was settled earlier has a p-value above a. At this step, a measure that
is not settled has fewer than SETTLED draws as extreme, and one that is settled passes by its rank. So a measure that
reaches a has a rank of at most ``a (n + 1)`` among these n draws, the chance of which is at most a. A measure that may
matter gets all draws, the same ones as without steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.util.arrays import Bools, Floats, Ints, ranges, run_starts, spread

__all__ = [
    "DRAWS",
    "Groups",
    "Pool",
    "compared_prompts",
    "draw_groups",
    "draw_until_settled",
    "pool_of",
    "steps",
    "tail_p",
]


STEPS: Final = (39, 99, 299, 999)
"""Numbers of draws after which a measure may be settled, see the top of this module (after Besag & Clifford 1991; the
steps are chosen). A tail is fitted to as many draws as two steps make, or more."""
DRAWS: Final = STEPS[-1]
"""Groups drawn for a candidate. The least p-value by rank is then 0.001."""
SETTLED: Final = 10
"""Draws as extreme as the candidate at which a measure is settled (after Besag & Clifford 1991; chosen). Its p-value is
then above 1/4 at the first step, above 1/10 at the second and above 1/30 at the third. With fewer such draws, the
p-value is read from a fitted tail."""
P_FLOOR: Final = 1e-300
"""No p-value is smaller, so that its logarithm is finite."""
ALIKE_VOLUME: Final = 0.25
"""Share of the accounts with enough prompts that a member is compared with: those that send about as much. Chosen."""
MAX_MEMBERS: Final = 100
"""Accounts of a candidate that are compared at most, evenly chosen. Chosen."""
HEAVY: Final = 8
"""Multiple of the median number of prompts per account from which an account is heavy. A few heavy accounts are left
out of a candidate; if there are more, only this many prompts of each are compared. Chosen."""
MAX_PROMPTS: Final = 5_000
"""Prompts of a candidate that are compared at most. Where its members send more, fewer members are compared, evenly
chosen. Chosen."""
LEAST_MEMBERS: Final = 40
"""Members that are compared at least, each then by its first prompts. Chosen."""


_SIDES: Final[tuple[Literal["right"], Literal["left"]]] = ("right", "left")
"""The sides of a binary search that count who has more, and who has at least as much, in a list by falling volume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Accounts to draw from, by falling volume. The requests of an account are consecutive."""

    start: Ints
    """int64[a]: the first request of each account."""
    volume: Ints
    """int64[a]: how many requests each account sent."""
    sent: Ints
    """int64[.]: the same of all accounts, by number."""
    row: npt.NDArray[np.integer[Any]] | None = None
    """int[r]: the row of ``Corpus.prompts`` of each request; None where every row is one."""
    place: Ints | None = None
    """int64[.]: the place of each account in ``start`` and ``volume``, or -1; None if no account of the pool is in a
    candidate."""

    def without(self, members: npt.NDArray[np.integer[Any]]) -> Pool:
        """The pool without the members of one candidate.

        Args:
            members: int[m], their numbers.
        """
        if self.place is None:
            return self
        keep = np.ones(len(self.volume), bool)
        own = self.place[members]
        keep[own[own >= 0]] = False
        return replace(self, start=self.start[keep], volume=self.volume[keep], place=None)


@dataclass(slots=True, kw_only=True)
class Groups:
    """Matched groups, and the part of the candidate that they are matched with.

    The groups are drawn when a measure first asks for them. How many were asked for before changes none of them.
    """

    own: Ints
    """int64[t]: prompts of the candidate that are compared."""
    member: Ints
    """int64[t]: the member that sent each, 0..m-1, ascending."""
    draws: int
    """How many groups there are, g."""
    more: Callable[[int, int], Ints]
    """Draws some groups, given the first of them and the one after the last. It must be called in turn."""
    by_step: list[Ints] = field(default_factory=list)
    """The groups of each of :func:`steps`, as far as they are drawn."""

    def some(self, first: int, last: int) -> Ints:
        """int64[last - first, t]: prompts of the groups of one of :func:`steps`, in the same order of members."""
        for low, high in list(steps(self.draws))[len(self.by_step) :]:
            if low > first:
                break
            self.by_step.append(self.more(low, high))
        return self.by_step[[low for low, _ in steps(self.draws)].index(first)]

    @property
    def drawn(self) -> Ints:
        """int64[g, t]: prompts of all groups."""
        return np.concatenate([self.some(low, high) for low, high in steps(self.draws)])


def steps(draws: int) -> Iterator[tuple[int, int]]:
    """The first draw of each step and the one after its last: ``0, 39``, ``39, 99``, ``99, 299`` and ``299, 999``."""
    return pairwise((0, *(n for n in STEPS if n < draws), draws))


def pool_of(
    account: npt.NDArray[np.int32],
    others: Bools,
    *,
    row: npt.NDArray[np.integer[Any]] | None = None,
    candidates: bool = False,
) -> Pool:
    """The accounts to draw from.

    Args:
        account: int32[r], ascending, of every request.
        others: bool[a], whether each account may be drawn; accounts without requests are ignored.
        row: see :attr:`Pool.row`.
        candidates: whether candidates have some of these accounts.
    """
    borders = np.concatenate(([0], np.cumsum(np.bincount(account, minlength=len(others)))))
    volume = np.diff(borders)
    free = np.flatnonzero(others & (volume > 0))
    order = free[np.argsort(-volume[free], kind="stable")]
    place = None
    if candidates:
        place = np.full(len(others), -1)
        place[order] = np.arange(len(order))
    return Pool(start=borders[order], volume=volume[order], sent=volume, row=row, place=place)


def draw_groups(
    pool: Pool,
    prompts: npt.NDArray[np.int32],
    account: npt.NDArray[np.int32],
    *,
    seed: int,
    draws: int | None = None,
) -> Groups | None:
    """Groups of other accounts with as many prompts each as the members of a candidate.

    A member is compared with accounts that send about as much in all (:data:`ALIKE_VOLUME`), and a drawn account gives
    prompts spread over all its traffic. So both are thinned alike: a popular phrase is a part of the traffic of busy
    accounts, and its prompts are far apart for no other reason.

    Args:
        pool: where to draw from.
        prompts: int32[q], ascending, of the candidate, at least one.
        account: int32[p], of every prompt, ascending.
        seed: of the draws.
        draws: how many groups; None: :data:`DRAWS`.

    Returns:
        None where fewer than :data:`~harvestdetect.evidence.least_data.MIN_COMPARED` other accounts exist. A member
        with more prompts than that number of other accounts have is compared by as many as they have.
    """
    if len(pool.volume) < MIN_COMPARED:
        return None
    draws = DRAWS if draws is None else draws
    rng = np.random.default_rng(seed)
    rows, member = compared_prompts(prompts, account, most=int(pool.volume[MIN_COMPARED - 1]))
    count = np.bincount(member)
    senders = account[rows[np.cumsum(count) - count]]
    reach = len(pool.volume) - np.searchsorted(pool.volume[::-1], count, side="left")  # with at least that many prompts
    low, width = _alike(pool, pool.sent[senders], reach)
    pick = low + (rng.random((draws, len(count))) * width).astype(np.int64)
    step = np.arange(len(member)) - np.repeat(np.cumsum(count) - count, count)
    many = count[member]

    def more(low: int, high: int) -> Ints:
        """One prompt out of each of as many equal stretches of the account's traffic."""
        room = pool.volume[pick[low:high]][:, member]
        begin = step * room // many
        room = (step + 1) * room // many - begin
        begin += pool.start[pick[low:high]][:, member]
        begin += (rng.random(room.shape) * room).astype(np.int64)
        return begin if pool.row is None else pool.row[begin].astype(np.int64)

    return Groups(own=rows, member=member, draws=draws, more=more)


def compared_prompts(
    prompts: npt.NDArray[np.int32], account: npt.NDArray[np.int32], *, most: int | None = None
) -> tuple[Ints, Ints]:
    """The prompts of a candidate that are compared, whatever they are compared with.

    Args:
        prompts: int32[q], ascending, of the candidate, at least one.
        account: int32[p], of every prompt, ascending.
        most: prompts that any member may be compared by; None: any number.

    Returns:
        int64[t]: the prompts, by member; and int64[t]: the member that sent each, 0..m-1, ascending.
    """
    own = account[prompts]
    first = run_starts(own)
    count = np.diff(np.append(first, len(own)))
    first, count = _compared(first, count, len(own) if most is None else most)
    return prompts[ranges(first, count)].astype(np.int64), np.repeat(np.arange(len(count)), count)


def _alike(pool: Pool, volume: Ints, reach: Ints) -> tuple[Ints, Ints]:
    """The accounts that each member is compared with: where they begin in the pool, and how many they are.

    Args:
        pool: of accounts, by falling volume.
        volume: int64[m], all requests of each member.
        reach: int64[m], how many accounts of the pool have enough prompts.
    """
    rising, count = pool.volume[::-1], len(pool.volume)
    width = np.minimum(np.maximum((ALIKE_VOLUME * reach).astype(np.int64), MIN_COMPARED), reach)
    # how many accounts send more than a member, and how many at least as much
    more, as_much = (count - np.searchsorted(rising, volume, side=side) for side in _SIDES)
    low = np.clip((more + as_much) // 2 - width // 2, 0, reach - width)
    # whoever sends as much as the outermost ones belongs to them, whatever the order of equals
    first = count - np.searchsorted(rising, pool.volume[low], side="right")
    end = np.minimum(count - np.searchsorted(rising, pool.volume[low + width - 1], side="left"), reach)
    return first, end - first


def _compared(first: Ints, count: Ints, most: int) -> tuple[Ints, Ints]:
    """Which members are compared, and by how many of their prompts: where these begin, and how many they are.

    Args:
        first: int64[m], where the prompts of each member begin.
        count: int64[m], how many they are.
        most: that any member may be compared by.
    """
    chosen = spread(len(count), MAX_MEMBERS)
    cut = np.minimum(count[chosen], min(most, HEAVY * int(np.ceil(np.median(count[chosen])))))
    if cut.sum() > MAX_PROMPTS:
        fewer = spread(len(chosen), max(LEAST_MEMBERS, int(len(chosen) * MAX_PROMPTS / cut.sum())))
        chosen, cut = chosen[fewer], np.minimum(cut[fewer], max(MAX_PROMPTS // len(fewer), 1))
    return first[chosen], cut


def draw_until_settled(
    value: float,
    draw: Callable[[int, int], Floats],
    *,
    draws: int | None = None,
    small: bool = False,
    least: int = 1,
) -> Floats:
    """Draws from a null until the p-value is settled, see the top of this module.

    Args:
        value: observed.
        draw: gives the values of the draws from a first one to before a last one; NaN for a draw without a value.
        draws: at most; None: :data:`DRAWS`.
        small: whether small values are the extreme ones.
        least: draws with a value that a settled measure has at least.

    Returns:
        float64[n], for :func:`tail_p`.
    """
    found = np.empty(0)
    for low, high in steps(DRAWS if draws is None else draws):
        more = draw(low, high)
        found = np.concatenate((found, more[~np.isnan(more)]))
        extreme = int(((found <= value) if small else (found >= value)).sum())
        if extreme >= SETTLED and len(found) >= least:
            break
    return found


def tail_p(value: float, null: Floats, *, small: bool = False) -> float:
    """The chance that the null gives a value as extreme.

    It is the rank among the draws. Beyond the most extreme draws it is an exponential tail, fitted to the outermost
    tenth without the draws that equal its threshold (the generalised Pareto approximation of Knijnenburg et al. 2009
    with the shape fixed at zero, which never claims a bounded tail). Its scale is known from few draws only, so the
    chance is the predictive one, a Pareto tail, which n draws make about as heavy as they must (Aitchison & Dunsmore
    1975, Statistical Prediction Analysis).

    Args:
        value: observed.
        null: float64[g], drawn.
        small: whether small values are the extreme ones.
    """
    if small:
        value, null = -value, -null
    extreme = int((null >= value).sum())
    rank = (1 + extreme) / (len(null) + 1)
    if extreme >= SETTLED or len(null) < STEPS[1]:
        return rank
    ordered = np.sort(null)
    threshold = (ordered[-len(null) // 10] + ordered[-len(null) // 10 - 1]) / 2
    # of a measure with few values many draws may lie at the threshold: they are no part of the tail
    outer = ordered[ordered > threshold]
    if not len(outer) or value <= threshold:
        return rank
    beyond = (1 + (value - threshold) / (outer - threshold).sum()) ** -len(outer)
    return float(min(rank, max(len(outer) / len(null) * beyond, P_FLOOR)))
