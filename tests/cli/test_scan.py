"""The command scan, from arguments to files, standard output, standard error and exit codes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import harvestdetect.detection
from harvestdetect.data import MAP_COLUMNS, PROMPT_COLUMNS, TIERS
from harvestdetect.report import OUTPUT_NAMES, detection_from_json, detection_json
from tests.cli.support import ANSI, GOOD, Run, did_its_work, jsonl, lines, zstd
from tests.conftest import PROMPTS, Scanned
from tests.report.making import make_detection, make_finding

pytestmark = pytest.mark.usefixtures("loaded_once")


def test_a_scan_prints_the_table_and_writes_the_contract(scanned: Scanned) -> None:
    done = scanned.done
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("note: ") for line in done.stderr.splitlines())
    assert done.stdout.splitlines()[0].startswith("tier")
    assert re.search(rf"read\s+{PROMPTS:,}\s+prompts", done.stdout)
    assert done.stdout.splitlines()[-1] == str(scanned.out / "report.html")
    assert ANSI not in done.stdout + done.stderr

    assert {file.name for file in scanned.out.iterdir()} == set(OUTPUT_NAMES)
    findings = lines(scanned.out / "campaigns.jsonl")
    assert findings
    assert [f["tier"] for f in findings] == sorted((f["tier"] for f in findings), key=TIERS.index)
    for finding in findings:
        assert list(finding) == [
            *("campaign_id", "tier", "title", "score", "q_value", "summary", "accounts", "prompts", "first_seen"),
            *("last_seen", "templates", "evidence", "benign_explanations", "capability_targets", "families"),
            *("orgs", "days", "ways", "shared_values", "changes", "probability", "ledger"),
        ]
        assert finding["campaign_id"] in done.stdout
        assert finding["first_seen"] <= finding["last_seen"]

    text = (scanned.out / "accounts.csv").read_text(encoding="utf-8")
    accounts = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(accounts[0]) == [
        *("account", "campaign_id", "tier", "membership", "harvest_share", "prompts", "harvest_prompts"),
        *("first_seen", "last_seen", "recommended", "reasons", "priority"),
    ]
    assert len(accounts) == sum(f["accounts"] for f in findings)
    assert {row["recommended"] for row in accounts} <= {"true", "false"}

    plane = pq.read_table(scanned.out / "map.parquet")
    assert plane.schema.equals(MAP_COLUMNS)
    assert {f["campaign_id"] for f in findings} == set(plane["campaign_id"].to_pylist()) - {None}
    assert set(plane.filter(pc.is_valid(plane["campaign_id"]))["account"].to_pylist()) <= {
        a["account"] for a in accounts
    }
    assert "Map of the prompts" in (scanned.out / "report.html").read_text(encoding="utf-8")

    prompts = pq.read_table(scanned.out / "prompts.parquet")
    assert prompts.schema.names == PROMPT_COLUMNS.names
    assert prompts.num_rows == sum(f["prompts"] for f in findings)
    rows = scanned.rows()
    for hit in prompts.slice(0, 50).to_pylist():
        assert Path(hit["file"]).parent == scanned.dump
        assert rows[hit["line"] - 1]["account"] == hit["account"]

    assert (scanned.out / "rejects.jsonl").read_text() == ""
    ran = json.loads((scanned.out / "run.json").read_text(encoding="utf-8"))
    assert list(ran) == [
        *("counts", "findings", "expected_false", "what_if", "ledger", "calibration", "memory"),
        *("rejects_by_reason", "preambles", "files"),
        *("settings", "models", "versions", "stages", "notes", "warnings"),
    ]
    assert (ran["counts"]["prompts"], ran["counts"]["rejects"]) == (PROMPTS, 0)
    assert ran["settings"]["encoder"] == "fast"
    assert all(re.fullmatch("[0-9a-f]{64}", file["sha256"]) for file in ran["files"])
    assert all(cost["seconds"] >= 0 and cost["peak_memory_mb"] > 0 for cost in ran["stages"])
    assert "<!doctype html>" in (scanned.out / "report.html").read_text(encoding="utf-8").lower()


def test_evaluate_scores_the_scan(run: Run, scanned: Scanned) -> None:
    done = run("evaluate", scanned.out, scanned.truth)
    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith("campaign recall")
    scores = json.loads(run("evaluate", scanned.out, scanned.truth, "--format", "json").out)
    assert scores["tiers"] == ["urgent", "review"]
    assert scores["campaigns"] == len([g for g in lines(scanned.truth) if g["kind"] == "campaign"])
    assert scores["campaign_recall"] >= 0.5
    assert scores["alarms_urgent"] == 0
    strict = json.loads(run("evaluate", scanned.out, scanned.truth, "--format", "json", "--tier", "urgent").out)
    assert strict["tiers"] == ["urgent"]
    assert strict["alarms"] <= scores["alarms"]
    assert "no such" in run("evaluate", scanned.dump, scanned.truth).error.lower()
    assert run("evaluate", scanned.out, scanned.dump).code == 1


def as_csv(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """One file; messages as JSON in the prompt's cell."""
    with (folder / "dump.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "prompt": flat(row["prompt"])})


def as_parquet(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Two files, with times as timestamps."""
    for number, part in enumerate((rows[:1_000], rows[1_000:])):
        table = pa.Table.from_pylist([{**row, "prompt": flat(row["prompt"])} for row in part])
        stamps = table.column("timestamp").cast(pa.timestamp("us", "UTC"))
        table = table.set_column(table.schema.get_field_index("timestamp"), "timestamp", stamps)
        pq.write_table(table, folder / f"dump-{number}.parquet", row_group_size=700)


def as_many_files(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Three files of different kinds, one in a folder below; other column names, times as milliseconds."""
    (folder / "below").mkdir()
    ways: list[tuple[str, Callable[[bytes], bytes]]] = [
        ("c.jsonl", bytes),
        ("below/a.ndjson.gz", gzip.compress),
        ("b.jsonl.zst", zstd),
    ]
    for number, (name, pack) in enumerate(ways):
        data = b""
        for row in rows[number::3]:
            renamed = {**row, "user_id": row["account"], "created": milliseconds(row["timestamp"])}
            renamed["body"] = {"messages": row["prompt"]}
            for gone in ("account", "timestamp", "prompt"):
                del renamed[gone]
            data += json.dumps(renamed).encode() + b"\n"
        (folder / name).write_bytes(pack(data))


def flat(prompt: object) -> str:
    return prompt if isinstance(prompt, str) else json.dumps(prompt)


def milliseconds(stamp: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(stamp).timestamp() * 1_000)


@pytest.mark.parametrize("write", [as_csv, as_parquet, as_many_files])
def test_findings_depend_on_the_rows_alone(
    run: Run, scanned: Scanned, tmp_path: Path, write: Callable[[Sequence[Mapping[str, Any]], Path], None]
) -> None:
    rows = scanned.rows()
    random.Random(7).shuffle(rows)
    dump = tmp_path / "dump"
    dump.mkdir()
    write(rows, dump)
    done = run("scan", dump, "--out", tmp_path / "out", "-q")
    assert done.code == 0
    assert done.err == ""
    for name in ("campaigns.jsonl", "accounts.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (scanned.out / name).read_bytes(), name
    hits = pq.read_table(tmp_path / "out" / "prompts.parquet").drop_columns(["file", "line"])
    expected = pq.read_table(scanned.out / "prompts.parquet").drop_columns(["file", "line"])
    order = [(name, "ascending") for name in expected.column_names]
    assert hits.sort_by(order).equals(expected.sort_by(order))


def test_json_and_fail_on(run: Run, scanned: Scanned, tmp_path: Path) -> None:
    metrics = tmp_path.with_name("scan.prom")
    done = run(
        "scan", scanned.dump, "--out", tmp_path, "--format", "json", "--fail-on", "watch", "--metrics", metrics
    )  # fmt: skip
    assert done.code == 3
    assert did_its_work(metrics, 3)
    detection = detection_from_json(done.out)
    assert detection_json(detection) + "\n" == done.out
    assert [f.campaign_id for f in detection.findings] == [
        f["campaign_id"] for f in lines(scanned.out / "campaigns.jsonl")
    ]
    assert {file.name for file in tmp_path.iterdir()} == set(OUTPUT_NAMES)


@pytest.mark.parametrize(
    ("tiers", "fail_on", "code"),
    [
        ([], "watch", 0),
        (["watch"], "watch", 3),
        (["watch"], "review", 0),
        (["watch", "review"], "review", 3),
        (["review"], "urgent", 0),
        (["urgent"], "urgent", 3),
        (["urgent"], None, 0),
    ],
)
def test_fail_on_means_at_or_above(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiers: list[Any],
    fail_on: str | None,
    code: int,
) -> None:
    found = make_detection(*(make_finding(f"c-{i}", tier=tier) for i, tier in enumerate(tiers)))
    monkeypatch.setattr(harvestdetect.detection, "detect", lambda *_, **__: found)
    options = [] if fail_on is None else ["--fail-on", fail_on]
    done = run("scan", jsonl(tmp_path / "dump.jsonl", [GOOD]), "--out", tmp_path / "out", *options)
    assert done.code == code
    assert (tmp_path / "out" / "report.html").exists()


def test_the_map_can_be_left_out_and_the_rate_is_an_option(tmp_path: Path, run: Run) -> None:
    dump = jsonl(tmp_path / "dump.jsonl", [{**GOOD, "account": f"user-{i}", "prompt": f"poem {i}"} for i in range(30)])
    assert run("scan", dump, "--out", tmp_path / "with", "--fdr", "0.05").code == 0
    assert run("scan", dump, "--out", tmp_path / "without", "--no-map").code == 0
    assert pq.read_table(tmp_path / "with" / "map.parquet").num_rows == 30
    assert pq.read_table(tmp_path / "without" / "map.parquet").num_rows == 0
    told = [json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8")) for name in ("with", "without")]
    assert [(one["settings"]["fdr"], one["settings"]["make_map"]) for one in told] == [(0.05, True), (0.2, False)]
    assert "map" not in [stage["stage"] for stage in told[1]["stages"]]
    assert run("scan", dump, "--out", tmp_path / "with", "--fdr", "2").code == 2
