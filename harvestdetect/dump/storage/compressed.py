"""The content inside the compression of a file, in chunks of bounded size."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from harvestdetect.dump.storage.streams import CHUNK, BrokenStreamError, Stored

__all__ = ["compression", "decompress"]

_READ: Final = 1 << 16
"""Compressed bytes that are decompressed at a time."""
_STEP: Final = 1 << 12
"""Bytes that are asked of Arrow's decoders at a time. A failing call loses some of them."""
_MEMORY: Final = 1 << 28
"""Most bytes of memory that an xz decoder may use. The strongest preset needs 65 MB."""


def compression(head: bytes) -> str | None:
    """``gzip``, ``zstd``, ``bz2``, ``xz``, ``lz4``, ``zlib`` or None, by the first bytes of a file; its name does not
    matter."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return "bz2"
    if head[:6] == b"\xfd7zXZ\x00":
        return "xz"
    if head[:4] == b"\x04\x22\x4d\x18":
        return "lz4"
    # A skippable frame (seekable and parallel writers begin with one) has 0x184D2A50 to 0x184D2A5F.
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "zstd"
    return "zlib" if _is_zlib(head) else None


def _is_zlib(head: bytes) -> bool:
    """Whether a file is a zlib stream, whose first two bytes could also be text."""
    if len(head) < 8 or head[0] != 0x78 or int.from_bytes(head[:2], "big") % 31 or head[1] & 0x20:
        return False
    try:
        return bool(zlib.decompressobj().decompress(head, 64)) or head[1] != 0x5E
    except zlib.error:
        return False


def decompress(stored: Stored, kind: str | None) -> Iterator[bytes]:
    """The content of a file in chunks of bounded size.

    Raises:
        BrokenStreamError: the compressed stream ends early or is damaged. All that could be read was yielded before.
        InputError: the file cannot be read.
    """
    if kind in ("gzip", "zlib"):
        return _inflate(stored, kind)
    if kind == "bz2":
        return _members(stored, "bzip2", bz2.BZ2Decompressor)
    if kind == "xz":
        return _members(stored, "xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY))
    if kind in ("zstd", "lz4"):
        return _by_arrow(stored, kind)
    return iter(stored.read, b"")


def _inflate(stored: Stored, kind: str) -> Iterator[bytes]:
    bits = 31 if kind == "gzip" else 15
    member = zlib.decompressobj(wbits=bits)
    fresh = False  # between members
    while data := stored.read(_READ):
        while data:
            if fresh:
                data = data.lstrip(b"\0")  # padding is allowed between and behind members
                if not data:
                    break
                member, fresh = zlib.decompressobj(wbits=bits), False
            before = member.copy()
            try:
                out = member.decompress(data, CHUNK)
            except zlib.error as error:
                yield _by_byte(before, data)
                raise BrokenStreamError(f"the {kind} stream is damaged ({error})") from None
            if out:
                yield out
            if member.eof:
                data, fresh = member.unused_data, True
            else:
                data = member.unconsumed_tail
    while not fresh and (out := member.decompress(b"", CHUNK)):
        yield out
    if not fresh and not member.eof:
        raise BrokenStreamError(f"the {kind} stream is truncated")


def _by_byte(member: Any, data: bytes) -> bytes:
    """The content of a damaged piece up to the damage."""
    out = bytearray()
    try:
        for position in range(len(data)):
            out += member.decompress(data[position : position + 1])
    except zlib.error:
        pass
    return bytes(out)


class _Decompressor(Protocol):
    """A decompressor of the standard library."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """At most ``max_length`` bytes of content."""


def _members(stored: Stored, what: str, start: Callable[[], Any]) -> Iterator[bytes]:
    """The content of bzip2 or xz streams one behind the other."""
    member: _Decompressor | None = None
    while data := stored.read(_READ):
        while data or (member is not None and not member.needs_input and not member.eof):
            if member is None:
                data = data.lstrip(b"\0")  # padding is allowed behind streams
                if not data:
                    break
                member = start()
            try:
                out = member.decompress(data, CHUNK)
            except (OSError, ValueError, EOFError, lzma.LZMAError, MemoryError) as error:
                raise BrokenStreamError(f"the {what} stream is damaged ({_reason(error)})") from None
            if out:
                yield out
            data = b""
            if member.eof:
                data, member = member.unused_data, None
    if member is not None:
        raise BrokenStreamError(f"the {what} stream is truncated")


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__)[:100]


class _Readable(io.RawIOBase):
    """A :class:`Stored` as a file that Arrow can read."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._stored.read(size if size > 0 else CHUNK)


def _by_arrow(stored: Stored, kind: str) -> Iterator[bytes]:
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(_Readable(stored), mode="r"), kind)
    steps: list[bytes] = []
    ended = False
    while not ended:
        failure = ""
        for _ in range(CHUNK // _STEP):
            step = bytearray(_STEP)
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
            raise BrokenStreamError(f"the {kind} stream is {what}")
