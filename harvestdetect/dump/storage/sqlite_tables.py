"""The tables of an SQLite database, as lines of JSON. The database is never changed, whatever its schema asks for."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final
from urllib.parse import quote

import msgspec

from harvestdetect.dump.storage.members import Member, Skipped
from harvestdetect.dump.storage.streams import BrokenStreamError

__all__ = ["is_sqlite", "tables_of"]

_MAGIC: Final = b"SQLite format 3\x00"
_LONGEST: Final = 1 << 28
"""Most bytes of a value."""
_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged database raises. Python decodes SQLite's messages, which quote the damaged bytes."""
_BATCH: Final = 1 << 18
"""Bytes of lines that are given out at a time, apart from the last line."""


def is_sqlite(head: bytes) -> bool:
    """Whether a file starts like an SQLite database."""
    return head.startswith(_MAGIC)


def tables_of(path: str) -> Iterator[Member | Skipped]:
    """The tables of a database that have rows, each as a file of JSON Lines: one object per row, NULL as null.

    Args:
        path: of the database. It is opened as a file that nobody changes, so no lock and no journal is made.

    Raises:
        BrokenStreamError: it is damaged, or encrypted.
    """
    wal = f"{path}-wal"
    if os.path.exists(wal) and os.path.getsize(wal):
        what = "write-ahead log, whose rows are not read; close the program that writes, or run PRAGMA wal_checkpoint"
        yield Skipped(name=os.path.basename(wal), what=what, lost=True)
    try:
        with closing(_opened(path)) as database:
            listed = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")
            for name, made in listed.fetchall():
                if name.lower().startswith("sqlite_"):
                    continue
                if str(made or "").lstrip()[:14].upper().startswith("CREATE VIRTUAL"):
                    yield Skipped(name=name, what="virtual table")
                    continue
                content = _Rows(database, name)
                if not content.has_rows:
                    yield Skipped(name=name, what="empty table")
                else:
                    yield Member(name=name, size=0, file=content)
    except _ERRORS as error:
        raise BrokenStreamError(f"the SQLite database cannot be read: {_reason(error)}") from None


def _opened(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro&immutable=1", uri=True)
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    database.text_factory = lambda text: text.decode("utf-8", "replace")
    for setting in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0"):
        database.execute(f"PRAGMA {setting}")
    return database


def _reason(error: Exception) -> str:
    return ascii(str(error)[:100])[1:-1]


class _Rows:
    """The rows of a table as a file of JSON Lines."""

    def __init__(self, database: sqlite3.Connection, table: str) -> None:
        quoted = table.replace('"', '""')
        self._cursor = database.execute(f'SELECT * FROM "{quoted}"')
        self._columns = [column[0] for column in self._cursor.description]
        self._lines = self._chunks()
        self._rest = next(self._lines, b"")
        self.has_rows = bool(self._rest)

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; b"" at the end.

        Raises:
            BrokenStreamError: the table is damaged.
        """
        if not self._rest:
            self._rest = next(self._lines, b"")
        if size < 0:
            size = len(self._rest)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _chunks(self) -> Iterator[bytes]:
        lines = bytearray()
        try:
            for row in self._cursor:
                record = {name: _value(value) for name, value in zip(self._columns, row, strict=True)}
                lines += msgspec.json.encode(record)
                lines += b"\n"
                if len(lines) >= _BATCH:
                    yield bytes(lines)
                    lines.clear()
        except _ERRORS as error:
            if lines:
                yield bytes(lines)
            raise BrokenStreamError(f"the table is damaged ({_reason(error)})") from None
        if lines:
            yield bytes(lines)


def _value(value: Any) -> Any:
    """A value as JSON has it: a blob that is text as text, another one in base64."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value
