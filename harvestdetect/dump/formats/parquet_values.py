"""Values of Arrow arrays that were read from Parquet: their size, and as Python objects."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.dump.values.paths import Path
from harvestdetect.dump.values.rows import INVALID_TEXT, BrokenValue
from harvestdetect.dump.values.text_columns import TextColumn
from harvestdetect.util.arrays import Ints

__all__ = ["READ_ERRORS", "column_at", "sizes_of", "values_of"]

READ_ERRORS: Final = (pa.ArrowException, OSError, ValueError, OverflowError, LookupError, RecursionError)
"""Exceptions that Arrow raises for damaged files and odd values."""
_VALUE_BYTES: Final = 8
"""Bytes that each value counts in addition to its text."""
_UNREADABLE: Final = BrokenValue("a value that cannot be read")


def sizes_of(array: Any) -> Ints:
    """Approximate size of each value in bytes, int64[n]: its text, and :data:`_VALUE_BYTES` for each value in it."""
    from pyarrow import types

    kind, n = array.type, len(array)
    if types.is_dictionary(kind):
        entries = sizes_of(array.dictionary)
        if not len(entries):
            return np.zeros(n, np.int64)
        place = pc.fill_null(array.indices, 0).to_numpy(zero_copy_only=False)
        found: Ints = entries[place]
        return found
    if types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        sizes: Ints = pc.fill_null(pc.binary_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        return sizes + _VALUE_BYTES
    if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        offsets = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
        inner = array.values if not types.is_map(kind) else None
        each = sizes_of(inner) if inner is not None else np.full(int(offsets[-1]), 2 * _VALUE_BYTES, np.int64)
        total = np.concatenate([[0], np.cumsum(each)])
        lists: Ints = np.diff(total[offsets]) + _VALUE_BYTES
        return lists
    if types.is_fixed_size_list(kind):
        width = kind.list_size
        inner = sizes_of(array.values)[array.offset * width : (array.offset + n) * width]
        return inner.reshape(n, width).sum(axis=1) if width else np.full(n, _VALUE_BYTES, np.int64)
    if types.is_struct(kind):
        total = np.full(n, _VALUE_BYTES, np.int64)
        for number in range(kind.num_fields):
            total += sizes_of(pc.struct_field(array, [number]))
        return total
    return np.full(n, _VALUE_BYTES, np.int64)


def column_at(batch: Any, path: Path) -> Any:
    """The column at a path. The members of a null object are null."""
    array = batch.column(batch.schema.get_all_field_indices(path[0])[0])
    for name in path[1:]:
        array = pc.struct_field(array, name)
    return array


def values_of(field: str, array: Any) -> Sequence[Any]:
    """The values of an array as Python objects that the field accepts; times as seconds, texts as column of texts."""
    from pyarrow import types

    if types.is_string(array.type) or types.is_large_string(array.type) or types.is_string_view(array.type):
        with suppress(*READ_ERRORS):  # invalid UTF-8
            texts = array.cast(pa.string())
            texts.validate(full=True)
            # A slice would take all of its batch along to another process.
            small = texts.get_total_buffer_size() > 2 * texts.nbytes
            return TextColumn(pa.concat_arrays([texts]) if small else texts)
    if types.is_dictionary(array.type):
        return _entries(field, array)
    if field in ("timestamp", "created_at"):
        kind = array.type
        if types.is_date(kind):
            kind, array = pa.timestamp("ms"), array.cast(pa.timestamp("ms"))
        if types.is_timestamp(kind):
            per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
            numbers = array.cast(pa.int64())
            whole = np.floor_divide(pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False), per_second)
            return [
                time if valid else None
                for time, valid in zip(whole.tolist(), array.is_valid().to_pylist(), strict=True)
            ]
        if types.is_decimal(kind):
            array = array.cast(pa.float64())
    if types.is_temporal(array.type):
        # No field accepts it, and Python cannot represent every one.
        other = BrokenValue(ascii(f"a value of the type {array.type}")[1:-1][:60])
        return [other if valid else None for valid in array.is_valid().to_pylist()]
    if types.is_binary(array.type) or types.is_large_binary(array.type) or types.is_binary_view(array.type):
        return [_decoded(value) for value in array.to_pylist()]
    if types.is_nested(array.type):
        array = _without_times(array)
    try:
        values: list[Any] = array.to_pylist()
    except READ_ERRORS:
        values = []
        for place in range(len(array)):
            try:
                values.append(array[place].as_py())
            except UnicodeDecodeError:
                values.append(INVALID_TEXT)
            except READ_ERRORS:
                values.append(_UNREADABLE)
    return values


def _entries(field: str, array: Any) -> list[Any]:
    """The values of a dictionary array. Equal values are one object."""
    found = pc.unique(array.indices.drop_null())
    values = values_of(field, array.dictionary.take(found))
    entry = dict(zip(found.to_pylist(), values, strict=True))
    entry[None] = None
    return [entry[number] for number in array.indices.to_pylist()]


def _without_times(array: Any) -> Any:
    """An array with numbers in place of times. Messages need no times, and Python cannot represent every time."""
    kind = _numbered(array.type)
    if kind == array.type:
        return array
    try:
        return array.cast(kind)
    except READ_ERRORS:  # each value is then converted by itself
        return array


def _numbered(kind: Any) -> Any:
    """A type with numbers in place of times."""
    from pyarrow import types

    def within(field: Any) -> Any:
        return field.with_type(_numbered(field.type))

    if types.is_struct(kind):
        return pa.struct([within(field) for field in kind])
    if types.is_list(kind):
        return pa.list_(within(kind.value_field))
    if types.is_large_list(kind):
        return pa.large_list(within(kind.value_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(within(kind.value_field), kind.list_size)
    if types.is_map(kind):
        return pa.map_(within(kind.key_field), within(kind.item_field), kind.keys_sorted)
    if types.is_temporal(kind):
        return pa.int32() if kind.bit_width == 32 else pa.int64()
    return kind


def _decoded(value: bytes | None) -> Any:
    """The text of some bytes."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return INVALID_TEXT
