"""From template clusters to campaigns: which clusters the same accounts sent, and which accounts belong."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.campaign.shared_accounts import blocks, by_chance, log_tail, overlaps_of, shared_pairs
from harvestdetect.cluster.repeat_senders import texts_of_each
from harvestdetect.data import Campaign
from harvestdetect.util.arrays import AnyInts, Floats, Ints32, ranges, unique

__all__ = [
    "Link",
    "Part",
    "communities",
    "form_campaigns",
    "is_copied",
    "joined",
    "link_clusters",
    "membership",
    "split_users",
    "without",
]

Held: TypeAlias = Mapping[int, Ints32] | Sequence[Ints32]
"""Prompts of clusters, by cluster."""

STRAYS: Final = 0.5
"""A cluster was chosen for accounts that come back, so its strays are rarer than the fit would have them."""
FILLED: Final = 0.9
"""Membership, at least, of an account that filled a rigid template."""
MIN_MEMBERSHIP: Final = 0.5
"""Membership (0 to 1) from which an account is a member of a campaign."""
MOSTLY_SEVERAL: Final = 0.5
"""The fit of memberships starts from the accounts that sent several templates alone, where these are more than this
share of the accounts that come back."""
START_INSIDE: Final = 0.99
"""Membership (0 to 1) from which the fit starts for the accounts that it starts from."""
START_OUTSIDE: Final = 0.01
"""Membership (0 to 1) from which the fit starts for all other accounts."""
LEAST_STRAYS: Final = 0.1
"""Least number of stray prompts that the fit expects in a corpus of this size."""
FITS: Final = 25
"""How often the campaigns that still move are fitted again..."""
STEPS: Final = 8
"""...by so many steps at a time..."""
SETTLED: Final = 1e-6
"""...until no membership moves by more."""
RIGID_RELIEF: Final = 0.45
"""Links between rigid templates need only this part of the logarithm that others need."""
COPIED: Final = 0.5
"""A cluster of which so many prompts are one text, word for word, may be a text that many people send..."""
COPIED_RELIEF: Final = 5.0
"""...and is expected to share so many times the accounts that chance gives: who sends such texts at all sends several,
and accounts that never do (programs, products, other campaigns) make them look rarer than they are among people."""
SPLIT_LOG_P: Final = -16.0
"""Accounts that use one template only are split off when chance is less likely than this (natural logarithm)."""
TERMS: Final = 1 << 20
"""Accounts that two clusters share, over all pairs of a cluster with others, worked on at once."""
MIN_SHARED: Final = 3
"""Accounts that two clusters must share, at least, to be linked."""
MIN_OVERLAP: Final = 0.2
"""Share of the smaller cluster's accounts that a link needs besides being unlikely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Two clusters with more accounts in common than their volumes explain."""

    first: int
    second: int
    shared: int
    expected: float
    log_p: float
    """Natural log of the Poisson tail, times the number of pairs."""
    overlap: float
    """Shared accounts over those of the smaller cluster."""


def link_clusters(
    accounts: Sequence[Ints32],
    prompts: Sequence[Ints32],
    volume: Ints32,
    *,
    log_p: float,
    rigid: Sequence[bool] | None = None,
    copied: Sequence[bool] | None = None,
) -> list[Link]:
    """Links between clusters that share accounts beyond chance, by the first, then by the second.

    The null knows how much every account sent, see :func:`harvestdetect.campaign.shared_accounts.by_chance`; the tail
    is Poisson, corrected for the number of pairs.

    Args:
        accounts: for each cluster the distinct accounts, ascending; clusters share no prompt.
        prompts: beside each account its prompts in that cluster.
        volume: int32[a], prompts of each account.
        log_p: links are less likely than this natural logarithm, corrected.
        rigid: for each cluster, whether it is a template of so many fixed words that nobody fills one by chance: two of
            them are linked from :data:`RIGID_RELIEF` of ``log_p``, for they are no two interests of the same
            people. None: none is.
        copied: for each cluster, whether it is :data:`COPIED`: its links have to stand against
            :data:`COPIED_RELIEF` times the accounts that chance gives. None: none is.
    """
    count = len(accounts)
    if count < 2:
        return []
    overlaps = overlaps_of(accounts, prompts, volume)
    fixed = np.zeros(count, bool) if rigid is None else np.asarray(rigid, bool)
    same = np.zeros(count, bool) if copied is None else np.asarray(copied, bool)
    found: list[Link] = []
    for block in blocks(overlaps):
        held = shared_pairs(overlaps, block)
        held = held.at((held.first < held.second) & (held.shared >= MIN_SHARED))
        overlap = held.shared / np.minimum(overlaps.size[held.first], overlaps.size[held.second])
        held, overlap = held.at(overlap >= MIN_OVERLAP), overlap[overlap >= MIN_OVERLAP]
        expected = by_chance(overlaps, held)
        expected *= np.where(same[held.first] | same[held.second], COPIED_RELIEF, 1.0)
        tail = log_tail(overlaps, held.shared, expected)
        linked = np.flatnonzero(tail < np.where(fixed[held.first] & fixed[held.second], log_p * RIGID_RELIEF, log_p))
        found.extend(
            Link(
                first=int(held.first[i]),
                second=int(held.second[i]),
                shared=int(held.shared[i]),
                expected=float(expected[i]),
                log_p=float(tail[i]),
                overlap=float(overlap[i]),
            )
            for i in linked
        )
    return found


