"""How many of the true neighbours an inexact search has found, measured on a sample of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from harvestdetect.neighbors.lists import ROWS_PER_BLOCK, Search, first_of_each
from harvestdetect.neighbors.nn_descent import Lists
from harvestdetect.neighbors.partition import Cells
from harvestdetect.neighbors.quantize import unit_float32
from harvestdetect.util.arrays import AnyInts, Bools, Floats32, Ints32, ranges, unit
from harvestdetect.util.vectors import Rows

__all__ = [
    *("CLUSTER_DISTANCE", "TARGET_RECALL", "TIE_RATIO", "Recall", "RecallSample", "cosines", "measure_recall"),
    *("rows_at", "side_by_side", "true_sample"),
]

TARGET_RECALL: Final = 0.95
"""Share of the true neighbours of the sample that an inexact search must find."""
TIE_RATIO: Final = 1.01
"""Ratio of distances up to which another row counts as a tie with the last true neighbour. Among millions of texts
the last neighbours of a list are arbitrary, because many rows are within one hundredth of the same distance
(ANN-Benchmarks counts in the same way: Aumueller, Bernhardsson, Faithfull 2020)."""
TARGET_TIE_RECALL: Final = 0.99
"""Share of the true neighbours that must be found, ties included, for a search to stop below :data:`TARGET_RECALL`."""
MAX_TIE_GAIN: Final = 0.02
"""Share of the true neighbours that the last round may have added for a search to stop below :data:`TARGET_RECALL`."""
CLUSTER_DISTANCE: Final = 0.9
"""Chord distance. The recall of neighbours nearer than this, which clusters are made of, is reported separately."""
_SAMPLE_ROWS: Final = 1_024
"""Most rows of the sample."""
_MIN_SAMPLE_ROWS: Final = 256
"""Rows of the sample, even if they are more than :data:`_SAMPLE_SHARE` of all."""
_SAMPLE_SHARE: Final = 1 / 128
"""Most of the wanted rows that are in the sample, as a share. A sample row is compared with all rows."""
_ROWS_PER_PRODUCT: Final = 256
"""Rows whose neighbours are gathered and multiplied at a time."""
_ROUNDING: Final = 1e-5
"""Cosine by which a neighbour may be below the last true one, because products are rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallSample:
    """Some rows and their true neighbours, with which the result of a search is compared."""

    row: Ints32
    """int32[s], ascending."""
    index: Ints32
    """int32[s, k]: their true neighbours, -1 if there are fewer than k."""
    cosine: Floats32
    """float32[s, k]: cosine of each neighbour, -2 if there are fewer than k."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Shares of the true neighbours of the sample that were found."""

    share: float
    """Share of all true neighbours."""
    near: float
    """Share of those nearer than :data:`CLUSTER_DISTANCE`."""
    ties: float
    """Share of all true neighbours, where a row within :data:`TIE_RATIO` of the last true distance counts as one."""
    partial: bool
    """Whether only some rows are searched."""

    def is_enough(self, before: float) -> bool:
        """Whether the search may stop.

        If only some rows are searched, the lists of the others are good already, so the gain of the last round does
        not count.

        Args:
            before: ``share`` before the last round.
        """
        gain = 1.0 if self.partial else MAX_TIE_GAIN
        return self.share >= TARGET_RECALL or (self.ties >= TARGET_TIE_RECALL and self.share <= before + gain)


