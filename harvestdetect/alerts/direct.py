"""Sends messages at once, without a state that remembers them: test alerts, and failures without a usable state."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harvestdetect.alerts.destinations import SendError, send
from harvestdetect.alerts.notices import condition_record, trial_record
from harvestdetect.alerts.values import Channel, Condition, PagerDuty, RunInfo

__all__ = ["Sent", "send_conditions", "send_trial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The result of sending one message to a channel."""

    channel: str
    error: str | None
    """Why it was not sent: one line, without secrets, safe to print. None if it was sent."""


def send_trial(channels: Sequence[Channel], *, now: int, report: str | None = None) -> list[Sent]:
    """Sends a test alert through every channel, in one attempt each.

    In PagerDuty an incident is triggered and then resolved.

    Args:
        channels: where to send it, whatever their filters are.
        now: Unix seconds.
        report: address to show as that of the report.
    """
    done = []
    for channel in channels:
        record = trial_record(key=secrets.token_hex(32), now=now, report=report)
        error = _try(channel, record, now=now, closes=False)
        if error is None and isinstance(channel.destination, PagerDuty):
            error = _try(channel, record, now=now, closes=True)
            error = None if error is None else f"the incident was triggered but not resolved: {error}"
        done.append(Sent(channel=channel.name, error=error))
    return done


def send_conditions(
    conditions: Sequence[Condition],
    channels: Sequence[Channel],
    *,
    now: int,
    folder: str,
    sleep: Callable[[float], object] = time.sleep,
) -> list[Sent]:
    """Sends conditions to the operations channels without recording that they were sent.

    Args:
        conditions: those that stand.
        channels: all configured channels.
        now: Unix seconds.
        folder: folder of the state, for the messages.
        sleep: waits for some seconds between two attempts.
    """
    done = []
    for channel in channels:
        if "operations" not in channel.about:
            continue
        for condition in conditions:
            key = hashlib.sha256(json.dumps([channel.name, folder, condition.name, now]).encode()).hexdigest()
            record = condition_record(condition, key=key, info=RunInfo(run=None, started=now, folder=folder))
            for left in reversed(range(channel.retries + 1)):
                error = _try(channel, record, now=now, closes=False)
                if error is None or not left:
                    break
                sleep(2.0 ** (channel.retries - left))
            done.append(Sent(channel=channel.name, error=error))
    return done


def _try(channel: Channel, record: Mapping[str, Any], *, now: int, closes: bool) -> str | None:
    try:
        send(channel, record, closes=closes, now=now)
    except SendError as error:
        return str(error)
    return None
