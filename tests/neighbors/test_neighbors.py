"""The search against brute force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.data import Neighbors
from harvestdetect.neighbors import by_cells, exact, recall
from harvestdetect.neighbors import nn_descent as descent
from harvestdetect.neighbors import partition as cells
from harvestdetect.neighbors import quantize as codes
from harvestdetect.neighbors import search as neighbors
from harvestdetect.neighbors.partition import Partition
from harvestdetect.neighbors.search import chord_distance, nearest, nearest_to
from harvestdetect.util.arrays import Floats32
from harvestdetect.util.vectors import RowFile


def unit(rows: npt.NDArray[Any]) -> Floats32:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def random_rows(n: int, d: int = 16, seed: int = 0) -> Floats32:
    return unit(np.random.default_rng(seed).standard_normal((n, d)))


def blobs(n: int, groups: int, d: int = 24, width: float = 0.15, seed: int = 0) -> Floats32:
    rng = np.random.default_rng(seed)
    centres = unit(rng.standard_normal((groups, d)))
    return unit(centres[rng.integers(0, groups, n)] + width * rng.standard_normal((n, d)))


def brute(vectors: Floats32, k: int) -> npt.NDArray[np.float64]:
    """Distances to the k nearest others: float64[n, min(k, n - 1)]."""
    wide = vectors.astype(np.float64)
    distance = np.linalg.norm(wide[:, None] - wide[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return np.sort(distance, axis=1)[:, : min(k, len(vectors) - 1)]


def check_shape(found: Neighbors, n: int, k: int) -> None:
    """What holds for every answer."""
    assert found.index.shape == found.distance.shape == (n, k)
    assert found.index.dtype == np.int32
    assert found.distance.dtype == np.float32
    assert ((found.index >= -1) & (found.index < n)).all()
    assert ((found.index == -1) == np.isinf(found.distance)).all()
    assert not (found.index == np.arange(n)[:, None]).any()
    held = np.where(np.isinf(found.distance), 9.0, found.distance)
    assert (np.diff(held, axis=1) >= 0).all()
    for row in found.index:
        own = row[row >= 0]
        assert len(set(own.tolist())) == len(own)


@given(
    n=st.integers(0, 40),
    k=st.integers(1, 12),
    seed=st.integers(0, 99),
    copies=st.integers(1, 4),
    d=st.integers(2, 8),
)
@settings(max_examples=60, deadline=None)
def test_exact_search_equals_brute_force(n: int, k: int, seed: int, copies: int, d: int) -> None:
    vectors = np.repeat(random_rows(n, d, seed), copies, axis=0)[:n]
    found = nearest(vectors, k=k)
    check_shape(found, n, k)
    if n > 1:
        expected = brute(vectors, k)
        # float32 cosines leave about 1e-3 on the distance of equal points
        assert np.allclose(found.distance[:, : expected.shape[1]], expected, atol=2e-3)
        assert np.isinf(found.distance[:, expected.shape[1] :]).all()


def test_indices_of_distinct_points_equal_brute_force() -> None:
    vectors = random_rows(700, 12, seed=4)
    found = nearest(vectors, k=9)
    wide = vectors.astype(np.float64)
    distance = np.linalg.norm(wide[:, None] - wide[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1)[:, :9]
    assert (found.index == order).mean() > 0.999
    assert np.allclose(np.take_along_axis(distance, found.index.astype(np.int64), 1), found.distance, atol=1e-5)


def test_more_rows_than_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = random_rows(300, 8, seed=1)
    whole = nearest(vectors, k=6)
    for module in (exact, recall, by_cells):
        monkeypatch.setattr(module, "ROWS_PER_BLOCK", 64)
    parts = nearest(vectors, k=6)
    assert (whole.index == parts.index).mean() > 0.99
    assert np.allclose(whole.distance, parts.distance, atol=1e-5)


@pytest.mark.parametrize("exact_below", [60_000, 1])
def test_fewer_rows_than_k(exact_below: int) -> None:
    for n in (2, 3, 5):
        found = nearest(random_rows(n, 6, seed=n), k=32, exact_below=exact_below)
        check_shape(found, n, 32)
        if exact_below > n:
            assert ((found.index >= 0).sum(axis=1) == n - 1).all()


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("exact_below", [60_000, 1])
def test_no_other_row(n: int, exact_below: int) -> None:
    check_shape(nearest(random_rows(1, 6)[:n], k=4, exact_below=exact_below), n, 4)


@pytest.mark.parametrize("exact_below", [60_000, 1])
def test_equal_rows_are_neighbours_at_next_to_no_distance(exact_below: int) -> None:
    vectors = np.repeat(random_rows(1, 6), 50, axis=0)
    found = nearest(vectors, k=8, exact_below=exact_below)
    check_shape(found, 50, 8)
    assert (found.index >= 0).all()
    assert (found.distance < 2e-3).all()


def test_a_row_with_many_copies_does_not_lose_its_own_place() -> None:
    # more copies than k: the search may not return the row itself at all
    vectors = np.concatenate((np.repeat(random_rows(1, 6), 40, axis=0), random_rows(60, 6, seed=8)))
    found = nearest(vectors, k=5)
    check_shape(found, 100, 5)
    assert (found.index[:40] < 40).all()


def test_the_search_by_cells_finds_nine_of_ten_and_the_same_twice() -> None:
    vectors = blobs(4_000, groups=80)
    exact = nearest(vectors, k=10)
    found = nearest(vectors, k=10, exact_below=1_000, seed=3)
    check_shape(found, 4_000, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.index, found.index, strict=True)])
    assert recall >= 0.9
    assert (found.distance >= exact.distance - 1e-4).all()
    again = nearest(vectors, k=10, exact_below=1_000, seed=3)
    assert np.array_equal(found.index, again.index)
    assert np.array_equal(found.distance, again.distance)


def test_the_search_by_cells_tells_true_distances() -> None:
    vectors = blobs(2_500, groups=30, seed=2)
    found = nearest(vectors, k=6, exact_below=100)
    held = found.index >= 0
    other = vectors[np.where(held, found.index, 0)].astype(np.float64)
    true = np.linalg.norm(vectors[:, None].astype(np.float64) - other, axis=2)
    assert np.allclose(found.distance[held], true[held], atol=2e-3)


@pytest.mark.parametrize("exact_below", [60_000, 500])
def test_progress_adds_up_to_the_rows(exact_below: int) -> None:
    seen: list[int] = []
    nearest(blobs(2_300, groups=20), k=4, exact_below=exact_below, progress=seen.append)
    assert sum(seen) == 2_300
    assert min(seen) >= 0


def test_the_arguments_are_left_as_they_are() -> None:
    vectors = random_rows(50, 6)
    before = vectors.copy()
    nearest(vectors, k=3)
    assert np.array_equal(vectors, before)


@settings(deadline=None)
@given(
    n=st.integers(1, 300),
    parts=st.lists(st.lists(st.integers(-1, 299), max_size=20), min_size=1, max_size=3),
)
def test_marked_positions_are_the_sorted_ones(n: int, parts: list[list[int]]) -> None:
    arrays = [np.array([i for i in part if i < n], np.int32) for part in parts]
    every = {int(i) for part in arrays for i in part} - {-1}
    found = descent._distinct_of(n, arrays)
    assert found.dtype == np.int32
    assert found.tolist() == sorted(every)


def test_nearest_to_equals_brute_force() -> None:
    queries, vectors = random_rows(20, 8, seed=1), random_rows(90, 8, seed=2)
    found = nearest_to(queries, vectors, k=7)
    distance = np.linalg.norm(queries[:, None].astype(np.float64) - vectors[None], axis=2)
    assert np.array_equal(found.index, np.argsort(distance, axis=1)[:, :7])
    assert np.allclose(found.distance, np.sort(distance, axis=1)[:, :7], atol=1e-5)


def test_nearest_to_with_fewer_vectors_than_k_or_none() -> None:
    found = nearest_to(random_rows(3, 8), random_rows(2, 8, seed=5), k=4)
    assert (found.index[:, :2] >= 0).all()
    assert (found.index[:, 2:] == -1).all()
    assert np.isinf(found.distance[:, 2:]).all()
    assert (nearest_to(random_rows(3, 8), np.empty((0, 8), np.float32), k=2).index == -1).all()
    assert nearest_to(np.empty((0, 8), np.float32), random_rows(3, 8), k=2).index.shape == (0, 2)


def test_chord_distance() -> None:
    cosine = np.array([1.0, 0.5, 0.0, -1.0, 1.0000002, -1.0000002])
    assert chord_distance(cosine).tolist() == pytest.approx([0.0, 1.0, 2**0.5, 2.0, 0.0, 2.0], abs=1e-3)
    assert chord_distance(cosine).dtype == np.float32


# ---------------------------------------------------------------- neighbours that are known


def _known(vectors: npt.NDArray[np.float32], held: npt.NDArray[np.intp], exact_below: int) -> Neighbors:
    return nearest(vectors[held], k=5, exact_below=exact_below)


@settings(deadline=None, max_examples=40)
@given(n=st.integers(2, 90), share=st.floats(0, 1), gone=st.integers(0, 20), seed=st.integers(0, 2**32 - 1))
def test_new_rows_and_lost_ones_change_lists_as_a_new_search_would(n: int, share: float, gone: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    everything = unit(rng.standard_normal((n + gone, 8)).astype(np.float32))
    now = np.sort(rng.permutation(n + gone)[:n])
    held = np.flatnonzero(~np.isin(np.arange(n + gone), now) | (rng.random(n + gone) < share))
    before = _known(everything, held, 10_000)
    place = np.where(np.isin(held, now), np.searchsorted(now, held), -1).astype(np.int32)
    found = nearest(everything[now], k=5, exact_below=10_000, known=(before, place))
    whole = nearest(everything[now], k=5, exact_below=10_000)
    np.testing.assert_allclose(found.distance, whole.distance, atol=1e-5)
    finite = np.where(np.isinf(whole.distance), 9 + np.arange(5), whole.distance)
    apart = np.diff(finite, axis=1).min(axis=1) > 1e-4
    np.testing.assert_array_equal(found.index[apart], whole.index[apart])


def test_known_neighbors_by_cells_are_about_as_good_as_a_new_search() -> None:
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((60, 32))
    vectors = unit((centres[rng.integers(0, 60, 6_000)] + 0.4 * rng.standard_normal((6_000, 32))).astype(np.float32))
    old = np.sort(rng.permutation(6_000)[:5_600])
    truth = nearest(vectors, k=5, exact_below=10_000)
    found = nearest(
        vectors, k=5, exact_below=1_000, known=(_known(vectors, old, 1_000), old.astype(np.int32)), threads=2
    )
    hit = np.mean([len(np.intersect1d(a, b)) / 5 for a, b in zip(found.index, truth.index, strict=True)])
    assert hit > 0.9
    new = np.setdiff1d(np.arange(6_000), old)
    assert np.isin(new, found.index).sum() > 0.95 * np.isin(new, truth.index).sum(), "they enter the lists of others"


def test_no_row_is_twice_in_a_list_where_some_have_left_and_others_have_come() -> None:
    rng = np.random.default_rng(7)
    vectors = unit(rng.standard_normal((6_000, 48)).astype(np.float32))
    old, gone = np.arange(5_800), rng.permutation(5_800)[:40]
    before = nearest(vectors[old], k=8, exact_below=1_000)
    now = np.setdiff1d(np.arange(6_000), gone)
    place = np.where(np.isin(old, gone), -1, np.searchsorted(now, old)).astype(np.int32)
    found = nearest(vectors[now], k=8, exact_below=1_000, known=(before, place))
    listed = np.sort(found.index, axis=1)
    assert not ((listed[:, 1:] == listed[:, :-1]) & (listed[:, 1:] >= 0)).any()
    assert not (found.index == np.arange(len(now))[:, None]).any()


def test_cells_of_an_earlier_search_serve_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    centres = rng.standard_normal((60, 32))
    vectors = unit((centres[rng.integers(0, 60, 6_000)] + 0.4 * rng.standard_normal((6_000, 32))).astype(np.float32))
    old = np.sort(rng.permutation(6_000)[:5_600]).astype(np.int32)
    truth = nearest(vectors, k=5, exact_below=10_000)
    left: list[Partition] = []
    before = nearest(vectors[old], k=5, exact_below=1_000, leave=left.append)
    home = np.full(6_000, -1, np.int32)
    home[old] = left[0].home
    again = Partition(home=home, centre=left[0].centre)

    def never(*args: object, **named: object) -> None:
        raise AssertionError("cells are made anew")

    monkeypatch.setattr(cells, "_homes", never)
    given = home.copy()
    found = nearest(vectors, k=5, exact_below=1_000, known=(before, old), partition=again, leave=left.append)
    np.testing.assert_array_equal(home, given)
    hit = np.mean([len(np.intersect1d(a, b)) / 5 for a, b in zip(found.index, truth.index, strict=True)])
    assert hit > 0.9
    assert left[1].home.min() >= 0
    assert left[1].home.max() < len(left[1].centre)
    few = replace(again, home=np.minimum(home, 1), centre=again.centre[:2])
    with pytest.raises(AssertionError, match="anew"):
        nearest(vectors, k=5, exact_below=1_000, known=(before, old), partition=few)


def test_known_neighbors_of_another_k_or_place_are_refused() -> None:
    vectors = unit(np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32))
    before = nearest(vectors, k=5)
    with pytest.raises(ValueError, match="have k = 5, the search has k = 4"):
        nearest(vectors, k=4, known=(before, np.arange(20, dtype=np.int32)))
    with pytest.raises(ValueError, match="placed at one row"):
        nearest(vectors, k=5, known=(before, np.zeros(20, np.int32)))


@pytest.mark.parametrize("exact_below", [1, 10_000])
def test_vectors_in_a_file_and_any_number_of_threads_give_the_same(exact_below: int, tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(1).standard_normal((3_000, 16)).astype(np.float32)).astype(np.float16)
    file = RowFile(3_000, 16, folder=tmp_path)
    file[:] = vectors
    notes: list[str] = []
    first = nearest(vectors, k=6, exact_below=exact_below, threads=1, notes=notes.append)
    second = nearest(file, k=6, exact_below=exact_below, threads=3)
    np.testing.assert_array_equal(first.index, second.index)
    np.testing.assert_array_equal(first.distance, second.distance)
    assert len(notes) == (exact_below == 1)


# ---------------------------------------------------------------- cells of eight-bit codes


def same(first: Neighbors, second: Neighbors) -> None:
    np.testing.assert_array_equal(first.index, second.index)
    np.testing.assert_array_equal(first.distance, second.distance)


@settings(deadline=None, max_examples=40)
@given(a=st.integers(1, 70), b=st.integers(1, 70), d=st.integers(1, 300), seed=st.integers(0, 2**32 - 1))
def test_products_of_codes_are_exact_either_way(a: int, b: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.choice(np.array([-127, -1, 0, 126, 127], np.int8), (rows, d)) for rows in (a, b))
    expected = x.astype(np.int64) @ y.astype(np.int64).T
    np.testing.assert_array_equal(codes.int8_products(x, y), expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codes, "_torch_multiplies", lambda: False)
        np.testing.assert_array_equal(codes.int8_products(x, y), expected)


def test_the_means_of_multiplying_do_not_change_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = blobs(3_000, groups=40, d=32)
    found = nearest(vectors, k=8, exact_below=1)
    monkeypatch.setattr(codes, "_torch_multiplies", lambda: False)
    same(nearest(vectors, k=8, exact_below=1), found)


def test_more_cells_than_are_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = blobs(4_000, groups=80)
    monkeypatch.setattr(cells, "POINTS_PER_CELL", 20)
    for module in (descent, by_cells):
        monkeypatch.setattr(module, "MAX_RANKED_CELLS", 64)
    exact = nearest(vectors, k=10)
    found = nearest(vectors, k=10, exact_below=1)
    check_shape(found, 4_000, 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.index, found.index, strict=True)]) >= 0.9


def test_the_recall_is_measured_and_told() -> None:
    vectors = random_rows(3_000, 24)
    notes: list[str] = []
    found = nearest(vectors, k=10, exact_below=1, notes=notes.append)
    exact = nearest(vectors, k=10)
    told = float(notes[0].split()[1])
    true = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.index, found.index, strict=True)])
    assert told >= recall.TARGET_RECALL
    assert abs(told - true) < 0.03


def test_all_cells_are_probed_before_the_search_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = random_rows(3_000, 32)
    monkeypatch.setattr(by_cells, "FIRST_PROBES", 2)
    monkeypatch.setattr(recall, "TARGET_RECALL", 1.1)
    monkeypatch.setattr(by_cells, "TARGET_RECALL", 1.1)
    monkeypatch.setattr(descent, "FIRST_POINTS", 100)
    found = nearest(vectors, k=8, exact_below=1)
    check_shape(found, 3_000, 8)
    exact = nearest(vectors, k=8)
    assert np.mean([len(set(a) & set(b)) / 8 for a, b in zip(exact.index, found.index, strict=True)]) > 0.99


def test_a_search_that_would_take_too_long_ends_and_says_what_it_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = random_rows(3_000, 32)
    monkeypatch.setattr(by_cells, "FIRST_PROBES", 1)
    monkeypatch.setattr(by_cells, "MAX_COMPARED_PAIRS", 1)
    monkeypatch.setattr(by_cells, "MAX_COMPARED_PER_ROW", 1)
    monkeypatch.setattr(descent, "FIRST_POINTS", 100)
    notes: list[str] = []
    check_shape(nearest(vectors, k=8, exact_below=1, notes=notes.append), 3_000, 8)
    assert "in 0 rounds" in notes[0]
    assert float(notes[0].split()[1]) < recall.TARGET_RECALL


def test_a_probe_leaves_out_what_was_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = blobs(3_000, groups=40, d=32)
    monkeypatch.setattr(descent, "FIRST_POINTS", 100)
    with neighbors.thread_pool(2, codes=True) as pool:
        made = cells.make_cells(vectors, most=64, pool=pool, seed=0)
        for group in descent.groups_of(made, np.arange(3_000, dtype=np.int32), pool):
            begun = group.near[group.begun]
            assert np.isin(made.home[group.rows], begun).all()
            some = [descent._most_promising(made, group, a, b) for a, b in ((0, 2), (2, 9), (9, 99))]
            for probed in np.concatenate(some, axis=1):
                np.testing.assert_array_equal(np.sort(np.append(probed, begun)), np.arange(len(made.centre)))


@pytest.mark.parametrize("flat", [8, 10_000])
def test_cells_hold_every_point_once_near_its_like(flat: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they are made by region."""
    vectors = blobs(4_000, groups=40, d=32)
    monkeypatch.setattr(cells, "MAX_FLAT_CELLS", flat)
    monkeypatch.setattr(cells, "_REGIONS_PER_ROOT", 2)
    made = {}
    for threads in (1, 3):
        with neighbors.thread_pool(threads, codes=True) as pool:
            made[threads] = cells.make_cells(vectors, most=64, pool=pool, seed=0)
    one = made[3]
    np.testing.assert_array_equal(made[1].row, one.row)
    np.testing.assert_array_equal(made[1].border, one.border)
    np.testing.assert_array_equal(np.sort(one.row), np.arange(4_000))
    np.testing.assert_array_equal(one.row[one.position], np.arange(4_000))
    assert one.border[0] == 0
    assert one.border[-1] == 4_000
    assert (np.diff(one.border) > 0).all()
    assert 24 <= len(one.border) - 1 <= 64
    np.testing.assert_array_equal(one.home, np.repeat(np.arange(len(one.border) - 1), np.diff(one.border)))
    agreement = (codes.unit_float32(one.code) * codes.unit_float32(one.centre)[one.home]).sum(axis=1)
    assert np.median(agreement) > 0.6


