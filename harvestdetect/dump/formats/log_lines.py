"""JSON that logs put around or into lines: prefixes, colours, partial lines of containers, damaged lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from harvestdetect.dump.formats.json_values import Item, is_json, objects_in
from harvestdetect.dump.formats.lines import BadLine, LineRun, LongLine

__all__ = ["CRI", "DOCKER", "join_cri", "join_docker", "only_json", "pieces_of"]

CRI: Final = re.compile(
    rb"(\d{4}-\d\d-\d\d[T ][\d:.,]{8,20}(?:Z|[+-]\d\d:?\d\d)?) (stdout|stderr) ([FP])(?::\S*)?(?: (.*))?\Z",
    re.DOTALL,
)
"""A line of a container runtime of Kubernetes: time, stream, whether the line is full or partial, and the line."""
DOCKER: Final = re.compile(rb'\s*\{\s*"log"\s*:\s*"')
"""The beginning of a line of Docker's ``json-file`` driver."""
_COLOUR: Final = re.compile(rb"\x1b\[[0-9;:?]*[A-Za-z]")
_AROUND: Final = b" \t\r\x00\x1e\xef\xbb\xbf"
"""Bytes around a line that do not belong to it: white space, NULs of a truncated log, marks of sequences."""
_BETWEEN: Final = _AROUND + b"[],"
"""Bytes between the objects of a line."""
_STREAMS: Final = 8
"""Most streams of a container whose partial lines are kept at a time."""
_NO_JSON: Final = "no JSON object on the line"
_DOCKER: Final = msgspec.json.Decoder(dict[str, Any])


def pieces_of(line: bytes) -> list[tuple[int, bytes]]:
    """(offset, bytes) of the objects in a line that is not one object; empty if it has none, or is one.

    A line may have several objects, the elements of a list, NULs of a log that was truncated while it was written,
    colours, or a prefix.
    """
    if b"\x1b" in line:
        # Offsets are those of the line without its colours.
        line = _COLOUR.sub(b"", line)
    clean = line.strip(_AROUND)
    if clean[:1] == b"{" and is_json(clean):
        return [(line.find(b"{"), clean)] if len(clean) < len(line.rstrip()) or line[:1] != b"{" else []
    found = objects_in(line)
    if found and clean[:1] in b"[{":
        # Such a line has nothing but objects; otherwise it is damaged.
        starts = [0, *(start + len(piece) for start, piece in found)]
        stops = [*(start for start, _ in found), len(line)]
        if any(line[start:stop].strip(_BETWEEN) for start, stop in zip(starts, stops, strict=True)):
            return []
    return found


def only_json(items: Iterable[Item]) -> Iterator[Item]:
    """The JSON objects in lines of text. A line without any is a :class:`~harvestdetect.dump.formats.lines.BadLine`."""
    for item in items:
        if not isinstance(item, LineRun) or item.cut:
            yield item
            continue
        for number, offset, line in item.numbered():
            if line and not line.isspace():
                yield from _json_of(line, number, offset)


def _json_of(line: bytes, number: int, offset: int) -> Iterator[LineRun | BadLine]:
    if line[:1] == b"{" and is_json(line):
        yield LineRun(number=number, offset=offset, lines=[line])
        return
    found = pieces_of(line)
    for inside, piece in found:
        yield LineRun(number=number, offset=offset + inside, lines=[piece])
    if not found:
        yield BadLine(number=number, offset=offset, reason=_NO_JSON)


@dataclass(slots=True)
class _Partial:
    """A line of a container as far as it came."""

    number: int
    offset: int
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    record: dict[str, Any] = field(default_factory=dict)

    def add(self, part: bytes, limit: int) -> None:
        """Adds a part. The text of a line above the limit is not kept."""
        self.size += len(part)
        if self.size > limit:
            self.parts.clear()
        else:
            self.parts.append(part)


def join_cri(items: Iterable[Item], *, limit: int) -> Iterator[Item]:
    """The lines that a program wrote, from the log of a container runtime; the parts of a long line are joined."""
    open_lines: dict[bytes, _Partial] = {}
    for item in items:
        if not isinstance(item, LineRun):
            yield item
            continue
        for number, offset, line in item.numbered():
            found = CRI.match(line[:-1] if line.endswith(b"\r") else line)
            if found is None:
                if line.strip(_AROUND):
                    yield LineRun(number=number, offset=offset, lines=[line], cut=item.cut)
            else:
                stream, part = found[2], found[4] or b""
                partial = open_lines.pop(stream, None) or _Partial(number, offset + max(found.start(4), 0))
                partial.add(part, limit)
                if found[3] == b"F":
                    yield _joined(partial, limit)
                else:
                    open_lines[stream] = partial
    for partial in open_lines.values():
        yield _joined(partial, limit)


def _joined(partial: _Partial, limit: int) -> LineRun | LongLine:
    if partial.size > limit:
        return LongLine(number=partial.number, offset=partial.offset)
    return LineRun(number=partial.number, offset=partial.offset, lines=[b"".join(partial.parts)])


def join_docker(items: Iterable[Item], *, limit: int) -> Iterator[Item]:
    """Lines of Docker's ``json-file`` driver, which divides a line above 16 KB; its parts are joined again."""
    open_lines: dict[str, _Partial] = {}
    for item in items:
        if not isinstance(item, LineRun):
            yield item
            continue
        for number, offset, line in item.numbered():
            yield from _docker_line(line, number, offset, limit, open_lines, cut=item.cut)
    for partial in open_lines.values():
        yield _docker_joined(partial, limit)


def _docker_line(
    line: bytes, number: int, offset: int, limit: int, open_lines: dict[str, _Partial], *, cut: bool
) -> Iterator[LineRun | LongLine]:
    """What a line completes."""
    record: dict[str, Any] = {}
    if not cut:
        try:
            record = _DOCKER.decode(line)
        except (ValueError, RecursionError):
            record = {}
    text, stream = record.get("log"), str(record.get("stream", ""))[:20]
    whole = not isinstance(text, str) or text.endswith("\n")
    partial = open_lines.get(stream) if isinstance(text, str) else None
    if partial is None and (whole or len(open_lines) >= _STREAMS):
        if line and not line.isspace():
            yield LineRun(number=number, offset=offset, lines=[line], cut=cut)
        return
    if partial is None:
        partial = open_lines[stream] = _Partial(number, offset, record=record)
    partial.add(str(text).encode("utf-8", "surrogatepass"), limit)
    if whole:
        del open_lines[stream]
        yield _docker_joined(partial, limit)


def _docker_joined(partial: _Partial, limit: int) -> LineRun | LongLine:
    if partial.size > limit:
        return LongLine(number=partial.number, offset=partial.offset)
    record = {**partial.record, "log": b"".join(partial.parts).decode("utf-8", "replace")}
    return LineRun(number=partial.number, offset=partial.offset, lines=[msgspec.json.encode(record)])
