"""The files of a scan: their fields, and how they are written."""

from __future__ import annotations

import csv
import dataclasses
import errno
import io
import json
import math
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harvestdetect import report
from harvestdetect.data import (
    PROMPT_COLUMNS,
    Attributed,
    Detection,
    Evidence,
    Way,
)
from harvestdetect.errors import InputError, OutputError
from harvestdetect.judge.candidate_file import candidate_from_dict
from harvestdetect.util.escape import INVISIBLE, csv_text
from tests.report.making import (
    HOSTILE,
    make_candidate,
    make_cut,
    make_detection,
    make_finding,
    make_member,
)

# ---------------------------------------------------------------- files


def test_campaigns_have_the_fields_of_the_contract(detection: Detection) -> None:
    lines = report.campaigns_jsonl(detection).splitlines()
    first, second = (json.loads(line) for line in lines)
    assert list(first)[:14] == [
        "campaign_id",
        "tier",
        "title",
        "score",
        "q_value",
        "summary",
        "accounts",
        "prompts",
        "first_seen",
        "last_seen",
        "templates",
        "evidence",
        "benign_explanations",
        "capability_targets",
    ]
    assert first["accounts"] == 23
    assert first["prompts"] == 160
    assert first["first_seen"] == "2026-03-01T00:00:00Z"
    assert first["summary"].endswith(HOSTILE)
    assert first["templates"][0]["words"] == ["Explain", None, HOSTILE, None, "."]
    assert first["days"][1] == {"day": "2026-03-02", "prompts": 0}
    assert "members" not in first
    assert list(first)[14:] == [
        *("families", "orgs", "days", "ways", "shared_values", "changes", "probability", "ledger"),
    ]
    assert first["probability"] == 0.9866
    assert first["ledger"][0] == {
        "id": "prior", "name": "before any evidence", "family": None, "bits": -1.5, "sentence": "",
    }  # fmt: skip
    assert [row["bits"] for row in first["ledger"]] == [-1.5, 6.5, 2.2, -1.2]
    assert [one["bits"] for one in first["evidence"]] == [6.5, None, None]
    assert [one["bits"] for one in first["benign_explanations"]] == [None, -1.2, None]
    assert first["ways"] == ["texts"]
    assert first["shared_values"] == [
        {
            "field": "ip",
            "value": "203.0.113.*",
            "members": 12,
            "known": 20,
            "accounts": 14,
            "population": 640,
            "tag": "",
        },
        {"field": HOSTILE, "value": HOSTILE, "members": 0, "known": 0, "accounts": 0, "population": 0, "tag": ""},
    ]
    assert first["changes"] == ["It would be at review at a false-discovery rate below 0.0002.", HOSTILE]
    assert (second["shared_values"], second["changes"]) == ([], [])
    assert (second["first_seen"], second["last_seen"], second["orgs"]) == (None, None, None)


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_no_cell_is_a_formula_wherever_a_spreadsheet_splits(detection: Detection, delimiter: str) -> None:
    first = detection.findings[0]
    ids = ["x;=cmd|' /C calc'!A0;", "x|=1+1", 'x";=1+1;"', "x =1+1"]
    members = tuple(dataclasses.replace(first.members[0], account=one) for one in ids)
    held = dataclasses.replace(detection, findings=(dataclasses.replace(first, members=members),))
    rows = list(csv.reader(io.StringIO(report.accounts_csv(held), newline=""), delimiter=delimiter))
    assert len(rows) == 1 + len(ids)
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_accounts_parse_back_and_are_neutralised(detection: Detection) -> None:
    text = report.accounts_csv(detection)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(rows[0]) == [
        "account",
        "campaign_id",
        "tier",
        "membership",
        "harvest_share",
        "prompts",
        "harvest_prompts",
        "first_seen",
        "last_seen",
        "recommended",
        "reasons",
        "priority",
    ]
    assert len(rows) == 24 == len(text.splitlines()) - 1
    assert rows[20]["account"] == '\'=HYPERLINK("http://example.org")'
    assert rows[21]["account"] == r"two\u000alines\u000d\u000a\u0000\u0009tab"
    assert (rows[21]["first_seen"], rows[21]["last_seen"]) == ("", "")
    assert rows[22]["recommended"] == "false"
    assert rows[23]["account"] == "'@late"
    members = [m.account for f in detection.findings for m in f.members]
    assert [csv_text(row["account"]) for row in rows] == members
    assert rows[0]["last_seen"] == "2026-03-02T00:00:00Z"


def test_rejects_and_run(detection: Detection) -> None:
    rejects = [json.loads(line) for line in report.rejects_jsonl(detection).splitlines()]
    assert rejects[0] == {"file": HOSTILE, "line": 3, "byte": 120, "reason": HOSTILE}
    assert rejects[1]["line"] is None
    run = json.loads(report.run_json(detection))
    assert run["counts"] == dict(detection.counts)
    assert run["findings"] == {"urgent": 1, "watch": 1}
    assert run["ledger"] == dict(detection.ledger)
    assert run["rejects_by_reason"]["the stream ends early"] == 1
    assert run["files"][0]["sha256"] == "0" * 64
    assert run["stages"] == [{"stage": "dump", "seconds": 1.25, "peak_memory_mb": 200.0}]
    assert run["settings"]["mapping"] == {HOSTILE: HOSTILE}


