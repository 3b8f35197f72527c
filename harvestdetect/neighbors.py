"""Nearest neighbours of unit vectors. The only place that knows similarities; all that leaves is a distance.

Few vectors are compared each with each. Many are put into cells, as an inverted file does, and a row is compared with
the cells whose centres lie nearest to it, round by round until enough of the true neighbours of a sample are found. All
rows that probe a cell are multiplied with it at once, as eight-bit codes: products of integers are exact, so the result
is the same on any machine. The distances of what was found are those of the vectors themselves.

Everything runs in fixed blocks, so the result depends neither on the number of threads nor on what runs the blocks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import unit
from harvestdetect.data import Neighbors
from harvestdetect.vectors import RowFile, Rows

__all__ = ["chord_distance", "nearest", "nearest_to"]

BLOCK: Final = 4096
"""Rows searched at once."""
TARGET_RECALL: Final = 0.95
"""Share of the true neighbours that an inexact search must find on a sample."""
CELL: Final = 60
"""Points of a cell, on average, as long as there are no more than"""
MAX_CELLS: Final = 48_000
"""cells."""
NEAR_CELLS: Final = 2_047
"""The cells that the rows of a cell may probe: those whose centres lie nearest to its own."""
PROBES: Final = (1, 7, 24, 32)
"""Cells probed in each round, those nearest to a row first; the last number holds for all further rounds."""
NEAR: Final = 0.9
"""Neighbours nearer than this chord distance are reported apart: what a cluster is made of."""
STEP: Final = 28.0
"""A coordinate of common size in steps of its code; those of 4.5 times the common size are cut off."""
SLACK: Final = 8
"""Places of a list beyond k, since scores of codes are not exact."""
MARGIN: Final = 0.004
"""A cosine by codes is hardly ever farther from the true one."""
REACH: Final = 0.3
"""How far, beyond the mean of points that do not agree at all, the best of them lies; by measurement."""
CHUNK: Final = 131_072
"""Rows that probe together."""
IN_MEMORY: Final = 600_000_000
"""Bytes; larger arrays on the way go into files."""
NONE: Final = -(2**31) + 1
"""A score worse than any."""
_SAMPLE: Final = 1_024
_TRAIN: Final = 24
_ROUNDS: Final = 4
_SEGMENT: Final = 65_536
_WIDTH: Final = 1_024
_LITTLE: Final = 256
_PAIRS: Final = 32_768
_WAVE: Final = 8
_LIMIT: Final = 500_000
_RANK: Final = 18

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
    with _pool(threads) as pool:
        if n <= exact_below:
            _exact(unit(vectors[:]), wanted, fresh, index, distance, done)
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


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _pool(threads: int) -> Iterator[Pool]:
    """Threads for the blocks; matrix products inside of them run on one thread each, those of FAISS on all."""
    import faiss
    from threadpoolctl import threadpool_limits

    count = threads or _cores()
    faiss.omp_set_num_threads(count)
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(count, initializer=_one_thread) as pool:
        yield pool


def _one_thread() -> None:
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
    done: Callable[[int], object],
) -> None:
    """Compares the wanted rows with all rows, and lets fresh ones enter the lists of the others."""
    n, k = index.shape
    for start in range(0, len(wanted), BLOCK):
        rows = wanted[start : start + BLOCK]
        cosine, found = _top(vectors[rows], vectors, min(k + 1, n))
        index[rows], distance[rows] = _without_self(cosine, found, rows, k)
        done(len(rows))
    others = np.setdiff1d(np.arange(n, dtype=np.int32), wanted, assume_unique=True)
    new = np.flatnonzero(fresh).astype(np.int32)
    if not len(new):
        return
    for start in range(0, len(others), BLOCK):
        rows = others[start : start + BLOCK]
        cosine, found = _top(vectors[rows], vectors[new], min(k, len(new)))
        chord = np.concatenate((distance[rows], chord_distance(cosine)), axis=1)
        ids = np.concatenate((index[rows], new[found]), axis=1)
        index[rows], distance[rows] = _first(chord, ids, k)


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
    near: Ints32
    """int32[c, m], the cells nearest to a cell by their centres, itself first."""
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
    sample = _sample(vectors, k=k, seed=seed)
    cells = _make_cells(vectors, pool=pool, seed=seed, folder=folder)
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
    rounds, start, reached, near = 0, 0, 0.0, 0.0
    reported = 0
    widest = cells.near.shape[1]
    while start < widest and (rounds < len(PROBES) or reached < TARGET_RECALL):
        stop = min(start + PROBES[min(rounds, len(PROBES) - 1)], widest)
        for first in range(0, len(positions), CHUNK):
            held = positions[first : first + CHUNK]
            probes = _nearest_cells(cells, held, start, stop, pool)
            _probe(cells, held, probes, best, score, entering, settled, touched, pool=pool)
        start, rounds = stop, rounds + 1
        share = int(len(wanted) * (1 - 0.5**rounds))
        done(share - reported)
        reported = share
        if rounds >= len(PROBES) or start == widest:
            reached, near = _recall(sample, vectors, best)
    del score
    _true_distances(vectors, cells.row[touched[cells.row]], best, index, distance, pool)
    done(len(wanted) - reported)
    tell(
        f"neighbours: {reached:.3f} of the true {k} nearest found ({near:.3f} of those within {NEAR}), measured on "
        f"{len(sample[0]):,} of {n:,}; a row was compared with {start} of {len(cells.centre):,} cells"
    )


def _sample(vectors: Rows, *, k: int, seed: int) -> tuple[Ints, Vectors]:
    """Some rows and the cosines to their k nearest others, exactly: int64[s], float32[s, k]."""
    n = len(vectors)
    rows = np.sort(np.random.default_rng(seed).permutation(n)[:_SAMPLE])
    queries = unit(vectors[rows])
    best = np.full((len(rows), k + 1), -2, np.float32)
    for start in range(0, n, _SEGMENT):
        cosine, _ = _top(queries, _floats(vectors[start : start + _SEGMENT]), min(k + 1, n - start))
        best = -np.sort(-np.concatenate((best, cosine), axis=1), axis=1)[:, : k + 1]
    return rows, best[:, 1:]


def _recall(sample: tuple[Ints, Vectors], vectors: Rows, index: Ints32) -> tuple[float, float]:
    """The share of the true neighbours that was found, of all and of those within :data:`NEAR`."""
    rows, truth = sample
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

    for _ in pool.map(measure, range(0, len(rows), BLOCK)):
        pass


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
    if not _torch_multiplies():
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


def _make_cells(vectors: Rows, *, pool: Pool, seed: int, folder: Path | None) -> _Cells:
    n, d = vectors.shape
    code: Rows = _store(n, d, np.int8, folder)
    turn = _rotation(d)

    def encode(start: int) -> None:
        block = slice(start, min(start + BLOCK, n))
        code[block] = _code(_floats(vectors[block]) @ turn)

    _all(pool, encode, range(0, n, BLOCK))
    rng = np.random.default_rng(seed)
    count = min(max(2, n // CELL), MAX_CELLS)
    some = np.sort(rng.permutation(n)[: count * _TRAIN])
    centre = _means(np.asarray(code[some]), count, rng, pool)
    home = np.empty(n, np.int32)

    def assign(start: int) -> None:
        block = slice(start, min(start + BLOCK, n))
        home[block] = _best(np.asarray(code[block]), centre)

    _all(pool, assign, range(0, n, BLOCK))
    row = np.argsort(home, kind="stable").astype(np.int32)
    home = home[row]
    first = np.flatnonzero(np.diff(home, prepend=-1))
    centre = centre[home[first]]
    size = np.diff(np.append(first, n))
    home = np.repeat(np.arange(len(size), dtype=np.int32), size)
    ordered = _store(n, d, np.int8, folder)

    def move(start: int) -> None:
        block = slice(start, min(start + _SEGMENT, n))
        ordered[block] = code[row[block]]

    _all(pool, move, range(0, n, _SEGMENT))
    code = np.empty((0, d), np.int8)  # it is large
    sums = np.zeros((len(size), d), np.int32)
    for start in range(0, n, _SEGMENT):
        cell = home[start : start + _SEGMENT]
        begin = np.flatnonzero(np.diff(cell, prepend=-1))
        sums[cell[begin]] += np.add.reduceat(ordered[start : start + _SEGMENT], begin, axis=0, dtype=np.int32)
    mean = sums.astype(np.float32)
    mean /= size[:, None] * np.float32(STEP * np.sqrt(d))
    agreement = np.minimum(np.sqrt(np.einsum("ij,ij->i", mean, mean)), 1)
    cells = _Cells(
        row=row, border=np.append(0, np.cumsum(size)), home=home, centre=_code(unit(mean)),
        weight=np.rint(256 * agreement).astype(np.int32),
        bias=np.rint(REACH * 2**_RANK * np.sqrt(1 - agreement**2)).astype(np.int32),
        near=np.empty((0, 0), np.int32), code=ordered,
    )  # fmt: skip
    return replace(cells, near=_near_cells(cells, pool))


def _store(n: int, d: int, dtype: npt.DTypeLike, folder: Path | None) -> Rows:
    """Room for rows, in a file if it is large."""
    if n * d * np.dtype(dtype).itemsize <= IN_MEMORY:
        return np.empty((n, d), dtype)
    return RowFile(n, d, dtype=dtype, folder=folder)


def _all(pool: Pool, do: Callable[[int], object], items: Sequence[int]) -> None:
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
        blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
        label = np.concatenate(list(pool.map(_best, blocks, [centre] * len(blocks))))
        order = np.argsort(label, kind="stable")
        first = np.flatnonzero(np.diff(label[order], prepend=-1))
        sums = np.add.reduceat(rows[order], first, axis=0, dtype=np.int32)
        centre = _code(unit(sums.astype(np.float32)))
    return centre


def _near_cells(cells: _Cells, pool: Pool) -> Ints32:
    """The cells nearest to each, itself first: int32[c, min(c, NEAR_CELLS)]."""
    c = len(cells.centre)
    width = min(c, NEAR_CELLS)
    out = np.empty((c, width), np.int32)

    def rank(start: int) -> None:
        block = cells.centre[start : start + 64]
        key = np.empty((len(block), c), np.int64)
        for s in range(0, c, _WIDTH):
            part = np.arange(s, min(s + _WIDTH, c))
            key[:, part] = -_ranks(cells, block, part)
        key[np.arange(len(block)), np.arange(start, start + len(block))] = -(2**31)
        key <<= 32
        key |= np.arange(c)
        if width < c:
            key.partition(width - 1, axis=1)
        out[start : start + 64] = (np.sort(key[:, :width], axis=1) & 0xFFFFFFFF).astype(np.int32)

    _all(pool, rank, range(0, c, 64))
    return out


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


def _nearest_cells(cells: _Cells, positions: Ints32, start: int, stop: int, pool: Pool) -> Ints32:
    """The cells from the ``start``-th to the ``stop``-th nearest to some points, of those near their home.

    Returns:
        int32[p, stop - start].
    """
    out = np.empty((len(positions), stop - start), np.int32)
    home = cells.home[positions]
    first = np.append(np.flatnonzero(np.diff(home, prepend=-1)), len(home)).tolist()
    width = cells.near.shape[1]
    bits = NEAR_CELLS.bit_length()

    def rank(group: int) -> None:
        for i, j in zip(first[group : group + 64], first[group + 1 : group + 65], strict=False):
            near = cells.near[home[i]]
            for s in range(i, j, 1024):
                block = slice(s, min(s + 1024, j))
                key = -_ranks(cells, _at(cells.code, positions[block]), near)
                key[:, 0] = -(2 ** (30 - bits))  # the home itself comes first
                key <<= bits
                key |= np.arange(width, dtype=np.int32)
                if stop < width:
                    key.partition(stop - 1, axis=1)
                    key = key[:, :stop]
                key.sort(axis=1)
                out[block] = near[key[:, start:stop] & ((1 << bits) - 1)]

    _all(pool, rank, range(0, len(first) - 1, 64))
    return out


def _at(code: Rows, positions: Ints32) -> Codes:
    """Points at ascending positions."""
    first, last = int(positions[0]), int(positions[-1])
    held = code[first : last + 1] if last - first < len(positions) else code[positions]
    return np.asarray(held)


def _probe(
    cells: _Cells,
    positions: Ints32,
    probes: Ints32,
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
                for s in range(int(first[i]), int(first[i + 1]), 2048):
                    who = by[s : min(s + 2048, int(first[i + 1]))]
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

    for _ in pool.map(put, parts):
        pass


def _descending(score: Ints32, ids: Ints32) -> Ints:
    """A score and an id as one number that sorts by the score, the greatest first, then by the id."""
    packed = -score.astype(np.int64)
    packed <<= 32
    packed |= ids.view(np.uint32)
    return packed
