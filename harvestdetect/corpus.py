"""From rows to segments: what is compared, and who sent it.

A prompt is one or more parts (chat messages by role). A part is compared whole; a long part also by head, tail and
windows; and a sentence, or the outline of labels at the beginnings of lines, that enough accounts sent is compared
on its own, however varied the rest of the request was, so that a fixed instruction or form around a varying payload
is found. Segments are unique by the digest of their normalised text.

Everything is sorted by content, so the order of rows and files changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harvestdetect.data import FIELDS, Batch, Corpus, FieldColumn, Prompts
from harvestdetect.normalize import is_wordy, normalize, outline, sentences

__all__ = ["KINDS", "CorpusBuilder", "build_corpus"]

KINDS: Final = ("part", "system", "head", "tail", "window", "sentence", "outline")
"""How a segment stands in its prompts; where it stands in several ways, the first of these."""

PART, SYSTEM, HEAD, TAIL, WINDOW, SENTENCE, OUTLINE = range(7)

_PARAGRAPH = re.compile(r"[\n\r\u2028\u2029]+")
_DIGEST_BYTES = 16


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


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
    """

    def __init__(self, *, segment_characters: int = 300, max_windows: int = 4, min_senders: int = 10) -> None:
        self._size = segment_characters
        self._max_windows = max_windows
        self._min_senders = min_senders
        self._accounts: dict[str, int] = {}
        self._account = array("i")
        self._time = array("q")
        self._created = array("q")
        self._file = array("i")
        self._line = array("q")
        self._content_digest = bytearray()
        self._texts: list[str] = []
        self._kinds = bytearray()
        self._index: dict[bytes, int] = {}
        self._display: list[str] = []
        self._post_segment = array("i")
        self._post_prompt = array("i")
        # pieces of unique parts: derived once per distinct text
        self._children: dict[int, tuple[int, ...]] = {}
        self._shared_hash = array("q")
        self._shared_part = array("i")
        self._field_values: dict[str, dict[str, int]] = {name: {} for name in FIELDS if name != "created_at"}
        self._field_code: dict[str, array[int]] = {name: array("i") for name in self._field_values}

    def __len__(self) -> int:
        """Prompts taken so far."""
        return len(self._account)

    def add(self, block: pa.RecordBatch) -> None:
        """Takes a block of ``PROMPT_SCHEMA``; keeps distinct texts, ids and codes of it."""
        accounts = self._accounts
        for name in ("file", "line", "time", "created_at"):
            target = {
                "file": self._file,
                "line": self._line,
                "time": self._time,
                "created_at": self._created,
            }[name]
            target.frombytes(np.ascontiguousarray(block.column(name).to_numpy(zero_copy_only=False)).tobytes())
        for name, values in self._field_values.items():
            self._field_code[name].extend(self._codes(block.column(name), values))
        first = len(self._account)
        for account in block.column("account").to_pylist():
            self._account.append(accounts.setdefault(account, len(accounts)))
        for offset, (roles, parts) in enumerate(
            zip(block.column("roles").to_pylist(), block.column("parts").to_pylist(), strict=True)
        ):
            self._add_prompt(first + offset, roles, parts)

    @staticmethod
    def _codes(column: pa.Array, values: dict[str, int]) -> Iterator[int]:
        if column.null_count == len(column):
            return iter([-1] * len(column))
        return (-1 if v is None else values.setdefault(v, len(values)) for v in column.to_pylist())

    def _add_prompt(self, prompt: int, roles: list[str], parts: list[str]) -> None:
        asked = [(r, t) for r, t in zip(roles, parts, strict=True) if r != "assistant"] or list(
            zip(roles, parts, strict=True)
        )
        content = []
        seen: set[int] = set()
        for role, text in asked:
            part = self._segment(text, SYSTEM if role in ("system", "developer") else PART)
            if part < 0:
                continue
            content.append(part)
            seen.add(part)
            children = self._children.get(part)
            if children is None:
                children = self._children[part] = self._derive(part, text)
            seen.update(children)
        for segment in seen:
            self._post_segment.append(segment)
            self._post_prompt.append(prompt)
        whole = hashlib.blake2b(digest_size=8)
        for (role, _), part in zip(asked, content, strict=False):
            whole.update(role.encode() + self._digests(part))
        self._content_digest += whole.digest()

    def _digests(self, part: int) -> bytes:
        return _digest(self._texts[part])

    def _segment(self, original: str, kind: int) -> int:
        """The position of a segment, made if new; -1 for a text that is empty once normalised."""
        text = normalize(original)
        if not text:
            return -1
        key = _digest(text)
        found = self._index.get(key)
        if found is None:
            found = self._index[key] = len(self._texts)
            self._texts.append(text)
            self._display.append(original)
            self._kinds.append(kind)
        else:
            self._kinds[found] = min(self._kinds[found], kind)
            if original != self._display[found]:
                self._display[found] = min(self._display[found], original)
        return found

    def _derive(self, part: int, original: str) -> tuple[int, ...]:
        for text, _ in _shareable(original):
            self._shared_hash.append(_short_digest(text))
            self._shared_part.append(part)
        if len(self._texts[part]) <= 2 * self._size:
            return ()
        pieces = (
            self._segment(piece, kind)
            for kind, piece in _pieces(original, size=self._size, max_windows=self._max_windows)
        )
        return tuple(sorted({p for p in pieces if p >= 0 and p != part}))

    # ------------------------------------------------------------ the end

    def finish(self) -> Corpus:
        """The corpus of all prompts taken."""
        account, account_values = _sorted_codes(np.frombuffer(self._account, np.int32), list(self._accounts))
        content = np.frombuffer(bytes(self._content_digest), dtype=">u8")
        time = np.frombuffer(self._time, np.int64) if self._time else np.empty(0, np.int64)
        created = np.frombuffer(self._created, np.int64) if self._created else np.empty(0, np.int64)
        file = np.frombuffer(self._file, np.int32) if self._file else np.empty(0, np.int32)
        line = np.frombuffer(self._line, np.int64) if self._line else np.empty(0, np.int64)
        fields = {}
        for name, values in self._field_values.items():
            code, sorted_values = _sorted_codes(np.frombuffer(self._field_code[name], np.int32), list(values))
            fields[name] = FieldColumn(code=code, values=sorted_values)
        keys: list[npt.NDArray[Any]] = [line, file, *(f.code for f in fields.values()), created, content, time, account]
        order = np.lexsort(keys)
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)

        segment = np.frombuffer(self._post_segment, np.int32) if self._post_segment else np.empty(0, np.int32)
        prompt = np.frombuffer(self._post_prompt, np.int32) if self._post_prompt else np.empty(0, np.int32)
        segment, prompt = self._add_shared(segment, prompt, account)
        prompt = place[prompt]

        digest = np.array([_digest(t) for t in self._texts], dtype=f"V{_DIGEST_BYTES}")
        by_digest = np.argsort(_sortable(digest), kind="stable")
        rank = np.empty(len(by_digest), np.int32)
        rank[by_digest] = np.arange(len(by_digest), dtype=np.int32)
        segment = rank[segment]
        by_posting = np.lexsort((prompt, segment))
        segment, prompt = segment[by_posting], prompt[by_posting]
        account = account[order]
        return Corpus(
            digest=digest[by_digest],
            text=pa.array([self._texts[i] for i in by_digest], pa.large_string()),
            display=pa.array([_clean(self._display[i]) for i in by_digest], pa.large_string()),
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

    def _add_shared(
        self, segment: npt.NDArray[np.int32], prompt: npt.NDArray[np.int32], account: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Makes segments of the sentences and outlines that at least ``min_senders`` accounts sent."""
        if not self._shared_hash:
            return segment, prompt
        hashes = np.frombuffer(self._shared_hash, np.int64)
        parts = np.frombuffer(self._shared_part, np.int32)
        senders_of_part = _distinct(segment, account[prompt], len(self._texts))
        value, inverse = np.unique(hashes, return_inverse=True)
        loose = np.bincount(inverse, weights=senders_of_part[parts])
        maybe = loose[inverse] >= self._min_senders
        inverse, parts = inverse[maybe], parts[maybe]
        # (sentence, prompt) pairs through the parts that hold it
        order = np.argsort(segment, kind="stable")
        starts = np.searchsorted(segment[order], np.arange(len(self._texts) + 1))
        counts = starts[parts + 1] - starts[parts]
        where = np.repeat(starts[parts] - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) + np.arange(
            counts.sum()
        )
        of_sentence = np.repeat(inverse, counts)
        of_prompt = prompt[order][where]
        pairs = np.unique(np.stack((of_sentence, of_prompt)), axis=1)
        of_sentence, of_prompt = pairs[0], pairs[1].astype(np.int32)
        shared = _distinct(of_sentence, account[of_prompt], len(value)) >= self._min_senders
        ids = np.full(len(value), -1, np.int32)
        holder = {int(s): int(p) for s, p in zip(inverse, parts, strict=True) if shared[s]}
        for sentence, part in sorted(holder.items()):
            wanted = int(value[sentence])
            for text, kind in _shareable(self._display[part]):
                if _short_digest(text) == wanted:
                    ids[sentence] = self._segment(text, kind)
                    break
        keep = ids[of_sentence] >= 0
        segment = np.concatenate((segment, ids[of_sentence[keep]]))
        prompt = np.concatenate((prompt, of_prompt[keep]))
        both = np.unique(segment.astype(np.int64) << 32 | prompt)
        return (both >> 32).astype(np.int32), (both & 0xFFFFFFFF).astype(np.int32)


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
    pairs = np.unique(group.astype(np.int64) << 32 | member.astype(np.int64))
    return np.bincount(pairs >> 32, minlength=groups).astype(np.int32)


def _clean(text: str) -> str:
    """Without lone surrogates, which Arrow cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def build_corpus(
    batches: Iterable[Batch], *, segment_characters: int = 300, max_windows: int = 4, min_senders: int = 10
) -> Corpus:
    """The corpus of all prompts in ``batches``; see :class:`CorpusBuilder`."""
    builder = CorpusBuilder(segment_characters=segment_characters, max_windows=max_windows, min_senders=min_senders)
    for batch in batches:
        builder.add(batch.prompts)
    return builder.finish()
