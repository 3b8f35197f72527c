"""The campaigns that a state knows: their figures over all runs, their history by day, and their templates."""

from __future__ import annotations

import json
from dataclasses import dataclass

from harvestdetect.data import TIERS, Status, Tier
from harvestdetect.judge.attribute import Signature
from harvestdetect.state.merges import Merged, merges
from harvestdetect.state.store import Store
from harvestdetect.state.verdicts import Verdict, standing_verdicts

__all__ = ["Day", "KnownCampaign", "history", "known_campaigns", "signatures_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCampaign:
    """A campaign of a state, after the last run."""

    campaign_id: str
    status: Status
    tier: Tier
    """``watch`` if the verdict in force is benign; else that of the last run that found it."""
    evidence_tier: Tier
    """Tier of the last run that found it, by its evidence alone."""
    detected: int
    """Unix seconds of the first run that found it."""
    first_seen: int | None
    """Unix seconds of the first prompt in any run."""
    last_seen: int | None
    """Unix seconds of the last prompt in any run."""
    accounts: int
    """Accounts that were members in any run."""
    attributed: int
    """Those of them that only its templates identified."""
    prompts: int
    """Harvest prompts over all days."""
    window_accounts: int
    """Accounts in the window of the last run, as its scan reported them."""
    window_prompts: int
    """Harvest prompts in the window of the last run, as its scan reported them."""
    summary: str
    """Summary of the last run that found it, with the figures of the window of that run."""
    title: str
    """Title of the last run that found it; empty if that was a version that kept none, or if it was erased."""
    merged_into: str | None
    """The campaign that it was merged into."""
    split_from: str | None
    """The campaign that it was split off from."""
    verdict: Verdict | None
    """The verdict in force."""
    merged: tuple[Merged, ...] = ()
    """The campaigns that were merged into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of a campaign."""

    day: str
    """ISO date in UTC."""
    prompts: int
    """Harvest prompts of the day."""


def known_campaigns(store: Store, *, now: int, everything: bool = False) -> list[KnownCampaign]:
    """The campaigns of a state, the highest tier first.

    Args:
        store: the state.
        now: Unix seconds, for verdicts that expire.
        everything: whether to include campaigns that were merged into another.
    """
    verdicts = standing_verdicts(store, now=now)
    merged = merges(store, now=now)
    counts = {
        row["campaign"]: (row["accounts"], row["by_template"])
        for row in store.rows(
            "SELECT campaign, count(*) AS accounts, sum(attributed) AS by_template FROM members GROUP BY campaign"
        )
    }
    days = {
        row["campaign"]: row["prompts"]
        for row in store.rows("SELECT campaign, sum(prompts) AS prompts FROM campaign_days GROUP BY campaign")
    }
    window = {
        row["campaign"]: (row["accounts"], row["prompts"])
        for row in store.rows(
            "SELECT campaign, accounts, prompts FROM campaign_runs "
            "WHERE run = (SELECT max(run) FROM runs WHERE finished IS NOT NULL)"
        )
    }
    found = []
    for row in store.rows("SELECT * FROM campaigns ORDER BY campaign"):
        if row["merged_into"] is not None and not everything:
            continue
        figures = json.loads(row["finding"])
        verdict = verdicts.get(row["campaign"])
        tier: Tier = "watch" if verdict is not None and verdict.verdict == "benign" else row["tier"]
        members, attributed = counts.get(row["campaign"], (0, 0))
        window_accounts, window_prompts = window.get(row["campaign"], (0, 0))
        found.append(
            KnownCampaign(
                campaign_id=row["campaign"], status=row["status"], tier=tier, evidence_tier=row["tier"],
                detected=row["detected"],
                first_seen=figures["first_seen"], last_seen=figures["last_seen"], accounts=members,
                attributed=attributed, prompts=max(days.get(row["campaign"], 0), figures["prompts"]),
                window_accounts=window_accounts, window_prompts=window_prompts, summary=figures["summary"],
                title=figures.get("title", ""),
                merged_into=row["merged_into"], split_from=row["split_from"],
                verdict=verdict, merged=merged.get(row["campaign"], ()),
            )
        )  # fmt: skip
    return sorted(found, key=lambda c: (TIERS.index(c.tier), -c.accounts, c.campaign_id))


def history(store: Store, campaign: str) -> list[Day]:
    """Harvest prompts of a campaign by day, over all runs."""
    return [
        Day(day=row["day"], prompts=row["prompts"])
        for row in store.rows("SELECT day, prompts FROM campaign_days WHERE campaign = ? ORDER BY day", campaign)
    ]


def signatures_of(store: Store, *, now: int) -> list[Signature]:
    """Templates that identify known campaigns in later runs: those of campaigns at ``review`` or above, except benign.

    Args:
        store: the state.
        now: Unix seconds, for verdicts that expire.
    """
    benign = {c for c, verdict in standing_verdicts(store, now=now).items() if verdict.verdict == "benign"}
    return [
        Signature(campaign=row["campaign"], words=tuple(json.loads(row["words"])))
        for row in store.rows(
            "SELECT s.* FROM signatures s JOIN campaigns c USING (campaign) WHERE c.merged_into IS NULL "
            "AND c.tier != 'watch' ORDER BY campaign, signature"
        )
        if row["campaign"] not in benign
    ]
