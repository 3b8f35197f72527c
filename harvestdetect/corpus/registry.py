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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa

from harvestdetect.corpus.cut_out import WORD, Span, union, without
from harvestdetect.corpus.normalize import is_wordy, normalize
from harvestdetect.errors import SettingsError
from harvestdetect.util.arrays import Bools, Ints32

__all__ = [
    *("PROMPT_SLOT", "Entry", "Kind", "Registry", "Stripped", "entry_of", "load_registry", "places", "sifted"),
    *("strip", "strip_one", "word_count", "words_of"),
]

Kind: TypeAlias = Literal["scaffold", "viral"]

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
PROMPT_SLOT: Final = "prompt"
"""Name of the slot where the text of the user stands. It may be of any length, and what is behind it is looked for from
the end of the text."""
SCAFFOLD_WORDS: Final = 4
"""Fewest fixed words of a scaffold; a registry with a shorter one, which would be cut out of ordinary sentences, is
refused."""
WIDE: Final = "\u2e80"
"""First character of scripts without blanks between words. Two characters of these count as a word."""
ANCHOR: Final = 32
"""Characters of the longest run of an entry that a text must contain for the entry to be looked for."""
ANCHORS: Final = 256
"""Number of entries whose anchors are looked for at a time."""

_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SLOT: Final = re.compile(r"\{{1,2}[^{}\n]{0,60}\}{1,2}")
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
    values: tuple[bool, ...]
    """For the place before each run and the one behind the last: whether its slot has a number. What fills such a slot
    is removed as well if it is a value such as a date or a name, and not wordy."""
    before_prompt: int
    """Number of runs before the slot :data:`PROMPT_SLOT`; -1 if there is no such slot."""
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
        entry = entry_of(table, f"{source}, entry {number}", source)
        if entry.id in found:
            raise SettingsError(f"{source}, entry {number}: key 'id': {entry.id!r} is used twice")
        found[entry.id] = entry
    return list(found.values())


def words_of(text: str) -> list[str]:
    """The words of a normalised text; each character of a script without blanks counts as one."""
    return WORD.findall(text)


def word_count(text: str) -> float:
    """Number of words of a normalised text. In scripts without blanks between words, two characters are a word."""
    words = words_of(text)
    return len(words) if text.isascii() else sum(0.5 if word >= WIDE else 1 for word in words)


def entry_of(table: Mapping[str, Any], where: str, source: str) -> Entry:
    """One entry, checked.

    Args:
        table: the keys of the entry.
        where: it is, for messages.
        source: its file.

    Raises:
        SettingsError: it is malformed, for example because it has too few fixed words.
    """
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
    runs = tuple(run for run in between if WORD.search(run))
    words = sum(map(word_count, runs))
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
        **_slots(text, between),
        anchor=max(runs, key=len)[:ANCHOR].strip(),
    )


def _slots(text: str, between: Sequence[str]) -> dict[str, Any]:
    """``values`` and ``before_prompt`` of an entry with a text. ``between``: what is around its slots, normalised."""
    numbered: list[bool | None] = [None]
    before = -1
    for slot, behind in zip(_SLOT.findall(text), between[1:], strict=True):
        if WORD.search(between[0]) and len(numbered) == 1:
            numbered = [False, None]
        name = slot.strip("{} ")
        if name == PROMPT_SLOT and before < 0:
            before = len(numbered) - 1
        numbered[-1] = name.isdecimal() and numbered[-1] is not False
        if WORD.search(behind):
            numbered.append(None)
    if len(between) == 1:
        numbered = [False, None]
    return {"values": tuple(bool(one) for one in numbered), "before_prompt": before}


# ---------------------------------------------------------------- stripping


def strip(registry: Registry, texts: Sequence[str]) -> Stripped:
    """Takes the words of known scaffolds out of texts.

    A match is found in the normalised text, so letter case, blanks, look-alike and invisible letters do not matter.
    Its words are then cut out of the original, and the content of slots stays. A scaffold matches if the text contains
    all its runs as whole words, in order, at most :data:`SLOT_CHARACTERS` apart. If it has a slot :data:`PROMPT_SLOT`,
    it matches once: the runs before that slot are looked for from the left, those behind it from the right. A viral
    prompt matches if it is the whole text, and is not removed.

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
            done[original] = strip_one(registry, original, compared[i])
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


def strip_one(registry: Registry, original: str, text: str) -> tuple[str, str, int]:
    """(original without scaffolds, the same normalised, entry or -1) of one text.

    Args:
        registry: see :func:`load_registry`.
        original: the text.
        text: the same, normalised.
    """
    spans: list[Span] = []
    best, most = -1, 0
    for number, entry in enumerate(registry.entries):
        if entry.anchor not in text:
            continue
        found = places(entry, text) if entry.kind == "scaffold" else _matches(text, entry.runs)
        if entry.kind == "viral" and not _is_all(text, found, entry.open):
            continue
        covered = sum(stop - start for start, stop in found)
        if covered > most:
            best, most = number, covered
        if entry.kind == "scaffold":
            spans += found
    if not spans:
        return original, text, best
    rest = without(original, text, union(spans))
    clean = normalize(rest)
    if not WORD.search(clean):
        return "", "", best
    return rest, clean, best


def places(entry: Entry, text: str) -> list[Span]:
    """Start and stop of what an entry removes from a normalised text, ascending; empty if it does not match."""
    number = entry.before_prompt
    if number < 0:
        return _with_values(entry, text, _matches(text, entry.runs))
    front, end = entry.runs[:number], entry.runs[number:]
    left = _matches(text, front)[:number] if front else []
    mirrored = _matches(text[::-1], [run[::-1] for run in end[::-1]])[: len(end)] if end else []
    right = [(len(text) - stop, len(text) - start) for start, stop in mirrored[::-1]]
    if len(left) < number or len(right) < len(end) or (left and right and right[0][0] < left[-1][1]):
        return []
    return _with_values(entry, text, left + right)


def _with_values(entry: Entry, text: str, found: list[Span]) -> list[Span]:
    """The places of runs, and between them the places of numbered slots with few words."""
    if not found or not any(entry.values):
        return found
    every: list[Span] = []
    last = 0
    for number, (start, stop) in enumerate(found):
        slot = number % len(entry.runs)
        # Before a second match there is no slot.
        if entry.values[slot] and (slot or not number) and not is_wordy(text[last:start].strip()):
            every.append((last, start))
        every.append((start, stop))
        last = stop
    if entry.values[-1] and not is_wordy(text[last:].strip()):
        every.append((last, len(text)))
    return every


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
        len(end) <= SLOT_CHARACTERS if slot else not WORD.search(end) for end, slot in zip(ends, open, strict=True)
    )
