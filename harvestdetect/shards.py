"""Files of a dump, prepared once and kept: a later scan takes what it needs of them without reading them again.

A shard is one file of a dump as :func:`harvestdetect.segments.prepare` gives it, block by block, with its rejects. Its
name tells everything that it depends on: the bytes of the file, how it was read and cut, and with which version. It is
written under a temporary name, flushed to the disk and renamed, ends with a digest of itself, and is used only when
that is right; anything else is made again.

::

    b"harvest-shard-1\\n"   arrays of the first block, of the second, ...   JSON   its size, 8 bytes   SHA-256, 32 bytes
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from harvestdetect import __version__
from harvestdetect.cache import flush_to_disk, remove_abandoned
from harvestdetect.data import NO_PROMPTS, Batch, Reject, SourceFile
from harvestdetect.disk import SpareFolder, reason_of
from harvestdetect.errors import CacheError
from harvestdetect.segments import LAYOUT, Cutting, Prepared, chosen, of_account
from harvestdetect.settings import Settings

__all__ = ["Shard", "ShardFolder", "ShardWriter", "Window"]

MAGIC: Final = b"harvest-shard-1\n"
TAIL: Final = 40
"""Bytes behind the JSON."""
_STEP: Final = 1 << 20
_KINDS: Final = (".parquet", ".csv", ".jsonl", ".ndjson")
"""What of a file's name bears on how it is read."""


class ShardFolder:
    """A folder of shards.

    Args:
        folder: made if it is not there.
        settings: what of them bears on reading is part of a shard's name.
        cutting: likewise.
        lasting: a shard is named by the bytes of its file alone. Then it is not a copy that can be made again: the
            caller sees to it that all shards were cut in the same way.
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
        spare: SpareFolder | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.cutting = cutting
        self.lasting = lasting
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
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_abandoned(self.folder, suffix=".tmp")
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
        """The shard of a file, whole; None where there is none. A broken one is removed.

        Args:
            name: of the file.
            sha256: of its bytes as stored, as hex.
        """
        path = self.path(name, sha256)
        try:
            stream = path.open("rb")
        except OSError:
            return None
        try:
            return Shard(stream, name=name)
        except (OSError, ValueError, KeyError, TypeError):
            stream.close()
            with suppress(OSError):
                path.unlink()
            return None

    def without(self, name: str, sha256: str, account: str) -> int:
        """Takes the prompts of an account out of a shard, and all that only they hold.

        Returns:
            How many prompts there were.

        Raises:
            CacheError: the shard is not there or broken, or the folder cannot be written.
        """
        held = self.open(name, sha256)
        if held is None:
            raise CacheError(f"what was read of {name} is not in {self.folder} any more")
        try:
            gone = sum(int(of_account(block, account).sum()) for block in held)
            if gone:
                self._write_without(held, name, account)
        finally:
            held.close()
        return gone

    def _write_without(self, held: Shard, name: str, account: str) -> None:
        writer = self.writer(name)
        rejects = [replace(r, reason=r.reason.replace(account, "[erased]")) for r in held.rejects]
        try:
            writer.tell(Batch(prompts=NO_PROMPTS, rejects=tuple(rejects), files=(held.file,)))
            for block in held:
                writer.append(chosen(block, ~of_account(block, account), respelt=True))
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


class Shard:
    """A file of a dump as it was prepared; to be closed.

    Args:
        stream: at the start of a shard.
        name: of the file as it is called now.

    Raises:
        ValueError, KeyError, TypeError, OSError: it is not a whole shard.
    """

    file: SourceFile
    rejects: tuple[Reject, ...]

    def __init__(self, stream: BufferedReader, *, name: str) -> None:
        size = os.fstat(stream.fileno()).st_size
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
        shown = name.encode("utf-8", "backslashreplace").decode()
        self.file = SourceFile(**told["file"] | {"name": shown})
        self.rejects = tuple(
            Reject(file=shown, line=line, byte=byte, reason=reason) for line, byte, reason in told["rejects"]
        )
        self._blocks: list[list[int]] = told["blocks"]
        self._stream = stream
        if sum(self._bytes(block) for block in self._blocks) != size - TAIL - long - len(MAGIC):
            raise ValueError("the sizes are wrong")

    @staticmethod
    def _bytes(counts: list[int]) -> int:
        return sum(
            count * np.dtype(kind).itemsize * width
            for count, (kind, width) in zip(counts, LAYOUT.values(), strict=True)
        )

    def __iter__(self) -> Iterator[Prepared]:
        """Its blocks, in order.

        Raises:
            CacheError: the shard was changed while it was read.
        """
        self._stream.seek(len(MAGIC))
        for counts in self._blocks:
            arrays: dict[str, Any] = {}
            for count, (name, (kind, width)) in zip(counts, LAYOUT.items(), strict=True):
                array = np.empty((count, width) if width > 1 else count, kind)
                got = self._stream.readinto(array.data.cast("B")) if array.size else 0
                if got != array.nbytes:
                    raise CacheError(f"{self._stream.name} became shorter while it was read")
                arrays[name] = array
            yield Prepared(**arrays)

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
        self._path = folder.folder / f"{uuid.uuid4().hex}.tmp"
        self._digest = hashlib.sha256()
        self._blocks: list[list[int]] = []
        self._rejects: list[tuple[int | None, int | None, str]] = []
        self._file: SourceFile | None = None
        try:
            self._stream: BufferedWriter | None = self._path.open("xb")
        except OSError as error:
            raise self._error(error) from None
        self._write(MAGIC)

    def _error(self, error: OSError) -> CacheError:
        remedy = "; mend that and run it again: what was there before is unchanged" if self._folder.lasting else ""
        return CacheError(f"cannot write to {self._folder.folder}: {reason_of(error)}{remedy}")

    def _write(self, data: Any) -> None:
        if self._stream is None:
            return
        self._digest.update(data)
        try:
            self._stream.write(data)
        except OSError as error:
            self.discard()
            raise self._error(error) from None

    def tell(self, batch: Batch) -> None:
        """Takes the rejects of a batch, and the file that ends with it."""
        self._rejects += [(r.line, r.byte, r.reason) for r in batch.rejects]
        for file in batch.files:
            self._file = file

    def append(self, block: Prepared) -> None:
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
        if self._stream is None or self._file is None:
            self.discard()
            return
        told = {"file": asdict(self._file), "rejects": self._rejects, "blocks": self._blocks}
        raw = json.dumps(told).encode()
        self._write(raw)
        self._write(len(raw).to_bytes(8, "little"))
        try:
            self._stream.write(self._digest.digest())
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._path.rename(self._folder.path(self._name, self._file.sha256))
            flush_to_disk(self._folder.folder)
        except OSError as error:
            raise self._error(error) from None
        finally:
            self.discard()

    def discard(self) -> None:
        """Leaves nothing behind of what was not published."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
            self._stream = None
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
