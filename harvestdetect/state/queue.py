"""The queue of a state: the campaigns that wait for a verdict, each with what a reviewer needs first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from harvestdetect.data import TIERS
from harvestdetect.state.known_campaigns import KnownCampaign, known_campaigns
from harvestdetect.state.store import Store

__all__ = ["Waiting", "waiting"]

_STATUS: Final = ("new", "back", "growing", "quiet")
"""The order of campaigns of one tier."""
_MOST_BITS: Final = 1_000.0
"""Largest score, in bits, whose odds are computed. Beyond it the probability is 0 or 1 within rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A campaign without a verdict in force."""

    campaign: KnownCampaign
    probability: float | None
    """That it is a campaign, by the ledger of the last run that found it; None if that run is not known."""
    chance: str | None
    """The same in words, as that run said it, no surer than its ledger was tested; None from an older version."""
    templates: tuple[tuple[str | None, ...], ...]
    """The fixed words of its templates, those of the last run first; None is a slot."""
    seen: int
    """Number of the last verdict on it, in force or not; 0 if there was none. A later verdict has a larger number."""


def waiting(store: Store, *, now: int) -> list[Waiting]:
    """The queue: by tier, then new and growing campaigns before quiet ones, then the most probable first.

    Args:
        store: the state.
        now: Unix seconds, for verdicts that expire.
    """
    scores = {
        row["campaign"]: row["score"]
        for row in store.rows(
            "SELECT campaign, score FROM campaign_runs WHERE score IS NOT NULL ORDER BY run"  # the last one stays
        )
    }
    given = {
        row["campaign"]: row["number"]
        for row in store.rows("SELECT campaign, max(verdict_id) AS number FROM verdicts GROUP BY campaign")
    }
    words: dict[str, list[tuple[str | None, ...]]] = {}
    for row in store.rows("SELECT campaign, words FROM signatures ORDER BY last_run DESC, signature"):
        words.setdefault(row["campaign"], []).append(tuple(json.loads(row["words"])))
    chances = {
        row["campaign"]: json.loads(row["finding"]).get("probability")
        for row in store.rows("SELECT campaign, finding FROM campaigns")
    }
    found = [
        Waiting(
            campaign=one,
            probability=_probability(scores.get(one.campaign_id)),
            chance=chances[one.campaign_id],
            templates=tuple(words.get(one.campaign_id, ())),
            seen=given.get(one.campaign_id, 0),
        )
        for one in known_campaigns(store, now=now)
        if one.verdict is None
    ]
    return sorted(found, key=_rank)


def _rank(one: Waiting) -> tuple[tuple[int, int], float, str]:
    campaign = one.campaign
    place = (TIERS.index(campaign.tier), _STATUS.index(campaign.status))
    return place, -(one.probability or 0.0), campaign.campaign_id


def _probability(bits: float | None) -> float | None:
    """The probability that belongs to odds of so many bits."""
    if bits is None or bits != bits:
        return None
    return float(1 / (1 + 2.0 ** -min(max(bits, -_MOST_BITS), _MOST_BITS)))
