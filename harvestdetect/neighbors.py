"""Nearest neighbours of unit vectors. The only place that knows similarities; all that leaves is a distance.

Few vectors are compared each with each. Many are put into cells by k-means, and a row is compared with the cells that
promise most: as many of them as hold :data:`TARGET_RECALL` of the true neighbours of a sample. All rows that probe a
cell are multiplied with it at once, as eight-bit codes, whose products are whole numbers and so the same on any
machine; what came out best is put in order by the vectors themselves.

Everything runs in fixed blocks, so the result depends neither on the number of threads nor on what runs the blocks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import isqrt
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import unit
from harvestdetect.data import Neighbors
from harvestdetect.machine import cores
from harvestdetect.vectors import RowFile, Rows

__all__ = ["chord_distance", "nearest", "nearest_to"]

BLOCK: Final = 4096
"""Rows searched at once."""
TARGET_RECALL: Final = 0.95
"""Share of the true neighbours that an inexact search must find on a sample."""
CELL: Final = 60
"""Points of a cell, on average, as long as there are no more cells than"""
CELLS_PER_ROOT: Final = 16
"""times the square root of the rows that are searched (making cells costs every row, searching only those), or than"""
MAX_CELLS: Final = 48_000
"""cells; their numbers are kept in two bytes."""
NEAR_CELLS: Final = 16_384
"""The cells that the rows of a cell may probe, where there are more: those most promising for its centre."""
PROBES: Final = (1, 7, 24, 32)
"""Cells probed one after another, those most promising for a row first, so that the later ones know what to beat; the
last number holds for all that follow."""
CODE_LOSS: Final = 0.004
"""Share of the neighbours that is lost, at most, though their cell is probed, since scores of codes are not exact."""
NEAR: Final = 0.9
"""Neighbours nearer than this chord distance are reported apart: what a cluster is made of."""
STEP: Final = 28.0
"""A coordinate of common size in steps of its code; those of 4.5 times the common size are cut off."""
SLACK: Final = 8
"""Places of a list beyond k, since scores of codes are not exact."""
MARGIN: Final = 0.004
"""A cosine by codes is hardly ever farther from the true one."""
REACH: Final = 0.2
"""How far, beyond the mean of points that do not agree at all, the best of them lies; by measurement."""
CHUNK: Final = 131_072
"""Rows that probe together."""
IN_MEMORY: Final = 600_000_000
"""Bytes; larger arrays on the way go into files."""
NONE: Final = -(2**31) + 1
"""A score worse than any."""
_SAMPLE: Final = 1_024
_TRAIN: Final = 16
_ROUNDS: Final = 4
_SEGMENT: Final = 65_536
_TALL: Final = 1_024
_WIDTH: Final = 1_024
_LITTLE: Final = 256
_RANKED: Final = 128
_PAIRS: Final = 32_768
_WAVE: Final = 8
_LIMIT: Final = 500_000
_RANK: Final = 16

Vectors: TypeAlias = npt.NDArray[np.float32]
Ints32: TypeAlias = npt.NDArray[np.int32]
Codes: TypeAlias = npt.NDArray[np.int8]
Ints: TypeAlias = npt.NDArray[np.int64]
Pool: TypeAlias = ThreadPoolExecutor
Known: TypeAlias = tuple[Neighbors, Ints32]


def chord_distance(cosine: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The straight distance between two points of the unit sphere: sqrt(2 - 2 cos)."""
    return np.sqrt(np.clip(2.0 - 2.0 * cosine, 0.0, 4.0)).astype(np.float32)


