"""Files of columns other than Parquet: Arrow files and streams (Feather), and ORC. They are rewritten as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from harvestdetect.dump.storage.streams import BrokenStreamError

__all__ = ["plain_schema", "rewrite"]

_ROWS: Final = 20_000
"""Most rows of a row group that is written."""
_DEPTH: Final = 50
"""Most levels of nested types."""


def rewrite(file: BinaryIO, kind: str, target: BinaryIO) -> None:
    """Writes the rows of a file as Parquet, batch by batch.

    Args:
        file: at its start; it must be able to seek.
        kind: ``arrow`` or ``orc``.
        target: an empty file. Its rows are those that could be read if an error is raised.

    Raises:
        BrokenStreamError: the file is damaged, or has types that Parquet does not have.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    what = "Arrow" if kind == "arrow" else "ORC"
    writer: Any = None
    try:
        schema, batches = _arrow(file) if kind == "arrow" else _orc(file)
        schema = plain_schema(schema)
        writer = pq.ParquetWriter(target, schema, compression="lz4")
        for batch in batches:
            # Offsets of a damaged file may lead out of its buffers.
            batch.validate(full=True)
            columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema), row_group_size=_ROWS)
    except (pa.ArrowException, OSError, ValueError, MemoryError, KeyError) as error:
        reason = ascii((str(error).strip() or type(error).__name__).splitlines()[0][:150])[1:-1]
        raise BrokenStreamError(f"the {what} file cannot be read further ({reason})") from None
    finally:
        if writer is not None:
            writer.close()
        target.flush()


def plain_schema(schema: Any) -> Any:
    """A schema with types that Parquet has, and that the reader of Parquet knows.

    Raises:
        ValueError: types are nested too deeply.
    """
    import pyarrow as pa

    return pa.schema([pa.field(field.name, _plain(field.type)) for field in schema])


def _arrow(file: BinaryIO) -> tuple[Any, Iterator[Any]]:
    """Schema and batches of an Arrow file or stream."""
    import pyarrow as pa

    magic = file.read(6)
    file.seek(0)
    if magic == b"ARROW1":
        whole = pa.ipc.open_file(file)
        return whole.schema, (whole.get_batch(number) for number in range(whole.num_record_batches))
    stream = pa.ipc.open_stream(file)
    return stream.schema, iter(stream)


def _orc(file: BinaryIO) -> tuple[Any, Iterator[Any]]:
    """Schema and stripes of an ORC file."""
    from pyarrow import orc

    whole = orc.ORCFile(file)
    return whole.schema, (whole.read_stripe(number) for number in range(whole.nstripes))


def _plain(kind: Any, depth: int = 0) -> Any:
    """A type that Parquet has, and that the reader of Parquet knows."""
    import pyarrow as pa
    from pyarrow import types

    if depth > _DEPTH:
        raise ValueError("types are nested too deeply")
    if types.is_dictionary(kind):
        return _plain(kind.value_type, depth + 1)
    if types.is_run_end_encoded(kind):
        return _plain(kind.value_type, depth + 1)
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(kind.storage_type, depth + 1)
    if types.is_string_view(kind):
        return pa.string()
    if types.is_binary_view(kind):
        return pa.binary()
    return kind
