"""The commands, from arguments to files, standard output, standard error and exit codes."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import harvestdetect.pipeline
from harvestdetect import __version__
from harvestdetect.cli.main import cli, main
from harvestdetect.data import TIERS
from harvestdetect.report import OUTPUT_NAMES, csv_text, detection_from_json, detection_json
from harvestdetect.store.folder import ArtifactFolder
from tests.conftest import PROMPTS, Scanned
from tests.report.test_report import make_detection, make_finding

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
        lines = [line for line in self.err.splitlines() if not line.startswith("note: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        assert lines[0].startswith("harvestdetect: ")
        return lines[0]


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> Run:
    """Runs the command line in this process."""
    for name in [name for name in os.environ if name.startswith("HARVESTDETECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HARVESTDETECT_CACHE", environment["HARVESTDETECT_CACHE"])
    monkeypatch.setenv("HARVESTDETECT_ENCODER", "fast")

    def once(*arguments: str | Path) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Done(code=end.value.code, out=out, err=err)

    return once


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


# ---------------------------------------------------------------- the whole way


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
            *("campaign_id", "tier", "score", "q_value", "summary", "accounts", "prompts", "first_seen"),
            *("last_seen", "templates", "evidence", "benign_explanations", "capability_targets", "families"),
            *("orgs", "days", "shared_values", "changes"),
        ]
        assert finding["campaign_id"] in done.stdout
        assert finding["first_seen"] <= finding["last_seen"]

    text = (scanned.out / "accounts.csv").read_text(encoding="utf-8")
    accounts = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(accounts[0]) == [
        *("account", "campaign_id", "tier", "membership", "harvest_share", "prompts", "harvest_prompts"),
        *("first_seen", "last_seen", "recommended", "reasons"),
    ]
    assert len(accounts) == sum(f["accounts"] for f in findings)
    assert {row["recommended"] for row in accounts} <= {"true", "false"}

    prompts = pq.read_table(scanned.out / "prompts.parquet")
    assert prompts.schema.names == ["file", "line", "account", "campaign_id", "template_id", "membership"]
    assert prompts.num_rows == sum(f["prompts"] for f in findings)
    rows = scanned.rows()
    for hit in prompts.slice(0, 50).to_pylist():
        assert Path(hit["file"]).parent == scanned.dump
        assert rows[hit["line"] - 1]["account"] == hit["account"]

    assert (scanned.out / "rejects.jsonl").read_text() == ""
    ran = json.loads((scanned.out / "run.json").read_text(encoding="utf-8"))
    assert list(ran) == [
        *("counts", "findings", "expected_false", "what_if", "calibration", "memory"),
        *("rejects_by_reason", "files"),
        *("settings", "models", "versions", "stages", "notes"),
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
    monkeypatch.setattr(harvestdetect.pipeline, "detect", lambda *_, **__: found)
    options = [] if fail_on is None else ["--fail-on", fail_on]
    done = run("scan", jsonl(tmp_path / "dump.jsonl", [GOOD]), "--out", tmp_path / "out", *options)
    assert done.code == code
    assert (tmp_path / "out" / "report.html").exists()


# ---------------------------------------------------------------- help


def test_every_command_and_option_is_documented() -> None:
    assert cli.help
    assert set(cli.commands) == {
        *("scan", "calibrate", "simulate", "evaluate", "explain", "campaigns", "review", "alerts", "state", "schedule"),
        *("watch", "health"),
    }
    inner = {f"{n} {m}": c for n in ("alerts", "state", "schedule") for m, c in cli.commands[n].commands.items()}
    assert set(inner) == {
        *("alerts test", "state gc", "state verify", "state rebuild", "state forget", "schedule print"),
    }
    for name, command in {**cli.commands, **inner}.items():
        assert command.help, name
        assert command.help.strip().splitlines()[0].endswith("."), name
        for param in command.params:
            if isinstance(param, click.Option):
                assert param.help, f"{name} {param.opts}"
                assert param.help.rstrip("]").strip(), f"{name} {param.opts}"
            else:
                for shown in (param.metavar or "").strip("[].").split("|"):
                    assert shown in command.help or shown == "FILE", f"{name} {shown}"


def test_settings_of_the_command_line_are_settings() -> None:
    import dataclasses

    from harvestdetect.settings import Settings

    own = {"dumps", "out", "output", "settings_file", "no_cache", "no_registry", "fail_on", "quiet", "verbose"}
    own |= {"state", "window", "trust_clock", "metrics", "group", "baseline", "estimate"}
    known = {f.name for f in dataclasses.fields(Settings)}
    assert {p.name for p in cli.commands["scan"].params} - own - {"format_"} <= known


@pytest.mark.alone
def test_help_is_instant(environment: Mapping[str, str]) -> None:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([*COMMAND, "--help"], env=environment, capture_output=True, text=True, timeout=60)
        took.append(time.perf_counter() - start)
        assert done.returncode == 0
        assert done.stdout.startswith("Usage: harvestdetect")
    assert min(took) < 0.5
    code = "import sys, harvestdetect, harvestdetect.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    heavy = {"numpy", "pyarrow", "torch", "faiss", "scipy", "sklearn", "rich", "sentence_transformers"}
    assert not heavy & set(done.stdout.split())


def test_version_and_usage(run: Run, tmp_path: Path) -> None:
    assert run("--version").out == f"harvestdetect, version {__version__}\n"
    assert run("-h").out.startswith("Usage: harvestdetect")
    dump = jsonl(tmp_path / "dump.jsonl", [GOOD])
    for arguments, message in (
        (["scan"], "Missing argument 'DUMP...'"),
        (["scan", dump], "Missing option '--out'"),
        (["scan", dump, "--out", tmp_path / "o", "--encoder", "best"], "'best' is not one of"),
        (["scan", dump, "--out", tmp_path / "o", "--map", "prompt"], "'prompt' is not NAME=COLUMN"),
        (
            ["scan", dump, "--out", tmp_path / "o", "--map", "org=a", "--map", "org=b"],
            "'org' is mapped twice",
        ),
        (["scan", dump, "--out", tmp_path / "o", "--frobnicate"], "No such option"),
        (["scan", dump, "--out", tmp_path / "o", "--min-accounts", "ten"], "'ten' is not a valid integer"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ):
        done = run(*arguments)
        assert done.code == 2, arguments
        assert message in done.err
        assert "Usage:" in done.err
        assert done.out == ""
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--min-accounts", "1"], "min_accounts must be at least 2, got 1"),
        (["--seed", "-1"], "seed must be at least 0, got -1"),
        (["--settings", "nowhere.toml"], "cannot read the settings file nowhere.toml: No such file"),
        (["--map", "colour=x"], "--map knows no field 'colour'; known: account, timestamp, prompt, org"),
        (["--map", "org="], "--map org= needs the name of a column"),
    ],
)
def test_settings_out_of_range_end_with_2(run: Run, tmp_path: Path, options: list[str], message: str) -> None:
    done = run("scan", jsonl(tmp_path / "dump.jsonl", [GOOD]), "--out", tmp_path / "out", *options)
    assert done.code == 2
    assert message in done.error


def test_flags_go_before_environment_before_file_before_defaults(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = jsonl(tmp_path / "dump.jsonl", [{**GOOD, "who": "w", "what": "some text"}])
    file = tmp_path / "settings.toml"
    file.write_text(
        'seed = 1\nmin_accounts = 11\nk = 40\nselection = "leaf"\n[mapping]\naccount = "who"\nprompt = "prompt"\n'
    )
    monkeypatch.setenv("HARVESTDETECT_SEED", "2")
    monkeypatch.setenv("HARVESTDETECT_MIN_ACCOUNTS", "12")
    done = run(
        *("scan", dump, "--out", tmp_path / "out", "--settings", file, "--seed", "3", "--map", "prompt=what"),
        *(
            "--threads",
            "1",
            "--device",
            "cpu",
            "--no-cache",
            "--max-rejects",
            "1%",
            "--input-format",
            "jsonl",
        ),
    )
    assert done.code == 0, done.err
    settings = json.loads((tmp_path / "out" / "run.json").read_text())["settings"]
    assert (settings["seed"], settings["min_accounts"], settings["k"]) == (3, 12, 40)
    assert settings["mapping"] == {"account": "who", "prompt": "what"}
    assert (settings["selection"], settings["threads"], settings["use_cache"]) == ("leaf", 1, False)
    assert (settings["max_rejects"], settings["format"], settings["device"]) == (0.01, "jsonl", "cpu")
    monkeypatch.setenv("HARVESTDETECT_SEED", "many")
    assert "HARVESTDETECT_SEED must be a int, got 'many'" in run("scan", dump, "--out", tmp_path / "out").error


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("name", "data", "code", "message"),
    [
        ("empty.jsonl", b"", 1, "no prompt could be read, 1 reject; the first: {}: the file is empty"),
        ("empty.csv", b"", 1, "no prompt could be read, 1 reject; the first: {}: the file is empty"),
        ("header.csv", b"account,prompt\n", 1, "no prompt could be read: the dumps hold no rows"),
        ("bad.jsonl", b"{oops\n" * 3, 1, "could be read, 3 rejects; the first: {}, line 1: malformed JSON"),
        ("dump.zip", b"PK\x03\x04....", 1, "the file is a zip archive; unpack it first"),
        (
            "other.jsonl", b'{"colour":"red","size":3}\n', 2,
            "{}: no column for the account; columns found: colour, size; name the right one with "
            "--map account=COLUMN",
        ),
        (
            "other.csv", b"account,colour\na,red\n", 2,
            "{}: no column for the prompt; columns found: account, colour; name the right one with "
            "--map prompt=COLUMN",
        ),
    ],
)  # fmt: skip
def test_dumps_without_a_prompt(run: Run, tmp_path: Path, name: str, data: bytes, code: int, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    done = run("scan", file, "--out", tmp_path / "out")
    assert done.code == code
    assert message.format(file) in done.error
    # what could be read nothing of is a result all the same
    assert (tmp_path / "out" / "rejects.jsonl").exists() == (code == 1)


def test_dumps_that_are_not_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").touch()
    for source, code, message in (
        (tmp_path / "nothing.jsonl", 1, f"no such file: {tmp_path}/nothing.jsonl"),
        (tmp_path / "folder", 1, f"no dumps in the folder {tmp_path}/folder; looked for *.jsonl, *.ndjson"),
        (tmp_path / "*.jsonl", 1, f"no dumps match {tmp_path}/*.jsonl"),
        ("ftp://host/dump", 2, "cannot read ftp://host/dump: only files, s3:// and gs:// addresses are read"),
    ):
        done = run("scan", source, "--out", tmp_path / "out")
        assert done.code == code
        assert message in done.error
        assert not (tmp_path / "out").exists()


BAD_LINES = [
    (b"nonsense", "malformed JSON"),
    (b'["a","x"]', "not a JSON object"),
    (b'{"account":"a","prompt":"\xff"}', "invalid UTF-8"),
    (b'{"account":"a","prompt":NaN}', "malformed JSON"),
    (b'{"account":"a","prompt":' + b"[" * 2_000 + b"]" * 2_000 + b"}", "nested too deeply"),
    (b'{"account":"","prompt":"x"}', "the account is empty"),
    (b'{"account":null,"prompt":"x"}', "no account"),
    (b'{"account":"a","prompt":null}', "no prompt"),
    (b'{"account":"a","prompt":""}', "the prompt is empty"),
    (b'{"account":"a","prompt":"x","timestamp":"2200-01-01"}', "not a time from 1990 to 2100"),
    (b'{"account":"a","prompt":"x","timestamp":1e300}', "not a time from 1990 to 2100"),
    (b'{"account":"a","prompt":"' + b"x" * 20_000_000 + b'"}', "bytes"),
    (b'{"account":"a","prompt":"cut', "the line is cut off"),
]
FINE_LINES = [
    b'\xef\xbb\xbf{"account":"a","prompt":"behind a byte order mark","timestamp":1780000000}',
    b'{"account":17,"prompt":"an account that is a number","timestamp":1780000000000}',
    b'{"account":"b","prompt":"a lone \\ud800 surrogate","timestamp":"2026-06-01T00:00:00+02:00"}',
]


@pytest.fixture(scope="module")
def bad_dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bad") / "bad.jsonl"
    file.write_bytes(b"\n".join([*FINE_LINES, *(line for line, _ in BAD_LINES)]))
    return file


def test_every_bad_line_is_a_reject(run: Run, tmp_path: Path, bad_dump: Path) -> None:
    done = run("scan", bad_dump, "--out", tmp_path / "out")
    assert done.code == 0
    assert "Traceback" not in done.err
    assert f"{len(BAD_LINES)} rejects" in " ".join(done.out.split())
    rejects = sorted(lines(tmp_path / "out" / "rejects.jsonl"), key=lambda reject: reject["line"])
    assert [r["line"] for r in rejects] == list(range(len(FINE_LINES) + 1, len(FINE_LINES) + len(BAD_LINES) + 1))
    for reject, (_, reason) in zip(rejects, BAD_LINES, strict=True):
        assert reason in reject["reason"]
        assert reject["file"] == str(bad_dump)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["counts"]["prompts"] == len(FINE_LINES)


@pytest.mark.parametrize(
    ("allowed", "code", "message"),
    [
        ("13", 0, ""),
        ("12", 4, "13 of 16 rows were rejected, max_rejects allows 12"),
        ("0", 4, "13 of 16 rows were rejected (81.25%), max_rejects allows 0.00%"),
        ("0.82", 0, ""),
        ("0.5", 4, "13 of 16 rows were rejected (81.25%), max_rejects allows 50.00%"),
        ("81%", 4, "13 of 16 rows were rejected (81.25%), max_rejects allows 81.00%"),
        ("100%", 0, ""),
        ("2.5", 2, "'2.5' is not a count (20), a share below 1 (0.01) or a percentage (1%)"),
        ("-1", 2, "is not a count"),
        ("101%", 2, "is not a count"),
        ("nan", 2, "is not a count"),
        ("inf", 2, "is not a count"),
        ("few", 2, "is not a count"),
    ],
)
def test_max_rejects(run: Run, tmp_path: Path, bad_dump: Path, allowed: str, code: int, message: str) -> None:
    metrics = tmp_path / "scan.prom"
    done = run("scan", bad_dump, "--out", tmp_path / "out", "--max-rejects", allowed, "--metrics", metrics)
    assert done.code == code
    assert code == 2 or did_its_work(metrics, code)
    assert message in (done.error if code == 4 else done.err)
    # the results are there all the same
    assert (tmp_path / "out" / "run.json").exists() == (code != 2)
    assert bool(done.out) == (code != 2)


@pytest.mark.parametrize(("name", "pack"), [("dump.jsonl.gz", gzip.compress), ("dump.jsonl.zst", zstd)])
def test_truncated_compressed_dumps(run: Run, tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    text = "".join(json.dumps({**GOOD, "prompt": random.Random(i).randbytes(30).hex()}) + "\n" for i in range(5_000))
    packed = pack(text.encode())
    file = tmp_path / name
    file.write_bytes(packed[: len(packed) // 2])
    done = run("scan", file, "--out", tmp_path / "out")
    assert done.code == 0
    reject = lines(tmp_path / "out" / "rejects.jsonl")[-1]
    assert re.search(r"stored bytes, behind line [\d,]+; [\d,]+ rows were read", reject["reason"])
    assert json.loads((tmp_path / "out" / "run.json").read_text())["counts"]["prompts"] > 1_000


def test_bad_csv_and_parquet_of_other_types(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'account,prompt\na,fine\nshort\nb,"never closed\nc,fine too\n')
    table = pa.table({"account": pa.array([1, 2, None], pa.int32()), "prompt": pa.array([b"x", b"\xff", b"z"])})
    pq.write_table(table, tmp_path / "b.parquet")
    pq.write_table(
        pa.table({"account": pa.array([1.5, 2.0]), "prompt": [3, 4]}), tmp_path / "c.parquet"
    )  # numbers where text should be
    (tmp_path / "d.parquet").write_bytes(b"PAR1 and nothing else")
    done = run("scan", tmp_path, "--out", tmp_path / "out")
    assert done.code == 0
    assert "Traceback" not in done.err
    reasons = {(Path(r["file"]).name, r["line"]): r["reason"] for r in lines(tmp_path / "out" / "rejects.jsonl")}
    assert reasons["a.csv", 3] == "2 columns expected, 1 found"
    assert reasons["a.csv", 4] == "a quote is not closed"
    assert "invalid UTF-8" in reasons["b.parquet", 2]
    assert reasons["b.parquet", 3] == "no account"
    assert reasons["c.parquet", 1] == "the account is not a text or a whole number: 1.5"
    assert reasons["c.parquet", 2] == "the prompt is not a text or a list of messages: 4"
    assert "d.parquet" in {file for file, _ in reasons}
    assert json.loads((tmp_path / "out" / "run.json").read_text())["counts"]["prompts"] == 3


@pytest.mark.parametrize(
    "rows",
    [
        [GOOD],
        [{**GOOD, "prompt": f"request number {i} of the only account"} for i in range(300)],
        [{**GOOD, "account": f"user{i}"} for i in range(300)],
        [GOOD] * 300,
        [{"account": f"user{i % 7}", "prompt": f"no times here {i}"} for i in range(100)],
    ],
    ids=["one row", "one account", "one text of many accounts", "all rows identical", "no times"],
)
def test_dumps_with_little_in_them(run: Run, tmp_path: Path, rows: list[dict[str, str]]) -> None:
    done = run("scan", jsonl(tmp_path / "dump.jsonl", rows), "--out", tmp_path / "out", "--fail-on", "urgent")
    assert done.code == 0, done.err
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(OUTPUT_NAMES)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["counts"]["prompts"] == len(rows)
    found = lines(tmp_path / "out" / "campaigns.jsonl")
    assert all(finding["tier"] == "watch" for finding in found)


def test_standard_input(environment: Mapping[str, str], tmp_path: Path) -> None:
    data = gzip.compress(b'{"account":"a","prompt":"x"}\n{oops\n')
    command: list[str | Path] = [*COMMAND, "scan", "-", "--out", tmp_path, "--encoder", "fast", "--max-rejects", "0"]
    done = subprocess.run(command, env=environment, input=data, capture_output=True, timeout=120)
    assert done.returncode == 4
    assert b"1 of 2 rows were rejected" in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout.endswith(b"report.html\n")
    (reject,) = lines(tmp_path / "rejects.jsonl")
    assert (reject["file"], reject["line"]) == ("-", 2)


# ---------------------------------------------------------------- OUT


def test_results_of_an_earlier_scan_are_not_read(run: Run, tmp_path: Path) -> None:
    dump = jsonl(tmp_path / "dump.jsonl", [GOOD])
    first = run("scan", tmp_path, "--out", tmp_path / "out")
    assert (first.code, first.err) == (0, "")
    done = run("scan", tmp_path, "--out", tmp_path / "out")
    assert done.code == 0
    assert done.err == f"note: left out 7 files in {tmp_path}/out that an earlier scan wrote\n"
    assert [f["name"] for f in json.loads((tmp_path / "out" / "run.json").read_text())["files"]] == [str(dump)]
    done = run("scan", tmp_path / "out", "--out", tmp_path / "out")
    assert done.code == 2
    assert "results of an earlier scan" in done.error


def test_out_is_checked_before_the_scan(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = jsonl(tmp_path / "dump.jsonl", [GOOD])
    monkeypatch.setattr(harvestdetect.pipeline, "detect", lambda *_, **__: pytest.fail("the scan was started"))
    done = run("scan", dump, "--out", dump)
    assert done.code == 1
    assert f"cannot write {dump}: a file stands where a folder is needed" in done.error

    def forbidden(self: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", forbidden)
        done = run("scan", dump, "--out", tmp_path / "out")
    assert done.code == 1
    assert done.error.endswith("permission denied; give --out a folder that you may write to")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_after(0))
        done = run("scan", dump, "--out", tmp_path / "out")
    assert done.code == 1
    assert "the disk is full; free some space or give --out a folder on another disk" in done.error
    assert list((tmp_path / "out").iterdir()) == []


def full_after(times: int) -> Callable[[int], None]:
    """``os.fsync`` of a disk that is full after so many files."""
    synced = os.fsync

    def fsync(handle: int) -> None:
        nonlocal times
        times -= 1
        if times < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(handle)

    return fsync


def test_a_disk_that_fills_up_leaves_the_earlier_results(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = jsonl(tmp_path / "dump.jsonl", [GOOD])
    out = tmp_path / "out"
    assert run("scan", dump, "--out", out).code == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    monkeypatch.setattr(os, "fsync", full_after(5))
    done = run("scan", dump, "--out", out)
    assert done.code == 1
    assert "the disk is full" in done.error
    assert done.out == ""
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "harvestdetect: out of memory; scan fewer rows at a time, or with --encoder fast"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "No space left on device; free some space, or set TMPDIR",
        ),
        (
            OSError(errno.EIO, "Input/output error", "/some/\x1bfile"),
            "/some/⟨U+001B⟩file: Input/output error",
        ),
        (
            ZeroDivisionError("of \x1b[31m"),
            "internal error: ZeroDivisionError: of ⟨U+001B⟩[31m; run it again with -v",
        ),
    ],
)
def test_unexpected_errors_are_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(harvestdetect.pipeline, "detect", fail)
    dump = jsonl(tmp_path / "dump.jsonl", [GOOD])
    done = run("scan", dump, "--out", tmp_path / "out")
    assert done.code == 1
    assert message in done.error
    assert ("Traceback" in run("scan", dump, "--out", tmp_path / "out", "-v").err) == ("internal" in message)


def test_a_reader_that_goes_away(environment: Mapping[str, str], tmp_path: Path) -> None:
    dump = jsonl(tmp_path / "dump.jsonl", [GOOD])
    command: list[str | Path] = [*COMMAND, "scan", dump, "--out", tmp_path / "out", "--encoder", "fast"]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(command, env=environment, stdout=writer, stderr=subprocess.PIPE, timeout=120)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_output_that_is_full(environment: Mapping[str, str], tmp_path: Path) -> None:
    dump = jsonl(tmp_path / "dump.jsonl", [GOOD])
    command: list[str | Path] = [*COMMAND, "scan", dump, "--out", tmp_path / "out", "--encoder", "fast"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 1
    assert done.stderr == b"harvestdetect: cannot write to standard output: No space left on device\n"


def test_output_in_another_encoding(environment: Mapping[str, str], tmp_path: Path) -> None:
    rows = [{**GOOD, "account": f"Ünï-😀-{i}"} for i in range(40)]
    dump = jsonl(tmp_path / "dümp.jsonl", rows)
    ascii_only = {**environment, "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    command: list[str | Path] = [*COMMAND, "scan", dump, "--out", tmp_path / "out", "--encoder", "fast"]
    done = subprocess.run(command, env=ascii_only, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    done = subprocess.run([*command, "--format", "json"], env=ascii_only, capture_output=True, timeout=120)
    assert detection_from_json(done.stdout).files[0].name == str(dump)


# ---------------------------------------------------------------- Ctrl-C


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that was started with SIGINT ignored would hand that on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupted_while_reading(environment: Mapping[str, str], tmp_path: Path) -> None:
    command: list[str | Path] = [*COMMAND, "scan", "-", "--out", tmp_path / "out", "--encoder", "fast"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(GOOD).encode() + b"\n")
        process.stdin.flush()
        until(lambda: (tmp_path / "out").exists(), seconds=60)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, err) == (b"", b"harvestdetect: interrupted\n")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.usefixtures("interruptible")
def test_interrupted_while_encoding_the_cache_is_whole(
    run: Run, environment: Mapping[str, str], cache: Path, tmp_path: Path
) -> None:
    drawn = random.Random(1)
    words = ["sea", "poem", "sort", "list", "tax", "letter", "cat", "bread", "train", "music", "tree", "law"]
    rows = [{"account": f"user{i % 50}", "prompt": " ".join(drawn.choices(words, k=9))} for i in range(4_000)]
    dump = jsonl(tmp_path / "dump.jsonl", rows)
    own = tmp_path / "cache"
    if (cache / "models").is_dir():
        shutil.copytree(cache / "models", own / "models")
    command: list[str | Path] = [
        *COMMAND,
        "scan",
        dump,
        "--out",
        tmp_path / "out",
        "--encoder",
        "full",
        "--threads",
        "1",
    ]
    terminal, end = pty.openpty()
    small_blocks = {
        **environment,
        "HARVESTDETECT_CACHE": str(own),
        "HARVESTDETECT_BATCH_SIZE": "1",
        "TERM": "xterm",
        "COLUMNS": "100",
    }
    with subprocess.Popen(command, env=small_blocks, stdout=subprocess.PIPE, stderr=end) as process:
        os.close(end)
        seen = b""
        start = time.monotonic()
        interrupted = False
        while chunk := read_terminal(terminal, seconds=120):
            seen += chunk
            # the bar of the meaning view has come beyond its first blocks
            if not interrupted and re.search(rb"meaning [^\r]*?(?<!\d)[1-9]\d*/\d+", seen):
                process.send_signal(signal.SIGINT)
                interrupted = True
            assert time.monotonic() - start < 240
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(terminal)
    assert interrupted, seen
    assert process.returncode == 130, seen
    assert out == b""
    assert b"harvestdetect: interrupted" in seen
    assert b"Traceback" not in seen
    assert b"reading (MB)" in seen
    assert not list(tmp_path.glob("out/*"))

    kept = ArtifactFolder(own, write=False)
    artifacts = kept.artifacts("vectors")
    assert sum(len(kept.load(artifact, ["digest", "vector"])["digest"]) for artifact in artifacts) > 0
    assert {kept.condition(artifact) for artifact in artifacts} == {"whole"}
    assert {path.name.partition(".")[0] for path in own.rglob("*.parquet")} == {a.name for a in artifacts}
    assert not list(own.rglob("*.tmp"))
    assert run("scan", dump, "--out", tmp_path / "out", "--cache", own, "--encoder", "fast").code == 0


def read_terminal(terminal: int, *, seconds: float) -> bytes:
    """What a process writes on a terminal; nothing when it has closed it."""
    ready, _, _ = select.select([terminal], [], [], seconds)
    if not ready:
        return b""
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other end is closed
        return b""


def until(condition: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# ---------------------------------------------------------------- hostile text


def test_hostile_text_is_shown_and_never_acts(run: Run, scanned: Scanned, tmp_path: Path) -> None:
    payload = "</script><img src=x onerror=alert(1)> \x1b[31mred\x07 =HYPERLINK(1)\u202e"
    campaign = next(group for group in lines(scanned.truth) if group["kind"] == "campaign")
    names = {a: f'=HYPERLINK("http://x/{a}")\x1b[2J<b onclick=x>' for a in campaign["accounts"]}
    rows: list[dict[str, Any]] = []
    for row in scanned.rows():
        if row["account"] in names:
            row["account"] = names[str(row["account"])]
            row["org"] = payload
            if isinstance(row["prompt"], str):
                row["prompt"] = f"{row['prompt']} {payload}"
        rows.append(row)
    file = jsonl(tmp_path / "\x1b[31mdump<img src=x onerror=alert(2)>.jsonl", rows)
    with file.open("a") as stream:
        stream.write("{oops \x1b[31m</script>\n")
    done = run("scan", file, "--out", tmp_path / "out", "-v")
    assert done.code == 0
    assert ANSI not in done.out + done.err
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "onerror" in page  # it is shown
    assert not re.search(r"<img|<b onclick|</script><|\x1b|\x07|\u202e", page)
    table = (tmp_path / "out" / "accounts.csv").read_text(encoding="utf-8")
    cells = [row[0] for row in csv.reader(io.StringIO(table, newline=""))]
    hostile = [cell for cell in cells if "HYPERLINK" in cell]
    assert hostile
    assert all(cell.startswith("'=") for cell in hostile)
    assert {csv_text(cell) for cell in hostile} <= set(names.values())
    for name in ("accounts.csv", "campaigns.jsonl", "rejects.jsonl", "run.json", "report.html"):
        assert ANSI not in (tmp_path / "out" / name).read_text(encoding="utf-8"), name
    assert pq.read_table(tmp_path / "out" / "prompts.parquet").num_rows

    missing = tmp_path / "\x1b]0;title\x07\nno such.jsonl"
    error = run("scan", missing, "--out", tmp_path / "out").error
    assert not re.search(r"[\x00-\x1f]", error)
    (tmp_path / "\x1b[1mtruth.jsonl").write_text('{"name": "\\u001b[31m"}\n')
    error = run("evaluate", tmp_path / "out", tmp_path / "\x1b[1mtruth.jsonl").error
    assert ANSI not in error


# ---------------------------------------------------------------- simulate


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
