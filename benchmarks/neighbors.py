"""Nearest-neighbour search: exact, by partitions (ours) and by FAISS's inverted file, on the same vectors in one run.

    python -m benchmarks.neighbors [--prompts 150000] [--seed 0]

The vectors are the wording view of a simulated dump.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harvestdetect import Settings, read_dumps
from harvestdetect.corpus.build import build_corpus
from harvestdetect.embed.encoders import encode_texts, load_encoder
from harvestdetect.neighbors.recall import TARGET_RECALL
from harvestdetect.neighbors.search import nearest
from harvestdetect.simulate import simulate
from harvestdetect.util.arrays import unit

__all__ = ["main", "wording_vectors"]

K = 32
"""Neighbours of each vector."""


def wording_vectors(prompts: int, seed: int) -> npt.NDArray[np.float32]:
    """float32[n, d], unit rows: the wording view of a simulated dump's segments."""
    with tempfile.TemporaryDirectory() as folder:
        simulate(folder, prompts=prompts, seed=seed)
        corpus = build_corpus(read_dumps([Path(folder) / "dump"]))
    return unit(encode_texts(load_encoder("wording", settings=Settings()), corpus.digest, corpus.text)[:])


def _inverted_file(vectors: npt.NDArray[np.float32], truth: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """FAISS IndexIVFFlat with the fewest probes (a power of two) that reach the target recall on a sample."""
    import faiss

    n, d = vectors.shape
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, int(4 * np.sqrt(n)), faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    sample = np.arange(0, n, max(n // 512, 1))
    index.nprobe = 4
    while (
        index.nprobe < index.nlist and _recall(index.search(vectors[sample], K + 1)[1], truth[sample]) < TARGET_RECALL
    ):
        index.nprobe *= 2
    return np.asarray(index.search(vectors, K + 1)[1])


def _recall(found: npt.NDArray[np.integer], truth: npt.NDArray[np.int32]) -> float:
    return float(np.mean([np.isin(t, f).mean() for f, t in zip(found, truth, strict=True)]))


def _timed(what: Callable[[], npt.NDArray[np.integer]]) -> tuple[npt.NDArray[np.integer], float]:
    start = time.perf_counter()
    found = what()
    return found, time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=150_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    vectors = wording_vectors(chosen.prompts, chosen.seed)
    exact, seconds = _timed(lambda: nearest(vectors, k=K, exact_below=len(vectors)).index)
    cells, cell_seconds = _timed(lambda: nearest(vectors, k=K, exact_below=1).index)
    lists, list_seconds = _timed(lambda: _inverted_file(vectors, exact.astype(np.int32)))
    size = f"{len(vectors):,} vectors of {vectors.shape[1]} dimensions"
    print(f"{size}, k = {K}, {os.cpu_count()} cores, seed {chosen.seed}")
    print(f"{'':14}  seconds  times as fast as exact  recall")
    some = slice(0, None, max(len(vectors) // 2_000, 1))
    for name, found, took in (
        ("exact", exact, seconds),
        ("cells", cells, cell_seconds),
        ("inverted file", lists, list_seconds),
    ):
        print(
            f"{name:14}  {took:7.1f}  {seconds / took:22.2f}  {_recall(found[some], exact[some].astype(np.int32)):.3f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
