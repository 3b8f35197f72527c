"""The folder of a state: one database, the files of the window as they were prepared, vectors, neighbours.

::

    STATE/state.sqlite   files, runs, campaigns, verdicts, alerts (WAL; readers at any time)
    STATE/read/          files of dumps as they were prepared (:mod:`harvestdetect.corpus.shards`)
    STATE/vectors/       vectors by text (:mod:`harvestdetect.store.vectors`)
    STATE/neighbors/     neighbours of the last run (:mod:`harvestdetect.store.tables`)
    STATE/search/        the index of the last search (:mod:`harvestdetect.search`), made from the prepared files
    STATE/aside/         what was damaged or is not named by the database: moved there, never deleted
    STATE/lock           locked by the one process that changes anything

The database says what counts, if it can be trusted: one that is empty, missing, of another program or broken while
prepared files are there makes the state *damaged*, and then nothing in the folder is changed. What a run finds is put
into the database in one transaction at the end.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from harvestdetect.corpus.shards import SUFFIX
from harvestdetect.errors import DamagedStateError, LockedError, StateError, UsageError
from harvestdetect.report.format import plural
from harvestdetect.state.rows import RowError, check_rows
from harvestdetect.state.schema import APPLICATION, SCHEMA, make_database, migrate
from harvestdetect.util.disk import reason_of
from harvestdetect.util.files import create_private, make_folder, set_modes, shared_with_group, sweep

__all__ = [
    "DATABASE",
    "DATABASE_ERRORS",
    "READ",
    "Store",
    "check_utf8",
    "damaged",
    "fault",
    "locked",
    "note_event",
    "open_store",
    "prepared_count",
]

DATABASE: Final = "state.sqlite"
READ: Final = "read"
"""Folder of the prepared files."""
_CORE: Final = frozenset({"meta", "files", "runs", "campaigns", "members", "verdicts"})
"""Tables that tell a database of ours without an application id from another program's."""
DATABASE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What a call of the database may raise. Python fails on a message of SQLite that quotes bytes which are not UTF-8."""
_BUSY: Final = frozenset(
    {
        *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
        *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_AUTH),
    }
)
"""Errors of SQLite that say nothing about the content of a database."""
_SHARED: Final = "shared_with_group"
"""Name in ``meta``: 1 where files of the state are shared with their group."""
_WAIT: Final = 30.0
"""Seconds to wait for another process that writes."""


class Store:
    """An open state; its own context manager.

    Args:
        folder: the state.
        connection: to its database, in autocommit mode.
        lock: the open handle of its lock; None: it is only read.
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
        """Closes the database and releases the lock."""
        self.connection.close()
        self._sharing.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def guarded(self) -> Iterator[sqlite3.Connection]:
        """Turns errors of the database into those of a state.

        Raises:
            DamagedStateError: the database is damaged.
            StateError: it cannot be used now.
        """
        try:
            yield self.connection
        except DATABASE_ERRORS as error:
            raise _failed(self.folder, error) from None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all changes inside are stored, or none.

        Raises:
            DamagedStateError: the database is damaged.
            StateError: the database cannot be written.
        """
        with self.guarded():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                with suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All queries inside see the same moment, whatever another process commits meanwhile.

        A snapshot inside a snapshot or a transaction is part of it. Keep it short: while it lasts, no process can write
        the log of the database back into it.

        Raises:
            DamagedStateError: the database is damaged.
            StateError: it cannot be used now.
        """
        if self.connection.in_transaction:
            yield
            return
        with self.guarded():
            self.connection.execute("BEGIN")
        try:
            yield
        finally:
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """The rows of a query, checked by :mod:`harvestdetect.state.rows`.

        Raises:
            DamagedStateError: the database is damaged, or a value is not what was written.
            StateError: the database cannot be read now.
        """
        with self.guarded():
            cursor = self.connection.execute(query, values)
            found = cursor.fetchall()
        try:
            check_rows(query, [column[0] for column in cursor.description or ()], found)
        except RowError as error:
            raise damaged(self.folder, str(error)) from None
        return found

    def share(self, group: bool | None) -> None:
        """Makes all files of the state, also later ones, private, or shares them with the group of its files.

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
        DamagedStateError: its database is empty, missing, of another program, or broken; nothing was changed.
        StateError: there is no state, or it is of a newer version, or cannot be used now.
    """
    folder = Path(folder)
    if not _has_database(folder) and not (make and write):
        raise _absent(folder)
    lock = locked(folder) if write else None
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
    """Removes temporary files: the process with the lock of the state knows that killed runs left them."""
    for place in (folder, *(path for path in folder.rglob("*") if path.is_dir() and path.suffix != ".tmp")):
        sweep(place)


