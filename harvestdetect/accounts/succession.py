"""Which groups of accounts continue one another over time.

What stays when a campaign changes its accounts and its template is what is asked: the *payload*, the words of a request
that are not those of the template.

* A *piece* is a group of accounts that was active in a short part of the dump. Groups that are too small for a
  candidate can be pieces too. A group whose accounts were active one part after the other is several pieces.
* Two pieces *continue* each other if they have other accounts, their periods overlap by less than half of the shorter
  one or lie at most twice the longer one apart, and they are of similar size: about as many accounts, in all and a day,
  and about as many requests of each. Campaigns that happen to ask for the same things one after the other rarely are.
* They are linked if their payloads are more alike than those of either with groups that hardly are of the same chain:
  long ones with other accounts than all pieces, and short ones with other accounts that were active at the same time.
  These are the null distribution of a piece. The second kind matters where several campaigns ask for the same things.
  A false-discovery rate over all pairs that continue each other chooses the links.
* Accounts that send copies of one another's requests, such as two classes with one list of exercises, share a list
  instead of dealing it. They are no pieces.

Pieces that are not of similar size to the median of their component are dropped. What stays linked is a chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harvestdetect.accounts import overlaps
from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.data import NO_TIME, Corpus, Prompts
from harvestdetect.util.amounts import EXCEPTIONAL, MIN_SAMPLE, MOST, NEARLY_ALL, PART, SEVERAL
from harvestdetect.util.arrays import Bools, Floats, Ints, Ints32, ranges, unique
from harvestdetect.util.periods import DAY
from harvestdetect.util.words import words

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Chain", "Periods", "Piece", "chained", "distinct", "pieces_of"]

GAP: Final = 0.01
"""Probability of a gap in time that divides a group. Chosen."""
SHORT: Final = 0.3
"""Longest period of a piece, as a share of that of the whole dump. Chosen."""
REACH: Final = 2
"""Longest time between two pieces that continue each other, as a multiple of the longer period: a piece between them
may not have been found. Chosen."""
SIZE_RATIO: Final = 1.5
"""Greatest ratio between the accounts of two pieces that continue each other, between their accounts a day, and between
the requests of an account. Chosen on tuning worlds: with 2, chains of ten generations took in whole campaigns."""
PAYLOADS: Final = 100
"""Most requests of a group whose payload is read. All groups are read alike far, because the words of a few requests
are less like those of others. Chosen, for speed."""
COMPARED: Final = 400
"""Most groups with which pieces are compared. Chosen, for speed."""
PIECES_AT_ONCE: Final = 256
"""Groups that are compared with all others at a time."""
FALSE_LINKS: Final = 0.2
"""False-discovery rate of links. Chosen: a chain is a candidate, which is judged. It is not that of the settings: with
more false links, candidates would be lost in chains."""


class Piece(NamedTuple):
    """A group of accounts that may be a part of a campaign."""

    accounts: Ints32
    """int32[a], ascending."""
    prompts: Ints32
    """int32[q], ascending."""


class Chain(NamedTuple):
    """Pieces that continue one another."""

    pieces: list[int]
    """Their positions, ascending."""
    generations: int
    """Length of the longest series of pieces in which each begins after the one before has ended."""


def pieces_of(group: Piece, prompts: Prompts) -> list[Piece]:
    """The parts of a group that were active one after the other; the group itself where there are not several.

    The accounts are put in the order of their median day. Days at random leave a gap of a share g of the whole period
    between n accounts with a probability of at most ``n (1 - g) ** (n - 1)``. A gap that is less likely than
    :data:`GAP` divides the group, and so on within both parts. Parts of fewer than 5 accounts (``MIN_SAMPLE``),
    which were active apart from all others, are left out.
    """
    time = prompts.time[group.prompts]
    if not len(time) or (time == NO_TIME).any():
        return [group]
    sender = np.searchsorted(group.accounts, prompts.account[group.prompts])
    order = np.lexsort((time, sender))
    start = np.searchsorted(sender[order], np.arange(len(group.accounts) + 1))
    middle = time[order][(start[:-1] + start[1:] - 1) // 2]
    by_time = np.argsort(middle, kind="stable")
    parts = _cut(by_time, middle[by_time] / DAY)
    if len(parts) == 1 and len(parts[0]) == len(by_time):
        return [group]
    found = []
    for part in parts:
        inside = np.zeros(len(group.accounts), bool)
        inside[part] = True
        found.append(Piece(group.accounts[inside], group.prompts[inside[sender]]))
    return found


def distinct(groups: Sequence[Piece], prompts: int) -> list[int]:
    """The groups without those that have nearly the same prompts as an earlier one: their positions, ascending.

    Args:
        groups: earlier ones are kept.
        prompts: the number of all prompts.
    """
    sets = [group.prompts for group in groups]
    return overlaps.distinct(sets, [NEARLY_ALL] * len(sets), count=prompts)


def _cut(accounts: Ints, day: Floats) -> list[Ints]:
    """The parts of accounts that are in the order of their days; see :func:`pieces_of`."""
    count = len(accounts)
    if count > MIN_SAMPLE:
        gap = np.diff(day)
        at = int(gap.argmax()) + 1
        chance = count * (1 - gap[at - 1] / max(day[-1] - day[0], 1.0)) ** (count - 1)
        if chance < GAP and max(at, count - at) >= MIN_SAMPLE:
            return [
                part
                for side in (slice(0, at), slice(at, count))
                if len(accounts[side]) >= MIN_SAMPLE
                for part in _cut(accounts[side], day[side])
            ]
    return [accounts]


@dataclass(frozen=True, slots=True)
class Periods:
    """When groups were active, in days."""

    first: Ints
    """int64[g]: first day of the period of each group."""
    last: Ints
    """int64[g]: last day of it; before the first day if it is not known."""
    short: Bools
    """bool[g]: whether the period is a short part of the dump, and the accounts sent enough for one."""

    @property
    def days(self) -> Ints:
        """int64[g]: length of the period of each group; 0 if it is not known."""
        return self.last - self.first + 1

    def adjoin(self, rows: Ints, others: Ints) -> Bools:
        """bool[r, s]: whether the periods of two groups are short and adjoin, or have less than half in common."""
        common, shorter, longer = self._common(rows, others)
        near = -common <= REACH * longer
        return np.asarray((common < MOST * shorter) & near & self.short[rows, None] & self.short[others])

    def coincide(self, rows: Ints, others: Ints) -> Bools:
        """bool[r, s]: whether the periods of two groups are short and have half or more in common."""
        common, shorter, _ = self._common(rows, others)
        return np.asarray((common >= MOST * shorter) & self.short[rows, None] & self.short[others])

    def _common(self, rows: Ints, others: Ints) -> tuple[Ints, Ints, Ints]:
        """int64[r, s] each: the days that two periods have in common, or less 1 the days between them; the length of
        the shorter one; and of the longer one."""
        first, last = self.first[rows, None], self.last[rows, None]
        length, other = self.days[rows, None], self.days[others]
        common = np.minimum(last, self.last[others]) - np.maximum(first, self.first[others]) + 1
        return common, np.minimum(length, other), np.maximum(length, other)

    def generations(self, groups: Sequence[int]) -> int:
        """Length of the longest series of some groups in which each begins after the one before has ended."""
        found, end = 0, int(self.first[groups].min()) - 1
        for last, first in sorted(zip(self.last[groups].tolist(), self.first[groups].tolist(), strict=True)):
            if first > end:
                found, end = found + 1, last
        return found


def chained(groups: Sequence[Piece], corpus: Corpus, parts: PromptSegments, *, seed: int) -> list[Chain]:
    """The chains of two or more pieces.

    Args:
        groups: that may be pieces. They may overlap.
        corpus: of their prompts.
        parts: the whole parts of every prompt.
        seed: of the choice of groups to compare with, if there are too many.
    """
    if len(groups) < 2:
        return []
    periods = _periods(groups, corpus.prompts.account, corpus.prompts.time)
    shared = _SharedAccounts(groups, len(corpus.prompts.accounts))
    asked = _continuing(periods, shared)
    if not len(asked):
        return []
    compared = _compared(len(groups), asked, seed)
    payloads = _payloads([groups[i] for i in compared], corpus, parts)
    other = shared.share(compared, compared) < PART
    dealt = payloads.dealt
    follows = periods.adjoin(compared, compared) & other & dealt[:, None] & dealt
    sizes = _sizes([groups[i] for i in compared], periods.days[compared])
    follows &= _of_similar_size(sizes, sizes)
    never = other[:, periods.short[compared] & dealt].all(axis=1)
    at_once = periods.coincide(compared, compared) & dealt
    links = _links(follows, other & (never | at_once), payloads.likeness)
    links = [(i, j) for i, j in links if not payloads.one_list(i, j)]
    links = _agreed(links, follows)
    if not links:
        return []
    linked = unique(np.array(links, np.int64))
    # a text and its senders, for example, may both be found
    same = shared.share(compared[linked], compared[linked]) >= MOST
    links += linked[np.argwhere(np.triu(same, 1))].tolist()
    found = [[int(compared[i]) for i in component] for component in _components(_without_drift(links, sizes))]
    return [Chain(pieces, periods.generations(pieces)) for pieces in found]


def _sizes(groups: Sequence[Piece], days: Ints) -> Floats:
    """float64[3, g]: the accounts of each group, in all and a day, and the requests of each account.

    Args:
        groups: g groups.
        days: int64[g]: length of their periods; 0 if it is not known.
    """
    accounts = np.array([len(group.accounts) for group in groups], np.float64)
    each = np.array([len(group.prompts) for group in groups]) / accounts
    return np.stack((accounts, accounts / np.maximum(days, 1), each))


def _of_similar_size(sizes: Floats, others: Floats) -> Bools:
    """bool[g, h]: whether two groups are of similar size.

    Args:
        sizes: float64[3, g], see :func:`_sizes`.
        others: float64[3, h].
    """
    one, other = sizes[:, :, None], others[:, None]
    return np.asarray((np.maximum(one, other) <= SIZE_RATIO * np.minimum(one, other)).all(axis=0))


def _without_drift(links: Sequence[Sequence[int]], sizes: Floats) -> list[Sequence[int]]:
    """The links between pieces that are of similar size to the median of their component.

    Each link allows a factor of :data:`SIZE_RATIO`, so over many links the sizes may drift far apart.

    Args:
        links: between pieces.
        sizes: float64[3, g], see :func:`_sizes`.
    """
    middle: dict[int, bool] = {}
    for component in _components(links):
        median = np.median(sizes[:, component], axis=1)[:, None]
        middle |= dict(zip(component, _of_similar_size(sizes[:, component], median)[:, 0].tolist(), strict=True))
    return [link for link in links if all(middle[i] for i in link)]


def _periods(groups: Sequence[Piece], account: Ints32, time: Ints) -> Periods:
    """The period of each group, from the first to the last of its central requests."""
    known = time != NO_TIME
    day = np.where(known, time, 0) // DAY
    first, last = np.zeros(len(groups), np.int64), np.full(len(groups), -1, np.int64)
    for i, group in enumerate(groups):
        mine = group.prompts[known[group.prompts]]
        if 2 * len(mine) >= len(group.prompts) and len(mine):
            first[i], last[i] = _central(account[mine], day[mine])
    whole = _central(account[known], day[known]) if known.any() else (0, -1)
    length = last - first + 1
    # accounts that sent one each, at any time, do not show when they were active
    enough = np.array([len(group.prompts) >= SEVERAL * len(group.accounts) for group in groups])
    return Periods(first, last, enough & (length > 0) & (length <= SHORT * (whole[1] - whole[0] + 1)))


def _central(account: Ints32, day: Ints) -> tuple[int, int]:
    """The first and the last day of the central requests; each account has the same weight."""
    order = np.argsort(day, kind="stable")
    weight = np.cumsum(1 / np.bincount(account)[account[order]])
    low, high = np.searchsorted(weight, (EXCEPTIONAL * weight[-1], (1 - EXCEPTIONAL) * weight[-1]))
    return int(day[order[low]]), int(day[order[min(int(high), len(order) - 1)]])


class _SharedAccounts:
    """Which accounts groups have in common.

    Args:
        groups: g groups.
        accounts: the number of all accounts.
    """

    def __init__(self, groups: Sequence[Piece], accounts: int) -> None:
        self._member = overlaps.members([group.accounts for group in groups], accounts)
        self._size = np.diff(self._member.indptr)

    def share(self, rows: Ints, others: Ints) -> Floats:
        """float64[r, s]: the share of the accounts of the smaller of two groups that both have."""
        both = (self._member[rows] @ self._member[others].T).toarray()
        return np.asarray(both / np.minimum(self._size[rows, None], self._size[others]))


def _continuing(periods: Periods, shared: _SharedAccounts) -> Ints:
    """The groups that continue another, or that another continues, ascending; pairs are looked at in blocks."""
    short = np.flatnonzero(periods.short)
    found = []
    for rows in np.split(short, np.arange(PIECES_AT_ONCE, len(short), PIECES_AT_ONCE)):
        follows = periods.adjoin(rows, short) & (shared.share(rows, short) < PART)
        found.append(rows[follows.any(axis=1)])
    return np.concatenate(found)


def _compared(count: int, asked: Ints, seed: int) -> Ints:
    """The groups that are compared: those that continue another, and as many others as there may be."""
    rest = np.setdiff1d(np.arange(count), asked)
    most = max(0, COMPARED - len(asked))
    if len(rest) > most:
        rest = np.random.default_rng(seed).choice(rest, most, replace=False)
    return np.sort(np.concatenate([asked, rest]))


# ---------------------------------------------------------------- payloads


class _Payloads:
    """The words of the requests of groups without those of their templates."""

    def __init__(self, used: sparse.csr_matrix, group: Ints, account: Ints32) -> None:
        """Takes the words of r requests.

        Args:
            used: float32[r, w], ones: which request has which word.
            group: int64[r], ascending: the group of each request.
            account: int32[r]: the account of each request.
        """
        from scipy import sparse

        count = int(group[-1]) + 1
        self._start = np.searchsorted(group, np.arange(count + 1))
        self._account = account
        size = np.diff(self._start)
        wide = used.shape[1]
        by_group = sparse.csr_matrix((np.ones(len(group), np.float32), np.arange(len(group)), self._start))
        share = (sparse.diags((1 / np.maximum(size, 1)).astype(np.float32)) @ by_group @ used).tocsr()
        share.data = (share.data >= PART).astype(np.float32)
        share.eliminate_zeros()
        self._fixed = share
        self._used = (used - used.multiply(self._fixed[group])).tocsr()
        self._used.eliminate_zeros()
        rarity = np.log(np.maximum(len(group) / (np.bincount(used.indices, minlength=wide) + 1), 1)).astype(np.float32)
        key, sender = np.unique(group * (int(account.max()) + 1) + account, return_inverse=True)
        by_sender = sparse.csr_matrix(
            (np.ones(len(group), np.float32), (sender, np.arange(len(group)))), shape=(len(key), len(group))
        )
        sent = (by_sender @ self._used).tocsr()
        sent.data[:] = 1
        owner = key // (int(account.max()) + 1)
        by_owner = sparse.csr_matrix(
            (np.ones(len(key), np.float32), (owner, np.arange(len(key)))), shape=(count, len(key))
        )
        words_of = (by_owner @ sent).tocsr()
        words_of.data = np.log1p(words_of.data)
        self._words = (words_of @ sparse.diags(rarity)).tocsr()

    @property
    def likeness(self) -> Floats:
        """float64[g, g]: cosine of the words of two groups, without those of the template of either."""
        square = self._words.multiply(self._words).tocsr()
        own = np.asarray(square.sum(axis=1)).ravel()[:, None] - (square @ self._fixed.T).toarray()
        product = (self._words @ self._words.T).toarray()
        return np.asarray(product / np.sqrt(np.maximum(own * own.T, 1e-12)))

    @property
    def dealt(self) -> Bools:
        """bool[g]: whether the accounts of a group send requests of their own and not copies of one another's."""
        return np.array([not self.one_list(i, i) for i in range(len(self._start) - 1)])

    def one_list(self, first: int, second: int) -> bool:
        """Whether the requests of a group are copies of those of other accounts of another one, or of itself."""
        a, b = (slice(self._start[i], self._start[i + 1]) for i in (first, second))
        both = (self._used[a] @ self._used[b].T).toarray()
        size = [np.asarray(self._used[rows].sum(axis=1)).ravel() for rows in (a, b)]
        union = size[0][:, None] + size[1] - both
        copy = (both >= MOST * union) & (self._account[a][:, None] != self._account[b])
        return bool(max(copy.any(axis=1).mean(), copy.any(axis=0).mean()) >= MOST)


