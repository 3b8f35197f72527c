"""What speaks for and against every candidate: the measures of all families and the benign explanations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import spread
from harvestdetect.assign import Assigned
from harvestdetect.campaign import without
from harvestdetect.cluster import Postings
from harvestdetect.data import NO_TIME, BenignExplanation, Campaign, Corpus, Evidence, Family, Neighbors, SharedValue
from harvestdetect.evidence import infrastructure, structure, text, time
from harvestdetect.evidence.benign import benign_explanations
from harvestdetect.evidence.infrastructure import (
    AccountFields,
    account_values,
    concentration,
    infrastructure_evidence,
    shared_infrastructure,
)
from harvestdetect.evidence.intent import Encode, Prototypes, intent_evidence, load_prototypes, margins, targets_of
from harvestdetect.evidence.nulls import Pool, draw_groups, pool_of
from harvestdetect.evidence.structure import (
    block_density,
    cohort_coverage,
    even_load,
    even_load_ratio,
    focus,
    linked_templates,
    shared_list,
)
from harvestdetect.evidence.text import READ, copies_share, duplicate_types, paired, slot_sweep, text_evidence
from harvestdetect.evidence.time import (
    DAY,
    SITTINGS,
    SignUps,
    coordination_evidence,
    sign_up_evidence,
    sign_ups,
    time_evidence,
)
from harvestdetect.lookup import Parts, cluster_texts, first_rows, requests, texts_of, words_of
from harvestdetect.registry import Registry, known
from harvestdetect.template import SAMPLE, Description, align, common_words, is_template, tokens
from harvestdetect.triage import Judgement, judge

__all__ = ["DECIDING", "Background", "Case", "Weighed", "background_of", "judgements_of", "less_sure", "weigh"]

Ints32 = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

DECIDING: Final = {
    "text": text.DECIDING,
    "structure": structure.DECIDING,
    "time": time.DECIDING,
    "infrastructure": infrastructure.DECIDING,
}
"""Measures on which a family stands; the others can only agree."""
OUTLYING: Final = 8.0
"""A candidate is weighed without accounts that send more than so many times the usual number..."""
FEW: Final = 0.1
"""...where they are no more than this share of its accounts."""
BACKGROUND_TEXTS: Final = 1_000
TEXTS: Final = 48
"""Texts of a candidate that are read for what they are after."""
NEIGHBOURHOOD: Final = 12
NEED_TEMPLATE: Final = (*structure.NEED_TEMPLATE, *time.NEED_TEMPLATE)
"""Measures that a common subject explains as well; they count only where a template is shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the evidence on all candidates is drawn from."""

    corpus: Corpus
    postings: Postings
    parts: Parts
    assigned: Sequence[Assigned]
    described: Sequence[Description]
    """Of every cluster in ``assigned``."""
    neighbors: Neighbors
    """In the wording view."""
    core: Floats32
    """float32[n]: chord distance of every segment to its neighbours from other accounts."""
    vectors: Floats32
    """float32[p, d], of every prompt."""
    encode: Encode
    """Of the wording view."""
    registry: Registry | None
    """Known scaffolds and viral prompts."""
    leave_out: frozenset[Family] = frozenset()
    """Families that are no evidence; the benign explanations still see what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """All that was measured on one candidate."""

    evidence: tuple[Evidence, ...]
    benign: tuple[BenignExplanation, ...]
    templated: bool
    """Whether it has a template rather than only a subject."""
    targets: tuple[str, ...]
    """Names of the capabilities that its prompts seem to be after, the clearest first."""
    shared_values: tuple[SharedValue, ...]
    """Infrastructure that its members share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What lies outside every candidate, and the requests that are compared."""

    place: Ints32
    """int32[p]: the request that a prompt is."""
    account: Ints32
    time: npt.NDArray[np.int64]
    content: Ints32
    model: Ints32
    vectors: Floats32
    pool: Pool
    sent: npt.NDArray[np.int64]
    """int64[a]: requests of every account."""
    users: npt.NDArray[np.int64]
    """int64[c]: accounts with prompts in each cluster..."""
    cluster_share: Floats
    """float64[c]: ...and its share of the requests."""
    others: npt.NDArray[np.bool_]
    """bool[a]: accounts outside every candidate."""
    sign_ups: SignUps
    fields: AccountFields
    prototypes: Prototypes
    margins: Floats
    fixed: Floats
    shared: Floats
    distances: Floats


