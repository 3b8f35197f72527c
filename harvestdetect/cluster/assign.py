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
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.cluster.repeat_senders import chance_of, expected_returning, texts_of_each
from harvestdetect.corpus.by_prompt import PromptSegments, first_rows, in_sorted, segment_starts
from harvestdetect.data import Corpus, Neighbors, TemplateCluster
from harvestdetect.util.arrays import AnyInts, Ints, Ints32, pairs, ranges, unique

__all__ = ["Assigned", "Volumes", "assign_prompts", "nearby", "verbatim_clusters", "volumes"]


SAME_PROMPTS: Final = 0.5
"""Two verbatim segments whose prompts overlap by this Jaccard index or more are parts of one text."""
TERMS: Final = 1 << 23
"""Products of verbatim segments that stand in the same text, summed at a time."""
TWIN: Final = 0.5
"""A cluster that keeps a smaller share of its prompts is a twin of those that took them."""
VERBATIM_BONUS: Final = 0.0001
"""Quality that a verbatim cluster gets for each of its accounts: it decides where nobody comes back."""
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


def verbatim_clusters(corpus: Corpus, *, min_accounts: int) -> list[TemplateCluster]:
    """Segments that at least ``min_accounts`` accounts sent; those that stand in the same prompts together."""
    from scipy import sparse
    from scipy.sparse import csgraph

    common = np.flatnonzero(corpus.senders >= min_accounts).astype(np.int32)
    if not len(common):
        return []
    held, weight = _contents_of(common, corpus)
    first, second = _same_prompts(held, weight)
    graph = sparse.csr_matrix((np.ones(len(first), np.int8), (first, second)), shape=(len(common),) * 2)
    count, group = csgraph.connected_components(graph, directed=False)
    order = np.argsort(group, kind="stable")
    borders = np.searchsorted(group[order], np.arange(count + 1))
    return [
        TemplateCluster(channel="verbatim", segments=np.sort(common[order[a:b]]), quality=0.0)
        for a, b in itertools.pairwise(borders)
    ]


def _contents_of(segments: Ints32, corpus: Corpus) -> tuple[Any, Ints]:
    """Which contents hold each of some segments, as sparse int64[len(segments), contents] of 1, and their requests."""
    from scipy import sparse

    starts = segment_starts(corpus)
    size = starts[segments + 1] - starts[segments]
    prompt = corpus.posting_prompt[ranges(starts[segments], size)]
    once = first_rows(corpus.prompts)
    row, content = pairs(
        np.repeat(np.arange(len(segments)), size)[once[prompt]], corpus.prompts.content[prompt[once[prompt]]]
    )
    used, column = np.unique(content, return_inverse=True)
    weight = np.bincount(corpus.prompts.content[once], minlength=int(used.max(initial=-1)) + 1)[used]
    held = sparse.csr_matrix((np.ones(len(row), np.int64), (row, column)), shape=(len(segments), len(used)))
    return held, weight


def _same_prompts(held: Any, weight: Ints) -> tuple[Ints, Ints]:
    """Pairs of segments that are parts of one text: enough of them to tell the groups that all such pairs make.

    Args:
        held: see :func:`_contents_of`.
        weight: int64[contents], of each.

    Returns:
        two arrays of rows of ``held``.
    """
    from scipy import sparse

    # segments of the very same contents are together; of these the first is compared for all
    lead = _equal_rows(held)
    rows = np.flatnonzero(lead == np.arange(len(lead)))
    first, second = [np.flatnonzero(lead != np.arange(len(lead)))], [lead[lead != np.arange(len(lead))]]
    held = held[rows]
    by = held.T.tocsr()
    by.data = by.data * np.repeat(weight, np.diff(by.indptr))
    size = held @ weight
    done = np.cumsum(held @ np.diff(by.indptr))
    low = 0
    while low < len(rows):
        high = max(int(np.searchsorted(done, (done[low - 1] if low else 0) + TERMS, side="right")), low + 1)
        both = sparse.triu(held[low:high] @ by, k=low + 1).tocoo()
        x, y = both.row + low, both.col
        same = both.data >= SAME_PROMPTS * (size[x] + size[y] - both.data)
        first.append(rows[x[same]])
        second.append(rows[y[same]])
        low = high
    return np.concatenate(first), np.concatenate(second)


