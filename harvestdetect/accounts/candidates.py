"""One list of candidates: those that texts gave, and the groups of accounts that are alike.

* A group with the same accounts as a candidate is that candidate; the candidate is told to have been found both ways.
* A candidate of texts may hold two populations behind one template: a campaign among the users of a framework. Where
  a group is a part of the candidate, and the rest has few neighbours in the group, the rest is a candidate of its own.
* Every other group is a candidate. Its prompts are divided into templates like those of a cluster of texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.campaign.form import without
from harvestdetect.cluster.assign import Assigned
from harvestdetect.cluster.views import SAME_SET
from harvestdetect.data import Campaign, Neighbors, Template, TemplateCluster
from harvestdetect.template.clusters import Source, described
from harvestdetect.template.description import Description
from harvestdetect.template.refine import Refined, refine_clusters
from harvestdetect.util.arrays import Floats, Ints32, unique

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Near", "with_candidate", "with_groups"]

OVERLAPPING: Final = 0.5
"""Jaccard index from which a group that only infrastructure gave is a candidate that texts or accounts gave. Its edges
are less sure than theirs. Chosen."""
PART: Final = 0.5
"""Share of a group that must be in a candidate for the group to be a part of it. Chosen."""
APART: Final = 0.25
"""A part of a candidate is another population if its accounts have less than this share of the neighbours in the group
that a random part would have. Chosen."""


class _Cluster(NamedTuple):
    """A cluster of a group with its template."""

    item: Assigned
    description: Description
    template: Template


class Near:
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

    def is_apart(self, candidate: Ints32, group: Ints32, *, least: int) -> bool:
        """Whether a group is a part of a candidate, and the rest of the candidate another population.

        Args:
            candidate: int32[a], ascending: its accounts.
            group: int32[b], ascending: the accounts of the group.
            least: accounts with known neighbours that either part must have.
        """
        inside = np.isin(candidate, group)
        if inside.sum() < PART * len(group):
            return False
        part, rest = (accounts[self._row[accounts] >= 0] for accounts in (candidate[inside], candidate[~inside]))
        if min(len(part), len(rest)) < least:
            return False
        index = self._index[self._row[rest]]
        near = self._account[index[index >= 0]]
        in_part, in_rest = int(np.isin(near, part).sum()), int(np.isin(near, rest).sum())
        by_chance = len(part) / (len(part) + len(rest))
        return in_part < APART * by_chance * (in_part + in_rest)


def with_groups(
    texts: Sequence[Campaign],
    groups: Sequence[AccountGroup],
    refined: Refined,
    source: Source,
    *,
    volume: Ints32,
    near: Near,
) -> tuple[list[Campaign], Refined]:
    """All candidates, and the clusters with those that the groups add.

    Args:
        texts: the candidates of texts.
        groups: best first.
        refined: the clusters of the candidates of texts.
        source: of the texts.
        volume: int32[a], requests of every account.
        near: nearest accounts.
    """
    account = source.corpus.prompts.account
    distinct = _distinct(groups, accounts=len(volume))
    parted = _parted(texts, distinct, near, account=account, least=source.min_accounts)
    campaigns, left = _same(parted, texts, distinct, near, least=source.min_accounts)
    assigned, descriptions = list(refined.assigned), list(refined.descriptions)
    templates = dict(refined.templates)
    for group in left:
        first, clusters = len(assigned), _clusters(group, source)
        templates.update({first + number: one.template for number, one in enumerate(clusters)})
        assigned.extend(one.item for one in clusters)
        descriptions.extend(one.description for one in clusters)
        campaigns.append(_candidate(group, [one.item.prompts for one in clusters], first, account, volume))
    return campaigns, replace(refined, assigned=assigned, descriptions=descriptions, templates=templates)


def with_candidate(
    group: AccountGroup, refined: Refined, source: Source, *, volume: Ints32
) -> tuple[Campaign, Refined]:
    """The candidate of a group, and the clusters with those that it adds.

    Args:
        group: of accounts.
        refined: the clusters of other candidates.
        source: of the texts.
        volume: int32[a], requests of every account.
    """
    clusters = _clusters(group, source)
    first = len(refined.assigned)
    prompts = [one.item.prompts for one in clusters]
    added = replace(
        refined,
        assigned=[*refined.assigned, *(one.item for one in clusters)],
        descriptions=[*refined.descriptions, *(one.description for one in clusters)],
        templates={**refined.templates, **{first + i: one.template for i, one in enumerate(clusters)}},
    )
    return _candidate(group, prompts, first, source.corpus.prompts.account, volume), added


def _distinct(groups: Sequence[AccountGroup], *, accounts: int) -> list[AccountGroup]:
    """The groups without those that have the same accounts as a better one."""
    kept: list[int] = []
    taken = np.zeros(len(groups), bool)
    sets = [group.accounts for group in groups]
    for number, (others, index) in enumerate(_jaccard(sets, sets, accounts=accounts)):
        if not (taken[others] & (index >= _same_from(groups[number]))).any():
            taken[number] = True
            kept.append(number)
    return [groups[number] for number in kept]


def _same_from(group: AccountGroup) -> float:
    """The Jaccard index from which a group has the same accounts as another."""
    return OVERLAPPING if group.way == "infrastructure" else SAME_SET


def _same(
    campaigns: Sequence[Campaign | None],
    texts: Sequence[Campaign],
    groups: Sequence[AccountGroup],
    near: Near,
    *,
    least: int,
) -> tuple[list[Campaign], list[AccountGroup]]:
    """The candidates of texts, with the ways of the groups that have the same accounts; and the groups that add some.

    A group whose accounts are nearly all in a candidate, and not apart from the rest of it, is a piece of the candidate
    and adds nothing: pieces would be judged by themselves, and take their accounts away from the whole.

    Args:
        campaigns: the candidates, of which some were parted; None for one that was parted whole.
        texts: the candidates before.
        groups: all groups.
        near: nearest accounts.
        least: fewest accounts of a campaign.
    """
    found, left = list(campaigns), []
    sets = [campaign.accounts for campaign in texts]
    for group, (places, index) in zip(
        groups, _jaccard([group.accounts for group in groups], sets, accounts=len(near)), strict=True
    ):
        same = places[index >= _same_from(group)].tolist()
        for place in same:
            one = found[place]
            if one is not None:
                found[place] = replace(one, ways=tuple(dict.fromkeys((*one.ways, group.way))))
        if not same and not any(
            np.isin(group.accounts, sets[place]).mean() >= SAME_SET
            and not near.is_apart(sets[place], group.accounts, least=least)
            for place in places.tolist()
        ):
            left.append(group)
    return [one for one in found if one is not None], left


def _parted(
    texts: Sequence[Campaign], groups: Sequence[AccountGroup], near: Near, *, account: Ints32, least: int
) -> list[Campaign | None]:
    """The candidates of texts without the accounts of groups that are another population; None if all are of such."""
    sets = [campaign.accounts for campaign in texts]
    inside: dict[int, list[Ints32]] = {}
    for group, (places, _) in zip(
        groups, _jaccard([group.accounts for group in groups], sets, accounts=len(near)), strict=True
    ):
        for place in places.tolist():
            if near.is_apart(sets[place], group.accounts, least=least):
                inside.setdefault(place, []).append(group.accounts)
    found: list[Campaign | None] = list(texts)
    for place, parts in inside.items():
        rest = without(texts[place], unique(np.concatenate(parts)), account=account)
        if len(rest.accounts) >= least:
            found[place] = rest
        elif len(rest.accounts) <= (1 - SAME_SET) * len(sets[place]):
            found[place] = None  # its parts are candidates
    return found


def _jaccard(first: Sequence[Ints32], second: Sequence[Ints32], *, accounts: int) -> Iterator[tuple[Ints32, Floats]]:
    """For each set of accounts, the sets of another list that overlap with it, and the Jaccard index with each."""
    rows, columns = _members(first, accounts), _members(second, accounts)
    overlap = (rows @ columns.T).tocsr()
    size, other = np.diff(rows.indptr), np.diff(columns.indptr)
    for number in range(len(first)):
        part = slice(overlap.indptr[number], overlap.indptr[number + 1])
        places, shared = overlap.indices[part], overlap.data[part]
        yield places, shared / (size[number] + other[places] - shared)


def _members(sets: Sequence[Ints32], accounts: int) -> sparse.csr_matrix:
    """Which set has which accounts: int32[sets, accounts], ones."""
    from scipy import sparse

    start = np.concatenate(([0], np.cumsum([len(one) for one in sets])))
    column = np.concatenate(sets) if sets else np.empty(0, np.int32)
    return sparse.csr_matrix((np.ones(len(column), np.int32), column, start), shape=(len(sets), accounts))


def _clusters(group: AccountGroup, source: Source) -> list[_Cluster]:
    """The prompts of a group, by template; those of no template are one cluster if enough accounts sent them."""
    refined = refine_clusters(
        [_assigned(group.prompts, source)],
        source.corpus,
        source.parts,
        source.vectors,
        min_accounts=source.min_accounts,
        pool=source.pool,
    )
    found = [
        _Cluster(item, description, refined.templates[number])
        for number, (item, description) in enumerate(zip(refined.assigned, refined.descriptions, strict=True))
    ]
    taken = [one.item.prompts for one in found]
    rest = group.prompts[~np.isin(group.prompts, np.concatenate(taken))] if taken else group.prompts
    if not found or source.enough_accounts(rest):
        item = _assigned(rest, source)
        one = described(item, source)
        found.append(_Cluster(item, one.description, one.template))
    return found


def _assigned(prompts: Ints32, source: Source) -> Assigned:
    start = source.parts.start
    segments = unique(np.concatenate([source.parts.segment[start[p] : start[p + 1]] for p in prompts.tolist()]))
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
