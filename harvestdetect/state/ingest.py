"""Adds files of dumps to a state. Each is read once, however often and under whatever name it is given."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.corpus.block import PreparedBlock
from harvestdetect.corpus.copies import FileRows, counted_once, row_keys, rows_of
from harvestdetect.corpus.prepare_parallel import ParallelPreparer
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.data import NO_PROMPTS, Batch, Reject, SourceFile
from harvestdetect.dump import Dumps, WholeFiles
from harvestdetect.engines.engine import Engine
from harvestdetect.errors import CacheError, ClockError, UnreadableError
from harvestdetect.state.clock import AHEAD_OF_NOW, Guard, Span
from harvestdetect.state.store import Store, damaged
from harvestdetect.state.superseding import Others, Stored, remove_shards
from harvestdetect.state.unreported import Unreported, mark_read, unreported_files
from harvestdetect.util.arrays import Ints32

__all__ = ["Ingested", "Moment", "ingest", "kept_files", "look_again", "read_until"]

MAX_TOLD: Final = 10
"""Superseded files and copies are named in notes up to this number of each."""

_SINCE: Final = "read until, "
"""Beginning of the names in ``meta`` under which the ends of what was read of databases are noted."""

Tell: TypeAlias = Callable[[str], None]


@dataclass(slots=True)
class Ingested:
    """What was done with the files that were given."""

    new: list[SourceFile] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """Names of files whose bytes the state had already."""
    known_digests: set[str] = field(default_factory=set)
    """Their SHA-256."""
    copies: list[tuple[str, str]] = field(default_factory=list)
    """Names of a file that brought no row of its own, and of the one that has its rows."""
    superseded: list[tuple[str, str]] = field(default_factory=list)
    """Names of a file that left the window, and of the newer one that has its rows."""
    rejects: list[Reject] = field(default_factory=list)
    """The first of them."""
    reject_count: int = 0
    rows: int = 0
    """Prompts that the state did not have. One that is in several files counts once, and rejects are not among them."""
    read_rows: int = 0
    """Rows of the files that were read that gave a prompt, be it one that the state had; rejects are not among them."""
    whole: WholeFiles = field(default_factory=WholeFiles)
    """Files that could not be read to their end, and empty ones."""
    earlier: int = 0
    """Files among these that an earlier run read, whose result nobody got."""

    def add(self, more: Ingested) -> None:
        """Adds the results of files that were read in a second pass."""
        self.new += more.new
        self.copies += more.copies
        self.superseded += more.superseded
        self.rejects += more.rejects
        self.reject_count += more.reject_count
        self.rows += more.rows
        self.read_rows += more.read_rows
        self.whole.join(more.whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a run takes place, and what its window is."""

    now: int
    """Unix seconds."""
    window: int
    """Seconds."""
    since: int | None
    """The beginning of the window before this run; None: no prompt has a time."""
    added: int
    """What is noted as the time at which files were added: not before the last run, whatever the clock says."""
    guard: Guard | None
    """Doubts the clock; None: it is believed."""


@dataclass(slots=True)
class _Read:
    """A file that was read and is not in the state yet."""

    file: SourceFile
    span: Span
    rows: FileRows
    whole: WholeFiles
    """What its rejects say about the whole file."""


def ingest(
    dumps: Dumps, store: Store, shards: ShardFolder, *, engine: Engine, moment: Moment, at_most: int, tell: Tell,
    first: bool = True,
) -> Ingested:  # fmt: skip
    """Reads the files that the state does not have.

    Each is in the state as soon as it is read. If the clock is in doubt, all files are read first.

    Args:
        dumps: their files.
        store: with its lock.
        shards: of the state.
        engine: prepares texts.
        moment: of the run. A file that left the window is not read again unless the window covers it now.
        at_most: rejects that are kept in full.
        tell: receives a sentence about files that were there before, and about those that have the same rows.
        first: whether this run has read nothing yet: then what earlier runs read and nobody reported is added.

    Raises:
        ClockError: the prompts show that the clock is wrong; none of the doubtful files is in the state.
    """
    done = Ingested()
    taking = _Taking(store, shards, moment, done)
    earlier = taking.resume(unreported_files(store), at_most) if first else _Earlier(marks={}, again=frozenset())
    spans: dict[int, Span] = {}
    keys: dict[int, list[npt.NDArray[np.uint64]]] = {}

    def take(block: PreparedBlock, file: Ints32) -> None:
        if len(file):
            spans.setdefault(int(file[0]), Span()).add(block.time, moment.now)
            keys.setdefault(int(file[0]), []).append(row_keys(block))

    for file in dumps.files():
        sha256 = file.sha256()
        if sha256 is not None and earlier.has(store, sha256, moment):
            done.known.append(file.name)
            done.known_digests.add(sha256)
            continue
        before, count, whole = len(done.rejects), done.reject_count, WholeFiles()
        with ParallelPreparer(shards.cutting, take, engine=engine, shards=shards) as preparer:
            read: SourceFile | None = None
            for batch in preparer.add_file(file.batches, file=file.position, name=file.name, sha256=sha256):
                whole.add(batch.rejects)
                read = _told(batch, done, at_most) or read
            preparer.finish()
        span, rows = spans.pop(file.position, Span()), rows_of(keys.pop(file.position, []))
        if read is None:
            done.whole.join(whole)
            continue
        if earlier.has(store, read.sha256, moment):  # what cannot be read twice shows its digest at its end
            done.known.append(read.name)
            del done.rejects[before:]
            done.reject_count = count
            continue
        earlier.marks.pop(read.sha256, None)
        taking.take(_Read(read, span, rows, whole))
    taking.finish()
    _add_unlisted(store, earlier.marks, done, tell)
    _tell_known(dumps, done, tell)
    return done


