"""Which clusters the same accounts sent: links beyond chance, and communities of linked clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.campaign.shared_accounts import blocks, by_chance, log_tail, overlaps_of, shared_pairs
from harvestdetect.util.amounts import GROUP, MOST, SMALL_PART
from harvestdetect.util.arrays import Ints32

__all__ = [
    "COPIED_RELIEF",
    "RIGID_RELIEF",
    "Link",
    "communities",
    "is_copied",
    "link_clusters",
]


RIGID_RELIEF: Final = 0.45
"""Factor on the threshold (a logarithm of a p-value) for a link between two rigid templates: nobody fills two such
templates by chance, so less is enough. Chosen."""


COPIED_RELIEF: Final = 5.0
"""Factor on the accounts that chance gives two clusters in common, where one of them is a text that people pass on.
People who send such texts send several of them, and accounts that never do (programs, products, other campaigns) make
the texts look rarer than they are among people. Chosen."""

UNDIVIDED: Final = 3
"""Largest component of linked clusters that is a community as it is. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Two clusters with more accounts in common than the volumes of the accounts explain."""

    first: int
    second: int
    shared: int
    """Accounts in common."""
    expected: float
    """Accounts in common by chance."""
    log_p: float
    """Natural logarithm of the Poisson tail, Bonferroni-corrected for the number of pairs."""
    overlap: float
    """Accounts in common over those of the smaller cluster."""


def link_clusters(
    accounts: Sequence[Ints32],
    prompts: Sequence[Ints32],
    volume: Ints32,
    *,
    log_p: float,
    rigid: Sequence[bool] | None = None,
    copied: Sequence[bool] | None = None,
) -> list[Link]:
    """The links between clusters, by the first cluster, then by the second.

    Two clusters are linked when they have more accounts in common than chance explains. The null distribution is
    Poisson; its mean takes into account how much each account sent
    (:func:`harvestdetect.campaign.shared_accounts.by_chance`). The tail is Bonferroni-corrected over the pairs.

    Args:
        accounts: for each cluster the distinct accounts, ascending. Clusters have no prompt in common.
        prompts: for each cluster the number of prompts of each of these accounts in it.
        volume: int32[a], the number of prompts of each account.
        log_p: the threshold: a link has a smaller logarithm of the corrected p-value.
        rigid: for each cluster whether it is a rigid template; see :data:`RIGID_RELIEF`. None means that none is.
        copied: for each cluster whether :func:`is_copied` is true of it; see :data:`COPIED_RELIEF`. None means that it
            is true of none.
    """
    count = len(accounts)
    if count < 2:
        return []
    overlaps = overlaps_of(accounts, prompts, volume)
    is_rigid = np.zeros(count, bool) if rigid is None else np.asarray(rigid, bool)
    is_copy = np.zeros(count, bool) if copied is None else np.asarray(copied, bool)
    found: list[Link] = []
    for block in blocks(overlaps):
        pairs = shared_pairs(overlaps, block)
        pairs = pairs.at((pairs.first < pairs.second) & (pairs.shared >= GROUP))
        overlap = pairs.shared / np.minimum(overlaps.size[pairs.first], overlaps.size[pairs.second])
        pairs, overlap = pairs.at(overlap >= SMALL_PART), overlap[overlap >= SMALL_PART]
        expected = by_chance(overlaps, pairs)
        expected *= np.where(is_copy[pairs.first] | is_copy[pairs.second], COPIED_RELIEF, 1.0)
        tail = log_tail(overlaps, pairs.shared, expected)
        both_rigid = is_rigid[pairs.first] & is_rigid[pairs.second]
        linked = np.flatnonzero(tail < np.where(both_rigid, log_p * RIGID_RELIEF, log_p))
        found.extend(
            Link(
                first=int(pairs.first[i]),
                second=int(pairs.second[i]),
                shared=int(pairs.shared[i]),
                expected=float(expected[i]),
                log_p=float(tail[i]),
                overlap=float(overlap[i]),
            )
            for i in linked
        )
    return found


def is_copied(content: Ints32) -> bool:
    """Whether a cluster may be a text that many people pass on: most of its prompts have one text, word for word.

    Args:
        content: int32[q], the text of each prompt of the cluster.
    """
    return bool(len(content)) and int(np.unique(content, return_counts=True)[1].max()) >= MOST * len(content)


def communities(links: Sequence[Link], count: int, *, seed: int) -> list[list[int]]:
    """Communities of linked clusters (Louvain; Blondel et al. 2008), by their first cluster; single ones included.

    Args:
        links: between clusters.
        count: the number of clusters.
        seed: of the order in which Louvain visits clusters.
    """
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_weighted_edges_from((link.first, link.second, link.overlap) for link in links)
    groups: list[list[int]] = []
    for component in nx.connected_components(graph):
        found = [component]
        if len(component) > UNDIVIDED:
            part = graph.subgraph(sorted(component))
            found = nx.community.louvain_communities(part, weight="weight", seed=seed)
        groups.extend(sorted(int(i) for i in group) for group in found)
    return sorted(groups)
