"""What is kept between runs: vectors by model and text, and models made once.

Two rules hold for everything in the folder. It is written under a temporary name, flushed to the disk and
renamed, so that a name in its final form is whole. And it is trusted only by its content: a shard of
vectors has a row in the manifest and page checksums, a made model has the digests of its files beside it.
What fails the test is made again.

::

    FOLDER/models/<name>/          files of a made model, with digests.json
    FOLDER/vectors/<model>/        manifest.sqlite, <shard>.parquet

Several processes may read and write at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.errors import CacheError, UnreadableError
from harvestdetect.util.disk import SpareFolder, reason_of
from harvestdetect.util.files import (
    Unfinished,
    UnfinishedFolder,
    create_private,
    flush_to_disk,
    make_folder,
    set_modes,
    sweep,
)
from harvestdetect.util.retries import retried
from harvestdetect.util.vectors import Rows

__all__ = [
    "Notes",
    "VectorCache",
    "cache_folder",
    "file_digest",
    "flush_to_disk",
    "is_whole",
    "locate",
    "publish_folder",
]

Notes: TypeAlias = Callable[[str], None]
"""Is told, in a sentence, what was done differently from what was asked."""

DIGESTS = "digests.json"
DIGEST_BYTES = 16
ABANDONED_SECONDS = 3_600.0
"""Shards that no manifest names are removed when older: their writer may be about to name them."""
LOCK_SECONDS = 30.0
_CREATIONS = 20
"""Attempts to make the manifest while other processes make it too."""


def cache_folder(folder: Path | None = None) -> Path:
    """The folder asked for, or the user's: ``$XDG_CACHE_HOME/harvestdetect``, ``~/.cache/harvestdetect``.

    Raises:
        CacheError: the user has no home folder, as in a container under a number without a name.
    """
    if folder is not None:
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        root = Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()
    except RuntimeError:
        raise CacheError("no home folder is known; set HOME or XDG_CACHE_HOME, or name a cache folder") from None
    return root / "harvestdetect"


# ---------------------------------------------------------------- folders written once


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_whole(folder: Path) -> bool:
    """Whether a folder written by :func:`publish_folder` still has exactly its content.

    Raises:
        UnreadableError: a file in it cannot be read now, which says nothing about its content.
    """
    try:
        raw = retried(lambda: (folder / DIGESTS).read_text(encoding="utf-8"), folder / DIGESTS)
        digests = json.loads(raw)
        return (
            isinstance(digests, dict)
            and sorted(digests) == _files(folder)
            and all(_digest_again(folder / name) == digest for name, digest in digests.items())
        )
    except (OSError, ValueError):
        return False


def _digest_again(path: Path) -> str:
    """:func:`file_digest`, read again after an error that may pass."""
    return retried(lambda: file_digest(path), path)


def publish_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Have ``write`` fill a temporary folder, then put it at ``folder`` in one step.

    Where another process was faster and its content is whole, that content stays. A folder that is not whole
    is replaced.

    Raises:
        CacheError: the folder cannot be written.
    """
    try:
        sweep(folder.parent)
        with UnfinishedFolder(folder) as unfinished:
            _publish_folder(unfinished.path, folder, write)
        flush_to_disk(folder.parent)
    except OSError as error:
        said = error.strerror or reason_of(error)
        raise CacheError(f"cannot write {folder}: {said}; choose another folder") from error


def _publish_folder(temporary: Path, folder: Path, write: Callable[[Path], None]) -> None:
    write(temporary)
    digests = {name: file_digest(temporary / name) for name in _files(temporary)}
    (temporary / DIGESTS).write_text(json.dumps(digests, indent=1), encoding="utf-8")
    set_modes(temporary)
    for name in [*digests, DIGESTS]:
        flush_to_disk(temporary / name)
    for inner in [temporary, *(path for path in temporary.rglob("*") if path.is_dir())]:
        flush_to_disk(inner)
    for _ in range(3):
        try:
            temporary.rename(folder)
            break
        except OSError:
            if not folder.exists():
                raise
        if is_whole(folder):
            break
        broken = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.tmp")
        try:
            folder.rename(broken)
        except FileNotFoundError:
            continue
        shutil.rmtree(broken, ignore_errors=True)


def _files(folder: Path) -> list[str]:
    names = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in names if name != DIGESTS)


def _remove_unnamed(folder: Path, named: frozenset[str]) -> None:
    """Removes shards that no manifest names and that are old enough."""
    limit = time.time() - ABANDONED_SECONDS
    for path in folder.glob("*.parquet"):
        with suppress(OSError):
            if path.name not in named and path.stat().st_mtime <= limit:
                path.unlink(missing_ok=True)


# ---------------------------------------------------------------- vectors


