"""Lines of a stream, in runs of consecutive lines of bounded length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from harvestdetect.dump.storage.streams import BrokenStreamError, until_broken

__all__ = ["SAMPLE_BYTES", "SAMPLE_ROWS", "BadLine", "LineRun", "LongLine", "line_runs"]

SAMPLE_ROWS: Final = 200
"""Number of records at the beginning of a file over which columns are chosen."""
SAMPLE_BYTES: Final = 32_000_000
"""Bytes of lines after which columns are chosen over fewer records."""
_BOM: Final = b"\xef\xbb\xbf"
"""The byte-order mark of UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRun:
    """Consecutive lines, without their separators."""

    number: int
    """Number of the first line, from 1."""
    offset: int
    """Offset of the first line in the decompressed stream, in bytes."""
    lines: list[bytes]
    cut: bool = False
    """Whether the stream broke off in the only line of this run."""

    def numbered(self) -> Iterator[tuple[int, int, bytes]]:
        """Number, offset and bytes of each line."""
        offset = self.offset
        for number, line in enumerate(self.lines, self.number):
            yield number, offset, line
            offset += len(line) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LongLine:
    """A line above the limit. It was skipped without being kept in memory."""

    number: int
    """From 1."""
    offset: int
    """Offset in the decompressed stream, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line, or a value, that is a reject for another reason than its length."""

    number: int
    """From 1."""
    offset: int
    """Offset in the decompressed stream, in bytes."""
    reason: str


def line_runs(
    chunks: Iterable[bytes],
    *,
    limit: int,
    separator: bytes = b"\n",
    bom: bool = True,
    blank: bytes = b"",
    idle: Callable[[], bool] = lambda: True,
) -> Iterator[LineRun | LongLine | BrokenStreamError]:
    """Splits a stream into lines, in runs of about a chunk each. Keeps at most ``limit`` bytes and a chunk in memory.

    Args:
        chunks: the stream.
        limit: longest line, in bytes without its separator.
        separator: one byte.
        bom: whether to drop a byte-order mark at the start.
        blank: characters that a blank line may consist of, the separator among them. A chunk of only these is counted
            and skipped; b"" skips nothing.
        idle: whether blank lines may be skipped at this moment.

    Yields:
        Runs and long lines in order. The error of a broken stream is the last value; it is not raised.
    """
    splitter = _Splitter(limit, separator)
    broken: BrokenStreamError | None = None
    for chunk in until_broken(chunks):
        if isinstance(chunk, BrokenStreamError):
            broken = chunk
            break
        if bom:
            bom = False
            if chunk.startswith(_BOM):
                chunk, splitter.offset = chunk[3:], 3
        if blank and not chunk.strip(blank) and idle() and splitter.skip_blank(chunk, blank):
            continue
        yield from splitter.split(chunk)
    yield from splitter.end(cut=broken is not None)
    if broken is not None:
        yield broken


class _Splitter:
    """The state between two chunks: an unfinished line, and where it starts.

    Args:
        limit: longest line, in bytes without its separator.
        separator: one byte.
    """

    def __init__(self, limit: int, separator: bytes) -> None:
        self._limit = limit
        self._separator = separator
        self._number = 1
        self.offset = 0
        """Offset of the unfinished line."""
        self._rest: list[bytes] = []
        """Pieces of the unfinished line; empty if it is skipped."""
        self._size = 0
        """Bytes of the unfinished line."""
        self._skipping = False
        """Whether the unfinished line is above the limit."""

    def skip_blank(self, chunk: bytes, blank: bytes) -> bool:
        """Counts the lines of a chunk of blank characters. False if they cannot be skipped."""
        if self._skipping or b"".join(self._rest).strip(blank):
            return False
        count = chunk.count(self._separator) if chunk.strip(self._separator) else len(chunk)
        if not count:
            return False
        end = chunk.rfind(self._separator) + 1
        self._number += count
        self.offset += self._size + end
        self._rest, self._size = ([chunk[end:]] if end < len(chunk) else []), len(chunk) - end
        return True

    def split(self, chunk: bytes) -> Iterator[LineRun | LongLine]:
        """The lines that end in a chunk."""
        lines = chunk.split(self._separator)
        if len(lines) == 1:
            self._size += len(chunk)
            if not self._skipping:
                self._rest.append(chunk)
                yield from self._skip_if_long()
            return
        tail = lines.pop()
        if self._skipping:
            self.offset += self._size + len(lines[0]) + 1
            self._number += 1
            del lines[0]
        elif self._rest:
            lines[0] = b"".join(self._rest) + lines[0]
        self._skipping = False
        self._rest = [tail] if tail else []
        self._size = len(tail)
        if lines:
            yield from self._runs(lines)
        yield from self._skip_if_long()

    def end(self, *, cut: bool) -> Iterator[LineRun]:
        """The last line, if it has no separator. ``cut``: whether the stream broke off."""
        if self._rest:
            yield LineRun(number=self._number, offset=self.offset, lines=[b"".join(self._rest)], cut=cut)

    def _runs(self, lines: list[bytes]) -> Iterator[LineRun | LongLine]:
        """Whole lines as runs, interrupted by the lines above the limit."""
        if max(map(len, lines)) > self._limit:
            start = 0
            for position, line in enumerate(lines):
                if len(line) > self._limit:
                    if position > start:
                        yield self._run(lines[start:position])
                    yield LongLine(number=self._number, offset=self.offset)
                    self._number += 1
                    self.offset += len(line) + 1
                    start = position + 1
            lines = lines[start:]
        if lines:
            yield self._run(lines)

    def _run(self, lines: list[bytes]) -> LineRun:
        run = LineRun(number=self._number, offset=self.offset, lines=lines)
        self._number += len(lines)
        self.offset += sum(map(len, lines)) + len(lines)
        return run

    def _skip_if_long(self) -> Iterator[LongLine]:
        """Skips the unfinished line if it is above the limit."""
        if self._size > self._limit:
            yield LongLine(number=self._number, offset=self.offset)
            self._skipping = True
            self._rest.clear()
