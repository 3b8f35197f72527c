"""From rows to segments: what is compared, and who sent it.

A prompt is one or more parts (chat messages by role). A part is compared whole; a long part also by head, tail and
windows; and a sentence, or the outline of labels at the beginnings of lines, that enough accounts sent is compared
on its own, however varied the rest of the request was, so that a fixed instruction or form around a varying payload
is found. Segments are unique by the digest of their normalised text.

The words of known scaffolds (:mod:`harvestdetect.corpus.registry`) are taken out of a part before anything else, so all
that
is cut, compared and displayed is what remains of it; the file and line of a prompt lead to the request as it was sent.
A prompt of which nothing remains stays a prompt of its account, without segments.

Everything is sorted by content, so the order of rows and files changes nothing.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.corpus.normalize import normalize
from harvestdetect.corpus.prepare_parallel import ParallelPreparer
from harvestdetect.corpus.registry import Registry
from harvestdetect.corpus.segments import CODED, Cutting, Prepared, chosen, digests, shareable
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.data import (
    KINDS,
    NO_TIME,
    WHOLE_KINDS,
    Batch,
    Corpus,
    FieldColumn,
    Prompts,
)
from harvestdetect.util.arrays import AnyInts, Bools, Bytes, Ints, Ints32, Words, packed_pairs, pairs, ranges, unique
from harvestdetect.util.scratch import Place
from harvestdetect.util.texts import TextFile, Texts, unpack

if TYPE_CHECKING:
    pass

__all__ = ["KINDS", "CorpusBuilder", "build_corpus"]

COMPARED_BYTES: Final = 16_000_000
"""Spellings are compared in lots of about so many bytes."""
LOOKED_AT: Final = 20_000
"""Texts are cut again in lots of so many."""
EXPANDED: Final = 20_000_000
"""Senders of sentences are counted in lots of about so many."""


class _Columns:
    """Columns of numbers, grown block by block in a file and read whole.

    Args:
        folder: of the file, which has no name, see :class:`~harvestdetect.util.scratch.ScratchFile`.
    """

    def __init__(self, folder: Place) -> None:
        self._file = TextFile(folder)
        self._chunks: dict[str, array[int]] = {}

    def add(self, name: str, values: npt.NDArray[Any]) -> None:
        """Puts numbers at the end of a column."""
        if values.size:
            place = self._file.append(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
            self._chunks.setdefault(name, array("q")).extend((place, values.nbytes))

    def read(self, name: str, kind: type[Any], width: int = 1) -> npt.NDArray[Any]:
        """A column: kind[n], or kind[n, width]."""
        chunks = self._chunks.get(name, array("q"))
        out = np.empty(sum(chunks[1::2]), np.uint8)
        done = 0
        for place, size in zip(chunks[::2], chunks[1::2], strict=True):
            self._file.read_into(place, out[done : done + size])
            done += size
        found: npt.NDArray[Any] = out.view(kind)
        return found if width == 1 else found.reshape(-1, width)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segments:
    """n segments, of which some may be the same: their texts are places and sizes in a file."""

    digest: Words
    """uint64[n, 2]."""
    kind: Bytes
    text: Ints
    text_size: Ints32
    shown: Ints
    shown_size: Ints32

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: AnyInts) -> _Segments:
        return _Segments(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def plus(self, other: _Segments) -> _Segments:
        return _Segments(
            **{f.name: np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Which of p parts each of m pairs (part, prompt) are of: ``prompt[start[i] : start[i + 1]]`` hold part i."""

    start: Ints
    """int64[p + 1]."""
    prompt: Ints32
    """int32[m], ascending for each part."""

    def through(self, item: AnyInts, part: AnyInts) -> tuple[Ints, Ints]:
        """Joins (item, part) with (part, prompt): the distinct pairs (item, prompt)."""
        item, part = pairs(item, part)
        counts = self.start[part + 1] - self.start[part]
        return np.repeat(item, counts), self.prompt[ranges(self.start[part], counts)].astype(np.int64)


