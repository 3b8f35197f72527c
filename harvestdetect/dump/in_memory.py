"""Prompts that the caller has in memory, as batches like those that are read from files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

from harvestdetect.arguments import shown
from harvestdetect.data import FIELDS, NO_TIME, PROMPT_SCHEMA, Batch, Prompt, Reject
from harvestdetect.dump.values.identifiers import to_text
from harvestdetect.dump.values.messages import messages_of
from harvestdetect.dump.values.pseudonyms import Pseudonyms
from harvestdetect.dump.values.roles import TOOL, role_name
from harvestdetect.dump.values.times import seconds
from harvestdetect.errors import UsageError

__all__ = ["batches_of"]

BATCH_ROWS: Final = 20_000
"""Most prompts of a batch."""
EARLIEST: Final = 0
"""Earliest time that is accepted, in Unix seconds: the start of 1970."""
LATEST: Final = 4_102_444_800
"""First time that is too late, in Unix seconds: the start of 2100."""
IN_MEMORY: Final = "(in memory)"
"""Name of the file in rejects."""
_Messages = list[tuple[Any, str]]


@dataclass(slots=True)
class _Doubts:
    """What could not be read of prompts that were kept."""

    times: int = 0
    """Times that are none."""
    first: str = ""
    """Number and value of the first of them, in words."""
    fields: dict[str, None] = field(default_factory=dict)
    """Names of fields that nothing reads, in the order in which they came."""

    def sentences(self) -> Iterator[str]:
        """What a user should know, a sentence each."""
        if self.times:
            yield (
                f"{self.times:,} times of prompts cannot be read, and count as missing; the first is {self.first}; "
                "give Unix seconds, ISO 8601 or a datetime"
            )
        if self.fields:
            names = ", ".join(ascii(name)[:40] for name in list(self.fields)[:5])
            yield f"prompts have fields that are not read: {names}; known: {', '.join(FIELDS)}"


def batches_of(
    source: Iterable[Batch] | Iterable[Prompt],
    *,
    pseudonyms: Pseudonyms | None = None,
    notes: Callable[[str], None] | None = None,
) -> Iterator[Batch]:
    """Passes batches on, and gathers prompts into batches. ``line`` is the number of a prompt, from 1.

    A prompt without an account or without text is a reject. A time that cannot be read is counted, and its prompt has
    no time.

    Args:
        source: batches or prompts.
        pseudonyms: replace the identifiers of prompts. Those of batches were replaced when they were read.
        notes: receives a sentence about times and fields that could not be read.

    Raises:
        UsageError: an item is neither a batch nor a prompt, or a value of a prompt has a wrong type.
    """
    items: Iterator[Batch | Prompt] = iter(source)
    number, doubts = 0, _Doubts()
    for item in items:
        if isinstance(item, Batch):
            yield item
            continue
        chunk: list[Any] = [item, *islice(items, BATCH_ROWS - 1)]
        batch = _batch(chunk, number + 1, doubts)
        yield batch if pseudonyms is None else pseudonyms.batch(batch)
        number += len(chunk)
    for sentence in doubts.sentences():
        if notes is not None:
            notes(sentence)


def _batch(items: list[Prompt], first: int, doubts: _Doubts) -> Batch:
    columns: dict[str, list[object]] = {name: [] for name in PROMPT_SCHEMA.names}
    rejects = []
    for line, item in enumerate(items, first):
        if not isinstance(item, Prompt):
            raise UsageError(
                f"item {line:,} must be a Prompt like those before it, got {shown(item)}; give prompts alone, or rows "
                "(dicts) alone"
            )
        account = _account(item.account, line)
        messages, reason = _messages(item.prompt, line)
        if not account or not messages:
            rejects.append(Reject(file=IN_MEMORY, line=line, byte=None, reason=reason if account else "no account"))
            continue
        fields = _fields(item.fields, line, doubts)
        row: dict[str, object] = {
            "file": 0,
            "line": line,
            "account": _whole(account),
            "time": _time(item.time, "time", line, doubts),
            "roles": [_whole(role) for role, _ in messages],
            "parts": [text for _, text in messages],
            "created_at": _time(item.fields.get("created_at"), "created_at", line, doubts),
            **{n: fields.get(n) for n in FIELDS if n != "created_at"},
        }
        for name, value in row.items():
            columns[name].append(value)
    arrays = [pa.array(columns[f.name], f.type) for f in PROMPT_SCHEMA]
    return Batch(prompts=pa.RecordBatch.from_arrays(arrays, schema=PROMPT_SCHEMA), rejects=tuple(rejects))


def _account(value: Any, line: int) -> str | None:
    """An account as text; None or "" if there is none."""
    if isinstance(value, str):
        return value.strip()
    value = _python(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | UUID | None):
        raise _wrong(line, "account", "a text", value)
    return to_text(value)


def _messages(value: Any, line: int) -> tuple[_Messages, str]:
    """(role, text) of the messages of a prompt, and why there are none."""
    if not isinstance(value, str | list | tuple):
        value = list(value) if isinstance(value, Iterator) else _python(value)
    if isinstance(value, str):
        parts: _Messages = [("user", value)]
    elif value is None or _is_nan(value):
        return [], "no prompt"
    elif isinstance(value, list | tuple) and all(_is_pair(item) for item in value):
        parts = list(value)
    elif isinstance(value, list | tuple | dict):
        found = messages_of(value)
        if not found.parts:
            return [], found.reason
        parts = list(found.parts)
    else:
        raise _wrong(line, "prompt", "a text, a list of (role, text) or a list of messages", value)
    whole = [(role_name(role), _whole(text)) for role, text in parts if text and not text.isspace()]
    return [(role, text) for role, text in whole if role != TOOL], "the prompt is empty"


def _is_pair(item: Any) -> bool:
    """Whether an item is (role, text); either may be missing."""
    if not isinstance(item, list | tuple) or len(item) != 2:
        return False
    return all(value is None or isinstance(value, str) for value in item)


def _fields(fields: Any, line: int, doubts: _Doubts) -> dict[str, str | None]:
    """The values of the optional fields as texts."""
    if not isinstance(fields, Mapping):
        raise _wrong(line, "fields", "a dict of field names to values", fields)
    found: dict[str, str | None] = {}
    for name, value in fields.items():
        if name not in FIELDS:
            doubts.fields.setdefault(str(name))
            continue
        if name == "created_at":
            continue  # a time, which is read as one
        if not isinstance(value, str):
            value = _python(value)
            if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | UUID | None):
                raise _wrong(line, name, "a text or a whole number", value)
            value = to_text(value)
        found[name] = _whole(value) if value else None
    return found


def _time(value: Any, name: str, line: int, doubts: _Doubts) -> int:
    """Whole seconds. NO_TIME for a value that is no time, which is counted, and for none."""
    if type(value) in (int, float) and EARLIEST <= value < LATEST:
        return int(value)
    value = _python(value)
    if value is None or _is_nan(value):
        return NO_TIME
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal | date):
        raise _wrong(line, name, "Unix seconds, ISO 8601 or a datetime", value)
    found = seconds(value)
    if isinstance(value, datetime):
        found = _bounded(value.replace(tzinfo=value.tzinfo or UTC).timestamp)
    elif found in (None, NO_TIME) and not isinstance(value, date):
        early = _bounded(lambda: float(value))
        found = found if early is None else early
    if found is None:
        doubts.first = doubts.first or f"{name} of prompt {line:,}, {shown(value)}"
        doubts.times += 1
        return NO_TIME
    return found


def _bounded(number: Callable[[], float]) -> int | None:
    """Whole seconds of a number; None if it is none, or out of range."""
    try:
        value = number()
    except (ValueError, OverflowError, ArithmeticError):
        return None
    return int(value) if EARLIEST <= value < LATEST else None


def _python(value: Any) -> Any:
    """A value of numpy or pandas as one of Python; None for a missing one, and text for bytes."""
    if isinstance(value, bytes):
        return str(value, "utf-8", "replace")
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if hasattr(value, "tolist"):
        value = value.tolist()
    return value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | Decimal) and value != value


def _wrong(line: int, name: str, wanted: str, value: object) -> UsageError:
    return UsageError(f"prompt {line:,}: {name} must be {wanted}, got {shown(value)}")


def _whole(text: str) -> str:
    """A text without lone surrogates, which Arrow does not accept."""
    return text.encode("utf-8", "replace").decode("utf-8")
