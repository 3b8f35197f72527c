"""Gives the findings of a run the ids of the campaigns that a state knows, and says what changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.data import TIERS, Attributed, Detection, Finding, Standing, Status, Tier
from harvestdetect.judge.caps import BENIGN_CAP, benign_verdict
from harvestdetect.judge.triage import ends_finding
from harvestdetect.report.format import least_claimed, plural, probability
from harvestdetect.state.clearing import Clearing, standing_clearings
from harvestdetect.state.identity import Known, Seen, match, words_of
from harvestdetect.state.merges import Merged, merges
from harvestdetect.state.store import Store
from harvestdetect.state.verdicts import Verdict, standing_verdicts

__all__ = ["Change", "Reconciled", "reconcile"]

QUIET: Final = 3 * 86_400
"""Seconds before the end of the window: a campaign that was last active earlier is quiet."""
LEAST_ACTIVE: Final = 3
"""Accounts that must send for a campaign to be active. One or two may be strays, or people whose account was abused."""
GROWN: Final = 1.25
"""Growth of the number of accounts since the campaign last changed, as a ratio, from which it counts as changed."""
CHANGE_EXCERPT: Final = 200
"""Longest excerpt of a template in a change, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A campaign after a run, and what the state knew about it before."""

    campaign_id: str
    status: Status
    previous_status: Status | None
    """None if the campaign is new."""
    tier: Tier
    previous_tier: Tier | None
    """None if the campaign is new."""
    accounts: int
    new_accounts: int
    """Accounts that were not members in any earlier run."""
    prompts: int
    first_seen: int | None
    """Unix seconds of the first prompt."""
    last_seen: int | None
    """Unix seconds of the last prompt."""
    active: int | None
    """Unix seconds until which the campaign was active: at least :data:`LEAST_ACTIVE` accounts sent then or later."""
    summary: str
    grown: bool
    """Whether it has many more accounts than when it last changed, see :data:`GROWN`."""
    found: bool
    """Whether it is a finding of this run."""
    suppressed: bool
    """Whether the verdict in force is benign."""
    targets: tuple[str, ...] = ()
    """Capability targets."""
    excerpt: str = ""
    """Words of a template."""
    title: str = ""
    """Title of the finding; of a campaign that this run did not find, that of the last run that found it."""
    probability: str | None = None
    """That it is a campaign, in words, see :func:`harvestdetect.report.format.probability`; None if it is no finding of
    this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """A detection under the ids of a state, and what it changes there."""

    detection: Detection
    changes: tuple[Change, ...]
    """One for each campaign that the state knows after the run, without those merged into another."""
    split_from: Mapping[str, str]
    """New campaign -> the campaign that it was split off from."""
    merged_into: Mapping[str, str]
    """Known campaign -> the campaign that it was merged into."""
    notes: tuple[str, ...] = ()
    """Sentences about benign verdicts on merged campaigns; the detection has them too."""


