"""The format of a file, by its content and, if that is not enough, by its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from harvestdetect.dump.columns.names import known_columns
from harvestdetect.dump.formats.dialects import dialect_of
from harvestdetect.dump.formats.json_text import has_json
from harvestdetect.settings import Settings

__all__ = ["EMPTY", "HEAD_BYTES", "Format", "format_of", "is_text"]

EMPTY: Final = "the file is empty"
"""The complaint about a file without content, which is the reason of its reject."""
HEAD_BYTES: Final = 1 << 20
"""Bytes at the beginning of a file by which its format is recognised."""
_TABLES: Final = (
    (b"PAR1", "parquet"),
    (b"ARROW1\0\0", "arrow"),
    (b"\xff\xff\xff\xff", "arrow"),
    (b"ORC", "orc"),
)
"""Beginnings of files of columns. The fourth byte of a stream of Arrow is followed by the size of its schema."""
_OTHERS: Final = (
    (b"Obj\x01", "an Avro file", "convert it to Parquet or JSON Lines"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (b"FEA1", "a Feather file of version 1", "write it again as Feather version 2, or as Parquet"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a workbook of old Excel", "save the sheet as CSV (UTF-8)"),
    (b"\x1f\x9d", "compressed with compress (.Z)", "decompress it, or use gzip or zstd"),
    (b"\xff\x06\x00\x00sNaPpY", "compressed with Snappy", "decompress it, or use gzip or zstd"),
    (b"LZIP", "compressed with lzip", "decompress it, or use gzip or zstd"),
    (b"SEQ", "a Hadoop sequence file", "convert it to Parquet or JSON Lines"),
    (b"RCF", "a Hadoop RCFile", "convert it to Parquet or JSON Lines"),
    (b"\x89PNG", "an image", "name the dump instead"),
    (b"\xff\xd8\xff", "an image", "name the dump instead"),
    (b"GIF8", "an image", "name the dump instead"),
    (b"%PDF-", "a PDF document", "name the dump instead"),
    (b"PGDMP", "a custom dump of PostgreSQL", "export the table with COPY ... TO ... CSV HEADER"),
    (b"-- MySQL dump", "a dump of SQL statements", "export the table as CSV"),
    (b"-- PostgreSQL database dump", "a dump of SQL statements", "export the table with COPY ... TO ... CSV HEADER"),
    (b"--\n-- PostgreSQL database dump", "a dump of SQL statements", "export the table with COPY ... CSV HEADER"),
    (b"<?xml", "an XML document", "convert it to JSON Lines or CSV"),
    (b"<!DOCTYPE html", "an HTML page", "convert it to JSON Lines or CSV"),
    (b"<html", "an HTML page", "convert it to JSON Lines or CSV"),
)
"""Beginnings of files that are not read, what such a file is, and what to do with it."""
_JSON_ARRAY: Final = re.compile(rb"\[\s*(?:[\[{\]]|\Z)")
_OTHER_ARRAY: Final = re.compile(rb'\[\s*(?:"|-?\d|true|false|null)')
_CONTROL: Final = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b\x1e\0")) + b"\x7f"
_MOST_CONTROL: Final = 0.05
"""Share of control characters above which a file is no text."""
_FEW_CONTROL: Final = 64
"""Control characters that any text may have."""
_NO_HEADER: Final = (
    "the file has no JSON objects, and no line with the names of the columns; add one, such as "
    "account,timestamp,prompt, with the delimiter of the file"
)


class Format(NamedTuple):
    """The format of a file."""

    kind: str
    """``jsonl``, ``csv``, ``parquet``, ``arrow`` or ``orc``."""
    complaint: str
    """Why the file cannot be read; "" if it can."""


def is_text(head: bytes) -> bool:
    """Whether a file is text in some encoding, as far as its first bytes tell."""
    known = (*(magic for magic, _ in _TABLES), *(magic for magic, _, _ in _OTHERS if not magic.isascii()))
    return not head.startswith(known)


def format_of(head: bytes, name: str, settings: Settings) -> Format:
    """The format of a file.

    Args:
        head: the first :data:`HEAD_BYTES` of its content, or all of it, in UTF-8 if it is text.
        name: of the file.
        settings: ``format`` and ``mapping`` count.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\v\f\0\x1e")
    named = next((kind for kind in ("parquet", "csv") if f".{kind}" in Path(name).name.lower()), "")
    if not named and re.search(r"\.(jsonl|ndjson)", Path(name).name.lower()):
        named = "jsonl"
    if not text and len(head) < HEAD_BYTES:
        return Format(named or "jsonl", EMPTY)
    if settings.format != "auto":
        return Format(settings.format, "")
    for magic, kind in _TABLES:
        if head.startswith(magic):
            return Format(kind, "")
    if text.startswith(b"{") or not text:
        return Format("jsonl", "")
    for magic, what, remedy in _OTHERS:
        if head.startswith(magic):
            return Format(named or "jsonl", f"the file is {what}; {remedy}")
    if head[8:12] == b"DUCK":
        return Format(
            named or "jsonl", "the file is a DuckDB database; name a table with --table, or rows with --query"
        )
    if _JSON_ARRAY.match(text):
        return Format("jsonl", "")
    if _is_binary(text):
        return Format(
            named or "jsonl",
            "this is a binary file of an unknown kind, or text in an unknown encoding; write it as JSON Lines or CSV",
        )
    if _OTHER_ARRAY.match(text) and not named:
        return Format("jsonl", "the file is a JSON array of values that are no objects; each row must be an object")
    return _of_lines(head, named, settings)


def _of_lines(head: bytes, named: str, settings: Settings) -> Format:
    """The format of a text that does not start with JSON."""
    dialect = dialect_of(head)
    if not known_columns(dialect.columns, settings.mapping):
        if named == "jsonl" or (named != "csv" and has_json(head)):
            return Format("jsonl", "")
        return Format(named or "csv", "" if dialect.has_header else _NO_HEADER)
    return Format("csv", "")


def _is_binary(text: bytes) -> bool:
    """Whether a text has too many control characters. NULs that a truncated log has in it do not count."""
    controls = len(text) - len(text.translate(None, _CONTROL))
    scattered = sum(1 for _ in re.finditer(rb"\0+", text))
    return controls + scattered > _MOST_CONTROL * len(text) + _FEW_CONTROL
