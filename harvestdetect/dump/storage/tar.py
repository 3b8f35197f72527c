"""The members of a tar archive, read from start to end with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from harvestdetect.dump.storage.members import Member, Skipped
from harvestdetect.dump.storage.streams import BrokenStreamError

__all__ = ["is_tar", "tar_members"]

_BLOCK: Final = 512
"""Bytes of a block, in which headers and members are stored."""
_LONGEST_NAME: Final = 1 << 16
"""Most bytes of a header that only has the name of the next member."""
_REGULAR: Final = b"0\x007"
_KINDS: Final = {
    b"1": "link",
    b"2": "link",
    b"3": "device",
    b"4": "device",
    b"5": "",
    b"6": "pipe",
    b"S": "sparse file",
    b"D": "",
    b"V": "",
    b"M": "part of a file on several volumes",
}
"""Types of members that are not read, and what they are; "" for those that have no content."""


def is_tar(head: bytes) -> bool:
    """Whether a file starts with a header of a tar archive."""
    return len(head) >= _BLOCK and _checked(head[:_BLOCK])


def _checked(header: bytes) -> bool:
    """Whether the checksum of a header is right. Very old archives have no other mark."""
    if not header[0]:
        return False
    stated = _number(header[148:156])
    return stated is not None and stated == sum(header) - sum(header[148:156]) + 8 * ord(" ")


def _number(field: bytes) -> int | None:
    """A number in octal digits, or in base 256; None if it is neither."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        return None


class _Stream:
    """Bytes of chunks, as many at a time as are wanted."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.done = 0
        """Bytes read so far."""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; b"" at the end. Raises the error of a broken stream."""
        if not self._rest:
            self._rest = next(self._chunks, b"")
        data, self._rest = self._rest[:size], self._rest[size:]
        self.done += len(data)
        return data

    def exactly(self, size: int) -> bytes:
        """``size`` bytes, fewer only at the end."""
        parts = []
        while size > 0 and (data := self.read(size)):
            parts.append(data)
            size -= len(data)
        return b"".join(parts)


class _Content:
    """The content of a member as a file."""

    def __init__(self, stream: _Stream, size: int, name: str) -> None:
        self._stream = stream
        self._name = name
        self.left = size
        """Bytes that were not read yet."""

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; b"" at the end of the member.

        Raises:
            BrokenStreamError: the archive ends, or is damaged.
        """
        if not self.left:
            return b""
        data = self._stream.read(min(size, self.left) if size >= 0 else self.left)
        if not data:
            raise BrokenStreamError("the archive ends within this member")
        self.left -= len(data)
        return data


def tar_members(chunks: Iterator[bytes]) -> Iterator[Member | Skipped]:
    """The members of an archive. What is not read of one before the next is asked for is skipped.

    Raises:
        BrokenStreamError: the archive is damaged or cut off.
    """
    stream = _Stream(chunks)
    name: bytes | None = None
    size: int | None = None
    sparse = False
    while True:
        header = stream.exactly(_BLOCK)
        if not header or not header.strip(b"\0"):
            return  # whatever is behind the end is padding
        if len(header) < _BLOCK:
            raise BrokenStreamError("the archive ends within the header of a member")
        length = _number(header[124:136])
        if not _checked(header) or length is None:
            raise BrokenStreamError(f"the archive is damaged: no header of a member at byte {stream.done - _BLOCK:,}")
        kind = header[156:157]
        if kind in b"LKxg" and kind:
            data = stream.exactly(min(length, _LONGEST_NAME))
            _pass_over(stream, length - len(data) + -length % _BLOCK)
            if kind == b"L":
                name = data.split(b"\0")[0]
            elif kind == b"x":
                found = _extended(data)
                name = found.get(b"path", name)
                size = _decimal(found.get(b"size"), size)
                sparse = any(key.startswith(b"GNU.sparse.") for key in found)
            continue
        if kind == b"S":
            _pass_sparse_map(stream, header)
        if name is None:
            name = _name_of(header)
        length = length if size is None else size
        shown = name.decode("utf-8", "surrogateescape")
        if sparse:
            kind = b"S"
        if kind in _REGULAR and not (kind != b"7" and shown.endswith("/")):
            content = _Content(stream, length, shown)
            yield Member(name=shown, size=length, file=content)
            _pass_over(stream, content.left + -length % _BLOCK)
        else:
            what = _KINDS.get(kind, "member of an unknown type")
            if what and not shown.endswith("/"):
                yield Skipped(name=shown, what=what, lost=kind in b"SM")
            _pass_over(stream, 0 if kind in b"12345" else length + -length % _BLOCK)
        name, size, sparse = None, None, False


def _pass_over(stream: _Stream, size: int) -> None:
    while size > 0 and (data := stream.read(size)):
        size -= len(data)


def _pass_sparse_map(stream: _Stream, header: bytes) -> None:
    """Passes over the blocks that list the parts of a sparse file."""
    more = header[482:483]
    while more not in (b"", b"\0"):
        more = stream.exactly(_BLOCK)[504:505]


def _name_of(header: bytes) -> bytes:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _extended(data: bytes) -> dict[bytes, bytes]:
    """The fields of an extended header (pax)."""
    found: dict[bytes, bytes] = {}
    while data:
        digits, _, rest = data.partition(b" ")
        if not digits.isdigit() or len(digits) > 10:
            break
        length = int(digits)
        if length <= len(digits) + 1:
            break
        key, _, value = rest[: length - len(digits) - 1].partition(b"=")
        found[key] = value.removesuffix(b"\n")
        data = data[length:]
    return found


def _decimal(field: bytes | None, default: int | None) -> int | None:
    return int(field) if field is not None and field.isdigit() and len(field) < 20 else default