@settings(deadline=None, max_examples=60)
@given(
    lists=st.lists(st.dictionaries(st.integers(0, 30), st.integers(-50, 50), max_size=6), min_size=1, max_size=5),
    found=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), max_size=40),
)
def test_what_is_found_enters_a_list_once_in_order(lists: list[dict[int, int]], found: list[tuple[int, int]]) -> None:
    width, n = 4, len(lists)
    score_of = [{i: (7 * i * (row + 3)) % 11 - 5 for i in range(31)} for row in range(n)]  # one pair has one score
    held = descent.empty_lists(n, width)
    for row, entries in enumerate(lists):
        best = sorted(entries, key=lambda i: (-score_of[row][i], i))[:width]
        held.near[row, : len(best)] = best
        held.score[row, : len(best)] = [score_of[row][i] for i in best]
    found = [(row, i) for row, i in found if row < n]
    of, ids = (np.array([pair[at] for pair in found], np.int32) for at in (0, 1))
    score = np.array([score_of[row][i] for row, i in found], np.int32)
    near, value, age = descent._best(held, np.arange(n, dtype=np.int32), of, ids, score)
    for row in range(n):
        old = {int(i) for i in held.near[row] if i >= 0}
        every = old | {i for other, i in found if other == row}
        best = sorted(every, key=lambda i: (-score_of[row][i], i))[:width]
        assert near[row].tolist() == best + [-1] * (width - len(best))
        assert value[row, : len(best)].tolist() == [score_of[row][i] for i in best]
        assert (value[row, len(best) :] == codes.NO_SCORE).all()
        assert [a > 0 for a in age[row, : len(best)]] == [i not in old for i in best]


