"""Dumps to batches of prompts, file by file."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harvestdetect.data import NO_PROMPTS, Batch, Reject
from harvestdetect.dump.columns import check_mapping
from harvestdetect.dump.file import read_file
from harvestdetect.dump.limits import Budget, Expansion
from harvestdetect.dump.pseudonyms import Pseudonyms
from harvestdetect.dump.sources import Found, expand_sources, is_plain_file, open_source, source_size, why_no_dump
from harvestdetect.dump.streams import Stored
from harvestdetect.errors import InputError, TooManyRejectsError, UsageError
from harvestdetect.settings import Settings
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
    ) -> None:
        self.names = tuple(names)
        self._settings = settings
        self._stdin = stdin
        self._batch_rows = batch_rows
        self._progress = progress
        self._budget = Budget(settings.max_expansion)
        self._pseudonyms = None if settings.pseudonyms is None else Pseudonyms.of_file(settings.pseudonyms)
        self._batches: Generator[Batch, None, None] | None = None

    def __next__(self) -> Batch:
        if self._batches is None:
            self._batches = self._all()
        return next(self._batches)

    def close(self) -> None:
        """Stops reading."""
        if self._batches is not None:
            self._batches.close()

    def files(self) -> Iterator[DumpFile]:
        """The files one by one. What is not read of a file before the next one is asked for is skipped."""
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
                renamed = batches if self._pseudonyms is None else self._pseudonyms.batches(batches)
                yield DumpFile(position=position, name=name, batches=renamed)
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
            # It does not count as a file that was read, so the next scan tries again.
            shown = name.encode("utf-8", "backslashreplace").decode()
            yield Batch(prompts=NO_PROMPTS, rejects=(Reject(file=shown, line=None, byte=None, reason=complaint),))

    def _open(self, position: int, name: str, passed: Callable[[int], None]) -> Generator[Batch, None, None]:
        size = source_size(name)
        with open_source(name, stdin=self._stdin) as raw:
            stored = Stored(raw, name=name, passed=passed)
            expansion = Expansion(self._budget, stored=lambda: max(size or 0, stored.bytes))
            yield from read_file(stored, position, name, self._settings, self._batch_rows, expansion)


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
    sources: Iterable[str | Path],
    *,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    stdin: BinaryIO | None = None,
    batch_rows: int = 20_000,
    progress: Callable[[int, int | None], None] | None = None,
) -> Dumps:
    """Reads dumps as a stream of batches.

    The formats are JSON Lines, CSV and Parquet, each plain, gzip or zstd. The content of a file decides, and its name
    only if the content does not. Memory is bounded by ``batch_rows``, 16 MB of text per batch and the longest line.
    The size of decompressed content is bounded by ``max_expansion``.

    Args:
        sources: files, globs, folders, ``-`` for standard input, ``s3://`` and ``gs://`` addresses; see
            :func:`expand_sources`.
        settings: ``mapping``, ``format``, ``max_line_bytes`` and ``max_expansion`` count here. The caller enforces
            ``max_rejects`` with :func:`check_rejects`.
        stdin: what ``-`` reads; None is the standard input of the process.
        batch_rows: most rows of a batch.
        progress: called with the stored bytes read so far, and their total (None if it is not known).

    Yields:
        Batches, each from one file. The last one of a file carries its :class:`~harvestdetect.data.SourceFile`. Every
        row is a prompt or a reject, and the first 100,000 rejects of a file are listed. ``line`` is the physical line
        in JSON Lines, the first line of a record in CSV, and the row in Parquet.

    Raises:
        InputError: a source is missing or cannot be read, or the key of the pseudonyms.
        ColumnsError: a file has no column for account or prompt.
        UsageError: no source was named, or standard input twice.
    """
    if batch_rows < 1:
        raise UsageError(f"batch_rows must be at least 1, got {batch_rows}")
    check_mapping(settings.mapping)
    return Dumps(expand_sources(sources), settings, stdin, batch_rows, progress)


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
