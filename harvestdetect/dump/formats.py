"""The format of a file, by its content and, if that is not enough, by its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from harvestdetect.dump.columns import known_columns
from harvestdetect.dump.delimited import header_of
from harvestdetect.settings import Settings

__all__ = ["HEAD_BYTES", "Format", "format_of"]

HEAD_BYTES: Final = 1 << 16
"""Bytes at the beginning of a file by which its format is recognised."""
_OTHERS: Final = (
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"BZh", "bzip2-compressed", "decompress it, or use gzip or zstd"),
    (b"\xfd7zXZ\x00", "xz-compressed", "decompress it, or use gzip or zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"\x04\x22\x4d\x18", "lz4-compressed", "decompress it, or use gzip or zstd"),
    (b"ORC", "an ORC file", "convert it to Parquet"),
    (b"Obj\x01", "an Avro file", "convert it to Parquet or JSON Lines"),
    (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV"),
    (b"ARROW1", "an Arrow file", "convert it to Parquet"),
    (b"\xff\xfe", "UTF-16 text", "convert it to UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "convert it to UTF-8"),
)
"""Beginnings of files that are not read, what such a file is, and what to do with it."""
_JSON_ARRAY: Final = re.compile(rb"\[\s*\{")


class Format(NamedTuple):
    """The format of a file."""

    kind: str
    """``jsonl``, ``csv`` or ``parquet``."""
    complaint: str
    """Why the file cannot be read; "" if it can."""


def format_of(head: bytes, name: str, settings: Settings) -> Format:
    """The format of a file.

    Args:
        head: the first :data:`HEAD_BYTES` of its content, or all of it.
        name: of the file.
        settings: ``format`` and ``mapping`` count.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    named = next((kind for kind in ("parquet", "csv") if f".{kind}" in Path(name).name.lower()), "")
    if not named and re.search(r"\.(jsonl|ndjson)", Path(name).name.lower()):
        named = "jsonl"
    if not text and len(head) < HEAD_BYTES:
        return Format(named or "jsonl", "the file is empty")
    if settings.format != "auto":
        return Format(settings.format, "")
    if head.startswith(b"PAR1"):
        return Format("parquet", "")
    if text.startswith(b"{"):
        return Format("jsonl", "")
    for magic, what, remedy in _OTHERS:
        if head.startswith(magic):
            return Format(named or "jsonl", f"the file is {what}; {remedy}")
    if _JSON_ARRAY.match(text):
        return Format("jsonl", "the file is one JSON array; convert it to JSON Lines: jq -c '.[]' FILE > FILE.jsonl")
    columns, _, _ = header_of(head)
    if known_columns(columns, settings.mapping):
        return Format("csv", "")
    if named:
        return Format(named, "")
    return Format("jsonl" if re.search(rb"^\s*\{", text, re.MULTILINE) else "csv", "")
