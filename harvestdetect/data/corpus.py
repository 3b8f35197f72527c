"""The corpus: distinct segments of all prompts, and who sent them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import pyarrow as pa

from harvestdetect.util.arrays import Bools, Bytes, Digests, Ints, Ints32
from harvestdetect.util.texts import Texts

__all__ = [
    *("HEAD", "KINDS", "OUTLINE", "PART", "SENTENCE", "SYSTEM", "TAIL", "WHOLE_KINDS", "WINDOW"),
    *("Corpus", "FieldColumn", "Prompts", "View"),
]

View: TypeAlias = Literal["wording", "meaning"]
"""How texts are compared: by a static embedding, or by a transformer."""

KINDS: Final = ("part", "system", "head", "tail", "window", "sentence", "outline")
"""What a segment is in the prompts that contain it. A segment that is several of these has the first."""
PART, SYSTEM, HEAD, TAIL, WINDOW, SENTENCE, OUTLINE = range(len(KINDS))
"""Each kind as a number, its index in :data:`KINDS`."""
WHOLE_KINDS: Final = 2
"""Kinds with a smaller number are whole parts (a part, a system prompt). The others are pieces of parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldColumn:
    """One optional column of all prompts."""

    code: Ints32
    """int32[p]: an index into ``values`` for each prompt, -1 if the value is missing."""
    values: pa.Array
    """The distinct values, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The p prompts of a corpus, sorted by account, time and content: never by their place in a file."""

    account: Ints32
    """int32[p]: an index into ``accounts``."""
    time: Ints
    """int64[p]: seconds, or NO_TIME."""
    file: Ints32
    """int32[p]: position in the list of files."""
    line: Ints
    """int64[p]: line or row in the file, from 1."""
    content: Ints32
    """int32[p]: equal for prompts whose normalised parts are all equal."""
    accounts: pa.Array
    """The a distinct account ids, sorted."""
    fields: Mapping[str, FieldColumn]
    """Name of an optional column -> the column."""
    created_at: Ints
    """int64[p]: when the account was created, in seconds, or NO_TIME."""
    copied: Bools | None = None
    """bool[p]: rows without a time that are copies of rows of another file; None if there are none."""
    first: Ints32 | None = None
    """int32[p]: the row itself, or the first row of its request if it repeats one; None if no row repeats another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """The n distinct segments of all prompts, sorted by digest, and who sent them."""

    digest: Digests
    """V16[n], ascending."""
    text: Texts
    """n texts, normalised for comparison."""
    display: Texts
    """n originals that people read; each normalises to the text of the segment."""
    kind: Bytes
    """uint8[n]: what the segment is in the prompts that contain it, an index into :data:`KINDS`."""
    senders: Ints32
    """int32[n]: number of accounts whose prompts contain the segment."""
    posting_segment: Ints32
    """int32[m], ascending: the segment of each posting, a pair of a segment and a prompt that contains it."""
    posting_prompt: Ints32
    """int32[m]: the prompt of each posting, ascending within a segment."""
    prompts: Prompts