def reconcile(store: Store, detection: Detection, *, now: int) -> Reconciled:
    """Gives the findings of a run the ids of known campaigns. It changes nothing in the state.

    Args:
        store: the state.
        detection: what the run found, under ids of its own.
        now: Unix seconds.
    """
    before = {row["campaign"]: row for row in store.rows("SELECT * FROM campaigns ORDER BY campaign")}
    verdicts = standing_verdicts(store, now=now)
    known = {name: _known(store, row, verdicts.get(name)) for name, row in before.items() if row["merged_into"] is None}
    # Accounts that filled the template of a campaign belong to it, even if the finding has a reworded template.
    senders: dict[str, list[Attributed]] = {name: [] for name in known}
    for account in detection.attributed:
        senders.setdefault(account.campaign_id, []).append(account)
    matched = match(
        [_seen(finding) for finding in detection.findings],
        [replace(one, accounts=one.accounts | {a.account for a in senders[name]}) for name, one in known.items()],
    )
    ids = _ids(detection.findings, matched.campaign, taken=set(before))
    split_from = {ids[i]: campaign for i, campaign in matched.split_from.items()}
    merged = merges(store, now=now, more=matched.merged)
    cleared = standing_clearings(store, more=matched.merged)
    end = detection.counts.get("last_seen")
    least = least_claimed(detection.ledger)
    changes, findings = [], []
    for finding, campaign in zip(detection.findings, ids, strict=True):
        row, verdict = before.get(campaign), verdicts.get(campaign)
        members = known[campaign].accounts if campaign in known else frozenset[str]()
        change = _change(finding, campaign, row, members, suppressed=_is_benign(verdict), end=end)
        if finding.probability == finding.probability:
            change = replace(change, probability=probability(finding.probability, least=least))
        changes.append(change)
        standing = Standing(
            status=change.status, detected=now if row is None else row["detected"], new_accounts=change.new_accounts,
            verdict="" if verdict is None else verdict.sentence,
            notes=_notes(split_from.get(campaign), merged.get(campaign, ()), set(matched.merged), verdict),
            fresh=_is_fresh(change, row),
        )  # fmt: skip
        renamed = replace(finding, campaign_id=campaign, standing=standing)
        findings.append(_limited(_with_cleared(renamed, cleared.get(campaign, {})), verdict))
    left = [one for name, one in known.items() if name not in matched.merged and name not in set(ids)]
    for one in left:
        suppressed = _is_benign(verdicts.get(one.campaign))
        changes.append(
            _change_of_absent(one, senders[one.campaign], before[one.campaign], suppressed=suppressed, end=end)
        )
    notes = tuple(
        one.sentence(campaign)
        for campaign in ids
        for one in merged.get(campaign, ())
        if one.warns(verdicts.get(campaign))
    )
    return Reconciled(
        detection=_renamed(replace(detection, notes=(*detection.notes, *notes)), findings, ids),
        changes=tuple(changes),
        split_from=split_from,
        merged_into=matched.merged,
        notes=notes,
    )


# ---------------------------------------------------------------- ids


def _seen(finding: Finding) -> Seen:
    return Seen(
        accounts=frozenset(m.account for m in finding.members),
        templates=tuple(words_of(t.words) for t in finding.templates),
    )


def _known(store: Store, row: sqlite3.Row, verdict: Verdict | None) -> Known:
    """What identifies a campaign, given its row and the verdict in force on it."""
    campaign = row["campaign"]
    accounts = store.rows("SELECT account FROM members WHERE campaign = ?", campaign)
    words = store.rows("SELECT words FROM signatures WHERE campaign = ?", campaign)
    return Known(
        campaign=campaign,
        accounts=frozenset(row["account"] for row in accounts),
        templates=tuple(words_of(json.loads(row["words"])) for row in words),
        detected=None if _is_benign(verdict) else row["detected"],
    )


def _ids(findings: Sequence[Finding], known: Sequence[str | None], *, taken: set[str]) -> list[str]:
    """The id of each finding: that of its known campaign, or its own, with a number if the state has that id already.

    Args:
        findings: of the run.
        known: the known campaign of each finding, or None.
        taken: all ids of the state.
    """
    ids: list[str] = []
    taken = set(taken)
    for finding, campaign in zip(findings, known, strict=True):
        identity = campaign
        if identity is None:
            identity, number = finding.campaign_id, 1
            while identity in taken:
                number += 1
                identity = f"{finding.campaign_id}-{number}"
            taken.add(identity)
        ids.append(identity)
    return ids


