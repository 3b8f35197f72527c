"""What a detection becomes: files, a page, a summary. Every text in it is hostile."""

from __future__ import annotations

import base64
import csv
import dataclasses
import errno
import hashlib
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect import report
from harvestdetect.data import (
    NO_TIME,
    TIERS,
    Attributed,
    BenignExplanation,
    Candidate,
    Cut,
    Detection,
    Evidence,
    Family,
    FamilyResult,
    Finding,
    Member,
    Near,
    Outside,
    RateStep,
    Reject,
    SharedValue,
    SourceFile,
    StageCost,
    Template,
)
from harvestdetect.errors import InputError, OutputError
from harvestdetect.evidence.legacy import MEASURE_IDS
from harvestdetect.evidence.measures import MEASURES, deciding
from harvestdetect.judge.candidates import candidate_from_dict
from harvestdetect.report.format import by_chance, iso_time, number, p_value, percent, rough, seconds_of
from harvestdetect.util.escape import INVISIBLE, csv_cell, csv_text, html_text, json_text, visible

SCRIPT = "</script></style></title></details><img src=x onerror=alert(1)><script>document.title='owned'</script>"
HOSTILE = (
    SCRIPT
    + "\" onload='alert(2)' {{ 7 * 7 }} {% raw %} [bold red]markup[/] :smile: \x1b[31m\x1b]0;title\x07 "
    + '=HYPERLINK("http://example.org") '
    + "\u202eright to left\u202c zero\u200b\u200bwidth \u2028 \x00 \x9b31m \U000e0041"
)
T0 = 1_772_323_200
"""2026-03-01T00:00:00Z"""


def make_member(account: str, *, recommended: bool = True, **changes: Any) -> Member:
    values: dict[str, Any] = {
        "account": account,
        "membership": 0.97,
        "harvest_share": 0.8 if recommended else 0.05,
        "prompts": 100,
        "harvest_prompts": 80 if recommended else 5,
        "first_seen": T0,
        "last_seen": T0 + 86_400,
        "recommended": recommended,
        "reasons": ("sent 2 templates", HOSTILE),
        "templates": {"t-1": 50, "t-2": 30},
    }
    return Member(**{**values, **changes})


def make_template(template_id: str = "t-1", **changes: Any) -> Template:
    values: dict[str, Any] = {
        "template_id": template_id,
        "channel": "wording",
        "words": ("Explain", None, HOSTILE, None, "."),
        "slots": (("gravity", HOSTILE), ()),
        "medoid": HOSTILE,
        "exemplars": (HOSTILE, "x" * 5_000),
        "least_similar": "",
        "signature": "ab" * 16,
        "segments": 12,
        "prompts": 80,
        "accounts": 20,
    }
    return Template(**{**values, **changes})


def make_finding(campaign_id: str = "c-1", **changes: Any) -> Finding:
    accounts = [make_member(f"user{i}") for i in range(20)]
    values: dict[str, Any] = {
        "campaign_id": campaign_id,
        "tier": "urgent",
        "score": 31.5,
        "q_value": 1e-9,
        "summary": "23 accounts swept a template " + HOSTILE,
        "families": ("structure", "time"),
        "accounts": 23,
        "prompts": 160,
        "orgs": 4,
        "first_seen": T0,
        "last_seen": T0 + 2 * 86_400,
        "days": (("2026-03-01", 100), ("2026-03-02", 0), ("2026-03-03", 60)),
        "templates": (make_template(), make_template("t-2", words=(), slots=(), exemplars=())),
        "evidence": (
            Evidence(
                id="overlap",
                name="overlap",
                family="structure",
                value=20.0,
                null=HOSTILE,
                expected=0.4,
                p_value=0.0,
                sentence=HOSTILE,
            ),
            Evidence(
                id="density",
                name="density",
                family="text",
                value=0.5,
                null="-",
                expected=0.1,
                p_value=0.02,
                sentence="Dense.",
            ),
            Evidence(
                id="target_reasoning",
                name="target: reasoning",
                family="intent",
                value=0.25,
                null="the best target of other texts",
                expected=0.01,
                p_value=0.03,
                sentence="The fixed words ask for reasons. " + HOSTILE,
            ),
        ),
        "benign_explanations": (
            BenignExplanation(id="a", name=HOSTILE, verdict="fits", statistic=0.3, sentence=HOSTILE, caps="review"),
            BenignExplanation(
                id="classroom", name="classroom", verdict="unknown", statistic=None, sentence="No organisation."
            ),
        ),
        "capability_targets": ("reasoning", HOSTILE),
        "members": (
            *accounts,
            make_member('=HYPERLINK("http://example.org")'),
            make_member("two\nlines\r\n\x00\ttab", first_seen=None, last_seen=None),
            make_member(HOSTILE, recommended=False),
        ),
        "shared_values": (
            SharedValue(field="ip", value="203.0.113.*", members=12, known=20, accounts=14, population=640),
            SharedValue(field=HOSTILE, value=HOSTILE, members=0, known=0, accounts=0, population=0),
        ),
        "changes": ("It would be for review at a false-discovery rate below 0.0002.", HOSTILE),
    }
    return Finding(**{**values, **changes})