def is_copied(content: Ints32) -> bool:
    """Whether a cluster is :data:`COPIED`, of int32[q], the text of each of its prompts."""
    return bool(len(content)) and int(np.unique(content, return_counts=True)[1].max()) >= COPIED * len(content)


def communities(links: Sequence[Link], count: int, *, seed: int) -> list[list[int]]:
    """Groups of linked clusters (Louvain; Blondel et al. 2008), single ones included, by their first cluster."""
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_weighted_edges_from((link.first, link.second, link.overlap) for link in links)
    groups: list[list[int]] = []
    for component in nx.connected_components(graph):
        found = [component]
        if len(component) > 3:
            part = graph.subgraph(sorted(component))
            found = nx.community.louvain_communities(part, weight="weight", seed=seed)
        groups.extend(sorted(int(i) for i in group) for group in found)
    return sorted(groups)


def split_users(
    group: Sequence[int], assigned: Held, *, account: Ints32, min_accounts: int
) -> list[tuple[list[int], dict[int, Ints32]]]:
    """Takes linked clusters apart where chance does not explain who uses which.

    Two campaigns may share a template. Of accounts that rotate over several templates, a known part of the prompts
    falls into each, so it is known too how many accounts chance would keep to one of them, or to one side of them
    (Poisson tails). First, clusters that hold together only by one template between them are told apart by their
    accounts; then accounts that use one cluster only are taken out.

    Args:
        group: linked clusters.
        assigned: int32 prompts of every cluster, disjoint; others than those of the group are not looked at.
        account: int32[p], of every prompt.
        min_accounts: that a part must have.

    Returns:
        parts, each as its clusters and, for each of these, the prompts that are its own.
    """
    parts: list[tuple[list[int], dict[int, Ints32]]] = []
    for clusters, held in _split_sides(group, assigned, account=account, min_accounts=min_accounts):
        parts.extend(_split_single(clusters, held, account=account, min_accounts=min_accounts))
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Users:
    """Who sent what into c clusters."""

    accounts: Ints32
    """int32[a], ascending: all accounts."""
    hits: Any
    """Sparse int64[c, a] (CSR): prompts of each account in each cluster."""

    def of(self, row: int) -> tuple[AnyInts, AnyInts]:
        """Columns of the accounts of one cluster, and their prompts there."""
        part = slice(self.hits.indptr[row], self.hits.indptr[row + 1])
        return self.hits.indices[part], self.hits.data[part]


def _users(clusters: Sequence[int], held: Held, account: Ints32) -> _Users:
    from scipy import sparse

    sets = [np.unique(account[held[c]], return_counts=True) for c in clusters]
    accounts, column = np.unique(np.concatenate([a for a, _ in sets]), return_inverse=True)
    start = np.concatenate(([0], np.cumsum([len(a) for a, _ in sets])))
    hits = np.concatenate([n for _, n in sets]).astype(np.int64)
    return _Users(
        accounts=accounts, hits=sparse.csr_matrix((hits, column, start), shape=(len(clusters), len(accounts)))
    )


