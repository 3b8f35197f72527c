"""Proof that nothing of an account is left in a state.

The log of the database is empty, no row and no prepared file mentions the account, and its bytes occur nowhere else.
"""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from harvestdetect.corpus.shard_file import Shard
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.state.mentions import accounts_of, files_of, mentions, rows_said, text_columns
from harvestdetect.state.store import DATABASE, Store
from harvestdetect.state.traces import Traces, mapped
from harvestdetect.store.folder import left_artifacts

__all__ = ["checkpointed", "remaining"]

_PAUSE: Final = 0.1
"""Seconds between two attempts to empty the log of the database."""


def checkpointed(store: Store, deadline: float) -> list[str]:
    """Moves everything from the log into the database; returns what prevents it."""
    log = store.folder / f"{DATABASE}-wal"
    while True:
        with suppress(sqlite3.OperationalError):
            busy = store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy and (not log.exists() or not log.stat().st_size):
                return []
        if time.monotonic() >= deadline:
            return [
                f"another process reads the state, and its transaction keeps old pages in {DATABASE} and {log.name}: "
                "end that process"
            ]
        time.sleep(_PAUSE)


def remaining(store: Store, shards: ShardFolder, traces: Traces) -> list[str]:
    """Where the account still is, a sentence each; empty if it is gone."""
    remains = _in_tables(store, traces)
    named = set()
    for name, sha256 in files_of(store):
        path = shards.path(name, sha256)
        named.add(path)
        remains += _in_shard(shards, name, sha256, traces) if path.exists() else []
    remains += [f"{name} in the state could not be removed" for name in left_artifacts(store.folder)]
    for path in sorted(store.folder.rglob("*")):
        if path in named or path.name.startswith(DATABASE) or not path.is_file():
            continue
        with mapped(path) as data:
            found = any(True for _ in traces.places(data))
        if found or path.parent == shards.folder:
            remains.append(f"{path.relative_to(store.folder)}, which is no file of the state, may contain it")
    if not remains:
        remains = _in_database(store, traces)
    return remains


def _in_tables(store: Store, traces: Traces) -> list[str]:
    count: dict[str, int] = defaultdict(int)
    for table, column, _, _ in rows_said(store.connection, traces):
        count[f"{table}.{column}"] += 1
    for table in ("members", "clearings"):
        rows = store.rows(f"SELECT count(*) AS n FROM {table} WHERE account = ?", traces.account)[0]["n"]
        if rows:
            count[f"{table}.account"] = rows
    return [f"{n:,} rows of {column} contain it" for column, n in sorted(count.items())]


def _in_shard(shards: ShardFolder, name: str, sha256: str, traces: Traces) -> list[str]:
    shard = shards.open(name, sha256)
    if shard is None:
        return [f"the prepared file of {name} is broken and cannot be searched"]
    try:
        wanted = traces.account.encode()
        for block in shard:
            if wanted in accounts_of(block):
                return [f"the prepared file of {name} has prompts of the account"]
            if not np.isin(block.owner, block.held).all():
                return [f"the prepared file of {name} has texts that are in no prompt"]
        if traces.named(shard.stored_name) or any(mentions(traces, r.reason) for r in shard.rejects):
            return [f"the prepared file of {name} mentions the account"]
        if _outside(shard, shards.path(name, sha256), traces):
            return [f"the prepared file of {name} has the id outside of the texts"]
    finally:
        shard.close()
    return []


def _outside(shard: Shard, path: Path, traces: Traces) -> bool:
    """Whether the id occurs outside of texts, which others sent, and outside of longer words."""
    places = shard.text_places()
    starts = [start for start, _ in places]
    with mapped(path) as data:
        for start, stop in traces.places(data):
            at = int(np.searchsorted(starts, start, side="right")) - 1
            if at < 0 or stop > places[at][1]:
                return True
    return False


def _in_database(store: Store, traces: Traces) -> list[str]:
    """Searches the bytes of the database for the id in places that no remaining value explains."""
    connection = store.connection
    values = [str(row[0]).encode() for row in connection.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL")]
    for table, column in text_columns(connection):
        for form in traces.forms:
            rows = connection.execute(
                f'SELECT "{column}" FROM "{table}" WHERE instr("{column}", ?)', (form.decode(),)
            ).fetchall()
            values += [row[0].encode() for row in rows]
    page = int(connection.execute("PRAGMA page_size").fetchone()[0])
    with mapped(store.folder / DATABASE) as data:
        found = traces.unexplained(data, values, page=page)
    return [f"{DATABASE} still has it in {found:,} places"] if found else []
