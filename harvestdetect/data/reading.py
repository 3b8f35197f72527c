"""What comes out of a dump: prompts, rejects, files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import pyarrow as pa

from harvestdetect.arguments import named_values

__all__ = [
    "FIELDS",
    "NO_PROMPTS",
    "NO_TIME",
    "PROMPT_SCHEMA",
    "YEAR_10000",
    "Batch",
    "FileReading",
    "Prompt",
    "Reject",
    "SourceFile",
]

FIELDS: Final[tuple[str, ...]] = (
    "org",
    "ip",
    "asn",
    "user_agent",
    "api_key",
    "payment",
    "email_domain",
    "created_at",
    "model",
    "session",
    "request",
)
"""Optional columns of a dump. A dump always has account and prompt, and usually a timestamp. ``request``, the id of a
request, only shows which rows are the same request: it is unique to each, and no evidence."""

NO_TIME: Final[int] = -(2**63)
"""The time, in seconds, of a row that has none."""

YEAR_10000: Final[int] = 253_402_300_800
"""Unix seconds from which a time has no ISO 8601 form with a year of four digits."""

PROMPT_SCHEMA: Final[pa.Schema] = pa.schema(
    [
        pa.field("file", pa.int32(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        pa.field("account", pa.string(), nullable=False),
        pa.field("time", pa.int64(), nullable=False),
        pa.field("roles", pa.list_(pa.string()), nullable=False),
        pa.field("parts", pa.list_(pa.string()), nullable=False),
        *(pa.field(name, pa.string()) for name in FIELDS if name != "created_at"),
        pa.field("created_at", pa.int64(), nullable=False),
    ]
)
"""Columns of a block of prompts on its way from a dump to the corpus.

``file`` is the position in the list of files. ``line`` is the line in JSON Lines, the first line of the record in
CSV, and the row in Parquet, each counted from 1. A plain text prompt is one part with the role ``user``; a list of
chat messages is one part per message. ``time`` and ``created_at`` are in seconds, or :data:`NO_TIME`.
"""
NO_PROMPTS: Final = pa.RecordBatch.from_arrays([pa.nulls(0, one.type) for one in PROMPT_SCHEMA], schema=PROMPT_SCHEMA)
"""A block without rows. It is not made of lists, because that imports pandas where it is installed,
and workers need none."""


@named_values(what="value", example='Prompt(account="a", prompt="text")')
@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One request, for callers that have prompts in memory rather than in files.

    Raises:
        UsageError: a value is unknown, or the account or the prompt is missing. The types of the values are checked
            when the prompt is read.
    """

    account: str
    """A text; a whole number is taken as its digits."""
    prompt: str | Sequence[tuple[str, str]] | Sequence[Mapping[str, Any]]
    """A text, a list of ``(role, text)``, or a list of messages such as ``{"role": "user", "content": "text"}``."""
    time: float | str | date | datetime | None = None
    """Seconds since 1970-01-01 UTC, milliseconds or finer as in files, a text such as ``2026-03-01T12:00:00Z``, or a
    time; one without a time zone is taken as UTC."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Values of any of :data:`FIELDS`: texts or whole numbers. ``created_at`` is a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A row that could not become a prompt. Rejects are counted, and every report names them."""

    file: str
    line: int | None
    """Counted from 1; None if the reason concerns the whole file."""
    byte: int | None
    """Offset in the decompressed stream, if it is known."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReading:
    """How a file was read: what was recognised, and what a user should check. No text of a prompt is in it."""

    shape: str = ""
    """Name of the profile by which the rows were read; "" if the columns were recognised by their names."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Field -> dotted path of its column."""
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Account, prompt and timestamp -> dotted paths of other columns that could be meant, the best first."""
    encoding: str = ""
    """Encoding of the text, such as ``utf-8`` or ``cp1252``; "" if it does not matter."""
    container: str = ""
    """What the records are in, such as ``JSON array`` or ``docker json-file``; "" for one record per line."""
    times: str = ""
    """Format of the times in words, such as ``epoch milliseconds``; "" if the file has no times."""
    untimed: int = 0
    """Rows whose time could not be read."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Kind of content, such as ``image`` -> how many parts of prompts of this kind were left out."""
    warnings: tuple[str, ...] = ()
    """What looks suspicious, one sentence each, such as one account for all rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that was read, completely or in part."""

    name: str
    format: str
    """``jsonl``, ``csv``, ``parquet``, ``arrow``, ``orc``, ``sqlite`` or ``database``, followed by ``+`` and the
    compression if there is one, such as ``+gzip``."""
    bytes: int
    """Size on the disk, compressed if the file is compressed."""
    sha256: str
    """Digest of the bytes on the disk."""
    rows: int
    """Rows that became a prompt, without rejects."""
    rejects: int
    """Rows that did not become a prompt, and one more if the file could not be read to its end."""
    reading: FileReading | None = None
    """How it was read; None if nothing was read, or if it is not known any more."""
    until: tuple[str, str] | None = None
    """Of rows of a database that are read in order: what a state calls them, and the last value of the column that
    orders them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One step of reading: a block of prompts, the rejects since the last block, and the files that are finished."""

    prompts: pa.RecordBatch
    """Rows of :data:`PROMPT_SCHEMA`; may be empty."""
    rejects: tuple[Reject, ...] = ()
    files: tuple[SourceFile, ...] = ()
    unlisted: int = 0
    """Number of further rejects. Only the first rejects of a file are listed."""
    cut: bool = False
    """Whether reading stopped before the end of the file, because its content is larger than the settings allow."""
