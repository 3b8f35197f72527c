"""Who sent the points of each node of a condensed tree, for all nodes at once.

Counting the distinct accounts below every node of a tree is the colour set size problem (Hui 1992): the colours are
accounts, and each node has the colours of its points. The number of distinct colours below a node is the number of
occurrences of all colours below it, less one for each pair of consecutive occurrences of one colour that meet below it.
"Consecutive" is by preorder (the Euler tour of the tree), and two nodes meet in their lowest common ancestor.

Here each account also has a number of texts below every node. That number changes only in the account's *auxiliary
tree*: the nodes that contain its points, and the lowest common ancestors of consecutive ones. So a few numbers at the
nodes of the auxiliary trees, summed over subtrees, answer the question for all nodes in O((r + c) log(r + c)) for r
rows and c nodes, however deep the tree is. Subtrees are ranges of preorder numbers; lowest common ancestors and maxima
over ranges are found with sparse tables (range minimum queries; Bender and Farach-Colton 2000).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.tree import Tree
from harvestdetect.util.arrays import AnyInts, Bools, Ints, Ints32, unique

__all__ = ["SenderCounts", "sender_counts"]


LOW_HALF: Final = (1 << 32) - 1
"""Mask of the lower half of a packed number: ``account << 32 | text``, or ``account << 32 | node``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderCounts:
    """Who sent the points of each node, those of its descendants included; each int64[c].

    For nodes that were not to be counted the values are meaningless.
    """

    texts: Ints
    """Distinct (account, text) pairs."""
    accounts: Ints
    """Distinct accounts."""
    returning: Ints
    """Accounts with two or more distinct texts."""
    most: Ints
    """The largest number of distinct texts of one account."""


def sender_counts(tree: Tree, postings: Postings, countable: Bools) -> SenderCounts:
    """Counts of the senders of each node.

    Args:
        tree: over n points.
        postings: of the n points.
        countable: bool[c], the nodes to count. With a node all its descendants must be countable.
    """
    preorder = _Preorder(tree.parent, tree.first, tree.last)
    auxiliary = _auxiliary_trees(*_occurrences(tree, postings, countable, preorder), preorder)
    node, texts = auxiliary.node, auxiliary.texts
    child = ~auxiliary.is_root
    returns = texts > 1
    own = np.zeros(preorder.count, np.int64)
    np.add.at(own, node, auxiliary.own)
    most = np.zeros(preorder.count, np.int64)
    np.maximum.at(most, node, texts)
    # each account has one auxiliary tree below a node, and a tree has one node more than edges; an edge counts where
    # its upper end is. Likewise for the nodes where the account has two texts: they are the top of the tree
    return SenderCounts(
        texts=preorder.subtree_sums(own),
        accounts=preorder.subtree_sums(preorder.histogram(node) - preorder.histogram(auxiliary.parent)),
        returning=preorder.subtree_sums(
            preorder.histogram(node[returns]) - preorder.histogram(auxiliary.parent[returns[child]])
        ),
        most=_SparseTable(most, np.maximum).over(np.arange(preorder.count), preorder.end),
    )


# ---------------------------------------------------------------- one account's tree


def _occurrences(tree: Tree, postings: Postings, countable: Bools, preorder: _Preorder) -> tuple[Ints, Ints]:
    """Where each account has rows, and where equal rows of it meet.

    Returns:
        int64[r], ``account << 32 | node`` of each row; and the same of the lowest common ancestor of each two
        consecutive rows with one text.
    """
    # the node of each point of the tree, the lowest that contains it
    holder = np.cumsum(np.bincount(tree.first, minlength=len(tree.points) + 1))[: len(tree.points)] - 1
    inside = countable[holder]
    points, holder = tree.points[inside], holder[inside]
    rows = postings.rows(points)
    node = np.repeat(holder, postings.start[points + 1] - postings.start[points])
    pair = postings.account[rows].astype(np.int64) << 32 | postings.text[rows]
    order = np.argsort(pair, kind="stable")  # rows of one account and text stay in preorder
    pair, node = pair[order], node[order]
    again = pair[1:] == pair[:-1]
    account = pair & ~LOW_HALF
    meets = account[1:][again] | preorder.common_ancestor(node[:-1][again], node[1:][again])
    return account | node, meets


