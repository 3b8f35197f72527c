"""Nearest neighbours of unit vectors. The only place that knows similarities; all that leaves is a distance.

Few vectors are compared each with each. Many are put into cells (:mod:`harvestdetect.neighbors.partition`), compared
with the cells
around them, and pointed to the neighbours of their neighbours (:mod:`harvestdetect.neighbors.nn_descent`) until a
sample shows that
:data:`TARGET_RECALL` of the true neighbours are found; what came out best is put in order by the vectors themselves.

Everything runs in fixed blocks, so the result depends neither on the number of threads nor on what runs the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.data import Neighbors
from harvestdetect.neighbors.nn_descent import NEAR_CELLS, Found, Lists, begin, descend, empty_lists, groups_of, probe
from harvestdetect.neighbors.partition import Cells, Partition, make_cells, over_all
from harvestdetect.neighbors.quantize import NO_SCORE, SCALE, unit_float32
from harvestdetect.util.arrays import AnyInts, Floats32, Ints, Ints32, pairs, ranges, unit
from harvestdetect.util.machine import cores
from harvestdetect.util.vectors import Rows

__all__ = ["chord_distance", "nearest", "nearest_to"]

BLOCK: Final = 4096
"""Rows searched at once."""
TARGET_RECALL: Final = 0.95
"""Share of the true neighbours that an inexact search must find on a sample..."""
CLOSE: Final = 1.01
"""...or, counting those no farther than so many times the true last one..."""
TARGET_CLOSE: Final = 0.99
"""...this share, where a round of neighbours of neighbours finds..."""
SMALL_GAIN: Final = 0.02
"""...no more than this of the true ones. Among millions of texts the last places of a list are as good as a draw: many
others lie within one hundredth of the distance (ANN-Benchmarks counts so too: Aumueller, Bernhardsson, Faithfull
2020)."""
MAX_CELLS: Final = 65_536
"""Cells, at most; nor are there more than"""
CELLS_PER_ROOT: Final = 16
"""times the square root of the rows that are searched: making cells costs every row, searching only those."""
PROBES: Final = 12
"""Cells that a row of its own is compared with before it asks its neighbours."""
MOST_COMPARED: Final = 65_536 * 1_000_000
"""Pairs after which a search gives up on finding more, or, where that is more, for each row..."""
MOST_OF_A_ROW: Final = 65_536
"""...this. What was reached is told."""
LEAST_GAIN: Final = 0.003
"""Where a round of neighbours of neighbours finds a smaller share of the true ones, more cells are probed."""
NEAR: Final = 0.9
"""Neighbours nearer than this chord distance are reported apart: what a cluster is made of."""
SLACK: Final = 8
"""Places of a list beyond k, since scores of codes are not exact."""
MARGIN: Final = 0.004
"""A cosine by codes is hardly ever farther from the true one."""
_SAMPLE: Final = 1_024
_LEAST_SAMPLE: Final = 256
_SAMPLED: Final = 1 / 128
_SEGMENT: Final = 65_536
_LITTLE: Final = 256

Pool: TypeAlias = ThreadPoolExecutor
Known: TypeAlias = tuple[Neighbors, Ints32]


def chord_distance(cosine: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The straight distance between two points of the unit sphere: sqrt(2 - 2 cos)."""
    return np.sqrt(np.clip(2.0 - 2.0 * cosine, 0.0, 4.0)).astype(np.float32)


