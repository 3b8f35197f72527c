"""Disks that fail: why a write failed, whether there is room, and folders that a scan does not need."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["SpareFolder", "check_room", "reason_of"]

_REASONS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EFBIG: "a file may not become larger (ulimit -f)",
    errno.EIO: "the disk fails (input/output error)",
}
"""Number of an error -> the reason in words."""
_ZEROS: Final = bytes(1 << 20)
"""What is written to allocate a file where the system has no call for it."""


def reason_of(error: BaseException | str) -> str:
    """Why something could not be written, in a few words.

    Args:
        error: an exception. The first :class:`OSError` or :class:`sqlite3.Error` among it and its causes decides. A
            text is returned unchanged.

    Returns:
        One line, such as "the disk is full".
    """
    if isinstance(error, str):
        return error
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno is not None:
            return _REASONS.get(cause.errno) or cause.strerror or type(cause).__name__
        if isinstance(cause, OSError) and "requested and" in str(cause):  # numpy gives no number
            return "not all could be written; the disk is full, or a limit is reached"
        if isinstance(cause, sqlite3.Error):
            return _first_line(cause)
        cause = cause.__cause__ or cause.__context__
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def check_room(folder: Path, size: int) -> None:
    """Checks that a folder can take a file, before minutes or hours are spent on its content.

    A file of that size is allocated and removed. This detects a full disk, a quota, a read-only disk and missing
    permission.

    Args:
        folder: made if it is missing.
        size: bytes of the file.

    Raises:
        OSError: the folder cannot take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f"{uuid.uuid4().hex}.tmp"
    handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
        else:
            for start in range(0, size, len(_ZEROS)):
                os.write(handle, _ZEROS[: size - start])
    finally:
        os.close(handle)
        with suppress(OSError):
            probe.unlink()


class SpareFolder:
    """A folder that only saves time, such as the cache or the work folder. If it fails, a scan continues without it.

    The first failure is reported, with its consequence. Later failures are not, because the disk is the same.

    Args:
        path: the folder.
        what: its name in a note, such as "work folder".
        instead: what happens without it; the end of the sentence of the note.
        notes: called with the note.
    """

    def __init__(
        self, path: Path, *, what: str, instead: str = "", notes: Callable[[str], object] | None = None
    ) -> None:
        self.path = Path(path)
        self._what = what
        self._instead = instead
        self._notes = notes
        self._lock = threading.Lock()
        self._lost = False

    @property
    def writable(self) -> bool:
        """Whether nothing has failed yet. Files that are there may be read in any case."""
        return not self._lost

    def give_up(self, error: BaseException | str) -> None:
        """Ends writing to this folder.

        Args:
            error: the reason.
        """
        with self._lock:
            first, self._lost = not self._lost, True
        if first and self._notes is not None:
            end = f" {self._instead}" if self._instead else ""
            self._notes(f"going on without the {self._what} {self.path}: {reason_of(error)};{end}")
