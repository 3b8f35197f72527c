"""Inexact nearest neighbours of many rows: in cells, then by neighbours of neighbours, until enough are found.

Rows are put into cells (:mod:`harvestdetect.neighbors.partition`) and compared with the cells around them, as
eight-bit codes. Then they are compared with the neighbours of their neighbours
(:mod:`harvestdetect.neighbors.nn_descent`), in rounds, until :data:`~harvestdetect.neighbors.recall.TARGET_RECALL` of
the true neighbours of a sample are found. At the end the distances of the vectors themselves put each list in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

import numpy as np

from harvestdetect.neighbors.lists import ROWS_PER_BLOCK, Search, chord_distance, first_of_each
from harvestdetect.neighbors.nn_descent import (
    MAX_RANKED_CELLS,
    Lists,
    NearRows,
    ScoredPairs,
    begin,
    descend,
    empty_lists,
    groups_of,
    probe,
)
from harvestdetect.neighbors.partition import Cells, Partition, make_cells, over_all
from harvestdetect.neighbors.quantize import NO_SCORE, SCALE
from harvestdetect.neighbors.recall import (
    CLUSTER_DISTANCE,
    TARGET_RECALL,
    TIE_RATIO,
    Recall,
    RecallSample,
    cosines,
    measure_recall,
    rows_at,
    side_by_side,
    true_sample,
)
from harvestdetect.util.arrays import Bools, Ints, Ints32, pairs

__all__ = ["search_by_cells"]

MAX_CELLS: Final = 65_536
"""Most cells of a search."""
MIN_CELLS: Final = 1_024
"""Number of cells up to which :data:`CELLS_PER_ROOT` does not limit them."""
CELLS_PER_ROOT: Final = 16
"""Most cells, as a multiple of the square root of the number of searched rows. The cost of making cells depends on all
rows, the cost of searching only on those that are searched."""
FIRST_PROBES: Final = 12
"""Number of cells that each row is compared with before the first round of neighbours of neighbours."""
MAX_COMPARED_PAIRS: Final = 65_536 * 1_000_000
"""Number of compared pairs after which a search stops, unless :data:`MAX_COMPARED_PER_ROW` allows more."""
MAX_COMPARED_PER_ROW: Final = 65_536
"""Number of compared pairs, for each searched row, after which a search stops. The note says what was reached."""
MIN_ROUND_GAIN: Final = 0.003
"""Share of the true neighbours. If a round of neighbours of neighbours adds less, more cells are probed."""
EXTRA_PLACES: Final = 8
"""Places of a list beyond k, because scores of codes are not exact."""
COSINE_MARGIN: Final = 0.004
"""Difference between the cosine of two codes and the cosine of the vectors that is hardly ever exceeded."""
_ROWS_PER_COPY: Final = 65_536
"""Rows whose known lists are converted at a time."""


def search_by_cells(
    search: Search,
    *,
    seed: int,
    notes: Callable[[str], object],
    partition: Partition | None,
    on_partition: Callable[[Partition], object],
) -> None:
    """Fills the lists of the wanted rows. Entering rows also enter the lists of the other rows.

    Args:
        search: what is searched, and the lists that are filled.
        seed: of the sample and of the cells.
        notes: called with a sentence that states the recall.
        partition: of these rows, as an earlier search made it; None makes a new one.
        on_partition: called with the partition that was used.
    """
    n, k = search.index.shape
    wanted = search.wanted
    whole = len(wanted) == n
    sample = true_sample(search, seed=seed)
    # The cells of an earlier search cost nothing, so there may be as many as for a search of all rows.
    rows = len(wanted) if partition is None else n
    most = min(MAX_CELLS, max(MIN_CELLS, CELLS_PER_ROOT * isqrt(rows)))
    cells = make_cells(search.vectors, most=most, pool=search.pool, seed=seed, known=partition)
    home = np.empty(n, np.int32)
    home[cells.row] = cells.home
    on_partition(Partition(home=home, centre=cells.centre))
    searching = np.zeros(n, bool)
    searching[cells.position[wanted]] = True
    lists = empty_lists(n, k + EXTRA_PLACES, settled=~searching)
    if not whole:
        _copy_known(search, lists, cells)
    entering = np.zeros(n, bool) if whole else search.entering[cells.row]
    groups = groups_of(cells, np.flatnonzero(searching).astype(np.int32), search.pool)
    result = _improve(search, sample, cells, lists, groups, searching=searching, entering=entering)
    row, near, later = cells.row, lists.near, lists.later
    del cells, lists, groups  # they are large
    _fill_by_distance(search, row, near, np.flatnonzero(searching))
    if later:
        _enter_by_distance(search, row, later)
    search.done(len(wanted) - result.reported)
    reached = result.recall
    notes(
        f"neighbours: {reached.share:.3f} of the true {k} nearest found ({reached.near:.3f} of those within "
        f"{CLUSTER_DISTANCE}; {reached.ties:.3f} with others no farther than {TIE_RATIO} times the last of them), "
        f"measured on {len(sample.row):,} of {len(wanted):,}; a row was compared with "
        f"{result.compared // len(wanted):,} others, in {result.rounds} rounds of neighbours of neighbours"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """The end of a search."""

    recall: Recall
    compared: int
    """Pairs that were compared."""
    rounds: int
    """Rounds of neighbours of neighbours."""
    reported: int
    """Rows that were reported as done."""


def _improve(
    search: Search,
    sample: RecallSample,
    cells: Cells,
    lists: Lists,
    groups: Sequence[NearRows],
    *,
    searching: Bools,
    entering: Bools,
) -> _Result:
    """Probes cells and asks neighbours of neighbours in turn, until enough true neighbours are found.

    Args:
        search: what is searched.
        sample: on which the recall is measured.
        cells: of all points.
        lists: are changed.
        groups: of the positions that search.
        searching: bool[n], positions that search.
        entering: bool[n], positions that also enter the lists of those that they are compared with.
    """
    wanted, pool = len(search.wanted), search.pool
    compared = begin(cells, lists, groups, entering, pool)
    start, stop, rounds, reported = 0, FIRST_PROBES, 0, 0
    widest = min(MAX_RANKED_CELLS, len(cells.centre))
    budget = max(MAX_COMPARED_PAIRS, MAX_COMPARED_PER_ROW * wanted)
    while True:
        compared += probe(cells, lists, groups, start, stop, entering, pool)
        before, recall = 0.0, measure_recall(sample, search.vectors, cells, lists)
        while before + MIN_ROUND_GAIN <= recall.share and not recall.is_enough(before) and compared < budget:
            rounds += 1
            compared += descend(cells, lists, groups, searching, pool)
            before, recall = recall.share, measure_recall(sample, search.vectors, cells, lists)
            share = min(int(wanted * recall.share / TARGET_RECALL), wanted)
            search.done(max(share - reported, 0))
            reported = max(share, reported)
        if recall.is_enough(before) or stop >= widest or compared >= budget:
            return _Result(recall=recall, compared=compared, rounds=rounds, reported=reported)
        start, stop = stop, 4 * stop


def _copy_known(search: Search, lists: Lists, cells: Cells) -> None:
    """Copies the known neighbours into the lists. Only what is not much farther than the last of them may enter."""
    d, k = search.vectors.shape[1], search.index.shape[1]
    for start in range(0, len(search.index), _ROWS_PER_COPY):
        part = slice(start, start + _ROWS_PER_COPY)
        rows = cells.row[part]
        found = search.index[rows]
        with np.errstate(invalid="ignore"):
            score = np.rint((1 - search.distance[rows].astype(np.float64) ** 2 / 2) * (SCALE**2 * d))
        score = np.where(found < 0, NO_SCORE, score).astype(np.int32)
        lists.near[part, :k] = np.where(found < 0, np.int32(-1), cells.position[found])
        lists.score[part, :k] = score
        last = score[:, -1]
        lists.least[part] = np.where(last == NO_SCORE, NO_SCORE, last - int(COSINE_MARGIN * SCALE**2 * d))


def _fill_by_distance(search: Search, row: Ints32, near: Ints32, positions: Ints) -> None:
    """Fills the lists of some rows with the nearest of what was found, by the distances of the vectors.

    Args:
        search: the lists that are filled.
        row: int32[n], the row at each position.
        near: int32[n, w], positions that were found for each position.
        positions: int64[s], those whose rows are filled.
    """

    def fill(start: int) -> None:
        some = positions[start : start + ROWS_PER_BLOCK]
        rows, found = row[some], rows_at(row, near[some])
        chord = chord_distance(cosines(search.vectors, rows, found))
        chord[found < 0] = np.inf
        search.index[rows], search.distance[rows] = first_of_each(chord, found, search.index.shape[1])

    over_all(search.pool, fill, range(0, len(positions), ROWS_PER_BLOCK))


def _enter_by_distance(search: Search, row: Ints32, later: list[ScoredPairs]) -> None:
    """Adds what was found for rows that were not searched to their lists, by the distances of the vectors.

    Args:
        search: the lists that are filled.
        row: int32[n], the row at each position.
        later: what was found, see :class:`~harvestdetect.neighbors.nn_descent.Lists`.
    """
    index, distance = search.index, search.distance
    found = pairs(*(np.concatenate([some[side] for some in later]) for side in (0, 1)))
    # Near positions were found together, so a block that is ordered by position has few different rows to read.
    of, ids = (row[positions] for positions in found)
    edge = np.append(np.flatnonzero(np.diff(of, prepend=-1)), len(of))

    def enter(start: int) -> None:
        stop = min(start + ROWS_PER_BLOCK, len(edge) - 1)
        part = slice(edge[start], edge[stop])
        rows, count = of[edge[start:stop]], np.diff(edge[start : stop + 1])
        # A row that lost a neighbour is searched again, and may be in a list already.
        fresh = ~(index[of[part]] == ids[part, None]).any(axis=1)
        new = side_by_side(np.repeat(np.arange(len(rows)), count)[fresh], ids[part][fresh], len(rows))
        if not new.shape[1]:
            return
        chord = chord_distance(cosines(search.vectors, rows, new))
        chord[new < 0] = np.inf
        index[rows], distance[rows] = first_of_each(
            np.concatenate((distance[rows], chord), axis=1), np.concatenate((index[rows], new), axis=1), index.shape[1]
        )

    over_all(search.pool, enter, range(0, len(edge) - 1, ROWS_PER_BLOCK))
