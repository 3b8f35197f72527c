"""What each channel was told, what it is still to be told, and the telling.

Two tables in a database of the caller's. ``outbox`` has a row per channel, run and campaign that was to be told; it is
kept, without its body, after it was sent, so that a run that is repeated tells nothing twice. ``told`` has what a
channel believes of a campaign. At most one alert waits per channel and campaign: a newer one takes the place of the
older.
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
from typing import Any, Final, Literal, TypeVar

import msgspec

from harvestdetect.alerts.channels import SendError, send
from harvestdetect.alerts.render import CHANGES, bounded_id, record
from harvestdetect.alerts.values import Alert, Channel, Kind, PagerDuty
from harvestdetect.data import TIERS, Tier
from harvestdetect.errors import DamagedStateError
from harvestdetect.report.escape import json_text, visible

__all__ = ["Delivery", "Outbox", "StoredAlert", "create_tables", "forget_account", "mention"]

DAY: Final = 86_400.0
REPEAT_SHARE: Final = 0.95
"""Of the period after which a campaign is told again: runs do not start on the second."""
MAX_WAIT: Final = 30.0
"""Seconds between two attempts of one run, at most; a target that wants longer is left to the next run."""
MAX_FAILING: Final = 3
"""A channel that failed so many alerts in a row is left to the next run."""
LEAST_LATER: Final = 60.0
MOST_LATER: Final = 6 * 3_600.0
"""Seconds until the next run may try again."""
LATEST: Final = 253_402_300_800.0
"""Unix seconds of the year 10,000: no time of an alert is as late."""
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


def create_tables(connection: sqlite3.Connection) -> None:
    """Makes the tables ``outbox`` and ``told`` where they are absent; commits nothing."""
    for statement in TABLES:
        connection.execute(statement)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    tier: Tier
    at: float
    open: bool
    owed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
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


_COLUMNS: Final = "number, channel, run, campaign_id, key, kind, tier, closes, body, created, tries, reached"


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

    def _enqueue(self, alert: Alert, channel: Channel, now: float) -> bool:
        campaign, run = bounded_id(alert.campaign_id), bounded_id(alert.run)
        pair = (channel.name, campaign)
        if self._all("SELECT 1 FROM outbox WHERE channel = ? AND campaign_id = ? AND run = ?", (*pair, run)):
            return False
        found = self._rows("channel = ? AND campaign_id = ? AND state = 'waiting'", pair)
        waiting = found[0] if found else None
        told = self._told(*pair)
        if not _wanted(alert, channel, told, waiting, now):
            if waiting is not None and _pointless(alert, channel, waiting):
                self._finish(waiting.number, "withdrawn", now)
            return False
        key = hashlib.sha256(json.dumps([channel.name, run, campaign]).encode()).hexdigest()
        body = record(alert, key=key, include_text=channel.include_text)
        closes = _closes(alert, channel)
        if waiting is not None:
            self._finish(waiting.number, "replaced", now)
            if not closes and not waiting.closes:
                body = _merged(_decoded(waiting.body), body)
        self._do(
            "INSERT INTO outbox (channel, run, campaign_id, key, kind, tier, closes, state, body, created, next_try,"
            " reached) VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?)",
            (
                *(channel.name, run, campaign, key, body["kind"], body["tier"], closes, json_text(body)),
                *(waiting.created if waiting else now, now, waiting is not None and waiting.reached),
            ),
        )
        return True

    # ------------------------------------------------------------ the telling

    def deliver(
        self,
        channels: Sequence[Channel],
        now: float,
        *,
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
            rows = self._rows("state = 'waiting' AND next_try <= ? AND channel = ?", (now, channel.name))
            most = channel.retries + 1 if attempts is None else max(1, min(attempts, channel.retries + 1))
            start, failing = clock(), 0
            for row in rows:
                at = now + clock() - began
                if failing >= MAX_FAILING or clock() - start >= seconds:
                    why = "the channel fails" if failing >= MAX_FAILING else "no time was left"
                    done.append(self._failed(row, SendError(f"not tried: {why}"), at, give_up_after, tries=0))
                    continue
                self._do("UPDATE outbox SET reached = 1 WHERE number = ?", (row.number,))
                self._commit()
                left = _Left(clock=clock, sleep=sleep, jitter=jitter, until=start + seconds, ahead=now - began)
                tries, error = left.attempts(channel, row, 1 if failing else most)
                at = now + clock() - began
                if error is None:
                    failing = 0
                    done.append(self._sent(row, at, tries))
                    continue
                failing = MAX_FAILING if (error.wait or 0) > MAX_WAIT else failing + 1
                done.append(self._failed(row, error, at, give_up_after, tries=tries))
        with self._transaction():
            self._do("DELETE FROM outbox WHERE finished < ?", (now - KEEP,))
        self._commit()
        return done

    def _sent(self, row: _Row, at: float, tries: int) -> Delivery:
        with self._transaction():
            self._do("UPDATE outbox SET tries = ? WHERE number = ?", (row.tries + tries, row.number))
            self._finish(row.number, "sent", at)
            self._tell(row, at, owed=False)
        self._commit()
        return _delivery(row, "sent", row.tries + tries)

    def _failed(self, row: _Row, error: SendError, at: float, give_up_after: float, *, tries: int) -> Delivery:
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
            texts = [*(_texts(_decoded(body)) if body else ()), error or ""]
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

    def _rows(self, where: str, values: Sequence[Any]) -> list[_Row]:
        found = self._all(f"SELECT {_COLUMNS} FROM outbox WHERE {where} ORDER BY created, number", values)
        names = _COLUMNS.split(", ")
        rows = [dict(zip(names, values, strict=True)) for values in found]
        return [_checked(row | {"closes": row["closes"] == 1, "reached": row["reached"] == 1}, _Row) for row in rows]

    def _told(self, channel: str, campaign: str) -> _Told | None:
        found = self._all(
            "SELECT tier, at, open, owed FROM told WHERE channel = ? AND campaign_id = ?", (channel, campaign)
        )
        if not found:
            return None
        tier, at, stands, owed = found[0]
        return _checked({"tier": tier, "at": at, "open": stands == 1, "owed": owed == 1}, _Told)

    def _tell(self, row: _Row, at: float, *, owed: bool) -> None:
        self._do(
            "INSERT OR REPLACE INTO told (channel, campaign_id, kind, tier, run, at, open, owed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (row.channel, row.campaign_id, row.kind, row.tier, row.run, at, not row.closes, owed),
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
class _Left:
    """The time that a channel has left in this run."""

    clock: Callable[[], float]
    sleep: Callable[[float], object]
    jitter: Callable[[], float]
    until: float
    ahead: float
    """What makes Unix seconds of the clock's."""

    def attempts(self, channel: Channel, row: _Row, most: int) -> tuple[int, SendError | None]:
        """Tries to send; how often, and the last error where none of it worked."""
        told = _decoded(row.body)
        unsure = False
        for number in range(1, most + 1):
            try:
                send(channel, told, closes=row.closes, now=self.clock() + self.ahead)
            except SendError as error:
                unsure = error.unsure = error.unsure or unsure
                wait = max(min(MAX_WAIT, 2.0 ** (number - 1)) * (0.5 + self.jitter() / 2), error.wait or 0.0)
                if error.permanent or number == most or wait > MAX_WAIT or self.clock() + wait > self.until:
                    return number, error
                self.sleep(wait)
            else:
                return number, None
        raise AssertionError("at least one attempt is made")


