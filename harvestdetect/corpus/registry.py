"""Known scaffolds of products, and viral prompts.

Thousands of unrelated accounts send the same system prompt because they use the same product. Its words are taken out
of a request before requests are compared. The content of its slots stays, and the request itself is never dropped, so
somebody who hides behind a popular scaffold is found by what remains. A viral prompt, one that people pass on, is not
removed; it only explains.

Texts are written by attackers, so no regular expression here can take exponential time. A text is searched for literal
words, from left to right, in time linear in its length. The words of a registry are literal too, whatever characters
they contain.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from itertools import repeat
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa

from harvestdetect.corpus.normalize import normalize
from harvestdetect.errors import SettingsError
from harvestdetect.util.arrays import Bools, Ints32

__all__ = ["SAME_TEMPLATE", "Entry", "Kind", "Registry", "Stripped", "known", "load_registry", "sifted", "strip"]

Kind: TypeAlias = Literal["scaffold", "viral"]
Span: TypeAlias = tuple[int, int]

KEYS: Final = {"id": str, "kind": str, "text": str, "owner": str, "expires": date, "note": str}
"""Keys of an entry, and the type of each."""
OPTIONAL: Final = ("note",)
"""Keys that an entry may lack."""
SHIPPED: Final = "the shipped registry"
"""Name of the shipped file in messages."""
MAX_CHARACTERS: Final = 50_000
"""Most characters of the text of an entry."""
SLOT_CHARACTERS: Final = 4_000
"""Most characters between the words on both sides of a slot."""
SCAFFOLD_WORDS: Final = 4
"""Fewest fixed words of a scaffold; a registry with a shorter one, which would be cut out of ordinary sentences, is
refused."""
WIDE: Final = "\u2e80"
"""First character of scripts without blanks between words. Two characters of these count as a word."""
ANCHOR: Final = 32
"""Characters of the longest run of an entry that a text must contain for the entry to be looked for."""
ANCHORS: Final = 256
"""Number of entries whose anchors are looked for at a time."""
SAME_TEMPLATE: Final = 0.7
"""Share of the fixed words of the longer of two templates that the other has too, in order, from which they are the
same. Chosen."""
OWN_WORDS: Final = 2
"""Most words of a known template that are not in the entry, however long that is. More may be an instruction."""

_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SLOT: Final = re.compile(r"\{{1,2}[^{}\n]{0,60}\}{1,2}")
_PIECE: Final = re.compile(r"\S+")
_WORD: Final = re.compile(r"[^\W\u2e80-\U0010ffff]+|(?=\w)[\u2e80-\U0010ffff]")
"""A word, or one character of a script without blanks between words."""
_SIGN: Final = re.compile(r"([!-/:-@\[-^`{-~])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One known scaffold or viral prompt."""

    id: str
    kind: Kind
    text: str
    """The text as written in the file."""
    owner: str
    """Who is responsible for the entry."""
    expires: date
    """The last day on which the entry is used."""
    note: str
    source: str
    """The file of the entry, for messages."""
    runs: tuple[str, ...]
    """The fixed words between slots, normalised."""
    open: tuple[bool, bool]
    """Whether there is a slot before the first run, and one after the last."""
    anchor: str
    """Characters that every text with the entry contains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Entries that are used, and entries that have expired."""

    entries: tuple[Entry, ...]
    """The entries that are used, by id."""
    expired: tuple[Entry, ...]
    """By id. They have no effect, and are reported."""
    digest: str
    """Digest of the entries that are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripped:
    """Texts after known scaffolds were removed."""

    texts: list[str]
    """n originals without the words of known scaffolds; "" if there was nothing else."""
    compared: list[str]
    """n texts: these, normalised."""
    entry: Ints32
    """int32[n]: the entry with the most words in each text, an index into ``Registry.entries``; -1 if there is none."""


# ---------------------------------------------------------------- loading


def load_registry(extra: Path | None = None, *, today: date | None = None) -> Registry:
    """The shipped entries, and those of a file.

    An entry of the file replaces the shipped entry with the same id. If it has expired, it turns that entry off.

    Args:
        extra: TOML with tables ``[[entry]]``: ``id``, ``kind`` (``scaffold`` or ``viral``), ``text`` with ``{...}``
            for slots, ``owner``, ``expires`` (a date) and, if wanted, ``note``.
        today: the day on which entries may have expired; None is the present day in UTC.

    Raises:
        SettingsError: the file cannot be read, or an entry is malformed. The message names file, entry and key.
    """
    shipped = files("harvestdetect.corpus").joinpath("registry.toml").read_text(encoding="utf-8")
    merged = {entry.id: entry for entry in _entries(shipped, SHIPPED)}
    if extra is not None:
        try:
            own = extra.read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"cannot read the registry {extra}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise SettingsError(f"the registry {extra} is not valid UTF-8: {error}") from None
        merged |= {entry.id: entry for entry in _entries(own, f"the registry {extra}")}
    day = today or datetime.now(UTC).date()
    ordered = [merged[key] for key in sorted(merged)]
    current = tuple(e for e in ordered if e.expires >= day)
    digested = "\n".join(f"{e.id}\0{e.kind}\0{e.text}" for e in current)
    return Registry(
        entries=current,
        expired=tuple(e for e in ordered if e.expires < day),
        digest=hashlib.sha256(digested.encode()).hexdigest(),
    )


def _entries(text: str, source: str) -> list[Entry]:
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source} is not valid TOML: {error}") from None
    if unknown := sorted(parsed.keys() - {"entry"}):
        raise SettingsError(f"{source}: unknown key {unknown[0]!r}; there are only [[entry]] tables")
    tables = parsed.get("entry", [])
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise SettingsError(f"{source}: entry must be a list of tables, each written as [[entry]]")
    found: dict[str, Entry] = {}
    for number, table in enumerate(tables, 1):
        entry = _entry(table, f"{source}, entry {number}", source)
        if entry.id in found:
            raise SettingsError(f"{source}, entry {number}: key 'id': {entry.id!r} is used twice")
        found[entry.id] = entry
    return list(found.values())


def _entry(table: Mapping[str, Any], where: str, source: str) -> Entry:
    """One entry of a file, checked."""
    if isinstance(table.get("id"), str):
        where += f" ({table['id']!r})"

    def wrong(key: str, what: str) -> SettingsError:
        return SettingsError(f"{where}: key {key!r} {what}")

    if unknown := sorted(table.keys() - KEYS.keys()):
        raise wrong(unknown[0], f"is unknown; known are {', '.join(KEYS)}")
    for key, kind in KEYS.items():
        value = table.get(key)
        if value is None:
            if key in OPTIONAL:
                continue
            raise wrong(key, "is missing")
        if not isinstance(value, kind) or isinstance(value, datetime):
            expected = "a date such as 2028-12-31" if kind is date else "a text"
            raise wrong(key, f"must be {expected}, got {value!r}")
    if not _ID.fullmatch(table["id"]):
        raise wrong("id", "must be 1 to 64 small letters, digits and . _ -, beginning with a letter or digit")
    if table["kind"] not in get_args(Kind):
        raise wrong("kind", f"must be one of {', '.join(get_args(Kind))}, got {table['kind']!r}")
    if not table["owner"].strip():
        raise wrong("owner", "must name somebody")
    text = table["text"]
    if len(text) > MAX_CHARACTERS:
        raise wrong("text", f"has {len(text):,} characters; at most {MAX_CHARACTERS:,} are taken")
    between = [normalize(run) for run in _SLOT.split(text)]
    runs = tuple(run for run in between if _WORD.search(run))
    words = sum(0.5 if word >= WIDE else 1 for run in runs for word in _WORD.findall(run))
    if not runs:
        raise wrong("text", "has no fixed words")
    if table["kind"] == "scaffold" and words < SCAFFOLD_WORDS:
        raise wrong(
            "text", f"has {words:g} fixed words; a scaffold needs {SCAFFOLD_WORDS}, or it cuts into other texts"
        )
    return Entry(
        id=table["id"],
        kind=table["kind"],
        text=text,
        owner=table["owner"],
        expires=table["expires"],
        note=table.get("note", ""),
        source=source,
        runs=runs,
        open=(between[0] != runs[0], between[-1] != runs[-1]),
        anchor=max(runs, key=len)[:ANCHOR].strip(),
    )


# ---------------------------------------------------------------- stripping


def strip(registry: Registry, texts: Sequence[str]) -> Stripped:
    """Takes the words of known scaffolds out of texts.

    A match is found in the normalised text, so letter case, blanks, look-alike and invisible letters do not matter.
    Its words are then cut out of the original, and the content of slots stays. A scaffold matches if the text contains
    all its runs as whole words, in order, at most :data:`SLOT_CHARACTERS` apart. A viral prompt matches if it is the
    whole text, and is not removed.

    Args:
        registry: see :func:`load_registry`.
        texts: originals.
    """
    compared = [normalize(text) for text in texts]
    out = list(texts)
    entry = np.full(len(texts), -1, np.int32)
    done: dict[str, tuple[str, str, int]] = {}
    for i in np.flatnonzero(sifted(registry, pa.array(compared, pa.large_string()))).tolist():
        original = out[i]
        if original not in done:
            done[original] = _strip(registry, original, compared[i])
        out[i], compared[i], entry[i] = done[original]
    return Stripped(texts=out, compared=compared, entry=entry)


def sifted(registry: Registry, compared: pa.Array) -> Bools:
    """Which texts contain the anchor of any entry. One automaton reads all texts (RE2, in linear time).

    Args:
        registry: see :func:`load_registry`.
        compared: large_string[n], normalised.

    Returns:
        bool[n].
    """
    import pyarrow.compute as pc

    found = np.zeros(len(compared), bool)
    anchors = sorted({entry.anchor for entry in registry.entries})
    for start in range(0, len(anchors) if len(compared) else 0, ANCHORS):
        pattern = "|".join(_SIGN.sub(r"\\\1", anchor) for anchor in anchors[start : start + ANCHORS])
        found |= pc.match_substring_regex(compared, pattern).to_numpy(zero_copy_only=False)
    return found


def _strip(registry: Registry, original: str, text: str) -> tuple[str, str, int]:
    """(original without scaffolds, the same normalised, entry or -1) of one text."""
    spans: list[Span] = []
    best, most = -1, 0
    for number, entry in enumerate(registry.entries):
        if entry.anchor not in text:
            continue
        found = _matches(text, entry.runs)
        if entry.kind == "viral" and not _is_all(text, found, entry.open):
            continue
        covered = sum(stop - start for start, stop in found)
        if covered > most:
            best, most = number, covered
        if entry.kind == "scaffold":
            spans += found
    if not spans:
        return original, text, best
    rest = _without(original, text, _union(spans))
    clean = normalize(rest)
    if not _WORD.search(clean):
        return "", "", best
    return rest, clean, best


def _matches(text: str, runs: Sequence[str]) -> list[Span]:
    """The places of all runs of all matches of an entry, from left to right, without overlap.

    No run is looked for to the left of a place where it was found, so this takes time linear in the text.
    """
    found: list[Span] = []
    least = [0] * len(runs)
    ahead = [-1] * len(runs)
    match: list[Span] = []
    while True:
        number = len(match)
        run, before = runs[number], match[-1][1] if match else 0
        need = max(least[number], before)
        if ahead[number] < need:
            ahead[number] = _find(text, run, need)
        place = ahead[number]
        if place < 0:
            return found
        if match and place - before > SLOT_CHARACTERS:
            # This run is not found earlier, so the run before it must end nearer.
            last = match.pop()
            least[number - 1] = max(last[0] + 1, place - SLOT_CHARACTERS - len(runs[number - 1]))
            continue
        match.append((place, place + len(run)))
        if len(match) == len(runs):
            found += match
            least[0] = match[-1][1]
            match = []


def _find(text: str, run: str, start: int) -> int:
    """The first place from ``start`` on where a run is found as whole words; -1 if there is none."""
    place = text.find(run, start)
    while place >= 0:
        stop = place + len(run)
        if not (_joined(text, place) or _joined(text, stop)):
            return place
        place = text.find(run, place + 1)
    return -1


def _joined(text: str, place: int) -> bool:
    """Whether a word continues across a place. In scripts without blanks, words end anywhere."""
    if not 0 < place < len(text):
        return False
    left, right = text[place - 1], text[place]
    return left.isalnum() and right.isalnum() and left < WIDE and right < WIDE


def _is_all(text: str, spans: Sequence[Span], open: tuple[bool, bool]) -> bool:
    """Whether a text is what was found, except for punctuation at its ends and the content of slots there."""
    if not spans:
        return False
    ends = text[: spans[0][0]], text[spans[-1][1] :]
    return all(
        len(end) <= SLOT_CHARACTERS if slot else not _WORD.search(end) for end, slot in zip(ends, open, strict=True)
    )


def _union(spans: list[Span]) -> list[Span]:
    """Merges overlapping spans. Returns them ascending."""
    found: list[Span] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found


def _without(original: str, text: str, spans: Sequence[Span]) -> str:
    """The original without the words in some spans of its normalised text.

    Words are paired by their number. Normalising neither joins nor reorders words, but one may become several, or
    vanish. If the numbers do not agree, the normalised text is cut instead.
    """
    total = text.count(" ") + 1
    counts: Iterable[int] = repeat(1)
    if not original.isascii() or len(original.split()) != total:  # a word in ASCII may vanish, but never becomes two
        counts = [len(normalize(piece).split()) for piece in original.split()]
        if sum(counts) != total:
            return _cut(text, spans)
    words = map(re.Match.span, _PIECE.finditer(text))
    cuts: list[Span] = []
    at, last = 0, -1
    for (start, stop), count in zip(map(re.Match.span, _PIECE.finditer(original)), counts, strict=False):
        # Blanks and invisible words between removed words are removed too.
        after = last if cuts and cuts[-1][1] == last else start
        last = stop
        if count == 0:
            if after < start:
                cuts[-1] = (cuts[-1][0], stop)
            continue
        left, right = next(words)
        for _ in range(count - 1):
            right = next(words)[1]
        while at < len(spans) and spans[at][1] <= left:
            at += 1
        if at == len(spans):
            break
        reach = at
        while reach < len(spans) and spans[reach][0] < right:
            reach += 1
        if reach == at:
            continue
        inside = [(max(a, left) - left, min(b, right) - left) for a, b in spans[at:reach]]
        if not _WORD.search(_cut(text[left:right], inside)):
            cuts.append((after, stop))
        elif right - left == stop - start:
            cuts += [(after if a == 0 else start + a, start + b) for a, b in inside]
    return _cut(original, cuts).strip()


def _cut(text: str, spans: Sequence[Span]) -> str:
    """A text without some spans, which are ascending."""
    kept, last = [], 0
    for start, stop in spans:
        kept.append(text[last:start])
        last = stop
    return "".join([*kept, text[last:]])


# ---------------------------------------------------------------- explaining


def known(registry: Registry, words: Sequence[str | None]) -> Entry | None:
    """The entry with nearly the same words as a template; None if the template has words of its own.

    Args:
        registry: see :func:`load_registry`.
        words: runs of fixed words, and None for a slot, as in ``Template.words``.
    """
    own = [word for run in words if run is not None for word in _WORD.findall(normalize(run))]
    bag = Counter(own)
    best, most = None, 0.0
    for entry in registry.entries:
        theirs = [word for run in entry.runs for word in _WORD.findall(run)]
        least = max(SAME_TEMPLATE * max(len(own), len(theirs)), len(own) - OWN_WORDS, 1)
        if (bag & Counter(theirs)).total() < least:
            continue
        common = _common(own, theirs)
        if common >= least and common / len(theirs) > most:
            best, most = entry, common / len(theirs)
    return best


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of a longest common subsequence (bit vectors, Hyyrö 2004)."""
    masks: dict[str, int] = {}
    for i, word in enumerate(first):
        masks[word] = masks.get(word, 0) | 1 << i
    full = state = (1 << len(first)) - 1
    for word in second:
        kept = state & masks.get(word, 0)
        state = ((state + kept) | (state - kept)) & full
    return len(first) - state.bit_count()
