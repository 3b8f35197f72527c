"""Parquet, by row groups; columns of other types than text are converted where they can be."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harvestdetect.dump.columns import ColumnPath, resolve
from harvestdetect.dump.limits import ROW_COST, Expansion, ExpansionError, Rejects
from harvestdetect.dump.pages import chunks_of, measured
from harvestdetect.dump.rows import INVALID_TEXT, Block, BrokenValue
from harvestdetect.settings import Settings
from harvestdetect.util.arrays import Ints

__all__ = ["read_parquet"]

_BLOCK_BYTES: Final = 16_000_000
"""Text of the rows that are handed over at once."""
_SMALL_ROWS: Final = 2_000
_SMALL_BYTES: Final = 1_000_000
"""Row groups with no more rows and bytes are read together."""
_MOST_PAGE: Final = 256_000_000
"""Arrow holds a page as a whole; writers make pages of a megabyte."""
_MOST_VALUES: Final = 8_000_000
"""Values of lists that are read at once."""
_VALUES_PER_BYTE: Final = 20
"""Values of lists that a stored byte may stand for, where there are more than :data:`_MOST_VALUES`."""
_SHORT_ENTRY: Final = 64_000
"""Bytes of a dictionary entry up to which it is better to read fewer rows at once than to read numbers of entries."""
_VALUE_BYTES: Final = 8
"""What each value counts beside its text."""
_BELIEVED: Final = 1_000_000
"""Lost rows that are counted one by one, however small the file."""
_FAILURES: Final = (pa.ArrowException, OSError, ValueError, OverflowError, LookupError, RecursionError)
"""What damaged files and odd values make Arrow raise."""
_MOST_COUNTED: Final = 1_000_000_000
"""Rows that are counted as not read, whatever the file claims."""
_UNREADABLE: Final = BrokenValue("a value that cannot be read")


@dataclass(frozen=True, slots=True)
class _Lot:
    """Row groups that are read together."""

    groups: range
    rows: int
    """As the footer has them."""


class _Reader:
    """Reads the rows of a file that Arrow could open.

    Args:
        file: the file.
        parquet: the same, opened.
        chosen: field -> path of its column.
        settings: ``max_line_bytes`` and ``max_expansion`` count.
        batch_rows: most rows of a block.
        rejects: takes the rows that cannot be read.
        expansion: what the file may come to.
        believed: of the rows that were lost, as many are counted.
    """

    def __init__(
        self,
        file: BinaryIO,
        parquet: Any,
        chosen: Mapping[str, ColumnPath],
        settings: Settings,
        batch_rows: int,
        rejects: Rejects,
        expansion: Expansion,
        believed: int,
    ) -> None:
        self._file = file
        self._parquet = parquet
        self._dictionaries: Any = None
        self._chosen = chosen
        self._wanted = list(dict.fromkeys(".".join(path) for path in chosen.values()))
        self._settings = settings
        self._batch_rows = batch_rows
        self._rejects = rejects
        self._expansion = expansion
        self._believed = believed
        self._size = file.seek(0, os.SEEK_END)
        self._chunks = chunks_of(file, most=self._size)
        self._metadata = parquet.metadata

    def blocks(self) -> Iterator[Block]:
        row = 1
        try:
            for lot in self._lots():
                if len(lot.groups) > 1:
                    together = self._together(lot, row)
                    if together is not None:
                        yield from self._split(together, row)
                        row += lot.rows
                        continue
                for group in lot.groups:
                    row += yield from self._group(group, row)
        except ExpansionError as error:
            row = max(row, self._next)
            left = max(1, min(self._metadata.num_rows - (row - 1), _MOST_COUNTED))
            yield from self._lose(range(row, row + left), f"row {row} and all behind it are not read: {error}")
            return
        if (lost := self._metadata.num_rows - (row - 1)) > 0:
            reason = f"of the {self._metadata.num_rows} rows that the file counts {lost} are in none of its row groups"
            yield from self._lose(range(max(1, min(lost, self._believed))), reason, numbered=False)

    _next = 1
    """The row behind those that were handed over."""

    def _lots(self) -> Iterator[_Lot]:
        """Row groups one by one, small ones together."""
        start = rows_so_far = size = 0
        count = self._metadata.num_row_groups
        for group in range(count):
            about = self._metadata.row_group(group)
            rows, group_size = about.num_rows, about.total_byte_size
            small = 0 <= rows <= _SMALL_ROWS and 0 <= group_size <= _SMALL_BYTES
            fits = small and rows_so_far + rows <= self._batch_rows and size + group_size <= _BLOCK_BYTES
            if group > start and not fits:
                yield _Lot(range(start, group), rows_so_far)
                start, rows_so_far, size = group, 0, 0
            rows_so_far += rows
            size += group_size
            if not small:
                yield _Lot(range(start, group + 1), rows)
                start, rows_so_far, size = group + 1, 0, 0
        if start < count:
            yield _Lot(range(start, count), rows_so_far)

    def _together(self, lot: _Lot, row: int) -> list[Any] | None:
        """The batches of a lot; None where not every row can be read, so that each group has to speak for itself."""
        plans = [self._plan(group) for group in lot.groups]
        if any(plan.refused or plan.dictionaries for plan in plans) or min(plan.rows for plan in plans) < lot.rows:
            return None
        try:
            batches = list(
                self._parquet.iter_batches(
                    self._batch_rows, row_groups=list(lot.groups), columns=self._wanted, use_threads=False
                )
            )
        except _FAILURES:
            return None
        return batches if sum(batch.num_rows for batch in batches) == lot.rows else None

    def _group(self, group: int, row: int) -> Generator[Block, None, int]:
        """Yields what can be read of a group; returns how many rows it took."""
        rows = self._metadata.row_group(group).num_rows
        done = 0
        why = "the row group ends before them"
        plan = self._plan(group)
        if plan.refused:
            why = plan.refused
        else:
            try:
                # Of a damaged column Arrow may read less than there is and say nothing. The counts of single columns
                # are not asked of it: on some damaged footers that ends the process.
                batches = self._opened(plan).iter_batches(
                    plan.rows, row_groups=[group], columns=self._wanted, use_threads=False
                )
                for batch in batches:
                    yield from self._split([batch], row + done)
                    done += batch.num_rows
            except _FAILURES as error:
                why = _first_line(error)
                rows = max(rows, 1)  # whatever a damaged footer says
        if (lost := rows - done) > 0:
            start = row + done
            reason = f"rows {start} to {start + lost - 1} cannot be read: {why}"
            counted = max(1, min(lost, self._believed))
            self._believed -= counted
            yield from self._lose(range(start, start + counted), reason)
            done += counted
        return done

    def _lose(self, rows: range, reason: str, *, numbered: bool = True) -> Iterator[Block]:
        """Makes rejects of rows."""
        while rows:
            some = rows if self._rejects.full else rows[: self._batch_rows]
            self._rejects.add_rows(some, reason, numbered=numbered)
            rows = rows[len(some) :]
            yield Block([], None)

    def _opened(self, plan: _Plan) -> Any:
        if not plan.dictionaries:
            return self._parquet
        if self._dictionaries is None:
            import pyarrow.parquet as pq

            self._file.seek(0)
            self._dictionaries = pq.ParquetFile(self._file, read_dictionary=self._leaves())
        return self._dictionaries

    def _leaves(self) -> list[str]:
        """The columns with values of their own size, as Arrow names them."""
        chunks = [chunk for group in (self._chunks or [])[:1] for chunk in group]
        return [".".join(chunk.path) for chunk in chunks if chunk.binary and self._is_wanted(chunk.path)]

    def _is_wanted(self, path: tuple[str, ...]) -> bool:
        return any(path[: len(one)] == one for one in self._chosen.values())

    def _plan(self, group: int) -> _Plan:
        """How a group can be read within bounds."""
        about = self._metadata.row_group(group)
        rows = max(about.num_rows, 1)
        size = max(1, min(self._batch_rows, int(_BLOCK_BYTES / max(about.total_byte_size / rows, 1.0))))
        chunks = self._chunks[group] if self._chunks is not None and group < len(self._chunks) else []
        dictionaries = False
        for chunk in chunks:
            if not self._is_wanted(chunk.path):
                continue
            found = measured(self._file, chunk)
            if found.page > _MOST_PAGE:
                return _Plan(refused=f"a page of {found.page:,} bytes as read, at most {_MOST_PAGE:,} are read")
            repeated = found.values > rows
            if repeated and found.values > max(_MOST_VALUES, _VALUES_PER_BYTE * chunk.stored):
                reason = f"lists of {found.values:,} values in {chunk.stored:,} stored bytes"
                return _Plan(refused=reason)
            per_row = found.values / rows if repeated else 1.0
            if repeated:
                size = min(size, max(1, int(_MOST_VALUES / 4 / per_row)))
            if found.per_value:
                size = min(size, max(1, int(_BLOCK_BYTES / (found.per_value * per_row))))
            if found.longest * per_row * size > _BLOCK_BYTES:
                if found.plain and found.longest <= _SHORT_ENTRY:
                    size = max(1, min(size, int(_BLOCK_BYTES / (found.longest * per_row))))
                else:
                    dictionaries = True
        return _Plan(rows=size, dictionaries=dictionaries)

    def _split(self, batches: list[Any], row: int) -> Iterator[Block]:
        """Blocks of batches, cut so that the text of each is bounded; a row that is too long is a reject."""
        for batch in batches:
            columns = {field: _column(batch, path) for field, path in self._chosen.items()}
            weight = np.zeros(batch.num_rows, np.int64)
            for array in columns.values():
                weight += _weights(array)
            limit = self._settings.max_line_bytes
            for start, stop in _cuts(weight, limit):
                self._next = row + start
                self._expansion.spend(int(weight[start:stop].clip(max=limit).sum()) + ROW_COST * (stop - start))
                if stop == start + 1 and weight[start] > limit:
                    self._rejects.add(row + start, None, f"the row is longer than max_line_bytes = {limit}")
                    yield Block([], None)
                    continue
                values = {field: _values(field, array.slice(start, stop - start)) for field, array in columns.items()}
                yield Block(range(row + start, row + stop), None, values)
                self._next = row + stop
            row += batch.num_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How a row group is read."""

    rows: int = 1
    """At once."""
    dictionaries: bool = False
    """Whether texts come as numbers of dictionary entries, since a few entries may stand for very much text."""
    refused: str = ""
    """Why the group is not read; "" where it is."""


