"""Nearest neighbours of unit vectors. The only place that knows similarities; all that leaves is a distance.

Few vectors are compared each with each. Many are put into small cells, and a row is compared with whole cells: first
with those whose centres lie nearest to it, then, for some rounds, with those where the neighbours of its neighbours
live. The last is what NN-descent does (Dong, Charikar and Li, WWW 2011), by cells instead of by points, so that the
work is matrix products; it costs a row the same however many rows there are. All rows that probe a cell are multiplied with it at once.

Everything runs in fixed blocks, so the result depends neither on the number of threads nor on what runs the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
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
CELL: Final = 32
"""Points of a cell, on average."""
NEAR_CELLS: Final = 96
"""Cells whose centres lie nearest to a cell's centre; the first probes of its rows are among them."""
FIRST_PROBES: Final = (4, 16)
"""Cells probed first, those nearest to a row: in two rounds, so that the second knows what to beat."""
MORE_PROBES: Final = 24
"""Cells probed in each further round, by the votes of the neighbours' neighbours."""
MAX_ROUNDS: Final = 8
"""Further rounds at most."""
LEAST_GAIN: Final = 0.002
"""A round that finds less of the true neighbours than this is the last."""
NEAR: Final = 0.9
"""Neighbours nearer than this chord distance are reported apart: what a cluster is made of."""
CHUNK: Final = 131_072
"""Rows that probe together."""
_SAMPLE: Final = 1_024
_SEGMENT: Final = 65_536
_SPLIT: Final = 512
_CUT: Final = 3
_TRAIN: Final = 16
_ROUNDS: Final = 2
_PAIRS: Final = 2_000_000
_LIMIT: Final = 4_000_000

