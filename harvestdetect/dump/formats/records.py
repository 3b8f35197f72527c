"""Records of log services that have other records in them: CloudWatch, Kinesis, Firehose, Pub/Sub, Kafka, journald."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from harvestdetect.dump.formats.json_values import Item, objects_in
from harvestdetect.dump.formats.lines import BadLine, LineRun, LongLine
from harvestdetect.dump.storage.streams import BrokenStreamError

__all__ = ["record_kind", "unpack_records"]

_KINDS: Final = (
    ("CloudWatch subscription", re.compile(rb'(?<!\\)"(?:logEvents"\s*:\s*\[|awslogs"\s*:\s*\{\s*"data"\s*:)')),
    ("Kinesis records", re.compile(rb'(?<!\\)"kinesis"\s*:\s*\{')),
    ("Firehose records", re.compile(rb'(?<!\\)"records"\s*:\s*\[\s*\{\s*(?:"recordId"|"data"\s*:\s*")')),
    ("Kafka records", re.compile(rb'(?<!\\)"eventSource"\s*:\s*"(?:aws:kafka|SelfManagedKafka)"')),
    ("Pub/Sub messages", re.compile(rb'(?<!\\)"(?:publishTime|publish_time)"\s*:')),
    ("journald", re.compile(rb'(?<!\\)"__REALTIME_TIMESTAMP"\s*:')),
)
_HEAD: Final = 1 << 14
"""Bytes at the beginning of a file in which a record is recognised."""
_DEPTH: Final = 4
"""Levels of records in records."""
_DATA: Final = re.compile(r"[A-Za-z0-9+/_-]{2,}={0,2}\Z")
_RECORD: Final = msgspec.json.Decoder()


def record_kind(head: bytes) -> str:
    """What records are at the beginning of a file; "" if they have no others in them."""
    return next((kind for kind, mark in _KINDS if mark.search(head[:_HEAD]) is not None), "")


def unpack_records(items: Iterable[Item], *, limit: int, spend: Callable[[int], None]) -> Iterator[Item]:
    """The records in records. What has no other record in it is passed on as it is.

    Args:
        items: objects.
        limit: longest line in bytes, and most bytes of compressed data in a record.
        spend: called with the size of data that was decompressed; it may raise.

    Yields:
        Runs of one object. They have the line and the offset of the record that they were in.
    """
    for item in items:
        if not isinstance(item, LineRun) or item.cut:
            yield item
            continue
        for number, offset, line in item.numbered():
            try:
                yield from _unpacked(line, number, offset, limit, spend)
            except BrokenStreamError as error:
                yield error
                return


def _unpacked(
    line: bytes, number: int, offset: int, limit: int, spend: Callable[[int], None]
) -> Iterator[LineRun | BadLine | LongLine]:
    """What is in one line."""
    todo: list[tuple[bytes, int]] = [(line, 0)]
    while todo:
        raw, depth = todo.pop()
        record: Any = None
        if depth < _DEPTH:
            try:
                record = _RECORD.decode(raw)
            except (ValueError, RecursionError):
                record = None
        inner = _inner(record) if isinstance(record, dict) else None
        if inner is None:
            if raw and not raw.isspace():
                yield LineRun(number=number, offset=offset, lines=[raw])
        elif isinstance(inner, str):
            yield BadLine(number=number, offset=offset, reason=inner)
        else:
            found: list[tuple[bytes, int]] = []
            for one in inner:
                if not isinstance(one, str):
                    found.append((msgspec.json.encode(one), _DEPTH))
                    continue
                data = _data(one, limit, spend)
                if data is None:
                    yield LongLine(number=number, offset=offset)
                    continue
                pieces = [piece for _, piece in objects_in(data)]
                if not pieces:
                    yield BadLine(number=number, offset=offset, reason="the data of a record has no JSON object")
                found += [(piece, depth + 1) for piece in pieces]
            todo += reversed(found)


def _inner(record: dict[str, Any]) -> list[Any] | str | None:
    """What is in a record: objects, or texts for data in base64. A text says why there is nothing; None: no record."""
    events = record.get("logEvents")
    if isinstance(events, list) and ("messageType" in record or "logGroup" in record):
        if record.get("messageType") == "CONTROL_MESSAGE":
            return "a control message of a log service"
        return events or "no log events in the record"
    if isinstance(logs := record.get("awslogs"), dict) and isinstance(logs.get("data"), str):
        return [logs["data"]]
    for name in ("Records", "records"):
        if (found := _data_of(record.get(name))) is not None:
            return found
    for name in ("kinesis", "message"):
        held = record.get(name)
        if isinstance(held, dict) and isinstance(held.get("data"), str) and _DATA.match(held["data"]):
            return [held["data"]]
    message = record.get("MESSAGE")
    if isinstance(message, list) and "__REALTIME_TIMESTAMP" in record:
        try:
            return [record | {"MESSAGE": bytes(message).decode("utf-8", "replace")}]
        except (ValueError, TypeError):
            return None
    return None


def _data_of(records: Any) -> list[Any] | None:
    """The data of a list of records, or of lists by topic; None if they have none."""
    if isinstance(records, dict):
        records = [one for some in records.values() if isinstance(some, list) for one in some]
    if not isinstance(records, list) or not records:
        return None
    found: list[Any] = []
    for one in records:
        if not isinstance(one, dict):
            return None
        held = one.get("kinesis") if isinstance(one.get("kinesis"), dict) else one
        data = held.get("data", held.get("value")) if isinstance(held, dict) else None
        if not isinstance(data, str) or not _DATA.match(data):
            return None
        found.append(data)
    return found


def _data(text: str, limit: int, spend: Callable[[int], None]) -> bytes | None:
    """Data in base64, decompressed if it is compressed; None if it is larger than allowed."""
    try:
        data = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
    if data[:2] == b"\x1f\x8b":
        stream = zlib.decompressobj(wbits=47)
        try:
            data = stream.decompress(data, limit + 1)
        except zlib.error:
            return b""
        spend(len(data))
    return data if len(data) <= limit else None
