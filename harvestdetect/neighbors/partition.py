"""Many points in cells, made by k-means, so that the neighbours of a point are in the cells around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any, Final, Protocol

import numpy as np

from harvestdetect.neighbors.lists import Pool
from harvestdetect.neighbors.quantize import NO_SCORE, SCALE, int8_products, quantize, rotation, unit_float32
from harvestdetect.util.arrays import AnyInts, Floats32, Ints, Ints8, Ints32, ranges, unit
from harvestdetect.util.vectors import Rows

__all__ = [
    "POINTS_PER_CELL",
    "RANK_BITS",
    "Cells",
    "Codes",
    "Partition",
    "make_cells",
    "nearest_of",
    "over_all",
    "ranks",
    "train_centres",
]

POINTS_PER_CELL: Final = 120
"""Average number of points of a cell, unless that would make more cells than wanted."""
MAX_FLAT_CELLS: Final = 16_384
"""Number of cells above which they are made region by region: each row is then compared only with the regions and with
the cells of its own region."""
REACH: Final = 0.2
"""Cosine by which the best point of a cell exceeds the mean of the cell, if its points do not agree at all. It was
measured."""
RANK_BITS: Final = 16
"""A rank is at most about two to the power of this number plus one."""
_TRAINED_PER_CELL: Final = 16
"""Number of points per cell from which the centres of cells are computed."""
_REGIONS_PER_ROOT: Final = 8
"""Number of regions, as a multiple of the square root of the number of cells."""
_KMEANS_ROUNDS: Final = 4
"""Rounds of k-means."""
_POWER_ROUNDS: Final = 6
"""Rounds of power iteration for the axis of greatest spread."""
_ROWS_PER_COPY: Final = 4_096
"""Rows that one thread encodes or copies at a time."""
_ROWS_PER_TASK: Final = 1_024
"""Rows that one thread compares with centres at a time."""
_CELLS_PER_TASK: Final = 64
"""Cells whose means one thread computes at a time."""
_CENTRES_PER_PRODUCT: Final = 1_024
"""Centres that rows are compared with at a time."""
_CELLS_PER_LEAF: Final = 4
"""Number of cells up to which a set of cells is not halved further when cells are put in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """n points in c cells, ordered by cell. A position is the place of a point in that order. Near cells adjoin."""

    row: Ints32
    """int32[n]: the point at each position."""
    position: Ints32
    """int32[n]: the position of each point."""
    border: Ints
    """int64[c + 1]: cell i has the positions from ``border[i]`` to before ``border[i + 1]``."""
    home: Ints32
    """int32[n]: the cell of each position."""
    centre: Ints8
    """int8[c, d]: the code of each centre."""
    weight: Ints32
    """int32[c]: agreement of the points of a cell, the length of their mean in 256ths."""
    bias: Ints32
    """int32[c]: how far the best point of a cell may exceed the mean towards a row, as a rank."""
    code: Ints8
    """int8[n, d]: the code of the point at each position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The cell of each of n points, which a later search can use again."""

    home: Ints32
    """int32[n]: -1 for a point whose cell is not known yet."""
    centre: Ints8
    """int8[c, d]: the code of each centre."""


