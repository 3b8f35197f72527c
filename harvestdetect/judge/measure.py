"""Measures candidates: a loop over the tables of measures and of benign explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol, get_args

import numpy as np

from harvestdetect.corpus.by_prompt import longest_part_words
from harvestdetect.corpus.known_templates import known as known_entry
from harvestdetect.data import NO_TIME, BenignExplanation, Campaign, Evidence, Family, Fit, SharedValue
from harvestdetect.engines.engine import Engine, lots, map_in_order
from harvestdetect.engines.sharing import Shared
from harvestdetect.evidence.candidate import CandidateData, Comparison, MeasureContext, ScanData, look_closer, observe
from harvestdetect.evidence.explanations import EXPLANATIONS, Explanation, ExplanationInputs, explained
from harvestdetect.evidence.load import even_load_ratio
from harvestdetect.evidence.measures import MEASURES, Measure, evidence_of
from harvestdetect.evidence.readings import ReadingInputs, readings_of
from harvestdetect.evidence.shared_values import concentration, shared_infrastructure
from harvestdetect.evidence.wording import copies_share, in_common
from harvestdetect.judge.ledger import EFFECT, Ledger, post, values_of
from harvestdetect.judge.triage import Judgement, bits_of_explanations, fits, judge
from harvestdetect.template.description import SAMPLE
from harvestdetect.util.arrays import spread, unique
from harvestdetect.util.machine import cores
from harvestdetect.util.periods import DAY

__all__ = ["CandidateLike", "MeasuredCandidate", "judgements_of", "measure_candidates", "with_bits"]


PARALLEL_CANDIDATES: Final = 500
"""Number of candidates from which the engine measures them. Starting its processes takes about a second."""
CANDIDATES_PER_TASK: Final = 16
"""Most candidates that a task of an engine measures."""
SIGNIFICANT: Final = 0.05
"""Largest p-value of a measure beyond text that calls for a closer look. It decides nothing, because the measures of a
closer look have no row in the ledger. Chosen."""
FAMILIES: Final = {family: place for place, family in enumerate(get_args(Family))}
"""Position of each family in the evidence of a candidate."""


class CandidateLike(Protocol):
    """What a judgement reads of a measured candidate."""

    @property
    def evidence(self) -> Sequence[Evidence]:
        """Its evidence."""

    @property
    def benign(self) -> Sequence[BenignExplanation]:
        """Its benign explanations."""

    @property
    def readings(self) -> Mapping[str, float]:
        """Its readings by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCandidate:
    """The measures of one candidate."""

    evidence: tuple[Evidence, ...]
    """Without the measures of a closer look where no other measure beyond text is significant."""
    benign: tuple[BenignExplanation, ...]
    templated: bool
    """Whether it has a template rather than only a subject."""
    targets: tuple[str, ...]
    """Names of the capabilities that its prompts seem to target, the clearest first."""
    shared_values: tuple[SharedValue, ...]
    """Infrastructure that its members share."""
    readings: Mapping[str, float]
    """By id, see :mod:`harvestdetect.evidence.readings`."""


