"""Files of a dump, prepared once and kept: a later scan takes what it needs of them without reading them again.

A shard is one file of a dump as :func:`harvestdetect.corpus.prepare.prepare` gives it, block by block, with its
rejects. Its
name tells everything that it depends on: the bytes of the file, how it was read and cut, and with which version. It is
written under a temporary name, flushed to the disk and renamed, ends with a digest of itself, and is used only when
that is right; anything else is made again. A shard that cannot be read now is not damaged: only bytes that do not match
the digest, read twice, are.

::

    b"harvest-shard-1\\n"   arrays of the first block, of the second, ...   JSON   its size, 8 bytes   SHA-256, 32 bytes
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harvestdetect import __version__
from harvestdetect.corpus.block import LAYOUT, Cutting, PreparedBlock, rows_of_account, select_rows
from harvestdetect.data import NO_PROMPTS, Batch, Reject, SourceFile
from harvestdetect.errors import CacheError
from harvestdetect.settings import Settings
from harvestdetect.util.disk import SpareFolder, reason_of
from harvestdetect.util.files import Unfinished, flush_to_disk, make_folder, sweep
from harvestdetect.util.retries import retried

__all__ = ["Condition", "Shard", "ShardFolder", "ShardWriter", "Window", "move_aside", "opened", "shown_name"]

Condition: TypeAlias = Literal["whole", "missing", "damaged"]

MAGIC: Final = b"harvest-shard-1\n"
TAIL: Final = 40
"""Bytes behind the JSON."""
_STEP: Final = 1 << 20
_TEXTS: Final = frozenset({"text_bytes", "shown_bytes", "value_bytes"})
"""Arrays of a block that hold text."""
_KINDS: Final = (".parquet", ".csv", ".jsonl", ".ndjson")
"""What of a file's name bears on how it is read."""


