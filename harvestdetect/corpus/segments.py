"""A block of prompts, prepared: everything the corpus needs of it, as plain arrays.

All the work on single texts is done here, once for each distinct text of a block: it is normalised, known scaffolds
are taken out of it, and it is cut into what is compared on its own. :func:`prepare` is a function of the block alone
and may run in another process; what it gives may be kept and used again (:mod:`harvestdetect.corpus.shards`).

Plain texts, of printable ASCII, are handled together, as bytes and places in them; any other text by itself, as
:mod:`harvestdetect.corpus.normalize` says. The result is the same.
"""

from __future__ import annotations

import hashlib
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.corpus.normalize import is_wordy, normalize, outline, sentences
from harvestdetect.corpus.registry import Registry, sifted, strip
from harvestdetect.data import FIELDS, HEAD, OUTLINE, PART, SENTENCE, SYSTEM, TAIL, WINDOW
from harvestdetect.util.arrays import Bools, Bytes, Ints, Ints32, pairs
from harvestdetect.util.texts import pack

__all__ = [
    "CODED",
    "LAYOUT",
    "Cutting",
    "Prepared",
    "Shareable",
    "begin",
    "chosen",
    "compared",
    "digests",
    "of_account",
    "prepare",
    "prepare_here",
    "shareable",
]

CODED: Final = ("account", *(name for name in FIELDS if name != "created_at"))
"""Columns of a block whose values become codes."""
SHORT: Final = 24
"""Nothing of a part with no more characters is compared on its own."""

_PARAGRAPH: Final = re.compile(r"[\n\r\u2028\u2029]+")
_DIGEST_BYTES: Final = 16
_ODD: Final = r"[^\t\n\r\x20-\x7e]"
"""In a text that is not plain."""
_SPACED: Final = r"[\t\n\r]|  |^ | $"
"""In a plain text with other white space than single blanks between words."""
_LABELLED: Final = r"(?m)^[ \t]*(?:#|\[|<|[^\n]{1,4}[.):](?:[^!-~]|$)|[^\n:]{1,44}:(?:[^!-~]|$))"
"""At the beginning of every line that has a label, and of some that have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How prompts are cut into segments."""

    segment_characters: int = 300
    """A part longer than twice this is also compared in pieces of about this length."""
    max_windows: int = 4
    """Pieces of a long part besides head and tail."""
    registry: Registry | None = None
    """Scaffolds to take out; None takes out nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """r prompts and the s segments that their parts and the pieces of these are.

    Segments are not unique beyond the parts of one block; sentences and outlines are digests only, as most of them
    are never looked at again.
    """

    line: Ints
    """int64[r]."""
    time: Ints
    """int64[r]."""
    created_at: Ints
    """int64[r]."""
    content: npt.NDArray[np.uint64]
    """uint64[r]: digest of roles, entries of the registry and normalised parts."""
    code: Ints32
    """int32[r, 10] into the values of each of :data:`CODED`, -1 where missing."""
    value_count: Ints32
    """int32[10]: values of each of :data:`CODED`."""
    value_size: Ints32
    """int32[sum of value_count]: bytes of each value."""
    value_bytes: Bytes
    digest: npt.NDArray[np.uint64]
    """uint64[s, 2]: of the normalised texts. Parts come first."""
    kind: Bytes
    """uint8[s]: an index into :data:`~harvestdetect.data.KINDS`."""
    owner: Ints32
    """int32[s]: the part that a piece is of; a part is its own."""
    text_size: Ints32
    """int32[s]: bytes of each normalised text."""
    text_bytes: Bytes
    shown_size: Ints32
    """int32[s]: bytes of each original, the least of a part's spellings; -1 where it is the normalised text."""
    shown_bytes: Bytes
    shared_count: Ints32
    """int32[s]: sentences and outlines of each part."""
    shared: Ints
    """int64[sum of shared_count]: their digests, in the order of the parts."""
    shared_kind: Bytes
    """uint8[sum of shared_count]."""
    held: Ints32
    """int32[m]: parts that prompts hold, each pair once,"""
    holder: Ints32
    """int32[m]: by the prompt."""
    known: Ints
    """int64[e]: prompts with a part of which each entry of the registry is the one with the most words."""


