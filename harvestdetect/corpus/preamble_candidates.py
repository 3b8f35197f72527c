"""Candidates for a preamble: texts with slots that many accounts have at the beginning or the end of their prompts."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np

from harvestdetect.corpus.normalize import normalize
from harvestdetect.corpus.preamble_sample import PartSample
from harvestdetect.corpus.registry import (
    MAX_CHARACTERS,
    PROMPT_SLOT,
    Entry,
    Registry,
    entry_of,
    places,
    strip_one,
)
from harvestdetect.corpus.skeletons import NEAR, ROW, Skeleton, has_digit, skeleton, tokens
from harvestdetect.errors import SettingsError
from harvestdetect.util.amounts import EXCEPTIONAL
from harvestdetect.util.redact import redact

__all__ = ["TOKENS", "between", "candidates_of", "kept_entry", "preamble_registry"]

GROUP: Final = 300
"""Most accounts whose texts are compared word for word."""
CANDIDATES: Final = 12
"""Most candidates of a scan, those that turn out to be none included."""
TOKENS: Final = 20_000
"""Most tokens of a text that are compared word for word."""
_NEVER: Final = date(9999, 12, 31)
_REDACTED: Final = re.compile(r"\[(?:e-mail|hex|ip|key|number|token)\]")
_TAIL: Final = 600
"""Characters at the end of a text that surely contain the tokens that are looked at there."""


def candidates_of(sample: PartSample, least: float) -> list[Entry]:
    """All candidates, the commonest first; one that is around another one comes before it.

    Args:
        sample: of the dump.
        least: number of accounts that must send a candidate.
    """
    senders = _senders(sample)
    found: list[Entry] = []
    rest = list(sample.texts)
    dead: set[tuple[str, ...]] = set()
    rows = [_rows(rest, senders, least, backwards=backwards) for backwards in (False, True)]
    while len(found) + len(dead) < CANDIDATES:
        seed = _seed(rows, least, dead)
        if seed is None:
            break
        entry = _candidate(seed, rest, least, lambda i: _original(sample, found, i))
        after = rest if entry is None else [_rest(entry, text) for text in rest]
        if entry is None or after == rest or any(entry.id == other.id for other in found):
            dead.add(seed.words)
            continue
        found.append(entry)
        rest = after
        rows = [_rows(rest, senders, least, backwards=backwards) for backwards in (False, True)]
    return found


def preamble_registry(entries: Iterable[Entry]) -> Registry:
    """A registry of preambles, by id."""
    ordered = tuple(sorted(entries, key=lambda entry: entry.id))
    return Registry(entries=ordered, expired=(), digest=" ".join(entry.id for entry in ordered))


def kept_entry(text: str) -> Entry | None:
    """The entry of a preamble by its text with slots; None if the text is no scaffold."""
    table = {"id": "preamble", "kind": "scaffold", "text": text, "owner": "this scan", "expires": _NEVER}
    try:
        runs = entry_of(table, "a preamble", "this scan").runs
        digest = hashlib.sha256("\0".join(runs).encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return entry_of(table | {"id": f"preamble-{digest}"}, "a preamble", "this scan")
    except SettingsError:
        return None


def _senders(sample: PartSample) -> list[list[int]]:
    """The accounts that sent each text, ascending."""
    found: list[set[int]] = [set() for _ in sample.texts]
    for part, account in zip(sample.part.tolist(), sample.account[sample.prompt].tolist(), strict=True):
        found[part].add(account)
    return [sorted(accounts) for accounts in found]


def _rest(entry: Entry, text: str) -> str:
    """A normalised text without a preamble."""
    found = places(entry, text) if entry.anchor in text else []
    return normalize("".join(between(text, found))) if found else text


def between(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """What is before, between and behind some places of a text, which are ascending."""
    borders = [0, *(border for span in spans for border in span), len(text)]
    return [text[a:b] for a, b in zip(borders[::2], borders[1::2], strict=True)]


def _original(sample: PartSample, candidates: Sequence[Entry], text: int) -> str:
    """The original of a text, without candidates."""
    original = sample.original(text)
    for entry in candidates:
        original = strip_one(preamble_registry([entry]), original, normalize(original))[0]
    return original


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seed:
    """Words in a row near one end of the texts of many accounts."""

    words: tuple[str, ...]
    backwards: bool
    """Whether the words are near the end of the texts, and in reverse order."""
    text_of: dict[int, int]
    """For each account, one of its texts with these words."""


@dataclass(slots=True)
class _Row:
    """Where some words in a row were found."""

    offset: int = 0
    """Sum of their positions, over the texts."""
    texts: int = 0
    text_of: dict[int, int] = field(default_factory=dict)
    """For each account, the first of its texts with these words."""


def _rows(
    rest: Sequence[str], senders: Sequence[Sequence[int]], least: float, *, backwards: bool
) -> dict[tuple[str, ...], _Row]:
    """All words in a row near one end of texts that have no digit and that enough accounts may have sent."""
    ends = [_ends(text, backwards) for text in rest]
    sent: Counter[str] = Counter()  # at least as many as the accounts that sent a word
    for words, accounts in zip(ends, senders, strict=True):
        for word in set(words):
            sent[word] += len(accounts)
    common = {word for word, times in sent.items() if times >= least and not has_digit(word)}
    found: dict[tuple[str, ...], _Row] = {}
    for number, words in enumerate(ends):
        free = 0  # all words from here up to the current one are common
        for stop, word in enumerate(words, 1):
            if word not in common:
                free = stop
            start = stop - ROW
            if start < free:
                continue
            key = tuple(words[start:stop])
            row = found.get(key)
            if row is None:
                row = found[key] = _Row()
            row.offset += start
            row.texts += 1
            for account in senders[number]:
                row.text_of.setdefault(account, number)
    return found


def _seed(rows: Sequence[Mapping[tuple[str, ...], _Row]], least: float, dead: set[tuple[str, ...]]) -> _Seed | None:
    """The commonest words in a row near the beginning or the end of texts; None if too few accounts send them.

    Args:
        rows: near the beginning, and near the end.
        least: number of accounts that must send them.
        dead: words that are passed over.
    """
    seeds = [_commonest(some, least, dead, backwards=bool(end)) for end, some in enumerate(rows)]
    return max((seed for seed in seeds if seed is not None), key=lambda seed: len(seed.text_of), default=None)


def _commonest(
    rows: Mapping[tuple[str, ...], _Row], least: float, dead: set[tuple[str, ...]], *, backwards: bool
) -> _Seed | None:
    """The commonest words in a row near one end of texts; None if too few accounts send them."""
    common = {words: row for words, row in rows.items() if len(row.text_of) >= least and words not in dead}
    if not common:
        return None
    most = (1 - EXCEPTIONAL) * max(len(row.text_of) for row in common.values())
    near = [(words, row) for words, row in common.items() if len(row.text_of) >= most]
    words, row = min(near, key=lambda one: (one[1].offset / one[1].texts, -len(one[1].text_of), one[0]))
    return _Seed(words=words, backwards=backwards, text_of=row.text_of)


def _ends(text: str, backwards: bool) -> list[str]:
    """The first tokens of a text, or the last ones in reverse order."""
    if not backwards:
        return tokens(f" {text[:_TAIL]}", NEAR + ROW)
    return tokens(f" {text[-_TAIL:]}", _TAIL)[::-1][: NEAR + ROW]


def _candidate(seed: _Seed, rest: Sequence[str], least: float, original: Callable[[int], str]) -> Entry | None:
    """The entry of the longest text that nearly all accounts of a seed share, or most of them if they fall apart."""
    group = sorted(seed.text_of)[:GROUP]
    scale = len(seed.text_of) / len(group)
    step = -1 if seed.backwards else 1
    cut = {number: tokens(f" {rest[number]}", TOKENS)[::step] for number in {seed.text_of[a] for a in group}}
    while True:
        texts = [cut[seed.text_of[account]] for account in group]
        start = [_place(text, seed.words) for text in texts]
        found = skeleton(texts, start, least=least / scale)
        if found is None:
            return None
        if not found.ways:
            break
        # Products with the same first words: the largest one now, the others later.
        group = [group[i] for i in found.ways[0]]
    layout = _layout(found, texts, start)
    if layout is None:
        return None
    number = seed.text_of[group[layout.text]]
    if seed.backwards:
        layout = layout.mirrored(len(texts[layout.text]))
    return kept_entry(_written(rest[number], original(number), layout))


def _place(text: Sequence[str], words: tuple[str, ...]) -> int:
    """Where some words are in a text that has them among its first tokens."""
    return next(i for i in range(len(text)) if tuple(text[i : i + len(words)]) == words)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where the fixed words of a candidate are in one text, and what is around them."""

    text: int
    """The number of the text."""
    runs: list[tuple[int, int]]
    """Start and stop of the runs of fixed words, as positions in the tokens, ascending."""
    prompt_at: int
    """Number of runs before the text of the user; -1 if no place is wide enough for one."""
    first: bool
    """Whether there is a value, such as a date, before all runs."""
    last: bool
    """Whether there is a value behind all runs."""

    def mirrored(self, size: int) -> _Layout:
        """The layout in a text that is read from its end. ``size``: tokens of the text."""
        return _Layout(
            text=self.text,
            runs=[(size - b, size - a) for a, b in self.runs[::-1]],
            prompt_at=len(self.runs) - self.prompt_at if self.prompt_at >= 0 else -1,
            first=self.last,
            last=self.first,
        )


