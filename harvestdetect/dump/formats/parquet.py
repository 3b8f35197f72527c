"""Parquet, read by row groups. Columns of other types than text are converted if possible."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa

from harvestdetect.dump.columns.shapes import Shapes, leads_to
from harvestdetect.dump.formats.pages import Chunk, Measure, chunks_of, measured
from harvestdetect.dump.formats.parquet_values import READ_ERRORS, column_at, sizes_of, values_of
from harvestdetect.dump.formats.table import Columns, block_of
from harvestdetect.dump.storage.limits import BLOCK_BYTES, ROW_COST, Expansion, ExpansionError, Rejects
from harvestdetect.dump.values.paths import Path
from harvestdetect.dump.values.rows import Block, BrokenValue
from harvestdetect.settings import Settings
from harvestdetect.util.arrays import Ints

__all__ = ["read_parquet"]

_SMALL_ROWS: Final = 2_000
"""Most rows of a row group that is read together with others."""
_SMALL_BYTES: Final = 1_000_000
"""Most bytes of a row group that is read together with others."""
_MOST_PAGE: Final = 256_000_000
"""Most bytes of a page, which Arrow keeps in memory as a whole. Writers make pages of a megabyte."""
_MOST_VALUES: Final = 8_000_000
"""Most values of lists that are read at a time."""
_VALUES_PER_BYTE: Final = 20
"""Most values of lists for each stored byte, if there are more than :data:`_MOST_VALUES`."""
_SHORT_ENTRY: Final = 64_000
"""Bytes of a dictionary entry. Up to this size, fewer rows are read at a time. Above, texts are read as numbers of
entries."""
_BELIEVED: Final = 1_000_000
"""Most lost rows that are counted one by one, even if the file has fewer bytes."""
_SAMPLE_GROUPS: Final = 64
"""Most row groups, one after the other, from which rows are taken to choose columns."""
_SAMPLE_ROWS: Final = 130
"""Rows that are taken from each of three places to choose columns."""
_MOST_COLUMNS: Final = 100
"""Columns whose values are looked at to choose some of them."""
_DEEPEST: Final = 8
"""Levels of nested columns that are looked into."""
_MOST_COUNTED: Final = 1_000_000_000
"""Most rows that are counted as not read, whatever the file claims."""


@dataclass(frozen=True, slots=True)
class _Lot:
    """Row groups that are read together."""

    groups: range
    rows: int
    """Number of their rows, as the footer states it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A file that Arrow could open."""

    file: BinaryIO
    parquet: Any
    """The same, opened."""
    chunks: list[list[Chunk]] | None
    """The chunks of each row group; None if they are not known."""
    measures: dict[Chunk, Measure] = field(default_factory=dict)
    """What the pages of a chunk state, for the chunks that were looked at."""

    def measured(self, chunk: Chunk) -> Measure:
        """What the pages of a chunk state. They are read only once."""
        if chunk not in self.measures:
            self.measures[chunk] = measured(self.file, chunk)
        return self.measures[chunk]


class _Reader:
    """Reads the rows of a file.

    Args:
        opened: the file.
        shapes: how rows are read.
        chosen: path of each column that is read -> the field that its values are converted for.
        settings: ``max_line_bytes`` and ``max_expansion`` count.
        batch_rows: most rows of a block.
        rejects: takes the rows that cannot be read.
        expansion: how large the content may be.
        believed: most lost rows that are counted.
    """

    def __init__(
        self,
        opened: _Opened,
        shapes: Shapes,
        chosen: Mapping[Path, str],
        settings: Settings,
        batch_rows: int,
        rejects: Rejects,
        expansion: Expansion,
        believed: int,
    ) -> None:
        self._open = opened
        self._file = opened.file
        self._parquet = opened.parquet
        self._dictionaries: Any = None
        self._shapes = shapes
        self._chosen = chosen
        self._wanted = list(dict.fromkeys(".".join(path) for path in chosen))
        self._settings = settings
        self._batch_rows = batch_rows
        self._rejects = rejects
        self._expansion = expansion
        self._believed = believed
        self._chunks = opened.chunks
        self._metadata = opened.parquet.metadata

    def blocks(self) -> Iterator[Block]:
        """See :func:`read_parquet`."""
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
    """The row after those that were yielded."""

    def _lots(self) -> Iterator[_Lot]:
        """Row groups one by one, small ones together."""
        start = rows_so_far = size = 0
        count = self._metadata.num_row_groups
        for group in range(count):
            about = self._metadata.row_group(group)
            rows, group_size = about.num_rows, about.total_byte_size
            small = 0 <= rows <= _SMALL_ROWS and 0 <= group_size <= _SMALL_BYTES
            fits = small and rows_so_far + rows <= self._batch_rows and size + group_size <= BLOCK_BYTES
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
        """The batches of a lot; None if not every row can be read, so that each group must be read by itself."""
        plans = [self._plan(group) for group in lot.groups]
        if any(plan.refused or plan.dictionaries for plan in plans) or min(plan.rows for plan in plans) < lot.rows:
            return None
        try:
            batches = list(
                self._parquet.iter_batches(
                    self._batch_rows, row_groups=list(lot.groups), columns=self._wanted, use_threads=False
                )
            )
        except READ_ERRORS:
            return None
        return batches if sum(batch.num_rows for batch in batches) == lot.rows else None

    def _group(self, group: int, row: int) -> Generator[Block, None, int]:
        """Yields what can be read of a group. Returns the number of rows that it took."""
        rows = self._metadata.row_group(group).num_rows
        done = 0
        why = "the row group ends before them"
        plan = self._plan(group)
        if plan.refused:
            why = plan.refused
        else:
            try:
                # Arrow may read less than all of a damaged column without an error. Its counts of single columns are
                # not used, because on some damaged footers that ends the process.
                batches = self._opened(plan).iter_batches(
                    plan.rows, row_groups=[group], columns=self._wanted, use_threads=False
                )
                for batch in batches:
                    yield from self._split([batch], row + done)
                    done += batch.num_rows
            except READ_ERRORS as error:
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
        """The columns whose values have their own size, as Arrow names them.

        In a damaged file, the metadata of a group may name columns that the schema does not have.
        """
        chunks = [chunk for group in (self._chunks or [])[:1] for chunk in group]
        schema = self._parquet.schema
        known = {schema.column(number).path for number in range(len(schema))}
        named = (".".join(chunk.path) for chunk in chunks if chunk.binary and self._is_wanted(chunk.path))
        return [name for name in named if name in known]

    def _is_wanted(self, path: tuple[str, ...]) -> bool:
        return any(path[: len(one)] == one for one in self._chosen)

    def _plan(self, group: int) -> _Plan:
        """How a group can be read within the limits."""
        about = self._metadata.row_group(group)
        rows = max(about.num_rows, 1)
        size = max(1, min(self._batch_rows, int(BLOCK_BYTES / max(about.total_byte_size / rows, 1.0))))
        chunks = self._chunks[group] if self._chunks is not None and group < len(self._chunks) else []
        dictionaries = False
        for chunk in chunks:
            if not self._is_wanted(chunk.path):
                continue
            found = self._open.measured(chunk)
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
                size = min(size, max(1, int(BLOCK_BYTES / (found.per_value * per_row))))
            if found.longest * per_row * size > BLOCK_BYTES:
                if found.plain and found.longest <= _SHORT_ENTRY:
                    size = max(1, min(size, int(BLOCK_BYTES / (found.longest * per_row))))
                else:
                    dictionaries = True
        return _Plan(rows=size, dictionaries=dictionaries)

    def _split(self, batches: list[Any], row: int) -> Iterator[Block]:
        """Blocks of batches, split so that the text of each block is bounded. A row that is too long is a reject."""
        for batch in batches:
            columns = {path: column_at(batch, path) for path in self._chosen}
            weight = np.zeros(batch.num_rows, np.int64)
            for array in columns.values():
                weight += sizes_of(array)
            limit = self._settings.max_line_bytes
            for start, stop in _cuts(weight, limit):
                self._next = row + start
                self._expansion.spend(int(weight[start:stop].clip(max=limit).sum()) + ROW_COST * (stop - start))
                if stop == start + 1 and weight[start] > limit:
                    self._rejects.add(row + start, None, f"the row is longer than max_line_bytes = {limit}")
                    yield Block([], None)
                    continue
                yield self._block(columns, range(row + start, row + stop), start)
                self._next = row + stop
            row += batch.num_rows

    def _block(self, columns: Mapping[Path, Any], rows: range, start: int) -> Block:
        """A block of rows. ``start``: the first of them in the arrays."""
        values = {path: values_of(self._chosen[path], array.slice(start, len(rows))) for path, array in columns.items()}
        table = Columns({".".join(path): column for path, column in values.items()}, len(rows), self._shapes.typed)
        return block_of(
            self._shapes,
            table,
            lambda number: _record({path: column[number] for path, column in values.items()}),
            numbers=rows,
            offsets=None,
            rejects=self._rejects,
        )

    def sample(self, rows: int) -> list[dict[str, Any]]:
        """Rows from the beginning, the middle and the end, as far as they can be read within the limits.

        Args:
            rows: most rows of each place.
        """
        found: list[dict[str, Any]] = []
        count = self._metadata.num_row_groups
        for start in sorted({0, count // 2, max(count - 1, 0)}):
            groups, there, plans = [], 0, []
            for group in range(start, count):
                groups.append(group)
                plans.append(self._plan(group))
                there += max(self._metadata.row_group(group).num_rows, 0)
                if there >= rows or len(groups) >= _SAMPLE_GROUPS:
                    break
            if not groups or any(plan.refused for plan in plans):
                continue
            opened = self._opened(next((plan for plan in plans if plan.dictionaries), plans[0]))
            size = min(rows, *(plan.rows for plan in plans))
            try:
                batches = opened.iter_batches(size, row_groups=groups, columns=self._wanted, use_threads=False)
                batch = next(iter(batches), None)
                if batch is None:
                    continue
                columns = {path: values_of(kind, column_at(batch, path)) for path, kind in self._chosen.items()}
            except READ_ERRORS:
                continue
            found += [
                _record({path: column[number] for path, column in columns.items()}) for number in range(batch.num_rows)
            ]
        return found


def _record(values: Mapping[Path, Any]) -> dict[str, Any]:
    """A row as an object, from the values at some paths. A value that cannot be read is left out."""
    record: dict[str, Any] = {}
    for path, value in values.items():
        place = record
        for name in path[:-1]:
            inner = place.setdefault(name, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[path[-1]] = None if isinstance(value, BrokenValue) else value
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How a row group is read."""

    rows: int = 1
    """Rows that are read at a time."""
    dictionaries: bool = False
    """Whether texts are read as numbers of dictionary entries, because a few entries may become very much text."""
    refused: str = ""
    """Why the group is not read; "" if it is read."""