def make_detection(*findings: Finding, **changes: Any) -> Detection:
    values: dict[str, Any] = {
        "findings": findings,
        "rejects": (
            Reject(file=HOSTILE, line=3, byte=120, reason=HOSTILE),
            Reject(file="a.jsonl", line=None, byte=None, reason="the stream ends early"),
        ),
        "counts": {"prompts": 5_000, "accounts": 700, "rejects": 9},
        "settings": {"min_accounts": 10, "fdr": 0.01, "low_share": 0.2, "mapping": {HOSTILE: HOSTILE}},
        "models": {"wording": "9f" * 16},
        "versions": {"harvestdetect": "0.1.0"},
        "files": (SourceFile(name=HOSTILE, format="jsonl", bytes=9_000_000, sha256="0" * 64, rows=5_009, rejects=9),),
        "stages": (StageCost(stage="dump", seconds=1.25, peak_memory_mb=200.0),),
        "notes": (HOSTILE,),
        "expected_false": {"urgent": 0.0002, "review": 0.34567891, "watch": 1.5},
        "what_if": (make_cut(0.003, 0.1), make_cut(0.01, 0.34567891), make_cut(0.03, 2.0)),
        "calibration": {
            "file": HOSTILE,
            "sha256": "cd" * 32,
            "created": "2026-02-01T08:00:00+00:00",
            "candidates": 134,
            "expected_findings": {tier: {"found": 1, "expected": 0.0123456, "at_most": 0.0511} for tier in TIERS},
        },
    }
    return Detection(**{**values, **changes})


def make_cut(fdr: float, review: float) -> Cut:
    return Cut(
        fdr=fdr,
        findings={"urgent": 1, "review": 0, "watch": 1},
        expected_false={"urgent": 0.0002, "review": review, "watch": 1.5},
    )


def make_candidate(**changes: Any) -> Candidate:
    family = FamilyResult(family="time", p_value=1e-9, adjusted=1e-8, cut=0.01, stands=True)
    other = Outside(account=HOSTILE, membership=0.2, hits=3, volume=100, why=HOSTILE)
    near = Near(
        campaign_id="c-2", shared=1, expected=0.5, log_p=-2.0, log_p_cut=-16.0, overlap=0.05, overlap_cut=0.2,
        distance=None, failed="chance",
    )  # fmt: skip
    values: dict[str, Any] = {
        "campaign_id": HOSTILE,
        "tier": None,
        "score": 2.5,
        "q_value": 0.3,
        "accounts": 11,
        "prompts": 40,
        "capped_by": (HOSTILE,),
        "excerpt": HOSTILE,
        "families": (family,),
        "evidence": make_finding().evidence,
        "benign_explanations": make_finding().benign_explanations,
        "members": (other,),
        "outside": (other,),
        "outside_count": 1,
        "neighbors": (near,),
        "steps": (RateStep(fdr=0.0, tier=None), RateStep(fdr=0.02, tier="review")),
        "missing": ("timestamp",),
    }
    return Candidate(**{**values, **changes})


@pytest.fixture
def detection() -> Detection:
    timeless = make_finding(
        "c-2",
        tier="watch",
        families=(),
        orgs=None,
        first_seen=None,
        last_seen=None,
        days=(),
        templates=(),
        evidence=(),
        benign_explanations=(),
        capability_targets=(),
        members=(make_member("@late", first_seen=None, last_seen=None, templates={}),),
        shared_values=(),
        changes=(),
    )
    return make_detection(make_finding(), timeless)


# ---------------------------------------------------------------- escaping


