"""What a scan leaves in its work folder for the next one: the neighbours of every text, by the texts' digests.

The folder holds besides: files of a dump as they were read, and vectors (:class:`harvestdetect.cache.VectorCache`).
All of it is written under another name, flushed and renamed, and verified before it is used; what is broken is made
anew. Nothing in it is needed: without it a scan only takes longer.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from harvestdetect.cache import DIGEST_BYTES, Notes, is_whole, locate, publish_folder
from harvestdetect.data import Neighbors
from harvestdetect.errors import CacheError

__all__ = ["Kept", "keep_neighbors", "kept_neighbors", "key_of", "places"]

Digests = npt.NDArray[np.void]
Ints32 = npt.NDArray[np.int32]

_FOLDER: Final = "neighbors"
_FORMAT: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Neighbours of an earlier scan."""

    digest: Digests
    """V16[m], ascending, of its texts."""
    neighbors: Neighbors
    """Of the m texts."""


def key_of(values: Mapping[str, Any]) -> str:
    """A short digest of everything that neighbours depend on besides the texts."""
    told = repr(sorted({**values, "format": _FORMAT}.items()))
    return hashlib.blake2b(told.encode(), digest_size=10).hexdigest()


def keep_neighbors(folder: Path, key: str, kept: Kept) -> None:
    """Leaves neighbours for the next scan, in place of those of the same key.

    Raises:
        CacheError: the folder cannot be written.
    """
    content = hashlib.blake2b(np.ascontiguousarray(kept.digest).tobytes(), digest_size=10).hexdigest()
    made = folder / _FOLDER / f"{key}-{content}"
    if not (made.is_dir() and is_whole(made)):

        def write(inside: Path) -> None:
            np.save(inside / "digest.npy", np.ascontiguousarray(kept.digest).view(np.uint8).reshape(-1, DIGEST_BYTES))
            np.save(inside / "index.npy", kept.neighbors.index)
            np.save(inside / "distance.npy", kept.neighbors.distance)

        publish_folder(made, write)
    for other in made.parent.glob(f"{key}-*"):
        if other != made and other.suffix != ".tmp":
            shutil.rmtree(other, ignore_errors=True)


def kept_neighbors(folder: Path, key: str, *, notes: Notes | None = None) -> Kept | None:
    """What an earlier scan left under a key; None where that is nothing whole."""
    for made in sorted((folder / _FOLDER).glob(f"{key}-*")):
        if made.suffix == ".tmp":
            continue
        try:
            if not is_whole(made):
                raise CacheError("its content is not what was written")
            digest, index, distance = (
                np.load(made / f"{name}.npy", allow_pickle=False) for name in ("digest", "index", "distance")
            )
            return Kept(
                digest=np.ascontiguousarray(digest).view(f"V{DIGEST_BYTES}").ravel(),
                neighbors=Neighbors(index=index, distance=distance),
            )
        except (OSError, ValueError, CacheError) as error:
            if notes is not None:
                notes(f"the neighbours of an earlier scan are made anew: {error}")
    return None


def places(known: Digests, now: Digests) -> Ints32:
    """Where each of some texts stands among others: int32[len(known)], -1 where it does not.

    Args:
        known: V16[m], ascending.
        now: V16[n], ascending.
    """
    there, place = locate(now, known)
    return np.where(there, place, -1).astype(np.int32)
