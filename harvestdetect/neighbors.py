"""Nearest neighbours of unit vectors. The only place that knows similarities; all that leaves is a distance.

The search runs in fixed blocks of rows, so the result does not depend on what runs the blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.data import Neighbors

__all__ = ["chord_distance", "nearest", "nearest_to"]

BLOCK: Final = 4096
"""Rows searched at once."""
TARGET_RECALL: Final = 0.95
_TRAIN_PER_LIST: Final = 40
_PROBE_SAMPLE: Final = 512

Vectors = npt.NDArray[np.float32]


def chord_distance(cosine: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The straight distance between two points of the unit sphere: sqrt(2 - 2 cos)."""
    return np.sqrt(np.clip(2.0 - 2.0 * cosine, 0.0, 4.0)).astype(np.float32)


def nearest(
    vectors: Vectors,
    *,
    k: int,
    exact_below: int = 60_000,
    threads: int = 0,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> Neighbors:
    """The k nearest other rows of each row.

    Args:
        vectors: float32[n, d], unit rows.
        k: how many; rows of the result end with -1 / inf where fewer than k others were found.
        exact_below: exact search up to so many rows. Above, an inverted file whose number of probes is
            chosen on a sample for a neighbour recall of at least :data:`TARGET_RECALL`.
        threads: of FAISS; 0 takes all cores.
        seed: of the inverted file's centroids.
        progress: called with the number of rows done after each block.
    """
    n = len(vectors)
    if n == 0:
        return Neighbors(index=np.empty((0, k), np.int32), distance=np.empty((0, k), np.float32))
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    index = _index(vectors, exact_below=exact_below, threads=threads, seed=seed, k=k)
    ids = np.full((n, k), -1, np.int32)
    distance = np.full((n, k), np.inf, np.float32)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        cosine, found = index.search(vectors[start:stop], min(k + 1, n))
        _without_self(cosine, found, np.arange(start, stop), ids[start:stop], distance[start:stop])
        if progress is not None:
            progress(stop)
    return Neighbors(index=ids, distance=distance)


def nearest_to(queries: Vectors, vectors: Vectors, *, k: int) -> Neighbors:
    """The k rows of ``vectors`` nearest to each of the ``queries``, exactly."""
    import faiss

    ids = np.full((len(queries), k), -1, np.int32)
    distance = np.full((len(queries), k), np.inf, np.float32)
    if len(queries) and len(vectors):
        cosine, found = faiss.knn(
            np.ascontiguousarray(queries, np.float32),
            np.ascontiguousarray(vectors, np.float32),
            min(k, len(vectors)),
            metric=faiss.METRIC_INNER_PRODUCT,
        )
        ids[:, : found.shape[1]] = found
        distance[:, : found.shape[1]] = chord_distance(cosine)
    return Neighbors(index=ids, distance=distance)


def _without_self(
    cosine: npt.NDArray[np.float32],
    found: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    ids: npt.NDArray[np.int32],
    distance: npt.NDArray[np.float32],
) -> None:
    """Writes the neighbours of a block without the row itself, ties in the order of their index."""
    k = ids.shape[1]
    chord = np.where(found < 0, np.float32(np.inf), chord_distance(cosine))
    chord[found == rows[:, None]] = np.inf
    found = np.where(np.isinf(chord), np.iinfo(np.int64).max, found)
    order = np.lexsort((found, chord), axis=1)[:, :k]
    chord = np.take_along_axis(chord, order, 1)
    found = np.take_along_axis(found, order, 1)
    found[np.isinf(chord)] = -1
    ids[:, : found.shape[1]] = found
    distance[:, : found.shape[1]] = chord


def _index(vectors: Vectors, *, exact_below: int, threads: int, seed: int, k: int) -> Any:
    import faiss

    faiss.omp_set_num_threads(threads or faiss.omp_get_max_threads())
    n, d = vectors.shape
    if n <= exact_below:
        flat = faiss.IndexFlatIP(d)
        flat.add(vectors)
        return flat
    lists = int(4 * np.sqrt(n))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = seed + 1
    index.cp.niter = 10
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = _TRAIN_PER_LIST
    rows = np.random.default_rng(seed).permutation(n)[: _TRAIN_PER_LIST * lists]
    index.train(vectors[np.sort(rows)])
    index.add(vectors)
    index.nprobe = _probes(index, vectors, seed=seed, k=k)
    return index


def _probes(index: Any, vectors: Vectors, *, seed: int, k: int) -> int:
    """The smallest number of probes (a power of two) that reaches the target recall on a sample."""
    sample = vectors[np.sort(np.random.default_rng(seed + 1).permutation(len(vectors))[:_PROBE_SAMPLE])]
    truth = nearest_to(sample, vectors, k=k).index
    probes = 4
    while probes < index.nlist:
        index.nprobe = probes
        found = index.search(sample, k)[1]
        hits = sum(np.isin(f, t).sum() for f, t in zip(found, truth, strict=True))
        if hits >= TARGET_RECALL * truth.size:
            break
        probes *= 2
    return min(probes, int(index.nlist))
