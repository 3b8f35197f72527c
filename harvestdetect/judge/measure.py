"""What speaks for and against every candidate: the measures of all families and the benign explanations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from harvestdetect.campaign.form import without
from harvestdetect.cluster.assign import Assigned
from harvestdetect.cluster.repeat_senders import texts_of_each
from harvestdetect.cluster.tree import Postings
from harvestdetect.corpus.by_prompt import PromptSegments, cluster_texts, first_rows, longest_part_words, prompt_texts
from harvestdetect.corpus.registry import Registry, known
from harvestdetect.data import NO_TIME, BenignExplanation, Campaign, Corpus, Evidence, Family, Neighbors, SharedValue
from harvestdetect.evidence import infrastructure, structure, text, time
from harvestdetect.evidence.benign import DEVIATIONS, MOSTLY, OF_USUAL, benign_explanations
from harvestdetect.evidence.infrastructure import (
    AccountFields,
    account_values,
    concentration,
    infrastructure_evidence,
    shared_infrastructure,
    sharing_of,
)
from harvestdetect.evidence.intent import (
    Encode,
    Ordinary,
    Prototypes,
    Target,
    intent_evidence,
    load_prototypes,
    margins,
    targets_of,
)
from harvestdetect.evidence.nulls import Groups, Pool, draw_groups, pool_of
from harvestdetect.evidence.structure import (
    EVEN_LOAD,
    Joined,
    block_density,
    cohort_coverage,
    even_load,
    even_load_ratio,
    focus,
    joined_when,
    least_beyond,
    linked_templates,
    shared_list,
)
from harvestdetect.evidence.text import (
    PAIRS,
    READ,
    copies_share,
    duplicate_types,
    paired,
    slot_sweep,
    text_evidence,
)
from harvestdetect.evidence.time import (
    DAY,
    SITTINGS,
    Opened,
    coordination_evidence,
    opened_when,
    sign_up_evidence,
    sign_ups,
    time_evidence,
)
from harvestdetect.judge.triage import TEXT_FDR, Judgement, judge
from harvestdetect.template.align import SAMPLE, Description, align, common_words, cut, is_rigid, is_template
from harvestdetect.util.arrays import Floats, Floats32, Ints32, Vectors, spread, unique
from harvestdetect.util.machine import cores

__all__ = ["DECIDING", "Background", "Case", "Weighed", "background_of", "judgements_of", "less_sure", "weigh"]


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
READ_AMONG: Final = 4_000
"""Texts that are read are chosen among so many prompts of a candidate, evenly chosen; its distances are taken from so
many of its segments."""
NEED_TEMPLATE: Final = (*structure.NEED_TEMPLATE, *time.NEED_TEMPLATE)
"""Measures that a common subject explains as well; they count only where a template is shared."""
DESCRIBING: Final = tuple(n for n in NEED_TEMPLATE if n not in {*structure.DECIDING, *time.DECIDING})
"""Measures that decide nothing, and change no tier either where there is a template, as they need."""
DESCRIBED: Final = TEXT_FDR
"""What changes no tier (these measures, how the texts stand to one another, what they are after) is looked at only
where a measure that decides has a p-value of at most this. No other candidate becomes a finding at a false-discovery
rate up to here: a family passes (Benjamini-Hochberg over candidates, Simes over its measures) only with a measure at or
below the rate."""
FAMILIES: Final = {family: place for place, family in enumerate(get_args(Family))}
"""The order in which evidence is given."""
GLANCE: Final = 8
"""Pairs that are compared at first, and twice as many texts whose slots are read..."""
GLANCE_P: Final = 0.1
"""...and the p-value up to which all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the evidence on all candidates is drawn from."""

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
    """Families that are no evidence; the benign explanations still see what was measured."""
    threads: int = 0
    """That weigh candidates, 0: one for each core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """All that was measured on one candidate."""

    evidence: tuple[Evidence, ...]
    """Those that only describe are left out where nothing could make it a finding, see :data:`DESCRIBED`."""
    benign: tuple[BenignExplanation, ...]
    templated: bool
    """Whether it has a template rather than only a subject."""
    targets: tuple[str, ...]
    """Names of the capabilities that its prompts seem to be after, the clearest first."""
    shared_values: tuple[SharedValue, ...]
    """Infrastructure that its members share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What lies outside every candidate."""

    pool: Pool
    sent: npt.NDArray[np.int64]
    """int64[a]: requests of every account."""
    users: npt.NDArray[np.int64]
    """int64[c]: accounts with prompts in each cluster..."""
    cluster_share: Floats
    """float64[c]: ...and its share of the requests."""
    joined: Joined
    opened: Opened
    fields: AccountFields
    prototypes: Prototypes
    ordinary: Ordinary
    fixed: Floats
    shared: Floats
    distances: Floats
    """float64[.], ascending."""


