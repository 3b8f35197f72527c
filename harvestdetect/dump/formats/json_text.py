"""How the JSON objects of a file are kept: one per line, in an array, behind prefixes, in records of a log service."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, TypeAlias

from harvestdetect.dump.formats.json_values import Item, is_json, objects_in, values_of
from harvestdetect.dump.formats.lines import line_runs
from harvestdetect.dump.formats.log_lines import CRI, DOCKER, join_cri, join_docker, only_json
from harvestdetect.dump.formats.records import record_kind, unpack_records
from harvestdetect.dump.storage.streams import peek

__all__ = ["has_json", "json_objects"]

_Layout: TypeAlias = Literal["lines", "array", "objects", "sequence", "prefixed", "cri", "docker"]
"""How the objects of a file are kept."""
_LABELS: Final[Mapping[_Layout, str]] = {
    "lines": "",
    "array": "JSON array",
    "objects": "JSON objects",
    "sequence": "JSON text sequence",
    "prefixed": "lines with a prefix",
    "cri": "Kubernetes log",
    "docker": "docker json-file",
}
"""What the report and ``inspect`` call each layout."""
_BLANK: Final = b"\n\r\t "
"""Characters that a blank line may consist of."""
_AROUND: Final = b" \t\r\n\x00\x1e\xef\xbb\xbf"
_ARRAY: Final = re.compile(rb"\[\s*(?:[{\[\]]|\Z)")
_LINES: Final = 200
"""Lines at the beginning of a file by which it is decided how objects are kept."""


def json_objects(
    chunks: Iterator[bytes], *, head: bytes, limit: int, spend: Callable[[int], None]
) -> tuple[str, Iterator[Item]]:
    """The JSON objects of a file, and what they are in.

    Args:
        chunks: the file, in UTF-8.
        head: its beginning.
        limit: longest object in bytes.
        spend: called with the size of data that was decompressed inside of records; it may raise.

    Returns:
        What the objects are in, such as ``JSON array`` ("" for JSON Lines), and runs of objects, one per "line". Lines
        of JSON Lines that are not one object are left to :func:`~harvestdetect.dump.formats.log_lines.pieces_of`.
    """
    layout, chunks = _layout(head, chunks, limit)
    if layout in ("array", "objects", "sequence"):
        items = values_of(chunks, limit=limit)
    else:
        items = line_runs(chunks, limit=limit, blank=_BLANK)
    if layout == "cri":
        items = only_json(join_cri(items, limit=limit))
    elif layout == "prefixed":
        items = only_json(items)
    elif layout == "docker":
        items = join_docker(items, limit=limit)
    records = record_kind(head)
    if records:
        items = unpack_records(items, limit=limit, spend=spend)
    return records or _LABELS[layout], items


def has_json(head: bytes) -> bool:
    """Whether some of the first lines of a text have JSON objects in them, or may have parts of them."""
    return any(objects_in(line) or CRI.match(line) for line in _first_lines(head, len(head) + 1))


def _first_lines(head: bytes, size: int) -> list[bytes]:
    """The first lines that are not blank; the last line of a head that is cut off (``size`` bytes) is left out."""
    lines = head.split(b"\n")
    if len(lines) > 1 and len(head) >= size:
        lines.pop()
    return [line for line in map(_clean, lines[: 4 * _LINES]) if line][:_LINES]


def _clean(line: bytes) -> bytes:
    return line.strip(_AROUND)


def _layout(head: bytes, chunks: Iterator[bytes], limit: int) -> tuple[_Layout, Iterator[bytes]]:
    """How the objects are kept, and the stream again."""
    text = head.lstrip(_AROUND)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1] == b"\x1e":
        return "sequence", chunks
    if _ARRAY.match(text):
        return "array", chunks
    if DOCKER.match(text) and b'"stream"' in text[: 1 << 15]:
        return "docker", chunks
    lines = _first_lines(head, len(head))
    if text[:1] == b"{" and b"\n" not in text:
        # The first line is longer than the head.
        start, chunks = peek(chunks, limit + 1)
        text = start.lstrip(_AROUND)
        line = text.split(b"\n", 1)[0]
        whole = len(line) <= limit and is_json(line.strip(_AROUND))
        if not whole and (b"\n" not in text or _goes_on(text, line)):
            return "objects", chunks
        return "lines", chunks
    objects = sum(line[:1] == b"{" and is_json(line) for line in lines)
    if 2 * objects >= len(lines):
        return "lines", chunks
    if text[:1] == b"{":
        divided = len(lines) > 1 and lines[1][:1] != b"{"
        together = not is_json(lines[0]) and bool(objects_in(lines[0]))
        return ("objects" if together or (divided and not is_json(lines[0])) else "lines"), chunks
    if any(CRI.match(line) for line in lines[:20]):
        return "cri", chunks
    return ("prefixed" if not objects else "lines"), chunks


def _goes_on(text: bytes, line: bytes) -> bool:
    """Whether the object of the first line goes on in the next, or another follows it on the line."""
    return bool(objects_in(line)) or not is_json(text.split(b"\n", 2)[1].strip(_AROUND))