class CorpusBuilder:
    """Takes blocks of prompts and builds a :class:`Corpus` of them.

    What is taken goes to files without names; in memory is one block for each process, and what :meth:`finish` needs.
    The result depends neither on the order of blocks nor on the number of processes. To be closed where it is not
    finished; it is its own context manager.

    Args:
        segment_characters: a part longer than twice this is also compared in pieces of about this length.
        max_windows: pieces of a long part besides head and tail.
        min_senders: a sentence is a segment when at least so many accounts sent it.
        registry: of scaffolds to take out; None takes out nothing.
        workers: processes that prepare blocks beside this one, once there are many; below 2 there are none.
        shards: keeps what was prepared of whole files, see :meth:`add_file`; its cutting must be the one given here.
        folder: of the files, see :class:`~harvestdetect.util.scratch.ScratchFile`.
        since: prompts before this time (Unix seconds) are left out; None: none are. Those without a time stay.

    Raises:
        ValueError: ``shards`` holds what was cut otherwise.
    """

    def __init__(
        self,
        *,
        segment_characters: int = 300,
        max_windows: int = 4,
        min_senders: int = 10,
        registry: Registry | None = None,
        workers: int = 1,
        shards: ShardFolder | None = None,
        folder: Place = None,
        since: int | None = None,
    ) -> None:
        self._cutting = Cutting(segment_characters=segment_characters, max_windows=max_windows, registry=registry)
        self._preparer = ParallelPreparer(self._cutting, self._take, workers=workers, shards=shards)
        self._min_senders = min_senders
        self._folder = folder
        self._since = since
        self._known: Counter[str] = Counter()
        self._items = 0
        self._prompts = 0
        self._values = np.zeros(len(CODED), np.int32)
        self._columns = _Columns(folder)
        self._texts = TextFile(folder)

    def __len__(self) -> int:
        """Prompts taken so far."""
        return len(self._preparer)

    def __enter__(self) -> CorpusBuilder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def known(self) -> Counter[str]:
        """Id of an entry of the registry -> prompts with a part of which it is the entry with the most words."""
        self._preparer.finish()
        return self._known

    def close(self) -> None:
        """Ends the processes; what is still to be prepared is dropped."""
        self._preparer.close()

    # ------------------------------------------------------------ taking

    def add(self, block: pa.RecordBatch) -> None:
        """Takes a block of ``PROMPT_SCHEMA``."""
        self._preparer.add(block)

    def add_file(self, batches: Iterable[Batch], *, file: int, name: str, sha256: str | None = None) -> Iterator[Batch]:
        """Takes a file of a dump, see :meth:`harvestdetect.corpus.prepare_parallel.ParallelPreparer.add_file`."""
        return self._preparer.add_file(batches, file=file, name=name, sha256=sha256)

    def _take(self, block: Prepared, file: Ints32) -> None:
        if self._since is not None:
            wanted = (block.time >= self._since) | (block.time == NO_TIME)
            block, file = chosen(block, wanted), file[wanted]
        add = self._columns.add
        for name in ("line", "time", "created_at", "content", "digest", "kind"):
            add(name, getattr(block, name))
        add("file", file)
        borders = np.cumsum(block.value_count)[:-1]
        value_bytes = np.cumsum(block.value_size, dtype=np.int64)
        stops = [int(value_bytes[border - 1]) if border else 0 for border in borders.tolist()]
        for number, name in enumerate(CODED):
            code = block.code[:, number]
            add(f"{name} code", np.where(code < 0, -1, code + self._values[number]).astype(np.int32))
        for name, size, data in zip(
            CODED, np.split(block.value_size, borders), np.split(block.value_bytes, stops), strict=True
        ):
            add(f"{name} size", size)
            add(f"{name} bytes", data)
        self._values += block.value_count
        add("owner", block.owner + np.int32(self._items))
        add("shared_count", block.shared_count)
        add("shared", block.shared)
        add("shared_kind", block.shared_kind)
        add("held", block.held + np.int32(self._items))
        add("holder", block.holder + np.int32(self._prompts))
        text = np.cumsum(block.text_size, dtype=np.int64) - block.text_size
        own = block.shown_size >= 0
        size = np.maximum(block.shown_size, 0)
        shown = np.cumsum(size, dtype=np.int64) - size
        text += self._texts.append(block.text_bytes.data)
        shown += self._texts.append(block.shown_bytes.data)
        add("text", text)
        add("text size", block.text_size)
        add("shown", np.where(own, shown, text))
        add("shown size", np.where(own, block.shown_size, block.text_size))
        self._items += len(block.kind)
        self._prompts += len(block.line)
        entries = self._cutting.registry.entries if self._cutting.registry else ()
        self._known.update({e.id: n for e, n in zip(entries, block.known.tolist(), strict=True) if n})

    # ------------------------------------------------------------ the end

    def finish(self) -> Corpus:
        """The corpus of all prompts taken."""
        try:
            self._preparer.finish()
        finally:
            self.close()
        pa.default_memory_pool().release_unused()
        prompts, place = self._sorted_prompts()
        pa.default_memory_pool().release_unused()
        read = self._columns.read
        every = _Segments(
            digest=read("digest", np.uint64, 2),
            kind=read("kind", np.uint8),
            text=read("text", np.int64),
            text_size=read("text size", np.int32),
            shown=read("shown", np.int64),
            shown_size=read("shown size", np.int32),
        )
        rows = np.flatnonzero(every.kind < WHOLE_KINDS)
        parts = every.take(rows)
        group, best, kind = self._collapse(parts)
        part = np.full(len(every), -1, np.int32)
        part[rows] = group
        counts = np.zeros(len(every), np.bool_)
        counts[rows[best]] = True
        parts = parts.take(best)
        parts.kind[:] = kind
        pa.default_memory_pool().release_unused()
        held = _held(part[read("held", np.int32)], place[read("holder", np.int32)], len(parts))

        owner = read("owner", np.int32)
        rows = np.flatnonzero((every.kind >= WHOLE_KINDS) & counts[owner])
        pieces, piece_part = every.take(rows), part[owner[rows]]
        del every, owner, rows
        shared, shared_item, shared_part = self._shared(parts, part, counts, held, prompts.account)
        del part, counts
        others = pieces.plus(shared)
        piece_count, part_count = len(pieces), len(parts)
        del pieces, shared
        group, best, kind = self._collapse(others)
        others = others.take(best)
        others.kind[:] = kind

        # a piece that is a part as well leaves the part as it is spelt
        both = parts.plus(others)
        del parts, others
        order, new = _by_digest(both.digest)
        number = np.empty(len(both), np.int32)
        number[order] = np.cumsum(new) - 1
        segments = both.take(order[new])
        del both, order, new
        other = number[part_count:][group]
        packed = np.concatenate(
            [
                packed_pairs(np.repeat(number[:part_count], np.diff(held.start)), held.prompt),
                packed_pairs(*held.through(other[:piece_count], piece_part)),
                packed_pairs(*held.through(other[piece_count:][shared_item], shared_part)),
            ]
        )
        packed.sort()
        packed = packed[_changes(packed)]
        segment, prompt = (packed >> 32).astype(np.int32), (packed & 0xFFFFFFFF).astype(np.int32)
        del packed
        return Corpus(
            digest=segments.digest.astype(">u8").view("V16").reshape(-1),
            text=Texts(self._texts, segments.text, segments.text_size),
            display=Texts(self._texts, segments.shown, segments.shown_size),
            kind=segments.kind,
            # prompts are sorted by account
            senders=np.bincount(segment[_changes(segment, prompts.account[prompt])], minlength=len(segments)).astype(
                np.int32
            ),
            posting_segment=segment,
            posting_prompt=prompt,
            prompts=prompts,
        )

    def _sorted_prompts(self) -> tuple[Prompts, Ints32]:
        """The p prompts in their order, and the place of each in it as it was taken, int32[p]."""
        read = self._columns.read
        content = np.unique(read("content", np.uint64), return_inverse=True)[1].astype(np.int32)
        account, accounts = self._coded("account")
        time = read("time", np.int64)
        order = np.lexsort((content, time, account))
        account, time, content = account[order], time[order], content[order]
        created, file, line = read("created_at", np.int64), read("file", np.int32), read("line", np.int64)
        coded = {name: self._coded(name) for name in CODED[1:]}
        # the other columns decide only among prompts that agree in these three
        same = ~_changes(account, time, content)
        tied = np.flatnonzero(same | np.append(same[1:], False)[: len(same)])
        rows, run = order[tied], np.cumsum(~same)[tied]
        others = (line, file, *(code for code, _ in coded.values()), created)
        order[tied] = rows[np.lexsort((*(column[rows] for column in others), run))]
        del others, same, tied, rows, run
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        created, file, line = created[order], file[order], line[order]
        prompts = Prompts(
            account=account,
            time=time,
            file=file,
            line=line,
            content=content,
            accounts=accounts,
            fields={n: FieldColumn(code=coded[n][0][order], values=coded.pop(n)[1]) for n in CODED[1:]},
            created_at=created,
        )
        return prompts, place

    def _coded(self, name: str) -> tuple[Ints32, pa.Array]:
        """Codes of a column into its sorted values, -1 kept."""
        read = self._columns.read
        values = unpack(read(f"{name} size", np.int32), read(f"{name} bytes", np.uint8)).dictionary_encode()
        order = pc.sort_indices(values.dictionary)
        rank = np.empty(len(order), np.int32)
        rank[order.to_numpy(zero_copy_only=False)] = np.arange(len(order), dtype=np.int32)
        code = np.append(rank[values.indices.to_numpy(zero_copy_only=False)], np.int32(-1))
        return code[read(f"{name} code", np.int32)], values.dictionary.take(order).cast(pa.string())

    def _collapse(self, segments: _Segments) -> tuple[Ints32, Ints, Bytes]:
        """The g distinct ones of n segments, by ascending digest.

        Returns:
            Which of them each segment is, int32[n]; of each the row with the least original, int64[g]; and the least
            kind of each, uint8[g].
        """
        order, new = _by_digest(segments.digest)
        group = np.empty(len(order), np.int32)
        group[order] = np.cumsum(new) - 1
        start = np.flatnonzero(new)
        best = order[start]
        kind = np.minimum.reduceat(segments.kind[order], start) if len(start) else segments.kind
        size = np.diff(np.append(start, len(order)))
        rows = order[np.repeat(size > 1, size)]
        if not len(rows):
            return group, best, kind
        several = group[rows]
        lot = np.cumsum(segments.shown_size[rows] + 16, dtype=np.int64) // COMPARED_BYTES
        lot = lot[np.searchsorted(several, several)]  # a group is in the lot of its first row
        for a, b in _runs(lot):
            texts = Texts(self._texts, segments.shown[rows[a:b]], segments.shown_size[rows[a:b]])
            table = pa.table({"group": several[a:b], "shown": texts.column(np.arange(b - a))})
            sorted_ = pc.sort_indices(table, sort_keys=[("group", "ascending"), ("shown", "ascending")])
            by_text = rows[a:b][sorted_.to_numpy()]
            first = by_text[_changes(group[by_text])]
            best[group[first]] = first
        return group, best, kind

    def _shared(
        self, parts: _Segments, part: Ints32, counts: Bools, held: _Held, account: Ints32
    ) -> tuple[_Segments, Ints, Ints32]:
        """The sentences and outlines that enough accounts sent.

        Args:
            parts: p distinct ones.
            part: int32[n], which of them each segment taken is.
            counts: bool[n]: the one segment of each part whose spelling counts.
            held: prompts of the parts.
            account: of the prompts.

        Returns:
            h segments, and in which parts they are: int64[m] into the h, and int32[m] into the p.
        """
        read = self._columns.read
        count = read("shared_count", np.int32)
        mine = np.repeat(counts, count)
        digest, kind = read("shared", np.int64)[mine], read("shared_kind", np.uint8)[mine]
        of = np.repeat(part[counts], count[counts])
        del count, mine
        volume = np.diff(held.start)
        order = np.argsort(digest, kind="stable")
        start = np.flatnonzero(_changes(digest[order]))
        size = np.diff(np.append(start, len(order)))
        loose = np.add.reduceat(volume[of[order]], start) if len(start) else size
        maybe = loose >= self._min_senders
        order, size = order[np.repeat(maybe, size)], size[maybe]
        digest, kind, of = digest[order], kind[order], of[order]

        value = np.repeat(np.arange(len(size)), size)
        sent = account[held.prompt]
        once = _changes(np.repeat(np.arange(len(parts)), volume), sent)
        start = np.concatenate([[0], np.cumsum(once)])[held.start]
        senders = _Held(start=start, prompt=sent[once])
        shared = np.zeros(len(size), np.bool_)
        lot = np.cumsum(np.diff(start)[of]) // EXPANDED
        for a, b in _runs(lot[np.searchsorted(value, value)]):
            item, _ = pairs(*senders.through(value[a:b], of[a:b]))
            shared |= np.bincount(item, minlength=len(size)) >= self._min_senders
        keep = shared[value]
        digest, kind, of = digest[keep], kind[keep], of[keep]
        new = _changes(digest)
        start, value = np.flatnonzero(new), np.cumsum(new) - 1
        kind = np.minimum.reduceat(kind, start) if len(start) else kind
        found = self._cut_again(parts, digest[start], of[start])
        text = [normalize(sentence) for sentence in found]
        full = np.array([bool(t) for t in text], np.bool_)
        keep = full[value] if len(full) else np.zeros(0, np.bool_)
        made = self._keep(
            [t.encode() for t in text if t], [s.encode() for s, t in zip(found, text, strict=True) if t], kind[full]
        )
        return made, (np.cumsum(full) - 1)[value[keep]], of[keep]

    def _cut_again(self, parts: _Segments, digest: Ints, of: Ints32) -> list[str]:
        """Sentences and outlines, of which these are the (ascending) digests, each from a part that has it."""
        found = [""] * len(digest)
        shown = Texts(self._texts, parts.shown, parts.shown_size)
        holders = unique(of)
        for first in range(0, len(holders), LOOKED_AT):
            rows = holders[first : first + LOOKED_AT]
            cut = shareable(shown.column(rows).cast(pa.large_string()))
            value = np.minimum(np.searchsorted(digest, cut.digest), len(digest) - 1)
            right = (digest[value] == cut.digest) & (of[value] == rows[cut.owner])
            for i in np.flatnonzero(right).tolist():
                found[value[i]] = cut.text[i]
        return found

    def _keep(self, text: list[bytes], shown: list[bytes], kind: Bytes) -> _Segments:
        """Segments that were not taken with a block."""
        sizes = [np.array([len(t) for t in texts], np.int32) for texts in (text, shown)]
        places = [
            self._texts.append(b"".join(texts)) + np.cumsum(size, dtype=np.int64) - size
            for texts, size in zip((text, shown), sizes, strict=True)
        ]
        return _Segments(
            digest=digests(text), kind=kind, text=places[0], text_size=sizes[0], shown=places[1], shown_size=sizes[1]
        )


