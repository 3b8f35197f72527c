"""The folder of a state: one database, the files of the window as they were prepared, vectors, neighbours.

::

    STATE/state.sqlite   files, runs, campaigns, verdicts, alerts (WAL; readers at any time)
    STATE/read/          files of dumps as they were prepared (:mod:`harvestdetect.shards`)
    STATE/vectors/       vectors by text (:mod:`harvestdetect.cache`)
    STATE/neighbors/     neighbours of the last run (:mod:`harvestdetect.work`)
    STATE/lock           held by the one process that changes anything

The database says what counts: a file that it does not name is left over from a run that was stopped. What a run finds
is put into it in one transaction at the end.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from harvestdetect.alerts import create_tables
from harvestdetect.errors import LockedError, StateError, UsageError
from harvestdetect.files import create_private, make_folder, set_modes, shared_with_group, sweep

__all__ = ["SCHEMA", "Store", "check_utf8", "note_event", "open_store"]

SCHEMA: Final = 2
DATABASE: Final = "state.sqlite"
_SHARED: Final = "shared_with_group"
"""Name in ``meta``: 1 where files of the state are shared with their group."""
_WAIT: Final = 30.0
"""Seconds to wait for another process that writes."""

_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE files (
    sha256 TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    rows INTEGER NOT NULL,
    rejects INTEGER NOT NULL,
    first_time INTEGER,
    last_time INTEGER,
    added INTEGER NOT NULL,
    latest_time INTEGER,
    state TEXT NOT NULL DEFAULT 'whole'
) STRICT;
CREATE TABLE past_files (
    sha256 TEXT PRIMARY KEY,
    last_time INTEGER,
    left_at INTEGER NOT NULL,
    name TEXT,
    added INTEGER,
    latest_time INTEGER,
    why TEXT NOT NULL DEFAULT 'window',
    superseded_by TEXT
) STRICT;
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    finished INTEGER,
    window_start INTEGER,
    window_end INTEGER,
    counts TEXT,
    settings TEXT,
    error TEXT,
    window_complete INTEGER
) STRICT;
CREATE TABLE campaigns (
    campaign TEXT PRIMARY KEY,
    first_run INTEGER NOT NULL,
    detected INTEGER NOT NULL,
    tier TEXT NOT NULL,
    status TEXT NOT NULL,
    changed INTEGER NOT NULL,
    merged_into TEXT,
    split_from TEXT,
    finding TEXT NOT NULL
) STRICT;
CREATE TABLE campaign_runs (
    campaign TEXT NOT NULL,
    run INTEGER NOT NULL,
    status TEXT NOT NULL,
    tier TEXT,
    score REAL,
    q_value REAL,
    accounts INTEGER NOT NULL,
    new_accounts INTEGER NOT NULL,
    prompts INTEGER NOT NULL,
    last_seen INTEGER,
    PRIMARY KEY (campaign, run)
) STRICT;
CREATE TABLE campaign_days (
    campaign TEXT NOT NULL,
    day TEXT NOT NULL,
    prompts INTEGER NOT NULL,
    PRIMARY KEY (campaign, day)
) STRICT;
CREATE TABLE members (
    campaign TEXT NOT NULL,
    account TEXT NOT NULL,
    first_run INTEGER NOT NULL,
    last_run INTEGER NOT NULL,
    membership REAL NOT NULL,
    attributed INTEGER NOT NULL,
    PRIMARY KEY (campaign, account)
) STRICT;
CREATE INDEX members_by_account ON members (account);
CREATE TABLE signatures (
    campaign TEXT NOT NULL,
    signature TEXT NOT NULL,
    words TEXT NOT NULL,
    first_run INTEGER NOT NULL,
    last_run INTEGER NOT NULL,
    PRIMARY KEY (campaign, signature)
) STRICT;
CREATE TABLE events (
    event INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    run INTEGER,
    campaign TEXT,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE TABLE verdicts (
    verdict_id INTEGER PRIMARY KEY,
    campaign TEXT NOT NULL,
    verdict TEXT NOT NULL,
    note TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    tier TEXT NOT NULL,
    at INTEGER NOT NULL,
    expires INTEGER,
    undone INTEGER
) STRICT;
"""
"""``files.last_time`` counts only times that the clock of the run allowed, ``latest_time`` all of them. ``files.state``
is ``whole``, or ``lost`` where the prepared file is missing or damaged. ``past_files.why`` is ``window`` or
``superseded``. ``runs.window_complete`` is 0 where a file of the window was lost."""
_MIGRATIONS: Final[dict[int, str]] = {
    1: """
ALTER TABLE files ADD COLUMN latest_time INTEGER;
ALTER TABLE files ADD COLUMN state TEXT NOT NULL DEFAULT 'whole';
ALTER TABLE past_files ADD COLUMN name TEXT;
ALTER TABLE past_files ADD COLUMN added INTEGER;
ALTER TABLE past_files ADD COLUMN latest_time INTEGER;
ALTER TABLE past_files ADD COLUMN why TEXT NOT NULL DEFAULT 'window';
ALTER TABLE past_files ADD COLUMN superseded_by TEXT;
ALTER TABLE runs ADD COLUMN window_complete INTEGER;
""",
}
"""Version -> what makes the next one of it."""