def _payloads(groups: Sequence[Piece], corpus: Corpus, parts: PromptSegments) -> _Payloads:
    from scipy import sparse

    chosen = [_evenly(group.prompts, corpus.prompts.account) for group in groups]
    prompts = np.concatenate(chosen)
    count = parts.start[prompts + 1] - parts.start[prompts]
    segments, place = np.unique(parts.segment[ranges(parts.start[prompts], count)], return_inverse=True)
    number: dict[str, int] = {}
    found = [
        np.array([number.setdefault(word, len(number)) for word in dict.fromkeys(words(text))], np.int32)
        for text in corpus.text.take(segments)
    ]
    start = np.concatenate(([0], np.cumsum([len(one) for one in found])))
    by_segment = sparse.csr_matrix(
        (np.ones(int(start[-1]), np.float32), np.concatenate(found), start), shape=(len(found), max(len(number), 1))
    )
    of_prompt = sparse.csr_matrix(
        (np.ones(len(place), np.float32), place, np.concatenate(([0], np.cumsum(count)))),
        shape=(len(prompts), len(segments)),
    )
    used = (of_prompt @ by_segment).tocsr()
    used.data[:] = 1
    group = np.repeat(np.arange(len(groups)), [len(one) for one in chosen])
    return _Payloads(used, group, corpus.prompts.account[prompts])


