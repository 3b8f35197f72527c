"""A prepared block: everything that the corpus needs to know about some prompts, as plain arrays.

:func:`harvestdetect.corpus.prepare.prepare` makes it. It can be sent between processes and kept in a file
(:mod:`harvestdetect.corpus.shards`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from harvestdetect.corpus.registry import Registry
from harvestdetect.data import FIELDS
from harvestdetect.util.arrays import Bools, Bytes, Ints, Ints32, Words

__all__ = [
    "CODED",
    "FIRST_LAYOUT",
    "LAYOUT",
    "Cutting",
    "PreparedBlock",
    "of_first_layout",
    "rows_of_account",
    "select_rows",
]

CODED: Final = ("account", *(name for name in FIELDS if name not in ("created_at", "request")))
"""Columns of a block whose values are stored once and referred to by number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutting:
    """How prompts are cut into segments."""

    segment_characters: int = 300
    """A part longer than twice this number of characters is also compared in pieces of about this length."""
    max_windows: int = 4
    """Most pieces of a long part besides head and tail."""
    registry: Registry | None = None
    """Scaffolds to take out of prompts; None takes out nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBlock:
    """r prompts and their s segments: first the parts, then pieces of the parts.

    Parts are distinct within a block, and not between blocks. Sentences and outlines are stored as digests, because
    most of them are never needed again.
    """

    line: Ints
    """int64[r]: line or row in the file, from 1."""
    time: Ints
    """int64[r]: seconds, or NO_TIME."""
    created_at: Ints
    """int64[r]: seconds, or NO_TIME."""
    content: Words
    """uint64[r]: digest of roles, entries of the registry and normalised parts."""
    code: Ints32
    """int32[r, 10]: index into the values of each of :data:`CODED`, -1 if the value is missing."""
    value_count: Ints32
    """int32[10]: number of values of each of :data:`CODED`."""
    value_size: Ints32
    """int32[sum of value_count]: bytes of each value."""
    value_bytes: Bytes
    """uint8[sum of value_size]: all values, as UTF-8, one after the other."""
    digest: Words
    """uint64[s, 2]: digests of the normalised texts."""
    kind: Bytes
    """uint8[s]: an index into :data:`~harvestdetect.data.KINDS`."""
    owner: Ints32
    """int32[s]: the part that a piece belongs to. A part belongs to itself."""
    text_size: Ints32
    """int32[s]: bytes of each normalised text."""
    text_bytes: Bytes
    """uint8[sum of text_size]: all normalised texts, as UTF-8, one after the other."""
    shown_size: Ints32
    """int32[s]: bytes of each original, which is the least spelling of a part. -1 if it equals the normalised text."""
    shown_bytes: Bytes
    """uint8[sum of positive shown_size]: these originals, as UTF-8, one after the other."""
    shared_count: Ints32
    """int32[s]: number of sentences and outlines of each part."""
    shared: Ints
    """int64[sum of shared_count]: their digests, in the order of the parts."""
    shared_kind: Bytes
    """uint8[sum of shared_count]: their kinds."""
    held: Ints32
    """int32[m]: the part of each distinct pair of a part and a prompt that contains it."""
    holder: Ints32
    """int32[m]: the prompt of each pair."""
    known: Ints
    """int64[e]: for each entry of the registry, prompts with a part in which it is the entry with the most words."""
    request: Words
    """uint64[r]: digest of the request id, 0 if there is none."""
    fresh: Words
    """uint64[r]: the content that each prompt would have without the turns of the user before the last one."""
    turn_count: Ints32
    """int32[r]: messages of the user."""
    turn: Words
    """uint64[sum of turn_count]: their digests, the first half of those of their parts; 0 if nothing remains of one."""


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
    "request": (np.uint64, 1),
    "fresh": (np.uint64, 1),
    "turn_count": (np.int32, 1),
    "turn": (np.uint64, 1),
}
"""The type of each array of :class:`PreparedBlock`, and its width: how many of its numbers form one item."""
FIRST_LAYOUT: Final[Mapping[str, tuple[type[np.generic], int]]] = dict(list(LAYOUT.items())[:-4])
"""The arrays that prepared files of version 0.2 and earlier have."""


def select_rows(block: PreparedBlock, rows: Bools, *, respelt: bool = False) -> PreparedBlock:
    """The wanted prompts of a block, without anything that only the other prompts contain.

    Args:
        block: r prompts.
        rows: bool[r], the wanted ones.
        respelt: show a part that an unwanted prompt contains too as normalised text, because its spelling may come from
            the unwanted prompt.

    Returns:
        The block that :func:`~harvestdetect.corpus.prepare.prepare` would make of these prompts, with three exceptions.
        The original of a part may have the spelling of an unwanted prompt, unless ``respelt``. A system prompt of the
        wanted prompts is called a part if an unwanted prompt has it as another message. And ``known`` counts all
        prompts.
    """
    if rows.all():
        return block
    pair = rows[block.holder]
    part = np.zeros(len(block.kind), bool)
    part[block.held[pair]] = True
    item = part[block.owner]
    shown_size = block.shown_size
    if respelt:
        both = np.zeros(len(block.kind), bool)
        both[block.held[~pair]] = True
        shown_size = np.where(both[block.owner], np.int32(-1), shown_size)
    number = (np.cumsum(item) - 1).astype(np.int32)
    row_number = (np.cumsum(rows) - 1).astype(np.int32)
    values = _used_values(block, block.code[rows])
    return PreparedBlock(
        line=block.line[rows],
        time=block.time[rows],
        created_at=block.created_at[rows],
        content=block.content[rows],
        code=values.code,
        value_count=values.count,
        value_size=block.value_size[values.used],
        value_bytes=_bytes_of(block.value_bytes, block.value_size, values.used),
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
        request=block.request[rows],
        fresh=block.fresh[rows],
        turn_count=block.turn_count[rows],
        turn=block.turn[np.repeat(rows, block.turn_count)],
    )


def of_first_layout(arrays: dict[str, Any]) -> PreparedBlock:
    """A block of a prepared file of version 0.2 or earlier, which knows neither request ids nor turns."""
    rows = len(arrays["line"])
    return PreparedBlock(
        **arrays,
        request=np.zeros(rows, np.uint64),
        fresh=arrays["content"],
        turn_count=np.zeros(rows, np.int32),
        turn=np.zeros(0, np.uint64),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    """The values of :data:`CODED` that some prompts have."""

    used: Bools
    """bool[sum of value_count]: which values of the block they are."""
    count: Ints32
    """int32[10]: how many of each column."""
    code: Ints32
    """int32[r, 10]: index into them."""


def _used_values(block: PreparedBlock, code: Ints32) -> _Values:
    """The values that some prompts have. ``code``, int32[r, 10], the codes of these prompts, is changed in place."""
    first = np.cumsum(block.value_count) - block.value_count
    used = np.zeros(len(block.value_size), bool)
    for column, start in enumerate(first.tolist()):
        mine = code[:, column]
        used[start + mine[mine >= 0]] = True
    number = np.cumsum(used) - 1
    count = np.add.reduceat(np.append(used, False), first).astype(np.int32)
    count[block.value_count == 0] = 0
    new_first = np.cumsum(count) - count
    for column, start in enumerate(first.tolist()):
        mine = code[:, column]
        present = mine >= 0
        mine[present] = number[start + mine[present]] - new_first[column]
    return _Values(used=used, count=count, code=code)


def rows_of_account(block: PreparedBlock, account: str) -> Bools:
    """Which prompts of a block were sent by an account: bool[r]."""
    count = int(block.value_count[0])
    stop = np.cumsum(block.value_size[:count], dtype=np.int64)
    wanted = account.encode("utf-8", "surrogatepass")
    sized = np.flatnonzero(block.value_size[:count] == len(wanted))
    found = [i for i in sized.tolist() if block.value_bytes[stop[i] - len(wanted) : stop[i]].tobytes() == wanted]
    return np.isin(block.code[:, 0], found)


def _bytes_of(data: Bytes, size: Ints32, items: Bools) -> Bytes:
    """The bytes of some items. ``data`` has the bytes of all items, one after the other."""
    return data[np.repeat(items, size)]
