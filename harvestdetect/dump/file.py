"""One file of a dump to batches: its compression, its format, its rows, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.data import NO_PROMPTS, Batch, FileReading, SourceFile
from harvestdetect.dump.columns.elsewhere import constants_of, lines_from
from harvestdetect.dump.columns.learnt import Learnt
from harvestdetect.dump.columns.names import mapped as mapping_of
from harvestdetect.dump.columns.profiles import profiles_of
from harvestdetect.dump.columns.shapes import Shapes
from harvestdetect.dump.formats.columnar import rewrite
from harvestdetect.dump.formats.delimited import read_csv
from harvestdetect.dump.formats.detect import HEAD_BYTES, format_of, is_text
from harvestdetect.dump.formats.json_text import json_objects
from harvestdetect.dump.formats.jsonl import read_jsonl
from harvestdetect.dump.formats.parquet import read_parquet
from harvestdetect.dump.storage.compressed import compression, decompress
from harvestdetect.dump.storage.encodings import UTF_8, as_utf8, encoding_of
from harvestdetect.dump.storage.limits import PART_COST, ROW_COST, Expansion, ExpansionError, Rejects
from harvestdetect.dump.storage.sources import (
    FoundFile,
    cannot_copy,
    is_plain_file,
    open_source,
    source_size,
    temporary_file,
)
from harvestdetect.dump.storage.streams import (
    BrokenStreamError,
    EndlessError,
    ReadingError,
    peek,
)
from harvestdetect.dump.storage.units import ROWS_OF_A_DATABASE, SQLITE_TABLE, Unit
from harvestdetect.dump.values.file_times import FileTimes
from harvestdetect.dump.values.identifiers import FileAccounts
from harvestdetect.dump.values.rows import Block, to_batch
from harvestdetect.errors import ColumnsError, InputError
from harvestdetect.settings import Settings

__all__ = ["ENDLESS", "ForeignError", "read_file"]

_MAGIC: Final = 64
"""Bytes by which the compression of a file is recognised."""
ENDLESS: Final = 4_000_000_000
"""Bytes. A line that is longer, in a stream of unknown size, ends the reading of the stream."""

_KINDS: Final = {SQLITE_TABLE: "sqlite", ROWS_OF_A_DATABASE: "database"}
"""Container of rows that are handed over as a file of another format -> the format of the dump."""


class ForeignError(BrokenStreamError):
    """A file that was found has no rows that can be read. Nothing more is read of it."""


def read_file(
    unit: Unit,
    position: int,
    settings: Settings,
    batch_rows: int,
    expansion: Expansion,
    most_rows: int | None = None,
) -> Iterator[Batch]:
    """Batches of a file. The last one carries its :class:`~harvestdetect.data.SourceFile`.

    Args:
        unit: the file, open.
        position: in the list of files.
        settings: see :func:`~harvestdetect.dump.read_dumps`.
        batch_rows: most rows of a batch.
        expansion: how large its content may be.
        most_rows: reading ends with the batch in which so many rows and rejects are reached; None: at the end.

    Raises:
        ColumnsError: a file that the user named has no column for account or prompt.
    """
    return _File(unit, position, settings, batch_rows, expansion, most_rows).batches()


class _File:
    """A file that is being read; arguments as for :func:`read_file`."""

    def __init__(
        self,
        unit: Unit,
        position: int,
        settings: Settings,
        batch_rows: int,
        expansion: Expansion,
        most_rows: int | None,
    ) -> None:
        source = unit.name
        self._stored = unit.stored
        self._position = position
        self._source = source
        self._name = source.encode("utf-8", "backslashreplace").decode()  # a name need not be UTF-8
        self._settings = settings
        self._batch_rows = batch_rows
        self._expansion = expansion
        self._packed = compression(self._stored.peek(_MAGIC))
        self._expands = unit.expands or self._packed is not None
        """Whether the content may be larger than what is stored."""
        self._most_rows = most_rows
        self._enough = False
        """Whether reading ended before the end of the file, because ``most_rows`` were read."""
        self._kind = ""
        """The format of the content."""
        self._rejects = Rejects(self._name)
        self._learnt = Learnt()
        self._learnt.container = unit.container
        self._times = FileTimes()
        self._accounts = FileAccounts()
        self._rejected = 0
        """Rejects that were yielded."""
        self._rows = 0
        """Prompts so far."""
        self._left_out: dict[str, int] = {}
        """Kind -> count of what was left out of prompts."""
        self._last = 0
        """The last line that was read."""
        self._error: BrokenStreamError | None = None
        """Why the file could not be read to its end."""

    def batches(self) -> Iterator[Batch]:
        """See :func:`read_file`."""
        content = self._bounded(decompress(self._stored, self._packed))
        head, chunks = self._decoded(*peek(content, HEAD_BYTES))
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
        if not self._enough and not isinstance(self._error, EndlessError | ReadingError | ForeignError):
            self._drain()
        listed, unlisted = self._rejects.take()
        self._rejected += len(listed) + unlisted
        yield Batch(
            prompts=pending.prompts,
            rejects=(*pending.rejects, *listed),
            # What could not be read is tried again by the next scan.
            files=() if isinstance(self._error, ReadingError | ForeignError) else (self._summary(),),
            unlisted=pending.unlisted + unlisted,
            cut=isinstance(self._error, ExpansionError) or self._expansion.stopped or self._enough,
        )

    def _drain(self) -> None:
        """Reads the rest of the file, for its digest."""
        try:
            self._stored.drain()
        except BrokenStreamError as error:  # the archive around it is damaged
            if self._error is None:
                self._error = error
                self._rejects.add(None, None, f"{error}; {self._rows:,} rows were read")

    def _decoded(self, head: bytes, chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
        """The beginning and all of the content, in UTF-8 if it is text."""
        if not is_text(head) or self._settings.format == "parquet":
            return head, chunks
        sample = head
        if head.isascii() and len(head) >= HEAD_BYTES and self._packed is None and is_plain_file(self._source):
            sample = b"\n".join([head, *lines_from(self._source)])
        encoding = encoding_of(sample)
        self._learnt.encoding = encoding
        return (head, chunks) if encoding == UTF_8 else peek(as_utf8(chunks, encoding), HEAD_BYTES)

    def _summary(self) -> SourceFile:
        kind = _KINDS.get(self._learnt.container, self._kind)
        return SourceFile(
            name=self._name,
            format=kind + (f"+{self._packed}" if self._packed else ""),
            bytes=self._stored.bytes,
            sha256=self._stored.sha256(),
            rows=self._rows,
            rejects=self._rejected,
            reading=self._reading(),
        )

    def _reading(self) -> FileReading:
        reading = self._learnt.reading()
        times = self._times
        warnings = (*reading.warnings, *self._accounts.warnings, *times.warnings)
        return replace(reading, times=times.format, untimed=times.untimed, left_out=self._left_out, warnings=warnings)

    def _bounded(self, content: Iterator[bytes]) -> Iterator[bytes]:
        """The content, as long as it is within bounds."""
        if isinstance(self._source, FoundFile):
            content = _of_one_file(content)
        if self._expands:
            return _within(content, self._expansion)
        return _with_line_ends(content) if source_size(self._source) is None else content

    def _checked(self, chunks: Iterator[bytes], head: bytes) -> Generator[Batch, None, None]:
        """Batches up to the end of the file, or up to where it cannot be read further."""
        # The reader of Parquet counts its rows itself.
        counts_rows = self._expands and self._kind in ("jsonl", "csv")
        with closing(self._blocks(chunks, head)) as blocks:
            try:
                for block in blocks:
                    prompts = to_batch(
                        block,
                        file=self._position,
                        rejects=self._rejects,
                        times=self._times,
                        accounts=self._accounts,
                    )
                    for kind, count in block.left_out.items():
                        self._left_out[kind] = self._left_out.get(kind, 0) + count
                    self._rows += prompts.num_rows
                    self._learnt.count(prompts.num_rows, block.columns.get("account", []))
                    self._last = max([self._last, self._rejects.last, *block.lines[-1:]])
                    listed, unlisted = self._rejects.take()
                    self._rejected += len(listed) + unlisted
                    yield Batch(prompts=prompts, rejects=listed, unlisted=unlisted)
                    if counts_rows:
                        self._expansion.spend(_cost(prompts, len(listed) + unlisted))
                    if self._most_rows is not None and self._rows + self._rejected >= self._most_rows:
                        self._enough = True
                        return
            except ColumnsError as error:
                if not isinstance(self._source, FoundFile):
                    raise
                self._error = ForeignError(str(error).removeprefix(f"{self._name}: "))
                self._rejects.add(None, None, str(self._error))
            except BrokenStreamError as error:
                self._error = error
                self._last = max(self._last, self._rejects.last)
                where = f"after {self._stored.bytes:,} stored bytes, behind line {self._last:,}"
                self._rejects.add(None, None, f"{error} {where}; {self._rows:,} rows were read")

    def _blocks(self, chunks: Iterator[bytes], head: bytes) -> Generator[Block, None, None]:
        mapped = mapping_of(self._settings.mapping)
        shapes = Shapes(
            self._name,
            profiles_of(self._settings.profile),
            mapped,
            constants_of(mapped, self._source),
            self._learnt,
        )
        options: dict[str, Any] = {
            "shapes": shapes,
            "settings": self._settings,
            "batch_rows": self._batch_rows,
            "rejects": self._rejects,
        }
        if self._kind == "jsonl":
            limit = self._settings.max_line_bytes
            container, items = json_objects(chunks, head=head, limit=limit, spend=self._expansion.spend)
            self._learnt.container = self._learnt.container or container
            yield from read_jsonl(items, more=self._elsewhere, **options)
        elif self._kind == "csv":
            yield from read_csv(chunks, head=head, more=self._elsewhere, **options)
        else:
            with self._seekable(chunks) as file:
                if self._kind == "parquet":
                    yield from read_parquet(file, expansion=self._expansion, **options)
                else:
                    yield from self._rewritten(file, options)

    @contextmanager
    def _seekable(self, chunks: Iterator[bytes]) -> Generator[BinaryIO, None, None]:
        """The file, if it can be read at any offset; otherwise a copy in a temporary file."""
        if self._packed is None and is_plain_file(self._source):
            _close(chunks)
            self._stored.drain()
            with open_source(self._source) as file:
                yield file
        else:
            with temporary_file(self._name) as copy:
                _copy(chunks, copy, self._name)
                yield copy

    def _rewritten(self, file: BinaryIO, options: dict[str, Any]) -> Generator[Block, None, None]:
        """The rows of a file of columns that is no Parquet."""
        broken: BrokenStreamError | None = None
        with temporary_file(self._name) as copy:
            try:
                rewrite(file, self._kind, copy)
            except BrokenStreamError as error:
                broken = error
            except OSError as error:
                raise cannot_copy(self._name, error) from None
            copy.seek(0)
            if copy.read(1):
                yield from read_parquet(copy, expansion=self._expansion, **options)
        if broken is not None:
            raise broken

    def _elsewhere(self, start: int) -> list[bytes]:
        """Lines behind an offset from all over a file that can be read at any offset; empty for others."""
        plain = self._learnt.encoding in ("", UTF_8) and not self._learnt.container
        if not plain or self._packed is not None or not is_plain_file(self._source):
            return []
        return lines_from(self._source, start)


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
    """Bytes that rows count beside their text, see :mod:`harvestdetect.dump.storage.limits`."""
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
        raise cannot_copy(name, error) from None
    if broken is not None:
        raise broken
