"""Decides whether a stored file can be trusted: it is whole, missing, damaged, or cannot be read now.

Every file that is kept between runs has checksums of its bytes, in the file or in the manifest of its folder. A file
whose bytes do not match is read a second time, because a short read proves nothing. If they do not match again, the
file is damaged. A read error proves nothing about the file, which then stays as it is.

A damaged copy is removed, because it can be made again. Any other damaged file is moved aside (:func:`move_aside`) and
never deleted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

from harvestdetect.errors import CacheError
from harvestdetect.util.files import flush_to_disk, make_folder
from harvestdetect.util.retries import retried

__all__ = ["ABSENT", "Condition", "DamagedFileError", "condition_of", "move_aside", "verified"]

Condition: TypeAlias = Literal["whole", "missing", "damaged"]

ABSENT: Final = (FileNotFoundError, NotADirectoryError)
"""Exceptions that mean that the file does not exist."""
_MISMATCH: Final = (OSError, ValueError, KeyError, TypeError, IndexError, NotImplementedError)
"""Exceptions of a reader that mean wrong bytes. An ``OSError`` means this only without an error number, as Arrow raises
it for a failed checksum; :func:`~harvestdetect.util.retries.retried` handles all others."""

T = TypeVar("T")


class DamagedFileError(ValueError):
    """The bytes of a stored file are not those that were written, even when they are read a second time."""


def verified(read: Callable[[], T], path: str | os.PathLike[str]) -> T:
    """Reads a file with a function that checks its bytes, and reads it again if they are wrong.

    Args:
        read: reads the file from the beginning each time it is called; it raises an exception if the bytes are wrong.
        path: of the file, for messages.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file.
        UnreadableError: it cannot be read now.
        DamagedFileError: it is damaged.
    """
    for last in (False, True):
        try:
            return retried(read, path)
        except ABSENT:
            raise
        except _MISMATCH as error:
            if last:
                lines = str(error).splitlines() or [type(error).__name__]
                raise DamagedFileError(lines[0]) from error
    raise AssertionError


def condition_of(read: Callable[[], object], path: str | os.PathLike[str]) -> Condition:
    """Whether a file is whole. Changes nothing.

    Args:
        read: as for :func:`verified`.
        path: of the file.

    Raises:
        UnreadableError: it cannot be read now.
    """
    try:
        verified(read, path)
    except ABSENT:
        return "missing"
    except DamagedFileError:
        return "damaged"
    return "whole"


def move_aside(path: Path, folder: Path, why: str) -> Path:
    """Moves a file into a folder, under a new name with the reason and the time. It replaces no file.

    Raises:
        CacheError: it cannot be moved.
    """
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    try:
        make_folder(folder)
        target, number = folder / f"{path.stem}.{why}-{stamp}{path.suffix}", 1
        while target.exists():
            number += 1
            target = folder / f"{path.stem}.{why}-{stamp}-{number}{path.suffix}"
        path.rename(target)
        flush_to_disk(folder)
        flush_to_disk(path.parent)
    except OSError as error:
        raise CacheError(f"cannot move {path} to {folder}: {error.strerror or error}") from None
    return target
