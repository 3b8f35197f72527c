"""The runs of a state, and what each of them found."""

from __future__ import annotations

import json
from dataclasses import dataclass

from harvestdetect.data import Status, Tier
from harvestdetect.state.store import Store

__all__ = ["CampaignRun", "PastRun", "campaign_runs", "past_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run of a state."""

    number: int
    """From 1."""
    started: int
    """Unix seconds."""
    finished: int | None
    """Unix seconds; None if the run failed, was stopped, or still works."""
    window_start: int | None
    """Unix seconds; None if no prompt has a time."""
    window_end: int | None
    """Unix seconds; None if no prompt has a time."""
    prompts: int | None
    """Prompts of the window; None if the run did not finish."""
    accounts: int | None
    """Accounts of the window; None if the run did not finish."""
    complete: bool
    """Whether no file of the window was lost."""
    error: str
    """Why it failed; empty if it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRun:
    """A campaign after a run."""

    campaign_id: str
    run: int
    status: Status
    tier: Tier | None
    """None if the run did not find it."""
    score: float | None
    """Bits of evidence; None if the run did not find it."""
    accounts: int
    """In the window of the run."""
    new_accounts: int
    """Accounts that were no members before the run."""
    prompts: int
    """Harvest prompts in the window of the run."""
    last_seen: int | None
    """Unix seconds."""


def past_runs(store: Store) -> list[PastRun]:
    """All runs of a state, the newest first."""
    return [
        PastRun(
            number=row["run"], started=row["started"], finished=row["finished"], window_start=row["window_start"],
            window_end=row["window_end"], prompts=_figure(row["counts"], "prompts"),
            accounts=_figure(row["counts"], "accounts"), complete=row["window_complete"] != 0,
            error=row["error"] or "",
        )
        for row in store.rows("SELECT * FROM runs ORDER BY run DESC")
    ]  # fmt: skip


def campaign_runs(store: Store, *, campaign: str | None = None, run: int | None = None) -> list[CampaignRun]:
    """What runs found, by run and campaign.

    Args:
        store: the state.
        campaign: only this campaign.
        run: only this run.
    """
    return [
        CampaignRun(
            campaign_id=row["campaign"], run=row["run"], status=row["status"], tier=row["tier"], score=row["score"],
            accounts=row["accounts"], new_accounts=row["new_accounts"], prompts=row["prompts"],
            last_seen=row["last_seen"],
        )
        for row in store.rows(
            "SELECT * FROM campaign_runs WHERE (? IS NULL OR campaign = ?) AND (? IS NULL OR run = ?) "
            "ORDER BY run, campaign",
            campaign, campaign, run, run,
        )
    ]  # fmt: skip


def _figure(counts: str | None, name: str) -> int | None:
    value = json.loads(counts).get(name) if counts else None
    return value if isinstance(value, int) else None