def nearest(
    vectors: Rows,
    *,
    k: int,
    exact_below: int = 30_000,
    threads: int = 0,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
    notes: Callable[[str], object] | None = None,
    known: Known | None = None,
    partition: Partition | None = None,
    leave: Callable[[Partition], object] | None = None,
) -> Neighbors:
    """The k nearest other rows of each row.

    Args:
        vectors: float16 or float32[n, d], unit rows but for rounding; an array or a
            :class:`~harvestdetect.util.vectors.RowFile`. A :class:`numpy.memmap` is taken as an array: its pages then
            count as the process's memory.
        k: how many; rows of the result end with -1 / inf where fewer than k others were found.
        exact_below: exact search up to so many rows; above, an inexact one until :data:`TARGET_RECALL` is reached on
            a sample.
        threads: 0 takes all cores.
        seed: of the cells.
        progress: called with the number of further rows done.
        notes: told, in a sentence, which share of the true neighbours an inexact search found.
        known: what was found among other rows, and int32[m], where each of those m stands among these: -1 where it is
            gone. Only rows that are new, or lost a neighbour, are searched, and the new ones enter the lists of the
            others.
        partition: of these rows, as an inexact search of most of them left it: saves making cells.
        leave: told the partition that an inexact search has used.

    Raises:
        ValueError: ``known`` is not of this k, or places two rows at one.
    """
    n = len(vectors)
    # memory that is not written to yet counts for nothing, and a search of all rows by cells writes them last
    index, distance = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    if known is not None or n <= max(exact_below, 1):
        index[...], distance[...] = -1, np.inf
    done = progress or (lambda rows: None)
    wanted = np.arange(n, dtype=np.int32) if known is None else _take_over(known, index, distance)
    fresh = np.ones(n, bool)
    if known is not None:
        fresh[known[1][known[1] >= 0]] = False
    done(n - len(wanted))
    if n < 2 or not len(wanted):
        done(len(wanted))
        return Neighbors(index=index, distance=distance)
    with _pool(threads, codes=n > exact_below) as pool:
        if n <= exact_below:
            _exact(unit(vectors[:]), wanted, fresh, index, distance, pool, done)
        else:
            _by_cells(
                vectors, wanted, fresh, index, distance, pool=pool, seed=seed, done=done,
                tell=notes or (lambda note: None), partition=partition, leave=leave or (lambda partition: None),
            )  # fmt: skip
    return Neighbors(index=index, distance=distance)


def nearest_to(queries: Floats32, vectors: Floats32, *, k: int) -> Neighbors:
    """The k rows of ``vectors`` nearest to each of the ``queries``, exactly."""
    ids = np.full((len(queries), k), -1, np.int32)
    distance = np.full((len(queries), k), np.inf, np.float32)
    if len(queries) and len(vectors):
        cosine, found = _top(queries, vectors, min(k, len(vectors)))
        ids[:, : found.shape[1]] = found
        distance[:, : found.shape[1]] = chord_distance(cosine)
    return Neighbors(index=ids, distance=distance)


@contextmanager
def _pool(threads: int, *, codes: bool) -> Iterator[Pool]:
    """Threads for the blocks; every product inside of them runs on one thread. ``codes``: whether torch multiplies."""
    from threadpoolctl import threadpool_limits

    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(threads or cores(), initializer=_one_thread, initargs=(codes,)) as pool,
    ):
        yield pool


def _one_thread(codes: bool) -> None:
    import faiss

    faiss.omp_set_num_threads(1)
    if codes:
        import torch

        torch.set_num_threads(1)


def _take_over(known: Known, index: Ints32, distance: Floats32) -> Ints32:
    """Puts known neighbours where their rows stand now; the rows that have to be searched, ascending."""
    old, place = known
    n, k = index.shape
    if old.index.shape[1] != k:
        raise ValueError(f"the known neighbours are {old.index.shape[1]} to a row, wanted are {k}")
    held = np.flatnonzero(place >= 0)
    if len(held) and np.bincount(place[held]).max() > 1:
        raise ValueError("two known rows stand at one place")
    wanted = np.ones(n, bool)
    for start in range(0, len(held), _SEGMENT):
        rows = held[start : start + _SEGMENT]
        found = old.index[rows]
        moved = np.where(found < 0, np.int32(-1), place[found])
        whole = ~((moved < 0) & (found >= 0)).any(axis=1)
        rows, moved = rows[whole], moved[whole]
        index[place[rows]] = moved
        distance[place[rows]] = old.distance[rows]
        wanted[place[rows]] = False
    return np.flatnonzero(wanted).astype(np.int32)