def chosen(block: Prepared, rows: Bools, *, respelt: bool = False) -> Prepared:
    """The prompts of a block that are wanted, and nothing that only the others hold.

    Args:
        block: r prompts.
        rows: bool[r].
        respelt: parts that an unwanted prompt holds too are shown as they are compared: the spelling may be its own.

    Returns:
        The block as :func:`prepare` would have made it of these prompts, but for three things: an original may be spelt
        as an unwanted prompt has it, unless ``respelt``; what only an unwanted prompt has as other than a system
        message is called a part; and ``known`` counts all.
    """
    if rows.all():
        return block
    pair = rows[block.holder]
    s = len(block.kind)
    part = np.zeros(s, bool)
    part[block.held[pair]] = True
    item = part[block.owner]
    shown_size = block.shown_size
    if respelt:
        both = np.zeros(s, bool)
        both[block.held[~pair]] = True
        shown_size = np.where(both[block.owner], np.int32(-1), shown_size)
    number = (np.cumsum(item) - 1).astype(np.int32)
    row_number = (np.cumsum(rows) - 1).astype(np.int32)
    code = block.code[rows]
    first = np.cumsum(block.value_count) - block.value_count
    value = np.zeros(len(block.value_size), bool)
    for column, start in enumerate(first.tolist()):
        mine = code[:, column]
        value[start + mine[mine >= 0]] = True
    value_number = np.cumsum(value) - 1
    value_count = np.add.reduceat(np.append(value, False), first).astype(np.int32)
    value_count[block.value_count == 0] = 0
    new_first = np.cumsum(value_count) - value_count
    for column, start in enumerate(first.tolist()):
        mine = code[:, column]
        held = mine >= 0
        mine[held] = value_number[start + mine[held]] - new_first[column]
    return Prepared(
        line=block.line[rows],
        time=block.time[rows],
        created_at=block.created_at[rows],
        content=block.content[rows],
        code=code,
        value_count=value_count,
        value_size=block.value_size[value],
        value_bytes=_bytes_of(block.value_bytes, block.value_size, value),
        digest=block.digest[item],
        kind=block.kind[item],
        owner=number[block.owner[item]],
        text_size=block.text_size[item],
        text_bytes=_bytes_of(block.text_bytes, block.text_size, item),
        shown_size=shown_size[item],
        shown_bytes=_bytes_of(block.shown_bytes, np.maximum(block.shown_size, 0), item & (shown_size >= 0)),
        shared_count=block.shared_count[item],
        shared=block.shared[np.repeat(item, block.shared_count)],
        shared_kind=block.shared_kind[np.repeat(item, block.shared_count)],
        held=number[block.held[pair]],
        holder=row_number[block.holder[pair]],
        known=block.known,
    )


def of_account(block: Prepared, account: str) -> Bools:
    """Which prompts of a block an account sent: bool[r]."""
    count = int(block.value_count[0])
    stop = np.cumsum(block.value_size[:count], dtype=np.int64)
    wanted = account.encode("utf-8", "surrogatepass")
    sized = np.flatnonzero(block.value_size[:count] == len(wanted))
    found = [i for i in sized.tolist() if block.value_bytes[stop[i] - len(wanted) : stop[i]].tobytes() == wanted]
    return np.isin(block.code[:, 0], found)


def _bytes_of(data: Bytes, size: Ints32, items: Bools) -> Bytes:
    """The bytes of some of the items that lie in ``data`` one after the other."""
    return data[np.repeat(items, size)]


LAYOUT: Final[Mapping[str, tuple[type[np.generic], int]]] = {
    "line": (np.int64, 1),
    "time": (np.int64, 1),
    "created_at": (np.int64, 1),
    "content": (np.uint64, 1),
    "code": (np.int32, len(CODED)),
    "value_count": (np.int32, 1),
    "value_size": (np.int32, 1),
    "value_bytes": (np.uint8, 1),
    "digest": (np.uint64, 2),
    "kind": (np.uint8, 1),
    "owner": (np.int32, 1),
    "text_size": (np.int32, 1),
    "text_bytes": (np.uint8, 1),
    "shown_size": (np.int32, 1),
    "shown_bytes": (np.uint8, 1),
    "shared_count": (np.int32, 1),
    "shared": (np.int64, 1),
    "shared_kind": (np.uint8, 1),
    "held": (np.int32, 1),
    "holder": (np.int32, 1),
    "known": (np.int64, 1),
}
"""The type of each array of :class:`Prepared`, and how many of its numbers belong together."""


