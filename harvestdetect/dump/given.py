"""What a caller gives to a scan: names of dumps, tables and rows in memory, besides batches and prompts.

A table or a list of rows goes through the reader of files, so that columns are recognised, mapped and converted, and
bad rows are rejected, as in a dump on a disk. It is written to a temporary file without a name first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import date, datetime, time
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TypeAlias

from harvestdetect.arguments import is_table, shown, wrong
from harvestdetect.data import Batch, Prompt
from harvestdetect.dump.columns.names import check_mapping
from harvestdetect.dump.file import read_file
from harvestdetect.dump.reader import Dumps, read_dumps
from harvestdetect.dump.storage.limits import Budget, Expansion
from harvestdetect.dump.storage.sources import MEMORY, cannot_copy, temporary_file
from harvestdetect.dump.storage.streams import Stored
from harvestdetect.dump.storage.units import Unit
from harvestdetect.dump.values.pseudonyms import Pseudonyms
from harvestdetect.errors import ColumnsError, InputError, UsageError
from harvestdetect.settings import Settings

__all__ = ["ROWS", "TABLE", "Given", "Table", "given"]


class Table(Protocol):
    """A table that Arrow can read through its PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The rows as a stream of Arrow."""


Given: TypeAlias = str | Path | Iterable[str] | Iterable[Path] | Iterable[Mapping[str, Any]] | Table
"""What a caller may give besides batches and prompts, see :func:`given`."""
TABLE: Final = f"{MEMORY}table"
"""Name of the file in rejects, for a table."""
ROWS: Final = f"{MEMORY}rows"
"""Name of the file in rejects, for rows."""
BATCH_ROWS: Final = 20_000
"""Most rows of a batch."""
GROUP_ROWS: Final = 50_000
"""Most rows of a row group of the temporary file."""
WRITTEN: Final = 1_000
"""Rows that are written at a time."""
_WANTED: Final = "paths, a table, rows (dicts), batches or prompts"
"""What a scan takes, in words."""
_FLAG: Final = re.compile(r"--map (\w+)=COLUMN(?:, or take it from the path.*)?")
"""The advice on a column that is missing, for users of the command line."""
_MAPPED: Final = r'Settings(mapping={"\1": "COLUMN"})'
"""The same for users of Python."""
_NONE: Final = object()
"""In place of the first item of nothing."""


def given(source: Any, settings: Settings) -> Any:
    """Turns what a caller gives into something that a scan reads.

    Args:
        source: one of

            * the path of a dump, or a list of paths, globs and folders, as for :func:`read_dumps`;
            * an Arrow table, or a table with ``__arrow_c_stream__``, such as a DataFrame of pandas or polars;
            * an iterable of rows, each a mapping of column names to values, such as a list of dicts;
            * an iterable of batches or of prompts.
        settings: of the scan. Columns are recognised or mapped as in files.

    Returns:
        Batches for the first three. Batches and prompts are returned as they are.

    Raises:
        ColumnsError: a table or the rows have no column for the account or the prompt; the message names the columns.
        InputError: a path cannot be read, or a table has a type that cannot be read.
        UsageError: the source is none of these.
    """
    if isinstance(source, str | Path):
        return read_dumps([source], settings=settings)
    check_mapping(settings.mapping)
    if is_table(source):
        return _closed_at_end(_table_batches(source, settings))
    if isinstance(source, Dumps):
        return source
    if isinstance(source, Mapping | bytes | type) or not isinstance(source, Iterable):
        raise wrong("source", _WANTED, source, _advice(source))
    items = iter(source)
    first: Any = next(items, _NONE)
    if isinstance(first, str | Path):
        return read_dumps([first, *items], settings=settings)
    if isinstance(first, Mapping):
        return _closed_at_end(_row_batches(chain([first], items), settings))
    if first is _NONE or isinstance(first, Batch | Prompt):
        # What was given is returned where nothing was taken from it, so that its type is kept.
        return source if items is not source else chain([] if first is _NONE else [first], items)
    raise wrong("source", _WANTED, source, f"its first item is {shown(first)}; {_advice_on_item(first)}")


def _advice(source: Any) -> str:
    """What to give in place of a single value."""
    if isinstance(source, Prompt):
        return "give a list of prompts"
    if isinstance(source, Mapping):
        return "give a list of dicts, one for each request, or a table such as pyarrow.table(...)"
    if type(source).__name__ == "LazyFrame":
        return "give source.collect()"
    if hasattr(source, "to_table"):
        return "give source.to_table()"
    return "give a list of dicts, or a table such as pyarrow.table(...)"


def _advice_on_item(item: Any) -> str:
    """What to give in place of items of another type."""
    if is_table(item):
        return "give one table, such as pandas.concat(frames) or pyarrow.concat_tables(tables)"
    return "give a list of dicts, or a table such as pyarrow.table(...)"


def _table_batches(source: Any, settings: Settings) -> Iterator[Batch]:
    """The batches of a table. One of pandas that Arrow cannot take, because a column mixes types, is read by rows."""
    import pyarrow as pa

    from harvestdetect.dump.formats.columnar import plain_schema

    columns = getattr(source, "columns", None)
    levels = getattr(columns, "nlevels", 1)
    if levels > 1:
        raise InputError(
            f"the columns of the table have {levels} levels; make one of them, such as "
            'frame.columns = [".".join(map(str, names)) for names in frame.columns]'
        )
    _check_names([] if columns is None or not hasattr(source, "iloc") else list(columns))
    try:
        reader = pa.RecordBatchReader.from_stream(source)
        schema = plain_schema(reader.schema)
    except (pa.ArrowException, ValueError, TypeError) as error:
        if hasattr(source, "iloc") and columns is not None:
            yield from _row_batches(_records(source), settings, TABLE)
            return
        if "non-struct type" in str(error):
            raise InputError(
                f"source must be a table with columns for the account and the prompt, got {shown(source)}, which is "
                "one column; give the whole table"
            ) from None
        raise InputError(
            f"the table cannot be read: {_first_line(error)}; convert its columns, or name others"
        ) from None
    _check_names(schema.names)
    yield from _arrow_batches(reader, schema, settings)


def _check_names(names: list[Any]) -> None:
    """Checks that no two columns of a table have one name.

    Raises:
        InputError: two have.
    """
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InputError(f"the table has two columns named {ascii(name)[:60]}; rename or drop one of them")


def _records(frame: Any) -> Iterator[Mapping[Any, Any]]:
    """The rows of a DataFrame of pandas, with the levels of the index that have names."""
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    whole = frame.reset_index(level=named) if named else frame
    for start in range(0, len(whole), WRITTEN):
        yield from whole.iloc[start : start + WRITTEN].to_dict("records")


def _arrow_batches(reader: Any, schema: Any, settings: Settings) -> Iterator[Batch]:
    """The batches of a stream of Arrow, through a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with temporary_file(TABLE) as copy:
        try:
            with pq.ParquetWriter(copy, schema, compression="lz4") as writer:
                for batch in reader:
                    columns = [_cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
                    whole = pa.RecordBatch.from_arrays(columns, schema=schema)
                    writer.write_batch(whole, row_group_size=GROUP_ROWS)
        except (pa.ArrowException, ValueError, NotImplementedError) as error:
            raise InputError(
                f"the table cannot be read{_where(schema)}: {_first_line(error)}; convert the column to text"
            ) from None
        except OSError as error:
            raise cannot_copy(TABLE, error) from None
        yield from _batches(copy, TABLE, settings.replace(format="parquet"))


def _cast(column: Any, kind: Any) -> Any:
    """A column with a type that Parquet has."""
    import pyarrow as pa

    if isinstance(column, pa.DictionaryArray):
        return column.dictionary.cast(kind).take(column.indices)
    return column.cast(kind)


def _where(schema: Any) -> str:
    """The column whose type Parquet does not have, in words; empty if there is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for field in schema:
        try:
            pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([field])).close()
        except (pa.ArrowException, ValueError, NotImplementedError):
            return f", because of its column {ascii(field.name)[:60]}"
    return ""


def _row_batches(rows: Iterable[Any], settings: Settings, name: str = ROWS) -> Iterator[Batch]:
    import msgspec

    encoder = msgspec.json.Encoder(enc_hook=_plain)
    with temporary_file(name) as copy:
        lines: list[bytes] = []
        try:
            for number, row in enumerate(rows, 1):
                if not isinstance(row, Mapping):
                    raise UsageError(
                        f"row {number:,} must be a dict like the first, got {shown(row)}; give rows alone, or prompts "
                        "alone"
                    )
                lines.append(_line(row, encoder, number))
                if len(lines) >= WRITTEN:
                    copy.write(b"\n".join([*lines, b""]))
                    lines.clear()
            copy.write(b"\n".join([*lines, b""]))
        except OSError as error:
            raise cannot_copy(name, error) from None
        yield from _batches(copy, name, settings.replace(format="jsonl"))


def _line(row: Mapping[Any, Any], encoder: Any, number: int) -> bytes:
    """A row as a line of JSON."""
    plain = {str(name): _text(value) if isinstance(value, str | bytes) else value for name, value in row.items()}
    try:
        return bytes(encoder.encode(plain))
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # which value it is takes longer to find out
    for name, value in plain.items():
        try:
            plain[name] = value if isinstance(value, str) else _cleaned(value)
            encoder.encode(plain[name])
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise UsageError(
                f"row {number:,}: the value of {name!a} cannot be read ({_first_line(error)}); give text, numbers, "
                "times, lists or dicts"
            ) from None
    try:
        return bytes(encoder.encode(plain))
    except (TypeError, ValueError) as error:
        raise UsageError(f"row {number:,} cannot be read: {_first_line(error)}") from None


def _text(value: str | bytes) -> str:
    """A text without lone surrogates, which UTF-8 does not have."""
    return str(value, "utf-8", "replace") if isinstance(value, bytes) else value.encode("utf-8", "replace").decode()


def _cleaned(value: Any) -> Any:
    """A value in which all texts are UTF-8."""
    if isinstance(value, str | bytes):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(str(name)): _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return value


def _plain(value: Any) -> Any:
    """A value that JSON has, of one that it has not."""
    if isinstance(value, datetime | date | time):
        return None if value != value else value.isoformat()  # pandas has a time that equals nothing, not even itself
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): inner for name, inner in value.items()}
    if hasattr(value, "tolist"):  # numbers and arrays of numpy
        return value.tolist()
    if type(value).__name__ == "NAType":  # what pandas has for a missing value
        return None
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def _batches(copy: BinaryIO, name: str, settings: Settings) -> Iterator[Batch]:
    """The batches of a temporary file."""
    copy.flush()
    size = copy.tell()
    copy.seek(0)
    expansion = Expansion(Budget(settings.max_expansion), stored=lambda: size)
    unit = Unit(name=name, stored=Stored(copy, name=name))
    batches = read_file(unit, 0, settings, BATCH_ROWS, expansion)
    try:
        yield from batches if settings.pseudonyms is None else Pseudonyms.of_file(settings.pseudonyms).batches(batches)
    except ColumnsError as error:
        raise ColumnsError(_FLAG.sub(_MAPPED, str(error))) from None


def _closed_at_end(batches: Iterator[Batch]) -> Iterator[Batch]:
    with closing(batches):  # type: ignore[type-var]
        yield from batches


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return ascii(lines[0][:200])[1:-1] if lines else type(error).__name__
