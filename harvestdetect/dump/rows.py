"""Values of a dump to prompts and rejects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np
import pyarrow as pa

from harvestdetect.data import FIELDS, NO_TIME, PROMPT_SCHEMA
from harvestdetect.dump.limits import Rejects
from harvestdetect.dump.paths import repair_surrogates
from harvestdetect.dump.times import EARLIEST, LATEST, seconds

__all__ = ["INVALID_TEXT", "MOST_MESSAGES", "Block", "BrokenValue", "short", "to_batch", "to_text"]

_LARGEST_EXACT: Final = 2.0**53
"""Largest float up to which every whole number is a float. Larger numbers are not identifiers."""
_LONGEST_ACCOUNT: Final = 1_000
"""Characters of the longest account id. No real id is longer, and every table contains it."""
MOST_MESSAGES: Final = 20_000
"""Number of messages of a prompt that are read: the first half and the last half of a longer list. The longest requests
that models accept have fewer."""
_SHOWN: Final = 60
"""Characters of a value that a reason shows."""
_ROLES: Final = {
    "human": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "model": "assistant",
}
"""Other names of roles."""
_TEXT_PARTS: Final = (None, "text", "input_text", "output_text")
"""Types of the parts of a message that are text."""


class BrokenValue:
    """In place of a value that cannot be read, or that no field can take.

    Args:
        what: how reasons show it; ASCII, at most 60 characters.
    """

    def __init__(self, what: str) -> None:
        self.what = what


INVALID_TEXT: Final = BrokenValue("invalid UTF-8")


@dataclass(slots=True)
class Block:
    """n rows of one file, by column, before they are checked."""

    lines: Sequence[int]
    """The line or row of each in the file, from 1."""
    bytes: Sequence[int] | None
    """The offset of each in the decompressed stream; None if it is not known."""
    columns: dict[str, list[Any]] = field(default_factory=dict)
    """n values of each field that the file has: account, timestamp, prompt, ``system`` and optional fields."""


def short(value: Any) -> str:
    """A value as reasons show it: ASCII, at most 60 characters, harmless to print."""
    if isinstance(value, BrokenValue):
        return value.what
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    text = ascii(value[:_SHOWN] if isinstance(value, str | bytes) else value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def to_text(value: Any) -> str | None:
    """An identifier as text, stripped; None if it is missing, empty, or neither a text nor a whole number."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _digits(value)
    if isinstance(value, float):
        return _digits(int(value)) if value.is_integer() and abs(value) <= _LARGEST_EXACT else None
    if isinstance(value, Decimal):
        if not value.is_finite() or value.adjusted() > 60:
            return None
        return _digits(int(value)) if value == value.to_integral_value() else None
    if isinstance(value, UUID):
        return str(value)
    return None


def _digits(value: int) -> str | None:
    try:
        return str(value)
    except ValueError:  # thousands of digits
        return None


def _detail(value: Any) -> str | None:
    """An optional field as text."""
    if isinstance(value, float):
        return to_text(value) or (repr(value) if value == value else None)
    if isinstance(value, bool):
        return "true" if value else "false"
    return to_text(value)


def _account_reason(value: Any) -> str:
    if value is None:
        return "no account"
    if isinstance(value, str):
        return f"the account has more than {_LONGEST_ACCOUNT:,} characters" if value.strip() else "the account is empty"
    return f"the account is not a text or a whole number: {short(value)}"


