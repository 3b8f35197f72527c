"""Places points in the plane so that near neighbours stay near: the method of UMAP, with all points moved at once.

Points that are near neighbours attract each other, and random pairs repel each other. The constants of the forces are
those of UMAP for a least distance of 0.1 (McInnes, Healy and Melville 2018). A step moves all points together, so it is
a few operations on arrays: it takes about two seconds for 4,000 points on one core, and keeps neighbours about as well
as Barnes-Hut t-SNE. The same points in the same order give the same places on any number of threads.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from harvestdetect.util.arrays import Floats, Floats32, Ints

__all__ = ["layout", "nearest"]

NEIGHBORS: Final = 15
"""Number of nearest neighbours that attract a point."""
STEPS: Final = 200
"""Number of steps."""
RATE: Final = 0.1
"""Length of the first step, as a multiple of the force. It falls to zero."""
INERTIA: Final = 0.5
"""Share of the last step that a point keeps."""
STRANGERS: Final = 10
"""Number of random points that repel a point in each step."""
REPULSION: Final = 5 / 3
"""Weight of the repulsion for each attracting neighbour. Chosen so that groups neither collapse nor fray."""
A: Final = 1.577
"""Factor of the distance in the similarity of two places, ``1 / (1 + A * distance**(2 * B))``."""
B: Final = 0.895
"""Exponent in the similarity of two places."""
LARGEST_PUSH: Final = 4.0
"""Largest force between two points that repel each other, along each axis."""
LARGEST_FORCE: Final = 15.0
"""Largest force on a point, along each axis."""
SPREAD: Final = 2.0
"""Standard deviation of the first axis at the start."""
ROWS: Final = 1 << 10
"""Points whose similarities to all others are in memory at a time."""
DECIMALS: Final = 4
"""Decimals of a place."""


def layout(vectors: Floats32, *, seed: int) -> Floats:
    """Places of n points in the plane, from -1 to 1. The longer axis is horizontal and reaches both ends.

    Args:
        vectors: float32[n, d], of length 1.
        seed: of the random pairs.

    Returns:
        float64[n, 2].
    """
    n = len(vectors)
    if n < 3:
        return np.column_stack([np.linspace(-1, 1, n) if n > 1 else np.zeros(n), np.zeros(n)])
    source, target, weight = _graph(*nearest(vectors, min(NEIGHBORS, n - 1)))
    rng = np.random.default_rng(seed)
    places = _principal(vectors) + rng.normal(scale=0.01, size=(n, 2)).astype(np.float32)
    push = (REPULSION / STRANGERS * np.bincount(source, minlength=n)).astype(np.float32)[:, None]
    speed = np.zeros_like(places)
    for step in range(STEPS):
        force = _attraction(places, source, target, weight)
        force += push * _repulsion(places, rng.integers(0, n, (n, STRANGERS)))
        rate = np.float32(RATE * (1 - step / STEPS))
        speed = INERTIA * speed + rate * np.clip(force, -LARGEST_FORCE, LARGEST_FORCE)
        places = (places + speed).astype(np.float32)
    return _framed(places)


def nearest(vectors: Floats32, k: int) -> tuple[Ints, Floats32]:
    """The k nearest other points of each of n points: int64[n, k], and their chord distances, ascending."""
    n = len(vectors)
    index, distance = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    for start in range(0, n, ROWS):
        similar = vectors[start : start + ROWS] @ vectors.T
        rows = np.arange(len(similar))
        similar[rows, start + rows] = -np.inf
        best = np.sort(np.argpartition(-similar, k - 1, axis=1)[:, :k], axis=1)
        value = np.take_along_axis(similar, best, axis=1)
        order = np.argsort(-value, axis=1, kind="stable")
        index[start : start + ROWS] = np.take_along_axis(best, order, axis=1)
        value = np.take_along_axis(value, order, axis=1)
        distance[start : start + ROWS] = np.sqrt(np.maximum(2 - 2 * value, 0))
    return index, distance


def _graph(index: Ints, distance: Floats32) -> tuple[Ints, Ints, Floats32]:
    """Source, target and weight (0 to 1) of each pair that attracts, in both directions."""
    from scipy import sparse

    n, k = index.shape
    beyond = distance - distance[:, :1]
    weight = np.exp(-beyond / np.maximum(beyond.mean(axis=1, keepdims=True), 1e-3))
    one_way = sparse.csr_matrix((weight.ravel(), index.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    both = (one_way + one_way.T - one_way.multiply(one_way.T)).tocsr()
    both.sort_indices()
    source = np.repeat(np.arange(n), np.diff(both.indptr))
    return source, both.indices.astype(np.int64), both.data.astype(np.float32)


def _principal(vectors: Floats32) -> Floats32:
    """Where points start: their two principal components, each with a sign of its own choice."""
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    places = np.zeros((len(vectors), 2))
    places[:, : axes.shape[1]] = centred @ axes
    scale = places[:, 0].std()
    return (places * (SPREAD / scale if scale > 0 else 1.0)).astype(np.float32)


def _attraction(places: Floats32, source: Ints, target: Ints, weight: Floats32) -> Floats32:
    n = len(places)
    way = places[target] - places[source]
    square = np.einsum("ij,ij->i", way, way) + np.float32(1e-6)
    pull = weight * (2 * A * B * square ** (B - 1) / (1 + A * square**B))
    sums = [np.bincount(source, pull * way[:, axis], n) for axis in (0, 1)]
    return np.column_stack(sums).astype(np.float32)


def _repulsion(places: Floats32, strangers: Ints) -> Floats32:
    way = places[:, None] - places[strangers]
    square = np.einsum("ijk,ijk->ij", way, way)
    push = 2 * B / ((0.001 + square) * (1 + A * square**B))
    force: Floats32 = np.clip(push[..., None] * way, -LARGEST_PUSH, LARGEST_PUSH).sum(axis=1)
    return force


def _framed(places: Floats32) -> Floats:
    """Places from -1 to 1, the longer axis horizontal."""
    low, high = places.min(axis=0).astype(np.float64), places.max(axis=0).astype(np.float64)
    size = float((high - low).max()) or 1.0
    framed = (places - (low + high) / 2) * (2 / size)
    if high[1] - low[1] > high[0] - low[0]:
        framed = framed[:, ::-1]
    rounded: Floats = np.round(framed, DECIMALS) + 0.0  # no negative zero
    return rounded