def nearest(
    vectors: Rows,
    *,
    k: int,
    exact_below: int = 60_000,
    threads: int = 0,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
    notes: Callable[[str], object] | None = None,
    known: Known | None = None,
    folder: Path | None = None,
) -> Neighbors:
    """The k nearest other rows of each row.

    Args:
        vectors: float16 or float32[n, d], unit rows but for rounding; an array or a :class:`RowFile`. A
            :class:`numpy.memmap` is taken as an array: its pages then count as the process's memory.
        k: how many; rows of the result end with -1 / inf where fewer than k others were found.
        exact_below: exact search up to so many rows; above, cells are probed until :data:`TARGET_RECALL` is reached on
            a sample.
        threads: 0 takes all cores.
        seed: of the cells.
        progress: called with the number of further rows done.
        notes: told, in a sentence, which share of the true neighbours an inexact search found.
        known: what was found among other rows, and int32[m], where each of those m stands among these: -1 where it is
            gone. Only rows that are new, or lost a neighbour, are searched, and the new ones enter the lists of the
            others.
        folder: for temporary files of the size of ``vectors`` and less, which an inexact search makes; None: the
            system's temporary folder.

    Raises:
        ValueError: ``known`` is not of this k, or places two rows at one.
    """
    n = len(vectors)
    index = np.full((n, k), -1, np.int32)
    distance = np.full((n, k), np.inf, np.float32)
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
                vectors, wanted, fresh, index, distance, pool=pool, seed=seed, folder=folder, done=done,
                tell=notes or (lambda note: None),
            )  # fmt: skip
    return Neighbors(index=index, distance=distance)


def nearest_to(queries: Vectors, vectors: Vectors, *, k: int) -> Neighbors:
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


def _take_over(known: Known, index: Ints32, distance: Vectors) -> Ints32:
    """Puts known neighbours where their rows stand now; the rows that have to be searched, ascending."""
    old, place = known
    n, k = index.shape
    if old.index.shape[1] != k:
        raise ValueError(f"the known neighbours are {old.index.shape[1]} to a row, wanted are {k}")
    held = np.flatnonzero(place >= 0)
    if len(np.unique(place[held])) != len(held):
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
    vectors: Vectors,
    wanted: Ints32,
    fresh: npt.NDArray[np.bool_],
    index: Ints32,
    distance: Vectors,
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

    _all(pool, enter, range(0, len(others), BLOCK))


def _top(queries: Vectors, vectors: Vectors, k: int) -> tuple[Vectors, Ints]:
    """Greatest cosines and their rows: float32[q, k], int64[q, k]."""
    import faiss

    cosine, found = faiss.knn(
        np.ascontiguousarray(queries, np.float32),
        np.ascontiguousarray(vectors, np.float32),
        k,
        metric=faiss.METRIC_INNER_PRODUCT,
    )
    return np.asarray(cosine), np.asarray(found)


def _without_self(cosine: Vectors, found: Ints, rows: Ints32, k: int) -> tuple[Ints32, Vectors]:
    """The neighbours of a block without the row itself, ties in the order of their index."""
    chord = np.where(found < 0, np.float32(np.inf), chord_distance(cosine))
    chord[found == rows[:, None]] = np.inf
    return _first(chord, found.astype(np.int32), k)


def _first(chord: Vectors, found: Ints32, k: int) -> tuple[Ints32, Vectors]:
    """The k nearest of each row, ties in the order of their index; -1 / inf where there are fewer."""
    if chord.shape[1] < k:
        fill = ((0, 0), (0, k - chord.shape[1]))
        chord = np.pad(chord, fill, constant_values=np.inf)
        found = np.pad(found, fill, constant_values=-1)
    return _unpacked(np.sort(_packed(chord, found), axis=1)[:, :k])


def _packed(value: Vectors, ids: Ints32) -> npt.NDArray[np.uint64]:
    """A value of 0 or more and an id as one number that sorts by value, then id; a value of inf goes last."""
    packed = (value + np.float32(0.0)).view(np.uint32).astype(np.uint64) << np.uint64(32)
    packed |= ids.astype(np.uint32)
    packed[np.isinf(value)] = np.iinfo(np.uint64).max
    return packed


def _unpacked(packed: npt.NDArray[np.uint64]) -> tuple[Ints32, Vectors]:
    """The opposite of :func:`_packed`: ids (-1 where the value is inf) and values."""
    ids = packed.astype(np.uint32).view(np.int32)
    value = (packed >> np.uint64(32)).astype(np.uint32).view(np.float32)
    return ids, np.where(np.isnan(value), np.float32(np.inf), value)


