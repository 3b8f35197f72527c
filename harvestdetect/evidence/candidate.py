"""The data from which the measures and benign explanations of a candidate are computed."""

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
from harvestdetect.corpus.account_fields import AccountFields
from harvestdetect.corpus.by_prompt import PromptSegments, cluster_texts
from harvestdetect.corpus.registry import Registry
from harvestdetect.data import NO_TIME, Campaign, Corpus, Family, Neighbors
from harvestdetect.evidence.cohort import FirstSeen
from harvestdetect.evidence.follow_ups import followed
from harvestdetect.evidence.intent import MAX_TEXTS, Encode, Ordinary, Prototypes, Target, targets_of
from harvestdetect.evidence.nulls import HEAVY, Groups, Pool, draw_groups
from harvestdetect.evidence.shared_values import Sharing, sharing_of
from harvestdetect.evidence.sign_ups import Creations
from harvestdetect.evidence.starts import ActiveDays
from harvestdetect.evidence.timed_prompts import TimedPrompts, timed_prompts
from harvestdetect.evidence.work_list import WorkList, compare_likeness
from harvestdetect.template.description import Description, is_template
from harvestdetect.util.amounts import EXCEPTIONAL
from harvestdetect.util.arrays import Floats, Floats32, Ints, Ints32, Vectors, spread

__all__ = ["CandidateData", "Comparison", "MeasureContext", "ScanData", "look_closer", "observe", "some_of", "timed_of"]


READ_AMONG: Final = 4_000
"""Largest sample of a candidate's prompts from which texts are chosen, and of its segments for distances. The samples
are evenly spaced. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanData:
    """The data of a scan that the measures of all candidates use."""

    corpus: Corpus
    postings: Postings
    parts: PromptSegments
    sentences: PromptSegments
    """The sentences of every prompt that were compared on their own, because enough accounts sent them."""
    assigned: Sequence[Assigned]
    described: Sequence[Description]
    """The description of every cluster in ``assigned``."""
    neighbors: Neighbors
    """Neighbours in the wording view."""
    core: Floats32
    """float32[n]: core distance of every segment, see :func:`harvestdetect.cluster.distances.core_distance`."""
    vectors: Vectors
    """float16 or float32[p, d], of every prompt."""
    encode: Encode
    """Embeds texts in the wording view."""
    fields: AccountFields
    """The values that accounts have of the optional fields."""
    registry: Registry | None
    """Known scaffolds and viral prompts."""
    leave_out: frozenset[Family] = frozenset()
    """Families that are left out of the evidence. The benign explanations still see the bits of their readings."""
    threads: int = 0
    """Number of threads that measure candidates; 0 uses all cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What candidates are compared with: other accounts and texts."""

    pool: Pool
    timed_pool: Pool | None
    """The same with only the requests that have a time; None if all have one."""
    active: ActiveDays
    sent: npt.NDArray[np.int64]
    """int64[a]: requests of every account."""
    users: npt.NDArray[np.int64]
    """int64[c]: accounts with prompts in each cluster."""
    cluster_share: Floats
    """float64[c]: the share of all requests that each cluster has."""
    first_seen: FirstSeen
    creations: Creations
    fields: AccountFields
    prototypes: Prototypes
    ordinary: Ordinary
    fixed: Floats
    """float64[b]: fixed words of neighbourhoods of other texts."""
    shared: Floats
    """float64[b]: shared words of the same neighbourhoods."""
    distances: Floats
    """float64[.], ascending: core distances of segments outside all candidates."""
    period: tuple[float, float] | None
    """Seconds between which all but two of a hundred timed requests of the dump lie; None without times."""
    volumes: tuple[Floats, Floats]
    """float64[v] each: the distinct numbers of requests of accounts with any, ascending, and how many accounts sent as
    many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureContext:
    """The input of every measure besides the candidate."""

    scan: ScanData
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateData:
    """The data of one candidate.

    :func:`observe` computes what every measure may need. Values that only some candidates need are filled in by
    :func:`look_closer`.
    """

    whole: Campaign
    """The candidate with all its accounts."""
    trimmed: Campaign
    """The candidate without a few accounts that send many times as much as the others. Such an outlier may be a heavy
    user with similar texts, and would dominate every sum."""
    descriptions: Sequence[Description]
    """Of each cluster of ``trimmed``."""
    templates: int
    """Number of different templates among these clusters."""
    cluster_sizes: Ints
    """int64[t]: prompts in each cluster of ``trimmed``."""
    segments: Ints32
    """The segments of all clusters of ``trimmed``."""
    follows: Ints32 | None
    """What the prompts of ``trimmed`` follow, if they are follow-ups (:mod:`harvestdetect.evidence.follow_ups`); None
    if they are not."""
    contents: Ints32
    """int32[q]: content ids of ``items``."""
    clusters_used: Ints
    """int64[a]: how many of the clusters each account of ``whole`` sent prompts of."""
    groups: Groups | None
    """Drawn groups of other accounts, matched with ``trimmed``; None where too few other accounts exist."""
    timed: TimedPrompts | None
    """The times of ``groups``; None if too few are known."""
    item_groups: Groups | None
    """Groups that are matched with ``items``: the same where these are the prompts of ``trimmed``."""
    work_list: WorkList | None
    """How similar the items of one account are; None if too few accounts sent several."""
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
    def items(self) -> Ints32:
        """int32[q], ascending: the prompts that say what its accounts ask about."""
        return self.trimmed.prompts if self.follows is None else self.follows

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
    scan, comparison = context.scan, context.comparison
    prompts = scan.corpus.prompts
    trimmed = _trimmed(campaign, account=prompts.account)
    descriptions = [scan.described[int(c)] for c in trimmed.clusters]
    segments = [scan.assigned[int(c)].cluster.segments for c in trimmed.clusters]
    pool = comparison.pool.without(campaign.accounts)
    groups = draw_groups(pool, trimmed.prompts, prompts.account, seed=seed)
    follows = followed(trimmed, prompts)
    items, item_groups = trimmed.prompts, groups
    if follows is not None:
        items, item_groups = follows, draw_groups(pool, follows, prompts.account, seed=seed)
    return CandidateData(
        whole=campaign,
        trimmed=trimmed,
        descriptions=descriptions,
        templates=len({d.signature for d in descriptions if is_template(d)}),
        cluster_sizes=np.bincount(
            np.searchsorted(trimmed.clusters, trimmed.prompt_cluster), minlength=len(trimmed.clusters)
        ),
        segments=np.concatenate(segments) if len(segments) > 1 else segments[0],
        follows=follows,
        contents=prompts.content[items],
        clusters_used=texts_of_each(prompts.account[campaign.prompts], campaign.prompt_cluster),
        groups=groups,
        timed=timed_of(groups, trimmed.prompts, prompts.time, context, seed=seed),
        item_groups=item_groups,
        work_list=None if item_groups is None else compare_likeness(item_groups, scan.vectors),
        sharing=sharing_of(comparison.fields, trimmed.accounts),
        seed=seed,
    )