def prepare(block: pa.RecordBatch, cutting: Cutting) -> Prepared:
    """All that the corpus needs of a block of ``PROMPT_SCHEMA``, but for ``file``."""
    rows = block.num_rows
    count = _numbers(pc.list_value_length(block.column("parts")))
    prompt = np.repeat(np.arange(rows, dtype=np.int32), count)
    roles = block.column("roles").flatten().dictionary_encode()
    names = roles.dictionary.to_pylist()
    role = _numbers(roles.indices)
    parts = block.column("parts").flatten()
    if "assistant" in names:
        asked = role != names.index("assistant")
        asked |= np.bincount(prompt[asked], minlength=rows)[prompt] == 0
        prompt, role, parts = prompt[asked], role[asked], parts.filter(pa.array(asked))
    coded = parts.cast(pa.large_string()).dictionary_encode()
    raw = _numbers(coded.indices)
    original, text, entry = _remains(coded.dictionary, cutting.registry)

    unique = text.dictionary_encode()
    texts = unique.dictionary
    full = _numbers(pc.not_equal(texts, pa.scalar("", pa.large_string())))
    number = np.where(full, np.cumsum(full) - 1, -1).astype(np.int32)[_numbers(unique.indices)]
    texts = texts.filter(pa.array(full))
    shown = original.take(pa.array(_least(number, original, len(texts))))
    digest = digests(texts.cast(pa.large_binary()).to_pylist())
    part = number[raw]
    kind = np.full(len(texts), SYSTEM, np.uint8)
    kind[part[(part >= 0) & ~np.isin(role, [i for i, n in enumerate(names) if n in ("system", "developer")])]] = PART
    held, holder = (side.astype(np.int32) for side in pairs(part[part >= 0], prompt[part >= 0]))
    known, content = _contents(rows, prompt, role, raw, names, number, entry, digest, cutting.registry)

    found = shareable(shown)
    pieces = _pieces_of(texts, shown, cutting)
    texts, shown = pa.concat_arrays([texts, pieces.text]), pa.concat_arrays([shown, pieces.shown])
    texts, shown = _beginnings(texts), _beginnings(shown)
    text_size, text_bytes = pack(texts)
    same = _numbers(pc.equal(texts, shown))
    shown_size, shown_bytes = pack(shown.filter(pa.array(~same)))
    sizes = np.full(len(texts), -1, np.int32)
    sizes[~same] = shown_size
    code, value_count, values = _codes(block)
    value_size, value_bytes = pack(values)
    return Prepared(
        line=_numbers(block.column("line")),
        time=_numbers(block.column("time")),
        created_at=_numbers(block.column("created_at")),
        content=content,
        code=code,
        value_count=value_count,
        value_size=value_size,
        value_bytes=value_bytes,
        digest=np.concatenate([digest, pieces.digest]),
        kind=np.concatenate([kind, pieces.kind]),
        owner=np.concatenate([np.arange(len(kind), dtype=np.int32), pieces.owner]),
        text_size=text_size,
        text_bytes=text_bytes,
        shown_size=sizes,
        shown_bytes=shown_bytes,
        shared_count=np.bincount(found.owner, minlength=len(texts)).astype(np.int32),
        shared=found.digest,
        shared_kind=found.kind,
        held=held,
        holder=holder,
        known=known,
    )


_cutting = Cutting()


def begin(cutting: Cutting) -> None:
    """Makes a process ready to prepare blocks for another one, which alone hears of an interruption."""
    global _cutting
    _cutting = cutting
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pa.set_cpu_count(1)


def prepare_here(block: pa.RecordBatch) -> Prepared:
    """:func:`prepare`, in a process that :func:`begin` made ready."""
    return prepare(block, _cutting)


def digests(texts: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    """The digest of each text, uint64[n, 2]: as they sort, so do the 16 bytes of a digest."""
    blake, size = hashlib.blake2b, _DIGEST_BYTES
    raw = b"".join([blake(text, digest_size=size).digest() for text in texts])
    return np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2)


def _numbers(column: pa.Array) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return found