def weigh(
    campaigns: Sequence[Campaign],
    case: Case,
    background: Background,
    *,
    seed: int,
    advance: Callable[[int], None] = lambda count: None,
    known: Mapping[int, Weighed] | None = None,
) -> list[Weighed]:
    """Weighs candidates.

    Args:
        campaigns: the candidates.
        case: what they were found in.
        background: what they are compared with.
        seed: of every draw.
        advance: told how many more are done.
        known: what was measured on some of them before, by their positions: it stands.
    """

    def one(position: int) -> Weighed:
        before = known.get(position) if known else None
        return _weigh(campaigns[position], case, background, seed) if before is None else before

    found = []
    with ThreadPoolExecutor(case.threads or cores()) as pool:
        for held in pool.map(one, range(len(campaigns))):
            found.append(held)
            advance(1)
    return found


def judgements_of(weighed: Sequence[Weighed], *, fdr: float) -> list[Judgement]:
    """The judgement on each of the candidates of a scan, see :func:`harvestdetect.judge.triage.judge`."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A candidate, and what several measures take from it."""

    campaign: Campaign
    described: Sequence[Description]
    """Of each of its clusters."""
    sizes: npt.NDArray[np.int64]
    """int64[t]: its prompts in each cluster."""
    segments: Ints32
    """Of all its clusters."""
    contents: Ints32
    """int32[q], of its prompts."""
    templates: int
    """How many different templates its clusters are."""


def _seen(campaign: Campaign, case: Case) -> _Seen:
    described = [case.described[int(c)] for c in campaign.clusters]
    segments = [case.assigned[int(c)].cluster.segments for c in campaign.clusters]
    return _Seen(
        campaign=campaign,
        described=described,
        sizes=np.bincount(
            np.searchsorted(campaign.clusters, campaign.prompt_cluster), minlength=len(campaign.clusters)
        ),
        segments=np.concatenate(segments) if len(segments) > 1 else segments[0],
        contents=case.corpus.prompts.content[campaign.prompts],
        templates=len({d.signature for d in described if is_template(d)}),
    )


def _weigh(whole: Campaign, case: Case, background: Background, seed: int) -> Weighed:
    campaign = _body(whole, case)
    seen = _seen(campaign, case)
    prompts = case.corpus.prompts
    # accounts with a common subject have alike prompts, and come together when something happens
    unfit = NEED_TEMPLATE if not seen.templates else ()
    groups = draw_groups(background.pool, campaign.prompts, prompts.account, seed=seed)
    sharing = sharing_of(background.fields, campaign.accounts)

    def acting(leave_out: Collection[str]) -> list[Evidence]:
        """The measures of time."""
        found = []
        if groups is not None:
            found.extend(time_evidence(groups, prompts.time, leave_out=leave_out))
            model = prompts.fields["model"].code
            found.extend(coordination_evidence(groups, prompts.time, model=model, leave_out=leave_out))
        if seen.templates:
            found.extend(sign_up_evidence(background.opened, campaign.accounts, seed=seed, leave_out=leave_out))
        return found

    found = _text(seen, case, background)
    used = texts_of_each(prompts.account[whole.prompts], whole.prompt_cluster)
    # all of them: leaving out whoever sends most would make any load even
    if (load := even_load(whole.harvest_prompts, strays=least_beyond(whole.stray_hits, used), seed=seed)) is not None:
        found.append(load)
    # people with one interest ask several short questions of its kind; what nobody writes by chance is another matter
    sure = seen.templates if any(map(is_rigid, seen.described)) else 0
    several = float((used > 1).mean())
    linked = linked_templates(
        len(whole.clusters), sure, whole.link_log_p, accounts=len(whole.accounts), several=several
    )
    if linked is not None:
        found.append(linked)
    subjects = None
    if groups is not None:
        listed = shared_list(groups, case.vectors, told_at=(DEVIATIONS, (OF_USUAL, MOSTLY)))
        if listed is not None:
            subjects = (listed[1].deviations, listed[1].of_usual)
            found.extend(e for e in listed[:1] if e.name not in unfit)
    found.extend(acting({*unfit, *DESCRIBING}))
    found.extend(infrastructure_evidence(background.fields, campaign.accounts, sharing=sharing))
    targets: tuple[Target, ...] = ()
    if any(e.p_value <= DESCRIBED and e.name in DECIDING[e.family] for e in found):
        targets = _targets(seen, case, background)
        found.extend(_duplicates(seen, case, seed))
        if seen.templates:
            found.extend(_shape(seen, case, background, groups, seed))
            found.extend(acting({e.name for e in found}))
        found.extend(intent_evidence(targets, background.ordinary))
    return Weighed(
        evidence=tuple(sorted((e for e in found if e.family not in case.leave_out), key=lambda e: FAMILIES[e.family])),
        benign=_benign(
            seen, case, background, found, own_subjects=subjects, several=several if whole.link_log_p < 0 else None
        ),
        templated=seen.templates > 0,
        targets=tuple(t.name for t in targets),
        shared_values=shared_infrastructure(background.fields, campaign.accounts, sharing=sharing),
    )


