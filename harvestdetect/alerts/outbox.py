"""The outbox: decides which alerts each channel gets, stores them, and delivers them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harvestdetect.alerts.decisions import (
    BASELINE,
    closes,
    combined,
    is_obsolete,
    should_send,
    should_send_condition,
)
from harvestdetect.alerts.delivery import Delivery, Limits, Timing, deliver
from harvestdetect.alerts.mentions import mention_pattern, texts_of
from harvestdetect.alerts.notices import condition_record, subject
from harvestdetect.alerts.render import alert_record, bounded_id
from harvestdetect.alerts.stored import decoded
from harvestdetect.alerts.tables import AlertTables
from harvestdetect.alerts.values import About, Alert, Channel, Condition, RunInfo

__all__ = ["Outbox", "WaitingAlerts", "forget_account"]


def forget_account(connection: sqlite3.Connection, account: str) -> int:
    """As :meth:`Outbox.forget_account`, for callers that have only the database."""
    return Outbox(connection).forget_account(account)


@dataclass(frozen=True, slots=True)
class WaitingAlerts:
    """The alerts that wait to be sent."""

    count: int = 0
    next_try: float | None = None
    """Unix seconds before which none of them is tried; None if none waits."""


class Outbox:
    """Alerts that are to be sent, in a database with the tables of :func:`harvestdetect.alerts.create_tables`.

    :meth:`enqueue`, :meth:`forget` and :meth:`forget_account` join the transaction of the caller if one is open, and
    commit on their own otherwise. :meth:`deliver` commits after each alert.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._tables = AlertTables(connection)

    # ------------------------------------------------------------ what to send

    def enqueue(self, run: str | int, alerts: Iterable[Alert], channels: Sequence[Channel], now: float) -> int:
        """Stores the alerts that each channel is to get after a run.

        A run that is repeated under the same id enqueues nothing twice.

        Args:
            run: id of the run, the same in every alert.
            alerts: one for each campaign that was found, and for each that is gone since the last run.
            channels: all configured channels.
            now: Unix seconds.

        Returns:
            The number of stored alerts, over all channels.

        Raises:
            ValueError: an alert is of another run.
        """
        stored = 0
        with self._tables.transaction():
            for alert in alerts:
                if alert.run != str(run):
                    raise ValueError(f"an alert of the run {alert.run!r} among those of {str(run)!r}")
                stored += sum(self._enqueue(alert, channel, now) for channel in channels)
        return stored

    def enqueue_baseline(self, alerts: Iterable[Alert], channels: Sequence[Channel], now: float) -> int:
        """Records campaigns as known without sending anything. A channel gets an alert when one of them changes.

        Args:
            alerts: one for each campaign that was found.
            channels: all configured channels.
            now: Unix seconds.

        Returns:
            The number of campaigns about which some channel would have got an alert.
        """
        recorded = set()
        with self._tables.transaction():
            for alert in alerts:
                campaign = bounded_id(alert.campaign_id)
                for channel in channels:
                    last = self._tables.last(channel.name, campaign)
                    if closes(alert, channel, last, None) or not should_send(alert, channel, last, None, now):
                        continue
                    recorded.add(campaign)
                    self._tables.execute(
                        "INSERT OR REPLACE INTO told (channel, campaign_id, kind, tier, run, at, open, owed)"
                        " VALUES (?, ?, ?, ?, ?, ?, 1, 0)",
                        (channel.name, campaign, BASELINE, alert.tier, bounded_id(alert.run), now),
                    )
        return len(recorded)

    def enqueue_conditions(
        self, run: str, conditions: Iterable[Condition], channels: Sequence[Channel], *, info: RunInfo
    ) -> int:
        """Stores the alerts about a run itself that each operations channel is to get.

        A channel gets an alert when a condition begins and when it ends. Between the two it gets one only if it has a
        ``repeat``.

        Args:
            run: id of the run, under which nothing is stored twice.
            conditions: all conditions that the run has checked, standing or not.
            channels: all configured channels.
            info: what the alerts say about the run.

        Returns:
            The number of stored alerts, over all channels.
        """
        stored, tables, now = 0, self._tables, float(info.started)
        with tables.transaction():
            for condition in conditions:
                for channel in channels:
                    about = (channel.name, subject(condition.name))
                    if tables.is_enqueued(*about, run):
                        continue
                    queued, last = tables.queued(*about), tables.last(*about)
                    if not should_send_condition(condition, channel, last, queued, now):
                        if queued is not None and not queued.closes and not condition.standing:
                            tables.finish(queued.number, "withdrawn", now)
                        continue
                    body = condition_record(condition, key=_key(channel.name, run, about[1]), info=info)
                    tables.enqueue(
                        about, run, body, replaces=queued, now=now, closes=not condition.standing, incident=None
                    )
                    stored += 1
        return stored

    def _enqueue(self, alert: Alert, channel: Channel, now: float) -> bool:
        """Stores one alert for one channel, if the channel is to get it."""
        tables = self._tables
        campaign, run = bounded_id(alert.campaign_id), bounded_id(alert.run)
        about = (channel.name, campaign)
        if tables.is_enqueued(*about, run):
            return False
        queued, last = tables.queued(*about), tables.last(*about)
        if not should_send(alert, channel, last, queued, now):
            if queued is not None and is_obsolete(alert, channel, last, queued):
                tables.finish(queued.number, "withdrawn", now)
            return False
        body = alert_record(alert, key=_key(channel.name, run, campaign), include_text=channel.include_text)
        gone = closes(alert, channel, last, queued)
        if queued is not None and not gone and not queued.closes:
            body = combined(decoded(queued.body), body)
        incident = last.incident if last is not None and last.open else None
        if queued is not None and queued.incident is not None:
            incident = queued.incident
        tables.enqueue(about, run, body, replaces=queued, now=now, closes=gone, incident=incident)
        return True

    # ------------------------------------------------------------ delivery

    def deliver(
        self,
        channels: Sequence[Channel],
        now: float,
        *,
        about: Sequence[About] = ("campaigns", "operations"),
        report: str | None = None,
        limits: Limits | None = None,
        timing: Timing | None = None,
    ) -> list[Delivery]:
        """Sends the alerts that are due, channel by channel, the oldest first.

        Args:
            channels: all configured channels. Alerts for other channels are kept until they are given up.
            now: Unix seconds.
            about: which alerts to send; the others wait.
            report: address of the report of this run, for digests.
            limits: how long and how often to try; None takes the defaults.
            timing: the clock; None is the clock of the machine.

        Returns:
            What became of each alert that was due. The next call tries an alert again that was kept. It does not try
            an alert again that was given up, but the next run that finds the campaign enqueues a new one.

        Raises:
            ValueError: a transaction is open.
        """
        connection = self._tables.connection
        if connection.in_transaction and getattr(connection, "autocommit", True) is not False:
            raise ValueError("deliver commits after each alert; commit or roll back the open transaction first")
        return deliver(
            self._tables, channels, now, about=about, report=report, limits=limits or Limits(),
            timing=timing or Timing(),
        )  # fmt: skip

    def hurry(self, now: float) -> None:
        """Makes all alerts that wait due.

        Args:
            now: Unix seconds.
        """
        with self._tables.transaction():
            self._tables.execute("UPDATE outbox SET next_try = ? WHERE state = 'waiting' AND next_try > ?", (now, now))

    def pending(self) -> int:
        """The number of alerts that wait, also for channels that are no longer configured."""
        return self.waiting().count

    def waiting(self) -> WaitingAlerts:
        """The alerts that wait, also for channels that are no longer configured, and when the next may be tried."""
        return WaitingAlerts(*self._tables.waiting())

    # ------------------------------------------------------------ forgetting

    def forget(self, campaign_ids: Iterable[str]) -> int:
        """Removes all rows about some campaigns, and all alerts that name them.

        Returns:
            The number of removed rows.
        """
        ids = {bounded_id(one) for one in campaign_ids}
        with self._tables.transaction():
            removed = 0
            for campaign in ids:
                removed += self._tables.execute("DELETE FROM outbox WHERE campaign_id = ?", (campaign,))
                removed += self._tables.execute("DELETE FROM told WHERE campaign_id = ?", (campaign,))
            return removed + self._forget_mentions(ids)

    def forget_account(self, account: str) -> int:
        """Removes all alerts, and all answers of destinations, that name an account.

        If an alert is removed before it was sent, the next run that finds its campaign enqueues a new one.

        Returns:
            The number of removed rows.
        """
        with self._tables.transaction():
            return self._forget_mentions({account})

    def _forget_mentions(self, names: Iterable[str]) -> int:
        pattern = mention_pattern(names)
        if pattern is None:
            return 0
        removed = 0
        found = self._tables.rows(
            "SELECT number, channel, campaign_id, state, body, error FROM outbox"
            " WHERE body IS NOT NULL OR error IS NOT NULL"
        )
        for number, channel, campaign, state, body, error in found:
            texts = [*(texts_of(decoded(body)) if body else ()), error or ""]
            if not any(pattern.search(text) for text in texts):
                continue
            if state == "waiting":
                self._tables.set_owed(channel, campaign)
            removed += self._tables.execute("DELETE FROM outbox WHERE number = ?", (number,))
        return removed


def _key(channel: str, run: str, campaign: str) -> str:
    """The idempotency key of an alert."""
    return hashlib.sha256(json.dumps([channel, run, campaign]).encode()).hexdigest()
