"""The accounts and prompts in which preambles are looked for.

A share of a quarter of the accounts is seen in a thousand accounts as well as in a million. The accounts are chosen by
a digest of their ids and the prompts by their content. So the sample depends neither on the order of rows nor on their
division into files, and the sample of tomorrow is nearly that of today.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from harvestdetect.data import NO_TIME, SYSTEM
from harvestdetect.util.arrays import AnyArray, Ints, Ints32, Words, changes, ranges, run_starts
from harvestdetect.util.texts import TextFile, Texts

__all__ = ["PartSample", "SampledTexts", "sampled"]

ACCOUNTS: Final = 1_000
"""Most accounts of a sample."""
PROMPTS: Final = 8
"""Most prompts of an account in a sample."""
PARTS: Final = 8
"""Most parts of a prompt in a sample; system prompts go first."""
CHARACTERS: Final = 50_000
"""Most characters of a text of a sample, half of them from each end."""
BYTES: Final = 64_000_000
"""Most bytes of all texts of a sample. If they are more, fewer characters of each text are taken."""

MIX: Final = 0x9E3779B97F4A7C15
"""An odd number that puts prompts into another order than that of their digests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledTexts:
    """All parts of a corpus before they are collapsed, and where their texts are. Parts of two blocks may be equal."""

    file: TextFile
    digest: Words
    """uint64[n, 2]."""
    kind: AnyArray
    """uint8[n]."""
    text: Ints
    """int64[n]: place of each normalised text."""
    text_size: Ints32
    """int32[n], in bytes."""
    shown: Ints
    """int64[n]: place of each original."""
    shown_size: Ints32
    """int32[n], in bytes."""

    def originals(self, rows: Ints) -> list[str]:
        """The originals of some parts."""
        return Texts(self.file, self.shown, self.shown_size).take(rows)

    def beginnings_and_ends(self, rows: Ints) -> list[str]:
        """The normalised texts of some parts, without the middle of long ones."""
        half = min(CHARACTERS, BYTES // max(len(rows), 1)) // 2
        found = []
        for place, size in zip(self.text[rows].tolist(), self.text_size[rows].tolist(), strict=True):
            if size <= 2 * half:
                found.append(self.file.read(place, size).decode("utf-8", "ignore"))
            else:
                ends = (self.file.read(place, half), self.file.read(place + size - half, half))
                found.append(" ".join(end.decode("utf-8", "ignore").strip() for end in ends))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSample:
    """n distinct parts of q prompts of a accounts. The accounts are in the order of their digests."""

    texts: list[str]
    """n texts, normalised."""
    original: Callable[[int], str]
    """The original of a text, by its number."""
    part: Ints
    """int64[m]: for each pair of a part and a prompt that contains it, the part."""
    prompt: Ints
    """int64[m]: the prompt of each pair, ascending."""
    account: Ints
    """int64[q]: the account of each prompt."""
    volume: Ints
    """int64[a]: all prompts of each account."""
    first_seen: Ints
    """int64[a]: the time of the first prompt of each account, or NO_TIME."""


def sampled(
    texts: SampledTexts,
    *,
    accounts: pa.Array,
    account: Ints32,
    time: Ints,
    content: Words,
    held: Ints32,
    holder: Ints32,
) -> PartSample:
    """Chooses accounts and prompts.

    Args:
        texts: the parts.
        accounts: the ids of the accounts.
        account: int32[p]: the account of each prompt, an index into ``accounts``.
        time: int64[p], in seconds, or NO_TIME.
        content: uint64[p]: digest of each prompt.
        held: int32[m]: the part of each pair of a part and a prompt that contains it.
        holder: int32[m]: the prompt of each pair.
    """
    chosen = _accounts(accounts)
    number = np.full(len(accounts), -1, np.int64)
    number[chosen] = np.arange(len(chosen))
    mine = np.flatnonzero(number[account] >= 0)
    sender, when = number[account[mine]], time[mine]
    volume = np.bincount(sender, minlength=len(chosen))
    first = np.full(len(chosen), np.iinfo(np.int64).max)
    timed = when != NO_TIME
    np.minimum.at(first, sender[timed], when[timed])
    first[first == np.iinfo(np.int64).max] = NO_TIME

    mixed = content[mine] * np.uint64(MIX)
    order = np.lexsort((mixed, sender))
    order = order[changes(sender[order], mixed[order])]
    mine, sender = _first_of_each(sender[order], PROMPTS, mine[order], sender[order])
    place = np.full(len(account), -1, np.int64)
    place[mine] = np.arange(len(mine))
    pairs = np.flatnonzero(place[holder] >= 0)
    row, prompt = _parts(texts, held[pairs].astype(np.int64), place[holder[pairs]])
    distinct, part = _distinct(texts.digest, row)

    def original(text: int) -> str:
        same = np.flatnonzero((texts.digest == texts.digest[distinct[text]]).all(axis=1))
        return min(texts.originals(same))

    return PartSample(
        texts=texts.beginnings_and_ends(distinct),
        original=original,
        part=part,
        prompt=prompt,
        account=sender,
        volume=volume,
        first_seen=first,
    )


def _parts(texts: SampledTexts, row: Ints, prompt: Ints) -> list[Ints]:
    """The parts of the sample: of each prompt the first few, without repetition.

    Args:
        texts: all parts.
        row: int64[m]: the part of each pair of a part and a prompt.
        prompt: int64[m]: the prompt of each pair.
    """
    digest = texts.digest[row]
    order = np.lexsort((digest[:, 1], digest[:, 0], texts.kind[row] != SYSTEM, prompt))
    order = order[changes(prompt[order], digest[order, 0], digest[order, 1])]
    return _first_of_each(prompt[order], PARTS, row[order], prompt[order])


def _distinct(digest: Words, row: Ints) -> tuple[Ints, Ints]:
    """One row of each distinct digest of some rows, and for each of these rows which one of them it is."""
    mine = digest[row]
    order = np.lexsort((mine[:, 1], mine[:, 0]))
    new = changes(mine[order, 0], mine[order, 1])
    number = np.empty(len(row), np.int64)
    number[order] = np.cumsum(new) - 1
    return row[order[new]], number


def _accounts(accounts: pa.Array) -> Ints:
    """The accounts of the sample, in the order of a digest of their ids."""
    ids = accounts.cast(pa.large_binary()).to_pylist()
    digest = np.fromiter((zlib.crc32(one) for one in ids), np.int64, len(ids))
    return np.argsort(digest, kind="stable")[:ACCOUNTS]


def _first_of_each(group: Ints, at_most: int, *columns: Ints) -> list[Ints]:
    """The first rows of each group of equal neighbours, at most ``at_most`` of each, of some columns."""
    start = run_starts(group)
    size = np.diff(np.append(start, len(group)))
    rows = ranges(start, np.minimum(size, at_most))
    return [column[rows] for column in columns]
