"""The command simulate."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.cli.support import Run, jsonl


def test_simulate_says_what_to_do_next(run: Run, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("".join(f"line number {i}\n" for i in range(50)))
    more = jsonl(tmp_path / "more.jsonl", [{"text": "another text"}])
    out = tmp_path / "a dump"
    done = run(
        *("simulate", "--out", out, "--prompts", "500", "--days", "3", "--seed", "4", "--campaigns", "1"),
        *("--harvest-share", "0.2", "--no-metadata", "--start", "2025-01-01", "--texts", texts, more),
    )
    assert (done.code, done.err) == (0, "")
    assert f"Next: harvestdetect scan '{out}/dump' --out '{out}/scan'" in done.out
    assert f"Then: harvestdetect evaluate '{out}/scan' '{out}/truth.jsonl'" in done.out
    with gzip.open(out / "dump" / "prompts-000.jsonl.gz", "rt") as stream:
        rows = [json.loads(line) for line in stream]
    assert len(rows) == 500
    assert all(list(row) == ["account", "timestamp", "prompt"] for row in rows)
    assert {row["timestamp"][:8] for row in rows} == {"2025-01-"}
    prompts = {row["prompt"] for row in rows if isinstance(row["prompt"], str)}
    assert {"line number 7", "another text"} <= prompts
    assert run("scan", out / "dump", "--out", out / "scan").code == 0
    assert run("evaluate", out / "scan", out / "truth.jsonl").code == 0


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--prompts", "5"], 2, "prompts must be from 100 to 1e+09, got 5"),
        (["--start", "June"], 2, "start must be a day such as 2026-06-01, got 'June'"),
        (["--texts", "nowhere.txt"], 1, "cannot read the texts in nowhere.txt: No such file"),
    ],
)
def test_simulate_with_bad_options(run: Run, tmp_path: Path, options: list[str], code: int, message: str) -> None:
    done = run("simulate", "--out", tmp_path / "out", *options)
    assert done.code == code
    assert message in done.error
    assert not (tmp_path / "out").exists()
