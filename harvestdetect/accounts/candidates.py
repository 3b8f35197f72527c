"""One list of candidates: those that texts gave, and the groups of accounts that are alike.

* A group with the same accounts as a candidate is that candidate; the candidate is reported as found both ways.
* A candidate of texts may hold two populations behind one template: a campaign among the users of a framework. Where
  a group is a part of the candidate, and the rest has few neighbours in the group, the rest is a candidate of its own.
* Every other group is a candidate. Its prompts are divided into templates like those of a cluster of texts.
* A group that shares infrastructure may hold several campaigns of one operator, and others who write like them. Such a
  group is meant for accounts that send too little for a profile. So if most of another candidate is in the group, the
  group leaves that candidate's accounts with a profile to it: what they send says more about them than what they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.accounts.overlaps import distinct, overlaps
from harvestdetect.campaign.form import without
from harvestdetect.cluster.assign import Assigned
from harvestdetect.corpus.by_prompt import in_sorted
from harvestdetect.data import Campaign, Neighbors, Template, TemplateCluster
from harvestdetect.engines.engine import Engine, lots, map_in_order
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.sharing import Shared
from harvestdetect.template.clusters import ClusterSource, described
from harvestdetect.template.description import Description
from harvestdetect.template.refine import Refined, refine_clusters
from harvestdetect.util.amounts import MOST, NEARLY_ALL, SMALL_PART
from harvestdetect.util.arrays import Bools, Ints32, ranges, unique

__all__ = ["NearestLookup", "with_candidates", "with_groups"]

GROUPS_PER_TASK: Final = 4
"""Maximum number of groups whose templates one task finds."""


WHOLE: Final = ("seed", "succession")
"""Groups that were found in these ways keep all of their requests: a person asked for them, or a chain was tested as
a whole and its generations may be too small for a template."""


class _Cluster(NamedTuple):
    """A cluster of a group with its template."""

    item: Assigned
    description: Description
    template: Template


class NearestLookup:
    """The nearest accounts of accounts.

    Args:
        account: int32[r]: the account of each profile.
        neighbors: of the profiles.
        accounts: the number of all accounts.
    """

    def __init__(self, account: Ints32, neighbors: Neighbors, accounts: int) -> None:
        self._row = np.full(accounts, -1, np.int32)
        self._row[account] = np.arange(len(account), dtype=np.int32)
        self._account = account
        self._index = neighbors.index

    def __len__(self) -> int:
        """The number of all accounts."""
        return len(self._row)

    def known(self, accounts: Ints32) -> Bools:
        """Which accounts send enough for a profile."""
        return np.asarray(self._row[accounts] >= 0)

    def is_apart(self, candidate: Ints32, group: Ints32, *, least: int) -> bool:
        """Whether a group is a part of a candidate, and the rest of the candidate another population.

        It is another one if its accounts have few of the neighbours in the group that those of a random part would
        have.

        Args:
            candidate: int32[a], ascending: its accounts.
            group: int32[b], ascending: the accounts of the group.
            least: accounts with known neighbours that either part must have.
        """
        inside = in_sorted(candidate, group)
        if inside.sum() < MOST * len(group):
            return False
        part, rest = (accounts[self._row[accounts] >= 0] for accounts in (candidate[inside], candidate[~inside]))
        if min(len(part), len(rest)) < least:
            return False
        index = self._index[self._row[rest]]
        near = self._account[index[index >= 0]]
        in_part, in_rest = int(in_sorted(near, part).sum()), int(in_sorted(near, rest).sum())
        by_chance = len(part) / (len(part) + len(rest))
        return in_part < SMALL_PART * by_chance * (in_part + in_rest)


def with_groups(
    texts: Sequence[Campaign],
    groups: Sequence[AccountGroup],
    refined: Refined,
    source: ClusterSource,
    *,
    volume: Ints32,
    near: NearestLookup,
    engine: Engine | None = None,
) -> tuple[list[Campaign], Refined]:
    """All candidates, and the clusters with those that the groups add.

    Args:
        texts: the candidates of texts.
        groups: best first.
        refined: the clusters of the candidates of texts.
        source: of the texts.
        volume: int32[a], requests of every account.
        near: nearest accounts.
        engine: see :func:`with_candidates`.
    """
    kept = distinct([group.accounts for group in groups], [_same_from(group) for group in groups], count=len(volume))
    found = _Overlaps([groups[number] for number in kept], texts, near, least=source.min_accounts)
    campaigns, left = found.same(found.parted(account=source.corpus.prompts.account))
    left = _without_described(left, campaigns, near, account=source.corpus.prompts.account, least=source.min_accounts)
    added, refined = with_candidates(left, refined, source, volume=volume, engine=engine)
    return campaigns + added, refined


def with_candidates(
    groups: Sequence[AccountGroup],
    refined: Refined,
    source: ClusterSource,
    *,
    volume: Ints32,
    engine: Engine | None = None,
) -> tuple[list[Campaign], Refined]:
    """The candidates of some groups, and the clusters with those that they add.

    A group is left out if too few of its accounts sent what its accounts have in common.

    Args:
        groups: of accounts.
        refined: the clusters of other candidates.
        source: of the texts.
        volume: int32[a], requests of every account.
        engine: finds the templates of the groups; None finds them in this process.
    """
    engine = engine or Loop()
    some = lots(groups, engine, most=GROUPS_PER_TASK)
    found = [one for each in map_in_order(engine, partial(_clusters_of, source.share(engine)), some) for one in each]
    assigned, descriptions = list(refined.assigned), list(refined.descriptions)
    templates, campaigns = dict(refined.templates), []
    for group, clusters in zip(groups, found, strict=True):
        first = len(assigned)
        prompts = [one.item.prompts for one in clusters]
        candidate = _candidate(group, prompts, first, source.corpus.prompts.account, volume)
        if len(candidate.accounts) < source.min_accounts and group.way not in WHOLE:
            continue
        campaigns.append(candidate)
        templates.update({first + number: one.template for number, one in enumerate(clusters)})
        assigned.extend(one.item for one in clusters)
        descriptions.extend(one.description for one in clusters)
    return campaigns, replace(refined, assigned=assigned, descriptions=descriptions, templates=templates)


def _without_described(
    groups: Sequence[AccountGroup], campaigns: Sequence[Campaign], near: NearestLookup, *, account: Ints32, least: int
) -> list[AccountGroup]:
    """The groups, where those of infrastructure leave accounts with a profile to candidates that are mostly in them.

    A group that is left with too few accounts is dropped.

    Args:
        groups: that become candidates.
        campaigns: the candidates of texts.
        near: nearest accounts.
        account: int32[p], the account of every prompt.
        least: fewest accounts of a group.
    """
    others = [one.accounts for one in campaigns] + [one.accounts for one in groups if one.way != "infrastructure"]
    size = np.array([len(one) for one in others], np.int64)
    found = []
    for group, overlap in zip(groups, overlaps([g.accounts for g in groups], others, count=len(near)), strict=True):
        inside = overlap.places[overlap.shared >= MOST * size[overlap.places]]
        if group.way == "infrastructure" and len(inside):
            described = unique(np.concatenate([others[place] for place in inside.tolist()]))
            stay = ~(in_sorted(group.accounts, described) & near.known(group.accounts))
            if stay.sum() < least:
                continue
            kept = group.accounts[stay]
            group = replace(group, accounts=kept, prompts=group.prompts[in_sorted(account[group.prompts], kept)])
        found.append(group)
    return found


def _same_from(group: AccountGroup) -> float:
    """The Jaccard index from which a group has the same accounts as another."""
    return MOST if group.way == "infrastructure" else NEARLY_ALL


class _Overlaps:
    """Groups and the candidates of texts with which they overlap.

    Args:
        groups: best first.
        texts: the candidates of texts.
        near: nearest accounts.
        least: fewest accounts of a campaign.
    """

    def __init__(
        self, groups: Sequence[AccountGroup], texts: Sequence[Campaign], near: NearestLookup, *, least: int
    ) -> None:
        self._groups, self._texts, self._least = groups, texts, least
        sets = [campaign.accounts for campaign in texts]
        self._overlaps = list(overlaps([group.accounts for group in groups], sets, count=len(near)))
        self._apart = [
            {
                place
                for place in one.places[one.shared >= MOST * len(group.accounts)].tolist()
                if near.is_apart(sets[place], group.accounts, least=least)
            }
            for group, one in zip(groups, self._overlaps, strict=True)
        ]

    def parted(self, *, account: Ints32) -> list[Campaign | None]:
        """The candidates without the accounts of groups that are another population; None if all are of such."""
        inside: dict[int, list[Ints32]] = {}
        for group, apart in zip(self._groups, self._apart, strict=True):
            for place in apart:
                inside.setdefault(place, []).append(group.accounts)
        found: list[Campaign | None] = list(self._texts)
        for place, parts in inside.items():
            whole = self._texts[place]
            rest = without(whole, unique(np.concatenate(parts)), account=account)
            if len(rest.accounts) >= self._least:
                found[place] = rest
            elif len(rest.accounts) <= (1 - NEARLY_ALL) * len(whole.accounts):
                found[place] = None  # its parts are candidates
        return found

    def same(self, campaigns: Sequence[Campaign | None]) -> tuple[list[Campaign], list[AccountGroup]]:
        """The candidates, with the ways of the groups that have the same accounts; and the groups that add some.

        A group whose accounts are nearly all in a candidate, and not apart from the rest of it, is a piece of the
        candidate and adds nothing: pieces would be judged by themselves, and take their accounts away from the whole.

        Args:
            campaigns: what :meth:`parted` returns.
        """
        found, left = list(campaigns), []
        for group, apart, one in zip(self._groups, self._apart, self._overlaps, strict=True):
            same = one.places[one.jaccard >= _same_from(group)].tolist()
            for place in same:
                campaign = found[place]
                if campaign is not None:
                    found[place] = replace(campaign, ways=tuple(dict.fromkeys((*campaign.ways, group.way))))
            holding = one.places[one.shared / len(group.accounts) >= NEARLY_ALL].tolist()
            if not same and apart.issuperset(holding):
                left.append(group)
        return [one for one in found if one is not None], left


def _clusters_of(source: Shared[ClusterSource], groups: Sequence[AccountGroup]) -> list[list[_Cluster]]:
    """The clusters of some groups; it runs on an engine."""
    return [_clusters(group, source.value()) for group in groups]


def _clusters(group: AccountGroup, source: ClusterSource) -> list[_Cluster]:
    """The prompts of a group, by template; those of no template are one cluster if enough accounts sent them.

    Nothing is left out of the groups of some ways (:data:`WHOLE`).
    """
    refined = refine_clusters(
        [_assigned(group.prompts, source)],
        source.corpus,
        source.parts,
        source.vectors,
        min_accounts=source.min_accounts,
    )
    found = [
        _Cluster(item, description, refined.templates[number])
        for number, (item, description) in enumerate(zip(refined.assigned, refined.descriptions, strict=True))
    ]
    taken = [one.item.prompts for one in found]
    rest = group.prompts[~np.isin(group.prompts, np.concatenate(taken))] if taken else group.prompts
    if not found or source.enough_accounts(rest) or (group.way in WHOLE and len(rest)):
        item = _assigned(rest, source)
        one = described(item, source)
        found.append(_Cluster(item, one.description, one.template))
    return found


def _assigned(prompts: Ints32, source: ClusterSource) -> Assigned:
    """Prompts as a cluster of their whole parts."""
    start = source.parts.start
    segments = unique(source.parts.segment[ranges(start[prompts], start[prompts + 1] - start[prompts])])
    return Assigned(cluster=TemplateCluster(channel="accounts", segments=segments, quality=0.0), prompts=prompts)


def _candidate(group: AccountGroup, prompts: Sequence[Ints32], first: int, account: Ints32, volume: Ints32) -> Campaign:
    """The candidate of a group whose clusters are numbered from ``first`` on."""
    row = np.concatenate(prompts)
    cluster = np.repeat(np.arange(first, first + len(prompts), dtype=np.int32), [len(one) for one in prompts])
    order = np.argsort(row, kind="stable")
    row, cluster = row[order].astype(np.int32), cluster[order]
    accounts, hits = np.unique(account[row], return_counts=True)
    return Campaign(
        clusters=unique(cluster),
        accounts=accounts.astype(np.int32),
        membership=np.ones(len(accounts)),
        harvest_share=hits / volume[accounts],
        harvest_prompts=hits.astype(np.int32),
        prompts=row,
        prompt_cluster=cluster,
        link_log_p=0.0,
        stray_hits=group.least_prompts - 1,
        ways=(group.way,),
    )
