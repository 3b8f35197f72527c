"""What each channel was told, what it is still to be told, and the telling.

Two tables in a database of the caller's. ``outbox`` has a row per channel, run and campaign that was to be told; it is
kept, without its body, after it was sent, so that a run that is repeated tells nothing twice. ``told`` has what a
channel believes of a campaign. At most one alert waits per channel and campaign: a newer one takes the place of the
older. A condition of the runs themselves stands where a campaign stands, under an id that no campaign has.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from harvestdetect.alerts.decisions import BASELINE, Row, Told, condition_wanted, ends, merged, pointless, wanted
from harvestdetect.alerts.destinations import SendError, send
from harvestdetect.alerts.digest import digest_key, digest_record, digest_size
from harvestdetect.alerts.notices import condition_record, subject
from harvestdetect.alerts.render import bounded_id, record
from harvestdetect.alerts.stored import checked, decoded
from harvestdetect.alerts.values import About, Alert, Channel, Condition, Kind, PagerDuty
from harvestdetect.util.escape import json_text, visible

__all__ = ["Delivery", "Outbox", "create_tables", "forget_account", "mention"]

DAY: Final = 86_400.0
MAX_WAIT: Final = 30.0
"""Seconds between two attempts of one run, at most; a target that wants longer is left to the next run."""
MAX_FAILING: Final = 3
"""A channel that failed so many alerts in a row is left to the next run."""
LEAST_LATER: Final = 60.0
MOST_LATER: Final = 6 * 3_600.0
"""Seconds until the next run may try again."""
KEEP: Final = 90 * DAY
"""How long it is remembered that an alert was sent."""

TABLES: Final = (
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
"""``state``: waiting, sent, replaced, withdrawn, given up. ``reached``: the target may have got it. ``open``: the
channel believes that the campaign stands. ``owed``: something was given up that it should have been told."""
_ADDED: Final = (("outbox", "incident"), ("told", "incident"))
"""Columns of text that came after the tables. ``incident``: the key of the incident that a digest opened in PagerDuty;
NULL: that of the campaign."""


def create_tables(connection: sqlite3.Connection) -> None:
    """Makes the tables ``outbox`` and ``told`` where they are absent; commits nothing."""
    for statement in TABLES:
        connection.execute(statement)
    for table, column in _ADDED:
        if column not in [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT")


def forget_account(connection: sqlite3.Connection, account: str) -> int:
    """As :meth:`Outbox.forget_account`, for who has only the database."""
    return Outbox(connection).forget_account(account)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one alert when the outbox was delivered."""

    channel: str
    campaign_id: str
    run: str
    """The run that found it."""
    kind: Kind
    outcome: Literal["sent", "kept", "given up"]
    tries: int
    """Attempts so far, in all runs."""
    error: str | None = None
    """Why it was not sent: one line, without secrets, safe to print."""
    next_try: float | None = None
    """Unix seconds before which no run tries again; of what is kept."""


_COLUMNS: Final = "number, channel, run, campaign_id, key, kind, tier, closes, body, created, tries, reached, incident"


