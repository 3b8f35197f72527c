"""Which columns are chosen, and how the records of a file with several shapes are read."""
# ruff: noqa: E501

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harvestdetect.data import NO_TIME, FileReading
from harvestdetect.dump import read_dumps
from harvestdetect.dump.columns.elsewhere import lines_from
from harvestdetect.dump.columns.file_names import in_path, partitions
from harvestdetect.dump.columns.names import looks_like_name
from harvestdetect.errors import ColumnsError
from harvestdetect.settings import Settings
from tests.dump.test_dump import encode

Row = dict[str, Any]
TEXT = "How do I keep the bread of a small bakery fresh over the weekend, number {}?"


def read(source: Path, **options: Any) -> tuple[list[Row], list[tuple[int | None, str]], FileReading]:
    """The rows, line and reason of the rejects, and how the first file was read."""
    batches = list(read_dumps([source], settings=Settings(**options)))
    rows = [row for batch in batches for row in batch.prompts.to_pylist()]
    files = [file for batch in batches for file in batch.files]
    reading = files[0].reading if files else None
    assert reading is not None
    return rows, [(reject.line, reject.reason) for batch in batches for reject in batch.rejects], reading


def write(path: Path, rows: Iterable[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def dump(tmp_path: Path, make: Any, count: int = 100, kind: str = "jsonl") -> tuple[list[Row], FileReading]:
    path = tmp_path / f"dump.{kind}"
    path.write_bytes(encode([make(n) for n in range(count)], kind))
    rows, rejects, reading = read(path)
    assert rejects == []
    assert len(rows) == count
    return rows, reading


def warned(reading: FileReading, words: str) -> bool:
    return any(words in warning for warning in reading.warnings)


# ---------------------------------------------------------------- the account


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_tenant_is_no_account(tmp_path: Path, kind: str) -> None:
    make = lambda n: {"account_id": f"t{n % 2}", "user_id": f"u{n % 20}", "prompt": TEXT.format(n)}  # noqa: E731
    rows, reading = dump(tmp_path, make, kind=kind)
    assert {row["account"] for row in rows} == {f"u{n}" for n in range(20)}
    assert reading.columns["account"] == "user_id"
    assert reading.others["account"] == ("account_id",)


def test_a_constant_column_is_no_account(tmp_path: Path) -> None:
    make = lambda n: {"user": "service", "end_user": f"u{n % 20}", "prompt": TEXT.format(n)}  # noqa: E731
    _, reading = dump(tmp_path, make)
    assert reading.columns["account"] == "end_user"


def test_what_the_client_writes_anew_each_time_is_no_account(tmp_path: Path) -> None:
    def make(n: int) -> Row:
        body = {
            "model": "m",
            "messages": [{"role": "user", "content": TEXT.format(n)}],
            "metadata": {"user_id": f"s{n}"},
        }
        return {"ts": 1_780_000_000 + n, "key": {"id": "x"}, "api_key_id": f"k{n % 20}", "request": body}

    _, reading = dump(tmp_path, make)
    assert reading.columns["account"] == "api_key_id"
    assert warned(reading, "the account is an API key (api_key_id)")
    assert "request.metadata.user_id" in reading.others["account"]


def test_an_account_that_the_client_writes_is_told(tmp_path: Path) -> None:
    make = lambda n: {  # noqa: E731
        "ts": 1_780_000_000 + n,
        "body": {"model": "m", "messages": [{"role": "user", "content": TEXT.format(n)}], "user": f"u{n % 20}"},
    }
    _, reading = dump(tmp_path, make)
    assert reading.columns["account"] == "body.user"
    assert warned(reading, "the account (body.user) is written by the client")


def test_an_organisation_that_owns_the_keys_is_the_account(tmp_path: Path) -> None:
    make = lambda n: {"organization_id": f"o{n % 20}", "api_key_id": f"k{n % 25}", "prompt": TEXT.format(n)}  # noqa: E731
    _, reading = dump(tmp_path, make)
    assert reading.columns["account"] == "organization_id"
    make = lambda n: {"organization_id": f"o{n % 2}", "api_key_id": f"k{n % 25}", "prompt": TEXT.format(n)}  # noqa: E731
    _, reading = dump(tmp_path, make)
    assert (reading.columns["account"], reading.columns["org"]) == ("api_key_id", "organization_id")


def test_the_session_in_an_account_is_cut_off(tmp_path: Path) -> None:
    make = lambda n: {"user_id": f"user_{n % 20}_account__session_{n}", "prompt": TEXT.format(n)}  # noqa: E731
    rows, reading = dump(tmp_path, make)
    assert {row["account"] for row in rows} == {f"user_{n}_account_" for n in range(20)}
    assert warned(reading, "the session in the account (user_id) is cut off")


@pytest.mark.parametrize("nobody", ["anonymous", "Unknown", "-", "null", "None"])
def test_accounts_that_name_nobody(tmp_path: Path, nobody: str) -> None:
    name = lambda n: nobody if n % 4 == 0 else f"u{n % 20}"  # noqa: E731
    rows, reading = dump(tmp_path, lambda n: {"user_id": name(n), "prompt": TEXT.format(n)})
    assert [row["account"] for row in rows] == [name(n) for n in range(100)]
    assert warned(reading, f"25 prompts (25.0%) are of the account '{nobody}'")
    make = lambda n: {"user_id": name(n), "api_key": f"k{n % 20}", "prompt": TEXT.format(n)}  # noqa: E731
    rows, reading = dump(tmp_path, make)
    assert [row["account"] for row in rows] == [f"k{n % 20}" if n % 4 == 0 else name(n) for n in range(100)]
    assert warned(reading, "where user_id names no account, it is taken from api_key")


def test_one_account_and_as_many_accounts_as_prompts_are_told(tmp_path: Path) -> None:
    _, reading = dump(tmp_path, lambda n: {"user": "u", "prompt": TEXT.format(n)})
    assert warned(reading, "all prompts of the file are of one account (user)")
    _, reading = dump(tmp_path, lambda n: {"user": f"u{n}", "prompt": TEXT.format(n)})
    assert warned(reading, "nearly as many accounts as prompts (user): 100 for 100")
    _, reading = dump(tmp_path, lambda n: {"user": f"u{n % 10}", "prompt": TEXT.format(n), "time": 1_780_000_000 + n})
    assert reading.warnings == ()


def test_what_a_sender_writes_into_a_prompt_names_no_account(tmp_path: Path) -> None:
    rows = [{"session": f"s{n}", "prompt": json.dumps({"user_id": "someone", "prompt": "x"})} for n in range(30)]
    with pytest.raises(ColumnsError, match="no column for the account"):
        read(write(tmp_path / "dump.jsonl", rows))


# ---------------------------------------------------------------- the prompt


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "chat-default-v3"},
        {"prompt": {"id": "pmpt_1", "version": "2"}},
        {"prompt": 74, "completion": 12},
        {"prompt": None, "prompt_tokens": 7},
        {"prompt": "You are a helpful assistant that answers questions about {topic} in {language}."},
        {"output": "An answer that is as long as the question was, and nothing else.", "response": "no"},
    ],
)
def test_the_prompt_is_the_column_of_texts(tmp_path: Path, other: Row) -> None:
    rows, reading = dump(tmp_path, lambda n: {"user_id": f"u{n % 9}", **other, "input": TEXT.format(n)})
    assert reading.columns["prompt"] == "input"
    assert [row["parts"] for row in rows] == [[TEXT.format(n)] for n in range(100)]