def _renamed(detection: Detection, findings: Sequence[Finding], ids: Sequence[str]) -> Detection:
    """The detection with its findings, candidates, prompts and signatures under the ids of the state."""
    tiers = {f.campaign_id: f.tier for f in findings}
    renamed = dict(zip([f.campaign_id for f in detection.findings], ids, strict=True))
    candidates = tuple(
        replace(c, campaign_id=renamed[c.campaign_id], tier=tiers[renamed[c.campaign_id]])
        if c.campaign_id in renamed
        else c
        for c in detection.candidates
    )
    ordered = tuple(sorted(findings, key=lambda f: TIERS.index(f.tier)))
    prompts = _renamed_prompts(detection.prompts, renamed)
    signatures = tuple(
        replace(fit, campaign_id=renamed[fit.campaign_id], tier=tiers[renamed[fit.campaign_id]])
        if fit.campaign_id in renamed
        else fit
        for fit in detection.signatures
    )
    return replace(detection, findings=ordered, candidates=candidates, prompts=prompts, signatures=signatures)


def _renamed_prompts(table: pa.Table | None, renamed: Mapping[str, str]) -> pa.Table | None:
    """``Detection.prompts`` under other campaign ids."""
    if table is None or not renamed or all(a == b for a, b in renamed.items()):
        return table
    column = table.column("campaign_id").cast(pa.string())
    old = pa.array(list(renamed), pa.string())
    new = pa.array(list(renamed.values()), pa.string())
    changed = pc.coalesce(pa.chunked_array([new]).take(pc.index_in(column, old)), column)
    index = table.schema.get_field_index("campaign_id")
    return table.set_column(index, table.schema.field(index), changed.cast(table.schema.field(index).type))


# ---------------------------------------------------------------- changes


def _change(
    finding: Finding,
    campaign: str,
    before: sqlite3.Row | None,
    members: frozenset[str],
    *,
    suppressed: bool,
    end: int | None,
) -> Change:
    """The change of a campaign that is a finding of this run.

    Args:
        finding: of the run.
        campaign: its id in the state.
        before: row of the campaign; None if it is new.
        members: accounts that were members in earlier runs.
        suppressed: whether the verdict in force is benign.
        end: Unix seconds of the newest prompt of the window.
    """
    excerpt = " … ".join(run for run in finding.templates[0].words if run)[:CHANGE_EXCERPT] if finding.templates else ""
    figures = None if before is None else json.loads(before["finding"])
    active = _active_until([m.last_seen for m in finding.members])
    sends = figures is None or _is_later(active, figures["active"])
    stopped = end is not None and active is not None and active < end - QUIET
    status: Status
    if before is None:
        status = "new"
    elif stopped:
        status = "quiet"
    elif sends:
        status = "back" if before["status"] == "quiet" else "growing"
    else:
        status = before["status"]
    return Change(
        campaign_id=campaign, status=status, previous_status=None if before is None else before["status"],
        tier=finding.tier, previous_tier=None if before is None else before["tier"],
        accounts=finding.accounts, new_accounts=sum(m.account not in members for m in finding.members),
        prompts=finding.prompts, first_seen=finding.first_seen, last_seen=finding.last_seen, active=active,
        summary=finding.summary, grown=figures is not None and finding.accounts >= GROWN * figures["mark"],
        found=True, suppressed=suppressed, targets=finding.capability_targets, excerpt=excerpt, title=finding.title,
    )  # fmt: skip


def _is_fresh(change: Change, before: sqlite3.Row | None) -> bool:
    """Whether the status of a campaign has its reason in this run: it is new, sends more, or has gone quiet.

    Args:
        change: of the run.
        before: row of the campaign; None if it is new.
    """
    if before is None:
        return True
    if change.status == "quiet":
        return bool(before["status"] != "quiet")
    return _is_later(change.active, json.loads(before["finding"])["active"])


