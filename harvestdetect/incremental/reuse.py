"""The stages of a scan, wrapped so that they reuse results of an earlier scan and save their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from harvestdetect.cluster.assign import Assigned
from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.views import carry_on
from harvestdetect.context import Context
from harvestdetect.corpus.block import Cutting
from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.corpus.registry import Registry
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.data import Campaign, Corpus, Family, Neighbors
from harvestdetect.dump import Dumps
from harvestdetect.errors import CacheError
from harvestdetect.evidence.candidate import Comparison, ScanData
from harvestdetect.incremental.candidates import load_candidates, save_candidates
from harvestdetect.incremental.clusters import CarriedClusters, load_clusters, save_clusters
from harvestdetect.incremental.folder import Folder
from harvestdetect.incremental.templates import load_templates, save_templates
from harvestdetect.judge.measure import MeasuredCandidate, measure_candidates
from harvestdetect.judge.resolve import Scale
from harvestdetect.neighbors.partition import Partition
from harvestdetect.settings import Settings
from harvestdetect.stages.comparing import cluster_segments, find_neighbors, view_postings
from harvestdetect.stages.forming import describe
from harvestdetect.stages.plan import ReusableStages
from harvestdetect.stages.reading import read_corpus
from harvestdetect.stages.values import DumpSource, Embedded, Read, ViewClusters
from harvestdetect.store.digests import places
from harvestdetect.store.keys import key_of
from harvestdetect.store.tables import Kept, keep_neighbors, kept_neighbors
from harvestdetect.template.refine import Refined
from harvestdetect.util.versions import versions

__all__ = ["reusing"]

LEAST_KNOWN: Final = 0.5
"""Smallest share of segments whose neighbours are known from an earlier scan. With less, all are searched anew."""
PREPARED: Final = "read"
"""Name of the folder in a work folder that contains prepared files."""
INDIFFERENT: Final = frozenset(
    {
        *("allow_download", "batch_size", "cache", "device", "format", "max_expansion", "max_line_bytes"),
        *("max_rejects", "memory_gb", "threads", "use_cache", "work", "workers", "query", "table", "since_column"),
        *("engine", "ray_address", "make_map", "report_url"),
    }
)
"""Settings that change no finding if the dumps are the same."""


def reusing(context: Context, registry: Registry | None, scale: Scale, left_out: frozenset[Family]) -> ReusableStages:
    """The stages of a scan with a work folder.

    Args:
        context: of the scan; ``settings.work`` names the folder.
        registry: known scaffolds.
        scale: on which candidates are judged.
        left_out: families of evidence that do not count.
    """
    assert context.scratch is not None, "a work folder"
    values = {
        "settings": {n: v for n, v in context.settings.to_dict().items() if n not in INDIFFERENT},
        "registry": None if registry is None else registry.entries,
        "left out": sorted(left_out),
        "versions": versions(),
    }
    folder = Folder(work=context.scratch, key=key_of(values), note=context.note)
    reuse = _Reuse(folder=folder, scale=scale)
    return ReusableStages(
        read=reuse.read,
        find_neighbors=reuse.find_neighbors,
        cluster=reuse.cluster,
        describe=reuse.describe,
        measure=reuse.measure,
    )


@dataclass(slots=True, kw_only=True)
class _Reuse:
    """The wrapped stages of one scan."""

    folder: Folder
    scale: Scale
    carried: CarriedClusters | None = None
    """Clusters of the wording view that are carried on. None if all texts are clustered anew; then nothing that depends
    on clusters is reused."""

    def read(self, source: DumpSource, context: Context, registry: Registry | None) -> Read:
        """Reads prepared files, so that each dump file is parsed only once."""
        settings, shards = context.settings, None
        if isinstance(source, Dumps):
            cutting = Cutting(
                segment_characters=settings.segment_characters,
                max_windows=settings.max_windows,
                registry=registry,
            )
            place = self.folder.work.path / PREPARED
            shards = ShardFolder(place, settings=settings, cutting=cutting, spare=self.folder.work)
        return read_corpus(source, context, registry, shards=shards)

    def find_neighbors(self, embedded: Embedded, context: Context) -> Neighbors:
        """Searches only for neighbours of segments that are new or lost a neighbour."""
        settings, work = context.settings, self.folder.work
        key = _neighbors_key(embedded, settings)
        kept = kept_neighbors(work.path, key, notes=context.note)
        known = partition = None
        if kept is not None:
            place = places(kept.digest, embedded.digest)
            there = place >= 0
            if there.sum() >= LEAST_KNOWN * len(embedded.digest):
                known = (kept.neighbors, place)
                if kept.partition is not None:
                    home = np.full(len(embedded.digest), -1, np.int32)
                    home[place[there]] = kept.partition.home[there]
                    partition = replace(kept.partition, home=home)
        used: list[Partition] = []
        found = find_neighbors(embedded, context, known=known, partition=partition, leave=used.append)
        if work.writable:
            # A search that had nothing to search left the partition as it was.
            partition = used[0] if used else partition
            try:
                left = Kept(digest=embedded.digest, neighbors=found, partition=partition)
                keep_neighbors(work.path, key, left, notes=context.note)
            except CacheError as error:
                work.give_up(error)
        return found

    def cluster(
        self, embedded: Embedded, neighbors: Neighbors, corpus: Corpus, postings: Postings, context: Context
    ) -> ViewClusters:
        """Carries the clusters of the earlier scan on, if few texts have come or gone."""
        view = embedded.view
        carried = load_clusters(self.folder, view, embedded.model, embedded.digest)
        if carried is None:
            result = cluster_segments(embedded, neighbors, corpus, postings, context, with_reach=True)
        else:
            view_rows, core = view_postings(embedded, neighbors, corpus, postings, context)
            found, joined = carry_on(
                view, neighbors, core, view_rows, earlier=carried.clusters, new=carried.new, settings=context.settings
            )
            result = ViewClusters(clusters=found, core=core)
            context.note(
                f"{view}: clusters of an earlier scan are carried on; {joined:,} of {int(carried.new.sum()):,} new "
                f"texts joined one of them ({carried.changed / carried.whole:.1%} of the texts were added or removed "
                "since all were clustered)"
            )
        save_clusters(self.folder, view, embedded.model, embedded.digest, result.clusters, carried)
        if view == "wording":
            self.carried = carried
        return result

    def describe(
        self, assigned: Sequence[Assigned], corpus: Corpus, parts: PromptSegments, wording: Embedded, context: Context
    ) -> Refined:
        """Aligns the texts only of clusters that have changed."""
        min_accounts = context.settings.min_accounts
        carried = load_templates(self.folder, assigned, corpus, self.carried, min_accounts=min_accounts)
        found = describe(assigned, corpus, parts, wording, context, known=carried.known, remember=True)
        scan = 0 if self.carried is None else self.carried.scan
        save_templates(self.folder, carried, found.splits, assigned, corpus, scan=scan)
        return found

    def measure(
        self, campaigns: Sequence[Campaign], scan: ScanData, comparison: Comparison, context: Context
    ) -> list[MeasuredCandidate]:
        """Measures only candidates that have changed or are close to being findings."""
        settings = context.settings
        carried = load_candidates(self.folder, campaigns, scan.described, scan.corpus, self.carried)
        known = carried.known
        with context.progress("evidence", len(campaigns)) as advance:
            found = measure_candidates(
                campaigns, scan, comparison, seed=settings.seed, advance=advance, known=known, engine=context.engine
            )
        far = self.scale.are_far(found)
        reused = {i for i in known if far[i]}
        if len(reused) < len(known):
            # Other candidates move the cut. Candidates that are now close to it are measured again.
            same = {i: candidate for i, candidate in enumerate(found) if i in reused or i not in known}
            found = measure_candidates(campaigns, scan, comparison, seed=settings.seed, known=same)
            far = self.scale.are_far(found)
        if reused:
            context.note(
                f"measures of an earlier scan are reused for {len(reused):,} of {len(campaigns):,} candidates; none of "
                "these is a finding"
            )
        new = {i: found[i] for i in range(len(found)) if far[i] and i not in reused}
        save_candidates(
            self.folder, carried, new, campaigns, scan.described, scan.corpus, reused=reused
        )  # fmt: skip
        return found


def _neighbors_key(embedded: Embedded, settings: Settings) -> str:
    """The key of neighbours: everything that they depend on besides the texts."""
    return key_of({"model": embedded.model, **{n: getattr(settings, n) for n in ("k", "exact_below", "seed")}})
