"""The stages of a scan, each a function of values: what :func:`harvestdetect.pipeline.detect` calls in turn.

A stage picks the settings that it needs out of the context, calls one room of the package and returns a value. None of
them knows of an earlier scan: :mod:`harvestdetect.incremental` replaces members of :class:`Stages` by functions that
reuse its results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from harvestdetect.accounts.find import with_accounts
from harvestdetect.accounts.kin import Kin
from harvestdetect.campaign.find import find_campaigns
from harvestdetect.cluster.assign import Assigned, Volumes
from harvestdetect.cluster.distances import core_distance
from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.views import Clustered, cluster_view
from harvestdetect.context import NOMINAL_SPEED, Context, seconds_by_meaning
from harvestdetect.corpus.account_fields import AccountFields
from harvestdetect.corpus.build import CorpusBuilder
from harvestdetect.corpus.by_prompt import PromptSegments, first_rows, segment_starts
from harvestdetect.corpus.copies import copies_of, copies_told
from harvestdetect.corpus.left_out import preamble_sentence, scaffold_sentence
from harvestdetect.corpus.prepare_files import prepare_files
from harvestdetect.corpus.registry import Registry, load_registry
from harvestdetect.corpus.repeats import repeats_told
from harvestdetect.corpus.shards import ShardFolder, Window
from harvestdetect.data import (
    Batch,
    Campaign,
    Corpus,
    Neighbors,
    Preamble,
    Prompt,
    Reject,
    SourceFile,
    TemplateCluster,
    View,
)
from harvestdetect.dump import Dumps, WholeFiles, batches_of
from harvestdetect.dump.values.pseudonyms import Pseudonyms
from harvestdetect.embed.elsewhere import elsewhere
from harvestdetect.embed.encoders import CACHED_VIEWS, encode_texts, load_encoder, open_cache
from harvestdetect.errors import CacheError
from harvestdetect.evidence.candidate import Reference, ScanData
from harvestdetect.evidence.intent import Encode
from harvestdetect.judge.calibration import Calibration, check_calibration
from harvestdetect.judge.calibration_file import load_calibration
from harvestdetect.judge.measure import MeasuredCandidate, measure_candidates
from harvestdetect.neighbors.search import nearest
from harvestdetect.template.clusters import Source as TemplateSource
from harvestdetect.template.refine import Refined, refine_clusters
from harvestdetect.template.splitting import Split
from harvestdetect.util.arrays import Digests, Floats32, Ints32
from harvestdetect.util.memory_estimate import vectors_in_file
from harvestdetect.util.vectors import RowFile, Rows
from harvestdetect.util.versions import versions

__all__ = [
    *("PLAIN", "Embedded", "Read", "Source", "Stages", "ViewClusters", "affordable", "cluster_segments"),
    *("add_accounts", "by_meaning", "describe", "embed", "find_neighbors", "form", "in_corpus", "load_references"),
    *("measure", "postings_of", "read_corpus", "view_postings"),
]

Source: TypeAlias = Iterable[Batch] | Iterable[Prompt] | Window
"""Where prompts come from: dumps, prompts in memory, or the window of a state."""

MAX_REJECTS_KEPT: Final = 100_000
"""Number of rejects that are listed one by one; further ones are only counted."""
PARALLEL_CLUSTERS: Final = 500
"""Number of clusters from which the engine describes them. Starting its processes takes about a second."""


# ---------------------------------------------------------------- read


def load_references(context: Context) -> tuple[Registry | None, Calibration | None]:
    """The registry of known scaffolds and the calibration that the settings name."""
    settings = context.settings
    registry = load_registry(settings.registry) if settings.use_registry else None
    if registry is not None and registry.expired:
        context.note(f"expired in the registry, and not used: {', '.join(entry.id for entry in registry.expired)}")
    calibration = None
    if settings.calibration is not None:
        calibration = load_calibration(settings.calibration)
        check_calibration(calibration, settings=settings, version=versions()["harvestdetect"])
    return registry, calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The result of reading."""

    corpus: Corpus
    files: tuple[SourceFile, ...]
    rejects: tuple[Reject, ...]
    """At most the first :data:`MAX_REJECTS_KEPT`."""
    reject_count: int
    whole_files: Mapping[str, int]
    """Counts of :meth:`harvestdetect.dump.WholeFiles.counts`."""
    repeated: int
    """Number of rows that do not count because another file has them too."""
    preambles: tuple[Preamble, ...] = ()
    """Texts that many accounts always send, taken out of the corpus."""
    again: int = 0
    """Number of further rows that repeat a request: they have its request id, or its text within a minute."""
    resent: int = 0
    """Number of turns of conversations that do not count because an earlier request had them."""


