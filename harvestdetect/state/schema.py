"""The tables of the database of a state, and how a state of an older version is brought up to date.

A migration is one transaction for each version. What it does to files comes first, and may be done again after a
process was killed in the middle of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from harvestdetect.alerts import create_tables
from harvestdetect.corpus.shard_file import opened
from harvestdetect.corpus.shards import SUFFIX, state_file_name
from harvestdetect.store.trust import ABSENT, DamagedFileError
from harvestdetect.util.files import flush_to_disk

__all__ = ["APPLICATION", "SCHEMA", "make_database", "migrate"]

SCHEMA: Final = 4
"""Version of the tables and of the names of prepared files, in ``PRAGMA user_version``."""
APPLICATION: Final = 0x48527644
"""``PRAGMA application_id`` of our databases ("HRvD"). Older ones have 0."""
_KINDS_2: Final = (".parquet", ".csv", ".jsonl", ".ndjson")
"""Parts of the name of a dump that the name of its prepared file depended on in schema 2."""
_NAME_2: Final = re.compile(r"[0-9a-f]{64}\.shard\Z")
"""The name of a prepared file in schema 2."""

_CLEARINGS: Final = """
CREATE TABLE clearings (
    number INTEGER PRIMARY KEY,
    campaign TEXT NOT NULL,
    account TEXT NOT NULL,
    note TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    at INTEGER NOT NULL,
    undone INTEGER
) STRICT;
"""
"""The table of accounts that were cleared, which schema 4 added."""
_TABLES: Final = f"""
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
{_CLEARINGS}"""
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
    2: "",
    3: _CLEARINGS,
}
"""Version -> the statements that make the next one of it. From 2 to 3 the prepared files got other names."""


def make_database(connection: sqlite3.Connection) -> None:
    """Makes all tables of :data:`SCHEMA` in an empty database."""
    migrate(connection, 0, prepared=None)


def migrate(connection: sqlite3.Connection, version: int, *, prepared: Path | None) -> None:
    """Brings a state up to date.

    Args:
        connection: to its database, in autocommit mode.
        version: of its schema; 0: it has no tables yet.
        prepared: the folder of its prepared files; None: it has none.

    Raises:
        OSError: a prepared file cannot be renamed.
        UnreadableError: a prepared file cannot be read now.
    """
    while version < SCHEMA:
        if version == 2 and prepared is not None and prepared.is_dir():
            _rename_prepared(connection, prepared)
        # executescript would end a transaction that is open
        script, reached = (_MIGRATIONS[version], version + 1) if version else (_TABLES, SCHEMA)
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {reached};\nCOMMIT;")
        version = reached
    create_tables(connection)
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        connection.execute(f"PRAGMA application_id = {APPLICATION}")


def _rename_prepared(connection: sqlite3.Connection, folder: Path) -> None:
    """Gives prepared files of schema 2 the names of schema 3; a damaged one that no row names keeps its own."""
    for name, sha256 in connection.execute("SELECT name, sha256 FROM files").fetchall():
        _rename(folder, str(name), str(sha256))
    for path in sorted(path for path in folder.glob(f"*{SUFFIX}") if _NAME_2.match(path.name)):
        with suppress(DamagedFileError, *ABSENT):
            shard = opened(path)
            shard.close()
            _rename(folder, shard.file.name, shard.file.sha256)
    flush_to_disk(folder)


def _rename(folder: Path, name: str, sha256: str) -> None:
    old, new = folder / _name_2(name, sha256), folder / state_file_name(name, sha256)
    if old.exists() and not new.exists():
        old.rename(new)


def _name_2(name: str, sha256: str) -> str:
    """The name of a prepared file in schema 2."""
    base = os.path.basename(name).lower()
    stated = json.dumps([json.dumps({"lasting": True}), sha256, [kind in base for kind in _KINDS_2]])
    return f"{hashlib.sha256(stated.encode()).hexdigest()}{SUFFIX}"
