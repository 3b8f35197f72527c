"""The page of the difference between two runs of a state."""

from __future__ import annotations

from typing import Any

from harvestdetect.data import TIERS
from harvestdetect.report.format import count
from harvestdetect.serve.desk import Desk
from harvestdetect.serve.render import Answer, Visit, page
from harvestdetect.serve.views import missing
from harvestdetect.state import CampaignRun

__all__ = ["compare"]


def compare(desk: Desk, visit: Visit) -> Answer:
    """What changed between two runs."""
    moment = desk.moment()
    known = moment.known
    chosen = [_number(visit.query.get(name, "")) for name in ("older", "newer")]
    finished = {} if known is None else {run.number: run for run in known.runs if run.finished is not None}
    if known is None or None in chosen or any(number not in finished for number in chosen):
        return missing(desk, visit)
    older, newer = (finished[number] for number in chosen if number is not None)
    before, after = (
        {one.campaign_id: one for one in desk.state.campaign_runs(run=run.number)} for run in (older, newer)
    )
    groups: dict[str, list[dict[str, Any]]] = {label: [] for label in _GROUPS}
    for campaign in sorted({*before, *after}):
        row = _row(campaign, before.get(campaign), after.get(campaign))
        if row is None:
            continue
        item, named = moment.by_key.get(desk.keys.campaign(campaign)), known.campaigns.get(campaign)
        row["title"] = item.title if item is not None else campaign if named is None else named.title or named.summary
        row["address"] = f"/finding/{desk.keys.campaign(campaign)}"
        groups[row.pop("group")].append(row)
    for rows in groups.values():
        rows.sort(key=lambda row: (TIERS.index(row["tier"] or row["was"] or "watch"), row["campaign_id"]))
    return page(
        desk, visit, "compare.html.j2", moment=moment, here="/runs", older=older, newer=newer,
        groups=[(label, rows) for label, rows in groups.items() if rows],
    )  # fmt: skip


_GROUPS = ("New", "Back", "Another tier", "Grown", "Shrunk", "No longer found", "The same")
"""Headings, in the order of the page."""


def _row(campaign: str, before: CampaignRun | None, after: CampaignRun | None) -> dict[str, Any] | None:
    """How a campaign differs between two runs; None if neither found it."""
    was = None if before is None else before.tier
    now = None if after is None else after.tier
    if was is None and now is None:
        return None
    then, later = (one if one is not None and one.tier is not None else None for one in (before, after))
    if now is None:
        group = "No longer found"
    elif was is None:
        group = "New" if before is None else "Back"
    elif was != now:
        group = "Another tier"
    else:
        grown = (later.accounts if later else 0) - (then.accounts if then else 0)
        more = (later.prompts if later else 0) - (then.prompts if then else 0)
        group = "Grown" if grown > 0 or (grown == 0 and more > 0) else "Shrunk" if grown or more else "The same"
    return {
        "campaign_id": campaign, "group": group, "tier": now, "was": was,
        "status": after.status if after is not None else "",
        "accounts": _figures(then.accounts if then else None, later.accounts if later else None),
        "prompts": _figures(then.prompts if then else None, later.prompts if later else None),
    }  # fmt: skip


def _figures(before: int | None, after: int | None) -> str:
    """A figure in both runs: ``12 → 15``."""
    was, now = ("–" if one is None else count(one) for one in (before, after))
    return now if was == now else f"{was} → {now}"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
