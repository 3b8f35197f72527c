"""Looking after a state: what nothing needs any more goes, and what is there is checked."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harvestdetect.cache import VectorCache, is_whole
from harvestdetect.earlier import CLUSTERS
from harvestdetect.errors import StateError
from harvestdetect.shards import ShardFolder
from harvestdetect.state.campaigns import TOLD
from harvestdetect.state.store import DATABASE, Store
from harvestdetect.work import NEIGHBORS, kept_digests

__all__ = ["Freed", "collect", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """What was removed."""

    files: int
    bytes: int


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


def _is_finding(raw: str) -> bool:
    try:
        told = json.loads(raw)
    except ValueError:
        return False
    return isinstance(told, dict) and told.keys() >= TOLD


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
