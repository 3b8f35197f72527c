"""Assembles the result of a scan from what its stages returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harvestdetect.context import Context
from harvestdetect.data import NO_TIME, Detection
from harvestdetect.dump.columns.names import NOTHING
from harvestdetect.dump.reading_warnings import dump_warnings
from harvestdetect.judge.calibration import Calibration, expected_findings
from harvestdetect.judge.conclude import Conclusions
from harvestdetect.side_outputs import SideOutputs
from harvestdetect.stages.values import Read
from harvestdetect.util.versions import versions

__all__ = ["StageResults", "assemble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResults:
    """What the stages after reading returned."""

    counts: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    """View -> digest of the model."""
    conclusions: Conclusions | None = None
    calibration: Calibration | None = None
    beside: SideOutputs = field(default_factory=SideOutputs)


def assemble(read: Read, context: Context, results: StageResults | None = None) -> Detection:
    """Assembles the result of a scan.

    Args:
        read: what was read.
        context: of the scan.
        results: of the stages after reading; None if these did not run.
    """
    results = results or StageResults()
    if (warning := context.memory.warning()) is not None:
        context.note(warning)
    counts, prompts = _counts(read, results), read.corpus.prompts
    detection = Detection(
        findings=(),
        rejects=read.rejects,
        counts=counts,
        settings=context.settings.to_dict(),
        models=dict(results.models),
        versions=versions(),
        files=read.files,
        stages=tuple(context.costs),
        memory=context.memory.used(),
        notes=tuple(context.notes),
        warnings=dump_warnings(
            read.files,
            prompts=len(prompts.account),
            accounts=len(prompts.accounts),
            without_time=counts["without_time"],
            times_wanted=context.settings.mapping.get("timestamp") != NOTHING,
        ),
        attributed=results.beside.attributed,
        signatures=results.beside.signatures,
        map=results.beside.map,
        preambles=read.preambles,
    )
    if (calibration := results.calibration) is not None:
        shown = _calibrated(calibration, prompts=counts["prompts"], context=context)
        detection = replace(detection, calibration=shown)
    if (conclusions := results.conclusions) is not None:
        detection = replace(
            detection,
            findings=conclusions.findings,
            candidates=conclusions.candidates,
            expected_false=conclusions.expected_false,
            what_if=conclusions.what_if,
            ledger=conclusions.ledger,
            prompts=conclusions.prompts,
            seen=conclusions.seen,
        )
    return detection


def _counts(read: Read, results: StageResults) -> dict[str, int]:
    """Everything that is counted, by name; the first and the last time among it."""
    prompts = read.corpus.prompts
    times = prompts.time[prompts.time != NO_TIME]
    counts = {
        "prompts": len(prompts.account) - read.repeated,
        "accounts": len(prompts.accounts),
        "files": len(read.files),
        "rejects": read.reject_count,
        "repeated_requests": read.again,
        "resent_turns": read.resent,
        **read.whole_files,
        **results.counts,
        "without_time": len(prompts.time) - len(times),
    }
    if len(times):
        counts.update(first_seen=int(times.min()), last_seen=int(times.max()))
    return counts


def _calibrated(calibration: Calibration, *, prompts: int, context: Context) -> dict[str, Any]:
    """The calibration that was used, as the detection shows it."""
    settings = context.settings
    rates = expected_findings(calibration, prompts=prompts, fdr=settings.fdr)
    return {
        "file": str(settings.calibration),
        "sha256": calibration.sha256,
        "created": calibration.created,
        "candidates": calibration.counts.get("calibrating", 0),
        "expected_findings": {
            tier: {"found": r.found, "expected": r.expected, "at_most": r.at_most} for tier, r in rates.items()
        },
    }
