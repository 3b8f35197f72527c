"""The two tables behind the outbox, in a database of the caller.

``outbox`` has a row per channel, run and subject: a campaign, or a condition of the runs themselves under an id that no
campaign has. A row is kept, without its body, after the alert was sent, so that a repeated run sends nothing twice. At
most one alert per channel and subject waits: a newer one replaces the older one. ``told`` has the last alert that a
channel got about each subject.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from harvestdetect.alerts.stored import checked
from harvestdetect.alerts.values import Kind
from harvestdetect.data import Tier
from harvestdetect.util.escape import json_text

__all__ = ["AlertTables", "LastAlert", "QueuedAlert", "create_tables"]

_TABLES: Final = (
    """
    CREATE TABLE IF NOT EXISTS outbox (
        number INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        run TEXT NOT NULL,
        campaign_id TEXT NOT NULL,
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        tier TEXT NOT NULL,
        closes INTEGER NOT NULL,
        state TEXT NOT NULL,
        body TEXT,
        created REAL NOT NULL,
        next_try REAL NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        reached INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        finished REAL,
        UNIQUE (channel, run, campaign_id)
    )
    """,
    "CREATE UNIQUE INDEX IF NOT EXISTS outbox_waiting ON outbox (channel, campaign_id) WHERE state = 'waiting'",
    """
    CREATE TABLE IF NOT EXISTS told (
        channel TEXT NOT NULL,
        campaign_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        tier TEXT NOT NULL,
        run TEXT NOT NULL,
        at REAL NOT NULL,
        open INTEGER NOT NULL,
        owed INTEGER NOT NULL,
        PRIMARY KEY (channel, campaign_id)
    )
    """,
)
"""``outbox.state`` is waiting, sent, replaced, withdrawn or given up. ``outbox.reached`` is 1 if the destination may
have got the alert. The columns of ``told`` are the fields of :class:`LastAlert`."""
_ADDED: Final = (("outbox", "incident"), ("told", "incident"))
"""Table and name of text columns that older databases lack. ``incident`` is the key of the incident that a digest
opened in PagerDuty; NULL is the incident of the campaign itself."""
_COLUMNS: Final = "number, channel, run, campaign_id, key, kind, tier, closes, body, created, tries, reached, incident"
"""Columns of ``outbox`` that are the fields of :class:`QueuedAlert`."""


def create_tables(connection: sqlite3.Connection) -> None:
    """Creates the tables ``outbox`` and ``told`` if they are missing. Commits nothing."""
    for statement in _TABLES:
        connection.execute(statement)
    for table, column in _ADDED:
        if column not in [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT")


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAlert:
    """The last alert that a channel got about a campaign or condition."""

    kind: str
    tier: Tier
    at: float
    """Unix seconds."""
    open: bool
    """Whether the alert said that the campaign or condition is there, rather than gone."""
    owed: bool
    """Whether a later alert was given up, so that the channel missed something."""
    incident: str | None
    """Key of the PagerDuty incident that a digest opened for it; None for an incident of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedAlert:
    """An alert that waits to be sent."""

    number: int
    channel: str
    run: str
    campaign_id: str
    """The campaign, or the subject of a condition."""
    key: str
    kind: Kind
    tier: Tier
    closes: bool
    """Whether it says that the campaign or condition is gone."""
    body: str
    """The record as JSON."""
    created: float
    """Unix seconds."""
    tries: int
    """Attempts so far, in all runs."""
    reached: bool
    """Whether the destination may have got it."""
    incident: str | None
    """As in :class:`LastAlert`."""


