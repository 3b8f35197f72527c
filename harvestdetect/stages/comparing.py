"""Compares texts: embeds the segments, finds their nearest neighbours and clusters them, in each view."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harvestdetect.cluster.assign import Volumes, volumes
from harvestdetect.cluster.distances import core_distance
from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.views import cluster_view
from harvestdetect.context import NOMINAL_SPEED, Context, seconds_by_meaning
from harvestdetect.corpus.by_prompt import segment_starts
from harvestdetect.data import Corpus, Neighbors, TemplateCluster, View
from harvestdetect.embed.elsewhere import elsewhere
from harvestdetect.embed.encoders import CACHED_VIEWS, encode_texts, load_encoder, open_cache
from harvestdetect.judge.calibration import check_calibration
from harvestdetect.neighbors.partition import Partition
from harvestdetect.neighbors.search import Known, nearest
from harvestdetect.stages.plan import ScanPlan
from harvestdetect.stages.values import Compared, Embedded, ViewClusters
from harvestdetect.util.arrays import Floats32, Ints32
from harvestdetect.util.memory_estimate import vectors_in_file
from harvestdetect.util.vectors import RowFile
from harvestdetect.util.versions import versions

__all__ = ["cluster_segments", "compare", "embed", "find_neighbors", "view_postings"]


def compare(corpus: Corpus, plan: ScanPlan) -> Compared:
    """Embeds the segments, and clusters them in each view."""
    context, stages, encoder = plan.context, plan.stages, plan.context.settings.encoder
    volume = volumes(corpus)
    postings = _postings(corpus, volume)
    every = np.arange(len(corpus.text), dtype=np.int32)
    with context.measured("encode wording"):
        wording = embed("wording", corpus, every, context)
    with context.measured("cluster wording"):
        neighbors = stages.find_neighbors(wording, context)
        found = stages.cluster(wording, neighbors, corpus, postings, context)
    clusters, models = _in_corpus(wording, found), {"wording": wording.model}
    if encoder != "fast":
        with context.measured("encode meaning"):
            chosen = _affordable(corpus, found.core, context) if encoder == "auto" else every
            meaning = embed("meaning", corpus, chosen, context)
        with context.measured("cluster meaning"):
            near = stages.find_neighbors(meaning, context)
            clusters += _in_corpus(meaning, stages.cluster(meaning, near, corpus, postings, context))
        models["meaning"] = meaning.model
    if (calibration := plan.scale.calibration) is not None:
        check_calibration(
            calibration, settings=context.settings, version=versions()["harvestdetect"], models=models
        )  # fmt: skip
    return Compared(
        corpus=corpus, volume=volume, postings=postings, wording=wording, neighbors=neighbors, core=found.core,
        clusters=clusters, models=models,
    )  # fmt: skip


def _postings(corpus: Corpus, volume: Volumes) -> Postings:
    """Which accounts sent which segments."""
    prompts = corpus.prompts
    return Postings(
        start=segment_starts(corpus),
        account=prompts.account[corpus.posting_prompt],
        text=prompts.content[corpus.posting_prompt],
        volume=volume.texts,
    )


def embed(view: View, corpus: Corpus, segments: Ints32, context: Context) -> Embedded:
    """Embeds segments, or takes their vectors from the cache.

    Args:
        view: to embed in.
        corpus: of all segments.
        segments: int32[m], ascending.
        context: of the scan.
    """
    settings = context.settings
    encoder = load_encoder(view, settings=settings, notes=context.note, spare=context.cache)
    spare = context.cache if view in CACHED_VIEWS else context.scratch
    count, dimensions = len(segments), encoder.dimensions
    in_file = vectors_in_file(count, dimensions, settings)
    digest = corpus.digest if count == len(corpus.text) else corpus.digest[segments]
    with context.progress(view, count) as advance:
        vectors = encode_texts(
            encoder,
            digest,
            corpus.text.select(segments),
            cache=open_cache(view, encoder, settings=settings, notes=context.note, spare=spare),
            batch_size=settings.batch_size,
            by_length=view == "meaning",
            out=RowFile(count, dimensions, folder=context.scratch) if in_file else None,
            progress=advance,
            notes=context.note,
            encode_blocks=elsewhere(view, count, settings, context.engine),
        )
    return Embedded(
        view=view,
        segments=segments,
        digest=digest,
        vectors=vectors,
        model=encoder.digest,
        encode=encoder.encode,
    )


def _affordable(corpus: Corpus, core: Floats32, context: Context) -> Ints32:
    """The segments that ``--encoder auto`` embeds by meaning: the densest ones, within its time budget.

    Args:
        corpus: of all segments.
        core: float32[n], core distances in the wording view.
        context: of the scan.

    Returns:
        int32[m], ascending.
    """
    characters = corpus.text.size
    budget = seconds_by_meaning(context.settings, len(characters))
    seconds = float(characters.sum()) / NOMINAL_SPEED
    if seconds <= budget:
        context.note(f"encoder auto: wording and meaning for all {len(characters):,} segments")
        return np.arange(len(characters), dtype=np.int32)
    densest = np.argsort(core, kind="stable")
    chosen = densest[np.cumsum(characters[densest]) <= budget * NOMINAL_SPEED]
    context.note(
        f"encoder auto: wording for all {len(characters):,} segments, meaning for the {len(chosen):,} densest (all "
        f"would take some {seconds:,.0f} s on two cores, the budget is {budget:,.0f} s)"
    )
    return np.sort(chosen).astype(np.int32)


def find_neighbors(
    embedded: Embedded,
    context: Context,
    *,
    known: Known | None = None,
    partition: Partition | None = None,
    leave: Callable[[Partition], object] = lambda partition: None,
) -> Neighbors:
    """The k nearest neighbours of every segment of a view.

    Args:
        embedded: segments of the view.
        context: of the scan.
        known: what an earlier search found, see :func:`harvestdetect.neighbors.search.nearest`.
        partition: that an earlier search made.
        leave: called with the partition that this search has used.
    """
    settings = context.settings
    with context.progress("neighbours", len(embedded.vectors)) as advance:
        return nearest(
            embedded.vectors, k=settings.k, exact_below=settings.exact_below, threads=settings.threads,
            seed=settings.seed, progress=advance, notes=context.note, known=known, partition=partition, leave=leave,
        )  # fmt: skip


def view_postings(
    embedded: Embedded, neighbors: Neighbors, corpus: Corpus, postings: Postings, context: Context
) -> tuple[Postings, Floats32]:
    """The postings of the segments of a view, and their core distances."""
    chosen, whole = embedded.segments, len(embedded.segments) == len(corpus.text)
    view_rows = postings if whole else postings.among(chosen)
    core = core_distance(
        neighbors,
        min_samples=context.settings.min_samples,
        account=view_rows.account[view_rows.start[:-1]],
        senders=corpus.senders if whole else corpus.senders[chosen],
    )
    return view_rows, core


def cluster_segments(
    embedded: Embedded,
    neighbors: Neighbors,
    corpus: Corpus,
    postings: Postings,
    context: Context,
    *,
    with_reach: bool = False,
) -> ViewClusters:
    """Clusters the segments of a view.

    Args:
        embedded: segments of the view.
        neighbors: of these segments.
        corpus: of all segments.
        postings: of all segments.
        context: of the scan.
        with_reach: measure how far each cluster reaches, so that a later scan can carry it on.
    """
    view_rows, core = view_postings(embedded, neighbors, corpus, postings, context)
    settings, engine = context.settings, context.engine
    found = cluster_view(
        embedded.view, neighbors, core, view_rows, settings=settings, with_reach=with_reach, engine=engine
    )  # fmt: skip
    return ViewClusters(clusters=found, core=core)


def _in_corpus(embedded: Embedded, found: ViewClusters) -> list[TemplateCluster]:
    """The clusters of a view as sets of segments of the corpus."""
    return [
        TemplateCluster(channel=cluster.channel, segments=embedded.segments[cluster.points], quality=cluster.quality)
        for cluster in found.clusters
    ]