def _split_sides(
    group: Sequence[int], assigned: Held, *, account: Ints32, min_accounts: int
) -> list[tuple[list[int], dict[int, Ints32]]]:
    """Campaigns that have one template in common, and others each: its prompts are dealt out by account."""
    from scipy import sparse
    from scipy.sparse import csgraph

    whole = [(list(group), {c: assigned[c] for c in group})]
    if len(group) < 3:
        return whole
    users = _users(group, assigned, account)
    together = ~_apart(users)
    for shared in np.argsort(-users.hits.sum(axis=1).A1, kind="stable").tolist():
        if _hold_together(together, shared):
            continue
        rest = np.delete(np.arange(len(group)), shared)
        count, side = csgraph.connected_components(sparse.csr_matrix(together[np.ix_(rest, rest)]), directed=False)
        most = _sides(users, rest, side, count)
        if np.bincount(most, minlength=count).min() < min_accounts:
            continue
        parts = []
        for s in range(count):
            mine = np.isin(account[assigned[group[shared]]], users.accounts[most == s])
            held = {int(group[i]): assigned[group[i]] for i in rest[side == s]}
            if mine.any():
                held[int(group[shared])] = assigned[group[shared]][mine]
            parts.append((sorted(held), held))
        return parts
    return whole


def _hold_together(together: npt.NDArray[np.bool_], without: int) -> bool:
    """Whether all rows of a symmetric matrix are reached from one another without one of them."""
    left = np.ones(len(together), bool)
    left[without] = False
    first = int(left.argmax())
    fresh = np.zeros(len(together), bool)
    fresh[first] = True
    while fresh.any():
        left &= ~fresh
        if not left.any():
            return True
        fresh = together[fresh].any(axis=0) & left
    return False


def _sides(users: _Users, rest: AnyInts, side: AnyInts, count: int) -> AnyInts:
    """The side that each account sends most to, the first of several: int[a].

    Accounts that sent the shared template only stay with the larger side.
    """
    from scipy import sparse

    by_side = sparse.csr_matrix((np.ones(len(rest), np.int64), (side, rest)), shape=(count, users.hits.shape[0]))
    sent = (by_side @ users.hits).tocoo()
    order = np.lexsort((sent.row, -sent.data, sent.col))
    first = np.ones(len(order), bool)
    first[1:] = sent.col[order[1:]] != sent.col[order[:-1]]
    row, column = sent.row[order[first]], sent.col[order[first]]
    most = np.full(len(users.accounts), int(np.bincount(row, minlength=count).argmax()))
    most[column] = row
    return most


def _apart(users: _Users) -> npt.NDArray[np.bool_]:
    """Pairs of clusters with fewer accounts in common than accounts that rotate over both would give.

    Returns:
        bool[c, c], symmetric.
    """
    from scipy.stats import poisson

    count = users.hits.shape[0]
    sent = users.hits.sum(axis=1).A1
    by_account = users.hits.T.tocsr()
    # how many accounts of each cluster sent how much, cluster after cluster
    values = [np.unique(users.of(i)[1], return_counts=True) for i in range(count)]
    borders = np.cumsum([0, *(len(v) for v, _ in values)])
    hits, times = np.concatenate([v for v, _ in values]), np.concatenate([n for _, n in values])
    found = np.zeros((count, count), bool)
    for i in range(1, count):
        share = sent[i] / (sent[i] + sent[:i])
        # accounts that use both, if each used one only...
        expected = _both(values[i][0][:, None], share).T @ values[i][1]
        earlier = np.repeat(np.arange(i), np.diff(borders[: i + 1]))
        alone = _both(hits[: borders[i]], share[earlier]) * times[: borders[i]]
        expected = expected + np.bincount(earlier, alone, i)
        # ...and what is more where it did not
        shared = np.zeros(i, np.int64)
        for own, other, theirs in _met(users, by_account, i):
            shared += np.bincount(other, minlength=i)
            part = share[other]
            more = _both(own + theirs, part) - _both(own, part) - _both(theirs, part)
            expected += np.bincount(other, more, i)
        found[i, :i] = found[:i, i] = poisson.logcdf(shared, np.maximum(expected, 1e-9)) < SPLIT_LOG_P
    return found


def _both(sent: AnyInts, share: Floats) -> Floats:
    """How likely it is that of so many prompts to one of two clusters, a share to the first, some went to each."""
    return np.asarray(1 - share**sent - (1 - share) ** sent)


