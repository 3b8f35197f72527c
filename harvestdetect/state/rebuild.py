"""Rebuilds the database of a state from its prepared files, and from what can still be read of the old one.

A prepared file says what it was read from, how it was cut, and when its prompts were sent; so the window comes back
whole, and the next scan judges it as before. Only the old database has what people said and what runs found:
every row of it that can be read and is as it was written is taken over. The old database is moved aside, never deleted.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from harvestdetect.corpus.block import Cutting
from harvestdetect.corpus.shard_file import Shard, opened
from harvestdetect.corpus.shards import SUFFIX, ShardFolder
from harvestdetect.data import NO_TIME
from harvestdetect.errors import SettingsError, StateError
from harvestdetect.report.format import plural
from harvestdetect.settings import Settings
from harvestdetect.state.clock import AHEAD_OF_NOW
from harvestdetect.state.cutting import CUTTING
from harvestdetect.state.rows import COLUMNS, RowError, check_rows
from harvestdetect.state.schema import APPLICATION, SCHEMA, make_database
from harvestdetect.state.store import DATABASE, DATABASE_ERRORS, READ, fault, locked, open_store
from harvestdetect.store.trust import DamagedFileError, move_aside
from harvestdetect.util.files import flush_to_disk

__all__ = ["Rebuilt", "rebuild"]

_PROBES: Final = 200_000
"""Row numbers that are looked up one by one between two rows that can be read."""
_OF_CAMPAIGNS: Final = ("campaign_runs", "campaign_days", "members", "signatures")
"""Tables that mean nothing without the campaign they name."""
_MEANING: Final = {
    "campaigns": "known campaigns: the next scan finds those of the window again, as new",
    "members": "accounts of campaigns",
    "signatures": "templates of campaigns",
    "campaign_runs": "what each run said of campaigns",
    "campaign_days": "prompts of campaigns by day",
    "events": "what happened to campaigns",
    "verdicts": "verdicts",
    "clearings": "which accounts were cleared",
    "runs": "runs",
    "past_files": "files that left the window: they are read again when they are scanned again",
    "outbox": "alerts that were sent or wait",
    "told": "what each alert channel knows: campaigns may be alerted again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What was recovered when a database was rebuilt."""

    files: int
    """Prepared files that are in the window again."""
    rows: int
    """Prompts in them."""
    lost_files: tuple[str, ...]
    """Names of files that the old database had, and that have no whole prepared file."""
    salvaged: Mapping[str, int]
    """Table -> rows of the old database that were taken over."""
    bad_rows: Mapping[str, int]
    """Table -> rows of the old database that could be read and were not as they were written."""
    unreadable: tuple[str, ...]
    """Tables of the old database that could not be read, or not completely."""
    aside: tuple[str, ...]
    """What was moved, relative to the state."""
    notes: tuple[str, ...]
    """What was assumed."""

    @property
    def sentences(self) -> list[str]:
        """The same in sentences."""
        said = [f"The state has {plural(self.files, 'prepared file')} with {plural(self.rows, 'prompt')}."]
        said += [f"{note}." for note in self.notes]
        if self.lost_files:
            said.append(f"Lost; scan these files again: {', '.join(self.lost_files)}.")
        back = [f"{self.salvaged[table]:,} rows of {table}" for table in _MEANING if self.salvaged.get(table)]
        said.append(f"Taken over from the old database: {', '.join(back) or 'nothing'}.")
        for table, what in _MEANING.items():
            if table in self.unreadable:
                kept = "in part" if self.salvaged.get(table) else "altogether"
                said.append(f"Lost {kept}: {what}.")
            elif self.bad_rows.get(table):
                said.append(f"Lost, {self.bad_rows[table]:,} damaged rows: {what}.")
        said += [f"Moved aside: {path}." for path in self.aside]
        return said


