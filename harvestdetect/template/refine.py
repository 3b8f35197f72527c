"""Refines clusters by their templates: mixed clusters are split, clusters of the same template are merged.

Each cluster also loses the prompts that do not fill its template, since a few other texts always lie as near.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from harvestdetect.cluster.assign import Assigned
from harvestdetect.corpus.by_prompt import PromptSegments, segments_by_prompt
from harvestdetect.data import Corpus, Template
from harvestdetect.engines.engine import Engine, lots, map_in_order
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.sharing import Shared
from harvestdetect.template.clusters import ClusterSource, Described, described, with_counts_of
from harvestdetect.template.description import Description, has_words, is_template
from harvestdetect.template.fillings import all_true, fills_template, segments_in_prompts
from harvestdetect.template.mixtures import same_templates
from harvestdetect.template.splitting import (
    Split,
    Subcluster,
    split,
    split_as_before,
    subcluster_of_segments,
)
from harvestdetect.util.arrays import Bools, unique
from harvestdetect.util.vectors import Rows

__all__ = ["Refined", "refine_clusters"]

CLUSTERS_PER_TASK: Final = 16
"""Most clusters that a task of an engine describes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """Clusters that are of one template each, or of none."""

    assigned: list[Assigned]
    """The c clusters, each with the prompts that fill its template."""
    descriptions: list[Description]
    """The description of each."""
    templates: dict[int, Template]
    """The template of each, by its position 0..c-1."""
    splits: dict[int, Split]
    """How clusters were split, by their positions in the input: of those whose split was not given, where asked for."""


