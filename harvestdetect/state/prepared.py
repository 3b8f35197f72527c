"""The prepared files of a state: which are lost, which may be removed, which are moved aside.

A prepared file is removed only when its own content proves that the database is right to let it go. Whatever the
database does not name is moved into ``STATE/aside``, because a database can be older than the files beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from harvestdetect.corpus.shard_file import Shard, opened
from harvestdetect.corpus.shards import SUFFIX, ShardFolder
from harvestdetect.errors import UnreadableError
from harvestdetect.state.store import Store, damaged
from harvestdetect.store.trust import ABSENT, DamagedFileError, move_aside
from harvestdetect.util.retries import retried

__all__ = [
    "check_leaving",
    "find_lost",
    "lost_files",
    "missing_sentence",
    "recover_lost",
    "remove_left",
    "remove_orphans",
    "unexplained",
    "unnamed_files",
]

_SLACK: Final = 2 * 86_400
"""Seconds by which a prepared file may be older or newer than the database says it was added."""


def lost_files(store: Store) -> tuple[str, ...]:
    """Names of the files of the window whose prepared file is missing or damaged."""
    return tuple(row["name"] for row in store.rows("SELECT name FROM files WHERE state = 'lost' ORDER BY name, sha256"))


def missing_sentence(names: Iterable[str]) -> str:
    """The sentence about a window with lost files."""
    found = list(names)
    what = "1 file of it is" if len(found) == 1 else f"{len(found):,} files of it are"
    more = "" if len(found) <= 5 else f" and {len(found) - 5:,} more"
    again = "it" if len(found) == 1 else "them"
    return (
        f"the window is incomplete: {what} lost ({', '.join(found[:5])}{more}); scan {again} again to have {again} back"
    )


def find_lost(store: Store, shards: ShardFolder, note: Callable[[str], None]) -> set[str]:
    """Reads all prepared files of the window and marks as lost those that are missing or damaged.

    A damaged one is moved aside; nothing is deleted.

    Args:
        store: with its lock.
        shards: of the state.
        note: receives a sentence for each file.

    Returns:
        The SHA-256 of each file that was found to be lost.

    Raises:
        UnreadableError: a prepared file cannot be read now.
    """
    lost = set()
    for row in store.rows("SELECT name, sha256 FROM files WHERE state = 'whole' ORDER BY name, sha256"):
        path = shards.path(row["name"], row["sha256"])
        shard = shards.open(row["name"], row["sha256"])
        if shard is not None:
            shard.close()
            continue
        lost.add(row["sha256"])
        moved = shards.moved.get(path)
        what = "missing" if moved is None else f"damaged (moved to aside/{moved.name})"
        note(f"the prepared file of {row['name']} is {what}, and left out; scan that file again to have it back")
    if lost:
        with store.transaction() as connection:
            connection.executemany("UPDATE files SET state = 'lost' WHERE sha256 = ?", [(one,) for one in sorted(lost)])
    return lost


def recover_lost(store: Store, shards: ShardFolder, note: Callable[[str], None]) -> None:
    """Recovers lost files whose prepared file is there again, for example from a backup."""
    for row in store.rows("SELECT name, sha256 FROM files WHERE state = 'lost' ORDER BY name, sha256"):
        shard = shards.open(row["name"], row["sha256"])
        if shard is None:
            continue
        shard.close()
        with store.transaction() as connection:
            connection.execute("UPDATE files SET state = 'whole' WHERE sha256 = ?", (row["sha256"],))
        note(f"the prepared file of {row['name']} is there again")


# ---------------------------------------------------------------- what leaves the window


def check_leaving(store: Store, shards: ShardFolder, leaving: Iterable[str]) -> None:
    """Compares the times by which files leave the window with the prepared files, before any of them is removed.

    A flipped bit in a time must not push the window away from its files.

    Args:
        store: with its lock.
        shards: of the state.
        leaving: SHA-256 of each file that is to leave.

    Raises:
        DamagedStateError: a time in the database is not in the prepared file.
        UnreadableError: a prepared file cannot be read now.
    """
    digests = set(leaving)
    if not digests:
        return
    rows = store.rows(
        "SELECT sha256, name, last_time, latest_time FROM files WHERE state = 'whole' ORDER BY last_time, sha256"
    )
    newest = {row["sha256"] for row in rows[-1:] if row["last_time"] is not None}
    for row in rows:
        if row["sha256"] not in digests | newest:
            continue
        shard = shards.open(row["name"], row["sha256"])
        if shard is None:
            continue
        try:
            if not (_has_time(shard, row["last_time"]) and _has_time(shard, row["latest_time"])):
                raise damaged(store.folder, f"no prompt of {row['name']} has the last time that the database gives it")
        finally:
            shard.close()


def _has_time(shard: Shard, time: int | None) -> bool:
    """Whether a prompt has a time; ``None`` means that no time counts, which no prepared file contradicts."""
    return time is None or any((block == time).any() for block in shard.times())


def remove_left(store: Store, shards: ShardFolder, name: str, sha256: str) -> Path | None:
    """Removes the prepared file of a file that left the window; moves it aside if nothing proves that it left.

    Returns:
        Where it was moved to; None where it was removed or not there.
    """
    path = shards.path(name, sha256)
    past = store.rows("SELECT last_time, added FROM past_files WHERE sha256 = ?", sha256)
    if not past or store.rows("SELECT 1 FROM files WHERE sha256 = ?", sha256):
        return None
    try:
        written = retried(path.stat, path).st_mtime
    except ABSENT:
        return None
    # a file without times leaves by the day it was added, which only the date of the prepared file can confirm
    if past[0]["last_time"] is None and (past[0]["added"] is None or abs(written - past[0]["added"]) > _SLACK):
        return move_aside(path, shards.aside, "left")
    with suppress(OSError):
        path.unlink()
    return None


# ---------------------------------------------------------------- what the database does not name


def remove_orphans(store: Store, shards: ShardFolder) -> tuple[int, list[Path]]:
    """Removes prepared files that the database does not name, or moves them aside.

    A file is removed only if it left the window, by the database and by its own times. All others are moved aside: a
    run that was stopped leaves such files, and so does a database that is older than they are.

    Returns:
        How many were removed, and where the others were moved.

    Raises:
        UnreadableError: a prepared file cannot be read now.
        CacheError: one cannot be moved.
    """
    ends = store.rows("SELECT max(window_start) AS start FROM runs WHERE finished IS NOT NULL")
    removed, moved = 0, []
    for path in _unnamed(store, shards):
        if _has_left(store, path, ends[0]["start"]):
            with suppress(OSError):
                path.unlink()
                removed += 1
            continue
        moved.append(move_aside(path, shards.aside, "unnamed"))
    return removed, moved


def _unnamed(store: Store, shards: ShardFolder) -> list[Path]:
    found = sorted(path for path in shards.folder.glob("*") if path.suffix != ".tmp")
    named = {shards.path(row["name"], row["sha256"]) for row in store.rows("SELECT name, sha256 FROM files")}
    return [path for path in found if path not in named]


def unnamed_files(store: Store, shards: ShardFolder) -> list[tuple[str, str]]:
    """Name and SHA-256 of the dump of every whole prepared file that the database does not name.

    Raises:
        UnreadableError: a prepared file cannot be read now.
    """
    found = []
    for path in _unnamed(store, shards):
        try:
            shard = opened(path)
        except (DamagedFileError, *ABSENT):
            continue
        shard.close()
        if shards.path(shard.file.name, shard.file.sha256) == path:
            found.append((shard.file.name, shard.file.sha256))
    return found


def _has_left(store: Store, path: Path, start: int | None) -> bool:
    """Whether an unnamed prepared file is of a file that left the window, by the database and by its own times."""
    if path.suffix != SUFFIX or start is None:
        return False
    try:
        shard = opened(path)
    except (DamagedFileError, *ABSENT):
        return False
    try:
        past = store.rows("SELECT last_time FROM past_files WHERE sha256 = ?", shard.file.sha256)
        last = past[0]["last_time"] if past else None
        return last is not None and last < start and _has_time(shard, last)
    finally:
        shard.close()


def unexplained(store: Store, shards: ShardFolder) -> list[str]:
    """Prepared files that neither the database names nor a stopped run can have left: names of their dumps.

    They show that the database is older than the files beside it.
    """
    runs = store.rows("SELECT started, finished, error FROM runs ORDER BY run")
    found = []
    for path in _unnamed(store, shards):
        try:
            written = retried(path.stat, path).st_mtime
            explained = any(
                run["finished"] is None
                and run["started"] - _SLACK <= written
                and (number + 1 == len(runs) or written <= runs[number + 1]["started"] + _SLACK)
                for number, run in enumerate(runs)
            )
            if explained:
                continue
            shard = opened(path)
        except (DamagedFileError, *ABSENT):
            found.append(path.name)
            continue
        except UnreadableError as error:
            found.append(f"{path.name} ({error})")
            continue
        shard.close()
        if not store.rows("SELECT 1 FROM past_files WHERE sha256 = ?", shard.file.sha256):
            found.append(shard.file.name)
    return found