def weigh(
    campaigns: Sequence[Campaign],
    case: Case,
    background: Background,
    *,
    seed: int,
    advance: Callable[[int], None] = lambda count: None,
) -> list[Weighed]:
    """Weighs candidates.

    Args:
        campaigns: the candidates.
        case: what they were found in.
        background: what they are compared with.
        seed: of every draw.
        advance: told how many more are done.
    """
    found = []
    for campaign in campaigns:
        found.append(_weigh(campaign, case, background, seed))
        advance(1)
    return found


def judgements_of(weighed: Sequence[Weighed], *, fdr: float) -> list[Judgement]:
    """The judgement on each of the candidates of a scan, see :func:`harvestdetect.triage.judge`."""
    return judge(
        [w.evidence for w in weighed],
        [w.benign for w in weighed],
        [w.templated for w in weighed],
        deciding=DECIDING,
        fdr=fdr,
    )


def less_sure(first: Weighed, second: Weighed) -> Weighed:
    """The first, with the larger p-value wherever the second has the same measure; a measure it lacks counts as 1."""
    other = {e.name: e.p_value for e in second.evidence}
    return replace(
        first, evidence=tuple(replace(e, p_value=max(e.p_value, other.get(e.name, 1.0))) for e in first.evidence)
    )


def _body(campaign: Campaign, case: Case) -> Campaign:
    """A candidate less a few accounts that send many times as much as the others.

    They may be a heavy user with texts of the kind, and would decide every sum.
    """
    counts = campaign.harvest_prompts
    heavy = counts > OUTLYING * np.median(counts)
    if not 0 < heavy.sum() <= FEW * len(counts):
        return campaign
    return without(campaign, campaign.accounts[heavy], account=case.corpus.prompts.account)


def _weigh(whole: Campaign, case: Case, background: Background, seed: int) -> Weighed:
    campaign = _body(whole, case)
    described = [case.described[int(c)] for c in campaign.clusters]
    templates = len({d.signature for d in described if is_template(d)})
    own = background.place[campaign.prompts]
    contents = background.content[own]
    found = [*_text(campaign, case, background, described, contents), *_duplicates(campaign, case, described, seed)]
    # all of them: leaving out whoever sends most would make any load even
    if (load := even_load(whole.harvest_prompts, strays=whole.stray_hits, seed=seed)) is not None:
        found.append(load)
    linked = linked_templates(len(whole.clusters), templates, whole.link_log_p, len(whole.accounts))
    if linked is not None:
        found.append(linked)
    subjects = None
    groups = draw_groups(background.pool, own, background.account, seed=seed)
    if groups is not None:
        if (listed := shared_list(groups, background.vectors)) is not None:
            subjects = (listed[1].deviations, listed[1].of_usual)
            found.append(listed[0])
        if (narrow := focus(groups, background.vectors)) is not None:
            found.append(narrow)
        found.extend(time_evidence(groups, background.time))
        found.extend(coordination_evidence(groups, background.time, model=background.model))
    found.extend(_shape(campaign, case, background, seed))
    found.extend(sign_up_evidence(background.sign_ups, campaign.accounts, others=background.others, seed=seed))
    if not templates:
        # accounts with a common subject have alike prompts, and come together when something happens
        found = [e for e in found if e.name not in NEED_TEMPLATE]
    found.extend(infrastructure_evidence(background.fields, campaign.accounts))
    targets = targets_of(
        _sample(campaign, case), background.prototypes, fixed=[" ".join(filter(None, d.words)) for d in described]
    )
    return Weighed(
        evidence=tuple(
            e
            for e in (*found, *intent_evidence(targets, background.margins, seed=seed))
            if e.family not in case.leave_out
        ),
        benign=_benign(campaign, case, background, found, contents, subjects, templates > 0),
        templated=templates > 0,
        targets=tuple(t.name for t in targets),
        shared_values=shared_infrastructure(background.fields, campaign.accounts),
    )


