"""Records the campaigns of a run in the state."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from harvestdetect.data import Finding
from harvestdetect.state.reconcile import Change, Reconciled
from harvestdetect.state.store import Store, note_event

__all__ = ["record_campaigns"]


def record_campaigns(store: Store, found: Reconciled, *, run: int, now: int) -> None:
    """Records the findings of a run in the state. Call it inside a transaction.

    Args:
        store: the state, open for writing.
        found: findings and changes, under the ids of the state.
        run: number of the run.
        now: Unix seconds.
    """
    connection = store.connection
    for old, new in sorted(found.merged_into.items()):
        _record_merge(store, old, new, run=run, now=now)
    findings = {f.campaign_id: f for f in found.detection.findings}
    for change in found.changes:
        _record_campaign(store, change, found.split_from.get(change.campaign_id), run, now)
        _record_run(connection, change, findings.get(change.campaign_id), run)
        if finding := findings.get(change.campaign_id):
            _record_finding(connection, finding, run)
    for one in found.detection.attributed:
        connection.execute(
            "INSERT INTO members VALUES (?, ?, ?, ?, 0, 1) ON CONFLICT (campaign, account) DO UPDATE SET last_run = ?",
            (found.merged_into.get(one.campaign_id, one.campaign_id), one.account, run, run, run),
        )


def _record_merge(store: Store, old: str, new: str, *, run: int, now: int) -> None:
    """Records that one campaign was merged into another, which gets its members, templates and days."""
    connection = store.connection
    connection.execute(
        "UPDATE campaigns SET merged_into = ?, status = 'quiet', changed = ? WHERE campaign = ?", (new, run, old)
    )
    note_event(connection, old, "merged", new, at=now, run=run)
    if store.rows("SELECT tier FROM campaigns WHERE campaign = ?", old)[0]["tier"] == "watch":
        return  # a campaign that was never above watch is too unsure to lend members and templates
    for table, columns in (
        ("members", "account, first_run, last_run, membership, attributed"),
        ("signatures", "signature, words, first_run, last_run"),
        ("campaign_days", "day, prompts"),
    ):
        connection.execute(
            f"INSERT OR IGNORE INTO {table} (campaign, {columns}) SELECT ?, {columns} FROM {table} WHERE campaign = ?",
            (new, old),
        )


def _record_campaign(store: Store, change: Change, split_from: str | None, run: int, now: int) -> None:
    """Writes the row of a campaign, and an event for each thing that changed.

    Args:
        store: the state.
        change: the campaign after the run.
        split_from: the campaign that it was split off from in this run.
        run: number of the run.
        now: Unix seconds.
    """
    campaign, connection = change.campaign_id, store.connection
    row = next(iter(store.rows("SELECT * FROM campaigns WHERE campaign = ?", campaign)), None)
    figures = json.dumps(_figures(change, {} if row is None else json.loads(row["finding"])))
    if row is None:
        connection.execute(
            "INSERT INTO campaigns VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?)",
            (campaign, run, now, change.tier, change.status, run, split_from, figures),
        )
        what = "new" if split_from is None else "split"
        note_event(connection, campaign, what, split_from or "", at=now, run=run)
        return
    for what, before, after in (("tier", row["tier"], change.tier), ("status", row["status"], change.status)):
        if before != after:
            note_event(connection, campaign, what, f"{before} to {after}", at=now, run=run)
    changed = run if (change.tier, change.status) != (row["tier"], row["status"]) else row["changed"]
    connection.execute(
        "UPDATE campaigns SET tier = ?, status = ?, changed = ?, finding = ? WHERE campaign = ?",
        (change.tier, change.status, changed, figures, campaign),
    )


def _figures(change: Change, before: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a campaign over all runs: the JSON of ``campaigns.finding``.

    ``mark`` is the number of accounts when the campaign was new or last changed; growth is measured from it.
    ``probability`` is what the last run that found it said, in words.

    Args:
        change: the campaign after the run.
        before: the figures before it; empty for a new campaign.
    """
    marked = not before or change.grown or change.tier != change.previous_tier
    return {
        "first_seen": _least(before.get("first_seen"), change.first_seen),
        "last_seen": _greatest(before.get("last_seen"), change.last_seen),
        "active": _greatest(before.get("active"), change.active),
        "prompts": max(before.get("prompts", 0), change.prompts),
        "summary": change.summary,
        "title": change.title,
        "mark": change.accounts if marked else before["mark"],
        "probability": before.get("probability") if change.probability is None else change.probability,
    }


def _record_run(connection: sqlite3.Connection, change: Change, finding: Finding | None, run: int) -> None:
    """Writes the figures of a campaign in one run."""
    scores = (None, None) if finding is None else (finding.score, finding.q_value)
    connection.execute(
        "INSERT OR REPLACE INTO campaign_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            change.campaign_id, run, change.status, change.tier if change.found else None, *scores,
            change.accounts, change.new_accounts, change.prompts, change.last_seen,
        ),
    )  # fmt: skip


def _record_finding(connection: sqlite3.Connection, finding: Finding, run: int) -> None:
    """Writes the days, members and templates of a finding."""
    campaign = finding.campaign_id
    connection.executemany(
        "INSERT INTO campaign_days VALUES (?, ?, ?) ON CONFLICT (campaign, day) DO UPDATE SET "
        "prompts = max(prompts, excluded.prompts)",
        [(campaign, day, prompts) for day, prompts in finding.days if prompts],
    )
    connection.executemany(
        "INSERT INTO members VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (campaign, account) DO UPDATE SET "
        "last_run = excluded.last_run, membership = excluded.membership, attributed = 0",
        [(campaign, m.account, run, run, m.membership) for m in finding.members],
    )
    connection.executemany(
        "INSERT INTO signatures VALUES (?, ?, ?, ?, ?) ON CONFLICT (campaign, signature) DO UPDATE SET "
        "last_run = excluded.last_run",
        [(campaign, t.signature, json.dumps(t.words), run, run) for t in finding.templates],
    )


def _least(first: int | None, second: int | None) -> int | None:
    return min((t for t in (first, second) if t is not None), default=None)


def _greatest(first: int | None, second: int | None) -> int | None:
    return max((t for t in (first, second) if t is not None), default=None)