def test_a_prompt_that_is_no_text_is_told(tmp_path: Path) -> None:
    _, reading = dump(tmp_path, lambda n: {"user_id": f"u{n % 9}", "prompt": "template-v2"})
    assert warned(reading, "has short names in place of texts")
    assert warned(reading, "is the same in all rows")


def test_the_body_of_a_request_counts_as_a_whole(tmp_path: Path) -> None:
    body = lambda n: {"model": "m", "system": "Be brief.", "messages": [{"role": "user", "content": TEXT.format(n)}]}  # noqa: E731
    for kept in (body, lambda n: json.dumps(body(n))):
        rows, reading = dump(tmp_path, lambda n: {"uid": f"u{n % 9}", "gateway": {"call": kept(n)}})  # noqa: B023
        assert reading.columns["prompt"] == "gateway.call"
        assert rows[5]["parts"] == ["Be brief.", TEXT.format(5)]
        assert rows[5]["roles"] == ["system", "user"]


# ---------------------------------------------------------------- time and other fields


def test_created_at_of_the_row_is_no_property_of_the_account(tmp_path: Path) -> None:
    make = lambda n: {  # noqa: E731
        "user": f"u{n % 10}", "prompt": TEXT.format(n), "start_time": 1_780_000_000 + n,
        "created_at": 1_780_000_005 + n,
    }  # fmt: skip
    rows, _ = dump(tmp_path, make)
    assert {row["created_at"] for row in rows} == {NO_TIME}
    make = lambda n: {  # noqa: E731
        "user": f"u{n % 10}", "prompt": TEXT.format(n), "start_time": 1_780_000_000 + n,
        "created_at": 1_700_000_000 + n % 10,
    }  # fmt: skip
    rows, _ = dump(tmp_path, make)
    assert rows[3]["created_at"] == 1_700_000_003


