"""The values that each column of the database may have: every row that is read is checked.

A disk may flip bits, and a file may be edited by hand. SQLite checks the structure of its pages, not the values in
them; so types, ranges, the JSON in a text and UTF-8 are checked here. A row that is not as it was written makes the
state damaged: no later code has to be ready for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from harvestdetect.alerts import Kind, StoredAlert
from harvestdetect.data import Status, Tier

__all__ = ["COLUMNS", "RowError", "Told", "check_rows", "value_error"]

Time: TypeAlias = Annotated[int, Meta(ge=-62_135_596_800, le=253_402_300_799)]
"""Unix seconds in the years 1 to 9999."""
Moment: TypeAlias = Annotated[float, Meta(ge=-62_135_596_800, le=253_402_300_799)]
"""The same, with fractions."""
Count: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 53)]
Number: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 53)]
"""Of a row."""
Digest: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON value of ``campaigns.finding``."""

    first_seen: Time | None
    last_seen: Time | None
    active: Time | None
    prompts: Count
    summary: str
    mark: Count
    title: str = ""
    """Empty from a version that kept none."""
    probability: str | None = None


_CAMPAIGN: Final[Mapping[str, Any]] = {"campaign": Id}
COLUMNS: Final[Mapping[str, Mapping[str, Any]]] = {
    "meta": {"name": str, "value": str},
    "files": {
        "sha256": Digest, "name": str, "rows": Count, "rejects": Count, "first_time": Time | None,
        "last_time": Time | None, "added": Time, "latest_time": Time | None, "state": Literal["whole", "lost"],
    },
    "past_files": {
        "sha256": Digest, "last_time": Time | None, "left_at": Time, "name": str | None, "added": Time | None,
        "latest_time": Time | None, "why": Annotated[str, Meta(max_length=40)], "superseded_by": Digest | None,
    },
    "runs": {
        "run": Number, "started": Time, "finished": Time | None, "window_start": Time | None,
        "window_end": Time | None, "counts": str | None, "settings": str | None, "error": str | None,
        "window_complete": Literal[0, 1] | None,
    },
    "campaigns": {
        **_CAMPAIGN, "first_run": Number, "detected": Time, "tier": Tier, "status": Status, "changed": Number,
        "merged_into": Id | None, "split_from": Id | None, "finding": str,
    },
    "campaign_runs": {
        **_CAMPAIGN, "run": Number, "status": Status, "tier": Tier | None, "score": float | None,
        "q_value": Share | None, "accounts": Count, "new_accounts": Count, "prompts": Count,
        "last_seen": Time | None,
    },
    "campaign_days": {
        **_CAMPAIGN, "day": Annotated[str, Meta(pattern=r"\A\d{4}-\d{2}-\d{2}\Z")], "prompts": Count,
    },
    "members": {
        **_CAMPAIGN, "account": str, "first_run": Number, "last_run": Number, "membership": float,
        "attributed": Literal[0, 1],
    },
    "signatures": {**_CAMPAIGN, "signature": str, "words": str, "first_run": Number, "last_run": Number},
    "events": {
        "event": Number, "at": Time, "run": Number | None, "campaign": Id | None,
        "what": Annotated[str, Meta(min_length=1, max_length=40)], "detail": str,
    },
    "verdicts": {
        "verdict_id": Number, **_CAMPAIGN, "verdict": Literal["harvest", "benign", "unsure"], "note": str,
        "reviewer": str, "tier": Tier, "at": Time, "expires": Time | None, "undone": Time | None,
    },
    "clearings": {
        "number": Number, **_CAMPAIGN, "account": str, "note": str, "reviewer": str, "at": Time, "undone": Time | None,
    },
    "outbox": {
        "number": Number, "channel": str, "run": str, "campaign_id": Id, "key": str, "kind": Kind, "tier": Tier,
        "closes": Literal[0, 1], "state": str, "body": str | None, "created": Moment, "next_try": Moment,
        "tries": Count, "reached": Literal[0, 1], "error": str | None, "finished": Moment | None,
        "incident": str | None,
    },
    "told": {
        "channel": str, "campaign_id": Id, "kind": Kind | Literal["baseline"], "tier": Tier, "run": str, "at": Moment,
        "open": Literal[0, 1], "owed": Literal[0, 1], "incident": str | None,
    },
}  # fmt: skip
"""Table -> column -> what its values must be. A column that is not here may have any values."""
_JSON: Final[Mapping[tuple[str, str], Any]] = {
    ("campaigns", "finding"): Told,
    ("signatures", "words"): list[str | None],
    ("runs", "counts"): dict[str, Any],
    ("runs", "settings"): dict[str, Any],
    ("outbox", "body"): StoredAlert,
}
"""Texts that are JSON, and of what."""
_NAMED: Final = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+([A-Za-z_]+)", re.IGNORECASE)


class RowError(ValueError):
    """A row is not as it was written. The message names the table and the column, and no content."""


def check_rows(query: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Checks the rows of a query.

    Args:
        query: names the tables that it reads.
        columns: of the rows. One that no table of the query has is not checked, so a sum needs a name of its own.
        rows: their values.

    Raises:
        RowError: a value is not allowed in its column.
    """
    kind, sources, documents = _checker(query, tuple(columns))
    if not rows:
        return
    try:
        msgspec.convert([dict(zip(columns, row, strict=True)) for row in rows], kind)
    except msgspec.ValidationError as error:
        where = re.search(r"`\$\[\d+\]\.(\w+)", str(error))
        column = "" if where is None else where[1]
        raise RowError(f"a value of {sources.get(column, 'it')}.{column} is not what was written") from None
    for place, column, document in documents:
        for row in rows:
            if row[place] is not None and (wrong := value_error(row[place], document)):
                raise RowError(f"a value of {sources[column]}.{column} is not what was written ({wrong})")


def value_error(text: str, kind: Any) -> str | None:
    """What is wrong with a text that should be JSON of a kind; None if nothing is."""
    try:
        msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return str(error).partition(" - ")[0][:100]
    return None


@lru_cache(maxsize=256)
def _checker(query: str, columns: tuple[str, ...]) -> tuple[Any, Mapping[str, str], list[tuple[int, str, Any]]]:
    """The type of the rows, the table of each known column, and the columns that are JSON, with their place."""
    tables = [name.lower() for name in _NAMED.findall(query) if name.lower() in COLUMNS]
    sources = {column: table for table in reversed(tables) for column in COLUMNS[table] if column in columns}
    fields = {column: COLUMNS[sources[column]][column] if column in sources else Any for column in columns}
    names = {f"f{number}": column for number, column in enumerate(fields)}
    kind = msgspec.defstruct("Row", [(name, fields[column]) for name, column in names.items()], rename=names)
    documents = [
        (columns.index(column), column, _JSON[table, column])
        for column, table in sources.items()
        if (table, column) in _JSON
    ]
    return list[kind], sources, documents  # type: ignore[valid-type]
