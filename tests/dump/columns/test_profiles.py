"""The known shapes: recognised, read, and listed where people look for them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from harvestdetect.cli.options import PROFILES
from harvestdetect.data import NO_TIME, FileReading
from harvestdetect.dump import read_dumps
from harvestdetect.dump.columns.profiles import load_profiles, profiles_of, shipped_profiles
from harvestdetect.errors import ColumnsError, SettingsError
from harvestdetect.settings import Settings
from tests.dump.shapes import RECORDS, START, TIMED, WRAPPED, text_of

ROOT = Path(__file__).resolve().parents[3]
COUNT = 30
"""Records of a test."""


def read(file: Path, **options: Any) -> tuple[list[dict[str, Any]], list[str], FileReading]:
    """The rows, the reasons of the rejects, and how the file was read."""
    batches = list(read_dumps([file], settings=Settings(**options)))
    rows = [row for batch in batches for row in batch.prompts.to_pylist()]
    reading = batches[-1].files[0].reading
    assert reading is not None
    return rows, [reject.reason for batch in batches for reject in batch.rejects], reading


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def check(rows: list[dict[str, Any]], *, timed: bool) -> None:
    assert len(rows) == COUNT
    for number, row in enumerate(rows):
        assert row["account"].endswith(f"u{number % 10}")
        asked = [text for role, text in zip(row["roles"], row["parts"], strict=True) if role == "user"]
        assert asked == [text_of(number)]
        if timed:
            assert abs(row["time"] - (START + 3600 * number)) < 60
        else:
            assert row["time"] == NO_TIME


@pytest.mark.parametrize("name", RECORDS)
def test_every_profile_reads_its_records(tmp_path: Path, name: str) -> None:
    rows, reasons, reading = read(write(tmp_path / "dump.jsonl", list(map(RECORDS[name], range(COUNT)))))
    assert reasons == []
    assert reading.shape == name
    check(rows, timed=name in TIMED)


@pytest.mark.parametrize("name", WRAPPED)
def test_every_wrapper_is_opened(tmp_path: Path, name: str) -> None:
    rows, reasons, reading = read(write(tmp_path / "dump.jsonl", list(map(WRAPPED[name], range(COUNT)))))
    assert reasons == []
    assert name in reading.shape.split(", ")
    check(rows, timed=name != "anthropic-batch-body")


def test_every_profile_of_rows_has_a_record() -> None:
    of_rows = {p.name for p in shipped_profiles() if not (p.wrapper or p.reject or p.skip)}
    assert of_rows - set(RECORDS) - set(WRAPPED) == {"lmsys-chat"}  # has no accounts


@pytest.mark.parametrize(
    "name", ["litellm-spend-logs", "langfuse-observations", "azure-apim-llm", "databricks-inference-table"]
)
def test_profiles_read_csv_too(tmp_path: Path, name: str) -> None:
    records = list(map(RECORDS[name], range(COUNT)))
    with (tmp_path / "dump.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        for record in records:
            writer.writerow({k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in record.items()})
    rows, reasons, reading = read(tmp_path / "dump.csv")
    assert reasons == []
    assert reading.shape == name
    check(rows, timed=True)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (
            {"id": "b", "custom_id": "r", "response": {"status_code": 200, "body": {"choices": []}}},
            "the result of a batch",
        ),
        ({"custom_id": "r", "result": {"type": "succeeded", "message": {}}}, "the result of a batch"),
        (
            {"schemaType": "ModelInvocationLog", "input": {"inputBodyS3Path": "s3://b/k"}, "modelId": "m"},
            "the body of the request is in another object",
        ),
        (
            {"Gateway": "g", "Metadata": {"user": "u"}, "RequestBody": {"type": "encrypted", "key": "k", "data": "x"}},
            "the request body is encrypted",
        ),
    ],
)
def test_records_without_a_request_say_so(tmp_path: Path, record: dict[str, Any], reason: str) -> None:
    with pytest.raises(ColumnsError, match=reason):
        read(write(tmp_path / "only.jsonl", [record] * 3))
    good = {"account": "a", "prompt": "hello there", "time": START}
    rows, reasons, _ = read(write(tmp_path / "mixed.jsonl", [good, record, good]))
    assert len(rows) == 2
    (told,) = reasons
    assert told.startswith("not a request: ")
    assert reason in told


def test_lmsys_is_refused_with_the_reason(tmp_path: Path) -> None:
    record = {
        "conversation_id": "c", "model": "m", "turn": 1, "language": "English", "redacted": False,
        "conversation": [{"role": "user", "content": "hello"}],
    }  # fmt: skip
    with pytest.raises(ColumnsError, match=r"no column for the account.*LMSYS-Chat-1M says nothing about who"):
        read(write(tmp_path / "dump.jsonl", [record]))


def test_actions_of_bulk_requests_are_no_rows(tmp_path: Path) -> None:
    lines = []
    for number in range(COUNT):
        lines += [
            {"index": {"_index": "i", "_id": str(number)}},
            {"user": {"id": f"u{number % 10}"}, "message": text_of(number)},
        ]
    rows, reasons, _ = read(write(tmp_path / "bulk.ndjson", lines))
    assert reasons == []
    check(rows, timed=False)


def test_spans_beside_generations_are_no_requests(tmp_path: Path) -> None:
    make = RECORDS["langfuse-observations"]
    records = [record for n in range(COUNT) for record in (make(n) | {"type": "SPAN", "id": f"s{n}"}, make(n))]
    rows, reasons, _ = read(write(tmp_path / "dump.jsonl", records))
    check(rows, timed=True)
    assert reasons == ["not a request: a record of another type"] * COUNT
    spans = [record for record in records if record["type"] == "SPAN"]
    rows, reasons, _ = read(write(tmp_path / "spans.jsonl", spans))
    assert reasons == []
    check(rows, timed=True)


def test_a_profile_needs_all_that_it_is_recognised_by(tmp_path: Path) -> None:
    record = {"call_type": "x", "user_id": "u", "prompt": "hello there", "end_user": "someone else"}
    rows, _, reading = read(write(tmp_path / "dump.jsonl", [record]))
    assert reading.shape == ""
    assert rows[0]["account"] == "u"


def test_a_profile_can_be_forced(tmp_path: Path) -> None:
    record = {"user": "wrong", "conversation": [{"role": "user", "content": "hello"}], "hashed_ip": "right", "x": 1}
    file = write(tmp_path / "dump.jsonl", [record])
    assert read(file, profile="sharegpt")[0][0]["account"] == "wrong"
    assert read(file, profile="wildchat")[0][0]["account"] == "right"
    with pytest.raises(SettingsError, match="there is no profile 'nosuch'; name one of litellm-spend-logs"):
        read(file, profile="nosuch")
    with pytest.raises(SettingsError, match="did you mean litellm-spend-logs or"):
        read(file, profile="litellm")
    wrong = "no record that was looked at has the shape of litellm-spend-logs"
    assert any(wrong in warning for warning in read(file, profile="litellm-spend-logs")[2].warnings)
    assert not any("has the shape of" in warning for warning in read(file, profile="wildchat")[2].warnings)


def test_own_profiles(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[gw]\ndetect = ["gw.version", "calls"]\nrows = "calls[]"\naccount = ["caller", "gw.owner"]\n'
        'prompt = ["ask"]\nkeep = { kind = ["llm"] }\n[gw.where]\n"gw.version" = ["2"]\n'
    )
    records = [
        {"gw": {"version": "2", "owner": "o"}, "calls": [
            {"kind": "llm", "ask": "one question", "caller": "c"}, {"kind": "llm", "ask": "another"},
            {"kind": "db", "ask": "no"},
        ]},
        {"gw": {"version": "1"}, "user_id": "u", "prompt": "by name"},
    ]  # fmt: skip
    rows, reasons, reading = read(write(tmp_path / "dump.jsonl", records), profile=str(own))
    assert [(row["account"], row["parts"], row["line"]) for row in rows] == [
        ("c", ["one question"], 1), ("o", ["another"], 1), ("u", ["by name"], 2),
    ]  # fmt: skip
    assert reasons == ["not a request: a record of another type"]
    assert "gw" in reading.shape


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "is no TOML"),
        ("", "there is no profile in it"),
        ("a = 1", "profile 'a' must be a table"),
        ("[a]\nprompt = ['x']", "detect must name the paths"),
        ("[a]\ndetect = ['x']\ncolour = 'red'", "the key 'colour' is unknown; known: account"),
        ("[a]\ndetect = ['x']\nprompt = 3", "prompt must be a list of paths"),
        ("[a]\ndetect = ['x']\nkeep = ['y']", "keep must be a table of paths"),
        ("[a]\ndetect = ['x']\nwrapper = 'yes'", "wrapper must be true or false"),
        ("[a]\ndetect = ['x']\nwrapper = true", "a wrapper needs rows"),
        ("[a]\ndetect = ['x']\ncut = { colour = 'x' }", "cut must be a table of fields to texts"),
        ("[a]\ndetect = ['x']\nrows = 3", "rows must be a text"),
    ],
)
def test_mistakes_in_own_profiles_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        load_profiles(file)
    assert str(file) in str(caught.value)


def test_a_file_of_profiles_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read the profiles in .*: No such file"):
        profiles_of(str(tmp_path / "none.toml"))
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="profiles are TOML in UTF-8"):
        profiles_of(str(tmp_path / "odd.toml"))


def names_of_rows() -> list[str]:
    return [p.name for p in shipped_profiles() if not (p.wrapper or p.reject or p.skip)]


def test_help_lists_the_profiles() -> None:
    assert PROFILES.removeprefix("Names: ").removesuffix(".").split(", ") == names_of_rows()


def table() -> str:
    """The profiles as the page lists them."""
    lines = ["| profile | what it is | read as |", "|---|---|---|"]
    for profile in shipped_profiles():
        if profile.skip or profile.reject:
            read_as = "no requests"
        elif profile.wrapper:
            read_as = "what is in it"
        else:
            paths = profile.fields.get("account", ())
            read_as = "account: " + (", ".join(f"`{'.'.join(path)}`" for path in paths[:3]) or "by name")
        lines.append(f"| `{profile.name}` | {profile.title} | {read_as} |")
    return "\n".join(lines)


def test_the_page_lists_the_profiles() -> None:
    page = (ROOT / "docs" / "shapes.md").read_text(encoding="utf-8")
    start, stop = page.index("<!-- profiles -->"), page.index("<!-- /profiles -->")
    assert page[start:stop] == f"<!-- profiles -->\n\n{table()}\n\n"
