"""What the measures and the benign explanations of a candidate are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.campaign.form import without
from harvestdetect.cluster.assign import Assigned
from harvestdetect.cluster.postings import Postings
from harvestdetect.cluster.repeat_senders import texts_of_each
from harvestdetect.corpus.by_prompt import PromptSegments, cluster_texts
from harvestdetect.corpus.registry import Registry
from harvestdetect.data import Campaign, Corpus, Family, Neighbors
from harvestdetect.evidence import explanations
from harvestdetect.evidence.account_fields import AccountFields
from harvestdetect.evidence.cohort import Joined
from harvestdetect.evidence.intent import Encode, Ordinary, Prototypes, Target, targets_of
from harvestdetect.evidence.nulls import Groups, Pool, draw_groups
from harvestdetect.evidence.shared_values import Sharing, sharing_of
from harvestdetect.evidence.sign_ups import Opened
from harvestdetect.evidence.timed_prompts import TimedPrompts, timed_prompts
from harvestdetect.evidence.work_list import WorkList, compare_likeness
from harvestdetect.template.description import Description, is_template
from harvestdetect.util.arrays import Floats, Floats32, Ints, Ints32, Vectors, spread

__all__ = ["CandidateData", "MeasureContext", "Reference", "ScanData", "look_closer", "observe", "some_of"]


OUTLYING: Final = 8.0
"""Times the median number of prompts from which an account is outlying. Chosen."""
FEW: Final = 0.1
"""Largest share of a candidate's accounts that may be outlying for them to be left out. Chosen."""
READ_AMONG: Final = 4_000
"""Prompts of a candidate, evenly chosen, among which the texts that are read are chosen; also the segments that its
distances are taken from. Chosen."""
TEXTS: Final = 48
"""Texts of a candidate that are read for its targets and for the slots of its largest template, at most. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanData:
    """What a scan found before it measures candidates, the same for all of them."""

    corpus: Corpus
    postings: Postings
    parts: PromptSegments
    assigned: Sequence[Assigned]
    described: Sequence[Description]
    """Of every cluster in ``assigned``."""
    neighbors: Neighbors
    """In the wording view."""
    core: Floats32
    """float32[n]: chord distance of every segment to its neighbours from other accounts."""
    vectors: Vectors
    """float16 or float32[p, d], of every prompt."""
    encode: Encode
    """Of the wording view."""
    registry: Registry | None
    """Known scaffolds and viral prompts."""
    leave_out: frozenset[Family] = frozenset()
    """Families that are left out of the evidence. The benign explanations still see their measures."""
    threads: int = 0
    """Threads that measure candidates; 0 is one for each core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The accounts and texts outside every candidate, which candidates are compared with."""

    pool: Pool
    sent: npt.NDArray[np.int64]
    """int64[a]: requests of every account."""
    users: npt.NDArray[np.int64]
    """int64[c]: accounts with prompts in each cluster."""
    cluster_share: Floats
    """float64[c]: the share of all requests that each cluster has."""
    joined: Joined
    opened: Opened
    fields: AccountFields
    prototypes: Prototypes
    ordinary: Ordinary
    fixed: Floats
    """float64[b]: fixed words of neighbourhoods of other texts."""
    shared: Floats
    """float64[b]: shared words of the same neighbourhoods."""
    distances: Floats
    """float64[.], ascending: chord distances of other segments to their neighbours from other accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureContext:
    """What every measure is given beside the candidate."""

    scan: ScanData
    reference: Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateData:
    """What the measures and the benign explanations read of one candidate.

    :func:`observe` computes what every measure may need. Values that only some candidates need are filled in by
    :func:`look_closer`.
    """

    whole: Campaign
    """With all its accounts."""
    trimmed: Campaign
    """Without a few accounts that send many times as much as the others: an outlier may be a heavy user with texts of
    the kind, and would decide every sum."""
    descriptions: Sequence[Description]
    """Of each cluster of ``trimmed``."""
    templates: int
    """How many different templates these clusters are."""
    cluster_sizes: Ints
    """int64[t]: prompts in each cluster of ``trimmed``."""
    segments: Ints32
    """Of all clusters of ``trimmed``."""
    contents: Ints32
    """int32[q]: content ids of the prompts of ``trimmed``."""
    clusters_used: Ints
    """int64[a]: how many of the clusters each account of ``whole`` sent prompts of."""
    groups: Groups | None
    """Drawn groups of other accounts, matched with ``trimmed``; None where too few other accounts exist."""
    timed: TimedPrompts | None
    """The times of ``groups``; None where too little is known of them."""
    work_list: WorkList | None
    """How alike the prompts of one account are; None where too few accounts sent several."""
    sharing: Mapping[str, Sharing]
    """By field, the values that accounts of ``trimmed`` share."""
    seed: int
    """Of every draw."""
    targets: tuple[Target, ...] = ()
    """Capability targets of its prompts, filled in by a closer look."""

    @property
    def templated(self) -> bool:
        """Whether its accounts share a template rather than only a subject."""
        return self.templates > 0

    @property
    def several(self) -> float:
        """Share of its accounts that sent prompts of several clusters."""
        return float((self.clusters_used > 1).mean())


