"""One file of a dump to batches: its compression, its format, its rows, and what is wrong with it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.data import NO_PROMPTS, Batch, SourceFile
from harvestdetect.dump.delimited import read_csv
from harvestdetect.dump.formats import HEAD_BYTES, format_of
from harvestdetect.dump.jsonl import read_jsonl
from harvestdetect.dump.limits import PART_COST, ROW_COST, Expansion, ExpansionError, Rejects
from harvestdetect.dump.parquet import read_parquet
from harvestdetect.dump.rows import Block, to_batch
from harvestdetect.dump.sources import Found, is_plain_file, open_source, source_size
from harvestdetect.dump.streams import (
    BrokenStreamError,
    EndlessError,
    ReadingError,
    Stored,
    compression,
    decompress,
    peek,
)
from harvestdetect.errors import InputError
from harvestdetect.settings import Settings
from harvestdetect.util.disk import reason_of

__all__ = ["ENDLESS", "read_file"]

ENDLESS: Final = 4_000_000_000
"""Bytes. A line that is longer, in a stream of unknown size, ends the reading of the stream."""


def read_file(
    stored: Stored,
    position: int,
    source: str,
    settings: Settings,
    batch_rows: int,
    expansion: Expansion,
    most_rows: int | None = None,
) -> Iterator[Batch]:
    """Batches of a file. The last one carries its :class:`~harvestdetect.data.SourceFile`.

    Args:
        stored: the file, open.
        position: in the list of files.
        source: its name.
        settings: see :func:`~harvestdetect.dump.read_dumps`.
        batch_rows: most rows of a batch.
        expansion: how large its content may be.
        most_rows: reading ends with the batch in which so many rows and rejects are reached; None: at the end.
    """
    return _File(stored, position, source, settings, batch_rows, expansion, most_rows).batches()


class _File:
    """A file that is being read; arguments as for :func:`read_file`."""

    def __init__(
        self,
        stored: Stored,
        position: int,
        source: str,
        settings: Settings,
        batch_rows: int,
        expansion: Expansion,
        most_rows: int | None,
    ) -> None:
        self._stored = stored
        self._position = position
        self._source = source
        self._name = source.encode("utf-8", "backslashreplace").decode()  # a name need not be UTF-8
        self._settings = settings
        self._batch_rows = batch_rows
        self._expansion = expansion
        self._most_rows = most_rows
        self._enough = False
        """Whether reading ended before the end of the file, because ``most_rows`` were read."""
        self._packed = compression(stored.peek(4))
        self._kind = ""
        """The format of the content."""
        self._rejects = Rejects(self._name)
        self._rejected = 0
        """Rejects that were yielded."""
        self._rows = 0
        """Prompts so far."""
        self._last = 0
        """The last line that was read."""
        self._error: BrokenStreamError | None = None
        """Why the file could not be read to its end."""

    def batches(self) -> Iterator[Batch]:
        """See :func:`read_file`."""
        content = self._bounded(decompress(self._stored, self._packed))
        head, chunks = peek(content, HEAD_BYTES)
        self._kind, complaint = format_of(head, self._name, self._settings)
        pending = Batch(prompts=NO_PROMPTS)  # the last batch also carries the file
        if complaint:
            self._rejects.add(None, None, _failure_at_once(head, chunks) or complaint)
            _close(chunks)
        else:
            first = True
            with closing(self._checked(chunks, head)) as checked:
                for batch in checked:
                    if not first:
                        yield pending
                    pending, first = batch, False
        if not self._enough and not isinstance(self._error, EndlessError | ReadingError):
            self._stored.drain()
        listed, unlisted = self._rejects.take()
        self._rejected += len(listed) + unlisted
        yield Batch(
            prompts=pending.prompts,
            rejects=(*pending.rejects, *listed),
            files=() if isinstance(self._error, ReadingError) else (self._summary(),),  # the next scan tries again
            unlisted=pending.unlisted + unlisted,
            cut=isinstance(self._error, ExpansionError) or self._expansion.stopped or self._enough,
        )

    def _summary(self) -> SourceFile:
        return SourceFile(
            name=self._name,
            format=self._kind + (f"+{self._packed}" if self._packed else ""),
            bytes=self._stored.bytes,
            sha256=self._stored.sha256(),
            rows=self._rows,
            rejects=self._rejected,
        )

    def _bounded(self, content: Iterator[bytes]) -> Iterator[bytes]:
        """The content, as long as it is within bounds."""
        if isinstance(self._source, Found):
            content = _of_one_file(content)
        if self._packed:
            return _within(content, self._expansion)
        return _with_line_ends(content) if source_size(self._source) is None else content

    def _checked(self, chunks: Iterator[bytes], head: bytes) -> Generator[Batch, None, None]:
        """Batches up to the end of the file, or up to where it cannot be read further."""
        # Parquet counts its rows as it reads them.
        counts_rows = self._packed is not None and self._kind != "parquet"
        with closing(self._blocks(chunks, head)) as blocks:
            try:
                for block in blocks:
                    prompts = to_batch(block, file=self._position, rejects=self._rejects)
                    self._rows += prompts.num_rows
                    self._last = max([self._last, self._rejects.last, *block.lines[-1:]])
                    listed, unlisted = self._rejects.take()
                    self._rejected += len(listed) + unlisted
                    yield Batch(prompts=prompts, rejects=listed, unlisted=unlisted)
                    if counts_rows:
                        self._expansion.spend(_cost(prompts, len(listed) + unlisted))
                    if self._most_rows is not None and self._rows + self._rejected >= self._most_rows:
                        self._enough = True
                        return
            except BrokenStreamError as error:
                self._error = error
                self._last = max(self._last, self._rejects.last)
                where = f"after {self._stored.bytes:,} stored bytes, behind line {self._last:,}"
                self._rejects.add(None, None, f"{error} {where}; {self._rows:,} rows were read")

    def _blocks(self, chunks: Iterator[bytes], head: bytes) -> Generator[Block, None, None]:
        options: dict[str, Any] = {
            "name": self._name,
            "settings": self._settings,
            "batch_rows": self._batch_rows,
            "rejects": self._rejects,
        }
        if self._kind == "jsonl":
            yield from read_jsonl(chunks, **options)
        elif self._kind == "csv":
            yield from read_csv(chunks, head=head, **options)
        elif self._packed is None and is_plain_file(self._source):
            _close(chunks)
            self._stored.drain()
            with open_source(self._source) as file:
                yield from read_parquet(file, expansion=self._expansion, **options)
        else:
            # Parquet is read from its end, so a stream is copied to an unnamed temporary file.
            with _temporary_file(self._name) as copy:
                _copy(chunks, copy, self._name)
                yield from read_parquet(copy, expansion=self._expansion, **options)


def _of_one_file(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks. A failure to read concerns this file alone, and its rows up to there count."""
    try:
        yield from chunks
    except InputError as error:
        raise ReadingError(str(error)) from None