def _evenly(prompts: Ints32, account: Ints32) -> Ints32:
    """At most :data:`PAYLOADS` prompts: one of each account in turn."""
    sender = account[prompts]
    order = np.argsort(sender, kind="stable")
    ordered = sender[order]
    start = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    turn = np.arange(len(order)) - np.repeat(start, np.diff(np.append(start, len(order))))
    taken = order[np.argsort(turn, kind="stable")]
    return np.sort(prompts[taken[:PAYLOADS]])


# ---------------------------------------------------------------- links


def _links(follows: Bools, outside: Bools, likeness: Floats) -> list[Sequence[int]]:
    """The pairs that are more alike than chance, among those that continue each other.

    The p-value of a pair is the larger of those of its two sides. The p-value of a side is the rank of the likeness
    among those with groups outside. Benjamini and Hochberg (1995) choose the pairs.

    Args:
        follows: bool[g, g], symmetric: which groups continue each other.
        outside: bool[g, g]: with which groups each is compared.
        likeness: float64[g, g], symmetric.
    """
    p = np.ones(follows.shape)
    for i in np.flatnonzero(follows.any(axis=1)):
        mine = follows[i]
        null = np.sort(likeness[i, outside[i]])
        above = len(null) - np.searchsorted(null, likeness[i, mine])
        p[i, mine] = (above + 1) / (len(null) + 1)
    p = np.maximum(p, p.T)
    first, second = np.nonzero(np.triu(follows, 1))
    value = p[first, second]
    order = np.argsort(value, kind="stable")
    good = np.flatnonzero(value[order] <= FALSE_LINKS * np.arange(1, len(order) + 1) / max(len(order), 1))
    chosen = np.sort(order[: good[-1] + 1]) if len(good) else order[:0]
    return list(zip(first[chosen].tolist(), second[chosen].tolist(), strict=True))


def _agreed(links: Sequence[Sequence[int]], follows: Bools) -> list[Sequence[int]]:
    """The links without those of pieces that are linked to few of the pieces of their chain that they continue.

    Pieces of one campaign are alike each other. A piece that is like one of them by chance is not like the others.

    Args:
        links: between pieces.
        follows: bool[g, g], symmetric: which pieces continue each other.
    """
    linked = np.zeros(follows.shape, bool)
    for i, j in links:
        linked[i, j] = linked[j, i] = True
    stays = np.zeros(len(follows), bool)
    for component in _components(links):
        inside = np.ix_(component, component)
        stays[component] = linked[inside].sum(axis=1) >= MOST * follows[inside].sum(axis=1)
    return [(i, j) for i, j in links if stays[i] and stays[j]]


def _components(links: Sequence[Sequence[int]]) -> list[list[int]]:
    import networkx as nx

    return sorted(sorted(component) for component in nx.connected_components(nx.Graph(links)))
