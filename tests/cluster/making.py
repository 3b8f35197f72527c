"""Points, their neighbours and trees."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harvestdetect.cluster.distances import core_distance
from harvestdetect.cluster.tree import Tree, build_tree
from harvestdetect.data import Neighbors
from harvestdetect.neighbors.search import nearest
from harvestdetect.util.arrays import Floats32, Ints32

__all__ = ["blobs", "lone_component", "own_accounts", "random_graph", "tree_of", "unit"]


def unit(rows: npt.NDArray[Any]) -> Floats32:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def blobs(n: int, groups: int, *, d: int = 8, width: float = 0.15, seed: int = 0) -> Floats32:
    rng = np.random.default_rng(seed)
    centres = unit(rng.standard_normal((groups, d)))
    return unit(centres[rng.integers(0, groups, n)] + width * rng.standard_normal((n, d)))


def lone_component(points: int = 30, noise: int = 150, *, d: int = 64, seed: int = 0) -> Floats32:
    """One tight group, first, in_sorted points that have nobody near."""
    rng = np.random.default_rng(seed)
    centre = rng.standard_normal((1, d))
    tight = unit(centre / np.linalg.norm(centre) + 0.02 * rng.standard_normal((points, d)))
    return np.concatenate((tight, unit(rng.standard_normal((noise, d)))))


def own_accounts(n: int) -> dict[str, Ints32]:
    """Every point from an account of its own."""
    return {"account": np.arange(n, dtype=np.int32), "senders": np.ones(n, np.int32)}


def tree_of(
    vectors: Floats32,
    *,
    k: int | None = None,
    min_samples: int = 1,
    floor: float = 0.0,
    cap: float = 2.0,
    min_cluster_size: int = 8,
) -> Tree:
    n = len(vectors)
    near = nearest(vectors, k=n - 1 if k is None else k)
    core = core_distance(near, min_samples=min_samples, **own_accounts(n))
    return build_tree(near, core=core, floor=floor, cap=cap, min_cluster_size=min_cluster_size)


def random_graph(n: int, k: int, *, levels: int, seed: int) -> tuple[Neighbors, npt.NDArray[np.float32]]:
    """Neighbours at random, most with ties, some missing, and core distances."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(n) for _ in range(n)]
    index = np.stack([order[order != i][:k] for i, order in enumerate(orders)]).astype(np.int32)
    distance = np.sort(rng.integers(1, levels + 1, index.shape) / np.float32(levels), axis=1).astype(np.float32)
    missing = np.arange(index.shape[1]) >= rng.integers(1, 4 * k, n)[:, None]
    index[missing], distance[missing] = -1, np.inf
    core = (rng.integers(0, levels, n) / np.float32(levels)).astype(np.float32)
    core[rng.random(n) < 0.05] = np.inf
    return Neighbors(index=index, distance=distance), core
