"""The store: artifacts in a folder, listed in one manifest.

The vector cache, a work folder and a state each have one. An artifact is a set of arrays that belong together, such as
the vectors of some texts or the neighbours of all of them. Arrays of one length are the columns of one Parquet file
(:mod:`harvestdetect.store.columns`), so an artifact is one file or a few. Its kind names the folder that these are in,
its key (:func:`harvestdetect.store.keys.key_of`) what they depend on.

::

    FOLDER/manifest.sqlite                     a row for each artifact
    FOLDER/<kind>/<artifact>.<part>.parquet    vectors, neighbors, clusters/...

An artifact is complete when the manifest names it, and only then is it read. Its files are written under temporary
names and flushed; they get their names, and the artifact its row, in one transaction of the manifest. So a file that
the manifest does not name, seen from inside a transaction, was left by a process that was killed: whoever opens the
folder for writing next removes it. Before use, files are checked against the manifest
(:mod:`harvestdetect.store.trust`). A manifest that is lost is made again from the files.

Two things that are kept between runs are no artifacts. Prepared files (:mod:`harvestdetect.corpus.shards`) must prove
themselves without a manifest. Made models (:mod:`harvestdetect.store.models`) are folders that other programs load.
Both have keys of the same scheme and are trusted by the same rule.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from harvestdetect.errors import CacheError
from harvestdetect.store.columns import Part, check_columns, part_of, read_columns, read_label, write_columns
from harvestdetect.store.keys import FORMAT
from harvestdetect.store.models import SEARCH, remove_indexes
from harvestdetect.store.trust import ABSENT, Condition, DamagedFileError
from harvestdetect.util.arrays import AnyArray
from harvestdetect.util.disk import reason_of
from harvestdetect.util.files import Unfinished, create_private, flush_to_disk, make_folder, sweep

__all__ = [
    "KINDS",
    "MANIFEST",
    "Artifact",
    "ArtifactFolder",
    "Notes",
    "cache_folder",
    "left_artifacts",
    "remove_artifacts",
]

Notes: TypeAlias = Callable[[str], None]
"""Called with a note if something could not be done as asked."""

MANIFEST: Final = "manifest.sqlite"
KINDS: Final = ("vectors", "neighbors", "clusters")
"""Folders of artifacts. A kind is one of them, or one of them and a name: ``clusters/wording``."""
_LOCK_SECONDS: Final = 30.0
"""Seconds to wait while another process writes into the manifest."""
_ATTEMPTS: Final = 20
"""Attempts to make a file in a folder that another process removes."""
_FILE: Final = re.compile(r"([0-9a-f]{32})\.(\d+)\.parquet\Z")
"""The name of a file of an artifact."""
_OLD_FILE: Final = re.compile(r"[0-9a-f]{32}\.parquet\Z|manifest\.sqlite(-wal|-shm)?\Z")
"""Files of a vector cache of version 0.1."""
_OLD_FOLDER: Final = re.compile(r"[0-9a-f]{20}-[0-9a-f]{20}\Z")
"""Folders of neighbours and clusters of version 0.1."""
_TABLE: Final = """
CREATE TABLE artifacts (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    content TEXT NOT NULL,
    parts TEXT NOT NULL,
    created REAL NOT NULL
) STRICT
"""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Arrays that belong together, as the manifest names them."""

    name: str
    """32 random hexadecimal digits."""
    kind: str
    key: str
    content: str
    """Digest of the arrays. Artifacts of the same kind, key and content are equal."""
    parts: tuple[Part, ...]


