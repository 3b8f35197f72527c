"""Dumps to batches of prompts, file by file."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.data import NO_PROMPTS, Batch, Reject, SourceFile
from harvestdetect.dump.columns import check_mapping, resolve
from harvestdetect.dump.delimited import header_of, read_csv
from harvestdetect.dump.jsonl import read_jsonl
from harvestdetect.dump.limits import PART_COST, ROW_COST, Budget, Expansion, ExpansionError, Rejects
from harvestdetect.dump.parquet import read_parquet
from harvestdetect.dump.rows import Block, to_batch
from harvestdetect.dump.sources import Found, expand_sources, is_plain_file, open_source, source_size, why_no_dump
from harvestdetect.dump.streams import (
    BrokenStreamError,
    EndlessError,
    ReadingError,
    Stored,
    compression,
    decompress,
    peek,
)
from harvestdetect.errors import ColumnsError, InputError, TooManyRejectsError, UsageError
from harvestdetect.settings import Settings
from harvestdetect.util.disk import reason_of
from harvestdetect.util.files import file_digest

__all__ = ["DumpFile", "Dumps", "check_rejects", "read_dumps"]

_HEAD: Final = 1 << 16
ENDLESS: Final = 4_000_000_000
"""Bytes after which a line that does not end, of a stream whose size nobody knows, ends the reading."""
_OTHERS: Final = (
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"BZh", "bzip2-compressed", "decompress it, or use gzip or zstd"),
    (b"\xfd7zXZ\x00", "xz-compressed", "decompress it, or use gzip or zstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"\x04\x22\x4d\x18", "lz4-compressed", "decompress it, or use gzip or zstd"),
    (b"ORC", "an ORC file", "convert it to Parquet"),
    (b"Obj\x01", "an Avro file", "convert it to Parquet or JSON Lines"),
    (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV"),
    (b"ARROW1", "an Arrow file", "convert it to Parquet"),
    (b"\xff\xfe", "UTF-16 text", "convert it to UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "convert it to UTF-8"),
)
_ARRAY: Final = re.compile(rb"\[\s*\{")

Blocks: TypeAlias = Generator[Block, None, None]


class Dumps(Iterator[Batch]):
    """Dumps as they are read: one stream of batches, or file by file; either once.

    Args:
        names: of the files.
        settings: see :func:`read_dumps`, as all that follows.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: Settings,
        stdin: BinaryIO | None,
        batch_rows: int,
        progress: Callable[[int, int | None], None] | None,
    ) -> None:
        self.names = tuple(names)
        self._settings = settings
        self._stdin = stdin
        self._batch_rows = batch_rows
        self._progress = progress
        self._budget = Budget(settings.max_expansion)
        self._batches: Generator[Batch, None, None] | None = None

    def __next__(self) -> Batch:
        if self._batches is None:
            self._batches = self._all()
        return next(self._batches)

    def close(self) -> None:
        """Leaves off reading."""
        if self._batches is not None:
            self._batches.close()

    def files(self) -> Iterator[DumpFile]:
        """The files one by one; whatever of one is not read when the next is asked for is passed over."""
        sizes = list(map(source_size, self.names))
        count = _counter(self._progress, sizes) if self._progress is not None else None
        for position, (name, size) in enumerate(zip(self.names, sizes, strict=True)):
            done = 0

            def passed(more: int) -> None:
                nonlocal done
                done += more
                if count is not None:
                    count(more)

            with closing(self._read(position, name, passed)) as batches:
                yield DumpFile(position=position, name=name, batches=batches)
            if size is not None and count is not None and done < size:
                count(size - done)

    def _all(self) -> Generator[Batch, None, None]:
        for file in self.files():
            yield from file.batches

    def _read(self, position: int, name: str, passed: Callable[[int], None]) -> Generator[Batch, None, None]:
        if not isinstance(name, Found):
            yield from self._open(position, name, passed)
            return
        complaint = "" if "://" in name else why_no_dump(name)
        try:
            if not complaint:
                yield from self._open(position, name, passed)
        except InputError as error:
            complaint = str(error)
        if complaint:
            # It is no file that was read: the next scan tries again.
            shown = name.encode("utf-8", "backslashreplace").decode()
            yield Batch(prompts=NO_PROMPTS, rejects=(Reject(file=shown, line=None, byte=None, reason=complaint),))

    def _open(self, position: int, name: str, passed: Callable[[int], None]) -> Generator[Batch, None, None]:
        size = source_size(name)
        with open_source(name, stdin=self._stdin) as raw:
            stored = Stored(raw, name=name, passed=passed)
            expansion = Expansion(self._budget, stored=lambda: max(size or 0, stored.bytes))
            yield from _read_file(stored, position, name, self._settings, self._batch_rows, expansion)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpFile:
    """A file that is to be read."""

    position: int
    """In the list of files."""
    name: str
    batches: Iterator[Batch]

    def sha256(self) -> str | None:
        """Of its bytes as stored, as hex; None for what cannot be read twice, or only over a network."""
        if not is_plain_file(self.name):
            return None
        try:
            return file_digest(Path(self.name))
        except OSError:  # whoever reads it will say so
            return None


