"""The pages of a Parquet file, by their headers: how large the result of reading can become.

A few stored bytes can say that a value repeats a million times, and Arrow reads it before it returns a batch. The
headers of pages have the sizes of pages, the values of dictionaries and the number of values in lists. They are read
here before Arrow decodes anything. They use the compact protocol of Thrift (parquet.thrift of Apache Parquet).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

__all__ = ["Chunk", "Measure", "chunks_of", "measured"]

_DEPTH: Final = 32
"""Most levels of nested structures in a header."""
_HEADER: Final = 1 << 12
"""Bytes that are read at first for the header of a page. A longer header, with statistics, is read again."""
_LONGEST_HEADER: Final = 1 << 24
"""Bytes of a header above which it is not read."""
_CODECS: Final = {1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
"""Number of a compression in the format -> its name in Arrow."""
_MOST_DICTIONARY: Final = 64_000_000
"""Bytes up to which the values of a dictionary are measured. A value of a larger one may be as large as all of it."""
_DATA: Final = 0
"""Number of the type of data pages."""
_DICTIONARY: Final = 2
"""Number of the type of dictionary pages."""
_DATA_2: Final = 3
"""Number of the type of data pages of version 2."""
_IN_DICTIONARY: Final = (2, 8)
"""Encodings of pages whose values are numbers of dictionary entries."""
_BYTE_ARRAY: Final = 6
"""Number of the type of values that have their own size, such as texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One column in one row group, as the footer of the file describes it."""

    path: tuple[str, ...]
    start: int
    """Offset of its first page in the file."""
    stored: int
    """Stored size in bytes."""
    codec: int
    """Number of its compression; 0 is none."""
    binary: bool
    """Whether each value has its own size."""


@dataclass(slots=True)
class Measure:
    """The sizes that the headers of the pages of a chunk state."""

    values: int = 0
    """Number of values, nulls included; values of lists count one by one."""
    page: int = 0
    """Bytes of the largest page after decompression."""
    per_value: float = 0.0
    """Largest average size of a value in a page, in bytes, over pages that contain their values themselves."""
    plain: int = 0
    """Number of values in such pages."""
    longest: int = 0
    """Bytes of the longest entry of the dictionary."""


class _Broken(ValueError):
    """The bytes are not in the compact protocol of Thrift."""


class _Thrift:
    """Reads structures. Each is a dict by the numbers of its fields."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def structure(self, depth: int = 0) -> dict[int, Any]:
        """Reads one structure: number of a field -> its value.

        Raises:
            ValueError: the bytes are not a structure, or end within it.
        """
        if depth > _DEPTH:
            raise _Broken("nested too deeply")
        found: dict[int, Any] = {}
        number = 0
        try:
            while head := self._byte():
                step = head >> 4
                number = number + step if step else self._signed()
                found[number] = self._value(head & 15, depth)
        except IndexError:
            raise _Broken("the data ends") from None
        return found

    def _byte(self) -> int:
        self.place += 1
        return self._data[self.place - 1]

    def _count(self) -> int:
        data, place, found, shift = self._data, self.place, 0, 0
        while (byte := data[place]) > 127:
            found |= (byte & 127) << shift
            shift += 7
            place += 1
            if shift > 63:
                raise _Broken("a number is too long")
        self.place = place + 1
        return found | byte << shift

    def _signed(self) -> int:
        count = self._count()
        return count >> 1 ^ -(count & 1)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            self.place += 8
            return None
        if kind == 8:
            long = self._count()
            start, self.place = self.place, self.place + long
            if self.place > len(self._data):
                raise _Broken("the data ends")
            return self._data[start : self.place]
        if kind in (9, 10):
            head = self._byte()
            long = head >> 4 if head < 0xF0 else self._count()
            if long > len(self._data):
                raise _Broken("a list is too long")
            element = head & 15
            return [self._value(3 if element in (1, 2) else element, depth + 1) for _ in range(long)]
        if kind == 11:
            long = self._count()
            if long > len(self._data):
                raise _Broken("a map is too long")
            kinds = self._byte() if long else 0
            return [(self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(long)]
        if kind == 12:
            return self.structure(depth + 1)
        raise _Broken(f"no such type: {kind}")


def chunks_of(file: BinaryIO, *, most: int) -> list[list[Chunk]] | None:
    """The chunks of each row group; None if the footer cannot be read in this way.

    Args:
        file: a Parquet file; its position changes.
        most: most bytes of a footer that is read.
    """
    try:
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        tail = file.read(8)
        long = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or long > min(size - 8, most):
            return None
        file.seek(size - 8 - long)
        groups = _Thrift(file.read(long)).structure().get(4) or []
        return [[_chunk(column[3]) for column in group[1]] for group in groups]
    except (ValueError, KeyError, TypeError, AttributeError, OSError, OverflowError):
        return None


def _chunk(about: dict[int, Any]) -> Chunk:
    starts = [about[number] for number in (9, 11) if isinstance(about.get(number), int) and about[number] > 0]
    return Chunk(
        path=tuple(name.decode("utf-8", "surrogateescape") for name in about[3]),
        start=min(starts),
        stored=int(about[7]),
        codec=int(about[4]),
        binary=about[1] == _BYTE_ARRAY,
    )


def measured(file: BinaryIO, chunk: Chunk) -> Measure:
    """Reads the headers of the pages of a chunk, up to the first one that cannot be read."""
    import pyarrow as pa

    found = Measure()
    place, stop = chunk.start, chunk.start + chunk.stored
    try:
        while place < stop:
            header, start = _header(file, place)
            plain, packed = header[2], header[3]
            if plain < 0 or packed < 0:
                break
            place = start + packed
            found.page = max(found.page, plain)
            if header[1] == _DICTIONARY:
                file.seek(start)
                found.longest = _longest(file, packed, plain, chunk, header[7][1])
            elif header[1] in (_DATA, _DATA_2):
                about = header[5 if header[1] == _DATA else 8]
                count = about[1]
                found.values += max(count, 0)
                if about[2 if header[1] == _DATA else 4] not in _IN_DICTIONARY:
                    found.plain += max(count, 0)
                    found.per_value = max(found.per_value, plain / max(count, 1))
    except (ValueError, KeyError, TypeError, IndexError, OSError, OverflowError, pa.ArrowException):
        pass
    return found


def _header(file: BinaryIO, place: int) -> tuple[dict[int, Any], int]:
    """The header of a page, and the offset of its data."""
    size = _HEADER
    while True:
        file.seek(place)
        data = file.read(size)
        thrift = _Thrift(data)
        try:
            return thrift.structure(), place + thrift.place
        except _Broken:
            if len(data) < size or size >= _LONGEST_HEADER:
                raise
            size *= 16


def _longest(file: BinaryIO, packed: int, plain: int, chunk: Chunk, count: int) -> int:
    """Bytes of the longest entry of a dictionary page."""
    import pyarrow as pa

    if not chunk.binary:
        return 16
    if plain > _MOST_DICTIONARY or packed > _MOST_DICTIONARY:
        return plain
    data = file.read(packed)
    if chunk.codec:
        name = _CODECS.get(chunk.codec)
        if name is None:
            return plain
        data = pa.Codec(name).decompress(data, plain, asbytes=True)
    place = longest = 0
    size_at = struct.Struct("<i").unpack_from
    try:
        for _ in range(count):
            (size,) = size_at(data, place)
            if size < 0:
                return plain
            if size > longest:
                longest = size
            place += 4 + size
    except struct.error:
        return plain
    return longest
