"""Tables that the corpus is built from: columns that grow in a file, segments, and the prompts of each part."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from harvestdetect.util.arrays import (
    AnyArray,
    AnyInts,
    Bools,
    Bytes,
    Ints,
    Ints32,
    Words,
    changes,
    packed_pairs,
    pairs,
    ranges,
    run_starts,
)
from harvestdetect.util.scratch import Place
from harvestdetect.util.texts import TextFile

__all__ = ["GrowingColumns", "PartPrompts", "SegmentTable", "by_digest", "prompts_of_parts", "runs_of_equal"]


class GrowingColumns:
    """Columns of numbers that grow block by block in a file, and are read as a whole.

    Args:
        folder: of the file, see :class:`~harvestdetect.util.scratch.ScratchFile`.
    """

    def __init__(self, folder: Place) -> None:
        self._file = TextFile(folder)
        self._chunks: dict[str, array[int]] = {}

    def add(self, name: str, values: AnyArray) -> None:
        """Appends numbers to a column."""
        if values.size:
            place = self._file.append(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
            self._chunks.setdefault(name, array("q")).extend((place, values.nbytes))

    def __contains__(self, name: str) -> bool:
        return name in self._chunks

    def replace(self, name: str, values: AnyArray) -> None:
        """Replaces a column. Its old numbers stay in the file and are never read again."""
        self._chunks.pop(name, None)
        self.add(name, values)

    def read(self, name: str, kind: type[Any], width: int = 1) -> AnyArray:
        """A whole column: kind[n], or kind[n, width]."""
        chunks = self._chunks.get(name, array("q"))
        out = np.empty(sum(chunks[1::2]), np.uint8)
        done = 0
        for place, size in zip(chunks[::2], chunks[1::2], strict=True):
            self._file.read_into(place, out[done : done + size])
            done += size
        found: AnyArray = out.view(kind)
        return found if width == 1 else found.reshape(-1, width)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTable:
    """n segments, some of which may be equal. Their texts are in a file."""

    digest: Words
    """uint64[n, 2]: digests of the normalised texts."""
    kind: Bytes
    """uint8[n]: an index into :data:`~harvestdetect.data.KINDS`."""
    text: Ints
    """int64[n]: place of each normalised text in the file."""
    text_size: Ints32
    """int32[n]: bytes of each normalised text."""
    shown: Ints
    """int64[n]: place of each original in the file."""
    shown_size: Ints32
    """int32[n]: bytes of each original."""

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: AnyInts) -> SegmentTable:
        """Some of the segments, in the order of ``rows``."""
        return SegmentTable(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def plus(self, other: SegmentTable) -> SegmentTable:
        """These segments, followed by others."""
        return SegmentTable(
            **{f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPrompts:
    """The prompts of p parts, in compressed form: ``prompt[start[i] : start[i + 1]]`` contain part i."""

    start: Ints
    """int64[p + 1]."""
    prompt: Ints32
    """int32[m], ascending within a part."""

    def through(self, item: AnyInts, part: AnyInts) -> tuple[Ints, Ints]:
        """Joins (item, part) with (part, prompt): the distinct pairs (item, prompt)."""
        item, part = pairs(item, part)
        counts = self.start[part + 1] - self.start[part]
        return np.repeat(item, counts), self.prompt[ranges(self.start[part], counts)].astype(np.int64)


def prompts_of_parts(part: Ints32, prompt: Ints32, parts: int) -> PartPrompts:
    """Puts m pairs of a part and a prompt into compressed form; ``parts`` is the number of parts."""
    packed = packed_pairs(part, prompt)
    packed.sort()
    start = np.concatenate([[0], np.cumsum(np.bincount(packed >> 32, minlength=parts))])
    return PartPrompts(start=start, prompt=(packed & 0xFFFFFFFF).astype(np.int32))


def by_digest(digest: Words) -> tuple[Ints, Bools]:
    """The stable order of digests, uint64[n, 2], and which digests differ from the one before in that order."""
    high = np.ascontiguousarray(digest[:, 0])
    order = np.argsort(high, kind="stable")
    new = changes(digest[order, 0], digest[order, 1])
    if np.any(new[1:] & (np.diff(high[order]) == 0)):
        order = np.lexsort((digest[:, 1], high))
        new = changes(digest[order, 0], digest[order, 1])
    return order, new


def runs_of_equal(value: AnyInts) -> Iterator[tuple[int, int]]:
    """Start and stop of each run of equal values."""
    start = run_starts(value)
    yield from zip(start.tolist(), [*start[1:].tolist(), len(value)], strict=True) if len(start) else ()
