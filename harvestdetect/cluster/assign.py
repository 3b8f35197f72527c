"""Between clusters and campaigns: texts that many accounts sent verbatim, and at most one cluster for each prompt.

The channels of the views find the same template several times, some purer than others. Clusters are taken in the order
of how clearly accounts return to them, and each keeps the prompts that no better cluster has. A cluster that loses most
of its prompts is a near-duplicate: its other prompts go to the cluster that took most of them, if their accounts are in
that one already, and the remaining accounts stay a cluster only if enough of them return. The results are disjoint, so
accounts that two clusters share sent different texts into each.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from harvestdetect.cluster.repeat_senders import chance_of, expected_returning, texts_of_each
from harvestdetect.corpus.by_prompt import PromptSegments, first_rows, in_sorted, segment_starts
from harvestdetect.data import Corpus, Neighbors, TemplateCluster
from harvestdetect.util.amounts import MOST, SMALL_PART
from harvestdetect.util.arrays import AnyInts, Bools, Ints, Ints32, blocks_of, pairs, ranges, unique

__all__ = ["Assigned", "Volumes", "assign_prompts", "nearby", "verbatim_clusters", "volumes"]


PRODUCTS_AT_ONCE: Final = 1 << 23
"""Terms per block in the products that compare verbatim segments. It bounds memory and changes no result."""


NEIGHBORS_AMONG: Final = 16
"""Nearest neighbours of a text that decide whether it lies among the texts of a cluster. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """How much each of the a accounts sent."""

    texts: Ints32
    """int32[a]: distinct texts."""
    prompts: Ints32
    """int32[a]: requests. A row that repeats a request is not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A cluster and the prompts that were assigned to it."""

    cluster: TemplateCluster
    prompts: Ints32
    """int32[q], ascending. Of rows that repeat a request only the first is among them."""


def volumes(corpus: Corpus) -> Volumes:
    """The number of distinct texts and of prompts of every account."""
    prompts = corpus.prompts
    count = len(prompts.accounts)
    senders, _ = pairs(prompts.account, prompts.content)
    return Volumes(
        texts=np.bincount(senders, minlength=count).astype(np.int32),
        prompts=np.bincount(prompts.account[first_rows(prompts)], minlength=count).astype(np.int32),
    )


def verbatim_clusters(corpus: Corpus, *, min_accounts: int) -> list[TemplateCluster]:
    """Clusters of segments that at least ``min_accounts`` accounts sent; segments of the same prompts are together."""
    from scipy import sparse
    from scipy.sparse import csgraph

    common = np.flatnonzero(corpus.senders >= min_accounts).astype(np.int32)
    if not len(common):
        return []
    contains, weight = _texts_with(common, corpus)
    first, second = _same_prompts(contains, weight)
    graph = sparse.csr_matrix((np.ones(len(first), np.int8), (first, second)), shape=(len(common),) * 2)
    count, group = csgraph.connected_components(graph, directed=False)
    order = np.argsort(group, kind="stable")
    borders = np.searchsorted(group[order], np.arange(count + 1))
    return [
        TemplateCluster(channel="verbatim", segments=np.sort(common[order[a:b]]), quality=0.0)
        for a, b in itertools.pairwise(borders)
    ]


def _texts_with(segments: Ints32, corpus: Corpus) -> tuple[Any, Ints]:
    """Which texts contain each of some segments.

    Returns:
        sparse int64[segments, texts] (CSR), 1 where a text contains a segment; and int64[texts], the requests with each
        text.
    """
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
    contains = sparse.csr_matrix((np.ones(len(row), np.int64), (row, column)), shape=(len(segments), len(used)))
    return contains, weight


