"""Where a scan writes: the folder, standard output, and hostile text in both."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import harvestdetect.detection
from harvestdetect.report import csv_text, detection_from_json
from tests.cli.support import ANSI, COMMAND, GOOD, Run, jsonl, lines
from tests.conftest import Scanned

pytestmark = pytest.mark.usefixtures("loaded_once")


def test_results_of_an_earlier_scan_are_not_read(run: Run, tmp_path: Path) -> None:
    dump = jsonl(tmp_path / "dump.jsonl", [GOOD])
    first = run("scan", tmp_path, "--out", tmp_path / "out")
    assert (first.code, first.err) == (0, "")
    done = run("scan", tmp_path, "--out", tmp_path / "out")
    assert done.code == 0
    assert f"note: skipped 10 files in {tmp_path}/out that an earlier scan wrote\n" in done.err
    assert [f["name"] for f in json.loads((tmp_path / "out" / "run.json").read_text())["files"]] == [str(dump)]
    done = run("scan", tmp_path / "out", "--out", tmp_path / "out")
    assert done.code == 2
    assert "results of an earlier scan" in done.error


def test_a_brief_is_written_on_request_and_never_stale(run: Run, tmp_path: Path) -> None:
    dump, out = jsonl(tmp_path / "dump.jsonl", [GOOD]), tmp_path / "out"
    done = run("scan", dump, "--out", out, "--brief")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(f"\n{out}/report.html\n{out}/brief.html\n")
    first = (out / "brief.html").read_bytes()
    assert b"No coordinated campaign was found" in first
    done = run("brief", out, "--to", tmp_path / "again.html")
    assert (done.code, done.out) == (0, f"Wrote {tmp_path}/again.html.\n")
    assert (tmp_path / "again.html").read_bytes() == first
    assert run("scan", dump, "--out", out).code == 0
    assert not (out / "brief.html").exists()


def test_out_is_checked_before_the_scan(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = jsonl(tmp_path / "dump.jsonl", [GOOD])
    monkeypatch.setattr(harvestdetect.detection, "detect", lambda *_, **__: pytest.fail("the scan was started"))
    done = run("scan", dump, "--out", dump)
    assert done.code == 1
    assert f"cannot write {dump}: a part of the path is a file, not a folder" in done.error

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
        (MemoryError(), "harvestdetect: out of memory; scan fewer rows at a time, or use --encoder fast"),
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
            "internal error: ZeroDivisionError: of ⟨U+001B⟩[31m; run the command again with -v",
        ),
    ],
)
def test_unexpected_errors_are_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(harvestdetect.detection, "detect", fail)
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


def test_hostile_text_is_shown_and_never_acts(run: Run, scanned: Scanned, tmp_path: Path) -> None:
    payload = "</script><img src=x onerror=alert(1)> \x1b[31mred\x07 =HYPERLINK(1)\u202e"
    campaign = next(group for group in lines(scanned.truth) if group["kind"] == "campaign")
    names = {a: f'=HYPERLINK("http://x/{a}")\x1b[2J<b onclick=x>' for a in campaign["accounts"]}
    rows: list[dict[str, Any]] = []
    for row in scanned.rows():
        if row["account"] in names:
            row["account"] = names[str(row["account"])]
            row["org"] = f"{payload} {row['account']}"
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