def test_run_says_what_may_be_false_and_keeps_the_rates_exact() -> None:
    found = make_detection(make_finding(), settings={"fdr": 1 / 30}, what_if=(make_cut(1 / 30, 1 / 3),))
    run = json.loads(report.run_json(found))
    assert run["expected_false"] == {"urgent": 0.0002, "review": 0.3457, "watch": 1.5}
    assert run["what_if"] == [
        {
            "fdr": run["settings"]["fdr"],
            "findings": {"urgent": 1, "review": 0, "watch": 1},
            "expected_false": {"urgent": 0.0002, "review": 0.3333, "watch": 1.5},
        }
    ]
    assert (run["calibration"]["file"], run["calibration"]["sha256"]) == (HOSTILE, "cd" * 32)
    assert run["calibration"]["expected_findings"]["watch"] == {"found": 1, "expected": 0.01235, "at_most": 0.0511}
    plain = json.loads(report.run_json(make_detection(expected_false={}, what_if=(), calibration={})))
    assert (plain["expected_false"], plain["what_if"], plain["calibration"]) == ({}, [], {})


def test_candidates_are_a_line_each_and_read_back() -> None:
    candidates = (make_candidate(), make_candidate(campaign_id="c-1", tier="urgent", score=math.inf, members=()))
    text = report.candidates_jsonl(make_detection(candidates=candidates))
    assert INVISIBLE.search(text) is None
    first, second = (candidate_from_dict(json.loads(line)) for line in text.splitlines())
    assert first == candidates[0]
    assert math.isnan(second.score)
    assert dataclasses.replace(second, score=math.inf) == candidates[1]
    assert report.candidates_jsonl(make_detection()) == ""


def test_ways_are_written_and_read_back() -> None:
    ways: tuple[Way, ...] = ("accounts", "infrastructure")
    made = make_detection(make_finding(ways=ways), candidates=(make_candidate(ways=ways),))
    assert json.loads(report.campaigns_jsonl(made))["ways"] == list(ways)
    line = json.loads(report.candidates_jsonl(made))
    assert candidate_from_dict(line).ways == ways
    # a file of an older version has none
    del line["ways"]
    assert candidate_from_dict(line).ways == ("texts",)
    assert report.detection_from_json(report.detection_json(made)).findings[0].ways == ways


def test_detection_goes_through_json_unchanged(detection: Detection) -> None:
    seen = pa.table({"digest": pa.array([7], pa.uint64()), "prompts": pa.array([3], pa.int32())})
    text = report.detection_json(dataclasses.replace(detection, candidates=(make_candidate(),), seen=seen))
    assert not {"candidates", "seen", "prompts"} & json.loads(text).keys()
    assert report.detection_from_json(text).candidates == ()
    assert report.detection_from_json(text).seen is None
    assert report.detection_from_json(text) == detection
    assert report.detection_from_json(text).what_if == detection.what_if
    assert report.detection_from_json(text).findings[0].shared_values == detection.findings[0].shared_values
    assert report.detection_from_json(text.encode()) == detection
    assert '"first_seen": "2026-03-01T00:00:00Z"' in text


def test_numbers_that_are_not_finite_survive_json() -> None:
    evidence = Evidence(
        id="x", name="x", family="time", value=math.nan, null="", expected=-math.inf, p_value=0.0, sentence=""
    )
    finding = make_finding(score=math.inf, evidence=(evidence,))
    again = report.detection_from_json(report.detection_json(make_detection(finding)))
    assert again.findings[0].score == math.inf
    assert again.findings[0].evidence[0].expected == -math.inf
    assert math.isnan(again.findings[0].evidence[0].value)
    assert json.loads(report.campaigns_jsonl(make_detection(finding)))["score"] is None
    assert "∞" in report.html_report(make_detection(finding))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"schema_version": 99}', '{"schema_version": 1, "findings": 3}', "[" * 100_000],
)
def test_what_is_not_a_detection_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not the JSON of a detection"):
        report.detection_from_json(text)


def test_lone_surrogates_do_not_break_the_outputs(tmp_path: Path) -> None:
    finding = make_finding(summary="\ud800", members=(make_member("\udfff"),))
    found = make_detection(finding)
    report.write_outputs(found, tmp_path)
    assert "U+D800" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert r"\udfff" in (tmp_path / "accounts.csv").read_text(encoding="utf-8")
    assert "⟨U+D800⟩" in report.summary_table(found, width=80, color=False)


# ---------------------------------------------------------------- writing


