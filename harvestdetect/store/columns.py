"""The one file format: arrays as columns of a Parquet file whose every byte is checked when it is read.

Columns have a fixed width and no nulls, no compression and no dictionary: writing and reading copies memory. Numbers
of four and eight bytes are Parquet numbers; rows of a matrix, digests and small numbers are byte strings of fixed
length. What each column is, and which artifact it belongs to, is JSON in the metadata of the file.

Parquet has a checksum for every page and none for the footer. So the size of the file and a digest of its footer are
kept in the manifest (:class:`Part`) and compared first.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any, Final

import numpy as np

from harvestdetect.store.trust import verified
from harvestdetect.util.arrays import AnyArray

__all__ = ["Part", "check_columns", "part_of", "read_columns", "read_label", "write_columns"]

_LABEL: Final = b"harvestdetect"
"""Key of our label in the metadata of a file."""
_ROWS: Final = 1 << 16
"""Rows per row group. One row group is in memory in addition to the column that is read."""
_TAIL: Final = 8
"""Number of bytes behind the footer: its length in four bytes, and ``PAR1``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One Parquet file of an artifact, as the manifest records it."""

    size: int
    """Size of the file, in bytes."""
    footer: str
    """SHA-256 of the footer and the bytes behind it, as hex."""


# ---------------------------------------------------------------- writing


def write_columns(stream: BufferedWriter, arrays: Mapping[str, AnyArray], label: Mapping[str, Any]) -> None:
    """Writes arrays of one length as a Parquet file.

    Args:
        stream: an empty file.
        arrays: by name, each ``[n]`` or ``[n, width]``, of any type of fixed width. One without a byte may have
            another length.
        label: what else the metadata says, as JSON.

    Raises:
        OSError, ArrowException: it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    layout = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    columns = {name: _arrow(array) for name, array in arrays.items() if not _is_without_bytes(array)}
    schema = pa.schema(
        [pa.field(name, column.type, nullable=False) for name, column in columns.items()],
        metadata={_LABEL: json.dumps({**label, "arrays": layout})},
    )
    pq.write_table(
        pa.Table.from_arrays(list(columns.values()), schema=schema),
        stream,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
        row_group_size=_ROWS,
    )


def _is_without_bytes(array: AnyArray) -> bool:
    return array.ndim > 1 and not array.shape[1]


def _is_number(kind: np.dtype[Any], dimensions: int) -> bool:
    """Whether an array is stored as numbers, not as byte strings."""
    return dimensions == 1 and kind.kind in "iuf" and kind.itemsize >= 4


def _arrow(array: AnyArray) -> Any:
    import pyarrow as pa

    plain = np.ascontiguousarray(array)
    if _is_number(plain.dtype, plain.ndim):
        return pa.array(plain)
    width = plain.dtype.itemsize * (plain.shape[1] if plain.ndim > 1 else 1)
    buffer = pa.py_buffer(plain.reshape(-1).view(np.uint8))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(plain), [None, buffer])


def part_of(path: Path) -> Part:
    """What the manifest is to record of a file that was just written, or that is to be trusted from now on.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no Parquet file.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        stream.seek(max(size - _TAIL, 0))
        tail = stream.read(_TAIL)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != b"PAR1" or length > size - _TAIL:
            raise ValueError("it does not end as a Parquet file does")
        stream.seek(size - _TAIL - length)
        return Part(size=size, footer=hashlib.sha256(stream.read(length + _TAIL)).hexdigest())


# ---------------------------------------------------------------- reading


def read_columns(path: Path, part: Part, names: Sequence[str] | None = None) -> dict[str, AnyArray]:
    """Reads the arrays of some names that a file has; None: all arrays.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file.
        UnreadableError: it cannot be read now.
        DamagedFileError: its bytes are not those that were written.
    """

    def once() -> dict[str, AnyArray]:
        with _Opened(path, part) as file:
            wanted = [name for name in file.layout if names is None or name in names]
            return {name: file.array(name) for name in wanted}

    return verified(once, path)


def check_columns(path: Path, part: Part) -> None:
    """Reads a whole file and checks it; raises as :func:`read_columns` does."""

    def once() -> None:
        with _Opened(path, part) as file:
            for name in file.layout:
                file.array(name)

    verified(once, path)


def read_label(path: Path) -> dict[str, Any]:
    """Our label in the metadata of a file; empty if the file has none.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file.
        UnreadableError: it cannot be read now.
        DamagedFileError: it is no Parquet file.
    """
    import pyarrow.parquet as pq

    def once() -> dict[str, Any]:
        with path.open("rb") as stream:
            raw = (pq.read_schema(stream).metadata or {}).get(_LABEL)
        found = json.loads(raw) if raw else {}
        return found if isinstance(found, dict) else {}

    return verified(once, path)


class _Opened:
    """A Parquet file that is read column by column.

    Raises:
        ValueError: it is not the file that the manifest records.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, part: Part) -> None:
        import pyarrow.parquet as pq

        if part_of(path) != part:
            raise ValueError("it is not the file that was written")
        self._file = pq.ParquetFile(path, page_checksum_verification=True)
        self.layout: dict[str, Any] = json.loads(self._file.schema_arrow.metadata[_LABEL])["arrays"]

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def array(self, name: str) -> AnyArray:
        """One array; row groups go into it one by one, so that it is in memory once."""
        kind, shape = np.dtype(self.layout[name][0]), tuple(self.layout[name][1])
        out = np.empty(shape, kind)
        if not out.nbytes:
            return out
        room, done = out.reshape(-1).view(np.uint8), 0
        for group in range(self._file.num_row_groups):
            for chunk in self._file.read_row_group(group, columns=[name], use_threads=False).column(0).chunks:
                width = out.nbytes // len(out)
                data = np.frombuffer(chunk.buffers()[1], np.uint8)
                data = data[chunk.offset * width : (chunk.offset + len(chunk)) * width]
                room[done : done + len(data)] = data
                done += len(data)
        if done != out.nbytes:
            raise ValueError(f"{out.nbytes:,} bytes of {name} expected, {done:,} found")
        return out
