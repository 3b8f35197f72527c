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
from harvestdetect.dump.values.text_columns import TextColumn, bytes_at_ends, text_column
from harvestdetect.util.arrays import Bools, Ints

__all__ = ["INVALID_TEXT", "Block", "BrokenValue", "short", "to_batch", "to_text"]

_LONGEST_ACCOUNT: Final = 1_000
"""Characters of the longest account id. No real id is longer, and every table contains it."""
_SHOWN: Final = 60
"""Characters of a value that a reason shows."""
_USER: Final = "user"
"""The role of plain texts. It is no Arrow scalar: making one imports pandas where that is installed, and workers need
none."""
_ODD_ENDS: Final = bytes_at_ends(ODD_FIRST, ODD_LAST)
"""Bytes at the ends of texts that may be more than a plain text."""


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
    columns: dict[str, Sequence[Any]] = field(default_factory=dict)
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
    """The messages of the good rows of a block."""

    counts: Ints
    """Number of messages of each row of the block, int64[n]; 0 for a reject."""
    roles: pa.Array
    """Role of each message, one row after the other."""
    texts: pa.Array
    """Text of each message."""


def to_batch(block: Block, *, file: int, rejects: Rejects, times: FileTimes, accounts: FileAccounts) -> pa.RecordBatch:
    """Checks the rows of a block.

    Args:
        block: n rows. Its accounts become a column of texts if they are texts.
        file: position in the list of files.
        rejects: takes each bad row, in the order of the file.
        times: of the file. A time that cannot be read costs the time, not the row.
        accounts: of the file.

    Returns:
        The good rows, of ``PROMPT_SCHEMA``, in the order of the file.
    """
    columns, count = block.columns, len(block.lines)
    given = columns.get("account") or [None] * count
    if (texts := text_column(given)) is not None:
        columns["account"] = given = texts
    named = accounts.texts(given)
    stamps = columns.get("timestamp")
    moments = np.full(count, NO_TIME) if stamps is None else times.seconds("timestamp", stamps)
    good = _good_rows(block, named, rejects)
    rows = None if good.counts.all() else np.flatnonzero(good.counts)
    kept = good.counts if rows is None else good.counts[rows]
    stops = pa.array(np.concatenate([[0], np.cumsum(kept)]), pa.int32())
    lines = block.lines
    numbers = np.arange(lines.start, lines.stop) if isinstance(lines, range) else np.asarray(lines, np.int64)
    arrays: dict[str, pa.Array] = {
        "file": pa.array(np.full(len(kept), file, dtype=np.int32)),
        "line": pa.array(numbers if rows is None else numbers[rows], pa.int64()),
        "account": (named if rows is None else named.take(rows)).array,
        "time": pa.array(moments if rows is None else moments[rows], pa.int64()),
        "roles": pa.ListArray.from_arrays(stops, good.roles),
        "parts": pa.ListArray.from_arrays(stops, good.texts),
    }
    for name in FIELDS:
        arrays[name] = _field(name, _kept(columns.get(name), rows), len(kept), times)
    return pa.RecordBatch.from_arrays([arrays[item.name] for item in PROMPT_SCHEMA], schema=PROMPT_SCHEMA)


def _kept(values: Sequence[Any] | None, rows: Ints | None) -> Sequence[Any] | None:
    """Some of the values; all of them if ``rows`` is None."""
    if values is None or rows is None:
        return values
    return values.take(rows) if isinstance(values, TextColumn) else [values[row] for row in rows.tolist()]


def _good_rows(block: Block, accounts: TextColumn, rejects: Rejects) -> _Good:
    """The messages of the rows with an account and a prompt. The others become rejects."""
    count = len(block.lines)
    prompts: Sequence[Any] = block.columns.get("prompt") or [None] * count
    plain = text_column(prompts)
    if plain is None:
        plain = TextColumn(pa.array([value if type(value) is str else None for value in prompts], pa.string()), prompts)
    systems = block.columns.get("system")
    bad = _bad_accounts(accounts)
    counts = np.ones(count, np.int64)
    changed = np.zeros(count, np.bool_)
    roles: list[str] = []
    texts: list[str] = []
    for row in range(count) if systems is not None else _odd_rows(plain, bad):
        if bad[row]:
            counts[row] = 0
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
                counts[row] = 0
                _reject(block, row, _shown_reason(found.reason, value), rejects)
                continue
        if systems is not None:
            parts = _with_system(systems[row], parts)
        if len(parts) == 1 and parts[0][1] is value and parts[0][0] == "user":
            continue
        changed[row] = True
        counts[row] = len(parts)
        for role, text in parts:
            roles.append(role)
            texts.append(text)
    return _joined(counts, changed, plain, roles, texts)


def _joined(counts: Ints, changed: Bools, plain: TextColumn, roles: list[str], texts: list[str]) -> _Good:
    """The messages of all rows, in their order.

    Args:
        counts: number of messages of each row.
        changed: whether the messages of a row are not its plain text.
        plain: the plain texts.
        roles: of the messages of rows that are ``changed``.
        texts: of the same.
    """
    if not texts and counts.all():
        return _Good(counts, pa.repeat(_USER, len(plain)), plain.array)
    source = np.repeat(np.arange(len(counts)), counts)
    new = changed[source]
    source[new] = len(counts) + np.arange(len(texts))
    place = pa.array(source)
    all_texts = pa.concat_arrays([plain.array, pa.array(texts, pa.string())])
    all_roles = pa.concat_arrays([pa.repeat(_USER, len(counts)), pa.array(roles, pa.string())])
    return _Good(counts, all_roles.take(place), all_texts.take(place))


def _bad_accounts(accounts: TextColumn) -> Bools:
    """The rows without an account, or with one that is too long, bool[n]."""
    sizes = accounts.sizes()
    bad: Bools = sizes == 0
    for row in np.flatnonzero(sizes > _LONGEST_ACCOUNT).tolist():
        bad[row] = len(accounts[row] or "") > _LONGEST_ACCOUNT
    return bad


def _odd_rows(prompts: TextColumn, bad: Bools) -> Sequence[int]:
    """The rows that need a closer look, ascending. The others are good and have a plain text, the common case.

    Args:
        prompts: n prompts, without those that are no texts.
        bad: the rows whose account is bad, bool[n].
    """
    maybe = prompts.ends_with(*_ODD_ENDS) | ~prompts.has_blank() | (prompts.sizes() >= SEARCHED)
    rows = np.flatnonzero(maybe)
    odd = [row for row, value in zip(rows.tolist(), prompts.take(rows), strict=True) if not _is_common(value)]
    return sorted({*odd, *np.flatnonzero(bad).tolist()}) if bad.any() else odd


def _is_common(value: str | None) -> bool:
    """Whether a prompt is certainly one plain text of the user."""
    return (
        value is not None
        and value[:1] not in ODD_FIRST
        and value[-1:] not in ODD_LAST
        and " " in value
        and (len(value) < SEARCHED or not has_long_run(value))
    )


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
        return pa.array(np.full(count, NO_TIME) if values is None else times.seconds(name, values), pa.int64())
    if values is None:
        return pa.nulls(count, pa.string())
    column = text_column(values)
    if column is not None and name != "request" and column.is_bare():
        return column.array
    texts = [value.strip() or None if type(value) is str else _detail(value) for value in values]
    if name == "request":
        texts = [text if text and is_request(text) else None for text in texts]
    return pa.array(texts, pa.string())


def _with_system(value: Any, parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The messages after a system prompt from a column of its own, unless they begin with the same text."""
    text = system_text(value)
    return [("system", text), *parts] if text and text != parts[0][1] else parts
