"""Temporary files without a name. They leave no trace, even if the process is killed."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import Any, Final, NoReturn, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.errors import ScratchError
from harvestdetect.util.disk import SpareFolder, reason_of

__all__ = ["Place", "ScratchFile"]

Place: TypeAlias = Path | SpareFolder | None
"""Where temporary files go: a folder, a folder that is given up for the system's if it fails, or None, the system's."""

_COPIED: Final = 1 << 20
"""Bytes that are copied at a time when a file moves to another folder."""


class ScratchFile:
    """Bytes outside the memory of the process, read and written at given places by explicit calls.

    The pages of a memory map would count as memory of the process once they are touched. These bytes do not.

    Args:
        folder: where the file is made. If a :class:`~harvestdetect.util.disk.SpareFolder` fails, at once or later, the
            file moves to the temporary folder of the system.
        size: bytes that it has at first, all zero.

    Raises:
        ScratchError: the file cannot be made, written or read.
    """

    def __init__(self, folder: Place = None, *, size: int = 0) -> None:
        self._spare = folder if isinstance(folder, SpareFolder) else None
        self._folder = folder if isinstance(folder, Path) else None
        if self._spare is not None and self._spare.writable:
            try:
                self._open(self._spare.path, size)
                return
            except OSError as error:
                self._spare.give_up(error)
        self._spare = None
        try:
            self._open(self._folder, size)
        except OSError as error:
            self._failed("make", error)

    @classmethod
    def opened(cls, path: str) -> Self:
        """A file of another process, for reading.

        Args:
            path: see :attr:`path`, or of a copy.

        Raises:
            ScratchError: it cannot be opened.
        """
        file = cls.__new__(cls)
        file._spare, file._folder = None, Path(path).parent
        try:
            file._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            file._failed("open", error)
        file._close = weakref.finalize(file, os.close, file._descriptor)
        return file

    @property
    def path(self) -> str:
        """Where other processes of this user and machine can open the file, as long as this process has it open."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return os.fstat(self._descriptor).st_size

    def write(self, place: int, data: memoryview) -> None:
        """Writes bytes at a place.

        Raises:
            ScratchError: the disk is full or fails.
        """
        while data:
            try:
                done = os.pwrite(self._descriptor, data, place)
            except OSError as error:
                self._move(error)
                continue
            data, place = data[done:], place + done

    def read(self, place: int, size: int) -> bytes:
        """Reads up to ``size`` bytes at a place.

        Raises:
            ScratchError: the disk fails.
        """
        try:
            return os.pread(self._descriptor, size, place)
        except OSError as error:
            self._failed("read", error)

    def read_into(self, place: int, target: npt.NDArray[Any]) -> None:
        """Fills ``target``, a contiguous array, with the bytes at a place.

        Raises:
            ScratchError: the file is shorter, or the disk fails.
        """
        view = target.reshape(-1).view(np.uint8).data
        while view:
            try:
                got = os.preadv(self._descriptor, [view], place)
            except OSError as error:
                self._failed("read", error)
            if not got:
                where = self._where()
                raise ScratchError(
                    f"a temporary file in {where} has no data from byte {place:,} on; check the disk and scan again"
                )
            view, place = view[got:], place + got

    def _open(self, folder: Path | None, size: int) -> None:
        self._descriptor, name = tempfile.mkstemp(prefix="harvestdetect-", dir=folder)
        self._close = weakref.finalize(self, os.close, self._descriptor)
        os.unlink(name)
        os.ftruncate(self._descriptor, size)

    def _move(self, error: OSError) -> None:
        """Moves the file to the temporary folder of the system, if it is not there already."""
        if self._spare is None:
            self._failed("write", error)
        self._spare.give_up(error)
        self._spare = None
        before, close = self._descriptor, self._close
        try:
            size = os.fstat(before).st_size
            self._open(None, size)
            for start in range(0, size, _COPIED):
                raw = os.pread(before, min(_COPIED, size - start), start)
                piece = memoryview(
                    b"" if raw.count(0) == len(raw) else raw
                )  # what was never written is not written here either
                place = start
                while piece:
                    done = os.pwrite(self._descriptor, piece, place)
                    piece, place = piece[done:], place + done
        except OSError as later:
            self._failed("write", later)
        finally:
            close()

    def _failed(self, what: str, error: OSError) -> NoReturn:
        raise ScratchError(
            f"cannot {what} a temporary file in {self._where()}: {reason_of(error)}; free some space there, or set "
            "TMPDIR to a folder on another disk"
        ) from error

    def _where(self) -> str:
        if self._folder is not None or self._spare is not None:
            return str(self._folder or (self._spare and self._spare.path))
        try:
            return tempfile.gettempdir()
        except OSError:  # no temporary folder can be written
            return os.environ.get("TMPDIR", "/tmp")
