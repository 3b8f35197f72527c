"""Made models and search indexes: folders that are written once and trusted by the digests inside them.

A distilled or exported model is no artifact of :mod:`harvestdetect.store.folder`. It is a folder in the format of
sentence-transformers or ONNX, so that any program can load it, and so that a container image can bring it along by
itself (``HARVESTDETECT_MODELS``). Its digests are therefore in the folder, in ``digests.json``. A search index has the
same form, because its files are mapped into memory as they are.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from harvestdetect.errors import CacheError
from harvestdetect.util.disk import reason_of
from harvestdetect.util.files import UnfinishedFolder, file_digest, flush_to_disk, set_modes, sweep
from harvestdetect.util.retries import retried

__all__ = ["SEARCH", "is_whole", "publish_folder", "remove_indexes"]

DIGESTS: Final = "digests.json"
SEARCH: Final = "search"
"""Folder of the search indexes of a state or a work folder. They hold the texts of a window, so they go wherever
artifacts go."""
_ATTEMPTS: Final = 3
"""Attempts to put a folder in its place while other processes do so too."""


def is_whole(folder: Path) -> bool:
    """Whether a folder written by :func:`publish_folder` still has exactly its content.

    Raises:
        UnreadableError: a file in it cannot be read now, which says nothing about its content.
    """
    try:
        raw = retried(lambda: (folder / DIGESTS).read_text(encoding="utf-8"), folder / DIGESTS)
        digests = json.loads(raw)
        return (
            isinstance(digests, dict)
            and sorted(digests) == _files(folder)
            and all(_digest_again(folder / name) == digest for name, digest in digests.items())
        )
    except (OSError, ValueError):
        return False


def _digest_again(path: Path) -> str:
    """:func:`file_digest`, read again after an error that may pass."""
    return retried(lambda: file_digest(path), path)


def remove_indexes(folder: Path, *, but: Collection[str] = ()) -> None:
    """Removes the search indexes of a state or a work folder, as far as possible, except those of some names."""
    place = folder / SEARCH
    for path in sorted(place.glob("*")):
        if path.name not in but and path.suffix != ".tmp":
            shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        place.rmdir()


def publish_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Have ``write`` fill a temporary folder, then put it at ``folder`` in one step.

    Where another process was faster and its content is whole, that content stays. A folder that is not whole
    is replaced.

    Raises:
        CacheError: the folder cannot be written.
    """
    try:
        sweep(folder.parent)
        with UnfinishedFolder(folder) as unfinished:
            _publish_folder(unfinished.path, folder, write)
        flush_to_disk(folder.parent)
    except OSError as error:
        said = error.strerror or reason_of(error)
        raise CacheError(f"cannot write {folder}: {said}; choose another folder") from error


def _publish_folder(temporary: Path, folder: Path, write: Callable[[Path], None]) -> None:
    write(temporary)
    digests = {name: file_digest(temporary / name) for name in _files(temporary)}
    (temporary / DIGESTS).write_text(json.dumps(digests, indent=1), encoding="utf-8")
    set_modes(temporary)
    for name in [*digests, DIGESTS]:
        flush_to_disk(temporary / name)
    for inner in [temporary, *(path for path in temporary.rglob("*") if path.is_dir())]:
        flush_to_disk(inner)
    for _ in range(_ATTEMPTS):
        try:
            temporary.rename(folder)
            break
        except OSError:
            if not folder.exists():
                raise
        if is_whole(folder):
            break
        broken = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.tmp")
        try:
            folder.rename(broken)
        except FileNotFoundError:
            continue
        shutil.rmtree(broken, ignore_errors=True)


def _files(folder: Path) -> list[str]:
    names = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in names if name != DIGESTS)