def true_sample(search: Search, *, seed: int) -> RecallSample:
    """Draws a sample of the wanted rows and finds their true neighbours by comparing them with all rows."""
    vectors, n, k = search.vectors, *search.index.shape
    # The comparison with every row must not cost more than the search.
    most = min(_SAMPLE_ROWS, max(_MIN_SAMPLE_ROWS, int(_SAMPLE_SHARE * len(search.wanted))))
    rows = np.sort(np.random.default_rng(seed).permutation(search.wanted)[:most])
    queries = unit(vectors[rows])
    first, others = np.split(np.arange(0, n, ROWS_PER_BLOCK), [max(1, n // ROWS_PER_BLOCK // 16)])

    def cosines_with(start: int) -> Floats32:
        found = queries @ unit_float32(vectors[start : start + ROWS_PER_BLOCK]).T
        here = np.flatnonzero((rows >= start) & (rows < start + ROWS_PER_BLOCK))
        found[here, rows[here] - start] = -2
        return found

    def nearest_in(start: int) -> tuple[Floats32, Ints32]:
        cosine = cosines_with(start)
        order = np.argpartition(-cosine, min(k, cosine.shape[1]) - 1, axis=1)[:, :k].astype(np.int32)
        return 1 - np.take_along_axis(cosine, order, 1), order + np.int32(start)

    index, away = np.full((len(rows), k), -1, np.int32), np.full((len(rows), k), np.inf, np.float32)
    for chord, found in search.pool.map(nearest_in, first.tolist()):
        away = np.maximum(np.concatenate((away, chord), axis=1), 0)
        index, away = first_of_each(away, np.concatenate((index, found), 1), k)
    least = 1 - away[:, -1]

    def better_in(start: int) -> tuple[Ints32, Ints32, Floats32]:
        """The few rows that are no farther than the k-th nearest of the first blocks."""
        cosine = cosines_with(start)
        row, column = np.nonzero(cosine >= least[:, None])
        return row.astype(np.int32), (column + start).astype(np.int32), 1 - cosine[row, column]

    gathered = [(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))]
    gathered += search.pool.map(better_in, others.tolist())
    of, ids, far = (np.concatenate(part) for part in zip(*gathered, strict=True))
    more = side_by_side(of, np.arange(len(of)), len(rows))
    chord = np.where(more < 0, np.float32(np.inf), np.append(far, np.inf)[more])
    index, away = first_of_each(
        np.maximum(np.concatenate((away, chord), axis=1), 0).astype(np.float32),
        np.concatenate((index, np.append(ids, -1)[more]), axis=1).astype(np.int32),
        k,
    )
    return RecallSample(row=rows, index=index, cosine=np.where(index < 0, np.float32(-2), 1 - away))


def measure_recall(sample: RecallSample, vectors: Rows, cells: Cells, lists: Lists) -> Recall:
    """The recall of the lists, measured on a sample."""
    rows, truth = sample.row, sample.cosine
    found = rows_at(cells.row, lists.near[cells.position[rows]])
    cosine = cosines(vectors, rows, found)
    cosine[found < 0] = -3
    slack = np.float32(_ROUNDING)

    def share(counted: Bools, farther: float = 1.0) -> float:
        least = np.where(counted, truth, 2).min(axis=1)
        least = np.where(least > 1, least, 1 - (1 - least) * np.float32(farther**2))  # chords are squared
        hit = np.minimum((cosine >= least[:, None] - slack).sum(axis=1), counted.sum(axis=1))
        return float(hit.sum() / max(int(counted.sum()), 1))

    every = truth > -2
    return Recall(
        share=share(every),
        near=share(truth > np.float32(1 - CLUSTER_DISTANCE**2 / 2)),
        ties=share(every, TIE_RATIO),
        partial=bool(lists.settled.any()),
    )


def side_by_side(row: AnyInts, ids: AnyInts, rows: int) -> Ints32:
    """Pairs (row, id) as a table: int32[rows, most ids of a row], the ids of each row in no order, then -1."""
    order = np.argsort(row, kind="stable")
    count = np.bincount(row, minlength=rows)
    table = np.full((rows, int(count.max(initial=0))), -1, np.int32)
    table[row[order], ranges(np.zeros_like(count), count)] = ids[order]
    return table


def cosines(vectors: Rows, rows: AnyInts, others: Ints32) -> Floats32:
    """Cosines of rows with others.

    Args:
        vectors: float16 or float32[n, d].
        rows: int[r].
        others: int32[r, m].

    Returns:
        float32[r, m]; meaningless where ``others`` is -1.
    """
    needed, place = np.unique(others, return_inverse=True)
    table = unit_float32(vectors[np.maximum(needed, 0)])
    place = place.reshape(others.shape)
    out = np.empty(others.shape, np.float32)
    for start in range(0, len(rows), _ROWS_PER_PRODUCT):
        part = slice(start, start + _ROWS_PER_PRODUCT)
        out[part] = np.matmul(table[place[part]], unit_float32(vectors[rows[part]])[:, :, None])[:, :, 0]
    return out


def rows_at(row: Ints32, positions: Ints32) -> Ints32:
    """The rows at some positions; -1 stays -1."""
    return np.where(positions < 0, np.int32(-1), row[positions])