def _parts(value: Any) -> list[tuple[str, str]] | str:
    """(role, text) of each message, or a text that says why there is none."""
    if isinstance(value, str):
        if value[:64].lstrip().startswith("[") and (messages := _messages_in(value)) is not None:
            value = messages
        else:
            return [("user", value)] if value and not value.isspace() else "the prompt is empty"
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return "no prompt" if value is None else f"the prompt is not a text or a list of messages: {short(value)}"
    if len(value) > MOST_MESSAGES:
        value = value[: MOST_MESSAGES // 2] + value[-(MOST_MESSAGES // 2) :]
    parts = []
    for item in value:
        role: Any = "user"
        if isinstance(item, dict):
            role = item.get("role") or item.get("from")
            content = next((v for k in ("content", "parts", "value", "text") if (v := item.get(k)) is not None), None)
            if "role" not in item and item.get("type") not in _TEXT_PARTS:
                continue
            text = _content_text(content)
        else:
            text = item if isinstance(item, str) else ""
        if text and not text.isspace():
            parts.append((_role(role), text))
    return parts or ("the prompt is empty" if not value else "no message of the prompt has a text")


def _role(role: Any) -> str:
    if not isinstance(role, str):
        return "user"
    role = role.strip().lower()[:40]
    return _ROLES.get(role, role) or "user"


def _content_text(content: Any) -> str:
    """The text of a message: a text, or the text parts of a list. Images and other parts are left out."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return ""
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and part.get("type") in _TEXT_PARTS and isinstance(part.get("text"), str):
            texts.append(part["text"])
    return "\n".join(texts)


def _messages_in(text: str) -> list[Any] | None:
    """The messages in a text column that contains JSON; None if the text is something else."""
    try:
        raw = text.encode()
        if b"\\u" in raw:
            raw = repair_surrogates(raw)
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or not value:
        return None
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("role"), str) or "content" not in item:
            return None
    return value


@dataclass(frozen=True, slots=True)
class _Good:
    """The good rows of a block, and their messages one after the other."""

    rows: list[int] = field(default_factory=list)
    """Their numbers in the block, ascending."""
    roles: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    stops: list[int] = field(default_factory=lambda: [0])
    """Number of messages up to each row, after a 0."""


def to_batch(block: Block, *, file: int, rejects: Rejects) -> pa.RecordBatch:
    """Checks the rows of a block.

    Args:
        block: n rows.
        file: position in the list of files.
        rejects: takes each bad row, in the order of the file.

    Returns:
        The good rows, of ``PROMPT_SCHEMA``, in the order of the file.
    """
    columns, count = block.columns, len(block.lines)
    accounts = [
        value.strip() if type(value) is str else to_text(value) for value in columns.get("account") or [None] * count
    ]
    stamps = columns.get("timestamp")
    times = [NO_TIME] * count if stamps is None else _times(stamps)
    good = _good_rows(block, accounts, times, rejects)
    whole = len(good.rows) == count

    def keep(values: Sequence[Any]) -> Sequence[Any]:
        return values if whole else [values[row] for row in good.rows]

    stops = pa.array(np.asarray(good.stops, dtype=np.int32))
    arrays: dict[str, pa.Array] = {
        "file": pa.array(np.full(len(good.rows), file, dtype=np.int32)),
        "line": pa.array(np.asarray(keep(block.lines), dtype=np.int64)),
        "account": pa.array(keep(accounts), pa.string()),
        "time": pa.array(np.asarray(keep(times), dtype=np.int64)),
        "roles": pa.ListArray.from_arrays(stops, pa.array(good.roles, pa.string())),
        "parts": pa.ListArray.from_arrays(stops, pa.array(good.texts, pa.string())),
    }
    for name in FIELDS:
        values = columns.get(name)
        arrays[name] = _field(name, None if values is None else keep(values), len(good.rows))
    return pa.RecordBatch.from_arrays([arrays[item.name] for item in PROMPT_SCHEMA], schema=PROMPT_SCHEMA)


def _good_rows(block: Block, accounts: Sequence[str | None], times: Sequence[int | None], rejects: Rejects) -> _Good:
    """The rows with an account, a valid time and a prompt. The others become rejects."""
    prompts = block.columns.get("prompt") or [None] * len(block.lines)
    systems = block.columns.get("system")
    good = _Good()
    roles, texts = good.roles, good.texts
    for row, value in enumerate(prompts):
        account = accounts[row]
        if not account or len(account) > _LONGEST_ACCOUNT or times[row] is None:
            _reject(block, row, "" if rejects.full else _why(block, row, account), rejects)
            continue
        if type(value) is str and (first := value[:1]) and first != "[" and not first.isspace():
            roles.append("user")  # the common case, without a call
            texts.append(value)
        else:
            parts = _parts(value)
            if isinstance(parts, str):
                _reject(block, row, parts, rejects)
                continue
            # A plain text has no messages before which the instruction could be.
            if systems is not None and parts[0][1] is not value:
                _add_system(systems[row], roles, texts)
            for role, text in parts:
                roles.append(role)
                texts.append(text)
        good.rows.append(row)
        good.stops.append(len(texts))
    return good


def _reject(block: Block, row: int, reason: str, rejects: Rejects) -> None:
    rejects.add(int(block.lines[row]), None if block.bytes is None else int(block.bytes[row]), reason)


def _why(block: Block, row: int, account: str | None) -> str:
    """Why a row is bad whose account or time is."""
    if not account or len(account) > _LONGEST_ACCOUNT:
        return _account_reason(block.columns["account"][row] if "account" in block.columns else None)
    return f"the timestamp is not a time from 1990 to 2100: {short(block.columns['timestamp'][row])}"


def _field(name: str, values: Sequence[Any] | None, count: int) -> pa.Array:
    """An optional column of ``count`` rows; ``values`` None: the file does not have it."""
    if name == "created_at":
        times = [NO_TIME] * count
        if values is not None:
            times = [NO_TIME if (time := seconds(value)) is None else time for value in values]
        return pa.array(np.asarray(times, dtype=np.int64))
    if values is None:
        return pa.nulls(count, pa.string())
    return pa.array([value.strip() or None if type(value) is str else _detail(value) for value in values], pa.string())


def _times(values: Sequence[Any]) -> list[int | None]:
    """Each value in seconds; None if it is not a time. Whole seconds, the common case, cost no call."""
    return [v if type(v) is int and EARLIEST <= v < LATEST else seconds(v) for v in values]


def _add_system(value: Any, roles: list[str], texts: list[str]) -> None:
    """Adds a system prompt from a column of its own."""
    text = _content_text(value)
    if text and not text.isspace():
        roles.append("system")
        texts.append(text)