def _met(users: _Users, by_account: Any, row: int) -> Iterator[tuple[AnyInts, AnyInts, AnyInts]]:
    """The accounts that a cluster shares with earlier ones, some at a time: their prompts in it, the other, those
    there."""
    accounts, hits = users.of(row)
    start = by_account.indptr[accounts]
    size = by_account.indptr[accounts + 1] - start
    done = np.cumsum(size)
    low = 0
    while low < len(accounts):
        high = max(int(np.searchsorted(done, (done[low - 1] if low else 0) + TERMS, side="right")), low + 1)
        where = ranges(start[low:high], size[low:high])
        other = by_account.indices[where]
        earlier = other < row
        yield np.repeat(hits[low:high], size[low:high])[earlier], other[earlier], by_account.data[where][earlier]
        low = high


def _split_single(
    group: Sequence[int], assigned: Mapping[int, Ints32], *, account: Ints32, min_accounts: int
) -> list[tuple[list[int], dict[int, Ints32]]]:
    """Takes out the accounts that use one cluster only, as long as enough others remain."""
    from scipy.stats import poisson

    held = {c: assigned[c] for c in group}
    if len(group) < 2:
        return [(list(group), held)]
    users = _users(group, assigned, account)
    uses, sent = users.hits.getnnz(axis=0), users.hits.sum(axis=0).A1
    parts: list[tuple[list[int], dict[int, Ints32]]] = []
    gone = 0
    for row, c in enumerate(group):
        accounts, hits = users.of(row)
        shared = uses[accounts] > 1
        alone = users.accounts[accounts[~shared]]
        left = len(users.accounts) - gone - len(alone)
        if len(alone) < min_accounts or not shared.any() or left < min_accounts:
            continue
        elsewhere = int((sent[accounts] - hits).sum())
        share = elsewhere / (elsewhere + int(hits[shared].sum()))
        expected = float(((1 - share) ** hits).sum())
        if poisson.logsf(len(alone) - 1, expected) < SPLIT_LOG_P:
            mine = np.isin(account[held[c]], alone)
            parts.append(([c], {c: held[c][mine]}))
            held[c] = held[c][~mine]
            gone += len(alone)
    return [(list(group), held), *parts]