def read_dumps(
    sources: Iterable[str | Path],
    *,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    stdin: BinaryIO | None = None,
    batch_rows: int = 20_000,
    progress: Callable[[int, int | None], None] | None = None,
) -> Dumps:
    """Read dumps as a stream of batches.

    JSON Lines, CSV and Parquet, each plain, gzip or zstd; the content decides which, not the name (which
    only breaks ties). Memory is bounded by ``batch_rows``, 16 MB of text a batch and the longest line; what a file
    may come to beside its stored size by ``max_expansion``.

    Args:
        sources: files, globs, folders, ``-`` for standard input, ``s3://`` and ``gs://`` addresses; see
            :func:`expand_sources`.
        settings: ``mapping``, ``format``, ``max_line_bytes`` and ``max_expansion`` count here. ``max_rejects`` is for
            the caller to enforce, with :func:`check_rejects`.
        stdin: what ``-`` reads; None: the process's standard input.
        batch_rows: most rows of a batch.
        progress: called with the bytes read so far, as stored, and the total (None where unknown).

    Yields:
        Batches, each of one file; the last of a file carries its :class:`SourceFile`. Every row is a
        prompt or a reject, and of a file the first 100,000 rejects are listed. ``line`` is the physical line in JSON
        Lines and CSV (where a record starts), the row in Parquet.

    Raises:
        InputError: a source is missing or cannot be read.
        ColumnsError: a file has no column for account or prompt.
        UsageError: no source, or standard input twice.
    """
    if batch_rows < 1:
        raise UsageError(f"batch_rows must be at least 1, got {batch_rows}")
    check_mapping(settings.mapping)
    return Dumps(expand_sources(sources), settings, stdin, batch_rows, progress)


def check_rejects(rejects: int, rows: int, allowed: float | None) -> None:
    """See that there are not too many rejects.

    Args:
        rejects: rows (and files) that could not be read.
        rows: rows that could.
        allowed: a count when 1 or more, a share of all rows when below 1; None allows any.

    Raises:
        TooManyRejectsError: there are more.
    """
    if allowed is None or not rejects:
        return
    total = rows + rejects
    if allowed >= 1 and rejects > allowed:
        raise TooManyRejectsError(f"{rejects:,} of {total:,} rows were rejected, max_rejects allows {allowed:,.0f}")
    if allowed < 1 and rejects > allowed * total:
        share = f"{rejects / total:.2%}"
        raise TooManyRejectsError(
            f"{rejects:,} of {total:,} rows were rejected ({share}), max_rejects allows {allowed:.2%}"
        )