def _codes(block: pa.RecordBatch) -> tuple[Ints32, Ints32, pa.Array]:
    """Codes of all columns of :data:`CODED`, how many values each has, and all values in a row."""
    codes, counts, values = [], [], []
    for name in CODED:
        column = block.column(name).dictionary_encode()
        codes.append(_numbers(pc.fill_null(column.indices, -1)).astype(np.int32))
        counts.append(len(column.dictionary))
        values.append(column.dictionary.cast(pa.large_string()))
    return np.stack(codes, axis=1), np.array(counts, np.int32), pa.concat_arrays(values)


def _least(group: Ints32, texts: pa.Array, groups: int) -> Ints:
    """The row of the least text of each group, int64[groups]; rows of group -1 do not count."""
    order = np.argsort(group, kind="stable")
    start = np.searchsorted(group[order], np.arange(groups + 1))
    least = order[start[:-1]]
    for number in np.flatnonzero(np.diff(start) > 1).tolist():
        rows = order[start[number] : start[number + 1]]
        least[number] = min(zip(texts.take(pa.array(rows)).to_pylist(), rows.tolist(), strict=True))[1]
    return least


def _contents(
    rows: int,
    prompt: Ints32,
    role: Ints32,
    raw: Ints32,
    names: list[str],
    number: Ints32,
    entry: Ints32,
    digest: npt.NDArray[np.uint64],
    registry: Registry | None,
) -> tuple[Ints, npt.NDArray[np.uint64]]:
    """How many prompts each entry of the registry is in, and the digest of each prompt."""
    entries = registry.entries if registry else ()
    named = entry[raw] >= 0
    known = np.bincount(pairs(entry[raw[named]], prompt[named])[0], minlength=len(entries))
    raw_digest = [b.tobytes() for b in digest.astype(">u8")] + [b""]
    told = [name.encode() + b"\0" for name in names]
    # what remains of requests with different scaffolds may be the same; the requests are not
    marks = [e.id.encode() + b"\0" for e in entries] + [b""]
    pair, inverse = np.unique(role.astype(np.int64) << 32 | raw, return_inverse=True)
    told_of = [
        told[r] + marks[e] + raw_digest[n] if n >= 0 or e >= 0 else b""
        for r, e, n in zip(
            (pair >> 32).tolist(), entry[pair & 0xFFFFFFFF].tolist(), number[pair & 0xFFFFFFFF].tolist(), strict=True
        )
    ]
    own = [told_of[i] for i in inverse.tolist()]
    start = np.searchsorted(prompt, np.arange(rows + 1)).tolist()
    blake = hashlib.blake2b
    if start[-1] == rows and start == list(range(rows + 1)):
        whole = [blake(text, digest_size=8).digest() for text in own]
    else:
        whole = [blake(b"".join(own[a:b]), digest_size=8).digest() for a, b in pairwise(start)]
    return known.astype(np.int64), np.frombuffer(b"".join(whole), ">u8").astype(np.uint64)


# ---------------------------------------------------------------- normalising


def _remains(texts: pa.Array, registry: Registry | None) -> tuple[pa.Array, pa.Array, Ints32]:
    """What remains of texts, the same normalised, and the entry of the registry that is in each, -1 for none."""
    normal = compared(texts)
    entry = np.full(len(texts), -1, np.int32)
    if registry is None or not registry.entries or not len(texts):
        return texts, normal, entry
    maybe = sifted(registry, normal)
    if maybe.any():
        found = strip(registry, texts.filter(pa.array(maybe)).to_pylist())
        entry[maybe] = found.entry
        texts = _put(texts, maybe, found.texts)
        normal = _put(normal, maybe, found.compared)
    return texts, normal, entry


def _beginnings(texts: pa.Array) -> pa.Array:
    """Texts without what is beyond :data:`LONGEST`; their digests are those of the whole texts."""
    huge = _numbers(pc.greater(pc.utf8_length(texts), LONGEST))
    if not huge.any():
        return texts
    return _put(texts, huge, [text[:LONGEST] for text in texts.filter(pa.array(huge)).to_pylist()])


def _put(column: pa.Array, where: Bools, values: list[str] | pa.Array) -> pa.Array:
    if not isinstance(values, pa.Array):
        values = pa.array(values, pa.large_string())
    return pc.replace_with_mask(column, pa.array(where), values)


