"""Between clusters and campaigns: texts sent verbatim by many, and each prompt in at most one cluster.

Views and channels find the same template several times, purer in one than in the other. Clusters are taken in the
order of how clearly accounts come back to them; each keeps the prompts that no better one holds. One that has lost
most of its prompts is a twin: the rest goes to the cluster that took most, as far as its accounts are in that one
already; other accounts stay a cluster only if enough of them come back. What remains is disjoint, so the accounts
that two clusters share have sent different texts.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import pairs, ranges
from harvestdetect.data import Corpus, Neighbors, TemplateCluster
from harvestdetect.lookup import first_rows, segment_starts
from harvestdetect.returning import Chance, chance_of, returning

__all__ = ["Assigned", "Volumes", "assign_prompts", "nearby", "returns", "verbatim_clusters", "volumes"]

Ints32 = npt.NDArray[np.int32]

SAME_PROMPTS: Final = 0.5
"""Two verbatim segments whose prompts overlap by this Jaccard index or more are parts of one text."""
TWIN: Final = 0.5
"""A cluster that keeps a smaller share of its prompts is a twin of those that took them."""
AMONG: Final = 16
"""Nearest neighbours that say whether a text lies among those of a cluster..."""
AMONG_SHARE: Final = 0.2
"""...when so many of them, other accounts' only, are the cluster's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """How much each account sent."""

    texts: Ints32
    """int32[a]: distinct contents per account."""
    prompts: Ints32
    """int32[a]: requests; a row that repeats account, time and content is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A cluster and the prompts that are its own."""

    cluster: TemplateCluster
    prompts: Ints32
    """int32[q], ascending; of rows that repeat a request only the first."""


def volumes(corpus: Corpus) -> Volumes:
    """Distinct texts and prompts of every account."""
    prompts = corpus.prompts
    count = len(prompts.accounts)
    senders, _ = pairs(prompts.account, prompts.content)
    return Volumes(
        texts=np.bincount(senders, minlength=count).astype(np.int32),
        prompts=np.bincount(prompts.account[first_rows(prompts)], minlength=count).astype(np.int32),
    )


def returns(corpus: Corpus, chance: Chance, prompts: Ints32) -> tuple[int, int, float]:
    """Who comes back to a set of prompts.

    Returns:
        accounts; accounts with two or more distinct texts in it; how many of those to expect by chance.
    """
    each, expected = returning(corpus.prompts.account[prompts], corpus.prompts.content[prompts], chance)
    return len(each), int((each > 1).sum()), expected


def verbatim_clusters(corpus: Corpus, *, min_accounts: int) -> list[TemplateCluster]:
    """Segments that at least ``min_accounts`` accounts sent; those that stand in the same prompts together."""
    from scipy import sparse
    from scipy.sparse import csgraph

    common = np.flatnonzero(corpus.senders >= min_accounts).astype(np.int32)
    if not len(common):
        return []
    starts = segment_starts(corpus)
    size = starts[common + 1] - starts[common]
    rows = np.repeat(np.arange(len(common)), size)
    held = sparse.csr_matrix(
        (np.ones(len(rows), np.int32), (rows, corpus.posting_prompt[ranges(starts[common], size)])),
        shape=(len(common), len(corpus.prompts.account)),
    )[:, first_rows(corpus.prompts)]
    size = np.asarray(held.sum(axis=1)).ravel()
    both = (held @ held.T).tocoo()
    same = both.data >= SAME_PROMPTS * (size[both.row] + size[both.col] - both.data)
    graph = sparse.csr_matrix(
        (np.ones(int(same.sum()), np.int8), (both.row[same], both.col[same])), shape=(len(common),) * 2
    )
    count, group = csgraph.connected_components(graph, directed=False)
    order = np.argsort(group, kind="stable")
    borders = np.searchsorted(group[order], np.arange(count + 1))
    return [
        TemplateCluster(channel="verbatim", segments=np.sort(common[order[a:b]]), quality=0.0)
        for a, b in itertools.pairwise(borders)
    ]


