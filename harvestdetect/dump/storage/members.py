"""What an archive has in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Member", "Readable", "Skipped"]


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; b"" at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in an archive. It is read before the next member is asked for, and never written to the disk."""

    name: str
    """Its path in the archive; bytes that are not UTF-8 are surrogates."""
    size: int
    """Bytes that it has as stored in the archive, if the archive tells the truth."""
    file: Readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A member that is not read."""

    name: str
    what: str
    """What it is, such as ``link``."""
    lost: bool = False
    """Whether it is a file whose content cannot be read."""