class Outbox:
    """Alerts on their way, in a database of the caller's that has the tables of :func:`create_tables`.

    :meth:`enqueue`, :meth:`forget` and :meth:`forget_account` are part of the caller's transaction where one is open,
    and one of their own otherwise. :meth:`deliver` commits after each alert.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    # ------------------------------------------------------------ what is to be told

    def enqueue(self, run: str | int, alerts: Iterable[Alert], channels: Sequence[Channel], now: float) -> int:
        """Stores what each channel has to be told after a run.

        A run that is repeated under the same id enqueues nothing twice.

        Args:
            run: id of the run, the same in every alert.
            alerts: one for each campaign that stands, and for each that is gone since the run before.
            channels: all that are configured.
            now: Unix seconds.

        Returns:
            How many alerts were stored, counted for each channel.

        Raises:
            ValueError: an alert is of another run.
        """
        stored = 0
        with self._transaction():
            for alert in alerts:
                if alert.run != str(run):
                    raise ValueError(f"an alert of the run {alert.run!r} among those of {str(run)!r}")
                stored += sum(self._enqueue(alert, channel, now) for channel in channels)
        return stored

    def enqueue_baseline(self, alerts: Iterable[Alert], channels: Sequence[Channel], now: float) -> int:
        """Notes campaigns as told without sending anything: a channel hears of them when they change.

        Args:
            alerts: one for each campaign that stands.
            channels: all that are configured.
            now: Unix seconds.

        Returns:
            How many campaigns some channel would have been told of.
        """
        kept = set()
        with self._transaction():
            for alert in alerts:
                campaign = bounded_id(alert.campaign_id)
                for channel in channels:
                    told = self._told(channel.name, campaign)
                    if ends(alert, channel, told, None) or not wanted(alert, channel, told, None, now):
                        continue
                    kept.add(campaign)
                    self._do(
                        "INSERT OR REPLACE INTO told (channel, campaign_id, kind, tier, run, at, open, owed)"
                        " VALUES (?, ?, ?, ?, ?, ?, 1, 0)",
                        (channel.name, campaign, BASELINE, alert.tier, bounded_id(alert.run), now),
                    )
        return len(kept)

    def enqueue_conditions(
        self,
        run: str,
        conditions: Iterable[Condition],
        channels: Sequence[Channel],
        now: float,
        *,
        folder: str,
        number: int | None,
        report: str | None = None,
    ) -> int:
        """Stores what each channel that asks for operations has to be told about a run itself.

        A condition is told when it begins, and when it has ended; while it stands nothing more is said, unless the
        channel has a ``repeat``.

        Args:
            run: id of the run, under which nothing is stored twice.
            conditions: all that the run knows of: those that stand, and those that do not.
            channels: all that are configured.
            now: Unix seconds at which the run started.
            folder: of the state, as it is shown.
            number: of the run; None where it failed before it had one.
            report: address of the report of the run.

        Returns:
            How many alerts were stored, counted for each channel.
        """
        stored = 0
        with self._transaction():
            for condition in conditions:
                for channel in channels:
                    pair = (channel.name, subject(condition.name))
                    if self._known(pair, run):
                        continue
                    waiting, told = self._waiting(pair), self._told(*pair)
                    if not condition_wanted(condition, channel, told, waiting, now):
                        if waiting is not None and not waiting.closes and not condition.standing:
                            self._finish(waiting.number, "withdrawn", now)
                        continue
                    body = condition_record(
                        condition, key=_key(channel.name, run, pair[1]), run=None if number is None else str(number),
                        run_started=int(now), folder=folder, report=report,
                    )  # fmt: skip
                    self._put(pair, run, body, waiting, now, closes=not condition.standing, incident=None)
                    stored += 1
        return stored

    def _enqueue(self, alert: Alert, channel: Channel, now: float) -> bool:
        campaign, run = bounded_id(alert.campaign_id), bounded_id(alert.run)
        pair = (channel.name, campaign)
        if self._known(pair, run):
            return False
        waiting, told = self._waiting(pair), self._told(*pair)
        if not wanted(alert, channel, told, waiting, now):
            if waiting is not None and pointless(alert, channel, told, waiting):
                self._finish(waiting.number, "withdrawn", now)
            return False
        body = record(alert, key=_key(channel.name, run, campaign), include_text=channel.include_text)
        closes = ends(alert, channel, told, waiting)
        if waiting is not None and not closes and not waiting.closes:
            body = merged(decoded(waiting.body), body)
        incident = told.incident if told is not None and told.open else None
        if waiting is not None and waiting.incident is not None:
            incident = waiting.incident
        self._put(pair, run, body, waiting, now, closes=closes, incident=incident)
        return True

    def _put(
        self,
        pair: tuple[str, str],
        run: str,
        body: Mapping[str, Any],
        waiting: Row | None,
        now: float,
        *,
        closes: bool,
        incident: str | None,
    ) -> None:
        """A new row, in the place of the one that waits."""
        if waiting is not None:
            self._finish(waiting.number, "replaced", now)
        self._do(
            "INSERT INTO outbox (channel, run, campaign_id, key, kind, tier, closes, state, body, created, next_try,"
            " reached, incident) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?)",
            (
                *(pair[0], run, pair[1], body["key"], body["kind"], body.get("tier", "review"), closes),
                *(json_text(body), waiting.created if waiting else now, now),
                *(waiting is not None and waiting.reached, incident),
            ),
        )

    def _known(self, pair: tuple[str, str], run: str) -> bool:
        return bool(self._all("SELECT 1 FROM outbox WHERE channel = ? AND campaign_id = ? AND run = ?", (*pair, run)))

    def _waiting(self, pair: tuple[str, str]) -> Row | None:
        found = self._rows("channel = ? AND campaign_id = ? AND state = 'waiting'", pair)
        return found[0] if found else None

    # ------------------------------------------------------------ the telling

    def deliver(
        self,
        channels: Sequence[Channel],
        now: float,
        *,
        about: Sequence[About] = ("campaigns", "operations"),
        report: str | None = None,
        attempts: int | None = None,
        seconds: float = 120.0,
        give_up_after: float = 7 * DAY,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> list[Delivery]:
        """Sends what is due, channel by channel, the oldest first.

        Args:
            channels: all that are configured; what waits for another one is kept until it is given up.
            now: Unix seconds.
            about: what is sent of; the rest waits.
            report: address of the report of this run, for digests.
            attempts: at most so many for one alert; None is what the channel says.
            seconds: for one channel; an attempt that has begun is not broken off for it.
            give_up_after: seconds after which an alert that cannot be sent is given up.
            clock: seconds that pass.
            sleep: waits some seconds.
            jitter: 0 to 1, by which attempts are spread.

        Returns:
            What became of each alert that was due. What is kept is tried again by the next call; what is given up is
            not, but the campaign is told again by the next run in which it stands.

        Raises:
            ValueError: a transaction is open.
        """
        if self._connection.in_transaction and getattr(self._connection, "autocommit", True) is not False:
            raise ValueError("deliver commits after each alert; commit or roll back what is open first")
        began = clock()
        done = [
            self._failed(row, SendError("its channel is not configured"), now, give_up_after, tries=0)
            for row in self._rows(
                f"state = 'waiting' AND created < ? AND channel NOT IN ({', '.join('?' * len(channels))})",
                (now - give_up_after, *(channel.name for channel in channels)),
            )
        ]
        for channel in channels:
            rows = [row for row in self._due(channel, now) if _about(row) in about]
            most = channel.retries + 1 if attempts is None else max(1, min(attempts, channel.retries + 1))
            left = _Left(clock=clock, sleep=sleep, jitter=jitter, until=clock() + seconds, ahead=now - began)
            done += self._deliver(channel, self._messages(channel, rows, report), left, most, give_up_after)
        with self._transaction():
            self._do("DELETE FROM outbox WHERE finished < ?", (now - KEEP,))
        self._commit()
        return done

    def _deliver(
        self, channel: Channel, messages: Sequence[_Message], left: _Left, most: int, give_up_after: float
    ) -> list[Delivery]:
        """Sends to one channel until its time is over or it fails too often."""
        done: list[Delivery] = []
        failing = 0
        for message in messages:
            if failing >= MAX_FAILING or left.clock() >= left.until:
                why = SendError(f"not tried: {'the channel fails' if failing >= MAX_FAILING else 'no time was left'}")
                done += [self._failed(row, why, left.now(), give_up_after, tries=0) for row in message.rows]
                continue
            if not self._begun(message, channel, left.now()):
                continue
            tries, error = left.attempts(channel, message, 1 if failing else most)
            if error is None:
                failing = 0
                done += [self._sent(row, left.now(), tries) for row in message.rows]
                continue
            failing = MAX_FAILING if (error.wait or 0) > MAX_WAIT else failing + 1
            done += [self._failed(row, error, left.now(), give_up_after, tries=tries) for row in message.rows]
        return done

    def _due(self, channel: Channel, now: float) -> list[Row]:
        return self._rows("state = 'waiting' AND next_try <= ? AND channel = ?", (now, channel.name))

    def _messages(self, channel: Channel, rows: Sequence[Row], report: str | None) -> list[_Message]:
        """What is sent for some rows: one message each, or digests where the channel wants them."""
        pages = isinstance(channel.target, PagerDuty)
        single = {row.number for row in rows if pages and (row.closes or self._has_incident(row))}
        may = [row for row in rows if _about(row) == "campaigns" and row.number not in single]
        if channel.digest_above is None or len(may) <= channel.digest_above or len(may) < 2:
            return [_alone(row, pages=pages) for row in rows]
        numbers = {row.number for row in may}
        messages = [_alone(row, pages=pages) for row in rows if row.number not in numbers]
        size = digest_size(channel.type)
        for first in range(0, len(may), size):
            part = may[first : first + size]
            if len(part) == 1:
                messages.append(_alone(part[0], pages=pages))
                continue
            key = digest_key(channel.name, [row.key for row in part])
            body = digest_record([decoded(row.body) for row in part], key=key, report=report)
            if pages:
                body["incident"] = next((row.incident for row in part if row.incident), f"digest-{key[:32]}")
            messages.append(_Message(rows=tuple(part), body=body, closes=False))
        return messages

    def _has_incident(self, row: Row) -> bool:
        """Whether a campaign has, or may have, an incident of its own: a digest would open another beside it."""
        if row.incident is not None:
            return False
        told = self._told(row.channel, row.campaign_id)
        return row.reached or (told is not None and told.open and told.incident is None and told.kind != BASELINE)

    def _begun(self, message: _Message, channel: Channel, at: float) -> bool:
        """Notes before the first attempt that the target may get the message; False: there is nothing to send."""
        incident = message.body.get("incident")
        if message.closes and incident is not None and self._shared(message.rows[0], incident):
            with self._transaction():  # other campaigns keep the incident open
                self._finish(message.rows[0].number, "withdrawn", at)
                self._tell(message.rows[0], at, owed=False)
            self._commit()
            return False
        with self._transaction():
            for row in message.rows:
                self._do(
                    "UPDATE outbox SET reached = 1, incident = coalesce(incident, ?) WHERE number = ?",
                    (incident if len(message.rows) > 1 else None, row.number),
                )
        self._commit()
        return True

    def _shared(self, row: Row, incident: str) -> bool:
        """Whether the incident of a digest still stands for another campaign."""
        mine = (row.channel, incident, row.campaign_id)
        told = "SELECT 1 FROM told WHERE channel = ? AND incident = ? AND campaign_id <> ? AND open = 1"
        waits = (
            "SELECT 1 FROM outbox WHERE channel = ? AND incident = ? AND campaign_id <> ? AND state = 'waiting'"
            " AND closes = 0"
        )
        return bool(self._all(told, mine) or self._all(waits, mine))

    def _sent(self, row: Row, at: float, tries: int) -> Delivery:
        with self._transaction():
            self._do("UPDATE outbox SET tries = ? WHERE number = ?", (row.tries + tries, row.number))
            self._finish(row.number, "sent", at)
            self._tell(row, at, owed=False)
        self._commit()
        return _delivery(row, "sent", row.tries + tries)

    def _failed(self, row: Row, error: SendError, at: float, give_up_after: float, *, tries: int) -> Delivery:
        """Keeps or gives up an alert that was tried so often; one that was not tried stays as it was."""
        said = str(error)
        total = row.tries + tries
        reached = row.reached or error.unsure
        if error.permanent or at - row.created >= give_up_after:
            with self._transaction():
                self._do("UPDATE outbox SET tries = ? WHERE number = ?", (total, row.number))
                self._finish(row.number, "given up", at, error=said)
                self._do(
                    "UPDATE told SET owed = 1 WHERE channel = ? AND campaign_id = ?", (row.channel, row.campaign_id)
                )
                if reached and not row.closes:
                    self._tell(row, at, owed=True)
            self._commit()
            days = (at - row.created) / DAY
            after = "" if error.permanent else f" (given up after {days:.0f} days)"
            return _delivery(row, "given up", total, error=said + after)
        if not tries:
            return _delivery(row, "kept", total, error=said, next_try=at)
        later = max(min(LEAST_LATER * 2 ** min(total - 1, 20), MOST_LATER), min(error.wait or 0.0, MOST_LATER))
        with self._transaction():
            self._do(
                "UPDATE outbox SET tries = ?, reached = ?, error = ?, next_try = ? WHERE number = ?",
                (total, reached, said, at + later, row.number),
            )
        self._commit()
        return _delivery(row, "kept", total, error=said, next_try=at + later)

    def pending(self) -> int:
        """How many alerts wait, also for channels that are no longer configured."""
        return int(self._all("SELECT count(*) FROM outbox WHERE state = 'waiting'")[0][0])

    # ------------------------------------------------------------ forgetting

    def forget(self, campaign_ids: Iterable[str]) -> int:
        """Removes all rows about some campaigns, and alerts that name them.

        Returns:
            How many rows were removed.
        """
        ids = {bounded_id(one) for one in campaign_ids}
        with self._transaction():
            removed = 0
            for campaign in ids:
                removed += self._do("DELETE FROM outbox WHERE campaign_id = ?", (campaign,))
                removed += self._do("DELETE FROM told WHERE campaign_id = ?", (campaign,))
            return removed + self._forget_mentions(ids)

    def forget_account(self, account: str) -> int:
        """Removes all alerts, and all answers of targets, that name an account.

        A campaign of which an alert was removed unsent is told again by the next run in which it stands.

        Returns:
            How many rows were removed.
        """
        with self._transaction():
            return self._forget_mentions({account})

    def _forget_mentions(self, names: Iterable[str]) -> int:
        pattern = mention(names)
        if pattern is None:
            return 0
        removed = 0
        held = self._all(
            "SELECT number, channel, campaign_id, state, body, error FROM outbox"
            " WHERE body IS NOT NULL OR error IS NOT NULL"
        )
        for number, channel, campaign, state, body, error in held:
            texts = [*(_texts(decoded(body)) if body else ()), error or ""]
            if not any(pattern.search(text) for text in texts):
                continue
            if state == "waiting":
                self._do("UPDATE told SET owed = 1 WHERE channel = ? AND campaign_id = ?", (channel, campaign))
            removed += self._do("DELETE FROM outbox WHERE number = ?", (number,))
        return removed

    # ------------------------------------------------------------ the database

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        return cursor.execute(statement, values).fetchall()

    def _do(self, statement: str, values: Sequence[Any] = ()) -> int:
        return self._connection.execute(statement, values).rowcount

    def _rows(self, where: str, values: Sequence[Any]) -> list[Row]:
        found = self._all(f"SELECT {_COLUMNS} FROM outbox WHERE {where} ORDER BY created, number", values)
        names = _COLUMNS.split(", ")
        rows = [dict(zip(names, values, strict=True)) for values in found]
        return [checked(row | {"closes": row["closes"] == 1, "reached": row["reached"] == 1}, Row) for row in rows]

    def _told(self, channel: str, campaign: str) -> Told | None:
        found = self._all(
            "SELECT kind, tier, at, open, owed, incident FROM told WHERE channel = ? AND campaign_id = ?",
            (channel, campaign),
        )
        if not found:
            return None
        kind, tier, at, stands, owed, incident = found[0]
        row = {"kind": kind, "tier": tier, "at": at, "open": stands == 1, "owed": owed == 1, "incident": incident}
        return checked(row, Told)

    def _tell(self, row: Row, at: float, *, owed: bool) -> None:
        self._do(
            "INSERT OR REPLACE INTO told (channel, campaign_id, kind, tier, run, at, open, owed, incident)"
            " SELECT channel, campaign_id, kind, tier, run, ?, ?, ?, incident FROM outbox WHERE number = ?",
            (at, not row.closes, owed, row.number),
        )

    def _finish(self, number: int, state: str, at: float, *, error: str | None = None) -> None:
        self._do(
            "UPDATE outbox SET state = ?, body = NULL, error = ?, finished = ? WHERE number = ?",
            (state, error, at, number),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing; commits only where the caller has no transaction open."""
        self._connection.execute("SAVEPOINT harvestdetect_alerts")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK TO harvestdetect_alerts")
                self._connection.execute("RELEASE harvestdetect_alerts")
            raise
        self._connection.execute("RELEASE harvestdetect_alerts")

    def _commit(self) -> None:
        if self._connection.in_transaction:
            self._connection.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """One message and the rows that it tells of."""

    rows: tuple[Row, ...]
    body: Mapping[str, Any]
    closes: bool


