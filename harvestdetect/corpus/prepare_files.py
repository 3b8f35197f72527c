"""Prepares whole files of a dump on an engine: a worker reads a file and leaves its prepared file.

The scan then finds the prepared files as if an earlier scan had made them. What a worker could not prepare, the scan
reads itself and reports as always.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harvestdetect.corpus.block import Cutting
from harvestdetect.corpus.prepare_parallel import ParallelPreparer
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.dump import read_dumps
from harvestdetect.dump.storage.sources import is_plain_file
from harvestdetect.engines.engine import Engine, map_in_order
from harvestdetect.engines.sharing import Shared
from harvestdetect.errors import HarvestdetectError
from harvestdetect.settings import Settings

__all__ = ["prepare_files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _PrepareInputs:
    """What the tasks of an engine have in common."""

    folder: Path
    settings: Settings
    cutting: Cutting


def prepare_files(names: Sequence[str], shards: ShardFolder, settings: Settings, engine: Engine) -> int:
    """Makes the prepared files of local files that have none yet.

    Args:
        names: of files, as :attr:`harvestdetect.dump.Dumps.names` has them.
        shards: takes the prepared files. All workers see its folder, and the dumps, under the same paths.
        settings: of the scan.
        engine: runs one task for each file.

    Returns:
        Number of prepared files that were made.
    """
    plain = [name for name in names if is_plain_file(name)]
    folder = Path(os.path.abspath(shards.folder))
    work = engine.share(_PrepareInputs(folder=folder, settings=settings, cutting=shards.cutting))
    return sum(map_in_order(engine, partial(_prepare_file, work), map(os.path.abspath, plain)))


def _prepare_file(work: Shared[_PrepareInputs], name: str) -> int:
    """Prepares one file, unless it is an archive or was prepared before; it runs on an engine.

    Returns:
        the number of prepared files that were made.
    """
    known = work.value()
    with suppress(HarvestdetectError, OSError):
        shards = ShardFolder(known.folder, settings=known.settings, cutting=known.cutting)
        for file in read_dumps([name], settings=known.settings).files():
            sha256 = file.sha256()
            if file.name != name or sha256 is None or shards.path(name, sha256).exists():
                return 0
            with ParallelPreparer(known.cutting, lambda block, of: None, shards=shards) as preparer:
                for _ in preparer.add_file(file.batches, file=0, name=name, sha256=sha256):
                    pass
                preparer.finish()
            return int(shards.path(name, sha256).exists())
    return 0