def membership(
    hits: Sequence[Ints32],
    volume: Sequence[Ints32],
    *,
    total_prompts: int,
    total_accounts: int,
    templates: Sequence[Ints32] | None = None,
) -> list[Floats]:
    """How surely each account that sent a campaign's texts is part of it, for several campaigns.

    A mixture fitted by expectation-maximisation, each campaign for itself and all at once. Members send one of the
    texts and a negative binomial number more, with a mean and a variance of their own (from Poisson, an even load, to
    geometric, an uneven one); others send them at a constant rate per prompt (Poisson), at least one stray in ten
    corpora of this size. Clusters were chosen for accounts that come back, so the rate of strays is held down to
    :data:`STRAYS` of what the fit asks for. The fit starts from everybody; where most of those who come back sent
    several of the templates, from these alone.

    Args:
        hits: for each campaign int32[a], at least 1: prompts of the account in it; not empty.
        volume: for each int32[a]: all prompts of the account.
        total_prompts: of the corpus.
        total_accounts: of the corpus.
        templates: for each int32[a]: how many of its clusters the account sent; None where there is one.

    Returns:
        for each float64[a], 0 to 1.
    """
    sure = [np.full(len(k), START_INSIDE) for k in hits]
    for i, several in enumerate(templates or ()):
        back = hits[i] > 1
        if back.any() and (several[back] > 1).mean() > MOSTLY_SEVERAL:
            sure[i][several < 2] = START_OUTSIDE
    if hits:
        moving = list(range(len(hits)))
        for _ in range(FITS):
            size = np.array([len(hits[i]) for i in moving])
            start = np.concatenate(([0], np.cumsum(size)))[:-1]
            k, n, old = (np.concatenate([values[i] for i in moving]) for values in (hits, volume, sure))
            fit = _Fit(start=start, of=np.repeat(np.arange(len(size)), size), accounts=total_accounts)
            rows, done = fit.steps(k.astype(np.float64), n / total_prompts, old)
            for place, i in enumerate(moving):
                sure[i] = rows[start[place] : start[place] + size[place]]
            moving = [i for place, i in enumerate(moving) if not done[place]]
            if not moving:
                break
    return sure


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """Mixtures of several campaigns, see :func:`membership`."""

    start: AnyInts
    """int64[c]: where the accounts of each begin."""
    of: AnyInts
    """int64[a]: the campaign of each account."""
    accounts: int
    """Of the corpus."""

    def _sum(self, values: Floats) -> Floats:
        return np.asarray(np.add.reduceat(values, self.start))

    def steps(self, k: Floats, n: Floats, sure: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """:data:`STEPS` steps, and which campaigns have settled; these change no more.

        Args:
            k: float64[a], hits of each account.
            n: float64[a], its share of all prompts.
            sure: float64[a], membership so far.
        """
        from scipy.special import gammaln

        of, extra, gamma, gamma_next = self.of, k - 1, gammaln(k), gammaln(k + 1)
        done = np.zeros(len(self.start), bool)
        for _ in range(STEPS):
            weight = np.maximum(self._sum(sure), 1e-9)
            more = np.maximum(self._sum(sure * extra) / weight, 1e-3)
            variance = self._sum(sure * (extra - more[of]) ** 2) / weight
            shape = np.clip(more**2 / np.maximum(variance - more, 1e-9), 1.0, 1e4)
            prior = np.clip(weight / self.accounts, 1e-9, 1 - 1e-9)
            rate = np.maximum(STRAYS * self._sum((1 - sure) * k), LEAST_STRAYS)
            log_member = (
                (np.log(prior) - gammaln(shape) + shape * np.log(shape / (shape + more)))[of]
                + gammaln(extra + shape[of])
                - gamma
                + extra * np.log(more / (shape + more))[of]
            )
            strays = n * rate[of]
            log_other = np.log(1 - prior)[of] + k * np.log(strays) - strays - gamma_next
            new = 1 / (1 + np.exp(np.clip(log_other - log_member, -500, 500)))
            # whoever sends more than the usual number is no stray, however even the others' load
            new = np.maximum(new, np.where(k > more[of] + 1, sure, 0.0))
            new = np.where(done[of], sure, new)
            done |= np.maximum.reduceat(np.abs(new - sure), self.start) < SETTLED
            sure = new
            if done.all():
                break
        return sure, done


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a campaign is formed of."""

    clusters: Sequence[int]
    """Positions of its clusters."""
    held: Held
    """Prompts of each cluster, disjoint."""
    nearby: Ints32 | None = None
    """int32[r], the accounts of prompts that lie among these without being in a cluster, where the clusters share a
    subject and no template: one such prompt makes nobody a member, as a filling of a template may."""
    rigid: bool = False
    """Whether the clusters are templates of so many fixed words that nobody fills one by chance."""


def form_campaigns(
    parts: Sequence[Part],
    links: Sequence[Link],
    *,
    account: Ints32,
    volume: Ints32,
    total_prompts: int | None = None,
    min_membership: float = MIN_MEMBERSHIP,
) -> list[Campaign]:
    """The campaigns of groups of clusters.

    Args:
        parts: the groups.
        links: between clusters, ascending by the first of each.
        account: int32[p], of every prompt.
        volume: int32[a], prompts of each account.
        total_prompts: their sum; None: it is computed.
        min_membership: accounts below it are no members.
    """
    sent = [_sent(part, account) for part in parts]
    sure = membership(
        [one.hits for one in sent],
        [volume[one.accounts] for one in sent],
        total_prompts=int(volume.sum()) if total_prompts is None else total_prompts,
        total_accounts=len(volume),
        templates=[one.templates for one in sent],
    )
    return [
        _formed(part, one, own, links, account=account, volume=volume, min_membership=min_membership)
        for part, one, own in zip(parts, sent, sure, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """Who sent what of a group of clusters."""

    prompts: Ints32
    """int32[q], ascending."""
    cluster: Ints32
    """int32[q], of each."""
    accounts: Ints32
    """int32[a], ascending."""
    hits: Ints32
    """int32[a], prompts of each account."""
    templates: Ints32
    """int32[a], clusters that each of them sent."""


def _sent(part: Part, account: Ints32) -> _Sent:
    prompts = np.concatenate([part.held[c] for c in part.clusters])
    cluster = np.repeat(np.array(part.clusters, np.int32), [len(part.held[c]) for c in part.clusters])
    order = np.argsort(prompts, kind="stable")
    prompts, cluster = prompts[order], cluster[order]
    accounts, counts = np.unique(account[prompts], return_counts=True)
    return _Sent(
        prompts=prompts.astype(np.int32),
        cluster=cluster,
        accounts=accounts.astype(np.int32),
        hits=counts.astype(np.int32),
        templates=texts_of_each(account[prompts], cluster).astype(np.int32),
    )


def _formed(
    part: Part,
    sent: _Sent,
    sure: Floats,
    links: Sequence[Link],
    *,
    account: Ints32,
    volume: Ints32,
    min_membership: float,
) -> Campaign:
    accounts, hits = sent.accounts, sent.hits
    if part.rigid:
        sure = np.maximum(sure, FILLED)
    stay = sure >= min_membership
    if part.nearby is not None:
        stay &= (hits > 1) | np.isin(accounts, part.nearby)
    stray = int(hits[~stay].max(initial=0))
    outside = accounts[~stay], sure[~stay], hits[~stay]
    accounts, hits, sure = accounts[stay], hits[stay], sure[stay]
    mine = np.isin(account[sent.prompts], accounts)
    held = [link.log_p for link in _inside(part.clusters, links)]
    return Campaign(
        clusters=np.array(sorted(part.clusters), np.int32),
        accounts=accounts,
        membership=sure,
        harvest_share=hits / volume[accounts],
        harvest_prompts=hits,
        prompts=sent.prompts[mine],
        prompt_cluster=sent.cluster[mine],
        link_log_p=max(held) if held else 0.0,
        outside=outside[0],
        outside_membership=outside[1],
        outside_hits=outside[2],
        stray_hits=stray,
    )


def _inside(clusters: Sequence[int], links: Sequence[Link]) -> Iterator[Link]:
    """The links, ascending by the first of each, that lie between some clusters."""
    inside = set(clusters)
    for c in clusters:
        place = bisect_left(links, c, key=lambda link: link.first)
        while place < len(links) and links[place].first == c:
            if links[place].second in inside:
                yield links[place]
            place += 1


def without(campaign: Campaign, accounts: Ints32, *, account: Ints32) -> Campaign:
    """A campaign less some accounts and their prompts.

    Args:
        campaign: any.
        accounts: to leave out.
        account: int32[p], of every prompt.
    """
    stay = ~np.isin(campaign.accounts, accounts)
    mine = ~np.isin(account[campaign.prompts], accounts)
    held = campaign.prompt_cluster[mine]
    return replace(
        campaign,
        clusters=unique(held),
        accounts=campaign.accounts[stay],
        membership=campaign.membership[stay],
        harvest_share=campaign.harvest_share[stay],
        harvest_prompts=campaign.harvest_prompts[stay],
        prompts=campaign.prompts[mine],
        prompt_cluster=held,
    )


def joined(campaigns: Sequence[Campaign], *, volume: Ints32) -> Campaign:
    """Several campaigns as one.

    An account is as surely a member as in the campaign where it is surest. What its accounts have sent in common is no
    more surprising than the weakest of the links.

    Args:
        campaigns: at least one; they may share accounts, and share no prompt.
        volume: int32[a], prompts of each account.
    """
    accounts, place = np.unique(np.concatenate([c.accounts for c in campaigns]), return_inverse=True)
    sure, hits = _summed(place, len(accounts), [(c.membership, c.harvest_prompts) for c in campaigns])
    outside, at = np.unique(np.concatenate([c.outside for c in campaigns]), return_inverse=True)
    outside_sure, outside_hits = _summed(at, len(outside), [(c.outside_membership, c.outside_hits) for c in campaigns])
    still = ~np.isin(outside, accounts)
    prompts = np.concatenate([c.prompts for c in campaigns])
    order = np.argsort(prompts, kind="stable")
    return Campaign(
        clusters=unique(np.concatenate([c.clusters for c in campaigns])),
        accounts=accounts,
        membership=sure,
        harvest_share=hits / volume[accounts],
        harvest_prompts=hits,
        prompts=prompts[order],
        prompt_cluster=np.concatenate([c.prompt_cluster for c in campaigns])[order],
        link_log_p=max(c.link_log_p for c in campaigns),
        outside=outside[still],
        outside_membership=outside_sure[still],
        outside_hits=outside_hits[still],
        stray_hits=max(c.stray_hits for c in campaigns),
    )


def _summed(place: AnyInts, count: int, parts: Sequence[tuple[Floats, Ints32]]) -> tuple[Floats, Ints32]:
    """The largest membership and all hits of each account."""
    sure, hits = np.zeros(count), np.zeros(count, np.int32)
    np.maximum.at(sure, place, np.concatenate([s for s, _ in parts]))
    np.add.at(hits, place, np.concatenate([h for _, h in parts]))
    return sure, hits
