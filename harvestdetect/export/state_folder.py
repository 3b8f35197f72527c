"""Reads the campaigns of a state.

A state keeps less of a campaign than the folder of a scan: its figures over all runs, its days, accounts, verdict and
the fixed words of its templates. It keeps no evidence and no links between accounts and templates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harvestdetect.export.scan_folder import template_view
from harvestdetect.export.values import Account, Campaign, Source, TemplateView
from harvestdetect.state import KnownCampaign
from harvestdetect.state.clearing import Clearing, standing_clearings
from harvestdetect.state.cutting import PSEUDONYMS
from harvestdetect.state.known_campaigns import history, known_campaigns
from harvestdetect.state.store import Store, open_store

__all__ = ["read_state_folder"]

_NOTE: Final = (
    "a state keeps no evidence, no shared addresses and not which account sent which template; export the folder of "
    "scan --out to have them"
)
"""What every export of a state lacks."""


def read_state_folder(folder: Path) -> Source:
    """The campaigns that a state knows, without those that were merged into another.

    Verdicts are those in force when the last run finished, so that the clock changes nothing.

    Raises:
        StateError: there is no state, or it is damaged, or of another version.
    """
    with open_store(folder, write=False) as store, store.snapshot():
        finished = store.rows("SELECT max(finished) AS finished FROM runs")[0]["finished"]
        known = known_campaigns(store, now=finished or 0)
        tags: dict[str, str] = {}
        cleared = standing_clearings(store)
        campaigns = tuple(_campaign(store, one, tags, cleared.get(one.campaign_id, {})) for one in known)
        times = [c.last_seen for c in campaigns if c.last_seen is not None]
        return Source(
            kind="state",
            campaigns=campaigns,
            last_seen=max(times, default=None),
            pseudonyms=store.meta(PSEUDONYMS) is not None,
            version="",
            complete=False,
            notes=(_NOTE,),
        )


def _campaign(store: Store, known: KnownCampaign, tags: dict[str, str], cleared: Mapping[str, Clearing]) -> Campaign:
    verdict = known.verdict
    days = history(store, known.campaign_id)
    return Campaign(
        campaign_id=known.campaign_id,
        tier=known.tier,
        title=known.title,
        summary=known.summary,
        accounts=known.accounts,
        prompts=known.prompts,
        first_seen=known.first_seen,
        last_seen=known.last_seen,
        detected=known.detected,
        status=known.status,
        verdict="" if verdict is None else verdict.sentence,
        benign=verdict is not None and verdict.verdict == "benign",
        days=tuple((day.day, day.prompts) for day in days),
        templates=_templates(store, known.campaign_id),
        members=_members(store, known.campaign_id, tags, cleared),
    )


def _members(store: Store, campaign: str, tags: dict[str, str], cleared: Mapping[str, Clearing]) -> tuple[Account, ...]:
    rows = store.rows(
        "SELECT account, membership, attributed FROM members WHERE campaign = ? "
        "ORDER BY attributed, membership DESC, account",
        campaign,
    )
    return tuple(
        Account(
            name=row["account"],
            tag=tags.setdefault(row["account"], f"account-{len(tags) + 1}"),
            membership=row["membership"],
            attributed=bool(row["attributed"]),
            recommended=False if row["account"] in cleared else None,
            reasons=(cleared[row["account"]].sentence,) if row["account"] in cleared else (),
        )
        for row in rows
    )


def _templates(store: Store, campaign: str) -> tuple[TemplateView, ...]:
    rows = store.rows("SELECT signature, words FROM signatures WHERE campaign = ? ORDER BY signature", campaign)
    return tuple(
        template_view(f"t-{row['signature'][:10]}", row["signature"], tuple(json.loads(row["words"]))) for row in rows
    )
