"""JSON values of a stream that are not one per line: the bytes of each, with its line and offset.

A stream may be an array of objects, objects one behind the other with or without white space, pretty-printed objects,
a JSON text sequence (RFC 7464), or several of these in turn. An object that is longer than a line may be is no row, but
it may have a list of rows, such as the hits of a search: the elements of its lists are then the rows.

The bytes are not decoded here. Memory is bounded by the longest value that is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from harvestdetect.dump.formats.lines import BadLine, LineRun, LongLine
from harvestdetect.dump.storage.streams import BrokenStreamError, until_broken

__all__ = ["Item", "is_json", "objects_in", "values_of"]

Item = LineRun | LongLine | BadLine | BrokenStreamError
"""What a stream of JSON consists of: values, those that cannot be read, and the end of a broken stream."""

_BOM: Final = b"\xef\xbb\xbf"
_BETWEEN: Final = re.compile(rb"[\s,\x00\x1e]*+")
"""What may be between values."""
_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+[{}\[\]]', re.DOTALL)
"""Everything up to a bracket outside of texts."""
_OUTSIDE: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_TEXT_END: Final = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_TEXT: Final = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_LINE_TEXT: Final = re.compile(rb'"(?:[^"\\\n]++|\\.)*+')
"""A text without its last quote."""
_WORD: Final = re.compile(rb'[^\s,\[\]{}"\x1e]++')
"""A value that is no object, no list and no text; or what is no JSON."""
_GARBAGE: Final = re.compile(rb"[^\n{\[]++")
_FLIPPED: Final = re.compile(rb"\}\s*,?\s*\{\s*\Z")
"""The end of a text that begins behind a value and ends in the next: a quote is missing or too many before it."""
_FIRST_KEY: Final = re.compile(rb'\{\s*"(?:[^"\\]++|\\.){0,100}+"\s*:')
_PAIRS: Final = {ord("{"): ord("}"), ord("["): ord("]")}
_OBJECT: Final = ord("{")
_OPEN: Final = ord("[")
_CLOSE: Final = ord("]")
_CLOSING: Final = (ord("]"), ord("}"))
_QUOTE: Final = ord('"')
_LEAST_ROOM: Final = 512
"""Bytes within which the end of a value is sought in any case."""
_DEEPEST: Final = 5_000
"""Most nested brackets of a value. Decoders give up far earlier."""
_WIDEST: Final = 100
"""Most bytes of the indentation of a value."""
_OBJECT_START: Final = re.compile(rb'\{\s*["}]')
_FALLBACKS: Final = 8
"""Number of wrong guesses of the end of a value after which no more are made."""
_RAW: Final = msgspec.json.Decoder(msgspec.Raw)


def is_json(value: bytes) -> bool:
    """Whether bytes are one JSON value, whatever its texts contain."""
    try:
        _RAW.decode(value)
    except (ValueError, RecursionError):
        return False
    return True


def values_of(chunks: Iterable[bytes], *, limit: int) -> Iterator[Item]:
    """The values of a stream: objects, the elements of arrays, and the elements of lists in very long objects.

    Args:
        chunks: the stream, in UTF-8.
        limit: longest value in bytes.

    Yields:
        A run of one "line" for each value. What is no JSON is one too, up to the next value. The error of a broken
        stream is the last value; it is not raised.
    """
    splitter = _Splitter(limit)
    broken: BrokenStreamError | None = None
    first = True
    for chunk in until_broken(chunks):
        if isinstance(chunk, BrokenStreamError):
            broken = chunk
            break
        if first and chunk:
            first = False
            if chunk.startswith(_BOM):
                chunk = chunk[3:]
                splitter.offset = 3
        yield from splitter.feed(chunk)
    yield from splitter.end(cut=broken is not None)
    if broken is not None:
        yield broken


def objects_in(line: bytes) -> list[tuple[int, bytes]]:
    """(offset, bytes) of the JSON objects in a line of text, among them those in a list; empty if it has none.

    If the line has an object, what begins like another one and is none is listed too.
    """
    found: list[tuple[int, bytes]] = []
    place, any_good = 0, False
    while (start := _OBJECT_START.search(line, place)) is not None:
        place = _end_of(line, start.start()) or len(line)
        piece = line[start.start() : place]
        any_good = any_good or is_json(piece)
        found.append((start.start(), piece))
    return found if any_good else []


def _end_of(line: bytes, start: int) -> int | None:
    """The end of the object that starts at a place; None if its brackets do not match."""
    depth, place = 0, start
    while (found := _BRACKET.match(line, place)) is not None:
        place = found.end()
        depth += 1 if line[place - 1] in _PAIRS else -1
        if depth <= 0 or depth > _DEEPEST:
            break
    return place if depth == 0 else None


class _Splitter:
    """The state between two chunks.

    A value whose brackets do not match has no end. The search for it is wasted work, which is bounded in proportion to
    what was read: the more is wasted, the shorter later values must be.

    Args:
        limit: longest value in bytes.
        explode: whether the elements of the lists in a first object above the limit are values.
    """

    def __init__(self, limit: int, *, explode: bool = True) -> None:
        self._limit = limit
        self._explode = explode
        self.offset = 0
        """Offset in the stream of ``self._counted``."""
        self._line = 1
        """Line of ``self._counted``."""
        self._counted = 0
        """Place in the buffer up to which lines and bytes are counted."""
        self._buffer = b""
        self._more: list[bytes] = []
        """Chunks behind the buffer."""
        self._size = 0
        """Bytes of the buffer and of the chunks behind it."""
        self._wanted = 0
        """Bytes below which it is vain to go on."""
        self._final = False
        """Whether no more chunks come."""
        self._at = 0
        """Place in the buffer up to which everything is done: the start of the value that is sought."""
        self._scan = 0
        """Place up to which brackets of the value were counted."""
        self._stack = bytearray()
        """The closing brackets that the value still needs, the next one last."""
        self._wrong = False
        """Whether the value has brackets that do not match."""
        self._indent: bytes | None = b""
        """What is before the value on its line; None if another value is."""
        self._arrays = 0
        """Number of arrays around the value, 0 or 1."""
        self._depth = 0
        """Number of open brackets in the long object that is descended, or in the value that is passed over."""
        self._skipping = False
        """Whether the value is too long and is passed over."""
        self._outer = 0
        """Number of open brackets of the long object whose lists are read; 0 if there is none."""
        self._long: LongLine | None = None
        """The long object, as long as no element of its lists was found."""
        self._in_text = False
        """Whether what was dropped ends inside a text."""
        self._in_garbage = False
        """Whether what was dropped is no JSON."""
        self._values = 0
        """Number of values so far."""
        self._key = b""
        """The beginning of the last object, up to its first key."""
        self._wasted = 0
        """Bytes in which the end of a value was sought in vain."""
        self._misses = 0
        """Number of wrong guesses of the end of a value."""

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """The values that end in a chunk."""
        self._more.append(chunk)
        self._size += len(chunk)
        if self._size >= self._wanted:
            self._join()
            yield from self._values_so_far()
            self._drop()

    def end(self, *, cut: bool) -> Iterator[Item]:
        """The values that are left. ``cut``: whether the stream broke off, so that the last may be incomplete."""
        self._join()
        self._final = True
        for item in self._values_so_far():
            if cut and self._at >= len(self._buffer) and isinstance(item, LineRun) and not is_json(item.lines[0]):
                yield LineRun(number=item.number, offset=item.offset, lines=item.lines, cut=True)
            else:
                yield item
        if self._long is not None:
            yield self._long

    def _join(self) -> None:
        self._buffer = b"".join((self._buffer, *self._more))
        self._more.clear()
        self._size = len(self._buffer)

    def _drop(self) -> None:
        """Forgets what is done."""
        self._count()
        self._buffer = self._buffer[self._at :]
        self._scan = max(self._scan - self._at, 0)
        self._size = len(self._buffer)
        self._at = self._counted = 0
        self._wanted = 2 * self._size

    def _count(self) -> tuple[int, int]:
        """Line and offset of the value that is sought."""
        self._line += self._buffer.count(b"\n", self._counted, self._at)
        self.offset += self._at - self._counted
        self._counted = self._at
        return self._line, self.offset

    def _values_so_far(self) -> Iterator[Item]:
        going = True
        while going:
            if self._skipping:
                going = self._skip()
            elif self._outer and not self._arrays:
                going = self._descend()
                if not self._outer and self._long is not None:
                    yield self._long
                    self._long = None
            else:
                if not self._stack and not self._pass_blank():
                    return
                items = self._next()
                going = items is not None
                yield from items or ()

    def _pass_blank(self) -> bool:
        """Passes over what is between values. Returns whether there is more."""
        place = _BETWEEN.match(self._buffer, self._at).end()  # type: ignore[union-attr]
        if place > self._at:
            blank = self._buffer[self._at : place]
            line_end = blank.rfind(b"\n")
            if line_end >= 0:
                self._indent = blank[line_end + 1 :]
            elif self._indent is not None:
                self._indent += blank
            if self._indent is not None and len(self._indent) > _WIDEST:
                self._indent = None
        self._at = self._scan = place
        return place < len(self._buffer)

    def _next(self) -> tuple[Item, ...] | None:
        """What is at the place that was reached; None if more bytes are needed."""
        first = self._buffer[self._at]
        if not self._stack:
            closing = _PAIRS.get(first)
            if first == _OPEN and not self._arrays:
                self._arrays, self._indent = 1, None
                self._at += 1
                return ()
            if closing is None:
                return self._scalar(first)
            if (end := self._guess()) is not None:
                return self._yielded(end)
            self._stack.append(closing)
            self._scan, self._wrong = self._at + 1, False
        end = self._end()
        room = self._room()
        if len(self._stack) > _DEEPEST:
            line, offset = self._count()
            self._pass_over()
            return (BadLine(number=line, offset=offset, reason="nested too deeply"),)
        if end is not None and end - self._at <= room:
            return self._take(end)
        if end is not None or len(self._buffer) - self._at > room:
            return self._too_long(room)
        return self._broken(len(self._buffer)) if self._final else None

    def _room(self) -> int:
        """Bytes within which the value must end."""
        done = self.offset + self._at - self._counted
        return max(min(self._limit, 4 * self._limit + 8 * done - self._wasted), min(_LEAST_ROOM, self._limit))

    def _guess(self) -> int | None:
        """The end of the value, if the next one starts like the one before and lies in the buffer."""
        key, start = self._key, self._at
        if not key or self._misses >= _FALLBACKS or not self._buffer.startswith(key, start):
            return None
        place = self._buffer.find(key, start + len(key), start + self._room())
        end = self._buffer.rfind(b"}", start, place) + 1 if place > 0 else 0
        if not end or self._buffer[end:place].strip(b", \r\n\t"):
            return None
        if is_json(self._buffer[start:end]):
            return end
        self._misses += 1
        return None

    def _end(self) -> int | None:
        """The end of the value; None if its brackets do not match so far."""
        match, buffer, stack, scan = _BRACKET.match, self._buffer, self._stack, self._scan
        while stack and len(stack) <= _DEEPEST:
            found = match(buffer, scan)
            if found is None:
                break
            scan = found.end()
            bracket = buffer[scan - 1]
            closing = _PAIRS.get(bracket)
            if closing is not None:
                stack.append(closing)
            elif stack[-1] == bracket:
                stack.pop()
            else:
                # The value ends here at the latest. A list around it ends here too.
                scan -= bracket == _CLOSE
                self._wrong = True
                stack.clear()
        self._scan = scan
        return None if stack else scan

    def _take(self, end: int) -> tuple[Item, ...]:
        """The value up to ``end``."""
        value = self._buffer[self._at : end]
        if is_json(value):
            key = _FIRST_KEY.match(value)
            self._key = key[0] if key is not None else b""
            return self._yielded(end)
        return self._broken(end, complete=not self._wrong)

    def _broken(self, stop: int, *, complete: bool = False) -> tuple[Item, ...]:
        """A value that is no JSON, or that the end of the stream cuts off."""
        again = self._restart(stop, complete=complete)
        if again is None:
            return self._yielded(stop)
        self._wasted += stop - self._at
        return self._yielded(again)

    def _yielded(self, end: int) -> tuple[Item, ...]:
        """What is up to ``end``, as a value."""
        line, offset = self._count()
        value = self._buffer[self._at : end].rstrip(b", \t\r\n")
        self._at = self._scan = end
        self._stack.clear()
        self._indent = None
        self._values += 1
        self._long = None
        return (LineRun(number=line, offset=offset, lines=[value]),)

    def _scalar(self, first: int) -> tuple[Item, ...] | None:
        """A value that is no object and no list, a bracket, or what is no JSON."""
        buffer, start = self._buffer, self._at
        if first == _CLOSE and self._arrays:
            self._arrays, self._indent = 0, None
            self._at += 1
            self._depth = self._outer
            return ()
        if first in _CLOSING:
            return self._yielded(start + 1)
        stop = start + self._limit + 1
        if first == _QUOTE:
            end = _LINE_TEXT.match(buffer, start, stop).end()  # type: ignore[union-attr]
            whole = end < stop and buffer[end : end + 1] == b'"'
            open_ended = not whole and (end == len(buffer) or buffer[end : end + 2] == b"\\")
            long = not whole and (end >= stop or (buffer[end : end + 1] == b"\\" and end + 1 >= stop))
            end += whole
        else:
            end = _WORD.match(buffer, start, stop).end()  # type: ignore[union-attr]
            whole, open_ended, long = True, end == len(buffer), end >= stop
        if not long and (not whole or not (self._arrays or open_ended or is_json(buffer[start:end]))):
            # Outside of arrays, what is no JSON goes to the end of the line.
            end = _GARBAGE.match(buffer, start, stop).end()  # type: ignore[union-attr]
            open_ended, long = open_ended or end == len(buffer), end >= stop
            whole = True
        if long:
            line, offset = self._count()
            self._at, self._depth, self._indent = end, 0, None
            self._skipping, self._in_text, self._in_garbage = True, not whole, whole
            return (LongLine(number=line, offset=offset),)
        return None if open_ended and not self._final else self._yielded(end)

    def _too_long(self, room: int) -> tuple[Item, ...]:
        """What follows from a value that does not end within ``room`` bytes."""
        again = self._restart(self._at + room, complete=False)
        if again is not None:
            self._wasted += room
            return self._yielded(again)
        line, offset = self._count()
        long = LongLine(number=line, offset=offset)
        if self._explode and not self._values and not self._arrays and self._buffer[self._at] == _OBJECT:
            self._long = long
            self._stack.clear()
            self._at += 1
            self._depth = self._outer = 1
            return ()
        self._wasted += room if room < self._limit else 0
        self._pass_over()
        return (long,)

    def _pass_over(self) -> None:
        """Passes over the value, whose first bracket is at the place that was reached."""
        self._stack.clear()
        self._at += 1
        self._depth = 1
        self._indent = None
        self._values += 1
        self._skipping, self._in_text = True, False

    def _restart(self, stop: int, *, complete: bool) -> int | None:
        """Where the next value starts, if a damage hides the end of this one; None if that is not known.

        Args:
            stop: of the search.
            complete: whether the brackets of the value match.
        """
        buffer, start = self._buffer, self._at
        if self._indent is not None and not complete:
            # The value has a line of its own; the next one has the same indentation.
            place = buffer.find(b"\n" + self._indent + buffer[start : start + 1], start, stop)
            if place >= 0:
                return place + 1 + len(self._indent)
        for found in _TEXT.finditer(buffer, start, stop):
            if (flipped := _FLIPPED.search(found[1][-_WIDEST:])) is not None:
                return found.end(1) - len(flipped[0]) + flipped[0].index(b"{")
        own = _FIRST_KEY.match(buffer, start) if not self._key and not complete else None
        key = own[0] if own is not None else self._key
        if key and not complete:
            place = buffer.find(key, start + 1, stop)
            if place >= 0:
                return place
        return None

    def _skip(self) -> bool:
        """Passes over a value that is too long. Returns whether its end is reached."""
        while self._pass_text():
            if self._in_garbage:
                found = _GARBAGE.match(self._buffer, self._at)
                self._at = self._at if found is None else found.end()
                self._in_garbage = self._at == len(self._buffer)
            elif not self._depth:
                self._skipping, self._scan = False, self._at
                return True
            elif bracket := self._bracket():
                self._depth += 1 if bracket in _PAIRS else -1
        return False

    def _descend(self) -> bool:
        """Seeks the next list of objects in a long object. Returns whether to go on."""
        if not self._pass_text():
            return False
        bracket = self._bracket()
        if bracket == _OPEN:
            place = _BETWEEN.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if place >= len(self._buffer) and not self._final:
                self._at -= 1  # whether objects follow is not known yet
                return False
            if self._buffer[place : place + 1] == b"{":
                self._arrays, self._outer = 1, self._depth
                self._indent = None
                return True
        if bracket:
            self._depth += 1 if bracket in _PAIRS else -1
            self._outer = self._depth
        return True

    def _bracket(self) -> int:
        """Goes behind the next bracket and returns it; 0 if the rest of the buffer has none."""
        found = _BRACKET.match(self._buffer, self._at)
        if found is not None:
            self._at = found.end()
            return self._buffer[self._at - 1]
        place = _OUTSIDE.match(self._buffer, self._at).end()  # type: ignore[union-attr]
        self._in_text = place < len(self._buffer)
        self._at = place + self._in_text
        return 0

    def _pass_text(self) -> bool:
        """Goes to the end of a text, and returns whether the buffer goes on behind it."""
        if self._in_text:
            found = _TEXT_END.match(self._buffer, self._at)
            if found is not None:
                self._at, self._in_text = found.end(), False
            else:
                rest = self._buffer[self._at :]
                escape = (len(rest) - len(rest.rstrip(b"\\"))) % 2
                self._at = len(self._buffer) - (escape if not self._final else 0)
                return False
        return self._at < len(self._buffer)
