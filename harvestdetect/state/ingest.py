"""Puts files of dumps into a state: each is read once, however often and under whatever name it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.data import NO_TIME, Batch, Reject, SourceFile
from harvestdetect.dump import Dumps
from harvestdetect.preparing import Preparer
from harvestdetect.segments import Prepared
from harvestdetect.shards import ShardFolder
from harvestdetect.state.store import Store

__all__ = ["Ingested", "ingest", "kept_files"]

AHEAD_OF_NOW: Final = 86_400
"""Seconds: a later time than so much after now is a mistake and moves no window."""

Ints32: TypeAlias = npt.NDArray[np.int32]


@dataclass(slots=True)
class Ingested:
    """What came of the files that were given."""

    new: list[SourceFile] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    """Names of files whose bytes the state had already."""
    rejects: list[Reject] = field(default_factory=list)
    """The first of them."""
    reject_count: int = 0
    rows: int = 0


def ingest(
    dumps: Dumps,
    store: Store,
    shards: ShardFolder,
    *,
    workers: int,
    now: int,
    since: int | None,
    at_most: int,
    tell: Callable[[str], None],
) -> Ingested:
    """Reads the files that the state does not have.

    Args:
        dumps: their files.
        store: with its lock.
        shards: of the state.
        workers: processes that prepare texts.
        now: Unix seconds.
        since: the beginning of the window; a file that left it is not read again unless the window has become longer.
        at_most: rejects that are kept in full.
        tell: told about files that were there before.
    """
    done = Ingested()
    spans: dict[int, _Span] = {}

    def take(block: Prepared, file: Ints32) -> None:
        if len(file):
            spans.setdefault(int(file[0]), _Span()).add(block, now + AHEAD_OF_NOW)

    for file in dumps.files():
        sha256 = file.sha256()
        if sha256 is not None and _has(store, sha256, since):
            done.known.append(file.name)
            continue
        with Preparer(shards.cutting, take, workers=workers, shards=shards) as preparer:
            read: SourceFile | None = None
            for batch in preparer.add_file(file.batches, file=file.position, name=file.name, sha256=sha256):
                read = _told(batch, done, at_most) or read
            preparer.finish()
        if read is None:
            continue
        if _has(store, read.sha256, since):  # what cannot be read twice shows its digest at its end
            done.known.append(read.name)
            continue
        span = spans.pop(file.position, _Span())
        _keep(store, read, span, now)
        done.new.append(read)
        done.rows += read.rows - read.rejects
    if done.known:
        tell(f"read before, and not again: {', '.join(done.known[:5])}{' and more' if len(done.known) > 5 else ''}")
    return done


@dataclass(slots=True)
class _Span:
    """From when to when the prompts of a file are."""

    first: int | None = None
    last: int | None = None

    def add(self, block: Prepared, latest: int) -> None:
        time = block.time[(block.time != NO_TIME) & (block.time <= latest)]
        if len(time):
            low, high = int(time.min()), int(time.max())
            self.first = low if self.first is None else min(self.first, low)
            self.last = high if self.last is None else max(self.last, high)


def _told(batch: Batch, done: Ingested, at_most: int) -> SourceFile | None:
    done.reject_count += len(batch.rejects) + batch.unlisted
    done.rejects.extend(batch.rejects[: max(at_most - len(done.rejects), 0)])
    return batch.files[-1] if batch.files else None


def _has(store: Store, sha256: str, since: int | None) -> bool:
    if store.rows("SELECT 1 FROM files WHERE sha256 = ?", sha256):
        return True
    past = store.rows("SELECT last_time FROM past_files WHERE sha256 = ?", sha256)
    return bool(past) and (past[0]["last_time"] is None or since is None or past[0]["last_time"] < since)


def _keep(store: Store, file: SourceFile, span: _Span, now: int) -> None:
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO files (sha256, name, rows, rejects, first_time, last_time, added)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (file.sha256, file.name, file.rows, file.rejects, span.first, span.last, now),
        )
        connection.execute("DELETE FROM past_files WHERE sha256 = ?", (file.sha256,))


def kept_files(store: Store) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of every file in the state, in the order of their times."""
    for row in store.rows("SELECT name, sha256 FROM files ORDER BY last_time, sha256"):
        yield row["name"], row["sha256"]
