"""Profiles: what each account, or each topic of an account, is about.

The space of wordings is cut into cells at two scales. Each part of a prompt lies in its two nearest cells of either
scale, so two texts on both sides of a border have a cell in common. These cells are *features* of the prompt. A piece
that several accounts sent, such as a sentence or an outline, is a feature of its own: in a long prompt it hardly moves
the vector of the whole. The features of a prompt say what it is about in words that no single template decides.

A profile is a row of weighted features, as a document is in retrieval. A feature counts by its inverse document
frequency over accounts (Spärck Jones 1972), so what everybody sends makes nobody alike. A feature that too few accounts
have for a campaign counts nothing: it would only make the row longer.

There are two layers of profiles:

* *accounts*: one row for each account. Each feature counts once, however often the account used it. So an account that
  spends a third of its requests on a campaign lies near the others that do.
* *topics*: one row for each account and topic. Each feature counts by the logarithm of its use. So a campaign that is a
  tenth of an account's requests, or one that changes its subject, is a row of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harvestdetect.corpus.by_prompt import PromptSegments, first_rows, some_by_prompt
from harvestdetect.data import WHOLE_KINDS, Corpus
from harvestdetect.neighbors.codebook import nearest_at_scales, nearest_centres
from harvestdetect.util.arrays import Bools, Ints, Ints32, packed_pairs, unique
from harvestdetect.util.vectors import Rows

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Profiles", "PromptFeatures", "account_profiles", "prompt_features", "topic_profiles"]

SCALES: Final = ((1024, 32), (4096, 8))
"""Of each scale, the most cells and the fewest parts for each cell. Chosen."""
CELLS_EACH: Final = 2
"""Cells of each part, at each scale. Chosen."""
TOPICS: Final = 8
"""Topics into which the requests of an account are divided. Chosen."""
ACCOUNT_PROMPTS: Final = 4
"""Fewest requests of an account that has a profile: with less, too little is known. Chosen: with three, a campaign was
lost in a world of programs."""
TOPIC_PROMPTS: Final = 3
"""Fewest requests of an account in a topic. Chosen."""
PROMPTS_AT_ONCE: Final = 65_536
"""Prompts whose features are collected at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFeatures:
    """The features of each prompt."""

    matrix: sparse.csr_matrix
    """float32[p, c], ones: which of the p prompts has which of the c features. Rows that repeat a request are empty."""
    topic: Ints32
    """int32[p]: the topic of each prompt."""
    account: Ints32
    """int32[p]: the account of each prompt."""
    users: Ints
    """int64[c]: the number of accounts that have each feature."""
    accounts: int
    """The number of all accounts."""

    def users_among(self, prompts: Ints32) -> Ints:
        """The number of accounts that have each feature in some of their prompts: int64[c]."""
        return _users(self.matrix[prompts], self.account[prompts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """The profiles of r points: accounts, or topics of accounts."""

    account: Ints32
    """int32[r], ascending: the account of each point."""
    weights: sparse.csr_matrix
    """float32[r, c]: rows of length 1, or 0 where a point has no feature that counts."""
    rarer: sparse.csr_matrix
    """float32[r, c]: the weights of features that count only in groups that are smaller than a campaign, in the scale
    of ``weights``."""
    prompts: sparse.csr_matrix
    """float32[r, p], ones: the prompts of each point."""
    least_prompts: int
    """Fewest prompts of a point."""


def prompt_features(
    corpus: Corpus,
    parts: PromptSegments,
    vectors: Rows,
    *,
    min_accounts: int,
    threads: int,
    seed: int,
) -> PromptFeatures:
    """The features and the topic of each prompt. The topic is that of the last part, which is what the user wants now.

    Args:
        corpus: of n segments and p prompts.
        parts: the whole parts of each prompt.
        vectors: float16[n, d], of the segments, in the wording view.
        min_accounts: fewest accounts of a campaign. A piece that half as many sent is a feature.
        threads: 0 takes all cores.
        seed: of the cells.
    """
    used = np.flatnonzero(corpus.kind < WHOLE_KINDS).astype(np.int32)
    counts = [max(2, min(most, len(used) // least)) for most, least in SCALES]
    near = nearest_at_scales(vectors, counts=counts, each=CELLS_EACH, rows=used, threads=threads, seed=seed)
    feature = np.full((len(corpus.kind), CELLS_EACH * len(SCALES)), -1, np.int32)
    for place, (cells, before) in enumerate(zip(near, (0, *np.cumsum(counts).tolist()), strict=False)):
        mine = slice(CELLS_EACH * place, CELLS_EACH * (place + 1))
        feature[used, mine] = np.where(cells >= 0, cells + before, -1)
    del near
    piece = (corpus.kind >= WHOLE_KINDS) & (2 * corpus.senders >= min_accounts)
    feature[piece, 0] = sum(counts) + np.arange(int(piece.sum()))
    matrix = _matrix([parts, some_by_prompt(corpus, piece)], feature, first_rows(corpus.prompts))
    account = corpus.prompts.account
    accounts = len(corpus.prompts.accounts)
    last = parts.segment[np.maximum(parts.start[1:] - 1, 0)] if len(parts.segment) else np.zeros(len(account), np.int32)
    # of distinct segments: their order does not depend on the ids of accounts, and so neither do the centres
    named = unique(last)
    centre = nearest_centres(vectors, count=min(TOPICS, len(used)), rows=named, threads=threads, seed=seed)[:, 0]
    topic = centre[np.searchsorted(named, last)]
    return PromptFeatures(
        matrix=matrix,
        topic=topic,
        account=account,
        users=_users(matrix, account),
        accounts=accounts,
    )


def account_profiles(features: PromptFeatures, *, min_accounts: int, few: int | None = None) -> Profiles:
    """The profile of each account with enough requests, by which features it uses.

    Args:
        features: of the prompts.
        min_accounts: fewest accounts of a campaign: features that fewer accounts have do not count.
        few: fewest accounts of a smaller group, and so of a feature that counts there; None means that there are none.
    """
    sent = np.bincount(features.account[features.matrix.getnnz(axis=1) > 0], minlength=features.accounts)
    return _profiles(
        features,
        features.account.astype(np.int64),
        sent,
        ACCOUNT_PROMPTS,
        min_accounts=min_accounts,
        few=few,
        once=True,
    )


def topic_profiles(features: PromptFeatures, *, min_accounts: int, few: int | None = None) -> Profiles:
    """The profile of each topic with enough requests of an account, by how often it uses which features.

    Args:
        features: of the prompts.
        min_accounts: as for :func:`account_profiles`.
        few: as for :func:`account_profiles`.
    """
    topics = int(features.topic.max(initial=0)) + 1
    point = features.account.astype(np.int64) * topics + features.topic
    sent = np.bincount(point[features.matrix.getnnz(axis=1) > 0], minlength=features.accounts * topics)
    return _profiles(features, point, sent, TOPIC_PROMPTS, min_accounts=min_accounts, few=few, once=False)


def _profiles(
    features: PromptFeatures, point: Ints, sent: Ints, least: int, *, min_accounts: int, few: int | None, once: bool
) -> Profiles:
    """The profiles of the points with enough prompts.

    Args:
        features: of the prompts.
        point: int64[p]: the point of each prompt.
        sent: int64[points]: prompts of each point.
        least: prompts of a point that is taken.
        min_accounts: features that fewer accounts have do not count.
        few: features that fewer accounts have do not count in smaller groups either; None means ``min_accounts``.
        once: whether a feature counts once, or by the logarithm of its use.
    """
    from scipy import sparse

    taken = sent >= least
    number = np.where(taken, np.cumsum(taken) - 1, -1)
    row = number[point]
    inside = np.flatnonzero((row >= 0) & (features.matrix.getnnz(axis=1) > 0))
    count = int(taken.sum())
    prompts = sparse.csr_matrix(
        (np.ones(len(inside), np.float32), (row[inside], inside)), shape=(count, len(point)), dtype=np.float32
    )
    weights = (prompts @ features.matrix).tocsr()
    weights.data = np.ones_like(weights.data) if once else np.log1p(weights.data)
    rarity = np.log(np.maximum(features.accounts / (features.users + min_accounts / 2), 1.0)).astype(np.float32)
    rarity[features.users < (min_accounts if few is None else few)] = 0
    weights.data *= rarity[weights.indices]
    rare = features.users < min_accounts
    rarer = _with_features(weights, rare)
    if rarer.nnz:
        weights = _with_features(weights, ~rare)
    weights.eliminate_zeros()
    weights.sort_indices()
    length = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    for part in (weights, rarer):
        part.data /= np.repeat(np.where(length > 0, length, 1), np.diff(part.indptr)).astype(np.float32)
    account = np.zeros(count, np.int32)
    account[row[inside]] = features.account[inside]
    return Profiles(account=account, weights=weights, rarer=rarer, prompts=prompts, least_prompts=least)


def _with_features(matrix: sparse.csr_matrix, chosen: Bools) -> sparse.csr_matrix:
    """A matrix of the same shape with the entries in some features only, without zeros."""
    from scipy import sparse

    kept = chosen[matrix.indices] & (matrix.data != 0)
    start = np.concatenate(([0], np.cumsum(kept)))[matrix.indptr]
    found = sparse.csr_matrix((matrix.data[kept], matrix.indices[kept], start), shape=matrix.shape)
    found.sort_indices()
    return found


def _matrix(lists: Sequence[PromptSegments], feature: Ints32, counts: Bools) -> sparse.csr_matrix:
    """Which prompt has which features, computed block by block: float32[p, c], ones.

    Args:
        lists: segments of every prompt.
        feature: int32[n, k], the features of each segment; -1 for none.
        counts: bool[p]; the other prompts have no features.
    """
    from scipy import sparse

    count, wide = len(counts), int(feature.max(initial=-1)) + 1
    size = np.zeros(count + 1, np.int64)
    found = []
    for begin in range(0, count, PROMPTS_AT_ONCE):
        end = min(begin + PROMPTS_AT_ONCE, count)
        keys = []
        for one in lists:
            start = one.start[begin : end + 1]
            row = np.repeat(np.arange(end - begin), np.diff(start))
            features = feature[one.segment[start[0] : start[-1]]]
            known = (features >= 0) & counts[begin:end][row][:, None]
            keys.append(packed_pairs(np.broadcast_to(row[:, None], features.shape)[known], features[known]))
        key = unique(np.concatenate(keys))
        size[begin + 1 : end + 1] = np.bincount(key >> 32, minlength=end - begin)
        found.append((key & 0xFFFFFFFF).astype(np.int32))
    indices = np.concatenate([np.empty(0, np.int32), *found])
    found.clear()
    return sparse.csr_matrix((np.ones(len(indices), np.float32), indices, np.cumsum(size)), shape=(count, wide))


def _users(matrix: sparse.csr_matrix, account: Ints32) -> Ints:
    """The number of accounts that have each feature: int64[c]."""
    from scipy import sparse

    accounts, row = np.unique(account, return_inverse=True)
    sent = sparse.csr_matrix(
        (np.ones(len(row), np.float32), (row, np.arange(len(row)))), shape=(len(accounts), len(row))
    )
    return np.bincount((sent @ matrix).tocsr().indices, minlength=matrix.shape[1])
