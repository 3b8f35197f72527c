"""Lists of nearest neighbours that improve in rounds: by the cells around, then by neighbours of neighbours.

The neighbours of a row's neighbours are likely its own neighbours (NN-descent: Dong, Moses, Li 2011). Rows that are
near each other ask together: everything that any of them refers to is compared with all of them in one matrix product.
A row also enters the list of the other row, if it is better than what that list has.

A round reads the lists as they were before a fixed number of groups of rows, so the result does not depend on the
number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.neighbors.lists import Pool
from harvestdetect.neighbors.partition import RANK_BITS, Cells, over_all, ranks
from harvestdetect.neighbors.quantize import NO_SCORE, int8_products, quantize
from harvestdetect.util.arrays import Bools, Ints, Ints8, Ints32, packed_pairs, ranges, unique, unit

__all__ = [
    *("MAX_RANKED_CELLS", "Better", "Lists", "NearRows", "ScoredPairs", "begin", "descend", "empty_lists", "groups_of"),
    "probe",
]

GROUP_ROWS: Final = 256
"""Approximate number of rows that are compared together."""
GROUP_SPAN: Final = 2_048
"""Most positions between the first and the last row of a group of several cells."""
MAX_RANKED_CELLS: Final = 2_048
"""Number of cells that the rows of a group may probe: the most promising ones for the mean of the group."""
FIRST_POINTS: Final = 2_000
"""Number of points in the cells that a group is compared with at first."""
ASKED_POINTS: Final = 131_072
"""Approximate number of neighbours of neighbours that the rows of a group ask for in one round."""
MIN_ASKED: Final = 4
"""Fewest neighbours that a group asks of each of its neighbours, even if :data:`ASKED_POINTS` are exceeded."""
POSITIONS_PER_MARK: Final = 32
"""Number of positions, for each that is named, up to which named positions are marked rather than sorted. It sets the
speed and changes no result."""
POINTS_PER_PROBE: Final = 360
"""Number of points of a probed cell, on average over the cells that a row probes. Of larger cells fewer are probed."""
_GROUPS_PER_TASK: Final = 64
"""Groups whose cells are ranked by one thread at a time."""
_COLUMNS: Final = 2_048
"""Columns of a matrix product: points that rows are compared with at a time."""
_ROWS: Final = 2_048
"""Rows of a matrix product."""
_GROUPS_PER_WAVE: Final = 16
"""Groups that read the lists before any of them changes the lists of others."""
_TASKS_PER_WAVE: Final = 4
"""Tasks of a probe that read the lists before any of them changes these."""
_PAIRS_PER_TASK: Final = 32_768
"""Approximate number of pairs of a row and a cell that one task of a probe compares."""
_GROUPS_PER_PROBE: Final = 512
"""Groups whose pairs of a row and a cell are sorted by cell at a time."""
_LISTS_PER_TASK: Final = 1_024
"""Lists that one thread merges at a time."""
_OLD, _LAST, _NOW = 0, 1, 2
"""Age of a place in a list: found in an earlier round, in the round before, in this round."""
_EMPTY: Final = np.iinfo(np.int64).max
"""An empty place of a list in packed form. It sorts last."""


Cells16: TypeAlias = npt.NDArray[np.uint16]
"""Numbers of cells."""


class ScoredPairs(NamedTuple):
    """Pairs that score well, as three arrays of equal length."""

    at: Ints32
    """The position whose list the other may enter."""
    other: Ints32
    """The other position."""
    score: Ints32
    """The product of their codes."""


class Better(NamedTuple):
    """New lists of some positions; see :class:`Lists` for the columns."""

    near: Ints32
    score: Ints32
    age: Ints8


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The best neighbours found so far for each of n positions, best first and then by position. Changed in place."""

    near: Ints32
    """int32[n, w]: positions of the neighbours, -1 if fewer were found."""
    score: Ints32
    """int32[n, w]: products of codes, :data:`NO_SCORE` if fewer were found."""
    age: Ints8
    """int8[n, w]: 2 for what was found in this round, 1 in the round before, 0 earlier."""
    least: Ints32
    """int32[n]: only a greater score can enter the list."""
    settled: Bools
    """bool[n]: lists that do not change. What is found for them goes to ``later``."""
    later: list[ScoredPairs]
    """What was found for settled lists. A pair that was found twice is here twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearRows:
    """Rows that are near each other and are compared together."""

    rows: Ints32
    """Their positions, ascending."""
    near: Cells16
    """The most promising cells for the mean of the rows, ascending."""
    begun: Ints32
    """Cells that the rows were compared with at first, as places in ``near``."""


def empty_lists(n: int, width: int, *, settled: Bools | None = None) -> Lists:
    """Empty lists of n positions with ``width`` places each.

    Args:
        n: positions.
        width: places of a list.
        settled: bool[n], lists that do not change; None: all may change.
    """
    return Lists(
        near=np.full((n, width), -1, np.int32),
        score=np.full((n, width), NO_SCORE, np.int32),
        age=np.zeros((n, width), np.int8),
        least=np.full(n, NO_SCORE, np.int32),
        settled=np.zeros(n, bool) if settled is None else settled,
        later=[],
    )


def groups_of(cells: Cells, positions: Ints32, pool: Pool) -> list[NearRows]:
    """Splits positions into groups of adjoining cells, and finds the cells around each group."""
    home = cells.home[positions]
    edge = np.append(np.flatnonzero(np.diff(home, prepend=-1)), len(home)).tolist()
    spans: list[tuple[int, int]] = []
    start = 0
    for before, stop in pairwise(edge):
        if before > start and (stop - start > GROUP_ROWS or positions[stop - 1] - positions[start] > GROUP_SPAN):
            spans.append((start, before))
            start = before
        while stop - start > 2 * GROUP_ROWS:
            spans.append((start, start + GROUP_ROWS))
            start += GROUP_ROWS
    if start < len(home):
        spans.append((start, len(home)))
    size = np.diff(cells.border)
    width = min(MAX_RANKED_CELLS, len(size))

    def around(first: int) -> list[NearRows]:
        members = [positions[i:j] for i, j in spans[first : first + _GROUPS_PER_TASK]]
        mean = np.stack([cells.code[rows].sum(axis=0, dtype=np.int32) for rows in members]).astype(np.float32)
        groups = []
        for rows, rank in zip(members, ranks(cells, quantize(unit(mean))), strict=True):
            own = unique(cells.home[rows])
            rank[own] = np.iinfo(np.int32).max
            near = np.argpartition(-rank, width - 1)[:width].astype(np.uint16)
            near.sort()
            order = np.argsort(-rank[near], kind="stable")
            enough = int(np.searchsorted(np.cumsum(size[near[order]]), FIRST_POINTS)) + 1
            groups.append(NearRows(rows=rows, near=near, begun=order[: max(enough, len(own))].astype(np.int32)))
        return groups

    return [group for some in pool.map(around, range(0, len(spans), _GROUPS_PER_TASK)) for group in some]


def begin(cells: Cells, lists: Lists, groups: Sequence[NearRows], entering: Bools, pool: Pool) -> int:
    """Compares the rows of each group with the cells nearest to it.

    Args:
        cells: of all points.
        lists: are changed.
        groups: of the rows that search.
        entering: bool[n], positions that also enter the lists of those that they are compared with.
        pool: threads.

    Returns:
        Number of pairs that were compared.
    """
    size = np.diff(cells.border)

    def around(group: NearRows) -> Ints32:
        chosen = np.sort(group.near[group.begun])
        return ranges(cells.border[chosen], size[chosen]).astype(np.int32)

    return _in_waves(cells, lists, groups, around, entering, pool)


def descend(cells: Cells, lists: Lists, groups: Sequence[NearRows], entering: Bools, pool: Pool) -> int:
    """One round: compares rows with the neighbours of their neighbours.

    Two old places were compared before, so at least one of the two must be new. Arguments and result are those of
    :func:`begin`.
    """
    np.maximum(lists.age, _LAST, out=lists.age)
    lists.age[...] -= 1
    near, age = lists.near, lists.age

    def pointed_to(group: NearRows) -> Ints32:
        mine = near[group.rows]
        fresh = _distinct(mine[age[group.rows] != _OLD])
        every = _distinct(mine.ravel())
        old = np.setdiff1d(every, fresh, assume_unique=True)
        # Lists are sorted. If many are asked, as among nearly equal texts, each gives only its nearest.
        breadth = max(MIN_ASKED, min(near.shape[1], ASKED_POINTS // max(len(every), 1)))
        late = near[old, :breadth][age[old, :breadth] != _OLD]
        return _distinct_of(len(near), (every, near[fresh, :breadth].ravel(), late))

    return _in_waves(cells, lists, groups, pointed_to, entering, pool)


def _distinct_of(n: int, parts: Sequence[Ints32]) -> Ints32:
    """As :func:`_distinct`, of positions below n in several arrays: many are marked rather than sorted."""
    if n > POSITIONS_PER_MARK * sum(map(len, parts)):
        return _distinct(np.concatenate(parts))
    marked = np.zeros(n + 1, bool)
    for part in parts:
        marked[part] = True  # -1 marks the last place
    return np.flatnonzero(marked[:n]).astype(np.int32)


def _distinct(values: Ints32) -> Ints32:
    """The distinct positions, ascending, without -1."""
    values = np.sort(values)
    values = values[np.flatnonzero(np.diff(values, prepend=-1))]
    return values[np.searchsorted(values, 0) :]


def probe(
    cells: Cells, lists: Lists, groups: Sequence[NearRows], start: int, stop: int, entering: Bools, pool: Pool
) -> int:
    """Compares each row with the cells from the ``start``-th to the ``stop``-th most promising for it.

    Cells that its group was compared with at first do not count. The other arguments and the result are those of
    :func:`begin`.
    """
    pairs = 0
    size = np.diff(cells.border)
    for first in range(0, len(groups), _GROUPS_PER_PROBE):
        some = groups[first : first + _GROUPS_PER_PROBE]
        chosen = list(pool.map(lambda group: _most_promising(cells, group, start, stop), some))
        rows = np.concatenate([np.repeat(g.rows, c.shape[1]) for g, c in zip(some, chosen, strict=True)])
        wanted = np.concatenate([_within(size[c], POINTS_PER_PROBE * (stop - start)).ravel() for c in chosen])
        cell = np.concatenate([c.ravel() for c in chosen])
        pairs += _by_cell(cells, lists, rows[wanted], cell[wanted], entering, pool)
    return pairs


def _within(size: Ints, points: int) -> Bools:
    """Which cells of each row, taken from the first on, start before this number of points is reached."""
    return np.cumsum(size, axis=1) - size < points


def _most_promising(cells: Cells, group: NearRows, start: int, stop: int) -> Cells16:
    """The cells from the ``start``-th to the ``stop``-th for each row: uint16[rows, at most stop - start]."""
    width = len(group.near)
    left = width - len(group.begun)
    start, stop = min(start, left), min(stop, left)
    if start == stop:
        return np.empty((len(group.rows), 0), np.uint16)
    bits = max(width - 1, 1).bit_length()
    key = ranks(cells, cells.code[group.rows], group.near)
    # A rank and a cell are packed into one number. Cells that were compared before sort last.
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


def _by_cell(cells: Cells, lists: Lists, rows: Ints32, cell: Cells16, entering: Bools, pool: Pool) -> int:
    """Compares each row with the points of a cell. All rows of one cell are multiplied together."""
    order = np.argsort(cell, kind="stable")
    rows, cell = rows[order], cell[order]
    first = np.append(np.flatnonzero(np.diff(cell.astype(np.int32), prepend=-1)), len(cell))
    cell = cell[first[:-1]]
    lots = -(-len(rows) // _PAIRS_PER_TASK)
    cut = unique(np.searchsorted(first, np.linspace(0, len(rows), lots + 1).astype(np.int64)))

    def compare(lot: int) -> tuple[list[ScoredPairs], int]:
        found: list[ScoredPairs] = []
        pairs = 0
        for i in range(int(cut[lot]), int(cut[lot + 1])):
            for s in range(int(first[i]), int(first[i + 1]), _ROWS):
                who = rows[s : min(s + _ROWS, int(first[i + 1]))]
                enters, least = entering[who], lists.least[who]
                for a in range(int(cells.border[cell[i]]), int(cells.border[cell[i] + 1]), _COLUMNS):
                    points = np.arange(a, min(a + _COLUMNS, int(cells.border[cell[i] + 1])), dtype=np.int32)
                    mine, others = _compare(cells, lists, who, points, least, enters)
                    found.append(ScoredPairs(who[mine.at], mine.other, mine.score))
                    found += others
                    pairs += len(who) * len(points)
        return found, pairs

    total = 0
    for wave in range(0, len(cut) - 1, _TASKS_PER_WAVE):
        found: list[ScoredPairs] = []
        for some, pairs in pool.map(compare, range(wave, min(wave + _TASKS_PER_WAVE, len(cut) - 1))):
            found += some
            total += pairs
        _merge(found, lists, pool)
    return total


class _Joined(NamedTuple):
    """The result of comparing a group with some points."""

    rows: Ints32
    """Positions of the group."""
    better: Better
    """Their new lists."""
    others: list[ScoredPairs]
    """What was found for the points."""
    pairs: int
    """Number of pairs that were compared."""


def _in_waves(
    cells: Cells,
    lists: Lists,
    groups: Sequence[NearRows],
    points_of: Callable[[NearRows], Ints32],
    entering: Bools,
    pool: Pool,
) -> int:
    """Compares each group with the points that ``points_of`` names, and improves the lists, wave by wave."""
    total = 0

    def join(group: NearRows) -> _Joined:
        points = points_of(group)
        better, others = _join(cells, lists, group.rows, points, entering[group.rows])
        return _Joined(group.rows, better, others, len(group.rows) * len(points))

    for start in range(0, len(groups), _GROUPS_PER_WAVE):
        found: list[ScoredPairs] = []
        for joined in list(pool.map(join, groups[start : start + _GROUPS_PER_WAVE])):
            _put(lists, joined.rows, joined.better)
            found += joined.others
            total += joined.pairs
        _merge(found, lists, pool)
    return total


def _join(cells: Cells, lists: Lists, rows: Ints32, points: Ints32, enters: Bools) -> tuple[Better, list[ScoredPairs]]:
    """Compares rows with points. Returns the new lists of the rows, and what was found for the points."""
    least = lists.least[rows]
    found: list[ScoredPairs] = []
    others: list[ScoredPairs] = []
    for start in range(0, len(points), _COLUMNS):
        mine, theirs = _compare(cells, lists, rows, points[start : start + _COLUMNS], least, enters)
        found.append(mine)
        others += theirs
    of, ids, score = (np.concatenate(part) for part in zip(*found, strict=True))
    return _best(lists, rows, of, ids, score), others


def _compare(
    cells: Cells, lists: Lists, rows: Ints32, points: Ints32, least: Ints32, enters: Bools
) -> tuple[ScoredPairs, list[ScoredPairs]]:
    """Compares rows with points.

    Args:
        cells: of all points.
        lists: of all positions.
        rows: int32[r], positions.
        points: int32[p], positions, ascending.
        least: int32[r], the score that a point must exceed for the row. It rises if many more points exceed it than a
            list has places.
        enters: bool[r], rows that may enter the lists of the points.

    Returns:
        What was found for the rows (``at`` is an index into ``rows``), and what was found for the points.
    """
    m, width = len(points), lists.near.shape[1]
    product = int8_products(cells.code[rows], cells.code[points])
    at = np.minimum(np.searchsorted(points, rows), m - 1)
    own = np.flatnonzero(points[at] == rows)
    product[own, at[own]] = NO_SCORE
    greater = product > least[:, None]
    if m > width and np.count_nonzero(greater) > 2 * width * len(rows):
        # The w-th of the best of parts is no better than the w-th best of all.
        parts = 2 * width if m >= 4 * width else m
        best = product[:, : m // parts * parts].reshape(len(rows), -1, parts).max(axis=1)
        best.partition(parts - width, axis=1)
        np.maximum(least, best[:, parts - width] - 1, out=least)
        greater = product > least[:, None]
    mine = _hits(product, greater)
    found = ScoredPairs(mine.at, points[mine.other], mine.score)
    if not enters.any():
        return found, []
    of, who, score = _hits(product, product > lists.least[points])
    if not enters.all():
        keep = enters[of]
        of, who, score = of[keep], who[keep], score[keep]
    return found, [ScoredPairs(points[who], rows[of], score)]


def _hits(product: Ints32, where: Bools) -> ScoredPairs:
    """Row, column and value of the entries of a product that are wanted."""
    hit = np.flatnonzero(where)
    row, column = np.divmod(hit.astype(np.int32), np.int32(product.shape[1]))
    return ScoredPairs(row, column, product.ravel()[hit])


def _best(lists: Lists, rows: Ints32, of: Ints32, ids: Ints32, score: Ints32) -> Better:
    """The lists of some positions, merged with what was found for them.

    Args:
        lists: of all positions.
        rows: m positions.
        of: int32[f], for which of the m something was found.
        ids: int32[f], what was found; it may be in the list already.
        score: int32[f], its score.
    """
    m, width = len(rows), lists.near.shape[1]
    order = np.argsort(of.astype(np.uint16), kind="stable")
    of = of[order]
    count = np.bincount(of, minlength=m)
    packed = np.full((m, width + int(count.max(initial=0))), _EMPTY, np.int64)
    packed[:, :width] = _packed(lists.score[rows], lists.near[rows], lists.age[rows])
    within = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    packed[of, width + within] = _packed(score[order], ids[order], np.int8(_NOW))
    packed.sort(axis=1)
    again = (packed[:, 1:] >> 2 == packed[:, :-1] >> 2) & (packed[:, 1:] != _EMPTY)
    if again.any():
        packed[:, 1:][again] = _EMPTY
        packed.sort(axis=1)
    packed = packed[:, :width]
    low = packed.astype(np.uint32)
    near, value, age = (low >> 2).astype(np.int32), (-(packed >> 32)).astype(np.int32), (low & 3).astype(np.int8)
    gone = packed == _EMPTY
    near[gone], value[gone], age[gone] = -1, NO_SCORE, _OLD
    return Better(near, value, age)


def _packed(score: Ints32, ids: Ints32, age: Ints8 | np.int8) -> Ints:
    """Score, id and age as one number that sorts by falling score, then by id."""
    packed = -score.astype(np.int64)
    packed <<= 32
    packed |= (ids.astype(np.int64) << 2) | age
    packed[ids < 0] = _EMPTY
    return packed


def _put(lists: Lists, rows: Ints32, better: Better) -> None:
    """Replaces the lists of some positions."""
    lists.near[rows], lists.score[rows], lists.age[rows] = better
    lists.least[rows] = np.maximum(lists.least[rows], better.score[:, -1])


def _merge(gathered: Sequence[ScoredPairs], lists: Lists, pool: Pool) -> None:
    """Merges what was found into the lists. What was found for settled lists is kept for later."""
    if not gathered:
        return
    of, ids, score = (np.concatenate(part) for part in zip(*gathered, strict=True))
    settled = lists.settled[of]
    if settled.any():
        lists.later.append(ScoredPairs(of[settled], ids[settled], score[settled]))
    keep = np.flatnonzero((score > lists.least[of]) & ~settled)  # the least may have risen meanwhile
    key = packed_pairs(of[keep], keep)
    key.sort()
    keep = key & 0xFFFFFFFF
    of, ids, score = of[keep], ids[keep], score[keep]
    edge = np.append(np.flatnonzero(np.diff(of, prepend=-1)), len(of))

    def put(first: int) -> None:
        last = min(first + _LISTS_PER_TASK, len(edge) - 1)
        part = slice(edge[first], edge[last])
        rows = of[edge[first:last]]
        local = np.repeat(np.arange(last - first, dtype=np.int32), np.diff(edge[first : last + 1]))
        _put(lists, rows, _best(lists, rows, local, ids[part], score[part]))

    over_all(pool, put, range(0, len(edge) - 1, _LISTS_PER_TASK))