def _sample(campaign: Campaign, case: Case) -> list[str]:
    """Texts of a candidate, as its clusters show them."""
    return cluster_texts(case.corpus, case.parts, campaign.prompts, _segments(campaign, case), at_most=TEXTS)[0]


def _segments(campaign: Campaign, case: Case) -> Ints32:
    return np.concatenate([case.assigned[int(c)].cluster.segments for c in campaign.clusters])


def _text(
    campaign: Campaign, case: Case, background: Background, described: Sequence[Description], contents: Ints32
) -> list[Evidence]:
    rigid = max(described, key=lambda d: d.fixed)
    near = case.core[_segments(campaign, case)]
    return text_evidence(
        fixed_words=rigid.fixed,
        rigidity=rigid.rigidity,
        shared_words=max(d.shared for d in described),
        background_fixed=background.fixed,
        background_shared=background.shared,
        distances=near[np.isfinite(near)].astype(np.float64),
        background_distances=background.distances,
        contents=contents,
    )


def _duplicates(campaign: Campaign, case: Case, described: Sequence[Description], seed: int) -> list[Evidence]:
    """Fillings of the largest template, and what pairs of texts are to one another."""
    shown = case.parts.start[campaign.prompts + 1] > case.parts.start[campaign.prompts]
    prompts, cluster = campaign.prompts[shown], campaign.prompt_cluster[shown]
    by_size = np.argsort([-int((cluster == c).sum()) for c in campaign.clusters], kind="stable")
    largest, own = described[by_size[0]], prompts[cluster == campaign.clusters[by_size[0]]]
    sweep = None
    if is_template(largest):
        copied = np.ones(len(own), bool)
        copied[np.unique(case.corpus.prompts.content[own], return_index=True)[1]] = False
        read = spread(len(own), TEXTS)
        cut = [[t for t, _, _ in tokens(text)] for text in _texts_of(own[read], campaign, case)]
        sweep = slot_sweep(cut, [align(largest.kept, text) for text in cut], copied=copied[read])
    account = case.corpus.prompts.account[prompts]
    pairs = paired(account, cluster, seed=seed)
    kinds = duplicate_types(
        _texts_of(prompts[pairs], campaign, case),
        account=account[pairs],
        vectors=case.vectors[prompts[pairs]],
        templates=[described[i].kept for i in by_size if is_template(described[i])],
    )
    return [e for e in (sweep, kinds) if e is not None]


def _texts_of(prompts: Ints32, campaign: Campaign, case: Case) -> list[str]:
    """The beginning of the text of each prompt, as its clusters show it."""
    return [text[:READ] for text in texts_of(case.corpus, case.parts, prompts, _segments(campaign, case))]


def _shape(campaign: Campaign, case: Case, background: Background, seed: int) -> list[Evidence]:
    density = block_density(
        case.corpus.prompts.account[campaign.prompts],
        np.searchsorted(campaign.clusters, campaign.prompt_cluster),
        popularity=background.users[campaign.clusters],
        share=background.cluster_share[campaign.clusters],
        sent=background.sent[campaign.accounts],
        strays=campaign.stray_hits,
        seed=seed,
    )
    cohort = cohort_coverage(
        background.sign_ups.first, background.sent, campaign.accounts, outside=len(campaign.outside), seed=seed
    )
    return [e for e in (density, cohort) if e is not None]


