"""Reads back the lines of files in the form that a scan writes; they may have been changed since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harvestdetect.errors import InputError

__all__ = ["json_lines", "short"]


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


def short(value: object) -> str:
    """A value for a message, in ASCII and not longer than 80 characters."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
