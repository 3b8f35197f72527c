"""Parquet, by row groups; columns of other types than text are converted where they can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import numpy as np

from harvestdetect.data import Reject
from harvestdetect.dump.columns import ColumnPath, resolve
from harvestdetect.dump.rows import INVALID_TEXT, Block
from harvestdetect.settings import Settings

__all__ = ["read_parquet"]

_BLOCK_BYTES: Final = 64_000_000


def read_parquet(
    file: BinaryIO, *, name: str, settings: Settings, batch_rows: int
) -> Iterator[tuple[Block, list[Reject]]]:
    """Blocks of at most ``batch_rows`` rows and rejects; ``line`` is the row, from 1.

    A row group that cannot be read is one reject that tells its rows; the others are read.

    Raises:
        ColumnsError: no column for account or prompt.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    failures = (pa.ArrowException, OSError, ValueError)
    try:
        parquet = pq.ParquetFile(file)
        schema = parquet.schema_arrow
        metadata = parquet.metadata
    except failures as error:
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
        try:
            for batch in parquet.iter_batches(size, row_groups=[group], columns=wanted, use_threads=False):
                columns = {field: _values(field, _column(batch, path)) for field, path in chosen.items()}
                yield Block(range(row + done, row + done + batch.num_rows), None, columns), []
                done += batch.num_rows
        except failures as error:
            reason = f"rows {row + done} to {row + rows - 1} cannot be read: {_first_line(error)}"
            yield Block([], None), [Reject(file=name, line=None, byte=None, reason=reason)]
        row += rows


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return ascii(lines[0][:200])[1:-1] if lines else type(error).__name__


def _leaves(schema: Any, prefix: ColumnPath = ()) -> Iterator[tuple[ColumnPath, Any]]:
    import pyarrow as pa

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
    import pyarrow as pa
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
    if types.is_binary(array.type) or types.is_large_binary(array.type) or types.is_binary_view(array.type):
        return [_decoded(value) for value in array.to_pylist()]
    try:
        values: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        values = []
        for scalar in array:
            try:
                values.append(scalar.as_py())
            except UnicodeDecodeError:
                values.append(INVALID_TEXT)
    return values


def _decoded(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return INVALID_TEXT
