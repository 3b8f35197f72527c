"""Files of a state that hold the same rows: which one goes when a file grew, or was cut off and completed.

A file whose rows are all in a newer one leaves the window as superseded. A new file whose rows are all in one that the
state has is noted as a copy. Both stay known: neither is read again while the file that has their rows is there.
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
    """Unix seconds of the first and the last prompt; None where it is not known."""
    latest: int | None
    rows: FileRows | None = None
    """Read from the shard when it is needed."""


class Others:
    """The files that a state has, as what the rows of a new one are compared with.

    Args:
        store: of the state.
        shards: of the state.
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
        """Whether the state has a file of these bytes; read from the rows themselves and no index."""
        return sha256 in self._files

    def beside(self, span: Span) -> list[Stored]:
        """The files with prompts of the same times, with their rows; those that cannot be read are left out."""
        return [other for other in self._files.values() if _meet(other, span) and self._read(other)]

    def holder(self, rows: FileRows, beside: list[Stored]) -> Stored | None:
        """A file that holds all of some rows; None for no rows."""
        return next((o for o in beside if len(rows) and o.rows is not None and is_within(rows, o.rows)), None)

    def superseded(self, name: str, rows: FileRows, beside: list[Stored]) -> list[Stored]:
        """The files of which all rows are among some, at least one each; and those of the same name without any row."""
        if not len(rows):
            return []
        found = [o for o in beside if o.rows is not None and len(o.rows) and is_within(o.rows, rows)]
        empty = [o for o in self._files.values() if not o.prompts and o.name == name]
        return found + [o for o in empty if self._read(o) and o.rows is not None and not len(o.rows)]

    def add(self, file: Stored) -> None:
        """Takes a file that the state has now."""
        self._files[file.sha256] = file

    def drop(self, files: list[Stored]) -> None:
        """Takes files away that the state has no more."""
        for file in files:
            self._files.pop(file.sha256, None)

    def _read(self, file: Stored) -> bool:
        if file.rows is not None:
            return True
        held = self._shards.open(file.name, file.sha256)
        if held is None:
            return False
        try:
            file.rows = rows_of([row_keys(block) for block in held])
        except UnreadableError:
            raise
        except CacheError:
            return False
        finally:
            held.close()
        return True


def remove_shards(shards: ShardFolder, files: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> None:
    """Removes what was read of files, by name and SHA-256, that the database names no more."""
    for name, sha256 in files:
        with suppress(OSError):
            shards.path(name, sha256).unlink()


def _meet(file: Stored, span: Span) -> bool:
    """Whether two files may hold the same rows, by their times; one without any may."""
    if file.first is None or span.latest is None:
        return True
    first = span.latest if span.first is None else span.first
    return file.first <= span.latest and (file.latest is None or file.latest >= first)