def timed_of(
    groups: Groups | None, sent: Ints32, time: Ints, context: MeasureContext, *, seed: int
) -> TimedPrompts | None:
    """The times that are compared. Requests without a time take no part on either side.

    Args:
        groups: matched with the candidate.
        sent: int32[q], ascending: prompts of the candidate.
        time: int64[p], seconds of every prompt of the dump, or NO_TIME.
        context: of the scan.
        seed: of every draw.

    Returns:
        None if fewer than half of the candidate's prompts have a time, or too few do.
    """
    pool = context.comparison.timed_pool
    if pool is not None and groups is not None:
        known = time[sent] != NO_TIME
        if 2 * known.sum() < len(known):
            return None
        account = context.scan.corpus.prompts.account
        groups = draw_groups(pool.without(account[sent]), sent[known], account, seed=seed)
    return None if groups is None else timed_prompts(groups, time)


def look_closer(candidate: CandidateData, context: MeasureContext) -> CandidateData:
    """Adds the data that only the measures of a closer look need: the capability targets."""
    scan = context.scan
    texts, _ = cluster_texts(
        scan.corpus, scan.parts, some_of(candidate.trimmed.prompts), candidate.segments, at_most=MAX_TEXTS
    )
    targets = targets_of(
        texts,
        context.comparison.prototypes,
        fixed=[" ".join(filter(None, d.words)) for d in candidate.descriptions],
    )
    return replace(candidate, targets=targets)


def some_of(rows: Ints32) -> Ints32:
    """At most :data:`READ_AMONG` of the rows, evenly chosen."""
    return rows if len(rows) <= READ_AMONG else rows[spread(len(rows), READ_AMONG)]


def _trimmed(campaign: Campaign, *, account: Ints32) -> Campaign:
    """See :attr:`CandidateData.trimmed`."""
    counts = campaign.harvest_prompts
    heavy = counts > HEAVY * np.median(counts)
    if not 0 < heavy.sum() <= EXCEPTIONAL * len(counts):
        return campaign
    return without(campaign, campaign.accounts[heavy], account=account)