class Store:
    """An open state; its own context manager.

    Args:
        folder: the state.
        connection: to its database, in autocommit mode.
        lock: the handle that holds its lock; None: it is only read.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: int | None) -> None:
        self.folder = folder
        self.connection = connection
        self._lock = lock
        self._sharing = ExitStack()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def writable(self) -> bool:
        return self._lock is not None

    def close(self) -> None:
        """Closes the database and gives the lock back."""
        self.connection.close()
        self._sharing.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done inside, or nothing.

        Raises:
            StateError: the database cannot be written.
        """
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _failed(self.folder, error) from None

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """What a query gives.

        Raises:
            StateError: the database cannot be read.
        """
        try:
            return self.connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise _failed(self.folder, error) from None

    def share(self, group: bool | None) -> None:
        """Makes what is in the state and what comes into it private, or shares it with the group of its files.

        Args:
            group: None: as it was last time, at first private.
        """
        with suppress(sqlite3.Error):
            row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (_SHARED,)).fetchone()
            before = None if row is None else row["value"] == "1"
            wanted = bool(before) if group is None else group
            if wanted:
                self._sharing.enter_context(shared_with_group(self.folder))
            if wanted != before:
                set_modes(self.folder, itself=group is not None)
                self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_SHARED, "1" if wanted else "0"))

    def meta(self, name: str) -> str | None:
        found = self.rows("SELECT value FROM meta WHERE name = ?", name)
        return found[0]["value"] if found else None


def open_store(folder: Path, *, write: bool, make: bool = False, group: bool | None = None) -> Store:
    """Opens a state.

    Args:
        folder: of the state.
        write: take its lock; a state that is only read may change meanwhile.
        make: make a new one where there is none; only with ``write``.
        group: share it with the group of its files (modes 0660 and 0770), or no longer; None: as before. Only with
            ``write``.

    Raises:
        LockedError: another process has the lock.
        StateError: there is no state, or it is damaged, or of a newer version.
    """
    folder = Path(folder)
    file = folder / DATABASE
    if not file.exists() and not (make and write):
        raise StateError(f"there is no state in {folder}; harvestdetect scan --state makes one")
    try:
        make_folder(folder)
        lock = _locked(folder) if write else None
    except OSError as error:
        raise StateError(f"cannot use the folder {folder}: {error.strerror or error}") from None
    try:
        if write:
            _sweep(folder)
            with suppress(OSError):  # the connection says why
                create_private(folder / DATABASE)
        connection = _connected(folder, write=write)
    except BaseException:
        if lock is not None:
            os.close(lock)
        raise
    store = Store(folder, connection, lock)
    if write:
        store.share(group)
    return store


def _sweep(folder: Path) -> None:
    """Removes temporary files: whoever holds the lock of the state knows that killed runs have left them."""
    for place in (folder, *(path for path in folder.rglob("*") if path.is_dir() and path.suffix != ".tmp")):
        sweep(place)


def check_utf8(**texts: str) -> None:
    """Refuses what the database cannot hold: an argument of a command whose bytes are not UTF-8 has surrogates."""
    for name, text in texts.items():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the {name} must be UTF-8 text, got {text!a}") from None


def note_event(
    connection: sqlite3.Connection, campaign: str, what: str, detail: str, *, at: int, run: int | None = None
) -> None:
    """Notes what happened to a campaign; to be called inside a transaction."""
    connection.execute(
        "INSERT INTO events (at, run, campaign, what, detail) VALUES (?, ?, ?, ?, ?)", (at, run, campaign, what, detail)
    )


def _locked(folder: Path) -> int:
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 200).decode("utf-8", "replace").strip()
        os.close(handle)
        raise LockedError(f"{folder} is in use by {holder or 'another process'}; try again when it is done") from None
    os.ftruncate(handle, 0)
    os.write(handle, f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
    return handle


def _connected(folder: Path, *, write: bool) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(folder / DATABASE, timeout=_WAIT, isolation_level=None)
    except sqlite3.Error as error:
        raise _failed(folder, error) from None
    connection.row_factory = sqlite3.Row
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA:
            raise StateError(
                f"the state in {folder} was written by a newer version of harvestdetect (its schema is {version}, this "
                f"one knows up to {SCHEMA}); update harvestdetect"
            )
        if write:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            _migrate(connection, version)
        elif version < SCHEMA:
            raise StateError(
                f"the state in {folder} is of an older version; harvestdetect state gc brings it up to date"
            )
        else:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        connection.close()
        raise _failed(folder, error) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Brings the tables up to date, each version in one transaction."""
    while version < SCHEMA:
        # executescript would end a transaction that is open
        script, reached = (_MIGRATIONS[version], version + 1) if version else (_TABLES, SCHEMA)
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {reached};\nCOMMIT;")
        version = reached
    create_tables(connection)


def _failed(folder: Path, error: sqlite3.Error) -> StateError:
    if isinstance(error, sqlite3.OperationalError):
        return StateError(f"the state in {folder} cannot be used now: {error}")
    return StateError(
        f"{folder / DATABASE} is damaged ({error}); put back a copy, or start a new state from the dumps of the window"
    )
