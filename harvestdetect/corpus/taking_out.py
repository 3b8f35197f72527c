"""Takes preambles out of the parts that a corpus is built from.

Files are prepared one by one, before all accounts have been seen. So preambles are found when everything has been
taken, and the parts that contain one are cut again here. What is kept of a file for later scans still has its
preambles, and each scan decides anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from harvestdetect.corpus.block import Cutting
from harvestdetect.corpus.preamble_candidates import preamble_registry
from harvestdetect.corpus.preamble_sample import PartSample, SampledTexts, sampled
from harvestdetect.corpus.registry import Entry, Registry, places, sifted, strip_one, word_count
from harvestdetect.corpus.segments import digests, pieces_of, shareable
from harvestdetect.corpus.tables import GrowingColumns
from harvestdetect.data import WHOLE_KINDS, Preamble
from harvestdetect.util.arrays import AnyArray, Ints, Ints32, Words, pairs, ranges
from harvestdetect.util.texts import TextFile, Texts, pack

__all__ = ["sample_of", "take_out"]

LOT: Final = 20_000
"""Number of texts that are read at a time."""
SEGMENT_COLUMNS: Final[dict[str, tuple[type[np.generic], int]]] = {
    "digest": (np.uint64, 2),
    "kind": (np.uint8, 1),
    "text": (np.int64, 1),
    "text size": (np.int32, 1),
    "shown": (np.int64, 1),
    "shown size": (np.int32, 1),
    "owner": (np.int32, 1),
    "shared_count": (np.int32, 1),
    "shared": (np.int64, 1),
    "shared_kind": (np.uint8, 1),
}
"""Columns of parts and pieces, with the type and the width of each."""
MIX: Final = 0x9E3779B97F4A7C15
"""An odd number that spreads the digest of a preamble over 64 bits."""


class _Recut:
    """Parts that were cut again, and where each part went."""

    def __init__(self, file: TextFile, parts: int) -> None:
        self._file = file
        self._columns: dict[str, list[AnyArray]] = {name: [] for name in SEGMENT_COLUMNS}
        self._count = 0
        self.changed = np.zeros(parts, bool)
        """bool[n]: whether the part has a preamble."""
        self.made = np.full(parts, -1, np.int64)
        """int64[n]: the number of the part that is left of it among those made here; -1 if none is."""
        self.matches: list[tuple[Ints, Ints]] = []
        """Pairs of a preamble and a part with it, by their numbers, in several pieces."""

    def add(self, registry: Registry, texts: SampledTexts, rows: Ints, cutting: Cutting) -> None:
        """Takes preambles out of some parts.

        Args:
            registry: the preambles.
            texts: all parts.
            rows: int64[k]: the numbers of the parts to look at.
            cutting: how parts are cut.
        """
        normal = Texts(texts.file, texts.text, texts.text_size).column(rows).cast(pa.large_string())
        maybe = sifted(registry, normal)
        rows, normal = rows[maybe], normal.filter(pa.array(maybe)).to_pylist()
        numbers: list[int] = []
        changed: list[int] = []
        left: list[int] = []
        shown: list[str] = []
        text: list[str] = []
        for row, original, clean in zip(rows.tolist(), texts.originals(rows), normal, strict=True):
            found = [i for i, e in enumerate(registry.entries) if e.anchor in clean and places(e, clean)]
            if not found:
                continue
            numbers += found
            changed += [row] * len(found)
            rest, compared, _ = strip_one(registry, original, clean)
            if compared:
                left.append(row)
                shown.append(rest)
                text.append(compared)
        self.matches.append((np.array(numbers, np.int64), np.array(changed, np.int64)))
        self.changed[changed] = True
        if left:
            self.made[left] = self._count + np.arange(len(left))
            self._take(pa.array(text, pa.large_string()), pa.array(shown, pa.large_string()), texts.kind[left], cutting)

    def _take(self, text: pa.Array, shown: pa.Array, kind: AnyArray, cutting: Cutting) -> None:
        """Cuts n parts, and writes them and their pieces. ``kind``: uint8[n]."""
        found = shareable(shown)
        pieces = pieces_of(text, shown, size=cutting.segment_characters, max_windows=cutting.max_windows)
        digest = digests(text.cast(pa.large_binary()).to_pylist())
        texts, originals = pa.concat_arrays([text, pieces.text]), pa.concat_arrays([shown, pieces.shown])
        columns: dict[str, AnyArray] = {
            "digest": np.concatenate([digest, pieces.digest]),
            "kind": np.concatenate([kind, pieces.kind]),
            "owner": np.concatenate([np.arange(len(kind)), pieces.owner]) + self._count,
            "shared_count": np.bincount(found.owner, minlength=len(texts)),
            "shared": found.digest,
            "shared_kind": found.kind,
        }
        for name, column in (("text", texts), ("shown", originals)):
            size, data = pack(column)
            place = np.cumsum(size, dtype=np.int64) - size + self._file.append(data.data)
            columns |= {name: place, f"{name} size": size}
        for name, values in columns.items():
            self._columns[name].append(values)
        self._count += len(texts)

    def replace(self, columns: GrowingColumns, owner: Ints32) -> Ints:
        """Replaces the parts with a preamble, and their pieces, by what is left of them.

        Args:
            columns: of the corpus.
            owner: int32[n]: the part that each part or piece belongs to.

        Returns:
            int64[n]: the new number of each part or piece; -1 if it is gone.
        """
        kept = ~self.changed[owner]
        number = np.where(kept, np.cumsum(kept) - 1, -1)
        first = int(kept.sum())
        shared = np.repeat(kept, columns.read("shared_count", np.int32))
        for name, (kind, width) in SEGMENT_COLUMNS.items():
            old = number[owner] if name == "owner" else columns.read(name, kind, width)
            old = old[shared if name in ("shared", "shared_kind") else kept]
            new = np.concatenate(self._columns[name]) if self._columns[name] else old[:0]
            both = np.concatenate([old, new + first if name == "owner" else new])
            columns.replace(name, both.astype(kind))
        return np.where(self.made >= 0, first + self.made, number)


def _stored_texts(columns: GrowingColumns, file: TextFile) -> SampledTexts:
    """All parts that were taken, and the pieces of them, with the places of their texts."""
    read = columns.read
    return SampledTexts(
        file=file,
        digest=read("digest", np.uint64, 2),
        kind=read("kind", np.uint8),
        text=read("text", np.int64),
        text_size=read("text size", np.int32),
        shown=read("shown", np.int64),
        shown_size=read("shown size", np.int32),
    )


def sample_of(columns: GrowingColumns, file: TextFile, account: Ints32, accounts: pa.Array) -> PartSample:
    """The sample in which preambles are looked for, see :mod:`harvestdetect.corpus.preamble_sample`.

    Args:
        columns: of the corpus.
        file: of the texts.
        account: int32[p]: the account of each prompt, an index into ``accounts``.
        accounts: the ids of the accounts.
    """
    return sampled(
        _stored_texts(columns, file),
        accounts=accounts,
        account=account,
        time=columns.read("time", np.int64),
        content=columns.read("content", np.uint64),
        held=columns.read("held", np.int32),
        holder=columns.read("holder", np.int32),
    )


def take_out(
    preambles: Sequence[Entry], columns: GrowingColumns, file: TextFile, cutting: Cutting, account: Ints32
) -> tuple[Preamble, ...]:
    """Takes preambles out of all parts, and cuts these parts again.

    Args:
        preambles: to take out.
        columns: of the corpus; those about parts and prompts are replaced.
        file: of the texts; the new texts are appended.
        cutting: how parts are cut.
        account: int32[p]: the account of each prompt.

    Returns:
        The preambles that were found, with the numbers of their accounts and prompts.
    """
    registry = preamble_registry(preambles)
    owner = columns.read("owner", np.int32)
    texts = _stored_texts(columns, file)
    parts = np.flatnonzero(texts.kind < WHOLE_KINDS)
    recut = _Recut(file, len(owner))
    for start in range(0, len(parts), LOT):
        recut.add(registry, texts, parts[start : start + LOT], cutting)
    if not recut.changed.any():
        return ()
    del texts, parts
    held, holder = columns.read("held", np.int32), columns.read("holder", np.int32)
    number, prompt = _prompts_with(recut, held, holder)
    part = recut.replace(columns, owner)[held]
    left = part >= 0
    digest = columns.read("digest", np.uint64, 2)[part[left], 0]
    content = columns.read("content", np.uint64)
    columns.replace("content", _contents(content, holder[left], digest, registry, number, prompt))
    columns.replace("held", part[left].astype(np.int32))
    columns.replace("holder", holder[left])
    everybody = len(np.unique(account))
    return tuple(
        _counted(one, prompt[number == i], account, everybody)
        for i, one in enumerate(registry.entries)
        if (number == i).any()
    )


def _prompts_with(recut: _Recut, held: Ints32, holder: Ints32) -> tuple[Ints, Ints]:
    """The distinct pairs of a preamble and a prompt with it.

    Args:
        recut: knows which parts have which preambles.
        held: int32[m]: the part of each pair of a part and a prompt that contains it.
        holder: int32[m]: the prompt of each pair.
    """
    number, part = (np.concatenate(side) for side in zip(*recut.matches, strict=True))
    order = np.argsort(part, kind="stable")
    number, part = number[order], part[order]
    start, stop = np.searchsorted(part, held), np.searchsorted(part, held, side="right")
    return pairs(number[ranges(start, stop - start)], np.repeat(holder, stop - start))


def _counted(entry: Entry, prompts: Ints, account: Ints32, everybody: int) -> Preamble:
    """A preamble with its numbers."""
    senders = len(np.unique(account[prompts]))
    return Preamble(
        id=entry.id,
        text=entry.text,
        words=sum(map(word_count, entry.runs)),
        accounts=senders,
        prompts=len(prompts),
        share=senders / everybody,
    )


def _contents(content: Words, holder: Ints32, digest: Words, registry: Registry, number: Ints, prompt: Ints) -> Words:
    """The digest of each prompt: a new one for each prompt with a preamble, of the parts that are left.

    Args:
        content: uint64[p], the digests with the preambles.
        holder: int32[m]: the prompt of each pair of a part and a prompt that contains it.
        digest: uint64[m]: of the part of each pair.
        registry: of the preambles.
        number: int64[k]: for each pair of a preamble and a prompt with it, the preamble.
        prompt: int64[k]: the prompt of each of these pairs.
    """
    of_entry = digests([entry.id.encode() for entry in registry.entries])[:, 0] * np.uint64(MIX)
    total = np.zeros(len(content), np.uint64)
    np.add.at(total, holder, digest * np.uint64(MIX))
    np.add.at(total, prompt, of_entry[number])
    found = content.copy()
    found[prompt] = total[prompt]
    return found