@dataclass(slots=True, kw_only=True)
class _Earlier:
    """What is left of the marks of earlier runs."""

    marks: dict[str, Unreported]
    """SHA-256 -> figures of a file that has no prepared file of its own."""
    again: frozenset[str]
    """Those of them that are read again if they are given, because their rejects are listed nowhere."""

    def has(self, store: Store, sha256: str, moment: Moment) -> bool:
        """Whether a file need not be read."""
        return sha256 not in self.again and _has(store, sha256, moment)


def _add_unlisted(store: Store, marks: Mapping[str, Unreported], done: Ingested, tell: Tell) -> None:
    """Counts the files that earlier runs read and nobody reported, as far as they have no prepared file."""
    for sha256, mark in marks.items():
        rows = store.rows(
            "SELECT name FROM files WHERE sha256 = ? UNION ALL SELECT name FROM past_files WHERE sha256 = ?",
            sha256, sha256,
        )  # fmt: skip
        name = next((row["name"] for row in rows if row["name"]), f"a file with the SHA-256 {sha256[:12]}...")
        done.earlier += 1
        done.reject_count += mark.rejects
        done.read_rows += mark.rows
        done.whole.empty += mark.empty
        if mark.cut:
            done.whole.cut.setdefault(name, "an earlier run read it")
        if mark.rejects:
            tell(f"{mark.rejects:,} rejects of {name} are counted and not listed; an earlier run read that file")


