"""Reads back the lines of files in the form that a scan writes; they may have been changed since."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harvestdetect.errors import InputError

__all__ = ["csv_rows", "json_lines", "short"]


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


def short(value: object) -> str:
    """A value for a message, in ASCII and not longer than 80 characters."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