class ShardFolder:
    """A folder of shards.

    Args:
        folder: made if it is not there.
        settings: what of them bears on reading is part of a shard's name.
        cutting: likewise.
        lasting: a shard is named by the bytes of its file alone. Then it is not a copy that can be made again: the
            caller sees to it that all shards were cut in the same way, and a damaged one is moved into the folder
            ``aside`` next to this one.
        change: False: nothing in the folder is made, moved or removed.
        spare: the folder that this one is in, where a scan can do without it: it is given up when it cannot be
            written. None: that is an error.

    Raises:
        CacheError: the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: Settings,
        cutting: Cutting,
        lasting: bool = False,
        change: bool = True,
        spare: SpareFolder | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.cutting = cutting
        self.lasting = lasting
        self.change = change
        self.moved: dict[Path, Path] = {}
        """Damaged shards that were moved aside: from where, to where."""
        self._spare = spare
        told: dict[str, Any] = (
            {"lasting": True}
            if lasting
            else {
                "mapping": sorted(settings.mapping.items()),
                "format": settings.format,
                "max_line_bytes": settings.max_line_bytes,
                "segment_characters": cutting.segment_characters,
                "max_windows": cutting.max_windows,
                "registry": cutting.registry.digest if cutting.registry else None,
                "versions": [__version__, pa.__version__, unicodedata.unidata_version, sys.byteorder],
            }
        )
        self._key = json.dumps(told, sort_keys=True)
        if not change:
            return
        try:
            make_folder(self.folder)
            sweep(self.folder)
        except OSError as error:
            self.lose(CacheError(f"cannot use the folder {self.folder}: {reason_of(error)}"), error)

    def lose(self, error: CacheError, cause: OSError | None = None) -> None:
        """Goes on without writing shards, where a scan can do without them.

        Raises:
            CacheError: ``error``, where it cannot.
        """
        if self._spare is None:
            raise error from None
        self._spare.give_up(cause or error)

    @property
    def spare(self) -> bool:
        """Whether a scan can do without these shards."""
        return self._spare is not None

    @property
    def writable(self) -> bool:
        """Whether shards are still to be written."""
        return self._spare is None or self._spare.writable

    def open(self, name: str, sha256: str) -> Shard | None:
        """The shard of a file, whole; None where there is none, or a damaged one.

        A damaged one is moved aside where the folder is ``lasting`` and may be changed.

        Args:
            name: of the file.
            sha256: of its bytes as stored, as hex.

        Raises:
            UnreadableError: the shard is there and cannot be read now.
        """
        path = self.path(name, sha256)
        try:
            return opened(path, name=name)
        except _ABSENT:
            return None
        except _DAMAGE:
            if self.lasting and self.change:
                self.moved[path] = move_aside(path, self.aside, "damaged")
            return None

    def condition(self, name: str, sha256: str) -> Condition:
        """Whether the shard of a file is whole; changes nothing.

        Raises:
            UnreadableError: it cannot be read now.
        """
        try:
            opened(self.path(name, sha256), name=name).close()
        except _ABSENT:
            return "missing"
        except _DAMAGE:
            return "damaged"
        return "whole"

    @property
    def aside(self) -> Path:
        """Where damaged shards of a lasting folder go."""
        return self.folder.parent / "aside"

    def without(
        self,
        name: str,
        sha256: str,
        account: str,
        *,
        renamed: str | None = None,
        unsaid: Callable[[str], str] | None = None,
    ) -> int:
        """Takes the prompts of an account out of a shard, all that only they hold, and mentions in it.

        Args:
            name: of the file.
            sha256: of its bytes.
            account: its id.
            renamed: what the file is to be called; the shard without the account is then at the path of this name,
                and the old one stays until the caller removes it. None: as before.
            unsaid: takes the id out of a reason for which a row was rejected; None: each place where it stands.

        Returns:
            How many prompts there were.

        Raises:
            UnreadableError: the shard cannot be read now.
            CacheError: the shard is not there or damaged, or the folder cannot be written.
        """
        held = self.open(name, sha256)
        if held is None:
            raise CacheError(f"the prepared file of {name} in {self.folder} is missing or damaged")
        new_name = name if renamed is None else renamed
        unsaid = unsaid or (lambda reason: reason.replace(account, "[erased]"))
        try:
            gone = sum(int(rows_of_account(block, account).sum()) for block in held)
            rejects = tuple(replace(reject, reason=unsaid(reject.reason)) for reject in held.rejects)
            if gone or rejects != held.rejects or held.stored_name != shown_name(new_name):
                self._write_without(held, rejects, new_name, account)
        finally:
            held.close()
        return gone

    def _write_without(self, held: Shard, rejects: tuple[Reject, ...], name: str, account: str) -> None:
        writer = self.writer(name)
        file = replace(held.file, name=shown_name(name))
        try:
            writer.tell(Batch(prompts=NO_PROMPTS, rejects=rejects, files=(file,)))
            for block in held:
                writer.append(select_rows(block, ~rows_of_account(block, account), respelt=True))
            writer.publish()
        finally:
            writer.discard()

    def writer(self, name: str) -> ShardWriter:
        """Takes a file that is being read.

        Raises:
            CacheError: the folder cannot be written.
        """
        return ShardWriter(self, name)

    def path(self, name: str, sha256: str) -> Path:
        """Where the shard of a file is, or would be."""
        base = os.path.basename(name).lower()
        told = json.dumps([self._key, sha256, [kind in base for kind in _KINDS]])
        return self.folder / f"{hashlib.sha256(told.encode()).hexdigest()}.shard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Files that were prepared before, as one source of prompts."""

    shards: ShardFolder
    files: tuple[tuple[str, str], ...]
    """Name and SHA-256 of each."""
    since: int | None = None
    """Prompts before this time (Unix seconds) do not count."""


