"""Which groups of accounts continue one another over time.

What stays when a campaign changes its accounts and its template is what is asked: the *payload*, the words of a request
that are not those of the template.

* A *piece* is a group of accounts that was active in a short part of the dump. Groups that are too small for a
  candidate can be pieces too. A group whose accounts were active one part after the other is several pieces.
* Two pieces *continue* each other if they have other accounts, their periods overlap by less than half of the shorter
  one or lie at most twice the longer one apart, and they are of similar size: about as many accounts a day, and about
  as many requests of each. Campaigns that happen to ask for the same things one after the other rarely are. The number
  of accounts does not count: a piece may hold two generations. A piece where the dump begins or ends was seen in part.
  If it is the shorter one, it is compared as if it lasted up to as long as the other.
* They are linked if their payloads are more alike than those of either with groups that hardly are of the same chain:
  long ones with other accounts than all pieces, and short ones with other accounts that were active at the same time.
  These are the null distribution of a piece. The second kind matters where several campaigns ask for the same things.
  A false-discovery rate over all pairs that continue each other chooses the links.
* The payloads must also be nearly as alike as those of the halves of one piece are. Two campaigns that have some of
  their subjects in common are more alike than chance, but not as alike as that. Other pairs are not compared.
* Accounts that send copies of one another's requests, such as two classes with one list of exercises, share a list
  instead of dealing it. They are no pieces.
* A piece of a chain must be linked to at least half of the pieces of the chain that it continues (``MOST``). A piece
  that is like one of them by chance is not like the others.
* Two linked pieces with at least half of the accounts of the smaller one in common are joined as well: a text and its
  senders, for example, may both be found.

Pieces that are not of similar size to the median of their component are dropped. What stays linked is a chain. If it
has three generations or more, it must also be specific: for the median piece, few of the groups outside (``FEW``) are
as alike to the rest of the chain as the piece is. Popular subjects link pieces too, but then many other groups are.
Other groups may join a longer chain (:mod:`harvestdetect.accounts.chain_growth`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from harvestdetect.accounts import overlaps
from harvestdetect.accounts.chain_growth import ChainGroups, GrownChain, grown
from harvestdetect.accounts.groups import FALSE_LINKS
from harvestdetect.accounts.payloads import payloads_of
from harvestdetect.accounts.pieces import Periods, Piece, periods_of
from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.data import Corpus, Prompts
from harvestdetect.util.amounts import FEW, GROUP, MOST, NEARLY_ALL, SMALL_PART
from harvestdetect.util.arrays import Bools, Floats, Ints, unique

__all__ = ["Chain", "chained"]

SIZE_RATIO: Final = 1.5
"""Greatest ratio between the accounts a day of two pieces that continue each other, and between the requests of an
account. Chosen on tuning worlds."""
COMPARED: Final = 400
"""Most groups with which pieces are compared. Chosen, for speed."""
PIECES_AT_ONCE: Final = 256
"""Groups that are compared with all others at a time."""


class Chain(NamedTuple):
    """Pieces that continue one another, and the groups that joined them."""

    pieces: list[int]
    """Positions of both, ascending."""
    generations: int
    """Length of the longest series of generations in which each begins after the one before has ended. A generation is
    a piece, or some accounts that joined (:mod:`harvestdetect.accounts.chain_growth`)."""


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
    periods = periods_of(groups, corpus.prompts.account, corpus.prompts.time)
    shared = _SharedAccounts(groups, len(corpus.prompts.accounts))
    asked = _continuing(periods, shared)
    if not len(asked):
        return []
    compared = _compared(len(groups), asked, seed)
    payloads = payloads_of([groups[i].prompts for i in compared], corpus, parts)
    other = shared.share(compared, compared) < SMALL_PART
    dealt = payloads.dealt
    follows = periods.adjoin(compared, compared) & other & dealt[:, None] & dealt
    sizes = _sizes([groups[i] for i in compared], periods.of(compared))
    follows &= _of_similar_size(sizes, sizes) & (payloads.likeness_as_of_halves >= NEARLY_ALL)
    never = other[:, periods.short[compared] & dealt].all(axis=1)
    at_once = periods.coincide(compared, compared) & dealt
    links = _links(follows, other & (never | at_once), payloads.likeness)
    links = [(i, j) for i, j in links if not payloads.are_copies(i, j)]
    links = _agreed(links, follows)
    if not links:
        return []
    linked = unique(np.array(links, np.int64))
    same = shared.share(compared, compared) >= MOST
    links += linked[np.argwhere(np.triu(same[np.ix_(linked, linked)], 1))].tolist()
    among = ChainGroups(
        groups=[groups[i] for i in compared], periods=periods.of(compared), payloads=payloads, dealt=dealt
    )
    cores = [
        core
        for core in _components(_without_drift(links, sizes))
        if among.periods.generations(core) < GROUP or _is_specific(core, among, other=other, same=same)
    ]
    found = _grown(cores, among, corpus.prompts, sizes)
    return [chain._replace(pieces=compared[chain.pieces].tolist()) for chain in found]


def _grown(cores: Sequence[list[int]], compared: ChainGroups, prompts: Prompts, sizes: _Sizes) -> list[Chain]:
    """The chains of some components of links, with the groups that join those of three generations or more (``GROUP``).

    A component whose pieces all joined a longer chain is none.

    Args:
        cores: places of the pieces of each component.
        compared: all groups.
        prompts: of all groups.
        sizes: of all groups.
    """
    periods = compared.periods
    chains: list[Chain] = []
    for core in sorted(cores, key=lambda core: (-periods.generations(core), core)):
        if any(set(core).issubset(chain.pieces) for chain in chains):
            continue
        joined = GrownChain([], periods.generations(core))
        if joined.generations >= GROUP:
            joined = grown(core, compared, prompts, most_a_day=SIZE_RATIO * float(sizes.middle(core).a_day[0]))
        chains.append(Chain(sorted(core + joined.groups), joined.generations))
    return sorted(chains)


def _is_specific(core: Sequence[int], compared: ChainGroups, *, other: Bools, same: Bools) -> bool:
    """Whether few groups outside a chain are as alike to the rest of it as its median piece is.

    Groups outside have other accounts than the chain, and are long or were active at the same time as a piece. Without
    any, nothing speaks against the chain.

    Args:
        core: places of the pieces of the chain.
        compared: g groups.
        other: bool[g, g]: which groups have other accounts.
        same: bool[g, g]: which groups have most accounts in common.
    """
    pieces = np.array(core)
    everyone = np.arange(len(other))
    at_once = compared.periods.coincide(everyone, pieces).any(axis=1)
    outside = other[:, pieces].all(axis=1) & (~compared.periods.short | at_once)
    if not outside.any():
        return True
    more_alike = []
    for piece in core:
        rest = pieces[~same[piece, pieces]]
        if len(rest):
            cosine = compared.payloads.cosine_to(rest)
            more_alike.append(float((cosine[outside] >= cosine[piece]).mean()))
    return not more_alike or bool(np.median(more_alike) <= FEW)


class _Sizes(NamedTuple):
    """How large groups are."""

    a_day: Floats
    """float64[g]: accounts of each group a day."""
    each: Floats
    """float64[g]: requests of each of its accounts."""
    days: Floats
    """float64[g]: length of its period."""
    cut: Bools
    """bool[g]: whether it was seen in part, see :class:`~harvestdetect.accounts.pieces.Periods`."""

    def middle(self, groups: Sequence[int]) -> _Sizes:
        """The median of some groups, as one.

        A shorter group that was seen in part counts as if it lasted up to as long as the median of the others: as long
        as makes it most like that.
        """
        mine = np.array(groups)
        a_day, each, days, cut = self.a_day[mine], self.each[mine], self.days[mine], self.cut[mine]
        usual = [np.median(size if cut.all() else size[~cut]) for size in (a_day, each, days)]
        alike = np.sqrt(a_day / usual[0] * usual[1] / each)
        times = np.where(cut, np.clip(alike, 1, np.maximum(usual[2] / days, 1)), 1)
        middle = np.median((a_day / times, each * times, days * times), axis=1, keepdims=True)
        return _Sizes(middle[0], middle[1], middle[2], np.zeros(1, bool))


def _sizes(groups: Sequence[Piece], periods: Periods) -> _Sizes:
    """The sizes of groups with some periods."""
    accounts = np.array([len(group.accounts) for group in groups], np.float64)
    each = np.array([len(group.prompts) for group in groups]) / accounts
    days = np.maximum(periods.days, 1).astype(np.float64)
    return _Sizes(accounts / days, each, days, periods.cut)


def _of_similar_size(sizes: _Sizes, others: _Sizes) -> Bools:
    """bool[g, h]: whether two groups are of similar size, for some length of the shorter one if that was seen in part.

    If its accounts are all there already, a group that lasts s times as long has a share 1 / s of the accounts a day,
    and s times the requests of each. If others take over from them, both stay as they are. So s may be anything from 1
    to the ratio of the lengths.
    """
    a_day = sizes.a_day[:, None] / others.a_day
    each = sizes.each[:, None] / others.each
    longer = others.days / sizes.days[:, None]
    most = np.where(sizes.cut[:, None], np.maximum(longer, 1), 1)
    least = np.where(others.cut, np.minimum(longer, 1), 1)
    low = np.maximum(a_day, 1 / each) / SIZE_RATIO
    high = np.minimum(a_day, 1 / each) * SIZE_RATIO
    return np.asarray(np.maximum(low, least) <= np.minimum(high, most))


def _without_drift(links: Sequence[Sequence[int]], sizes: _Sizes) -> list[Sequence[int]]:
    """The links between pieces that are of similar size to the median of their component.

    Each link allows a factor of :data:`SIZE_RATIO`, so over many links the sizes may drift far apart.

    Args:
        links: between pieces.
        sizes: of g groups.
    """
    middle: dict[int, bool] = {}
    for component in _components(links):
        similar = _of_similar_size(sizes, sizes.middle(component))[component, 0]
        middle |= dict(zip(component, similar.tolist(), strict=True))
    return [link for link in links if all(middle[i] for i in link)]


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
        follows = periods.adjoin(rows, short) & (shared.share(rows, short) < SMALL_PART)
        found.append(rows[follows.any(axis=1)])
    return np.concatenate(found)


def _compared(count: int, asked: Ints, seed: int) -> Ints:
    """The groups that are compared: those that continue another, and as many others as there may be."""
    rest = np.setdiff1d(np.arange(count), asked)
    most = max(0, COMPARED - len(asked))
    if len(rest) > most:
        rest = np.random.default_rng(seed).choice(rest, most, replace=False)
    return np.sort(np.concatenate([asked, rest]))


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