def _held(part: Ints32, prompt: Ints32, parts: int) -> _Held:
    packed = packed_pairs(part, prompt)
    packed.sort()
    start = np.concatenate([[0], np.cumsum(np.bincount(packed >> 32, minlength=parts))])
    return _Held(start=start, prompt=(packed & 0xFFFFFFFF).astype(np.int32))


def _by_digest(digest: Words) -> tuple[Ints, Bools]:
    """The stable order of digests, uint64[n, 2], and which of them differ from the one before, in that order."""
    high = np.ascontiguousarray(digest[:, 0])
    order = np.argsort(high, kind="stable")
    new = _changes(digest[order, 0], digest[order, 1])
    if np.any(new[1:] & (np.diff(high[order]) == 0)):
        order = np.lexsort((digest[:, 1], high))
        new = _changes(digest[order, 0], digest[order, 1])
    return order, new


def _changes(*columns: npt.NDArray[Any]) -> Bools:
    """Where any of some columns differs from the row before; the first row does."""
    new = np.zeros(len(columns[0]), np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new


def _runs(value: AnyInts) -> Iterator[tuple[int, int]]:
    """Start and stop of each run of equal values."""
    start = np.flatnonzero(_changes(value))
    yield from zip(start.tolist(), [*start[1:].tolist(), len(value)], strict=True) if len(start) else ()


def build_corpus(
    batches: Iterable[Batch],
    *,
    segment_characters: int = 300,
    max_windows: int = 4,
    min_senders: int = 10,
    registry: Registry | None = None,
    workers: int = 1,
) -> Corpus:
    """The corpus of all prompts in ``batches``; see :class:`CorpusBuilder`."""
    with CorpusBuilder(
        segment_characters=segment_characters,
        max_windows=max_windows,
        min_senders=min_senders,
        registry=registry,
        workers=workers,
    ) as builder:
        for batch in batches:
            builder.add(batch.prompts)
        return builder.finish()
