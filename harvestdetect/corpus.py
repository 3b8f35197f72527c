"""From rows to segments: what is compared, and who sent it.

A prompt is one or more parts (chat messages by role). A part is compared whole; a long part also by head, tail and
windows; and a sentence, or the outline of labels at the beginnings of lines, that enough accounts sent is compared
on its own, however varied the rest of the request was, so that a fixed instruction or form around a varying payload
is found. Segments are unique by the digest of their normalised text.

The words of known scaffolds (:mod:`harvestdetect.registry`) are taken out of a part before anything else, so all that
is cut, compared and displayed is what remains of it; the file and line of a prompt lead to the request as it was sent.
A prompt of which nothing remains stays a prompt of its account, without segments.

Everything is sorted by content, so the order of rows and files changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harvestdetect.arrays import pairs, ranges
from harvestdetect.data import (
    FIELDS,
    HEAD,
    KINDS,
    OUTLINE,
    PART,
    SENTENCE,
    SYSTEM,
    TAIL,
    WINDOW,
    Batch,
    Corpus,
    FieldColumn,
    Prompts,
)
from harvestdetect.normalize import is_wordy, normalize, outline, sentences
from harvestdetect.registry import Registry, strip
from harvestdetect.texts import write_texts

__all__ = ["KINDS", "CorpusBuilder", "build_corpus"]

_PARAGRAPH = re.compile(r"[\n\r\u2028\u2029]+")
_DIGEST_BYTES = 16


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


def _short_digest(text: str) -> int:
    return int.from_bytes(_digest(text)[:8], "big", signed=True)


def _shareable(original: str) -> Iterator[tuple[str, int]]:
    """What of a part is compared on its own if enough accounts sent it: its sentences and its outline."""
    if len(original) <= 24:
        return
    found = list(sentences(original))
    if len(found) > 1:
        for sentence in dict.fromkeys(found):
            if is_wordy(sentence):
                yield sentence, SENTENCE
    if labels := outline(original):
        yield labels, OUTLINE


def _pieces(text: str, *, size: int, max_windows: int) -> Iterator[tuple[int, str]]:
    """Head, tail and windows of a long part: ``(kind, original text)``.

    A window starts at a paragraph, so that what stands before it in the request does not move its borders.
    """
    clean = text.strip()
    yield HEAD, clean[:size].rsplit(maxsplit=1)[0]
    yield TAIL, clean[-size:].split(maxsplit=1)[-1]
    left = max_windows
    for paragraph in _PARAGRAPH.split(clean):
        for start in range(0, len(paragraph), size):
            if left == 0:
                return
            piece = paragraph[start : start + size]
            if len(piece) >= size // 3:
                left -= 1
                yield WINDOW, piece


class CorpusBuilder:
    """Takes blocks of prompts and builds a :class:`Corpus` of them.

    Args:
        segment_characters: a part longer than twice this is also compared in pieces of about this length.
        max_windows: pieces of a long part besides head and tail.
        min_senders: a sentence is a segment when at least so many accounts sent it.
        registry: of scaffolds to take out; None takes out nothing.
    """

    known: Counter[str]
    """Id of an entry of the registry -> prompts with a part of which it is the entry with the most words."""

    def __init__(
        self,
        *,
        segment_characters: int = 300,
        max_windows: int = 4,
        min_senders: int = 10,
        registry: Registry | None = None,
    ) -> None:
        self._size = segment_characters
        self._max_windows = max_windows
        self._min_senders = min_senders
        self._registry = registry
        self.known = Counter()
        self._accounts: dict[str, int] = {}
        self._account = array("i")
        self._time = array("q")
        self._created = array("q")
        self._file = array("i")
        self._line = array("q")
        self._content_digest = bytearray()
        self._texts: list[str] = []
        self._digests: list[bytes] = []
        self._kinds = bytearray()
        self._index: dict[bytes, int] = {}
        self._parts = 0
        """Segments below it are parts and settled."""
        self._display: list[str] = []
        self._post_segment = array("i")
        self._post_prompt = array("i")
        self._field_values: dict[str, dict[str, int]] = {name: {} for name in FIELDS if name != "created_at"}
        self._field_code: dict[str, array[int]] = {name: array("i") for name in self._field_values}

    def __len__(self) -> int:
        """Prompts taken so far."""
        return len(self._account)

    def add(self, block: pa.RecordBatch) -> None:
        """Takes a block of ``PROMPT_SCHEMA``; keeps distinct texts, ids and codes of it."""
        accounts = self._accounts
        for name, target in (
            ("file", self._file),
            ("line", self._line),
            ("time", self._time),
            ("created_at", self._created),
        ):
            target.frombytes(np.ascontiguousarray(block.column(name).to_numpy(zero_copy_only=False)).tobytes())
        for name, values in self._field_values.items():
            self._field_code[name].extend(self._codes(block.column(name), values))
        first = len(self._account)
        for account in block.column("account").to_pylist():
            self._account.append(accounts.setdefault(account, len(accounts)))
        self._add_prompts(first, block.column("roles").to_pylist(), block.column("parts").to_pylist())

    @staticmethod
    def _codes(column: pa.Array, values: dict[str, int]) -> Iterator[int]:
        if column.null_count == len(column):
            return iter([-1] * len(column))
        return (-1 if v is None else values.setdefault(v, len(values)) for v in column.to_pylist())

    def _add_prompts(self, first: int, roles: list[list[str]], parts: list[list[str]]) -> None:
        texts: list[str] = []
        for i, own in enumerate(roles):
            asked = [j for j, role in enumerate(own) if role != "assistant"] if "assistant" in own else None
            if asked:
                roles[i] = [own[j] for j in asked]
                texts.extend([parts[i][j] for j in asked])
            else:
                texts.extend(parts[i])
        remains = self._remains(texts)
        for prompt, own in enumerate(roles, first):
            whole = hashlib.blake2b(digest_size=8)
            held: set[int] = set()
            known: set[str] = set()
            for role, (original, text, entry) in zip(own, islice(remains, len(own)), strict=True):
                part = self._segment(original, text, SYSTEM if role in ("system", "developer") else PART)
                if part < 0 and not entry:
                    continue
                whole.update(role.encode("utf-8", "replace") + b"\0")
                if entry:
                    # what remains of requests with different scaffolds may be the same; the requests are not
                    known.add(entry)
                    whole.update(entry.encode() + b"\0")
                if part >= 0:
                    held.add(part)
                    whole.update(self._digests[part])
            if known:
                self.known.update(known)
            for part in held:
                self._post_segment.append(part)
                self._post_prompt.append(prompt)
            self._content_digest += whole.digest()

    def _remains(self, texts: list[str]) -> Iterator[tuple[str, str, str]]:
        """What remains of texts, the same normalised, and the id of the entry that is in them, "" for none."""
        if self._registry is None:
            return ((text, normalize(text), "") for text in texts)
        found = strip(self._registry, texts)
        ids = [entry.id for entry in self._registry.entries] + [""]
        return zip(found.texts, found.compared, [ids[entry] for entry in found.entry.tolist()], strict=True)

    def _segment(self, original: str, text: str, kind: int) -> int:
        """The position of a segment, made if new; -1 for a text that is empty once normalised."""
        if not text:
            return -1
        key = _digest(text)
        found = self._index.get(key)
        if found is None:
            found = self._index[key] = len(self._texts)
            self._digests.append(key)
            self._texts.append(text)
            self._display.append(original)
            self._kinds.append(kind)
        elif found >= self._parts:
            # a piece that is a part as well leaves the part as it is spelt
            self._kinds[found] = min(self._kinds[found], kind)
            if original != self._display[found]:
                self._display[found] = min(self._display[found], original)
        return found

    # ------------------------------------------------------------ the end

    def finish(self) -> Corpus:
        """The corpus of all prompts taken."""
        account, account_values = _sorted_codes(_ints(self._account), list(self._accounts))
        content = np.frombuffer(bytes(self._content_digest), dtype=">u8")
        time, created = _ints(self._time, np.int64), _ints(self._created, np.int64)
        file, line = _ints(self._file), _ints(self._line, np.int64)
        fields = {}
        for name, values in self._field_values.items():
            code, sorted_values = _sorted_codes(_ints(self._field_code[name]), list(values))
            fields[name] = FieldColumn(code=code, values=sorted_values)
        keys: list[npt.NDArray[Any]] = [line, file, *(f.code for f in fields.values()), created, content, time, account]
        order = np.lexsort(keys)
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)

        segment, prompt = _ints(self._post_segment), _ints(self._post_prompt)
        segment, prompt = self._add_pieces(segment, prompt, account)
        prompt = place[prompt]

        digest = np.array(self._digests, dtype=f"V{_DIGEST_BYTES}")
        by_digest = np.argsort(_sortable(digest), kind="stable")
        rank = np.empty(len(by_digest), np.int32)
        rank[by_digest] = np.arange(len(by_digest), dtype=np.int32)
        segment = rank[segment]
        by_posting = np.lexsort((prompt, segment))
        segment, prompt = segment[by_posting], prompt[by_posting]
        account = account[order]
        return Corpus(
            digest=digest[by_digest],
            text=write_texts(self._texts[i] for i in by_digest),
            display=write_texts(self._display[i] for i in by_digest),
            kind=np.frombuffer(bytes(self._kinds), np.uint8)[by_digest],
            senders=_distinct(segment, account[prompt], len(by_digest)),
            posting_segment=segment,
            posting_prompt=prompt,
            prompts=Prompts(
                account=account,
                time=time[order],
                file=file[order],
                line=line[order],
                content=np.unique(content[order], return_inverse=True)[1].astype(np.int32),
                accounts=account_values,
                fields={n: FieldColumn(code=f.code[order], values=f.values) for n, f in fields.items()},
                created_at=created[order],
            ),
        )

    def _add_pieces(
        self, segment: npt.NDArray[np.int32], prompt: npt.NDArray[np.int32], account: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Makes segments of pieces of parts, and their postings.

        Head, tail and windows of every long part; sentences and outlines that at least ``min_senders`` accounts sent.
        """
        parts = self._parts = len(self._texts)
        order = np.argsort(segment, kind="stable")
        holders = prompt[order]
        starts = np.searchsorted(segment[order], np.arange(parts + 1))
        pieces, piece_part = array("i"), array("i")
        hashes, hash_part = array("q"), array("i")
        for part in range(parts):
            original = self._display[part]
            for text, _ in _shareable(original):
                hashes.append(_short_digest(text))
                hash_part.append(part)
            if len(self._texts[part]) > 2 * self._size:
                for kind, piece in _pieces(original, size=self._size, max_windows=self._max_windows):
                    child = self._segment(piece, normalize(piece), kind)
                    if child >= 0:
                        pieces.append(child)
                        piece_part.append(part)
        made = [
            (segment, prompt),
            _through(_ints(pieces), _ints(piece_part), starts, holders),
            self._shared(_ints(hashes, np.int64), _ints(hash_part), starts, holders, account),
        ]
        segments, prompts = pairs(np.concatenate([s for s, _ in made]), np.concatenate([p for _, p in made]))
        return segments.astype(np.int32), prompts.astype(np.int32)

    def _shared(
        self,
        hashes: npt.NDArray[np.int64],
        parts: npt.NDArray[np.int32],
        starts: npt.NDArray[np.int64],
        holders: npt.NDArray[np.int32],
        account: npt.NDArray[np.int32],
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Segments of the sentences and outlines that enough accounts sent: postings (segment, prompt)."""
        value, inverse = np.unique(hashes, return_inverse=True)
        loose = np.bincount(inverse, weights=(starts[parts + 1] - starts[parts]), minlength=len(value))
        maybe = loose[inverse] >= self._min_senders
        inverse, parts = inverse[maybe], parts[maybe]
        of, prompt = _through(inverse.astype(np.int32), parts, starts, holders)
        shared = _distinct(of, account[prompt], len(value)) >= self._min_senders
        holder = {int(s): int(p) for s, p in zip(inverse, parts, strict=True) if shared[s]}
        ids = np.full(len(value), -1, np.int32)
        for number, part in sorted(holder.items()):
            wanted = int(value[number])
            text, kind = next(found for found in _shareable(self._display[part]) if _short_digest(found[0]) == wanted)
            ids[number] = self._segment(text, normalize(text), kind)
        keep = ids[of] >= 0
        return ids[of[keep]], prompt[keep]


def _ints(values: array[int], kind: type[np.signedinteger[Any]] = np.int32) -> npt.NDArray[Any]:
    """The numbers of an array, which may be empty."""
    return np.frombuffer(values, kind) if values else np.empty(0, kind)


def _through(
    item: npt.NDArray[np.int32],
    part: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    holders: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Joins (item, part) with (part, prompt): the pairs (item, prompt)."""
    counts = starts[part + 1] - starts[part]
    return np.repeat(item, counts), holders[ranges(starts[part], counts)]


def _sortable(digest: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    """The rank of each 16-byte digest; numpy neither sorts void values nor keeps trailing zeros of bytes."""
    if not len(digest):
        return np.empty(0, np.int64)
    halves = np.frombuffer(digest.tobytes(), dtype=">u8").reshape(-1, 2)
    rank = np.empty(len(digest), np.int64)
    rank[np.lexsort((halves[:, 1], halves[:, 0]))] = np.arange(len(digest))
    return rank


def _sorted_codes(code: npt.NDArray[np.int32], values: list[str]) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Codes into the sorted values, -1 kept."""
    order = sorted(range(len(values)), key=values.__getitem__)
    rank = np.empty(len(values) + 1, np.int32)
    rank[order] = np.arange(len(values), dtype=np.int32)
    rank[-1] = -1
    return rank[code], pa.array([values[i] for i in order], pa.string())


def _distinct(group: npt.NDArray[np.integer], member: npt.NDArray[np.integer], groups: int) -> npt.NDArray[np.int32]:
    """How many distinct members each group has: int32[groups]."""
    return np.bincount(pairs(group, member)[0], minlength=groups).astype(np.int32)


def build_corpus(
    batches: Iterable[Batch],
    *,
    segment_characters: int = 300,
    max_windows: int = 4,
    min_senders: int = 10,
    registry: Registry | None = None,
) -> Corpus:
    """The corpus of all prompts in ``batches``; see :class:`CorpusBuilder`."""
    builder = CorpusBuilder(
        segment_characters=segment_characters, max_windows=max_windows, min_senders=min_senders, registry=registry
    )
    for batch in batches:
        builder.add(batch.prompts)
    return builder.finish()