def _counter(progress: Callable[[int, int | None], None], sizes: list[int | None]) -> Callable[[int], None]:
    known = [size for size in sizes if size is not None]
    total = sum(known) if len(known) == len(sizes) else None
    done = 0

    def passed(size: int) -> None:
        nonlocal done
        done += size
        progress(done, total)

    return passed


def _read_file(
    stored: Stored, position: int, name: str, settings: Settings, batch_rows: int, expansion: Expansion
) -> Iterator[Batch]:
    source, name = name, name.encode("utf-8", "backslashreplace").decode()  # a name need not be UTF-8
    packed = compression(stored.peek(4))
    content = decompress(stored, packed)
    if isinstance(source, Found):
        content = _failing(content)
    if packed:
        content = _within(content, expansion)
    elif source_size(source) is None:
        content = _ending(content)
    head, chunks = peek(content, _HEAD)
    kind, complaint = _kind(head, name, settings)
    rejects = Rejects(name)
    spent = expansion if packed and kind != "parquet" else None
    rows = rejected = last = 0
    cut = failed = False
    ended = True
    pending: Batch | None = None  # the last batch also tells that the file is done
    if complaint:
        rejects.add(None, None, _broken(head, chunks) or complaint)
        _exhaust(chunks)
    else:
        made = _blocks(kind, chunks, head, stored, source, name, packed, settings, batch_rows, rejects, expansion)
        with closing(made) as blocks:
            try:
                for block in blocks:
                    prompts = to_batch(block, file=position, rejects=rejects)
                    rows += prompts.num_rows
                    last = max([last, rejects.last, *block.lines[-1:]])
                    if pending is not None:
                        yield pending
                    listed, unlisted = rejects.take()
                    rejected += len(listed) + unlisted
                    pending = Batch(prompts=prompts, rejects=listed, unlisted=unlisted)
                    if spent is not None:  # Parquet counts its rows as it reads them
                        spent.spend(_cost(prompts, len(listed) + unlisted))
            except BrokenStreamError as error:
                cut, failed = isinstance(error, ExpansionError), isinstance(error, ReadingError)
                ended = not isinstance(error, EndlessError | ReadingError)
                last = max(last, rejects.last)
                where = f"after {stored.bytes:,} stored bytes, behind line {last:,}; {rows:,} rows were read"
                rejects.add(None, None, f"{error} {where}")
    if ended:
        stored.drain()
    listed, unlisted = rejects.take()
    file = SourceFile(
        name=name,
        format=kind + (f"+{packed}" if packed else ""),
        bytes=stored.bytes,
        sha256=stored.sha256(),
        rows=rows,
        rejects=rejected + len(listed) + unlisted,
    )
    if pending is None:
        pending = Batch(prompts=NO_PROMPTS)
    yield Batch(
        prompts=pending.prompts,
        rejects=(*pending.rejects, *listed),
        files=() if failed else (file,),  # the next scan tries again
        unlisted=pending.unlisted + unlisted,
        cut=cut or expansion.stopped,
    )