def _targets(seen: _Seen, case: Case, background: Background) -> tuple[Target, ...]:
    prompts = _some(seen.campaign.prompts)
    return targets_of(
        cluster_texts(case.corpus, case.parts, prompts, seen.segments, at_most=TEXTS)[0],
        background.prototypes,
        fixed=[" ".join(filter(None, d.words)) for d in seen.described],
    )


def _some(of: Ints32) -> Ints32:
    """At most :data:`READ_AMONG` of them, evenly chosen."""
    return of if len(of) <= READ_AMONG else of[spread(len(of), READ_AMONG)]


def _text(seen: _Seen, case: Case, background: Background) -> list[Evidence]:
    rigid = max(seen.described, key=lambda d: d.fixed)
    near = case.core[_some(seen.segments)]
    return text_evidence(
        fixed_words=rigid.fixed,
        rigidity=rigid.rigidity,
        shared_words=max(d.shared - d.backwards for d in seen.described),
        background_fixed=background.fixed,
        background_shared=background.shared,
        distances=near[np.isfinite(near)].astype(np.float64),
        background_distances=background.distances,
        contents=seen.contents,
    )


def _duplicates(seen: _Seen, case: Case, seed: int) -> list[Evidence]:
    """Fillings of the largest template, and what pairs of texts are to one another.

    Of a candidate whose first few texts look like copies the others are not read. The p-value is then that of the first
    few; it is above :data:`GLANCE_P`, and otherwise that of all texts.
    """
    campaign = seen.campaign
    shown = case.parts.start[campaign.prompts + 1] > case.parts.start[campaign.prompts]
    prompts, cluster = campaign.prompts[shown], campaign.prompt_cluster[shown]
    by_size = np.argsort(-seen.sizes, kind="stable")
    found = []
    if is_template(seen.described[by_size[0]]):
        largest = prompts[cluster == campaign.clusters[by_size[0]]]
        copied = np.ones(len(largest), bool)
        copied[np.unique(case.corpus.prompts.content[largest], return_index=True)[1]] = False
        kept = seen.described[by_size[0]].kept

        def swept(count: int) -> Evidence | None:
            read = spread(len(largest), count)
            texts = [cut(one) for one in _texts_of(largest[read], seen, case)]
            return slot_sweep(texts, [align(kept, one) for one in texts], copied=copied[read])

        found.append(_glanced(swept, (2 * GLANCE, TEXTS)))
    among = spread(len(prompts), READ_AMONG)
    account = case.corpus.prompts.account[prompts[among]]
    drawn = paired(account, cluster[among], seed=seed)
    templates = [seen.described[i].kept for i in by_size if is_template(seen.described[i])]

    def kinds(count: int) -> Evidence | None:
        first = 2 * spread(len(drawn) // 2, count)
        chosen = drawn[np.column_stack((first, first + 1)).ravel()]
        return duplicate_types(
            _texts_of(prompts[among[chosen]], seen, case),
            account=account[chosen],
            vectors=case.vectors[prompts[among[chosen]]].astype(np.float32),
            templates=templates,
        )

    found.append(_glanced(kinds, (GLANCE, PAIRS)))
    return [e for e in found if e is not None]


def _glanced(measure: Callable[[int], Evidence | None], counts: tuple[int, int]) -> Evidence | None:
    """A measure of a few texts and, unless these say that there is nothing to it, of many."""
    few = measure(counts[0])
    return few if few is None or few.p_value > GLANCE_P else measure(counts[1])


def _texts_of(prompts: Ints32, seen: _Seen, case: Case) -> list[str]:
    """The beginning of the text of each prompt, as its clusters show it."""
    return [text[:READ] for text in prompt_texts(case.corpus, case.parts, prompts, seen.segments)]


def _shape(seen: _Seen, case: Case, background: Background, groups: Groups | None, seed: int) -> list[Evidence]:
    campaign = seen.campaign
    narrow = focus(groups, case.vectors) if groups is not None else None
    density = block_density(
        case.corpus.prompts.account[campaign.prompts],
        np.searchsorted(campaign.clusters, campaign.prompt_cluster),
        popularity=background.users[campaign.clusters],
        share=background.cluster_share[campaign.clusters],
        sent=background.sent[campaign.accounts],
        strays=campaign.stray_hits,
        seed=seed,
    )
    cohort = cohort_coverage(background.joined, campaign.accounts, outside=len(campaign.outside), seed=seed)
    return [e for e in (narrow, density, cohort) if e is not None]


def _benign(
    seen: _Seen,
    case: Case,
    background: Background,
    evidence: Sequence[Evidence],
    *,
    own_subjects: tuple[float, float] | None,
    several: float | None,
) -> tuple[BenignExplanation, ...]:
    campaign = seen.campaign
    time = case.corpus.prompts.time[campaign.prompts]
    time = time[time != NO_TIME]
    sample = campaign.prompts[spread(len(campaign.prompts), SAMPLE * 4)]
    largest = seen.described[int(seen.sizes.argmax())]
    entry = known(case.registry, largest.words) if case.registry else None
    infra = [e.p_value for e in evidence if e.name in infrastructure.DECIDING]
    by_name = {e.name: e for e in evidence}
    load, sat = by_name.get(EVEN_LOAD), by_name.get(SITTINGS)
    return benign_explanations(
        copies=copies_share(seen.contents),
        texts=len(unique(seen.contents)),
        counts=campaign.harvest_prompts,
        load_ratio=even_load_ratio(campaign.harvest_prompts),
        even_p=None if load is None else load.p_value,
        own_subjects=own_subjects,
        sittings_p=None if sat is None else sat.p_value,
        usual_sittings=0.0 if sat is None else sat.expected,
        infrastructure_p=min(infra, default=None),
        templated=seen.templates > 0,
        several=several,
        median_words=float(np.median(longest_part_words(case.corpus, case.parts, sample))),
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
    first = first_rows(prompts)
    row = None if first.all() else np.flatnonzero(first).astype(np.int32)
    account = prompts.account if row is None else prompts.account[row]
    sent = np.bincount(account, minlength=len(inside))
    signed = sign_ups(prompts.account, prompts.created_at, prompts.time, accounts=len(inside))
    free = _free_segments(case.corpus, taken)
    chosen = free[np.random.default_rng(seed).permutation(len(free))[:BACKGROUND_TEXTS]]
    fixed, shared = _background_words(chosen, case)
    distances = case.core[free]
    prototypes = load_prototypes(case.encode)
    return Background(
        pool=pool_of(account, len(inside), inside, row=row),
        sent=sent,
        users=np.array([len(unique(prompts.account[a.prompts])) for a in case.assigned], np.int64),
        cluster_share=np.array([len(a.prompts) for a in case.assigned], np.float64) / len(account),
        joined=joined_when(signed.first, sent),
        opened=opened_when(signed, ~inside),
        fields=account_values(prompts),
        prototypes=prototypes,
        ordinary=Ordinary(margins=margins(case.corpus.display.take(chosen), prototypes), seed=seed),
        fixed=fixed,
        shared=shared,
        distances=np.sort(distances[np.isfinite(distances)]).astype(np.float64),
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
    held: dict[int, list[str]] = {}

    def words(segment: int) -> list[str]:
        if segment not in held:
            held[segment] = cut(corpus.display[segment])
        return held[segment]

    found = []
    for segment in chosen.tolist():
        near = [i for i in case.neighbors.index[segment].tolist() if i >= 0]
        others = {int(sender[i]): i for i in reversed(near) if sender[i] != sender[segment]}
        nearest_first = sorted(others.values(), key=near.index)[:NEIGHBOURHOOD]
        found.append(common_words([words(segment), *map(words, nearest_first)]))
    values = np.array(found, np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]
