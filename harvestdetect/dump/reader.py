"""Dumps to batches of prompts, file by file."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from harvestdetect.arguments import check_function, items_of, wrong
from harvestdetect.data import NO_PROMPTS, Batch, Reject
from harvestdetect.dump.columns.names import check_mapping
from harvestdetect.dump.file import read_file
from harvestdetect.dump.storage.databases import Database, file_kind, is_address
from harvestdetect.dump.storage.folders import LeftOut
from harvestdetect.dump.storage.limits import Budget, Expansion
from harvestdetect.dump.storage.sources import (
    FoundFile,
    Names,
    expand_sources,
    is_plain_file,
    open_source,
    source_size,
    why_no_dump,
)
from harvestdetect.dump.storage.streams import Stored
from harvestdetect.dump.storage.units import ROWS_OF_A_DATABASE, Lost, Unit, units_of
from harvestdetect.dump.values.pseudonyms import Pseudonyms
from harvestdetect.errors import InputError, TooManyRejectsError, UsageError
from harvestdetect.settings import Settings, settings_of
from harvestdetect.util.files import file_digest

__all__ = ["DumpFile", "Dumps", "check_rejects", "read_dumps"]


class Dumps(Iterator[Batch]):
    """Dumps that are being read: as one stream of batches, or file by file. Both can be read only once.

    Args:
        names: of the files.
        settings: see :func:`read_dumps`, also for the further arguments.
        stdin: what ``-`` reads.
        batch_rows: most rows of a batch.
        progress: called with bytes done and bytes in all.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: Settings,
        stdin: BinaryIO | None,
        batch_rows: int,
        progress: Callable[[int, int | None], None] | None,
        most_rows: int | None = None,
    ) -> None:
        self.names = tuple(names)
        self._settings = settings
        self._stdin = stdin
        self._batch_rows = batch_rows
        self._progress = progress
        self._most_rows = most_rows
        self._since: Callable[[str], str | None] = lambda remembered: None
        self._budget = Budget(settings.max_expansion)
        self._pseudonyms = None if settings.pseudonyms is None else Pseudonyms.of_file(settings.pseudonyms)
        self.left_out = names.left_out if isinstance(names, Names) else LeftOut()
        """Files, and members of archives, that are no dumps. It is complete when everything was read."""
        self._position = 0
        """Of the next file that is read."""
        self._batches: Generator[Batch, None, None] | None = None

    def __next__(self) -> Batch:
        if self._batches is None:
            self._batches = self._all()
        return next(self._batches)

    def close(self) -> None:
        """Stops reading."""
        if self._batches is not None:
            self._batches.close()

    def go_on_from(self, since: Callable[[str], str | None]) -> None:
        """Reads only the new rows of databases that are read in order.

        Args:
            since: returns the value of ``since_column`` from which rows are read, given what a state calls the rows
                (:attr:`~harvestdetect.data.SourceFile.until`); None reads all.
        """
        self._since = since

    def files(self) -> Iterator[DumpFile]:
        """The files one by one, among them the members of archives and the tables of databases.

        What is not read of a file before the next one is asked for is skipped.
        """
        sizes = list(map(source_size, self.names))
        count = _counter(self._progress, sizes) if self._progress is not None else None
        for name, size in zip(self.names, sizes, strict=True):
            if (database := self._database(name)) is not None:
                yield from self._parts(database)
                continue
            done = 0

            def passed(more: int) -> None:
                nonlocal done
                done += more
                if count is not None:
                    count(more)

            yield from self._source(name, size, passed)
            if size is not None and count is not None and done < size:
                count(size - done)

    def _all(self) -> Generator[Batch, None, None]:
        for file in self.files():
            yield from file.batches

    def _database(self, name: str) -> Database | None:
        """The database behind a name; None if it is a file that is read as it is.

        Raises:
            UsageError: the user asks for rows of a database, and it is none.
        """
        if is_address(name):
            return Database(name, self._settings)
        if self._settings.query is None and self._settings.table is None:
            if self._settings.since_column is not None:
                raise UsageError(f"--since-column needs --table or --query; {name} is read as a file")
            return None
        kind = file_kind(name) if is_plain_file(name) else None
        if kind is None:
            raise UsageError(
                f"--table and --query read databases, and {name} is none; a database is postgresql://..., or a file of "
                "SQLite or DuckDB"
            )
        return Database(name, self._settings, kind=kind)

    def _parts(self, database: Database) -> Iterator[DumpFile]:
        """The rows of a database, part by part."""
        since = self._since(database.remembered)
        with closing(database.parts(since)) as parts:
            for part in parts:
                until = None if part.until is None else (database.remembered, part.until)
                stored = Stored(part.file, name=part.name)
                expansion = Expansion(self._budget, stored=lambda stored=stored: stored.bytes)  # type: ignore[misc]
                unit = Unit(name=part.name, stored=stored, container=ROWS_OF_A_DATABASE)
                yield from self._file(part.name, _marked(self._batches_of(unit, expansion), until))
                if self._most_rows is not None:
                    return

    def _batches_of(self, unit: Unit, expansion: Expansion) -> Iterator[Batch]:
        """The batches of a file. Nothing is read before the first one is asked for."""
        yield from read_file(unit, self._position, self._settings, self._batch_rows, expansion, self._most_rows)

    def _source(self, name: str, size: int | None, passed: Callable[[int], None]) -> Iterator[DumpFile]:
        """The files in a source. A source that was found and cannot be read is a reject."""
        complaint = why_no_dump(name) if isinstance(name, FoundFile) and "://" not in name else ""
        if not complaint:
            try:
                with open_source(name, stdin=self._stdin) as raw:
                    stored = Stored(raw, name=name, passed=passed)
                    expansion = Expansion(self._budget, stored=lambda: max(size or 0, stored.bytes))
                    yield from self._units(name, units_of(name, stored, expansion=expansion), expansion)
            except InputError as error:
                if not isinstance(name, FoundFile):
                    raise
                complaint = str(error)
        if complaint:
            # It does not count as a file that was read, so the next scan tries again.
            yield from self._file(name, iter([_reject(name, complaint)]))

    def _units(self, name: str, units: Iterator[Unit | Lost], expansion: Expansion) -> Iterator[DumpFile]:
        """The files in an open source, and what else an archive has."""
        count = 0
        foreign: list[str] = []
        tables = 0
        for unit in units:
            if isinstance(unit, Lost) and not unit.row:
                self.left_out.add(unit.name, unit.reason)
                continue
            count += 1
            if isinstance(unit, Lost):
                yield from self._file(unit.name, iter([_reject(unit.name, unit.reason)]))
                continue
            batches = self._batches_of(unit, expansion)
            if unit.container:
                tables += 1
                batches = self._table(unit.name, batches, foreign)
            yield from self._file(unit.name, batches)
        if not count:
            yield from self._file(name, iter([_reject(name, "nothing in it is a dump")]))
        elif tables and len(foreign) == tables:
            yield from self._file(name, iter([_reject(name, f"in none of its tables: {foreign[0]}")]))

    def _table(self, name: str, batches: Iterator[Batch], foreign: list[str]) -> Iterator[Batch]:
        """The batches of a table of a database. A table of something else is left out."""
        for batch in batches:
            whole = [reject.reason for reject in batch.rejects if reject.line is None]
            if whole and not batch.files and not batch.prompts.num_rows:
                self.left_out.add(name, "table without prompts")
                foreign.append(whole[0])
                continue
            yield batch

    def _file(self, name: str, batches: Iterator[Batch]) -> Iterator[DumpFile]:
        """A file. Its position is used again if nothing comes of it, because positions are those of files read."""
        counted = _Counted(batches if self._pseudonyms is None else self._pseudonyms.batches(batches))
        with closing(counted):
            yield DumpFile(position=self._position, name=name, batches=counted)
        self._position += counted.fruitful or not counted.started