_ABSENT: Final = (FileNotFoundError, NotADirectoryError)
_DAMAGE: Final = (ValueError, KeyError, TypeError)
"""What :class:`Shard` raises where the bytes are not those that were written."""


def opened(path: Path, *, name: str | None = None) -> Shard:
    """The shard at a path. What looks damaged is read twice: a read that came back short proves nothing.

    Args:
        path: of the shard.
        name: of its file as it is called now; None: as the shard has it.

    Raises:
        FileNotFoundError: there is nothing.
        UnreadableError: it cannot be read now.
        ValueError, KeyError, TypeError: it is damaged.
    """

    def once() -> Shard:
        stream = path.open("rb")
        try:
            return Shard(stream, name=name)
        except BaseException:
            stream.close()
            raise

    try:
        return retried(once, path)
    except _DAMAGE:
        return retried(once, path)


def move_aside(path: Path, folder: Path, why: str) -> Path:
    """Moves a file into a folder, under a name that says why and when; nothing there is replaced.

    Raises:
        CacheError: it cannot be moved.
    """
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    try:
        make_folder(folder)
        target, number = folder / f"{path.stem}.{why}-{stamp}{path.suffix}", 1
        while target.exists():
            number += 1
            target = folder / f"{path.stem}.{why}-{stamp}-{number}{path.suffix}"
        path.rename(target)
        flush_to_disk(folder)
        flush_to_disk(path.parent)
    except OSError as error:
        raise CacheError(f"cannot move {path} to {folder}: {error.strerror or error}") from None
    return target


def shown_name(name: str) -> str:
    """The name of a file as text: bytes that are not UTF-8 are written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


class Shard:
    """A file of a dump as it was prepared; to be closed.

    Args:
        stream: at the start of a shard.
        name: of the file as it is called now; None: as the shard has it.

    Raises:
        ValueError, KeyError, TypeError: it is not a whole shard.
        OSError: it cannot be read.
    """

    file: SourceFile
    rejects: tuple[Reject, ...]
    cut: tuple[int, int] | None
    """``segment_characters`` and ``max_windows`` that it was cut with; None: it does not say."""
    stored_name: str
    """What the file was called when the shard was written."""

    def __init__(self, stream: BufferedReader, *, name: str | None) -> None:
        size = os.fstat(stream.fileno()).st_size
        if size < len(MAGIC) + TAIL:
            raise ValueError("it is too short")
        digest, left = hashlib.sha256(), size - 32
        while left > 0 and (data := stream.read(min(left, _STEP))):
            digest.update(data)
            left -= len(data)
        if left or stream.read(33) != digest.digest():
            raise ValueError("the digest is wrong")
        stream.seek(size - TAIL)
        long = int.from_bytes(stream.read(8), "little")
        stream.seek(size - TAIL - long)
        told = json.loads(stream.read(long))
        self.stored_name = str(told["file"]["name"])
        shown = shown_name(self.stored_name if name is None else name)
        self.cut = None if "cutting" not in told else (int(told["cutting"][0]), int(told["cutting"][1]))
        self.file = SourceFile(**told["file"] | {"name": shown})
        self.rejects = tuple(
            Reject(file=shown, line=line, byte=byte, reason=reason) for line, byte, reason in told["rejects"]
        )
        self._blocks: list[list[int]] = told["blocks"]
        self._stream = stream
        if sum(self._bytes(block) for block in self._blocks) != size - TAIL - long - len(MAGIC):
            raise ValueError("the sizes are wrong")

    def text_places(self) -> list[tuple[int, int]]:
        """Where texts, values and the JSON lie in the file of the shard: start and stop of each, ascending."""
        found, place = [], len(MAGIC)
        for counts in self._blocks:
            for count, (name, (kind, width)) in zip(counts, LAYOUT.items(), strict=True):
                stop = place + count * np.dtype(kind).itemsize * width
                if name in _TEXTS:
                    found.append((place, stop))
                place = stop
        return [*found, (place, os.fstat(self._stream.fileno()).st_size - TAIL)]

    @staticmethod
    def _bytes(counts: list[int]) -> int:
        return sum(
            count * np.dtype(kind).itemsize * width
            for count, (kind, width) in zip(counts, LAYOUT.values(), strict=True)
        )

    def __iter__(self) -> Iterator[PreparedBlock]:
        """Its blocks, in order.

        Raises:
            CacheError: the shard was changed while it was read.
        """
        place = len(MAGIC)
        for counts in self._blocks:
            arrays: dict[str, Any] = {}
            for count, (name, (kind, width)) in zip(counts, LAYOUT.items(), strict=True):
                array = np.empty((count, width) if width > 1 else count, kind)
                self._read(array, place)
                place += array.nbytes
                arrays[name] = array
            yield PreparedBlock(**arrays)

    def times(self) -> Iterator[npt.NDArray[np.int64]]:
        """The times of its prompts, block by block: int64[n], Unix seconds or ``NO_TIME``. Reads nothing else.

        Raises:
            CacheError: the shard was changed while it was read.
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


