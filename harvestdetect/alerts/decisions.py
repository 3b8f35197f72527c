"""Whether a channel is to hear of something, given what it was told and what waits for it. Nothing is stored here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from harvestdetect.alerts.render import CHANGES
from harvestdetect.alerts.values import Alert, Channel, Condition, Kind, PagerDuty
from harvestdetect.data import TIERS, Tier

__all__ = [
    "BASELINE", "Row", "Told", "condition_wanted", "ends", "merged", "pointless", "waits_for_verdict", "wanted",
]  # fmt: skip

REPEAT_SHARE: Final = 0.95
"""Share of ``repeat`` after which a campaign is told again: runs do not start on the second."""
BASELINE: Final = "baseline"
"""``told.kind`` of what a first run found and sent no alert of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a channel was last told of a campaign or condition."""

    kind: str
    tier: Tier
    at: float
    """Unix seconds."""
    open: bool
    """Whether the channel believes that it stands."""
    owed: bool
    """Whether something was given up that it should have been told."""
    incident: str | None
    """Incident of PagerDuty that a digest opened for it; None: its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An alert that waits."""

    number: int
    channel: str
    run: str
    campaign_id: str
    key: str
    kind: Kind
    tier: Tier
    closes: bool
    body: str
    created: float
    tries: int
    reached: bool
    incident: str | None


def waits_for_verdict(channel: Channel) -> bool:
    """Whether an incident of the channel stays open until somebody has judged its campaign."""
    return isinstance(channel.target, PagerDuty) and channel.target.resolve == "verdict"


def ends(alert: Alert, channel: Channel, told: Told | None, waiting: Row | None) -> bool:
    """Whether the channel is told that the campaign is gone, or would be if it had ever heard of it."""
    gone = alert.kind == "resolved" or TIERS.index(alert.tier) > TIERS.index(channel.tier)
    if not waits_for_verdict(channel):
        return gone
    if alert.settled in ("benign", "merged"):
        return True
    if alert.settled != "harvest" or alert.settled_at is None or not (gone or alert.kind == "standing"):
        return False
    # A verdict settles what was told before it: a campaign that grew or came back since waits for another.
    since = waiting.created if waiting is not None else told.at if told is not None and told.open else None
    return since is not None and alert.settled_at >= since


def wanted(alert: Alert, channel: Channel, told: Told | None, waiting: Row | None, now: float) -> bool:
    """Whether a channel is to hear of a campaign.

    Args:
        alert: the state of the campaign.
        channel: the channel.
        told: what it was last told of the campaign.
        waiting: what waits to be sent to it about the campaign.
        now: Unix seconds.
    """
    if "campaigns" not in channel.about:
        return False
    heard = told is not None and told.open and told.kind != BASELINE
    if ends(alert, channel, told, waiting):
        return _end_wanted(alert, channel, told, waiting, heard=heard)
    if waits_for_verdict(channel) and _left_alone(alert, channel, told):
        return False
    if alert.over:
        return False
    if alert.kind in ("new", "back") or channel.notify_on == "all":
        return True
    if waiting is not None:
        return waiting.closes or alert.kind == "changed" or waiting.tier != alert.tier
    if told is None or told.owed:
        return True
    if channel.notify_on == "changed" and (alert.kind == "changed" or not told.open or told.tier != alert.tier):
        return True
    return _repeats(channel, told, now)


def _end_wanted(alert: Alert, channel: Channel, told: Told | None, waiting: Row | None, *, heard: bool) -> bool:
    if isinstance(channel.target, PagerDuty):
        return heard or (waiting is not None and waiting.reached)
    if alert.over:
        return False
    if alert.kind == "standing":
        return heard and told is not None and told.owed
    if waiting is not None and not waiting.closes:
        return True
    if not heard:
        return channel.notify_on == "all" and alert.kind == "resolved" and _reaches(alert, channel)
    return channel.notify_on != "new"


def _left_alone(alert: Alert, channel: Channel, told: Told | None) -> bool:
    """Of a channel that waits for verdicts: whether the campaign is over without one, or was judged already."""
    if alert.kind == "resolved" or not _reaches(alert, channel):
        return True
    judged = alert.settled == "harvest" and (told is None or not told.open)
    return judged and alert.kind == "standing"


def _repeats(channel: Channel, told: Told, now: float) -> bool:
    return told.kind != BASELINE and channel.repeat is not None and now - told.at >= channel.repeat * REPEAT_SHARE


def _reaches(alert: Alert, channel: Channel) -> bool:
    return TIERS.index(alert.tier) <= TIERS.index(channel.tier)


def pointless(alert: Alert, channel: Channel, told: Told | None, waiting: Row) -> bool:
    """Whether an alert that waits need not be sent any more: an incident over before anybody was paged."""
    return isinstance(channel.target, PagerDuty) and not waiting.closes and ends(alert, channel, told, waiting)


def condition_wanted(
    condition: Condition, channel: Channel, told: Told | None, waiting: Row | None, now: float
) -> bool:
    """Whether a channel is to hear of a condition: once when it begins, and once when it ends."""
    if "operations" not in channel.about:
        return False
    unsent = waiting is not None and not waiting.closes
    heard = told is not None and told.open
    if not condition.standing:
        if isinstance(channel.target, PagerDuty):
            return heard or (waiting is not None and waiting.reached)
        return heard or unsent
    if unsent:
        return False
    return waiting is not None or told is None or not told.open or told.owed or _repeats(channel, told, now)


def merged(older: Mapping[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """The newer state of a campaign, with what the older record would have told."""
    kind = older["kind"] if older["kind"] in ("new", "back") or newer["kind"] == "standing" else newer["kind"]
    changes = list(dict.fromkeys([*older["changes"], *newer["changes"]]))
    return newer | {
        "kind": kind,
        "previous_tier": None if kind == "new" else older["previous_tier"] or newer["previous_tier"],
        "new_accounts": min(older["new_accounts"] + newer["new_accounts"], newer["accounts"]),
        "changes": changes[-CHANGES:],
    }
