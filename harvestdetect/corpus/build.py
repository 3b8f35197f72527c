"""From rows to segments: what is compared, and who sent it.

A prompt has one or more parts, the chat messages. A part is compared as a whole, and a long part also by head, tail and
windows. A sentence, or the outline of labels at the beginnings of lines, is compared on its own if enough accounts
sent it, however varied the rest of the request was. So a fixed instruction or form is found around a payload that
varies. Segments are distinct by the digest of their normalised text.

The words of known scaffolds (:mod:`harvestdetect.corpus.registry`) are first taken out of a part, so only what remains
is cut, compared and displayed. The file and line of a prompt lead to the request as it was sent. A prompt of which
nothing remains is still a prompt of its account, without segments.

Everything is sorted by content, so the order of rows and files changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.corpus.block import CODED, Cutting, PreparedBlock, select_rows
from harvestdetect.corpus.normalize import normalize
from harvestdetect.corpus.preambles import find_preambles
from harvestdetect.corpus.prepare_parallel import ParallelPreparer
from harvestdetect.corpus.registry import Entry, Registry
from harvestdetect.corpus.repeats import first_requests
from harvestdetect.corpus.segments import digests, shareable
from harvestdetect.corpus.shards import ShardFolder
from harvestdetect.corpus.tables import (
    GrowingColumns,
    PartPrompts,
    SegmentTable,
    by_digest,
    prompts_of_parts,
    runs_of_equal,
)
from harvestdetect.corpus.taking_out import sample_of, take_out
from harvestdetect.corpus.turns import SENT, leave_out_resent
from harvestdetect.data import NO_TIME, WHOLE_KINDS, Batch, Corpus, FieldColumn, Preamble, Prompts
from harvestdetect.engines.engine import Engine
from harvestdetect.util.arrays import Bools, Bytes, Ints, Ints32, changes, packed_pairs, pairs, run_starts, unique
from harvestdetect.util.scratch import Place
from harvestdetect.util.texts import TextFile, Texts, unpack

__all__ = ["CorpusBuilder", "build_corpus"]

COMPARED_BYTES: Final = 16_000_000
"""Approximate number of bytes of originals that are compared at a time."""
TEXTS_PER_CUT: Final = 20_000
"""Number of texts that are cut into sentences again at a time."""
SENDERS_PER_COUNT: Final = 20_000_000
"""Approximate number of pairs of a sentence and a sender that are counted at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pieces:
    """In which parts, and so in which prompts, the segments beside parts are: pieces first, then what is shared."""

    prompts: PartPrompts
    """The prompts of each distinct part."""
    group: Ints32
    """int32[i + h]: the distinct segment of each of i pieces, and of each of h sentences and outlines."""
    piece_part: Ints32
    """int32[i]: the part that each piece belongs to."""
    shared_item: Ints
    """int64[m]: for each pair of a sentence or outline and a part that contains it, an index into ``group``."""
    shared_part: Ints32
    """int32[m]: the part of each pair."""

    def postings(self, number: Ints32) -> Ints:
        """Pairs of a segment and a prompt that contains it, packed, in no order. A pair may repeat.

        Args:
            number: the number of each distinct part, followed by the number of each other distinct segment.
        """
        parts = len(self.prompts.start) - 1
        other = number[parts:][self.group]
        return np.concatenate(
            [
                packed_pairs(np.repeat(number[:parts], np.diff(self.prompts.start)), self.prompts.prompt),
                packed_pairs(*self.prompts.through(other[: len(self.piece_part)], self.piece_part)),
                packed_pairs(*self.prompts.through(other[self.shared_item], self.shared_part)),
            ]
        )