def _failing(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks; a failure to read is one of this file alone, whose rows up to there count."""
    try:
        yield from chunks
    except InputError as error:
        raise ReadingError(str(error)) from None


def _ending(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks of a stream, which may have no end, as long as lines end."""
    line = 0
    for chunk in chunks:
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        line = line + len(chunk) if end < 0 else len(chunk) - end
        if line > ENDLESS:
            raise EndlessError(f"a line has no end within {ENDLESS:,} bytes; the rest is not read")
        yield chunk


def _within(chunks: Iterator[bytes], expansion: Expansion) -> Iterator[bytes]:
    """The chunks, as long as the file may go on to expand."""
    for chunk in chunks:
        # What is all white space is passed over without a look at its lines.
        lines = 0 if chunk.isspace() else chunk.count(b"\n")
        expansion.spend(len(chunk) + PART_COST * lines)
        yield chunk


def _cost(prompts: pa.RecordBatch, rejects: int) -> int:
    parts = int(pc.sum(pc.list_value_length(prompts.column("parts"))).as_py() or 0)
    return int(ROW_COST * (prompts.num_rows + rejects) + PART_COST * max(parts - prompts.num_rows, 0))


def _broken(head: bytes, chunks: Iterator[bytes]) -> str:
    """Why nothing at all came of a stream that breaks at once; "" where something did, or it is whole."""
    if not head:
        try:
            next(chunks, b"")
        except BrokenStreamError as error:
            return f"{error} before anything could be read"
    return ""


def _exhaust(chunks: Iterator[bytes]) -> None:
    """Nothing more is wanted of this stream; its digest is taken from the stored bytes."""
    close = getattr(chunks, "close", None)
    if close is not None:
        close()


def _kind(head: bytes, name: str, settings: Settings) -> tuple[str, str]:
    """The format, and why the file cannot be read (or "")."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    named = next((kind for kind in ("parquet", "csv") if f".{kind}" in Path(name).name.lower()), "")
    if not named and re.search(r"\.(jsonl|ndjson)", Path(name).name.lower()):
        named = "jsonl"
    if not text and len(head) < _HEAD:
        return named or "jsonl", "the file is empty"
    if settings.format != "auto":
        return settings.format, ""
    if head.startswith(b"PAR1"):
        return "parquet", ""
    if text.startswith(b"{"):
        return "jsonl", ""
    for magic, what, remedy in _OTHERS:
        if head.startswith(magic):
            return named or "jsonl", f"the file is {what}; {remedy}"
    if _ARRAY.match(text):
        return "jsonl", "the file is one JSON array; convert it to JSON Lines: jq -c '.[]' FILE > FILE.jsonl"
    columns, _, _ = header_of(head)
    try:
        resolve([(column,) for column in columns], file=name, mapping=settings.mapping)
    except ColumnsError:
        if named:
            return named, ""
        return "jsonl" if re.search(rb"^\s*\{", text, re.MULTILINE) else "csv", ""
    return "csv", ""


def _spool(name: str) -> BinaryIO:
    """An unnamed temporary file for what can only be read forward."""
    try:
        return tempfile.TemporaryFile(prefix="harvestdetect-")
    except OSError as error:
        raise _unkept(name, error) from None


def _unkept(name: str, error: OSError) -> InputError:
    where = tempfile.tempdir or os.environ.get("TMPDIR", "/tmp")
    return InputError(
        f"cannot keep {name} in the temporary folder {where}: {reason_of(error)}; free some space there, or set TMPDIR "
        "to a folder on another disk"
    )


def _blocks(
    kind: str,
    chunks: Iterator[bytes],
    head: bytes,
    stored: Stored,
    source: str,
    name: str,
    packed: str | None,
    settings: Settings,
    batch_rows: int,
    rejects: Rejects,
    expansion: Expansion,
) -> Blocks:
    how: dict[str, Any] = {"name": name, "settings": settings, "batch_rows": batch_rows, "rejects": rejects}
    if kind == "jsonl":
        yield from read_jsonl(chunks, **how)
    elif kind == "csv":
        yield from read_csv(chunks, head=head, **how)
    elif packed is None and is_plain_file(source):
        _exhaust(chunks)
        stored.drain()
        with open_source(source) as file:
            yield from read_parquet(file, expansion=expansion, **how)
    else:
        # Parquet is read from its end: what can only be read forward goes to an unnamed temporary file.
        with _spool(name) as spool:
            broken: BrokenStreamError | None = None
            try:
                for chunk in chunks:
                    spool.write(chunk)
                spool.seek(0)  # what waits in the buffer is written now
            except BrokenStreamError as error:
                broken = error
            except OSError as error:
                raise _unkept(name, error) from None
            if broken is not None:
                raise broken
            yield from read_parquet(spool, expansion=expansion, **how)