def _with_line_ends(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks of a stream that may have no end, as long as its lines end."""
    line = 0
    for chunk in chunks:
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        line = line + len(chunk) if end < 0 else len(chunk) - end
        if line > ENDLESS:
            raise EndlessError(f"a line has no end within {ENDLESS:,} bytes; the rest is not read")
        yield chunk


def _within(chunks: Iterator[bytes], expansion: Expansion) -> Iterator[bytes]:
    """The chunks, as long as the content may grow."""
    for chunk in chunks:
        # A chunk of white space is skipped without a look at its lines.
        lines = 0 if chunk.isspace() else chunk.count(b"\n")
        expansion.spend(len(chunk) + PART_COST * lines)
        yield chunk


def _cost(prompts: pa.RecordBatch, rejects: int) -> int:
    """Bytes that rows count beside their text, see :mod:`harvestdetect.dump.limits`."""
    parts = int(pc.sum(pc.list_value_length(prompts.column("parts"))).as_py() or 0)
    return int(ROW_COST * (prompts.num_rows + rejects) + PART_COST * max(parts - prompts.num_rows, 0))


def _failure_at_once(head: bytes, chunks: Iterator[bytes]) -> str:
    """Why a stream breaks before its first byte; "" if it does not."""
    if not head:
        try:
            next(chunks, b"")
        except BrokenStreamError as error:
            return f"{error} before anything could be read"
    return ""


def _close(chunks: Iterator[bytes]) -> None:
    """Ends a stream of which nothing more is wanted. Its digest is taken from the stored bytes."""
    close = getattr(chunks, "close", None)
    if close is not None:
        close()


def _temporary_file(name: str) -> BinaryIO:
    try:
        return tempfile.TemporaryFile(prefix="harvestdetect-")
    except OSError as error:
        raise _cannot_copy(name, error) from None


def _copy(chunks: Iterator[bytes], copy: BinaryIO, name: str) -> None:
    """Copies a stream to a file. Raises the error of a broken stream."""
    broken: BrokenStreamError | None = None
    try:
        for chunk in chunks:
            copy.write(chunk)
        copy.seek(0)  # writes what is left in the buffer
    except BrokenStreamError as error:
        broken = error
    except OSError as error:
        raise _cannot_copy(name, error) from None
    if broken is not None:
        raise broken


def _cannot_copy(name: str, error: OSError) -> InputError:
    where = tempfile.tempdir or os.environ.get("TMPDIR", "/tmp")
    return InputError(
        f"cannot keep {name} in the temporary folder {where}: {reason_of(error)}; free some space there, or set TMPDIR "
        "to a folder on another disk"
    )
