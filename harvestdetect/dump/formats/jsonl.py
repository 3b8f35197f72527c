"""JSON Lines: one typed decoding per line, each bad line a reject.

A typed decoder takes only what the layout of most records needs. A record that this layout cannot read is decoded as a
whole, and :mod:`~harvestdetect.dump.columns.shapes` finds out how it is read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, chain, islice
from operator import attrgetter
from typing import Any, Final

import msgspec

from harvestdetect.dump.columns.layout import Layout
from harvestdetect.dump.columns.shapes import Shapes
from harvestdetect.dump.formats.json_values import Item
from harvestdetect.dump.formats.lines import SAMPLE_BYTES, SAMPLE_ROWS, BadLine, LineRun, LongLine
from harvestdetect.dump.formats.log_lines import pieces_of
from harvestdetect.dump.formats.table import Columns, block_of
from harvestdetect.dump.storage.limits import BLOCK_BYTES, Rejects
from harvestdetect.dump.storage.streams import BrokenStreamError
from harvestdetect.dump.values.paths import Path, repair_surrogates
from harvestdetect.dump.values.rows import Block
from harvestdetect.settings import Settings

__all__ = ["read_jsonl"]

_FURTHER: Final = 100
"""Number of further objects, from the rest of the lines that were read, over which columns are chosen too."""
_SAMPLE_LINES: Final = 1_000_000
"""Number of lines after which columns are chosen over fewer objects."""
_SURROGATE: Final = (b"\\ud", b"\\uD")
"""Beginnings of the escape of a surrogate."""
_PARTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
"""Decodes only the top level of an object."""


def read_jsonl(
    items: Iterator[Item],
    *,
    shapes: Shapes,
    more: Callable[[int], list[bytes]],
    settings: Settings,
    batch_rows: int,
    rejects: Rejects,
) -> Iterator[Block]:
    """Blocks of at most about ``batch_rows`` rows.

    Columns are chosen over the first 200 objects, and over lines from elsewhere in the file. Blank lines are not rows.

    Args:
        items: the objects of the file, one per "line", see :func:`~harvestdetect.dump.formats.json_text.json_objects`.
        shapes: how records are read; decided here.
        more: returns lines from elsewhere in the file, behind an offset.
        settings: ``max_line_bytes`` counts.
        batch_rows: most rows of a block. A record with many rows may exceed it.
        rejects: takes what cannot be read, before the block that follows it is yielded.

    Raises:
        ColumnsError: no column for account or prompt.
        BrokenStreamError: the stream breaks off. All that could be read was yielded before.
    """
    while True:
        window, objects = _window(items)
        if not window:
            return
        if objects:
            if len(objects) >= SAMPLE_ROWS:
                end = max((item.offset + _size(item) for item in window if isinstance(item, LineRun)), default=0)
                objects += [value for line in more(end) if isinstance(value := _sampled(line), dict)]
            shapes.decide(objects)
            names = dict.fromkeys(name for row in objects for name in row)
            decoder = _Lines(shapes, list(names), rejects, settings.max_line_bytes, batch_rows)
            yield from decoder.blocks(chain(window, items))
            return
        # There are only bad lines so far.
        yield from _Lines(shapes, [], rejects, settings.max_line_bytes, batch_rows).blocks(window)


def _size(run: LineRun) -> int:
    """Bytes of lines with their separators."""
    return sum(map(len, run.lines)) + len(run.lines)


def _window(items: Iterator[Item]) -> tuple[list[Item], list[dict[str, Any]]]:
    """Enough of the file to choose columns: up to 200 objects, a million lines or 32 MB.

    Returns:
        The beginning of the file, and objects in it: the first ones, and some of the others.
    """
    window: list[Item] = []
    objects: list[dict[str, Any]] = []
    size = lines = 0
    for item in items:
        window.append(item)
        if isinstance(item, LineRun):
            lines += len(item.lines)
            size += _size(item)
            for place, line in enumerate(item.lines, 1):
                objects += _objects_in(line)
                if len(objects) >= SAMPLE_ROWS:
                    rest = item.lines[place:]
                    for other in rest[:: max(1, len(rest) // _FURTHER)]:
                        objects += _objects_in(other)
                    return window, objects
        if size >= SAMPLE_BYTES or lines >= _SAMPLE_LINES:
            break
    return window, objects


def _objects_in(line: bytes) -> list[dict[str, Any]]:
    """The object in a line, or the objects."""
    value = _sampled(line)
    if isinstance(value, dict):
        return [value]
    if not line or line.isspace():
        return []
    found = (_sampled(piece) for _, piece in pieces_of(line))
    return [value for value in found if isinstance(value, dict)]


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
        if "UTF-8" in str(error):  # msgspec 0.23 and newer raise no UnicodeDecodeError
            return "invalid UTF-8"
        if "truncated" in str(error):
            return "malformed JSON: the line is cut off"
        return str(error).replace("JSON is malformed", "malformed JSON")


@lru_cache(maxsize=64)
def _decoder(keys: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Decodes these keys of an object into the attributes ``k0``, ``k1`` and so on, and skips all others."""
    fields = [(f"k{i}", Any, msgspec.field(default=None, name=key)) for i, key in enumerate(keys)]
    return msgspec.json.Decoder(msgspec.defstruct("Row", fields, gc=False))


