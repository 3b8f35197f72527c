"""Forests that tasks make of the edges of some points, joined: the forest of all edges, ties included."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harvestdetect.cluster import forest_tasks, spanning
from harvestdetect.cluster.distances import shared_distance, shared_length
from harvestdetect.cluster.forest_tasks import forest_on, worth_sending
from harvestdetect.cluster.spanning import Forest, forest_of_rows, join_forests, spanning_forest
from harvestdetect.data import Neighbors
from harvestdetect.engines.engine import Engine
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.processes import Processes
from harvestdetect.util.arrays import Floats32


class Machines(Processes):
    """Processes that stand for other machines."""

    elsewhere = True


def random_lists(n: int, k: int, lengths: int, seed: int) -> tuple[Neighbors, Floats32]:
    """Lists of neighbours with few different lengths, so that many edges are equally long; core distances."""
    rng = np.random.default_rng(seed)
    index = np.full((n, k), -1, np.int32)
    distance = np.full((n, k), np.inf, np.float32)
    for row in range(n):
        others = rng.permutation(np.delete(np.arange(n), row))[: rng.integers(0, k + 1)]
        index[row, : len(others)] = others
        distance[row, : len(others)] = np.sort(rng.integers(0, lengths, len(others)) / np.float32(4))
    return Neighbors(index=index, distance=distance), (rng.integers(0, 3, n) / np.float32(8)).astype(np.float32)


def assert_same(found: Forest, expected: Forest) -> None:
    for name in ("low", "high", "length", "component"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        assert getattr(found, name).dtype == getattr(expected, name).dtype


@hypothesis_settings(deadline=None)  # the first call imports SciPy
@given(
    n=st.integers(1, 40),
    k=st.integers(1, 6),
    lengths=st.integers(1, 6),
    size=st.integers(1, 41),
    floor=st.sampled_from([0.0, 0.25, 0.5]),
    cap=st.sampled_from([0.1, 0.75, 1.1]),
    seed=st.integers(0, 2**32 - 1),
)
def test_joined_forests_are_the_forest_of_all_edges(
    n: int, k: int, lengths: int, size: int, floor: float, cap: float, seed: int
) -> None:
    neighbors, core = random_lists(n, k, lengths, seed)
    parts = [
        forest_of_rows(
            neighbors, core=core, rows=slice(start, min(start + size, n)),
            lengths=neighbors.distance[start : start + size], floor=floor, cap=cap,
        )
        for start in range(0, n, size)
    ]  # fmt: skip
    expected = spanning_forest(neighbors, core=core, distance=None, floor=floor, cap=cap)
    assert_same(join_forests(n, parts), expected)
    assert all(len(part.low) < 2 * size * (k + 1) for part in parts)


def test_many_forests_are_joined_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    neighbors, core = random_lists(300, 5, 3, 1)
    expected = spanning_forest(neighbors, core=core, distance=None, floor=0.0, cap=2.0)
    joined = []
    before = spanning._spanned
    monkeypatch.setattr(spanning, "EDGES_AT_ONCE", 100)
    monkeypatch.setattr(spanning, "_spanned", lambda n, parts: joined.append(n) or before(n, parts))
    parts = [
        forest_of_rows(neighbors, core=core, rows=slice(row, row + 1), lengths=neighbors.distance[row : row + 1],
                       floor=0.0, cap=2.0)
        for row in range(300)
    ]  # fmt: skip
    assert_same(join_forests(300, parts), expected)
    assert joined.count(300) > 1


@pytest.mark.parametrize("engine", [Loop(), Machines(2)], ids=["here", "elsewhere"])
@pytest.mark.parametrize("shared", [False, True])
def test_tasks_make_the_same_forest(engine: Engine, shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest_tasks, "EDGES_PER_TASK", 400)
    neighbors, core = random_lists(200, 6, 5, 2)
    floor, cap = (shared_length(6, 6), shared_length(2, 6)) if shared else (0.1, 1.1)
    core = np.zeros_like(core) if shared else core
    lengths = shared_distance(neighbors) if shared else None
    expected = spanning_forest(neighbors, core=core, distance=lengths, floor=floor, cap=cap)
    with closing(engine):
        found = forest_on(engine, neighbors, core=core, by_shared_neighbors=shared, floor=floor, cap=cap)
    assert len(found.low) > 10
    assert_same(found, expected)


def test_only_other_machines_span_many_points() -> None:
    with closing(Machines(2)) as away, closing(Processes(2)) as here:
        assert worth_sending(forest_tasks.PARALLEL_POINTS, away)
        assert not worth_sending(forest_tasks.PARALLEL_POINTS - 1, away)
        assert not worth_sending(10**9, here)
        assert not worth_sending(10**9, Loop())
