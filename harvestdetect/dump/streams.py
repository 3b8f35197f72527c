"""The bytes of a file as stored, and the content inside their compression."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

from harvestdetect.errors import InputError

__all__ = [
    "BrokenStreamError",
    "EndlessError",
    "ReadingError",
    "Stored",
    "compression",
    "decompress",
    "peek",
]

CHUNK: Final = 1 << 18
"""Most bytes of a chunk."""
_GZIP_READ: Final = 1 << 16
"""Compressed bytes that are decompressed at a time."""
_ZSTD_STEP: Final = 1 << 12
"""Bytes that are asked of the zstd decoder at a time. A failing call loses some of them."""


class BrokenStreamError(Exception):
    """A compressed stream ends early or is damaged. All that could be read was yielded before."""


class EndlessError(BrokenStreamError):
    """A stream does not seem to end. Nothing more is read of it."""


class ReadingError(BrokenStreamError):
    """A file cannot be read further, as when its disk fails. Nothing more is read of it."""


class Stored:
    """A file as stored, whose bytes are counted and digested as they are read.

    Args:
        raw: the file.
        name: of the file, for messages.
        passed: called with the size of every read, in bytes.
    """

    def __init__(self, raw: BinaryIO, *, name: str, passed: Callable[[int], None] | None = None) -> None:
        self._raw = raw
        self._name = name
        self._passed = passed
        self._digest = hashlib.sha256()
        self._ahead = b""
        self.bytes = 0
        """Bytes read so far."""

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
        """The next ``size`` bytes, fewer at the end. They are read again by :meth:`read`."""
        while len(self._ahead) < size:
            ahead, self._ahead = self._ahead, b""
            data = self.read()
            self._ahead = ahead + data
            if not data:
                break
        return self._ahead[:size]

    def drain(self) -> None:
        """Reads to the end, for the digest."""
        while self.read():
            pass

    def sha256(self) -> str:
        """Hexadecimal digest of the bytes read so far."""
        return self._digest.hexdigest()


def compression(head: bytes) -> str | None:
    """``gzip``, ``zstd`` or None, by the first four bytes. The name of the file does not matter."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    # A skippable frame (seekable and parallel writers begin with one) has 0x184D2A50 to 0x184D2A5F.
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zstd"
    return None


def decompress(stored: Stored, kind: str | None) -> Iterator[bytes]:
    """The content of a file in chunks of bounded size.

    Raises:
        BrokenStreamError: the compressed stream ends early or is damaged. All that could be read was yielded before.
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
    while data := stored.read(_GZIP_READ):
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
    """The content of a damaged piece up to the damage."""
    out = bytearray()
    try:
        for position in range(len(data)):
            out += member.decompress(data[position : position + 1])
    except zlib.error:
        pass
    return bytes(out)


class _Readable(io.RawIOBase):
    """A :class:`Stored` as a file that Arrow can read."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._stored.read(size if size > 0 else CHUNK)


def _unzstd(stored: Stored) -> Iterator[bytes]:
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(_Readable(stored), mode="r"), "zstd")
    steps: list[bytes] = []
    ended = False
    while not ended:
        failure = ""
        for _ in range(CHUNK // _ZSTD_STEP):
            step = bytearray(_ZSTD_STEP)
            try:
                got = stream.readinto(step)
            except OSError as error:
                # A failing read fills an unknown part of a buffer of zeros.
                steps.append(bytes(step.rstrip(b"\0")))
                failure = str(error)
                break
            steps.append(bytes(step[:got]))
            if not got:
                ended = True
                break
        if steps:
            yield b"".join(steps)
            steps.clear()
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
