"""Scans of dumps that are bad, missing or small."""

from __future__ import annotations

import gzip
import json
import random
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harvestdetect.report import OUTPUT_NAMES
from tests.cli.support import COMMAND, GOOD, Run, did_its_work, jsonl, lines, zstd

pytestmark = pytest.mark.usefixtures("loaded_once")


@pytest.mark.parametrize(
    ("name", "data", "code", "message"),
    [
        ("empty.jsonl", b"", 1, "no prompt could be read, 1 reject; the first: {}: the file is empty"),
        ("empty.csv", b"", 1, "no prompt could be read, 1 reject; the first: {}: the file is empty"),
        ("header.csv", b"account,prompt\n", 1, "no prompt could be read: the dumps have no rows"),
        ("bad.jsonl", b"{oops\n" * 3, 1, "could be read, 3 rejects; the first: {}, line 1: malformed JSON"),
        ("dump.zip", b"PK\x03\x04....", 1, "the zip archive is cut off: it has no directory"),
        ("dump.7z", b"7z\xbc\xaf\x27\x1c....", 1, "the file is a 7z archive; unpack it first"),
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
    (tmp_path / "folder" / "notes.md").touch()
    for source, code, message in (
        (tmp_path / "nothing.jsonl", 1, f"no such file: {tmp_path}/nothing.jsonl"),
        (tmp_path / "folder", 1, f"no dumps in the folder {tmp_path}/folder; looked for *.jsonl, *.ndjson"),
        (tmp_path / "*.jsonl", 1, f"no dumps match {tmp_path}/*.jsonl"),
        ("ftp://host/dump", 2, "cannot read ftp://...: only files, s3://, gs:// and postgresql:// addresses are read"),
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
    (b'{"account":"a"}', "no prompt"),
    (b'{"account":"a","prompt":[]}', "the prompt is empty"),
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
        ("12", 4, "13 of 16 rows were rejected, and --max-rejects allows 12"),
        ("0", 4, "13 of 16 rows were rejected (81.25%), and --max-rejects allows 0.00%"),
        ("0.82", 0, ""),
        ("0.5", 4, "13 of 16 rows were rejected (81.25%), and --max-rejects allows 50.00%"),
        ("81%", 4, "13 of 16 rows were rejected (81.25%), and --max-rejects allows 81.00%"),
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