# ---------------------------------------------------------------- exact


def _exact(
    vectors: Floats32,
    wanted: Ints32,
    fresh: npt.NDArray[np.bool_],
    index: Ints32,
    distance: Floats32,
    pool: Pool,
    done: Callable[[int], object],
) -> None:
    """Compares the wanted rows with all rows, and lets fresh ones enter the lists of the others."""
    n, k = index.shape

    def search(start: int) -> int:
        rows = wanted[start : start + BLOCK]
        cosine, found = _top(vectors[rows], vectors, min(k + 1, n))
        index[rows], distance[rows] = _without_self(cosine, found, rows, k)
        return len(rows)

    for count in pool.map(search, range(0, len(wanted), BLOCK)):
        done(count)
    others = np.setdiff1d(np.arange(n, dtype=np.int32), wanted, assume_unique=True)
    new = np.flatnonzero(fresh).astype(np.int32)
    if not len(new):
        return

    def enter(start: int) -> None:
        rows = others[start : start + BLOCK]
        cosine, found = _top(vectors[rows], vectors[new], min(k, len(new)))
        chord = np.concatenate((distance[rows], chord_distance(cosine)), axis=1)
        ids = np.concatenate((index[rows], new[found]), axis=1)
        index[rows], distance[rows] = _first(chord, ids, k)

    over_all(pool, enter, range(0, len(others), BLOCK))


def _top(queries: Floats32, vectors: Floats32, k: int) -> tuple[Floats32, Ints]:
    """Greatest cosines and their rows: float32[q, k], int64[q, k]."""
    import faiss

    cosine, found = faiss.knn(
        np.ascontiguousarray(queries, np.float32),
        np.ascontiguousarray(vectors, np.float32),
        k,
        metric=faiss.METRIC_INNER_PRODUCT,
    )
    return np.asarray(cosine), np.asarray(found)


def _without_self(cosine: Floats32, found: Ints, rows: Ints32, k: int) -> tuple[Ints32, Floats32]:
    """The neighbours of a block without the row itself, ties in the order of their index."""
    chord = np.where(found < 0, np.float32(np.inf), chord_distance(cosine))
    chord[found == rows[:, None]] = np.inf
    return _first(chord, found.astype(np.int32), k)


def _first(chord: Floats32, found: Ints32, k: int) -> tuple[Ints32, Floats32]:
    """The k nearest of each row, ties in the order of their index; -1 / inf where there are fewer."""
    if chord.shape[1] < k:
        fill = ((0, 0), (0, k - chord.shape[1]))
        chord = np.pad(chord, fill, constant_values=np.inf)
        found = np.pad(found, fill, constant_values=-1)
    return _unpacked(np.sort(_packed(chord, found), axis=1)[:, :k])


def _packed(value: Floats32, ids: Ints32) -> npt.NDArray[np.uint64]:
    """A value of 0 or more and an id as one number that sorts by value, then id; a value of inf goes last."""
    packed = (value + np.float32(0.0)).view(np.uint32).astype(np.uint64) << np.uint64(32)
    packed |= ids.astype(np.uint32)
    packed[np.isinf(value)] = np.iinfo(np.uint64).max
    return packed


def _unpacked(packed: npt.NDArray[np.uint64]) -> tuple[Ints32, Floats32]:
    """The opposite of :func:`_packed`: ids (-1 where the value is inf) and values."""
    ids = packed.astype(np.uint32).view(np.int32)
    value = (packed >> np.uint64(32)).astype(np.uint32).view(np.float32)
    return ids, np.where(np.isnan(value), np.float32(np.inf), value)


# ---------------------------------------------------------------- by cells and neighbours of neighbours