def _alone(row: Row, *, pages: bool) -> _Message:
    body = decoded(row.body)
    if pages and row.incident is not None:
        body["incident"] = row.incident
    return _Message(rows=(row,), body=body, closes=row.closes)


def _about(row: Row) -> About:
    return "operations" if row.kind == "operations" else "campaigns"


def _key(channel: str, run: str, campaign: str) -> str:
    return hashlib.sha256(json.dumps([channel, run, campaign]).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """The time that a channel has left in this run."""

    clock: Callable[[], float]
    sleep: Callable[[float], object]
    jitter: Callable[[], float]
    until: float
    ahead: float
    """What makes Unix seconds of the clock's."""

    def now(self) -> float:
        """Unix seconds."""
        return self.clock() + self.ahead

    def attempts(self, channel: Channel, message: _Message, most: int) -> tuple[int, SendError | None]:
        """Tries to send; how often, and the last error where none of it worked."""
        unsure = False
        for number in range(1, most + 1):
            try:
                send(channel, message.body, closes=message.closes, now=self.now())
            except SendError as error:
                unsure = error.unsure = error.unsure or unsure
                wait = max(min(MAX_WAIT, 2.0 ** (number - 1)) * (0.5 + self.jitter() / 2), error.wait or 0.0)
                if error.permanent or number == most or wait > MAX_WAIT or self.clock() + wait > self.until:
                    return number, error
                self.sleep(wait)
            else:
                return number, None
        raise AssertionError("at least one attempt is made")


def _delivery(
    row: Row,
    outcome: Literal["sent", "kept", "given up"],
    tries: int,
    *,
    error: str | None = None,
    next_try: float | None = None,
) -> Delivery:
    return Delivery(
        channel=row.channel,
        campaign_id=row.campaign_id,
        run=row.run,
        kind=row.kind,
        outcome=outcome,
        tries=tries,
        error=error,
        next_try=next_try,
    )


# ---------------------------------------------------------------- who is named


def mention(names: Iterable[str]) -> re.Pattern[str] | None:
    """Finds any of some names, not as part of a longer ASCII word; None where there is none to find."""
    held = {json.loads(json_text(name)) for name in names if name}
    written = held | {visible(name) for name in held} | {json_text(name)[1:-1] for name in held}
    written |= {json.dumps(name)[1:-1] for name in held}
    found = "|".join(re.escape(name) for name in sorted(written))
    return re.compile(f"(?<![A-Za-z0-9_])(?:{found})(?![A-Za-z0-9_])") if found else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