class AlertTables:
    """Reads and writes the tables of :func:`create_tables`.

    Args:
        connection: of the caller. A change joins the open transaction of the caller if there is one.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    # ------------------------------------------------------------ reading

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query, as plain tuples."""
        cursor = self.connection.cursor()
        cursor.row_factory = None
        return cursor.execute(statement, values).fetchall()

    def is_enqueued(self, channel: str, campaign: str, run: str) -> bool:
        """Whether a run has enqueued an alert for a channel about a subject."""
        sql = "SELECT 1 FROM outbox WHERE channel = ? AND campaign_id = ? AND run = ?"
        return bool(self.rows(sql, (channel, campaign, run)))

    def queued(self, channel: str, campaign: str) -> QueuedAlert | None:
        """The alert for a channel about a subject that waits."""
        found = self.queued_alerts("channel = ? AND campaign_id = ? AND state = 'waiting'", (channel, campaign))
        return found[0] if found else None

    def queued_alerts(self, where: str, values: Sequence[Any]) -> list[QueuedAlert]:
        """Alerts that satisfy a condition in SQL, the oldest first.

        Raises:
            DamagedStateError: a row is not what was written.
        """
        found = self.rows(f"SELECT {_COLUMNS} FROM outbox WHERE {where} ORDER BY created, number", values)
        names = _COLUMNS.split(", ")
        rows = [dict(zip(names, one, strict=True)) for one in found]
        return [
            checked(row | {"closes": row["closes"] == 1, "reached": row["reached"] == 1}, QueuedAlert) for row in rows
        ]

    def due(self, channel: str, now: float) -> list[QueuedAlert]:
        """The alerts for a channel that may be tried now, the oldest first."""
        return self.queued_alerts("state = 'waiting' AND next_try <= ? AND channel = ?", (now, channel))

    def waiting(self) -> tuple[int, float | None]:
        """The number of alerts that wait, over all channels, and the Unix seconds of the next try."""
        count, at = self.rows("SELECT count(*), min(next_try) FROM outbox WHERE state = 'waiting'")[0]
        return int(count), None if at is None else float(at)

    def last(self, channel: str, campaign: str) -> LastAlert | None:
        """The last alert that a channel got about a subject; None if it got none.

        Raises:
            DamagedStateError: the row is not what was written.
        """
        found = self.rows(
            "SELECT kind, tier, at, open, owed, incident FROM told WHERE channel = ? AND campaign_id = ?",
            (channel, campaign),
        )
        if not found:
            return None
        kind, tier, at, stands, owed, incident = found[0]
        row = {"kind": kind, "tier": tier, "at": at, "open": stands == 1, "owed": owed == 1, "incident": incident}
        return checked(row, LastAlert)

    def is_shared(self, alert: QueuedAlert, incident: str) -> bool:
        """Whether the incident of a digest is also that of another campaign which is not gone."""
        values = (alert.channel, incident, alert.campaign_id)
        told = "SELECT 1 FROM told WHERE channel = ? AND incident = ? AND campaign_id <> ? AND open = 1"
        waiting = (
            "SELECT 1 FROM outbox WHERE channel = ? AND incident = ? AND campaign_id <> ? AND state = 'waiting'"
            " AND closes = 0"
        )
        return bool(self.rows(told, values) or self.rows(waiting, values))

    # ------------------------------------------------------------ writing

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Runs a statement and returns the number of rows that it changed."""
        return self.connection.execute(statement, values).rowcount

    def enqueue(
        self,
        subject: tuple[str, str],
        run: str,
        body: Mapping[str, Any],
        *,
        replaces: QueuedAlert | None,
        now: float,
        closes: bool,
        incident: str | None,
    ) -> None:
        """Adds an alert.

        Args:
            subject: channel and campaign.
            run: id of the run.
            body: the record.
            replaces: the alert that waits for the same subject, whose place this one takes.
            now: Unix seconds.
            closes: whether it says that the campaign or condition is gone.
            incident: key of the incident of a digest, or None.
        """
        if replaces is not None:
            self.finish(replaces.number, "replaced", now)
        channel, campaign = subject
        self.execute(
            "INSERT INTO outbox (channel, run, campaign_id, key, kind, tier, closes, state, body, created, next_try,"
            " reached, incident) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?)",
            (
                *(channel, run, campaign, body["key"], body["kind"], body.get("tier", "review"), closes),
                *(json_text(body), replaces.created if replaces else now, now),
                *(replaces is not None and replaces.reached, incident),
            ),
        )

    def finish(self, number: int, state: str, at: float, *, error: str | None = None) -> None:
        """Gives an alert its final state and drops its body."""
        self.execute(
            "UPDATE outbox SET state = ?, body = NULL, error = ?, finished = ? WHERE number = ?",
            (state, error, at, number),
        )

    def set_last(self, alert: QueuedAlert, at: float, *, owed: bool) -> None:
        """Records an alert as the last one that its channel got about its subject."""
        self.execute(
            "INSERT OR REPLACE INTO told (channel, campaign_id, kind, tier, run, at, open, owed, incident)"
            " SELECT channel, campaign_id, kind, tier, run, ?, ?, ?, incident FROM outbox WHERE number = ?",
            (at, not alert.closes, owed, alert.number),
        )

    def set_owed(self, channel: str, campaign: str) -> None:
        """Records that a channel missed an alert about a subject."""
        self.execute("UPDATE told SET owed = 1 WHERE channel = ? AND campaign_id = ?", (channel, campaign))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A savepoint: all or nothing. It commits only if the caller has no transaction open."""
        self.connection.execute("SAVEPOINT harvestdetect_alerts")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK TO harvestdetect_alerts")
                self.connection.execute("RELEASE harvestdetect_alerts")
            raise
        self.connection.execute("RELEASE harvestdetect_alerts")

    def commit(self) -> None:
        """Commits the open transaction, if there is one."""
        if self.connection.in_transaction:
            self.connection.commit()
