"""Bytes as stored, the compression around them, and lines of bounded length inside."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from harvestdetect.errors import InputError

__all__ = [
    "BrokenStreamError",
    "EndlessError",
    "LongLine",
    "ReadingError",
    "Run",
    "Stored",
    "compression",
    "decompress",
    "peek",
    "runs",
]

CHUNK: Final = 1 << 18
_ZSTD_STEP: Final = 1 << 12


class BrokenStreamError(Exception):
    """A compressed stream ends early or is damaged. All that could be read was handed over before."""


class EndlessError(BrokenStreamError):
    """A stream does not seem to end. Nothing more is read of it."""


class ReadingError(BrokenStreamError):
    """A file cannot be read further, as when its disk fails. Nothing more is read of it."""


class Stored:
    """A file as stored: counts and digests every byte that passes."""

    def __init__(self, raw: BinaryIO, *, name: str, passed: Callable[[int], None] | None = None) -> None:
        """Wrap a binary file; ``passed`` hears of the size of every read."""
        self._raw = raw
        self._name = name
        self._passed = passed
        self._digest = hashlib.sha256()
        self._ahead = b""
        self.bytes = 0

    def read(self, size: int = CHUNK) -> bytes:
        """Up to ``size`` bytes, b"" at the end.

        Raises:
            InputError: the file cannot be read further.
        """
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        try:
            data = self._raw.read(size) or b""
        except OSError as error:
            why = error.strerror or str(error)
            raise InputError(f"cannot read {self._name} beyond byte {self.bytes}: {why}") from None
        self._digest.update(data)
        self.bytes += len(data)
        if self._passed is not None and data:
            self._passed(len(data))
        return data

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes (fewer at the end), which stay to be read."""
        while len(self._ahead) < size:
            held, self._ahead = self._ahead, b""
            data = self.read()
            self._ahead = held + data
            if not data:
                break
        return self._ahead[:size]

    def drain(self) -> None:
        """Read to the end, for the digest."""
        while self.read():
            pass

    def sha256(self) -> str:
        """Hexadecimal digest of the bytes read so far."""
        return self._digest.hexdigest()


def compression(head: bytes) -> str | None:
    """``gzip``, ``zstd`` or None, from the first four bytes; the name of a file says nothing."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    # A skippable frame (seekable and parallel writers begin with one) has 0x184D2A50 to 0x184D2A5F.
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zstd"
    return None


def decompress(stored: Stored, kind: str | None) -> Iterator[bytes]:
    """The content of a file in chunks of bounded size.

    Raises:
        BrokenStreamError: the compressed stream ends early or is damaged; all that could be read came before.
        InputError: the file cannot be read.
    """
    if kind == "gzip":
        return _gunzip(stored)
    if kind == "zstd":
        return _unzstd(stored)
    return iter(stored.read, b"")


def _gunzip(stored: Stored) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    fresh = False  # between members
    while data := stored.read(1 << 16):
        while data:
            if fresh:
                data = data.lstrip(b"\0")  # padding is allowed between and behind members
                if not data:
                    break
                member, fresh = zlib.decompressobj(wbits=31), False
            before = member.copy()
            try:
                out = member.decompress(data, CHUNK)
            except zlib.error as error:
                yield _by_byte(before, data)
                raise BrokenStreamError(f"the gzip stream is damaged ({error})") from None
            if out:
                yield out
            if member.eof:
                data, fresh = member.unused_data, True
            else:
                data = member.unconsumed_tail
    while not fresh and (out := member.decompress(b"", CHUNK)):
        yield out
    if not fresh and not member.eof:
        raise BrokenStreamError("the gzip stream is truncated")


def _by_byte(member: Any, data: bytes) -> bytes:
    """What a damaged piece yields before the damage."""
    out = bytearray()
    try:
        for position in range(len(data)):
            out += member.decompress(data[position : position + 1])
    except zlib.error:
        pass
    return bytes(out)


class _Readable(io.RawIOBase):
    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._stored.read(size if size > 0 else CHUNK)


def _unzstd(stored: Stored) -> Iterator[bytes]:
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(_Readable(stored), mode="r"), "zstd")
    held: list[bytes] = []
    ended = False
    while not ended:
        failure = ""
        for _ in range(CHUNK // _ZSTD_STEP):
            step = bytearray(_ZSTD_STEP)
            try:
                got = stream.readinto(step)
            except OSError as error:
                # A failing read has filled a part, of unknown length, of what is all zeros before.
                held.append(bytes(step.rstrip(b"\0")))
                failure = str(error)
                break
            held.append(bytes(step[:got]))
            if not got:
                ended = True
                break
        if held:
            yield b"".join(held)
            held.clear()
        if failure:
            what = "truncated" if "runcated" in failure else f"damaged ({failure.strip()[:100]})"
            raise BrokenStreamError(f"the zstd stream is {what}")


def peek(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first ``size`` bytes (or a little more, or all), and the whole stream again."""
    head = bytearray()
    failure: BrokenStreamError | None = None
    try:
        while len(head) < size and (chunk := next(chunks, b"")):
            head += chunk
    except BrokenStreamError as error:
        failure = error

    def again() -> Iterator[bytes]:
        if head:
            yield bytes(head)
        if failure is not None:
            raise failure
        yield from chunks

    return bytes(head), again()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive lines, without their separators."""

    number: int
    """Of the first, from 1."""
    offset: int
    """Of the first, in the decompressed stream."""
    lines: list[bytes]
    cut: bool = False
    """The single line of this run is where the stream broke off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongLine:
    """A line above the limit, which was skipped without being held."""

    number: int
    offset: int


