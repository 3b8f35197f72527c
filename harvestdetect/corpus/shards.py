"""Prepared files: files of a dump as they were cut up, kept so that a later scan need not read the dump again.

A prepared file has the blocks that :func:`harvestdetect.corpus.prepare.prepare` made of one file of a dump, and the
rejects of that file. A work folder and a state both have a folder of them. They are no artifacts of
:mod:`harvestdetect.store.folder`, for two reasons:

* The prepared files of a state are the only copy of its window. They must prove themselves when every database is
  lost, which a Parquet file cannot: nothing in it protects its footer.
* A block is 25 arrays of eight different lengths, which are no table.

So a prepared file (:mod:`harvestdetect.corpus.shard_file`) carries its own proof: its name is its key
(:func:`harvestdetect.store.keys.key_of`), and a digest of all its bytes is at its end. Whether it may be trusted is
decided by the same rule as for artifacts (:mod:`harvestdetect.store.trust`). The database of a state lists the
prepared files that the state needs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from harvestdetect import __version__
from harvestdetect.corpus.block import LAYOUT, Cutting, PreparedBlock, rows_of_account, select_rows
from harvestdetect.corpus.shard_file import MAGIC, Shard, opened, read_shard, shown_name
from harvestdetect.data import NO_PROMPTS, Batch, Reject, SourceFile
from harvestdetect.dump.columns.elsewhere import constants_of
from harvestdetect.dump.columns.names import mapped
from harvestdetect.dump.values.pseudonyms import fingerprint_of
from harvestdetect.errors import CacheError
from harvestdetect.settings import Settings
from harvestdetect.store.keys import key_of
from harvestdetect.store.trust import ABSENT, Condition, DamagedFileError, condition_of, move_aside
from harvestdetect.util.disk import SpareFolder, reason_of
from harvestdetect.util.files import Unfinished, file_digest, flush_to_disk, make_folder, sweep
from harvestdetect.util.words import segmenter

__all__ = ["SUFFIX", "ShardFolder", "ShardWriter", "Window", "is_of_this_version", "state_file_name"]

SUFFIX: Final = ".shard"
_KINDS: Final = (".parquet", ".csv", ".jsonl", ".ndjson")
"""Parts of a file's name that decide how it is read."""
_COPY: Final = re.compile(r"([0-9a-f]{12})-[0-9a-f]{40}\.shard\Z")
"""The name of a copy: a digest of the versions that it was made with, and its key."""
_OLD_COPY: Final = re.compile(r"[0-9a-f]{64}\.shard\Z")
"""The name of a prepared file of version 0.1."""
_OF_A_STATE: Final = ("state.sqlite", "lock", "aside")
"""Files and folders that only a state has."""


def state_file_name(name: str, sha256: str) -> str:
    """The name of the prepared file in a state; it depends on the bytes of the dump alone.

    Args:
        name: of the file of the dump.
        sha256: of its bytes as stored, as hex.
    """
    return f"{key_of({'lasting': True}, kind='prepared', content=_content(name, sha256))}{SUFFIX}"


def is_of_this_version(path: Path) -> bool:
    """Whether a prepared file of a work folder was made with these versions of the package and its libraries."""
    match = _COPY.match(path.name)
    return match is not None and match[1] == _versions()


def _versions() -> str:
    """A digest of the versions that the content of a prepared file depends on."""
    versions = [__version__, pa.__version__, unicodedata.unidata_version, segmenter(), sys.byteorder]
    return key_of({}, kind="versions", content=versions)[:12]


def _content(name: str, sha256: str) -> tuple[object, ...]:
    base = os.path.basename(name).lower()
    return (sha256, [kind in base for kind in _KINDS])


def _profile_key(profile: str) -> str:
    """What tells one choice of profiles from another: the name, or the digest of the file of the user."""
    file = Path(profile)
    return file_digest(file) if profile and file.is_file() else profile


