"""Reads back the lines of files in the form that a scan writes; they may have been changed since."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from harvestdetect.errors import InputError

__all__ = ["MEMBER_COLUMNS", "converted", "csv_rows", "float_of", "json_lines", "run_of", "short", "whole_of"]

T = TypeVar("T")
MEMBER_COLUMNS: Final = (
    *("account", "campaign_id", "membership", "harvest_share", "prompts", "harvest_prompts", "first_seen", "last_seen"),
    *("recommended", "reasons"),
)
"""Columns of ``accounts.csv`` that are read."""
_HUGE: Final = 2**63
"""Whole numbers from here on have more than 64 bits, and are refused."""


def json_lines(file: Path, *, advice: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of every line that is not blank.

    Args:
        file: JSON Lines.
        advice: what to do if it cannot be read, for the message.

    Raises:
        InputError: it cannot be read, or a line is not a JSON object.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    raise InputError(f"{file}, line {number}: not a JSON object: {short(line)}") from None
                if not isinstance(row, dict):
                    raise InputError(f"{file}, line {number}: not a JSON object: {short(line)}")
                yield number, row
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}{advice}") from None
    except UnicodeDecodeError:
        raise InputError(f"cannot read {file}: it is not UTF-8 text") from None


def csv_rows(file: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells of every row of a CSV file with a header.

    Args:
        file: CSV.
        needed: columns that it must have.

    Raises:
        InputError: it cannot be read, lacks a column, or a row has not as many cells as the header.
    """
    # Process-wide, and only ever raised: an account id may be as long as a line of a dump, and longer when escaped.
    csv.field_size_limit(sys.maxsize)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            header = reader.fieldnames or []
            missing = [name for name in needed if name not in header]
            if missing:
                raise InputError(f"{file} has no column {missing[0]}; found: {short(', '.join(header) or 'none')}")
            for cells in reader:
                if None in cells or None in cells.values():
                    raise InputError(f"{file}, line {reader.line_num}: not as many cells as the header")
                yield reader.line_num, cells
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: not a valid CSV file ({error})") from None


def converted(where: str, row: dict[str, Any], convert: Callable[[dict[str, Any]], T]) -> T:
    """The value that a function makes of the object of a line.

    Args:
        where: the file and line, for the message.
        row: the object.
        convert: makes the value.

    Raises:
        InputError: a whole number is too large, or the function refuses the object.
    """
    try:
        if not _fits(row):
            raise InputError("a whole number has more than 64 bits")
        return convert(row)
    except RecursionError:
        raise InputError(f"{where}: it is nested too deep") from None
    except (msgspec.ValidationError, UnicodeEncodeError, TypeError, AttributeError, InputError) as error:
        raise InputError(f"{where}: {error}") from None


def _fits(value: Any) -> bool:
    """Whether every whole number in a value fits into 64 bits."""
    if isinstance(value, dict):
        return all(map(_fits, value.values()))
    if isinstance(value, list):
        return all(map(_fits, value))
    return not isinstance(value, int) or abs(value) < _HUGE


def whole_of(cell: str) -> int:
    """The whole number of a cell.

    Raises:
        ValueError: it is none, or has more than 64 bits.
    """
    number = int(cell)
    if not _fits(number):
        raise ValueError
    return number


def float_of(cell: str) -> float:
    """The number of a cell; NaN for an empty one.

    Raises:
        ValueError: it is no number.
    """
    return float(cell) if cell else math.nan


def run_of(file: Path) -> dict[str, Any] | None:
    """The content of ``run.json``; None if it cannot be read."""
    try:
        run = json.loads(file.read_text(encoding="utf-8"), parse_int=whole_of, parse_constant=_refused)
    except (OSError, ValueError, RecursionError):
        return None
    return run if isinstance(run, dict) else None


def _refused(constant: str) -> float:
    raise ValueError


def short(value: object) -> str:
    """A value for a message, in ASCII and not longer than 80 characters."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
