"""Judges candidates: assigns tiers, hunts around seeds, decides the members of each finding, and concludes."""

from __future__ import annotations

from harvestdetect.accounts.seeds import Seeds
from harvestdetect.judge.conclude import conclude
from harvestdetect.judge.members import with_members
from harvestdetect.judge.verdict import judge_candidates
from harvestdetect.stages.hunting import Hunted, hunted, result_sentences
from harvestdetect.stages.plan import ScanPlan
from harvestdetect.stages.values import Compared, Concluded, Formed, Measured, Read

__all__ = ["judge"]


def judge(
    read: Read, compared: Compared, formed: Formed, measured: Measured, plan: ScanPlan, *, seeds: Seeds | None
) -> Concluded:
    """Judges the candidates, with the one around the seeds of a person, and decides the members of each finding."""
    context, settings, scale = plan.context, plan.context.settings, plan.scale
    with context.stage("triage", blas_threads=1):
        judged = judge_candidates(
            measured.campaigns, measured.measured, measured.scan, measured.comparison, scale=scale, settings=settings
        )  # fmt: skip
        known = Hunted(judged=judged, scan=measured.scan, templates=formed.refined.templates)
        if seeds is not None:
            known = hunted(seeds, judged, compared, formed, measured, plan)
        judged, memberships = with_members(known.judged, measured.account_data, min_accounts=settings.min_accounts)
        conclusions = conclude(
            judged, memberships, known.scan, volume=compared.volume.prompts, templates=known.templates,
            files=[file.name for file in read.files], ledger=scale.ledger, settings=settings,
        )  # fmt: skip
        for sentence in result_sentences(conclusions.candidates, conclusions.ledger) if seeds is not None else ():
            context.note(sentence)
    return Concluded(judged=judged, conclusions=conclusions)
