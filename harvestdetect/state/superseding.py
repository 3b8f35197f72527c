"""Finds files of a state that have the same rows, because a file grew, or was cut off and later completed.

A file whose rows are all in a newer file leaves the window as superseded. A new file whose rows are all in a file of
the state is recorded as a copy. The state remembers both and does not read them again while the other file is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from harvestdetect.corpus.copies import FileRows, is_within, row_keys, rows_of
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.errors import CacheError, UnreadableError
from harvestdetect.state.clock import Span
from harvestdetect.state.store import Store

__all__ = ["Others", "Stored", "remove_shards"]


@dataclass(slots=True)
class Stored:
    """A file of the state."""

    sha256: str
    name: str
    prompts: int
    first: int | None
    """Unix seconds of the first prompt; None if unknown."""
    latest: int | None
    """Unix seconds of the last prompt; None if unknown."""
    rows: FileRows | None = None
    """The rows; None until they are read from the shard."""


class Others:
    """The files of a state, to compare the rows of a new file with.

    Args:
        store: the state.
        shards: its prepared files.
    """

    def __init__(self, store: Store, shards: ShardFolder) -> None:
        self._shards = shards
        rows = store.rows("SELECT sha256, name, rows, first_time, latest_time FROM files WHERE state = 'whole'")
        self._files = {
            row["sha256"]: Stored(
                sha256=row["sha256"], name=row["name"], prompts=row["rows"], first=row["first_time"],
                latest=row["latest_time"],
            )
            for row in rows
        }  # fmt: skip

    def has(self, sha256: str) -> bool:
        """Whether the state has a file with this SHA-256."""
        return sha256 in self._files

    def with_rows(self, sha256: str) -> Stored | None:
        """The file with this SHA-256 and its rows; None if the state lacks it or cannot read it."""
        file = self._files.get(sha256)
        return file if file is not None and self._read(file) else None

    def beside(self, span: Span) -> list[Stored]:
        """The readable files whose times overlap those of a new file, with their rows."""
        return [other for other in self._files.values() if _meet(other, span) and self._read(other)]

    def holder(self, rows: FileRows, beside: list[Stored]) -> Stored | None:
        """A file of ``beside`` that has all of some rows; None if there is none, or no row."""
        return next((o for o in beside if len(rows) and o.rows is not None and is_within(rows, o.rows)), None)

    def superseded(self, name: str, rows: FileRows, beside: list[Stored]) -> list[Stored]:
        """The files that a new file supersedes.

        These are the files of ``beside`` whose rows are all in the new file, and files of the same name without rows.

        Args:
            name: name of the new file.
            rows: rows of the new file.
            beside: files whose times overlap those of the new file.
        """
        if not len(rows):
            return []
        found = [o for o in beside if o.rows is not None and len(o.rows) and is_within(o.rows, rows)]
        empty = [o for o in self._files.values() if not o.prompts and o.name == name]
        return found + [o for o in empty if self._read(o) and o.rows is not None and not len(o.rows)]

    def add(self, file: Stored) -> None:
        """Adds a new file of the state."""
        self._files[file.sha256] = file

    def drop(self, files: list[Stored]) -> None:
        """Removes files that the state no longer has."""
        for file in files:
            self._files.pop(file.sha256, None)

    def _read(self, file: Stored) -> bool:
        """Reads the rows of a file; False if its prepared file is lost or damaged."""
        if file.rows is not None:
            return True
        shard = self._shards.open(file.name, file.sha256)
        if shard is None:
            return False
        try:
            file.rows = rows_of([row_keys(block) for block in shard])
        except UnreadableError:
            raise
        except CacheError:
            return False
        finally:
            shard.close()
        return True


def remove_shards(shards: ShardFolder, files: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> None:
    """Removes the prepared files of files, given by name and SHA-256, that the database no longer lists."""
    for name, sha256 in files:
        with suppress(OSError):
            shards.path(name, sha256).unlink()


def _meet(file: Stored, span: Span) -> bool:
    """Whether a file may have rows of another, by their times. A file without times may."""
    if file.first is None or span.latest is None:
        return True
    first = span.latest if span.first is None else span.first
    return file.first <= span.latest and (file.latest is None or file.latest >= first)
