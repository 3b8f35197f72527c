"""Nodes of a tree that are chosen because their points keep to themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.cluster.distances import shared_distance, shared_length
from harvestdetect.cluster.selection import COHESION_OF, MAX_POINT_SHARE, select_by_cohesion
from harvestdetect.cluster.tree import Tree, build_tree
from harvestdetect.data import Neighbors
from harvestdetect.neighbors.search import nearest
from harvestdetect.util.arrays import Floats32, Ints32, unit

K = 20
LEAST = 10


def direction(rng: np.random.Generator, d: int = 24) -> Floats32:
    return unit(rng.normal(size=(1, d)).astype(np.float32))[0]


def around(rng: np.random.Generator, centre: Floats32, count: int, spread: float) -> Floats32:
    """float32[count, d], points around a direction."""
    return centre + spread * rng.normal(size=(count, len(centre))).astype(np.float32)


def noise(rng: np.random.Generator, count: int, d: int = 24) -> Floats32:
    return rng.normal(size=(count, d)).astype(np.float32)


def tree_of(vectors: Floats32) -> tuple[Tree, Neighbors]:
    near = nearest(unit(vectors), k=K, threads=1)
    tree = build_tree(
        near, core=np.zeros(len(vectors), np.float32), distance=shared_distance(near), floor=shared_length(K, K),
        cap=shared_length(2, K), min_cluster_size=LEAST,
    )  # fmt: skip
    return tree, near


def selected(*parts: Floats32) -> list[tuple[Ints32, float]]:
    return select_by_cohesion(*tree_of(np.concatenate(parts)), least=LEAST)


def coherent(found: Sequence[tuple[Ints32, float]], least: float = 0.6) -> list[list[int]]:
    return [points.tolist() for points, cohesion in found if cohesion >= least]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spread", [0.02, 0.08])
def test_a_homogeneous_group_is_one_node(seed: int, spread: float) -> None:
    """However dense it is: the distance has no scale. A rim of strangers who are near nobody else comes with it."""
    rng = np.random.default_rng(seed)
    found = coherent(selected(around(rng, direction(rng), 80, spread), noise(rng, 600)))
    (best, *_) = found
    inside = [point for point in best if point < 80]
    assert len(inside) >= 76
    assert len(inside) >= 0.75 * len(best)
    assert all(max(points) >= 80 for points in found[1:])


@pytest.mark.parametrize("seed", range(3))
def test_two_populations_are_two_nodes(seed: int) -> None:
    """They are neighbours of each other in a space of strangers."""
    rng = np.random.default_rng(seed)
    centre = direction(rng)
    aside = unit((centre + 0.35 * direction(rng))[None])[0]
    found = coherent(selected(around(rng, centre, 60, 0.03), around(rng, aside, 60, 0.03), noise(rng, 500)))
    for begin in (0, 60):
        (own,) = [points for points in found if sum(begin <= p < begin + 60 for p in points) > 30]
        assert sum(begin <= p < begin + 60 for p in own) >= 55
        assert len(own) <= 75


def test_noise_has_no_node_that_keeps_to_itself() -> None:
    for seed in range(3):
        assert coherent(selected(noise(np.random.default_rng(seed), 400))) == []


def cohesion_of(points: Ints32, neighbors: Neighbors) -> float:
    """By its definition."""
    index = neighbors.index[points, :COHESION_OF]
    inside = np.isin(index, points) & (index >= 0)
    return float(inside.sum() / (len(points) * min(COHESION_OF, len(points) - 1)))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(20, 150))
def test_nodes_are_disjoint_and_their_cohesion_is_what_it_says(seed: int, sizes: list[int], strangers: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [around(rng, direction(rng), size, rng.uniform(0.01, 0.3)) for size in sizes]
    tree, near = tree_of(np.concatenate((*parts, noise(rng, strangers))))
    found = select_by_cohesion(tree, near, least=LEAST)
    every = np.concatenate([points for points, _ in found]) if found else np.empty(0, np.int32)
    assert len(np.unique(every)) == len(every)
    for points, cohesion in found:
        assert LEAST <= len(points) <= MAX_POINT_SHARE * tree.n
        assert (np.diff(points) > 0).all()
        assert cohesion == pytest.approx(cohesion_of(points, near))
        assert 0 < cohesion <= 1
    quality = [np.sqrt(len(p)) * c**2 * np.log(tree.n / len(p)) for p, c in found]
    assert quality == sorted(quality, reverse=True)


def test_the_order_of_points_decides_between_equal_distances_alone() -> None:
    rng = np.random.default_rng(7)
    vectors = np.concatenate((around(rng, direction(rng), 50, 0.05), noise(rng, 250)))
    order = rng.permutation(len(vectors))
    (plain, _), *_ = select_by_cohesion(*tree_of(vectors), least=LEAST)
    (mixed, _), *_ = select_by_cohesion(*tree_of(vectors[order]), least=LEAST)
    assert len(np.intersect1d(order[mixed], plain)) >= 0.9 * len(np.union1d(order[mixed], plain))


def test_missing_neighbours_count_as_outside() -> None:
    """Two cliques whose points know only one another, in lists that are longer than the cliques."""
    index = np.full((100, K), -1, np.int32)
    for begin in (0, 12):
        clique = np.arange(begin, begin + 12)
        for point in clique:
            index[point, :11] = clique[clique != point]
    near = Neighbors(index=index, distance=np.where(index >= 0, 0.1, np.inf).astype(np.float32))
    tree = build_tree(
        near, core=np.zeros(100, np.float32), distance=shared_distance(near), floor=shared_length(K, K),
        cap=shared_length(2, K), min_cluster_size=LEAST,
    )  # fmt: skip
    found = select_by_cohesion(tree, near, least=LEAST)
    assert sorted(points.tolist() for points, _ in found) == [list(range(12)), list(range(12, 24))]
    assert [cohesion for _, cohesion in found] == [1.0, 1.0]