def read_corpus(
    source: Source, context: Context, *, registry: Registry | None, shards: ShardFolder | None = None
) -> Read:
    """Reads all prompts into a corpus.

    Args:
        source: where the prompts come from.
        context: of the scan.
        registry: known scaffolds, whose words are left out of comparisons; None for no registry.
        shards: folder of prepared files. A file that is there is not parsed again, and a new file is added.
    """
    settings = context.settings
    window = source if isinstance(source, Window) else None
    files: list[SourceFile] = []
    rejects: list[Reject] = []
    reject_count, whole = 0, WholeFiles()
    if context.engine.elsewhere and shards is not None and isinstance(source, Dumps) and len(source.names) > 1:
        prepare_files(source.names, shards, settings, context.engine)
    with CorpusBuilder(
        segment_characters=settings.segment_characters, max_windows=settings.max_windows, registry=registry,
        min_senders=settings.min_accounts, engine=context.engine,
        shards=window.shards if window else shards, folder=context.scratch, since=window.since if window else None,
        find_preambles=settings.find_preambles, kept_preambles=window.preambles if window else (),
    ) as builder:  # fmt: skip
        for batch in _batches(source, builder, prepared=shards is not None, context=context):
            context.memory.check_reading(len(builder), batch)
            reject_count += len(batch.rejects) + batch.unlisted
            whole.add(batch.rejects)
            rejects.extend(batch.rejects[: MAX_REJECTS_KEPT - len(rejects)])
            files.extend(batch.files)
        if isinstance(source, Dumps):
            for sentence in source.left_out.sentences():
                context.note(sentence)
        if (told := scaffold_sentence(builder.known, registry)) is not None:
            context.note(told)
        if reject_count > len(rejects):
            context.note(f"the first {len(rejects):,} of {reject_count:,} rejects are listed")
        corpus = builder.finish()
        preambles = builder.preambles
    for one in preambles:
        context.note(preamble_sentence(one))
    copies = copies_of(corpus.prompts)
    if copies.copied is not None:
        corpus = replace(corpus, prompts=replace(corpus.prompts, copied=copies.copied))
    rows = len(corpus.prompts.account) - copies.repeated
    again = rows - int(first_rows(corpus.prompts).sum())
    for sentence in (*copies_told(copies, [file.name for file in files]), *repeats_told(again, builder.resent)):
        context.note(sentence)
    return Read(
        corpus=corpus, files=tuple(files), rejects=tuple(rejects), reject_count=reject_count,
        whole_files=whole.counts(), repeated=copies.repeated, preambles=preambles, again=again, resent=builder.resent,
    )  # fmt: skip


def _batches(source: Source, builder: CorpusBuilder, *, prepared: bool, context: Context) -> Iterator[Batch]:
    """Adds each batch of a source to the builder and yields it.

    If ``prepared`` is set, files of dumps are read through the builder's shards. Prompts that the caller has in memory
    get pseudonyms as the settings of the context say.
    """
    if isinstance(source, Window):
        for position, (name, sha256) in enumerate(source.files):
            yield from builder.add_file(_missing(name), file=position, name=name, sha256=sha256)
    elif prepared and isinstance(source, Dumps):
        for file in source.files():
            yield from builder.add_file(file.batches, file=file.position, name=file.name, sha256=file.sha256())
    else:
        key = context.settings.pseudonyms
        pseudonyms = None if key is None else Pseudonyms.of_file(key)
        for batch in batches_of(source, pseudonyms=pseudonyms, notes=context.note):
            builder.add(batch.prompts)
            yield batch


def _missing(name: str) -> Iterator[Batch]:
    """The batches of a file whose prepared form is gone: reading them fails."""
    raise CacheError(f"the prepared file of {name} is missing or damaged")
    yield


def postings_of(corpus: Corpus, volume: Volumes) -> Postings:
    """Which accounts sent which segments."""
    prompts = corpus.prompts
    return Postings(
        start=segment_starts(corpus),
        account=prompts.account[corpus.posting_prompt],
        text=prompts.content[corpus.posting_prompt],
        volume=volume.texts,
    )


