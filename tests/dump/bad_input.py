"""Helpers of the tests that read bad dumps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harvestdetect.data import Batch, Reject
from harvestdetect.dump import read_dumps


def read(file: Path, **options: Any) -> tuple[list[dict[str, Any]], list[Reject], list[Batch]]:
    batches = list(read_dumps([file], **options))
    for batch in batches:
        batch.prompts.validate(full=True)
    rows = [row for batch in batches for row in batch.prompts.to_pylist()]
    rejects = [reject for batch in batches for reject in batch.rejects]
    (record,) = [record for batch in batches for record in batch.files]
    assert (record.rows, record.rejects) == (len(rows), len(rejects))
    assert record.bytes == file.stat().st_size
    return rows, rejects, batches


def write(tmp_path: Path, data: bytes, name: str = "dump.jsonl") -> Path:
    (tmp_path / name).write_bytes(data)
    return tmp_path / name