class CorpusBuilder:
    """Takes blocks of prompts and builds a :class:`Corpus` from them.

    What is taken goes to files without names. Memory is used for one block per worker, and for what :meth:`finish`
    needs. The result depends neither on the order of blocks nor on the number of processes. A builder that is not
    finished must be closed; it is its own context manager.

    Args:
        segment_characters: a part longer than twice this is also compared in pieces of about this length.
        max_windows: pieces of a long part besides head and tail.
        min_senders: number of accounts that must have sent a sentence for it to be a segment.
        registry: scaffolds to take out; None takes out nothing.
        engine: prepares blocks once there are many; None prepares all in this process.
        shards: keeps the prepared blocks of whole files, see :meth:`add_file`. It must cut as the builder does.
        folder: of the files, see :class:`~harvestdetect.util.scratch.ScratchFile`.
        since: Unix seconds. Earlier prompts are left out, those without a time are not; None takes all.
        find_preambles: whether to look for preambles and to take them out, see
            :mod:`harvestdetect.corpus.preambles`.
        kept_preambles: texts of preambles that an earlier scan found.

    Raises:
        ValueError: ``shards`` cuts prompts in another way.
    """

    def __init__(
        self,
        *,
        segment_characters: int = 300,
        max_windows: int = 4,
        min_senders: int = 10,
        registry: Registry | None = None,
        engine: Engine | None = None,
        shards: ShardFolder | None = None,
        folder: Place = None,
        since: int | None = None,
        find_preambles: bool = False,
        kept_preambles: Sequence[str] = (),
    ) -> None:
        """Many parameters because each is one choice of the caller."""
        self._cutting = Cutting(segment_characters=segment_characters, max_windows=max_windows, registry=registry)
        self._preparer = ParallelPreparer(self._cutting, self._take, engine=engine, shards=shards)
        self._min_senders = min_senders
        self._folder = folder
        self._since = since
        self._find_preambles = find_preambles
        self._kept_preambles = kept_preambles
        self.preambles: tuple[Preamble, ...] = ()
        """Preambles that :meth:`finish` found and took out."""
        self.resent = 0
        """Turns of conversations that :meth:`finish` left out, because they were sent before."""
        self._several_turns = False
        self._known: Counter[str] = Counter()
        self._items = 0
        self._prompts = 0
        self._values = np.zeros(len(CODED), np.int32)
        self._columns = GrowingColumns(folder)
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
        """Id of an entry of the registry -> prompts with a part in which it is the entry with the most words."""
        self._preparer.finish()
        return self._known

    def close(self) -> None:
        """Lets the engine rest. Blocks that are not prepared yet are dropped."""
        self._preparer.close()

    # ------------------------------------------------------------ taking

    def add(self, block: pa.RecordBatch) -> None:
        """Takes a block of ``PROMPT_SCHEMA``."""
        self._preparer.add(block)

    def add_file(self, batches: Iterable[Batch], *, file: int, name: str, sha256: str | None = None) -> Iterator[Batch]:
        """Takes a file of a dump, see :meth:`harvestdetect.corpus.prepare_parallel.ParallelPreparer.add_file`."""
        return self._preparer.add_file(batches, file=file, name=name, sha256=sha256)

    def _take(self, block: PreparedBlock, file: Ints32) -> None:
        """Appends a prepared block to the columns. ``file``: int32[r], the file of each row."""
        if self._since is not None:
            wanted = (block.time >= self._since) | (block.time == NO_TIME)
            block, file = select_rows(block, wanted), file[wanted]
        add = self._columns.add
        for name in ("line", "time", "created_at", "content", "digest", "kind", "request", "fresh", "turn"):
            add(name, getattr(block, name))
        add("file", file)
        add("turn count", block.turn_count)
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
        self._several_turns |= bool((block.turn_count > 1).any())
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
        account, accounts = self._coded("account")
        preambles: tuple[Entry, ...] = ()
        if self._find_preambles:
            # A product may put its text around the first turn alone, which the next requests resend.
            sample = sample_of(self._columns, self._texts, account, accounts)
            preambles = find_preambles(sample, min_accounts=self._min_senders, kept=self._kept_preambles)
        if self._several_turns:
            self.resent = leave_out_resent(self._columns, account)
        if preambles:
            self.preambles = take_out(preambles, self._columns, self._texts, self._cutting, account)
        del account, accounts
        pa.default_memory_pool().release_unused()
        prompts, place = self._sorted_prompts()
        pa.default_memory_pool().release_unused()
        both, pieces = self._distinct_segments(place, prompts.account)
        # A piece that is a part as well leaves the part with its spelling.
        order, new = by_digest(both.digest)
        number = np.empty(len(both), np.int32)
        number[order] = np.cumsum(new) - 1
        segments = both.take(order[new])
        del both, order, new
        packed = pieces.postings(number)
        packed.sort()
        packed = packed[changes(packed)]
        segment, prompt = (packed >> 32).astype(np.int32), (packed & 0xFFFFFFFF).astype(np.int32)
        del packed
        # Prompts are sorted by account, so the prompts of a segment from one account follow one another.
        sender = changes(segment, prompts.account[prompt])
        return Corpus(
            digest=segments.digest.astype(">u8").view("V16").reshape(-1),
            text=Texts(self._texts, segments.text, segments.text_size),
            display=Texts(self._texts, segments.shown, segments.shown_size),
            kind=segments.kind,
            senders=np.bincount(segment[sender], minlength=len(segments)).astype(np.int32),
            posting_segment=segment,
            posting_prompt=prompt,
            prompts=prompts,
        )

    def _distinct_segments(self, place: Ints32, account: Ints32) -> tuple[SegmentTable, _Pieces]:
        """The distinct parts, followed by the distinct pieces, sentences and outlines; and where these are.

        Args:
            place: int32[p], the number of each prompt taken.
            account: int32[p], the account of each prompt by its number.
        """
        read = self._columns.read
        every = SegmentTable(
            digest=read("digest", np.uint64, 2),
            kind=read("kind", np.uint8),
            text=read("text", np.int64),
            text_size=read("text size", np.int32),
            shown=read("shown", np.int64),
            shown_size=read("shown size", np.int32),
        )
        rows = np.flatnonzero(every.kind < WHOLE_KINDS)
        parts, group, best = self._collapse(every.take(rows))
        part = np.full(len(every), -1, np.int32)
        part[rows] = group
        counts = np.zeros(len(every), np.bool_)
        counts[rows[best]] = True
        pa.default_memory_pool().release_unused()
        prompts = prompts_of_parts(part[read("held", np.int32)], place[read("holder", np.int32)], len(parts))
        owner = read("owner", np.int32)
        rows = np.flatnonzero((every.kind >= WHOLE_KINDS) & counts[owner])
        pieces, piece_part = every.take(rows), part[owner[rows]]
        del every, owner, rows
        shared, shared_item, shared_part = self._shared(parts, part, counts, prompts, account)
        del part, counts
        count = len(pieces)
        others = pieces.plus(shared)
        del pieces, shared
        others, group, _ = self._collapse(others)
        return parts.plus(others), _Pieces(
            prompts=prompts,
            group=group,
            piece_part=piece_part,
            shared_item=shared_item + count,
            shared_part=shared_part,
        )

    def _sorted_prompts(self) -> tuple[Prompts, Ints32]:
        """The p prompts in their final order, and the number of each prompt taken in that order, int32[p]."""
        read = self._columns.read
        content = np.unique(read("content", np.uint64), return_inverse=True)[1].astype(np.int32)
        account, accounts = self._coded("account")
        time = read("time", np.int64)
        order = np.lexsort((content, time, account))
        sent = read(SENT, np.uint64) if SENT in self._columns else content
        account, time, content = account[order], time[order], content[order]
        created, file, line = read("created_at", np.int64), read("file", np.int32), read("line", np.int64)
        coded = {name: self._coded(name) for name in CODED[1:]}
        # The other columns decide only between prompts that agree in these three.
        same = ~changes(account, time, content)
        tied = np.flatnonzero(same | np.append(same[1:], False)[: len(same)])
        rows, run = order[tied], np.cumsum(~same)[tied]
        others = (line, file, *(code for code, _ in coded.values()), created, sent)
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
            first=first_requests(account, time, sent[order], read("request", np.uint64)[order]),
        )
        return prompts, place

    def _coded(self, name: str) -> tuple[Ints32, pa.Array]:
        """A column as codes into its sorted values. -1, a missing value, stays -1."""
        read = self._columns.read
        values = unpack(read(f"{name} size", np.int32), read(f"{name} bytes", np.uint8)).dictionary_encode()
        order = pc.sort_indices(values.dictionary)
        rank = np.empty(len(order), np.int32)
        rank[order.to_numpy(zero_copy_only=False)] = np.arange(len(order), dtype=np.int32)
        code = np.append(rank[values.indices.to_numpy(zero_copy_only=False)], np.int32(-1))
        return code[read(f"{name} code", np.int32)], values.dictionary.take(order).cast(pa.string())

    def _collapse(self, segments: SegmentTable) -> tuple[SegmentTable, Ints32, Ints]:
        """Makes equal segments one.

        Returns:
            The g distinct segments by ascending digest, each with the least of its originals and of its kinds; which
            of them each of the n segments is, int32[n]; and the row of the least original of each, int64[g].
        """
        order, new = by_digest(segments.digest)
        group = np.empty(len(order), np.int32)
        group[order] = np.cumsum(new) - 1
        start = np.flatnonzero(new)
        best = order[start]
        kind = np.minimum.reduceat(segments.kind[order], start) if len(start) else segments.kind
        self._choose_spelling(segments, group, best, np.diff(np.append(start, len(order))), order)
        found = segments.take(best)
        found.kind[:] = kind
        return found, group, best

    def _choose_spelling(self, segments: SegmentTable, group: Ints32, best: Ints, size: Ints, order: Ints) -> None:
        """Sets ``best`` to the row with the least original of each group of equal segments.

        Args:
            segments: n of them.
            group: int32[n], the group of each.
            best: int64[g], any row of each group; is changed.
            size: int64[g], rows of each group.
            order: int64[n], rows by group.
        """
        rows = order[np.repeat(size > 1, size)]
        if not len(rows):
            return
        several = group[rows]
        lot = np.cumsum(segments.shown_size[rows] + 16, dtype=np.int64) // COMPARED_BYTES
        lot = lot[np.searchsorted(several, several)]  # a group is in the lot of its first row
        for a, b in runs_of_equal(lot):
            texts = Texts(self._texts, segments.shown[rows[a:b]], segments.shown_size[rows[a:b]])
            table = pa.table({"group": several[a:b], "shown": texts.column(np.arange(b - a))})
            sorted_ = pc.sort_indices(table, sort_keys=[("group", "ascending"), ("shown", "ascending")])
            by_text = rows[a:b][sorted_.to_numpy()]
            first = by_text[changes(group[by_text])]
            best[group[first]] = first

    def _shared(
        self, parts: SegmentTable, part: Ints32, counts: Bools, prompts: PartPrompts, account: Ints32
    ) -> tuple[SegmentTable, Ints, Ints32]:
        """The sentences and outlines that enough accounts sent.

        Args:
            parts: p distinct parts.
            part: int32[n], which of them each segment taken is.
            counts: bool[n]: for each part, the one segment whose spelling is used.
            prompts: of the parts.
            account: int32, of each prompt.

        Returns:
            h segments; and pairs of a segment and a part that contains it, as int64[m] and int32[m].
        """
        read = self._columns.read
        count = read("shared_count", np.int32)
        mine = np.repeat(counts, count)
        digest, kind = read("shared", np.int64)[mine], read("shared_kind", np.uint8)[mine]
        of = np.repeat(part[counts], count[counts])
        del count, mine
        volume = np.diff(prompts.start)
        order = np.argsort(digest, kind="stable")
        start = run_starts(digest[order])
        size = np.diff(np.append(start, len(order)))
        loose = np.add.reduceat(volume[of[order]], start) if len(start) else size
        maybe = loose >= self._min_senders
        order, size = order[np.repeat(maybe, size)], size[maybe]
        digest, kind, of = digest[order], kind[order], of[order]

        value = np.repeat(np.arange(len(size)), size)
        sent = account[prompts.prompt]
        once = changes(np.repeat(np.arange(len(parts)), volume), sent)
        start = np.concatenate([[0], np.cumsum(once)])[prompts.start]
        senders = PartPrompts(start=start, prompt=sent[once])
        shared = np.zeros(len(size), np.bool_)
        lot = np.cumsum(np.diff(start)[of]) // SENDERS_PER_COUNT
        for a, b in runs_of_equal(lot[np.searchsorted(value, value)]):
            item, _ = pairs(*senders.through(value[a:b], of[a:b]))
            shared |= np.bincount(item, minlength=len(size)) >= self._min_senders
        keep = shared[value]
        digest, kind, of = digest[keep], kind[keep], of[keep]
        new = changes(digest)
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

    def _cut_again(self, parts: SegmentTable, digest: Ints, of: Ints32) -> list[str]:
        """The sentences and outlines with some digests, ascending. ``of``: for each digest and part, pairs."""
        found = [""] * len(digest)
        shown = Texts(self._texts, parts.shown, parts.shown_size)
        holders = unique(of)
        for first in range(0, len(holders), TEXTS_PER_CUT):
            rows = holders[first : first + TEXTS_PER_CUT]
            cut = shareable(shown.column(rows).cast(pa.large_string()))
            value = np.minimum(np.searchsorted(digest, cut.digest), len(digest) - 1)
            right = (digest[value] == cut.digest) & (of[value] == rows[cut.owner])
            for i in np.flatnonzero(right).tolist():
                found[value[i]] = cut.text[i]
        return found

    def _keep(self, text: list[bytes], shown: list[bytes], kind: Bytes) -> SegmentTable:
        """Writes texts to the file, as segments."""
        sizes = [np.array([len(t) for t in texts], np.int32) for texts in (text, shown)]
        places = [
            self._texts.append(b"".join(texts)) + np.cumsum(size, dtype=np.int64) - size
            for texts, size in zip((text, shown), sizes, strict=True)
        ]
        return SegmentTable(
            digest=digests(text), kind=kind, text=places[0], text_size=sizes[0], shown=places[1], shown_size=sizes[1]
        )


def build_corpus(
    batches: Iterable[Batch],
    *,
    segment_characters: int = 300,
    max_windows: int = 4,
    min_senders: int = 10,
    registry: Registry | None = None,
    engine: Engine | None = None,
) -> Corpus:
    """The corpus of all prompts in ``batches``; see :class:`CorpusBuilder`."""
    with CorpusBuilder(
        segment_characters=segment_characters,
        max_windows=max_windows,
        min_senders=min_senders,
        registry=registry,
        engine=engine,
    ) as builder:
        for batch in batches:
            builder.add(batch.prompts)
        return builder.finish()
