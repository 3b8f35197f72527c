"""Many texts, outside the process's memory: in a file, found by place and size."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harvestdetect.arrays import AnyInts

__all__ = ["TextFile", "Texts", "write_texts"]

Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]


class TextFile:
    """A file that texts are put at the end of and read from by place.

    Args:
        folder: where the file is made; it has no name, and is gone with the last use of it. None: the system's
            temporary folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._descriptor, name = tempfile.mkstemp(prefix="harvestdetect-", dir=folder)
        os.unlink(name)
        weakref.finalize(self, os.close, self._descriptor)
        self.bytes = 0

    def append(self, data: bytes) -> int:
        """Puts bytes at the end; the place where they begin."""
        place, view = self.bytes, memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.bytes += len(data)
        return place

    def read(self, place: int, size: int) -> bytes:
        """Some bytes."""
        return os.pread(self._descriptor, size, place)


class Texts:
    """n texts of a :class:`TextFile`, as UTF-8, in an order of their own.

    Args:
        file: that holds them.
        start: int64[n], the place of each.
        size: int32[n], bytes of each.
    """

    def __init__(self, file: TextFile, start: Ints, size: Ints32) -> None:
        self._file = file
        self._start = start
        self.size = size

    def __len__(self) -> int:
        return len(self.size)

    def __getitem__(self, row: int) -> str:
        return self._file.read(int(self._start[row]), int(self.size[row])).decode()

    def __iter__(self) -> Iterator[str]:
        for row in range(len(self)):
            yield self[row]

    def take(self, rows: AnyInts) -> list[str]:
        """Some of the texts, in the order of ``rows``."""
        read = self._file.read
        return [
            read(place, size).decode()
            for place, size in zip(self._start[rows].tolist(), self.size[rows].tolist(), strict=True)
        ]

    def select(self, rows: AnyInts) -> Texts:
        """Some of the texts, in the order of ``rows``, unread."""
        return Texts(self._file, self._start[rows], self.size[rows])


def write_texts(values: Iterable[str], folder: Path | None = None) -> Texts:
    """Texts put into a file of their own."""
    file = TextFile(folder)
    raw = [value.encode() for value in values]
    size = np.array([len(r) for r in raw], np.int32)
    file.append(b"".join(raw))
    return Texts(file, np.cumsum(size, dtype=np.int64) - size, size)