class ArtifactFolder:
    """The artifacts of a folder. Several processes may read and write them at once.

    Args:
        folder: the cache folder, the work folder or the state.
        notes: called with a note when data in the folder is discarded.
        write: whether the folder may be changed. False creates, changes and removes nothing.

    Raises:
        CacheError: the folder or its manifest cannot be used.
    """

    def __init__(self, folder: Path, *, notes: Notes | None = None, write: bool = True) -> None:
        self.folder = Path(folder)
        self._manifest = self.folder / MANIFEST
        self._notes: Notes = notes or (lambda note: None)
        if not write:
            return
        with self._usable():
            make_folder(self.folder)
            for place in (self.folder / "models", self.folder / SEARCH, *self._places()):
                sweep(place)
            self._open()

    # ------------------------------------------------------------ what there is

    def artifacts(self, kind: str, key: str | None = None) -> list[Artifact]:
        """The artifacts of a kind, in the order of their names.

        Args:
            kind: includes the kinds inside it: ``clusters`` includes ``clusters/wording``.
            key: of the artifacts; None for any key.

        Raises:
            CacheError: the manifest cannot be read.
        """
        if not os.path.exists(self._manifest):
            return []
        with self._connected() as connection:
            found = _named(connection) if _has_table(connection) else []
        return [artifact for artifact in found if _is_of(artifact.kind, kind) and key in (None, artifact.key)]

    def load(self, artifact: Artifact, names: Sequence[str] | None = None) -> dict[str, AnyArray]:
        """Arrays of an artifact, by name; their bytes are checked.

        Args:
            artifact: of this folder.
            names: of the arrays; None for all.

        Raises:
            FileNotFoundError, NotADirectoryError: a file of it is missing.
            UnreadableError: it cannot be read now.
            DamagedFileError: it is damaged, or lacks an array.
        """
        found: dict[str, AnyArray] = {}
        for path, part in self._files(artifact):
            found.update(read_columns(path, part, names))
        if missing := set(names or ()) - set(found):
            raise DamagedFileError(f"it has no {', '.join(sorted(missing))}")
        return found

    def condition(self, artifact: Artifact) -> Condition:
        """Whether an artifact is whole. Reads every byte of it.

        Raises:
            UnreadableError: it cannot be read now.
        """
        try:
            for path, part in self._files(artifact):
                check_columns(path, part)
        except ABSENT:
            return "missing"
        except DamagedFileError:
            return "damaged"
        return "whole"

    def names(self, artifact: Artifact) -> bool:
        """Whether the manifest still names an artifact.

        Raises:
            CacheError: the manifest cannot be read.
        """
        return any(other.name == artifact.name for other in self.artifacts(artifact.kind))

    def _files(self, artifact: Artifact) -> list[tuple[Path, Part]]:
        place = self.folder / artifact.kind
        return [(place / _file_name(artifact.name, number), part) for number, part in enumerate(artifact.parts)]

    # ------------------------------------------------------------ changing it

    def put(
        self,
        kind: str,
        key: str,
        arrays: Mapping[str, AnyArray],
        *,
        content: str,
        replaced: Sequence[Artifact] = (),
    ) -> None:
        """Stores arrays as a new artifact. On return they are on the disk and in the manifest.

        Args:
            kind: of the artifact.
            key: of the artifact.
            arrays: by name, each ``[n]`` or ``[n, width]``, of any type of fixed width.
            content: digest of them.
            replaced: artifacts to remove in the same transaction.

        Raises:
            CacheError: the disk is full, permission is denied, or the manifest is locked for too long; then nothing
                has changed.
        """
        import pyarrow as pa

        name, place = secrets.token_hex(16), self.folder / kind
        published: list[Path] = []
        label = _Label(kind=kind, key=key, content=content)
        try:
            with ExitStack() as stack:
                files = self._written(stack, place, _by_length(arrays), label)
                parts = [part for _, part in files]
                with self._transaction() as connection:
                    for number, (file, _) in enumerate(files):
                        published.append(place / _file_name(name, number))
                        file.publish(published[-1])
                    flush_to_disk(place)
                    connection.execute(
                        "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?)",
                        (name, kind, key, content, json.dumps([astuple(part) for part in parts]), time.time()),
                    )
                    _delete(connection, replaced)
        except (OSError, pa.ArrowException, CacheError) as error:
            for path in published:  # leave no files that the manifest does not name, as the disk may be full
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            if isinstance(error, CacheError):
                raise
            reason = getattr(error, "strerror", None) or reason_of(error)
            raise CacheError(f"cannot write {place}: {reason}; choose another folder") from error
        self._unlink(replaced)

    def _written(
        self, stack: ExitStack, place: Path, groups: Sequence[Mapping[str, AnyArray]], label: _Label
    ) -> list[tuple[Unfinished, Part]]:
        """Temporary files with the arrays of each group, flushed to the disk."""
        found = []
        for number, group in enumerate(groups):
            file = stack.enter_context(_unfinished(place))
            write_columns(file.stream, group, label.of_part(number, len(groups)))
            file.flush()
            found.append((file, part_of(file.path)))
        return found

    def drop(self, artifacts: Sequence[Artifact]) -> None:
        """Removes artifacts.

        Raises:
            CacheError: the manifest cannot be written.
        """
        if artifacts:
            with self._transaction() as connection:
                _delete(connection, artifacts)
            self._unlink(artifacts)
            self._tidy()

    def _unlink(self, artifacts: Sequence[Artifact]) -> None:
        for artifact in artifacts:
            for path, _ in self._files(artifact):
                with suppress(OSError):  # the manifest no longer names it, so it is never read again
                    path.unlink(missing_ok=True)

    # ------------------------------------------------------------ cleaning up

    def _open(self) -> None:
        """Creates the manifest if none can be read, and removes files that it does not name."""
        with suppress(OSError):  # connecting then reports the reason
            create_private(self._manifest)
        try:
            self._begin()
        except CacheError as error:
            cause = error.__cause__
            if not isinstance(cause, sqlite3.DatabaseError) or isinstance(cause, sqlite3.OperationalError):
                raise
            self._notes(f"the manifest of {self.folder} was unreadable; it is made again")
            for suffix in ("", "-journal"):
                Path(f"{self._manifest}{suffix}").unlink(missing_ok=True)
            create_private(self._manifest)
            self._begin()

    def _begin(self) -> None:
        with self._transaction() as connection:
            old = False
            if not _has_table(connection):
                old = connection.execute("PRAGMA user_version").fetchone()[0] not in (0, FORMAT)
                connection.execute("DROP TABLE IF EXISTS artifacts")
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {FORMAT}")
                self._adopt(connection)
            named = {path.name for artifact in _named(connection) for path, _ in self._files(artifact)}
            for path in self._everything():
                if _FILE.match(path.name) and path.name not in named:
                    path.unlink(missing_ok=True)
                elif _is_of_old_version(path):
                    old = True
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if old:
            self._tidy()
            self._notes(
                f"{self.folder} was written by another version of harvestdetect: the vectors, neighbours and clusters "
                "in it were removed, and are computed again"
            )

    def _adopt(self, connection: sqlite3.Connection) -> None:
        """Adds all artifacts to a new manifest whose files are complete and have the right checksums.

        Raises:
            UnreadableError: a file cannot be read now.
        """
        found: dict[str, dict[int, tuple[Path, dict[str, Any]]]] = defaultdict(dict)
        for path in self._everything():
            match = _FILE.match(path.name)
            with suppress(*ABSENT, DamagedFileError):
                if match and (label := read_label(path)).get("format") == FORMAT:
                    found[match[1]][int(match[2])] = path, label
        for name, files in sorted(found.items()):
            with suppress(*ABSENT, ValueError, KeyError, TypeError):
                label = files[0][1]
                parts = [part_of(files[number][0]) for number in range(int(label["parts"]))]
                for number, part in enumerate(parts):
                    check_columns(files[number][0], part)
                connection.execute(
                    "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        *(name, str(label["kind"]), str(label["key"]), str(label["content"])),
                        *(json.dumps([astuple(part) for part in parts]), time.time()),
                    ),
                )

    def _places(self) -> Iterator[Path]:
        """The folders of artifacts and their subfolders."""
        for kind in KINDS:
            for place, _, _ in os.walk(self.folder / kind):
                yield Path(place)

    def _everything(self) -> list[Path]:
        """Files and folders in the folders of artifacts."""
        return sorted(path for kind in KINDS for path in (self.folder / kind).rglob("*"))

    def _tidy(self) -> None:
        """Removes folders of artifacts that are empty; see :func:`_unfinished`."""
        for place in sorted(self._places(), reverse=True):
            with suppress(OSError):
                place.rmdir()

    # ------------------------------------------------------------ the manifest

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheError(f"cannot use the folder {self.folder}: {reason_of(error)}; choose another one") from error

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit mode. It is opened anew each time, so that the process may fork in between."""
        try:
            address = f"{self._manifest.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(address, uri=True, timeout=_LOCK_SECONDS, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
        except sqlite3.Error as error:
            raise CacheError(f"cannot use the manifest {self._manifest}: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all changes or none take effect, and no other process writes meanwhile."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Label:
    """The label in each file of an artifact, from which a lost manifest can be rebuilt."""

    kind: str
    key: str
    content: str

    def of_part(self, number: int, parts: int) -> dict[str, Any]:
        identity = {"kind": self.kind, "key": self.key, "content": self.content}
        return {"format": FORMAT, **identity, "part": number, "parts": parts}


def _named(connection: sqlite3.Connection) -> list[Artifact]:
    """The artifacts that a manifest names. Damaged rows are skipped."""
    found = []
    for name, kind, key, content, parts in connection.execute(
        "SELECT name, kind, key, content, parts FROM artifacts ORDER BY name"
    ):
        with suppress(ValueError, TypeError):
            files = tuple(Part(size=size, footer=footer) for size, footer in json.loads(parts))
            found.append(Artifact(name=name, kind=kind, key=key, content=content, parts=files))
    return found


def _is_of(kind: str, wanted: str) -> bool:
    return kind == wanted or kind.startswith(f"{wanted}/")


def _unfinished(place: Path) -> Unfinished:
    """A temporary file in a folder. Another process may remove the folder meanwhile because it is empty.

    Raises:
        OSError: it cannot be made.
    """
    for _ in range(_ATTEMPTS):
        make_folder(place)
        with suppress(FileNotFoundError):
            return Unfinished(place)
    return Unfinished(place)


def _file_name(name: str, part: int) -> str:
    return f"{name}.{part}.parquet"


def _has_table(connection: sqlite3.Connection) -> bool:
    """Whether a manifest has the table of this version."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'artifacts'").fetchone()[0]
    return bool(version == FORMAT and tables)


