"""Prompts that the caller has in memory, as batches like those that are read from files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from harvestdetect.data import FIELDS, NO_TIME, PROMPT_SCHEMA, Batch, Prompt, Reject
from harvestdetect.dump.values.pseudonyms import Pseudonyms
from harvestdetect.dump.values.roles import TOOL, role_name

__all__ = ["batches_of"]

BATCH_ROWS: Final = 20_000
"""Most prompts of a batch."""
EARLIEST: Final = 0
"""Earliest time that is accepted, in Unix seconds: the start of 1970."""
LATEST: Final = 4_102_444_800
"""First time that is too late, in Unix seconds: the start of 2100."""
IN_MEMORY: Final = "(in memory)"
"""Name of the file in rejects."""


def batches_of(source: Iterable[Batch] | Iterable[Prompt], *, pseudonyms: Pseudonyms | None = None) -> Iterator[Batch]:
    """Passes batches on, and gathers prompts into batches. ``line`` is the number of a prompt, from 1.

    A prompt without an account or without text is a reject.

    Args:
        source: batches or prompts.
        pseudonyms: replace the identifiers of prompts. Those of batches were replaced when they were read.

    Raises:
        TypeError: an item is neither a batch nor a prompt.
    """
    items: Iterator[Batch | Prompt] = iter(source)
    number = 0
    for item in items:
        if isinstance(item, Batch):
            yield item
            continue
        chunk: list[Any] = [item, *islice(items, BATCH_ROWS - 1)]
        batch = _batch(chunk, number + 1)
        yield batch if pseudonyms is None else pseudonyms.batch(batch)
        number += len(chunk)


def _batch(items: list[Prompt], first: int) -> Batch:
    columns: dict[str, list[object]] = {name: [] for name in PROMPT_SCHEMA.names}
    rejects = []
    for line, item in enumerate(items, first):
        if not isinstance(item, Prompt):
            raise TypeError(f"detect takes batches or prompts, got {type(item).__name__}")
        messages = [("user", item.prompt)] if isinstance(item.prompt, str) else list(item.prompt)
        messages = [(role_name(role), _whole(text)) for role, text in messages if text and not text.isspace()]
        messages = [(role, text) for role, text in messages if role != TOOL]
        account = item.account.strip()
        if not account or not messages:
            reason = "no account" if not account else "the prompt is empty"
            rejects.append(Reject(file=IN_MEMORY, line=line, byte=None, reason=reason))
            continue
        row: dict[str, object] = {
            "file": 0,
            "line": line,
            "account": _whole(account),
            "time": _seconds(item.time),
            "roles": [_whole(role) for role, _ in messages],
            "parts": [text for _, text in messages],
            "created_at": _seconds(item.fields.get("created_at")),
            **{n: _whole(item.fields[n]) if item.fields.get(n) else None for n in FIELDS if n != "created_at"},
        }
        for name, value in row.items():
            columns[name].append(value)
    arrays = [pa.array(columns[f.name], f.type) for f in PROMPT_SCHEMA]
    return Batch(prompts=pa.RecordBatch.from_arrays(arrays, schema=PROMPT_SCHEMA), rejects=tuple(rejects))


def _whole(text: str) -> str:
    """A text without lone surrogates, which Arrow does not accept."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _seconds(value: float | str | datetime | None) -> int:
    """Whole seconds. NO_TIME for a value that is not a time, or not in the years 1970 to 2099."""
    try:
        if isinstance(value, datetime):
            value = value.replace(tzinfo=value.tzinfo or UTC).timestamp()
        seconds = float(value) if value is not None else math.nan
    except (ValueError, OverflowError):
        return NO_TIME
    return int(seconds) if EARLIEST <= seconds < LATEST else NO_TIME
