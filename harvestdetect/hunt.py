"""A seeded hunt: the candidate around texts or accounts that a person chose is judged beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harvestdetect.accounts.candidates import with_candidates
from harvestdetect.accounts.kin import Kin
from harvestdetect.accounts.seeds import Seeds, compared_texts, seed_group
from harvestdetect.context import Context
from harvestdetect.data import Campaign, Candidate, Template
from harvestdetect.evidence.candidate import ScanData
from harvestdetect.evidence.reference import reference_of
from harvestdetect.judge.verdict import Judged, Scale, with_seeded
from harvestdetect.template.clusters import Source
from harvestdetect.template.refine import Refined
from harvestdetect.util.arrays import Ints32, unit
from harvestdetect.util.vectors import Rows

__all__ = ["Hunted", "hunted", "result_sentence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunted:
    """All candidates, with the one around the seeds where there is one."""

    judged: Judged
    scan: ScanData
    """The data of the scan, with the clusters of this candidate."""
    templates: Mapping[int, Template]
    """By position of the cluster."""


def hunted(
    seeds: Seeds,
    judged: Judged,
    scan: ScanData,
    refined: Refined,
    texts: Sequence[Campaign],
    *,
    vectors: Rows,
    kin: Kin,
    volume: Ints32,
    scale: Scale,
    context: Context,
) -> Hunted:
    """Forms the candidate around seeds, and judges it beside the others, which stay as they are.

    Many parameters because the hunt needs what all stages made.

    Args:
        seeds: what a person chose.
        judged: the candidates of the scan.
        scan: the data of the scan.
        refined: its clusters.
        texts: the candidates of texts, outside of which accounts are drawn for comparison.
        vectors: float16[n, d], of all segments in the wording view.
        kin: which accounts are near each other.
        volume: int32[a], requests of every account.
        scale: how candidates are judged.
        context: of the scan; its notes say what the seeds led to.
    """
    settings = context.settings
    source = Source(corpus=scan.corpus, parts=scan.parts, vectors=vectors, min_accounts=settings.min_accounts)
    wanted = compared_texts(seeds)
    rows = unit(scan.encode(wanted)) if wanted else np.empty((0, vectors.shape[1]), np.float32)
    found = seed_group(seeds, source, rows, neighbors=scan.neighbors, kin=kin)
    context.note(found.sentence)
    if found.group is None:
        return Hunted(judged=judged, scan=scan, templates=refined.templates)
    (campaign,), more = with_candidates([found.group], refined, source, volume=volume)
    scan = replace(scan, assigned=more.assigned, described=more.descriptions)
    reference = reference_of([*texts, campaign], scan, seed=settings.seed)
    judged = with_seeded(judged, campaign, scan, reference, scale=scale, settings=settings)
    return Hunted(judged=judged, scan=scan, templates=more.templates)


def result_sentence(candidates: Sequence[Candidate]) -> str | None:
    """What became of the seeds; None if they gave no candidate."""
    for one in candidates:
        if "seed" not in one.ways:
            continue
        what = f"the seeds lead to {one.campaign_id}"
        tier = "no finding" if one.tier is None else f"at {one.tier}"
        if one.ways != ("seed",):
            return f"{what}, {tier}, which the scan finds without them too"
        return (
            f"{what}, {tier}: {one.accounts:,} accounts, {one.prompts:,} prompts, a campaign with a probability of "
            f"{one.probability:.2g}, if the seeds were chosen without knowing what is measured; explain says why"
        )
    return None
