"""The main job, from prompts to findings: :func:`run_scan` reads as its table of contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

import numpy as np

from harvestdetect.accounts.seeds import Seeds
from harvestdetect.arguments import check_function, items_of, wrong
from harvestdetect.assemble import Outcome, assemble
from harvestdetect.cluster.assign import assign_prompts, verbatim_clusters, volumes
from harvestdetect.context import Context, Progress, open_context
from harvestdetect.corpus.account_fields import account_values
from harvestdetect.corpus.by_prompt import parts_by_prompt, prompt_vectors
from harvestdetect.corpus.shards import Window
from harvestdetect.data import Attributed, Detection, Family, Finding, SignatureFit, Template
from harvestdetect.dump import given
from harvestdetect.dump.given import Given
from harvestdetect.embed.encoders import load_encoder
from harvestdetect.errors import SettingsError
from harvestdetect.evidence.account_ground import account_ground
from harvestdetect.evidence.candidate import ScanData
from harvestdetect.evidence.reference import reference_of
from harvestdetect.hunt import hunted, result_sentences
from harvestdetect.incremental import reusing
from harvestdetect.judge.attribute import Signature, attribute
from harvestdetect.judge.calibration import check_calibration
from harvestdetect.judge.conclude import conclude
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
    Source,
    add_accounts,
    by_meaning,
    embed,
    form,
    in_corpus,
    load_references,
    postings_of,
)
from harvestdetect.util.progress import bar_for
from harvestdetect.util.versions import versions

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
    signatures = items_of(signatures, "signatures", "a list of Signature", Signature)
    leave_out = _families(leave_out)
    _check_choices(new_since, seeds, shared)
    context = open_context(settings, progress=bars(progress), notes=notes, in_state=isinstance(source, Window))
    read = source if isinstance(source, Window) else given(source, settings)
    return run_scan(
        read, context, leave_out=leave_out, signatures=signatures, new_since=new_since, seeds=seeds, shared=shared
    ).detection


def bars(progress: Progress | bool | None) -> Progress | None:
    """What opens progress bars, see :func:`detect`.

    Raises:
        UsageError: it is neither a function nor true or false.
    """
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
        return _run(
            source, context, leave_out=leave_out, signatures=signatures, new_since=new_since, measure_all=measure_all,
            seeds=seeds, shared=shared,
        )  # fmt: skip


def _run(
    source: Source,
    context: Context,
    *,
    leave_out: Sequence[Family],
    signatures: Sequence[Signature],
    new_since: int | None,
    measure_all: bool,
    seeds: Seeds | None,
    shared: Shared | None,
) -> Scan:
    """The stages of a scan, one after the other; arguments as for :func:`run_scan`.

    Long because it is the table of contents: each line calls a stage, and no stage calls another.
    """
    settings = context.settings
    registry, calibration = load_references(context)
    scale = Scale(fdr=settings.fdr, ledger=shipped_ledger(), calibration=calibration)
    left_out = _left_out(leave_out, context)
    stages = PLAIN if settings.work is None else reusing(PLAIN, context, registry, scale, left_out)
    if measure_all:
        stages = replace(PLAIN, read=stages.read, find_neighbors=stages.find_neighbors)

    with context.stage("read"):
        read = stages.read(source, context, registry=registry)
    corpus = read.corpus
    if not len(corpus.prompts.account):
        return Scan(detection=assemble(read, context))
    context.memory.estimate(corpus)
    volume = volumes(corpus)
    postings = postings_of(corpus, volume)

    with context.stage("encode wording"):
        wording = embed("wording", corpus, np.arange(len(corpus.text), dtype=np.int32), context)
    with context.stage("cluster wording"):
        neighbors = stages.find_neighbors(wording, context)
        wording_clusters = stages.cluster(wording, neighbors, corpus, postings, context)
    clusters = in_corpus(wording, wording_clusters)
    models = {"wording": wording.model}
    if settings.encoder != "fast":
        meaning, meaning_clusters = by_meaning(corpus, postings, wording_clusters.core, stages, context)
        clusters += in_corpus(meaning, meaning_clusters)
        models["meaning"] = meaning.model
    if calibration is not None:
        check_calibration(calibration, settings=settings, version=versions()["harvestdetect"], models=models)

    with context.stage("assign"):
        clusters += verbatim_clusters(corpus, min_accounts=settings.min_accounts)
        assigned = assign_prompts(clusters, corpus, volume, min_accounts=settings.min_accounts)
    with context.stage("templates", blas_threads=1):
        parts = parts_by_prompt(corpus)
        described = stages.describe(assigned, corpus, parts, wording, context)
    with context.stage("campaigns", blas_threads=1):
        texts = form(described, corpus, volume, neighbors, context)
    with context.stage("accounts", blas_threads=1):
        fields = account_values(corpus.prompts)
        campaigns, described, kin = add_accounts(texts, described, corpus, parts, wording, volume, fields, context)
    with context.stage("evidence", blas_threads=1):
        scan = ScanData(
            corpus=corpus, postings=postings, parts=parts, assigned=described.assigned,
            described=described.descriptions, neighbors=neighbors, core=wording_clusters.core, encode=wording.encode,
            vectors=prompt_vectors(corpus, parts, wording.vectors, dimensions=PROMPT_DIMENSIONS, seed=settings.seed),
            fields=fields, registry=registry, leave_out=left_out, threads=settings.threads,
        )  # fmt: skip
        reference = reference_of(texts, scan, seed=settings.seed)
        ground = account_ground(scan, kin)
        campaigns = [*campaigns, *parts_of(campaigns, ground, min_accounts=settings.min_accounts)]
        measured = stages.measure(campaigns, scan, reference, context)
    with context.stage("triage", blas_threads=1):
        judged = judge_candidates(campaigns, measured, scan, reference, scale=scale, settings=settings)
        templates: Mapping[int, Template] = described.templates
        if seeds is not None:
            hunt = hunted(
                seeds, judged, scan, described, texts, vectors=wording.vectors, kin=kin, ground=ground,
                volume=volume.prompts, scale=scale, context=context,
            )  # fmt: skip
            judged, scan, templates = hunt.judged, hunt.scan, hunt.templates
        judged, memberships = with_members(judged, ground, min_accounts=settings.min_accounts)
        conclusions = conclude(
            judged, memberships, scan, volume=volume.prompts, templates=templates,
            files=[file.name for file in read.files], ledger=scale.ledger, settings=settings,
        )  # fmt: skip
        for sentence in result_sentences(conclusions.candidates, conclusions.ledger) if seeds is not None else ():
            context.note(sentence)
    attributed: tuple[Attributed, ...] = ()
    if signatures:
        with context.stage("attribute"):
            attributed = attribute(signatures, corpus, wording.vectors, wording.encode, since=new_since)

    plane = None
    if settings.make_map:
        with context.stage("map", blas_threads=1):
            plane = map_table(
                corpus, parts, wording.vectors, conclusions.found,
                files=[file.name for file in read.files], seed=settings.seed,
            )  # fmt: skip
    fitting: tuple[SignatureFit, ...] = ()
    if shared is not None:
        with context.stage("signatures", blas_threads=1):
            fitting = _shared_fits(shared, judged, conclusions.findings, scan, wording, context)

    outcome = Outcome(
        counts={
            "segments": len(corpus.text),
            "clusters": len(described.assigned),
            "candidates": len(judged.campaigns),
        },
        models=models,
        conclusions=conclusions,
        calibration=calibration,
        attributed=attributed,
        map=plane,
        signatures=fitting,
    )
    return Scan(detection=assemble(read, context, outcome), measured=judged.measured)


def _shared_fits(
    shared: Shared, judged: Judged, findings: Sequence[Finding], scan: ScanData, wording: Embedded, context: Context
) -> tuple[SignatureFit, ...]:
    """How the signatures of other providers fit; see :func:`harvestdetect.signatures.matching.match_signatures`."""
    encoder = load_encoder("wording", settings=context.settings, notes=context.note, spare=context.cache)
    cells = codebook_of(encoder)
    for file in shared.files:
        if not fits(file.content.codebook, cells.codebook):
            context.note(f"{file.name} was made with another model of the wording, so its profiles are not compared")
    names = dict(zip(ranked(judged.judgements), findings, strict=True))
    compared = []
    for i, campaign in enumerate(judged.campaigns):
        finding = names.get(i)
        compared.append(
            Compared(
                campaign_id=None if finding is None else finding.campaign_id,
                tier=None if finding is None else finding.tier,
                accounts=campaign.accounts,
                prompts=campaign.prompts,
            )
        )
    return match_signatures(
        shared,
        Scanned(
            corpus=scan.corpus,
            parts=scan.parts,
            vectors=wording.vectors,
            cells=cells,
            candidates=compared,
        ),
    )


def _check_choices(new_since: Any, seeds: Any, shared: Any) -> None:
    """Checks the types of further arguments of :func:`detect`.

    Raises:
        UsageError: one is of another type.
    """
    for name, value, kind in (("seeds", seeds, Seeds), ("shared", shared, Shared), ("new_since", new_since, int)):
        if value is not None and not isinstance(value, kind):
            wanted = "Unix seconds, a whole number," if kind is int else kind.__name__
            raise wrong(name, f"{wanted} or None", value)


def _families(names: Any) -> Sequence[Family]:
    """The families that a caller leaves out.

    Raises:
        UsageError: they are not a list of texts.
        SettingsError: a name is no family.
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise wrong("leave_out", 'a list of families, such as ("time",)', names)
    named = tuple(names)
    for name in named:
        if name not in get_args(Family):
            raise SettingsError(f"leave_out knows {', '.join(get_args(Family))}, not {name!a}")
    return named


def _left_out(names: Sequence[Family], context: Context) -> frozenset[Family]:
    """The families of evidence that do not count. Writes a note about them.

    Raises:
        SettingsError: a name is no family.
    """
    names = _families(names)
    if names:
        context.note(f"evidence left out: {', '.join(sorted(set(names)))}")
    return frozenset(names)
