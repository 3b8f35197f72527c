"""Values as a dump holds them, to prompts and rejects."""

from __future__ import annotations

import re
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
from harvestdetect.dump.times import EARLIEST, LATEST, seconds

__all__ = ["INVALID_TEXT", "MOST_MESSAGES", "Block", "BrokenValue", "repair_surrogates", "short", "to_batch", "to_text"]

_LARGEST_EXACT: Final = 2.0**53
_LONGEST_ACCOUNT: Final = 1_000
"""Characters; nobody's ids are longer, and what is would stand in every table."""
MOST_MESSAGES: Final = 20_000
"""Messages of a prompt that count: of a longer list the first and the last half of these. The longest requests that
models take hold fewer."""
_SHOWN: Final = 60
_ROLES: Final = {
    "human": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "model": "assistant",
}
_TEXT_PARTS: Final = (None, "text", "input_text", "output_text")
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


class BrokenValue:
    """Stands for a value that cannot be read, or that no field can take.

    Args:
        what: stands for it in reasons; ASCII, at most 60 characters.
    """

    def __init__(self, what: str) -> None:
        self.what = what


INVALID_TEXT: Final = BrokenValue("invalid UTF-8")


@dataclass(slots=True)
class Block:
    """Some rows of one file, by column, before they are judged.

    ``columns`` holds a list of n values for each field that the file has: account, timestamp, prompt,
    perhaps ``system`` and the optional ones.
    """

    lines: Sequence[int]
    bytes: Sequence[int] | None
    columns: dict[str, list[Any]] = field(default_factory=dict)


def short(value: Any) -> str:
    """A value for a reason: ASCII, at most 60 characters, harmless to print."""
    if isinstance(value, BrokenValue):
        return value.what
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    text = ascii(value[:_SHOWN] if isinstance(value, str | bytes) else value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def repair_surrogates(line: bytes) -> bytes:
    r"""JSON with each lone ``\ud800`` to ``\udfff`` replaced by U+FFFD, which UTF-8 can hold."""
    return _ESCAPE.sub(lambda match: b"\\ufffd" if match[1] else match[0], line)


def to_text(value: Any) -> str | None:
    """An identifier as text, stripped; None where it is missing, empty or not a text or whole number."""
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
    """(role, text) of each message, or the reason why there is none."""
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
    """The text of a message: a text, or the text parts of a list; images and the like are left out."""
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
    """Messages that stand as JSON in a text column; None where the text is something else."""
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


def to_batch(block: Block, *, file: int, rejects: Rejects) -> pa.RecordBatch:
    """Judge the rows of a block.

    Args:
        block: n rows.
        file: position in the list of files.
        rejects: takes each other row, in the order of the file.

    Returns:
        The good rows, of ``PROMPT_SCHEMA``, in the order of the file.
    """
    columns = block.columns
    count = len(block.lines)
    accounts = [
        value.strip() if type(value) is str else to_text(value) for value in columns.get("account") or [None] * count
    ]
    stamps = columns.get("timestamp")
    times = [NO_TIME] * count if stamps is None else _times(stamps)
    systems = columns.get("system")

    kept: list[int] = []
    roles: list[str] = []
    texts: list[str] = []
    offsets = [0]
    for row, value in enumerate(columns.get("prompt") or [None] * count):
        account = accounts[row]
        if rejects.full and (not account or times[row] is None):
            rejects.add(int(block.lines[row]), None, "")  # it is only counted
            continue
        if not account or len(account) > _LONGEST_ACCOUNT:
            reason = _account_reason(columns["account"][row] if "account" in columns else None)
        elif times[row] is None:
            assert stamps is not None
            reason = f"the timestamp is not a time from 1990 to 2100: {short(stamps[row])}"
        else:
            if type(value) is str and (first := value[:1]) and first != "[" and not first.isspace():
                roles.append("user")  # the common case, without a call
                texts.append(value)
                kept.append(row)
                offsets.append(len(texts))
                continue
            parts = _parts(value)
            if isinstance(parts, list):
                # Beside a plain text there are no messages that the instruction could stand before.
                if systems is not None and parts[0][1] is not value:
                    _add_system(systems[row], roles, texts)
                for role, text in parts:
                    roles.append(role)
                    texts.append(text)
                kept.append(row)
                offsets.append(len(texts))
                continue
            reason = parts
        rejects.add(int(block.lines[row]), None if block.bytes is None else int(block.bytes[row]), reason)

    whole = len(kept) == count

    def keep(values: Sequence[Any]) -> Sequence[Any]:
        return values if whole else [values[row] for row in kept]

    starts = pa.array(np.asarray(offsets, dtype=np.int32))
    arrays: dict[str, pa.Array] = {
        "file": pa.array(np.full(len(kept), file, dtype=np.int32)),
        "line": pa.array(np.asarray(keep(block.lines), dtype=np.int64)),
        "account": pa.array(keep(accounts), pa.string()),
        "time": pa.array(np.asarray(keep(times), dtype=np.int64)),
        "roles": pa.ListArray.from_arrays(starts, pa.array(roles, pa.string())),
        "parts": pa.ListArray.from_arrays(starts, pa.array(texts, pa.string())),
    }
    for optional in FIELDS:
        values = columns.get(optional)
        if optional == "created_at":
            found = [NO_TIME] * len(kept)
            if values is not None:
                found = [NO_TIME if (time := seconds(value)) is None else time for value in keep(values)]
            arrays[optional] = pa.array(np.asarray(found, dtype=np.int64))
        elif values is None:
            arrays[optional] = pa.nulls(len(kept), pa.string())
        else:
            arrays[optional] = pa.array(
                [value.strip() or None if type(value) is str else _detail(value) for value in keep(values)],
                pa.string(),
            )
    return pa.RecordBatch.from_arrays([arrays[item.name] for item in PROMPT_SCHEMA], schema=PROMPT_SCHEMA)


def _times(values: Sequence[Any]) -> list[int | None]:
    # Whole seconds are the common case: without a call.
    return [v if type(v) is int and EARLIEST <= v < LATEST else seconds(v) for v in values]


def _add_system(value: Any, roles: list[str], texts: list[str]) -> None:
    text = _content_text(value)
    if text and not text.isspace():
        roles.append("system")
        texts.append(text)
