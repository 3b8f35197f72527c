"""A scan, from prompts to findings: :func:`run_scan` reads as its table of contents."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from harvestdetect.accounts.seeds import Seeds
from harvestdetect.assemble import StageResults, assemble
from harvestdetect.context import Context
from harvestdetect.data import Detection, Family
from harvestdetect.incremental import reusing
from harvestdetect.judge.attribute import Signature
from harvestdetect.judge.ledger_file import shipped_ledger
from harvestdetect.judge.measure import MeasuredCandidate
from harvestdetect.judge.members_file import shipped_member_model
from harvestdetect.judge.resolve import Scale
from harvestdetect.side_outputs import side_outputs
from harvestdetect.signatures.matching import Shared, check_secret
from harvestdetect.stages.comparing import compare
from harvestdetect.stages.forming import form
from harvestdetect.stages.judging import judge
from harvestdetect.stages.measuring import measure
from harvestdetect.stages.plain import PLAIN
from harvestdetect.stages.plan import ScanPlan, families_left_out, load_registry_and_calibration
from harvestdetect.stages.values import DumpSource

__all__ = ["Scan", "run_scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A finished scan: the detection, and the measures of every candidate."""

    detection: Detection
    measured: Sequence[MeasuredCandidate] = ()
    """The measures of every candidate as it was judged, after merging and overlap; with their bits."""


def run_scan(
    source: DumpSource,
    context: Context,
    *,
    leave_out: Sequence[Family] = (),
    signatures: Sequence[Signature] = (),
    new_since: int | None = None,
    measure_all: bool = False,
    seeds: Seeds | None = None,
    shared: Shared | None = None,
) -> Scan:
    """Runs a scan and closes its engine.

    Each phase takes the values of the phases before it and returns one value
    (:mod:`harvestdetect.stages.values`). The comments name its stages.

    Args:
        source: where the prompts come from.
        context: of the scan.
        leave_out, signatures, new_since, seeds, shared: as for :func:`harvestdetect.detect`.
        measure_all: cluster, describe and measure anew. Of an earlier scan only prepared files, vectors and neighbours
            are used.
    """
    if shared is not None:
        check_secret(shared)
    with closing(context.engine):
        plan = _plan(context, leave_out=leave_out, measure_all=measure_all)
        with context.measured("read"):
            read = plan.stages.read(source, context, plan.registry)
        corpus = read.corpus
        if not len(corpus.prompts.account):
            return Scan(detection=assemble(read, context))
        context.memory.estimate(corpus)

        compared = compare(corpus, plan)  # embed, neighbors, cluster
        formed = form(compared, plan)  # assign, templates, campaigns, accounts
        measured = measure(compared, formed, plan)  # part, measure
        concluded = judge(read, compared, formed, measured, plan, seeds=seeds)  # judge, hunt, members, conclude
        beside = side_outputs(
            read, compared, formed, concluded, plan, signatures=signatures, new_since=new_since, shared=shared
        )  # fmt: skip

        clusters, candidates = len(formed.refined.assigned), len(concluded.judged.campaigns)
        results = StageResults(
            counts={"segments": len(corpus.text), "clusters": clusters, "candidates": candidates},
            models=compared.models,
            conclusions=concluded.conclusions,
            calibration=plan.scale.calibration,
            beside=beside,
        )
        return Scan(detection=assemble(read, context, results), measured=concluded.judged.measured)


def _plan(context: Context, *, leave_out: Sequence[Family], measure_all: bool) -> ScanPlan:
    """Loads the models and the calibration of the scan, and chooses its stages; keywords as for :func:`run_scan`."""
    registry, calibration = load_registry_and_calibration(context)
    scale = Scale(
        fdr=context.settings.fdr, ledger=shipped_ledger(), members=shipped_member_model(), calibration=calibration
    )
    left_out = families_left_out(leave_out, context)
    stages = PLAIN if context.settings.work is None else reusing(context, registry, scale, left_out)
    if measure_all:
        stages = replace(PLAIN, read=stages.read, find_neighbors=stages.find_neighbors)
    return ScanPlan(context=context, stages=stages, registry=registry, scale=scale, left_out=left_out)
