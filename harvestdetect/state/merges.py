"""Campaigns that were merged into others, with the verdicts on them, so that no verdict is lost with a merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harvestdetect.state.store import Store
from harvestdetect.state.verdicts import Verdict, standing_verdicts

__all__ = ["Merged", "merges"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A campaign that was merged into another one, directly or through further ones."""

    campaign_id: str
    at: int | None
    """Unix seconds of the merge; None if the state has lost them."""
    verdict: Verdict | None
    """The verdict in force on it."""

    def sentence(self, into: str = "it") -> str:
        """The merge as a sentence, with the verdict.

        Args:
            into: the name of the other campaign in the sentence.
        """
        said = f"{self.campaign_id} was merged into {into}"
        return f"{said}." if self.verdict is None else f"{said}; {self.verdict.on(self.campaign_id)}"

    def warns(self, verdict: Verdict | None) -> bool:
        """Whether it was judged benign and nobody has judged the other campaign since the merge.

        Args:
            verdict: in force on the other campaign; None without one.
        """
        if self.verdict is None or self.verdict.verdict != "benign":
            return False
        return verdict is None or self.at is None or verdict.at <= self.at


def merges(store: Store, *, now: int, more: Mapping[str, str] | None = None) -> Mapping[str, tuple[Merged, ...]]:
    """Campaign -> the campaigns that were merged into it, in the order of their ids.

    Args:
        store: the state.
        now: Unix seconds, for verdicts that expire.
        more: merges of this moment that the state does not have yet: campaign -> the campaign that it was merged into.
    """
    into = {
        row["campaign"]: row["merged_into"]
        for row in store.rows("SELECT campaign, merged_into FROM campaigns WHERE merged_into IS NOT NULL")
    } | dict(more or {})
    times: dict[str, int] = {
        row["campaign"]: row["at"] for row in store.rows("SELECT * FROM events WHERE what = 'merged' ORDER BY event")
    } | dict.fromkeys(more or {}, now)
    verdicts = standing_verdicts(store, now=now)
    found: dict[str, list[Merged]] = {}
    for campaign in sorted(into):
        last, at, passed = campaign, times.get(campaign), {campaign}
        while (following := into.get(last)) is not None and following not in passed:
            at = max((time for time in (at, times.get(last)) if time is not None), default=None)
            last = following
            passed.add(last)
        found.setdefault(last, []).append(Merged(campaign_id=campaign, at=at, verdict=verdicts.get(campaign)))
    return {campaign: tuple(merged) for campaign, merged in found.items()}
