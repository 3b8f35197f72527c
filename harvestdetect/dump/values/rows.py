"""Values of a dump to prompts and rejects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from harvestdetect.data import FIELDS, NO_TIME, PROMPT_SCHEMA
from harvestdetect.dump.storage.limits import Rejects
from harvestdetect.dump.values.content import SEARCHED, has_long_run
from harvestdetect.dump.values.file_times import FileTimes
from harvestdetect.dump.values.identifiers import FileAccounts, is_request, is_rounded, to_text
from harvestdetect.dump.values.messages import ODD_FIRST, ODD_LAST, common_messages, messages_of, system_text

__all__ = ["INVALID_TEXT", "Block", "BrokenValue", "short", "to_batch", "to_text"]

_LONGEST_ACCOUNT: Final = 1_000
"""Characters of the longest account id. No real id is longer, and every table contains it."""
_SHOWN: Final = 60
"""Characters of a value that a reason shows."""


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
    left_out: dict[str, int] = field(default_factory=dict)
    """Kind -> count of what was left out of the prompts, as :func:`to_batch` finds it."""


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
    if is_rounded(value):
        return (
            f"the account {short(value)} is a rounded number, so that several accounts would be one; export the ids as "
            "text, without a spreadsheet"
        )
    if isinstance(value, str):
        return f"the account has more than {_LONGEST_ACCOUNT:,} characters" if value.strip() else "the account is empty"
    return f"the account is not a text or a whole number: {short(value)}"


@dataclass(frozen=True, slots=True)
class _Good:
    """The good rows of a block, and their messages one after the other."""

    rows: list[int] = field(default_factory=list)
    """Their numbers in the block, ascending."""
    roles: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    stops: list[int] = field(default_factory=lambda: [0])
    """Number of messages up to each row, after a 0."""

    def add(self, row: int, parts: Sequence[tuple[str, str]]) -> None:
        """Adds a row with its messages."""
        self.rows.append(row)
        for role, text in parts:
            self.roles.append(role)
            self.texts.append(text)
        self.stops.append(len(self.texts))

    def add_plain(self, prompts: Sequence[Any], start: int, stop: int) -> None:
        """Adds rows from one to before another, each with one text of the user."""
        if start < stop:
            size = len(self.texts) + 1
            self.rows.extend(range(start, stop))
            self.roles.extend(["user"] * (stop - start))
            self.texts.extend(prompts[start:stop])
            self.stops.extend(range(size, size + stop - start))


def to_batch(block: Block, *, file: int, rejects: Rejects, times: FileTimes, accounts: FileAccounts) -> pa.RecordBatch:
    """Checks the rows of a block.

    Args:
        block: n rows.
        file: position in the list of files.
        rejects: takes each bad row, in the order of the file.
        times: of the file. A time that cannot be read costs the time, not the row.
        accounts: of the file.

    Returns:
        The good rows, of ``PROMPT_SCHEMA``, in the order of the file.
    """
    columns, count = block.columns, len(block.lines)
    named = accounts.texts(columns.get("account") or [None] * count)
    stamps = columns.get("timestamp")
    moments = [NO_TIME] * count if stamps is None else times.seconds("timestamp", stamps)
    good = _good_rows(block, named, rejects)
    whole = len(good.rows) == count

    def keep(values: Sequence[Any]) -> Sequence[Any]:
        return values if whole else [values[row] for row in good.rows]

    stops = pa.array(np.asarray(good.stops, dtype=np.int32))
    arrays: dict[str, pa.Array] = {
        "file": pa.array(np.full(len(good.rows), file, dtype=np.int32)),
        "line": pa.array(np.asarray(keep(block.lines), dtype=np.int64)),
        "account": pa.array(keep(named), pa.string()),
        "time": pa.array(np.asarray(keep(moments), dtype=np.int64)),
        "roles": pa.ListArray.from_arrays(stops, pa.array(good.roles, pa.string())),
        "parts": pa.ListArray.from_arrays(stops, pa.array(good.texts, pa.string())),
    }
    for name in FIELDS:
        values = columns.get(name)
        arrays[name] = _field(name, None if values is None else keep(values), len(good.rows), times)
    return pa.RecordBatch.from_arrays([arrays[item.name] for item in PROMPT_SCHEMA], schema=PROMPT_SCHEMA)


def _good_rows(block: Block, accounts: Sequence[str | None], rejects: Rejects) -> _Good:
    """The rows with an account and a prompt. The others become rejects."""
    prompts: Sequence[Any] = block.columns.get("prompt") or [None] * len(block.lines)
    systems = block.columns.get("system")
    good = _Good()
    done = 0
    for row in _odd_rows(prompts, accounts, all_rows=systems is not None):
        good.add_plain(prompts, done, row)
        done = row + 1
        account = accounts[row]
        if not account or len(account) > _LONGEST_ACCOUNT:
            _reject(block, row, "" if rejects.full else _why(block, row), rejects)
            continue
        value = prompts[row]
        parts = common_messages(value) if type(value) is list else None
        if parts is None:
            found = messages_of(value)
            parts = found.parts
            for kind, number in found.left_out.items():
                block.left_out[kind] = block.left_out.get(kind, 0) + number
            if found.reason:
                _reject(block, row, _shown_reason(found.reason, value), rejects)
                continue
        if systems is not None:
            parts = _with_system(systems[row], parts)
        good.add(row, parts)
    good.add_plain(prompts, done, len(prompts))
    return good


def _odd_rows(prompts: Sequence[Any], accounts: Sequence[str | None], *, all_rows: bool) -> Sequence[int]:
    """The rows that need a closer look, ascending. The others are good and have a plain text, the common case."""
    if all_rows:
        return range(len(prompts))
    odd = [
        row
        for row, value in enumerate(prompts)
        if not (
            type(value) is str
            and value[:1] not in ODD_FIRST
            and value[-1:] not in ODD_LAST
            and " " in value
            and (len(value) < SEARCHED or not has_long_run(value))
        )
    ]
    if len(odd) == len(prompts):
        return odd
    bad = [row for row, account in enumerate(accounts) if not account or len(account) > _LONGEST_ACCOUNT]
    return sorted({*odd, *bad}) if bad else odd


def _shown_reason(reason: str, value: Any) -> str:
    """Why there is no prompt, with a value that cannot be the text of one."""
    return reason if value is None or isinstance(value, str | list | dict | tuple) else f"{reason}: {short(value)}"


def _reject(block: Block, row: int, reason: str, rejects: Rejects) -> None:
    rejects.add(int(block.lines[row]), None if block.bytes is None else int(block.bytes[row]), reason)


def _why(block: Block, row: int) -> str:
    """Why a row is bad whose account is."""
    return _account_reason(block.columns["account"][row] if "account" in block.columns else None)


def _field(name: str, values: Sequence[Any] | None, count: int, times: FileTimes) -> pa.Array:
    """An optional column of ``count`` rows; ``values`` None: the file does not have it."""
    if name == "created_at":
        found = [NO_TIME] * count if values is None else times.seconds(name, values)
        return pa.array(np.asarray(found, dtype=np.int64))
    if values is None:
        return pa.nulls(count, pa.string())
    texts = [value.strip() or None if type(value) is str else _detail(value) for value in values]
    if name == "request":
        texts = [text if text and is_request(text) else None for text in texts]
    return pa.array(texts, pa.string())


def _with_system(value: Any, parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The messages after a system prompt from a column of its own, unless they begin with the same text."""
    text = system_text(value)
    return [("system", text), *parts] if text and text != parts[0][1] else parts
