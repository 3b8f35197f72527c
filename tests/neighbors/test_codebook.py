"""The nearest centres of rows, against a comparison of each row with each centre."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.neighbors import codebook
from harvestdetect.neighbors.codebook import nearest_at_scales, nearest_centres
from harvestdetect.neighbors.partition import Codes
from harvestdetect.util.arrays import Ints, Ints8, unit


def blobs(rng: np.random.Generator, *, centres: int, rows: int, d: int = 32, spread: float = 0.05) -> np.ndarray:
    """float32[n, d], unit rows around some directions."""
    centre = rng.normal(size=(centres, d))
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    return unit((centre[rng.integers(0, centres, rows)] + rng.normal(scale=spread, size=(rows, d))).astype(np.float32))


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Ints8, Ints8]]:
    """What was compared: the codes of all rows, and those of the centres."""
    seen: list[tuple[Ints8, Ints8]] = []
    train = codebook.train_centres

    def recording(code: Codes, count: int, **named: object) -> Ints8:
        centre = train(code, count, **named)  # type: ignore[arg-type]
        seen.append((code[np.arange(len(code))], centre))
        return centre

    monkeypatch.setattr(codebook, "train_centres", recording)
    return seen


def by_brute_force(code: Ints8, centre: Ints8, each: int) -> Ints:
    """The nearest centres by exact products; of equal ones the first."""
    product = code.astype(np.int64) @ centre.astype(np.int64).T
    return np.argsort(-product, axis=1, kind="stable")[:, :each]


@pytest.mark.parametrize(("rows", "count"), [(300, 16), (5_000, 16), (2_000, 1_500)])
def test_the_nearest_centres_are_those_of_brute_force(
    rows: int, count: int, compared: list[tuple[Ints8, Ints8]]
) -> None:
    vectors = blobs(np.random.default_rng(0), centres=40, rows=rows)
    found = nearest_centres(vectors, count=count, each=3, threads=1)
    ((code, centre),) = compared
    assert len(code) == rows
    assert found.dtype == np.int32
    assert np.array_equal(found, by_brute_force(code, centre, 3))


def test_any_number_of_threads_gives_the_same() -> None:
    vectors = blobs(np.random.default_rng(1), centres=30, rows=6_000)
    one = nearest_centres(vectors, count=32, each=2, threads=1)
    assert np.array_equal(one, nearest_centres(vectors, count=32, each=2, threads=3))
    assert len(np.unique(one[:, 0])) > 16


def test_rows_that_are_alike_have_a_centre_in_common() -> None:
    rng = np.random.default_rng(2)
    centre = np.repeat(np.arange(20), 50)
    direction = unit(rng.normal(size=(20, 64)).astype(np.float32))
    vectors = unit(direction[centre] + rng.normal(scale=0.02, size=(1_000, 64)).astype(np.float32))
    found = nearest_centres(vectors, count=20, each=2, threads=1)
    alike = [set(found[i].tolist()) & set(found[i + 1].tolist()) for i in range(0, 1_000, 2)]
    assert np.mean([bool(common) for common in alike]) > 0.98
    unlike = [found[i, 0] == found[(i + 500) % 1_000, 0] for i in range(1_000)]
    assert np.mean(unlike) < 0.2


def test_chosen_rows_are_like_a_space_of_their_own() -> None:
    """In the order in which they are asked for, and as often."""
    rng = np.random.default_rng(3)
    vectors = blobs(rng, centres=10, rows=800)
    rows = rng.integers(0, 800, 500).astype(np.int32)
    assert np.array_equal(
        nearest_centres(vectors, count=8, each=2, rows=rows, threads=1),
        nearest_centres(vectors[rows], count=8, each=2, threads=1),
    )


def test_several_codebooks_are_those_of_each_alone() -> None:
    vectors = blobs(np.random.default_rng(5), centres=30, rows=3_000)
    found = nearest_at_scales(vectors, counts=[8, 100], each=2, threads=1, seed=1)
    for count, one in zip((8, 100), found, strict=True):
        assert np.array_equal(one, nearest_centres(vectors, count=count, each=2, threads=1, seed=1))
    assert nearest_at_scales(vectors, counts=[], threads=1) == []


def test_the_codes_of_all_rows_are_not_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    coded: list[int] = []
    quantize = codebook.quantize

    def recording(vectors: np.ndarray) -> Ints8:
        coded.append(len(vectors))
        return quantize(vectors)

    monkeypatch.setattr(codebook, "quantize", recording)
    nearest_centres(blobs(np.random.default_rng(6), centres=5, rows=9_000), count=4, threads=1)
    assert sum(coded) > 9_000
    assert max(coded) <= codebook.ROWS_PER_TASK


def test_fewer_rows_than_centres() -> None:
    vectors = blobs(np.random.default_rng(4), centres=3, rows=3)
    found = nearest_centres(vectors, count=10, each=5, threads=1)
    assert found.shape == (3, 5)
    known = (found >= 0).sum(axis=1)
    assert (known == known[0]).all()
    assert 1 <= known[0] <= 3
    assert (found[:, known[0] :] == -1).all()
    assert nearest_centres(vectors[:0], count=4, each=2).shape == (0, 2)
    assert nearest_centres(vectors[:1], count=4).tolist() == [[0]]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_centres_are_distinct_and_equal_rows_have_the_same(rows: int, count: int, each: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.repeat(blobs(rng, centres=4, rows=rows, d=16), 2, axis=0)
    found = nearest_centres(vectors, count=count, each=each, threads=1, seed=seed % 7)
    assert np.array_equal(found[::2], found[1::2])
    for row in found.tolist():
        known = [centre for centre in row if centre >= 0]
        assert len(set(known)) == len(known) >= 1
        assert max(known) < count
