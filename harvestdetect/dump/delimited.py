"""CSV, read with the standard library's parser in its strict mode.

A file is parsed record by record, and a record that is not well-formed costs one line: its first line is
a reject, and parsing starts again at the next one. DuckDB's reader is not used, although it keeps rejects:
behind an unclosed quote it lost 1.2 of 1.5 million rows and reported one (2.0.0, in parallel; all of them and
none when not), and it gave up on a file with line ends of both kinds.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from harvestdetect.dump.columns import ColumnPath, resolve
from harvestdetect.dump.limits import Rejects
from harvestdetect.dump.rows import Block
from harvestdetect.dump.streams import BrokenStreamError, LongLine, runs
from harvestdetect.settings import Settings

__all__ = ["header_of", "read_csv"]

_DELIMITERS: Final = (",", "\t", ";", "|")
_BLOCK_BYTES: Final = 16_000_000
_SPAN: Final = 16
"""Lines tried at once behind a malformed record; doubled from there."""
_ROOM: Final = 4
"""Times ``max_line_bytes`` in which a record must end. It is more than a field may have, so that one that is too long
ends where its quote does: what stands inside of it must not be read as rows of others."""
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def header_of(head: bytes) -> tuple[list[str], str, bytes]:
    """Columns, delimiter and line separator, from the start of a file."""
    separator = b"\r" if b"\n" not in head and b"\r" in head else b"\n"
    head = head.removeprefix(b"\xef\xbb\xbf")
    lines = head.split(separator)
    first = next((line for line in lines if line.strip()), b"").decode("utf-8", "surrogateescape")
    outside = re.sub(r'"[^"]*"', "", first)
    delimiter = max(_DELIMITERS, key=outside.count)
    try:
        columns = next(csv.reader([first], delimiter=delimiter, strict=True), [])
    except csv.Error:
        columns = []
    return [column.strip() for column in columns], delimiter, separator


def read_csv(
    chunks: Iterable[bytes], *, name: str, head: bytes, settings: Settings, batch_rows: int, rejects: Rejects
) -> Iterator[Block]:
    """Blocks of at most about ``batch_rows`` rows; the first record is the header.

    What cannot be read goes to ``rejects`` before the block that follows it.

    ``line`` is the physical line on which a record starts. All values are text.

    Raises:
        ColumnsError: no column for account or prompt.
        BrokenStreamError: the stream breaks off, after everything that could be read.
    """
    limit = settings.max_line_bytes
    # Process-wide, and only ever raised: the default of 128 KB would reject long prompts.
    csv.field_size_limit(max(csv.field_size_limit(), _ROOM * limit))
    _, delimiter, separator = header_of(head)
    columns: dict[str, int] = {}
    width = 0
    rows: list[list[str]] = []
    numbers: list[int] = []
    offsets: list[int] = []
    size = 0

    def flush() -> Block:
        values = {field: [row[column] for row in rows] for field, column in columns.items()}
        done = Block(numbers.copy(), offsets.copy(), values)
        for held in (rows, numbers, offsets):
            held.clear()
        return done

    for record in _records(chunks, delimiter, separator, limit):
        if isinstance(record, BrokenStreamError):
            if rows or rejects:
                yield flush()
            raise record
        row, number, offset, length = record
        if isinstance(row, str):
            rejects.add(number, offset, row)
        elif not row or (len(row) == 1 and not row[0].strip()):
            continue  # a blank line
        elif not width:
            width = len(row)
            columns = _choose(row, name=name, settings=settings)
        elif len(row) != width:
            reason = f"{width} columns expected, {len(row)} found"
            rejects.add(number, offset, reason)
        elif length > limit and max(map(len, row)) > limit:
            reason = f"a field is longer than max_line_bytes = {limit}"
            rejects.add(number, offset, reason)
        else:
            rows.append(row)
            numbers.append(number)
            offsets.append(offset)
        size += length
        if len(rows) >= batch_rows or len(rejects) >= batch_rows or size >= _BLOCK_BYTES:
            yield flush()
            size = 0
    if rows or rejects:
        yield flush()


def _choose(header: list[str], *, name: str, settings: Settings) -> dict[str, int]:
    names = [column.strip() for column in header]
    paths: list[ColumnPath] = [(column,) for column in names]
    chosen = resolve(paths, file=name, mapping=settings.mapping)
    return {field: names.index(path[0]) for field, path in chosen.items()}


def _records(
    chunks: Iterable[bytes], delimiter: str, separator: bytes, limit: int
) -> Iterator[tuple[list[str] | str, int, int, int] | BrokenStreamError]:
    """(row or reason, line, byte, length of its lines) of each record.

    A record that does not end within :data:`_ROOM` times ``limit`` bytes has an unclosed quote. Looking for its end
    was in vain; whenever that has cost as much, later records get half the room: time stays linear.
    """
    end = separator.decode()
    room = most = _ROOM * limit
    wasted = 0
    lines: list[str] = []  # from the start of an unfinished record
    sizes: list[int] = []
    number, offset = 1, 0  # of lines[0]
    held = 0  # sum of sizes
    wanted = 0  # do not try again below this size
    invalid = False  # some of the lines are not UTF-8

    def parse(*, final: bool) -> Iterator[tuple[list[str] | str, int, int, int]]:
        nonlocal lines, sizes, number, offset, held, wanted, invalid, room, wasted
        places = list(accumulate(sizes, initial=offset))
        start, count = 0, len(lines)
        span = count
        wanted = 0
        while start < count:
            stop = min(start + span, count)
            reader = csv.reader(lines[start:stop], delimiter=delimiter, strict=True)
            first = start
            try:
                for row in reader:
                    after = first + reader.line_num
                    length = places[after] - places[start]
                    broken = invalid and any(map(_SURROGATES.search, row))
                    yield "invalid UTF-8" if broken else row, number + start, places[start], length
                    start = after
            except csv.Error as error:
                seen = places[stop] - places[start]
                if "end of data" in str(error):
                    if seen <= room and stop < count:
                        span = 2 * (stop - start)
                        continue
                    if seen <= room and not final:
                        wanted = 2 * seen
                        break
                    wasted += seen
                    if wasted > most:
                        room, wasted = room // 2, 0
                yield _reason(error), number + start, places[start], sizes[start]
                start += 1
                span = _SPAN
            else:
                span *= 2
        number, offset = number + start, places[start]
        lines, sizes = lines[start:], sizes[start:]
        held = places[-1] - offset
        invalid = invalid and bool(lines)

    def between() -> bool:
        return not lines

    blank = separator + b" "
    for item in runs(chunks, limit=most, separator=separator, blank=blank, idle=between):
        if isinstance(item, BrokenStreamError):
            # What is left after this is a record that the break cut.
            yield from parse(final=False)
            yield item
            return
        if isinstance(item, LongLine):
            yield from parse(final=True)
            yield f"the line is longer than max_line_bytes = {limit}", item.number, item.offset, 0
            continue
        if item.cut:
            continue
        if not lines:
            number, offset = item.number, item.offset
        try:
            lines += [line.decode() + end for line in item.lines]
        except UnicodeDecodeError:
            invalid = True
            lines += [line.decode("utf-8", "surrogateescape") + end for line in item.lines]
        lengths = [len(line) + 1 for line in item.lines]
        sizes += lengths
        held += sum(lengths)
        if held >= wanted:
            yield from parse(final=False)
    yield from parse(final=True)


def _reason(error: csv.Error) -> str:
    text = str(error)
    if "end of data" in text:
        return "a quote is not closed"
    if "expected after" in text:
        return "a closing quote is not followed by a delimiter"
    if "new-line" in text:
        return "a carriage return outside of quotes"
    return f"malformed CSV: {text}"
