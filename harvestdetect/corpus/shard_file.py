"""The file that a file of a dump is kept in once it was cut up: blocks of arrays, JSON, and a digest of everything.

See :mod:`harvestdetect.corpus.shards` for why it has a format of its own.

::

    b"harvest-shard-2\\n"   arrays of the first block, of the second, ...   JSON   its size, 8 bytes   SHA-256, 32 bytes

Files that begin with ``harvest-shard-1`` have four arrays fewer per block.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.corpus.block import FIRST_LAYOUT, LAYOUT, PreparedBlock, of_first_layout
from harvestdetect.data import FileReading, Reject, SourceFile
from harvestdetect.errors import CacheError
from harvestdetect.store.trust import verified
from harvestdetect.util.retries import retried

__all__ = ["MAGIC", "TAIL", "Shard", "opened", "read_shard", "shown_name"]

MAGIC: Final = b"harvest-shard-2\n"
FIRST_MAGIC: Final = b"harvest-shard-1\n"
"""The beginning of the prepared files of version 0.2 and earlier."""
TAIL: Final = 40
"""Bytes behind the JSON."""
_STEP: Final = 1 << 20
"""Bytes that are read at a time to compute the digest."""
_TEXTS: Final = frozenset({"text_bytes", "shown_bytes", "value_bytes"})
"""Arrays of a block that hold text."""


def opened(path: Path, *, name: str | None = None) -> Shard:
    """The prepared file at a path.

    Args:
        path: of the prepared file.
        name: of the file of the dump as it is called now; None: as the prepared file has it.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file.
        UnreadableError: it cannot be read now.
        DamagedFileError: it is damaged.
    """
    return verified(lambda: read_shard(path, name), path)


def read_shard(path: Path, name: str | None = None) -> Shard:
    """What :func:`opened` calls: the prepared file at a path, read once.

    Raises:
        ValueError, KeyError, TypeError: its bytes are not those that were written.
        OSError: it cannot be read.
    """
    stream = path.open("rb")
    try:
        return Shard(stream, name=name)
    except BaseException:
        stream.close()
        raise


def shown_name(name: str) -> str:
    """The name of a file as text: bytes that are not UTF-8 are written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _file_of(stored: dict[str, Any]) -> SourceFile:
    """The file of a dump. Files that were prepared by earlier versions do not say how they were read."""
    reading = stored.get("reading")
    if reading is None:
        return SourceFile(**stored)
    others = {field: tuple(paths) for field, paths in reading["others"].items()}
    known = FileReading(**reading | {"others": others, "warnings": tuple(reading["warnings"])})
    return SourceFile(**stored | {"reading": known})


class Shard:
    """An open prepared file; to be closed.

    Args:
        stream: at the start of a prepared file.
        name: of the file of the dump as it is called now; None: as the prepared file has it.

    Raises:
        ValueError, KeyError, TypeError: it is not whole.
        OSError: it cannot be read.
    """

    file: SourceFile
    rejects: tuple[Reject, ...]
    cut: tuple[int, int] | None
    """``segment_characters`` and ``max_windows`` that it was cut with; None: it does not say."""
    stored_name: str
    """The name of the file of the dump when it was prepared."""

    def __init__(self, stream: BufferedReader, *, name: str | None) -> None:
        size = os.fstat(stream.fileno()).st_size
        _check_digest(stream, size)
        stream.seek(0)
        self._first = stream.read(len(MAGIC)) == FIRST_MAGIC
        self._layout = FIRST_LAYOUT if self._first else LAYOUT
        stream.seek(size - TAIL)
        length = int.from_bytes(stream.read(8), "little")
        stream.seek(size - TAIL - length)
        stored = json.loads(stream.read(length))
        self.stored_name = str(stored["file"]["name"])
        shown = shown_name(self.stored_name if name is None else name)
        self.cut = None if "cutting" not in stored else (int(stored["cutting"][0]), int(stored["cutting"][1]))
        self.file = _file_of(stored["file"] | {"name": shown})
        self.rejects = tuple(
            Reject(file=shown, line=line, byte=byte, reason=reason) for line, byte, reason in stored["rejects"]
        )
        self._blocks: list[list[int]] = stored["blocks"]
        self._stream = stream
        stated, there = sum(self._bytes(block) for block in self._blocks), size - TAIL - length - len(MAGIC)
        if stated != there:
            raise ValueError(f"its blocks need {stated:,} bytes, and it has {there:,} for them")

    def text_places(self) -> list[tuple[int, int]]:
        """Where texts, values and the JSON lie in the prepared file: start and stop of each, ascending."""
        found, place = [], len(MAGIC)
        for counts in self._blocks:
            for count, (name, (kind, width)) in zip(counts, self._layout.items(), strict=True):
                stop = place + count * np.dtype(kind).itemsize * width
                if name in _TEXTS:
                    found.append((place, stop))
                place = stop
        return [*found, (place, os.fstat(self._stream.fileno()).st_size - TAIL)]

    def _bytes(self, counts: list[int]) -> int:
        return sum(
            count * np.dtype(kind).itemsize * width
            for count, (kind, width) in zip(counts, self._layout.values(), strict=True)
        )

    def __iter__(self) -> Iterator[PreparedBlock]:
        """Its blocks, in order.

        Raises:
            CacheError: the file was changed while it was read.
        """
        place = len(MAGIC)
        for counts in self._blocks:
            arrays: dict[str, Any] = {}
            for count, (name, (kind, width)) in zip(counts, self._layout.items(), strict=True):
                array = np.empty((count, width) if width > 1 else count, kind)
                self._read(array, place)
                place += array.nbytes
                arrays[name] = array
            yield of_first_layout(arrays) if self._first else PreparedBlock(**arrays)

    def times(self) -> Iterator[npt.NDArray[np.int64]]:
        """The times of its prompts, block by block: int64[n], Unix seconds or ``NO_TIME``. Reads nothing else.

        Raises:
            CacheError: the file was changed while it was read.
        """
        place = len(MAGIC)
        before = list(LAYOUT).index("time")
        for counts in self._blocks:
            array = np.empty(counts[before], np.int64)
            ahead = zip(counts[:before], list(LAYOUT.values())[:before], strict=True)
            self._read(array, place + sum(n * np.dtype(kind).itemsize * width for n, (kind, width) in ahead))
            place += self._bytes(counts)
            yield array

    def _read(self, array: npt.NDArray[Any], place: int) -> None:
        """Fills an array from a place in the file."""
        if not array.size:
            return

        def once() -> int:
            self._stream.seek(place)
            return self._stream.readinto(array.data.cast("B"))

        if retried(once, self._stream.name) != array.nbytes:
            raise CacheError(f"{self._stream.name} became shorter while it was read")

    def close(self) -> None:
        self._stream.close()


def _check_digest(stream: BufferedReader, size: int) -> None:
    """Reads a prepared file as a whole.

    Raises:
        ValueError: its digest is not that of its bytes.
    """
    if size < len(MAGIC) + TAIL:
        raise ValueError(f"it has {size:,} bytes, a prepared file has at least {len(MAGIC) + TAIL:,}")
    digest, left = hashlib.sha256(), size - 32
    while left > 0 and (data := stream.read(min(left, _STEP))):
        digest.update(data)
        left -= len(data)
    if left or stream.read(33) != digest.digest():
        raise ValueError("its bytes do not match its digest")
