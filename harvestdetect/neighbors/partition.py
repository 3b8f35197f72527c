"""Many points in cells by k-means, so that a point's neighbours are looked for in the cells around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isqrt
from typing import Any, Final, TypeAlias

import numpy as np

from harvestdetect.neighbors.quantize import NO_SCORE, SCALE, int8_products, quantize, rotation, unit_float32
from harvestdetect.util.arrays import AnyInts, Floats32, Ints, Ints8, Ints32, ranges, unit
from harvestdetect.util.vectors import Rows

__all__ = ["CELL", "Cells", "Partition", "make_cells", "over_all", "ranks"]

CELL: Final = 120
"""Points of a cell, on average, as long as there are no more cells than wanted."""
FLAT: Final = 16_384
"""More cells are made by region: each row is compared with the regions and the cells of its own."""
REACH: Final = 0.2
"""How far, beyond the mean of points that do not agree at all, the best of them lies; by measurement."""
RANK_BITS: Final = 16
"""A rank is at most about two to this power plus one."""
_TRAIN: Final = 16
_REGIONS: Final = 8
_ROUNDS: Final = 4
_POWER: Final = 6
_BLOCK: Final = 4_096
_TALL: Final = 1_024
_FEW: Final = 64
_WIDTH: Final = 1_024
_LEAF: Final = 4

Pool: TypeAlias = ThreadPoolExecutor


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """n points in c cells, ordered by cell: a position is the place of a point in that order. Near cells adjoin."""

    row: Ints32
    """int32[n], the point at a position."""
    position: Ints32
    """int32[n], of each point."""
    border: Ints
    """int64[c + 1]: cell i holds the positions ``border[i]`` to ``border[i + 1]``."""
    home: Ints32
    """int32[n], the cell of a position."""
    centre: Ints8
    """int8[c, d]."""
    weight: Ints32
    """int32[c], how far the points of a cell agree: the length of their mean, in 256ths."""
    bias: Ints32
    """int32[c], how far, at most, one of them reaches beyond the mean towards a row, as a rank."""
    code: Ints8
    """int8[n, d], the points at their positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Which cell each of n points is in: what a later search may take over."""

    home: Ints32
    """int32[n]; -1 where it is to be found."""
    centre: Ints8
    """int8[c, d]."""


def make_cells(vectors: Rows, *, most: int, pool: Pool, seed: int, known: Partition | None = None) -> Cells:
    """Cells of unit rows.

    Args:
        vectors: float16 or float32[n, d].
        most: cells; up to 65,536.
        pool: threads.
        seed: of the sample that the cells are made from.
        known: cells of an earlier search; rows without one go to the nearest of these. They are passed over where
            there would be less than half as many cells as are made anew, or more than twice as many.
    """
    n, d = vectors.shape
    code = _codes(vectors, pool)
    count = min(max(2, n // CELL), most)
    if known is not None and count / 2 <= len(known.centre) <= 2 * count:
        home = known.home.copy()
        fresh = np.flatnonzero(home < 0)
        blocks = [code[fresh[start : start + _TALL]] for start in range(0, len(fresh), _TALL)]
        for start, found in zip(
            range(0, len(fresh), _TALL), pool.map(_nearest, blocks, [known.centre] * len(blocks)), strict=True
        ):
            home[fresh[start : start + _TALL]] = found
    else:
        home = _homes(code, count, pool=pool, seed=seed)
    row = np.argsort(home, kind="stable").astype(np.int32)
    first = np.flatnonzero(np.diff(home[row], prepend=-1))
    size = np.diff(np.append(first, n))
    mean = np.empty((len(size), d), np.float32)

    def average(start: int) -> None:
        part = slice(start, start + _FEW)
        held = row[first[start] : first[part][-1] + size[part][-1]]
        sums = np.add.reduceat(code[held], first[part] - first[start], axis=0, dtype=np.int32)
        mean[part] = sums / (size[part, None] * np.float32(SCALE * np.sqrt(d)))

    over_all(pool, average, range(0, len(size), _FEW))
    order = _in_order(mean)
    row = row[ranges(first[order], size[order])]
    size, mean = size[order], mean[order]
    position = np.empty(n, np.int32)
    position[row] = np.arange(n, dtype=np.int32)
    agreement = np.minimum(np.sqrt(np.einsum("ij,ij->i", mean, mean)), 1)
    placed = np.empty_like(code)

    def put(start: int) -> None:
        np.take(code, row[start : start + _BLOCK], axis=0, out=placed[start : start + _BLOCK], mode="clip")

    over_all(pool, put, range(0, n, _BLOCK))
    return Cells(
        row=row, position=position, border=np.append(0, np.cumsum(size)),
        home=np.repeat(np.arange(len(size), dtype=np.int32), size), centre=quantize(unit(mean)),
        weight=np.rint(256 * agreement).astype(np.int32),
        bias=np.rint(REACH * 2**RANK_BITS * np.sqrt(1 - agreement**2)).astype(np.int32),
        code=placed,
    )  # fmt: skip


def ranks(cells: Cells, code: Ints8, among: AnyInts | None = None) -> Ints32:
    """How promising cells are for some points: int32[r, c], or [r, a] of those ``among``.

    What the best point of a cell may score: its mean does so much, and the less the points agree, the more one of them
    may lie nearer.
    """
    part = slice(None) if among is None else among
    product = int8_products(code, cells.centre[part])
    product >>= max(0, int(SCALE**2 * code.shape[1]).bit_length() - RANK_BITS)
    product *= cells.weight[part]
    product >>= 8
    product += cells.bias[part]
    return product


def over_all(pool: Pool, do: Callable[[Any], object], items: Sequence[Any]) -> None:
    """Does something with every item, on all threads; raises what any of them raised."""
    for _ in pool.map(do, items):
        pass


def _codes(vectors: Rows, pool: Pool) -> Ints8:
    """int8[n, d]."""
    n, d = vectors.shape
    code = np.empty((n, d), np.int8)
    turn = rotation(d)

    def encode(start: int) -> None:
        block = slice(start, min(start + _BLOCK, n))
        code[block] = quantize(unit_float32(vectors[block]) @ turn)

    over_all(pool, encode, range(0, n, _BLOCK))
    return code


def _homes(code: Ints8, count: int, *, pool: Pool, seed: int) -> Ints32:
    """The cell of each of n points, in about ``count`` cells: int32[n]."""
    n = len(code)
    if count <= FLAT:
        return _split(code, count, pool.map, seed)
    region = _split(code, _REGIONS * isqrt(count), pool.map, seed)
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


def _split(code: Ints8, count: int, over: Callable[..., Iterable[Any]], seed: int) -> Ints32:
    """The cell of each of some points, in at most ``count`` cells: int32[n]."""
    n = len(code)
    if count < 2:
        return np.zeros(n, np.int32)
    rng = np.random.default_rng(seed)
    some = np.sort(rng.permutation(n)[: count * _TRAIN])
    centre = _means(code[some], count, rng, over)
    blocks = [code[start : start + _TALL] for start in range(0, n, _TALL)]
    return np.concatenate(list(over(_nearest, blocks, [centre] * len(blocks))))


def _means(rows: Ints8, count: int, rng: np.random.Generator, over: Callable[..., Iterable[Any]]) -> Ints8:
    """Spherical k-means: int8[at most count, d]; every centre has had rows nearest to it."""
    centre = rows[np.sort(rng.permutation(len(rows))[:count])]
    for _ in range(_ROUNDS):
        blocks = [rows[start : start + _TALL] for start in range(0, len(rows), _TALL)]
        label = np.concatenate(list(over(_nearest, blocks, [centre] * len(blocks))))
        order = np.argsort(label, kind="stable")
        first = np.flatnonzero(np.diff(label[order], prepend=-1))
        sums = np.add.reduceat(rows[order], first, axis=0, dtype=np.int32)
        centre = quantize(unit(sums.astype(np.float32)))
    return centre


def _nearest(rows: Ints8, centre: Ints8) -> Ints32:
    """The centre with the greatest product with each row, the first of equal ones: int32[r]."""
    best = np.full(len(rows), NO_SCORE, np.int32)
    label = np.zeros(len(rows), np.int32)
    for start in range(0, len(centre), _WIDTH):
        product = int8_products(rows, centre[start : start + _WIDTH])
        place = product.argmax(axis=1)
        value = product[np.arange(len(rows)), place]
        better = value > best
        best[better] = value[better]
        label[better] = (place[better] + start).astype(np.int32)
    return label


def _in_order(centre: Floats32) -> Ints:
    """An order in which near ones adjoin: they are halved along the axis of greatest spread, and so are the halves."""
    waiting = [np.arange(len(centre))]
    out: list[Ints] = []
    while waiting:
        part = waiting.pop()
        if len(part) <= _LEAF:
            out.append(part)
            continue
        held = centre[part] - centre[part].mean(axis=0)
        axis = held[np.einsum("ij,ij->i", held, held).argmax()]
        for _ in range(_POWER):
            axis = (held @ axis) @ held
            axis /= max(float(np.linalg.norm(axis)), 1e-12)
        part = part[np.argsort(held @ axis, kind="stable")]
        waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
    return np.concatenate(out)