def _benign(
    campaign: Campaign,
    case: Case,
    background: Background,
    evidence: Sequence[Evidence],
    contents: Ints32,
    own_subjects: tuple[float, float] | None,
    templated: bool,
) -> tuple[BenignExplanation, ...]:
    time = case.corpus.prompts.time[campaign.prompts]
    time = time[time != NO_TIME]
    sample = campaign.prompts[spread(len(campaign.prompts), SAMPLE * 4)]
    largest = max(campaign.clusters, key=lambda c: int((campaign.prompt_cluster == c).sum()))
    entry = known(case.registry, case.described[int(largest)].words) if case.registry else None
    infra = [e.p_value for e in evidence if e.name in infrastructure.DECIDING]
    return benign_explanations(
        copies=copies_share(contents),
        counts=campaign.harvest_prompts,
        load_ratio=even_load_ratio(campaign.harvest_prompts),
        own_subjects=own_subjects,
        sittings_p=next((e.p_value for e in evidence if e.name == SITTINGS), None),
        infrastructure_p=min(infra, default=None),
        templated=templated,
        median_words=float(np.median(words_of(case.corpus, case.parts, sample))),
        days=float(np.subtract(*np.quantile(time, (0.95, 0.05)))) / DAY if len(time) else None,
        shares=concentration(background.fields, campaign.accounts),
        known_as=None if entry is None else (entry.kind, entry.id),
    )


# ---------------------------------------------------------------- background


def background_of(campaigns: Sequence[Campaign], case: Case, *, seed: int) -> Background:
    """What candidates are compared with.

    Args:
        campaigns: all candidates.
        case: what they were found in.
        seed: of the sample of other texts.
    """
    prompts = case.corpus.prompts
    taken = np.zeros(len(prompts.account), bool)
    inside = np.zeros(len(prompts.accounts), bool)
    for campaign in campaigns:
        taken[campaign.prompts] = True
        inside[campaign.accounts] = True
    once = first_rows(prompts)
    account = prompts.account[once]
    free = _free_segments(case.corpus, taken)
    chosen = free[np.random.default_rng(seed).permutation(len(free))[:BACKGROUND_TEXTS]]
    fixed, shared = _background_words(chosen, case)
    distances = case.core[free]
    prototypes = load_prototypes(case.encode)
    return Background(
        place=requests(prompts),
        account=account,
        time=prompts.time[once],
        content=prompts.content[once],
        model=prompts.fields["model"].code[once],
        vectors=case.vectors[once],
        pool=pool_of(account, len(prompts.accounts), inside),
        sent=np.bincount(account, minlength=len(inside)),
        users=np.array([len(np.unique(prompts.account[a.prompts])) for a in case.assigned], np.int64),
        cluster_share=np.array([len(a.prompts) for a in case.assigned], np.float64) / len(account),
        others=~inside,
        sign_ups=sign_ups(account, prompts.created_at[once], prompts.time[once], accounts=len(inside)),
        fields=account_values(prompts),
        prototypes=prototypes,
        margins=margins(case.corpus.display.take(chosen), prototypes),
        fixed=fixed,
        shared=shared,
        distances=distances[np.isfinite(distances)].astype(np.float64),
    )


def _free_segments(corpus: Corpus, taken: npt.NDArray[np.bool_]) -> Ints32:
    """Segments of which no prompt is in a candidate."""
    held = np.zeros(len(corpus.text), bool)
    held[corpus.posting_segment[taken[corpus.posting_prompt]]] = True
    return np.flatnonzero(~held).astype(np.int32)


def _background_words(chosen: Ints32, case: Case) -> tuple[Floats, Floats]:
    """Fixed and shared words of some texts and their nearest ones, one from each account."""
    corpus = case.corpus
    sender = case.postings.account[case.postings.start[:-1]]
    cut: dict[int, list[str]] = {}

    def words(segment: int) -> list[str]:
        if segment not in cut:
            cut[segment] = [t for t, _, _ in tokens(corpus.display[segment])]
        return cut[segment]

    found = []
    for segment in chosen.tolist():
        near = [i for i in case.neighbors.index[segment].tolist() if i >= 0]
        others = {int(sender[i]): i for i in reversed(near) if sender[i] != sender[segment]}
        nearest_first = sorted(others.values(), key=near.index)[:NEIGHBOURHOOD]
        found.append(common_words([words(segment), *map(words, nearest_first)]))
    values = np.array(found, np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]
