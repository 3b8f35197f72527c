"""Measures candidates: parts those that hold two populations, and computes the measures and readings of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harvestdetect.context import Context
from harvestdetect.corpus.by_prompt import prompt_vectors, some_by_prompt
from harvestdetect.data import SENTENCE, Campaign
from harvestdetect.evidence.account_data import account_data_of
from harvestdetect.evidence.candidate import Comparison, ScanData
from harvestdetect.evidence.comparison import comparison_of
from harvestdetect.judge.measure import MeasuredCandidate, measure_candidates
from harvestdetect.judge.parting import populations_of
from harvestdetect.stages.plan import ScanPlan
from harvestdetect.stages.values import Compared, Formed, Measured

__all__ = ["measure", "measure_each"]

PROMPT_DIMENSIONS: Final = 48
"""Number of dimensions to which prompt vectors are reduced for measures of similarity."""


def measure(compared: Compared, formed: Formed, plan: ScanPlan) -> Measured:
    """Adds the more campaign-like population of each candidate that holds two, and measures all candidates."""
    settings = plan.context.settings
    with plan.context.measured("evidence", blas_threads=1):
        scan = _scan_data(compared, formed, plan)
        comparison = comparison_of(formed.texts, scan, seed=settings.seed)
        account_data = account_data_of(scan, formed.kin)
        populations = populations_of(
            formed.campaigns, account_data, plan.scale.members, min_accounts=settings.min_accounts
        )
        campaigns = [*formed.campaigns, *populations]
        measured = plan.stages.measure(campaigns, scan, comparison, plan.context)
    return Measured(campaigns=campaigns, measured=measured, scan=scan, comparison=comparison, account_data=account_data)


def _scan_data(compared: Compared, formed: Formed, plan: ScanPlan) -> ScanData:
    """The data that the measures of all candidates use."""
    corpus, wording, settings = compared.corpus, compared.wording, plan.context.settings
    return ScanData(
        corpus=corpus, postings=compared.postings, parts=formed.parts,
        sentences=some_by_prompt(corpus, corpus.kind == SENTENCE), assigned=formed.refined.assigned,
        described=formed.refined.descriptions, neighbors=compared.neighbors, core=compared.core,
        encode=wording.encode,
        vectors=prompt_vectors(
            corpus, formed.parts, wording.vectors, dimensions=PROMPT_DIMENSIONS, seed=settings.seed
        ),
        fields=formed.fields, registry=plan.registry, leave_out=plan.left_out, threads=settings.threads,
    )  # fmt: skip


def measure_each(
    campaigns: Sequence[Campaign], scan: ScanData, comparison: Comparison, context: Context
) -> list[MeasuredCandidate]:
    """Measures every candidate."""
    with context.progress("evidence", len(campaigns)) as advance:
        return measure_candidates(
            campaigns, scan, comparison, seed=context.settings.seed, advance=advance, engine=context.engine
        )
