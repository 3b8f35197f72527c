"""JSON Lines: one typed decoding per line, each bad line a reject."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec

from harvestdetect.dump.columns import ColumnPath, flatten, pick, resolve
from harvestdetect.dump.limits import Rejects
from harvestdetect.dump.lines import LineRun, LongLine, line_runs
from harvestdetect.dump.paths import repair_surrogates
from harvestdetect.dump.rows import Block, to_text
from harvestdetect.dump.streams import BrokenStreamError
from harvestdetect.settings import Settings

__all__ = ["read_jsonl"]

_SAMPLE_ROWS: Final = 100
"""Number of objects over which columns are chosen."""
_SAMPLE_BYTES: Final = 32_000_000
"""Bytes of lines after which columns are chosen over fewer objects."""
_SAMPLE_LINES: Final = 1_000_000
"""Number of lines after which columns are chosen over fewer objects."""
_BLOCK_BYTES: Final = 16_000_000
"""Bytes of lines after which a block is yielded."""
_BLANK: Final = b"\n\r\t "
"""Characters that a blank line may consist of."""
_SURROGATE: Final = (b"\\ud", b"\\uD")
"""Beginnings of the escape of a surrogate."""
_PARTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
"""Decodes only the top level of an object."""

Item: TypeAlias = LineRun | LongLine | BrokenStreamError


def read_jsonl(
    chunks: Iterable[bytes], *, name: str, settings: Settings, batch_rows: int, rejects: Rejects
) -> Iterator[Block]:
    """Blocks of at most ``batch_rows`` rows.

    Columns are chosen over the first 100 objects. A later row without one of them has no value there. Blank lines are
    not rows.

    Args:
        chunks: the decompressed file.
        name: of the file, for messages.
        settings: ``mapping`` and ``max_line_bytes`` count.
        batch_rows: most rows of a block.
        rejects: takes what cannot be read, before the block that follows it is yielded.

    Raises:
        ColumnsError: no column for account or prompt.
        BrokenStreamError: the stream breaks off. All that could be read was yielded before.
    """
    items = line_runs(chunks, limit=settings.max_line_bytes, blank=_BLANK)
    while True:
        window, objects = _window(items)
        if not window:
            return
        if objects:
            columns = _choose(objects, name=name, settings=settings)
            yield from _decode(chain(window, items), columns, rejects, settings.max_line_bytes, batch_rows)
            return
        # There are only bad lines so far.
        yield from _decode(window, {}, rejects, settings.max_line_bytes, batch_rows)


def _window(items: Iterator[Item]) -> tuple[list[Item], list[dict[str, Any]]]:
    """Enough of the file to choose columns: up to 100 objects, a million lines or 32 MB. Also the objects in it."""
    window: list[Item] = []
    objects: list[dict[str, Any]] = []
    size = lines = 0
    for item in items:
        window.append(item)
        if isinstance(item, LineRun):
            lines += len(item.lines)
            for line in item.lines:
                size += len(line) + 1
                if len(objects) < _SAMPLE_ROWS:
                    value = _sampled(line)
                    if isinstance(value, dict):
                        objects.append(value)
        if len(objects) >= _SAMPLE_ROWS or size >= _SAMPLE_BYTES or lines >= _SAMPLE_LINES:
            break
    return window, objects


def _sampled(line: bytes) -> Any:
    """The result of :func:`_tolerant`, or the values that can be decoded if only some values of an object can."""
    value = _tolerant(msgspec.json.decode, line)
    if not isinstance(value, str):
        return value
    parts = _tolerant(_PARTS.decode, line)
    found: dict[str, Any] = {}
    for name, part in parts.items() if isinstance(parts, dict) else ():
        with suppress(ValueError, RecursionError):
            found[name] = msgspec.json.decode(part)
    return found or value


def _tolerant(decode: Callable[[bytes], Any], line: bytes) -> Any:
    """The decoded line, or a text that says why it cannot be decoded."""
    try:
        try:
            return decode(line)
        except msgspec.DecodeError:
            if not any(mark in line for mark in _SURROGATE):
                raise
            return decode(repair_surrogates(line))
    except UnicodeDecodeError:
        return "invalid UTF-8"
    except RecursionError:
        return "nested too deeply"
    except msgspec.ValidationError as error:
        return "not a JSON object" if "Expected `object`" in str(error) else f"malformed JSON: {error}"
    except msgspec.DecodeError as error:
        if "truncated" in str(error):
            return "malformed JSON: the line is cut off"
        return str(error).replace("JSON is malformed", "malformed JSON")


def _choose(objects: list[dict[str, Any]], *, name: str, settings: Settings) -> dict[str, ColumnPath]:
    seen: dict[ColumnPath, list[Any]] = {}
    for row in objects:
        for path, value in flatten(row):
            seen.setdefault(path, []).append(value)
    return resolve(
        seen,
        file=name,
        mapping=settings.mapping,
        usable=lambda field, path: sum(_usable(field, value) for value in seen[path]),
        open_ended=True,
    )


def _usable(field: str, value: Any) -> bool:
    if field == "prompt":
        return (isinstance(value, str | list) and bool(value)) or (isinstance(value, dict) and "content" in value)
    return to_text(value) is not None or isinstance(value, float)


@lru_cache(maxsize=64)
def _decoder(keys: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Decodes these keys of an object into the attributes ``k0``, ``k1`` and so on, and skips all others."""
    fields = [(f"k{i}", Any, msgspec.field(default=None, name=key)) for i, key in enumerate(keys)]
    return msgspec.json.Decoder(msgspec.defstruct("Row", fields, gc=False))


