"""Messages that go out at once, without a state that remembers them: tests, and failures that left no state to use."""

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
from harvestdetect.alerts.values import Channel, Condition, PagerDuty

__all__ = ["Sent", "send_conditions", "send_trial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of a message to a channel."""

    channel: str
    error: str | None
    """Why it was not sent: one line, without secrets, safe to print; None: it was sent."""


def send_trial(channels: Sequence[Channel], *, now: int, report: str | None = None) -> list[Sent]:
    """Sends a message that is marked as a test through every channel, once each.

    An incident of PagerDuty is triggered and then resolved.

    Args:
        channels: where to, whatever they want to hear of.
        now: Unix seconds.
        report: address that is shown as that of the report.
    """
    done = []
    for channel in channels:
        told = trial_record(key=secrets.token_hex(32), now=now, report=report)
        error = _tried(channel, told, now=now, closes=False)
        if error is None and isinstance(channel.target, PagerDuty):
            error = _tried(channel, told, now=now, closes=True)
            error = None if error is None else f"its incident was triggered and not resolved: {error}"
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
    """Sends conditions to the channels that ask for operations; nobody remembers that they were sent.

    Args:
        conditions: those that stand.
        channels: all that are configured.
        now: Unix seconds.
        folder: of the state, as it is shown.
        sleep: waits some seconds between two attempts.
    """
    done = []
    for channel in channels:
        if "operations" not in channel.about:
            continue
        for condition in conditions:
            key = hashlib.sha256(json.dumps([channel.name, folder, condition.name, now]).encode()).hexdigest()
            told = condition_record(condition, key=key, run=None, run_started=now, folder=folder, report=None)
            for left in reversed(range(channel.retries + 1)):
                error = _tried(channel, told, now=now, closes=False)
                if error is None or not left:
                    break
                sleep(2.0 ** (channel.retries - left))
            done.append(Sent(channel=channel.name, error=error))
    return done


def _tried(channel: Channel, told: Mapping[str, Any], *, now: int, closes: bool) -> str | None:
    try:
        send(channel, told, closes=closes, now=now)
    except SendError as error:
        return str(error)
    return None
