"""The files that the user names, and opening them."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from harvestdetect.dump.storage.databases import is_address
from harvestdetect.dump.storage.folders import LOOKED_FOR, LeftOut, kept_out, looks_like_data, needs_a_look
from harvestdetect.errors import InputError, UsageError
from harvestdetect.util.disk import reason_of

__all__ = [
    "MEMORY",
    "STDIN",
    "FoundFile",
    "Names",
    "cannot_copy",
    "expand_sources",
    "is_plain_file",
    "open_source",
    "source_size",
    "temporary_file",
    "why_no_dump",
]

STDIN: Final = "-"
"""Name of standard input."""
MEMORY: Final = "memory://"
"""Beginning of the names of what is no file on a disk, whatever files there are."""
_REMOTE: Final = ("s3", "gs", "gcs")
_START: Final = 1 << 10
"""Bytes at the beginning of a file by which a file without a suffix is taken for a dump."""
_SEARCHED: Final = f"looked for {LOOKED_FOR}; a file that you name yourself may have any name"
"""What a folder or a pattern was searched for, in words."""
PIPE_WAIT: Final = 1.0
"""Seconds within which some process must open a named pipe for writing."""


class FoundFile(str):
    """The name of a file that was found in a folder or by a pattern.

    If such a file cannot be read, it is a reject, and the other files are read. If a file that the user named cannot be
    read, that is an error.
    """

    __slots__ = ()


class Names(list[str]):
    """Names of files, and what was left out where they were found."""

    def __init__(self, names: Iterable[str], left_out: LeftOut) -> None:
        super().__init__(names)
        self.left_out = left_out


def expand_sources(sources: Iterable[str | Path]) -> list[str]:
    """The files behind files, globs, folders, ``-``, ``s3://`` and ``gs://``.

    A folder, or a prefix of an object store, is searched recursively for files whose names have the suffix of a dump
    or an archive (:data:`~harvestdetect.dump.storage.folders.LOOKED_FOR`), in upper or lower case, also with the number
    or date of a rotated log behind it. Parts of Spark jobs, objects of Firehose and, in a local folder, files without a
    suffix that start like a dump are taken too. Hidden files, hidden folders and marks of jobs are left out. A glob
    takes the same files, and all files without a suffix. A file that the user names may have any name.

    Args:
        sources: the names that the user gave.

    Returns:
        Names, sorted, each file once. Standard input is ``-``. They are :class:`Names`, which tell what was left out.

    Raises:
        InputError: no such file, no permission, a device or socket, or a folder or glob without dumps. A file that was
            found in a folder or by a glob is not checked before it is read.
        UsageError: no source, standard input twice, or an address of another kind.
    """
    named: list[str] = []
    count = 0
    left_out = sources.left_out if isinstance(sources, Names) else LeftOut()
    for source in sources:
        count += 1
        named.extend(_expand(os.fspath(source), left_out))
    if not count:
        raise UsageError("no dump was named; give files, folders, globs, s3:// or gs:// addresses, or -")
    if named.count(STDIN) > 1:
        raise UsageError("standard input (-) can be read only once, it was named twice")
    unique: dict[str, str] = {}
    for name in sorted(named):
        unique.setdefault(name if _scheme(name) or name == STDIN else os.path.realpath(name), name)
    return Names(unique.values(), left_out)


def _scheme(source: str) -> str | None:
    return source.split("://", 1)[0].lower() if "://" in source else None


def _expand(source: str, left_out: LeftOut) -> list[str]:
    if source == STDIN or isinstance(source, FoundFile):
        return [source]
    if "\0" in source:
        raise InputError(f"no such file: {source!a}")
    if is_address(source):
        return [source]
    scheme = _scheme(source)
    if scheme in _REMOTE:
        return _expand_remote(source, left_out)
    if scheme == "file":
        source = urlsplit(source).path
    elif scheme is not None and not os.path.exists(source):
        # The address may have a password in it.
        raise UsageError(f"cannot read {scheme}://...: only files, s3://, gs:// and postgresql:// addresses are read")
    try:
        mode = os.stat(source).st_mode
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and glob.has_magic(source):
            return _expand_glob(source, left_out)
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise InputError(f"no such file: {source}") from None
        raise InputError(f"cannot read {source}: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        files = _walk(source, left_out, needed=True)
        if not files:
            raise InputError(f"no dumps in the folder {source}; {_SEARCHED}{_but(left_out)}")
        return files
    return [_readable(source)]


def _readable(file: str) -> str:
    if not os.access(file, os.R_OK):
        raise InputError(f"cannot read {file}: Permission denied")
    if complaint := _no_input(file, os.stat(file).st_mode):
        raise InputError(f"cannot read {file}: {complaint}")
    return file


def _no_input(name: str, mode: int) -> str:
    """Why a file of this kind is not read, even if the user named it; "" if it is read."""
    if stat.S_ISSOCK(mode):
        return "it is a socket; name a file, or a pipe that a process writes to"
    if stat.S_ISBLK(mode):
        return "it is a block device; name a file"
    if stat.S_ISCHR(mode) and not _is_terminal(name):
        return "it is a device, whose content may have no end; name a file, or - for standard input"
    return ""


def _is_terminal(name: str) -> bool:
    """Whether a character device is a terminal, or the null device."""
    if os.path.realpath(name) == os.devnull:
        return True
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)


def why_no_dump(name: str) -> str:
    """Why a file that was found in a folder or by a pattern cannot be read; "" if reading can be tried."""
    try:
        mode = os.stat(name).st_mode
    except OSError as error:
        if os.path.islink(name) and isinstance(error, FileNotFoundError):
            return "the link leads to no file"
        return f"cannot read the file: {error.strerror or error}"
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISDIR(mode):
        return "cannot read the folder: Permission denied"
    if stat.S_ISFIFO(mode):
        return "it is a pipe, which is read only where it is named"
    return _no_input(name, mode) or "it is a device, which is read only where it is named"


def _but(left_out: LeftOut) -> str:
    """What was found instead of dumps, for an error."""
    return "".join(f"; {sentence}" for sentence in left_out.sentences())


def _is_dump(path: str, full: str, left_out: LeftOut, *, bare: bool = False) -> bool:
    """Whether a file that was found is taken for a dump; otherwise it is noted.

    Args:
        path: below what is searched.
        full: its whole name.
        left_out: takes what is no dump.
        bare: whether every file without a suffix is taken, not only what starts like a dump.
    """
    why = kept_out(path)
    if not why and not bare and needs_a_look(path) and not _starts_well(full):
        why = "file without a suffix"
    if why:
        left_out.add(full, why)
    return not why


def _starts_well(file: str) -> bool:
    """Whether a local file starts like a dump."""
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            return False
        with open(file, "rb") as stream:
            return looks_like_data(stream.read(_START))
    except OSError:
        return False


def _walk(folder: str, left_out: LeftOut, *, needed: bool = False) -> list[str]:
    files = []

    def fail(error: OSError) -> None:
        if needed and error.filename == folder:
            raise InputError(f"cannot read the folder {error.filename}: {error.strerror}")
        files.append(error.filename)

    for parent, folders, names in os.walk(folder, onerror=fail):
        for name in folders:
            if why := _closed(name):
                left_out.add(os.path.join(parent, name), why)
        folders[:] = sorted(name for name in folders if not _closed(name))
        files += [file for name in names if _is_dump(name, file := os.path.join(parent, name), left_out)]
    return [FoundFile(file) for file in sorted(files)]


def _closed(folder: str) -> str:
    """Why a folder is not searched; "" if it is."""
    if folder.startswith(".") or folder == "__MACOSX":
        return "hidden folder"
    return "folder of a job" if folder in ("_temporary", "_delta_log", "_spark_metadata") else ""


def _expand_glob(pattern: str, left_out: LeftOut) -> list[str]:
    files: list[str] = []
    for match in glob.glob(pattern, recursive=True):
        if os.path.isdir(match):
            # `**` matches every folder and its files already.
            files += [] if "**" in pattern else _walk(match, left_out)
        elif _is_dump(os.path.basename(match), match, left_out, bare=True):
            files.append(FoundFile(match))
    if not files:
        raise InputError(f"no dumps match {pattern}; {_SEARCHED}{_but(left_out)}")
    return files


# ---------------------------------------------------------------- object stores


@lru_cache(maxsize=16)
def _filesystem(scheme: str, bucket: str, endpoint: str | None) -> Any:
    from pyarrow import fs

    if scheme == "s3" and endpoint:
        parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return fs.S3FileSystem(endpoint_override=parts.netloc, scheme=parts.scheme, region=region)
    return fs.FileSystem.from_uri(f"{'gs' if scheme == 'gcs' else scheme}://{bucket}")[0]


def _remote(source: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    scheme, rest = source.split("://", 1)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    bucket = rest.split("/", 1)[0]
    if not bucket:
        raise UsageError(f"{source} names no bucket")
    try:
        return _filesystem(scheme.lower(), bucket, endpoint), rest
    except (OSError, ValueError) as error:
        raise InputError(f"cannot reach {source}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _expand_remote(source: str, left_out: LeftOut) -> list[str]:
    from pyarrow import fs

    filesystem, path = _remote(source)
    scheme = source.split("://", 1)[0]
    path = path.rstrip("/")
    try:
        found = filesystem.get_file_info(path)
        if found.type == fs.FileType.File:
            return [f"{scheme}://{path}"]
        pattern = None
        base = path
        if found.type == fs.FileType.NotFound:
            if not glob.has_magic(path):
                raise InputError(f"no such file or folder: {source}")
            pattern = path
            parts = path.split("/")
            base = "/".join(parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])
        selector = fs.FileSelector(base, recursive=True, allow_not_found=True)
        files = [i.path for i in filesystem.get_file_info(selector) if i.type == fs.FileType.File]
    except OSError as error:
        raise InputError(f"cannot list {source}: {_first_line(error)}") from None
    if pattern is not None:
        deep = "**" in pattern
        files = [
            file
            for file in files
            if fnmatch.fnmatchcase(file, pattern.replace("**/", "*") if deep else pattern)
            and (deep or file.count("/") == pattern.count("/"))
        ]
    files = [
        file
        for file in files
        if _is_dump(file[len(base) :].strip("/"), f"{scheme}://{file}", left_out, bare=pattern is not None)
    ]
    if not files:
        raise InputError(f"no dumps at {source}; {_SEARCHED}{_but(left_out)}")
    return [FoundFile(f"{scheme}://{file}") for file in sorted(files)]


# ---------------------------------------------------------------- opening


def is_plain_file(name: str) -> bool:
    """Whether a source is a local file that can be read at any offset."""
    if name == STDIN or name.startswith(MEMORY) or _scheme(name) in _REMOTE or is_address(name):
        return False
    return os.path.isfile(name)


def source_size(name: str) -> int | None:
    """Stored size in bytes; None if it cannot be known before reading."""
    if name == STDIN or is_address(name):
        return None
    if _scheme(name) in _REMOTE:
        filesystem, path = _remote(name)
        try:
            size = filesystem.get_file_info(path).size
        except OSError:
            return None
        return None if size is None else int(size)
    try:
        return os.path.getsize(name) if os.path.isfile(name) else None
    except OSError:  # the file is gone: reading it will report that
        return None


@contextmanager
def open_source(name: str, *, stdin: BinaryIO | None = None) -> Iterator[BinaryIO]:
    """Opens a source for reading from start to end. A named pipe must have a writer within :data:`PIPE_WAIT`.

    Raises:
        InputError: it cannot be opened, or standard input is a device that may have no end.
    """
    if name == STDIN:
        if stdin is None:
            _check_input()
        yield sys.stdin.buffer if stdin is None else stdin
        return
    stream: Any
    try:
        if _scheme(name) in _REMOTE:
            filesystem, path = _remote(name)
            stream = filesystem.open_input_stream(path, compression=None)
        else:
            stream = _open_pipe(name) if _is_pipe(name) else open(name, "rb", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror or _first_line(error)}") from None
    with stream:
        yield stream


def temporary_file(name: str, *, named: bool = False) -> Any:
    """A temporary file for a copy of a source, without a name in the file system unless it is ``named``.

    Only SQLite needs a name. Such a file is left behind if the process is killed.

    Raises:
        InputError: it cannot be made.
    """
    try:
        make = tempfile.NamedTemporaryFile if named else tempfile.TemporaryFile
        return make(prefix="harvestdetect-")
    except OSError as error:
        raise cannot_copy(name, error) from None


def cannot_copy(name: str, error: OSError) -> InputError:
    """The error of a source that cannot be copied to the temporary folder."""
    where = tempfile.tempdir or os.environ.get("TMPDIR", "/tmp")
    return InputError(
        f"cannot keep {name} in the temporary folder {where}: {reason_of(error)}; free some space there, or set TMPDIR "
        "to a folder on another disk"
    )


def _check_input() -> None:
    """Raises InputError if standard input may have no end, such as /dev/zero."""
    try:
        descriptor = sys.stdin.fileno()
        mode = os.fstat(descriptor)
    except (OSError, ValueError, AttributeError):
        return
    null = os.stat(os.devnull)
    if stat.S_ISCHR(mode.st_mode) and mode.st_rdev != null.st_rdev and not os.isatty(descriptor):
        raise InputError("cannot read standard input: it is a device, whose content may have no end; name a file")


def _is_pipe(name: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(name).st_mode)
    except OSError:
        return False


def _open_pipe(name: str) -> BinaryIO:
    """Opens a pipe in a thread, because opening waits for a writer.

    Raises:
        InputError: no process has opened the pipe for writing.
    """
    opened: list[BinaryIO | OSError] = []

    def open_it() -> None:
        try:
            opened.append(open(name, "rb", buffering=0))  # noqa: SIM115
        except OSError as error:
            opened.append(error)

    thread = threading.Thread(target=open_it, daemon=True)
    thread.start()
    thread.join(PIPE_WAIT)
    if not opened:
        with suppress(OSError):
            # A writer that writes nothing releases the thread.
            os.close(os.open(name, os.O_WRONLY | os.O_NONBLOCK))
        thread.join(PIPE_WAIT)
        for late in opened:
            if not isinstance(late, OSError):
                late.close()
        raise InputError(
            f"cannot read {name}: it is a pipe, and no process has opened it for writing within {PIPE_WAIT:.0f} s; "
            "start the writer first"
        )
    if isinstance(opened[0], OSError):
        raise opened[0]
    return opened[0]
