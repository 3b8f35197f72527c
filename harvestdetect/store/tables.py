"""Tables that a scan stores in its work folder for the next one: the neighbours of every text, and others.

Each table is one artifact (:mod:`harvestdetect.store.folder`) and replaces the one before it. All of them are optional:
without them a scan only takes longer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from harvestdetect.data import Neighbors
from harvestdetect.errors import CacheError
from harvestdetect.neighbors.partition import Partition
from harvestdetect.store.digests import DIGEST_BYTES
from harvestdetect.store.folder import ArtifactFolder, Notes
from harvestdetect.store.trust import ABSENT, DamagedFileError
from harvestdetect.util.arrays import AnyArray, Digests

__all__ = [
    *("NEIGHBORS", "Kept", "KeptTables", "drop_tables", "keep_neighbors", "keep_tables", "kept_digests"),
    *("kept_neighbors", "kept_tables"),
]

NEIGHBORS: Final = "neighbors"
"""Kind of the artifacts with neighbours."""
_VALUES: Final = "values"
"""Name of the array with the encoded values of a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Neighbours of an earlier scan."""

    digest: Digests
    """V16[m], ascending: digests of its texts."""
    neighbors: Neighbors
    """Neighbours of the m texts."""
    partition: Partition | None = None
    """Partition of the m texts; None if the search made none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTables:
    """Arrays and encoded values of an earlier scan."""

    arrays: Mapping[str, AnyArray]
    values: bytes


# ---------------------------------------------------------------- neighbours


def keep_neighbors(folder: Path, key: str, kept: Kept, *, notes: Notes | None = None) -> None:
    """Stores neighbours for the next scan, replacing those of the same key.

    Args:
        folder: the work folder.
        key: see :func:`harvestdetect.store.keys.key_of`.
        kept: the neighbours.
        notes: called with a note when data in the folder is discarded.

    Raises:
        CacheError: the folder cannot be written.
    """
    arrays = {"digest": kept.digest, "index": kept.neighbors.index, "distance": kept.neighbors.distance}
    cells = kept.partition or Partition(home=np.empty(0, np.int32), centre=np.empty((0, 0), np.int8))
    arrays.update(home=cells.home, centre=cells.centre)
    keep_tables(folder, NEIGHBORS, key, arrays, content=kept.digest, notes=notes)


def kept_neighbors(folder: Path, key: str, *, notes: Notes | None = None) -> Kept | None:
    """The neighbours that an earlier scan stored under a key; None if there are none intact."""
    names = ("digest", "index", "distance", "home", "centre")
    found = kept_tables(folder, NEIGHBORS, key, names, what="neighbours", notes=notes)
    if found is None:
        return None
    arrays = found.arrays
    return Kept(
        digest=arrays["digest"],
        neighbors=Neighbors(index=arrays["index"], distance=arrays["distance"]),
        partition=Partition(home=arrays["home"], centre=arrays["centre"]) if len(arrays["home"]) else None,
    )


def kept_digests(folder: Path) -> Digests | None:
    """The texts whose neighbours are kept, under any key: V16[m], ascending; None if no neighbours are stored.

    Raises:
        UnreadableError: some cannot be read now.
        CacheError: the manifest cannot be read.
    """
    store = ArtifactFolder(folder, write=False)
    whole = [artifact for artifact in store.artifacts(NEIGHBORS) if store.condition(artifact) == "whole"]
    found = [store.load(artifact, ["digest"])["digest"].view(f"S{DIGEST_BYTES}") for artifact in whole]
    return np.unique(np.concatenate(found)).view(f"V{DIGEST_BYTES}") if found else None


# ---------------------------------------------------------------- any tables


def keep_tables(
    folder: Path,
    kind: str,
    key: str,
    arrays: Mapping[str, AnyArray],
    values: bytes = b"",
    *,
    content: AnyArray | None = None,
    alone: bool = False,
    notes: Notes | None = None,
) -> None:
    """Stores arrays and encoded values for the next scan, replacing those of the same kind and key.

    Args:
        folder: the work folder; made where it is missing.
        kind: of the table, such as "clusters/wording".
        key: see :func:`harvestdetect.store.keys.key_of`.
        arrays: by name; of any type of fixed width.
        values: encoded values that belong to the arrays.
        content: the array that determines all others; None compares all arrays.
        alone: whether to replace tables of the same kind under any key.
        notes: called with a note when data in the folder is discarded.

    Raises:
        CacheError: the folder cannot be written.
    """
    digest = hashlib.blake2b(values, digest_size=16)
    for array in arrays.values() if content is None else (content,):
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    store = ArtifactFolder(folder, notes=notes)
    there = store.artifacts(kind, None if alone else key)
    same = [one for one in there if (one.key, one.content) == (key, digest.hexdigest())]
    if same and store.condition(same[0]) == "whole":
        store.drop([one for one in there if one is not same[0]])
        return
    whole = {**arrays, _VALUES: np.frombuffer(values, np.uint8)}
    store.put(kind, key, whole, content=digest.hexdigest(), replaced=there)


def kept_tables(
    folder: Path, kind: str, key: str, names: Sequence[str], *, what: str, notes: Notes | None = None
) -> KeptTables | None:
    """The tables that an earlier scan stored under a key; None if there are none intact.

    Args:
        folder: as for :func:`keep_tables`.
        kind: as for :func:`keep_tables`.
        key: of the table.
        names: of the arrays.
        what: name of the table in notes.
        notes: called with a note if the table is damaged or cannot be read.
    """
    try:
        store = ArtifactFolder(folder, write=False)
        for artifact in store.artifacts(kind, key):
            arrays = store.load(artifact, (*names, _VALUES))
            return KeptTables(arrays=arrays, values=arrays.pop(_VALUES).tobytes())
    except (*ABSENT, DamagedFileError, CacheError) as error:
        if notes is not None:
            notes(f"the {what} of an earlier scan are computed again: {error}")
    return None


def drop_tables(folder: Path, kind: str) -> None:
    """Removes the tables of a kind, and of the kinds inside it.

    Raises:
        CacheError: the folder cannot be written.
    """
    if ArtifactFolder(folder, write=False).artifacts(kind):
        store = ArtifactFolder(folder)
        store.drop(store.artifacts(kind))
