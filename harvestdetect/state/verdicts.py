"""What analysts said of campaigns: kept with who and when, undone but never lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from harvestdetect.data import TIERS, Tier
from harvestdetect.errors import UsageError
from harvestdetect.report.format import day
from harvestdetect.state.store import Store, check_utf8, note_event

__all__ = ["Precision", "Verdict", "VerdictName", "precision", "review", "standing_verdicts", "undo", "verdicts"]

VerdictName: TypeAlias = Literal["harvest", "benign", "unsure"]
MAX_NOTE: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was said of a campaign."""

    number: int
    campaign_id: str
    verdict: VerdictName
    note: str
    reviewer: str
    at: int
    """Unix seconds."""
    expires: int | None
    """Unix seconds; None: never."""
    undone: int | None
    """When it was taken back."""
    tier: Tier
    """Of the campaign when it was judged."""

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        until = "" if self.expires is None else f" until {day(self.expires)}"
        note = f": {self.note}" if self.note else "."
        return f"{self.reviewer} judged it {self.verdict} on {day(self.at)}{until}{note}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How many of the findings of a tier were right, by the verdicts on them."""

    tier: Tier
    harvest: int
    benign: int
    unsure: int

    @property
    def precision(self) -> float | None:
        judged = self.harvest + self.benign
        return self.harvest / judged if judged else None


def review(
    store: Store, campaign: str, verdict: VerdictName, *, note: str, reviewer: str, now: int, expires: int | None = None
) -> Verdict:
    """Says what a campaign is. The last verdict on a campaign is the one that stands.

    Args:
        store: with its lock.
        campaign: its id.
        verdict: ``benign`` keeps it, and all that is told again as it by accounts or template, at ``watch``.
        note: why.
        reviewer: who says so.
        now: Unix seconds.
        expires: when it stops standing; None: never.

    Raises:
        UsageError: there is no such campaign or verdict, or the note is too long, or a text is not UTF-8.
    """
    if verdict not in get_args(VerdictName):
        raise UsageError(f"the verdict must be {', '.join(get_args(VerdictName))}, got {verdict!r}")
    if len(note) > MAX_NOTE:
        raise UsageError(f"a note has at most {MAX_NOTE:,} characters, got {len(note):,}")
    if expires is not None and expires <= now:
        raise UsageError("a verdict cannot expire before it is given")
    check_utf8(campaign=campaign, note=note, reviewer=reviewer)
    found = store.rows("SELECT tier, merged_into FROM campaigns WHERE campaign = ?", campaign)
    if not found:
        raise UsageError(f"the state knows no campaign {campaign!a}; harvestdetect campaigns lists them")
    if found[0]["merged_into"] is not None:
        raise UsageError(f"{campaign} became part of {found[0]['merged_into']}; judge that")
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO verdicts (campaign, verdict, note, reviewer, at, expires, tier) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (campaign, verdict, note, reviewer, now, expires, found[0]["tier"]),
        )
        note_event(connection, campaign, "verdict", f"{verdict} by {reviewer}", at=now)
    return verdicts(store, campaign=campaign)[-1]


def undo(store: Store, campaign: str, *, reviewer: str, now: int) -> Verdict:
    """Takes back the last verdict that stands on a campaign; the one before it stands again.

    Raises:
        UsageError: there is none, or the name of the reviewer is not UTF-8.
    """
    check_utf8(reviewer=reviewer)
    held = [v for v in verdicts(store, campaign=campaign) if v.undone is None]
    if not held:
        raise UsageError(f"there is no verdict on {campaign!a} to take back")
    with store.transaction() as connection:
        connection.execute("UPDATE verdicts SET undone = ? WHERE verdict_id = ?", (now, held[-1].number))
        said = f"{held[-1].verdict} of {held[-1].reviewer} taken back by {reviewer}"
        note_event(connection, campaign, "verdict", said, at=now)
    return verdicts(store, campaign=campaign, number=held[-1].number)[0]


def verdicts(store: Store, *, campaign: str | None = None, number: int | None = None) -> list[Verdict]:
    """All verdicts, those taken back and expired ones among them, in the order in which they were given."""
    return [
        Verdict(
            number=row["verdict_id"], campaign_id=row["campaign"], verdict=row["verdict"], note=row["note"],
            reviewer=row["reviewer"], at=row["at"], expires=row["expires"], undone=row["undone"], tier=row["tier"],
        )
        for row in store.rows("SELECT * FROM verdicts ORDER BY verdict_id")
        if campaign in (None, row["campaign"]) and number in (None, row["verdict_id"])
    ]  # fmt: skip


def standing_verdicts(store: Store, *, now: int) -> Mapping[str, Verdict]:
    """The verdict that stands on each campaign that has one."""
    return {
        verdict.campaign_id: verdict
        for verdict in verdicts(store)
        if verdict.undone is None and (verdict.expires is None or verdict.expires > now)
    }


def precision(store: Store) -> list[Precision]:
    """By tier at the time of the verdict; of several on a campaign the last counts, be it expired."""
    last = {v.campaign_id: v for v in verdicts(store) if v.undone is None}
    found = []
    for tier in TIERS:
        names = [v.verdict for v in last.values() if v.tier == tier]
        found.append(
            Precision(
                tier=tier, harvest=names.count("harvest"), benign=names.count("benign"), unsure=names.count("unsure")
            )
        )
    return found
