"""What is read as one file: a file, a member of an archive, or a table of a database."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from harvestdetect.dump.storage.compressed import compression, decompress
from harvestdetect.dump.storage.folders import kept_out
from harvestdetect.dump.storage.limits import Expansion
from harvestdetect.dump.storage.members import Member, Readable, Skipped
from harvestdetect.dump.storage.sources import FoundFile, cannot_copy, is_plain_file, open_source, temporary_file
from harvestdetect.dump.storage.sqlite_tables import is_sqlite, tables_of
from harvestdetect.dump.storage.streams import BrokenStreamError, Stored
from harvestdetect.dump.storage.tar import is_tar, tar_members
from harvestdetect.dump.storage.zip_files import is_zip, zip_members

__all__ = ["ROWS_OF_A_DATABASE", "SQLITE_TABLE", "Lost", "Unit", "units_of"]

SQLITE_TABLE: Final = "SQLite table"
"""What the rows of a table of an SQLite file are in."""
ROWS_OF_A_DATABASE: Final = "rows of a database"
"""What the rows that ``--table`` or ``--query`` asks for are in."""

_PEEK: Final = 1 << 9
"""Bytes of a file by which an archive is recognised."""
_PEEK_PACKED: Final = 1 << 20
"""Stored bytes of a compressed file by which an archive is recognised. A block of bzip2 has up to 900 KB."""
_DEPTH: Final = 3
"""Most archives around a file."""
_MEMBERS: Final = 100_000
"""Most members of an archive that are read."""
_OFFICE: Final = ("[Content_Types].xml", "mimetype")
"""Members of zip archives that are documents of office programs."""
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What is read as one file."""

    name: str
    """Of the file, followed by ``!`` and the name of the member or table if it is in another one."""
    stored: Stored
    expands: bool = False
    """Whether its content counts as expanded, because it comes out of something compressed."""
    container: str = ""
    """:data:`SQLITE_TABLE`, :data:`ROWS_OF_A_DATABASE` or ""."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What an archive has beside files that are read."""

    name: str
    reason: str
    """Why it is not read."""
    row: bool
    """Whether it counts as a reject. Otherwise it is no dump and is left out."""


def units_of(name: str, stored: Stored, *, expansion: Expansion) -> Iterator[Unit | Lost]:
    """The files in a source: the source itself, or the members of an archive, each with its own name.

    Args:
        name: of the source.
        stored: the source, open at its start.
        expansion: how large its content may be.

    Raises:
        InputError: the source cannot be read, or not copied to the temporary folder.
    """
    yield from _Walk(expansion).units(name, stored, depth=0, expands=False)


class _Walk:
    """Goes through a source. Members are taken in order, and each is read before the next."""

    def __init__(self, expansion: Expansion) -> None:
        self._expansion = expansion

    def units(self, name: str, stored: Stored, *, depth: int, expands: bool) -> Iterator[Unit | Lost]:
        """See :func:`units_of`."""
        head = stored.peek(_PEEK)
        packed = compression(head)
        content = head if packed is None else _beginning(stored.peek(_PEEK_PACKED), packed)
        tar = is_tar(content)
        if not tar and not is_zip(content) and not is_sqlite(content):
            yield Unit(name=name, stored=stored, expands=expands)
            return
        if depth >= _DEPTH:
            yield Lost(name=name, reason=f"it is in more than {_DEPTH} archives; unpack some of them first", row=True)
            return
        expands = expands or packed is not None
        chunks = decompress(stored, packed)
        chunks = self._counted(chunks) if expands else chunks
        if tar:
            yield from self._members(name, tar_members(chunks), depth=depth, expands=expands)
            return
        try:
            with _seekable(name, chunks, plain=packed is None, named=is_sqlite(content)) as (file, path):
                if is_zip(content):
                    yield from self._members(name, zip_members(file), depth=depth, expands=True)
                else:
                    yield from self._tables(name, path, expands=expands)
        except BrokenStreamError as error:
            yield Lost(name=name, reason=str(error), row=True)

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Chunks of a compressed archive, as long as it may grow. Members that are not read count too."""
        for chunk in chunks:
            self._expansion.spend(len(chunk))
            yield chunk

    def _members(
        self, name: str, members: Iterator[Member | Skipped], *, depth: int, expands: bool
    ) -> Iterator[Unit | Lost]:
        count = 0
        try:
            for member in members:
                count += 1
                full = FoundFile(f"{name}!{_shown(member.name)}")
                if count > _MEMBERS:
                    yield Lost(name=name, reason=f"the archive has more than {_MEMBERS:,} members", row=True)
                    return
                if isinstance(member, Member) and member.name in _OFFICE and count == 1:
                    reason = "it is a document of an office program; save the sheet as CSV (UTF-8)"
                    yield Lost(name=name, reason=reason, row=True)
                    return
                yield from self._member(full, member, depth=depth, expands=expands)
        except BrokenStreamError as error:
            yield Lost(name=name, reason=str(error), row=True)

    def _member(self, full: FoundFile, member: Member | Skipped, *, depth: int, expands: bool) -> Iterator[Unit | Lost]:
        if ".." in member.name.replace("\\", "/").split("/"):
            yield Lost(name=full, reason="its path leads out of the archive", row=True)
        elif isinstance(member, Skipped):
            yield Lost(name=full, reason=member.what, row=member.lost and not kept_out(member.name))
        elif why := kept_out(member.name):
            yield Lost(name=full, reason=why, row=False)
        else:
            yield from self.units(full, Stored(_raw(member.file), name=full), depth=depth + 1, expands=expands)

    def _tables(self, name: str, path: str, *, expands: bool) -> Iterator[Unit | Lost]:
        for table in tables_of(path):
            full = FoundFile(f"{name}!{_shown(table.name)}")
            if isinstance(table, Skipped):
                yield Lost(name=full, reason=table.what, row=table.lost)
            else:
                stored = Stored(_raw(table.file), name=full)
                yield Unit(name=full, stored=stored, expands=expands, container=SQLITE_TABLE)


def _raw(file: Readable) -> BinaryIO:
    return file  # type: ignore[return-value]


def _shown(name: str) -> str:
    """The name of a member as reports show it: relative, and without control characters."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", name.lstrip("/"))


def _beginning(head: bytes, packed: str) -> bytes:
    """The first bytes of the content of a compressed file."""
    try:
        return next(decompress(Stored(io.BytesIO(head), name=""), packed), b"")[:_PEEK]
    except BrokenStreamError:
        return b""


@contextmanager
def _seekable(name: str, chunks: Iterator[bytes], *, plain: bool, named: bool) -> Iterator[tuple[BinaryIO, str]]:
    """A file that can be read at any place, and its path: the source itself if it is ``plain``, or a copy, which has a
    path only if it is ``named``."""
    if plain and is_plain_file(name):
        with open_source(name) as file:
            yield file, name
        return
    with temporary_file(name, named=named) as copy:
        try:
            for chunk in chunks:
                copy.write(chunk)
            copy.flush()
            copy.seek(0)
        except OSError as error:
            raise cannot_copy(name, error) from None
        yield copy, copy.name if named else ""