class ShardWriter:
    """Writes the shard of a file that is being read; nothing is there under its name before it is whole.

    Raises:
        CacheError: the folder cannot be written.
    """

    def __init__(self, folder: ShardFolder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._digest = hashlib.sha256()
        self._blocks: list[list[int]] = []
        self._rejects: list[tuple[int | None, int | None, str]] = []
        self._file: SourceFile | None = None
        try:
            self._unfinished: Unfinished | None = Unfinished(folder.folder)
        except OSError as error:
            raise self._error(error) from None
        self._write(MAGIC)

    def _error(self, error: OSError) -> CacheError:
        remedy = "; mend that and run it again: what was there before is unchanged" if self._folder.lasting else ""
        return CacheError(f"cannot write to {self._folder.folder}: {reason_of(error)}{remedy}")

    def _write(self, data: Any) -> None:
        if self._unfinished is None:
            return
        self._digest.update(data)
        try:
            self._unfinished.stream.write(data)
        except OSError as error:
            self.discard()
            raise self._error(error) from None

    def tell(self, batch: Batch) -> None:
        """Takes the rejects of a batch, and the file that ends with it."""
        self._rejects += [(r.line, r.byte, r.reason) for r in batch.rejects]
        for file in batch.files:
            self._file = file
        if batch.cut and not self._folder.lasting:
            # Where reading stopped depends on the other files of the scan: the next scan looks again.
            self.discard()

    def append(self, block: PreparedBlock) -> None:
        """Takes the next block.

        Raises:
            CacheError: it cannot be written.
        """
        counts = []
        for name, (kind, _) in LAYOUT.items():
            array = np.ascontiguousarray(getattr(block, name), kind)
            counts.append(len(array))
            if array.size:
                self._write(array.data.cast("B"))
        self._blocks.append(counts)

    def publish(self) -> None:
        """Puts the shard in its place, if the file was told as read; otherwise nothing is kept.

        Raises:
            CacheError: it cannot be written.
        """
        if self._unfinished is None or self._file is None:
            self.discard()
            return
        cutting = self._folder.cutting
        told = {
            "file": asdict(self._file),
            "rejects": self._rejects,
            "blocks": self._blocks,
            "cutting": [cutting.segment_characters, cutting.max_windows],
        }
        raw = json.dumps(told).encode()
        self._write(raw)
        self._write(len(raw).to_bytes(8, "little"))
        try:
            self._unfinished.stream.write(self._digest.digest())
            self._unfinished.publish(self._folder.path(self._name, self._file.sha256))
            flush_to_disk(self._folder.folder)
        except OSError as error:
            raise self._error(error) from None
        finally:
            self.discard()

    def discard(self) -> None:
        """Leaves nothing behind of what was not published."""
        if self._unfinished is not None:
            self._unfinished.discard()
            self._unfinished = None
