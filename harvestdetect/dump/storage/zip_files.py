"""The members of a zip archive, with bounded memory and whatever its directory claims."""

from __future__ import annotations

import bz2
import lzma
import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from harvestdetect.dump.storage.members import Member, Skipped
from harvestdetect.dump.storage.streams import CHUNK, BrokenStreamError

__all__ = ["is_zip", "zip_members"]

_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT: Final = 1 << 16
"""Most bytes behind the end of the directory."""
_READ: Final = 1 << 16
"""Compressed bytes that are read at a time."""
_MEMORY: Final = 1 << 28
"""Most bytes of memory that a decoder of a member may use."""
_FULL: Final = 0xFFFFFFFF
"""A size or place that is in an extra field, because it has more than 32 bits."""
_METHODS: Final = {0: "stored", 8: "deflate", 12: "bzip2", 14: "lzma", 93: "zstd"}
_OTHERS: Final = {9: "deflate64", 95: "xz", 98: "PPMd", 99: "AES encryption"}


def is_zip(head: bytes) -> bool:
    """Whether a file starts like a zip archive."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


class _Damaged(BrokenStreamError):
    """The directory of an archive is damaged or missing."""


def zip_members(file: BinaryIO) -> Iterator[Member | Skipped]:
    """The members of an archive in the order of its directory.

    Args:
        file: the archive; it must be able to seek.

    Raises:
        BrokenStreamError: its directory is damaged or missing.
    """
    directory = _directory(file)
    place, stop, shift = directory.place, directory.place + directory.size, directory.shift
    entries = 0
    while place + _ENTRY.size <= stop:
        entries += 1
        file.seek(place)
        raw = file.read(_ENTRY.size)
        if len(raw) < _ENTRY.size or raw[:4] != b"PK\x01\x02":
            raise _Damaged(f"the directory of the zip archive is damaged at byte {place:,}")
        entry = _ENTRY.unpack(raw)
        flags, method, crc, stored, length = entry[3], entry[4], entry[7], entry[8], entry[9]
        name_size, extra_size, comment_size, mode, local = *entry[10:13], entry[15], entry[16]
        rest = file.read(name_size + extra_size)
        name = rest[:name_size].decode("utf-8" if flags & 0x800 else "cp437", "surrogateescape")
        length, stored, local = _wide(rest[name_size:], (length, stored, local))
        place += _ENTRY.size + name_size + extra_size + comment_size
        if name.endswith(("/", "\\")) and not length:
            continue
        if (mode >> 28) == 0o12:
            yield Skipped(name=name, what="link")
        elif flags & 0x2041 or method == 99:
            yield Skipped(name=name, what="encrypted file; decrypt it first", lost=True)
        elif method not in _METHODS:
            what = f"file compressed with {_OTHERS.get(method, f'method {method}')}; compress it with deflate"
            yield Skipped(name=name, what=what, lost=True)
        else:
            content = _content(file, local + shift, stored, method, crc, bool(flags & 2))
            yield Member(name=name, size=stored, file=_Content(content))
    if place < stop:
        raise _Damaged("the directory of the zip archive is cut off")
    if entries != directory.entries:
        raise _Damaged(
            f"the directory of the zip archive has {directory.entries:,} entries, and {entries:,} can be read"
        )


class _Directory(NamedTuple):
    """The directory of an archive."""

    place: int
    size: int
    entries: int
    shift: int
    """By how much all places are shifted."""


def _directory(file: BinaryIO) -> _Directory:
    """Where the directory is, as the end of the archive says."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _LONGEST_COMMENT - _END.size)
    file.seek(start)
    tail = file.read(size - start)
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or len(tail) - found < _END.size:
        raise _Damaged("the zip archive is cut off: it has no directory")
    end = _END.unpack(tail[found : found + _END.size])
    entries, length, place, stop = end[4], end[5], end[6], start + found
    if _FULL in (length, place) or end[4] == 0xFFFF:
        file.seek(max(0, stop - _LOCATOR.size))
        locator = file.read(_LOCATOR.size)
        if len(locator) == _LOCATOR.size and locator[:4] == b"PK\x06\x07":
            file.seek(min(_LOCATOR.unpack(locator)[2], size))
            raw = file.read(_END_64.size)
            if len(raw) < _END_64.size or raw[:4] != b"PK\x06\x06":
                raise _Damaged("the directory of the zip archive is damaged")
            wide = _END_64.unpack(raw)
            entries, length, place, stop = wide[7], wide[8], wide[9], stop - _LOCATOR.size - _END_64.size
    # Something may stand before the archive, such as a program that unpacks it.
    shift = max(stop - length - place, 0)
    if place + shift + length > size:
        raise _Damaged("the directory of the zip archive is damaged")
    return _Directory(place + shift, length, entries, shift)


