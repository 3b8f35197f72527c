"""Rows that are in more than one file, and files that are completely contained in others.

A file that grew, that was cut off and completed, or that was compressed anew brings rows that were read before. Two
rows are the same when account, time and content are equal. A row without a time shows too little for that. It is the
same as a row of another file only if both are on the same line, and only if one of the two files contains all rows of
the other. Rows that repeat a request for another reason are in :mod:`harvestdetect.corpus.repeats`.

A file is a multiset of rows: the number of times that it contains a row is data. A row counts as often as it occurs
in the file that contains it most often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from harvestdetect.corpus.block import PreparedBlock
from harvestdetect.data import NO_TIME, Prompts
from harvestdetect.util.arrays import AnyArray, Bools, Ints, Ints32, Words, changes, mixed, run_starts

__all__ = ["Copies", "FileRows", "copies_of", "copy_sentences", "counted_once", "is_within", "row_keys", "rows_of"]

MAX_NAMED: Final = 10
"""Number of files whose prompts are all in other files that are reported by name; further ones are only counted."""
_PROBES: Final = 16
"""Number of rows of a file that are looked for in another file before all of them are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRows:
    """The k distinct rows of a file, and how often the file contains each."""

    key: AnyArray
    """uint64[k] or int64[k], ascending."""
    count: Ints32
    """int32[k]."""

    def __len__(self) -> int:
        return int(self.count.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """What the files of a corpus have in common."""

    repeated: int = 0
    """FileRows that do not count, because another file contains them too."""
    within: Mapping[int, int] = field(default_factory=dict)
    """File -> another file that contains all its rows."""
    copied: Bools | None = None
    """bool[p]: rows without a time that another file contains too; None if there are none."""


def row_keys(block: PreparedBlock) -> Words:
    """A digest of account, time and content of every row, uint64[r].

    The last bit is 1 for a row without a time, whose digest includes its line.
    """
    count = int(block.value_count[0])
    stop = np.cumsum(block.value_size[:count], dtype=np.int64)
    data = block.value_bytes[: int(stop[-1]) if count else 0].tobytes()
    starts = [0, *stop[:-1].tolist()] if count else []
    names = b"".join(
        hashlib.blake2b(data[a:b], digest_size=8).digest() for a, b in zip(starts, stop.tolist(), strict=True)
    )
    account = np.frombuffer(names, "<u8").astype(np.uint64)[block.code[:, 0]]
    untimed = block.time == NO_TIME
    key = mixed(mixed(account) ^ block.time.astype(np.int64).view(np.uint64))
    key = mixed(key ^ block.content)
    key = mixed(key ^ np.where(untimed, block.line, 0).astype(np.int64).view(np.uint64))
    return np.asarray((key & ~np.uint64(1)) | untimed.astype(np.uint64))


def rows_of(keys: Sequence[Words]) -> FileRows:
    """The rows of a file from the keys of its blocks."""
    key = np.sort(np.concatenate(keys)) if keys else np.zeros(0, np.uint64)
    start = run_starts(key)
    return FileRows(key=key[start], count=np.diff(np.append(start, len(key))).astype(np.int32))


def is_within(rows: FileRows, others: FileRows) -> bool:
    """Whether all rows of a file are in another file, each at least as often."""
    if len(rows.key) > len(others.key):
        return False
    probe = np.linspace(0, max(len(rows.key) - 1, 0), min(len(rows.key), _PROBES)).astype(np.int64)
    return _holds(rows.key[probe], rows.count[probe], others) and _holds(rows.key, rows.count, others)


def _holds(key: AnyArray, count: Ints32, others: FileRows) -> bool:
    place = np.minimum(np.searchsorted(others.key, key), max(len(others.key) - 1, 0))
    return not len(key) or bool(np.all((others.key[place] == key) & (others.count[place] >= count)))


def counted_once(files: Sequence[FileRows]) -> int:
    """Number of rows in some files. A row that is in several files counts once; a row without a time counts in each."""
    if not files:
        return 0
    key = np.concatenate([rows.key for rows in files])
    count = np.concatenate([rows.count for rows in files])
    untimed = (key & np.uint64(1)).astype(bool)
    total = int(count[untimed].sum())
    key, count = key[~untimed], count[~untimed]
    order = np.argsort(key, kind="stable")
    start = run_starts(key[order])
    return total + (int(np.maximum.reduceat(count[order], start).sum()) if len(start) else 0)


def copies_of(prompts: Prompts) -> Copies:
    """What the files of a corpus have in common."""
    rows = len(prompts.account)
    if not rows or prompts.file.min() == prompts.file.max():
        return Copies()
    new = changes(prompts.account, prompts.time, prompts.content)
    tied = np.flatnonzero(~new | np.append(~new[1:], False))
    if not len(tied):
        return Copies()
    group, file = np.cumsum(new, dtype=np.int64)[tied], prompts.file[tied]
    untimed = prompts.time[tied] == NO_TIME
    line = np.where(untimed, prompts.line[tied], 0)
    order = np.lexsort((file, line, group))
    key = np.cumsum(changes(group[order], line[order])) - 1
    start = run_starts(key, file[order])
    count = np.diff(np.append(start, len(order))).astype(np.int32)
    key, of, loose = key[start], file[order][start], untimed[order][start]
    holders = np.bincount(key)
    shared = holders[key] > 1
    if not shared.any():
        return Copies()
    key, of, loose, count = key[shared], of[shared], loose[shared], count[shared]
    first = run_starts(key)
    more = np.add.reduceat(count, first) - np.maximum.reduceat(count, first)
    within = _within(key, of, count, np.bincount(prompts.file - prompts.file.min()), int(prompts.file.min()))
    copied = _copied(tied, group, untimed & np.isin(file, list(within)), rows)
    repeated = int(more[~loose[first]].sum()) + (0 if copied is None else int(copied.sum()))
    return Copies(repeated=repeated, within=within, copied=copied)


def copy_sentences(copies: Copies, names: Sequence[str]) -> Iterator[str]:
    """What the user should know about files that repeat others, one sentence each. ``names``: of the files."""
    shown = dict(enumerate(names))
    within = sorted(copies.within.items())
    for position, (file, other) in enumerate(within):
        if position == MAX_NAMED and len(within) > MAX_NAMED + 1:
            yield f"{len(within) - position:,} more files have only prompts that are in other files too"
            break
        yield f"all prompts of {shown.get(file, file)} are in {shown.get(other, other)} too, and count once"
    if copies.repeated and not within:
        yield f"{copies.repeated:,} prompts are in more than one file, and count once"


def _within(key: Ints, file: Ints32, count: Ints32, size: Ints, least: int) -> dict[int, int]:
    """Finds files that are completely contained in another file.

    Args:
        key: int64[e], ascending: rows that are in several files.
        file: int32[e], ascending within a key: a file that contains the row.
        count: int32[e], how often it contains the row.
        size: rows of each file.
        least: the number of the first file.
    """
    border = np.append(run_starts(key), len(key))
    holders = np.diff(border)
    number = np.repeat(np.arange(len(holders)), holders)
    order = np.argsort(file, kind="stable")  # so the rows of each file are ascending
    start = run_starts(file[order])
    rows_of_file = {
        int(file[part[0]]): FileRows(key=number[part], count=count[part]) for part in np.split(order, start[1:])
    }
    found: dict[int, int] = {}
    for f, rows in rows_of_file.items():
        own = int(size[f - least])
        if len(rows) < own:
            continue
        rare = int(rows.key[np.argmin(holders[rows.key])])
        others = [int(other) for other in file[border[rare] : border[rare + 1]] if other != f]
        for other in sorted(others, key=lambda g: (-size[g - least], g)):
            larger = size[other - least] > own or (size[other - least] == own and other < f)
            if larger and is_within(rows, rows_of_file[other]):
                found[f] = other
                break
    return found


def _copied(tied: Ints, group: Ints, copied: Bools, rows: int) -> Bools | None:
    """Marks as many rows at the end of each group as the group has copies, so that its first row stays: bool[rows]."""
    if not copied.any():
        return None
    number = np.cumsum(changes(group)) - 1
    size = np.bincount(number)
    left = np.cumsum(size)[number] - np.arange(len(group))
    found = np.zeros(rows, bool)
    found[tied] = left <= np.bincount(number, weights=copied)[number]
    return found
