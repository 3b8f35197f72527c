"""Rows of numbers outside the memory of the process, in a file (:mod:`harvestdetect.util.scratch`)."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.util.arrays import AnyArray
from harvestdetect.util.scratch import Place, ScratchFile

__all__ = ["RowFile", "Rows"]

GAP: Final = 16
"""Most unwanted rows between two wanted rows that are read together."""


class RowFile:
    """n rows of d numbers in a temporary file without a name.

    Rows are read with ``file[rows]`` and written with ``file[rows] = values``, where ``rows`` is a slice of step 1 or
    an array of row numbers. Reading makes a new array. Rows that were never written are zero.

    Args:
        n: number of rows.
        d: numbers in a row.
        dtype: type of the numbers.
        folder: see :class:`~harvestdetect.util.scratch.ScratchFile`.

    Raises:
        ScratchError: the file cannot be made. Reading and writing raise it if the disk is full or fails.
    """

    def __init__(self, n: int, d: int, *, dtype: npt.DTypeLike = np.float16, folder: Place = None) -> None:
        self.shape = (n, d)
        self.dtype = np.dtype(dtype)
        self._row = d * self.dtype.itemsize
        self._file = ScratchFile(folder, size=n * self._row)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | AnyArray) -> AnyArray:
        if isinstance(rows, slice):
            start, stop = self._span(rows)
            out = np.empty((stop - start, self.shape[1]), self.dtype)
            self._read(start, out)
            return out
        wanted, back = np.unique(rows, return_inverse=True)
        self._check(wanted)
        found = np.empty((len(wanted), self.shape[1]), self.dtype)
        first = np.flatnonzero(np.diff(wanted, prepend=-GAP - 2) > GAP)
        for i, j in zip(first.tolist(), np.append(first[1:], len(wanted)).tolist(), strict=False):
            start, stop = int(wanted[i]), int(wanted[j - 1]) + 1
            if stop - start == j - i:
                self._read(start, found[i:j])
            else:
                found[i:j] = self[start:stop][wanted[i:j] - start]
        return found[back.reshape(-1)]

    def __setitem__(self, rows: slice | AnyArray, values: AnyArray) -> None:
        values = np.ascontiguousarray(values, self.dtype)
        if isinstance(rows, slice):
            start, stop = self._span(rows)
            if values.shape != (stop - start, self.shape[1]):
                raise ValueError(f"{stop - start} rows of {self.shape[1]} are needed, got {values.shape}")
            self._write(start, values)
            return
        if values.shape != (len(rows), self.shape[1]):
            raise ValueError(f"{len(rows)} rows of {self.shape[1]} are needed, got {values.shape}")
        order = np.argsort(rows, kind="stable")
        target = rows[order]
        self._check(target)
        first = np.flatnonzero(np.diff(target, prepend=-2) != 1)
        for i, j in zip(first.tolist(), np.append(first[1:], len(target)).tolist(), strict=False):
            self._write(int(target[i]), values[order[i:j]])

    def _span(self, rows: slice) -> tuple[int, int]:
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError("only slices of step 1 are known")
        return start, max(start, stop)

    def _check(self, ascending: AnyArray) -> None:
        if len(ascending) and not 0 <= ascending[0] <= ascending[-1] < len(self):
            raise IndexError(f"there are {len(self)} rows, asked for {ascending[0]} to {ascending[-1]}")

    def _read(self, start: int, out: AnyArray) -> None:
        self._file.read_into(start * self._row, out)

    def _write(self, start: int, values: AnyArray) -> None:
        self._file.write(start * self._row, values.reshape(-1).view(np.uint8).data)


Rows: TypeAlias = AnyArray | RowFile
"""Vectors in memory or in a file. ``rows[slice or array]`` is an array in both cases."""
