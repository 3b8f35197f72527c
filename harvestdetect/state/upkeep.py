"""Upkeep of a state: removes what no run needs any more, and checks what is there."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.errors import CacheError, StateError, UnreadableError
from harvestdetect.incremental.folder import CLUSTERS
from harvestdetect.report.format import iso_time, plural
from harvestdetect.state.prepared import remove_orphans, unexplained
from harvestdetect.state.rows import COLUMNS, RowError, Told, check_rows, value_error
from harvestdetect.state.store import DATABASE, DATABASE_ERRORS, Store, damaged, fault
from harvestdetect.store.folder import Artifact, ArtifactFolder, left_artifacts
from harvestdetect.store.models import remove_indexes
from harvestdetect.store.tables import NEIGHBORS, kept_digests
from harvestdetect.store.vectors import thin_vectors
from harvestdetect.util.retries import WAITS

__all__ = ["Freed", "check_database", "collect", "left_out", "verify"]

_CHECKED: Final = {NEIGHBORS: "neighbours", CLUSTERS: "clusters"}
"""Kinds of artifacts that are read as a whole, and the word for each. Vectors are checked when they are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """What was removed."""

    files: int
    bytes: int
    aside: tuple[str, ...] = ()
    """Prepared files that the database does not name: moved into ``STATE/aside`` under these names."""


def collect(store: Store, shards: ShardFolder) -> Freed:
    """Removes files that no run will need. Temporary files of stopped runs were removed when the state was opened.

    A prepared file that the database does not name is moved into ``STATE/aside``: a stopped run leaves such a file, and
    so does a database that is older than it. Vectors of texts that were not in the window of the last run go too, and
    so do search indexes, which the next search makes again.

    Raises:
        DamagedStateError: the database is damaged; nothing was changed.
        UnreadableError: a file cannot be read now.
    """
    check_database(store)
    before = _size(store.folder)
    gone, moved = remove_orphans(store, shards)
    remove_indexes(store.folder)
    _collect_artifacts(store.folder)
    _shrink(store)
    aside = tuple(path.name for path in moved)
    return Freed(files=gone, bytes=max(before - _size(store.folder), 0), aside=aside)


def _collect_artifacts(folder: Path) -> None:
    """Removes artifacts that are not whole, and vectors of texts that have no neighbours.

    Raises:
        CacheError: an artifact cannot be read now, or the folder cannot be written.
    """
    if not left_artifacts(folder):
        return
    kept = ArtifactFolder(folder)
    kept.drop([one for kind in _CHECKED for one in kept.artifacts(kind) if kept.condition(one) != "whole"])
    texts = kept_digests(folder)
    if texts is not None:
        thin_vectors(folder, texts)


def check_database(store: Store) -> None:
    """Refuses a database that fails its own check or has values that were never written.

    Raises:
        DamagedStateError: what is wrong.
    """
    if found := _database_faults(store, most=1):
        raise damaged(store.folder, found[0])


def verify(store: Store, shards: ShardFolder) -> list[str]:
    """What is wrong with a state, a sentence each; empty if nothing is.

    Every file of the window is read and its digest compared, the database checks itself, and what it names must be
    there.
    """
    found = _database_faults(store)
    if any(sentence.startswith(DATABASE) for sentence in found):
        return [*found, f"{DATABASE} is damaged: harvestdetect state rebuild {store.folder} rebuilds it"]
    for row in store.rows("SELECT name, sha256, state FROM files ORDER BY name, sha256"):
        try:
            condition = shards.condition(row["name"], row["sha256"])
        except UnreadableError as error:
            found.append(f"the prepared file of {row['name']} cannot be checked: {error}")
            continue
        if condition != "whole" and not _is_named(store, row["sha256"]):
            continue  # a run that works now has let it go
        if condition == "missing":
            found.append(f"the prepared file of {row['name']} is missing; scan that file again")
        elif condition == "damaged":
            found.append(f"the prepared file of {row['name']} is damaged; scan that file again")
        elif row["state"] == "lost":
            found.append(f"the prepared file of {row['name']} was lost and is there again; the next run takes it back")
    if strange := unexplained(store, shards):
        names = ", ".join(strange[:5]) + (" and more" if len(strange) > 5 else "")
        found.append(
            f"{DATABASE} does not name {plural(len(strange), 'prepared file')} ({names}); perhaps it is an older copy: "
            f"harvestdetect state rebuild {store.folder} takes them back, harvestdetect state gc moves them aside"
        )
    return found + _artifact_faults(store.folder)


