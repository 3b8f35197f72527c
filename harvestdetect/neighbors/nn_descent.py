"""Lists of nearest neighbours that become better step by step: by the cells around, then by neighbours of neighbours.

The neighbours of a row's neighbours are likely its own (NN-descent: Dong, Moses, Li 2011). The rows of a place ask
together, and everything that any of them is pointed to is compared with all of them in one product of matrices. Rows
that were found better than what the other side has enter its list as well.

A step reads the lists as they stood before a fixed number of groups of rows, so the result does not depend on the
number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.neighbors.partition import RANK_BITS, Cells, over_all, ranks
from harvestdetect.neighbors.quantize import NO_SCORE, int8_products, quantize
from harvestdetect.util.arrays import Bools, Ints, Ints8, Ints32, packed_pairs, ranges, unique, unit

__all__ = ["Found", "Group", "Lists", "begin", "descend", "empty_lists", "groups_of", "probe"]

GROUP: Final = 256
"""Rows that are compared together, about."""
SPREAD: Final = 2_048
"""Positions that the rows of a group lie within, if they are of several cells."""
NEAR_CELLS: Final = 2_048
"""The cells that the rows of a group may probe: those most promising for their mean."""
FIRST: Final = 2_000
"""Points of the cells that a group is compared with at first."""
ASKED: Final = 131_072
"""Neighbours of neighbours that the rows of a group ask for at a time, about..."""
LEAST_ASKED: Final = 4
"""...but so many of each neighbour."""
PROBED: Final = 360
"""Points of a probed cell, on average over the cells that a row probes; of greater cells fewer are probed."""
_AROUND: Final = 64
_WIDTH: Final = 2_048
_TALL: Final = 2_048
_WAVE: Final = 16
_LOTS: Final = 4
_PAIRS: Final = 32_768
_CHUNK: Final = 512
_MERGED: Final = 1_024
_OLD, _LAST, _NOW = 0, 1, 2
_GONE: Final = np.iinfo(np.int64).max

Pool: TypeAlias = ThreadPoolExecutor
Found: TypeAlias = tuple[Ints32, Ints32, Ints32]
"""For which position which other was found, with which score."""
Better: TypeAlias = tuple[Ints32, Ints32, Ints8]
"""Lists as :class:`Lists` has them, of some positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The best that was found for each of n positions, best first; ties in the order of positions."""

    near: Ints32
    """int32[n, w]: positions, -1 where fewer were found."""
    score: Ints32
    """int32[n, w]: products of codes, :data:`NO_SCORE` where fewer were found."""
    age: Ints8
    """int8[n, w]: 2 for what was found in the present round, 1 in the one before, 0 earlier."""
    least: Ints32
    """int32[n]: what does not score more is of no use."""
    settled: Bools
    """bool[n]: lists that stay as they are; what is found for them is put by..."""
    later: list[Found]
    """...here. Of what was found twice both are here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows of a place."""

    rows: Ints32
    """Their positions, ascending."""
    near: npt.NDArray[np.uint16]
    """The cells most promising for their mean, ascending."""
    begun: Ints32
    """Which of these they were compared with in the beginning: places in ``near``."""


def empty_lists(n: int, width: int, *, settled: Bools | None = None) -> Lists:
    """Lists of n positions, at most ``width`` to each, with nothing in them.

    ``settled``: bool[n], those that stay as they are; None: none.
    """
    return Lists(
        near=np.full((n, width), -1, np.int32),
        score=np.full((n, width), NO_SCORE, np.int32),
        age=np.zeros((n, width), np.int8),
        least=np.full(n, NO_SCORE, np.int32),
        settled=np.zeros(n, bool) if settled is None else settled,
        later=[],
    )


def groups_of(cells: Cells, positions: Ints32, pool: Pool) -> list[Group]:
    """Rows that are compared together, of adjoining cells, and the cells around them."""
    home = cells.home[positions]
    edge = np.append(np.flatnonzero(np.diff(home, prepend=-1)), len(home)).tolist()
    spans: list[tuple[int, int]] = []
    start = 0
    for before, stop in pairwise(edge):
        if before > start and (stop - start > GROUP or positions[stop - 1] - positions[start] > SPREAD):
            spans.append((start, before))
            start = before
        while stop - start > 2 * GROUP:
            spans.append((start, start + GROUP))
            start += GROUP
    if start < len(home):
        spans.append((start, len(home)))
    size = np.diff(cells.border)
    width = min(NEAR_CELLS, len(size))

    def around(first: int) -> list[Group]:
        held = [positions[i:j] for i, j in spans[first : first + _AROUND]]
        mean = np.stack([cells.code[rows].sum(axis=0, dtype=np.int32) for rows in held]).astype(np.float32)
        groups = []
        for rows, rank in zip(held, ranks(cells, quantize(unit(mean))), strict=True):
            own = unique(cells.home[rows])
            rank[own] = np.iinfo(np.int32).max
            near = np.argpartition(-rank, width - 1)[:width].astype(np.uint16)
            near.sort()
            order = np.argsort(-rank[near], kind="stable")
            enough = int(np.searchsorted(np.cumsum(size[near[order]]), FIRST)) + 1
            groups.append(Group(rows=rows, near=near, begun=order[: max(enough, len(own))].astype(np.int32)))
        return groups

    return [group for some in pool.map(around, range(0, len(spans), _AROUND)) for group in some]


def begin(cells: Cells, lists: Lists, groups: Sequence[Group], entering: Bools, pool: Pool) -> int:
    """Compares the rows of each group with the cells nearest to it.

    Args:
        cells: of all points.
        lists: are changed.
        groups: of the rows that search.
        entering: bool[n], positions that also enter the lists of those they are compared with.
        pool: threads.

    Returns:
        how many pairs were compared.
    """
    size = np.diff(cells.border)

    def around(group: Group) -> Ints32:
        chosen = np.sort(group.near[group.begun])
        return ranges(cells.border[chosen], size[chosen]).astype(np.int32)

    return _in_waves(cells, lists, groups, around, entering, pool)


def descend(cells: Cells, lists: Lists, groups: Sequence[Group], entering: Bools, pool: Pool) -> int:
    """One round: the rows ask their neighbours for theirs; what is old on both sides was compared before.

    Arguments and result are those of :func:`begin`.
    """
    np.maximum(lists.age, _LAST, out=lists.age)
    lists.age[...] -= 1
    near, age = lists.near, lists.age

    def pointed_to(group: Group) -> Ints32:
        mine = near[group.rows]
        fresh = _distinct(mine[age[group.rows] != _OLD])
        every = _distinct(mine.ravel())
        old = np.setdiff1d(every, fresh, assume_unique=True)
        # lists are sorted: where many are asked, as among texts that are all but equal, each gives its nearest
        breadth = max(LEAST_ASKED, min(near.shape[1], ASKED // max(len(every), 1)))
        late = near[old, :breadth][age[old, :breadth] != _OLD]
        return _distinct(np.concatenate((every, near[fresh, :breadth].ravel(), late)))

    return _in_waves(cells, lists, groups, pointed_to, entering, pool)


def _distinct(values: Ints32) -> Ints32:
    """The distinct ones of some positions, ascending, without -1."""
    values = np.sort(values)
    values = values[np.flatnonzero(np.diff(values, prepend=-1))]
    return values[np.searchsorted(values, 0) :]


def probe(
    cells: Cells, lists: Lists, groups: Sequence[Group], start: int, stop: int, entering: Bools, pool: Pool
) -> int:
    """Compares each row with the cells from the ``start``-th to the ``stop``-th most promising for it.

    The cells that its group began with do not count. Other arguments and the result are those of :func:`begin`.
    """
    pairs = 0
    size = np.diff(cells.border)
    for first in range(0, len(groups), _CHUNK):
        some = groups[first : first + _CHUNK]
        chosen = list(pool.map(lambda group: _most_promising(cells, group, start, stop), some))
        rows = np.concatenate([np.repeat(g.rows, c.shape[1]) for g, c in zip(some, chosen, strict=True)])
        wanted = np.concatenate([_within(size[c], PROBED * (stop - start)).ravel() for c in chosen])
        cell = np.concatenate([c.ravel() for c in chosen])
        pairs += _by_cell(cells, lists, rows[wanted], cell[wanted], entering, pool)
    return pairs


def _within(size: Ints, points: int) -> Bools:
    """Which of the cells of each row, from the first on, come before so many points are reached."""
    return np.cumsum(size, axis=1) - size < points


def _most_promising(cells: Cells, group: Group, start: int, stop: int) -> npt.NDArray[np.uint16]:
    """uint16[rows of the group, at most stop - start]: cells."""
    width = len(group.near)
    left = width - len(group.begun)
    start, stop = min(start, left), min(stop, left)
    if start == stop:
        return np.empty((len(group.rows), 0), np.uint16)
    bits = max(width - 1, 1).bit_length()
    key = ranks(cells, cells.code[group.rows], group.near)
    # a rank and a cell as one number; cells that were compared go last
    np.clip(key, -(2 ** (RANK_BITS + 1)), 2 ** (RANK_BITS + 1) - 1, out=key)
    np.subtract(2 ** (RANK_BITS + 1) - 1, key, out=key)
    key <<= bits
    key |= np.arange(width, dtype=np.int32)
    key[:, group.begun] = np.iinfo(np.int32).max
    if stop < width:
        key.partition(stop - 1, axis=1)
        key = key[:, :stop]
    key.sort(axis=1)
    return np.asarray(group.near[key[:, start:stop] & ((1 << bits) - 1)])


def _by_cell(
    cells: Cells, lists: Lists, rows: Ints32, cell: npt.NDArray[np.uint16], entering: Bools, pool: Pool
) -> int:
    """Compares rows with the points of a cell each; all rows of a cell at once."""
    order = np.argsort(cell, kind="stable")
    rows, cell = rows[order], cell[order]
    first = np.append(np.flatnonzero(np.diff(cell.astype(np.int32), prepend=-1)), len(cell))
    cell = cell[first[:-1]]
    lots = -(-len(rows) // _PAIRS)
    cut = unique(np.searchsorted(first, np.linspace(0, len(rows), lots + 1).astype(np.int64)))

    def compare(lot: int) -> tuple[list[Found], int]:
        found: list[Found] = []
        pairs = 0
        for i in range(int(cut[lot]), int(cut[lot + 1])):
            for s in range(int(first[i]), int(first[i + 1]), _TALL):
                who = rows[s : min(s + _TALL, int(first[i + 1]))]
                enters, least = entering[who], lists.least[who]
                for a in range(int(cells.border[cell[i]]), int(cells.border[cell[i] + 1]), _WIDTH):
                    held = np.arange(a, min(a + _WIDTH, int(cells.border[cell[i] + 1])), dtype=np.int32)
                    mine, others = _compare(cells, lists, who, held, least, enters)
                    found.append((who[mine[0]], mine[1], mine[2]))
                    found += others
                    pairs += len(who) * len(held)
        return found, pairs

    total = 0
    for wave in range(0, len(cut) - 1, _LOTS):
        found: list[Found] = []
        for some, pairs in pool.map(compare, range(wave, min(wave + _LOTS, len(cut) - 1))):
            found += some
            total += pairs
        _merge(found, lists, pool)
    return total


def _in_waves(
    cells: Cells,
    lists: Lists,
    groups: Sequence[Group],
    held_of: Callable[[Group], Ints32],
    entering: Bools,
    pool: Pool,
) -> int:
    """Compares each group with what ``held_of`` names, and puts what is better into the lists, wave by wave."""
    total = 0

    def join(group: Group) -> tuple[Ints32, Better, list[Found], int]:
        held = held_of(group)
        better, others = _join(cells, lists, group.rows, held, entering[group.rows])
        return group.rows, better, others, len(group.rows) * len(held)

    for start in range(0, len(groups), _WAVE):
        found: list[Found] = []
        for rows, better, others, pairs in list(pool.map(join, groups[start : start + _WAVE])):
            _put(lists, rows, better)
            found += others
            total += pairs
        _merge(found, lists, pool)
    return total


def _join(cells: Cells, lists: Lists, rows: Ints32, held: Ints32, enters: Bools) -> tuple[Better, list[Found]]:
    """What some rows have when they were compared with some points, and what those would have of them."""
    least = lists.least[rows]
    found: list[Found] = []
    others: list[Found] = []
    for start in range(0, len(held), _WIDTH):
        mine, theirs = _compare(cells, lists, rows, held[start : start + _WIDTH], least, enters)
        found.append(mine)
        others += theirs
    of, ids, score = (np.concatenate(part) for part in zip(*found, strict=True))
    return _best(lists, rows, of, ids, score), others


def _compare(
    cells: Cells, lists: Lists, rows: Ints32, held: Ints32, least: Ints32, enters: Bools
) -> tuple[Found, list[Found]]:
    """The pairs of rows and points that score more than the least of the row (by number), and of the point.

    Where that would be many more than a list takes, what is the least rises.
    """
    m, width = len(held), lists.near.shape[1]
    product = int8_products(cells.code[rows], cells.code[held])
    at = np.minimum(np.searchsorted(held, rows), m - 1)
    own = np.flatnonzero(held[at] == rows)
    product[own, at[own]] = NO_SCORE
    greater = product > least[:, None]
    if m > width and np.count_nonzero(greater) > 2 * width * len(rows):
        # the w-th of the best of parts is no better than the w-th best of all
        parts = 2 * width if m >= 4 * width else m
        best = product[:, : m // parts * parts].reshape(len(rows), -1, parts).max(axis=1)
        best.partition(parts - width, axis=1)
        np.maximum(least, best[:, parts - width] - 1, out=least)
        greater = product > least[:, None]
    mine = _hits(product, greater)
    found = (mine[0], held[mine[1]], mine[2])
    if not enters.any():
        return found, []
    of, who, score = _hits(product, product > lists.least[held])
    if not enters.all():
        keep = enters[of]
        of, who, score = of[keep], who[keep], score[keep]
    return found, [(held[who], rows[of], score)]


def _hits(product: Ints32, where: Bools) -> Found:
    """Row, column and value of what is wanted."""
    hit = np.flatnonzero(where)
    row, column = np.divmod(hit.astype(np.int32), np.int32(product.shape[1]))
    return row, column, product.ravel()[hit]


def _best(lists: Lists, rows: Ints32, of: Ints32, ids: Ints32, score: Ints32) -> Better:
    """The lists of some rows with what was found for them.

    Args:
        lists: as they stand.
        rows: m positions.
        of: int32[f], for which of the m.
        ids: int32[f], what was found; it may be in the list already.
        score: int32[f].
    """
    m, width = len(rows), lists.near.shape[1]
    order = np.argsort(of.astype(np.uint16), kind="stable")
    of = of[order]
    count = np.bincount(of, minlength=m)
    packed = np.full((m, width + int(count.max(initial=0))), _GONE, np.int64)
    packed[:, :width] = _packed(lists.score[rows], lists.near[rows], lists.age[rows])
    within = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    packed[of, width + within] = _packed(score[order], ids[order], np.int8(_NOW))
    packed.sort(axis=1)
    again = (packed[:, 1:] >> 2 == packed[:, :-1] >> 2) & (packed[:, 1:] != _GONE)
    if again.any():
        packed[:, 1:][again] = _GONE
        packed.sort(axis=1)
    packed = packed[:, :width]
    low = packed.astype(np.uint32)
    near, value, age = (low >> 2).astype(np.int32), (-(packed >> 32)).astype(np.int32), (low & 3).astype(np.int8)
    gone = packed == _GONE
    near[gone], value[gone], age[gone] = -1, NO_SCORE, _OLD
    return near, value, age


def _packed(score: Ints32, ids: Ints32, age: Ints8 | np.int8) -> Ints:
    """Score, id and age as one number that sorts by the score, the greatest first, then by the id."""
    packed = -score.astype(np.int64)
    packed <<= 32
    packed |= (ids.astype(np.int64) << 2) | age
    packed[ids < 0] = _GONE
    return packed


def _put(lists: Lists, rows: Ints32, better: Better) -> None:
    lists.near[rows], lists.score[rows], lists.age[rows] = better
    lists.least[rows] = np.maximum(lists.least[rows], better[1][:, -1])


def _merge(gathered: Sequence[Found], lists: Lists, pool: Pool) -> None:
    """Puts what was found into the lists, or by."""
    if not gathered:
        return
    of, ids, score = (np.concatenate(part) for part in zip(*gathered, strict=True))
    settled = lists.settled[of]
    if settled.any():
        lists.later.append((of[settled], ids[settled], score[settled]))
    keep = np.flatnonzero((score > lists.least[of]) & ~settled)  # the least may have risen since
    key = packed_pairs(of[keep], keep)
    key.sort()
    keep = key & 0xFFFFFFFF
    of, ids, score = of[keep], ids[keep], score[keep]
    edge = np.append(np.flatnonzero(np.diff(of, prepend=-1)), len(of))

    def put(first: int) -> None:
        last = min(first + _MERGED, len(edge) - 1)
        part = slice(edge[first], edge[last])
        rows = of[edge[first:last]]
        local = np.repeat(np.arange(last - first, dtype=np.int32), np.diff(edge[first : last + 1]))
        _put(lists, rows, _best(lists, rows, local, ids[part], score[part]))

    over_all(pool, put, range(0, len(edge) - 1, _MERGED))