@pytest.mark.parametrize(
    "name", ["@timestamp", "startTime", "_time", "create_time", "TimeGenerated [UTC]", "logging_time", "ts_ms"]
)
def test_names_of_times(tmp_path: Path, name: str) -> None:
    rows, reading = dump(tmp_path, lambda n: {"user": f"u{n % 9}", "prompt": TEXT.format(n), name: 1_780_000_000 + n})
    assert reading.columns["timestamp"] == name
    assert rows[7]["time"] == 1_780_000_007


def test_no_time_and_a_sole_organisation_are_told(tmp_path: Path) -> None:
    _, reading = dump(tmp_path, lambda n: {"user": f"u{n % 9}", "prompt": TEXT.format(n), "tenant": "prod"})
    assert warned(reading, "no column has the time of the prompt")
    assert warned(reading, "the organisation (tenant) is the same in all rows looked at")


# ---------------------------------------------------------------- several shapes in one file


def test_each_record_is_read_by_its_own_shape(tmp_path: Path) -> None:
    lines: list[tuple[Row, str]] = []
    for n in range(40):
        lines += [
            (
                {"event": "start", "user_id": f"u{n}", "messages": [{"role": "user", "content": TEXT.format(n)}]},
                f"u{n}",
            ),
            ({"path": "/v1/completions", "uid": f"c{n}", "data": {"prompt": TEXT.format(n)}}, f"c{n}"),
            ({"level": "info", "msg": "listening", "port": 80}, ""),
            ({"v": 2, "who": {"user": {"id": f"n{n}"}}, "call": {"body": {"input": TEXT.format(n)}}}, f"n{n}"),
        ]
    rows, rejects, _ = read(write(tmp_path / "dump.jsonl", (line for line, _ in lines)))
    assert [row["account"] for row in rows] == [account for _, account in lines if account]
    assert [row["line"] for row in rows] == [n + 1 for n, (_, account) in enumerate(lines) if account]
    assert {row["parts"][-1] for row in rows} == {TEXT.format(n) for n in range(40)}
    assert [line for line, _ in rejects] == [n + 1 for n, (_, account) in enumerate(lines) if not account]
    assert {reason for _, reason in rejects} == {"not a request: no account and no prompt"}


def test_columns_that_only_come_later_are_found(tmp_path: Path) -> None:
    early = [{"level": "info", "msg": f"worker {n} is ready"} for n in range(3_000)]
    late = [{"user": f"u{n % 50}", "text": TEXT.format(n), "time": 1_780_000_000 + n} for n in range(4_000)]
    for file, data in (
        ("plain", early + late),
        ("changed", late + [{"uid": f"v{n}", "prompt": TEXT.format(n)} for n in range(500)]),
    ):
        rows, rejects, _ = read(write(tmp_path / f"{file}.jsonl", data))
        assert len(rows) + len(rejects) == len(data)
        assert len(rows) == (4_000 if file == "plain" else 4_500)


