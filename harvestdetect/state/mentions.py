"""Where a state may mention an account: rows of the database, prepared files, and their names."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from harvestdetect.corpus.block import PreparedBlock
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.state.store import Store
from harvestdetect.state.traces import Traces

__all__ = [
    *("GENERATED", "NAMES", "Mention", "accounts_of", "blocks_of", "files_of", "json_value", "mentions", "rows_said"),
    "text_columns",
]

_STRUCTURE: Final = frozenset(
    {
        *("sha256", "superseded_by", "campaign", "campaign_id", "merged_into", "split_from", "signature", "key"),
        *("channel", "reviewer", "run", "status", "state", "tier", "kind", "what", "why", "verdict", "day"),
    }
)
"""Columns that never contain the id of an account: an equal value there means something else."""
NAMES: Final = frozenset({("files", "name"), ("past_files", "name")})
GENERATED: Final = frozenset({("campaigns", "finding"), ("runs", "settings"), ("runs", "counts"), ("meta", "value")})
"""JSON of this package. An ordinary word or number in it is no mention of an account of this name."""


class Mention(NamedTuple):
    """A value of the database that mentions an account."""

    table: str
    column: str
    row: int
    value: str


def files_of(store: Store) -> list[tuple[str, str]]:
    """Name and SHA-256 of every prepared file that the database lists."""
    return [(row["name"], row["sha256"]) for row in store.rows("SELECT name, sha256 FROM files ORDER BY sha256")]


def mentions(traces: Traces, text: str) -> bool:
    """Whether a text contains the id of the account, in any of its written forms or as part of a file name."""
    return traces.said(text) or traces.named(text)


def text_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Table and name of every column of text."""
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [
        (table, column["name"])
        for (table,) in [tuple(row) for row in tables]
        for column in connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        if column["type"] == "TEXT"
    ]


def rows_said(connection: sqlite3.Connection, traces: Traces) -> Iterator[Mention]:
    """Every mention in the database, except as an account of ``members`` and ``clearings``."""
    for table, column in text_columns(connection):
        if column in _STRUCTURE or (table, column) in (
            ("members", "account"),
            ("clearings", "account"),
            ("meta", "name"),
        ):
            continue
        if (table, column) == ("signatures", "words"):  # texts, which are erased by who sent them
            continue
        rows = connection.execute(f'SELECT rowid, "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL')
        for row, value in (tuple(row) for row in rows.fetchall()):
            if _is_said(traces, table, column, value):
                yield Mention(table=table, column=column, row=row, value=value)


def _is_said(traces: Traces, table: str, column: str, value: str) -> bool:
    if (table, column) in NAMES:
        return traces.named(value)
    if (table, column) in GENERATED and traces.is_plain:
        return False
    decoded = json_value(value) if (table, column) in GENERATED or column == "body" else value
    return traces.said_in(decoded)


def json_value(raw: str) -> Any:
    """The JSON value of a text, or the text itself if it is not JSON."""
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def accounts_of(block: PreparedBlock) -> set[bytes]:
    """The ids of all accounts with prompts in a block, as UTF-8."""
    stop = np.cumsum(block.value_size[: int(block.value_count[0])], dtype=np.int64).tolist()
    return {block.value_bytes[a:b].tobytes() for a, b in zip([0, *stop], stop, strict=False)}


def blocks_of(store: Store, shards: ShardFolder) -> Iterator[PreparedBlock]:
    """The blocks of all prepared files that can be read."""
    for name, sha256 in files_of(store):
        shard = shards.open(name, sha256)
        if shard is not None:
            try:
                yield from shard
            finally:
                shard.close()
