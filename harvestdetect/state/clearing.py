"""Accounts that a reviewer cleared: innocent members of a campaign that is none the less one.

A cleared account stays a member, because it sent the prompts, but no later scan recommends it for action. Clearings
name who gave them and why. They can be taken back and are never deleted, except with the account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harvestdetect.errors import UsageError
from harvestdetect.report.format import day
from harvestdetect.state.store import Store, check_utf8, note_event
from harvestdetect.state.verdicts import MAX_NOTE

__all__ = ["Clearing", "clear", "clearings", "standing_clearings", "unclear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """That an account is no part of the operation behind a campaign."""

    number: int
    """Number of the clearing in the state."""
    campaign_id: str
    account: str
    note: str
    reviewer: str
    at: int
    """Unix seconds at which it was cleared."""
    undone: int | None
    """Unix seconds at which this was taken back; None if it was not."""

    @property
    def sentence(self) -> str:
        """The clearing as a sentence that does not name the account."""
        return f"{self.reviewer} cleared it on {day(self.at)}{f': {self.note}' if self.note else '.'}"


def clear(store: Store, campaign: str, account: str, *, note: str, reviewer: str, now: int) -> Clearing:
    """Clears a member of a campaign.

    Args:
        store: open for writing.
        campaign: id of the campaign.
        account: its id, or the pseudonym under which the state has it.
        note: reason.
        reviewer: name of the reviewer.
        now: Unix seconds.

    Raises:
        UsageError: there is no such campaign or member, it is cleared already, the note is too long, or a text is not
            UTF-8.
    """
    check_utf8(campaign=campaign, account=account, note=note, reviewer=reviewer)
    if len(note) > MAX_NOTE:
        raise UsageError(f"a note must have at most {MAX_NOTE:,} characters, got {len(note):,}")
    found = store.rows("SELECT merged_into FROM campaigns WHERE campaign = ?", campaign)
    if not found:
        raise UsageError(f"the state knows no campaign {campaign!a}; list its campaigns with harvestdetect campaigns")
    if found[0]["merged_into"] is not None:
        raise UsageError(f"{campaign} was merged into {found[0]['merged_into']}; clear the account in that campaign")
    if not store.rows("SELECT account FROM members WHERE campaign = ? AND account = ?", campaign, account):
        raise UsageError(
            f"{account[:80]!a} was never a member of {campaign}; harvestdetect campaigns STATE CAMPAIGN --accounts "
            "lists its accounts"
        )
    if account in standing_clearings(store).get(campaign, {}):
        raise UsageError(f"{account[:80]!a} is cleared in {campaign} already; take that back first with --unclear")
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO clearings (campaign, account, note, reviewer, at) VALUES (?, ?, ?, ?, ?)",
            (campaign, account, note, reviewer, now),
        )
        note_event(connection, campaign, "cleared", f"an account by {reviewer}", at=now)
    return clearings(store, campaign=campaign)[-1]


def unclear(store: Store, campaign: str, account: str, *, reviewer: str, now: int) -> Clearing:
    """Takes back that an account was cleared.

    Args:
        store: open for writing.
        campaign: id of the campaign.
        account: its id.
        reviewer: name of the reviewer.
        now: Unix seconds.

    Raises:
        UsageError: the account is not cleared in the campaign, or a text is not UTF-8.
    """
    check_utf8(campaign=campaign, account=account, reviewer=reviewer)
    standing = standing_clearings(store).get(campaign, {}).get(account)
    if standing is None:
        raise UsageError(f"{account[:80]!a} is not cleared in {campaign!a}, so there is nothing to take back")
    with store.transaction() as connection:
        connection.execute("UPDATE clearings SET undone = ? WHERE number = ?", (now, standing.number))
        note_event(connection, campaign, "cleared no more", f"an account by {reviewer}", at=now)
    return next(one for one in clearings(store) if one.number == standing.number)


def clearings(store: Store, *, campaign: str | None = None) -> list[Clearing]:
    """All clearings, including those taken back, in the order in which they were given.

    Args:
        store: the state.
        campaign: only those of this campaign.
    """
    return [
        Clearing(
            number=row["number"], campaign_id=row["campaign"], account=row["account"], note=row["note"],
            reviewer=row["reviewer"], at=row["at"], undone=row["undone"],
        )
        for row in store.rows("SELECT * FROM clearings ORDER BY number")
        if campaign in (None, row["campaign"])
    ]  # fmt: skip


def standing_clearings(store: Store, *, more: Mapping[str, str] | None = None) -> Mapping[str, Mapping[str, Clearing]]:
    """Campaign -> account -> the clearing in force. Those of a merged campaign count in the one that it went into.

    Args:
        store: the state.
        more: merges of this moment that the state does not have yet: campaign -> the campaign that it was merged into.
    """
    into = {
        row["campaign"]: row["merged_into"]
        for row in store.rows("SELECT campaign, merged_into FROM campaigns WHERE merged_into IS NOT NULL")
    } | dict(more or {})
    found: dict[str, dict[str, Clearing]] = {}
    for one in clearings(store):
        if one.undone is None:
            last, passed = one.campaign_id, {one.campaign_id}
            while (following := into.get(last)) is not None and following not in passed:
                last = following
                passed.add(last)
            found.setdefault(last, {})[one.account] = one
    return found
