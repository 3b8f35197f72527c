"""Sends the alerts that wait in the outbox, and records what became of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from harvestdetect.alerts.decisions import BASELINE
from harvestdetect.alerts.destinations import SendError, send
from harvestdetect.alerts.digest import digest_key, digest_record, digest_size
from harvestdetect.alerts.stored import decoded
from harvestdetect.alerts.tables import AlertTables, QueuedAlert
from harvestdetect.alerts.values import About, Channel, Kind, PagerDuty

__all__ = ["Delivery", "Limits", "Timing", "deliver"]

DAY: Final = 86_400.0
"""Seconds of a day."""
MAX_WAIT: Final = 30.0
"""Longest pause between two attempts of one run, in seconds. A destination that asks for more is left to the next
run."""
MAX_FAILING: Final = 3
"""Number of alerts that may fail in a row; then the channel is left to the next run."""
LEAST_LATER: Final = 60.0
"""Shortest time until the next run may try a failed alert again, in seconds. It doubles with every attempt."""
MOST_LATER: Final = 6 * 3_600.0
"""Longest time until the next run may try a failed alert again, in seconds."""
MAX_DOUBLINGS: Final = 20
"""Number of times that ``LEAST_LATER`` doubles at most, which keeps the power small."""
KEEP: Final = 90 * DAY
"""Time for which the outbox remembers an alert that was sent or given up, in seconds."""

Outcome: TypeAlias = Literal["sent", "kept", "given up"]
"""What became of an alert. ``kept``: a later run tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one alert when the outbox was delivered."""

    channel: str
    campaign_id: str
    run: str
    """The run that enqueued it."""
    kind: Kind
    outcome: Outcome
    tries: int
    """Attempts so far, in all runs."""
    error: str | None = None
    """Why it was not sent: one line, without secrets, safe to print."""
    next_try: float | None = None
    """Unix seconds before which no run tries again; only if the outcome is ``kept``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how often to try."""

    attempts: int | None = None
    """Most attempts for one alert in this run; None leaves it to the channel."""
    seconds: float = 120.0
    """Time for one channel, in seconds. An attempt that has begun is not interrupted."""
    give_up_after: float = 7 * DAY
    """Age in seconds from which an alert that cannot be sent is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The clock of a delivery; tests replace it."""

    clock: Callable[[], float] = time.monotonic
    """Seconds from any start, never going back."""
    sleep: Callable[[float], object] = time.sleep
    """Waits for some seconds."""
    jitter: Callable[[], float] = random.random
    """A number from 0 to 1 that spreads the attempts."""


def deliver(
    tables: AlertTables,
    channels: Sequence[Channel],
    now: float,
    *,
    about: Sequence[About],
    report: str | None,
    limits: Limits,
    timing: Timing,
) -> list[Delivery]:
    """Sends what is due; see :meth:`harvestdetect.alerts.Outbox.deliver`."""
    began = timing.clock()
    names = [channel.name for channel in channels]
    orphaned = tables.queued_alerts(
        f"state = 'waiting' AND created < ? AND channel NOT IN ({', '.join('?' * len(names))})",
        (now - limits.give_up_after, *names),
    )
    unknown = SendError("its channel is not configured")
    done = [_record_failure(tables, alert, unknown, at=now, limits=limits, tries=0) for alert in orphaned]
    for channel in channels:
        alerts = [alert for alert in tables.due(channel.name, now) if _about(alert) in about]
        until = timing.clock() + limits.seconds
        sender = _Sender(channel=channel, timing=timing, limits=limits, until=until, ahead=now - began)
        done += _deliver_to(sender, tables, _messages(tables, channel, alerts, report))
    with tables.transaction():
        tables.execute("DELETE FROM outbox WHERE finished < ?", (now - KEEP,))
    tables.commit()
    return done


# ---------------------------------------------------------------- messages


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """One message and the alerts in it."""

    alerts: tuple[QueuedAlert, ...]
    body: Mapping[str, Any]
    closes: bool


def _messages(
    tables: AlertTables, channel: Channel, alerts: Sequence[QueuedAlert], report: str | None
) -> list[_Message]:
    """The messages for some alerts: one each, or digests if the channel wants them."""
    pages = isinstance(channel.destination, PagerDuty)
    single = {alert.number for alert in alerts if pages and (alert.closes or _has_incident(tables, alert))}
    grouped = [alert for alert in alerts if _about(alert) == "campaigns" and alert.number not in single]
    if channel.digest_above is None or len(grouped) <= channel.digest_above or len(grouped) < 2:
        return [_single(alert, pages=pages) for alert in alerts]
    numbers = {alert.number for alert in grouped}
    messages = [_single(alert, pages=pages) for alert in alerts if alert.number not in numbers]
    size = digest_size(channel.type)
    for first in range(0, len(grouped), size):
        part = grouped[first : first + size]
        if len(part) == 1:
            messages.append(_single(part[0], pages=pages))
            continue
        key = digest_key(channel.name, [alert.key for alert in part])
        body = digest_record([decoded(alert.body) for alert in part], key=key, report=report)
        if pages:
            body["incident"] = next((alert.incident for alert in part if alert.incident), f"digest-{key[:32]}")
        messages.append(_Message(alerts=tuple(part), body=body, closes=False))
    return messages


def _single(alert: QueuedAlert, *, pages: bool) -> _Message:
    body = decoded(alert.body)
    if pages and alert.incident is not None:
        body["incident"] = alert.incident
    return _Message(alerts=(alert,), body=body, closes=alert.closes)


def _has_incident(tables: AlertTables, alert: QueuedAlert) -> bool:
    """Whether a campaign has, or may have, an incident of its own, beside which a digest would open another."""
    if alert.incident is not None:
        return False
    last = tables.last(alert.channel, alert.campaign_id)
    return alert.reached or (last is not None and last.open and last.incident is None and last.kind != BASELINE)


def _about(alert: QueuedAlert) -> About:
    return "operations" if alert.kind == "operations" else "campaigns"


# ---------------------------------------------------------------- sending


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sender:
    """Sends messages to one channel while its time lasts."""

    channel: Channel
    timing: Timing
    limits: Limits
    until: float
    """Time of the clock at which the channel has no time left."""
    ahead: float
    """Unix seconds minus the time of the clock."""

    def now(self) -> float:
        """Unix seconds."""
        return self.timing.clock() + self.ahead

    def is_late(self) -> bool:
        """Whether the time of the channel is over."""
        return self.timing.clock() >= self.until

    def attempts(self) -> int:
        """The most attempts for one alert in this run."""
        most = self.channel.retries + 1
        return most if self.limits.attempts is None else max(1, min(self.limits.attempts, most))

    def send(self, message: _Message, most: int) -> tuple[int, SendError | None]:
        """Tries to send a message.

        Args:
            message: to send.
            most: attempts, at least one.

        Returns:
            The number of attempts, and the last error if none succeeded.
        """
        unsure = False
        for number in range(1, most + 1):
            try:
                send(self.channel, message.body, closes=message.closes, now=self.now())
            except SendError as error:
                unsure = error.unsure = error.unsure or unsure
                pause = min(MAX_WAIT, 2.0 ** (number - 1)) * (0.5 + self.timing.jitter() / 2)
                wait = max(pause, error.wait or 0.0)
                late = self.timing.clock() + wait > self.until
                if error.permanent or number == most or wait > MAX_WAIT or late:
                    return number, error
                self.timing.sleep(wait)
            else:
                return number, None
        raise AssertionError("at least one attempt is made")


def _deliver_to(sender: _Sender, tables: AlertTables, messages: Sequence[_Message]) -> list[Delivery]:
    """Sends messages to one channel until its time is over or it fails too often."""
    done: list[Delivery] = []
    failing = 0
    limits = sender.limits
    for message in messages:
        if failing >= MAX_FAILING or sender.is_late():
            why = SendError(f"not tried: {'the channel fails' if failing >= MAX_FAILING else 'no time was left'}")
            at = sender.now()
            done += [_record_failure(tables, a, why, at=at, limits=limits, tries=0) for a in message.alerts]
            continue
        if not _record_attempt(tables, message, sender.now()):
            continue
        tries, error = sender.send(message, 1 if failing else sender.attempts())
        if error is None:
            failing = 0
            done += [_record_success(tables, alert, sender.now(), tries) for alert in message.alerts]
            continue
        failing = MAX_FAILING if (error.wait or 0) > MAX_WAIT else failing + 1
        at = sender.now()
        done += [_record_failure(tables, a, error, at=at, limits=limits, tries=tries) for a in message.alerts]
    return done


# ---------------------------------------------------------------- recording


def _record_attempt(tables: AlertTables, message: _Message, at: float) -> bool:
    """Records, before the first attempt, that the destination may get the message. False: there is nothing to send."""
    incident = message.body.get("incident")
    alert = message.alerts[0]
    if message.closes and incident is not None and tables.is_shared(alert, incident):
        with tables.transaction():  # other campaigns keep the incident open
            tables.finish(alert.number, "withdrawn", at)
            tables.set_last(alert, at, owed=False)
        tables.commit()
        return False
    with tables.transaction():
        for alert in message.alerts:
            tables.execute(
                "UPDATE outbox SET reached = 1, incident = coalesce(incident, ?) WHERE number = ?",
                (incident if len(message.alerts) > 1 else None, alert.number),
            )
    tables.commit()
    return True


def _record_success(tables: AlertTables, alert: QueuedAlert, at: float, tries: int) -> Delivery:
    with tables.transaction():
        tables.execute("UPDATE outbox SET tries = ? WHERE number = ?", (alert.tries + tries, alert.number))
        tables.finish(alert.number, "sent", at)
        tables.set_last(alert, at, owed=False)
    tables.commit()
    return _delivery(alert, "sent", alert.tries + tries)


def _record_failure(
    tables: AlertTables, alert: QueuedAlert, error: SendError, *, at: float, limits: Limits, tries: int
) -> Delivery:
    """Keeps an alert that could not be sent, or gives it up.

    Args:
        tables: with the alert.
        alert: the alert.
        error: why it was not sent.
        at: Unix seconds.
        limits: says from which age an alert is given up.
        tries: attempts in this run. With 0 an alert that is kept does not change.
    """
    total = alert.tries + tries
    reached = alert.reached or error.unsure
    if error.permanent or at - alert.created >= limits.give_up_after:
        with tables.transaction():
            tables.execute("UPDATE outbox SET tries = ? WHERE number = ?", (total, alert.number))
            tables.finish(alert.number, "given up", at, error=str(error))
            tables.set_owed(alert.channel, alert.campaign_id)
            if reached and not alert.closes:
                tables.set_last(alert, at, owed=True)
        tables.commit()
        days = (at - alert.created) / DAY
        after = "" if error.permanent else f" (given up after {days:.0f} days)"
        return _delivery(alert, "given up", total, error=f"{error}{after}")
    if not tries:
        return _delivery(alert, "kept", total, error=str(error), next_try=at)
    later = min(LEAST_LATER * 2 ** min(total - 1, MAX_DOUBLINGS), MOST_LATER)
    later = max(later, min(error.wait or 0.0, MOST_LATER))
    with tables.transaction():
        tables.execute(
            "UPDATE outbox SET tries = ?, reached = ?, error = ?, next_try = ? WHERE number = ?",
            (total, reached, str(error), at + later, alert.number),
        )
    tables.commit()
    return _delivery(alert, "kept", total, error=str(error), next_try=at + later)


def _delivery(
    alert: QueuedAlert, outcome: Outcome, tries: int, *, error: str | None = None, next_try: float | None = None
) -> Delivery:
    return Delivery(
        channel=alert.channel,
        campaign_id=alert.campaign_id,
        run=alert.run,
        kind=alert.kind,
        outcome=outcome,
        tries=tries,
        error=error,
        next_try=next_try,
    )
