"""What groups of accounts ask for: the words of their requests without those of their templates.

How alike two payloads are depends on how many requests are read: two halves of one group are never equal. So there are
two likenesses. One is the cosine, which is compared with that of other groups. The other is the cosine of halves of two
groups as a share of that of the two halves of one, as a correlation is corrected for attenuation (Spearman 1904). It is
about 1 if two groups were dealt one list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.data import Corpus
from harvestdetect.util.amounts import MOST, NEARLY_ALL, SMALL_PART
from harvestdetect.util.arrays import Bools, Floats, Ints, Ints32, ranges, run_starts
from harvestdetect.util.words import words

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Payloads", "payloads_of"]

PAYLOADS: Final = 100
"""Most requests of a group whose payload is read. The limit is the same for all groups, because the words of a few
requests are less like those of others. Chosen, for speed."""


class _Pool(NamedTuple):
    """Some groups together."""

    sent: sparse.csr_matrix
    """float32[a, w], ones: which account sent which words."""
    fixed: sparse.csr_matrix
    """float32[1, w], ones: words of the templates."""
    others: Ints
    """int64[s], ascending: places of the accounts of other groups, without the a accounts."""


class Payloads:
    """The words of the requests of g groups without those of their templates.

    Args:
        used: float32[r, w], ones: which of r requests has which word.
        group: int64[r], ascending: the group of each request. Each of the g groups has some.
        account: int32[r]: the account of each request.
    """

    def __init__(self, used: sparse.csr_matrix, group: Ints, account: Ints32) -> None:
        from scipy import sparse

        self._count = count = int(group[-1]) + 1
        self._start = np.searchsorted(group, np.arange(count + 1))
        self._account = account
        size = np.diff(self._start)
        by_group = sparse.csr_matrix((np.ones(len(group), np.float32), np.arange(len(group)), self._start))
        share = (sparse.diags((1 / np.maximum(size, 1)).astype(np.float32)) @ by_group @ used).tocsr()
        share.data = (share.data >= SMALL_PART).astype(np.float32)
        share.eliminate_zeros()
        self._fixed = share
        self._used = (used - used.multiply(self._fixed[group])).tocsr()
        self._used.eliminate_zeros()
        times = np.bincount(used.indices, minlength=used.shape[1])
        self._rarity = np.log(np.maximum(len(group) / (times + 1), 1)).astype(np.float32)
        accounts = int(account.max()) + 1
        key, sender = np.unique(group * accounts + account, return_inverse=True)
        self._owner, self._sender = key // accounts, key % accounts
        self._sent = (_ones(sender, len(key)) @ self._used).tocsr()
        self._sent.data[:] = 1

    @property
    def likeness(self) -> Floats:
        """float64[g, g]: cosine of the words of two groups, without those of the template of either."""
        every = self._words(np.arange(len(self._owner)))
        return _cosines(every, self._fixed, every, self._fixed)

    @property
    def likeness_as_of_halves(self) -> Floats:
        """float64[g, g]: likeness of halves of two groups, as a share of that of the halves of each.

        The diagonal has no meaning.
        """
        halves = self._halves(np.arange(len(self._owner)))
        return _as_of_halves(halves, self._fixed, halves, self._fixed)

    def likeness_to(self, pieces: Ints) -> tuple[Floats, Floats]:
        """How alike every group is to some pieces together: two likenesses, as for pairs of groups.

        Accounts of the pieces are left out of the groups.

        Args:
            pieces: int64[p]: places of groups.

        Returns:
            float64[g] each: the cosine; and the likeness of halves as a share.
        """
        pool = self._pool(pieces)
        half = np.arange(pool.sent.shape[0]) % 2
        halves = [self._together(pool.sent[half == number]) for number in (0, 1)]
        share = _as_of_halves(self._halves(pool.others), self._fixed, halves, pool.fixed)
        return self._cosine_to(pool), share[:, 0]

    def cosine_to(self, pieces: Ints) -> Floats:
        """float64[g]: the first of the two likenesses of :meth:`likeness_to`."""
        return self._cosine_to(self._pool(pieces))

    def _cosine_to(self, pool: _Pool) -> Floats:
        return np.asarray(_cosines(self._words(pool.others), self._fixed, self._together(pool.sent), pool.fixed)[:, 0])

    def _pool(self, pieces: Ints) -> _Pool:
        """Some groups together, and the accounts of others that are not in these groups."""
        from scipy import sparse

        inside = np.isin(self._owner, pieces)
        accounts, number = np.unique(self._sender[inside], return_inverse=True)
        sent = (_ones(number, len(accounts)) @ self._sent[inside]).tocsr()
        sent.data[:] = 1
        fixed = sparse.csr_matrix(self._fixed[pieces].max(axis=0))
        return _Pool(sent, fixed, np.flatnonzero(~np.isin(self._sender, accounts)))

    def _together(self, sent: sparse.csr_matrix) -> sparse.csr_matrix:
        """float32[1, w]: weights of the words that some accounts sent."""
        from scipy import sparse

        return self._weighted(sparse.csr_matrix(sent.sum(axis=0)))

    @property
    def dealt(self) -> Bools:
        """bool[g]: whether the accounts of a group do not copy one another."""
        return np.array([not self.are_copies(i, i) for i in range(self._count)])

    def are_copies(self, first: int, second: int) -> bool:
        """Whether the requests of a group are copies of those of other accounts of another one, or of itself.

        Requests that go through combinations of values share half of their words. A copy shares nearly all.
        """
        a, b = (slice(self._start[i], self._start[i + 1]) for i in (first, second))
        both = (self._used[a] @ self._used[b].T).toarray()
        size = [np.asarray(self._used[rows].sum(axis=1)).ravel() for rows in (a, b)]
        union = size[0][:, None] + size[1] - both
        copy = (both >= NEARLY_ALL * union) & (self._account[a][:, None] != self._account[b])
        return bool(max(copy.any(axis=1).mean(), copy.any(axis=0).mean()) >= MOST)

    def _halves(self, senders: Ints) -> list[sparse.csr_matrix]:
        """float32[g, w] twice: weights of the words of the two halves of each group, halved by its accounts."""
        owner = self._owner[senders]
        place = np.arange(len(owner)) - np.searchsorted(owner, owner)
        return [self._words(senders[place % 2 == half]) for half in (0, 1)]

    def _words(self, senders: Ints) -> sparse.csr_matrix:
        """float32[g, w]: weights of the words of each group, from some of its accounts.

        Args:
            senders: int64[s], ascending: places of the accounts of groups.
        """
        return self._weighted((_ones(self._owner[senders], self._count) @ self._sent[senders]).tocsr())

    def _weighted(self, times: sparse.csr_matrix) -> sparse.csr_matrix:
        """float32[n, w]: weights of words, from the number of accounts that used them."""
        from scipy import sparse

        times.data = np.log1p(times.data)
        return (times @ sparse.diags(self._rarity)).tocsr()


def _cosines(
    one: sparse.csr_matrix, fixed: sparse.csr_matrix, other: sparse.csr_matrix, fixed_other: sparse.csr_matrix
) -> Floats:
    """float64[n, m]: cosine of the words of groups, without those of the template of either.

    Args:
        one: float32[n, w]: weights of words.
        fixed: float32[n, w], ones: words of templates.
        other: float32[m, w].
        fixed_other: float32[m, w], ones.
    """

    def own(weight: sparse.csr_matrix, left_out: sparse.csr_matrix) -> Floats:
        square = weight.multiply(weight).tocsr()
        return np.asarray(np.asarray(square.sum(axis=1)) - (square @ left_out.T).toarray())

    square = own(one, fixed_other) * own(other, fixed).T
    return np.asarray((one @ other.T).toarray() / np.sqrt(np.maximum(square, 1e-12)))


def _as_of_halves(
    halves: Sequence[sparse.csr_matrix],
    fixed: sparse.csr_matrix,
    others: Sequence[sparse.csr_matrix],
    fixed_other: sparse.csr_matrix,
) -> Floats:
    """float64[n, m]: the mean cosine of the halves of two groups, as a share of the geometric mean of that within each.

    Arguments as for :func:`_cosines`; two halves each.
    """
    across = np.mean([_cosines(one, fixed, other, fixed_other) for one in halves for other in others], axis=0)
    within = [
        _cosines(first, own, second, own).diagonal()
        for (first, second), own in ((halves, fixed), (others, fixed_other))
    ]
    return np.asarray(across / np.sqrt(np.maximum(np.outer(*within), 1e-12)))


def _ones(row: Ints, rows: int) -> sparse.csr_matrix:
    """float32[rows, n]: a one in every column, in the given row.

    Args:
        row: int64[n].
        rows: the number of rows.
    """
    from scipy import sparse

    return sparse.csr_matrix((np.ones(len(row), np.float32), (row, np.arange(len(row)))), shape=(rows, len(row)))


def payloads_of(groups: Sequence[Ints32], corpus: Corpus, parts: PromptSegments) -> Payloads:
    """The payloads of groups.

    Args:
        groups: int32[q] each: the prompts of each group, at least one.
        corpus: of their prompts.
        parts: the whole parts of every prompt.
    """
    from scipy import sparse

    chosen = [_evenly(prompts, corpus.prompts.account) for prompts in groups]
    prompts = np.concatenate(chosen)
    count = parts.start[prompts + 1] - parts.start[prompts]
    segments, place = np.unique(parts.segment[ranges(parts.start[prompts], count)], return_inverse=True)
    number: dict[str, int] = {}
    found = [
        np.array([number.setdefault(word, len(number)) for word in dict.fromkeys(words(text))], np.int32)
        for text in corpus.text.take(segments)
    ]
    start = np.concatenate(([0], np.cumsum([len(one) for one in found])))
    by_segment = sparse.csr_matrix(
        (np.ones(int(start[-1]), np.float32), np.concatenate(found), start), shape=(len(found), max(len(number), 1))
    )
    of_prompt = sparse.csr_matrix(
        (np.ones(len(place), np.float32), place, np.concatenate(([0], np.cumsum(count)))),
        shape=(len(prompts), len(segments)),
    )
    used = (of_prompt @ by_segment).tocsr()
    used.data[:] = 1
    group = np.repeat(np.arange(len(groups)), [len(one) for one in chosen])
    return Payloads(used, group, corpus.prompts.account[prompts])


def _evenly(prompts: Ints32, account: Ints32) -> Ints32:
    """At most :data:`PAYLOADS` prompts: one of each account in turn."""
    sender = account[prompts]
    order = np.argsort(sender, kind="stable")
    ordered = sender[order]
    start = run_starts(ordered)
    turn = np.arange(len(order)) - np.repeat(start, np.diff(np.append(start, len(order))))
    taken = order[np.argsort(turn, kind="stable")]
    return np.sort(prompts[taken[:PAYLOADS]])
