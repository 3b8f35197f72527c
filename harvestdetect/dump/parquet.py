"""Parquet, by row groups; columns of other types than text are converted where they can be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa

from harvestdetect.data import Reject
from harvestdetect.dump.columns import ColumnPath, resolve
from harvestdetect.dump.rows import INVALID_TEXT, Block, BrokenValue
from harvestdetect.settings import Settings

__all__ = ["read_parquet"]

_BLOCK_BYTES: Final = 64_000_000
_BELIEVED: Final = 1_000_000
"""Lost rows that are counted one by one, however small the file."""
_FAILURES: Final = (pa.ArrowException, OSError, ValueError, OverflowError, LookupError, RecursionError)
"""What damaged files and odd values make Arrow raise."""
_UNREADABLE: Final = BrokenValue("a value that cannot be read")


def read_parquet(
    file: BinaryIO, *, name: str, settings: Settings, batch_rows: int
) -> Iterator[tuple[Block, list[Reject]]]:
    """Blocks of at most ``batch_rows`` rows and rejects; ``line`` is the row, from 1.

    Each row of a group that cannot be read is a reject that tells the rows that were lost with it; other groups
    are read. Rows that are in no group although the file counts them are rejects without ``line``. A damaged
    file can claim any number of rows: of those lost as many are counted as it has bytes, or a million.

    Raises:
        ColumnsError: no column for account or prompt.
    """
    import pyarrow.parquet as pq

    believed = max(file.seek(0, os.SEEK_END), _BELIEVED)
    file.seek(0)
    try:
        parquet = pq.ParquetFile(file)
        schema = parquet.schema_arrow
        metadata = parquet.metadata
    except _FAILURES as error:
        reason = f"the Parquet file cannot be opened: {_first_line(error)}"
        yield Block([], None), [Reject(file=name, line=None, byte=None, reason=reason)]
        return
    types = dict(_leaves(schema))
    chosen = resolve(
        types,
        file=name,
        mapping=settings.mapping,
        usable=lambda field, path: _usable(field, types[path]),
    )
    wanted = list(dict.fromkeys(".".join(path) for path in chosen.values()))
    row = 1
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        per_row = metadata.row_group(group).total_byte_size / max(rows, 1)
        size = max(1, min(batch_rows, int(_BLOCK_BYTES / max(per_row, 1.0))))
        done = 0
        why = "the row group ends before them"
        try:
            # Of a damaged column Arrow may read less than there is and say nothing. The counts of single columns
            # are not asked for: on some damaged footers that ends the process.
            for batch in parquet.iter_batches(size, row_groups=[group], columns=wanted, use_threads=False):
                columns = {field: _values(field, _column(batch, path)) for field, path in chosen.items()}
                yield Block(range(row + done, row + done + batch.num_rows), None, columns), []
                done += batch.num_rows
        except _FAILURES as error:
            why = _first_line(error)
            rows = max(rows, 1)  # whatever a damaged footer says
        row += done
        if (lost := rows - done) > 0:
            reason = f"rows {row} to {row + lost - 1} cannot be read: {why}"
            counted = max(1, min(lost, believed))
            believed -= counted
            for lines in _cut(range(row, row + counted), batch_rows):
                yield Block([], None), [Reject(file=name, line=line, byte=None, reason=reason) for line in lines]
            row += counted
    if (lost := metadata.num_rows - (row - 1)) > 0:
        reason = f"of the {metadata.num_rows} rows that the file counts {lost} are in none of its row groups"
        reject = Reject(file=name, line=None, byte=None, reason=reason)
        for lines in _cut(range(max(1, min(lost, believed))), batch_rows):
            yield Block([], None), [reject] * len(lines)


def _cut(lines: range, size: int) -> Iterator[range]:
    return (lines[start : start + size] for start in range(0, len(lines), size))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return ascii(lines[0][:200])[1:-1] if lines else type(error).__name__


def _leaves(schema: Any, prefix: ColumnPath = ()) -> Iterator[tuple[ColumnPath, Any]]:
    for field in schema:
        path = (*prefix, field.name)
        yield path, field.type
        if pa.types.is_struct(field.type) and len(path) < 3:
            yield from _leaves(field.type, path)


def _usable(field: str, kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    if field == "prompt":
        chat = types.is_struct(kind) and kind.get_field_index("content") >= 0
        return bool(text or chat or types.is_list(kind) or types.is_large_list(kind))
    return not bool(types.is_nested(kind))


def _column(batch: Any, path: ColumnPath) -> Any:
    """The array at a path, where a null object has null members."""
    import pyarrow.compute as pc

    array = batch.column(batch.schema.get_all_field_indices(path[0])[0])
    for name in path[1:]:
        array = pc.struct_field(array, name)
    return array


def _values(field: str, array: Any) -> list[Any]:
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
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
        # No field can take it, and Python cannot hold every one.
        other = BrokenValue(ascii(f"a value of the type {array.type}")[1:-1][:60])
        return [other if valid else None for valid in array.is_valid().to_pylist()]
    if types.is_binary(array.type) or types.is_large_binary(array.type) or types.is_binary_view(array.type):
        return [_decoded(value) for value in array.to_pylist()]
    if types.is_nested(array.type):
        array = _without_times(array)
    try:
        values: list[Any] = array.to_pylist()
    except _FAILURES:
        values = []
        for place in range(len(array)):
            try:
                values.append(array[place].as_py())
            except UnicodeDecodeError:
                values.append(INVALID_TEXT)
            except _FAILURES:
                values.append(_UNREADABLE)
    return values


def _without_times(array: Any) -> Any:
    """Numbers in place of the times within: messages do without, and Python cannot hold every one."""
    kind = _numbered(array.type)
    if kind == array.type:
        return array
    try:
        return array.cast(kind)
    except _FAILURES:  # each value then speaks for itself
        return array


def _numbered(kind: Any) -> Any:
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
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return INVALID_TEXT
