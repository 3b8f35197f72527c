"""Which accounts use which of some linked clusters, and where chance does not explain it.

Two campaigns may have a template in common. If an account rotates over several templates, a known share of its prompts
falls into each. So it is known how many accounts would keep to one template, or to one side of the templates, by
chance (Poisson tails). Where more do, the clusters are of several campaigns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from harvestdetect.util.arrays import AnyInts, Bools, Floats, Ints32, blocks_of, ranges
from harvestdetect.util.tails import poisson_log_below, poisson_log_tail

__all__ = ["ClusterPrompts", "UserGroup", "split_users"]


MIN_EXPECTED: Final = 1e-9
"""Smallest mean of a Poisson null distribution, in accounts."""

SHARED_AT_ONCE: Final = 1 << 20
"""Accounts that a cluster has in common with others, over all pairs, per block. It bounds memory and changes no
result."""

ClusterPrompts: TypeAlias = Mapping[int, Ints32] | Sequence[Ints32]
"""The prompts of each cluster, by the cluster's position; no prompt is in two."""


class UserGroup(NamedTuple):
    """Some clusters and, of each, the prompts of the accounts that use these clusters together."""

    clusters: list[int]
    prompts: dict[int, Ints32]
    """int32, ascending, by cluster."""


def split_users(
    group: Sequence[int], assigned: ClusterPrompts, *, account: Ints32, min_accounts: int, log_p: float
) -> list[UserGroup]:
    """Splits linked clusters by their accounts where chance does not explain who uses which.

    First, if one cluster alone connects the others, they are separated, and its prompts are divided by account. Then
    accounts that use one cluster only are split off.

    Args:
        group: the linked clusters.
        assigned: the prompts of every cluster; clusters outside the group are ignored.
        account: int32[p], the account of every prompt.
        min_accounts: accounts that each group must have.
        log_p: accounts are separated where chance is less likely than this (natural logarithm), as clusters are linked.
    """
    found: list[UserGroup] = []
    for side in _split_sides(group, assigned, account=account, min_accounts=min_accounts, log_p=log_p):
        found.extend(
            _split_single(side.clusters, side.prompts, account=account, min_accounts=min_accounts, log_p=log_p)
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usage:
    """How many prompts each of a accounts sent into each of c clusters."""

    accounts: Ints32
    """int32[a], ascending."""
    hits: Any
    """Sparse int64[c, a] (CSR): prompts of each account in each cluster."""

    def of(self, row: int) -> tuple[AnyInts, AnyInts]:
        """The columns of the accounts of one cluster, and their prompts in it."""
        part = slice(self.hits.indptr[row], self.hits.indptr[row + 1])
        return self.hits.indices[part], self.hits.data[part]


def _usage(clusters: Sequence[int], assigned: ClusterPrompts, account: Ints32) -> _Usage:
    """Who sent what into some clusters."""
    from scipy import sparse

    sets = [np.unique(account[assigned[c]], return_counts=True) for c in clusters]
    accounts, column = np.unique(np.concatenate([a for a, _ in sets]), return_inverse=True)
    start = np.concatenate(([0], np.cumsum([len(a) for a, _ in sets])))
    hits = np.concatenate([n for _, n in sets]).astype(np.int64)
    return _Usage(
        accounts=accounts, hits=sparse.csr_matrix((hits, column, start), shape=(len(clusters), len(accounts)))
    )


# ---------------------------------------------------------------- two sides that one cluster connects


def _split_sides(
    group: Sequence[int], assigned: ClusterPrompts, *, account: Ints32, min_accounts: int, log_p: float
) -> list[UserGroup]:
    """The sides that only one cluster connects; the prompts of that cluster are divided by account."""
    from scipy import sparse
    from scipy.sparse import csgraph

    whole = [UserGroup(list(group), {c: assigned[c] for c in group})]
    if len(group) < 3:
        return whole
    usage = _usage(group, assigned, account)
    together = ~_apart(usage, log_p)
    for shared in np.argsort(-usage.hits.sum(axis=1).A1, kind="stable").tolist():
        if _connected_without(together, shared):
            continue
        rest = np.delete(np.arange(len(group)), shared)
        count, side = csgraph.connected_components(sparse.csr_matrix(together[np.ix_(rest, rest)]), directed=False)
        main = _main_sides(usage, rest, side, count)
        if np.bincount(main, minlength=count).min() < min_accounts:
            continue
        found = []
        for s in range(count):
            mine = np.isin(account[assigned[group[shared]]], usage.accounts[main == s])
            prompts = {int(group[i]): assigned[group[i]] for i in rest[side == s]}
            if mine.any():
                prompts[int(group[shared])] = assigned[group[shared]][mine]
            found.append(UserGroup(sorted(prompts), prompts))
        return found
    return whole


def _connected_without(together: Bools, without: int) -> bool:
    """Whether a graph stays connected without one of its nodes.

    Args:
        together: bool[c, c], symmetric: the edges.
        without: the node.
    """
    left = np.ones(len(together), bool)
    left[without] = False
    first = int(left.argmax())
    reached = np.zeros(len(together), bool)
    reached[first] = True
    while reached.any():
        left &= ~reached
        if not left.any():
            return True
        reached = together[reached].any(axis=0) & left
    return False


def _main_sides(usage: _Usage, rest: AnyInts, side: AnyInts, count: int) -> AnyInts:
    """The side that each account sends most to, the first of several: int[a].

    Accounts that used the connecting cluster only stay with the side that has more accounts.

    Args:
        usage: of all clusters.
        rest: the clusters without the connecting one.
        side: the side of each of these.
        count: the number of sides.
    """
    from scipy import sparse

    by_side = sparse.csr_matrix((np.ones(len(rest), np.int64), (side, rest)), shape=(count, usage.hits.shape[0]))
    sent = (by_side @ usage.hits).tocoo()
    order = np.lexsort((sent.row, -sent.data, sent.col))
    first = np.ones(len(order), bool)
    first[1:] = sent.col[order[1:]] != sent.col[order[:-1]]
    row, column = sent.row[order[first]], sent.col[order[first]]
    main = np.full(len(usage.accounts), int(np.bincount(row, minlength=count).argmax()))
    main[column] = row
    return main


def _apart(usage: _Usage, log_p: float) -> Bools:
    """The pairs of clusters with fewer accounts in common than if their accounts rotated over both.

    Args:
        usage: of all clusters.
        log_p: the logarithm of the p-value below which two clusters are apart.

    Returns:
        bool[c, c], symmetric.
    """
    count = usage.hits.shape[0]
    sent = usage.hits.sum(axis=1).A1
    by_account = usage.hits.T.tocsr()
    # for each cluster, a histogram of its accounts by their prompts in it; all histograms in a row
    values = [np.unique(usage.of(i)[1], return_counts=True) for i in range(count)]
    borders = np.cumsum([0, *(len(v) for v, _ in values)])
    hits, times = np.concatenate([v for v, _ in values]), np.concatenate([n for _, n in values])
    found = np.zeros((count, count), bool)
    for i in range(1, count):
        share = sent[i] / (sent[i] + sent[:i])
        # accounts that would use both clusters, as if each account used one of them only
        expected = _both_used(values[i][0][:, None], share).T @ values[i][1]
        earlier = np.repeat(np.arange(i), np.diff(borders[: i + 1]))
        alone = _both_used(hits[: borders[i]], share[earlier]) * times[: borders[i]]
        expected = expected + np.bincount(earlier, alone, i)
        # plus the correction for accounts that used both
        shared = np.zeros(i, np.int64)
        for own, other, theirs in _in_common(usage, by_account, i):
            shared += np.bincount(other, minlength=i)
            part = share[other]
            more = _both_used(own + theirs, part) - _both_used(own, part) - _both_used(theirs, part)
            expected += np.bincount(other, more, i)
        found[i, :i] = found[:i, i] = poisson_log_below(shared, np.maximum(expected, MIN_EXPECTED)) < log_p
    return found


def _both_used(sent: AnyInts, share: Floats) -> Floats:
    """The probability that some prompts fall into both of two clusters, each into the first with a given probability.

    Args:
        sent: the number of prompts of an account into the two clusters.
        share: the probability of the first.
    """
    return np.asarray(1 - share**sent - (1 - share) ** sent)


def _in_common(usage: _Usage, by_account: Any, row: int) -> Iterator[tuple[AnyInts, AnyInts, AnyInts]]:
    """The accounts that a cluster has in common with earlier ones, in blocks.

    Yields:
        of each such account and earlier cluster: its prompts in the cluster, the earlier one, its prompts in that one.
    """
    accounts, hits = usage.of(row)
    start = by_account.indptr[accounts]
    size = by_account.indptr[accounts + 1] - start
    for block in blocks_of(size, SHARED_AT_ONCE):
        where = ranges(start[block], size[block])
        other = by_account.indices[where]
        earlier = other < row
        yield np.repeat(hits[block], size[block])[earlier], other[earlier], by_account.data[where][earlier]


# ---------------------------------------------------------------- accounts that use one cluster only


def _split_single(
    group: Sequence[int], assigned: Mapping[int, Ints32], *, account: Ints32, min_accounts: int, log_p: float
) -> list[UserGroup]:
    """Splits off the accounts that use one cluster only, as long as enough others remain."""
    left = {c: assigned[c] for c in group}
    if len(group) < 2:
        return [UserGroup(list(group), left)]
    usage = _usage(group, assigned, account)
    uses, sent = usage.hits.getnnz(axis=0), usage.hits.sum(axis=0).A1
    found: list[UserGroup] = []
    gone = 0
    for row, c in enumerate(group):
        accounts, hits = usage.of(row)
        shared = uses[accounts] > 1
        alone = usage.accounts[accounts[~shared]]
        remain = len(usage.accounts) - gone - len(alone)
        if len(alone) < min_accounts or not shared.any() or remain < min_accounts:
            continue
        elsewhere = int((sent[accounts] - hits).sum())
        share = elsewhere / (elsewhere + int(hits[shared].sum()))
        expected = float(((1 - share) ** hits).sum())
        if poisson_log_tail(len(alone), expected) < log_p:
            mine = np.isin(account[left[c]], alone)
            found.append(UserGroup([c], {c: left[c][mine]}))
            left[c] = left[c][~mine]
            gone += len(alone)
    return [UserGroup(list(group), left), *found]