def make_cells(vectors: Rows, *, most: int, pool: Pool, seed: int, known: Partition | None = None) -> Cells:
    """Puts unit rows into cells.

    Args:
        vectors: float16 or float32[n, d].
        most: most cells, up to 65,536.
        pool: threads.
        seed: of the sample from which centres are computed.
        known: cells of an earlier search. Rows without a cell go to the nearest one. They are used only if their
            number is between half and twice the number of new cells.
    """
    n, d = vectors.shape
    code = _codes(vectors, pool)
    count = min(max(2, n // POINTS_PER_CELL), most)
    if known is not None and count / 2 <= len(known.centre) <= 2 * count:
        home = known.home.copy()
        fresh = np.flatnonzero(home < 0)
        blocks = [code[fresh[start : start + _ROWS_PER_TASK]] for start in range(0, len(fresh), _ROWS_PER_TASK)]
        for start, found in zip(
            range(0, len(fresh), _ROWS_PER_TASK), pool.map(_nearest, blocks, [known.centre] * len(blocks)), strict=True
        ):
            home[fresh[start : start + _ROWS_PER_TASK]] = found
    else:
        home = _homes(code, count, pool=pool, seed=seed)
    row = np.argsort(home, kind="stable").astype(np.int32)
    first = np.flatnonzero(np.diff(home[row], prepend=-1))
    size = np.diff(np.append(first, n))
    mean = np.empty((len(size), d), np.float32)

    def average(start: int) -> None:
        part = slice(start, start + _CELLS_PER_TASK)
        members = row[first[start] : first[part][-1] + size[part][-1]]
        sums = np.add.reduceat(code[members], first[part] - first[start], axis=0, dtype=np.int32)
        mean[part] = sums / (size[part, None] * np.float32(SCALE * np.sqrt(d)))

    over_all(pool, average, range(0, len(size), _CELLS_PER_TASK))
    order = _in_order(mean)
    row = row[ranges(first[order], size[order])]
    size, mean = size[order], mean[order]
    position = np.empty(n, np.int32)
    position[row] = np.arange(n, dtype=np.int32)
    agreement = np.minimum(np.sqrt(np.einsum("ij,ij->i", mean, mean)), 1)
    placed = np.empty_like(code)

    def put(start: int) -> None:
        np.take(
            code, row[start : start + _ROWS_PER_COPY], axis=0, out=placed[start : start + _ROWS_PER_COPY], mode="clip"
        )

    over_all(pool, put, range(0, n, _ROWS_PER_COPY))
    return Cells(
        row=row, position=position, border=np.append(0, np.cumsum(size)),
        home=np.repeat(np.arange(len(size), dtype=np.int32), size), centre=quantize(unit(mean)),
        weight=np.rint(256 * agreement).astype(np.int32),
        bias=np.rint(REACH * 2**RANK_BITS * np.sqrt(1 - agreement**2)).astype(np.int32),
        code=placed,
    )  # fmt: skip


def ranks(cells: Cells, code: Ints8, among: AnyInts | None = None) -> Ints32:
    """How promising cells are for some points: int32[r, c], or int32[r, a] for the cells ``among``.

    A rank estimates the score of the best point of a cell. It is the score of the mean, plus a bias that is larger if
    the points of the cell agree less.
    """
    part = slice(None) if among is None else among
    product = int8_products(code, cells.centre[part])
    product >>= max(0, int(SCALE**2 * code.shape[1]).bit_length() - RANK_BITS)
    product *= cells.weight[part]
    product >>= 8
    product += cells.bias[part]
    return product


def over_all(pool: Pool, do: Callable[[Any], object], items: Sequence[Any]) -> None:
    """Calls a function with every item, on all threads. Raises what any call raises."""
    for _ in pool.map(do, items):
        pass


def _codes(vectors: Rows, pool: Pool) -> Ints8:
    """The code of each row, rotated: int8[n, d]."""
    n, d = vectors.shape
    code = np.empty((n, d), np.int8)
    turn = rotation(d)

    def encode(start: int) -> None:
        block = slice(start, min(start + _ROWS_PER_COPY, n))
        code[block] = quantize(unit_float32(vectors[block]) @ turn)

    over_all(pool, encode, range(0, n, _ROWS_PER_COPY))
    return code


def _homes(code: Ints8, count: int, *, pool: Pool, seed: int) -> Ints32:
    """The cell of each of n points, in about ``count`` cells: int32[n]."""
    n = len(code)
    if count <= MAX_FLAT_CELLS:
        return _split(code, count, pool.map, seed)
    region = _split(code, _REGIONS_PER_ROOT * isqrt(count), pool.map, seed)
    order = np.argsort(region, kind="stable")
    border = np.append(np.flatnonzero(np.diff(region[order], prepend=-1)), n)
    size = np.diff(border)
    within = size * (count - len(size)) // n + 1
    first = np.cumsum(within) - within
    home = np.empty(n, np.int32)

    def split(i: int) -> None:
        part = order[border[i] : border[i + 1]]
        home[part] = first[i] + _split(code[part], int(within[i]), map, seed + i + 1)

    over_all(pool, split, range(len(size)))
    return home


class Codes(Protocol):
    """Codes of rows, in an array or computed when they are asked for: int8[n, d]."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Ints, /) -> Ints8: ...


def train_centres(code: Codes, count: int, *, each: int, over: Callable[..., Iterable[Any]], seed: int) -> Ints8:
    """The codes of at most ``count`` centres of some rows, int8[c, d].

    Args:
        code: int8[n, d].
        count: of centres.
        each: rows for each centre in the sample from which they are computed.
        over: ``map``, or that of a pool of threads.
        seed: of the sample.
    """
    rng = np.random.default_rng(seed)
    some = np.sort(rng.permutation(len(code))[: count * each])
    return _means(code[some], count, rng, over)


def _split(code: Ints8, count: int, over: Callable[..., Iterable[Any]], seed: int) -> Ints32:
    """The cell of each of some points, in at most ``count`` cells: int32[n]."""
    n = len(code)
    if count < 2:
        return np.zeros(n, np.int32)
    centre = train_centres(code, count, each=_TRAINED_PER_CELL, over=over, seed=seed)
    blocks = [code[start : start + _ROWS_PER_TASK] for start in range(0, n, _ROWS_PER_TASK)]
    return np.concatenate(list(over(_nearest, blocks, [centre] * len(blocks))))


def _means(rows: Ints8, count: int, rng: np.random.Generator, over: Callable[..., Iterable[Any]]) -> Ints8:
    """Spherical k-means. Returns the centres, int8[at most count, d]; centres without rows are left out."""
    centre = rows[np.sort(rng.permutation(len(rows))[:count])]
    for _ in range(_KMEANS_ROUNDS):
        blocks = [rows[start : start + _ROWS_PER_TASK] for start in range(0, len(rows), _ROWS_PER_TASK)]
        label = np.concatenate(list(over(_nearest, blocks, [centre] * len(blocks))))
        order = np.argsort(label, kind="stable")
        first = np.flatnonzero(np.diff(label[order], prepend=-1))
        sums = np.add.reduceat(rows[order], first, axis=0, dtype=np.int32)
        centre = quantize(unit(sums.astype(np.float32)))
    return centre


def _nearest(rows: Ints8, centre: Ints8) -> Ints32:
    """The centre with the greatest product with each row, the first of equal ones: int32[r]."""
    return nearest_of(rows, centre, 1)[:, 0]


def nearest_of(code: Ints8, centre: Ints8, each: int) -> Ints32:
    """The centres with the greatest products with each row, the first of equal ones first: int32[r, each]."""
    rows = np.arange(len(code))
    best = np.full((len(code), each), NO_SCORE, np.int32)
    label = np.full((len(code), each), -1, np.int32)
    for start in range(0, len(centre), _CENTRES_PER_PRODUCT):
        product = int8_products(code, centre[start : start + _CENTRES_PER_PRODUCT])
        for _ in range(min(each, product.shape[1])):
            place = product.argmax(axis=1)
            value = product[rows, place]
            product[rows, place] = NO_SCORE
            better = np.flatnonzero(value > best[:, -1])
            if not len(better):
                break
            best[better, -1] = value[better]
            label[better, -1] = place[better] + start
            order = np.argsort(-best[better], axis=1, kind="stable")
            best[better] = np.take_along_axis(best[better], order, axis=1)
            label[better] = np.take_along_axis(label[better], order, axis=1)
    return label


def _in_order(centre: Floats32) -> Ints:
    """An order of centres in which near ones adjoin, made by halving along the axis of greatest spread, recursively."""
    waiting = [np.arange(len(centre))]
    out: list[Ints] = []
    while waiting:
        part = waiting.pop()
        if len(part) <= _CELLS_PER_LEAF:
            out.append(part)
            continue
        centred = centre[part] - centre[part].mean(axis=0)
        axis = centred[np.einsum("ij,ij->i", centred, centred).argmax()]
        for _ in range(_POWER_ROUNDS):
            axis = (centred @ axis) @ centred
            axis /= max(float(np.linalg.norm(axis)), 1e-12)
        part = part[np.argsort(centred @ axis, kind="stable")]
        waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
    return np.concatenate(out)
