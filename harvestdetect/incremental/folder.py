"""The part of a work folder with clusters, templates and candidates, and the format of sets in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from harvestdetect.errors import CacheError
from harvestdetect.store.digests import DIGEST_BYTES
from harvestdetect.store.tables import drop_tables, keep_tables, kept_tables
from harvestdetect.util.arrays import AnyArray, Ints, Ints32
from harvestdetect.util.disk import SpareFolder

__all__ = ["CANDIDATES", "CLUSTERS", "TEMPLATES", "Folder", "Stored", "is_carried", "one_table", "pack", "unpack"]

CLUSTERS: Final = "clusters"
"""Kind of all entries, followed by ``/`` and the name of the entry."""
TEMPLATES: Final = "templates"
"""Name of the entry with templates. Entries of clusters have the name of their view."""
CANDIDATES: Final = "candidates"
"""Name of the entry with measures of candidates."""
LEAST_TEXTS: Final = 100_000
"""Number of texts from which clusters are carried on. Fewer are clustered anew in every scan, which costs little. It
says when a scan saves time by reuse, as ``exact_below`` says when a search saves time by cells."""


def is_carried(texts: int) -> bool:
    """Whether the clusters of this number of texts are carried from scan to scan."""
    return texts >= LEAST_TEXTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One entry of the folder."""

    arrays: Mapping[str, AnyArray]
    values: Any
    """Of the type that the reader asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder for results that later scans with the same settings reuse.

    Every entry belongs to a key, the digest of everything but the dumps that results depend on. Only the entry of the
    last scan is kept, because entries contain texts, which must be removed when their window has passed.
    """

    work: SpareFolder
    """The work folder. If it cannot be written, the scan goes on without it."""
    key: str
    note: Callable[[str], None]
    """Called with a note if an entry is damaged or cannot be kept."""

    def read(self, name: str, arrays: Sequence[str], kind: Any) -> Stored | None:
        """An entry; None if there is no intact one under this key.

        Args:
            name: of the entry.
            arrays: names of its arrays.
            kind: type of its values.
        """
        kind_of = f"{CLUSTERS}/{name}"
        found = kept_tables(self.work.path, kind_of, self.key, arrays, what=f"kept {name}", notes=self.note)
        if found is None:
            return None
        try:
            return Stored(arrays=found.arrays, values=msgspec.msgpack.decode(found.values, type=kind))
        except msgspec.DecodeError as error:
            self.note(f"the kept {name} of an earlier scan are computed again: {error}")
            return None

    def write(self, name: str, stored: Stored) -> None:
        """Replaces the last entry of this name."""
        if not self.work.writable:
            return
        try:
            values = msgspec.msgpack.encode(stored.values)
            kind_of = f"{CLUSTERS}/{name}"
            keep_tables(self.work.path, kind_of, self.key, stored.arrays, values, alone=True, notes=self.note)
        except CacheError as error:
            self.work.give_up(error)
        except UnicodeEncodeError as error:
            self.note(f"the {name} are not kept: {error}")

    def remove(self, *names: str) -> None:
        """Removes entries; without a name, all of them."""
        for kind in [f"{CLUSTERS}/{name}" for name in names] or [CLUSTERS]:
            with suppress(CacheError):
                drop_tables(self.work.path, kind)


def pack(sets: Sequence[AnyArray]) -> tuple[Ints, AnyArray]:
    """Packs sets into one array.

    Returns:
        the start of each set, int64[s + 1], and the members of all sets, one set after the other.
    """
    start = np.concatenate(([0], np.cumsum([len(members) for members in sets], dtype=np.int64)))
    return start, np.concatenate(sets) if sets else np.empty(0, np.int32)


def unpack(start: AnyArray, members: AnyArray) -> list[AnyArray]:
    """The inverse of :func:`pack`."""
    return [members[a:b] for a, b in itertools.pairwise(start.tolist())]


def one_table(
    columns: Sequence[Sequence[AnyArray]], kind: np.dtype[Any]
) -> tuple[npt.NDArray[Any], list[tuple[Ints, Ints32]]]:
    """Sets of keys as sets of positions in one table of all keys.

    Args:
        columns: several lists of sets of keys.
        kind: type of the keys.

    Returns:
        the table, ascending, and each column as :func:`pack` gives it, with positions in place of keys.
    """
    packed = [pack(sets) for sets in columns]
    every = np.concatenate([np.empty(0, kind), *(keys.astype(kind, copy=False) for _, keys in packed if len(keys))])
    # Bytes of fixed width have an order, void has none.
    plain = every.view(f"S{DIGEST_BYTES}") if kind.kind == "V" else every
    table, back = np.unique(plain, return_inverse=True)
    found: list[tuple[Ints, Ints32]] = []
    done = 0
    for start, keys in packed:
        found.append((start, back[done : done + len(keys)].astype(np.int32)))
        done += len(keys)
    return table.view(kind) if kind.kind == "V" else table, found