@dataclass(slots=True)
class _Rows:
    """Rows of the next block."""

    decoded: list[Any] = field(default_factory=list)
    """Each decoded by the typed decoder, or as a whole."""
    numbers: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    runs: list[LineRun] = field(default_factory=list)
    """The lines that they are from."""
    starts: list[int] = field(default_factory=list)
    """The first row of each run."""
    pieces: dict[int, bytes] = field(default_factory=dict)
    """Row -> the part of a line that it is, if the line is not one object."""

    def begin(self, run: LineRun) -> tuple[list[Any], list[int], list[int]]:
        """Begins with the lines of a run. Returns the lists that take its rows, their numbers and their offsets."""
        self.starts.append(len(self.decoded))
        self.runs.append(run)
        return self.decoded, self.numbers, self.offsets

    def line(self, row: int) -> bytes:
        """The line of a row."""
        if row in self.pieces:
            return self.pieces[row]
        run = self.runs[bisect_right(self.starts, row) - 1]
        return run.lines[self.numbers[row] - run.number]


class _Lines:
    """Makes blocks of lines.

    Args:
        shapes: how records are read.
        names: at the top level of the records of the sample.
        rejects: takes what cannot be read.
        limit: ``max_line_bytes``, for reasons.
        batch_rows: most rows of a block.
    """

    def __init__(self, shapes: Shapes, names: Sequence[str], rejects: Rejects, limit: int, batch_rows: int) -> None:
        self._shapes = shapes
        self._rejects = rejects
        self._limit = limit
        self._batch_rows = batch_rows
        self._layout = shapes.direct
        self._keys = _keys(self._layout, names) if self._layout is not None else ()
        self._decode = _decoder(self._keys).decode if self._layout is not None else _WHOLE.decode
        self._rows = _Rows()

    def blocks(self, items: Iterable[Item]) -> Iterator[Block]:
        """Blocks of the rows of some lines. Raises the error of a broken stream at its end."""
        size = 0
        for item in items:
            if isinstance(item, BrokenStreamError):
                if self._rows.decoded or self._rejects:
                    yield self._block()
                raise item
            if isinstance(item, LongLine | BadLine):
                long = f"the line is longer than max_line_bytes = {self._limit}"
                reason = long if isinstance(item, LongLine) else item.reason
                self._rejects.add(item.number, item.offset, reason)
                continue
            for _ in self._take(item):
                yield self._block()
                size = 0
            size += sum(map(len, item.lines)) + len(item.lines)
            if size >= BLOCK_BYTES or len(self._rejects) >= self._batch_rows:
                yield self._block()
                size = 0
        if self._rows.decoded or self._rejects:
            yield self._block()

    def _take(self, run: LineRun) -> Iterator[None]:
        """Decodes lines. Yields whenever there are enough rows for a block."""
        decode, lines = self._decode, run.lines
        starts = list(accumulate([len(line) + 1 for line in lines], initial=run.offset))
        decoded, numbers, offsets = self._rows.begin(run)
        place, good = 0, True
        while good and place < len(lines):
            before = len(decoded)
            # All lines at once, up to the first that cannot be decoded. The rows before it stay in the list.
            try:
                decoded.extend(map(decode, islice(lines, place, place + max(1, self._batch_rows - before))))
            except (ValueError, RecursionError):
                good = False
            stop = place + len(decoded) - before
            numbers.extend(range(run.number + place, run.number + stop))
            offsets.extend(starts[place:stop])
            place = stop
            if len(decoded) >= self._batch_rows:
                yield None
                decoded, numbers, offsets = self._rows.begin(run)
        if not good:
            yield from self._take_singly(run, range(place, len(lines)), starts)

    def _take_singly(self, run: LineRun, places: range, starts: Sequence[int]) -> Iterator[None]:
        """Decodes some lines one by one. ``starts``: offset of each line of the run."""
        decode = self._decode
        decoded, numbers, offsets = self._rows.begin(run)
        expect_blank = False
        for place in places:
            line, number, start = run.lines[place], run.number + place, starts[place]
            if expect_blank and (not line or line.isspace()):
                continue
            try:
                row = decode(line)
            except (ValueError, RecursionError):
                if not line.strip():
                    expect_blank = True  # an exception costs more than a look
                    continue
                row = "not read" if self._rejects.full and b"\\u" not in line else _tolerant(decode, line)
                if isinstance(row, str):
                    # If the stream broke off in the line, that is the reject.
                    if not run.cut and not self._take_pieces(line, number, start):
                        self._rejects.add(number, start, row)
                    continue
            decoded.append(row)
            numbers.append(number)
            offsets.append(start)
            if len(decoded) >= self._batch_rows:
                yield None
                decoded, numbers, offsets = self._rows.begin(run)

    def _take_pieces(self, line: bytes, number: int, offset: int) -> bool:
        """Decodes the objects in a line that is not one object. Whether there are any."""
        rows = self._rows
        found = pieces_of(line)
        for inside, piece in found:
            row = _tolerant(self._decode, piece)
            if isinstance(row, str):
                self._rejects.add(number, offset + inside, row)
                continue
            rows.pieces[len(rows.decoded)] = piece
            rows.decoded.append(row)
            rows.numbers.append(number)
            rows.offsets.append(offset + inside)
        return bool(found)

    def _block(self) -> Block:
        """Takes the rows so far as a block."""
        rows, self._rows = self._rows, _Rows()
        decoded = rows.decoded
        values = {key: list(map(attrgetter(f"k{i}"), decoded)) for i, key in enumerate(self._keys)}
        columns = Columns(values, len(decoded), self._shapes.typed)

        def record(number: int) -> Any:
            return decoded[number] if self._layout is None else _sampled(rows.line(number))

        return block_of(
            self._shapes, columns, record, numbers=rows.numbers, offsets=rows.offsets, rejects=self._rejects
        )


_WHOLE: Final = msgspec.json.Decoder(dict[str, Any])
"""Decodes whole objects."""


def _keys(layout: Layout, names: Sequence[str]) -> tuple[str, ...]:
    """The names at the top level that lead to the columns of a layout."""
    paths: list[Path] = [path for paths in layout.fields.values() for path in paths]
    paths += [*layout.keep, *layout.drop]
    found: dict[str, None] = {}
    for path in paths:
        found.setdefault(path[0])
        whole = ".".join(path)
        for name in names:
            if "." in name and (whole == name or whole.startswith(name + ".") or name.startswith(whole + ".")):
                found.setdefault(name)
    return tuple(found)
