"""Times of a column at once, if all its values have one common form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from harvestdetect.data import NO_TIME
from harvestdetect.dump.values.text_columns import TextColumn, kinds_of
from harvestdetect.util.arrays import Ints

__all__ = ["at_once"]

_NANOSECONDS: Final = 10**9
"""Nanoseconds of a second."""


def at_once(values: Sequence[Any], *, earliest: int, latest: int) -> Ints | None:
    """Unix seconds of a column of whole seconds, or of a column of texts in ISO 8601; rounded down.

    Args:
        values: n values. A text column may have None among them, which is ``NO_TIME``.
        earliest: first second that is a time.
        latest: first second that is too late.

    Returns:
        int64[n]; None if a value has another form, or is out of range.
    """
    found = _of_texts(values) if isinstance(values, TextColumn) else _of_numbers(values)
    if found is None:
        return None
    there = found[found != NO_TIME] if isinstance(values, TextColumn) else found
    return found if not len(there) or (there.min() >= earliest and there.max() < latest) else None


def _of_texts(values: TextColumn) -> Ints | None:
    """Arrow reads a part of the forms that :meth:`datetime.datetime.fromisoformat` reads, with the same result."""
    array = values.array
    if not len(array) or array.null_count == len(array):
        return None
    first = array.drop_null()[0].as_py() if array.null_count else array[0].as_py()
    zone = "UTC" if first.endswith("Z") or "+" in first or first.count("-") > 2 else None
    try:
        found = array.cast(pa.timestamp("ns", zone)).cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    whole: Ints = np.floor_divide(found.fill_null(0).to_numpy(zero_copy_only=False), _NANOSECONDS)
    if array.null_count:
        whole[array.is_null().to_numpy(zero_copy_only=False)] = NO_TIME
    return whole


def _of_numbers(values: Sequence[Any]) -> Ints | None:
    if kinds_of(values) != {int}:
        return None
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return None
