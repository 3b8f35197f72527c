"""What runs have read whose result nobody got: they failed, were stopped, or could not report it.

A file enters the state as soon as it is read, but what was read of it is reported by the run that finishes. So the
database keeps a mark for each file, in ``meta``, until a run has reported it. The marks have numbers only: the name of
the file and its rejects are in its row and its prepared file.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Final

from harvestdetect.data import SourceFile
from harvestdetect.dump import WholeFiles
from harvestdetect.state.store import Store, damaged

__all__ = ["Unreported", "mark_read", "mark_reported", "unreported_files"]

_PREFIX: Final = "unreported, "
"""Beginning of the names in ``meta`` of the marks; the SHA-256 of the file follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreported:
    """A file that was read and that no run has reported."""

    rows: int
    """Rows that gave a prompt."""
    rejects: int
    cut: int
    """1 if it could not be read to its end, else 0."""
    empty: int
    """1 if it was empty, else 0."""


def mark_read(connection: sqlite3.Connection, file: SourceFile, whole: WholeFiles) -> None:
    """Marks a file as read and not reported. Call it inside the transaction that adds the file.

    Args:
        connection: to the database.
        file: that was read.
        whole: what the rejects of this file say about the whole file.
    """
    figures = [file.rows, file.rejects, len(whole.cut), whole.empty]
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"{_PREFIX}{file.sha256}", json.dumps(figures)))


def mark_reported(connection: sqlite3.Connection) -> None:
    """Removes all marks. Call it inside a transaction."""
    connection.execute("DELETE FROM meta WHERE substr(name, 1, ?) = ?", (len(_PREFIX), _PREFIX))


def unreported_files(store: Store) -> dict[str, Unreported]:
    """The files that no run has reported, by SHA-256.

    Raises:
        DamagedStateError: a mark is not what was written.
    """
    found = {}
    for row in store.rows(
        "SELECT name, value FROM meta WHERE substr(name, 1, ?) = ? ORDER BY name", len(_PREFIX), _PREFIX
    ):
        try:
            rows, rejects, cut, empty = (int(value) for value in json.loads(row["value"]))
        except (TypeError, ValueError):
            raise damaged(store.folder, f"meta has no figures for {row['name']!a}") from None
        found[row["name"].removeprefix(_PREFIX)] = Unreported(rows=rows, rejects=rejects, cut=cut, empty=empty)
    return found