def _equal_rows(held: Any) -> Ints:
    """For each row of a sparse matrix of ones the first row that is equal to it."""
    held.sort_indices()
    rng = np.random.default_rng(0)
    marks = held @ rng.integers(-(1 << 62), 1 << 62, (held.shape[1], 2))  # sums that wrap round
    size = np.diff(held.indptr)
    _, first, back = np.unique(np.column_stack((marks, size)), axis=0, return_index=True, return_inverse=True)
    lead = first[back.ravel()]
    # equal marks are not proof
    where = ranges(held.indptr[lead].astype(np.int64), size)
    differs = np.bincount(np.repeat(np.arange(len(size)), size), held.indices[where] != held.indices, len(size)) > 0
    return np.where(differs, np.arange(len(size)), lead)


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
    texts: list[int] = []
    offered: list[tuple[int, int, int, Ints32]] = []
    for position, cluster in enumerate(clusters):
        segments = cluster.segments
        if cluster.channel != "verbatim":
            segments = segments[corpus.senders[segments] < min_accounts]
        prompts = unique(corpus.posting_prompt[ranges(starts[segments], starts[segments + 1] - starts[segments])])
        prompts = prompts[once[prompts]]
        each = texts_of_each(corpus.prompts.account[prompts], corpus.prompts.content[prompts])
        if len(each) >= min_accounts:
            offered.append((position, len(each), int((each > 1).sum()), prompts))
            texts.append(int(each.sum()))
    ranked: list[tuple[float, int, Ints32]] = []
    chances = expected_returning(np.array(texts, np.int64), chance)
    for (position, accounts, back, prompts), expected in zip(offered, chances.tolist(), strict=True):
        lift = max(float(np.log((back + 1) / (expected + 1))), 0.0)
        quality = lift * back / accounts * float(np.log(accounts))
        if clusters[position].channel == "verbatim":
            quality += VERBATIM_BONUS * accounts
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
            takers, taken = np.unique(holders[holders >= 0], return_counts=True)
            best = int(takers[taken.argmax()])
            same = in_sorted(account[rest], members[best])
            owner[rest[same]] = best
            rest = rest[~same]
            if (texts_of_each(account[rest], corpus.prompts.content[rest]) > 1).sum() < min_accounts:
                continue
        senders = unique(account[rest])
        if len(senders) >= min_accounts:
            owner[rest] = len(kept)
            kept.append(clusters[position])
            members.append(senders)
    held = np.flatnonzero(owner >= 0).astype(np.int32)
    order = held[np.argsort(owner[held], kind="stable")]
    borders = np.searchsorted(owner[order], np.arange(len(kept) + 1))
    return [Assigned(cluster=cluster, prompts=order[borders[i] : borders[i + 1]]) for i, cluster in enumerate(kept)]


def nearby(
    held: Ints32,
    free: npt.NDArray[np.bool_],
    corpus: Corpus,
    neighbors: Neighbors,
    sender: Ints32,
    segments: PromptSegments,
    border: Ints,
) -> Ints32:
    """Free prompts that lie among some prompts, of accounts that sent one of these only.

    Where only a subject is shared, a cluster holds the core of it and misses much of what its accounts sent. Accounts
    that strayed into it once have nothing more nearby. The cost is that of the prompts of the accounts.

    Args:
        held: int32[q], the prompts.
        free: bool[p], requests outside every cluster.
        corpus: that they are of.
        neighbors: of all segments.
        sender: int32[n], the first account of each segment.
        segments: of every prompt, see :func:`harvestdetect.corpus.by_prompt.segments_by_prompt`.
        border: int64[accounts + 1], where the prompts of each account begin.

    Returns:
        int32[r], ascending.
    """
    account = corpus.prompts.account
    own = unique(_held_by(held, segments)[1])
    theirs, times = np.unique(account[held], return_counts=True)
    theirs = theirs[times == 1]  # the others are members without it
    begin, end = border[theirs], border[theirs + 1]
    prompts = ranges(begin, end - begin)
    prompts = prompts[free[prompts]]
    row, segment = _held_by(prompts, segments)
    distinct, place = np.unique(segment, return_inverse=True)
    around = neighbors.index[distinct, :AMONG]
    others = (around >= 0) & (sender[around] != sender[distinct][:, None])
    share = (in_sorted(around, own) & others).sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    return unique(prompts[row[(share > AMONG_SHARE)[place]]]).astype(np.int32)


def _held_by(prompts: AnyInts, segments: PromptSegments) -> tuple[Ints, Ints32]:
    """The segments of some prompts: positions in ``prompts``, and beside them the segments."""
    start = segments.start[prompts]
    size = segments.start[prompts + 1] - start
    return np.repeat(np.arange(len(prompts)), size), segments.segment[ranges(start, size)]
