"""A seeded hunt: the candidate around texts or accounts that a person chose is judged beside the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from harvestdetect.accounts.candidates import with_candidates
from harvestdetect.accounts.seeds import Seeds, compared_texts, seed_group
from harvestdetect.data import Template
from harvestdetect.evidence.candidate import ScanData
from harvestdetect.evidence.comparison import comparison_of
from harvestdetect.judge.parting import populations_of
from harvestdetect.judge.resolve import Judged, with_seeded
from harvestdetect.stages.plan import ScanPlan
from harvestdetect.stages.values import Compared, Formed, Measured
from harvestdetect.template.clusters import ClusterSource
from harvestdetect.util.arrays import unit

__all__ = ["JudgedSet", "hunted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSet:
    """All judged candidates, with those around the seeds if there are seeds, and the data that they refer to."""

    judged: Judged
    scan: ScanData
    """The data of the scan, with the clusters of these candidates."""
    templates: Mapping[int, Template]
    """By position of the cluster."""


def hunted(
    seeds: Seeds, judged: Judged, compared: Compared, formed: Formed, measured: Measured, plan: ScanPlan
) -> JudgedSet:
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
        return JudgedSet(judged=judged, scan=scan, templates=formed.refined.templates)
    whole, more = with_candidates([found.group], formed.refined, source, volume=compared.volume.prompts)
    scan = replace(scan, assigned=more.assigned, described=more.descriptions)
    comparison = comparison_of([*formed.texts, *whole], scan, seed=settings.seed)
    populations = populations_of(whole, measured.account_data, plan.scale.members, min_accounts=settings.min_accounts)
    chosen = [*whole, *populations]
    judged = with_seeded(judged, chosen, scan, comparison, scale=plan.scale, settings=settings)
    return JudgedSet(judged=judged, scan=scan, templates=more.templates)
