"""Assembles the result of a scan from what its stages returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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

__all__ = ["Outcome", "assemble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the stages after reading returned."""

    counts: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    """View -> digest of the model."""
    conclusions: Conclusions | None = None
    calibration: Calibration | None = None
    beside: SideOutputs = field(default_factory=SideOutputs)


def assemble(read: Read, context: Context, outcome: Outcome | None = None) -> Detection:
    """Assembles the result of a scan.

    Args:
        read: what was read.
        context: of the scan.
        outcome: of the stages after reading; None if these did not run.
    """
    outcome = outcome or Outcome()
    if (warning := context.memory.warning()) is not None:
        context.note(warning)
    prompts = read.corpus.prompts
    counts = {
        "prompts": len(prompts.account) - read.repeated,
        "accounts": len(prompts.accounts),
        "files": len(read.files),
        "rejects": read.reject_count,
        "repeated_requests": read.again,
        "resent_turns": read.resent,
        **read.whole_files,
        **outcome.counts,
    }
    times = prompts.time[prompts.time != NO_TIME]
    counts["without_time"] = len(prompts.time) - len(times)
    if len(times):
        counts.update(first_seen=int(times.min()), last_seen=int(times.max()))
    found: dict[str, Any] = {"findings": ()}
    if (conclusions := outcome.conclusions) is not None:
        found = {name: getattr(conclusions, name) for name in conclusions.__slots__ if name != "found"}
    if outcome.calibration is not None:
        found["calibration"] = _calibrated(outcome.calibration, prompts=counts["prompts"], context=context)
    return Detection(
        rejects=read.rejects,
        counts=counts,
        settings=context.settings.to_dict(),
        models=dict(outcome.models),
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
        attributed=outcome.beside.attributed,
        signatures=outcome.beside.signatures,
        map=outcome.beside.map,
        preambles=read.preambles,
        **found,
    )


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