def test_write_outputs_writes_every_file_and_nothing_else(tmp_path: Path, detection: Detection) -> None:
    table = pa.table({"file": ["a"], "line": [1], "account": ["u"], "campaign_id": ["c-1"]})
    seen = pa.table({"digest": pa.array([7, 9], pa.uint64()), "prompts": pa.array([3, 1], pa.int32())})
    detection = dataclasses.replace(detection, prompts=table, candidates=(make_candidate(),), seen=seen)
    out = tmp_path / "new" / "out"
    paths = report.write_outputs(detection, out)
    assert [path.name for path in paths] == list(report.OUTPUT_NAMES)
    assert sorted(os.listdir(out)) == sorted(report.OUTPUT_NAMES)
    assert pq.read_table(out / "prompts.parquet").equals(table)
    assert pq.read_table(out / "accounts_seen.parquet").equals(seen)
    assert (out / "candidates.jsonl").read_text(encoding="utf-8") == report.candidates_jsonl(detection) != ""
    assert (out / "accounts.csv").read_bytes().decode() == report.accounts_csv(detection)
    assert (out / "report.html").read_text(encoding="utf-8") == report.html_report(detection)


def test_attributed_accounts_have_a_table_of_their_own(tmp_path: Path) -> None:
    finding = make_finding(members=(make_member("in"),))
    known = (
        Attributed(campaign_id="c-7", account="=cmd()", prompts=2, first_seen=0, last_seen=86_400),
        Attributed(campaign_id="c-7", account="in", prompts=1, first_seen=None, last_seen=None),
    )
    report.write_outputs(dataclasses.replace(make_detection(finding), attributed=known), tmp_path)
    rows = list(csv.reader(io.StringIO((tmp_path / "attributed.csv").read_text(encoding="utf-8"), newline="")))
    assert rows == [
        ["account", "campaign_id", "prompts", "first_seen", "last_seen", "in_finding"],
        ["'=cmd()", "c-7", "2", "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z", "false"],
        ["in", "c-7", "1", "", "", "true"],
    ]


def test_prompts_without_a_table_are_an_empty_one(tmp_path: Path) -> None:
    report.write_outputs(make_detection(), tmp_path)
    table = pq.read_table(tmp_path / "prompts.parquet")
    assert table.schema.equals(PROMPT_COLUMNS)
    assert table.num_rows == 0
    assert (tmp_path / "campaigns.jsonl").read_bytes() == b""
    assert (tmp_path / "candidates.jsonl").read_bytes() == b""
    seen = pq.read_table(tmp_path / "accounts_seen.parquet")
    assert seen.num_rows == 0
    assert seen.schema.equals(pa.schema({"digest": pa.uint64(), "prompts": pa.int32()}))


@pytest.mark.parametrize("files_written_before", range(len(report.OUTPUT_NAMES) + 1))
def test_a_full_disk_leaves_the_files_of_the_scan_before(
    tmp_path: Path, detection: Detection, monkeypatch: pytest.MonkeyPatch, files_written_before: int
) -> None:
    report.write_outputs(make_detection(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = 0

    def fsync(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls > files_written_before:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="the disk is full; free some space") as caught:
        report.write_outputs(detection, tmp_path)
    assert caught.value.exit_code == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_disk_that_fills_while_parquet_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_table(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", write_table)
    with pytest.raises(OutputError, match=r"cannot write .*prompts\.parquet: the disk is full"):
        report.write_outputs(make_detection(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_parquet_hands_on_the_error_of_a_full_disk() -> None:
    from harvestdetect.report.files import _explained, _write_prompts

    with (
        open("/dev/full", "wb", buffering=0) as file,
        pytest.raises(OutputError, match="the disk is full"),
        _explained(Path("x")),
    ):
        _write_prompts(make_detection(), file)


def test_interrupted_writing_leaves_nothing_behind(
    tmp_path: Path, detection: Detection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", interrupt)
    with pytest.raises(KeyboardInterrupt):
        report.write_outputs(detection, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_out_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    with pytest.raises(OutputError, match="a part of the path is a file, not a folder"):
        report.check_writable(file)
    with pytest.raises(OutputError, match="a part of the path is a file, not a folder"):
        report.write_outputs(make_detection(), file / "out")
    assert file.read_text() == "kept"

    (tmp_path / "out" / "run.json").mkdir(parents=True)
    with pytest.raises(OutputError, match="there is a folder of that name"):
        report.write_outputs(make_detection(), tmp_path / "out")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=r"cannot write .*out: permission denied; give --out"):
        report.check_writable(tmp_path / "out")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="permission denied"):
            report.check_writable(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_check_writable_makes_the_folder_and_leaves_it_empty(tmp_path: Path) -> None:
    report.check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_detection_that_was_written_before_ids_is_read() -> None:
    named = (
        Evidence(
            id="even_load", name="even load", family="structure", value=1.0, null="", expected=2.0, p_value=0.1,
            sentence="",
        ),
    )  # fmt: skip
    detection = make_detection(make_finding(evidence=named, benign_explanations=()))
    plain = json.loads(report.detection_json(detection))
    del plain["findings"][0]["evidence"][0]["id"]
    assert report.detection_from_json(json.dumps(plain)) == detection