def locate(keys: npt.NDArray[Any], digests: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Which digests are among some keys, and where.

    Args:
        keys: S16[m] or V16[m], ascending.
        digests: V16[n], in any order.

    Returns:
        bool[n], and the place of each that is there, int[n].
    """
    # As fixed-width byte strings of the same length, digests compare byte by byte.
    held, wanted = (np.ascontiguousarray(d).view(f"S{DIGEST_BYTES}") for d in (keys, digests))
    if not len(held):
        return np.zeros(len(wanted), dtype=np.bool_), np.zeros(len(wanted), dtype=np.intp)
    position = np.minimum(np.searchsorted(held, wanted), len(held) - 1)
    return held[position] == wanted, position


class VectorCache:
    """Vectors of one model by the digests of their texts, in Parquet shards under an SQLite manifest.

    Only shards that the manifest names are read. A shard that is gone, or whose checksums fail, is dropped from the
    manifest and told to ``notes``; its texts are then simply not found. A shard that cannot be read now stays; its
    texts are not found this time.

    Args:
        folder: the cache folder as a whole; the vectors go below ``vectors`` and the model's digest.
        model_digest: hex digest over everything a vector depends on besides the text.
        notes: told about what was dropped.
        spare: the folder, for whoever gives it up when a call fails; None: the caller does not keep count.

    Raises:
        CacheError: the folder cannot be made, or the manifest cannot be opened.
    """

    def __init__(
        self, folder: Path, model_digest: str, *, notes: Notes | None = None, spare: SpareFolder | None = None
    ) -> None:
        self.spare = spare
        self.folder = Path(folder) / "vectors" / model_digest[:32]
        self._model = model_digest
        self._notes: Notes = notes or (lambda note: None)
        self._digests: dict[str, npt.NDArray[np.bytes_]] = {}
        self._keys = np.empty(0, dtype=f"S{DIGEST_BYTES}")
        self._shard = np.empty(0, dtype=np.int32)
        self._row = np.empty(0, dtype=np.int32)
        self._names: list[str] = []
        try:
            make_folder(self.folder)
        except OSError as error:
            raise CacheError(
                f"cannot make the vector cache {self.folder}: {error.strerror or error}; "
                "choose another cache folder or none"
            ) from None
        try:
            new = self._create()
        except CacheError as error:
            if not isinstance(error.__cause__, sqlite3.DatabaseError) or isinstance(
                error.__cause__, sqlite3.OperationalError
            ):
                raise
            self._notes(f"the manifest of the vector cache {self.folder} was unreadable; it is made again")
            with self._usable():
                for suffix in ("", "-wal", "-shm"):
                    (self.folder / f"manifest.sqlite{suffix}").unlink(missing_ok=True)
            new = self._create()
        with self._usable():
            if new:
                self._adopt()
            for place in (Path(folder) / "models", *self.folder.parent.glob("*")):
                sweep(place)
            _remove_unnamed(self.folder, frozenset(self._manifest()))

    def contains(self, digests: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
        """Which of the texts have a vector, without reading any.

        Args:
            digests: V16[n], in any order.

        Returns:
            bool[n].

        Raises:
            CacheError: the manifest cannot be read.
        """
        self._refresh()
        return self._locate(digests)[0]

    def get(self, digests: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float16]]:
        """The vectors that are there.

        Args:
            digests: V16[n], in any order.

        Returns:
            ``found``, bool[n], and the vectors of the found ones in their order, float16[n_found, d]
            (float16[0, 0] where there are none).

        Raises:
            CacheError: the manifest cannot be read.
        """
        self._refresh()
        found, position = self._locate(digests)
        pieces = list(self._pieces(found, position))
        if not pieces:
            return found, np.empty((0, 0), dtype=np.float16)
        width = pieces[0][1].shape[1]
        place = np.cumsum(found) - 1
        out = np.empty((int(found.sum()), width), dtype=np.float16)
        for wanted, vectors in pieces:
            out[place[wanted]] = vectors
        return found, out

    def fill(self, digests: npt.NDArray[np.void], out: Rows) -> npt.NDArray[np.bool_]:
        """Puts the vectors that are there into their rows of an array, shard by shard.

        Args:
            digests: V16[n], in any order.
            out: float16[n, d], in memory or in a file; vectors of another length are not found.

        Returns:
            bool[n], which rows were filled.

        Raises:
            CacheError: the manifest cannot be read.
        """
        self._refresh()
        found, position = self._locate(digests)
        for wanted, vectors in self._pieces(found, position):
            if vectors.shape[1] == out.shape[1]:
                out[wanted] = vectors
            else:
                found[wanted] = False
        return found

    def _pieces(
        self, found: npt.NDArray[np.bool_], position: npt.NDArray[np.intp]
    ) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.float16]]]:
        """Of each shard the rows found in it and their vectors; what of ``found`` cannot be read becomes false."""
        shard_of = np.where(found, self._shard[position], -1) if len(self._keys) else np.full(len(found), -1)
        order = np.argsort(shard_of, kind="stable")
        bounds = np.searchsorted(shard_of[order], np.arange(len(self._names) + 1))
        for shard, name in enumerate(self._names):
            wanted = order[bounds[shard] : bounds[shard + 1]]
            if not len(wanted):
                continue
            try:
                vectors = self._read_vectors(name)[self._row[position[wanted]]]
            except (OSError, ValueError, IndexError, UnreadableError) as error:
                self._pass_over(name, error)
                found[wanted] = False
                continue
            yield wanted, vectors

    def put(self, digests: npt.NDArray[np.void], vectors: npt.NDArray[np.float16]) -> None:
        """Keep vectors: one shard, on the disk and in the manifest when this returns.

        Args:
            digests: V16[n].
            vectors: float16[n, d], finite.

        Raises:
            CacheError: the disk is full, permission is denied, or the manifest is locked for too long; then
                nothing of this call is kept.
        """
        if not len(digests):
            return
        if vectors.dtype != np.float16 or vectors.ndim != 2 or len(vectors) != len(digests):
            raise ValueError(f"vectors must be float16[{len(digests)}, d], got {vectors.dtype}{vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("vectors must be finite")

        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(
            {
                "digest": _binary(np.ascontiguousarray(digests).view(np.uint8), DIGEST_BYTES),
                "vector": _binary(np.ascontiguousarray(vectors).view(np.uint8), vectors.shape[1] * 2),
            }
        ).replace_schema_metadata({"model": self._model})
        name = f"{uuid.uuid4().hex}.parquet"
        try:
            with Unfinished(self.folder, name) as file:
                pq.write_table(
                    table,
                    file.stream,
                    compression="none",
                    use_dictionary=False,
                    write_statistics=False,
                    write_page_checksum=True,
                )
                file.publish(self.folder / name)
            flush_to_disk(self.folder)
        except (OSError, pa.ArrowException) as error:
            with suppress(OSError):
                (self.folder / name).unlink(missing_ok=True)
            said = getattr(error, "strerror", None) or reason_of(error)
            raise CacheError(f"cannot write to the vector cache {self.folder}: {said}") from error
        try:
            with self._connection() as connection:
                connection.execute(
                    "INSERT INTO shards (name, rows, created) VALUES (?, ?, ?)", (name, len(digests), time.time())
                )
        except CacheError:  # a full disk is not to be filled with what no manifest names
            with suppress(OSError):
                (self.folder / name).unlink(missing_ok=True)
            raise

    def thin(self, digests: npt.NDArray[np.void]) -> int:
        """Forgets the vectors of all texts but some. What is kept of a shard is written anew before that goes.

        Args:
            digests: V16[n], ascending.

        Returns:
            how many vectors are gone.

        Raises:
            CacheError: the folder cannot be written, or the manifest is locked for too long.
        """
        self._refresh()
        gone = 0
        for name in list(self._names):
            keys = self._digests[name].view(f"V{DIGEST_BYTES}")
            kept, _ = locate(digests, keys)
            if kept.all():
                continue
            if kept.any():
                try:
                    vectors = self._read_vectors(name)[kept]
                except (OSError, ValueError, IndexError, UnreadableError) as error:
                    self._pass_over(name, error)
                    continue
                self.put(keys[kept], vectors)
            with self._connection() as connection:
                connection.execute("DELETE FROM shards WHERE name = ?", (name,))
            with suppress(OSError):
                (self.folder / name).unlink(missing_ok=True)
            gone += int((~kept).sum())
        self._refresh()
        return gone

    # ------------------------------------------------------------ manifest

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheError(f"cannot use the vector cache {self.folder}: {error.strerror or error}") from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection whose work is committed at the end; opened each time, so that any process may fork."""
        try:
            connection = sqlite3.connect(self.folder / "manifest.sqlite", timeout=LOCK_SECONDS)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                with connection:
                    yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise CacheError(f"cannot use the manifest of the vector cache {self.folder}: {error}") from error

    def _create(self) -> bool:
        """Makes the manifest where there is none; returns whether it was made."""
        with suppress(OSError):  # the connection says why
            create_private(self.folder / "manifest.sqlite")
        for attempt in range(_CREATIONS):
            try:
                return self._create_table()
            except CacheError as error:
                # processes that turn on WAL at once are refused without waiting
                if "locked" not in str(error) or attempt + 1 == _CREATIONS:
                    raise
                time.sleep(0.1)
        raise AssertionError

    def _create_table(self) -> bool:
        with self._connection() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            there = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'shards'").fetchone()[0]
            connection.execute(
                "CREATE TABLE IF NOT EXISTS shards"
                " (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, created REAL NOT NULL) STRICT"
            )
        return not there

    def _adopt(self) -> None:
        """Enters shards into a manifest that had to be made again: those of this model whose checksums are right."""
        import pyarrow.parquet as pq

        for path in sorted(self.folder.glob("*.parquet")):
            try:
                if (pq.read_schema(path).metadata or {}).get(b"model") != self._model.encode():
                    continue
                rows = len(_column(path, "digest"))
                if len(_column(path, "vector")) != rows:
                    continue
            except (OSError, ValueError, UnreadableError):
                continue
            with self._connection() as connection:
                connection.execute(
                    "INSERT OR IGNORE INTO shards (name, rows, created) VALUES (?, ?, ?)",
                    (path.name, rows, time.time()),
                )

    def _manifest(self) -> dict[str, int]:
        """Name -> rows of every trusted shard."""
        with self._connection() as connection:
            return dict(connection.execute("SELECT name, rows FROM shards ORDER BY name"))

    def _pass_over(self, name: str, error: Exception) -> None:
        """Drops a shard that is gone or damaged; one that cannot be read now stays for the next time."""
        if isinstance(error, UnreadableError):
            self._notes(f"vectors are made again, for a shard of the vector cache cannot be read now: {error}")
        else:
            self._drop(name, error)

    def _drop(self, name: str, reason: object) -> None:
        self._digests.pop(name, None)
        self._notes(f"dropped an unreadable shard of the vector cache ({name}): {str(reason).splitlines()[0]}")
        with self._connection() as connection:
            connection.execute("DELETE FROM shards WHERE name = ?", (name,))
        with suppress(OSError):  # no longer in the manifest: never read again
            (self.folder / name).unlink(missing_ok=True)

    # ------------------------------------------------------------ shards

    def _refresh(self) -> None:
        """Bring the sorted index up to the manifest, reading the digests of new shards only."""
        manifest = self._manifest()
        for name in set(self._digests) - set(manifest):
            del self._digests[name]
        for name, rows in manifest.items():
            if name in self._digests:
                continue
            try:
                digests = _column(self.folder / name, "digest").view(f"S{DIGEST_BYTES}").ravel()
                if len(digests) != rows:
                    raise ValueError(f"{rows} rows expected, {len(digests)} found")
                self._digests[name] = digests
            except (OSError, ValueError, UnreadableError) as error:
                self._pass_over(name, error)
        names = sorted(self._digests)
        if names == self._names:
            return
        columns = [self._digests[name] for name in names]
        lengths = [len(column) for column in columns]
        keys = np.concatenate(columns) if columns else np.empty(0, dtype=f"S{DIGEST_BYTES}")
        order = np.argsort(keys, kind="stable")
        self._names = names
        self._keys = keys[order]
        self._shard = np.repeat(np.arange(len(names), dtype=np.int32), lengths)[order]
        rows_within = [np.arange(length, dtype=np.int32) for length in lengths]
        self._row = (np.concatenate(rows_within) if rows_within else np.empty(0, dtype=np.int32))[order]

    def _locate(self, digests: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
        return locate(self._keys, digests)

    def _read_vectors(self, name: str) -> npt.NDArray[np.float16]:
        return _column(self.folder / name, "vector").view(np.float16)


def _binary(values: npt.NDArray[np.uint8], width: int) -> Any:
    import pyarrow as pa

    buffer = pa.py_buffer(values.reshape(-1))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), values.size // width, [None, buffer])


def _column(path: Path, name: str) -> npt.NDArray[np.uint8]:
    """A fixed-width column of a shard, uint8[rows, width]; checksums are verified.

    Raises:
        FileNotFoundError: there is no such shard.
        UnreadableError: it cannot be read now.
        OSError, ValueError: its content is wrong, also when it is read again.
    """
    try:
        return retried(lambda: _column_once(path, name), path)
    except (OSError, ValueError):
        return retried(lambda: _column_once(path, name), path)


def _column_once(path: Path, name: str) -> npt.NDArray[np.uint8]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        if name not in file.schema_arrow.names or not pa.types.is_fixed_size_binary(file.schema_arrow.field(name).type):
            raise ValueError(f"no fixed-width column {name!r}")
        chunked = file.read(columns=[name]).column(0)
    column = pa.concat_arrays(chunked.chunks) if chunked.num_chunks != 1 else chunked.chunk(0)
    width = column.type.byte_width
    data = np.frombuffer(column.buffers()[1], dtype=np.uint8)
    return data[column.offset * width : (column.offset + len(column)) * width].reshape(len(column), width)
