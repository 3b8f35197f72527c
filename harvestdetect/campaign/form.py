"""Campaigns of groups of clusters: their accounts and prompts; several campaigns made one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from harvestdetect.campaign.links import Link
from harvestdetect.campaign.membership import MIN_MEMBERSHIP, membership
from harvestdetect.campaign.users import ClusterPrompts
from harvestdetect.cluster.repeat_senders import texts_of_each
from harvestdetect.data import Campaign, Way
from harvestdetect.util.arrays import AnyInts, Bools, Floats, Ints32, unique

__all__ = ["ClusterGroup", "form_campaigns", "joined", "kept_members", "with_prompts", "without"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterGroup:
    """The clusters that a campaign is formed of."""

    clusters: Sequence[int]
    """The positions of the clusters."""
    prompts: ClusterPrompts
    """The prompts of each cluster."""
    nearby: Ints32 | None = None
    """int32[r]: the accounts of prompts that lie among those of the clusters without being in one. It is given where
    the clusters have a subject in common and no template: then one prompt in a cluster makes nobody a member, as one
    filling of a template may. None means that they have a template."""
    rigid: bool = False
    """Whether all clusters are rigid templates. Nobody fills one by chance, so whoever did is a member for certain."""


def form_campaigns(
    groups: Sequence[ClusterGroup],
    links: Sequence[Link],
    *,
    account: Ints32,
    volume: Ints32,
    total_prompts: int | None = None,
) -> list[Campaign]:
    """The campaign of each group of clusters.

    Args:
        groups: the groups of clusters.
        links: between clusters, ascending by the first cluster of each.
        account: int32[p], the account of every prompt.
        volume: int32[a], the number of prompts of each account.
        total_prompts: the sum of ``volume``; None means that it is computed.
    """
    sent = [_group_prompts(group, account) for group in groups]
    posterior = membership(
        [one.hits for one in sent],
        [volume[one.accounts] for one in sent],
        total_prompts=int(volume.sum()) if total_prompts is None else total_prompts,
        total_accounts=len(volume),
        templates=[one.templates for one in sent],
    )
    return [
        _formed(group, one, own, links, account=account, volume=volume)
        for group, one, own in zip(groups, sent, posterior, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _GroupPrompts:
    """The prompts of a group of clusters, and who sent them."""

    prompts: Ints32
    """int32[q], ascending."""
    cluster: Ints32
    """int32[q]: the cluster of each prompt."""
    accounts: Ints32
    """int32[a], ascending."""
    hits: Ints32
    """int32[a]: prompts of each account."""
    templates: Ints32
    """int32[a]: the number of clusters that each account sent."""


def _group_prompts(group: ClusterGroup, account: Ints32) -> _GroupPrompts:
    """The prompts of a group of clusters, and who sent them."""
    prompts = np.concatenate([group.prompts[c] for c in group.clusters])
    cluster = np.repeat(np.array(group.clusters, np.int32), [len(group.prompts[c]) for c in group.clusters])
    order = np.argsort(prompts, kind="stable")
    prompts, cluster = prompts[order], cluster[order]
    accounts, counts = np.unique(account[prompts], return_counts=True)
    return _GroupPrompts(
        prompts=prompts.astype(np.int32),
        cluster=cluster,
        accounts=accounts.astype(np.int32),
        hits=counts.astype(np.int32),
        templates=texts_of_each(account[prompts], cluster).astype(np.int32),
    )


def _formed(
    group: ClusterGroup,
    sent: _GroupPrompts,
    posterior: Floats,
    links: Sequence[Link],
    *,
    account: Ints32,
    volume: Ints32,
) -> Campaign:
    """The campaign of one group of clusters; ``posterior`` is the membership of each account that sent something."""
    accounts, hits = sent.accounts, sent.hits
    if group.rigid:
        posterior = np.ones_like(posterior)
    stay = posterior >= MIN_MEMBERSHIP
    if group.nearby is not None:
        stay &= (hits > 1) | np.isin(accounts, group.nearby)
    stray = int(hits[~stay].max(initial=0))
    outside = accounts[~stay], posterior[~stay], hits[~stay]
    accounts, hits, posterior = accounts[stay], hits[stay], posterior[stay]
    mine = np.isin(account[sent.prompts], accounts)
    inside = [link.log_p for link in _inside(group.clusters, links)]
    return Campaign(
        clusters=np.array(sorted(group.clusters), np.int32),
        accounts=accounts,
        membership=posterior,
        harvest_share=hits / volume[accounts],
        harvest_prompts=hits,
        prompts=sent.prompts[mine],
        prompt_cluster=sent.cluster[mine],
        link_log_p=max(inside) if inside else 0.0,
        outside=outside[0],
        outside_membership=outside[1],
        outside_hits=outside[2],
        stray_hits=stray,
    )


def _inside(clusters: Sequence[int], links: Sequence[Link]) -> Iterator[Link]:
    """The links between some clusters; ``links`` are ascending by the first cluster of each."""
    inside = set(clusters)
    for c in clusters:
        place = bisect_left(links, c, key=lambda link: link.first)
        while place < len(links) and links[place].first == c:
            if links[place].second in inside:
                yield links[place]
            place += 1


def without(campaign: Campaign, accounts: Ints32, *, account: Ints32) -> Campaign:
    """A campaign without some accounts and their prompts.

    Args:
        campaign: the campaign.
        accounts: the accounts to leave out.
        account: int32[p], the account of every prompt.
    """
    stay = ~np.isin(campaign.accounts, accounts)
    return _part(campaign, stay, ~np.isin(account[campaign.prompts], accounts))


def with_prompts(campaign: Campaign, inside: Bools, *, account: Ints32, volume: Ints32) -> Campaign:
    """A campaign with some of its prompts only, and with their accounts.

    Args:
        campaign: the campaign.
        inside: bool[q]: which of its prompts stay, at least one.
        account: int32[p], the account of every prompt.
        volume: int32[a], the number of prompts of each account.
    """
    accounts, hits = np.unique(account[campaign.prompts[inside]], return_counts=True)
    part = _part(campaign, np.isin(campaign.accounts, accounts), inside)
    return replace(part, harvest_share=hits / volume[accounts], harvest_prompts=hits.astype(np.int32))


def _part(campaign: Campaign, stay: Bools, inside: Bools) -> Campaign:
    """A campaign with the accounts of ``stay`` and the prompts of ``inside``; the counts of accounts do not change."""
    cluster = campaign.prompt_cluster[inside]
    return replace(
        campaign,
        clusters=unique(cluster),
        accounts=campaign.accounts[stay],
        membership=campaign.membership[stay],
        harvest_share=campaign.harvest_share[stay],
        harvest_prompts=campaign.harvest_prompts[stay],
        prompts=campaign.prompts[inside],
        prompt_cluster=cluster,
    )


def kept_members(campaign: Campaign, stay: Bools, *, account: Ints32) -> Campaign:
    """A campaign with some of its members; the others are outside of it from then on.

    Args:
        campaign: the campaign, of m members.
        stay: bool[m], which of them stay.
        account: int32[p], the account of every prompt.
    """
    if stay.all():
        return campaign
    outside = np.concatenate([campaign.outside, campaign.accounts[~stay]])
    order = np.argsort(outside, kind="stable")
    return replace(
        without(campaign, campaign.accounts[~stay], account=account),
        outside=outside[order],
        outside_membership=np.concatenate([campaign.outside_membership, campaign.membership[~stay]])[order],
        outside_hits=np.concatenate([campaign.outside_hits, campaign.harvest_prompts[~stay]])[order],
    )


def joined(campaigns: Sequence[Campaign], *, volume: Ints32) -> Campaign:
    """Several campaigns as one.

    The membership of an account is its highest one in any of the campaigns. The link of the whole is the weakest link
    of any of them.

    Args:
        campaigns: at least one. They may have accounts in common, and have no prompt in common.
        volume: int32[a], the number of prompts of each account.
    """
    accounts, place = np.unique(np.concatenate([c.accounts for c in campaigns]), return_inverse=True)
    posterior, hits = _summed(place, len(accounts), [(c.membership, c.harvest_prompts) for c in campaigns])
    outside, at = np.unique(np.concatenate([c.outside for c in campaigns]), return_inverse=True)
    outside_sure, outside_hits = _summed(at, len(outside), [(c.outside_membership, c.outside_hits) for c in campaigns])
    still = ~np.isin(outside, accounts)
    prompts = np.concatenate([c.prompts for c in campaigns])
    order = np.argsort(prompts, kind="stable")
    return Campaign(
        clusters=unique(np.concatenate([c.clusters for c in campaigns])),
        accounts=accounts,
        membership=posterior,
        harvest_share=hits / volume[accounts],
        harvest_prompts=hits,
        prompts=prompts[order],
        prompt_cluster=np.concatenate([c.prompt_cluster for c in campaigns])[order],
        link_log_p=max(c.link_log_p for c in campaigns),
        outside=outside[still],
        outside_membership=outside_sure[still],
        outside_hits=outside_hits[still],
        stray_hits=max(c.stray_hits for c in campaigns),
        ways=tuple(way for way in get_args(Way) if any(way in c.ways for c in campaigns)),
        generations=max(c.generations for c in campaigns),
    )


def _summed(place: AnyInts, count: int, parts: Sequence[tuple[Floats, Ints32]]) -> tuple[Floats, Ints32]:
    """The highest membership and the sum of hits of each of ``count`` accounts.

    Args:
        place: the account of each row of all parts.
        count: the number of accounts.
        parts: memberships and hits, campaign by campaign.
    """
    posterior, hits = np.zeros(count), np.zeros(count, np.int32)
    np.maximum.at(posterior, place, np.concatenate([s for s, _ in parts]))
    np.add.at(hits, place, np.concatenate([h for _, h in parts]))
    return posterior, hits
