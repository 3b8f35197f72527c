"""A seeded hunt: the candidate around texts or accounts that a person chose is judged beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from harvestdetect.accounts.candidates import with_candidates
from harvestdetect.accounts.seeds import Seeds, compared_texts, seed_group
from harvestdetect.data import Candidate, Template, Tier
from harvestdetect.evidence.candidate import ScanData
from harvestdetect.evidence.comparison import comparison_of
from harvestdetect.judge.parting import parts_of
from harvestdetect.judge.verdict import Judged, with_seeded
from harvestdetect.report.format import least_claimed, probability
from harvestdetect.stages.plan import ScanPlan
from harvestdetect.stages.values import Compared, Formed, Measured
from harvestdetect.template.clusters import ClusterSource
from harvestdetect.util.arrays import unit

__all__ = ["Hunted", "hunted", "result_sentences"]

MOSTLY: Final = 0.5
"""Share of the accounts of a candidate that must be in a finding for it to be named. It decides nothing. Chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunted:
    """All candidates, with those around the seeds."""

    judged: Judged
    scan: ScanData
    """The data of the scan, with the clusters of these candidates."""
    templates: Mapping[int, Template]
    """By position of the cluster."""


def hunted(
    seeds: Seeds, judged: Judged, compared: Compared, formed: Formed, measured: Measured, plan: ScanPlan
) -> Hunted:
    """Forms the candidate around seeds, and judges it beside the others, which stay as they are.

    If it holds two populations, the part that is more like a campaign is a candidate beside the whole, as among the
    candidates of the scan: prompts of innocents may be near a seed as well.

    Args:
        seeds: what a person chose.
        judged: the candidates of the scan.
        compared: the segments that seeds are compared with.
        formed: the clusters and candidates of the scan. Accounts outside its candidates of texts are drawn for
            comparison.
        measured: the data of the scan, and what is known of accounts.
        plan: of the scan. Its notes say what the seeds led to.
    """
    context, settings, scan, vectors = plan.context, plan.context.settings, measured.scan, compared.wording.vectors
    source = ClusterSource(corpus=scan.corpus, parts=scan.parts, vectors=vectors, min_accounts=settings.min_accounts)
    wanted = compared_texts(seeds)
    rows = unit(scan.encode(wanted)) if wanted else np.empty((0, vectors.shape[1]), np.float32)
    found = seed_group(seeds, source, rows, neighbors=scan.neighbors, kin=formed.kin)
    context.note(found.sentence)
    if found.group is None:
        return Hunted(judged=judged, scan=scan, templates=formed.refined.templates)
    whole, more = with_candidates([found.group], formed.refined, source, volume=compared.volume.prompts)
    scan = replace(scan, assigned=more.assigned, described=more.descriptions)
    comparison = comparison_of([*formed.texts, *whole], scan, seed=settings.seed)
    chosen = [*whole, *parts_of(whole, measured.account_data, min_accounts=settings.min_accounts)]
    judged = with_seeded(judged, chosen, scan, comparison, scale=plan.scale, settings=settings)
    return Hunted(judged=judged, scan=scan, templates=more.templates)


def result_sentences(candidates: Sequence[Candidate], ledger: Mapping[str, Any]) -> list[str]:
    """What became of the seeds, a sentence for each candidate that they gave or led to.

    Args:
        candidates: all that were judged.
        ledger: that judged, see :attr:`harvestdetect.data.Detection.ledger`.
    """
    least = least_claimed(ledger)
    found = []
    tiers = {one.campaign_id: one.tier for one in candidates if one.ways != ("seed",)}
    for one in candidates:
        if "seed" not in one.ways:
            continue
        what = f"the seeds lead to {one.campaign_id}, {'no finding' if one.tier is None else f'at {one.tier}'}"
        if one.ways != ("seed",):
            found.append(f"{what}, which the scan finds without them too")
            continue
        known = _known(one, tiers)
        found.append(
            f"{what}: {one.accounts:,} accounts, {one.prompts:,} prompts, a campaign with a probability "
            f"of {probability(one.probability, least=least)}, if the seeds were chosen without knowing what is measured"
            + (f"; {known}" if known else "")
        )
    return found


def _known(candidate: Candidate, tiers: Mapping[str, Tier | None]) -> str:
    """Which finding has most of the accounts of a candidate that only seeds gave, in words; empty if none has.

    Args:
        candidate: the candidate.
        tiers: of the candidates that the scan finds without seeds, by id.
    """
    for near in sorted(candidate.neighbors, key=lambda near: (-near.shared, near.campaign_id)):
        if tiers.get(near.campaign_id) is not None and near.shared >= MOSTLY * candidate.accounts:
            return f"{near.shared:,} of its accounts are in {near.campaign_id}, which the scan finds without the seeds"
    return ""
