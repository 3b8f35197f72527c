"""Files without a name: on the disk as long as they are used, and of no trace afterwards."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ScratchFile"]


class ScratchFile:
    """Bytes outside the process's memory, read and written by place with explicit calls.

    Pages of a memory map count as the process's own memory once they are touched; these do not.

    Args:
        folder: where the file is made; None: the system's temporary folder.
        size: bytes that it has at first, all nought.

    Raises:
        OSError: the file cannot be made; on reading and writing: the disk is full or fails.
    """

    def __init__(self, folder: Path | None = None, *, size: int = 0) -> None:
        self._descriptor, name = tempfile.mkstemp(prefix="harvestdetect-", dir=folder)
        os.unlink(name)
        weakref.finalize(self, os.close, self._descriptor)
        os.ftruncate(self._descriptor, size)

    def write(self, place: int, data: memoryview) -> None:
        """Puts bytes at a place."""
        while data:
            done = os.pwrite(self._descriptor, data, place)
            data, place = data[done:], place + done

    def read(self, place: int, size: int) -> bytes:
        """Up to so many bytes at a place."""
        return os.pread(self._descriptor, size, place)

    def read_into(self, place: int, target: npt.NDArray[Any]) -> None:
        """Fills ``target``, an array without gaps, with the bytes at a place.

        Raises:
            OSError: the file does not hold so many.
        """
        view = target.reshape(-1).view(np.uint8).data
        while view:
            got = os.preadv(self._descriptor, [view], place)
            if not got:
                raise OSError(f"nothing at byte {place:,} of a temporary file")
            view, place = view[got:], place + got