def test_every_control_and_format_character_is_shown() -> None:
    seen_as_signs = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    hieroglyph_joiners = range(0x13430, 0x13460)
    missed = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and code not in seen_as_signs
        and code not in hieroglyph_joiners
        and code not in (9, 10)
        and INVISIBLE.search(chr(code)) is None
    ]
    assert missed == []
    assert visible("a\tb\n\u202e") == "a⟨U+0009⟩b⟨U+000A⟩⟨U+202E⟩"
    assert visible("a\tb\r\n\x1b", keep_lines=True) == "a\tb\n⟨U+001B⟩"


def test_html_text_shows_runs_cuts_and_keeps_an_emoji_whole() -> None:
    assert html_text("a\u200b\u200b\u200b<b>") == 'a<b class="inv">U+200B ×3</b>&lt;b&gt;'
    assert html_text("❤\ufe0f") == "❤\ufe0f"
    assert "U+FE0F" in html_text("x\ufe0e\ufe0f")
    assert html_text("x" * 1_234, 34).endswith('<span class="cut">… 1,200 more characters</span>')
    assert html_text("x" * 35, 34).endswith("… 1 more character</span>")


@given(st.text(alphabet=st.characters(), max_size=40))
@settings(max_examples=150, deadline=None)
def test_html_text_leaves_nothing_hidden_and_no_tag_of_its_own(text: str) -> None:
    page = html_text(text)
    assert INVISIBLE.search(page) is None
    assert set(re.findall(r"<[^>]*>", page)) <= {'<b class="inv">', "</b>"}


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n\\u0041e aé＝\x00\u202e\U000e0041\ud800"), max_size=12) | st.text())
@settings(max_examples=300, deadline=None)
def test_csv_cells_are_harmless_and_reversible(text: str) -> None:
    cell = csv_cell(text)
    assert csv_text(cell) == text
    assert re.match(r"\s*[=+\-@\t\r＝＋－＠]", cell) is None
    assert INVISIBLE.search(cell) is None
    assert "\n" not in cell


def test_csv_cells_of_ordinary_ids_are_unchanged() -> None:
    for text in ("user1", "a=b", r"DOMAIN\user", "Zoë", "it's", "a-b@example.org"):
        assert csv_cell(text) == text
    assert csv_cell("  =1+1") == "'  =1+1"
    assert csv_cell("\tx") == r"'\u0009x"
    assert csv_cell(r"\u0041") == r"\u005cu0041"


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
@settings(max_examples=100, deadline=None)
def test_json_text_reads_back_and_is_printable(value: Any) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert INVISIBLE.search(text) is None


def test_json_text_of_what_json_cannot_say() -> None:
    assert json_text("a\ud800\u2028") == '"a\\ufffd\\u2028"'
    assert json_text({"NaN": [math.nan, math.inf, -math.inf, 'Infinity \\"NaN']}) == (
        '{"NaN": [null, null, null, "Infinity \\\\\\"NaN"]}'
    )
    assert json_text([math.inf, -math.inf], infinity="1e999") == "[1e999, -1e999]"


# ---------------------------------------------------------------- numbers and times


def test_times_and_numbers_as_people_read_them() -> None:
    assert iso_time(T0) == "2026-03-01T00:00:00Z"
    assert iso_time(None) is None
    assert iso_time(NO_TIME) is None
    assert iso_time(10**15) == 10**15
    for seconds in (T0, -1, None, 10**15):
        assert seconds_of(iso_time(seconds)) == seconds
    assert [p_value(p) for p in (0.0, 1e-310, 3e-5, 1e-7, 0.25, math.nan)] == [
        "below 10⁻³⁰⁰",
        "below 10⁻³⁰⁰",
        "3 × 10⁻⁵",
        "10⁻⁷",
        "0.250",
        "–",
    ]
    assert [number(v) for v in (3, 12_345.6, 0.1234, 2e-6, math.inf, None)] == [
        "3",
        "12,346",
        "0.123",
        "2 × 10⁻⁶",
        "∞",
        "–",
    ]
    assert [percent(v) for v in (0.0, 1.0, 0.0031, 1e-9)] == ["0 %", "100 %", "0.31 %", "under 0.0001 %"]
    assert [rough(v) for v in (0.019086, 0.3, 12.34, 1_234.0, math.inf, math.nan, None)] == [
        *("0.019", "0.3", "12", "1,200", "∞", "–", "–"),
    ]


def test_what_chance_may_give_is_said_as_an_estimate_from_above() -> None:
    assert by_chance(0.3456, 4) == "of these, at most about 0.35 expected by chance"
    assert by_chance(0.3456, 1) == "at most about 0.35 expected by chance"
    assert by_chance(0.0, 2) == "of these, fewer than 0.001 expected by chance"
    assert by_chance(4.0, 4) == by_chance(7.2, 4) == "chance alone may give as many"