def assign_prompts(
    clusters: Sequence[TemplateCluster], corpus: Corpus, volume: Volumes, *, min_accounts: int
) -> list[Assigned]:
    """Every prompt to the best cluster that holds it.

    In a tree's cluster only the texts of fewer than ``min_accounts`` accounts count: the others are the verbatim
    channel's.

    Returns:
        the clusters that keep most of their prompts and at least ``min_accounts`` accounts, best first.
    """
    starts = segment_starts(corpus)
    once = first_rows(corpus.prompts)
    chance = chance_of(volume.texts)
    ranked: list[tuple[float, int, Ints32]] = []
    for position, cluster in enumerate(clusters):
        segments = cluster.segments
        if cluster.channel != "verbatim":
            segments = segments[corpus.senders[segments] < min_accounts]
        prompts = np.unique(corpus.posting_prompt[ranges(starts[segments], starts[segments + 1] - starts[segments])])
        prompts = prompts[once[prompts]]
        accounts, back, expected = returns(corpus, chance, prompts)
        if accounts < min_accounts:
            continue
        lift = max(float(np.log((back + 1) / (expected + 1))), 0.0)
        quality = lift * back / accounts * float(np.log(accounts))
        if cluster.channel == "verbatim":
            quality += 0.0001 * accounts
        ranked.append((-quality, position, prompts))
    ranked.sort(key=lambda item: item[:2])
    account = corpus.prompts.account
    owner = np.full(len(account), -1, np.int32)
    kept: list[TemplateCluster] = []
    members: list[Ints32] = []
    for _, position, prompts in ranked:
        holders = owner[prompts]
        rest = prompts[holders < 0]
        if len(rest) < TWIN * len(prompts):
            best = int(np.bincount(holders[holders >= 0]).argmax())
            same = np.isin(account[rest], members[best])
            owner[rest[same]] = best
            rest = rest[~same]
            if returns(corpus, chance, rest)[1] < min_accounts:
                continue
        senders = np.unique(account[rest])
        if len(senders) >= min_accounts:
            owner[rest] = len(kept)
            kept.append(clusters[position])
            members.append(senders)
    order = np.argsort(owner, kind="stable").astype(np.int32)
    borders = np.searchsorted(owner[order], np.arange(len(kept) + 1))
    return [Assigned(cluster=cluster, prompts=order[borders[i] : borders[i + 1]]) for i, cluster in enumerate(kept)]


def nearby(held: Ints32, free: npt.NDArray[np.bool_], corpus: Corpus, neighbors: Neighbors, sender: Ints32) -> Ints32:
    """Free prompts of the same accounts that lie among some prompts.

    Where only a subject is shared, a cluster holds the core of it and misses much of what its accounts sent. Accounts
    that strayed into it once have nothing more nearby.

    Args:
        held: int32[q], the prompts.
        free: bool[p], requests outside every cluster.
        corpus: that they are of.
        neighbors: of all segments.
        sender: int32[n], the first account of each segment.

    Returns:
        int32[r], ascending.
    """
    prompts = corpus.prompts
    inside = np.zeros(len(free), bool)
    inside[held] = True
    theirs = np.zeros(len(prompts.accounts), bool)
    theirs[prompts.account[held]] = True
    own = np.zeros(len(corpus.senders), bool)
    own[corpus.posting_segment[inside[corpus.posting_prompt]]] = True
    rest = (free & theirs[prompts.account])[corpus.posting_prompt]
    segments = np.unique(corpus.posting_segment[rest])
    around = neighbors.index[segments, :AMONG]
    others = (around >= 0) & (sender[around] != sender[segments][:, None])
    share = (own[around] & others).sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    among = np.zeros(len(own), bool)
    among[segments[share > AMONG_SHARE]] = True
    return np.unique(corpus.posting_prompt[rest & among[corpus.posting_segment]]).astype(np.int32)
