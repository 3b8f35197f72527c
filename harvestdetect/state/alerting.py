"""What a run says of campaigns, as alerts."""

from __future__ import annotations

from collections.abc import Mapping

from harvestdetect.alerts import Alert, Kind, report_link
from harvestdetect.alerts.values import Settled
from harvestdetect.state.campaigns import Change, Merged
from harvestdetect.state.store import Store
from harvestdetect.state.verdicts import Verdict, standing_verdicts

__all__ = ["alerts_of"]

_SETTLED: Mapping[str, Settled] = {"harvest": "harvest", "benign": "benign"}
"""Verdicts after which nobody need look at a campaign any more; ``unsure`` is none."""


def alerts_of(store: Store, merged: Merged, *, run: int, now: int, report_url: str | None) -> list[Alert]:
    """An alert for each campaign of which there is anything to say, and for each that became part of another.

    Args:
        store: the state, with its verdicts.
        merged: what the run found.
        run: its number.
        now: Unix seconds at which it started.
        report_url: template of the address of a report, see ``Settings.report_url``.
    """
    verdicts = standing_verdicts(store, now=now)
    alerts = []
    for change in merged.changes:
        verdict = verdicts.get(change.campaign_id)
        over = change.status == "quiet" and change.previous_status in ("quiet", None)
        if over and (verdict is None or change.previous_status is None):
            continue
        report = report_link(report_url, run=str(run), started=now, campaign=change.campaign_id)
        alerts.append(_alert(change, verdict, run=run, now=now, report=report, over=over))
    for old, new in sorted(merged.merged.items()):
        report = report_link(report_url, run=str(run), started=now, campaign=new)
        alerts.append(_ended(old, new, run=run, now=now, report=report))
    return alerts


def _alert(change: Change, verdict: Verdict | None, *, run: int, now: int, report: str | None, over: bool) -> Alert:
    return Alert(
        campaign_id=change.campaign_id, kind=_kind(change), tier=change.tier, previous_tier=change.previous_tier,
        accounts=change.accounts, new_accounts=change.new_accounts, prompts=change.prompts,
        first_seen=change.first_seen, last_seen=change.last_seen, summary=change.summary, changes=_said(change),
        capability_targets=change.targets, excerpt=change.excerpt, run=str(run), run_started=now, report=report,
        settled=None if verdict is None else _SETTLED.get(verdict.verdict),
        settled_at=None if verdict is None else verdict.at, over=over,
    )  # fmt: skip


def _ended(old: str, new: str, *, run: int, now: int, report: str | None) -> Alert:
    """What is told of a campaign that became part of another."""
    said = f"It became part of {new}."
    return Alert(
        campaign_id=old, kind="resolved", tier="watch", accounts=0, prompts=0, summary=said, changes=(said,),
        run=str(run), run_started=now, report=report, settled="merged",
    )  # fmt: skip


def _kind(change: Change) -> Kind:
    if change.suppressed or (change.status == "quiet" and change.previous_status is not None):
        return "resolved"
    if change.previous_status is None:
        return "new"
    if change.status == "back" and change.previous_status == "quiet":
        return "back"
    return "changed" if change.tier != change.previous_tier or change.grown else "standing"


def _said(change: Change) -> tuple[str, ...]:
    said = []
    if change.previous_tier is not None and change.tier != change.previous_tier:
        said.append(f"Its tier was {change.previous_tier} and is {change.tier}.")
    if change.previous_status is not None and change.new_accounts:
        said.append(f"Accounts that are new in it: {change.new_accounts:,}.")
    if change.status == "back":
        said.append("It had stopped, and sends again.")
    if change.suppressed:
        said.append("It was judged benign.")
    elif change.status == "quiet":
        said.append("It has sent nothing for days.")
    return tuple(said)
