"""Baselines by clusters of vectors: HDBSCAN, and the pipeline of BERTopic."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np

from benchmarks.baselines import traffic as shared
from benchmarks.baselines.traffic import CLUSTER_ACCOUNTS, Suspects, Traffic, by_group
from harvestdetect.util.arrays import AnyArray, Floats, Floats32, Ints

__all__ = ["bertopic", "hdbscan"]

HDBSCAN_TEXTS: Final = 40_000
"""Most texts that HDBSCAN clusters; of more texts a sample is clustered."""

HDBSCAN_DIMENSIONS: Final = 20
"""Principal components that HDBSCAN gets."""

HDBSCAN_CLUSTER: Final = 15
"""Texts of HDBSCAN's smallest cluster."""

BERTOPIC_CLUSTER: Final = 10
"""Texts of the smallest topic, BERTopic's default."""

BERTOPIC_NEIGHBOURS: Final = 15
"""Neighbours of UMAP, BERTopic's default."""

BERTOPIC_DIMENSIONS: Final = 5
"""Dimensions of UMAP, BERTopic's default."""


def hdbscan(traffic: Traffic, seed: int) -> list[Suspects]:
    """HDBSCAN over the distinct texts, in the wording view reduced to 20 dimensions.

    Campello, Moulavi and Sander (2013), by the ``hdbscan`` package with its defaults and clusters of 15 texts or more.
    A cluster that 15 accounts or more sent is a finding, ranked by accounts times the cluster's persistence. At most
    40,000 texts are clustered; the others are in no cluster. Two things favour the method: repeated texts, which break
    the tree, are removed, and 20 principal components keep the time from growing with the square of the texts.
    """
    every = np.arange(len(traffic.texts))
    rng = np.random.default_rng(seed)
    chosen = every if len(every) <= HDBSCAN_TEXTS else np.sort(rng.choice(every, HDBSCAN_TEXTS, replace=False))
    reduced = _principal(shared.vectors_of(traffic.texts, "wording")[chosen], HDBSCAN_DIMENSIONS)
    label, persistence = _clusters(reduced, HDBSCAN_CLUSTER)
    group = np.full(len(every), -1, dtype=np.int64)
    group[chosen] = label
    return by_group(traffic, group, persistence, least=CLUSTER_ACCOUNTS)


def bertopic(traffic: Traffic, seed: int) -> list[Suspects]:
    """The pipeline of BERTopic (arXiv 2203.05794) with its default settings: MiniLM, UMAP to 5 dimensions, HDBSCAN.

    A topic that 15 accounts or more sent is a finding, ranked by accounts times persistence. It gets distinct texts
    instead of all prompts. Words that describe topics are not computed.
    """
    vectors = shared.vectors_of(traffic.texts, "meaning")
    if len(vectors) <= BERTOPIC_NEIGHBOURS + BERTOPIC_DIMENSIONS:
        return []
    with _quiet():
        umap = importlib.import_module("umap")
        reduced = umap.UMAP(
            n_neighbors=BERTOPIC_NEIGHBOURS,
            n_components=BERTOPIC_DIMENSIONS,
            min_dist=0.0,
            metric="cosine",
            random_state=seed,
            n_jobs=1,
        ).fit_transform(vectors)
    label, persistence = _clusters(np.asarray(reduced), BERTOPIC_CLUSTER)
    return by_group(traffic, label, persistence, least=CLUSTER_ACCOUNTS)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses warnings of other packages."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _principal(vectors: Floats32, dimensions: int) -> Floats:
    """The coordinates along the principal axes: float64[n, dimensions]."""
    centred = vectors - vectors.mean(axis=0)
    largest = np.linalg.eigh(centred.T @ centred)[1][:, : -dimensions - 1 : -1]
    return np.asarray(centred @ largest, dtype=np.float64)


def _clusters(points: AnyArray, size: int) -> tuple[Ints, Floats]:
    """HDBSCAN's label of each point, -1 for none, and the persistence of each cluster."""
    import hdbscan

    if len(points) <= size:
        return np.full(len(points), -1, dtype=np.int64), np.empty(0)
    with _quiet():
        model = hdbscan.HDBSCAN(min_cluster_size=size, core_dist_n_jobs=1).fit(points.astype(np.float64))
    return np.asarray(model.labels_, dtype=np.int64), np.asarray(model.cluster_persistence_, dtype=np.float64)