def test_answers_between_requests_are_no_requests(tmp_path: Path) -> None:
    rows = []
    for n in range(50):
        rows += [
            {"user_id": f"u{n % 9}", "role": "user", "content": TEXT.format(n)},
            {"user_id": f"u{n % 9}", "role": "assistant", "content": "An answer that nobody asked to compare."},
        ]
    found, rejects, _ = read(write(tmp_path / "dump.jsonl", rows))
    assert [row["parts"] for row in found] == [[TEXT.format(n)] for n in range(50)]
    assert {reason for _, reason in rejects} == {"not a request: role is assistant"}
    events = []
    for n in range(50):
        events += [
            {"event": "llm_request", "user_id": f"u{n % 9}", "prompt": TEXT.format(n)},
            {"event": "llm_response", "user_id": f"u{n % 9}", "text": "An answer that nobody asked to compare."},
        ]
    found, rejects, _ = read(write(tmp_path / "events.jsonl", events))
    assert len(found) == len(rejects) == 50


def test_no_shape_of_one_record_reads_the_others(tmp_path: Path) -> None:
    rows: list[Row] = [{"account": "a", "prompt": TEXT.format(n)} for n in range(300)]
    rows += [{"user": "odd", "prompt": None, "text": "not the prompt of the others"}, {"account": "", "prompt": "x"}]
    found, rejects, _ = read(write(tmp_path / "dump.jsonl", rows))
    assert {row["account"] for row in found} == {"a"}
    assert rejects == [(301, "not a request: no account and no prompt"), (302, "the account is empty")]


def test_many_shapes_are_bounded(tmp_path: Path) -> None:
    draw = random.Random(1)
    rows = [{"account": "a", "prompt": "hello there"}] * 300
    rows += [{f"n{draw.random()}": {f"m{draw.random()}": "x"}, "account": "a"} for _ in range(3_000)]
    found, rejects, _ = read(write(tmp_path / "dump.jsonl", rows))
    assert (len(found), len(rejects)) == (300, 3_000)


def test_lists_of_requests(tmp_path: Path) -> None:
    record = {
        "tenant": "t",
        "user_id": "u",
        "calls": [{"ask": {"text": "first one"}}, {"ask": {"text": "second"}, "user_id": "v"}],
    }
    path = write(tmp_path / "dump.jsonl", [record])
    rows, _, reading = read(path, mapping={"prompt": "calls[].ask.text", "account": "calls[].user_id"})
    assert [(row["account"], row["parts"], row["org"]) for row in rows] == [
        ("u", ["first one"], "t"),
        ("v", ["second"], "t"),
    ]
    assert reading.columns["prompt"] == "calls[].ask.text"


def test_lists_of_requests_are_found(tmp_path: Path) -> None:
    make = lambda n: {"user": f"u{n}", "items": [{"prompt": TEXT.format(n)}, {"prompt": "the second"}]}  # noqa: E731
    rows, rejects, _ = read(write(tmp_path / "items.jsonl", [*map(make, range(20)), {"user": "v", "note": "no list"}]))
    assert [row["account"] for row in rows] == [f"u{n // 2}" for n in range(40)]
    assert [line for line, _ in rejects] == [21]
    make = lambda n: {"user": f"u{n}", "talk": [{"role": "user", "content": TEXT.format(n)}]}  # noqa: E731
    rows, rejects, reading = read(write(tmp_path / "talk.jsonl", map(make, range(20))))
    assert rejects == []
    assert [row["parts"] for row in rows] == [[TEXT.format(n)] for n in range(20)]
    assert reading.columns["prompt"] == "talk"


