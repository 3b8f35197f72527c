"""Helpers of the tests that read dumps."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from harvestdetect.data import Batch, Reject, SourceFile
from harvestdetect.dump import Dumps, read_dumps

Row = dict[str, Any]


def rows_of(count: int, *, start: int = 0) -> list[Row]:
    """Requests of ten accounts."""
    return [
        {"account": f"u{i % 10}", "timestamp": 1_750_000_000 + i, "prompt": f"What is the {i}th word?"}
        for i in range(start, start + count)
    ]


def lines(rows: Iterable[Row]) -> bytes:
    """Rows as JSON Lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


class Found:
    """What was read of some sources."""

    def __init__(self, *sources: str | Path, **options: Any) -> None:
        self.dumps: Dumps = read_dumps(sources, **options)
        self.batches: list[Batch] = list(self.dumps)
        for batch in self.batches:
            batch.prompts.validate(full=True)

    @cached_property
    def rows(self) -> list[Row]:
        """The prompts."""
        return [row for batch in self.batches for row in batch.prompts.to_pylist()]

    @property
    def texts(self) -> list[str]:
        """The first message of each prompt."""
        return [row["parts"][0] for row in self.rows]

    @property
    def rejects(self) -> list[Reject]:
        """The rejects."""
        return [reject for batch in self.batches for reject in batch.rejects]

    @property
    def reasons(self) -> dict[str, str]:
        """Name of the file or member -> reason of its last reject."""
        return {reject.file.rsplit("/", 1)[-1]: reject.reason for reject in self.rejects}

    @property
    def files(self) -> list[SourceFile]:
        """The files."""
        return [file for batch in self.batches for file in batch.files]

    @property
    def container(self) -> str:
        """What the records of the only file are in."""
        (file,) = self.files
        assert file.reading is not None
        return file.reading.container


def tar(members: Mapping[str, bytes], *, mode: str = "w", **options: Any) -> bytes:
    """A tar archive."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode, **options) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return made.getvalue()


def zipped(members: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def packed(data: bytes, kind: str) -> bytes:
    """Data compressed by Arrow: ``zstd`` or ``lz4``."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, kind) as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())