def rebuild(
    folder: str | Path,
    *,
    segment_characters: int | None = None,
    max_windows: int | None = None,
    now: int | None = None,
) -> Rebuilt:
    """Rebuilds the database of a state. Prepared files stay, damaged ones are moved aside, nothing is deleted.

    Args:
        folder: of the state.
        segment_characters: what the files were cut with; None: as the files or the old database say, or the default.
        max_windows: likewise.
        now: Unix seconds; None: the clock's.

    Raises:
        LockedError: another process has the lock.
        SettingsError: the files say that they were cut otherwise.
        StateError: there is nothing to make a database from, the old one is of a newer version, or the folder cannot
            be written.
        UnreadableError: a prepared file cannot be read now; nothing was changed.
    """
    folder = Path(folder)
    if not any((folder / READ).glob(f"*{SUFFIX}")) and not any(_databases(folder)):
        raise StateError(f"there is no state in {folder}: neither a database nor prepared files")
    lock = locked(folder)
    try:
        made = _Rebuild(folder, int(time.time()) if now is None else now)
        result = made.run({"segment_characters": segment_characters, "max_windows": max_windows})
    except OSError as error:
        raise StateError(f"cannot rebuild the database in {folder}: {error.strerror or error}") from None
    except sqlite3.Error as error:
        raise StateError(f"cannot rebuild the database in {folder}: {error}") from None
    finally:
        os.close(lock)
    open_store(folder, write=True).close()  # as every command opens it
    return result


def _databases(folder: Path) -> Iterator[Path]:
    """The database to salvage: that of the state; without one the newest that an interrupted rebuild moved aside."""
    file = folder / DATABASE
    if file.exists():
        yield file
        return
    yield from sorted((folder / "aside").glob(f"database-*/{DATABASE}"), reverse=True)[:1]


