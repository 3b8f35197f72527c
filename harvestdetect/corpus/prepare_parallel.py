"""Prepares blocks of prompts on an engine, in order, and keeps the prepared files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa

from harvestdetect.corpus.block import Cutting, PreparedBlock
from harvestdetect.corpus.prepare import prepare
from harvestdetect.corpus.shard_file import Shard
from harvestdetect.corpus.shards import ShardFolder, ShardWriter
from harvestdetect.data import NO_PROMPTS, Batch
from harvestdetect.engines.engine import Engine
from harvestdetect.engines.loop import Loop
from harvestdetect.engines.sharing import Here, Shared
from harvestdetect.errors import CacheError, UnreadableError
from harvestdetect.util.arrays import Ints32

__all__ = ["ParallelPreparer"]

START_ROWS: Final = 50_000
"""Number of rows above which blocks are sent to the engine, whose processes take a second to start."""
AHEAD: Final = 1
"""Number of queued blocks in addition to one for each worker."""

Take: TypeAlias = Callable[[PreparedBlock, Ints32], object]


@dataclass(slots=True)
class _Wanted:
    """A block that is being prepared, or the end of a file."""

    file: Ints32
    """int32[r]: the file of every row."""
    writer: ShardWriter | None
    result: Callable[[], PreparedBlock] | None = None
    """Waits for the prepared block; None at the end of a file."""


def _prepared(block: pa.RecordBatch, cutting: Shared[Cutting]) -> PreparedBlock:
    """:func:`~harvestdetect.corpus.prepare.prepare` on an engine."""
    return prepare(block, cutting.value())


def _shard(shards: ShardFolder | None, name: str, sha256: str | None) -> Shard | None:
    """The shard of a file if there is one. A shard that cannot be read now is made again, unless it must last."""
    if shards is None or sha256 is None:
        return None
    try:
        return shards.open(name, sha256)
    except UnreadableError:
        if shards.in_state:
            raise
        return None


def _closed(block: PreparedBlock, file: Ints32) -> None:
    """What takes blocks after the end."""
    raise RuntimeError("blocks were added after the preparer was closed")


class ParallelPreparer:
    """Prepares blocks and passes them on one by one, in the order in which they came.

    It must be closed if not everything is taken; it is its own context manager.

    Args:
        cutting: how prompts are cut.
        take: called with each prepared block, and the file of every row, int32[r].
        engine: prepares blocks once there are many; None prepares all in this process.
        shards: keeps the prepared blocks of whole files, see :meth:`add_file`. It must cut in the same way.

    Raises:
        ValueError: ``shards`` cuts prompts in another way.
    """

    def __init__(
        self, cutting: Cutting, take: Take, *, engine: Engine | None = None, shards: ShardFolder | None = None
    ) -> None:
        if shards is not None and shards.cutting != cutting:
            raise ValueError(f"the shards in {shards.folder} are not cut as the corpus is to be")
        self._cutting = cutting
        self._take = take
        self._engine: Engine = Loop() if engine is None else engine
        self._shared: Shared[Cutting] | None = None
        """How prompts are cut, where the workers of the engine can read it; None before there are many blocks."""
        self._shards = shards
        self._rows = 0
        self._wanted: deque[_Wanted] = deque()

    def __len__(self) -> int:
        """Number of prompts so far."""
        return self._rows

    def __enter__(self) -> ParallelPreparer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def finish(self) -> None:
        """Prepares and passes on everything that came so far."""
        self._go_on(0)

    def close(self) -> None:
        """Lets the engine rest. Blocks that are not prepared yet are dropped, and no more can be taken."""
        self._take = _closed  # the owner of the function may refer to this object, and keep files open with it
        for wanted in self._wanted:
            if wanted.writer is not None:
                wanted.writer.discard()
        self._wanted.clear()
        if self._shared is not None:
            self._engine.rest()

    def add(self, block: pa.RecordBatch) -> None:
        """Takes a block of ``PROMPT_SCHEMA``."""
        self._want(block, block.column("file").to_numpy(zero_copy_only=False), None)

    def add_file(self, batches: Iterable[Batch], *, file: int, name: str, sha256: str | None = None) -> Iterator[Batch]:
        """Takes a file of a dump from its shard, or from ``batches`` if there is no shard; then a shard is made.

        Args:
            batches: of this file alone; iterated only if there is no shard.
            file: its position in the list of files, whatever the batches say.
            name: of the file.
            sha256: hex digest of its bytes as stored; None: it is not known before reading, so no shard is looked for.

        Yields:
            The batches. For a file from its shard, one batch without prompts that has its rejects and the file.

        Raises:
            CacheError: the shard cannot be written, and the shards are not spare.
            UnreadableError: the shard cannot be read now, and does not belong to a work folder.
        """
        shards = self._shards
        shard = _shard(shards, name, sha256)
        taken = 0
        if shards is not None and shard is not None:
            try:
                for block in shard:
                    self._rows += len(block.line)
                    self._take(block, np.full(len(block.line), file, np.int32))
                    taken += len(block.line)
            except (OSError, CacheError):
                if not shards.spare:
                    raise
            else:
                unlisted = max(shard.file.rejects - len(shard.rejects), 0)
                yield Batch(prompts=NO_PROMPTS, rejects=shard.rejects, files=(shard.file,), unlisted=unlisted)
                return
            finally:
                shard.close()
        # If a shard broke off, the missing rows are read from the file.
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
            self._wanted.append(_Wanted(file=np.empty(0, np.int32), writer=writer))
            self._go_on()

    def _writer(self, name: str) -> ShardWriter | None:
        """The writer of the shard of the next file; None if no shard is kept."""
        shards = self._shards
        if shards is None or not shards.writable:
            return None
        try:
            return shards.writer(name)
        except CacheError as error:
            shards.lose(error)
            return None

    def _keep(self, writer: ShardWriter, block: PreparedBlock | None) -> None:
        """Writes a block to a shard, or finishes the shard if the block is None. A failed writer does nothing."""
        try:
            if block is None:
                writer.publish()
            else:
                writer.append(block)
        except CacheError as error:
            assert self._shards is not None
            self._shards.lose(error)

    def _want(self, block: pa.RecordBatch, file: Ints32, writer: ShardWriter | None) -> None:
        """Queues a block, and passes on the blocks that are due."""
        self._rows += block.num_rows
        if self._shared is None and self._engine.workers > 1 and self._rows > START_ROWS:
            self._shared = self._engine.share(self._cutting)
        if self._shared is None:
            result = Loop().submit(_prepared, block, Here(self._cutting))
        else:
            result = self._engine.submit(_prepared, block, self._shared)
        self._wanted.append(_Wanted(writer=writer, file=file, result=result))
        self._go_on()

    def _go_on(self, ahead: int = AHEAD) -> None:
        """Passes on blocks in order, until no more of them are queued than allowed."""
        try:
            while len(self._wanted) > (ahead + self._engine.workers if ahead and self._shared is not None else 0):
                self._settle()
        except BaseException:
            self.close()
            raise

    def _settle(self) -> None:
        """Waits for the first block in the queue and passes it on."""
        wanted = self._wanted[0]
        if wanted.result is None:
            assert wanted.writer is not None
            self._keep(wanted.writer, None)
        else:
            block = wanted.result()
            if wanted.writer is not None:
                self._keep(wanted.writer, block)
            self._take(block, wanted.file)
        self._wanted.popleft()