def _layout(found: Skeleton, texts: Sequence[Sequence[str]], start: Sequence[int]) -> _Layout | None:
    """The layout of a skeleton; None if no text has all that nearly all texts have.

    The text of the user is behind all runs or in the widest slot. What is before the skeleton, and what is at the end
    of the texts if the text of the user is behind the skeleton, may have fixed words as well.

    Args:
        found: the skeleton.
        texts: tokens of each text.
        start: where the skeleton begins in each text.
    """
    numbers = list(found.stops)
    widest = max(range(len(found.gaps)), key=lambda i: found.gaps[i], default=-1)
    gap = found.gaps[widest] if widest >= 0 else 0.0
    opened = found.rest >= max(gap, ROW)
    before = [texts[i][: start[i]][::-1] for i in numbers]
    behind = [texts[i][found.stops[i] :][::-1] for i in numbers]
    left = skeleton(before, [0] * len(numbers))
    right = skeleton(behind, [0] * len(numbers)) if opened else None
    have = [k for k in range(len(numbers)) if all(side is None or k in side.stops for side in (left, right))]
    if not have:
        return None
    text, size = numbers[have[0]], len(texts[numbers[have[0]]])
    ahead = [(start[text] - b, start[text] - a) for a, b in left.runs(have[0])[::-1]] if left is not None else []
    after = [(size - b, size - a) for a, b in right.runs(have[0])[::-1]] if right is not None else []
    runs = found.runs(text)
    leading = left.rest if left is not None else sum(map(len, before)) / len(before)
    at = len(runs) if opened else widest + 1 if gap >= ROW else -1
    if at < 0 and leading >= ROW:
        at = -len(ahead)
    return _Layout(
        text=text,
        runs=[*ahead, *runs, *after],
        prompt_at=at + len(ahead) if at >= 0 or leading >= ROW else -1,
        first=0 < leading < ROW,
        last=not opened and found.rest > 0,
    )


