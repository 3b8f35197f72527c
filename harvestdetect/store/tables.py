"""What a scan leaves in its work folder for the next one: the neighbours of every text, and other tables.

The folder holds besides: files of a dump as they were read, and vectors
(:class:`harvestdetect.store.vectors.VectorCache`).
All of it is written under another name, flushed and renamed, and verified before it is used; what is broken is made
anew. Nothing in it is needed: without it a scan only takes longer.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from harvestdetect.data import Neighbors
from harvestdetect.errors import CacheError
from harvestdetect.neighbors.partition import Partition
from harvestdetect.store.vectors import DIGEST_BYTES, Notes, is_whole, locate, publish_folder
from harvestdetect.util.arrays import Digests, Ints32
from harvestdetect.util.retries import retried

__all__ = [
    "NEIGHBORS",
    "Kept",
    "keep_neighbors",
    "keep_tables",
    "kept_digests",
    "kept_neighbors",
    "kept_tables",
    "key_of",
    "places",
]

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

NEIGHBORS: Final = "neighbors"
TOLD: Final = "told.msgpack"
_FORMAT: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Neighbours of an earlier scan."""

    digest: Digests
    """V16[m], ascending, of its texts."""
    neighbors: Neighbors
    """Of the m texts."""
    partition: Partition | None = None
    """Of the m texts; None where the search made none."""


def key_of(values: Mapping[str, Any]) -> str:
    """A short digest of everything that neighbours depend on besides the texts."""
    told = repr(sorted({**values, "format": _FORMAT}.items()))
    return hashlib.blake2b(told.encode(), digest_size=10).hexdigest()


def keep_neighbors(folder: Path, key: str, kept: Kept) -> None:
    """Leaves neighbours for the next scan, in place of those of the same key.

    Raises:
        CacheError: the folder cannot be written.
    """
    arrays = {"digest": kept.digest, "index": kept.neighbors.index, "distance": kept.neighbors.distance}
    cells = kept.partition or Partition(home=np.empty(0, np.int32), centre=np.empty((0, 0), np.int8))
    arrays.update(home=cells.home, centre=cells.centre)
    keep_tables(folder / NEIGHBORS, key, arrays, content=kept.digest)


def kept_neighbors(folder: Path, key: str, *, notes: Notes | None = None) -> Kept | None:
    """What an earlier scan left under a key; None where that is nothing whole."""
    names = ("digest", "index", "distance", "home", "centre")
    found = kept_tables(folder / NEIGHBORS, key, names, what="neighbours", notes=notes)
    if found is None:
        return None
    arrays, _ = found
    return Kept(
        digest=arrays["digest"],
        neighbors=Neighbors(index=arrays["index"], distance=arrays["distance"]),
        partition=Partition(home=arrays["home"], centre=arrays["centre"]) if len(arrays["home"]) else None,
    )


def kept_digests(folder: Path) -> Digests | None:
    """V16[m], ascending: the texts of which neighbours are kept, under any key; None where none are.

    Raises:
        UnreadableError: some cannot be read now.
    """
    found = [
        _loaded(made / "digest.npy").reshape(-1).view(f"S{DIGEST_BYTES}")
        for made in (folder / NEIGHBORS).glob("*")
        if made.suffix != ".tmp" and is_whole(made)
    ]
    return np.unique(np.concatenate(found)).view(f"V{DIGEST_BYTES}") if found else None


def keep_tables(
    folder: Path,
    key: str,
    arrays: Arrays,
    told: bytes = b"",
    *,
    content: npt.NDArray[Any] | None = None,
    alone: bool = False,
) -> None:
    """Leaves arrays, and values as bytes, for the next scan, in place of what is there under the same key.

    Args:
        folder: made where it is missing.
        key: see :func:`key_of`.
        arrays: by name; of the types that ``numpy.save`` writes without pickling, or V16.
        told: anything beside them.
        content: what all the rest follows from; None: it is told by everything.
        alone: in place of what is there under any key.

    Raises:
        CacheError: the folder cannot be written.
    """
    summed = hashlib.blake2b(told, digest_size=10)
    for array in arrays.values() if content is None else (content,):
        summed.update(np.ascontiguousarray(array).tobytes())
    made = folder / f"{key}-{summed.hexdigest()}"
    if not is_whole(made):

        def write(inside: Path) -> None:
            for name, array in arrays.items():
                plain = np.ascontiguousarray(array)
                np.save(
                    inside / f"{name}.npy",
                    plain.view(np.uint8).reshape(-1, DIGEST_BYTES) if plain.dtype.kind == "V" else plain,
                )
            (inside / TOLD).write_bytes(told)

        publish_folder(made, write)
    with suppress(OSError):
        for other in folder.glob("*" if alone else f"{key}-*"):
            if other != made and other.suffix != ".tmp":
                shutil.rmtree(other, ignore_errors=True)


def kept_tables(
    folder: Path, key: str, names: Sequence[str], *, what: str, notes: Notes | None = None
) -> tuple[dict[str, npt.NDArray[Any]], bytes] | None:
    """What an earlier scan left under a key; None where that is nothing whole.

    Args:
        folder: as for :func:`keep_tables`.
        key: of what is wanted.
        names: of the arrays; one called ``digest`` is V16.
        what: said in a note where it is broken.
        notes: told.
    """
    try:
        found = sorted(made for made in folder.glob(f"{key}-*") if made.suffix != ".tmp")
    except OSError:
        return None
    for made in found:
        try:
            if not is_whole(made):
                raise CacheError("its content is not what was written")
            arrays = {name: _loaded(made / f"{name}.npy") for name in names}
            if "digest" in arrays:
                arrays["digest"] = np.ascontiguousarray(arrays["digest"]).view(f"V{DIGEST_BYTES}").ravel()
            return arrays, retried((made / TOLD).read_bytes, made / TOLD)
        except (OSError, ValueError, CacheError) as error:
            if notes is not None:
                notes(f"the {what} of an earlier scan are made anew: {error}")
    return None


def _loaded(path: Path) -> npt.NDArray[Any]:
    def once() -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = np.load(path, allow_pickle=False)
        return found

    return retried(once, path)


def places(known: Digests, now: Digests) -> Ints32:
    """Where each of some texts stands among others: int32[len(known)], -1 where it does not.

    Args:
        known: V16[m], ascending.
        now: V16[n], ascending.
    """
    there, place = locate(now, known)
    return np.where(there, place, -1).astype(np.int32)