def _change_of_absent(
    known: Known, senders: Sequence[Attributed], before: sqlite3.Row, *, suppressed: bool, end: int | None
) -> Change:
    """The change of a campaign that is no finding of this run.

    It is quiet, unless enough accounts still fill its templates.

    Args:
        known: the campaign.
        senders: accounts that filled its templates in this run.
        before: its row.
        suppressed: whether the verdict in force is benign.
        end: Unix seconds of the newest prompt of the window.
    """
    figures = json.loads(before["finding"])
    last = max([t for t in [figures["last_seen"], *(a.last_seen for a in senders)] if t is not None], default=None)
    active = _active_until([a.last_seen for a in senders]) if len(senders) >= LEAST_ACTIVE else None
    sends = _is_later(active, figures["active"])
    stopped = not sends and (end is None or figures["active"] is None or figures["active"] < end - QUIET)
    status: Status = before["status"]
    if sends:
        status = "back" if status == "quiet" else "growing"
    elif stopped:
        status = "quiet"
    return Change(
        campaign_id=known.campaign, status=status, previous_status=before["status"], tier=before["tier"],
        previous_tier=before["tier"], accounts=len(senders),
        new_accounts=sum(a.account not in known.accounts for a in senders),
        prompts=sum(a.prompts for a in senders), first_seen=figures["first_seen"], last_seen=last, active=active,
        summary=figures["summary"], grown=False, found=False, suppressed=suppressed, title=figures.get("title", ""),
    )  # fmt: skip


def _active_until(last: Sequence[int | None]) -> int | None:
    """When the :data:`LEAST_ACTIVE`-th last of some accounts sent its last prompt; of fewer accounts the first of them.

    Args:
        last: Unix seconds of the last prompt of each account, or None.
    """
    known = sorted((time for time in last if time is not None), reverse=True)
    return known[min(LEAST_ACTIVE, len(known)) - 1] if known else None


def _is_later(time: int | None, than: int | None) -> bool:
    return time is not None and (than is None or time > than)


# ---------------------------------------------------------------- findings


def _notes(split_from: str | None, merged: Sequence[Merged], new: set[str], verdict: Verdict | None) -> tuple[str, ...]:
    """What the state records about a split and about merges, a sentence each.

    A merge is told in its run. If the merged campaign was judged benign, later runs tell it too.

    Args:
        split_from: the campaign that it was split off from in this run; None if it was not.
        merged: the campaigns that were merged into it in any run.
        new: the campaigns that were merged in this run.
        verdict: the verdict in force on it.
    """
    notes = [] if split_from is None else [f"It was split off from {split_from}."]
    return (*notes, *(one.sentence() for one in merged if one.campaign_id in new or one.warns(verdict)))


def _is_benign(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.verdict == "benign"


def _with_cleared(finding: Finding, cleared: Mapping[str, Clearing]) -> Finding:
    """The finding, with no cleared account recommended for action. The reason stands before the others.

    Args:
        finding: of the run, with what the state knows about its campaign.
        cleared: account -> the clearing in force in the campaign.
    """
    count = sum(member.account in cleared for member in finding.members)
    if not count or finding.standing is None:
        return finding
    members = tuple(
        replace(member, recommended=False, reasons=(cleared[member.account].sentence, *member.reasons))
        if member.account in cleared
        else member
        for member in finding.members
    )
    are = "is" if count == 1 else "are"
    note = f"{plural(count, 'account')} that reviewers cleared {are} not recommended for action."
    standing = replace(finding.standing, notes=(*finding.standing.notes, note))
    return replace(finding, members=members, standing=standing)


def _limited(finding: Finding, verdict: Verdict | None) -> Finding:
    """The finding; at watch, with no account recommended for action, if its campaign is judged benign."""
    if verdict is None or verdict.verdict != "benign":
        return finding
    explanation = benign_verdict(verdict.sentence)
    members = tuple(replace(member, recommended=False) for member in finding.members)
    explanations = (*finding.benign_explanations, explanation)
    limited = replace(finding, tier=BENIGN_CAP, benign_explanations=explanations, members=members)
    return replace(limited, changes=_changes_under_verdict(finding))


def _changes_under_verdict(finding: Finding) -> tuple[str, ...]:
    """What would change the tier of a finding that a benign verdict holds at watch.

    No other rate or rule lifts it, so only the rates at which it would be no finding stay.
    """
    without = {"urgent": "urgent", "review": "at review", "watch": ""}[finding.tier]
    lifted = (f"It would be {without} without the verdict.",) if without else ()
    return (*lifted, *(change for change in finding.changes if ends_finding(change)))
