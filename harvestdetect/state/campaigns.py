"""What a state knows of campaigns: their ids, members, templates, history, and what a run changes of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.data import TIERS, Attributed, BenignExplanation, Detection, Finding, Standing, Status, Tier
from harvestdetect.judge.attribute import Signature
from harvestdetect.state.identity import Known, Seen, match, words_of
from harvestdetect.state.store import Store, note_event
from harvestdetect.state.verdicts import Verdict, standing_verdicts

__all__ = [
    "Change",
    "Day",
    "KnownCampaign",
    "Merged",
    "history",
    "known_campaigns",
    "merge",
    "record",
    "signatures_of",
]

QUIET: Final = 3 * 86_400
"""Seconds without a prompt, before the end of the window, after which a campaign is quiet."""
STIRRING: Final = 3
"""Accounts that must send for a campaign to be at work: one or two are strays, or people whose account it was."""
GROWN: Final = 1.25
"""Times the accounts of when it was last told, from which a campaign has grown enough to be told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCampaign:
    """A campaign of a state, as it stood after its last run."""

    campaign_id: str
    status: Status
    tier: Tier
    detected: int
    """Unix seconds of the run that found it first."""
    first_seen: int | None
    last_seen: int | None
    accounts: int
    """Members in any run."""
    attributed: int
    """Those of them that were told by its templates alone."""
    prompts: int
    """Harvest prompts over all days seen."""
    window_accounts: int
    """Accounts in the window of the last run, as its scan reports them."""
    window_prompts: int
    """Harvest prompts in the window of the last run, as its scan reports them."""
    summary: str
    """Of the last run that found it: its figures are those of the window then."""
    merged_into: str | None
    split_from: str | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day of a campaign."""

    day: str
    prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a run says of a campaign."""

    campaign_id: str
    status: Status
    previous_status: Status | None
    """None: it is new."""
    tier: Tier
    previous_tier: Tier | None
    accounts: int
    new_accounts: int
    prompts: int
    first_seen: int | None
    last_seen: int | None
    active: int | None
    """Until when it was at work: when the third last of its accounts sent last."""
    summary: str
    grown: bool
    """Whether it has many more accounts than when it last changed."""
    found: bool
    """Whether it is a finding of this run."""
    suppressed: bool
    """Whether a verdict says that it is benign."""
    targets: tuple[str, ...] = ()
    excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A detection under the ids of a state, and what it changes."""

    detection: Detection
    changes: tuple[Change, ...]
    split_from: Mapping[str, str]
    merged: Mapping[str, str]


def known_campaigns(store: Store, *, now: int, everything: bool = False) -> list[KnownCampaign]:
    """The campaigns of a state, surest tier first.

    Args:
        store: the state.
        now: Unix seconds, for verdicts that expire.
        everything: also those that became part of another.
    """
    verdicts = standing_verdicts(store, now=now)
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
        told = json.loads(row["finding"])
        members, attributed = counts.get(row["campaign"], (0, 0))
        window_accounts, window_prompts = window.get(row["campaign"], (0, 0))
        found.append(
            KnownCampaign(
                campaign_id=row["campaign"], status=row["status"], tier=row["tier"], detected=row["detected"],
                first_seen=told["first_seen"], last_seen=told["last_seen"], accounts=members, attributed=attributed,
                prompts=max(days.get(row["campaign"], 0), told["prompts"]), window_accounts=window_accounts,
                window_prompts=window_prompts, summary=told["summary"],
                merged_into=row["merged_into"], split_from=row["split_from"],
                verdict=verdicts.get(row["campaign"]),
            )
        )  # fmt: skip
    return sorted(found, key=lambda c: (TIERS.index(c.tier), -c.accounts, c.campaign_id))


def history(store: Store, campaign: str) -> list[Day]:
    """Harvest prompts of a campaign by day, as far as any run has seen."""
    return [
        Day(day=row["day"], prompts=row["prompts"])
        for row in store.rows("SELECT day, prompts FROM campaign_days WHERE campaign = ? ORDER BY day", campaign)
    ]


def signatures_of(store: Store, *, now: int) -> list[Signature]:
    """Templates by which campaigns at ``review`` or above are told again; none of those that are judged benign."""
    benign = {c for c, verdict in standing_verdicts(store, now=now).items() if verdict.verdict == "benign"}
    return [
        Signature(campaign=row["campaign"], words=tuple(json.loads(row["words"])))
        for row in store.rows(
            "SELECT s.* FROM signatures s JOIN campaigns c USING (campaign) WHERE c.merged_into IS NULL "
            "AND c.tier != 'watch' ORDER BY campaign, signature"
        )
        if row["campaign"] not in benign
    ]


def merge(store: Store, detection: Detection, *, now: int) -> Merged:
    """Gives the findings of a run the ids of the campaigns that they are; changes nothing in the state."""
    before = {row["campaign"]: row for row in store.rows("SELECT * FROM campaigns ORDER BY campaign")}
    known = {name: _known(store, name) for name, row in before.items() if row["merged_into"] is None}
    seen = [
        Seen(
            accounts=frozenset(m.account for m in finding.members),
            templates=tuple(words_of(t.words) for t in finding.templates),
        )
        for finding in detection.findings
    ]
    # who fills a campaign's template is of it, though the finding's template may be worded otherwise
    senders: dict[str, list[Attributed]] = {name: [] for name in known}
    for account in detection.attributed:
        senders.setdefault(account.campaign_id, []).append(account)
    matched = match(
        seen,
        [replace(one, accounts=one.accounts | {a.account for a in senders[name]}) for name, one in known.items()],
    )
    taken = set(before)
    ids: list[str] = []
    for finding, campaign in zip(detection.findings, matched.campaign, strict=True):
        identity = campaign
        if identity is None:
            identity, number = finding.campaign_id, 1
            while identity in taken:
                number += 1
                identity = f"{finding.campaign_id}-{number}"
            taken.add(identity)
        ids.append(identity)
    split = {ids[i]: campaign for i, campaign in matched.split_from.items()}
    verdicts = standing_verdicts(store, now=now)
    end = detection.counts.get("last_seen")
    changes, findings = [], []
    for finding, identity in zip(detection.findings, ids, strict=True):
        verdict = verdicts.get(identity)
        old = known[identity].accounts if identity in known else frozenset[str]()
        change = _change(finding, identity, before.get(identity), old, verdict, end)
        changes.append(change)
        findings.append(_told(finding, change, before.get(identity), verdict, split, matched.merged, now))
    left = [one for name, one in known.items() if name not in matched.merged and name not in set(ids)]
    gone = _gone(left, senders, before, verdicts, end)
    tiers = {f.campaign_id: f.tier for f in findings}
    renamed = dict(zip([f.campaign_id for f in detection.findings], ids, strict=True))
    return Merged(
        detection=replace(
            detection,
            findings=tuple(sorted(findings, key=lambda f: TIERS.index(f.tier))),
            candidates=tuple(
                replace(c, campaign_id=renamed[c.campaign_id], tier=tiers[renamed[c.campaign_id]])
                if c.campaign_id in renamed
                else c
                for c in detection.candidates
            ),
            prompts=_renamed(detection, renamed),
        ),
        changes=(*changes, *gone),
        split_from=split,
        merged=matched.merged,
    )


def _known(store: Store, campaign: str) -> Known:
    accounts = store.rows("SELECT account FROM members WHERE campaign = ?", campaign)
    words = store.rows("SELECT words FROM signatures WHERE campaign = ?", campaign)
    return Known(
        campaign=campaign,
        accounts=frozenset(row["account"] for row in accounts),
        templates=tuple(words_of(json.loads(row["words"])) for row in words),
    )


def _change(
    finding: Finding,
    identity: str,
    before: sqlite3.Row | None,
    old: frozenset[str],
    verdict: Verdict | None,
    end: int | None,
) -> Change:
    excerpt = " … ".join(run for run in finding.templates[0].words if run)[:200] if finding.templates else ""
    told = None if before is None else json.loads(before["finding"])
    active = _active([m.last_seen for m in finding.members])
    later = told is None or _after(active, told["active"])
    stopped = end is not None and active is not None and active < end - QUIET
    status: Status
    if before is None:
        status = "new"
    elif stopped:
        status = "quiet"
    elif before["status"] == "quiet" and later:
        status = "back"
    elif later:
        status = "growing"
    else:
        status = before["status"]
    return Change(
        campaign_id=identity, status=status, previous_status=None if before is None else before["status"],
        tier=finding.tier, previous_tier=None if before is None else before["tier"],
        accounts=finding.accounts, new_accounts=sum(m.account not in old for m in finding.members),
        prompts=finding.prompts, first_seen=finding.first_seen, last_seen=finding.last_seen, active=active,
        summary=finding.summary,
        grown=told is not None and finding.accounts >= GROWN * told["mark"], found=True,
        suppressed=verdict is not None and verdict.verdict == "benign",
        targets=finding.capability_targets, excerpt=excerpt,
    )  # fmt: skip


def _active(last: Sequence[int | None]) -> int | None:
    """Until when a campaign was at work: when the :data:`STIRRING`-th last of its accounts sent last."""
    known = sorted((time for time in last if time is not None), reverse=True)
    return known[min(STIRRING, len(known)) - 1] if known else None


def _after(last: int | None, before: int | None) -> bool:
    return last is not None and (before is None or last > before)


def _told(
    finding: Finding,
    change: Change,
    before: sqlite3.Row | None,
    verdict: Verdict | None,
    split: Mapping[str, str],
    merged: Mapping[str, str],
    now: int,
) -> Finding:
    """The finding with its id, what the state knows of it, and no higher than a verdict lets it be."""
    notes = [f"It came apart from {split[change.campaign_id]}."] if change.campaign_id in split else []
    parts = sorted(old for old, new in merged.items() if new == change.campaign_id)
    notes += [f"{old} became part of it." for old in parts]
    standing = Standing(
        status=change.status, detected=now if before is None else before["detected"], new_accounts=change.new_accounts,
        verdict="" if verdict is None else verdict.sentence, notes=tuple(notes),
    )  # fmt: skip
    found = replace(finding, campaign_id=change.campaign_id, standing=standing)
    if not change.suppressed or verdict is None:
        return found
    reading = BenignExplanation(
        id="verdict", name="verdict", verdict="fits", statistic=None, sentence=verdict.sentence, caps="watch"
    )
    return replace(found, tier="watch", benign_explanations=(*found.benign_explanations, reading))


def _gone(
    left: Sequence[Known],
    by_campaign: Mapping[str, Sequence[Attributed]],
    before: Mapping[str, sqlite3.Row],
    verdicts: Mapping[str, Verdict],
    end: int | None,
) -> list[Change]:
    """Campaigns that are no finding of this run: quiet, or back by what their templates attribute to them."""
    changes = []
    for known in left:
        campaign, row = known.campaign, before[known.campaign]
        told = json.loads(row["finding"])
        senders = by_campaign[campaign]
        last = max([t for t in [told["last_seen"], *(a.last_seen for a in senders)] if t is not None], default=None)
        active = _active([a.last_seen for a in senders]) if len(senders) >= STIRRING else None
        sends = _after(active, told["active"])
        stopped = not sends and (end is None or told["active"] is None or told["active"] < end - QUIET)
        status: Status = row["status"]
        if sends:
            status = "back" if row["status"] == "quiet" else "growing"
        elif stopped:
            status = "quiet"
        verdict = verdicts.get(campaign)
        changes.append(
            Change(
                campaign_id=campaign, status=status, previous_status=row["status"], tier=row["tier"],
                previous_tier=row["tier"], accounts=len(senders),
                new_accounts=sum(a.account not in known.accounts for a in senders),
                prompts=sum(a.prompts for a in senders), first_seen=told["first_seen"], last_seen=last, active=active,
                summary=told["summary"], grown=False, found=False,
                suppressed=verdict is not None and verdict.verdict == "benign",
            )
        )  # fmt: skip
    return changes


def _renamed(detection: Detection, renamed: Mapping[str, str]) -> pa.Table | None:
    table = detection.prompts
    if table is None or not renamed or all(a == b for a, b in renamed.items()):
        return table
    column = table.column("campaign_id").cast(pa.string())
    old = pa.array(list(renamed), pa.string())
    new = pa.array(list(renamed.values()), pa.string())
    changed = pc.coalesce(pa.chunked_array([new]).take(pc.index_in(column, old)), column)
    index = table.schema.get_field_index("campaign_id")
    return table.set_column(index, table.schema.field(index), changed.cast(table.schema.field(index).type))


def record(store: Store, merged: Merged, *, run: int, now: int) -> None:
    """Puts what a run found into the state; to be called inside a transaction."""
    connection = store.connection
    by_id = {f.campaign_id: f for f in merged.detection.findings}
    for old, new in sorted(merged.merged.items()):
        connection.execute(
            "UPDATE campaigns SET merged_into = ?, status = 'quiet', changed = ? WHERE campaign = ?", (new, run, old)
        )
        note_event(connection, old, "merged", new, at=now, run=run)
        if store.rows("SELECT tier FROM campaigns WHERE campaign = ?", old)[0]["tier"] == "watch":
            continue  # what was never for review lends a campaign neither accounts nor templates
        for table, columns in (
            ("members", "account, first_run, last_run, membership, attributed"),
            ("signatures", "signature, words, first_run, last_run"),
            ("campaign_days", "day, prompts"),
        ):
            connection.execute(
                f"INSERT OR IGNORE INTO {table} (campaign, {columns}) "
                f"SELECT ?, {columns} FROM {table} WHERE campaign = ?",
                (new, old),
            )
    for change in merged.changes:
        finding = by_id.get(change.campaign_id)
        _put(store, change, finding, merged.split_from.get(change.campaign_id), run, now)
    for one in merged.detection.attributed:
        connection.execute(
            "INSERT INTO members VALUES (?, ?, ?, ?, 0, 1) ON CONFLICT (campaign, account) DO UPDATE SET last_run = ?",
            (merged.merged.get(one.campaign_id, one.campaign_id), one.account, run, run, run),
        )


def _put(store: Store, change: Change, finding: Finding | None, split: str | None, run: int, now: int) -> None:
    campaign, connection = change.campaign_id, store.connection
    row = next(iter(store.rows("SELECT * FROM campaigns WHERE campaign = ?", campaign)), None)
    before = {} if row is None else json.loads(row["finding"])
    marked = row is None or change.grown or change.tier != change.previous_tier
    told = {
        "first_seen": _least(before.get("first_seen"), change.first_seen),
        "last_seen": max((t for t in (before.get("last_seen"), change.last_seen) if t is not None), default=None),
        "active": max((t for t in (before.get("active"), change.active) if t is not None), default=None),
        "prompts": max(before.get("prompts", 0), change.prompts),
        "summary": change.summary,
        "mark": change.accounts if marked else before["mark"],
    }
    raw = json.dumps(told)
    if row is None:
        connection.execute(
            "INSERT INTO campaigns VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?)",
            (campaign, run, now, change.tier, change.status, run, split, raw),
        )
        note_event(
            connection, at=now, run=run, campaign=campaign, what="new" if split is None else "split", detail=split or ""
        )
    else:
        if change.tier != row["tier"]:
            note_event(
                connection, at=now, run=run, campaign=campaign, what="tier", detail=f"{row['tier']} to {change.tier}"
            )
        if change.status != row["status"]:
            note_event(
                connection,
                at=now,
                run=run,
                campaign=campaign,
                what="status",
                detail=f"{row['status']} to {change.status}",
            )
        changed = run if (change.tier, change.status) != (row["tier"], row["status"]) else row["changed"]
        connection.execute(
            "UPDATE campaigns SET tier = ?, status = ?, changed = ?, finding = ? WHERE campaign = ?",
            (change.tier, change.status, changed, raw, campaign),
        )
    score = None if finding is None else (finding.score, finding.q_value)
    connection.execute(
        "INSERT OR REPLACE INTO campaign_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            campaign, run, change.status, change.tier if change.found else None, *(score or (None, None)),
            change.accounts, change.new_accounts, change.prompts, change.last_seen,
        ),
    )  # fmt: skip
    if finding is None:
        return
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
