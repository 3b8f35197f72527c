"""One list of candidates: those that texts gave, and the groups of accounts that are alike.

* A group with the same accounts as a candidate is that candidate; the candidate is told to have been found both ways.
* A candidate of texts may hold two populations behind one template: a campaign among the users of a framework. Where
  a group is a part of the candidate, and the rest has few neighbours in the group, the rest is a candidate of its own.
* Every other group is a candidate. Its prompts are divided into templates like those of a cluster of texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from harvestdetect.accounts.groups import AccountGroup
from harvestdetect.campaign.form import without
from harvestdetect.cluster.assign import Assigned
from harvestdetect.cluster.views import SAME_SET
from harvestdetect.data import Campaign, Corpus, Neighbors, TemplateCluster
from harvestdetect.template.clusters import Source, described
from harvestdetect.template.refine import Refined, refine_clusters
from harvestdetect.util.arrays import Ints32, unique

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Near", "with_groups"]

APART: Final = 0.25
"""A part of a candidate is another population if its accounts have less than this share of the neighbours in the group
that a random part would have. Chosen."""


class Near:
    """The nearest accounts of accounts."""

    def __init__(self, account: Ints32, neighbors: Neighbors, accounts: int) -> None:
        self._row = np.full(accounts, -1, np.int32)
        self._row[account] = np.arange(len(account), dtype=np.int32)
        self._account = account
        self._index = neighbors.index

    def known(self, accounts: Ints32) -> Ints32:
        """The accounts that have neighbours."""
        return accounts[self._row[accounts] >= 0]

    def share_in(self, accounts: Ints32, among: Ints32, within: Ints32) -> tuple[float, int]:
        """Of the neighbours of some accounts that lie within a set, the share among others; and how many lie within."""
        index = self._index[self._row[accounts]]
        near = self._account[index[index >= 0]]
        inside = np.isin(near, within)
        return float(np.isin(near[inside], among).sum() / max(inside.sum(), 1)), int(inside.sum())


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
    campaigns = list(texts)
    distinct = _distinct(groups, source.corpus)
    members = _members([*(c.accounts for c in campaigns), *(g.accounts for g in distinct)], len(volume))
    overlap = (members[len(campaigns) :] @ members[: len(campaigns)].T).tocsr()
    left: list[AccountGroup] = []
    for i, group in enumerate(distinct):
        row = overlap[i]
        same = False
        for place, shared in zip(row.indices.tolist(), row.data.tolist(), strict=True):
            union = len(group.accounts) + len(texts[place].accounts) - shared
            if shared >= SAME_SET * union:
                campaigns[place] = replace(campaigns[place], ways=_both(campaigns[place].ways, group.way))
                same = True
        if not same:
            left.append(group)
    parted: dict[int, list[Ints32]] = {}
    for i, group in enumerate(distinct):
        row = overlap[i]
        for place, shared in zip(row.indices.tolist(), row.data.tolist(), strict=True):
            if _is_apart(texts[place].accounts, group.accounts, int(shared), near, source.min_accounts):
                parted.setdefault(place, []).append(group.accounts)
    for place, inside in parted.items():
        rest = without(campaigns[place], unique(np.concatenate(inside)), account=account)
        if len(rest.accounts) >= source.min_accounts:
            campaigns[place] = rest
    assigned, descriptions = list(refined.assigned), list(refined.descriptions)
    templates = dict(refined.templates)
    for group in left:
        clusters = _clusters(group, source)
        first = len(assigned)
        for item, one, template in clusters:
            templates[len(assigned)] = template
            assigned.append(item)
            descriptions.append(one)
        campaigns.append(_candidate(group, [item.prompts for item, *_ in clusters], first, account, volume))
    return campaigns, replace(refined, assigned=assigned, descriptions=descriptions, templates=templates)


def _both(ways: tuple[str, ...], way: str) -> tuple[str, ...]:
    return ways if way in ways else (*ways, way)


def _members(sets: Sequence[Ints32], accounts: int) -> sparse.csr_matrix:
    from scipy import sparse

    start = np.concatenate(([0], np.cumsum([len(one) for one in sets])))
    column = np.concatenate(sets) if sets else np.empty(0, np.int32)
    return sparse.csr_matrix((np.ones(len(column), np.int32), column, start), shape=(len(sets), accounts))


def _distinct(groups: Sequence[AccountGroup], corpus: Corpus) -> list[AccountGroup]:
    """The groups without those that have the same accounts as a better one."""
    members = _members([g.accounts for g in groups], len(corpus.prompts.accounts))
    overlap = (members @ members.T).tocsr()
    size = np.diff(members.indptr)
    kept: list[int] = []
    taken = np.zeros(len(groups), bool)
    for i in range(len(groups)):
        row = overlap[i]
        union = size[i] + size[row.indices] - row.data
        if not (taken[row.indices] & (row.data >= SAME_SET * union)).any():
            taken[i] = True
            kept.append(i)
    return [groups[i] for i in kept]


def _is_apart(candidate: Ints32, group: Ints32, shared: int, near: Near, least: int) -> bool:
    """Whether the group is a part of a candidate, and the rest of the candidate another population."""
    if shared < max(least, 0.5 * len(group)) or len(candidate) - shared < least:
        return False
    rest = near.known(candidate[~np.isin(candidate, group)])
    inside = near.known(candidate[np.isin(candidate, group)])
    if min(len(rest), len(inside)) < least:
        return False
    within = np.sort(np.concatenate([rest, inside]))
    share, edges = near.share_in(rest, inside, within)
    return edges > 0 and share < APART * len(inside) / len(within)


def _clusters(group: AccountGroup, source: Source) -> list[tuple[Assigned, object, object]]:
    """The prompts of a group, by template; those of no template are one cluster."""
    whole = _assigned(group.prompts, source)
    refined = refine_clusters(
        [whole], source.corpus, source.parts, source.vectors, min_accounts=source.min_accounts, pool=source.pool
    )
    found = [
        (item, one, refined.templates[i])
        for i, (item, one) in enumerate(zip(refined.assigned, refined.descriptions, strict=True))
    ]
    taken = np.concatenate([item.prompts for item, *_ in found]) if found else np.empty(0, np.int32)
    rest = group.prompts[~np.isin(group.prompts, taken)]
    if not found or source.enough_accounts(rest):
        item = _assigned(rest, source)
        one = described(item, source)
        found.append((item, one.description, one.template))
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
        ways=(group.way,),
    )