def _delete(connection: sqlite3.Connection, artifacts: Sequence[Artifact]) -> None:
    connection.executemany("DELETE FROM artifacts WHERE name = ?", [(artifact.name,) for artifact in artifacts])


def _by_length(arrays: Mapping[str, AnyArray]) -> list[dict[str, AnyArray]]:
    """The arrays in groups of equal length; each group becomes one file."""
    groups: dict[int, dict[str, AnyArray]] = defaultdict(dict)
    for name, array in arrays.items():
        groups[len(array)][name] = array
    return list(groups.values())


def _is_of_old_version(path: Path) -> bool:
    if _OLD_FOLDER.match(path.name):
        return (path / "digests.json").exists()
    return bool(_OLD_FILE.match(path.name)) and path.parent.parent.name == "vectors"


def remove_artifacts(folder: Path) -> None:
    """Removes all artifacts of a folder, its manifest and search indexes, as far as possible; see
    :func:`left_artifacts`.

    The manifest goes first, so that it never names a file that was removed.
    """
    for suffix in ("", "-journal"):
        with suppress(OSError):
            Path(f"{folder / MANIFEST}{suffix}").unlink(missing_ok=True)
    for kind in KINDS:
        shutil.rmtree(folder / kind, ignore_errors=True)
    remove_indexes(folder)


def left_artifacts(folder: Path) -> list[str]:
    """Names of the files and folders of artifacts in a folder, and of search indexes."""
    return [name for name in (*KINDS, SEARCH, MANIFEST, f"{MANIFEST}-journal") if (folder / name).exists()]