Vectors: TypeAlias = npt.NDArray[np.float32]
Ints32: TypeAlias = npt.NDArray[np.int32]
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
    with _pool(threads) as (pool, count):
        if n <= exact_below:
            _exact(unit(vectors[:]), wanted, fresh, index, distance, done)
        else:
            _by_cells(
                vectors, wanted, fresh, index, distance, pool=pool, threads=count, seed=seed, folder=folder, done=done,
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
def _pool(threads: int) -> Iterator[tuple[Pool, int]]:
    """Threads for the blocks; matrix products inside of them run on one thread each, those of FAISS on all."""
    import faiss
    from threadpoolctl import threadpool_limits

    count = threads or _cores()
    faiss.omp_set_num_threads(count)
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(count) as pool:
        yield pool, count


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
    """int32[n + 1], the cell of a row; the last entry is c, so that row -1 lives in no cell."""
    centre: Vectors
    """float32[c, d], unit rows."""
    near: Ints32
    """int32[c, m], the cells nearest to a cell by their centres, itself first; -1 where fewer."""
    points: RowFile
    """float16[n, d] at their positions."""
    scale: Vectors
    """float32[n], one by the length of a point, at its position."""


def _by_cells(
    vectors: Rows,
    wanted: Ints32,
    fresh: npt.NDArray[np.bool_],
    index: Ints32,
    distance: Vectors,
    *,
    pool: Pool,
    threads: int,
    seed: int,
    folder: Path | None,
    done: Callable[[int], object],
    tell: Callable[[str], object],
    target: float = TARGET_RECALL,
) -> None:
    """Fills the lists of the wanted rows from the cells they probe; until the end, a list holds 1 - cos, not chords."""
    n, k = index.shape
    np.square(distance, out=distance)
    distance /= 2
    sample = _sample(vectors, k=k, seed=seed, pool=pool)
    cells = _make_cells(vectors, pool=pool, seed=seed, folder=folder, threads=threads)
    position = np.empty(n, np.int32)
    position[cells.row] = np.arange(n, dtype=np.int32)
    positions = np.sort(position[wanted])
    del position
    entering = fresh if len(wanted) < n else np.zeros(n, bool)
    settled = np.ones(n, bool)
    settled[wanted] = False
    probed: list[RowFile] = []
    expected = len(FIRST_PROBES) + 3
    reported = 0
    reached, before, rounds = 0.0, -1.0, 0
    while rounds < len(FIRST_PROBES) or (
        reached < target and reached - before >= LEAST_GAIN and rounds < len(FIRST_PROBES) + MAX_ROUNDS
    ):
        width = FIRST_PROBES[rounds] if rounds < len(FIRST_PROBES) else MORE_PROBES
        record = RowFile(len(positions), width, dtype=np.int32, folder=folder)
        for start in range(0, len(positions), CHUNK):
            chunk = slice(start, min(start + CHUNK, len(positions)))
            rows = positions[chunk]
            if rounds == 0:
                ranked = _nearest_cells(cells, rows, sum(FIRST_PROBES), pool)
                probes = ranked[:, :width]
            elif rounds < len(FIRST_PROBES):
                ranked = _nearest_cells(cells, rows, sum(FIRST_PROBES), pool)
                probes = ranked[:, -width:]
            else:
                probes = _voted_cells(cells, cells.row[rows], index, [old[chunk] for old in probed], width, pool)
            record[chunk] = probes
            _probe(cells, rows, probes, index, distance, entering, settled, pool=pool, threads=threads)
        probed.append(record)
        rounds += 1
        share = min(len(wanted) * rounds // expected, len(wanted))
        done(share - reported)
        reported = share
        if rounds >= len(FIRST_PROBES):
            before, (reached, near) = reached, _recall(sample, distance)
    done(len(wanted) - reported)
    tell(
        f"neighbours: {reached:.3f} of the true {k} nearest were found ({near:.3f} of those within {NEAR}), measured on "
        f"{len(sample[0]):,} of {n:,} rows; {len(cells.border) - 1:,} cells, {rounds} rounds"
    )
    for start in range(0, n, _SEGMENT):
        part = distance[start : start + _SEGMENT]
        np.sqrt(part * 2, out=part)


def _sample(vectors: Rows, *, k: int, seed: int, pool: Pool) -> tuple[Ints, Vectors]:
    """Some rows and the distances (1 - cos) to their k nearest others, exactly: int64[s], float32[s, k]."""
    n = len(vectors)
    rows = np.sort(np.random.default_rng(seed).permutation(n)[:_SAMPLE])
    queries = unit(vectors[rows])
    best = np.full((len(rows), k + 1), np.inf, np.float32)
    for start in range(0, n, _SEGMENT):
        cosine, _ = _top(queries, _floats(vectors[start : start + _SEGMENT]), min(k + 1, n - start))
        best = np.sort(np.concatenate((best, np.maximum(1 - cosine, 0)), axis=1), axis=1)[:, : k + 1]
    return rows, best[:, 1:]


def _recall(sample: tuple[Ints, Vectors], distance: Vectors) -> tuple[float, float]:
    """The share of the true neighbours that was found, of all and of those within :data:`NEAR`."""
    rows, truth = sample
    found = distance[rows]
    slack = np.float32(1e-5)
    known = np.isfinite(truth)
    hit = (found <= np.where(known, truth, -1).max(axis=1)[:, None] + slack).sum(axis=1)
    limit = np.float32(NEAR**2 / 2)
    near = truth < limit
    near_hit = (found <= np.where(near, truth, -1).max(axis=1)[:, None] + slack).sum(axis=1)
    return float(hit.sum() / max(known.sum(), 1)), float(near_hit.sum() / max(near.sum(), 1))


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
    bits[...] = vectors.view(np.int16)
    bits <<= 13
    bits &= np.int32(-0x70000001)
    out *= np.float32(2.0**112)


# ---------------------------------------------------------------- making the cells


def _make_cells(vectors: Rows, *, pool: Pool, seed: int, folder: Path | None, threads: int) -> _Cells:
    n, d = vectors.shape
    rng = np.random.default_rng((seed, n))
    parts = max(2, n // (CELL * _SPLIT // 2))
    some = np.sort(rng.permutation(n)[: parts * 64])
    centres = _means(_floats(vectors[some]), parts, rng, rounds=4)
    label = np.empty(n, np.int32)

    def assign(start: int) -> None:
        block = _floats(vectors[start : start + BLOCK])
        label[start : start + BLOCK] = np.argmax(block @ centres.T, axis=1)

    for _ in pool.map(assign, range(0, n, BLOCK)):
        pass
    row = np.argsort(label, kind="stable").astype(np.int32)
    border = np.searchsorted(label[row], np.arange(len(centres) + 1))
    points = RowFile(n, d, folder=folder)
    filled = border[:-1].copy()
    for start in range(0, n, _SEGMENT):
        part = label[start : start + _SEGMENT]
        order = np.argsort(part, kind="stable")
        block = np.asarray(vectors[start : start + _SEGMENT])[order].astype(np.float16, copy=False)
        size = np.bincount(part, minlength=len(centres))
        stop = np.cumsum(size)
        for c in np.flatnonzero(size).tolist():
            points[int(filled[c]) : int(filled[c] + size[c])] = block[stop[c] - size[c] : stop[c]]
        filled += size
    spans = [
        (a, min(a + _SEGMENT, stop))
        for start, stop in zip(border[:-1].tolist(), border[1:].tolist(), strict=True)
        for a in range(start, stop, _SEGMENT)
    ]
    scale = np.empty(n, np.float32)

    def split(number: int) -> tuple[Ints, Vectors]:
        start, stop = spans[number]
        held = points[start:stop]
        block = np.empty(held.shape, np.float32)
        _widen(held, block)
        length = 1 / np.sqrt(np.maximum(np.einsum("ij,ij->i", block, block), 1e-24))
        block *= length[:, None]
        order, size = _fine(block, np.random.default_rng((seed, number)))
        points[start:stop] = held[order]
        row[start:stop] = row[start:stop][order]
        scale[start:stop] = length[order]
        first = np.cumsum(size) - size
        return size, unit(np.add.reduceat(block[order], first, axis=0))

    made = list(pool.map(split, range(len(spans))))
    size = np.concatenate([s for s, _ in made])
    centre = np.concatenate([c for _, c in made])
    home = np.full(n + 1, len(size), np.int32)
    home[row] = np.repeat(np.arange(len(size), dtype=np.int32), size)
    return _Cells(
        row=row, border=np.append(0, np.cumsum(size)), home=home, centre=centre,
        near=_near_cells(centre, pool=pool, seed=seed, folder=folder, threads=threads), points=points, scale=scale,
    )  # fmt: skip


def _means(rows: Vectors, parts: int, rng: np.random.Generator, *, rounds: int) -> Vectors:
    """Spherical k-means: float32[at most parts, d], unit rows; every one has rows nearest to it."""
    centres = rows[np.sort(rng.permutation(len(rows))[:parts])]
    for _ in range(rounds):
        label = np.concatenate([np.argmax(rows[s : s + BLOCK] @ centres.T, axis=1) for s in range(0, len(rows), BLOCK)])
        order = np.argsort(label, kind="stable")
        first = np.flatnonzero(np.diff(label[order], prepend=-1))
        centres = unit(np.add.reduceat(rows[order], first, axis=0))
    return centres


def _fine(rows: Vectors, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Rows in the order of their cells, and the sizes of these: int64[n], int64[c]."""
    n = len(rows)
    parts = round(n / CELL)
    if parts < 2:
        return np.arange(n), np.array([n])
    deep = parts > _SPLIT
    if deep:
        parts = -(-2 * parts // _SPLIT)
    some = rows if n <= parts * _TRAIN else rows[np.sort(rng.permutation(n)[: parts * _TRAIN])]
    centres = _means(some, parts, rng, rounds=_ROUNDS)
    label = np.concatenate([np.argmax(rows[s : s + BLOCK] @ centres.T, axis=1) for s in range(0, n, BLOCK)])
    order = np.argsort(label, kind="stable")
    size = np.bincount(label, minlength=len(centres))
    size = size[size > 0]
    if deep and len(size) > 1:
        stop = np.cumsum(size)
        inner = [_fine(rows[order[b - s : b]], rng) for b, s in zip(stop.tolist(), size.tolist(), strict=True)]
        order = np.concatenate([order[b - s : b][o] for (o, _), b, s in zip(inner, stop, size, strict=True)])
        return order, np.concatenate([s for _, s in inner])
    # equal or nearly equal rows stay together however they are split: cut by number
    pieces = -(-size // (_CUT * CELL))
    share, more = np.divmod(np.repeat(size, pieces), np.repeat(pieces, pieces))
    number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return order, share + (number < more)


def _near_cells(centre: Vectors, *, pool: Pool, seed: int, folder: Path | None, threads: int) -> Ints32:
    """The cells nearest to each, itself first: int32[c, min(c, NEAR_CELLS)]."""
    c = len(centre)
    own = np.arange(c, dtype=np.int32)
    width = min(c, NEAR_CELLS) - 1
    index = np.full((c, width), -1, np.int32)
    distance = np.full((c, width), np.inf, np.float32)
    if c > 60_000:
        _by_cells(
            centre.astype(np.float16), own, np.ones(c, bool), index, distance, pool=pool, threads=threads, seed=seed,
            folder=folder, done=lambda rows: None, tell=lambda note: None, target=0.8,
        )  # fmt: skip
    else:
        _exact(centre, own, np.ones(c, bool), index, distance, lambda rows: None)
    return np.concatenate((own[:, None], index), axis=1)


# ---------------------------------------------------------------- which cells a row probes


def _nearest_cells(cells: _Cells, positions: Ints32, count: int, pool: Pool) -> Ints32:
    """The cells nearest to the points at some positions, of those near their home: int32[p, count], -1 where fewer."""
    out = np.full((len(positions), count), -1, np.int32)
    home = cells.home[cells.row[positions]]
    first = np.append(np.flatnonzero(np.diff(home, prepend=-1)), len(home))

    def rank(part: Ints) -> None:
        for i, j in zip(part[:-1].tolist(), part[1:].tolist(), strict=True):
            near = cells.near[home[i]]
            near = near[near >= 0]
            held = positions[i:j]
            rows = _read(cells, held)
            score = rows @ cells.centre[near].T
            score[:, 0] = np.inf  # the home, wherever its centre has moved
            take = min(count, len(near))
            out[i:j, :take] = near[np.argsort(-score, axis=1, kind="stable")[:, :take]]

    step = 256
    for _ in pool.map(rank, [first[s : s + step + 1] for s in range(0, len(first) - 1, step)]):
        pass
    return out


def _read(cells: _Cells, positions: Ints32) -> Vectors:
    """Points at ascending positions, float32 and unit."""
    start, stop = int(positions[0]), int(positions[-1]) + 1
    held = cells.points[start:stop] if stop - start == len(positions) else cells.points[positions]
    out = np.empty(held.shape, np.float32)
    for s in range(0, len(held), 2048):
        part = out[s : s + 2048]
        _widen(held[s : s + 2048], part)
        part *= cells.scale[positions[s : s + 2048]][:, None]
    return out


def _voted_cells(
    cells: _Cells, rows: Ints32, index: Ints32, probed: Sequence[npt.NDArray[Any]], count: int, pool: Pool
) -> Ints32:
    """The cells where most neighbours of neighbours live and that were not probed: int32[p, count], -1 where fewer."""
    out = np.full((len(rows), count), -1, np.int32)
    none = len(cells.border) - 1
    step = 1024

    def vote(start: int) -> None:
        part = slice(start, start + step)
        near = index[rows[part]]
        m = len(near)
        far = index[near.ravel()].reshape(m, -1)
        far[np.repeat(near < 0, index.shape[1], axis=1)] = -1
        live = cells.home[np.concatenate((near, far), axis=1)]
        live <<= 1
        live |= 1
        before = np.concatenate([old[part] for old in probed], axis=1)
        # a probed cell is an even number and sorts before the votes for it
        before = np.where(before < 0, np.int32(none), before) << 1
        both = np.concatenate((live, before), axis=1)
        both.sort(axis=1)
        cell = both >> 1
        new = np.ones(both.shape, bool)
        np.not_equal(cell[:, 1:], cell[:, :-1], out=new[:, 1:])
        flat = np.flatnonzero(new)
        votes = np.minimum(np.diff(np.append(flat, new.size)), 2047)
        lead = both.ravel()[flat]
        good = ((lead & 1) == 1) & (lead >> 1 != none)
        flat, votes, lead = flat[good], votes[good], lead[good] >> 1
        key = (flat // both.shape[1]) << 48 | (2047 - votes) << 32 | lead
        key.sort()
        row = key >> 48
        place = np.arange(len(key)) - np.searchsorted(row, np.arange(m))[row]
        first = place < count
        out[start + row[first], place[first]] = (key[first] & 0xFFFFFFFF).astype(np.int32)

    for _ in pool.map(vote, range(0, len(rows), step)):
        pass
    return out


# ---------------------------------------------------------------- probing


def _probe(
    cells: _Cells,
    positions: Ints32,
    probes: Ints32,
    index: Ints32,
    distance: Vectors,
    entering: npt.NDArray[np.bool_],
    settled: npt.NDArray[np.bool_],
    *,
    pool: Pool,
    threads: int,
) -> None:
    """Compares points with the cells they probe and keeps what is nearer than what they had.

    Of the points, those that are ``entering`` also enter the lists of ``settled`` rows that they meet.
    """
    rows = cells.row[positions]
    queries = np.empty((len(rows), cells.points.shape[1]), np.float32)

    def load(start: int) -> None:
        queries[start : start + BLOCK] = _read(cells, positions[start : start + BLOCK])

    for _ in pool.map(load, range(0, len(rows), BLOCK)):
        pass
    least = 1 - distance[rows, -1]
    any_enters = bool(entering[rows].any())
    flat = probes.ravel()
    pair = np.flatnonzero(flat >= 0)
    key = flat[pair].astype(np.int64) << 32 | pair
    key.sort()
    by = ((key & 0xFFFFFFFF) // probes.shape[1]).astype(np.int32)
    key >>= 32
    first = np.append(np.flatnonzero(np.diff(key, prepend=-1)), len(key))
    cell = key[first[:-1]].astype(np.int32)
    del key, flat, pair
    lots = max(1, -(-len(by) // _PAIRS)) * threads
    cut = np.unique(np.searchsorted(first, np.linspace(0, len(by), lots + 1).astype(np.int64)))

    def compare(lot: int) -> tuple[Ints32, Ints32, Vectors]:
        found_row: list[Ints32] = []
        found_id: list[Ints32] = []
        found: list[Vectors] = []
        for i in range(int(cut[lot]), int(cut[lot + 1])):
            begin, end = int(cells.border[cell[i]]), int(cells.border[cell[i] + 1])
            held = cells.points[begin:end]
            points = np.empty(held.shape, np.float32)
            _widen(held, points)
            points *= cells.scale[begin:end, None]
            for s in range(int(first[i]), int(first[i + 1]), 8192):
                who = by[s : min(s + 8192, int(first[i + 1]))]
                score = queries.take(who, axis=0) @ points.T
                hit = np.flatnonzero(score > least.take(who)[:, None])
                if len(hit):
                    r, c = np.divmod(hit.astype(np.int32), np.int32(end - begin))
                    found_row.append(rows[who[r]])
                    found_id.append(cells.row[begin:end][c])
                    found.append(score.ravel()[hit])
                if any_enters:
                    other = cells.row[begin:end]
                    beat = score > np.where(settled[other], 1 - distance[other, -1], np.inf)
                    hit = np.flatnonzero(beat & entering[rows[who]][:, None])
                    r, c = np.divmod(hit.astype(np.int32), np.int32(end - begin))
                    found_row.append(other[c])
                    found_id.append(rows[who[r]])
                    found.append(score.ravel()[hit])
        if not found:
            return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)
        return np.concatenate(found_row), np.concatenate(found_id), np.concatenate(found)

    gathered: list[tuple[Ints32, Ints32, Vectors]] = []
    size = 0
    for got in pool.map(compare, range(len(cut) - 1)):
        gathered.append(got)
        size += len(got[0])
        if size > 8 * _LIMIT:
            _merge(gathered, index, distance, pool)
            gathered, size = [], 0
    _merge(gathered, index, distance, pool)


def _merge(gathered: Sequence[tuple[Ints32, Ints32, Vectors]], index: Ints32, distance: Vectors, pool: Pool) -> None:
    """Puts what was found into the lists: of each row the nearest, ties in the order of their index."""
    if not gathered:
        return
    row = np.concatenate([r for r, _, _ in gathered])
    ids = np.concatenate([i for _, i, _ in gathered])
    value = np.concatenate([v for _, _, v in gathered])
    k = index.shape[1]
    key = row.astype(np.int64) << 32 | np.arange(len(row))
    key = key[row != ids]
    key.sort()
    order = key & 0xFFFFFFFF
    key >>= 32
    first = np.flatnonzero(np.diff(key, prepend=-1))
    target = key[first]
    size = np.diff(np.append(first, len(key)))
    del key
    by_size = np.argsort(size, kind="stable")
    widest = size[by_size]
    parts: list[slice] = []
    start = 0
    while start < len(by_size):
        stop = min(start + 4096, len(by_size))
        while stop > start + 1 and (stop - start) * (k + int(widest[stop - 1])) > _LIMIT // 8:
            stop = start + (stop - start) // 2
        parts.append(slice(start, stop))
        start = stop

    def put(part: slice) -> None:
        chosen = by_size[part]
        count = size[chosen]
        rows = target[chosen]
        packed = np.full((len(chosen), k + int(count[-1])), np.iinfo(np.uint64).max, np.uint64)
        packed[:, :k] = _packed(distance[rows], index[rows])
        at = np.repeat(np.arange(len(chosen)), count)
        within = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
        from_ = order[first[chosen][at] + within]
        packed[at, k + within] = _packed(np.maximum(1 - value[from_], 0), ids[from_])
        packed.sort(axis=1)
        index[rows], distance[rows] = _unpacked(packed[:, :k])

    for _ in pool.map(put, parts):
        pass
