"""Blocks of prompts prepared in order, here or in other processes, file by file, and kept as they come."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa

from harvestdetect.corpus.segments import Cutting, Prepared, begin, prepare, prepare_here
from harvestdetect.corpus.shard_file import Shard
from harvestdetect.corpus.shards import ShardFolder, ShardWriter
from harvestdetect.data import NO_PROMPTS, Batch
from harvestdetect.errors import CacheError, UnreadableError
from harvestdetect.util.arrays import Ints32

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

__all__ = ["Preparer"]

START_ROWS: Final = 50_000
"""Other processes are started when there are more rows: it takes a second."""
AHEAD: Final = 1
"""Blocks that wait beyond those that processes prepare."""

Take: TypeAlias = Callable[[Prepared, Ints32], object]


@dataclass(slots=True)
class _Wanted:
    """A block that is being prepared, or the end of a file."""

    block: pa.RecordBatch | None
    file: Ints32
    writer: ShardWriter | None
    result: Future[Prepared] | None = None


def _shard(shards: ShardFolder | None, name: str, sha256: str | None) -> Shard | None:
    """The shard of a file, where there is one that can be used. A copy that cannot be read now is made again."""
    if shards is None or sha256 is None:
        return None
    try:
        return shards.open(name, sha256)
    except UnreadableError:
        if shards.lasting:
            raise
        return None


class Preparer:
    """Prepares blocks and hands them over one by one, in the order in which they came.

    To be closed where not all is taken; it is its own context manager.

    Args:
        cutting: of the prompts.
        take: gets each prepared block, and the file of every row, int32[r].
        workers: processes that prepare blocks beside this one, once there are many; below 2 there are none.
        shards: keeps what was prepared of whole files, see :meth:`add_file`; its cutting must be the one given here.

    Raises:
        ValueError: ``shards`` holds what was cut otherwise.
    """

    def __init__(self, cutting: Cutting, take: Take, *, workers: int = 1, shards: ShardFolder | None = None) -> None:
        if shards is not None and shards.cutting != cutting:
            raise ValueError(f"the shards in {shards.folder} are not cut as the corpus is to be")
        self._cutting = cutting
        self._take = take
        self._workers = workers
        self._shards = shards
        self._rows = 0
        self._pool: ProcessPoolExecutor | None = None
        self._wanted: deque[_Wanted] = deque()

    def __len__(self) -> int:
        """Prompts that came so far."""
        return self._rows

    def __enter__(self) -> Preparer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def finish(self) -> None:
        """Has everything prepared and taken that came so far."""
        self._go_on(0)

    def close(self) -> None:
        """Ends the processes; what is still to be prepared is dropped."""
        for wanted in self._wanted:
            if wanted.writer is not None:
                wanted.writer.discard()
        self._wanted.clear()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def add(self, block: pa.RecordBatch) -> None:
        """Takes a block of ``PROMPT_SCHEMA``."""
        self._want(block, block.column("file").to_numpy(zero_copy_only=False), None)

    def add_file(self, batches: Iterable[Batch], *, file: int, name: str, sha256: str | None = None) -> Iterator[Batch]:
        """Takes a file of a dump: from its shard where there is one, else from ``batches``; a shard is then made.

        Args:
            batches: of this file alone; iterated only where there is no shard.
            file: its position in the list of files, whatever the batches say.
            name: of the file.
            sha256: of its bytes as stored, as hex; None: not known before reading, so no shard is looked for.

        Yields:
            The batches; for a file from its shard one without prompts, with its rejects and the file.

        Raises:
            CacheError: the shard cannot be written, and the shards are not spare.
            UnreadableError: the shard cannot be read now, and is not one of a work folder.
        """
        shards = self._shards
        held = _shard(shards, name, sha256)
        taken = 0
        if shards is not None and held is not None:
            try:
                for block in held:
                    self._rows += len(block.line)
                    self._take(block, np.full(len(block.line), file, np.int32))
                    taken += len(block.line)
            except (OSError, CacheError):
                if not shards.spare:
                    raise
            else:
                unlisted = max(held.file.rejects - len(held.rejects), 0)
                yield Batch(prompts=NO_PROMPTS, rejects=held.rejects, files=(held.file,), unlisted=unlisted)
                return
            finally:
                held.close()
        # of a shard that broke off the rows that are missing are read
        writer = None if taken else self._writer(name)
        whole = False
        try:
            for batch in batches:
                if writer is not None:
                    writer.tell(batch)
                wanted = batch.prompts.slice(min(taken, batch.prompts.num_rows))
                taken = max(taken - batch.prompts.num_rows, 0)
                if wanted.num_rows:
                    self._want(wanted, np.full(wanted.num_rows, file, np.int32), writer)
                yield batch
            whole = True
        finally:
            if writer is not None and not whole:
                writer.discard()
        if writer is not None:
            self._wanted.append(_Wanted(None, np.empty(0, np.int32), writer))
            self._go_on()

    def _writer(self, name: str) -> ShardWriter | None:
        """What keeps the file that is read next; None where nothing is kept."""
        shards = self._shards
        if shards is None or not shards.writable:
            return None
        try:
            return shards.writer(name)
        except CacheError as error:
            shards.lose(error)
            return None

    def _keep(self, writer: ShardWriter, block: Prepared | None) -> None:
        """Has a block of a file kept, or with None its end. A writer that has failed does nothing any more."""
        try:
            if block is None:
                writer.publish()
            else:
                writer.append(block)
        except CacheError as error:
            assert self._shards is not None
            self._shards.lose(error)

    def _want(self, block: pa.RecordBatch, file: Ints32, writer: ShardWriter | None) -> None:
        """Has a block prepared, here or in a process; takes those that must be done first."""
        self._rows += block.num_rows
        wanted = _Wanted(block, file, writer)
        self._wanted.append(wanted)
        if self._workers > 1 and self._rows > START_ROWS:
            try:
                wanted.result = self._processes().submit(prepare_here, block)
            except (BrokenExecutor, OSError):  # a full /dev/shm has no room for the queues of processes
                self._give_up()
        self._go_on()

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context

            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=get_context("spawn"), initializer=begin, initargs=(self._cutting,)
            )
            weakref.finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)
        return self._pool

    def _give_up(self) -> None:
        """A process was killed, or none can be started: what they were to do is done here, and all that follows."""
        self._workers = 1
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _go_on(self, ahead: int = AHEAD) -> None:
        """Takes what is wanted, in order, until no more waits than may."""
        try:
            while len(self._wanted) > (ahead + self._workers if ahead and self._pool is not None else 0):
                self._settle()
        except BaseException:
            self.close()
            raise

    def _settle(self) -> None:
        """Takes the first block that is wanted, when it is prepared."""
        wanted = self._wanted[0]
        if wanted.block is None:
            assert wanted.writer is not None
            self._keep(wanted.writer, None)
        else:
            block = None
            if wanted.result is not None:
                try:
                    block = wanted.result.result()
                except (BrokenExecutor, CancelledError):
                    self._give_up()
            if block is None:
                block = prepare(wanted.block, self._cutting)
            if wanted.writer is not None:
                self._keep(wanted.writer, block)
            self._take(block, wanted.file)
        self._wanted.popleft()
