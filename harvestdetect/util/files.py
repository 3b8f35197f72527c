"""How files are written: private, first under a temporary name, and renamed when they are complete.

Everything that a scan writes into its folders goes through this module. A file gets mode 0600 and a folder 0700, minus
the umask, unless the folder was shared with :func:`shared_with_group` (0660 and 0770). An existing folder keeps its
mode.

A temporary name ends with ``.tmp``. The writer keeps a lock (``flock``) on the file while it writes, so that
:func:`sweep` can distinguish files of killed processes from files that are being written. The lock works across
containers, whose process ids differ. The kernel releases it when the process ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Final

__all__ = [
    "Unfinished",
    "UnfinishedFolder",
    "create_private",
    "file_digest",
    "flush_to_disk",
    "make_folder",
    "replacing",
    "set_modes",
    "shared_with_group",
    "sweep",
]

SUFFIX: Final = ".tmp"
"""The end of every temporary name."""
UNLOCKABLE_SECONDS: Final = 3_600.0
"""Age in seconds from which a temporary file is removed on a file system that has no locks."""
_TOKEN: Final = r"(?:[0-9a-f]{16}|\d+-[0-9a-f]{8})"
"""A pattern of the part between name and suffix: 16 hexadecimal digits, or the older form with a process id."""
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF})
"""Errors of file systems without locks."""
_ATTEMPTS: Final = 20
"""Number of attempts to make a temporary file, which a sweep of another process may remove before it is locked."""

_shared: list[str] = []
"""Absolute paths of the folders that are now shared with their group."""


# ---------------------------------------------------------------- modes


@contextmanager
def shared_with_group(*folders: str | os.PathLike[str]) -> Iterator[None]:
    """Within this context, what this process writes below some folders can be read and written by their group.

    Args:
        folders: need not exist. The umask does not apply below them.
    """
    roots = [os.path.abspath(folder) for folder in folders]
    _shared.extend(roots)
    try:
        yield
    finally:
        for root in roots:
            _shared.remove(root)


def _is_shared(path: str | os.PathLike[str]) -> bool:
    if not _shared:
        return False
    absolute = os.path.abspath(path)
    return any(absolute == root or absolute.startswith(os.path.join(root, "")) for root in _shared)


def make_folder(folder: str | os.PathLike[str]) -> None:
    """Makes a folder and its missing parents, each with mode 0700 (0770 if it is shared).

    Raises:
        OSError: it cannot be made, or its name belongs to a file.
    """
    _make_folder(Path(folder), shared=_is_shared(folder))


def _make_folder(path: Path, *, shared: bool) -> None:
    try:
        path.mkdir(mode=0o770 if shared else 0o700)
    except FileNotFoundError:
        if path.parent == path:
            raise
        _make_folder(path.parent, shared=shared)
        _make_folder(path, shared=shared)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        if shared:
            os.chmod(path, 0o770)


def create_private(path: str | os.PathLike[str]) -> None:
    """Makes an empty file if there is none, with the mode of files in its folder.

    SQLite gives its ``-wal`` and ``-shm`` the mode of the database.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(_opened(path, None))


def _opened(path: str | os.PathLike[str], mode: int | None) -> int:
    """Opens a new file for writing. ``mode`` None: private, or shared with the group if its folder is."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    if mode is not None:
        return os.open(path, flags, mode)
    shared = _is_shared(path)
    handle = os.open(path, flags, 0o660 if shared else 0o600)
    if shared:
        with suppress(OSError):
            os.fchmod(handle, 0o660)
    return handle


def set_modes(folder: str | os.PathLike[str], *, itself: bool = True) -> None:
    """Gives a folder and everything in it the mode that it would have if it were written now.

    Permissions of others are removed, and those of the group unless the folder is shared. Links are not followed, and
    files of other users do not change.

    Args:
        folder: need not exist.
        itself: whether to change the folder too, and not only its content.
    """
    root = Path(folder)
    for path in (*([root] if itself else []), *root.rglob("*")):
        with suppress(OSError):
            kind = path.lstat().st_mode
            if stat.S_ISDIR(kind) or stat.S_ISREG(kind):
                _set_mode(path, kind)


def _set_mode(path: Path, kind: int) -> None:
    now = stat.S_IMODE(kind)
    if _is_shared(path):
        wanted = 0o770 if stat.S_ISDIR(kind) else 0o660
    else:
        wanted = now & ~0o077
    if wanted != now:
        os.chmod(path, wanted)


# ---------------------------------------------------------------- reading


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# ---------------------------------------------------------------- writing


def flush_to_disk(path: str | os.PathLike[str]) -> None:
    """Flushes a file, or the list of files of a folder, to the disk.

    Raises:
        OSError: the disk fails.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Unfinished:
    """A file under a temporary name, locked while it is written. It is its own context manager.

    ::

        with Unfinished(folder, "run.json") as file:
            file.stream.write(data)
            file.publish(folder / "run.json")

    Without :meth:`publish` nothing of it is left at the end.

    Args:
        folder: where it is made. The finished file must be for the same folder.
        name: part of the temporary name, by which :func:`sweep` finds it.
        mode: of the file, minus the umask; None: private, or shared if its folder is.

    Raises:
        OSError: it cannot be made.
    """

    path: Path
    stream: BufferedWriter

    def __init__(self, folder: str | os.PathLike[str], name: str = "", *, mode: int | None = None) -> None:
        for _ in range(_ATTEMPTS):
            self.path = Path(folder) / f"{f'.{name}.' if name else ''}{secrets.token_hex(8)}{SUFFIX}"
            handle = _opened(self.path, mode)
            if _locked_here(handle, self.path):
                self.stream = os.fdopen(handle, "wb")
                return
            os.close(handle)
        raise OSError(errno.EBUSY, "its temporary files are removed as soon as they are made", str(folder))

    def __enter__(self) -> Unfinished:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def flush(self) -> None:
        """Flushes everything that was written to the disk.

        Raises:
            OSError: the disk is full or fails.
        """
        self.stream.flush()
        os.fsync(self.stream.fileno())

    def publish(self, target: Path) -> None:
        """Renames the file when it is on the disk. It replaces a file of that name.

        Raises:
            OSError: the disk is full or fails, or the file cannot be renamed.
        """
        self.flush()
        os.replace(self.path, target)
        self.stream.close()

    def discard(self) -> None:
        """Removes the file, unless it was published."""
        if not self.stream.closed:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            with suppress(OSError):
                self.stream.close()


