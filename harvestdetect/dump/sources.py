"""What the user named, as a list of files; and opening them."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

from harvestdetect.errors import InputError, UsageError

__all__ = ["STDIN", "expand_sources", "is_plain_file", "open_source", "source_size"]

STDIN: Final = "-"
_KINDS: Final = (".jsonl", ".ndjson", ".csv", ".parquet")
_SUFFIXES: Final = tuple(kind + packed for kind in _KINDS for packed in ("", ".gz", ".zst"))
_LOOKED_FOR: Final = f"{', '.join('*' + kind for kind in _KINDS)}, each also .gz or .zst"
_REMOTE: Final = ("s3", "gs", "gcs")


def expand_sources(sources: Iterable[str | Path]) -> list[str]:
    """The files behind files, globs, folders, ``-``, ``s3://`` and ``gs://``.

    A folder (there also: a prefix) is searched recursively for ``*.jsonl *.ndjson *.csv *.parquet``, each
    also ``.gz`` and ``.zst``, in any case; hidden files and folders are left out. A glob takes the same,
    and files without any suffix. A file that was named is taken whatever its name.

    Args:
        sources: what the user named.

    Returns:
        Names sorted, each file once; standard input is ``-``.

    Raises:
        InputError: no such file, no permission, a folder or glob without dumps.
        UsageError: no source at all, standard input twice, an address of another kind.
    """
    named: list[str] = []
    count = 0
    for source in sources:
        count += 1
        named.extend(_expand(os.fspath(source)))
    if not count:
        raise UsageError("no dump was named; give files, folders, globs, s3:// or gs:// addresses, or -")
    if named.count(STDIN) > 1:
        raise UsageError("standard input (-) can be read only once, it was named twice")
    unique: dict[str, str] = {}
    for name in sorted(named):
        unique.setdefault(name if _scheme(name) or name == STDIN else os.path.realpath(name), name)
    return list(unique.values())


def _scheme(source: str) -> str | None:
    return source.split("://", 1)[0].lower() if "://" in source else None


def _expand(source: str) -> list[str]:
    if source == STDIN:
        return [STDIN]
    if "\0" in source:
        raise InputError(f"no such file: {source!a}")
    scheme = _scheme(source)
    if scheme in _REMOTE:
        return _expand_remote(source)
    if scheme == "file":
        source = urlsplit(source).path
    elif scheme is not None and not os.path.exists(source):
        raise UsageError(f"cannot read {source}: only files, s3:// and gs:// addresses are read")
    try:
        mode = os.stat(source).st_mode
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) and glob.has_magic(source):
            return _expand_glob(source)
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise InputError(f"no such file: {source}") from None
        raise InputError(f"cannot read {source}: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        files = _walk(source)
        if not files:
            raise InputError(f"no dumps in the folder {source}; looked for {_LOOKED_FOR}")
        return files
    return [_readable(source)]


def _readable(file: str) -> str:
    if not os.access(file, os.R_OK):
        raise InputError(f"cannot read {file}: Permission denied")
    return file


def _is_dump(name: str, *, bare: bool = False) -> bool:
    base = name.rstrip("/").rsplit("/", 1)[-1]
    if base.startswith("."):
        return False
    return base.lower().endswith(_SUFFIXES) or (bare and "." not in base)


def _walk(folder: str) -> list[str]:
    def fail(error: OSError) -> None:
        raise InputError(f"cannot read the folder {error.filename}: {error.strerror}")

    files = []
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [os.path.join(parent, name) for name in names if _is_dump(name)]
    return [_readable(file) for file in sorted(files)]


def _expand_glob(pattern: str) -> list[str]:
    files: list[str] = []
    for match in glob.glob(pattern, recursive=True):
        if os.path.isdir(match):
            # `**` names every folder and its files already.
            files += [] if "**" in pattern else _walk(match)
        elif _is_dump(match.replace(os.sep, "/"), bare=True):
            files.append(_readable(match))
    if not files:
        raise InputError(f"no dumps match {pattern}; looked for {_LOOKED_FOR}")
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
    """The file system and the path in it."""
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


def _expand_remote(source: str) -> list[str]:
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
    files = [
        file
        for file in files
        if _is_dump(file, bare=pattern is not None)
        and not any(part.startswith(".") for part in file[len(base) :].split("/"))
    ]
    if pattern is not None:
        deep = "**" in pattern
        files = [
            file
            for file in files
            if fnmatch.fnmatchcase(file, pattern.replace("**/", "*") if deep else pattern)
            and (deep or file.count("/") == pattern.count("/"))
        ]
    if not files:
        raise InputError(f"no dumps at {source}; looked for {_LOOKED_FOR}")
    return sorted(f"{scheme}://{file}" for file in files)


# ---------------------------------------------------------------- opening


def is_plain_file(name: str) -> bool:
    """Whether a source is a local file that can be read from any place."""
    return name != STDIN and _scheme(name) not in _REMOTE and os.path.isfile(name)


def source_size(name: str) -> int | None:
    """Bytes as stored; None where that cannot be known beforehand."""
    if name == STDIN:
        return None
    if _scheme(name) in _REMOTE:
        filesystem, path = _remote(name)
        try:
            size = filesystem.get_file_info(path).size
        except OSError:
            return None
        return None if size is None else int(size)
    return os.path.getsize(name) if os.path.isfile(name) else None


@contextmanager
def open_source(name: str, *, stdin: BinaryIO | None = None) -> Iterator[BinaryIO]:
    """A source for reading, front to back.

    Raises:
        InputError: it cannot be opened.
    """
    if name == STDIN:
        yield sys.stdin.buffer if stdin is None else stdin
        return
    stream: Any
    try:
        if _scheme(name) in _REMOTE:
            filesystem, path = _remote(name)
            stream = filesystem.open_input_stream(path, compression=None)
        else:
            stream = open(name, "rb", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror or _first_line(error)}") from None
    with stream:
        yield stream
