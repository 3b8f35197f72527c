"""Preparing a block of prompts: each distinct text is normalised, stripped of known scaffolds and cut into segments.

All work on single texts happens here, once for each distinct text of a block. :func:`prepare` is a function of the
block alone and may run in another process. Its result may be kept and used again (:mod:`harvestdetect.corpus.shards`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.corpus.block import CODED, Cutting, PreparedBlock
from harvestdetect.corpus.registry import Registry, sifted, strip
from harvestdetect.corpus.segments import beginnings, digests, normalized, numbers, pieces_of, replace_where, shareable
from harvestdetect.data import PART, SYSTEM
from harvestdetect.util.arrays import Bools, Bytes, Ints, Ints32, Words, pairs
from harvestdetect.util.texts import pack

__all__ = ["prepare"]

_OTHERS: Final = ("assistant", "tool", "function")
"""Roles of what neither the user nor the operator wrote. It is compared only where there is nothing else."""


def prepare(block: pa.RecordBatch, cutting: Cutting) -> PreparedBlock:
    """Everything that the corpus needs to know about a block of ``PROMPT_SCHEMA``, except for ``file``."""
    messages = _messages(block)
    parts = _parts(messages, cutting.registry)
    known, content, fresh = _contents(block.num_rows, messages, parts, cutting.registry)
    turn_count, turn = _turns(block.num_rows, messages, parts)
    found = shareable(parts.shown)
    pieces = pieces_of(parts.text, parts.shown, size=cutting.segment_characters, max_windows=cutting.max_windows)
    texts = beginnings(pa.concat_arrays([parts.text, pieces.text]))
    shown = beginnings(pa.concat_arrays([parts.shown, pieces.shown]))
    text_size, text_bytes = pack(texts)
    same = numbers(pc.equal(texts, shown))
    shown_size = np.full(len(texts), -1, np.int32)
    shown_size[~same], shown_bytes = pack(shown.filter(pa.array(~same)))
    part = parts.part
    held, holder = (side.astype(np.int32) for side in pairs(part[part >= 0], messages.prompt[part >= 0]))
    code, value_count, values = _codes(block)
    value_size, value_bytes = pack(values)
    return PreparedBlock(
        line=numbers(block.column("line")),
        time=numbers(block.column("time")),
        created_at=numbers(block.column("created_at")),
        content=content,
        code=code,
        value_count=value_count,
        value_size=value_size,
        value_bytes=value_bytes,
        digest=np.concatenate([parts.digest, pieces.digest]),
        kind=np.concatenate([parts.kind, pieces.kind]),
        owner=np.concatenate([np.arange(len(parts.kind), dtype=np.int32), pieces.owner]),
        text_size=text_size,
        text_bytes=text_bytes,
        shown_size=shown_size,
        shown_bytes=shown_bytes,
        shared_count=np.bincount(found.owner, minlength=len(texts)).astype(np.int32),
        shared=found.digest,
        shared_kind=found.kind,
        held=held,
        holder=holder,
        known=known,
        request=_requests(block.column("request")),
        fresh=fresh,
        turn_count=turn_count,
        turn=turn,
    )


# ---------------------------------------------------------------- messages and parts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Messages:
    """The q messages of a block that are compared: those of the user and of the system, or all if there are no such."""

    prompt: Ints32
    """int32[q], ascending."""
    role: Ints32
    """int32[q]: an index into ``roles``."""
    roles: list[str]
    raw: Ints32
    """int32[q]: an index into ``texts``."""
    texts: pa.Array
    """u distinct originals."""


def _messages(block: pa.RecordBatch) -> _Messages:
    count = numbers(pc.list_value_length(block.column("parts")))
    prompt = np.repeat(np.arange(block.num_rows, dtype=np.int32), count)
    coded_roles = block.column("roles").flatten().dictionary_encode()
    roles = coded_roles.dictionary.to_pylist()
    role = numbers(coded_roles.indices)
    texts = block.column("parts").flatten()
    others = [number for number, name in enumerate(roles) if name in _OTHERS]
    if others:
        asked = ~np.isin(role, others)
        asked |= np.bincount(prompt[asked], minlength=block.num_rows)[prompt] == 0
        prompt, role, texts = prompt[asked], role[asked], texts.filter(pa.array(asked))
    coded = texts.cast(pa.large_string()).dictionary_encode()
    return _Messages(prompt=prompt, role=role, roles=roles, raw=numbers(coded.indices), texts=coded.dictionary)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """The distinct normalised texts of messages, scaffolds taken out."""

    text: pa.Array
    """large_string[n], normalised, none empty."""
    shown: pa.Array
    """large_string[n]: the least of the originals of each."""
    digest: Words
    """uint64[n, 2]."""
    kind: Bytes
    """uint8[n]: part or system prompt."""
    part: Ints32
    """int32[q]: the part of each message, -1 if it is empty."""
    number: Ints32
    """int32[u]: the part of each distinct original, -1 if it is empty."""
    entry: Ints32
    """int32[u]: the entry of the registry in each distinct original, -1 if there is none."""


def _parts(messages: _Messages, registry: Registry | None) -> _Parts:
    original, text, entry = _without_scaffolds(messages.texts, registry)
    unique = text.dictionary_encode()
    texts = unique.dictionary
    full = numbers(pc.not_equal(texts, pa.scalar("", pa.large_string())))
    number = np.where(full, np.cumsum(full) - 1, -1).astype(np.int32)[numbers(unique.indices)]
    texts = texts.filter(pa.array(full))
    part = number[messages.raw]
    system = [i for i, name in enumerate(messages.roles) if name in ("system", "developer")]
    kind = np.full(len(texts), SYSTEM, np.uint8)
    kind[part[(part >= 0) & ~np.isin(messages.role, system)]] = PART
    return _Parts(
        text=texts,
        shown=original.take(pa.array(_least(number, original, len(texts)))),
        digest=digests(texts.cast(pa.large_binary()).to_pylist()),
        kind=kind,
        part=part,
        number=number,
        entry=entry,
    )


def _without_scaffolds(texts: pa.Array, registry: Registry | None) -> tuple[pa.Array, pa.Array, Ints32]:
    """Originals without known scaffolds, the same normalised, and the entry of the registry in each, -1 for none."""
    normal = normalized(texts)
    entry = np.full(len(texts), -1, np.int32)
    if registry is None or not registry.entries or not len(texts):
        return texts, normal, entry
    maybe = sifted(registry, normal)
    if maybe.any():
        found = strip(registry, texts.filter(pa.array(maybe)).to_pylist())
        entry[maybe] = found.entry
        texts = replace_where(texts, maybe, found.texts)
        normal = replace_where(normal, maybe, found.compared)
    return texts, normal, entry


def _least(group: Ints32, texts: pa.Array, groups: int) -> Ints:
    """The row of the least text of each group: int64[groups]. Rows of group -1 do not count."""
    order = np.argsort(group, kind="stable")
    start = np.searchsorted(group[order], np.arange(groups + 1))
    least = order[start[:-1]]
    for number in np.flatnonzero(np.diff(start) > 1).tolist():
        rows = order[start[number] : start[number + 1]]
        least[number] = min(zip(texts.take(pa.array(rows)).to_pylist(), rows.tolist(), strict=True))[1]
    return least


def _contents(rows: int, messages: _Messages, parts: _Parts, registry: Registry | None) -> tuple[Ints, Words, Words]:
    """How many prompts contain each entry of the registry, the digest of each prompt, and its ``fresh`` digest."""
    entries = registry.entries if registry else ()
    raw, entry, number = messages.raw, parts.entry, parts.number
    named = entry[raw] >= 0
    known = np.bincount(pairs(entry[raw[named]], messages.prompt[named])[0], minlength=len(entries))
    raw_digest = [b.tobytes() for b in parts.digest.astype(">u8")] + [b""]
    roles = [name.encode() + b"\0" for name in messages.roles]
    # Two requests with different scaffolds are different, even if the same text remains of both.
    marks = [e.id.encode() + b"\0" for e in entries] + [b""]
    pair, inverse = np.unique(messages.role.astype(np.int64) << 32 | raw, return_inverse=True)
    of_pair = [
        roles[r] + marks[e] + raw_digest[n] if n >= 0 or e >= 0 else b""
        for r, e, n in zip(
            (pair >> 32).tolist(), entry[pair & 0xFFFFFFFF].tolist(), number[pair & 0xFFFFFFFF].tolist(), strict=True
        )
    ]
    own = [of_pair[i] for i in inverse.tolist()]
    start = np.searchsorted(messages.prompt, np.arange(rows + 1)).tolist()
    blake = hashlib.blake2b
    if start[-1] == rows and start == list(range(rows + 1)):
        whole = [blake(text, digest_size=8).digest() for text in own]
    else:
        whole = [blake(b"".join(own[a:b]), digest_size=8).digest() for a, b in pairwise(start)]
    content = np.frombuffer(b"".join(whole), ">u8").astype(np.uint64)
    fresh = content.copy()
    early = _early_turns(rows, messages)
    for row in np.unique(messages.prompt[early]).tolist():
        left = [own[i] for i in range(start[row], start[row + 1]) if not early[i]]
        fresh[row] = int.from_bytes(blake(b"".join(left), digest_size=8).digest(), "big")
    return known.astype(np.int64), content, fresh


def _of_user(messages: _Messages) -> Bools:
    """Which messages are turns of the user: bool[q]."""
    return np.asarray(messages.role == (messages.roles.index("user") if "user" in messages.roles else -1))


def _early_turns(rows: int, messages: _Messages) -> Bools:
    """Which messages are turns of the user before the last one of their prompt: bool[q]."""
    turns = np.flatnonzero(_of_user(messages))
    last = np.full(rows, -1, np.int64)
    last[messages.prompt[turns]] = turns
    early = np.zeros(len(messages.prompt), bool)
    early[turns] = last[messages.prompt[turns]] != turns
    return early


def _turns(rows: int, messages: _Messages, parts: _Parts) -> tuple[Ints32, Words]:
    """How many turns of the user each prompt has, and the digest of each."""
    turns = _of_user(messages)
    part = parts.part[turns]
    digest = np.where(part >= 0, np.append(parts.digest[:, 0], np.uint64(0))[part], np.uint64(0))
    return np.bincount(messages.prompt[turns], minlength=rows).astype(np.int32), digest.astype(np.uint64)


def _requests(column: pa.Array) -> Words:
    """The digest of each request id, uint64[r]; 0 for a missing one."""
    coded = column.dictionary_encode()
    blake = hashlib.blake2b
    digest = [
        int.from_bytes(blake(value.encode(), digest_size=8).digest(), "big") | 1
        for value in coded.dictionary.to_pylist()
    ]
    code = numbers(pc.fill_null(coded.indices, len(digest)))
    return np.array([*digest, 0], np.uint64)[code]


def _codes(block: pa.RecordBatch) -> tuple[Ints32, Ints32, pa.Array]:
    """Codes of all columns of :data:`CODED`, the number of values of each, and all values one after the other."""
    codes, counts, values = [], [], []
    for name in CODED:
        column = block.column(name).dictionary_encode()
        codes.append(numbers(pc.fill_null(column.indices, -1)).astype(np.int32))
        counts.append(len(column.dictionary))
        values.append(column.dictionary.cast(pa.large_string()))
    return np.stack(codes, axis=1), np.array(counts, np.int32), pa.concat_arrays(values)