@dataclass(slots=True)
class _Old:
    """What was read from the old database."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    bad: dict[str, int] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


class _Rebuild:
    """The steps of :func:`rebuild`, under the lock."""

    def __init__(self, folder: Path, now: int) -> None:
        self.folder = folder
        self.now = now
        self.aside: list[str] = []
        self.notes: list[str] = []

    def run(self, asked: Mapping[str, int | None]) -> Rebuilt:
        work = Path(tempfile.mkdtemp(prefix="rebuild-", suffix=".tmp", dir=self.folder))
        try:
            old = self._old(work)
            whole, damaged = self._shards()
            cutting = self._cutting(asked, whole, old)
            for path in damaged:
                self._move(path, "damaged")
            files = self._files(whole, old, cutting)
            new = work / "new.sqlite"
            salvaged = _write(new, old, files, cutting)
            self._put(new)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return Rebuilt(
            files=sum(row["state"] == "whole" for row in files.values()),
            rows=sum(row["rows"] - row["rejects"] for row in files.values() if row["state"] == "whole"),
            lost_files=tuple(sorted(row["name"] for row in files.values() if row["state"] == "lost")),
            salvaged=salvaged, bad_rows=old.bad, unreadable=tuple(old.unreadable), aside=tuple(self.aside),
            notes=tuple(self.notes),
        )  # fmt: skip

    # ------------------------------------------------------------ the old database

    def _old(self, work: Path) -> _Old:
        """What can be read from the old database. A copy is read, because reading a database can change it."""
        old = _Old(unreadable=list(_MEANING))
        source = next(_databases(self.folder), None)
        if source is None or not source.stat().st_size:
            self.notes.append("The old database is missing or empty")
            return old
        for suffix in ("", "-wal", "-journal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{source}{suffix}", work / f"old.sqlite{suffix}")
        if source.parent != self.folder:
            self.notes.append(f"The old database is the one that was moved to {source.parent.relative_to(self.folder)}")
        try:
            with closing(sqlite3.connect(work / "old.sqlite", isolation_level=None)) as connection:
                connection.text_factory = bytes
                with suppress(*DATABASE_ERRORS):
                    connection.execute("PRAGMA writable_schema = ON")  # a damaged schema hides no other table
                _check_version(connection, self.folder)
                old.unreadable = [table for table in COLUMNS if not _salvage(connection, table, old)]
        except DATABASE_ERRORS as error:
            self.notes.append(f"The old database cannot be read ({fault(error)})")
        return old

    # ------------------------------------------------------------ the prepared files

    def _shards(self) -> tuple[dict[Path, Shard], list[Path]]:
        """Whole prepared files, closed, by path, including those that were moved aside; and damaged ones."""
        whole: dict[Path, Shard] = {}
        damaged = []
        inside = sorted((self.folder / READ).glob(f"*{SUFFIX}"))
        for path in [*inside, *sorted((self.folder / "aside").glob(f"*{SUFFIX}"))]:
            try:
                shard = opened(path)
            except DamagedFileError:
                damaged += [path] if path in inside else []
                continue
            whole[path] = shard
            shard.close()
        return whole, damaged

    def _cutting(self, asked: Mapping[str, int | None], whole: Mapping[Path, Shard], old: _Old) -> dict[str, int]:
        """The settings that the files were cut with: from the files, else from the old database, else the default."""
        said = {shard.cut for shard in whole.values() if shard.cut is not None}
        if len(said) > 1:
            raise StateError(
                f"the prepared files in {self.folder} were cut in {len(said)} ways; move those of one into another "
                "folder, or start a new state from the dumps"
            )
        if said:
            found = dict(zip(CUTTING, said.pop(), strict=True))
            for name, value in asked.items():
                if value is not None and value != found[name]:
                    raise SettingsError(f"the prepared files were cut with {name} = {found[name]}, not {value}")
            return found
        salvaged = _cutting_of(old)
        found = salvaged or {}
        if salvaged is None:
            found = {name: getattr(Settings(), name) for name in CUTTING}
            for name in CUTTING:
                if asked.get(name) is None:
                    option = name.replace("_", "-")
                    self.notes.append(f"{name} is taken to be the default, {found[name]} (--{option} gives another)")
        found |= {name: value for name, value in asked.items() if value is not None}
        Settings(use_registry=False, **found)  # type: ignore[arg-type]
        return found

    def _files(self, whole: Mapping[Path, Shard], old: _Old, cutting: Mapping[str, int]) -> dict[str, dict[str, Any]]:
        """Rows of ``files`` by SHA-256. Renames every whole prepared file that has a wrong name."""
        shards = ShardFolder(
            self.folder / READ, settings=Settings(use_registry=False), cutting=Cutting(registry=None, **cutting),
            in_state=True,
        )  # fmt: skip
        known = {row["sha256"]: row for row in old.rows.get("files", [])}
        found: dict[str, dict[str, Any]] = {}
        for path, shard in whole.items():
            file = shard.file
            row = known.get(file.sha256) or self._row(path, shard)
            row = {**row, "name": row["name"], "state": "whole"}
            place = shards.path(row["name"], file.sha256)
            if place != path and path == shards.path(file.name, file.sha256):
                row["name"], place = file.name, path  # the name in the old database is not the one it was read under
            if file.sha256 in found:
                if path.parent == self.folder / READ:
                    self._move(path, "double")
                continue
            if place != path:
                path.rename(place)
                flush_to_disk(place.parent)
                if path.parent != place.parent:
                    self.notes.append(f"The prepared file of {file.name} is taken back from aside")
            found[file.sha256] = row
        for digest, row in known.items():
            found.setdefault(digest, {**row, "state": "lost"})
        return found

    def _row(self, path: Path, shard: Shard) -> dict[str, Any]:
        with closing(opened(path)) as again:
            times = [block[block != NO_TIME] for block in again.times()]
        time_ = np.concatenate(times) if times else np.empty(0, np.int64)
        real = time_[time_ <= self.now + AHEAD_OF_NOW]
        file = shard.file
        return {
            "sha256": file.sha256, "name": file.name, "rows": file.rows, "rejects": file.rejects,
            "first_time": int(real.min()) if len(real) else None, "last_time": int(real.max()) if len(real) else None,
            "added": min(int(path.stat().st_mtime), self.now), "latest_time": int(time_.max()) if len(time_) else None,
        }  # fmt: skip

    # ------------------------------------------------------------ the new database

    def _move(self, path: Path, why: str) -> None:
        self.aside.append(str(move_aside(path, self.folder / "aside", why).relative_to(self.folder)))

    def _put(self, new: Path) -> None:
        """Moves the old database aside and the new one to its place.

        Between the two steps there is no database: the state then counts as damaged, and the next rebuild finds the old
        one aside.
        """
        place, number = self.folder / "aside" / f"database-{datetime.now(UTC):%Y%m%dT%H%M%SZ}", 1
        while place.exists():
            number += 1
            place = place.with_name(f"{place.name.partition('.')[0]}.{number}")
        for suffix in ("", "-wal", "-journal"):
            file = self.folder / f"{DATABASE}{suffix}"
            if not file.exists():
                continue
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.rename(place / file.name)
            self.aside.append(str((place / file.name).relative_to(self.folder)))
        (self.folder / f"{DATABASE}-shm").unlink(missing_ok=True)
        flush_to_disk(new)
        new.rename(self.folder / DATABASE)
        flush_to_disk(self.folder)


def _check_version(connection: sqlite3.Connection, folder: Path) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if (
        version > SCHEMA
        and application == APPLICATION
        and connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        in (
            b"ok",
            "ok",
        )
    ):
        raise StateError(
            f"the state in {folder} was written by a newer version of harvestdetect (its schema is {version}); update "
            "harvestdetect"
        )


def _salvage(connection: sqlite3.Connection, table: str, old: _Old) -> bool:
    """Copies the rows of a table that can be read and are as they were written; returns whether all could be read."""
    try:
        cursor = connection.execute(f"SELECT rowid, * FROM {table} NOT INDEXED LIMIT 0")
        columns = [column[0] for column in cursor.description][1:]
    except DATABASE_ERRORS:
        return False
    kept, complete = _readable(connection, table)
    for _, *values in kept:
        row = _decoded(columns, values)
        try:
            if row is None:
                raise RowError("a text is not UTF-8")
            check_rows(f"SELECT * FROM {table}", list(row), [tuple(row.values())])
        except RowError:
            old.bad[table] = old.bad.get(table, 0) + 1
            continue
        old.rows.setdefault(table, []).append(row)
    return complete


def _readable(connection: sqlite3.Connection, table: str) -> tuple[list[tuple[Any, ...]], bool]:
    """The rows of a table that can be read, and whether these are all: from both ends, and one by one between."""
    query = f"SELECT rowid, * FROM {table} NOT INDEXED"
    first, whole = _until_error(connection, f"{query} ORDER BY rowid")
    if whole:
        return first, True
    last, _ = _until_error(connection, f"{query} ORDER BY rowid DESC")
    low = first[-1][0] if first else 0
    high = last[-1][0] if last else low
    between = []
    for number in range(low + 1, min(high, low + 1 + _PROBES)):
        found, _ = _until_error(connection, f"{query} WHERE rowid = ?", number)
        between += found
    rows = {row[0]: row for row in [*first, *between, *last]}
    return [rows[number] for number in sorted(rows)], False


def _until_error(connection: sqlite3.Connection, query: str, *values: Any) -> tuple[list[tuple[Any, ...]], bool]:
    found: list[tuple[Any, ...]] = []
    try:
        found.extend(connection.execute(query, values))
    except (*DATABASE_ERRORS, MemoryError, OverflowError):
        return found, False
    return found, True


def _decoded(columns: list[str], values: list[Any]) -> dict[str, Any] | None:
    try:
        return {c: v.decode() if isinstance(v, bytes) else v for c, v in zip(columns, values, strict=True)}
    except UnicodeDecodeError:
        return None


def _cutting_of(old: _Old) -> dict[str, int] | None:
    """How files were cut by the old database: by ``meta``, or by the settings of its last run."""
    texts = [row["value"] for row in old.rows.get("meta", []) if row["name"] == "cutting"]
    texts += [row["settings"] for row in reversed(old.rows.get("runs", [])) if row["settings"]]
    for text in texts:
        with suppress(ValueError, TypeError, KeyError, SettingsError):
            found = {name: int(json.loads(text)[name]) for name in CUTTING}
            Settings(use_registry=False, **found)  # type: ignore[arg-type]
            return found
    return None


def _write(path: Path, old: _Old, files: Mapping[str, Mapping[str, Any]], cutting: Mapping[str, int]) -> dict[str, int]:
    """Makes the new database; returns the number of old rows of each table in it."""
    salvaged: dict[str, int] = {}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        make_database(connection)
        connection.execute("BEGIN")
        _insert(connection, "meta", {"name": "cutting", "value": json.dumps(cutting)})
        for row in files.values():
            _insert(connection, "files", row)
        campaigns = {row["campaign"] for row in old.rows.get("campaigns", [])}
        for table, rows in old.rows.items():
            if table == "files":
                continue
            for row in rows:
                if table in _OF_CAMPAIGNS and row["campaign"] not in campaigns:
                    old.bad[table] = old.bad.get(table, 0) + 1
                    continue
                if table == "past_files" and row["sha256"] in files:
                    continue
                if table == "campaigns" and row["merged_into"] not in campaigns:
                    row = {**row, "merged_into": None}
                salvaged[table] = salvaged.get(table, 0) + _insert(connection, table, row)
        connection.execute("COMMIT")
    return salvaged


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    """Inserts the columns of a row that the table has. A row that violates a constraint is left out."""
    known = {column[1] for column in connection.execute(f"PRAGMA table_info({table})")}
    names = [name for name in row if name in known]
    marks = ", ".join("?" * len(names))
    try:
        return connection.execute(
            f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})", [row[name] for name in names]
        ).rowcount
    except sqlite3.IntegrityError:
        return 0