def runs(
    chunks: Iterable[bytes],
    *,
    limit: int,
    separator: bytes = b"\n",
    bom: bool = True,
    blank: bytes = b"",
    idle: Callable[[], bool] = lambda: True,
) -> Iterator[Run | LongLine | BrokenStreamError]:
    """Lines in runs of about a chunk each, holding at most ``limit`` bytes and a chunk.

    Args:
        chunks: the stream.
        limit: longest line, in bytes without its separator.
        separator: one byte.
        bom: whether to drop a byte-order mark at the start.
        blank: characters of which a blank line may consist, the separator among them. A chunk of these alone is
            counted and passed over; b"" passes over nothing.
        idle: whether blank lines are of no account just now.

    Yields:
        Runs and long lines in order; a broken stream is handed over as the last value, not raised.
    """
    number, offset = 1, 0  # of the start of `rest`
    rest: list[bytes] = []  # pieces of an unfinished line
    held = 0
    skipping = False
    broken: BrokenStreamError | None = None
    source = iter(chunks)
    first = bom
    while True:
        try:
            chunk = next(source, None)
        except BrokenStreamError as error:
            broken = error
            chunk = None
        if chunk is None:
            break
        if first:
            first = False
            if chunk.startswith(b"\xef\xbb\xbf"):
                chunk, offset = chunk[3:], 3
        if blank and not chunk.strip(blank) and not skipping and idle() and not b"".join(rest).strip(blank):
            count = chunk.count(separator) if chunk.strip(separator) else len(chunk)
            if count:
                end = chunk.rfind(separator) + 1
                number, offset = number + count, offset + held + end
                rest, held = ([chunk[end:]] if end < len(chunk) else []), len(chunk) - end
                continue
        lines = chunk.split(separator)
        if len(lines) == 1:
            held += len(chunk)
            if not skipping:
                rest.append(chunk)
                if held > limit:
                    yield LongLine(number=number, offset=offset)
                    skipping = True
                    rest.clear()
            continue
        tail = lines.pop()
        if skipping:
            offset += held + len(lines[0]) + 1
            number += 1
            del lines[0]
        elif rest:
            lines[0] = b"".join(rest) + lines[0]
        skipping = False
        rest = [tail] if tail else []
        held = len(tail)
        start = 0
        if lines and max(map(len, lines)) > limit:
            for position, line in enumerate(lines):
                if len(line) > limit:
                    if position > start:
                        yield Run(number=number, offset=offset, lines=lines[start:position])
                    done = lines[start:position]
                    number, offset = number + len(done), offset + sum(map(len, done)) + len(done)
                    yield LongLine(number=number, offset=offset)
                    number, offset, start = number + 1, offset + len(line) + 1, position + 1
            lines = lines[start:]
        if lines:
            yield Run(number=number, offset=offset, lines=lines)
            number, offset = number + len(lines), offset + sum(map(len, lines)) + len(lines)
        if held > limit:
            yield LongLine(number=number, offset=offset)
            skipping = True
            rest.clear()
    if rest:
        yield Run(number=number, offset=offset, lines=[b"".join(rest)], cut=broken is not None)
    if broken is not None:
        yield broken
