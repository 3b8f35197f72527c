"""What became of the seeds of a hunt, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from harvestdetect.data import Candidate, Tier
from harvestdetect.report.format import least_claimed, probability

__all__ = ["result_sentences"]

MOSTLY: Final = 0.5
"""Share of the accounts of a candidate that must be in a finding for it to be named. It decides nothing. Chosen."""


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
