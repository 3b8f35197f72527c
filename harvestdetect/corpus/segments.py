"""What is compared on its own: sentences, outlines, and pieces of long parts.

Plain texts, of printable ASCII, are processed together, as bytes and places in them. Every other text is processed by
itself, see :mod:`harvestdetect.corpus.normalize`. The result is the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.corpus.normalize import is_wordy, normalize, outline, sentences
from harvestdetect.data import HEAD, OUTLINE, SENTENCE, TAIL, WINDOW
from harvestdetect.util.arrays import AnyArray, Bools, Bytes, Ints, Ints32, Words
from harvestdetect.util.texts import pack
from harvestdetect.util.words import borders

__all__ = [
    *("LONGEST", "SHORT", "Pieces", "Shareable", "beginnings", "digests", "normalized", "numbers", "pieces_of"),
    *("replace_where", "shareable"),
]

SHORT: Final = 24
"""Characters of a part up to which no sentence or outline of it is compared on its own."""
LONGEST: Final = 1_000_000
"""Characters of a text that are kept, and that are searched for sentences and outlines."""
_DIGEST_BYTES: Final = 16
"""Bytes of the digest of a text."""
_PARAGRAPH: Final = re.compile(r"[\n\r\u2028\u2029]+")
"""What separates paragraphs."""
_ODD: Final = r"[^\t\n\r\x20-\x7e]"
"""A pattern that matches only in texts that are not plain."""
_SPACED: Final = r"[\t\n\r]|  |^ | $"
"""A pattern that matches in plain texts with white space other than single blanks between words."""
_LABELLED: Final = r"(?m)^[ \t]*(?:#|\[|<|[^\n]{1,4}[.):](?:[^!-~]|$)|[^\n:]{1,44}:(?:[^!-~]|$)|[^\n]{1,44}[．）、：])"
"""A pattern that matches at every line with a label, and at some lines without one."""


def digests(texts: Sequence[bytes]) -> Words:
    """The digest of each text, uint64[n, 2]. The numbers sort in the same way as the 16 bytes of the digests."""
    blake, size = hashlib.blake2b, _DIGEST_BYTES
    raw = b"".join([blake(text, digest_size=size).digest() for text in texts])
    return np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2)


def numbers(column: pa.Array) -> AnyArray:
    """A column as a numpy array."""
    found: AnyArray = column.to_numpy(zero_copy_only=False)
    return found


def beginnings(texts: pa.Array) -> pa.Array:
    """Texts cut at :data:`LONGEST` characters. Their digests are those of the whole texts."""
    huge = numbers(pc.greater(pc.utf8_length(texts), LONGEST))
    if not huge.any():
        return texts
    return replace_where(texts, huge, [text[:LONGEST] for text in texts.filter(pa.array(huge)).to_pylist()])


def replace_where(column: pa.Array, where: Bools, values: list[str] | pa.Array) -> pa.Array:
    """A column with some values replaced."""
    if not isinstance(values, pa.Array):
        values = pa.array(values, pa.large_string())
    return pc.replace_with_mask(column, pa.array(where), values)


def normalized(texts: pa.Array) -> pa.Array:
    """The normalised form of each of n texts, large_string[n]; see :mod:`harvestdetect.corpus.normalize`."""
    odd = numbers(pc.match_substring_regex(texts, _ODD))
    if odd.all():
        return pa.array([normalize(text) for text in texts.to_pylist()], pa.large_string())
    lined = pc.ascii_rtrim(_lined(texts), " \n")
    broken = numbers(pc.match_substring(lined, "\n"))
    if broken.any():
        lined = replace_where(lined, broken, pc.replace_substring(lined.filter(pa.array(broken)), "\n", " "))
    if odd.any():
        lined = replace_where(lined, odd, [normalize(text) for text in texts.filter(pa.array(odd)).to_pylist()])
    return lined


def _lined(texts: pa.Array) -> pa.Array:
    """Plain texts in lower case, with single blanks between words, no blanks before them, and single line breaks."""
    small = pc.ascii_lower(texts)
    spaced = numbers(pc.match_substring_regex(small, _SPACED))
    if not spaced.any():
        return small
    loose = pc.replace_substring_regex(small.filter(pa.array(spaced)), r"[ \t]{2,}|\t", " ")
    tight = pc.replace_substring_regex(loose, r" ?[\n\r][ \n\r]*", "\n")
    return replace_where(small, spaced, pc.ascii_ltrim(tight, " \n"))


# ---------------------------------------------------------------- sentences and outlines


@dataclass(frozen=True, slots=True, kw_only=True)
class Shareable:
    """The h sentences and outlines of some texts. They are compared on their own if enough accounts sent them."""

    owner: Ints32
    """int32[h], ascending: the text that contains each of them."""
    digest: Ints
    """int64[h], ascending and distinct within a text."""
    kind: Bytes
    """uint8[h]."""
    text: list[str]
    """h texts, normalised."""


def shareable(shown: pa.Array) -> Shareable:
    """The outlines of texts, and the sentences of texts that have several.

    Texts of at most :data:`SHORT` characters have none. Of a text longer than :data:`LONGEST` characters only the two
    ends are searched, half of that number at each.

    Args:
        shown: large_string[n], originals.
    """
    length = numbers(pc.utf8_length(shown))
    long = np.flatnonzero(length > SHORT).astype(np.int32)
    shown = shown.take(pa.array(long))
    if (huge := length[long] > LONGEST).any():
        half = LONGEST // 2
        ends = [f"{text[:half]}\n{text[-half:]}" for text in shown.filter(pa.array(huge)).to_pylist()]
        shown = replace_where(shown, huge, ends)
    odd = numbers(pc.match_substring_regex(shown, _ODD))
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
    for row in np.flatnonzero(numbers(pc.count_substring_regex(shown, _LABELLED)) > 2).tolist():
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


def _table(characters: str) -> Bools:
    """bool[256]: which bytes are one of some characters."""
    found = np.zeros(256, np.bool_)
    found[[ord(character) for character in characters]] = True
    return found


_STOP: Final = _table(".!?")
_CLOSER: Final = _table("\"')]")
_INSIDE: Final = _table(" \n.!?_0123456789abcdefghijklmnopqrstuvwxyz")
"""Characters after a full stop that do not begin a sentence."""


def _plain_sentences(lined: pa.Array) -> tuple[Ints32, list[str]]:
    """The sentences of plain texts that have several, as (text, sentence). Sentences may repeat.

    A sentence ends at the end of a line, and after a full stop before a blank; closing quotes and brackets in between
    are left out. It also ends after a full stop before another punctuation mark, as in ``end."Next``.

    Args:
        lined: large_string[n], see :func:`_lined`.
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
    """The first place from each ``place`` on that is not in ``among``, which is ascending; at most ``limit``."""
    if not len(among):
        return place
    last = np.flatnonzero(np.append(np.diff(among) > 1, True))
    number = np.minimum(np.searchsorted(among, place), len(among) - 1)
    end = among[last[np.searchsorted(last, number)]] + 1
    return np.where(among[number] == place, np.minimum(end, limit), place)


