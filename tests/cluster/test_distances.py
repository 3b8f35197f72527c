"""Core distances by accounts, and distances by shared neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.cluster.distances import core_distance, shared_distance
from harvestdetect.data import Neighbors
from harvestdetect.neighbors.search import nearest
from tests.cluster.making import blobs, lone_component, own_accounts


@given(
    seed=st.integers(0, 99),
    min_samples=st.integers(1, 6),
    accounts=st.integers(1, 12),
    most=st.integers(1, 4),
    k=st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_core_distance_counts_accounts_not_texts(seed: int, min_samples: int, accounts: int, most: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    near = nearest(blobs(30, 3, seed=seed), k=k)
    account = rng.integers(0, accounts, 30).astype(np.int32)
    senders = rng.integers(1, most + 1, 30).astype(np.int32)
    core = core_distance(near, min_samples=min_samples, account=account, senders=senders)
    for i in range(30):
        seen = {int(account[i])}
        count = int(senders[i]) - 1
        expected = np.inf
        for j, distance in zip(near.index[i].tolist(), near.distance[i].tolist(), strict=True):
            if j < 0:
                break
            count += int(senders[j]) - 1 + (int(account[j]) not in seen)
            seen.add(int(account[j]))
            if count >= min_samples:
                expected = distance
                break
        assert core[i] == np.float32(expected)


def test_many_texts_of_one_account_are_no_density() -> None:
    vectors = lone_component(40, 60)
    near = nearest(vectors, k=32)
    one = np.arange(100, dtype=np.int32)
    one[:40] = 0
    core = core_distance(near, min_samples=5, account=one, senders=np.ones(100, np.int32))
    assert (core[:40] > 0.9).all()
    assert (core_distance(near, min_samples=5, **own_accounts(100))[:40] < 0.5).all()


def test_a_text_of_many_accounts_is_dense_by_itself() -> None:
    near = nearest(lone_component(0, 20), k=5)
    senders = np.ones(20, np.int32)
    senders[3] = 6
    core = core_distance(near, min_samples=5, account=np.arange(20, dtype=np.int32), senders=senders)
    assert core[3] == near.distance[3, 0]


@given(seed=st.integers(0, 99), n=st.integers(2, 40), k=st.integers(1, 10))
@settings(max_examples=40, deadline=None)
def test_shared_distance_equals_set_overlap(seed: int, n: int, k: int) -> None:
    near = nearest(blobs(n, 3, seed=seed), k=k)
    found = shared_distance(near)
    assert found.shape == (n, k)
    around = [{i, *(int(j) for j in near.index[i] if j >= 0)} for i in range(n)]
    for i in range(n):
        for place, j in enumerate(near.index[i].tolist()):
            expected = 1 - len(around[i] & around[j]) / (k + 1) if j >= 0 else np.inf
            assert found[i, place] == pytest.approx(expected, abs=1e-6)


def test_shared_distance_of_no_points() -> None:
    assert shared_distance(nearest(blobs(1, 1)[:0], k=4)).shape == (0, 4)


def test_shared_distance_of_one_point() -> None:
    assert np.isinf(shared_distance(nearest(blobs(1, 1), k=4))).all()


def test_shared_distance_in_blocks() -> None:
    rng = np.random.default_rng(0)
    index = np.stack([rng.permutation(4_999)[:4] for _ in range(5_000)]).astype(np.int32)
    index += index >= np.arange(5_000)[:, None]
    near = Neighbors(index=index, distance=np.ones((5_000, 4), np.float32))
    found = shared_distance(near)
    for i in (0, 2_047, 2_048, 4_999):
        for place, j in enumerate(index[i].tolist()):
            common = {i, *index[i].tolist()} & {j, *index[j].tolist()}
            assert found[i, place] == pytest.approx(1 - len(common) / 5)
