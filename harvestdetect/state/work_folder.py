"""Erases an account from a work folder (``--work``).

A work folder only has copies: files that contain the account are removed, and the next scan makes them again.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from harvestdetect.corpus.block import rows_of_account
from harvestdetect.corpus.shard_file import opened
from harvestdetect.corpus.shards import SUFFIX
from harvestdetect.errors import CacheError, OutputError, UsageError
from harvestdetect.incremental.folder import CLUSTERS
from harvestdetect.state.traces import Traces, mapped
from harvestdetect.store.folder import ArtifactFolder, left_artifacts
from harvestdetect.store.models import SEARCH, remove_indexes
from harvestdetect.store.tables import NEIGHBORS
from harvestdetect.store.trust import DamagedFileError
from harvestdetect.util.files import sweep

__all__ = ["erase_work"]

_WITH_TEXTS: Final = (NEIGHBORS, CLUSTERS)
"""Kinds of artifacts that may contain texts of the account, or say which texts are like its own."""
_WHOLLY_GONE: Final = (*_WITH_TEXTS, SEARCH)
"""Folders in which nothing may be left."""


def erase_work(work: Path, account: str) -> tuple[int, list[str]]:
    """Removes the files of a work folder that contain an account; the next scan makes them again from its dumps.

    Returns:
        Number of files that were removed because they contained it, and what remains, a sentence each.

    Raises:
        UsageError: there is no such folder.
        OutputError: something cannot be removed.
    """
    if not work.is_dir():
        raise UsageError(f"there is no work folder {work}")
    traces = Traces(account)
    folders = [work, *(path for path in work.rglob("*") if path.is_dir())]
    for folder in folders:
        sweep(folder)
    gone = 0
    remove_indexes(work)
    try:
        for path in sorted((work / "read").glob(f"*{SUFFIX}")):
            if _holds(path, account, traces):
                path.unlink(missing_ok=True)
                gone += 1
        if left_artifacts(work):
            store = ArtifactFolder(work)
            store.drop([one for kind in _WITH_TEXTS for one in store.artifacts(kind)])
    except OSError as error:
        raise OutputError(f"cannot remove {path}: {error.strerror or error}") from None
    except CacheError as error:
        raise OutputError(f"cannot remove neighbours and clusters: {error}") from None
    remains = []
    for path in sorted(path for path in work.rglob("*") if path.is_file()):
        kind = path.relative_to(work).parts[0]
        if path.suffix == ".tmp" or kind in _WHOLLY_GONE:
            remains.append(f"{path} could not be removed, another process may write it")
            continue
        with mapped(path) as data:
            if any(True for _ in traces.places(data)):
                remains.append(f"{path} contains it")
    return gone, remains


def _holds(path: Path, account: str, traces: Traces) -> bool:
    """Whether a prepared file is damaged or has the id anywhere."""
    with mapped(path) as data:
        if any(True for _ in traces.places(data)):
            return True
    with suppress(DamagedFileError, OSError, CacheError), closing(opened(path)) as shard:
        return any(bool(rows_of_account(block, account).any()) for block in shard)
    return True
