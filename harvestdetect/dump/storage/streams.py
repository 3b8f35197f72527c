"""The bytes of a file as stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final

from harvestdetect.errors import InputError

__all__ = [
    "CHUNK",
    "BrokenStreamError",
    "EndlessError",
    "ReadingError",
    "Stored",
    "peek",
    "until_broken",
]

CHUNK: Final = 1 << 18
"""Most bytes of a chunk."""


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


def until_broken(chunks: Iterable[bytes]) -> Iterator[bytes | BrokenStreamError]:
    """The chunks of a stream. The error of a broken stream is the last value; it is not raised."""
    try:
        yield from chunks
    except BrokenStreamError as error:
        yield error


def peek(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first ``size`` bytes (or a little more, or all), and the whole stream again, in the same chunks."""
    first: list[bytes] = []
    seen = 0
    failure: BrokenStreamError | None = None
    try:
        while seen < size and (chunk := next(chunks, b"")):
            first.append(chunk)
            seen += len(chunk)
    except BrokenStreamError as error:
        failure = error

    def again() -> Iterator[bytes]:
        while first:
            yield first.pop(0)
        if failure is not None:
            raise failure
        yield from chunks

    return b"".join(first), again()
