"""Looking after a state: what nothing needs any more goes, what is there is checked, an account is erased."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harvestdetect.alerts import forget_account, mention
from harvestdetect.cache import VectorCache, is_whole
from harvestdetect.earlier import CLUSTERS
from harvestdetect.errors import StateError
from harvestdetect.report.format import iso_time
from harvestdetect.shards import ShardFolder
from harvestdetect.state.campaigns import TOLD
from harvestdetect.state.store import DATABASE, Store, check_utf8
from harvestdetect.work import NEIGHBORS, kept_digests

__all__ = ["Forgotten", "Freed", "collect", "forget", "left_out", "verify"]

_DERIVED: Final = ("vectors", NEIGHBORS, CLUSTERS)
"""What is made again from the files of the window."""
_SAID: Final = (("runs", "error"), ("events", "detail"), ("verdicts", "note"))
"""Sentences in which an account's id may stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """What was removed."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was erased."""

    prompts: int
    files: int
    campaigns: int
    """Campaigns of which it was a member."""


def collect(store: Store, shards: ShardFolder) -> Freed:
    """Removes files that no run will need: of runs that were stopped, and of what left the window.

    Vectors of texts that were not in the window of the last run go too.
    """
    before = _size(store.folder)
    wanted = {shards.path(row["name"], row["sha256"]) for row in store.rows("SELECT name, sha256 FROM files")}
    gone = 0
    for path in (store.folder / "read").glob("*"):
        if path not in wanted:
            with suppress(OSError):
                path.unlink()
                gone += 1
    for path in store.folder.rglob("*.tmp"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    texts = kept_digests(store.folder)
    if texts is not None:
        for folder in (store.folder / "vectors").glob("*"):
            VectorCache(store.folder, folder.name).thin(texts)
    _shrink(store)
    return Freed(files=gone, bytes=max(before - _size(store.folder), 0))


def verify(store: Store, shards: ShardFolder) -> list[str]:
    """What is wrong with a state, a sentence each; nothing where all is well.

    Every file of the window is read and its digest compared, the database checks itself, and what it names must be
    there.
    """
    found: list[str] = []
    try:
        checked = [row[0] for row in store.connection.execute("PRAGMA integrity_check")]
        found += [f"{DATABASE}: {said}" for said in checked if said != "ok"]
    except sqlite3.Error as error:
        return [f"{DATABASE} is damaged: {error}"]
    for row in store.rows("SELECT name, sha256, rows, rejects FROM files ORDER BY name, sha256"):
        path = shards.path(row["name"], row["sha256"])
        if not path.exists():
            found.append(f"what was read of {row['name']} is not there; scan that file again")
            continue
        shard = shards.open(row["name"], row["sha256"])
        if shard is None:
            found.append(f"what was read of {row['name']} is broken; scan that file again")
            continue
        shard.close()
    for table in ("members", "signatures", "campaign_runs"):
        lost = store.rows(
            f"SELECT DISTINCT campaign FROM {table} WHERE campaign NOT IN (SELECT campaign FROM campaigns) LIMIT 5"
        )
        found += [f"{table} names the campaign {row['campaign']}, which is not there" for row in lost]
    for row in store.rows("SELECT campaign, finding FROM campaigns ORDER BY campaign"):
        if not _is_finding(row["finding"]):
            found.append(f"what is known of the campaign {row['campaign']} is broken")
    for what, folders in (("neighbours", f"{NEIGHBORS}/*"), ("clusters", f"{CLUSTERS}/*/*")):
        for folder in store.folder.glob(folders):
            if folder.is_dir() and folder.suffix != ".tmp" and not is_whole(folder):
                found.append(f"the {what} of the last run are broken; the next run makes them anew")
    return found


def left_out(store: Store) -> list[str]:
    """Which files were read and are not in the window, and why, a sentence each, the last to leave first."""
    found = []
    for row in store.rows(
        "SELECT past_files.*, files.name AS file_by, past.name AS past_by FROM past_files"
        " LEFT JOIN files ON files.sha256 = past_files.superseded_by"
        " LEFT JOIN past_files AS past ON past.sha256 = past_files.superseded_by"
        " ORDER BY past_files.left_at DESC, past_files.name, past_files.sha256"
    ):
        name = row["name"] or f"a file with the SHA-256 {row['sha256'][:16]}..."
        last, latest, added = row["last_time"], row["latest_time"], row["added"]
        if row["why"] == "superseded":
            by = row["file_by"] or row["past_by"] or f"a file with the SHA-256 {(row['superseded_by'] or '')[:16]}..."
            why = f"superseded: all its prompts are in {by}"
        elif last is not None:
            why = f"left the window: its last prompt is of {iso_time(last)}"
        elif latest is not None:
            why = f"left the window: its last prompt is of {iso_time(latest)}, which was later than the clock"
        elif added is not None:
            why = f"left the window: no prompt of it had a time, and it was added on {iso_time(added)}"
        else:
            why = "left the window of an older version; it is read again when it is given again"
        found.append(f"{name} {why}")
    return found


def forget(store: Store, shards: ShardFolder, account: str) -> Forgotten:
    """Erases an account: its prompts, its texts that no other account sent, and its id, everywhere in the state.

    What it takes: files of the window without its prompts, the database rewritten, vectors, neighbours and clusters
    removed, to be made again by the next run. The results that runs wrote elsewhere are not the state's to erase.

    Raises:
        UsageError: the account is not UTF-8.
        CacheError, StateError: something cannot be read or written; what was done until then stays done, and doing it
            again does the rest.
    """
    check_utf8(account=account)
    prompts = files = 0
    for row in store.rows("SELECT name, sha256 FROM files ORDER BY sha256"):
        gone = shards.without(row["name"], row["sha256"], account)
        prompts += gone
        files += gone > 0
    campaigns = len(store.rows("SELECT DISTINCT campaign FROM members WHERE account = ?", account))
    with store.transaction() as connection:
        connection.execute("DELETE FROM members WHERE account = ?", (account,))
        forget_account(connection, account)
        for table, column in _SAID:
            _unsay(connection, table, column, account)
    for name in _DERIVED:
        shutil.rmtree(store.folder / name, ignore_errors=True)
    collect(store, shards)
    return Forgotten(prompts=prompts, files=files, campaigns=campaigns)


def _is_finding(raw: str) -> bool:
    try:
        told = json.loads(raw)
    except ValueError:
        return False
    return isinstance(told, dict) and told.keys() >= TOLD


def _unsay(connection: sqlite3.Connection, table: str, column: str, account: str) -> None:
    """Takes an id out of sentences; a number or a word of which it is a part stays."""
    pattern = mention([account])
    if pattern is None:
        return
    for row, said in connection.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL").fetchall():
        left = pattern.sub("[erased]", said)
        if left != said:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (left, row))


def _shrink(store: Store) -> None:
    """Writes the database anew, so that nothing of what was deleted is left in it or beside it."""
    try:
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.connection.execute("VACUUM")
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise StateError(f"the database in {store.folder} cannot be rewritten: {error}") from None


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