def refine_clusters(
    assigned: Sequence[Assigned],
    corpus: Corpus,
    parts: PromptSegments,
    vectors: Rows,
    *,
    min_accounts: int,
    known: Mapping[int, Split] | None = None,
    remember: bool = False,
    engine: Engine | None = None,
) -> Refined:
    """Splits mixed clusters, merges clusters of the same template, and gives each its template.

    Args:
        assigned: all clusters.
        corpus: of the clusters.
        parts: the whole parts of every prompt.
        vectors: float16[n, d], unit rows but for rounding, of all segments in the wording view.
        min_accounts: accounts that a subcluster needs.
        known: how an earlier scan split some of the clusters, by position. These are split in the same way.
        remember: whether to return how the other clusters were split, for a later scan.
        engine: aligns texts; None aligns them in this process.
    """
    engine = engine or Loop()
    known = known or {}
    segments = segments_by_prompt(corpus) if known or remember else None
    source = ClusterSource(corpus=corpus, parts=parts, vectors=vectors, min_accounts=min_accounts)
    source.share(engine)
    work = engine.share(_RefineInputs(assigned=assigned, source=source, known=known, segments=segments))
    # split every cluster, as before where that is known
    rows = lots(range(len(assigned)), engine, most=CLUSTERS_PER_TASK)
    parted = [one for some in map_in_order(engine, partial(_split_some, work), rows) for one in some]
    found = [[one.of(assigned[i]) for one in parted[i]] for i in range(len(assigned))]
    new = _new_splits(assigned, found, known, segments) if remember and segments is not None else {}
    splits = {**known, **new}
    # leaves of a tree that are no templates are dropped
    kept = [
        _Kept(subcluster, i if i in splits else None)
        for i, subclusters in enumerate(found)
        for subcluster in subclusters
        if not subcluster.item.cluster.channel.endswith("/leaf") or is_template(subcluster.described.description)
    ]

    # merge clusters of the same template, then drop prompts that do not fill it
    groups = [[kept[i] for i in group] for group in same_templates([k.subcluster.described.description for k in kept])]
    merged = [_SubclusterGroup(group, _split_of(group, splits)) for group in groups]
    alike = lots(merged, engine, most=CLUSTERS_PER_TASK)
    ended = [one for some in map_in_order(engine, partial(_finish_some, work), alike) for one in some]
    return Refined(
        assigned=[one.subcluster.item for one in ended],
        descriptions=[one.subcluster.described.description for one in ended],
        templates={
            number: with_counts_of(one.subcluster.described.template, one.subcluster.item, corpus)
            for number, one in enumerate(ended)
        },
        splits=_with_fills(new, ended),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _RefineInputs:
    """What the tasks of an engine have in common."""

    assigned: Sequence[Assigned]
    source: ClusterSource
    known: Mapping[int, Split]
    segments: PromptSegments | None


class _Part(NamedTuple):
    """A subcluster on its way from a task. A cluster that stayed whole is not sent back."""

    item: Assigned | None
    described: Described

    def of(self, whole: Assigned) -> Subcluster:
        """The subcluster, given the cluster that it is of."""
        return Subcluster(whole if self.item is None else self.item, self.described)


class _Kept(NamedTuple):
    """A subcluster, and the position of the cluster in the input whose split is known."""

    subcluster: Subcluster
    origin: int | None


class _SubclusterGroup(NamedTuple):
    """Subclusters of one template."""

    kept: list[_Kept]
    before: Split | None
    """The split of the cluster of the only one, where it is known."""


class _Finished(NamedTuple):
    """A subcluster with the prompts that fill its template, and what was learned of its segments."""

    subcluster: Subcluster
    origin: int | None
    fills: Bools | None
    """bool[s]: whether the prompts with each segment of the input cluster were found to fill; None: nothing new."""


def _split_some(work: Shared[_RefineInputs], rows: Sequence[int]) -> list[list[_Part]]:
    """Splits some clusters, as an earlier scan did where that is known; it runs on an engine."""
    known = work.value()
    found = []
    for i in rows:
        whole = known.assigned[i]
        some = _split_one(whole, known.known.get(i), known.source, known.segments)
        found.append([_Part(None if item is whole else item, described) for item, described in some])
    return found


def _split_of(group: Sequence[_Kept], splits: Mapping[int, Split]) -> Split | None:
    """The split of the cluster of the only subcluster of a group, where it is known."""
    origin = group[0].origin if len(group) == 1 else None
    return None if origin is None else splits[origin]


def _finish_some(work: Shared[_RefineInputs], groups: Sequence[_SubclusterGroup]) -> list[_Finished]:
    """Merges subclusters of one template, and drops the prompts that do not fill it; it runs on an engine."""
    source, segments = work.value().source, work.value().segments
    found = []
    for kept, before in groups:
        one = _merged([k.subcluster for k in kept], source)
        found.append(_filtered(one, None if before is None else kept[0].origin, source, before, segments))
    return found


def _split_one(
    item: Assigned, before: Split | None, source: ClusterSource, segments: PromptSegments | None
) -> list[Subcluster]:
    """The subclusters of a cluster, as an earlier scan split it where that is known."""
    if before is None or segments is None:
        return split(item, source)
    return split_as_before(item, before, source, segments)


def _new_splits(
    assigned: Sequence[Assigned],
    found: Sequence[Sequence[Subcluster]],
    known: Mapping[int, Split],
    segments: PromptSegments,
) -> dict[int, Split]:
    """How the clusters but the known ones were split, by position; no segment is known to fill its template yet."""
    return {
        i: Split(
            described=[one.described for one in subclusters],
            subcluster=subcluster_of_segments(assigned[i], subclusters, segments),
            fills=np.zeros(len(assigned[i].cluster.segments), bool),
        )
        for i, subclusters in enumerate(found)
        if i not in known
    }


def _with_fills(splits: Mapping[int, Split], ended: Sequence[_Finished]) -> dict[int, Split]:
    """The splits with the segments whose prompts were found to fill their template."""
    fills = {i: one.fills.copy() for i, one in splits.items()}
    for one in ended:
        if one.origin is not None and one.origin in fills and one.fills is not None:
            fills[one.origin] |= one.fills
    return {i: replace(one, fills=fills[i]) for i, one in splits.items()}


def _merged(group: Sequence[Subcluster], source: ClusterSource) -> Subcluster:
    """Several subclusters of one template as one, with the template of all their texts."""
    if len(group) == 1:
        return group[0]
    first = group[0].item
    segments = unique(np.concatenate([one.item.cluster.segments for one in group]))
    item = Assigned(
        cluster=replace(first.cluster, segments=segments),
        prompts=np.sort(np.concatenate([one.item.prompts for one in group])),
    )
    return Subcluster(item, described(item, source))


def _filtered(
    one: Subcluster, origin: int | None, source: ClusterSource, before: Split | None, segments: PromptSegments | None
) -> _Finished:
    """A subcluster without the prompts that do not fill its template; one without fixed words keeps all.

    Args:
        one: the subcluster.
        origin: the position of its cluster in the input, where ``before`` is given.
        source: the corpus.
        before: the split of its cluster. Prompts that are known to fill the template are not read again.
        segments: all segments of every prompt, where ``before`` is given.
    """
    if not has_words(one.described.description):
        return _Finished(one, origin, None)
    item, learned = one.item, None
    fills = np.zeros(len(item.prompts), bool)
    if before is not None and segments is not None:
        segment, prompt = segments_in_prompts(item, segments)
        fills = all_true(before.fills[segment], prompt, len(fills))
    unread = item.prompts[~fills]
    if len(unread):
        fills[~fills] = fills_template(one.described.description, replace(item, prompts=unread), source)
        if before is not None and segments is not None:
            learned = all_true(fills[prompt], segment, len(before.fills))
    if not fills.all():
        item = replace(item, prompts=item.prompts[fills])
    return _Finished(Subcluster(item, one.described), origin, learned)