# ---------------------------------------------------------------- pieces of long parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """m pieces of parts."""

    owner: Ints32
    """int32[m]: the part that each piece belongs to."""
    kind: Bytes
    """uint8[m]: head, tail or window."""
    digest: Words
    """uint64[m, 2]."""
    text: pa.Array
    """large_string[m], normalised."""
    shown: pa.Array
    """large_string[m], originals."""


def pieces_of(texts: pa.Array, shown: pa.Array, *, size: int, max_windows: int) -> Pieces:
    """Head, tail and windows of long parts.

    Args:
        texts: large_string[n], normalised.
        shown: large_string[n], originals.
        size: characters of a piece; a part of more than twice as many is cut.
        max_windows: most windows of a part.
    """
    owners: list[int] = []
    kinds: list[int] = []
    cut: list[str] = []
    for part in np.flatnonzero(numbers(pc.greater(pc.utf8_length(texts), 2 * size))).tolist():
        for kind, piece in _pieces(shown[part].as_py(), size=size, max_windows=max_windows):
            owners.append(part)
            kinds.append(kind)
            cut.append(piece)
    original = pa.array(cut, pa.large_string())
    text = normalized(original)
    full = pc.not_equal(text, pa.scalar("", pa.large_string()))
    keep = numbers(full)
    text = text.filter(full)
    return Pieces(
        owner=np.array(owners, np.int32)[keep],
        kind=np.array(kinds, np.uint8)[keep],
        digest=digests(text.cast(pa.large_binary()).to_pylist()),
        text=text,
        shown=original.filter(full),
    )


def _pieces(text: str, *, size: int, max_windows: int) -> Iterator[tuple[int, str]]:
    """Head, tail and windows of a long part: ``(kind, original text)``.

    Windows start at the beginning of a paragraph, so that the text before it does not move them.
    """
    clean = text.strip()
    yield HEAD, _beginning(clean, size)
    yield TAIL, _end(clean, size)
    left = max_windows
    for paragraph in _PARAGRAPH.split(clean):
        for start in range(0, len(paragraph), size):
            if left == 0:
                return
            piece = paragraph[start : start + size]
            if len(piece) >= size // 3:
                left -= 1
                yield WINDOW, piece


def _beginning(text: str, size: int) -> str:
    """The first characters of a text, at most ``size``, without a word that is cut."""
    near = borders(text, size)
    return text[: near[0]] if near else text[:size].rsplit(maxsplit=1)[0]


def _end(text: str, size: int) -> str:
    """The last characters of a text, at most ``size``, without a word that is cut."""
    near = borders(text, len(text) - size)
    return text[near[1] :] if near else text[-size:].split(maxsplit=1)[-1]
