"""What the tests of the commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

GOOD = {"account": "a", "timestamp": "2026-06-01T10:00:00Z", "prompt": "write a poem about the sea"}
COMMAND = [sys.executable, "-m", "harvestdetect"]
ANSI = "\x1b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what went wrong."""
        lines = [line for line in self.err.splitlines() if not line.startswith(("note: ", "warning: "))]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        assert lines[0].startswith("harvestdetect: ")
        return lines[0]


Run = Callable[..., Done]


def jsonl(file: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def did_its_work(metrics: Path, code: int) -> bool:
    """Whether a run's metrics tell its exit code, and of a success."""
    told = dict(line.rsplit(" ", 1) for line in metrics.read_text().splitlines() if not line.startswith("#"))
    assert float(told["harvestdetect_last_run_exit_code"]) == code
    return float(told["harvestdetect_last_success_timestamp_seconds"]) > 0


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())