def _same_prompts(contains: Any, weight: Ints) -> tuple[Ints, Ints]:
    """Pairs of segments that are pieces of one text; the components of the pairs are those of all such pairs.

    Args:
        contains: see :func:`_texts_with`.
        weight: int64[texts], the requests with each text.

    Returns:
        two arrays of rows of ``contains``.
    """
    from scipy import sparse

    # segments of exactly the same texts are together; the first of them is compared with the others
    lead = _equal_rows(contains)
    rows = np.flatnonzero(lead == np.arange(len(lead)))
    first, second = [np.flatnonzero(lead != np.arange(len(lead)))], [lead[lead != np.arange(len(lead))]]
    contains = contains[rows]
    by_text = contains.T.tocsr()
    by_text.data = by_text.data * np.repeat(weight, np.diff(by_text.indptr))
    size = contains @ weight
    for block in blocks_of(contains @ np.diff(by_text.indptr), PRODUCTS_AT_ONCE):
        both = sparse.triu(contains[block] @ by_text, k=block.start + 1).tocoo()
        x, y = both.row + block.start, both.col
        same = both.data >= MOST * (size[x] + size[y] - both.data)
        first.append(rows[x[same]])
        second.append(rows[y[same]])
    return np.concatenate(first), np.concatenate(second)


def _equal_rows(contains: Any) -> Ints:
    """For each row of a sparse matrix of ones, the first row that is equal to it: int64[rows].

    Rows are compared by two random 64-bit hashes, and then in full with the first row of equal hashes.
    """
    contains.sort_indices()
    rng = np.random.default_rng(0)
    hashes = contains @ rng.integers(-(1 << 62), 1 << 62, (contains.shape[1], 2))  # sums modulo 2**64
    size = np.diff(contains.indptr)
    _, first, back = np.unique(np.column_stack((hashes, size)), axis=0, return_index=True, return_inverse=True)
    lead = first[back.ravel()]
    # equal hashes are no proof
    where = ranges(contains.indptr[lead].astype(np.int64), size)
    row = np.repeat(np.arange(len(size)), size)
    differs = np.bincount(row, contains.indices[where] != contains.indices, len(size)) > 0
    return np.where(differs, np.arange(len(size)), lead)


