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

from harvestdetect.data import NO_TIME, Corpus, Prompts, TemplateCluster

__all__ = ["Assigned", "Volumes", "assign_prompts", "requests", "returns", "verbatim_clusters", "volumes"]

Ints32 = npt.NDArray[np.int32]

SAME_PROMPTS: Final = 0.5
"""Two verbatim segments whose prompts overlap by this Jaccard index or more are parts of one text."""
TWIN: Final = 0.5
"""A cluster that keeps a smaller share of its prompts is a twin of those that took them."""


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
    pairs = np.unique(prompts.account.astype(np.int64) << 32 | prompts.content)
    return Volumes(
        texts=np.bincount(pairs >> 32, minlength=count).astype(np.int32),
        prompts=np.bincount(prompts.account[np.diff(requests(prompts), prepend=-1) > 0], minlength=count).astype(
            np.int32
        ),
    )


def requests(prompts: Prompts) -> Ints32:
    """The number of every prompt when rows that repeat account, time and content count once: int32[p], ascending.

    Dumps that overlap hold the same request twice; that makes nobody busier.
    """
    same = np.zeros(len(prompts.account), bool)
    same[1:] = (prompts.time[1:] != NO_TIME) & (prompts.time[1:] == prompts.time[:-1])
    same[1:] &= (prompts.account[1:] == prompts.account[:-1]) & (prompts.content[1:] == prompts.content[:-1])
    return (np.cumsum(~same) - 1).astype(np.int32)


def returns(corpus: Corpus, volume: Volumes, prompts: Ints32) -> tuple[int, int, float]:
    """Who comes back to a set of prompts.

    Returns:
        accounts; accounts with two or more distinct texts in it; how many of those to expect if every account
        drew its texts at random from all texts.
    """
    account, content = corpus.prompts.account[prompts], corpus.prompts.content[prompts]
    pairs = np.unique(account.astype(np.int64) << 32 | content)
    _, each = np.unique(pairs >> 32, return_counts=True)
    p = len(pairs) / max(int(volume.texts.sum()), 1)
    sizes, count = np.unique(volume.texts, return_counts=True)
    expected = float(count @ (1 - (1 - p) ** sizes - sizes * p * (1 - p) ** (sizes - 1.0)))
    return len(each), int((each > 1).sum()), expected


def verbatim_clusters(corpus: Corpus, *, min_accounts: int) -> list[TemplateCluster]:
    """Segments that at least ``min_accounts`` accounts sent; those that stand in the same prompts together."""
    from scipy import sparse
    from scipy.sparse import csgraph

    common = np.flatnonzero(corpus.senders >= min_accounts).astype(np.int32)
    if not len(common):
        return []
    start = np.searchsorted(corpus.posting_segment, common, side="left")
    stop = np.searchsorted(corpus.posting_segment, common, side="right")
    size = stop - start
    rows = np.repeat(np.arange(len(common)), size)
    where = np.repeat(start - np.concatenate(([0], np.cumsum(size)[:-1])), size) + np.arange(size.sum())
    held = sparse.csr_matrix(
        (np.ones(len(rows), np.int32), (rows, corpus.posting_prompt[where])),
        shape=(len(common), len(corpus.prompts.account)),
    )
    held = held[:, np.diff(requests(corpus.prompts), prepend=-1) > 0]
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
    starts = np.searchsorted(corpus.posting_segment, np.arange(len(corpus.senders) + 1))
    once = np.diff(requests(corpus.prompts), prepend=-1) > 0
    ranked: list[tuple[float, int, Ints32]] = []
    for position, cluster in enumerate(clusters):
        segments = cluster.segments
        if cluster.channel != "verbatim":
            segments = segments[corpus.senders[segments] < min_accounts]
        pieces = [corpus.posting_prompt[starts[s] : starts[s + 1]] for s in segments]
        prompts = np.unique(np.concatenate(pieces)) if pieces else np.empty(0, np.int32)
        prompts = prompts[once[prompts]]
        accounts, back, expected = returns(corpus, volume, prompts)
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
            if returns(corpus, volume, rest)[1] < min_accounts:
                continue
        senders = np.unique(account[rest])
        if len(senders) >= min_accounts:
            owner[rest] = len(kept)
            kept.append(clusters[position])
            members.append(senders)
    order = np.argsort(owner, kind="stable").astype(np.int32)
    borders = np.searchsorted(owner[order], np.arange(len(kept) + 1))
    return [Assigned(cluster=cluster, prompts=order[borders[i] : borders[i + 1]]) for i, cluster in enumerate(kept)]