# ---------------------------------------------------------------- by cells


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """n points in cells: those of cell c are at the positions ``border[c]`` to ``border[c + 1]``."""

    row: Ints32
    """int32[n], of the point at a position."""
    border: Ints
    """int64[c + 1]."""
    home: Ints32
    """int32[n], the cell of the point at a position."""
    centre: Codes
    """int8[c, d]."""
    weight: Ints32
    """int32[c], how far the points of a cell agree: the length of their mean, in 256ths."""
    bias: Ints32
    """int32[c], how far, at most, one of them reaches beyond the mean towards a row, as a score."""
    code: Rows
    """int8[n, d], the points at their positions."""


def _by_cells(
    vectors: Rows,
    wanted: Ints32,
    fresh: npt.NDArray[np.bool_],
    index: Ints32,
    distance: Vectors,
    *,
    pool: Pool,
    seed: int,
    folder: Path | None,
    done: Callable[[int], object],
    tell: Callable[[str], object],
) -> None:
    """Fills the lists of the wanted rows from the cells they probe."""
    n, k = index.shape
    sample = _sample(vectors, k=k, seed=seed, pool=pool)
    most = min(MAX_CELLS, max(1_024, CELLS_PER_ROOT * isqrt(len(wanted))))
    cells = _make_cells(vectors, most=most, pool=pool, seed=seed, folder=folder)
    position = np.empty(n, np.int32)
    position[cells.row] = np.arange(n, dtype=np.int32)
    positions = np.sort(position[wanted])
    whole = len(wanted) == n
    width = k + SLACK
    best = np.full((n, width), -1, np.int32)
    score = np.full((n, width), NONE, np.int32)
    if not whole:
        _refill(best, score, index, distance, vectors.shape[1])
    entering = np.zeros(n, bool) if whole else fresh
    settled = np.ones(n, bool)
    settled[wanted] = False
    touched = ~settled
    widest = min(len(cells.centre), NEAR_CELLS)
    start, stop, reached, near, reported = 0, _probes_needed(cells, position, sample, pool), 0.0, 0.0, 0
    while start < widest and reached < TARGET_RECALL:
        steps = np.cumsum(PROBES if start == 0 else PROBES[-1:])
        steps = np.append(steps, np.arange(steps[-1], stop - start, PROBES[-1])[1:])
        for first in range(0, len(positions), CHUNK):
            held = positions[first : first + CHUNK]
            ranked = _nearest_cells(cells, held, start, stop, pool)
            for probes in np.split(ranked, steps[steps < stop - start], axis=1):
                _probe(cells, held, probes, best, score, entering, settled, touched, pool=pool)
            share = len(wanted) * min(first + CHUNK, len(positions)) // len(positions) if start == 0 else reported
            done(share - reported)
            reported = share
        start, stop = stop, min(stop + max(PROBES[-1], stop // 4), widest)
        reached, near = _recall(sample, vectors, best)
    del score
    _true_distances(vectors, cells.row[touched[cells.row]], best, index, distance, pool)
    done(len(wanted) - reported)
    tell(
        f"neighbours: {reached:.3f} of the true {k} nearest found ({near:.3f} of those within {NEAR}), measured on "
        f"{len(sample.row):,} of {n:,}; a row was compared with {start} of {len(cells.centre):,} cells"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """Some rows and their true neighbours, which are compared with what is found."""

    row: Ints
    """int64[s]."""
    index: Ints32
    """int32[s, k], -1 where fewer."""
    cosine: Vectors
    """float32[s, k], -2 where fewer."""


def _sample(vectors: Rows, *, k: int, seed: int, pool: Pool) -> _Sample:
    n = len(vectors)
    rows = np.sort(np.random.default_rng(seed).permutation(n)[:_SAMPLE])
    queries = unit(vectors[rows])
    distance = np.full((len(rows), k + 1), np.inf, np.float32)
    index = np.full((len(rows), k + 1), -1, np.int32)

    def compare(start: int) -> tuple[Vectors, Ints32]:
        cosine, found = _top(queries, _floats(vectors[start : start + _LITTLE * 64]), min(k + 1, n - start))
        found += start
        away = np.maximum(1 - cosine, 0)
        away[found == rows[:, None]] = np.inf
        return away, found.astype(np.int32)

    for away, found in pool.map(compare, range(0, n, _LITTLE * 64)):
        index, distance = _first(
            np.concatenate((distance, away), axis=1), np.concatenate((index, found), axis=1), k + 1
        )
    index, distance = index[:, :k], distance[:, :k]
    return _Sample(row=rows, index=index, cosine=np.where(index < 0, np.float32(-2), 1 - distance))


def _probes_needed(cells: _Cells, position: Ints32, sample: _Sample, pool: Pool) -> int:
    """The fewest cells per row that hold the wanted share of the true neighbours of a sample, as far as it is known."""
    order = np.argsort(position[sample.row])
    ranked = _nearest_cells(cells, position[sample.row[order]], 0, min(len(cells.centre), NEAR_CELLS), pool)
    rank = np.full((len(order), len(cells.centre)), ranked.shape[1] - 1, np.int32)
    np.put_along_axis(rank, ranked.astype(np.int64), np.arange(ranked.shape[1], dtype=np.int32)[None], 1)
    true = sample.index[order]
    needed = np.sort(np.take_along_axis(rank, cells.home[position[true]].astype(np.int64), 1)[true >= 0])
    if not len(needed):
        return 1
    share = min(TARGET_RECALL + CODE_LOSS, 1)
    return int(needed[int(np.ceil(share * len(needed))) - 1]) + 1


def _recall(sample: _Sample, vectors: Rows, index: Ints32) -> tuple[float, float]:
    """The share of the true neighbours that was found, of all and of those within :data:`NEAR`."""
    rows, truth = sample.row, sample.cosine
    found = index[rows]
    cosine = _cosines(vectors, rows, found)
    cosine[found < 0] = -3
    slack = np.float32(1e-5)
    limit = np.float32(1 - NEAR**2 / 2)
    shares = []
    for counted in (truth > -2, truth > limit):
        least = np.where(counted, truth, 2).min(axis=1)
        hit = np.minimum((cosine >= least[:, None] - slack).sum(axis=1), counted.sum(axis=1))
        shares.append(float(hit.sum() / max(int(counted.sum()), 1)))
    return shares[0], shares[1]


def _cosines(vectors: Rows, rows: npt.NDArray[Any], others: Ints32) -> Vectors:
    """Of each row with its others: float32[r, m]; those of -1 mean nothing."""
    needed, place = np.unique(others, return_inverse=True)
    held = vectors[np.maximum(needed, 0)]
    place = place.reshape(others.shape)
    out = np.empty(others.shape, np.float32)
    for start in range(0, len(rows), _LITTLE):
        part = slice(start, start + _LITTLE)
        near = _floats(held[place[part].ravel()]).reshape(*others[part].shape, -1)
        out[part] = np.matmul(near, _floats(vectors[rows[part]])[:, :, None])[:, :, 0]
    return out


def _true_distances(vectors: Rows, rows: Ints32, best: Ints32, index: Ints32, distance: Vectors, pool: Pool) -> None:
    """Puts the nearest of what was found for some rows into the lists, by the distances of the vectors themselves."""

    def measure(start: int) -> None:
        held = rows[start : start + BLOCK]
        found = best[held]
        chord = chord_distance(_cosines(vectors, held, found))
        chord[found < 0] = np.inf
        index[held], distance[held] = _first(chord, found, index.shape[1])

    _all(pool, measure, range(0, len(rows), BLOCK))


def _floats(vectors: npt.NDArray[Any]) -> Vectors:
    """Unit rows, as :func:`harvestdetect.arrays.unit` but for the last bit, several times as fast."""
    out = np.empty(vectors.shape, np.float32)
    for start in range(0, len(vectors), 2048):
        part = out[start : start + 2048]
        _widen(vectors[start : start + 2048], part)
        part *= (1 / np.sqrt(np.maximum(np.einsum("ij,ij->i", part, part), 1e-24)))[:, None]
    return out


def _widen(vectors: npt.NDArray[Any], out: Vectors) -> None:
    """float16 to float32 by shifting bits, which is exact for finite numbers; numpy takes them one by one."""
    if vectors.dtype != np.float16:
        out[...] = vectors
        return
    bits = out.view(np.int32)
    bits[...] = np.ascontiguousarray(vectors).view(np.int16)
    bits <<= 13
    bits &= np.int32(-0x70000001)
    out *= np.float32(2.0**112)


# ---------------------------------------------------------------- eight-bit codes


def _code(vectors: Vectors) -> Codes:
    """Unit rows as small integers: every row has about the same length, :data:`STEP` times sqrt(d)."""
    wide = vectors * np.float32(STEP * np.sqrt(vectors.shape[1]))
    coded: Codes = np.clip(np.rint(wide, out=wide), -127, 127).astype(np.int8)
    return coded


def _refill(best: Ints32, score: Ints32, index: Ints32, distance: Vectors, d: int) -> None:
    """Puts known lists into the wider ones; the rest takes only what is not much farther than their last."""
    k = index.shape[1]
    for start in range(0, len(index), _SEGMENT):
        part = slice(start, start + _SEGMENT)
        with np.errstate(invalid="ignore"):
            wide = np.rint((1 - distance[part].astype(np.float64) ** 2 / 2) * (STEP**2 * d))
        best[part, :k] = index[part]
        score[part, :k] = np.where(np.isinf(distance[part]), NONE, wide)
        last = score[part, k - 1]
        score[part, k:] = np.where(last == NONE, NONE, last - int(MARGIN * STEP**2 * d))[:, None]


def _rotation(d: int) -> Vectors:
    """A fixed rotation, float32[d, d]: after it no direction of the space is coded worse than others."""
    q, r = np.linalg.qr(np.random.default_rng(d).standard_normal((d, d)))
    return np.asarray(q * np.sign(np.diag(r)), np.float32)


def _products(a: Codes, b: Codes) -> Ints32:
    """int32[a, b] of products of codes. Nothing is rounded, so it does not matter who multiplies in which order."""
    if a.shape[1] < 2 or not _torch_multiplies():  # of a single column torch mistakes the order
        return np.asarray((a.astype(np.float32) @ b.astype(np.float32).T).astype(np.int32))
    import torch

    return np.asarray(torch._int_mm(torch.from_numpy(a), torch.from_numpy(b).t()).numpy())


@cache
def _torch_multiplies() -> bool:
    """Whether torch's product of bytes is right here and faster than a float one, which is right up to 2**24."""
    import torch

    rng = np.random.default_rng(0)
    a, b = (rng.choice(np.array([-127, -126, 126, 127], np.int8), (256, 512)) for _ in range(2))
    x, y = torch.from_numpy(a), torch.from_numpy(b)
    wide, tall = a.astype(np.float32), b.astype(np.float32)
    seconds: list[list[float]] = [[], []]
    try:
        for _ in range(5):
            start = time.perf_counter()
            bytewise = torch._int_mm(x, y.t()).numpy()
            middle = time.perf_counter()
            product = wide @ tall.T
            seconds[0].append(middle - start)
            seconds[1].append(time.perf_counter() - middle)
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    return bool(np.array_equal(bytewise, product)) and min(seconds[0]) < min(seconds[1])


# ---------------------------------------------------------------- making the cells


def _make_cells(vectors: Rows, *, most: int, pool: Pool, seed: int, folder: Path | None) -> _Cells:
    n, d = vectors.shape
    home, code = _homes(vectors, most=most, pool=pool, seed=seed, folder=folder)
    row = np.argsort(home, kind="stable").astype(np.int32)
    home = home[row]
    size = np.diff(np.append(np.flatnonzero(np.diff(home, prepend=-1)), n))
    home = np.repeat(np.arange(len(size), dtype=np.int32), size)
    ordered = _store(n, d, np.int8, folder)
    sums = np.zeros((len(size), d), np.int32)
    for start in range(0, n, _SEGMENT):
        part = slice(start, min(start + _SEGMENT, n))
        held = np.asarray(code[row[part]])
        ordered[part] = held
        begin = np.flatnonzero(np.diff(home[part], prepend=-1))
        sums[home[part][begin]] += np.add.reduceat(held, begin, axis=0, dtype=np.int32)
    mean = sums.astype(np.float32)
    mean /= size[:, None] * np.float32(STEP * np.sqrt(d))
    agreement = np.minimum(np.sqrt(np.einsum("ij,ij->i", mean, mean)), 1)
    return _Cells(
        row=row, border=np.append(0, np.cumsum(size)), home=home, centre=_code(unit(mean)),
        weight=np.rint(256 * agreement).astype(np.int32),
        bias=np.rint(REACH * 2**_RANK * np.sqrt(1 - agreement**2)).astype(np.int32),
        code=ordered,
    )  # fmt: skip


def _homes(vectors: Rows, *, most: int, pool: Pool, seed: int, folder: Path | None) -> tuple[Ints32, Rows]:
    """The cell of each row and the codes of all: int32[n], int8[n, d]."""
    n, d = vectors.shape
    code = _store(n, d, np.int8, folder)
    turn = _rotation(d)

    def encode(start: int) -> None:
        block = slice(start, min(start + BLOCK, n))
        code[block] = _code(_floats(vectors[block]) @ turn)

    _all(pool, encode, range(0, n, BLOCK))
    rng = np.random.default_rng(seed)
    count = min(max(2, n // CELL), most)
    some = np.sort(rng.permutation(n)[: count * _TRAIN])
    centre = _means(np.asarray(code[some]), count, rng, pool)
    home = np.empty(n, np.int32)

    def assign(start: int) -> None:
        block = slice(start, min(start + _TALL, n))
        home[block] = _best(np.asarray(code[block]), centre)

    _all(pool, assign, range(0, n, _TALL))
    return home, code


def _store(n: int, d: int, dtype: npt.DTypeLike, folder: Path | None) -> Rows:
    """Room for rows, in a file if it is large."""
    if n * d * np.dtype(dtype).itemsize <= IN_MEMORY:
        return np.empty((n, d), dtype)
    return RowFile(n, d, dtype=dtype, folder=folder)


def _all(pool: Pool, do: Callable[[Any], object], items: Sequence[Any]) -> None:
    for _ in pool.map(do, items):
        pass


def _best(rows: Codes, centre: Codes) -> Ints32:
    """The centre with the greatest product with each row, the first of equal ones: int32[r]."""
    best = np.full(len(rows), NONE, np.int32)
    label = np.zeros(len(rows), np.int32)
    for start in range(0, len(centre), _WIDTH):
        product = _products(rows, centre[start : start + _WIDTH])
        place = product.argmax(axis=1)
        value = product[np.arange(len(rows)), place]
        better = value > best
        best[better] = value[better]
        label[better] = (place[better] + start).astype(np.int32)
    return label


def _means(rows: Codes, count: int, rng: np.random.Generator, pool: Pool) -> Codes:
    """Spherical k-means: int8[at most count, d]; every centre has had rows nearest to it."""
    centre = rows[np.sort(rng.permutation(len(rows))[:count])]
    for _ in range(_ROUNDS):
        blocks = [rows[start : start + _TALL] for start in range(0, len(rows), _TALL)]
        label = np.concatenate(list(pool.map(_best, blocks, [centre] * len(blocks))))
        order = np.argsort(label, kind="stable")
        first = np.flatnonzero(np.diff(label[order], prepend=-1))
        sums = np.add.reduceat(rows[order], first, axis=0, dtype=np.int32)
        centre = _code(unit(sums.astype(np.float32)))
    return centre


def _ranks(cells: _Cells, code: Codes, among: npt.NDArray[Any]) -> Ints32:
    """How promising some cells are for some rows, at most about 2**(_RANK + 1): int32[r, a].

    What the best point of a cell may score: its mean does so much, and the less the points agree, the more one of them
    may lie nearer.
    """
    product = _products(code, cells.centre[among])
    product >>= max(0, int(STEP**2 * code.shape[1]).bit_length() - _RANK)
    product *= cells.weight[among]
    product >>= 8
    product += cells.bias[among]
    return product


# ---------------------------------------------------------------- probing


def _nearest_cells(cells: _Cells, positions: Ints32, start: int, stop: int, pool: Pool) -> npt.NDArray[np.uint16]:
    """The cells from the ``start``-th to the ``stop``-th most promising for some points; the home comes first.

    Args:
        cells: that are ranked; of more than :data:`NEAR_CELLS` only those most promising for the centre of the home.
        positions: int32[p], ascending.
        start: from 0.
        stop: at most the number of cells that are ranked.
        pool: threads.

    Returns:
        uint16[p, stop - start].
    """
    out = np.empty((len(positions), stop - start), np.uint16)
    home = cells.home[positions]
    width = min(len(cells.centre), NEAR_CELLS)
    every = width == len(cells.centre)
    bits = (width - 1).bit_length()
    # where all cells are ranked, rows of several homes can be ranked at once
    lead = np.zeros(1, np.int64) if every else np.flatnonzero(np.diff(home, prepend=-1))
    edge = np.append(lead, len(home))
    blocks = [
        (s, min(s + _RANKED, j))
        for i, j in zip(edge[:-1].tolist(), edge[1:].tolist(), strict=True)
        for s in range(i, j, _RANKED)
    ]

    def rank(number: int) -> None:
        for i, j in blocks[number : number + 16]:
            among = np.arange(width) if every else _near_cells(cells, int(home[i]), width)
            key = np.empty((j - i, width), np.int32)
            code = _at(cells.code, positions[i:j])
            for s in range(0, width, _WIDTH):
                np.negative(_ranks(cells, code, among[s : s + _WIDTH]), out=key[:, s : s + _WIDTH])
            key[np.arange(j - i), np.searchsorted(among, home[i:j])] = -(2 ** (31 - bits)) + 1
            key <<= bits
            key |= np.arange(width, dtype=np.int32)
            if stop < width:
                key.partition(stop - 1, axis=1)
                key = key[:, :stop]
            key.sort(axis=1)
            out[i:j] = among[key[:, start:stop] & ((1 << bits) - 1)]

    _all(pool, rank, range(0, len(blocks), 16))
    return out


def _near_cells(cells: _Cells, home: int, width: int) -> Ints:
    """The cells most promising for the mean of a cell, itself among them: int64[width], ascending."""
    centre = cells.centre[home : home + 1]
    score = np.concatenate(
        [_ranks(cells, centre, np.arange(s, min(s + _WIDTH, len(cells.centre)))) for s in
         range(0, len(cells.centre), _WIDTH)], axis=1,
    )[0]  # fmt: skip
    score[home] = np.iinfo(np.int32).max
    return np.sort(np.argpartition(-score.astype(np.int64), width - 1)[:width])


def _at(code: Rows, positions: Ints32) -> Codes:
    """Points at ascending positions."""
    first, last = int(positions[0]), int(positions[-1])
    held = code[first : last + 1] if last - first < len(positions) else code[positions]
    return np.asarray(held)


def _probe(
    cells: _Cells,
    positions: Ints32,
    probes: npt.NDArray[np.uint16],
    index: Ints32,
    score: Ints32,
    entering: npt.NDArray[np.bool_],
    settled: npt.NDArray[np.bool_],
    touched: npt.NDArray[np.bool_],
    *,
    pool: Pool,
) -> None:
    """Compares points with the cells they probe and keeps what is nearer than what they had.

    Of the points, those that are ``entering`` also enter the lists of the ``settled`` rows that they meet.
    """
    k = index.shape[1]
    rows = cells.row[positions]
    queries = _at(cells.code, positions)
    least = score[rows, -1]
    enters = entering[rows]
    any_enters = bool(enters.any())
    key = probes.ravel().astype(np.int64) << 32 | np.arange(probes.size)
    key.sort()
    by = ((key & 0xFFFFFFFF) // probes.shape[1]).astype(np.int32)
    key >>= 32
    first = np.append(np.flatnonzero(np.diff(key, prepend=-1)), len(key))
    cell = key[first[:-1]].astype(np.int32)
    del key
    lots = -(-len(by) // _PAIRS)
    cut = np.unique(np.searchsorted(first, np.linspace(0, len(by), lots + 1).astype(np.int64)))

    def compare(lot: int) -> tuple[Ints32, Ints32, Ints32]:
        found: list[tuple[Ints32, Ints32, Ints32]] = [(np.empty(0, np.int32),) * 3]
        for i in range(int(cut[lot]), int(cut[lot + 1])):
            begin, end = int(cells.border[cell[i]]), int(cells.border[cell[i] + 1])
            for a in range(begin, end, _WIDTH):
                b = min(a + _WIDTH, end)
                points = np.asarray(cells.code[a:b])
                ids = cells.row[a:b]
                for s in range(int(first[i]), int(first[i + 1]), 2 * _TALL):
                    who = by[s : min(s + 2 * _TALL, int(first[i + 1]))]
                    product = _products(queries.take(who, axis=0), points)
                    bound = least.take(who)
                    if b - a > k + 1 and (bound == NONE).any():
                        bound = np.maximum(bound, np.partition(product, b - a - k - 1, axis=1)[:, b - a - k - 1] - 1)
                    some = np.flatnonzero(product.max(axis=1) > bound)
                    if len(some):
                        few = product if 2 * len(some) > len(who) else product[some]
                        if few is product:
                            some = np.arange(len(who))
                        hit = np.flatnonzero(few > bound[some][:, None])
                        r, c = np.divmod(hit.astype(np.int32), np.int32(b - a))
                        found.append((rows[who[some[r]]], ids[c], few.ravel()[hit]))
                    if any_enters:
                        bound = np.where(settled[ids], score[ids, -1], np.iinfo(np.int32).max)
                        hit = np.flatnonzero((product > bound) & enters[who][:, None])
                        r, c = np.divmod(hit.astype(np.int32), np.int32(b - a))
                        found.append((ids[c], rows[who[r]], product.ravel()[hit]))
        row, other, value = (np.concatenate(part) for part in zip(*found, strict=True))
        return row, other, value

    for wave in range(0, len(cut) - 1, _WAVE):
        _merge(list(pool.map(compare, range(wave, min(wave + _WAVE, len(cut) - 1)))), index, score, touched, pool)
        least = score[rows, -1]


def _merge(
    gathered: Sequence[tuple[Ints32, Ints32, Ints32]],
    index: Ints32,
    score: Ints32,
    touched: npt.NDArray[np.bool_],
    pool: Pool,
) -> None:
    """Puts what was found into the lists: of each row the nearest, ties in the order of their index."""
    row, ids, value = (np.concatenate(part) for part in zip(*gathered, strict=True))
    k = index.shape[1]
    key = row.astype(np.int64) << 32 | np.arange(len(row))
    key = key[row != ids]
    key.sort()
    order = key & 0xFFFFFFFF
    key >>= 32
    first = np.flatnonzero(np.diff(key, prepend=-1))
    target = key[first]
    touched[target] = True
    size = np.diff(np.append(first, len(key)))
    del key
    by_size = np.argsort(size, kind="stable")
    widest = size[by_size]
    parts: list[slice] = []
    start = 0
    while start < len(by_size):
        stop = min(start + BLOCK, len(by_size))
        while stop > start + 1 and (stop - start) * (k + int(widest[stop - 1])) > _LIMIT:
            stop = start + (stop - start) // 2
        parts.append(slice(start, stop))
        start = stop

    def put(part: slice) -> None:
        chosen = by_size[part]
        count = size[chosen]
        rows = target[chosen]
        packed = np.empty((len(chosen), k + int(count[-1])), np.int64)
        packed[:, :k] = _descending(score[rows], index[rows])
        packed[:, k:] = np.iinfo(np.int64).max
        at = np.repeat(np.arange(len(chosen)), count)
        within = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
        source = order[first[chosen][at] + within]
        packed[at, k + within] = _descending(value[source], ids[source])
        packed.sort(axis=1)
        packed = packed[:, :k]
        index[rows] = (packed & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
        score[rows] = -(packed >> 32)

    _all(pool, put, parts)


def _descending(score: Ints32, ids: Ints32) -> Ints:
    """A score and an id as one number that sorts by the score, the greatest first, then by the id."""
    packed = -score.astype(np.int64)
    packed <<= 32
    packed |= ids.view(np.uint32)
    return packed