def compared(texts: pa.Array) -> pa.Array:
    """The normalised form of each of n texts, large_string[n]; see
    :func:`~harvestdetect.corpus.normalize.normalize`."""
    odd = _numbers(pc.match_substring_regex(texts, _ODD))
    if odd.all():
        return pa.array([normalize(text) for text in texts.to_pylist()], pa.large_string())
    lined = pc.ascii_rtrim(_lined(texts), " \n")
    broken = _numbers(pc.match_substring(lined, "\n"))
    if broken.any():
        lined = _put(lined, broken, pc.replace_substring(lined.filter(pa.array(broken)), "\n", " "))
    if odd.any():
        lined = _put(lined, odd, [normalize(text) for text in texts.filter(pa.array(odd)).to_pylist()])
    return lined


def _lined(texts: pa.Array) -> pa.Array:
    """Plain texts in small letters, with single blanks between words, none before them, and single line breaks."""
    small = pc.ascii_lower(texts)
    spaced = _numbers(pc.match_substring_regex(small, _SPACED))
    if not spaced.any():
        return small
    loose = pc.replace_substring_regex(small.filter(pa.array(spaced)), r"[ \t]{2,}|\t", " ")
    tight = pc.replace_substring_regex(loose, r" ?[\n\r][ \n\r]*", "\n")
    return _put(small, spaced, pc.ascii_ltrim(tight, " \n"))


# ---------------------------------------------------------------- what is compared on its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Shareable:
    """The h sentences and outlines of some texts that are compared on their own if enough accounts sent them."""

    owner: Ints32
    """int32[h], ascending: the text that each is of."""
    digest: Ints
    """int64[h], ascending within a text, and each once."""
    kind: Bytes
    """uint8[h]."""
    text: list[str]
    """h texts, normalised."""


def shareable(shown: pa.Array) -> Shareable:
    """Sentences of texts that have several, and outlines; of texts longer than :data:`SHORT` characters.

    A text longer than :data:`LONGEST` is searched at its two ends, half of that at each.

    Args:
        shown: large_string[n], originals.
    """
    length = _numbers(pc.utf8_length(shown))
    long = np.flatnonzero(length > SHORT).astype(np.int32)
    shown = shown.take(pa.array(long))
    if (huge := length[long] > LONGEST).any():
        half = LONGEST // 2
        ends = [f"{text[:half]}\n{text[-half:]}" for text in shown.filter(pa.array(huge)).to_pylist()]
        shown = _put(shown, huge, ends)
    odd = _numbers(pc.match_substring_regex(shown, _ODD))
    plain = np.flatnonzero(~odd).astype(np.int32)
    owner, text = _plain_sentences(_lined(shown.take(pa.array(plain))))
    owners: list[int] = plain[owner].tolist()
    for row in np.flatnonzero(odd).tolist():
        found = list(sentences(shown[row].as_py()))
        if len(found) > 1:
            wordy = [sentence for sentence in dict.fromkeys(found) if is_wordy(sentence)]
            text += wordy
            owners += [row] * len(wordy)
    kinds = [SENTENCE] * len(text)
    for row in np.flatnonzero(_numbers(pc.count_substring_regex(shown, _LABELLED)) > 2).tolist():
        if labels := outline(shown[row].as_py()):
            text.append(labels)
            owners.append(row)
            kinds.append(OUTLINE)
    blake = hashlib.blake2b
    of = dict.fromkeys(text, 0)
    raw = b"".join([blake(sentence.encode(), digest_size=_DIGEST_BYTES).digest()[:8] for sentence in of])
    of = dict(zip(of, np.frombuffer(raw, ">i8").tolist(), strict=True))
    digest = np.array([of[sentence] for sentence in text], np.int64)
    kind, holder = np.array(kinds, np.uint8), np.array(owners, np.int32)
    order = np.lexsort((kind, digest, holder))
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(digest[order]) != 0) | (np.diff(holder[order]) != 0)
    order = order[first]
    return Shareable(
        owner=long[holder[order]], digest=digest[order], kind=kind[order], text=[text[i] for i in order.tolist()]
    )