def _written(text: str, original: str, layout: _Layout) -> str:
    """A preamble as an entry of a registry has it: fixed words in their original spelling, and slots in braces."""
    border = np.cumsum([0, *map(len, tokens(f" {text}", TOKENS))]) - 1
    pieces: list[str] = ["{0}"] if layout.first else []
    size = 0
    for number, (start, stop) in enumerate(layout.runs):
        if number == layout.prompt_at:
            pieces.append(f"{{{PROMPT_SLOT}}}")
        elif number:
            pieces.append(f"{{{number}}}")
        piece = _without_secrets(_spelt(text, original, max(int(border[start]), 0), int(border[stop])))
        size += len(piece) + 8
        if size > MAX_CHARACTERS:
            break
        pieces.append(piece)
    if layout.prompt_at == len(layout.runs):
        pieces.append(f"{{{PROMPT_SLOT}}}")
    elif layout.last:
        pieces.append(f"{{{len(layout.runs)}}}")
    return " ".join(pieces)


def _without_secrets(piece: str) -> str:
    """Fixed words with slots in place of addresses, keys and other values that no result may show."""
    safe = redact(piece)
    return piece if safe == piece else _REDACTED.sub("{0}", safe)


def _spelt(text: str, original: str, start: int, stop: int) -> str:
    """A part of a normalised text in its original spelling, if its words can be paired with those of the original."""
    piece = text[start:stop].strip()
    words = original.split()
    if len(words) != text.count(" ") + 1:
        return piece
    first = text[:start].count(" ") + text[start : start + 1].count(" ")
    count = piece.count(" ") + 1
    spelt = " ".join(words[first : first + count])
    return spelt if normalize(spelt) == piece else piece