# ---------------------------------------------------------------- decisions


def _closes(alert: Alert, channel: Channel) -> bool:
    """Whether the campaign is gone, as far as the channel hears of it."""
    return alert.kind == "resolved" or TIERS.index(alert.tier) > TIERS.index(channel.tier)


def _wanted(alert: Alert, channel: Channel, told: _Told | None, waiting: _Row | None, now: float) -> bool:
    """Whether a channel is to hear of this, given what it was told and what waits for it."""
    unsent = waiting is not None and not waiting.closes
    if _closes(alert, channel):
        if isinstance(channel.target, PagerDuty):
            return (told is not None and told.open) or (waiting is not None and waiting.reached)
        if alert.kind == "standing":
            return told is not None and told.open and told.owed
        if unsent:
            return True
        if told is None or not told.open:
            return channel.notify_on == "all" and alert.kind == "resolved" and _reaches(alert, channel)
        return channel.notify_on != "new"
    if alert.kind in ("new", "back") or channel.notify_on == "all":
        return True
    if waiting is not None:
        return waiting.closes or alert.kind == "changed" or waiting.tier != alert.tier
    if told is None or told.owed:
        return True
    if channel.notify_on == "changed" and (alert.kind == "changed" or not told.open or told.tier != alert.tier):
        return True
    return channel.repeat is not None and now - told.at >= channel.repeat * REPEAT_SHARE


def _reaches(alert: Alert, channel: Channel) -> bool:
    return TIERS.index(alert.tier) <= TIERS.index(channel.tier)


def _pointless(alert: Alert, channel: Channel, waiting: _Row) -> bool:
    """Whether an alert that waits need not be sent any more: an incident over before anybody was paged."""
    return isinstance(channel.target, PagerDuty) and not waiting.closes and _closes(alert, channel)


def _merged(older: Mapping[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """The newer state, with what the older one would have told."""
    kind = older["kind"] if older["kind"] in ("new", "back") or newer["kind"] == "standing" else newer["kind"]
    changes = list(dict.fromkeys([*older["changes"], *newer["changes"]]))
    return newer | {
        "kind": kind,
        "previous_tier": None if kind == "new" else older["previous_tier"] or newer["previous_tier"],
        "new_accounts": min(older["new_accounts"] + newer["new_accounts"], newer["accounts"]),
        "changes": changes[-CHANGES:],
    }


def _delivery(
    row: _Row,
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


# ---------------------------------------------------------------- what is read


_DAMAGED: Final = "the state is damaged: {} is not what was written; harvestdetect state verify says what is wrong"
T = TypeVar("T")


class StoredAlert(msgspec.Struct, frozen=True, kw_only=True):
    """What every stored alert has, see :func:`harvestdetect.alerts.render.record`."""

    campaign_id: str
    kind: Kind
    tier: Tier
    previous_tier: Tier | None
    accounts: int
    new_accounts: int
    prompts: int
    first_seen: str | None
    last_seen: str | None
    summary: str
    changes: list[str]
    capability_targets: list[str]
    excerpt: str = ""


def _checked(values: Mapping[str, Any], kind: type[T]) -> T:
    """A row of one of the two tables, with the types and ranges that were written."""
    try:
        found = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise DamagedStateError(_DAMAGED.format(f"an alert ({error})")) from None
    for name in ("at", "created"):
        if not abs(values.get(name, 0.0)) < LATEST:
            raise DamagedStateError(_DAMAGED.format(f"an alert ({name} is out of range)"))
    return found


def _decoded(body: str) -> dict[str, Any]:
    """A stored alert as plain values."""
    try:
        msgspec.json.decode(body, type=StoredAlert)
        found: dict[str, Any] = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise DamagedStateError(_DAMAGED.format(f"a stored alert ({error})")) from None
    return found


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