@pytest.mark.parametrize(
    "make",
    [
        lambda n: {"ts": n, "customer": {"id": f"u{n % 9}"}, "req": {"messages": [{"role": "user", "content": TEXT.format(n)}]}},
        lambda n: {"headers": [{"name": "x-user-id", "value": f"u{n % 9}"}], "body": json.dumps({"prompt": TEXT.format(n)})},
        lambda n: {"customDimensions": json.dumps({"user_id": f"u{n % 9}", "prompt": TEXT.format(n)}), "itemType": "trace"},
        lambda n: {"_id": {"$oid": "a"}, "userId": {"$oid": f"u{n % 9}"}, "prompt": TEXT.format(n)},
        lambda n: {"dynamodb": {"NewImage": {"user_id": {"S": f"u{n % 9}"}, "prompt": {"S": TEXT.format(n)}}}},
        lambda n: {"fields": {"uid": {"stringValue": f"u{n % 9}"}, "text": {"stringValue": TEXT.format(n)}}},
        lambda n: {"requestContext": {"authorizer": {"claims": {"sub": f"u{n % 9}"}}}, "body": json.dumps({"input": TEXT.format(n)})},
        lambda n: {"event": "ai", "distinct_id": f"u{n % 9}", "properties": {"$ai_input": [{"role": "user", "content": TEXT.format(n)}]}},
        lambda n: {"user_id": f"u{n % 9}", "request": TEXT.format(n), "response": "an answer to the question"},
    ],
)  # fmt: skip
def test_names_at_any_depth(tmp_path: Path, make: Any) -> None:
    rows, rejects, _ = read(write(tmp_path / "dump.jsonl", map(make, range(60))))
    assert rejects == []
    assert [row["account"] for row in rows] == [f"u{n % 9}" for n in range(60)]
    assert [row["parts"] for row in rows] == [[TEXT.format(n)] for n in range(60)]


# ---------------------------------------------------------------- maps


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_none_unmaps(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"dump.{kind}"
    path.write_bytes(encode([{"account": "a", "prompt": "hi there", "org": "o", "time": 1_780_000_000}] * 3, kind))
    rows, _, reading = read(path, mapping={"org": "none", "timestamp": "none"})
    assert {(row["org"], row["time"]) for row in rows} == {(None, NO_TIME)}
    assert set(reading.columns) == {"account", "prompt"}
    with pytest.raises(ColumnsError, match="--map prompt=none: every row needs the prompt"):
        read(path, mapping={"prompt": "none"})


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_accounts_in_paths(tmp_path: Path, kind: str) -> None:
    for name in ("u1", "u 2"):
        for folder in (
            f"hive/account={name.replace(' ', '%20')}/day=2026-06-01/part.{kind}",
            f"keys/file-{name}.{kind}",
        ):
            path = tmp_path / folder
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode([{"prompt": f"hello from {name}", "time": 1_780_000_000}], kind))
    rows, rejects, reading = read(tmp_path / "hive")
    assert rejects == []
    assert {(row["account"], *row["parts"]) for row in rows} == {("u1", "hello from u1"), ("u 2", "hello from u 2")}
    assert reading.columns["account"] == "the path of the file"
    rows, _, _ = read(tmp_path / "keys", mapping={"account": f"@path:keys/file-{{}}.{kind}"})
    assert {row["account"] for row in rows} == {"u1", "u 2"}
    rows, _, _ = read(tmp_path / "hive", mapping={"account": "@path:account={}/**"})
    assert {row["account"] for row in rows} == {"u1", "u 2"}


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("{}.jsonl", "/a/b/u1.jsonl", "u1"),
        ("{account}/*.jsonl", "/a/u1/x.jsonl", "u1"),
        ("logs-*-{}.gz", "/a/logs-2026-u1.gz", "u1"),
        ("{}/**", "/a/b/c.jsonl", None),
        ("by/{}/**", "/data/by/u1/2026/x.jsonl", "u1"),
        ("x-{}.jsonl", "/a/y-u1.jsonl", None),
        ("{}.csv", "/a/u1.jsonl", None),
        ("*{}", "u", "u"),
    ],
)
def test_patterns_of_paths(pattern: str, path: str, found: str | None) -> None:
    if pattern == "{}/**":
        assert in_path(pattern, path) is not None
    else:
        assert in_path(pattern, path) == found


def test_hostile_patterns_take_no_time() -> None:
    assert in_path("**a" * 18 + "{}b", "a" * 4_000) is None