@contextmanager
def replacing(target: Path, *, mode: int | None = None) -> Iterator[BufferedWriter]:
    """A stream whose file replaces ``target`` if the block ends without an exception. Otherwise nothing changes.

    Leftovers of killed processes are removed.

    Args:
        target: its folder must exist.
        mode: as for :class:`Unfinished`.

    Raises:
        OSError: it cannot be written.
    """
    sweep(target.parent, names=(target.name,))
    with Unfinished(target.parent, target.name, mode=mode) as file:
        yield file.stream
        file.publish(target)
    flush_to_disk(target.parent)


class UnfinishedFolder:
    """A folder under a temporary name, locked while it is filled. It is its own context manager.

    Args:
        target: its final name. The parent folder is made if it is missing.

    Raises:
        OSError: it cannot be made.
    """

    path: Path

    def __init__(self, target: Path) -> None:
        make_folder(target.parent)
        for _ in range(_ATTEMPTS):
            self.path = target.with_name(f"{target.name}.{secrets.token_hex(8)}{SUFFIX}")
            make_folder(self.path)
            try:
                self._handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:  # swept before it was locked
                continue
            if _locked_here(self._handle, self.path):
                return
            os.close(self._handle)
        raise OSError(errno.EBUSY, "its temporary folders are removed as soon as they are made", str(target.parent))

    def __enter__(self) -> UnfinishedFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._handle)


# ---------------------------------------------------------------- what killed processes left behind


def sweep(folder: str | os.PathLike[str], *, names: Collection[str] | None = None) -> int:
    """Removes temporary files and folders that no process writes any more.

    A file that another process has locked stays. On a file system without locks, only files that have not changed for
    an hour are removed.

    Args:
        folder: searched, without its subfolders.
        names: names whose temporary files are removed; None: all files that end with ``.tmp``, for folders to which
            nothing else writes.

    Returns:
        Number of files and folders that were removed.
    """
    ours = None if names is None else re.compile(rf"\.(?:{'|'.join(map(re.escape, names))})\.{_TOKEN}\.tmp\Z")
    gone = 0
    try:
        entries = [entry.path for entry in os.scandir(folder) if entry.name.endswith(SUFFIX)]
    except OSError:
        return 0
    for path in entries:
        if ours is None or ours.match(os.path.basename(path)):
            with suppress(OSError):
                gone += _swept(path)
    return gone


def _swept(path: str) -> bool:
    kind = os.lstat(path)
    is_folder = stat.S_ISDIR(kind.st_mode)
    if not is_folder and not stat.S_ISREG(kind.st_mode):
        return False
    handle = _open_to_lock(path, is_folder=is_folder)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS or time.time() - kind.st_mtime < UNLOCKABLE_SECONDS:
                return False
        if not _is_at(handle, path):
            return False
        if is_folder:
            shutil.rmtree(path, ignore_errors=True)
            return not os.path.exists(path)
        os.unlink(path)
        return True
    finally:
        os.close(handle)


def _open_to_lock(path: str, *, is_folder: bool) -> int:
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if is_folder:
        return os.open(path, flags | os.O_RDONLY | os.O_DIRECTORY)
    try:
        return os.open(path, flags | os.O_RDWR)
    except PermissionError:
        return os.open(path, flags | os.O_RDONLY)


def _locked_here(handle: int, path: Path) -> bool:
    """Locks a file that was just made. False if a sweep was faster, so that the file is gone or about to be removed."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return _is_at(handle, path)


def _is_at(handle: int, path: str | os.PathLike[str]) -> bool:
    try:
        there = os.lstat(path)
    except OSError:
        return False
    here = os.fstat(handle)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