def assign_prompts(
    clusters: Sequence[TemplateCluster], corpus: Corpus, volume: Volumes, *, min_accounts: int
) -> list[Assigned]:
    """Assigns every prompt to the best cluster that contains it.

    In clusters of a tree, only texts that fewer than ``min_accounts`` accounts sent count: the others belong to the
    verbatim channel.

    Returns:
        the clusters that keep most of their prompts and at least ``min_accounts`` accounts, best first.
    """
    account, content = corpus.prompts.account, corpus.prompts.content
    owner = np.full(len(account), -1, np.int32)
    kept: list[TemplateCluster] = []
    members: list[Ints32] = []
    for offer in _ranked(clusters, corpus, volume, min_accounts):
        prompts = offer.prompts
        owners = owner[prompts]
        rest = prompts[owners < 0]
        if len(rest) < MOST * len(prompts):
            takers, taken = np.unique(owners[owners >= 0], return_counts=True)
            best = int(takers[taken.argmax()])
            same = in_sorted(account[rest], members[best])
            owner[rest[same]] = best
            rest = rest[~same]
            if (texts_of_each(account[rest], content[rest]) > 1).sum() < min_accounts:
                continue
        senders = unique(account[rest])
        if len(senders) >= min_accounts:
            owner[rest] = len(kept)
            kept.append(offer.cluster)
            members.append(senders)
    assigned = np.flatnonzero(owner >= 0).astype(np.int32)
    order = assigned[np.argsort(owner[assigned], kind="stable")]
    borders = np.searchsorted(owner[order], np.arange(len(kept) + 1))
    return [Assigned(cluster=cluster, prompts=order[borders[i] : borders[i + 1]]) for i, cluster in enumerate(kept)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A cluster with all prompts that it contains, before the assignment."""

    cluster: TemplateCluster
    prompts: Ints32
    texts: int
    """Distinct (account, text) pairs."""
    accounts: int
    returning: int
    """Accounts with two or more distinct texts."""

    def quality(self, expected: float) -> float:
        """How clearly accounts return to the cluster, against the number expected by chance."""
        lift = max(float(np.log((self.returning + 1) / (expected + 1))), 0.0)
        return lift * self.returning / self.accounts * float(np.log(self.accounts))

    @property
    def senders(self) -> int:
        """The accounts of a verbatim cluster; 0 for any other.

        Among clusters to which nobody returns beyond chance, texts that more accounts sent come first. Otherwise one
        more finding of wording alone appeared in simulated traffic.
        """
        return self.accounts if self.cluster.channel == "verbatim" else 0


def _ranked(
    clusters: Sequence[TemplateCluster], corpus: Corpus, volume: Volumes, min_accounts: int
) -> list[_Offer]:  # fmt: skip
    """The clusters with at least ``min_accounts`` accounts, best first; ties keep the order given."""
    starts = segment_starts(corpus)
    once = first_rows(corpus.prompts)
    offers: list[_Offer] = []
    for cluster in clusters:
        segments = cluster.segments
        if cluster.channel != "verbatim":
            segments = segments[corpus.senders[segments] < min_accounts]
        prompts = unique(corpus.posting_prompt[ranges(starts[segments], starts[segments + 1] - starts[segments])])
        prompts = prompts[once[prompts]]
        each = texts_of_each(corpus.prompts.account[prompts], corpus.prompts.content[prompts])
        if len(each) >= min_accounts:
            offers.append(
                _Offer(
                    cluster=cluster,
                    prompts=prompts,
                    texts=int(each.sum()),
                    accounts=len(each),
                    returning=int((each > 1).sum()),
                )
            )
    expected = expected_returning(np.array([one.texts for one in offers], np.int64), chance_of(volume.texts))
    quality = [one.quality(chance) for one, chance in zip(offers, expected.tolist(), strict=True)]
    return [offers[i] for i in sorted(range(len(offers)), key=lambda i: (-quality[i], -offers[i].senders))]


def nearby(
    prompts: Ints32,
    free: Bools,
    corpus: Corpus,
    neighbors: Neighbors,
    sender: Ints32,
    segments: PromptSegments,
    border: Ints,
) -> Ints32:
    """Unassigned prompts that lie among a cluster's prompts, of accounts with one prompt in the cluster.

    Where accounts share only a subject, a cluster contains its dense core and misses much of what the accounts sent.
    An account that strayed into the cluster once has no other prompts nearby. The cost grows with the prompts of the
    accounts, not with the corpus.

    Args:
        prompts: int32[q], the prompts of the cluster.
        free: bool[p], requests outside every cluster.
        corpus: of the prompts.
        neighbors: of all segments.
        sender: int32[n], the first account of each segment.
        segments: of every prompt, see :func:`harvestdetect.corpus.by_prompt.segments_by_prompt`.
        border: int64[accounts + 1], where the prompts of each account begin.

    Returns:
        int32[r], ascending.
    """
    account = corpus.prompts.account
    own = unique(_segments_of(prompts, segments)[1])
    candidates, times = np.unique(account[prompts], return_counts=True)
    candidates = candidates[times == 1]  # accounts with more prompts are members anyway
    begin, end = border[candidates], border[candidates + 1]
    others = ranges(begin, end - begin)
    others = others[free[others]]
    row, segment = _segments_of(others, segments)
    distinct, place = np.unique(segment, return_inverse=True)
    around = neighbors.index[distinct, :NEIGHBORS_AMONG]
    foreign = (around >= 0) & (sender[around] != sender[distinct][:, None])
    share = (in_sorted(around, own) & foreign).sum(axis=1) / np.maximum(foreign.sum(axis=1), 1)
    return unique(others[row[(share > SMALL_PART)[place]]]).astype(np.int32)


def _segments_of(prompts: AnyInts, segments: PromptSegments) -> tuple[Ints, Ints32]:
    """The segments of some prompts, row by row: positions in ``prompts``, and the segments."""
    start = segments.start[prompts]
    size = segments.start[prompts + 1] - start
    return np.repeat(np.arange(len(prompts)), size), segments.segment[ranges(start, size)]