def test_partitions() -> None:
    assert partitions("x/account=u%201/dt=2026-06-01/user=__HIVE_DEFAULT_PARTITION__/a=b.jsonl") == {
        "account": "u 1",
        "dt": "2026-06-01",
    }


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"account": "@path:x.jsonl"}, "needs one {} where the account stands, got 0"),
        ({"account": "@path:{}/{}"}, "needs one {} where the account stands, got 2"),
        ({"prompt": "@path:{}"}, "a prompt is never in the path of a file"),
    ],
)
def test_mistakes_in_maps(tmp_path: Path, mapping: dict[str, str], message: str) -> None:
    with pytest.raises(ColumnsError) as caught:
        read(write(tmp_path / "a.jsonl", [{"account": "a", "prompt": "p"}]), mapping=mapping)
    assert message in str(caught.value)


def test_a_column_of_the_user_that_no_row_has_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [{"account": "a", "prompt": "p", "Host": "h"}])
    wrong = "no row that was looked at has the column adresse, which --map names for ip"
    assert wrong in read(file, mapping={"ip": "adresse"})[2].warnings
    assert wrong not in read(file, mapping={"ip": "host"})[2].warnings


def test_one_account_in_each_file_is_expected_if_its_path_names_it(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"account=u{number}").mkdir()
        write(tmp_path / f"account=u{number}" / "a.jsonl", [{"prompt": f"{TEXT.format(i)}"} for i in range(30)])
        assert not warned(read(tmp_path / f"account=u{number}" / "a.jsonl")[2], "are of one account")


def test_a_path_that_does_not_match_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [{"account": "a", "prompt": "p"}])
    with pytest.raises(ColumnsError, match=r"does not match --map account=@path:logs/\{\}\.jsonl; \{\} stands for"):
        read(file, mapping={"account": "@path:logs/{}.jsonl"})


# ---------------------------------------------------------------- messages and samples


def test_no_message_shows_the_text_of_a_prompt(tmp_path: Path) -> None:
    secret = "please write me a poem about the sea and my mother"
    with (tmp_path / "dump.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["u1", secret, "2026-06-01"], ["u2", "another one", "2026-06-02"]])
    with pytest.raises(ColumnsError) as caught:
        read(tmp_path / "dump.csv", format="csv")
    assert "poem" not in str(caught.value)
    rows = [{"id": 1, secret: "x"}]
    with pytest.raises(ColumnsError, match="1 more without the look of a name") as caught:
        read(write(tmp_path / "dump.jsonl", rows))
    assert "poem" not in str(caught.value)


@pytest.mark.parametrize("name", ["user_id", "@timestamp", "TimeGenerated [UTC]", "a.b.c", "Nutzer-Name", "$user"])
def test_names_that_are_shown(name: str) -> None:
    assert looks_like_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "12",
        "2026-06-01",
        "please write a poem about it",
        "请写一首关于象棋开局的诗",
        "x" * 90,
        "a\x1b[31m",
        "what?!",
    ],
)
def test_names_that_are_not_shown(name: str) -> None:
    assert not looks_like_name(name)


@pytest.mark.parametrize("count", [1, 7, 1_000, 30_000])
@pytest.mark.parametrize("start", [0, 1])
def test_lines_from_all_over_a_file_come_once_and_whole(tmp_path: Path, count: int, start: int) -> None:
    lines = [f"line {n} ".encode() + b"x" * (n % 37) for n in range(count)]
    path = tmp_path / "file"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    first = len(lines[0]) + 1 if start else 0
    found = lines_from(str(path), first)
    assert len(found) == len(set(found))
    assert set(found) <= set(lines[start:])
    assert found or count <= start + 1


@pytest.mark.parametrize(("accounts", "told"), [(40, False), (4_000, True)])
def test_many_accounts_are_counted_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accounts: int, told: bool
) -> None:
    monkeypatch.setattr("harvestdetect.dump.columns.learnt._MOST_ACCOUNTS", 30)
    _, reading = dump(tmp_path, lambda n: {"user": n % accounts, "prompt": TEXT.format(n), "time": n}, count=4_000)
    assert warned(reading, "nearly as many accounts as prompts (user)") == told