def _artifact_faults(folder: Path) -> list[str]:
    """What is wrong with the neighbours and clusters of the last run, a sentence each."""
    found = []
    for kind, what in _CHECKED.items():
        try:
            kept = ArtifactFolder(folder, write=False)
            broken = [artifact for artifact in kept.artifacts(kind) if _is_broken(kept, artifact)]
            found += [f"the {what} of the last run are damaged; the next run computes them again" for _ in broken]
        except CacheError as error:
            found.append(f"the {what} of the last run cannot be checked: {error}")
    return found


def _is_named(store: Store, sha256: str) -> bool:
    """Whether the database still names a file."""
    return bool(store.rows("SELECT 1 FROM files WHERE sha256 = ?", sha256))


def _is_broken(kept: ArtifactFolder, artifact: Artifact) -> bool:
    """Whether an artifact is not whole although the manifest names it. A run that works now may be replacing it.

    Raises:
        CacheError: it, or the manifest, cannot be read now.
    """
    for wait in (*WAITS, None):
        if kept.condition(artifact) == "whole" or not kept.names(artifact):
            return False
        if wait is not None:
            time.sleep(wait)
    return True


def _database_faults(store: Store, *, most: int = 1_000) -> list[str]:
    """What is wrong inside the database, a sentence each, at most as many as asked for."""
    found: list[str] = []
    try:
        checked = [str(row[0]) for row in store.connection.execute("PRAGMA integrity_check")]
        found += [f"{DATABASE}: {line}" for said in checked if said != "ok" for line in said.splitlines()[-1:]]
        if not found:
            found += _bad_rows(store)
    except DATABASE_ERRORS as error:
        found.append(f"{DATABASE}: {fault(error)}")
    if found:
        return found[:most]
    for table in ("members", "signatures", "campaign_runs"):
        lost = store.rows(
            f"SELECT DISTINCT campaign FROM {table} WHERE campaign NOT IN (SELECT campaign FROM campaigns) LIMIT 5"
        )
        found += [f"{table} names the campaign {row['campaign']}, which is not there" for row in lost]
    return found[:most]


def _bad_rows(store: Store) -> list[str]:
    """Rows that are not as they were written: a sentence for each table, or for each campaign."""
    found = []
    for table in COLUMNS:
        query = f"SELECT * FROM {table}"
        cursor = store.connection.execute(query)
        columns = [column[0] for column in cursor.description]
        for row in cursor:
            try:
                check_rows(query, columns, [row])
            except RowError as error:
                finding = table == "campaigns" and value_error(str(row["finding"]), Told)
                found.append(
                    f"what is known of the campaign {row['campaign']} is broken" if finding else f"{DATABASE}: {error}"
                )
    return list(dict.fromkeys(found))


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
            why = f"is superseded: all its prompts are in {'a newer file of this name' if by == name else by}"
        elif last is not None:
            why = f"left the window: its last prompt is of {iso_time(last)}"
        elif latest is not None:
            why = f"left the window: its last prompt is of {iso_time(latest)}, which was later than the clock"
        elif added is not None:
            why = f"left the window: no prompt of it had a time, and it was added on {iso_time(added)}"
        else:
            why = "left the window under an older version of the program; it is read again when a run is given it"
        found.append(f"{name} {why}")
    return found


def _shrink(store: Store) -> None:
    """Writes the database again, so that deleted content remains neither in it nor in its log."""
    try:
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.connection.execute("VACUUM")
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except DATABASE_ERRORS as error:
        raise StateError(f"the database in {store.folder} cannot be rewritten: {error}") from None


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
