"""From template clusters to campaigns: which clusters the same accounts sent, and which accounts belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import AnyInts, pairs
from harvestdetect.data import Campaign
from harvestdetect.overlap import blocks, by_chance, log_tail, overlaps_of, shared_pairs

__all__ = ["Link", "communities", "form_campaign", "joined", "link_clusters", "membership", "split_users", "without"]

Ints32 = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

STRAYS: Final = 0.5
"""A cluster was chosen for accounts that come back, so its strays are rarer than the fit would have them."""
FILLED: Final = 0.9
"""Membership, at least, of an account that filled a rigid template."""
RIGID_RELIEF: Final = 0.45
"""Links between rigid templates need only this part of the logarithm that others need."""
SPLIT_LOG_P: Final = -16.0
"""Accounts that use one template only are split off when chance is less likely than this (natural logarithm)."""
MIN_SHARED: Final = 3
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
) -> list[Link]:
    """Links between clusters that share accounts beyond chance, by the first, then by the second.

    The null knows how much every account sent, see :func:`harvestdetect.overlap.by_chance`; the tail is Poisson,
    corrected for the number of pairs.

    Args:
        accounts: for each cluster the distinct accounts, ascending; clusters share no prompt.
        prompts: beside each account its prompts in that cluster.
        volume: int32[a], prompts of each account.
        log_p: links are less likely than this natural logarithm, corrected.
        rigid: for each cluster, whether it is a template of so many fixed words that nobody fills one by chance: two of
            them are linked from :data:`RIGID_RELIEF` of ``log_p``, for they are no two interests of the same
            people. None: none is.
    """
    count = len(accounts)
    if count < 2:
        return []
    overlaps = overlaps_of(accounts, prompts, volume)
    fixed = np.zeros(count, bool) if rigid is None else np.asarray(rigid, bool)
    found: list[Link] = []
    for block in blocks(overlaps):
        held = shared_pairs(overlaps, block)
        held = held.at((held.first < held.second) & (held.shared >= MIN_SHARED))
        overlap = held.shared / np.minimum(overlaps.size[held.first], overlaps.size[held.second])
        held, overlap = held.at(overlap >= MIN_OVERLAP), overlap[overlap >= MIN_OVERLAP]
        expected = by_chance(overlaps, held)
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


def communities(links: Sequence[Link], count: int, *, seed: int) -> list[list[int]]:
    """Groups of linked clusters (Louvain; Blondel et al. 2008), single ones included, by their first cluster."""
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_weighted_edges_from((link.first, link.second, link.overlap) for link in links)
    groups: list[list[int]] = []
    for component in nx.connected_components(graph):
        part = graph.subgraph(sorted(component))
        found = nx.community.louvain_communities(part, weight="weight", seed=seed) if len(part) > 3 else [component]
        groups.extend(sorted(int(i) for i in group) for group in found)
    return sorted(groups)


def split_users(
    group: Sequence[int], assigned: Sequence[Ints32], *, account: Ints32, min_accounts: int
) -> list[tuple[list[int], list[Ints32]]]:
    """Takes linked clusters apart where chance does not explain who uses which.

    Two campaigns may share a template. Of accounts that rotate over several templates, a known part of the prompts
    falls into each, so it is known too how many accounts chance would keep to one of them, or to one side of them
    (Poisson tails). First, clusters that hold together only by one template between them are told apart by their
    accounts; then accounts that use one cluster only are taken out.

    Args:
        group: linked clusters.
        assigned: int32 prompts of every cluster, disjoint.
        account: int32[p], of every prompt.
        min_accounts: that a part must have.

    Returns:
        parts, each as its clusters and, for all clusters, the prompts that are its own.
    """
    parts: list[tuple[list[int], list[Ints32]]] = []
    for clusters, held in _split_sides(group, assigned, account=account, min_accounts=min_accounts):
        parts.extend(_split_single(clusters, held, account=account, min_accounts=min_accounts))
    return parts


def _split_sides(
    group: Sequence[int], assigned: Sequence[Ints32], *, account: Ints32, min_accounts: int
) -> list[tuple[list[int], list[Ints32]]]:
    """Campaigns that have one template in common, and others each: its prompts are dealt out by account."""
    from scipy import sparse
    from scipy.sparse import csgraph

    whole = [(list(group), list(assigned))]
    if len(group) < 3:
        return whole
    accounts = np.unique(np.concatenate([account[assigned[c]] for c in group]))
    hits = np.zeros((len(group), len(accounts)))
    for row, c in enumerate(group):
        np.add.at(hits[row], np.searchsorted(accounts, account[assigned[c]]), 1)
    together = ~_apart(hits)
    for shared in np.argsort(-hits.sum(axis=1), kind="stable"):
        rest = np.delete(np.arange(len(group)), shared)
        count, side = csgraph.connected_components(sparse.csr_matrix(together[np.ix_(rest, rest)]), directed=False)
        if count < 2:
            continue
        by_side = np.array([hits[rest[side == s]].sum(axis=0) for s in range(count)])
        most = by_side.argmax(axis=0)
        # accounts that sent the shared template only stay with the larger side
        most[by_side.sum(axis=0) == 0] = int(np.bincount(most[by_side.sum(axis=0) > 0], minlength=count).argmax())
        if np.bincount(most, minlength=count).min() < min_accounts:
            continue
        parts = []
        for s in range(count):
            mine = np.isin(account[assigned[group[shared]]], accounts[most == s])
            inside = {int(group[i]) for i in rest[side == s]}
            held = [prompts if c in inside else prompts[:0] for c, prompts in enumerate(assigned)]
            held[group[shared]] = assigned[group[shared]][mine]
            clusters = sorted(inside | ({int(group[shared])} if mine.any() else set()))
            parts.append((clusters, held))
        return parts
    return whole


def _apart(hits: Floats) -> npt.NDArray[np.bool_]:
    """Pairs of clusters with fewer accounts in common than accounts that rotate over both would give.

    Args:
        hits: float64[c, a], prompts of each account in each cluster.

    Returns:
        bool[c, c], symmetric.
    """
    from scipy.stats import poisson

    found = np.zeros((len(hits), len(hits)), bool)
    for i in range(len(hits)):
        for j in range(i):
            each = hits[i] + hits[j]
            share = hits[i].sum() / each.sum()
            used = each > 0
            expected = float((1 - share ** each[used] - (1 - share) ** each[used]).sum())
            both = int(((hits[i] > 0) & (hits[j] > 0)).sum())
            found[i, j] = found[j, i] = poisson.logcdf(both, max(expected, 1e-9)) < SPLIT_LOG_P
    return found


def _split_single(
    group: Sequence[int], assigned: Sequence[Ints32], *, account: Ints32, min_accounts: int
) -> list[tuple[list[int], list[Ints32]]]:
    """Takes out the accounts that use one cluster only, as long as enough others remain."""
    from scipy.stats import poisson

    if len(group) < 2:
        return [(list(group), list(assigned))]
    held = list(assigned)
    users = {c: np.unique(account[held[c]], return_counts=True) for c in group}
    parts: list[tuple[list[int], list[Ints32]]] = []
    for c in group:
        others = np.unique(np.concatenate([users[o][0] for o in group if o != c]))
        accounts, hits = users[c]
        shared = np.isin(accounts, others)
        alone = accounts[~shared]
        left = np.union1d(others, accounts[shared])
        if len(alone) < min_accounts or not shared.any() or len(left) < min_accounts:
            continue
        elsewhere = sum(int(users[o][1][np.isin(users[o][0], accounts)].sum()) for o in group if o != c)
        share = elsewhere / (elsewhere + int(hits[shared].sum()))
        expected = float(((1 - share) ** hits).sum())
        if poisson.logsf(len(alone) - 1, expected) < SPLIT_LOG_P:
            mine = np.isin(account[held[c]], alone)
            own = list(assigned)
            own[c] = held[c][mine]
            parts.append(([c], own))
            held[c] = held[c][~mine]
    return [(list(group), held), *parts]


def membership(
    hits: Ints32, volume: Ints32, *, total_prompts: int, total_accounts: int, templates: Ints32 | None = None
) -> Floats:
    """How surely each account that sent a campaign's texts is part of it.

    A mixture fitted by expectation-maximisation. Members send one of the texts and a negative binomial number more,
    with a mean and a variance of their own (from Poisson, an even load, to geometric, an uneven one); others send them
    at a constant rate per prompt (Poisson), at least one stray in ten corpora of this size. Clusters were chosen for
    accounts that come back, so the rate of strays is held down to :data:`STRAYS` of what the fit asks for. The fit
    starts from everybody; where most of those who come back sent several of the templates, from these alone.

    Args:
        hits: int32[a], at least 1: prompts of the account in the campaign.
        volume: int32[a]: all prompts of the account.
        total_prompts: of the corpus.
        total_accounts: of the corpus.
        templates: int32[a]: how many of the campaign's clusters the account sent; None where there is one.

    Returns:
        float64[a], 0 to 1.
    """
    from scipy.special import gammaln

    k, n = hits.astype(np.float64), volume.astype(np.float64)
    sure = np.full(len(k), 0.99)
    if templates is not None and (k > 1).any() and (templates[k > 1] > 1).mean() > 0.5:
        sure[templates < 2] = 0.01
    for _ in range(200):
        weight = max(float(sure.sum()), 1e-9)
        more = max(float((sure * (k - 1)).sum()) / weight, 1e-3)
        variance = float((sure * (k - 1 - more) ** 2).sum()) / weight
        shape = min(max(more**2 / max(variance - more, 1e-9), 1.0), 1e4)
        prior = min(max(weight / total_accounts, 1e-9), 1 - 1e-9)
        rate = max(STRAYS * float(((1 - sure) * k).sum()), 0.1) / total_prompts
        log_member = (
            np.log(prior)
            + gammaln(k - 1 + shape)
            - gammaln(shape)
            - gammaln(k)
            + shape * np.log(shape / (shape + more))
            + (k - 1) * np.log(more / (shape + more))
        )
        log_other = np.log(1 - prior) + k * np.log(n * rate) - n * rate - gammaln(k + 1)
        new = 1 / (1 + np.exp(np.clip(log_other - log_member, -500, 500)))
        # whoever sends more than the usual number is no stray, however even the others' load
        new = np.maximum(new, np.where(k > more + 1, sure, 0.0))
        moved = float(np.abs(new - sure).max())
        sure = new
        if moved < 1e-6:
            break
    return np.asarray(sure)


def form_campaign(
    clusters: Sequence[int],
    assigned: Sequence[Ints32],
    links: Sequence[Link],
    *,
    account: Ints32,
    volume: Ints32,
    nearby: Ints32 | None = None,
    rigid: bool = False,
    min_membership: float = 0.5,
) -> Campaign:
    """The campaign of a group of clusters.

    Args:
        clusters: positions in ``assigned``.
        assigned: prompts of each cluster, disjoint.
        links: between clusters.
        account: int32[p], of every prompt.
        volume: int32[a], prompts of each account.
        nearby: int32[r], the accounts of prompts that lie among these without being in a cluster, where the clusters
            share a subject and no template: one such prompt makes nobody a member, as a filling of a template may.
        rigid: whether the clusters are templates of so many fixed words that nobody fills one by chance.
        min_membership: accounts below it are no members.
    """
    prompts = np.concatenate([assigned[c] for c in clusters])
    cluster = np.repeat(np.array(clusters, np.int32), [len(assigned[c]) for c in clusters])
    order = np.argsort(prompts, kind="stable")
    prompts, cluster = prompts[order], cluster[order]
    accounts, counts = np.unique(account[prompts], return_counts=True)
    hits = counts.astype(np.int32)
    users, _ = pairs(account[prompts], cluster)
    sure = membership(
        hits,
        volume[accounts],
        total_prompts=int(volume.sum()),
        total_accounts=len(volume),
        templates=np.bincount(np.searchsorted(accounts, users), minlength=len(accounts)).astype(np.int32),
    )
    if rigid:
        sure = np.maximum(sure, FILLED)
    stay = sure >= min_membership
    if nearby is not None:
        stay &= (hits > 1) | np.isin(accounts, nearby)
    stray = int(hits[~stay].max(initial=0))
    outside = accounts[~stay].astype(np.int32), sure[~stay], hits[~stay]
    accounts, hits, sure = accounts[stay].astype(np.int32), hits[stay], sure[stay]
    mine = np.isin(account[prompts], accounts)
    inside = set(clusters)
    held = [link.log_p for link in links if link.first in inside and link.second in inside]
    return Campaign(
        clusters=np.array(sorted(clusters), np.int32),
        accounts=accounts,
        membership=sure,
        harvest_share=hits / volume[accounts],
        harvest_prompts=hits,
        prompts=prompts[mine].astype(np.int32),
        prompt_cluster=cluster[mine],
        link_log_p=max(held) if held else 0.0,
        outside=outside[0],
        outside_membership=outside[1],
        outside_hits=outside[2],
        stray_hits=stray,
    )


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
        clusters=np.unique(held),
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
        clusters=np.unique(np.concatenate([c.clusters for c in campaigns])),
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