class _Taking:
    """Adds the files that were read to the state."""

    def __init__(self, store: Store, shards: ShardFolder, moment: Moment, done: Ingested) -> None:
        self._store = store
        self._shards = shards
        self._moment = moment
        self._done = done
        self._others = Others(store, shards)
        self._spans: list[Span] = []
        self._waiting: list[_Read] = []
        """Files that wait until the clock is checked."""
        self._new: list[FileRows] = []
        self._old: dict[str, FileRows] = {}
        """Rows of the files that were there before and have times of new ones."""

    def resume(self, marks: dict[str, Unreported], at_most: int) -> _Earlier:
        """Adds the files that earlier runs read and nobody reported, with the rejects of their prepared files.

        Args:
            marks: of :func:`~harvestdetect.state.unreported.unreported_files`.
            at_most: rejects that are kept in full.

        Returns:
            The files that have no prepared file.

        Raises:
            UnreadableError: a prepared file cannot be read now.
        """
        left = dict(marks)
        for sha256 in marks:
            stored = self._others.with_rows(sha256)
            if stored is None or stored.rows is None or (file := self._listed(stored, at_most)) is None:
                continue
            del left[sha256]
            self._done.new.append(file)
            self._done.earlier += 1
            self._done.read_rows += file.rows
            self._new.append(stored.rows)
        for file in self._done.new:
            stored = self._others.with_rows(file.sha256)
            if stored is not None:
                self._beside(Span(first=stored.first, latest=stored.latest))
        past = {row["sha256"] for row in self._store.rows("SELECT sha256 FROM past_files WHERE why = 'superseded'")}
        again = frozenset(sha256 for sha256, mark in left.items() if mark.rejects and sha256 in past)
        return _Earlier(marks=left, again=again)

    def _listed(self, stored: Stored, at_most: int) -> SourceFile | None:
        """Takes the rejects of a prepared file; None if it cannot be read any more."""
        shard = self._shards.open(stored.name, stored.sha256)
        if shard is None:
            return None
        try:
            unlisted = max(shard.file.rejects - len(shard.rejects), 0)
            batch = Batch(prompts=NO_PROMPTS, rejects=shard.rejects, files=(shard.file,), unlisted=unlisted)
            self._done.whole.add(batch.rejects)
            return _told(batch, self._done, at_most)
        except UnreadableError:
            raise
        except CacheError:
            return None
        finally:
            shard.close()

    def _beside(self, span: Span) -> list[Stored]:
        """The files whose times overlap those of a new file. The rows of those from earlier runs are noted."""
        beside = self._others.beside(span)
        added = {stored.sha256 for stored in beside} & {one.sha256 for one in self._done.new}
        self._old.update({s.sha256: s.rows for s in beside if s.rows is not None and s.sha256 not in added})
        return beside

    def take(self, read: _Read) -> None:
        self._done.read_rows += read.file.rows
        self._done.whole.join(read.whole)
        guard = self._moment.guard
        self._spans.append(read.span)
        if guard is not None and (guard.doubts(read.span) or self._waiting):
            self._waiting.append(read)
        else:
            self._keep(read)

    def finish(self) -> None:
        """Checks the clock, adds the files that waited for it, and counts.

        Raises:
            ClockError: the clock is wrong; what waits is left out, and nothing is left of it.
            DamagedStateError: the index of files does not fit the table.
        """
        guard = self._moment.guard
        if guard is not None:
            try:
                guard.check(self._spans)
            except ClockError:
                waiting = [read.file for read in self._waiting if not self._others.has(read.file.sha256)]
                remove_shards(self._shards, [(file.name, file.sha256) for file in waiting])
                raise
        for read in self._waiting:
            self._keep(read)
        old = list(self._old.values())
        self._done.rows = counted_once([*old, *self._new]) - counted_once(old)

    def _keep(self, read: _Read) -> None:
        file = read.file
        if _is_whole(self._store, file.sha256):  # the same bytes under another name waited for the clock too
            self._done.known.append(file.name)
            return
        if self._others.has(file.sha256):
            raise damaged(self._store.folder, f"its index of files does not find {file.name}, which is in the table")
        beside = self._beside(read.span)
        self._new.append(read.rows)
        holder = self._others.holder(read.rows, beside)
        if holder is not None:
            _keep_copy(self._store, read, holder.sha256, self._moment)
            remove_shards(self._shards, [(file.name, file.sha256)])
            self._done.copies.append((file.name, holder.name))
            return
        gone = self._others.superseded(file.name, read.rows, beside)
        _keep(self._store, read, gone, self._moment)
        remove_shards(self._shards, [(one.name, one.sha256) for one in gone])
        self._others.drop(gone)
        self._others.add(
            Stored(
                sha256=file.sha256, name=file.name, prompts=len(read.rows), first=read.span.first,
                latest=read.span.latest, rows=read.rows,
            )
        )  # fmt: skip
        left = {one.sha256 for one in gone}
        self._done.new[:] = [one for one in self._done.new if one.sha256 not in left] + [file]
        self._done.superseded += [(one.name, file.name) for one in gone]


def _told(batch: Batch, done: Ingested, at_most: int) -> SourceFile | None:
    done.reject_count += len(batch.rejects) + batch.unlisted
    done.rejects.extend(batch.rejects[: max(at_most - len(done.rejects), 0)])
    return batch.files[-1] if batch.files else None


def _tell_known(dumps: Dumps, done: Ingested, tell: Tell) -> None:
    for sentence in dumps.left_out.sentences():
        tell(sentence)
    if done.known:
        tell(f"read before, and not again: {', '.join(done.known[:5])}{' and more' if len(done.known) > 5 else ''}")
    for name, other in done.superseded[:MAX_TOLD]:
        tell(f"{name} is superseded: all its prompts are in {other}, which takes its place")
    if len(done.superseded) > MAX_TOLD:
        tell(f"{len(done.superseded) - MAX_TOLD:,} more files are superseded; state verify names them")
    for name, other in done.copies[:MAX_TOLD]:
        tell(f"{name} is a copy: all its prompts are in {other}, and count once")
    if len(done.copies) > MAX_TOLD:
        tell(f"{len(done.copies) - MAX_TOLD:,} more files are copies; state verify names them")


# ---------------------------------------------------------------- which files are known


def _has(store: Store, sha256: str, moment: Moment) -> bool:
    """Whether a file need not be read: the state has it, or one with all its rows, or it is not in the window."""
    if _is_whole(store, sha256):
        return True
    past = store.rows("SELECT * FROM past_files WHERE sha256 = ?", sha256)
    if not past:
        return False
    row, seen = past[0], {sha256}
    while row["why"] == "superseded" and row["superseded_by"] not in seen | {None}:
        by = row["superseded_by"]
        if _is_whole(store, by):
            return True
        seen.add(by)
        next_one = store.rows("SELECT * FROM past_files WHERE sha256 = ?", by)
        if not next_one:
            break
        row = next_one[0]
    return not _is_covered(past[0]["last_time"], past[0]["latest_time"], past[0]["added"], moment)