# ---------------------------------------------------------------- files


def test_campaigns_have_the_fields_of_the_contract(detection: Detection) -> None:
    lines = report.campaigns_jsonl(detection).splitlines()
    first, second = (json.loads(line) for line in lines)
    assert list(first)[:13] == [
        "campaign_id",
        "tier",
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
    assert list(first)[13:] == ["families", "orgs", "days", "shared_values", "changes"]
    assert first["shared_values"] == [
        {"field": "ip", "value": "203.0.113.*", "members": 12, "known": 20, "accounts": 14, "population": 640},
        {"field": HOSTILE, "value": HOSTILE, "members": 0, "known": 0, "accounts": 0, "population": 0},
    ]
    assert first["changes"] == ["It would be for review at a false-discovery rate below 0.0002.", HOSTILE]
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
    assert table.column_names == ["file", "line", "account", "campaign_id", "template_id", "membership"]
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
    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        report.check_writable(file)
    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        report.write_outputs(make_detection(), file / "out")
    assert file.read_text() == "kept"

    (tmp_path / "out" / "run.json").mkdir(parents=True)
    with pytest.raises(OutputError, match="a folder stands where a file is needed"):
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


# ---------------------------------------------------------------- terminal


def test_summary_without_colour_has_no_escape_and_fits(detection: Detection) -> None:
    for width in (60, 80, 132):
        text = report.summary_table(detection, width=width, color=False)
        assert INVISIBLE.search(text) is None
        assert max(len(line) for line in text.splitlines()) <= width
        assert "[bold red]markup[/] :smile:" in " ".join(text.split())
        for part in (
            "urgent",
            "c-1",
            "23",
            "160",
            "2026-03-01",
            "structure, time",
            "watch",
            "c-2",
            "9 rejects",
        ):
            assert part in " ".join(text.split())


def test_summary_in_colour_has_only_our_own_escapes(detection: Detection) -> None:
    text = report.summary_table(detection, width=100, color=True)
    assert "\x1b[1;31murgent" in text
    assert INVISIBLE.search(re.sub(r"\x1b\[(0|2|1;31|33|36)m", "", text)) is None


def test_summary_says_of_each_tier_in_use_how_many_may_be_chance(detection: Detection) -> None:
    lines = report.summary_table(detection, width=132, color=False).splitlines()
    assert lines[-2:] == [
        "urgent: 1 finding; fewer than 0.001 expected by chance",
        "watch: 1 finding; chance alone may give as many",
    ]
    plain = report.summary_table(dataclasses.replace(detection, expected_false={}), width=132, color=False)
    assert plain.splitlines() == lines[:-2]


def test_summary_of_nothing_is_a_sentence() -> None:
    text = report.summary_table(make_detection(), width=200, color=False)
    assert text == (
        "No campaign found; read 5,000 prompts of 700 accounts in 1 file, 9 rejects. "
        "A finding needs at least 10 accounts that send the same template.\n"
    )
    assert report.summary_table(make_detection(counts={}, settings={}), width=None, color=False)


# ---------------------------------------------------------------- the page


class Page(HTMLParser):
    """Elements, attributes and the text of the style element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.style = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> does not close what is open"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text += data


def test_page_is_inert_and_well_formed(detection: Detection) -> None:
    text = report.html_report(detection)
    page = Page(text)
    assert page.open == []
    assert not set(page.tags) & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "image",
        "use",
        "foreignobject",
    }
    names = {name for _, name, _ in page.attributes}
    assert not [name for name in names if name.startswith("on")]
    assert not names & {"style", "src", "srcset", "action", "xlink:href", "background"}
    assert {v for _, name, v in page.attributes if name == "href"} == {"#finding-1", "#finding-2"}
    assert INVISIBLE.search(text) is None
    assert page.text.count("</script></style></title></details><img src=x onerror=alert(1)>") > 10
    assert "{{ 7 * 7 }}" in page.text


def test_page_has_a_strict_policy_whose_hash_is_that_of_its_style(detection: Detection) -> None:
    page = Page(report.html_report(detection))
    assert page.tags["style"] == 1
    assert "</" not in page.style
    assert "url(" not in page.style
    assert "@import" not in page.style
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and name == "content" and value)
    assert policy is not None
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src 'none'",
        "script-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_page_says_what_was_found_and_what_was_left_out(detection: Detection) -> None:
    text = Page(report.html_report(detection)).text
    for part in (
        "2 suspected campaigns: 1 urgent, 1 watch",
        "5,000",
        "How to read this",
        "Nothing here is proof",
        "No daily timeline",
        "No fixed words in common",
        "No template was derived",
        "4,400 more characters",
        "U+202E",
        "Caps the tier at review",
        "Listed apart",
        "9 rows were left out",
        "the stream ends early",
        "below 10⁻³⁰⁰",
        "(empty text)",
    ):
        assert part in text, part


def words_of(detection: Detection) -> str:
    """The text of the page, with cells of tables apart."""
    return " ".join(Page(report.html_report(detection).replace("</t", " </t")).text.split())


def test_page_says_how_many_findings_may_be_chance(detection: Detection) -> None:
    text = words_of(detection)
    assert "urgent 1 finding; fewer than 0.001 expected by chance" in text
    assert "watch 1 finding; chance alone may give as many" in text
    assert "False-discovery rate urgent review watch 0.003 1 < 0.001 0 ≤ 0.1 1 ≤ 1.5 0.01 in force 1 " in text
    assert text.count("in force") == 1
    assert f"in the traffic behind {' '.join(visible(SCRIPT).split())}" in text
    assert "made 2026-02-01, with 134 innocent groups to learn from" in text
    assert "cd" * 32 in text
    assert "watch 1 0.012 ≤ 0.051 Held out" in text


def test_page_says_nothing_of_chance_where_nothing_is_known(detection: Detection) -> None:
    text = words_of(dataclasses.replace(detection, expected_false={}, what_if=(), calibration={}))
    assert "urgent 1 finding watch 1 finding" in text
    assert "by chance" not in text
    assert "How many may be chance" not in text
    bare = make_detection(make_finding(), settings={}, what_if=(make_cut(0.01, 0.2),), calibration={"file": ""})
    few = words_of(bare)
    assert "in force" not in few
    assert "Calibrated on benign traffic" in few
    assert "Held out" not in few


def test_page_explains_a_finding(detection: Detection) -> None:
    text = words_of(detection)
    assert text.count("What it is after") == 1
    assert "does not raise its tier" in text
    assert "The fixed words ask for reasons." in text
    assert "0.25 above ordinary requests; 0.01 expected (the best target of other texts); p 0.030" in text
    assert "nothing to compare it with" in text
    assert text.count("Shared infrastructure: 2 values") == 1
    assert "address 203.0.113.* 12 of 20 60 % 14 of 640 2 %" in text
    assert "0 of 0 0 of 0" in text
    assert text.count("What would change this") == 1
    assert "It would be for review at a false-discovery rate below 0.0002." in text


def test_evidence_of_intent_that_names_no_target_of_the_finding_is_still_shown() -> None:
    text = words_of(make_detection(make_finding(capability_targets=())))
    assert "What it is after" not in text
    assert "target: reasoning" in text


def measures(*p_values: float, family: Family = "time", name: str = "flat day") -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            id=MEASURE_IDS.get(name, name),
            name=name,
            family=family,
            value=1.0,
            null="-",
            expected=1.0,
            p_value=p,
            sentence=f"Measured {family} {p}.",
        )
        for p in p_values
    )


def folded(text: str) -> str:
    """What stands in the fold of measures that show nothing."""
    _, _, rest = text.partition('<details class="quiet">')
    return " ".join(Page(f"<p>{rest[: rest.find('</details>')]}</p>").text.split()) if rest else ""


def test_measures_that_show_nothing_are_folded_away() -> None:
    evidence = measures(0.2, 0.05, 0.9, math.nan) + measures(0.001, 0.051, family="structure", name="focus")
    text = report.html_report(make_detection(make_finding(evidence=evidence, capability_targets=())))
    inside = folded(text)
    assert inside.startswith("4 measures that show nothing")
    for said in ("time 0.2", "time 0.9", "time nan", "structure 0.051"):
        assert f"Measured {said}." in inside
        assert text.count(f"Measured {said}.") == 1
    for said in ("time 0.05", "structure 0.001"):
        assert f"Measured {said}." not in inside
        assert text.count(f"Measured {said}.") == 1
    one = report.html_report(make_detection(make_finding(evidence=measures(0.01, 0.3), capability_targets=())))
    assert folded(one).startswith("1 measure that shows nothing")


def test_what_is_folded_away_is_inert_too() -> None:
    hostile = Evidence(
        id="a",
        name=HOSTILE,
        family="time",
        value=math.nan,
        null=HOSTILE,
        expected=math.inf,
        p_value=0.7,
        sentence=HOSTILE,
    )
    page = Page(report.html_report(make_detection(make_finding(evidence=(hostile,), capability_targets=()))))
    assert page.open == []
    assert not set(page.tags) & {"script", "img"}
    assert [v for tag, name, v in page.attributes if (tag, name, v) == ("details", "class", "quiet")] == ["quiet"]


def test_a_finding_whose_measures_all_show_something_has_no_fold() -> None:
    text = report.html_report(make_detection(make_finding(evidence=measures(0.01, 0.05), capability_targets=())))
    assert folded(text) == ""
    assert "show nothing" not in text


def test_a_finding_without_any_measure_that_shows_something_says_so() -> None:
    text = report.html_report(make_detection(make_finding(evidence=measures(0.06), capability_targets=())))
    assert "No measure departs from what chance gives." in text
    assert "No measure was taken." not in text
    bare = report.html_report(make_detection(make_finding(evidence=(), capability_targets=())))
    assert "No measure was taken." in bare
    assert folded(bare) == ""


def test_measures_that_decide_are_marked_wherever_they_stand() -> None:
    decisive = {id_ for ids in deciding().values() for id_ in ids}
    names = [m.label for m in MEASURES if m.id in decisive]
    assert len(names) == 18
    for p in (0.001, 0.5):
        for name in (*names, "focus", "slot sweep"):
            evidence = measures(p, name=name)
            text = words_of(make_detection(make_finding(evidence=evidence, capability_targets=())))
            assert (f"{name} decides" in text) == (name in names)


def test_page_of_very_many_shared_values_and_changes_is_cut() -> None:
    shared = tuple(
        SharedValue(field="ip", value=f"198.51.{i}.*", members=3, known=9, accounts=3, population=90)
        for i in range(200)
    )
    text = words_of(make_detection(make_finding(shared_values=shared, changes=("A change.",) * 40)))
    assert "198.51.19.*" in text
    assert "198.51.20.*" not in text
    assert "180 more in campaigns.jsonl" in text
    assert text.count("A change.") == 12
    assert "28 more in campaigns.jsonl" in text


def test_page_without_findings_says_so() -> None:
    text = " ".join(Page(report.html_report(make_detection(rejects=(), counts={}, settings={}))).text.split())
    assert "No coordinated campaign was found" in text
    assert "A finding takes several accounts" in text
    text = " ".join(Page(report.html_report(make_detection())).text.split())
    assert "A finding takes at least 10 accounts" in text


def test_page_of_a_hundred_large_findings_stays_small() -> None:
    templates = tuple(make_template(f"t-{i}") for i in range(30))
    members = tuple(
        make_member(f"account-{i:05}", templates={t.template_id: 3 for t in templates}) for i in range(1_000)
    )
    days = tuple((f"{year}-{m:02}-{d:02}", d) for year in (2025, 2026) for m in range(1, 13) for d in range(1, 29))
    finding = make_finding(templates=templates, members=members, days=days, accounts=1_000)
    text = report.html_report(make_detection(*[finding] * 100))
    assert len(text.encode()) < 3_000_000
    assert "shown in full below" in text
    assert "more left out" in text
    assert "smaller templates left out" in text
    assert "one bar for each 4 days" in text
    alone = report.html_report(make_detection(finding))
    assert "800 more in <code>accounts.csv</code>" in alone
    assert "940 more left out" in alone


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="no chromium to render the page with")
def test_a_browser_runs_nothing_of_the_page(tmp_path: Path, detection: Detection) -> None:
    assert BROWSER is not None
    page = tmp_path / "report.html"
    page.write_text(report.html_report(detection), encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --disable-quic --dump-dom"
    command = [BROWSER, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=90, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the browser did not answer in time")
    if done.returncode or not done.stdout:
        pytest.skip(f"the browser could not render: {done.stderr[-200:]!r}")
    before, after = Page(page.read_text(encoding="utf-8")), Page(done.stdout.decode())
    assert not {"script", "img"} & set(after.tags)
    assert not [name for _, name, _ in after.attributes if name.startswith("on")]
    added = {"tbody"}  # what a browser adds around bare table rows
    assert {t: n for t, n in after.tags.items() if t not in added} == {
        t: n for t, n in before.tags.items() if t not in added
    }
    assert "<title>harvestdetect: 2 suspected campaigns" in done.stdout.decode()