@dataclass(frozen=True, slots=True, kw_only=True)
class _Auxiliary:
    """The auxiliary trees of all accounts, v nodes in all, by account and then in preorder."""

    node: Ints
    """int64[v]: the node of the tree."""
    own: Ints
    """int64[v]: distinct texts that the account has at the node, less those counted twice below it."""
    texts: Ints
    """int64[v]: distinct texts that the account has at the node and below it."""
    is_root: Bools
    """bool[v]: whether it is the root of its account's auxiliary tree."""
    parent: Ints
    """int64[v - roots]: the parent, in the account's auxiliary tree, of each node but the roots."""


def _auxiliary_trees(rows: Ints, meets: Ints, preorder: _Preorder) -> _Auxiliary:
    """The auxiliary trees of all accounts, from what :func:`_occurrences` returns."""
    keys = unique(rows)
    same = _same_account(keys)
    ancestors = preorder.common_ancestor(keys[:-1][same] & LOW_HALF, keys[1:][same] & LOW_HALF)
    keys = unique(np.concatenate((keys, (keys[1:][same] & ~LOW_HALF) | ancestors)))
    node = keys & LOW_HALF
    same = _same_account(keys)
    own = np.bincount(np.searchsorted(keys, rows), minlength=len(keys))
    own -= np.bincount(np.searchsorted(keys, meets), minlength=len(keys))
    total = np.concatenate(([0], np.cumsum(own)))
    return _Auxiliary(
        node=node,
        own=own,
        texts=total[np.searchsorted(keys, (keys & ~LOW_HALF) | preorder.end[node])] - total[:-1],
        is_root=np.concatenate((np.ones(min(len(keys), 1), bool), ~same)),
        # the set contains the ancestors of consecutive nodes, so the one with the node before is the parent
        parent=preorder.common_ancestor(node[:-1][same], node[1:][same]),
    )


def _same_account(keys: Ints) -> Bools:
    """Whether each key but the first has the account of the key before it."""
    return np.asarray((keys[1:] ^ keys[:-1]) <= LOW_HALF)


# ---------------------------------------------------------------- trees as ranges


class _Preorder:
    """A tree whose c nodes are numbered in preorder, so that each subtree is a range of numbers.

    Args:
        parent: int32[c], -1 for the root.
        first: int32[c], where the points of each node begin.
        last: int32[c], where they end.
    """

    def __init__(self, parent: Ints32, first: Ints32, last: Ints32) -> None:
        self.count = len(parent)
        self.end = np.maximum(np.searchsorted(first, last), np.arange(self.count) + 1)
        """int64[c]: the subtree of node i is i to ``end[i] - 1``."""
        self._least_parent = _SparseTable(parent, np.minimum)

    def common_ancestor(self, a: Ints, b: Ints) -> Ints:
        """The lowest common ancestor of each pair ``a <= b``: in preorder, the least parent of a + 1 to b."""
        return np.where(a == b, a, self._least_parent.over(np.minimum(a + 1, b), b + 1))

    def subtree_sums(self, values: Ints) -> Ints:
        """The sum of the values over the subtree of each node: int64[c]."""
        total = np.concatenate(([0], np.cumsum(values)))
        return np.asarray(total[self.end] - total[: self.count])

    def histogram(self, nodes: Ints) -> Ints:
        """How often each node occurs: int64[c]."""
        return np.bincount(nodes, minlength=self.count)


class _SparseTable:
    """Minima or maxima over any range of an array, in constant time per range.

    Args:
        values: of any length.
        best: ``np.minimum`` or ``np.maximum``.
    """

    def __init__(self, values: AnyInts, best: np.ufunc) -> None:
        self._best = best
        # [j, i]: the best of values[i : i + 2**j], where the array is long enough
        self._table = np.empty((max(len(values).bit_length(), 1), len(values)), values.dtype)
        self._table[0] = values
        for level in range(1, len(self._table)):
            half = 1 << (level - 1)
            self._table[level] = self._table[level - 1]
            best(self._table[level - 1, :-half], self._table[level - 1, half:], out=self._table[level, :-half])

    def over(self, start: AnyInts, stop: AnyInts) -> Ints:
        """The best of ``values[start:stop]`` for each of many ranges; none may be empty."""
        level = np.frexp(stop - start)[1] - 1
        left, right = self._table[level, start], self._table[level, stop - (1 << level)]
        return np.asarray(self._best(left, right), np.int64)