def _is_whole(store: Store, sha256: str) -> bool:
    return bool(store.rows("SELECT 1 FROM files WHERE sha256 = ? AND state = 'whole'", sha256))


def _is_covered(last: int | None, latest: int | None, added: int | None, moment: Moment) -> bool:
    """Whether the window covers a file that left it: by its times, or else by when it was added, where that is known.

    Args:
        last: its latest time that the clock of its run allowed.
        latest: its latest time.
        added: when it was read.
        moment: of this run; a time that its clock allows counts.
    """
    time = latest if latest is not None and latest <= moment.now + AHEAD_OF_NOW else last
    if time is not None:
        return moment.since is None or time >= moment.since
    return added is None or added >= moment.now - moment.window


def _keep(store: Store, read: _Read, superseded: list[Stored], moment: Moment) -> None:
    """Adds a new file and removes those that it supersedes, in one step."""
    file, span = read.file, read.span
    with store.transaction() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO files (sha256, name, rows, rejects, first_time, last_time, latest_time, added)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (file.sha256, file.name, file.rows, file.rejects, span.first, span.last, span.latest, moment.added),
        )
        connection.execute("DELETE FROM past_files WHERE sha256 = ?", (file.sha256,))
        _remember(connection, file)
        mark_read(connection, file, read.whole)
        for one in superseded:
            connection.execute(
                "INSERT OR REPLACE INTO past_files"
                " (sha256, name, last_time, latest_time, added, left_at, why, superseded_by)"
                " SELECT sha256, name, last_time, latest_time, added, ?, 'superseded', ? FROM files WHERE sha256 = ?",
                (moment.now, file.sha256, one.sha256),
            )
            connection.execute("DELETE FROM files WHERE sha256 = ?", (one.sha256,))


def _keep_copy(store: Store, read: _Read, holder: str, moment: Moment) -> None:
    """Records a file without new rows as superseded by the one that has its rows."""
    with store.transaction() as connection:
        connection.execute("DELETE FROM files WHERE sha256 = ?", (read.file.sha256,))
        _remember(connection, read.file)
        mark_read(connection, read.file, read.whole)
        connection.execute(
            "INSERT OR REPLACE INTO past_files"
            " (sha256, name, last_time, latest_time, added, left_at, why, superseded_by)"
            " VALUES (?, ?, ?, ?, ?, ?, 'superseded', ?)",
            (
                *(read.file.sha256, read.file.name, read.span.last, read.span.latest),
                *(moment.added, moment.now, holder),
            ),
        )


def _remember(connection: sqlite3.Connection, file: SourceFile) -> None:
    """Notes up to where the rows of a database were read, if the file is such rows."""
    if file.until is not None:
        name, value = file.until
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"{_SINCE}{name}", value))


def read_until(store: Store, name: str) -> str | None:
    """The last value of the column by which rows of a database were read in order; None if none was read.

    Args:
        store: of the state.
        name: what the state calls the rows, see :attr:`~harvestdetect.data.SourceFile.until`.
    """
    return store.meta(f"{_SINCE}{name}")


def kept_files(store: Store) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of every file in the state that is not lost, in the order of their times."""
    for row in store.rows("SELECT name, sha256 FROM files WHERE state = 'whole' ORDER BY last_time, sha256"):
        yield row["name"], row["sha256"]


# ---------------------------------------------------------------- times that another clock judged


def look_again(store: Store, shards: ShardFolder, now: int) -> None:
    """Reads the times of some files again: a clock did not allow all of them, or this one would not.

    A file of a night with a wrong clock is so in the window again once the clock is right. In a state that an older
    version wrote, all files are looked at once.
    """
    every = store.meta("latest_times") is None
    rows = store.rows(
        "SELECT sha256, name, last_time, latest_time FROM files WHERE state = 'whole' AND (? OR last_time > ?"
        " OR (latest_time IS NOT NULL AND (last_time IS NULL OR latest_time > last_time)))",
        every, now + AHEAD_OF_NOW,
    )  # fmt: skip
    seen: list[tuple[int | None, int | None, int | None, str]] = []
    for row in rows:
        shard = shards.open(row["name"], row["sha256"])
        if shard is None:
            continue
        span = Span()
        try:
            for block in shard:
                span.add(block.time, now)
        finally:
            shard.close()
        seen.append((span.first, span.last, span.latest, row["sha256"]))
    if not seen and not every:
        return
    with store.transaction() as connection:
        connection.executemany("UPDATE files SET first_time = ?, last_time = ?, latest_time = ? WHERE sha256 = ?", seen)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('latest_times', '1')")
