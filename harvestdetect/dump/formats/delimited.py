"""CSV, read with the standard library's parser in its strict mode.

A file is parsed record by record. A malformed record costs one line: its first line is a reject, and parsing starts
again at the next line. DuckDB's reader is not used, although it reports rejects: after an unclosed quote it lost 1.2 of
1.5 million rows and reported one (2.0.0 in parallel; without threads it lost all and reported none), and it gave up on
a file with line ends of both kinds.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final, NamedTuple

from harvestdetect.dump.columns.shapes import Shapes
from harvestdetect.dump.formats.dialects import Dialect, dialect_of, header_of
from harvestdetect.dump.formats.lines import SAMPLE_BYTES, SAMPLE_ROWS, LineRun, LongLine, line_runs
from harvestdetect.dump.formats.table import Columns, block_of
from harvestdetect.dump.storage.limits import BLOCK_BYTES, Rejects
from harvestdetect.dump.storage.streams import BrokenStreamError
from harvestdetect.dump.values.rows import Block
from harvestdetect.settings import Settings

__all__ = ["read_csv"]

_SPAN: Final = 16
"""Number of lines that are parsed together after a malformed record. It doubles with each success."""
_ROOM: Final = 4
"""Bytes within which a record must end, as a multiple of ``max_line_bytes``. They are more than a field may have, so
that a field that is too long ends at its quote, and its content is not read as rows of other accounts."""
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def read_csv(
    chunks: Iterable[bytes],
    *,
    head: bytes,
    shapes: Shapes,
    more: Callable[[int], list[bytes]],
    settings: Settings,
    batch_rows: int,
    rejects: Rejects,
) -> Iterator[Block]:
    """Blocks of at most about ``batch_rows`` rows. The first record is the header, and all values are text.

    Columns are chosen over the first 200 records, and over records from elsewhere in the file. The line of a row is the
    physical line on which its record starts.

    Long because it is one loop with a branch for each kind of record.

    Args:
        chunks: the decompressed file.
        head: the beginning of the file.
        shapes: how records are read; decided here.
        more: returns lines from elsewhere in the file, behind an offset.
        settings: ``max_line_bytes`` counts.
        batch_rows: most rows of a block.
        rejects: takes what cannot be read, before the block that follows it is yielded.

    Raises:
        ColumnsError: no column for account or prompt.
        BrokenStreamError: the stream breaks off. All that could be read was yielded before.
    """
    limit = settings.max_line_bytes
    # The limit applies to the whole process and is only ever raised. Its default, 128 KB, would reject long prompts.
    csv.field_size_limit(max(csv.field_size_limit(), _ROOM * limit))
    dialect = dialect_of(head)
    table = _Table(shapes, lambda start: _elsewhere(more(start), dialect), rejects)
    size = 0

    for record in _records(chunks, dialect, limit):
        if isinstance(record, BrokenStreamError):
            table.decide()
            if table.rows or rejects:
                yield table.block()
            raise record
        row, line, offset, length = record
        if line <= dialect.skipped:
            continue
        if row and length <= limit and len(row) == table.width and type(row) is list:  # the common case, without a call
            table.rows.append(row)
            table.numbers.append(line)
            table.offsets.append(offset)
        else:
            table.add(record, limit)
        size += length
        if not table.decided and table.header and (len(table.rows) >= SAMPLE_ROWS or size >= SAMPLE_BYTES):
            table.decide()
        if len(table.rows) >= batch_rows or len(rejects) >= batch_rows or size >= BLOCK_BYTES:
            table.decide()
            yield table.block()
            size = 0
    table.decide()
    if table.rows or rejects:
        yield table.block()


def _fitted(row: list[str], header: Sequence[str]) -> list[str] | None:
    """A row without empty fields behind the last column, or with some for columns without names; None if it does not
    fit the header."""
    width = len(header)
    if len(row) == width:
        return row
    if len(row) > width:
        return None if any(row[width:]) else row[:width]
    return None if any(header[len(row) :]) else row + [""] * (width - len(row))


@dataclass(slots=True)
class _Table:
    """Rows of the next block."""

    shapes: Shapes
    elsewhere: Callable[[int], list[list[str]]]
    """Returns rows from elsewhere in the file, behind an offset."""
    rejects: Rejects
    header: list[str] = field(default_factory=list)
    width: int = 0
    """Number of columns; 0 if there is one, in which a blank line looks like a record, or if it is not known yet."""
    decided: bool = False
    """Whether columns are chosen."""
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)

    def add(self, record: _Record, limit: int) -> None:
        """Takes a record: the header, a row or a reject. ``limit``: most bytes of a field."""
        row, number, offset, length = record
        if isinstance(row, str):
            self.rejects.add(number, offset, row)
        elif not row or (len(row) == 1 and not row[0].strip()):
            return  # a blank line
        elif not self.header:
            self.header = header_of(row)
            self.width = len(self.header) if len(self.header) > 1 else 0
        elif (fitted := _fitted(row, self.header)) is None:
            self.rejects.add(number, offset, f"{len(self.header)} columns expected, {len(row)} found")
        elif length > limit and max(map(len, row)) > limit:
            self.rejects.add(number, offset, f"a field is longer than max_line_bytes = {limit}")
        else:
            self.rows.append(fitted)
            self.numbers.append(number)
            self.offsets.append(offset)

    def decide(self) -> None:
        """Chooses the columns, unless that was done or nothing was read yet."""
        if self.decided or not self.header:
            return
        self.decided = True
        rest = self.rows[SAMPLE_ROWS:]
        rows = self.rows[:SAMPLE_ROWS] + rest[:: max(1, len(rest) // SAMPLE_ROWS)]
        if len(rows) >= SAMPLE_ROWS:
            rows = rows + [row for row in self.elsewhere(self.offsets[-1]) if len(row) == len(self.header)]
        self.shapes.decide([self._object(row) for row in rows], self.header)

    def _object(self, row: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in zip(self.header, row, strict=True):
            found.setdefault(name, value)
        return found

    def block(self) -> Block:
        """Takes the rows so far as a block."""
        rows, numbers, offsets = self.rows, self.numbers, self.offsets
        self.rows, self.numbers, self.offsets = [], [], []
        wanted = self.shapes.wanted()
        columns: dict[str, list[str]] = {}
        for place, name in enumerate(self.header):
            if name not in columns and (wanted is None or wanted(name)):
                columns[name] = [row[place] for row in rows]
        return block_of(
            self.shapes,
            Columns(columns, len(rows)),
            lambda number: self._object(rows[number]),
            numbers=numbers,
            offsets=offsets,
            rejects=self.rejects,
        )


def _elsewhere(lines: Sequence[bytes], dialect: Dialect) -> list[list[str]]:
    """Rows in some lines, most of which are records."""
    found: list[list[str]] = []
    for line in lines:
        try:
            found += dialect.rows([line.decode().rstrip("\r\n")])
        except (csv.Error, UnicodeDecodeError):
            continue
    return found


class _Record(NamedTuple):
    """One record, or a reject."""

    row: list[str] | str
    """The fields, or the reason of the reject."""
    line: int
    """The line on which it starts, from 1."""
    byte: int
    """Offset of that line in the decompressed stream."""
    size: int
    """Bytes of its lines."""


def _records(chunks: Iterable[bytes], dialect: Dialect, limit: int) -> Iterator[_Record | BrokenStreamError]:
    """The records of a stream; the error of a broken stream is the last value."""
    separator = dialect.separator
    parser = _Parser(dialect, limit)
    blank = separator + b" "
    for item in line_runs(chunks, limit=_ROOM * limit, separator=separator, blank=blank, idle=parser.is_idle):
        if isinstance(item, BrokenStreamError):
            # What is left after this is the record in which the stream broke off.
            yield from parser.parse(final=False)
            yield item
            return
        if isinstance(item, LongLine):
            yield from parser.parse(final=True)
            yield _Record(f"the line is longer than max_line_bytes = {limit}", item.number, item.offset, 0)
        elif not item.cut and parser.take(item):
            yield from parser.parse(final=False)
    yield from parser.parse(final=True)


class _Parser:
    """Parses the records of lines that come run by run.

    A record that does not end within :data:`_ROOM` times ``limit`` bytes has an unclosed quote. The search for its end
    is wasted work. Whenever as many bytes have been wasted, later records get half the room, so that the total time
    stays linear.

    Args:
        dialect: of the file.
        limit: ``max_line_bytes``.
    """

    def __init__(self, dialect: Dialect, limit: int) -> None:
        self._dialect = dialect
        self._end = dialect.separator.decode()
        self._most = _ROOM * limit
        self._room = self._most
        """Bytes within which a record must end."""
        self._wasted = 0
        """Bytes in which the end of a record was sought in vain, since the room was halved."""
        self._lines: list[str] = []
        """Lines from the start of the first record that is not finished."""
        self._sizes: list[int] = []
        """Bytes of each line."""
        self._number = 1
        """Number of the first of the lines."""
        self._offset = 0
        """Offset of the first of the lines."""
        self._size = 0
        """Bytes of all lines."""
        self._wanted = 0
        """Bytes of lines below which the next attempt to parse is in vain."""
        self._invalid = False
        """Whether some of the lines are not UTF-8."""

    def is_idle(self) -> bool:
        """Whether no record is unfinished."""
        return not self._lines

    def take(self, run: LineRun) -> bool:
        """Adds lines. Returns whether it is time to parse."""
        if not self._lines:
            self._number, self._offset = run.number, run.offset
        try:
            self._lines += [line.decode() + self._end for line in run.lines]
        except UnicodeDecodeError:
            self._invalid = True
            self._lines += [line.decode("utf-8", "surrogateescape") + self._end for line in run.lines]
        sizes = [len(line) + 1 for line in run.lines]
        self._sizes += sizes
        self._size += sum(sizes)
        return self._size >= self._wanted

    def parse(self, *, final: bool) -> Iterator[_Record]:
        """The records that end within the lines. ``final``: whether no more lines come."""
        lines, sizes = self._lines, self._sizes
        places = list(accumulate(sizes, initial=self._offset))
        start, count = 0, len(lines)
        span = count
        self._wanted = 0
        while start < count:
            stop = min(start + span, count)
            reader = self._dialect.rows(lines[start:stop])
            first = start
            try:
                for row in reader:
                    after = first + reader.line_num
                    broken = self._invalid and any(map(_SURROGATES.search, row))
                    found = "invalid UTF-8" if broken else row
                    yield _Record(found, self._number + start, places[start], places[after] - places[start])
                    start = after
            except csv.Error as error:
                seen = places[stop] - places[start]
                if "end of data" in str(error) and seen <= self._room:
                    if stop < count:
                        span = 2 * (stop - start)
                        continue
                    if not final:
                        self._wanted = 2 * seen
                        break
                if "end of data" in str(error):
                    self._waste(seen)
                yield _Record(_reason(error), self._number + start, places[start], sizes[start])
                start += 1
                span = _SPAN
            else:
                span *= 2
        self._number, self._offset = self._number + start, places[start]
        self._lines, self._sizes = lines[start:], sizes[start:]
        self._size = places[-1] - self._offset
        self._invalid = self._invalid and bool(self._lines)

    def _waste(self, size: int) -> None:
        """Counts bytes in which the end of a record was sought in vain."""
        self._wasted += size
        if self._wasted > self._most:
            self._room, self._wasted = self._room // 2, 0


def _reason(error: csv.Error) -> str:
    text = str(error)
    if "end of data" in text:
        return "a quote is not closed"
    if "expected after" in text:
        return "a closing quote is not followed by a delimiter"
    if "new-line" in text:
        return "a carriage return outside of quotes"
    return f"malformed CSV: {text}"