def _cuts(weight: Ints, limit: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of runs of rows of about :data:`BLOCK_BYTES` bytes. A row above the limit is a run of its own."""
    n = len(weight)
    if not n:
        return
    total = np.cumsum(weight)
    if total[-1] <= min(BLOCK_BYTES, limit):
        yield 0, n
        return
    alone = np.flatnonzero(weight > limit).tolist()
    alone.append(n)
    start = 0
    for border in alone:
        while start < border:
            before = int(total[start - 1]) if start else 0
            stop = int(np.searchsorted(total, before + BLOCK_BYTES, side="right"))
            stop = min(max(stop, start + 1), border)
            yield start, stop
            start = stop
        if border < n:
            yield border, border + 1
            start = border + 1


def read_parquet(
    file: BinaryIO, *, shapes: Shapes, settings: Settings, batch_rows: int, rejects: Rejects, expansion: Expansion
) -> Iterator[Block]:
    """Blocks of at most ``batch_rows`` rows. The line of a row is its number, from 1.

    If a group cannot be read, each of its rows is a reject that names all lost rows, and other groups are read. Rows
    that the file counts and that are in no group are rejects without a line. A damaged file can claim any number of
    rows, so at most as many lost rows are counted as it has bytes, or a million. A row with more than
    ``max_line_bytes`` in the columns that are read is a reject.

    Args:
        file: the file.
        shapes: how rows are read; decided here.
        settings: ``max_line_bytes`` and ``max_expansion`` count.
        batch_rows: most rows of a block.
        rejects: takes the rows that cannot be read.
        expansion: how large the content may be.

    Raises:
        ColumnsError: no column for account or prompt.
    """
    import pyarrow.parquet as pq

    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        parquet = pq.ParquetFile(file)
        schema = parquet.schema_arrow
    except READ_ERRORS as error:
        rejects.add(None, None, f"the Parquet file cannot be opened: {_first_line(error)}")
        yield Block([], None)
        return
    believed = max(size, _BELIEVED)
    opened = _Opened(file=file, parquet=parquet, chunks=chunks_of(file, most=size))

    def reader(chosen: Mapping[Path, str]) -> _Reader:
        return _Reader(opened, shapes, chosen, settings, batch_rows, rejects, expansion, believed)

    tops: dict[Path, str] = {
        (name,): _kind_of(schema.field(name).type)
        for name in dict.fromkeys(schema.names)
        if schema.names.count(name) == 1
    }
    sampled = reader({path: tops[path] for path in _worth_a_look(tops, schema, shapes)})
    records = sampled.sample(_SAMPLE_ROWS)
    missing = [name for name, *_ in tops if not records or name not in records[0]]
    records = [record | dict.fromkeys(missing) for record in records] or [dict.fromkeys(missing)]
    shapes.decide(records, schema.names)
    yield from reader(_chosen(shapes, schema, tops)).blocks()


def _worth_a_look(tops: Mapping[Path, str], schema: Any, shapes: Shapes) -> list[Path]:
    """The columns over whose values the layout is chosen."""
    found = [path for path in tops if shapes.may_matter(path[0])]
    for path, _ in _leaves(schema):
        if path[:1] in tops and path[:1] not in found and shapes.may_matter(".".join(path)):
            found.append(path[:1])
    return found[:_MOST_COLUMNS]


def _kind_of(kind: Any) -> str:
    """The field for which values of a type are converted."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return "timestamp" if types.is_timestamp(kind) or types.is_date(kind) or types.is_decimal(kind) else "prompt"


def _chosen(shapes: Shapes, schema: Any, tops: Mapping[Path, str]) -> dict[Path, str]:
    """Path of each column that the layouts need -> the field that its values are converted for."""
    types = dict(_leaves(schema))
    found: dict[Path, str] = {}
    for name, path in shapes.paths():
        whole = ".".join(path)
        fitting = [one for one in types if whole == ".".join(one) or whole.startswith(".".join(one) + ".")]
        column = path if path in fitting else max(fitting, key=len, default=None)
        if column is not None and column[:1] in tops:
            found.setdefault(column, name)
        elif column is None:
            found.update((top, tops[top]) for top in tops if leads_to(top[0], path))
    # A column is read as a whole if a part of it and the whole are wanted.
    return {path: name for path, name in found.items() if not any(path[:n] in found for n in range(1, len(path)))}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return ascii(lines[0][:200])[1:-1] if lines else type(error).__name__


def _leaves(schema: Any, prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    for inner in schema:
        path = (*prefix, inner.name)
        yield path, inner.type
        if pa.types.is_struct(inner.type) and len(path) < _DEEPEST:
            yield from _leaves(inner.type, path)
