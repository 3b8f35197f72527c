"""Makes the alerts on campaigns after a run."""

from __future__ import annotations

from collections.abc import Mapping

from harvestdetect.alerts import Alert, Kind, report_link
from harvestdetect.alerts.values import Settled
from harvestdetect.report.format import plural
from harvestdetect.state.reconcile import Change, Reconciled
from harvestdetect.state.store import Store
from harvestdetect.state.verdicts import Verdict, standing_verdicts

__all__ = ["alerts_of"]

_SETTLED: Mapping[str, Settled] = {"harvest": "harvest", "benign": "benign"}
"""Verdicts after which a campaign needs no more attention. ``unsure`` is not one of them."""


def alerts_of(store: Store, found: Reconciled, *, run: int, now: int, report_url: str | None) -> list[Alert]:
    """The alerts on campaigns: one for each that is there, is gone since the last run, or was merged into another.

    Args:
        store: the state, with its verdicts.
        found: what the run found.
        run: number of the run.
        now: Unix seconds at which the run started.
        report_url: ``Settings.report_url``.
    """
    verdicts = standing_verdicts(store, now=now)
    alerts = []
    for change in found.changes:
        verdict = verdicts.get(change.campaign_id)
        over = change.status == "quiet" and change.previous_status in ("quiet", None)
        if over and (verdict is None or change.previous_status is None):
            continue
        report = report_link(report_url, run=str(run), started=now, campaign=change.campaign_id)
        alerts.append(_alert(change, verdict, run=run, now=now, report=report, over=over))
    for old, new in sorted(found.merged_into.items()):
        report = report_link(report_url, run=str(run), started=now, campaign=new)
        alerts.append(_ended(old, new, run=run, now=now, report=report))
    return alerts


def _alert(change: Change, verdict: Verdict | None, *, run: int, now: int, report: str | None, over: bool) -> Alert:
    return Alert(
        campaign_id=change.campaign_id, kind=_kind(change), tier=change.tier, previous_tier=change.previous_tier,
        probability=change.probability,
        accounts=change.accounts, new_accounts=change.new_accounts, prompts=change.prompts,
        first_seen=change.first_seen, last_seen=change.last_seen, summary=change.summary, changes=_sentences(change),
        capability_targets=change.targets, excerpt=change.excerpt, title=change.title, run=str(run),
        run_started=now, report=report,
        settled=None if verdict is None else _SETTLED.get(verdict.verdict),
        settled_at=None if verdict is None else verdict.at, over=over,
    )  # fmt: skip


def _ended(old: str, new: str, *, run: int, now: int, report: str | None) -> Alert:
    """The alert on a campaign that was merged into another."""
    sentence = f"It was merged into {new}."
    return Alert(
        campaign_id=old, kind="resolved", tier="watch", accounts=0, prompts=0, summary=sentence, changes=(sentence,),
        run=str(run), run_started=now, report=report, settled="merged",
    )  # fmt: skip


def _kind(change: Change) -> Kind:
    """The kind of the alert on a change."""
    if change.suppressed or (change.status == "quiet" and change.previous_status is not None):
        return "resolved"
    if change.previous_status is None:
        return "new"
    if change.status == "back" and change.previous_status == "quiet":
        return "back"
    return "changed" if change.tier != change.previous_tier or change.grown else "standing"


def _sentences(change: Change) -> tuple[str, ...]:
    """What changed since the run before, a sentence each."""
    sentences = []
    if change.previous_tier is not None and change.tier != change.previous_tier:
        sentences.append(f"Its tier changed from {change.previous_tier} to {change.tier}.")
    if change.previous_status is not None and change.new_accounts:
        sentences.append(f"It has {plural(change.new_accounts, 'new account')}.")
    if change.status == "back":
        sentences.append("It had stopped and is sending again.")
    if change.suppressed:
        sentences.append("It was judged benign.")
    elif change.status == "quiet":
        sentences.append("It has stopped sending.")
    return tuple(sentences)