def measure_candidates(
    campaigns: Sequence[Campaign],
    scan: ScanData,
    comparison: Comparison,
    *,
    seed: int,
    advance: Callable[[int], None] = lambda count: None,
    known: Mapping[int, MeasuredCandidate] | None = None,
    measures: Sequence[Measure] = MEASURES,
    explanations: Sequence[Explanation] = EXPLANATIONS,
    engine: Engine | None = None,
) -> list[MeasuredCandidate]:
    """Measures candidates, several at a time.

    Many parameters because all but the first three are independent options.

    Args:
        campaigns: the candidates.
        scan: the data of the scan.
        comparison: other accounts and texts.
        seed: of every draw.
        advance: called with the number of candidates finished since the last call.
        known: by position, measures of an earlier scan that are reused.
        measures: the table to take measures from.
        explanations: the table of benign explanations to test.
        engine: measures many candidates, if the tables are those of the package; None: threads of this process do.
    """
    context = MeasureContext(scan=scan, comparison=comparison)
    found: dict[int, MeasuredCandidate] = dict(known or {})
    advance(len(found))
    new = [i for i in range(len(campaigns)) if i not in found]
    plain = measures is MEASURES and explanations is EXPLANATIONS
    if engine is not None and engine.workers > 1 and plain and len(new) >= PARALLEL_CANDIDATES:
        for one in (scan.corpus, scan.parts, scan.sentences):
            engine.share(one)
        work = engine.share(_MeasureInputs(campaigns=campaigns, context=context, seed=seed))
        rows = lots(new, engine, most=CANDIDATES_PER_TASK)
        for some, measured in zip(rows, map_in_order(engine, partial(_measure_some, work), rows), strict=True):
            found.update(zip(some, measured, strict=True))
            advance(len(some))
        return [found[i] for i in range(len(campaigns))]

    def measure(position: int) -> MeasuredCandidate:
        candidate = observe(campaigns[position], context, seed=seed)
        return _measured(candidate, context, measures, explanations)

    with ThreadPoolExecutor(scan.threads or cores()) as pool:
        for position, one_measured in zip(new, pool.map(measure, new), strict=True):
            found[position] = one_measured
            advance(1)
    return [found[i] for i in range(len(campaigns))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _MeasureInputs:
    """What the tasks of an engine have in common."""

    campaigns: Sequence[Campaign]
    context: MeasureContext
    seed: int


def _measure_some(work: Shared[_MeasureInputs], rows: Sequence[int]) -> list[MeasuredCandidate]:
    """Measures some candidates; it runs on an engine."""
    known = work.value()
    observed = (observe(known.campaigns[i], known.context, seed=known.seed) for i in rows)
    return [_measured(candidate, known.context, MEASURES, EXPLANATIONS) for candidate in observed]


def judgements_of(
    measured: Sequence[CandidateLike],
    *,
    ledger: Ledger,
    fdr: float,
    innocents: Sequence[Mapping[str, float]] = (),
) -> list[Judgement]:
    """The judgement on each of the candidates of a scan, see :func:`harvestdetect.judge.triage.judge`.

    Args:
        measured: all candidates.
        ledger: the model.
        fdr: largest probability of innocence at ``review``.
        innocents: values of candidates that are known to be innocent, see :func:`harvestdetect.judge.ledger.post`.
    """
    posted = post(ledger, [values_of(m.evidence, m.readings) for m in measured], innocents=innocents)
    return judge(posted, [m.benign for m in measured], ledger=ledger, fdr=fdr)


def with_bits(measured: MeasuredCandidate, judgement: Judgement) -> MeasuredCandidate:
    """The candidate with the bits that its measures and benign explanations have in the ledger.

    An explanation fits if its rows speak against a campaign by :data:`~harvestdetect.judge.triage.CARRIES` bits.
    """
    judged, explained_by = {e.id for e in EXPLANATIONS if e.rows}, bits_of_explanations(judgement.rows)
    evidence = tuple(replace(e, bits=_sum(judgement.rows, (e.id, e.id + EFFECT))) for e in measured.evidence)
    benign = []
    for one in measured.benign:
        if one.id in judged:
            bits = explained_by.get(one.id)
            verdict: Fit = "unknown" if bits is None else "fits" if fits(bits) else "unlikely"
            one = replace(one, bits=bits, verdict=verdict)
        benign.append(one)
    return replace(measured, evidence=evidence, benign=tuple(benign))


def _sum(rows: Mapping[str, float], ids: Sequence[str]) -> float | None:
    found = [rows[id_] for id_ in ids if id_ in rows]
    return round(sum(found), 2) if found else None


def _measured(
    candidate: CandidateData, context: MeasureContext, measures: Sequence[Measure], explanations: Sequence[Explanation]
) -> MeasuredCandidate:
    """Takes the measures in their order; those of a closer look only if another one beyond text is significant."""
    applicable = [m for m in measures if m.take is not None]
    found = _taken([m for m in applicable if not m.closer_look], candidate, context)
    if any(e.p_value <= SIGNIFICANT and e.family != "text" for e in found):
        candidate = look_closer(candidate, context)
        found += _taken([m for m in applicable if m.closer_look], candidate, context)
    leave_out, fields = context.scan.leave_out, context.comparison.fields
    inputs = _inputs(candidate, context)
    return MeasuredCandidate(
        evidence=tuple(sorted((e for e in found if e.family not in leave_out), key=_place)),
        benign=explained(inputs, explanations=explanations),
        readings=readings_of(
            ReadingInputs(candidate=candidate, context=context, explained=inputs), leave_out=leave_out
        ),
        templated=candidate.templated,
        targets=tuple(t.name for t in candidate.targets),
        shared_values=shared_infrastructure(fields, candidate.sharing),
    )


def _taken(measures: Sequence[Measure], candidate: CandidateData, context: MeasureContext) -> list[Evidence]:
    """The evidence of the measures that have a value."""
    found = []
    for measure in measures:
        observation = measure.take(candidate, context) if measure.take is not None else None
        if observation is not None:
            found.append(evidence_of(measure, observation))
    return found


def _place(evidence: Evidence) -> tuple[int, float]:
    """Sort key: by family; within the intent family the clearest target first."""
    return FAMILIES[evidence.family], -evidence.value if evidence.family == "intent" else 0.0


def _inputs(candidate: CandidateData, context: MeasureContext) -> ExplanationInputs:
    """The inputs of the readings and benign explanations."""
    scan, campaign = context.scan, candidate.trimmed
    time = scan.corpus.prompts.time[campaign.prompts]
    time = time[time != NO_TIME]
    sample = campaign.prompts[spread(len(campaign.prompts), SAMPLE * 4)]
    largest = candidate.descriptions[int(candidate.cluster_sizes.argmax())]
    entry = known_entry(scan.registry, largest.words) if scan.registry else None
    return ExplanationInputs(
        copies=copies_share(candidate.contents),
        texts=len(unique(candidate.contents)),
        follow_ups=candidate.follows is not None,
        counts=campaign.harvest_prompts,
        load_ratio=even_load_ratio(campaign.harvest_prompts),
        own_subjects=None if candidate.work_list is None else candidate.work_list.own_subjects,
        templated=candidate.templated,
        in_common=in_common(scan.corpus.prompts.account[candidate.items], candidate.contents),
        several=candidate.several if candidate.whole.link_log_p < 0 else None,
        median_words=float(np.median(longest_part_words(scan.corpus, scan.parts, sample))),
        days=float(np.subtract(*np.quantile(time, (0.95, 0.05)))) / DAY if len(time) else None,
        shares=concentration(context.comparison.fields, campaign.accounts),
        known_as=None if entry is None else (entry.kind, entry.id),
    )