def _cuts(weight: Ints, limit: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of runs of rows of about :data:`_BLOCK_BYTES`; a row above the limit is on its own."""
    n = len(weight)
    if not n:
        return
    total = np.cumsum(weight)
    if total[-1] <= min(_BLOCK_BYTES, limit):
        yield 0, n
        return
    alone = np.flatnonzero(weight > limit).tolist()
    alone.append(n)
    start = 0
    for border in alone:
        while start < border:
            before = int(total[start - 1]) if start else 0
            stop = int(np.searchsorted(total, before + _BLOCK_BYTES, side="right"))
            stop = min(max(stop, start + 1), border)
            yield start, stop
            start = stop
        if border < n:
            yield border, border + 1
            start = border + 1


def _weights(array: Any) -> Ints:
    """About how many bytes of text each value holds, with :data:`_VALUE_BYTES` for each value within: int64[n]."""
    from pyarrow import types

    kind, n = array.type, len(array)
    if types.is_dictionary(kind):
        entries = _weights(array.dictionary)
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
        each = _weights(inner) if inner is not None else np.full(int(offsets[-1]), 2 * _VALUE_BYTES, np.int64)
        total = np.concatenate([[0], np.cumsum(each)])
        lists: Ints = np.diff(total[offsets]) + _VALUE_BYTES
        return lists
    if types.is_fixed_size_list(kind):
        width = kind.list_size
        inner = _weights(array.values)[array.offset * width : (array.offset + n) * width]
        return inner.reshape(n, width).sum(axis=1) if width else np.full(n, _VALUE_BYTES, np.int64)
    if types.is_struct(kind):
        total = np.full(n, _VALUE_BYTES, np.int64)
        for number in range(kind.num_fields):
            total += _weights(pc.struct_field(array, [number]))
        return total
    return np.full(n, _VALUE_BYTES, np.int64)


def read_parquet(
    file: BinaryIO, *, name: str, settings: Settings, batch_rows: int, rejects: Rejects, expansion: Expansion
) -> Iterator[Block]:
    """Blocks of at most ``batch_rows`` rows; ``line`` is the row, from 1.

    Each row of a group that cannot be read is a reject that tells the rows that were lost with it; other groups
    are read. Rows that are in no group although the file counts them are rejects without ``line``. A damaged
    file can claim any number of rows: of those lost as many are counted as it has bytes, or a million. A row with more
    than ``max_line_bytes`` in the columns that are read is a reject.

    Raises:
        ColumnsError: no column for account or prompt.
    """
    import pyarrow.parquet as pq

    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        parquet = pq.ParquetFile(file)
        schema = parquet.schema_arrow
    except _FAILURES as error:
        rejects.add(None, None, f"the Parquet file cannot be opened: {_first_line(error)}")
        yield Block([], None)
        return
    types = dict(_leaves(schema))
    chosen = resolve(
        types,
        file=name,
        mapping=settings.mapping,
        usable=lambda field, path: _usable(field, types[path]),
    )
    reader = _Reader(file, parquet, chosen, settings, batch_rows, rejects, expansion, max(size, _BELIEVED))
    yield from reader.blocks()


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
    array = batch.column(batch.schema.get_all_field_indices(path[0])[0])
    for name in path[1:]:
        array = pc.struct_field(array, name)
    return array


def _values(field: str, array: Any) -> list[Any]:
    from pyarrow import types

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


def _entries(field: str, array: Any) -> list[Any]:
    """The values of a dictionary array: equal ones are one object."""
    found = pc.unique(array.indices.drop_null())
    values = _values(field, array.dictionary.take(found))
    entry = dict(zip(found.to_pylist(), values, strict=True))
    entry[None] = None
    return [entry[number] for number in array.indices.to_pylist()]


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