# ---------------------------------------------------------------- rows in a file


@settings(deadline=None, max_examples=60)
@given(n=st.integers(1, 60), d=st.integers(1, 4), data=st.data())
def test_rows_of_a_file_are_those_of_an_array(n: int, d: int, data: st.DataObject) -> None:
    file, array = RowFile(n, d, dtype=np.int32), np.zeros((n, d), np.int32)
    for value in range(1, 4):
        rows = np.array(data.draw(st.lists(st.integers(0, n - 1), unique=True)), np.int64)
        values = np.arange(len(rows) * d).reshape(-1, d) + 1_000 * value
        file[rows], array[rows] = values, values
        start, stop = sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))
        file[start:stop] = array[start:stop] = np.full((stop - start, d), value)
    wanted = np.array(data.draw(st.lists(st.integers(0, n - 1))), np.int64)
    np.testing.assert_array_equal(file[wanted], array[wanted])
    np.testing.assert_array_equal(file[:], array)


def test_what_a_file_of_rows_refuses() -> None:
    file = RowFile(5, 2)
    with pytest.raises(IndexError, match="there are 5 rows"):
        file[np.array([5])]
    with pytest.raises(ValueError, match="step 1"):
        file[::2]
    with pytest.raises(ValueError, match="2 rows of 2 are needed"):
        file[1:3] = np.zeros((3, 2))
