"""The preambles that a state remembers, so that a share near the threshold does not switch one on and off every night.

A run looks for preambles in the whole window. One that the run before found, and that is not found now, stays until
fewer than half as many accounts as usual always send it (:func:`harvestdetect.corpus.preambles.find_preambles`). A
preamble is what a quarter of all accounts send, so it says nothing about a single one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from harvestdetect.data import Preamble
from harvestdetect.state.rows import value_error
from harvestdetect.state.store import Store, damaged

__all__ = ["keep_preambles", "kept_preambles"]

NAME: Final = "preambles"
"""Name of their row in the table ``meta``."""


def kept_preambles(store: Store) -> tuple[str, ...]:
    """The texts of the preambles that the last run found, with slots in braces.

    Raises:
        DamagedStateError: the database does not have what was written.
    """
    raw = store.meta(NAME)
    if raw is None:
        return ()
    if value_error(raw, list[str]) is not None:
        raise damaged(store.folder, f"meta.{NAME} is not what was written")
    return tuple(json.loads(raw))


def keep_preambles(connection: sqlite3.Connection, preambles: Sequence[Preamble]) -> None:
    """Records the preambles of a run, in the transaction of its results."""
    raw = json.dumps([one.text for one in preambles])
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (NAME, raw))
