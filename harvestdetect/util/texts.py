"""Many texts outside the memory of the process: in a file, found by place and size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from harvestdetect.util.arrays import AnyInts, Bytes, Ints, Ints32
from harvestdetect.util.scratch import Place, ScratchFile

__all__ = ["TextFile", "Texts", "pack", "unpack", "write_texts"]


GAP: Final = 4_096
"""Most bytes between two texts that are read together."""
SPAN: Final = 8_000_000
"""Approximate number of bytes of one read."""


class TextFile(ScratchFile):
    """A file to which texts are appended, and from which they are read by place.

    Args:
        folder: see :class:`~harvestdetect.util.scratch.ScratchFile`.
    """

    def __init__(self, folder: Place = None) -> None:
        super().__init__(folder)
        self.bytes = 0

    def append(self, data: bytes | memoryview) -> int:
        """Appends bytes. Returns the place where they begin."""
        place = self.bytes
        self.write(place, memoryview(data))
        self.bytes += len(data)
        return place


class Texts:
    """n texts in a :class:`TextFile`, as UTF-8. Their order need not be that of the file.

    Args:
        file: the file.
        start: int64[n], the place of each text.
        size: int32[n], bytes of each text. Two texts are at the same place or do not overlap.
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

    def column(self, rows: AnyInts) -> pa.Array:
        """Some of the texts, in the order of ``rows``: large_binary[len(rows)]. Near texts are read together."""
        start, size = self._start[rows], self.size[rows].astype(np.int64)
        order = np.lexsort((size, start))
        start, stop = start[order], (start + size)[order]
        new = np.append(True, (np.diff(start) != 0) | (np.diff(stop) != 0))[: len(order)]
        item = np.empty(len(order), np.int64)
        item[order] = np.cumsum(new) - 1
        start, stop = start[new], stop[new]
        near = (start[1:] <= stop[:-1] + GAP) & (start[1:] // SPAN == start[:-1] // SPAN)
        first = np.flatnonzero(np.append(True, ~near)[: len(start)])
        last = np.append(first[1:], len(start))[: len(first)] - 1
        length = stop[last] - start[first]
        lot = np.cumsum(length) // SPAN
        lots = np.split(np.arange(len(first)), np.flatnonzero(np.diff(lot)) + 1) if len(first) else []
        found = [pa.array([], pa.large_binary()), *(self._read(start, stop, first[r], last[r]) for r in lots)]
        return pa.concat_arrays(found).take(pa.array(item))

    def _read(self, start: Ints, stop: Ints, first: Ints, last: Ints) -> pa.Array:
        """Reads some runs of texts, each at once, from its text ``first`` to its text ``last``."""
        begin, length = start[first], stop[last] - start[first]
        data = np.empty(int(length.sum()), np.uint8)
        moved = np.cumsum(length) - length
        for place, at, count in zip(begin.tolist(), moved.tolist(), length.tolist(), strict=True):
            self._file.read_into(place, data[at : at + count])
        shift = np.repeat(moved - begin, last - first + 1)
        texts = slice(first[0], last[-1] + 1)
        # Every other value of this array is the gap between two texts.
        border = np.append(np.stack([start[texts] + shift, stop[texts] + shift], axis=1).ravel(), len(data))
        spread = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(border) - 1, [None, pa.py_buffer(border), pa.py_buffer(data)]
        )
        return spread.take(pa.array(np.arange(0, len(border) - 1, 2)))

    def select(self, rows: AnyInts) -> Texts:
        """Some of the texts, in the order of ``rows``, without reading them."""
        return Texts(self._file, self._start[rows], self.size[rows])


def pack(column: pa.Array) -> tuple[Ints32, Bytes]:
    """The n texts of a column without nulls: bytes of each, int32[n], and the bytes of all, one after the other."""
    column = column.cast(pa.large_binary())
    if not len(column):
        return np.empty(0, np.int32), np.empty(0, np.uint8)
    _, border_buffer, data = column.buffers()
    border = np.frombuffer(border_buffer, np.int64)[column.offset : column.offset + len(column) + 1]
    content = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return np.diff(border).astype(np.int32), content[border[0] : border[-1]]


def unpack(size: Ints32, data: Bytes) -> pa.Array:
    """The inverse of :func:`pack`: large_string[n]."""
    border = np.concatenate([[0], np.cumsum(size, dtype=np.int64)])
    return pa.LargeStringArray.from_buffers(len(size), pa.py_buffer(border), pa.py_buffer(data))


def write_texts(values: Iterable[str], folder: Place = None) -> Texts:
    """Writes texts to a new file."""
    file = TextFile(folder)
    raw = [value.encode() for value in values]
    size = np.array([len(r) for r in raw], np.int32)
    file.append(b"".join(raw))
    return Texts(file, np.cumsum(size, dtype=np.int64) - size, size)