# ---------------------------------------------------------------- embed and compare


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The vectors of some segments in one view."""

    view: View
    segments: Ints32
    """int32[m], ascending: positions in the corpus."""
    digest: Digests
    """V16[m]: digests of these segments."""
    vectors: Rows
    """float16[m, d]."""
    model: str
    """Digest of the model."""
    encode: Encode
    """Embeds further texts in the same view."""


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


def affordable(corpus: Corpus, core: Floats32, context: Context) -> Ints32:
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


def find_neighbors(embedded: Embedded, context: Context, **known: Any) -> Neighbors:
    """The k nearest neighbours of every segment of a view.

    Args:
        embedded: segments of the view.
        context: of the scan.
        known: what an earlier search found: ``known``, ``partition`` and ``leave`` of
            :func:`harvestdetect.neighbors.search.nearest`.
    """
    settings = context.settings
    with context.progress("neighbours", len(embedded.vectors)) as advance:
        return nearest(
            embedded.vectors, k=settings.k, exact_below=settings.exact_below, threads=settings.threads,
            seed=settings.seed, progress=advance, notes=context.note, **known,
        )  # fmt: skip


# ---------------------------------------------------------------- cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewClusters:
    """The clusters of one view, and its core distances."""

    clusters: Sequence[Clustered]
    """Clusters whose points are rows of the view."""
    core: Floats32
    """float32[m]: core distance of each of its segments."""


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


def in_corpus(embedded: Embedded, found: ViewClusters) -> list[TemplateCluster]:
    """The clusters of a view as sets of segments of the corpus."""
    return [
        TemplateCluster(channel=cluster.channel, segments=embedded.segments[cluster.points], quality=cluster.quality)
        for cluster in found.clusters
    ]


# ---------------------------------------------------------------- describe


def describe(
    assigned: Sequence[Assigned],
    corpus: Corpus,
    parts: PromptSegments,
    wording: Embedded,
    context: Context,
    *,
    known: Mapping[int, Split] | None = None,
    remember: bool = False,
) -> Refined:
    """Finds the template of every cluster: splits mixed clusters and merges those of one template.

    Args:
        assigned: clusters with their prompts.
        corpus: of all segments.
        parts: of its prompts.
        wording: all segments in the wording view.
        context: of the scan.
        known: results of splitting clusters, by position, that an earlier scan found and that are not looked for again.
        remember: return the results of splitting the other clusters, for a later scan.
    """
    unknown = len(assigned) - len(known or ())
    return refine_clusters(
        assigned, corpus, parts, wording.vectors, min_accounts=context.settings.min_accounts, known=known,
        remember=remember, engine=context.engine if unknown >= PARALLEL_CLUSTERS else None,
    )  # fmt: skip


# ---------------------------------------------------------------- campaigns and measures


def form(refined: Refined, corpus: Corpus, volume: Volumes, neighbors: Neighbors, context: Context) -> list[Campaign]:
    """Links clusters that share accounts, and forms campaigns of linked clusters and their accounts.

    Args:
        refined: all clusters with their templates.
        corpus: of all segments.
        volume: prompts of every account.
        neighbors: in the wording view.
        context: of the scan.
    """
    settings = context.settings
    return find_campaigns(
        [item.prompts for item in refined.assigned], refined.descriptions, corpus, volume, neighbors,
        link_log_p=settings.link_log_p, min_accounts=settings.min_accounts, seed=settings.seed,
    )  # fmt: skip


def add_accounts(
    campaigns: Sequence[Campaign],
    refined: Refined,
    corpus: Corpus,
    parts: PromptSegments,
    wording: Embedded,
    volume: Volumes,
    fields: AccountFields,
    context: Context,
) -> tuple[list[Campaign], Refined, Kin]:
    """Adds candidates whose accounts are alike or share infrastructure, and joins those that are one over time.

    Returns:
        all candidates, the clusters with the new ones, and which accounts are near each other.
    """
    settings = context.settings
    source = TemplateSource(
        corpus=corpus, parts=parts, vectors=wording.vectors, min_accounts=settings.min_accounts
    )  # fmt: skip
    return with_accounts(
        campaigns, refined, source, volume=volume.prompts, fields=fields, fdr=settings.fdr,
        link_log_p=settings.link_log_p, threads=settings.threads, seed=settings.seed,
        engine=context.engine if len(refined.assigned) >= PARALLEL_CLUSTERS else None,
    )  # fmt: skip


def measure(
    campaigns: Sequence[Campaign], scan: ScanData, reference: Reference, context: Context
) -> list[MeasuredCandidate]:
    """Measures every candidate."""
    with context.progress("evidence", len(campaigns)) as advance:
        return measure_candidates(
            campaigns, scan, reference, seed=context.settings.seed, advance=advance, engine=context.engine
        )


# ---------------------------------------------------------------- all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The stages that can reuse results of an earlier scan. The other stages always run in full."""

    read: Callable[..., Read] = read_corpus
    find_neighbors: Callable[..., Neighbors] = find_neighbors
    cluster: Callable[..., ViewClusters] = cluster_segments
    describe: Callable[..., Refined] = describe
    measure: Callable[[Sequence[Campaign], ScanData, Reference, Context], list[MeasuredCandidate]] = measure


PLAIN: Final = Stages()
"""The stages of a scan that reuses nothing."""


def by_meaning(
    corpus: Corpus, postings: Postings, core: Floats32, stages: Stages, context: Context
) -> tuple[Embedded, ViewClusters]:
    """Embeds segments in the meaning view, as many as the settings allow, and clusters them.

    Args:
        corpus: of all segments.
        postings: of all segments.
        core: float32[n], core distances in the wording view.
        stages: of the scan.
        context: of the scan.
    """
    with context.stage("encode meaning"):
        chosen = np.arange(len(corpus.text), dtype=np.int32)
        if context.settings.encoder == "auto":
            chosen = affordable(corpus, core, context)
        meaning = embed("meaning", corpus, chosen, context)
    with context.stage("cluster meaning"):
        neighbors = stages.find_neighbors(meaning, context)
        return meaning, stages.cluster(meaning, neighbors, corpus, postings, context)