class _Counted(Iterator[Batch]):
    """Batches of a file, and whether anything came of them."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self.started = False
        """Whether a batch was asked for."""
        self.fruitful = False
        """Whether there was a prompt or a file."""

    def __next__(self) -> Batch:
        self.started = True
        batch = next(self._batches)
        self.fruitful = self.fruitful or bool(batch.files or batch.prompts.num_rows)
        return batch

    def close(self) -> None:
        """Stops reading."""
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()


_PATHS: Final = "a path or a list of paths (detect also takes tables, rows and prompts)"
"""What is read, in words."""


def _reject(name: str, reason: str) -> Batch:
    """A batch with a reject of a whole file."""
    shown = name.encode("utf-8", "backslashreplace").decode()
    return Batch(prompts=NO_PROMPTS, rejects=(Reject(file=shown, line=None, byte=None, reason=reason),))


def _marked(batches: Iterator[Batch], until: tuple[str, str] | None) -> Generator[Batch, None, None]:
    """Batches whose file says up to where rows of a database were read."""
    for batch in batches:
        yield replace(batch, files=tuple(replace(file, until=until) for file in batch.files))


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpFile:
    """A file to be read."""

    position: int
    """Position in the list of files."""
    name: str
    batches: Iterator[Batch]

    def sha256(self) -> str | None:
        """Hex digest of the bytes as stored. None for a source that cannot be read twice, or only over a network."""
        if not is_plain_file(self.name):
            return None
        try:
            return file_digest(Path(self.name))
        except OSError:  # reading it will report the error
            return None


def read_dumps(
    sources: str | Path | Iterable[str | Path],
    *,
    settings: Settings | None = None,
    stdin: BinaryIO | None = None,
    batch_rows: int = 20_000,
    progress: Callable[[int, int | None], None] | None = None,
    most_rows: int | None = None,
) -> Dumps:
    """Reads dumps as a stream of batches.

    The formats are JSON, CSV, Parquet, Arrow, ORC and SQLite, each plain, compressed or in an archive. Each member of
    an archive is a file of its own. The content of a file decides, and its name only if the content does not. Memory is
    bounded by ``batch_rows``, 16 MB of text per batch and the longest line. The size of decompressed content is bounded
    by ``max_expansion``.

    Args:
        sources: a file, glob or folder, ``-`` for standard input, an ``s3://`` or ``gs://`` address, or a list of such;
            see :func:`expand_sources`.
        settings: None takes the defaults. ``mapping``, ``format``, ``max_line_bytes`` and ``max_expansion`` count here.
            The caller enforces ``max_rejects`` with :func:`check_rejects`.
        stdin: what ``-`` reads; None is the standard input of the process.
        batch_rows: most rows of a batch.
        progress: called with the stored bytes read so far, and their total (None if it is not known).
        most_rows: reading of a file ends with the batch in which so many rows and rejects are reached, and its digest
            is that of the part that was read; None: files are read to their ends.

    Yields:
        Batches, each from one file. The last one of a file carries its :class:`~harvestdetect.data.SourceFile`. Every
        row is a prompt or a reject, and the first 100,000 rejects of a file are listed. ``line`` is the physical line
        in JSON Lines, the first line of a record in CSV, and the row in Parquet.

    Raises:
        InputError: a source is missing or cannot be read, or the key of the pseudonyms.
        ColumnsError: a file has no column for account or prompt.
        UsageError: no source was named, or standard input twice, or an argument has another type.
    """
    settings = settings_of(settings)
    for name, value in (("batch_rows", batch_rows), ("most_rows", most_rows)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise wrong(name, "a whole number of at least 1", value)
    check_function(progress, "progress", "a function that takes the bytes read and their total")
    if stdin is not None and not hasattr(stdin, "read"):
        raise wrong("stdin", "a binary file", stdin)
    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    if not isinstance(sources, Names):
        sources = items_of(sources, "sources", _PATHS, (str, os.PathLike))
    check_mapping(settings.mapping)
    return Dumps(expand_sources(sources), settings, stdin, batch_rows, progress, most_rows)


def check_rejects(rejects: int, rows: int, allowed: float | None) -> None:
    """Checks that there are not too many rejects.

    Args:
        rejects: rows (and files) that could not be read.
        rows: rows that could be read.
        allowed: a count when 1 or more, a share of all rows when below 1; None allows any.

    Raises:
        TooManyRejectsError: there are more.
    """
    if allowed is None or not rejects:
        return
    total = rows + rejects
    if allowed >= 1 and rejects > allowed:
        raise TooManyRejectsError(
            f"{rejects:,} of {total:,} rows were rejected, and --max-rejects allows {allowed:,.0f}"
        )
    if allowed < 1 and rejects > allowed * total:
        share = f"{rejects / total:.2%}"
        raise TooManyRejectsError(
            f"{rejects:,} of {total:,} rows were rejected ({share}), and --max-rejects allows {allowed:.2%}"
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