def prepared_count(folder: Path) -> int:
    """The number of prepared files in a state, whether its database lists them or not."""
    return sum(1 for _ in (folder / READ).glob(f"*{SUFFIX}"))


def _has_database(folder: Path) -> bool:
    """Whether there is a database. If not, there is nothing, and a new state may begin.

    Raises:
        DamagedStateError: there was one.
    """
    file, wal = folder / DATABASE, folder / f"{DATABASE}-wal"
    try:
        # opening and closing the file here would drop the locks that SQLite has on it in this process
        size: int | None = file.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        size = None
    except OSError as error:
        raise StateError(f"cannot read {file}: {error.strerror or error}") from None
    if size:
        return True
    what = "is missing" if size is None else "is empty"
    if count := prepared_count(folder):
        raise damaged(folder, f"{DATABASE} {what}, and {READ}/ has {plural(count, 'prepared file')}")
    if any((folder / "aside").glob(f"*/{DATABASE}")):
        raise damaged(folder, f"{DATABASE} {what}, and an older one is in aside/")
    if wal.exists() and wal.stat().st_size:
        raise damaged(folder, f"{DATABASE} {what}, and {wal.name} is there without it")
    return False


def _absent(folder: Path) -> StateError:
    return StateError(f"there is no state in {folder}; harvestdetect scan --state makes one")


def check_utf8(**texts: str) -> None:
    """Refuses text that the database cannot store: arguments of a command that are not UTF-8 have surrogates."""
    for name, text in texts.items():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the {name} must be UTF-8 text, got {text!a}") from None


def note_event(
    connection: sqlite3.Connection, campaign: str, what: str, detail: str, *, at: int, run: int | None = None
) -> None:
    """Records what happened to a campaign. Call it inside a transaction."""
    connection.execute(
        "INSERT INTO events (at, run, campaign, what, detail) VALUES (?, ?, ?, ?, ?)", (at, run, campaign, what, detail)
    )


def locked(folder: Path) -> int:
    """Makes the folder of a state if it is missing, and takes its lock. Closing the returned handle releases the lock.

    Raises:
        LockedError: another process has the lock.
        StateError: the folder cannot be used.
    """
    try:
        make_folder(folder)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateError(f"cannot use the folder {folder}: {reason_of(error)}; name another one") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 200).decode("utf-8", "replace").strip()
        os.close(handle)
        raise LockedError(f"{folder} is in use by {holder or 'another process'}; try again when it is done") from None
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode())
    except OSError as error:
        os.close(handle)
        raise StateError(f"cannot use the folder {folder}: {error.strerror or error}") from None
    return handle


