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
    assert "40 prompts of 5 accounts; prompts per account: 8 to 8, median 8" in done.out
    assert "from 2026-06-01T10:00:00Z to 2026-06-01T10:00:00Z" in done.out
    assert "rejects: no prompt (1)" in done.out
    assert "languages: en" in done.out
    assert "tell me about lamp number" in done.out
    assert "warning" not in done.out
    found = json.loads(run("inspect", dump, "--format", "json").out)
    assert (found["prompts"], found["accounts"], found["complete"]) == (40, 5, True)


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
