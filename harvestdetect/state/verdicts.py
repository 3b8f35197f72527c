"""Verdicts of reviewers on campaigns, with who gave them and when. They can be undone and are never deleted."""

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
"""What a reviewer can say about a campaign."""
MAX_NOTE: Final = 2_000
"""Longest note, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A verdict on a campaign."""

    number: int
    """Number of the verdict in the state."""
    campaign_id: str
    verdict: VerdictName
    note: str
    reviewer: str
    at: int
    """Unix seconds at which it was given."""
    expires: int | None
    """Unix seconds at which it expires; None for never."""
    undone: int | None
    """Unix seconds at which it was undone; None if it was not."""
    tier: Tier
    """Tier of the campaign when the verdict was given."""

    @property
    def sentence(self) -> str:
        """The verdict as a sentence."""
        return self.on("it")

    def on(self, campaign: str) -> str:
        """The verdict as a sentence.

        Args:
            campaign: the name of the campaign in the sentence.
        """
        until = "" if self.expires is None else f" until {day(self.expires)}"
        note = f": {self.note}" if self.note else "."
        return f"{self.reviewer} judged {campaign} {self.verdict} on {day(self.at)}{until}{note}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Verdicts on the findings of a tier, by kind."""

    tier: Tier
    harvest: int
    benign: int
    unsure: int

    @property
    def precision(self) -> float | None:
        """Share of harvest among the verdicts harvest and benign; None without any."""
        judged = self.harvest + self.benign
        return self.harvest / judged if judged else None


def review(
    store: Store, campaign: str, verdict: VerdictName, *, note: str, reviewer: str, now: int, expires: int | None = None
) -> Verdict:
    """Gives a verdict on a campaign. The last verdict on a campaign is the one in force.

    Args:
        store: open for writing.
        campaign: id of the campaign.
        verdict: ``benign`` keeps the campaign at ``watch``, also if later runs identify it by accounts or template.
        note: reason for the verdict.
        reviewer: name of the reviewer.
        now: Unix seconds.
        expires: Unix seconds at which the verdict expires; None for never.

    Raises:
        UsageError: there is no such campaign or verdict, the note is too long, or a text is not UTF-8.
    """
    if verdict not in get_args(VerdictName):
        raise UsageError(f"the verdict must be one of {', '.join(get_args(VerdictName))}, got {verdict!r}")
    if len(note) > MAX_NOTE:
        raise UsageError(f"a note must have at most {MAX_NOTE:,} characters, got {len(note):,}")
    if expires is not None and expires <= now:
        raise UsageError("a verdict cannot expire before it is given")
    check_utf8(campaign=campaign, note=note, reviewer=reviewer)
    found = store.rows("SELECT tier, merged_into FROM campaigns WHERE campaign = ?", campaign)
    if not found:
        raise UsageError(f"the state knows no campaign {campaign!a}; list its campaigns with harvestdetect campaigns")
    if found[0]["merged_into"] is not None:
        raise UsageError(f"{campaign} was merged into {found[0]['merged_into']}; give the verdict on that campaign")
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO verdicts (campaign, verdict, note, reviewer, at, expires, tier) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (campaign, verdict, note, reviewer, now, expires, found[0]["tier"]),
        )
        note_event(connection, campaign, "verdict", f"{verdict} by {reviewer}", at=now)
    return verdicts(store, campaign=campaign)[-1]


def undo(store: Store, campaign: str, *, reviewer: str, now: int) -> Verdict:
    """Undoes the last verdict on a campaign. The one before it is in force again.

    Raises:
        UsageError: there is no verdict, or the name of the reviewer is not UTF-8.
    """
    check_utf8(reviewer=reviewer)
    given = [v for v in verdicts(store, campaign=campaign) if v.undone is None]
    if not given:
        raise UsageError(f"there is no verdict on {campaign!a} to undo")
    with store.transaction() as connection:
        connection.execute("UPDATE verdicts SET undone = ? WHERE verdict_id = ?", (now, given[-1].number))
        detail = f"{given[-1].verdict} of {given[-1].reviewer} undone by {reviewer}"
        note_event(connection, campaign, "verdict", detail, at=now)
    return verdicts(store, campaign=campaign, number=given[-1].number)[0]


def verdicts(store: Store, *, campaign: str | None = None, number: int | None = None) -> list[Verdict]:
    """All verdicts, including undone and expired ones, in the order in which they were given.

    Args:
        store: the state.
        campaign: only those on this campaign.
        number: only the one with this number.
    """
    return [
        Verdict(
            number=row["verdict_id"], campaign_id=row["campaign"], verdict=row["verdict"], note=row["note"],
            reviewer=row["reviewer"], at=row["at"], expires=row["expires"], undone=row["undone"], tier=row["tier"],
        )
        for row in store.rows("SELECT * FROM verdicts ORDER BY verdict_id")
        if campaign in (None, row["campaign"]) and number in (None, row["verdict_id"])
    ]  # fmt: skip


def standing_verdicts(store: Store, *, now: int) -> Mapping[str, Verdict]:
    """The verdict in force on each campaign that has one."""
    return {
        verdict.campaign_id: verdict
        for verdict in verdicts(store)
        if verdict.undone is None and (verdict.expires is None or verdict.expires > now)
    }


def precision(store: Store) -> list[Precision]:
    """Verdicts by tier at the time of the verdict. The last verdict on a campaign counts, even if it has expired."""
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