class ShardFolder:
    """A folder of prepared files.

    Args:
        folder: made if it is not there.
        settings: the settings about reading are part of the key of a copy.
        cutting: how prompts are cut; also part of the key of a copy.
        in_state: whether this is the folder of a state. A prepared file there cannot be made again. So its key has no
            settings (the caller makes sure that all files are cut in the same way), and a damaged file is moved into
            the folder ``aside`` next to this one.
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
        in_state: bool = False,
        change: bool = True,
        spare: SpareFolder | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.cutting = cutting
        self.in_state = in_state
        self.change = change
        self.moved: dict[Path, Path] = {}
        """Damaged prepared files that were moved aside: from where, to where."""
        self._spare = spare
        self._mapping = mapped(settings.mapping)
        self._settings: dict[str, Any] = {
            "mapping": sorted(settings.mapping.items()),
            "format": settings.format,
            "profile": _profile_key(settings.profile),
            "pseudonyms": fingerprint_of(settings.pseudonyms),
            "max_line_bytes": settings.max_line_bytes,
            "segment_characters": cutting.segment_characters,
            "max_windows": cutting.max_windows,
            "registry": cutting.registry.digest if cutting.registry else None,
        }
        self._versions = _versions()
        if not change:
            return
        try:
            make_folder(self.folder)
            sweep(self.folder)
        except OSError as error:
            self.lose(CacheError(f"cannot use the folder {self.folder}: {reason_of(error)}"), error)
        if not in_state:
            self._remove_old_copies()

    def _remove_old_copies(self) -> None:
        """Removes copies that were made with other versions of this package or its libraries: no key finds them."""
        if any((self.folder.parent / name).exists() for name in _OF_A_STATE):
            return  # a state was given as a work folder, and its prepared files are no copies
        with suppress(OSError):
            for path in list(self.folder.glob(f"*{SUFFIX}")):
                match = _COPY.match(path.name)
                if match[1] != self._versions if match else _OLD_COPY.match(path.name):
                    path.unlink(missing_ok=True)

    def lose(self, error: CacheError, cause: OSError | None = None) -> None:
        """Goes on without writing prepared files, where a scan can do without them.

        Raises:
            CacheError: ``error``, where it cannot.
        """
        if self._spare is None:
            raise error from None
        self._spare.give_up(cause or error)

    @property
    def spare(self) -> bool:
        """Whether a scan can do without these prepared files."""
        return self._spare is not None

    @property
    def writable(self) -> bool:
        """Whether prepared files are still to be written."""
        return self._spare is None or self._spare.writable

    def open(self, name: str, sha256: str) -> Shard | None:
        """The prepared file of a file, if it is whole; None where it is missing or damaged.

        A damaged one is moved aside where the folder is that of a state and may be changed.

        Args:
            name: of the file.
            sha256: of its bytes as stored, as hex.

        Raises:
            UnreadableError: the prepared file is there and cannot be read now.
        """
        path = self.path(name, sha256)
        try:
            return opened(path, name=name)
        except ABSENT:
            return None
        except DamagedFileError:
            if self.in_state and self.change:
                self.moved[path] = move_aside(path, self.aside, "damaged")
            return None

    def condition(self, name: str, sha256: str) -> Condition:
        """Whether the prepared file of a file is whole; changes nothing.

        Raises:
            UnreadableError: it cannot be read now.
        """
        path = self.path(name, sha256)
        return condition_of(lambda: read_shard(path, name).close(), path)

    @property
    def aside(self) -> Path:
        """Where damaged prepared files of a state go."""
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
        """Takes an account out of a prepared file: its prompts, everything that only they hold, and mentions of it.

        Args:
            name: of the file.
            sha256: of its bytes.
            account: its id.
            renamed: new name of the file; the prepared file without the account is then at the path of this name,
                and the old one stays until the caller removes it. None: as before.
            unsaid: takes the id out of a reason for which a row was rejected; None: replaces it everywhere.

        Returns:
            How many prompts there were.

        Raises:
            UnreadableError: the prepared file cannot be read now.
            CacheError: the prepared file is missing or damaged, or the folder cannot be written.
        """
        shard = self.open(name, sha256)
        if shard is None:
            raise CacheError(f"the prepared file of {name} in {self.folder} is missing or damaged")
        new_name = name if renamed is None else renamed
        unsaid = unsaid or (lambda reason: reason.replace(account, "[erased]"))
        try:
            gone = sum(int(rows_of_account(block, account).sum()) for block in shard)
            rejects = tuple(replace(reject, reason=unsaid(reject.reason)) for reject in shard.rejects)
            if gone or rejects != shard.rejects or shard.stored_name != shown_name(new_name):
                self._write_without(shard, rejects, new_name, account)
        finally:
            shard.close()
        return gone

    def _write_without(self, shard: Shard, rejects: tuple[Reject, ...], name: str, account: str) -> None:
        writer = self.writer(name)
        file = replace(shard.file, name=shown_name(name))
        try:
            writer.tell(Batch(prompts=NO_PROMPTS, rejects=rejects, files=(file,)))
            for block in shard:
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
        """Where the prepared file of a file is, or would be."""
        if self.in_state:
            return self.folder / state_file_name(name, sha256)
        values = sorted(constants_of(self._mapping, name).items())
        key = key_of(self._settings, kind="prepared", content=(*_content(name, sha256), *values))
        return self.folder / f"{self._versions}-{key}{SUFFIX}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Files that were prepared before, as one source of prompts."""

    shards: ShardFolder
    files: tuple[tuple[str, str], ...]
    """Name and SHA-256 of each."""
    since: int | None = None
    """Prompts before this time (Unix seconds) do not count."""
    preambles: tuple[str, ...] = ()
    """Preambles that an earlier scan of the state found, with slots in braces."""


class ShardWriter:
    """Writes the prepared file of a file that is being read; nothing is there under its name before it is whole.

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
        remedy = "; mend that and run it again: what was there before is unchanged" if self._folder.in_state else ""
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
        if batch.cut and not self._folder.in_state:
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
        """Puts the prepared file in its place if :meth:`tell` got the end of the file; otherwise nothing is kept.

        Raises:
            CacheError: it cannot be written.
        """
        if self._unfinished is None or self._file is None:
            self.discard()
            return
        cutting = self._folder.cutting
        stored = {
            "file": asdict(self._file),
            "rejects": self._rejects,
            "blocks": self._blocks,
            "cutting": [cutting.segment_characters, cutting.max_windows],
        }
        raw = json.dumps(stored).encode()
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
