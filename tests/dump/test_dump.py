"""Reading good dumps: formats, compressions, columns, values."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harvestdetect.data import NO_TIME, PROMPT_SCHEMA, Batch, Reject
from harvestdetect.dump import expand_sources, read_dumps
from harvestdetect.dump.values.identifiers import spelling
from harvestdetect.dump.values.times import EARLIEST, LATEST, seconds
from harvestdetect.errors import ColumnsError, InputError, UsageError
from harvestdetect.settings import Settings

Row = dict[str, Any]


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


def pack(data: bytes, compression: str) -> bytes:
    return {"": data, "gzip": gzip.compress(data), "zstd": zstd(data)}[compression]


def encode(rows: list[Row], kind: str) -> bytes:
    if kind == "parquet":
        return parquet_bytes(rows)
    return jsonl(rows) if kind == "jsonl" else csv_bytes(rows)


def jsonl(rows: Iterable[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def csv_bytes(rows: Sequence[Row]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()})
    return out.getvalue().encode()


def parquet_bytes(table: pa.Table | list[Row], **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table if isinstance(table, pa.Table) else pa.Table.from_pylist(table), sink, **options)
    return bytes(sink.getvalue().to_pybytes())


def read(*sources: str | Path, **options: Any) -> tuple[list[Row], list[Reject], list[Batch]]:
    batches = list(read_dumps(sources, **options))
    rows = [row for batch in batches for row in batch.prompts.to_pylist()]
    for batch in batches:
        assert batch.prompts.schema == PROMPT_SCHEMA
        batch.prompts.validate(full=True)
    return rows, [reject for batch in batches for reject in batch.rejects], batches


def one(tmp_path: Path, row: Row, **options: Any) -> Row:
    (tmp_path / "one.jsonl").write_bytes(jsonl([row]))
    rows, rejects, _ = read(tmp_path / "one.jsonl", **options)
    assert rejects == []
    assert len(rows) == 1
    return rows[0]


def comparable(rows: Iterable[Row]) -> list[Row]:
    """Without where the rows stood."""
    return sorted(
        ({k: v for k, v in row.items() if k not in ("file", "line")} for row in rows),
        key=lambda row: json.dumps(row, sort_keys=True),
    )


SAMPLE: list[Row] = [
    {
        "user_id": f"acc-{i % 7}",
        "created": 1_750_000_000 + i,
        "prompt": f'prompt {i}, "quoted",\nsecond line \u00e9\u4e2d\U0001f600' + "x" * (i % 50),
        "organization": f"org{i % 3}",
        "ip": f"10.0.0.{i % 9}",
        "model": "m-1",
    }
    for i in range(200)
]


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_every_format_and_compression_gives_the_same_rows(tmp_path: Path, kind: str, compression: str) -> None:
    data = encode(SAMPLE, kind)
    stored = pack(data, compression)
    # The name tells neither the format nor the compression.
    (tmp_path / "dump.bin").write_bytes(stored)
    rows, rejects, batches = read(tmp_path / "dump.bin")
    assert rejects == []
    (tmp_path / "reference.jsonl").write_bytes(jsonl(SAMPLE))
    assert comparable(rows) == comparable(read(tmp_path / "reference.jsonl")[0])
    assert [row["parts"] for row in rows] == [[row["prompt"]] for row in SAMPLE]
    (file,) = batches[-1].files
    assert file.format == kind + (f"+{compression}" if compression else "")
    assert (file.rows, file.rejects, file.bytes) == (200, 0, len(stored))
    assert file.sha256 == hashlib.sha256(stored).hexdigest()


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_standard_input(kind: str) -> None:
    data = encode(SAMPLE, kind)
    rows, rejects, batches = read("-", stdin=io.BytesIO(gzip.compress(data)))
    assert len(rows) == 200
    assert rejects == []
    assert batches[-1].files[0].name == "-"


def test_split_over_files_and_small_batches(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(jsonl(SAMPLE))
    folder = tmp_path / "parts"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.CSV").write_bytes(csv_bytes(SAMPLE[:50]))
    (folder / "deep" / "a.jsonl.gz").write_bytes(gzip.compress(jsonl(SAMPLE[50:120])))
    (folder / "c.parquet").write_bytes(parquet_bytes(SAMPLE[120:], row_group_size=17))
    (folder / "README.md").write_text("not a dump")
    (folder / ".hidden.jsonl").write_text("not read")
    rows, rejects, batches = read(folder, batch_rows=13)
    assert rejects == []
    assert max(batch.prompts.num_rows for batch in batches) <= 13
    assert comparable(rows) == comparable(read(whole)[0])
    files = [file for batch in batches for file in batch.files]
    assert [file.rows for file in files] == [50, 80, 70]
    assert sorted({row["file"] for row in rows}) == [0, 1, 2]


def test_lines_are_physical_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"account":"a","prompt":"x"}\r\n\r\n{"account":"b","prompt":"y"}')
    (tmp_path / "b.csv").write_bytes(b'\xef\xbb\xbfaccount,prompt\r\na,"x\ny\r\nz"\n\nb,y')
    rows, rejects, _ = read(tmp_path)
    assert rejects == []
    assert [(row["account"], row["line"]) for row in rows] == [("a", 1), ("b", 3), ("a", 2), ("b", 6)]
    assert rows[2]["parts"] == ["x\ny\r\nz"]


def test_gzip_with_several_members_and_zstd_with_several_frames(tmp_path: Path) -> None:
    first, second = jsonl(SAMPLE[:90]), jsonl(SAMPLE[90:])
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(first) + gzip.compress(second) + b"\0" * 512)
    (tmp_path / "b.jsonl.zst").write_bytes(zstd(first) + zstd(second))
    rows, rejects, _ = read(tmp_path)
    assert rejects == []
    assert len(rows) == 400


def test_csv_with_other_delimiters_and_carriage_returns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'account;prompt\nx;"a;b"\n')
    (tmp_path / "b.csv").write_bytes(b"account\tprompt\nx\ta,b\n")
    (tmp_path / "c.csv").write_bytes(b"account,prompt\rx,one\ry,two\r")
    rows, rejects, _ = read(tmp_path)
    assert rejects == []
    assert [row["parts"] for row in rows] == [["a;b"], ["a,b"], ["one"], ["two"]]


def test_progress_reaches_the_total(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(SAMPLE))
    (tmp_path / "b.parquet").write_bytes(parquet_bytes(SAMPLE))
    total = sum(file.stat().st_size for file in tmp_path.iterdir())
    heard: list[tuple[int, int | None]] = []
    read(tmp_path, progress=lambda done, of: heard.append((done, of)))
    assert heard[-1][:] == (total, total)
    heard.clear()
    read("-", stdin=io.BytesIO(jsonl(SAMPLE)), progress=lambda done, of: heard.append((done, of)))
    assert heard == [(len(jsonl(SAMPLE)), None)]


# ---------------------------------------------------------------- sources


def test_expand_sources(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.ndjson.ZST", "c.csv.gz", "sub/d.parquet", "sub/.git/e.jsonl", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()

    def names(*sources: str | Path) -> list[str]:
        return [str(Path(name).relative_to(tmp_path)) for name in expand_sources(sources)]

    assert names(tmp_path) == ["a.ndjson.ZST", "b.jsonl", "c.csv.gz", "sub/d.parquet"]
    assert names(f"{tmp_path}/*.jsonl", tmp_path / "b.jsonl") == ["b.jsonl"]
    assert names(f"{tmp_path}/*") == ["a.ndjson.ZST", "b.jsonl", "c.csv.gz", "sub/d.parquet"]
    assert names(f"{tmp_path}/**/*.parquet") == ["sub/d.parquet"]
    assert names(tmp_path / "notes.md") == ["notes.md"]
    assert names(f"file://{tmp_path}/b.jsonl") == ["b.jsonl"]
    (tmp_path / "odd[1].jsonl").touch()
    assert names(tmp_path / "odd[1].jsonl") == ["odd[1].jsonl"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.jsonl", "no such file"),
        ("missing*.jsonl", r"no dumps match .*looked for \*\.jsonl"),
        ("empty", r"no dumps in the folder .*looked for \*\.jsonl"),
        ("nul\0byte", "no such file"),
    ],
)
def test_sources_that_are_not_there(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        expand_sources([f"{tmp_path}/{source}"])


def test_sources_that_cannot_be_used() -> None:
    with pytest.raises(UsageError, match="no dump was named"):
        read_dumps([])
    with pytest.raises(UsageError, match="only once"):
        read_dumps(["-", "-"])
    with pytest.raises(UsageError, match="only files, s3://, gs:// and postgresql://"):
        read_dumps(["https://example.org/dump.jsonl"])
    with pytest.raises(UsageError, match="batch_rows"):
        read_dumps(["-"], batch_rows=0)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret.jsonl"
    file.write_bytes(jsonl(SAMPLE))
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(InputError, match=r"secret\.jsonl: Permission denied"):
        expand_sources([file])


# ---------------------------------------------------------------- columns


@pytest.mark.parametrize(
    "row",
    [
        {"account": "a", "timestamp": 1_750_000_000, "prompt": "hi"},
        {"User ID": "a", "Time": "2025-06-15T15:06:40Z", "TEXT": "hi"},
        {"userId": "a", "createdTime": 1_750_000_000_000, "input": "hi"},
        {"customer_id": "a", "created": 1_750_000_000.5, "query": "hi"},
        {"account_id": "a", "created_at": 1_750_000_000, "messages": [{"role": "user", "content": "hi"}]},
        {"uid": "a", "ts": "1750000000", "body": {"messages": [{"role": "user", "content": "hi"}], "n": 1}},
        {"user": {"id": "a"}, "date": "2025-06-15 15:06:40", "request": {"body": {"prompt": "hi"}}},
        {"user": None, "author": "a", "request_time": 1_750_000_000, "prompt": "hi"},
        {"user": "a", "event_time": 1_750_000_000, "message": {"role": "user", "content": "hi"}},
        {"body.account": "x", "account": "a", "time": 1_750_000_000, "body.messages": "hi", "text": None},
    ],
)
def test_recognised_names(tmp_path: Path, row: Row) -> None:
    found = one(tmp_path, row)
    assert (found["account"], found["time"]) == ("a", 1_750_000_000)
    assert (found["roles"], found["parts"]) == (["user"], ["hi"])


def test_created_at_is_the_accounts_unless_there_is_no_other_time(tmp_path: Path) -> None:
    row = {"account": "a", "prompt": "hi", "created_at": "2025-01-01", "timestamp": "2025-06-15"}
    found = one(tmp_path, row)
    assert found["created_at"] == seconds("2025-01-01")
    assert found["time"] == seconds("2025-06-15")
    del row["timestamp"]
    found = one(tmp_path, row)
    assert found["created_at"] == NO_TIME
    assert found["time"] == seconds("2025-01-01")
    found = one(tmp_path, {**row, "account_created_at": "2024-01-01"})
    assert found["created_at"] == seconds("2024-01-01")
    assert found["time"] == seconds("2025-01-01")
    found = one(tmp_path, row, settings=Settings(mapping={"created_at": "created_at"}))
    assert found["created_at"] == seconds("2025-01-01")
    assert found["time"] == NO_TIME


@pytest.mark.parametrize("name", ["signup", "signup_date", "Signup"])
def test_a_sign_up_is_when_the_account_was_created(tmp_path: Path, name: str) -> None:
    found = one(tmp_path, {"account": "a", "prompt": "hi", "timestamp": "2025-06-15", name: "2025-01-01"})
    assert found["created_at"] == seconds("2025-01-01")
    assert found["time"] == seconds("2025-06-15")


@pytest.mark.parametrize("place", [0, 3, 99])
@pytest.mark.parametrize(
    ("row", "odd"),
    [
        ({"account": "a", "created_at": 1_750_000_000, "prompt": "hi"}, {"metadata": {"time": "1700000000"}}),
        ({"account": "a", "created_at": 1_750_000_000, "prompt": "hi"}, {"timestamp": 1_700_000_000}),
        ({"account": "a", "time": 1_750_000_000, "body": {"input": "hi"}}, {"prompt": "odd"}),
        ({"request": {"metadata": {"user_id": "a"}}, "ts": 1_750_000_000, "prompt": "hi"}, {"user": "odd"}),
    ],
)
def test_one_row_does_not_say_what_the_columns_mean(tmp_path: Path, row: Row, odd: Row, place: int) -> None:
    rows = [dict(row) for _ in range(300)]
    rows[place] |= odd
    path = tmp_path / "dump.jsonl"
    path.write_bytes(jsonl(rows))
    found, rejects, _ = read(path)
    assert rejects == []
    others = [one for i, one in enumerate(found) if i != place]
    assert {(one["account"], one["time"], *one["parts"]) for one in others} == {("a", 1_750_000_000, "hi")}


def test_optional_fields(tmp_path: Path) -> None:
    row = {
        "account": "a",
        "prompt": "hi",
        "organization_id": 17,
        "client_ip": " 10.0.0.1 ",
        "asn": 64512.0,
        "ua": "",
        "key_id": None,
        "card_fingerprint": ["no"],
        "email_domain": "example.org",
        "model": True,
        "conversation_id": "s1",
    }
    found = one(tmp_path, row)
    assert [found[k] for k in ("org", "ip", "asn", "user_agent", "api_key")] == [
        "17",
        "10.0.0.1",
        "64512",
        None,
        None,
    ]
    assert [found[k] for k in ("payment", "email_domain", "model", "session")] == [
        None,
        "example.org",
        "true",
        "s1",
    ]
    assert found["time"] == NO_TIME


def test_mapping(tmp_path: Path) -> None:
    row = {"a.b": "acc", "x": {"y": {"z": "hi"}}, "prompt": "other", "when": 1_750_000_000, "account": "no"}
    mapping = {"account": "a.b", "prompt": "x.y.z", "timestamp": "when", "ip": "not.there"}
    found = one(tmp_path, row, settings=Settings(mapping=mapping))
    assert (found["account"], found["parts"], found["time"], found["ip"]) == (
        "acc",
        ["hi"],
        1_750_000_000,
        None,
    )
    with pytest.raises(ColumnsError, match="knows no field 'promt'"):
        read(tmp_path, settings=Settings(mapping={"promt": "x"}))
    with pytest.raises(ColumnsError, match=r"no column 'q' for the prompt.*a\.b, x, x\.y.*--map prompt=COLUMN"):
        read(tmp_path / "one.jsonl", settings=Settings(mapping={"account": "a.b", "prompt": "q"}))


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize(
    ("row", "flag"),
    [
        ({"account": "a", "foo": "x"}, "--map prompt=COLUMN"),
        ({"prompt": "a", "foo": "x"}, "--map account=COLUMN"),
    ],
)
def test_missing_columns(tmp_path: Path, kind: str, row: Row, flag: str) -> None:
    file = tmp_path / f"dump.{kind}"
    file.write_bytes(encode([row], kind))
    with pytest.raises(ColumnsError) as caught:
        read(file)
    message = str(caught.value)
    assert str(file) in message
    assert flag in message
    assert f"columns found: {', '.join(row)}" in message


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12, "12"),
        (12.0, "12"),
        (" a ", "a"),
        (10**30, str(10**30)),
        (-1, "-1"),
        ("12", "12"),
        (2**64, str(2**64)),
    ],
)
def test_accounts(tmp_path: Path, value: Any, text: str) -> None:
    assert one(tmp_path, {"account": value, "prompt": "hi"})["account"] == text


def test_an_account_has_at_most_a_thousand_characters(tmp_path: Path) -> None:
    path = tmp_path / "dump.jsonl"
    path.write_bytes(jsonl([{"account": "a" * 1_000, "prompt": "x"}, {"account": "a" * 1_001, "prompt": "x"}]))
    rows, (reject,), _ = read(path)
    assert [len(row["account"]) for row in rows] == [1_000]
    assert reject.reason == "the account has more than 1,000 characters"


@pytest.mark.parametrize("value", [None, "", "  ", True, False, [], ["a"], {"x": 1}, 1.5, 1e300])
def test_accounts_that_are_none(tmp_path: Path, value: Any) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl([{"account": value, "prompt": "hi"}]))
    rows, (reject,), _ = read(tmp_path)
    assert rows == []
    assert "account" in reject.reason
    assert (reject.line, reject.byte) == (1, 0)


CHAT = [
    {"role": "System", "content": "be kind"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "look"},
            {"type": "image", "source": {}},
            {"type": "text", "text": "here"},
        ],
    },
    {"role": "assistant", "content": None},
    {"role": "assistant", "content": "ok"},
]


def test_messages(tmp_path: Path) -> None:
    found = one(tmp_path, {"account": "a", "messages": CHAT})
    assert list(zip(found["roles"], found["parts"], strict=True)) == [
        ("system", "be kind"),
        ("user", "look\nhere"),
        ("assistant", "ok"),
    ]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (["one", "two"], [("user", "one"), ("user", "two")]),
        ([{"type": "text", "text": "one"}, {"type": "image"}], [("user", "one")]),
        (
            [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
            [("user", "q"), ("assistant", "a")],
        ),
        ([{"role": "model", "parts": [{"text": "a"}, {"text": "b"}]}], [("assistant", "a\nb")]),
        (json.dumps([{"role": "user", "content": "q"}]), [("user", "q")]),
        ('[{"role": "user"}]', [("user", '[{"role": "user"}]')]),
        ('[{"a": 1}]', [("user", '[{"a": 1}]')]),
        ("[not json", [("user", "[not json")]),
        ("[" * 3000, [("user", "[" * 3000)]),
        (" leading space\0", [("user", " leading space\0")]),
    ],
)
def test_prompts(tmp_path: Path, prompt: Any, expected: list[tuple[str, str]]) -> None:
    found = one(tmp_path, {"account": "a", "prompt": prompt})
    assert list(zip(found["roles"], found["parts"], strict=True)) == expected


def test_system_beside_messages(tmp_path: Path) -> None:
    rows = [
        {"account": "a", "body": {"system": "be kind", "messages": [{"role": "user", "content": "q"}]}},
        {"account": "a", "body": {"system": [{"type": "text", "text": "be"}], "messages": "plain"}},
        {"account": "a", "body": {"system": None, "messages": [{"role": "user", "content": "q"}]}},
    ]
    (tmp_path / "a.jsonl").write_bytes(jsonl(rows))
    found, rejects, _ = read(tmp_path)
    assert rejects == []
    assert [row["roles"] for row in found] == [["system", "user"], ["system", "user"], ["user"]]
    assert [row["parts"] for row in found] == [["be kind", "q"], ["be", "plain"], ["q"]]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_messages_and_system_in_every_format(tmp_path: Path, kind: str) -> None:
    rows = [{"account": "a", "messages": [{"role": "user", "content": f"q{i}"}], "system": "s"} for i in range(3)]
    data = encode(rows, kind)
    (tmp_path / "x").write_bytes(data)
    found, rejects, _ = read(tmp_path / "x")
    assert rejects == []
    assert [(row["roles"], row["parts"]) for row in found] == [(["system", "user"], ["s", f"q{i}"]) for i in range(3)]


def test_parquet_types(tmp_path: Path) -> None:
    stamp = datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)
    columns: dict[str, pa.Array] = {
        "a": pa.array([1, 2, None], pa.uint32()),
        "b": pa.array(["x", "y", "z"]).dictionary_encode(),
        "c": pa.array(["x", " ", "z"], pa.large_string()),
        "d": pa.array([b"x", b"\xff", b"z"], pa.binary()),
        "e": pa.array([Decimal(7), Decimal("7.5"), None], pa.decimal128(10, 2)),
        "f": pa.array([1.0, 1.5, None], pa.float64()),
        "g": pa.array(["x", "y", "z"], pa.string_view()),
    }
    expected = {
        "a": ["1", "2"],
        "b": ["x", "y", "z"],
        "c": ["x", "z"],
        "d": ["x", "z"],
        "e": ["7"],
        "f": ["1"],
        "g": ["x", "y", "z"],
    }
    for name, array in columns.items():
        table = pa.table({"account": array, "prompt": ["p", "q", "r"]})
        (tmp_path / "t.parquet").write_bytes(parquet_bytes(table))
        rows, rejects, _ = read(tmp_path)
        assert [row["account"] for row in rows] == expected[name], name
        assert len(rows) + len(rejects) == 3
    times = [
        *(
            pa.array([stamp, None], pa.timestamp(unit, zone))
            for unit in ("s", "ms", "us", "ns")
            for zone in (None, "UTC")
        ),
        pa.array([stamp, None], pa.timestamp("us", "America/New_York")),
        pa.array([1_750_000_000, None], pa.int64()),
        pa.array([1_750_000_000_000, None], pa.float64()),
        pa.array(["2025-06-15T15:06:40Z", None]),
        pa.array([Decimal(1_750_000_000), None]),
    ]
    for array in times:
        table = pa.table({"account": ["a", "b"], "prompt": ["p", "q"], "time": array})
        (tmp_path / "t.parquet").write_bytes(parquet_bytes(table))
        rows, rejects, _ = read(tmp_path)
        assert rejects == []
        assert [row["time"] for row in rows] == [1_750_000_000, NO_TIME], array.type
    table = pa.table({"account": ["a"], "prompt": ["p"], "date": [date(2025, 6, 15)], "created_at": [date(1800, 1, 1)]})
    (tmp_path / "t.parquet").write_bytes(parquet_bytes(table))
    ((row,), rejects, _) = read(tmp_path)
    assert (row["time"], row["created_at"]) == (seconds("2025-06-15"), NO_TIME)


def test_parquet_nested_columns(tmp_path: Path) -> None:
    rows = [
        {"user": {"id": 1}, "body": {"messages": [{"role": "user", "content": "q"}], "system": "s"}},
        {"user": {"id": 2}, "body": None},
        {"user": None, "body": {"messages": [], "system": None}},
    ]
    (tmp_path / "t.parquet").write_bytes(parquet_bytes(rows))
    found, rejects, _ = read(tmp_path)
    assert [(row["account"], row["parts"]) for row in found] == [("1", ["s", "q"])]
    assert [(reject.line, reject.reason) for reject in rejects] == [(2, "no prompt"), (3, "no account")]
    table = pa.table({"a.b": ["x"], "body.text": ["hi"], "body": [{"text": "no"}]})
    (tmp_path / "t.parquet").write_bytes(parquet_bytes(table))
    ((row,), _, _) = read(tmp_path, settings=Settings(mapping={"account": "a.b", "prompt": "body.text"}))
    assert (row["account"], row["parts"]) == ("x", ["hi"])


def test_parquet_types_that_cannot_be_used(tmp_path: Path) -> None:
    table = pa.table(
        {
            "account": ["a", "b"],
            "prompt": ["p", "q"],
            "time": pa.array([timedelta(1), None], pa.duration("s")),
        }
    )
    (tmp_path / "t.parquet").write_bytes(parquet_bytes(table))
    rows, rejects, _ = read(tmp_path)
    assert [(row["account"], row["time"]) for row in rows] == [("a", NO_TIME), ("b", NO_TIME)]
    assert rejects == []
    (tmp_path / "t.parquet").write_bytes(parquet_bytes(pa.table({"account": ["a", "b"], "prompt": [1, 2]})))
    rows, rejects, _ = read(tmp_path)
    assert rows == []
    assert [reject.reason for reject in rejects] == [
        f"the prompt is not a text or a list of messages: {i}" for i in (1, 2)
    ]


# ---------------------------------------------------------------- round trip

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: bool(text.strip()) and not text.lstrip().startswith(("[", "{"))
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "account": TEXT.map(str.strip).filter(spelling),
                "timestamp": st.integers(EARLIEST, LATEST - 1),
                "prompt": TEXT,
                "ip": st.one_of(st.none(), TEXT.map(str.strip)),
            }
        ),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(["", "gzip", "zstd"]),
)
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_rows_survive_in_every_format(tmp_path: Path, rows: list[Row], compression: str) -> None:
    expected = [(spelling(row["account"]), row["timestamp"], [row["prompt"]], row["ip"] or None) for row in rows]
    for data in (jsonl(rows), csv_bytes(rows), parquet_bytes(rows)):
        (tmp_path / "x").write_bytes(pack(data, compression))
        found, rejects, _ = read(tmp_path / "x", batch_rows=7)
        assert rejects == []
        assert [(row["account"], row["time"], row["parts"], row["ip"]) for row in found] == expected
