"""What a caller gives to a scan: names of dumps, tables and rows in memory, besides batches and prompts.

A table or a list of rows goes through the reader of files, so that columns are recognised, mapped and converted, and
bad rows are rejected, as in a dump on a disk. It is written to a temporary file without a name first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import date, datetime, time
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TypeAlias

from harvestdetect.data import Batch, Prompt
from harvestdetect.dump.file import read_file
from harvestdetect.dump.reader import Dumps, read_dumps
from harvestdetect.dump.storage.limits import Budget, Expansion
from harvestdetect.dump.storage.sources import MEMORY, cannot_copy, temporary_file
from harvestdetect.dump.storage.streams import Stored
from harvestdetect.dump.storage.units import Unit
from harvestdetect.dump.values.pseudonyms import Pseudonyms
from harvestdetect.errors import InputError, UsageError
from harvestdetect.settings import Settings

__all__ = ["ROWS", "TABLE", "Given", "Table", "given", "is_table"]


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
    if is_table(source):
        return _closed_at_end(_table_batches(source, settings))
    if isinstance(source, Dumps):
        return source
    if isinstance(source, Mapping | bytes) or not isinstance(source, Iterable):
        raise UsageError(
            f"a scan takes paths, a table, rows, batches or prompts, got {type(source).__name__}; "
            "give a list of dicts, or a table such as pyarrow.table(...)"
        )
    items = iter(source)
    first = next(items, None)
    if isinstance(first, str | Path):
        return read_dumps([first, *items], settings=settings)
    if isinstance(first, Mapping):
        return _closed_at_end(_row_batches(chain([first], items), settings))
    if first is None or isinstance(first, Batch | Prompt):
        # What was given is returned where nothing was taken from it, so that its type is kept.
        return source if items is not source else chain([] if first is None else [first], items)
    raise UsageError(
        f"a scan takes paths, a table, rows (dicts), batches or prompts, got an iterable of {type(first).__name__}"
    )


def is_table(source: object) -> bool:
    """Whether a value is a table that Arrow can read."""
    return hasattr(source, "__arrow_c_stream__")


def _table_batches(source: Any, settings: Settings) -> Iterator[Batch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from harvestdetect.dump.formats.columnar import plain_schema

    try:
        reader = pa.RecordBatchReader.from_stream(source)
        schema = plain_schema(reader.schema)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise InputError(
            f"the table cannot be read: {_first_line(error)}; convert its columns, or name others"
        ) from None
    with temporary_file(TABLE) as copy:
        try:
            with pq.ParquetWriter(copy, schema, compression="lz4") as writer:
                for batch in reader:
                    columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
                    whole = pa.RecordBatch.from_arrays(columns, schema=schema)
                    writer.write_batch(whole, row_group_size=GROUP_ROWS)
        except (pa.ArrowException, ValueError, NotImplementedError) as error:
            raise InputError(f"the table cannot be read: {_first_line(error)}; convert the column to text") from None
        except OSError as error:
            raise cannot_copy(TABLE, error) from None
        yield from _batches(copy, TABLE, settings.replace(format="parquet"))


def _row_batches(rows: Iterable[Any], settings: Settings) -> Iterator[Batch]:
    import msgspec

    encoder = msgspec.json.Encoder(enc_hook=_plain)
    with temporary_file(ROWS) as copy:
        lines: list[bytes] = []
        try:
            for number, row in enumerate(rows, 1):
                if not isinstance(row, Mapping):
                    raise UsageError(f"row {number:,} must be a dict like the first, got {type(row).__name__}")
                lines.append(_line(row, encoder, number))
                if len(lines) >= WRITTEN:
                    copy.write(b"\n".join([*lines, b""]))
                    lines.clear()
            copy.write(b"\n".join([*lines, b""]))
        except OSError as error:
            raise cannot_copy(ROWS, error) from None
        yield from _batches(copy, ROWS, settings.replace(format="jsonl"))


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
    yield from batches if settings.pseudonyms is None else Pseudonyms.of_file(settings.pseudonyms).batches(batches)


def _closed_at_end(batches: Iterator[Batch]) -> Iterator[Batch]:
    with closing(batches):  # type: ignore[type-var]
        yield from batches


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return ascii(lines[0][:200])[1:-1] if lines else type(error).__name__
