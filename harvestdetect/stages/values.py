"""The values that the stages of a scan pass on: each phase returns one, and later phases take it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from harvestdetect.accounts.kin import Kin
from harvestdetect.cluster.assign import Volumes
from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.views import Clustered
from harvestdetect.corpus.account_fields import AccountFields
from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.corpus.shards import Window
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
from harvestdetect.evidence.account_data import AccountData
from harvestdetect.evidence.candidate import Comparison, ScanData
from harvestdetect.evidence.intent import Encode
from harvestdetect.judge.conclude import Conclusions
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.judge.resolve import Judged
from harvestdetect.template.refine import Refined
from harvestdetect.util.arrays import Digests, Floats32, Ints32
from harvestdetect.util.vectors import Rows

__all__ = ["Compared", "Concluded", "DumpSource", "Embedded", "Formed", "Measured", "Read", "ViewClusters"]

DumpSource: TypeAlias = Iterable[Batch] | Iterable[Prompt] | Window
"""Where prompts come from: dumps, prompts in memory, or the window of a state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The result of reading."""

    corpus: Corpus
    files: tuple[SourceFile, ...]
    rejects: tuple[Reject, ...]
    """At most the first :data:`harvestdetect.stages.reading.MAX_REJECTS_KEPT`."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewClusters:
    """The clusters of one view, and its core distances."""

    clusters: Sequence[Clustered]
    """Clusters whose points are rows of the view."""
    core: Floats32
    """float32[m]: core distance of each of its segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The prompts, and which of their segments are alike."""

    corpus: Corpus
    volume: Volumes
    postings: Postings
    wording: Embedded
    """All segments in the wording view."""
    neighbors: Neighbors
    """In the wording view."""
    core: Floats32
    """float32[n]: core distances in the wording view."""
    clusters: Sequence[TemplateCluster]
    """Of all views."""
    models: Mapping[str, str]
    """View -> digest of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Formed:
    """The candidates, before any is measured."""

    parts: PromptSegments
    """The whole parts of every prompt."""
    refined: Refined
    """The clusters of all candidates."""
    texts: Sequence[Campaign]
    """The candidates of texts."""
    campaigns: Sequence[Campaign]
    """All candidates."""
    kin: Kin
    """Which accounts are near each other."""
    fields: AccountFields


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All candidates with their measures."""

    campaigns: Sequence[Campaign]
    """Those that were formed, and parts of them."""
    measured: Sequence[MeasuredCandidate]
    """The measures of each."""
    scan: ScanData
    comparison: Comparison
    account_data: AccountData
    """What is known of accounts, which tells two populations apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """All candidates with the judgement on each, and the findings."""

    judged: Judged
    conclusions: Conclusions