def observe(campaign: Campaign, context: MeasureContext, *, seed: int) -> CandidateData:
    """Computes what the measures of a candidate may need.

    Args:
        campaign: the candidate.
        context: of the scan.
        seed: of every draw.
    """
    scan, reference = context.scan, context.reference
    prompts = scan.corpus.prompts
    trimmed = _trimmed(campaign, account=prompts.account)
    descriptions = [scan.described[int(c)] for c in trimmed.clusters]
    segments = [scan.assigned[int(c)].cluster.segments for c in trimmed.clusters]
    groups = draw_groups(reference.pool, trimmed.prompts, prompts.account, seed=seed)
    return CandidateData(
        whole=campaign,
        trimmed=trimmed,
        descriptions=descriptions,
        templates=len({d.signature for d in descriptions if is_template(d)}),
        cluster_sizes=np.bincount(
            np.searchsorted(trimmed.clusters, trimmed.prompt_cluster), minlength=len(trimmed.clusters)
        ),
        segments=np.concatenate(segments) if len(segments) > 1 else segments[0],
        contents=prompts.content[trimmed.prompts],
        clusters_used=texts_of_each(prompts.account[campaign.prompts], campaign.prompt_cluster),
        groups=groups,
        timed=None if groups is None else timed_prompts(groups, prompts.time),
        work_list=None
        if groups is None
        else compare_likeness(
            groups,
            scan.vectors,
            bounds=(explanations.OF_USUAL, explanations.MOSTLY),
            bounds_from=explanations.DEVIATIONS,
        ),
        sharing=sharing_of(reference.fields, trimmed.accounts),
        seed=seed,
    )


def look_closer(candidate: CandidateData, context: MeasureContext) -> CandidateData:
    """The candidate with what only measures of a closer look need: its capability targets."""
    scan = context.scan
    texts, _ = cluster_texts(
        scan.corpus, scan.parts, some_of(candidate.trimmed.prompts), candidate.segments, at_most=TEXTS
    )
    targets = targets_of(
        texts,
        context.reference.prototypes,
        fixed=[" ".join(filter(None, d.words)) for d in candidate.descriptions],
    )
    return replace(candidate, targets=targets)


def some_of(rows: Ints32) -> Ints32:
    """At most :data:`READ_AMONG` of the rows, evenly chosen."""
    return rows if len(rows) <= READ_AMONG else rows[spread(len(rows), READ_AMONG)]


def _trimmed(campaign: Campaign, *, account: Ints32) -> Campaign:
    """See :attr:`CandidateData.trimmed`."""
    counts = campaign.harvest_prompts
    heavy = counts > OUTLYING * np.median(counts)
    if not 0 < heavy.sum() <= FEW * len(counts):
        return campaign
    return without(campaign, campaign.accounts[heavy], account=account)
