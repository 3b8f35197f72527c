"""Decides whether a channel gets an alert, from its last alert and the one that waits for it. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harvestdetect.alerts.render import CHANGES
from harvestdetect.alerts.tables import LastAlert, QueuedAlert
from harvestdetect.alerts.values import Alert, Channel, Condition, PagerDuty
from harvestdetect.data import TIERS

__all__ = ["BASELINE", "closes", "combined", "is_obsolete", "should_send", "should_send_condition"]

REPEAT_SHARE: Final = 0.95
"""Share of ``repeat`` after which an alert is repeated. It is below 1 because runs do not start on the second."""
BASELINE: Final = "baseline"
"""``LastAlert.kind`` of a campaign that a first run recorded without an alert."""


def _waits_for_verdict(channel: Channel) -> bool:
    """Whether incidents of the channel stay open until somebody has given a verdict on the campaign."""
    return isinstance(channel.destination, PagerDuty) and channel.destination.resolve == "verdict"


def closes(alert: Alert, channel: Channel, last: LastAlert | None, queued: QueuedAlert | None) -> bool:
    """Whether the alert says that the campaign is gone, as far as the channel is concerned."""
    gone = alert.kind == "resolved" or TIERS.index(alert.tier) > TIERS.index(channel.tier)
    if not _waits_for_verdict(channel):
        return gone
    if alert.settled in ("benign", "merged"):
        return True
    if alert.settled != "harvest" or alert.settled_at is None or not (gone or alert.kind == "standing"):
        return False
    # A verdict covers earlier alerts. A campaign that grew or came back after it waits for another verdict.
    since = queued.created if queued is not None else last.at if last is not None and last.open else None
    return since is not None and alert.settled_at >= since


def should_send(alert: Alert, channel: Channel, last: LastAlert | None, queued: QueuedAlert | None, now: float) -> bool:
    """Whether a channel gets an alert on a campaign.

    Args:
        alert: the campaign after the run.
        channel: the channel.
        last: the last alert that it got on the campaign.
        queued: the alert on the campaign that waits to be sent to it.
        now: Unix seconds.
    """
    if "campaigns" not in channel.about:
        return False
    knows = last is not None and last.open and last.kind != BASELINE
    if closes(alert, channel, last, queued):
        return _should_send_end(alert, channel, last, queued, knows=knows)
    if _waits_for_verdict(channel) and _needs_no_attention(alert, channel, last):
        return False
    if alert.over:
        return False
    if alert.kind in ("new", "back") or channel.notify_on == "all":
        return True
    if queued is not None:
        return queued.closes or alert.kind == "changed" or queued.tier != alert.tier
    if last is None or last.owed:
        return True
    if channel.notify_on == "changed" and (alert.kind == "changed" or not last.open or last.tier != alert.tier):
        return True
    return _repeats(channel, last, now)


def _should_send_end(
    alert: Alert, channel: Channel, last: LastAlert | None, queued: QueuedAlert | None, *, knows: bool
) -> bool:
    """Whether a channel gets an alert that a campaign is gone. ``knows``: it got one that the campaign is there."""
    if isinstance(channel.destination, PagerDuty):
        return knows or (queued is not None and queued.reached)
    if alert.over:
        return False
    if alert.kind == "standing":
        return knows and last is not None and last.owed
    if queued is not None and not queued.closes:
        return True
    if not knows:
        return channel.notify_on == "all" and alert.kind == "resolved" and _reaches(alert, channel)
    return channel.notify_on != "new"


def _needs_no_attention(alert: Alert, channel: Channel, last: LastAlert | None) -> bool:
    """For a channel that waits for verdicts: whether the campaign is gone without one, or already has one."""
    if alert.kind == "resolved" or not _reaches(alert, channel):
        return True
    judged = alert.settled == "harvest" and (last is None or not last.open)
    return judged and alert.kind == "standing"


def _repeats(channel: Channel, last: LastAlert, now: float) -> bool:
    """Whether ``repeat`` of the channel has passed since its last alert."""
    return last.kind != BASELINE and channel.repeat is not None and now - last.at >= channel.repeat * REPEAT_SHARE


def _reaches(alert: Alert, channel: Channel) -> bool:
    """Whether the campaign is at the tier of the channel or above."""
    return TIERS.index(alert.tier) <= TIERS.index(channel.tier)


def is_obsolete(alert: Alert, channel: Channel, last: LastAlert | None, queued: QueuedAlert) -> bool:
    """Whether a waiting alert is no longer needed, because the incident ended before anybody was paged."""
    return isinstance(channel.destination, PagerDuty) and not queued.closes and closes(alert, channel, last, queued)


def should_send_condition(
    condition: Condition, channel: Channel, last: LastAlert | None, queued: QueuedAlert | None, now: float
) -> bool:
    """Whether a channel gets an alert on a condition: once when it begins, and once when it ends."""
    if "operations" not in channel.about:
        return False
    unsent = queued is not None and not queued.closes
    knows = last is not None and last.open
    if not condition.standing:
        if isinstance(channel.destination, PagerDuty):
            return knows or (queued is not None and queued.reached)
        return knows or unsent
    if unsent:
        return False
    return queued is not None or last is None or not last.open or last.owed or _repeats(channel, last, now)


def combined(older: Mapping[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """The newer of two records of a campaign, with what only the older one says."""
    kind = older["kind"] if older["kind"] in ("new", "back") or newer["kind"] == "standing" else newer["kind"]
    changes = list(dict.fromkeys([*older["changes"], *newer["changes"]]))
    return newer | {
        "kind": kind,
        "previous_tier": None if kind == "new" else older["previous_tier"] or newer["previous_tier"],
        "new_accounts": min(older["new_accounts"] + newer["new_accounts"], newer["accounts"]),
        "changes": changes[-CHANGES:],
    }