def _connected(folder: Path, *, write: bool) -> sqlite3.Connection:
    there = _has_database(folder)  # again, under the lock
    mode = "rwc" if write else "rw"
    if not write and there and _cannot_change(folder):
        mode = "ro&immutable=1"
    address = f"{(folder / DATABASE).absolute().as_uri()}?mode={mode}"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=_WAIT, isolation_level=None)
    except sqlite3.Error as error:
        raise _failed(folder, error) from None
    connection.row_factory = sqlite3.Row
    try:
        version = _version(connection, folder) if there else 0
        if write:
            if version:
                _check_pages(connection, folder)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            migrate(connection, version, prepared=folder / READ)
        elif not version:
            raise _absent(folder)
        elif version < SCHEMA:
            raise StateError(
                f"the state in {folder} is of an older version; harvestdetect state gc brings it up to date"
            )
        else:
            connection.execute("PRAGMA query_only = ON")
        _check_columns(connection, folder)
    except DATABASE_ERRORS as error:
        connection.close()
        raise _failed(folder, error) from None
    except OSError as error:
        connection.close()
        raise StateError(f"cannot bring the state in {folder} up to date: {error.strerror or error}") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _cannot_change(folder: Path) -> bool:
    """Whether a state is on a read-only file system, so that its database can be read without the files beside it.

    Raises:
        StateError: its log has changes that only a process that may write can read; or this process may not write into
            a folder that others may change.
    """
    try:
        fixed = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False
    if not fixed and os.access(folder, os.W_OK):
        return False
    wal = folder / f"{DATABASE}-wal"
    if fixed and not (wal.exists() and wal.stat().st_size):
        return True
    if not fixed and wal.exists() and (folder / f"{DATABASE}-shm").exists():
        return False  # SQLite can read beside the process that made them
    why = f"{wal.name} has changes that are not in {DATABASE} yet" if fixed else "you may not write into it"
    raise StateError(
        f"the state in {folder} cannot be read: {why}, and SQLite writes files beside a database that it reads. Read "
        "it as the user of the scans, or read a copy that you may write"
    )


def _version(connection: sqlite3.Connection, folder: Path) -> int:
    """The schema of a database; 0 if it has no tables yet.

    Raises:
        DamagedStateError: it is not ours, or it lost its tables.
        StateError: it was written by a newer version.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables and not version and application in (0, APPLICATION):
        if count := prepared_count(folder):
            raise damaged(folder, f"{DATABASE} has no tables, and {READ}/ has {plural(count, 'prepared file')}")
        return 0
    if application not in (0, APPLICATION) or not tables >= _CORE:
        raise damaged(folder, f"{DATABASE} is not a database of harvestdetect")
    if version > SCHEMA:
        raise StateError(
            f"the state in {folder} was written by a newer version of harvestdetect (its schema is {version}, this "
            f"one knows up to {SCHEMA}); update harvestdetect"
        )
    if version < 1:
        raise damaged(folder, f"{DATABASE} has tables of no known version")
    return version


def _check_pages(connection: sqlite3.Connection, folder: Path) -> None:
    """Refuses a database whose pages or indexes are damaged, before anything is written into it.

    An index that is damaged hides rows: a file that is there would be taken for a new one.
    """
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise damaged(folder, str(found).splitlines()[-1])


def _check_columns(connection: sqlite3.Connection, folder: Path) -> None:
    """Refuses a database that lacks one of our columns."""
    with closing(sqlite3.connect(":memory:")) as model:
        make_database(model)
        for (table,) in model.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            wanted, found = (
                {row[1] for row in c.execute("SELECT * FROM pragma_table_info(?)", (table,))}
                for c in (model, connection)
            )
            if missing := sorted(wanted - found):
                raise damaged(folder, f"{DATABASE} has no {table}.{missing[0]}")


def damaged(folder: Path, why: str) -> DamagedStateError:
    """The error that says what is damaged, and what to do."""
    return DamagedStateError(
        f"the state in {folder} is damaged: {why}. Nothing was changed. Put back a copy of {DATABASE}, or run "
        f"harvestdetect state rebuild {shlex.quote(str(folder))}"
    )


def _failed(folder: Path, error: Exception) -> StateError:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _BUSY:
        return StateError(f"the state in {folder} cannot be used now: {error}")
    return damaged(folder, fault(error))


def fault(error: Exception) -> str:
    """An error of the database in words."""
    code = getattr(error, "sqlite_errorcode", None)
    # without a code it is Python's own, and may quote the text
    return str(error) if code is not None else "a text in it is not UTF-8"