def _classes(signs: str) -> Bools:
    held = np.zeros(256, np.bool_)
    held[[ord(sign) for sign in signs]] = True
    return held


_STOP: Final = _classes(".!?")
_CLOSER: Final = _classes("\"')]")
_INSIDE: Final = _classes(" \n.!?_0123456789abcdefghijklmnopqrstuvwxyz")
"""No sentence begins right behind a stop with one of these."""
LONGEST: Final = 1_000_000
"""Characters of a text that are kept, and those that are searched for sentences and outlines."""


def _plain_sentences(lined: pa.Array) -> tuple[Ints32, list[str]]:
    """(text, wordy sentence) of plain texts in lines that have several sentences; sentences may repeat.

    A sentence ends at the end of a line; behind a stop, where signs that close something may follow, which are left
    out, and then a blank; and behind a stop that another sign follows, as in ``end."Next``.
    """
    size, data = pack(lined)
    border = np.concatenate([[0], np.cumsum(size, dtype=np.int64)])
    if not len(data):
        return np.empty(0, np.int32), []
    behind = np.flatnonzero(_STOP[data]) + 1
    limit = border[np.searchsorted(border, behind - 1, side="right")]
    behind, limit = behind[behind < limit], limit[behind < limit]
    closed = _past(behind, np.flatnonzero(_CLOSER[data]), limit)
    inner = closed < limit
    blank = np.zeros(len(behind), np.bool_)
    blank[inner] = (data[closed[inner]] == 32) | (data[closed[inner]] == 10)
    sign = ~blank & ~_INSIDE[data[behind]]
    line = np.flatnonzero(data == 10)
    last = border[1:]
    ends = last - ((size > 0) & (data[np.maximum(last, 1) - 1] == 32))
    stop = np.concatenate([behind[blank], behind[sign], line, ends])
    start = np.concatenate([closed[blank] + 1, behind[sign], line + 1, last])
    order = np.lexsort((start, stop))
    stop = stop[order]
    start = np.concatenate([[0], start[order][:-1]])
    whole = stop > start
    start, stop = start[whole], stop[whole]
    owner = np.searchsorted(border, start, side="right").astype(np.int32) - 1
    several = np.bincount(owner, minlength=len(size))[owner] > 1
    gaps = np.flatnonzero(data == 32)
    words = np.searchsorted(gaps, stop) - np.searchsorted(gaps, start) + 1
    wordy = several & (stop - start >= 24) & (words >= 4)
    text = data.tobytes().decode("ascii")
    return owner[wordy], [text[a:b] for a, b in zip(start[wordy].tolist(), stop[wordy].tolist(), strict=True)]


def _past(place: Ints, among: Ints, limit: Ints) -> Ints:
    """The first place from each ``place`` on that is not ``among`` the (ascending) places, at most ``limit``."""
    if not len(among):
        return place
    last = np.flatnonzero(np.append(np.diff(among) > 1, True))
    number = np.minimum(np.searchsorted(among, place), len(among) - 1)
    end = among[last[np.searchsorted(last, number)]] + 1
    return np.where(among[number] == place, np.minimum(end, limit), place)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pieces:
    owner: Ints32
    kind: Bytes
    digest: npt.NDArray[np.uint64]
    text: pa.Array
    shown: pa.Array


def _pieces_of(texts: pa.Array, shown: pa.Array, cutting: Cutting) -> _Pieces:
    """Head, tail and windows of the long parts."""
    size = cutting.segment_characters
    owners: list[int] = []
    kinds: list[int] = []
    cut: list[str] = []
    for part in np.flatnonzero(_numbers(pc.greater(pc.utf8_length(texts), 2 * size))).tolist():
        for kind, piece in _pieces(shown[part].as_py(), size=size, max_windows=cutting.max_windows):
            owners.append(part)
            kinds.append(kind)
            cut.append(piece)
    original = pa.array(cut, pa.large_string())
    text = compared(original)
    full = pc.not_equal(text, pa.scalar("", pa.large_string()))
    keep = _numbers(full)
    text = text.filter(full)
    return _Pieces(
        owner=np.array(owners, np.int32)[keep],
        kind=np.array(kinds, np.uint8)[keep],
        digest=digests(text.cast(pa.large_binary()).to_pylist()),
        text=text,
        shown=original.filter(full),
    )


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