def _wide(extra: bytes, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """Length, stored size and place of a member, with those of 64 bits from the extra field."""
    while len(extra) >= 4:
        tag, size = struct.unpack_from("<HH", extra)
        if tag == 1:
            data = extra[4 : 4 + size]
            found = []
            for value in values:
                if value == _FULL and len(data) >= 8:
                    value, data = int.from_bytes(data[:8], "little"), data[8:]
                found.append(value)
            return found[0], found[1], found[2]
        extra = extra[4 + size :]
    return values


class _Content:
    """The content of a member as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; b"" at the end. Raises BrokenStreamError if the member is damaged."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = chunk
        if size < 0:
            size = len(self._rest)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _content(file: BinaryIO, place: int, stored: int, method: int, crc: int, marked: bool) -> Iterator[bytes]:
    """The content of a member in chunks of bounded size."""
    file.seek(place)
    raw = file.read(_LOCAL.size)
    if len(raw) < _LOCAL.size or raw[:4] != b"PK\x03\x04":
        raise _Damaged(f"this member is damaged: no header at byte {place:,}")
    local = _LOCAL.unpack(raw)
    place += _LOCAL.size + local[9] + local[10]
    found = 0
    for chunk in _expanded(_parts(file, place, stored), method, marked):
        found = zlib.crc32(chunk, found)
        yield chunk
    if found != crc:
        raise BrokenStreamError("this member is damaged: its checksum is wrong")


def _parts(file: BinaryIO, place: int, size: int) -> Iterator[bytes]:
    """The stored bytes of a member. Other members may be read in between."""
    while size > 0:
        file.seek(place)
        data = file.read(min(_READ, size))
        if not data:
            raise BrokenStreamError("the archive ends within this member")
        place, size = place + len(data), size - len(data)
        yield data


def _expanded(parts: Iterator[bytes], method: int, marked: bool) -> Iterator[bytes]:
    if method == 0:
        yield from parts
        return
    if method == 93:
        yield from _zstd(parts)
        return
    decoder: Any = zlib.decompressobj(wbits=-15) if method == 8 else bz2.BZ2Decompressor() if method == 12 else None
    for data in parts:
        if decoder is None:
            decoder, data = _lzma(data)
        while data or (method != 8 and not decoder.needs_input and not decoder.eof):
            if decoder.eof:
                return
            try:
                out = decoder.decompress(data, CHUNK)
            except (zlib.error, OSError, ValueError, EOFError, lzma.LZMAError, MemoryError) as error:
                raise BrokenStreamError(f"this member is damaged ({str(error)[:100]})") from None
            if out:
                yield out
            data = decoder.unconsumed_tail if method == 8 else b""
    if method == 8:
        while not decoder.eof and (out := decoder.decompress(b"", CHUNK)):
            yield out
    if decoder is None or not (decoder.eof or (method == 14 and not marked)):
        raise BrokenStreamError("this member is cut off")


def _lzma(data: bytes) -> tuple[Any, bytes]:
    """The decoder of a member, by its properties, and what is behind them."""
    size = int.from_bytes(data[2:4], "little")
    if size != 5 or len(data) < 9:
        raise BrokenStreamError("this member is damaged: its LZMA properties are wrong")
    properties, dictionary = data[4], int.from_bytes(data[5:9], "little")
    if properties >= 225 or dictionary > _MEMORY:
        raise BrokenStreamError("this member is damaged: its LZMA properties are wrong")
    filters = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": max(dictionary, 4096),
        "lc": properties % 9,
        "lp": properties // 9 % 5,
        "pb": properties // 45,
    }
    try:
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters]), data[9:]
    except (lzma.LZMAError, ValueError):
        raise BrokenStreamError("this member is damaged: its LZMA properties are wrong") from None


def _zstd(parts: Iterator[bytes]) -> Iterator[bytes]:
    from harvestdetect.dump.storage.compressed import decompress
    from harvestdetect.dump.storage.streams import Stored

    class Parts:
        """The stored bytes as a file."""

        def read(self, size: int = -1) -> bytes:
            return next(parts, b"")

    stored: Any = Parts()
    yield from decompress(Stored(stored, name=""), "zstd")