def _by_cells(
    vectors: Rows,
    wanted: Ints32,
    fresh: npt.NDArray[np.bool_],
    index: Ints32,
    distance: Floats32,
    *,
    pool: Pool,
    seed: int,
    done: Callable[[int], object],
    tell: Callable[[str], object],
    partition: Partition | None,
    leave: Callable[[Partition], object],
) -> None:
    """Fills the lists of the wanted rows; fresh ones enter the lists of the others."""
    n, k = index.shape
    whole = len(wanted) == n
    sample = _sample(vectors, wanted, k=k, seed=seed, pool=pool)
    # with cells that are there it costs nothing to have as many as if all were searched
    rows = len(wanted) if partition is None else n
    most = min(MAX_CELLS, max(1_024, CELLS_PER_ROOT * isqrt(rows)))
    cells = make_cells(vectors, most=most, pool=pool, seed=seed, known=partition)
    home = np.empty(n, np.int32)
    home[cells.row] = cells.home
    leave(Partition(home=home, centre=cells.centre))
    searching = np.zeros(n, bool)
    searching[cells.position[wanted]] = True
    lists = empty_lists(n, k + SLACK, settled=~searching)
    if not whole:
        _refill(lists, cells, index, distance, vectors.shape[1])
    groups = groups_of(cells, np.flatnonzero(searching).astype(np.int32), pool)
    meeting = np.zeros(n, bool) if whole else fresh[cells.row]
    compared = begin(cells, lists, groups, meeting, pool)
    start, stop, rounds, reported = 0, PROBES, 0, 0
    widest = min(NEAR_CELLS, len(cells.centre))
    budget = max(MOST_COMPARED, MOST_OF_A_ROW * len(wanted))
    while True:
        compared += probe(cells, lists, groups, start, stop, meeting, pool)
        before, reached = 0.0, _recall(sample, vectors, cells, lists)
        while before + LEAST_GAIN <= reached.share and not reached.enough(before) and compared < budget:
            rounds += 1
            compared += descend(cells, lists, groups, searching, pool)
            before, reached = reached.share, _recall(sample, vectors, cells, lists)
            share = min(int(len(wanted) * reached.share / TARGET_RECALL), len(wanted))
            done(max(share - reported, 0))
            reported = max(share, reported)
        if reached.enough(before) or stop >= widest or compared >= budget:
            break
        start, stop = stop, 4 * stop
    row, found, later = cells.row, lists.near, lists.later
    del cells, lists, groups  # they are large
    _true_distances(vectors, row, found, np.flatnonzero(searching), index, distance, pool)
    if later:
        _enter(vectors, row, later, index, distance, pool)
    done(len(wanted) - reported)
    tell(
        f"neighbours: {reached.share:.3f} of the true {k} nearest found ({reached.near:.3f} of those within {NEAR}; "
        f"{reached.close:.3f} with others no farther than {CLOSE} times the last of them), measured on "
        f"{len(sample.row):,} of {len(wanted):,}; a row was compared with {compared // len(wanted):,} others, in "
        f"{rounds} rounds of neighbours of neighbours"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """Some rows and their true neighbours, which are compared with what is found."""

    row: Ints32
    """int32[s]."""
    index: Ints32
    """int32[s, k], -1 where fewer."""
    cosine: Floats32
    """float32[s, k], -2 where fewer."""


def _sample(vectors: Rows, wanted: Ints32, *, k: int, seed: int, pool: Pool) -> _Sample:
    n = len(vectors)
    # what is compared with every row must not cost more than the search
    most = min(_SAMPLE, max(_LEAST_SAMPLE, int(_SAMPLED * len(wanted))))
    rows = np.sort(np.random.default_rng(seed).permutation(wanted)[:most])
    queries = unit(vectors[rows])
    first, others = np.split(np.arange(0, n, BLOCK), [max(1, n // BLOCK // 16)])

    def cosines(start: int) -> Floats32:
        found = queries @ unit_float32(vectors[start : start + BLOCK]).T
        here = np.flatnonzero((rows >= start) & (rows < start + BLOCK))
        found[here, rows[here] - start] = -2
        return found

    def compare(start: int) -> tuple[Floats32, Ints32]:
        cosine = cosines(start)
        order = np.argpartition(-cosine, min(k, cosine.shape[1]) - 1, axis=1)[:, :k].astype(np.int32)
        return 1 - np.take_along_axis(cosine, order, 1), order + np.int32(start)

    index, away = np.full((len(rows), k), -1, np.int32), np.full((len(rows), k), np.inf, np.float32)
    for chord, found in pool.map(compare, first.tolist()):
        index, away = _first(np.maximum(np.concatenate((away, chord), axis=1), 0), np.concatenate((index, found), 1), k)
    least = 1 - away[:, -1]

    def better(start: int) -> tuple[Ints32, Ints32, Floats32]:
        """What is no farther than the last of those of the first blocks: little."""
        cosine = cosines(start)
        row, column = np.nonzero(cosine >= least[:, None])
        return row.astype(np.int32), (column + start).astype(np.int32), 1 - cosine[row, column]

    gathered = [(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))]
    gathered += pool.map(better, others.tolist())
    of, ids, far = (np.concatenate(part) for part in zip(*gathered, strict=True))
    more = _table(of, np.arange(len(of)), len(rows))
    chord = np.where(more < 0, np.float32(np.inf), np.append(far, np.inf)[more])
    index, away = _first(
        np.maximum(np.concatenate((away, chord), axis=1), 0).astype(np.float32),
        np.concatenate((index, np.append(ids, -1)[more]), axis=1).astype(np.int32),
        k,
    )
    return _Sample(row=rows, index=index, cosine=np.where(index < 0, np.float32(-2), 1 - away))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reached:
    """Which share of the true neighbours was found."""

    share: float
    near: float
    """Of those within :data:`NEAR`."""
    close: float
    """Counting others that are no farther than :data:`CLOSE` times the true last one."""
    partly: bool
    """Whether only some rows are searched."""

    def enough(self, before: float) -> bool:
        """Whether to stop, if the share was this before the last round.

        Where only some rows are searched what others ask of them is known, and a further round costs what it brings.
        """
        gain = 1.0 if self.partly else SMALL_GAIN
        return self.share >= TARGET_RECALL or (self.close >= TARGET_CLOSE and self.share <= before + gain)


def _recall(sample: _Sample, vectors: Rows, cells: Cells, lists: Lists) -> _Reached:
    rows, truth = sample.row, sample.cosine
    found = _rows_of(cells.row, lists.near[cells.position[rows]])
    cosine = _cosines(vectors, rows, found)
    cosine[found < 0] = -3
    slack = np.float32(1e-5)

    def share(counted: npt.NDArray[np.bool_], farther: float = 1.0) -> float:
        least = np.where(counted, truth, 2).min(axis=1)
        least = np.where(least > 1, least, 1 - (1 - least) * np.float32(farther**2))  # chords are squared
        hit = np.minimum((cosine >= least[:, None] - slack).sum(axis=1), counted.sum(axis=1))
        return float(hit.sum() / max(int(counted.sum()), 1))

    every = truth > -2
    return _Reached(
        share=share(every),
        near=share(truth > np.float32(1 - NEAR**2 / 2)),
        close=share(every, CLOSE),
        partly=bool(lists.settled.any()),
    )


def _table(row: AnyInts, ids: AnyInts, rows: int) -> Ints32:
    """Ids in rows, side by side in no order, -1 beyond them: int32[rows, most ids of a row]."""
    order = np.argsort(row, kind="stable")
    count = np.bincount(row, minlength=rows)
    table = np.full((rows, int(count.max(initial=0))), -1, np.int32)
    table[row[order], ranges(np.zeros_like(count), count)] = ids[order]
    return table


def _cosines(vectors: Rows, rows: npt.NDArray[Any], others: Ints32) -> Floats32:
    """Of each row with its others: float32[r, m]; those of -1 mean nothing."""
    needed, place = np.unique(others, return_inverse=True)
    held = unit_float32(vectors[np.maximum(needed, 0)])
    place = place.reshape(others.shape)
    out = np.empty(others.shape, np.float32)
    for start in range(0, len(rows), _LITTLE):
        part = slice(start, start + _LITTLE)
        out[part] = np.matmul(held[place[part]], unit_float32(vectors[rows[part]])[:, :, None])[:, :, 0]
    return out


def _rows_of(row: Ints32, positions: Ints32) -> Ints32:
    """The rows at some positions; -1 stays."""
    return np.where(positions < 0, np.int32(-1), row[positions])


def _true_distances(
    vectors: Rows,
    row: Ints32,
    near: Ints32,
    positions: Ints,
    index: Ints32,
    distance: Floats32,
    pool: Pool,
) -> None:
    """Puts the nearest of what was found at some positions into the lists, by the distances of the vectors."""

    def measure(start: int) -> None:
        some = positions[start : start + BLOCK]
        held, found = row[some], _rows_of(row, near[some])
        chord = chord_distance(_cosines(vectors, held, found))
        chord[found < 0] = np.inf
        index[held], distance[held] = _first(chord, found, index.shape[1])

    over_all(pool, measure, range(0, len(positions), BLOCK))


def _enter(vectors: Rows, row: Ints32, later: list[Found], index: Ints32, distance: Floats32, pool: Pool) -> None:
    """Puts what was found beside lists that stand into them, by the distances of the vectors."""
    held = pairs(*(np.concatenate([found[side] for found in later]) for side in (0, 1)))
    # near positions are found beside the same ones: ordered by position a block has few different ones to read
    of, ids = (row[positions] for positions in held)
    edge = np.append(np.flatnonzero(np.diff(of, prepend=-1)), len(of))

    def measure(start: int) -> None:
        stop = min(start + BLOCK, len(edge) - 1)
        part = slice(edge[start], edge[stop])
        rows, count = of[edge[start:stop]], np.diff(edge[start : stop + 1])
        # rows that were searched anew for a neighbour that is gone may stand in a list already
        fresh = ~(index[of[part]] == ids[part, None]).any(axis=1)
        new = _table(np.repeat(np.arange(len(rows)), count)[fresh], ids[part][fresh], len(rows))
        if not new.shape[1]:
            return
        chord = chord_distance(_cosines(vectors, rows, new))
        chord[new < 0] = np.inf
        index[rows], distance[rows] = _first(
            np.concatenate((distance[rows], chord), axis=1), np.concatenate((index[rows], new), axis=1), index.shape[1]
        )

    over_all(pool, measure, range(0, len(edge) - 1, BLOCK))


def _refill(lists: Lists, cells: Cells, index: Ints32, distance: Floats32, d: int) -> None:
    """Puts known neighbours into the lists; only what is not much farther than their last enters them."""
    k = index.shape[1]
    for start in range(0, len(index), _SEGMENT):
        part = slice(start, start + _SEGMENT)
        rows = cells.row[part]
        found = index[rows]
        with np.errstate(invalid="ignore"):
            score = np.rint((1 - distance[rows].astype(np.float64) ** 2 / 2) * (SCALE**2 * d))
        score = np.where(found < 0, NO_SCORE, score).astype(np.int32)
        lists.near[part, :k] = np.where(found < 0, np.int32(-1), cells.position[found])
        lists.score[part, :k] = score
        last = score[:, -1]
        lists.least[part] = np.where(last == NO_SCORE, NO_SCORE, last - int(MARGIN * SCALE**2 * d))