def _keys(columns: Mapping[str, ColumnPath]) -> tuple[str, ...]:
    """The keys at the top level that lead to some columns."""
    return tuple(dict.fromkeys(path[0] for path in columns.values()))


def _block(rows: list[Any], numbers: list[int], offsets: list[int], columns: Mapping[str, ColumnPath]) -> Block:
    """Takes the rows so far, their lines and offsets as a block, and empties the lists."""
    keys = _keys(columns)
    values: dict[str, list[Any]] = {}
    for field, path in columns.items():
        column = list(map(attrgetter(f"k{keys.index(path[0])}"), rows))
        values[field] = column if len(path) == 1 else [pick(value, path[1:]) for value in column]
    block = Block(numbers.copy(), offsets.copy(), values)
    rows.clear()
    numbers.clear()
    offsets.clear()
    return block


def _decode(
    items: Iterable[Item], columns: dict[str, ColumnPath], rejects: Rejects, limit: int, batch_rows: int
) -> Iterator[Block]:
    """Blocks of the rows of some lines. Raises the error of a broken stream at its end."""
    decode = _decoder(_keys(columns)).decode
    rows: list[Any] = []
    numbers: list[int] = []
    offsets: list[int] = []
    size = 0

    for item in items:
        if isinstance(item, BrokenStreamError):
            if rows or rejects:
                yield _block(rows, numbers, offsets, columns)
            raise item
        if isinstance(item, LongLine):
            reason = f"the line is longer than max_line_bytes = {limit}"
            rejects.add(item.number, item.offset, reason)
            continue
        offset = item.offset
        expect_blank = False
        for number, line in enumerate(item.lines, item.number):
            start = offset
            offset += len(line) + 1
            if expect_blank and (not line or line.isspace()):
                continue
            try:
                row = decode(line)
            except (ValueError, RecursionError):
                if not line.strip():
                    expect_blank = True  # an exception costs more than a look
                    continue
                row = "not read" if rejects.full and b"\\u" not in line else _tolerant(decode, line)
                if isinstance(row, str):
                    if not item.cut:  # otherwise the broken stream is the reject
                        rejects.add(number, start, row)
                    continue
            rows.append(row)
            numbers.append(number)
            offsets.append(start)
            if len(rows) >= batch_rows:
                yield _block(rows, numbers, offsets, columns)
                size = 0
        size += offset - item.offset
        if size >= _BLOCK_BYTES or len(rejects) >= batch_rows:
            yield _block(rows, numbers, offsets, columns)
            size = 0
    if rows or rejects:
        yield _block(rows, numbers, offsets, columns)
