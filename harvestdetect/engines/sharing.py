"""Values that several processes read: a file with arrays and a short pickle, mapped into memory.

The pickle has only what this package made: dataclasses, numbers, texts as data, and the places of arrays. Its digest
travels with the task, so a file that somebody else changed is not opened. Arrays are mapped, so the workers of a
machine share their pages. A temporary file within a value is not copied on this machine; a worker opens it again.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import pickle
import tempfile
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np

from harvestdetect.errors import ScratchError
from harvestdetect.util.disk import reason_of
from harvestdetect.util.scratch import Place, ScratchFile

__all__ = ["INLINE", "Exchange", "Here", "Parcel", "Shared", "Stored", "discard", "opened"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

INLINE: Final = 100_000
"""Bytes of a pickle up to which arguments and results travel with a task; larger ones go through a file. Ray keeps
values of this size out of its object store."""
APART: Final = 4_096
"""Bytes of an array from which it is kept beside the pickle."""
ALIGNED: Final = 64
"""Bytes. The place of an array in a file is a multiple of this."""
KEPT: Final = 8
"""Number of shared values that a worker keeps."""
COPIED: Final = 1 << 22
"""Bytes of a temporary file that are copied at a time."""

_loaded: OrderedDict[tuple[str, str], Any] = OrderedDict()
"""The shared values that this process has read, by path and digest, the last one used at the end."""


class Shared(Protocol[T_co]):
    """A value that the workers of an engine can read."""

    def value(self) -> T_co:
        """The value; its arrays must not be changed."""


@dataclass(frozen=True, slots=True)
class Here(Generic[T_co]):
    """A value of this process."""

    kept: T_co

    def value(self) -> T_co:
        """The value."""
        return self.kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Generic[T_co]):
    """A value in a file: arrays, then their places, then the pickle."""

    path: str
    arrays: int
    """Number of arrays."""
    places: int
    """Byte of the file at which their places begin, two int64 each."""
    digest: str
    """Hex digest of everything from there on."""

    def value(self) -> T_co:
        """The value. This process keeps it.

        Raises:
            ScratchError: the file is gone or was changed.
        """
        key = (self.path, self.digest)
        if key not in _loaded:
            _loaded[key] = self.read()
            while len(_loaded) > KEPT:
                _loaded.popitem(last=False)
        _loaded.move_to_end(key)
        return _loaded[key]  # type: ignore[no-any-return]

    def read(self) -> T_co:
        """The value, read anew.

        Raises:
            ScratchError: the file is gone or was changed.
        """
        try:
            with open(self.path, "rb") as file:
                view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        except (OSError, ValueError) as error:
            raise _unreadable(self.path, error) from None
        if hashlib.blake2b(view[self.places :]).hexdigest() != self.digest:
            raise ScratchError(f"{self.path} was changed by another program; scan again with a folder of your own")
        head = self.places + 16 * self.arrays
        bounds = np.frombuffer(view[self.places : head], np.int64).reshape(-1, 2).tolist()
        return pickle.loads(view[head:], buffers=[view[a:b] for a, b in bounds])  # type: ignore[no-any-return]


Parcel = bytes | Stored[Any]
"""A value on its way to or from a worker: a pickle, or a file."""


def opened(parcel: Parcel) -> Any:
    """The value of a parcel."""
    return pickle.loads(parcel) if isinstance(parcel, bytes) else parcel.read()


def discard(parcel: Parcel) -> None:
    """Removes the file of a parcel. Arrays that were read from it stay."""
    if not isinstance(parcel, bytes):
        with suppress(OSError):
            os.unlink(parcel.path)


class Exchange:
    """Where values for other processes are put.

    Args:
        folder: takes a file for each, named by its content; None: files have no name, and other processes of this
            machine open them through the descriptors of this one.
        place: folder of the files without a name, see :class:`~harvestdetect.util.scratch.ScratchFile`.
    """

    def __init__(self, folder: Path | None = None, *, place: Place = None) -> None:
        self.folder = folder
        self._place = place
        self._known: dict[int, tuple[object, Any]] = {}
        """The id of a shared value or file -> itself, which keeps the id in use, and where it is."""

    def put(self, value: T) -> Stored[T]:
        """Shares a value. Values that were shared before are not written again within another one.

        Raises:
            ScratchError: the file cannot be written.
        """
        if id(value) not in self._known:
            head, arrays = self._pickled(value)
            self._known[id(value)] = (value, self._write(head, arrays))
        return self._known[id(value)][1]  # type: ignore[no-any-return]

    def parcel(self, value: object, *, name: str) -> Parcel:
        """Packs a value that is read once.

        Args:
            value: to be sent.
            name: beginning of the name of the file, if there is one. Equal values of two tasks need two files.

        Raises:
            ScratchError: the file cannot be written.
        """
        head, arrays = self._pickled(value)
        if len(head) + sum(array.nbytes for array in arrays) > INLINE:
            return self._write(head, arrays, name=name)
        return self._pickled(value, inline=True)[0] if arrays else head

    def forget(self, value: object) -> None:
        """Forgets one shared value. Its file is closed if it has no name."""
        _, stored = self._known.pop(id(value), (None, None))
        if stored is not None and self.folder is None:
            files = [key for key, (one, _) in self._known.items() if getattr(one, "path", None) == stored.path]
            for key in files:
                del self._known[key]

    def clear(self) -> None:
        """Forgets what was shared. Files without a name are closed."""
        self._known.clear()

    def path_of(self, file: ScratchFile) -> str:
        """Where other processes can read a temporary file."""
        if self.folder is None:
            self._known[id(file)] = (file, None)
            return file.path
        if id(file) not in self._known:
            copied = (file.read(place, min(COPIED, file.size - place)) for place in range(0, file.size, COPIED))
            self._known[id(file)] = (file, self._named(self.folder, copied, ""))
        return str(self._known[id(file)][1])

    def reduced(self, value: object) -> Any:
        """How a value within another one is pickled."""
        if isinstance(value, ScratchFile):
            return type(value).opened, (self.path_of(value),)
        known = self._known.get(id(value))
        return NotImplemented if known is None else (Stored.value, (known[1],))

    def _pickled(self, value: object, *, inline: bool = False) -> tuple[bytes, list[memoryview]]:
        arrays: list[memoryview] = []

        def within(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if inline or raw.nbytes < APART:
                return True
            arrays.append(raw)
            return False

        head = io.BytesIO()
        _Pickler(self, head, within).dump(value)
        return head.getvalue(), arrays

    def _write(self, head: bytes, arrays: list[memoryview], *, name: str = "") -> Stored[Any]:
        bounds: list[tuple[int, int]] = []
        pieces: list[bytes | memoryview] = []
        place = 0
        for array in arrays:
            bounds.append((place, place + array.nbytes))
            pieces += [array, bytes(-array.nbytes % ALIGNED)]
            place = bounds[-1][1] + len(pieces[-1])
        end = np.array(bounds, np.int64).tobytes() + head
        if self.folder is None:
            file = ScratchFile(self._place)
            self._known[id(file)] = (file, None)
            at = 0
            for piece in (*pieces, end):
                file.write(at, memoryview(piece))
                at += len(piece)
            path = file.path
        else:
            path = str(self._named(self.folder, (*pieces, end), name))
        digest = hashlib.blake2b(end).hexdigest()
        return Stored(path=path, arrays=len(arrays), places=place, digest=digest)

    def _named(self, folder: Path, pieces: Iterable[bytes | memoryview], name: str) -> Path:
        """Writes a file whose name ends with a digest of its content."""
        digest = hashlib.blake2b(digest_size=20)
        try:
            handle, unfinished = tempfile.mkstemp(dir=folder)
            with os.fdopen(handle, "wb") as stream:
                for piece in pieces:
                    digest.update(piece)
                    stream.write(piece)
            path = folder / f"{name}{digest.hexdigest()}"
            os.replace(unfinished, path)
        except OSError as error:
            raise ScratchError(
                f"cannot write to {folder}: {reason_of(error)}; free some space there, or name another folder that "
                "all machines share with --work"
            ) from error
        return path


class _Pickler(pickle.Pickler):
    """Pickles a value whose files and shared parts stay where they are."""

    def __init__(self, exchange: Exchange, stream: io.BytesIO, within: Any) -> None:
        super().__init__(stream, protocol=5, buffer_callback=within)
        self._exchange = exchange

    def reducer_override(self, value: Any) -> Any:
        """How a value is pickled; NotImplemented: as usual."""
        return self._exchange.reduced(value)


def _unreadable(path: str, error: Exception) -> ScratchError:
    reason = reason_of(error) if isinstance(error, OSError) else str(error)
    return ScratchError(
        f"a worker cannot read {path}: {reason}; give --work a folder that all machines share, and scan again"
    )
