"""Times as dumps write them, to seconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, Final

from harvestdetect.data import NO_TIME

__all__ = ["EARLIEST", "LATEST", "seconds"]

EARLIEST: Final = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
"""Earliest time that is accepted, in Unix seconds: the start of 1990."""
LATEST: Final = int(datetime(2101, 1, 1, tzinfo=UTC).timestamp())
"""First time that is too late, in Unix seconds: the start of 2101."""

_UNITS: Final = (1, 10**3, 10**6, 10**9)
"""Units per second: seconds, milliseconds, microseconds, nanoseconds. The ranges from 1990 to 2100 do not overlap, so
the magnitude of a number shows its unit."""
_EPOCH: Final = datetime(1970, 1, 1)
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{0,30})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_SPACED_ZONE: Final = re.compile(r"\s+(?=[+-][0-9]{2}:?[0-9]{2}$)", re.ASCII)
_SLASHES: Final = re.compile(r"^([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})", re.ASCII)


def seconds(value: Any) -> int | None:
    """Seconds since 1970-01-01 UTC, rounded down.

    Accepts epoch seconds, milliseconds, microseconds or nanoseconds, as a number or its text, and ISO 8601 with ``T``
    or a space, with or without a zone (UTC if there is none), or a date alone.

    Args:
        value: of the dump. None and blank text mean that there is no time.

    Returns:
        The seconds; :data:`~harvestdetect.data.NO_TIME` if there is no time; None if the value is not a time from 1990
        to 2100.
    """
    if isinstance(value, str):
        try:
            # The year first: most rows are ISO, and short digit strings would parse as dates.
            moment = datetime.fromisoformat(value) if value[4:5] == "-" else None
        except ValueError:
            moment = None
        return _from_text(value) if moment is None else _from_datetime(moment)
    if value is None:
        return NO_TIME
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _from_integer(value)
    if isinstance(value, float):
        return _from_integer(math.floor(value)) if math.isfinite(value) else None
    return None


def _from_integer(value: int) -> int | None:
    for unit in _UNITS:
        whole = value // unit
        if EARLIEST <= whole < LATEST:
            return whole
    return None


def _from_datetime(moment: datetime) -> int | None:
    try:
        passed = moment - (_EPOCH if moment.tzinfo is None else _EPOCH_UTC)
    except OverflowError:
        return None
    whole = passed.days * 86_400 + passed.seconds
    return whole if EARLIEST <= whole < LATEST else None


def _from_text(text: str) -> int | None:
    text = text.strip()
    if not text:
        return NO_TIME
    if len(text) > 64:
        return None
    if _NUMBER.fullmatch(text):
        number = int(text) if text.lstrip("+-").isdigit() else math.floor(float(text))
        whole = _from_integer(number)
        if whole is not None or not (text.isdigit() and len(text) in (8, 14)):
            return whole
        if len(text) == 14:  # 20260131235959
            text = f"{text[:8]}T{text[8:]}"
    text = text.upper().removesuffix("UTC").rstrip()
    text = _SPACED_ZONE.sub("", text)
    text = _SLASHES.sub(lambda m: f"{m[1]}-{m[2]:>02}-{m[3]:>02}", text)
    try:
        return _from_datetime(datetime.fromisoformat(text))
    except ValueError:
        return None
