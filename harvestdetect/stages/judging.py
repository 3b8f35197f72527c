"""Judges candidates: assigns tiers, hunts around seeds, decides the members of each finding, and concludes."""

from __future__ import annotations

from harvestdetect.accounts.seeds import Seeds
from harvestdetect.judge.conclude import conclude
from harvestdetect.judge.members import with_members
from harvestdetect.judge.resolve import judge_candidates
from harvestdetect.report.seeds import result_sentences
from harvestdetect.stages.hunting import JudgedSet, hunted
from harvestdetect.stages.plan import ScanPlan
from harvestdetect.stages.values import Compared, Concluded, Formed, Measured, Read

__all__ = ["judge"]


def judge(
    read: Read, compared: Compared, formed: Formed, measured: Measured, plan: ScanPlan, *, seeds: Seeds | None
) -> Concluded:
    """Judges the candidates, with the one around the seeds of a person, and decides the members of each finding."""
    context, settings, scale = plan.context, plan.context.settings, plan.scale
    with context.measured("triage", blas_threads=1):
        judged = judge_candidates(
            measured.campaigns, measured.measured, measured.scan, measured.comparison, scale=scale, settings=settings
        )  # fmt: skip
        everything = JudgedSet(judged=judged, scan=measured.scan, templates=formed.refined.templates)
        if seeds is not None:
            everything = hunted(seeds, judged, compared, formed, measured, plan)
        judged, memberships = with_members(
            everything.judged, measured.account_data, scale.members, min_accounts=settings.min_accounts
        )
        conclusions = conclude(
            judged, memberships, everything.scan, volume=compared.volume.prompts, templates=everything.templates,
            files=[file.name for file in read.files], scale=scale, settings=settings,
        )  # fmt: skip
        for sentence in result_sentences(conclusions.candidates, conclusions.ledger) if seeds is not None else ():
            context.note(sentence)
    return Concluded(judged=judged, conclusions=conclusions)
