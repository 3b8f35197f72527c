"""``inspect``, and what ``scan`` tells of how it read, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.support import ANSI, GOOD, Run, jsonl, lines


def test_it_tells_how_a_dump_is_read(run: Run, tmp_path: Path) -> None:
    rows = [{**GOOD, "account": f"a{i % 5}", "prompt": f"tell me about lamp number {i}"} for i in range(40)]
    dump = jsonl(tmp_path / "d.jsonl", [*rows, {"account": "a1"}])
    done = run("inspect", dump)
    assert done.code == 0
    assert "40 prompts of 5 accounts, 8 per account" in done.out
    assert "from 2026-06-01T10:00:00Z to 2026-06-01T10:00:00Z" in done.out
    assert f"rejects:\n  1: no prompt ({dump}, line 41)" in done.out
    assert "languages: en" in done.out
    assert "tell me about lamp number" in done.out
    assert "warning" not in done.out
    found = json.loads(run("inspect", dump, "--format", "json").out)
    assert (found["prompts"], found["accounts"], found["complete"]) == (40, 5, True)


def test_it_tells_what_was_left_out_and_where_rejects_are(run: Run, tmp_path: Path) -> None:
    rows = [{**GOOD, "account": f"a{i % 5}", "prompt": f"tell me about lamp number {i}"} for i in range(41)]
    (tmp_path / "d").mkdir()
    jsonl(tmp_path / "d" / "a.jsonl", rows)
    jsonl(tmp_path / "d" / "b.jsonl", [{"account": "a", "timestamp": 5, "prompt": [1, 2, 3]}] * 2)
    (tmp_path / "d" / "notes.md").write_text("a page")
    (tmp_path / "d" / "c.csv").write_text("a,b\n1,2\n")
    done = run("inspect", tmp_path / "d")
    assert "41 prompts of 5 accounts, 8 to 9 per account, median 8" in done.out
    assert f"  2: the prompt is a list of token ids, not a text (first: {tmp_path}/d/b.jsonl, line 1)" in done.out
    assert f"=@path:PATTERN ({tmp_path}/d/c.csv)" in done.out
    assert f"note: left out, .md file: 1 ({tmp_path}/d/notes.md)" in done.out
    done = run("inspect", tmp_path / "d" / "b.jsonl")
    assert done.code == 1
    assert "no prompt could be read, so a scan would fail" in done.out
    assert run("inspect", tmp_path / "d" / "b.jsonl", "--format", "json").code == 1
    assert "0 accounts" not in done.out


def test_one_fact_is_told_once(run: Run, tmp_path: Path) -> None:
    rows = [{"account": "a", "prompt": f"tell me about lamp number {i}"} for i in range(60)]
    done = run("inspect", jsonl(tmp_path / "d.jsonl", rows))
    assert "60 prompts of 1 account\n" in done.out
    warned = [line for line in done.out.splitlines() if line.startswith("warning: ")]
    assert [line.split(",")[0] for line in warned] == [
        "warning: all prompts are of one account (account)",
        "warning: no prompt has a time",
    ]
    done = run("inspect", tmp_path / "d.jsonl", "--map", "timestamp=none")
    assert "warning: no prompt has a time" not in done.out


def test_columns_that_have_times_are_named(run: Run, tmp_path: Path) -> None:
    row = {"account": "a", "asked": "2026-06-01T10:00:00Z", "moment": 1_780_272_016_671, "number": 1_780_272_016}
    rows = [{**row, "account": f"a{i % 5}", "version": "1.2", "prompt": f"lamp number {i}"} for i in range(60)]
    done = run("inspect", jsonl(tmp_path / "d.jsonl", rows))
    assert "name it with --map timestamp=COLUMN (it could be asked or moment)\n" in done.out
    done = run("inspect", tmp_path / "d.jsonl", "--map", "timestamp=asked")
    assert "no prompt has a time" not in done.out
    assert "warning" not in done.out


def test_control_characters_of_prompts_and_names_are_not_printed(run: Run, tmp_path: Path) -> None:
    rows = [{**GOOD, "prompt": f"{ANSI}[31mred{ANSI}]0;title\x07 and more \u202e words"}]
    dump = jsonl(tmp_path / f"d{ANSI}[2J.jsonl", rows)
    out = run("inspect", dump).out
    assert "red" in out
    assert not {ANSI, "\x07", "\u202e"} & set(out)


def test_a_missing_file_is_an_error(run: Run, tmp_path: Path) -> None:
    assert "no such file" in run("inspect", tmp_path / "none.jsonl").error


def test_a_scan_warns_where_it_ends_and_in_the_report(run: Run, tmp_path: Path) -> None:
    dump = jsonl(tmp_path / "d.jsonl", [{**GOOD, "prompt": f"tell me about lamp number {i}"} for i in range(40)])
    out = tmp_path / "out"
    done = run("scan", dump, "--out", out)
    said = "all prompts are of one account"
    assert f"warning: {said}" in done.err
    report = (out / "report.html").read_text(encoding="utf-8")
    assert said in report
    assert report.index(said) < report.index("How to read this")
    assert said in json.loads((out / "run.json").read_text())["warnings"][0]
    assert said not in run("scan", dump, "--out", out, "-q").err


@pytest.mark.parametrize("command", ["inspect", "scan"])
def test_text_of_prompts_is_in_no_warning(run: Run, tmp_path: Path, command: str) -> None:
    dump = jsonl(tmp_path / "d.jsonl", [{**GOOD, "prompt": f"tell me about zanzibar {i}"} for i in range(40)])
    more = () if command == "inspect" else ("--out", tmp_path / "out")
    done = run(command, dump, *more)
    warned = [line for line in (done.out + done.err).splitlines() if line.startswith("warning")]
    assert warned
    assert not any("zanzibar" in line for line in warned)
    if command == "scan":
        assert "zanzibar" not in json.dumps(lines(tmp_path / "out" / "rejects.jsonl"))
