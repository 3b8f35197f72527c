"""The main job, from prompts to findings: ``_run`` reads as its table of contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from harvestdetect.accounts.kin import Kin
from harvestdetect.accounts.seeds import Seeds
from harvestdetect.arguments import check_function, check_kinds, items_of
from harvestdetect.assemble import Outcome, assemble
from harvestdetect.cluster.assign import Volumes, assign_prompts, verbatim_clusters, volumes
from harvestdetect.cluster.postings import Postings
from harvestdetect.context import Context, Progress, open_context
from harvestdetect.corpus.account_fields import AccountFields, account_values
from harvestdetect.corpus.by_prompt import PromptSegments, parts_by_prompt, prompt_vectors
from harvestdetect.corpus.registry import Registry
from harvestdetect.corpus.shards import Window
from harvestdetect.data import (
    Attributed,
    Campaign,
    Corpus,
    Detection,
    Family,
    Neighbors,
    SignatureFit,
    Template,
    TemplateCluster,
)
from harvestdetect.dump import given
from harvestdetect.dump.given import Given
from harvestdetect.embed.encoders import load_encoder
from harvestdetect.errors import SettingsError
from harvestdetect.evidence.account_ground import AccountGround, account_ground
from harvestdetect.evidence.candidate import Reference, ScanData
from harvestdetect.evidence.reference import reference_of
from harvestdetect.hunt import hunted, result_sentences
from harvestdetect.incremental import reusing
from harvestdetect.judge.attribute import Signature, attribute
from harvestdetect.judge.calibration import check_calibration
from harvestdetect.judge.conclude import Conclusions, conclude
from harvestdetect.judge.ledger_file import shipped_ledger
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.judge.members import with_members
from harvestdetect.judge.parting import parts_of
from harvestdetect.judge.triage import ranked
from harvestdetect.judge.verdict import Judged, Scale, judge_candidates
from harvestdetect.maps import map_table
from harvestdetect.settings import Settings, settings_of
from harvestdetect.signatures.cells import codebook_of, fits
from harvestdetect.signatures.matching import Compared, Scanned, Shared, check_secret, match_signatures
from harvestdetect.stages import (
    PLAIN,
    Embedded,
    Read,
    Source,
    Stages,
    add_accounts,
    by_meaning,
    embed,
    form,
    in_corpus,
    load_references,
    postings_of,
)
from harvestdetect.template.refine import Refined
from harvestdetect.util.arrays import Floats32
from harvestdetect.util.progress import bar_for
from harvestdetect.util.versions import versions

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Scan", "bars", "detect", "estimated", "run_scan"]

PROMPT_DIMENSIONS: Final = 48
"""Number of dimensions to which prompt vectors are reduced for measures of similarity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A finished scan: the detection, and the measures of every candidate."""

    detection: Detection
    measured: Sequence[MeasuredCandidate] = ()
    """The measures of every candidate, before any calibration."""


def detect(
    source: Source | Given,
    *,
    settings: Settings | None = None,
    progress: Progress | bool | None = None,
    notes: Callable[[str], None] | None = None,
    leave_out: Sequence[Family] = (),
    signatures: Sequence[Signature] = (),
    new_since: int | None = None,
    seeds: Seeds | None = None,
    shared: Shared | None = None,
) -> Detection:
    """Finds campaigns in prompts.

    Many parameters because callers set a few of them by name.

    Args:
        source: where the prompts come from:

            * what :func:`harvestdetect.read_dumps` yields;
            * the path of a dump, or a list of paths, globs and folders;
            * a table: of Arrow, or a DataFrame of pandas or polars, or anything else with ``__arrow_c_stream__``;
            * rows: an iterable of dicts, whose values may be ``datetime``;
            * an iterable of :class:`~harvestdetect.data.Prompt`;
            * the window of a state.

            Columns of tables and rows are recognised and mapped as those of files.
        settings: None takes the defaults.
        progress: True shows bars, in a terminal or below the cell of a notebook; a function opens bars of its own;
            None and False show none.
        notes: receives a sentence for each decision that a reader should know; ``Detection.notes`` has them too.
        leave_out: families of evidence that do not count, for ablations. Benign explanations still see their measures.
        signatures: templates of known campaigns; accounts that fill them are attributed to these campaigns.
        new_since: attribute only prompts from this time on (Unix seconds); None attributes all.
        seeds: texts or accounts that a person chose; the candidate around them is judged beside the others.
        shared: signatures of other providers, see :func:`harvestdetect.signatures.open_signatures`. How they fit is in
            ``Detection.signatures``; they change no finding.

    Raises:
        CalibrationError: ``settings.calibration`` cannot be read, or was made with other settings or models.
        ColumnsError: a table, or the rows, have no column for the account or the prompt.
        InputError: a dump or a table cannot be read.
        UsageError: the source, a value of a row or another argument is of another type.
        SettingsError: ``settings.registry`` cannot be read, or ``leave_out`` names no family.
        EncoderError: a model cannot be found, loaded or trusted.
        NeedsMemoryError: the scan needs more memory than ``settings.memory_gb``, or than there is.
        ScratchError: temporary files cannot be written.
        SignatureError: ``shared`` needs another secret than the one that is given.
    """
    settings = settings_of(settings)
    check_function(notes, "notes", "a function that takes a sentence")
    check_kinds((("seeds", seeds, Seeds), ("shared", shared, Shared), ("new_since", new_since, int)))
    leave_out = items_of(leave_out, "leave_out", 'a list of families, such as ("time",)', str)
    signatures = items_of(signatures, "signatures", "a list of Signature", Signature)
    context = open_context(settings, progress=bars(progress), notes=notes, in_state=isinstance(source, Window))
    read = source if isinstance(source, Window) else given(source, settings)
    return run_scan(
        read, context, leave_out=leave_out, signatures=signatures, new_since=new_since, seeds=seeds, shared=shared
    ).detection


def bars(progress: Progress | bool | None) -> Progress | None:
    """What opens progress bars, see :func:`detect`. Raises a UsageError for another value."""
    if progress is not None and not isinstance(progress, bool):
        check_function(progress, "progress", "True, or a function that opens a bar")
    return progress if callable(progress) else bar_for if progress else None


def estimated(source: Source | Given, *, settings: Settings | None = None) -> Detection:
    """Reads prompts and estimates the memory that :func:`detect` would need; nothing is compared.

    Args:
        source: as for :func:`detect`.
        settings: None takes the defaults.

    Returns:
        A detection without findings: ``memory`` has the estimate, ``counts`` what was read.
    """
    settings = settings_of(settings)
    prompts = source if isinstance(source, Window) else given(source, settings)
    context = open_context(settings)
    registry, _ = load_references(context)
    with context.stage("read"), closing(context.engine):
        read = PLAIN.read(prompts, context, registry=registry)
    context.memory.estimate(read.corpus, check=False)
    return assemble(read, context, Outcome(counts={"segments": len(read.corpus.text)}))


def run_scan(
    source: Source,
    context: Context,
    *,
    leave_out: Sequence[Family] = (),
    signatures: Sequence[Signature] = (),
    new_since: int | None = None,
    measure_all: bool = False,
    seeds: Seeds | None = None,
    shared: Shared | None = None,
) -> Scan:
    """Runs a scan and closes its engine; arguments as for :func:`detect`.

    With ``measure_all``, every candidate is measured anew: of an earlier scan only prepared files, vectors and
    neighbours are used.
    """
    if shared is not None:
        check_secret(shared)
    with closing(context.engine):
        plan = _plan(context, leave_out=leave_out, measure_all=measure_all)
        return _run(source, plan, _Extras(signatures=signatures, new_since=new_since, seeds=seeds, shared=shared))


def _run(source: Source, plan: _Plan, extras: _Extras) -> Scan:
    """The stages of a scan, some at a time and one after the other."""
    with plan.context.stage("read"):
        read = plan.stages.read(source, plan.context, registry=plan.registry)
    if not len(read.corpus.prompts.account):
        return Scan(detection=assemble(read, plan.context))
    plan.context.memory.estimate(read.corpus)
    compared = _compare(read.corpus, plan)
    formed = _form(compared, plan)
    measured = _measure(compared, formed, plan)
    ended = _judge(read, compared, formed, measured, plan, extras.seeds)
    attributed = _attribute(compared, plan, extras)
    plane = _draw(read, compared, formed, ended, plan)
    fitting = _match(compared, ended, plan, extras)
    outcome = Outcome(
        counts={
            "segments": len(read.corpus.text),
            "clusters": len(formed.refined.assigned),
            "candidates": len(ended.judged.campaigns),
        },
        models=compared.models,
        conclusions=ended.conclusions,
        calibration=plan.scale.calibration,
        attributed=attributed,
        map=plane,
        signatures=fitting,
    )
    return Scan(detection=assemble(read, plan.context, outcome), measured=ended.judged.measured)


# ---------------------------------------------------------------- what a scan is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How a scan works and judges."""

    context: Context
    stages: Stages
    registry: Registry | None
    scale: Scale
    left_out: frozenset[Family]
    """Families of evidence that do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extras:
    """What a scan does besides finding campaigns, see :func:`detect`."""

    signatures: Sequence[Signature]
    new_since: int | None
    seeds: Seeds | None
    shared: Shared | None


def _plan(context: Context, *, leave_out: Sequence[Family], measure_all: bool) -> _Plan:
    """Loads what the scan judges by, and chooses its stages; arguments as for :func:`run_scan`."""
    registry, calibration = load_references(context)
    scale = Scale(fdr=context.settings.fdr, ledger=shipped_ledger(), calibration=calibration)
    left_out = _left_out(leave_out, context)
    stages = PLAIN if context.settings.work is None else reusing(PLAIN, context, registry, scale, left_out)
    if measure_all:
        stages = replace(PLAIN, read=stages.read, find_neighbors=stages.find_neighbors)
    return _Plan(context=context, stages=stages, registry=registry, scale=scale, left_out=left_out)


# ---------------------------------------------------------------- the stages


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """The prompts, and which of their segments are alike."""

    corpus: Corpus
    volume: Volumes
    postings: Postings
    wording: Embedded
    neighbors: Neighbors
    """In the wording view."""
    core: Floats32
    """float32[n]: core distances in the wording view."""
    clusters: list[TemplateCluster]
    """Of all views."""
    models: Mapping[str, str]
    """View -> digest of the model."""


def _compare(corpus: Corpus, plan: _Plan) -> _Compared:
    """Embeds the segments, and clusters them in each view."""
    context, settings = plan.context, plan.context.settings
    volume = volumes(corpus)
    postings = postings_of(corpus, volume)
    with context.stage("encode wording"):
        wording = embed("wording", corpus, np.arange(len(corpus.text), dtype=np.int32), context)
    with context.stage("cluster wording"):
        neighbors = plan.stages.find_neighbors(wording, context)
        wording_clusters = plan.stages.cluster(wording, neighbors, corpus, postings, context)
    clusters = in_corpus(wording, wording_clusters)
    models = {"wording": wording.model}
    if settings.encoder != "fast":
        meaning, meaning_clusters = by_meaning(corpus, postings, wording_clusters.core, plan.stages, context)
        clusters += in_corpus(meaning, meaning_clusters)
        models["meaning"] = meaning.model
    if plan.scale.calibration is not None:
        check_calibration(
            plan.scale.calibration, settings=settings, version=versions()["harvestdetect"], models=models
        )  # fmt: skip
    return _Compared(
        corpus=corpus, volume=volume, postings=postings, wording=wording, neighbors=neighbors,
        core=wording_clusters.core, clusters=clusters, models=models,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Formed:
    """The candidates, before any is measured."""

    parts: PromptSegments
    refined: Refined
    """The clusters of all candidates."""
    texts: Sequence[Campaign]
    """The candidates of texts."""
    campaigns: Sequence[Campaign]
    """All candidates."""
    kin: Kin
    fields: AccountFields


def _form(compared: _Compared, plan: _Plan) -> _Formed:
    """Finds the template of each cluster, and forms the candidates."""
    context, settings, corpus, volume = plan.context, plan.context.settings, compared.corpus, compared.volume
    with context.stage("assign"):
        clusters = [*compared.clusters, *verbatim_clusters(corpus, min_accounts=settings.min_accounts)]
        assigned = assign_prompts(clusters, corpus, volume, min_accounts=settings.min_accounts)
    with context.stage("templates", blas_threads=1):
        parts = parts_by_prompt(corpus)
        refined = plan.stages.describe(assigned, corpus, parts, compared.wording, context)
    with context.stage("campaigns", blas_threads=1):
        texts = form(refined, corpus, volume, compared.neighbors, context)
    with context.stage("accounts", blas_threads=1):
        fields = account_values(corpus.prompts)
        campaigns, refined, kin = add_accounts(
            texts, refined, corpus, parts, compared.wording, volume, fields, context
        )  # fmt: skip
    return _Formed(parts=parts, refined=refined, texts=texts, campaigns=campaigns, kin=kin, fields=fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """All candidates with their measures."""

    campaigns: Sequence[Campaign]
    measured: Sequence[MeasuredCandidate]
    scan: ScanData
    reference: Reference
    ground: AccountGround


def _measure(compared: _Compared, formed: _Formed, plan: _Plan) -> _Measured:
    """Adds parts of candidates, and measures all candidates."""
    settings, corpus, wording = plan.context.settings, compared.corpus, compared.wording
    with plan.context.stage("evidence", blas_threads=1):
        scan = ScanData(
            corpus=corpus, postings=compared.postings, parts=formed.parts, assigned=formed.refined.assigned,
            described=formed.refined.descriptions, neighbors=compared.neighbors, core=compared.core,
            encode=wording.encode,
            vectors=prompt_vectors(
                corpus, formed.parts, wording.vectors, dimensions=PROMPT_DIMENSIONS, seed=settings.seed
            ),
            fields=formed.fields, registry=plan.registry, leave_out=plan.left_out, threads=settings.threads,
        )  # fmt: skip
        reference = reference_of(formed.texts, scan, seed=settings.seed)
        ground = account_ground(scan, formed.kin)
        parts = parts_of(formed.campaigns, ground, min_accounts=settings.min_accounts)
        campaigns = [*formed.campaigns, *parts]
        measured = plan.stages.measure(campaigns, scan, reference, plan.context)
    return _Measured(campaigns=campaigns, measured=measured, scan=scan, reference=reference, ground=ground)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """All candidates with the judgement on each, and the findings."""

    judged: Judged
    scan: ScanData
    """With the clusters of the candidate around the seeds."""
    conclusions: Conclusions


def _judge(
    read: Read, compared: _Compared, formed: _Formed, measured: _Measured, plan: _Plan, seeds: Seeds | None
) -> _Ended:
    """Judges the candidates, hunts around the seeds, and decides the members of each finding."""
    context, settings, scan, ground = plan.context, plan.context.settings, measured.scan, measured.ground
    requests, scale = compared.volume.prompts, plan.scale
    with context.stage("triage", blas_threads=1):
        judged = judge_candidates(
            measured.campaigns, measured.measured, scan, measured.reference, scale=scale, settings=settings
        )  # fmt: skip
        templates: Mapping[int, Template] = formed.refined.templates
        if seeds is not None:
            hunt = hunted(
                seeds, judged, scan, formed.refined, formed.texts, vectors=compared.wording.vectors, kin=formed.kin,
                ground=ground, volume=requests, scale=scale, context=context,
            )  # fmt: skip
            judged, scan, templates = hunt.judged, hunt.scan, hunt.templates
        judged, memberships = with_members(judged, ground, min_accounts=settings.min_accounts)
        conclusions = conclude(
            judged, memberships, scan, volume=requests, templates=templates,
            files=[file.name for file in read.files], ledger=scale.ledger, settings=settings,
        )  # fmt: skip
        for sentence in result_sentences(conclusions.candidates, conclusions.ledger) if seeds is not None else ():
            context.note(sentence)
    return _Ended(judged=judged, scan=scan, conclusions=conclusions)


# ---------------------------------------------------------------- stages besides


def _attribute(compared: _Compared, plan: _Plan, extras: _Extras) -> tuple[Attributed, ...]:
    """The accounts that fill the templates of known campaigns."""
    if not extras.signatures:
        return ()
    wording = compared.wording
    with plan.context.stage("attribute"):
        return attribute(
            extras.signatures, compared.corpus, wording.vectors, wording.encode, since=extras.new_since
        )  # fmt: skip


def _draw(read: Read, compared: _Compared, formed: _Formed, ended: _Ended, plan: _Plan) -> pa.Table | None:
    """The map, where the settings ask for it."""
    settings = plan.context.settings
    if not settings.make_map:
        return None
    with plan.context.stage("map", blas_threads=1):
        return map_table(
            compared.corpus, formed.parts, compared.wording.vectors, ended.conclusions.found,
            files=[file.name for file in read.files], seed=settings.seed,
        )  # fmt: skip


def _match(compared: _Compared, ended: _Ended, plan: _Plan, extras: _Extras) -> tuple[SignatureFit, ...]:
    """How the signatures of other providers fit; see :func:`harvestdetect.signatures.matching.match_signatures`."""
    context, shared = plan.context, extras.shared
    if shared is None:
        return ()
    with context.stage("signatures", blas_threads=1):
        encoder = load_encoder("wording", settings=context.settings, notes=context.note, spare=context.cache)
        cells = codebook_of(encoder)
        for file in shared.files:
            if not fits(file.content.codebook, cells.codebook):
                context.note(
                    f"{file.name} was made with another model of the wording, so its profiles are not compared"
                )  # fmt: skip
        return match_signatures(
            shared,
            Scanned(
                corpus=compared.corpus,
                parts=ended.scan.parts,
                vectors=compared.wording.vectors,
                cells=cells,
                candidates=_candidates(ended),
            ),
        )


def _candidates(ended: _Ended) -> list[Compared]:
    """All candidates; those that are findings with their ids and tiers."""
    findings = dict(zip(ranked(ended.judged.judgements), ended.conclusions.findings, strict=True))
    compared = []
    for i, campaign in enumerate(ended.judged.campaigns):
        finding = findings.get(i)
        compared.append(
            Compared(
                campaign_id=None if finding is None else finding.campaign_id,
                tier=None if finding is None else finding.tier,
                accounts=campaign.accounts,
                prompts=campaign.prompts,
            )
        )
    return compared


def _left_out(names: Sequence[Family], context: Context) -> frozenset[Family]:
    """The families of evidence that do not count. Writes a note about them.

    Raises:
        SettingsError: a name is no family.
    """
    for name in names:
        if name not in get_args(Family):
            raise SettingsError(f"leave_out knows {', '.join(get_args(Family))}, not {name!a}")
    if names:
        context.note(f"evidence left out: {', '.join(sorted(set(names)))}")
    return frozenset(names)
