"""JSON that is not one object per line: arrays, pretty-printed and concatenated objects, log lines, records."""

from __future__ import annotations

import base64
import gzip
import json
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harvestdetect.dump.formats.json_text import json_objects
from harvestdetect.dump.formats.json_values import Item, is_json, objects_in, values_of
from harvestdetect.dump.formats.lines import BadLine, LineRun, LongLine
from harvestdetect.dump.storage import limits
from harvestdetect.settings import Settings
from tests.dump.reading import Found, Row, lines, rows_of

ROWS = rows_of(30)
TEXTS = [row["prompt"] for row in ROWS]


def shown(items: Iterable[Item]) -> list[tuple[Any, ...]]:
    """Values with their places, and what else there is."""
    found: list[tuple[Any, ...]] = []
    for item in items:
        if isinstance(item, LineRun):
            offset = item.offset
            for number, line in enumerate(item.lines, item.number):
                found.append((number, offset, line))
                offset += len(line) + 1
        else:
            assert isinstance(item, LongLine | BadLine)
            found.append((item.number, item.offset, type(item).__name__))
    return found


def values(data: bytes, *, limit: int = 1_000, size: int = 0) -> list[tuple[Any, ...]]:
    """The values of a stream that comes in chunks of ``size`` bytes; 0: at once."""
    chunks = [data[i : i + size] for i in range(0, len(data), size)] if size else [data]
    return shown(values_of(chunks, limit=limit))


def pretty(rows: list[Row], indent: int) -> bytes:
    return "\n".join(json.dumps(row, indent=indent) for row in rows).encode()


FORMS = {
    "array": (json.dumps(ROWS).encode(), "JSON array"),
    "array, pretty": (json.dumps(ROWS, indent=2).encode(), "JSON array"),
    "array, no spaces": (b"[" + b",".join(lines(ROWS).splitlines()) + b"]", "JSON array"),
    "array, one per line": (b"[\n" + b",\n".join(lines(ROWS).splitlines()) + b"\n]\n", "JSON array"),
    "arrays": (json.dumps(ROWS[:9]).encode() + b"\n" + json.dumps(ROWS[9:]).encode(), "JSON array"),
    "array with a mark": (b"\xef\xbb\xbf \r\n" + json.dumps(ROWS).encode(), "JSON array"),
    "pretty": (pretty(ROWS, 2), "JSON objects"),
    "pretty, tabs and CRLF": (pretty(ROWS, 4).replace(b"    ", b"\t").replace(b"\n", b"\r\n"), "JSON objects"),
    "concatenated": (b"".join(lines(ROWS).splitlines()), "JSON objects"),
    "three per line": (b"}{".join(lines(ROWS).split(b"}\n{")).replace(b"}{", b"}\n{", 9), ""),
    "sequence": (b"".join(b"\x1e" + line + b"\n" for line in lines(ROWS).splitlines()), "JSON text sequence"),
    "lines": (lines(ROWS), ""),
    "lines, CRLF": (lines(ROWS).replace(b"\n", b"\r\n"), ""),
    "lines, commas": (lines(ROWS).replace(b"}\n", b"},\n"), "JSON objects"),
    "lines, one with many": (lines(ROWS).replace(b"}\n{", b"}{", 1), "JSON objects"),
    "lines, NULs before": (b"\0" * 200_000 + lines(ROWS), ""),
    "lines, NULs between": (lines(ROWS[:9]) + b"\0" * 5_000 + lines(ROWS[9:]), ""),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_has_the_same_rows(tmp_path: Path, name: str) -> None:
    data, container = FORMS[name]
    (tmp_path / "x.json").write_bytes(data)
    found = Found(tmp_path / "x.json")
    assert found.rejects == []
    assert found.texts == TEXTS
    if not name.startswith("lines, "):
        assert found.container == container
    if name in ("pretty", "array, pretty"):
        starts = [i for i, line in enumerate(data.split(b"\n"), 1) if line.strip() == b"{"]
        assert [row["line"] for row in found.rows] == starts


def test_places_of_values() -> None:
    data = b'\xef\xbb\xbf[{"a": 1},\n {"b": "}\\"]"}] {"c": [{}]}'
    assert values(data) == [(1, 4, b'{"a": 1}'), (2, 15, b'{"b": "}\\"]"}'), (2, 30, b'{"c": [{}]}')]
    for number, offset, value in values(data):
        assert data[offset:].startswith(value)
        assert number == data[:offset].count(b"\n") + 1


@pytest.mark.parametrize(
    ("data", "good", "bad"),
    [
        (b'[{"a":1},"x",null,[{"b":2}],{"a":3}]', 2, 3),
        (b'{"a":"x"y"},{"a":"b"},{"a":"c"}', 2, 1),
        (b'[{"a":1},{"a":{"b":1},{"a":2},{"a":3}]', 3, 1),
        (b'[{"a":1},{"a":2,{"a":3},{"a":4}]', 3, 1),
        (b'{\n "a": 1,\n "b": "x\n}\n{\n "a": 2\n}\n{\n "a":3\n}\n', 2, 1),
        (b'{\n "a": 1\n{\n "a": 2\n}\n{\n "a":3\n}\n', 2, 1),
        (b'[{"a":1},{"a":2},{"a":3', 2, 1),
        (b'[{"a":1},{"a":2}]]', 2, 1),
        (b'some words\n{"a":1}\nmore\n{"a":2}', 2, 2),
        (b'[{"a":NaN,"m":[{"x":1},{"y":2}]},{"a":2}]', 1, 1),
    ],
)
def test_damage_costs_the_value_that_is_damaged(data: bytes, good: int, bad: int) -> None:
    found = values(data)
    assert sum(is_json(value) and value.startswith(b"{") for _, _, value in found) == good
    assert len(found) == good + bad
    for size in (1, 2, 5):
        assert values(data, size=size) == found


def test_a_value_above_the_limit_is_one_reject_and_the_next_is_read() -> None:
    long = b'{"a":"' + b'x\\"{[' * 5_000 + b'","b":[{"c":[1,2]}]}'
    data = b'[{"a":1},' + long + b',{"a":2},["' + b"y" * 5_000 + b'"],{"a":3}]'
    for size in (0, 1, 100, 999):
        found = values(data, size=size)
        assert [value for _, _, value in found] == [b'{"a":1}', "LongLine", b'{"a":2}', "LongLine", b'{"a":3}']


def test_a_long_object_gives_the_elements_of_its_lists() -> None:
    hits = [{"_id": str(i), "_source": {"account": "u", "prompt": "x" * 30, "m": [{"r": 1}]}} for i in range(40)]
    answer = {"took": 5, "t": "[{", "n": [1, 2], "hits": {"total": {"value": 40}, "hits": hits}, "more": [{"q": 1}]}
    data = json.dumps(answer).encode() + b'\n{"z":1}'
    for size in (0, 1, 77):
        found = values(data, size=size)
        assert [json.loads(value) for _, _, value in found] == [*hits, {"q": 1}, {"z": 1}]
    assert values(data, limit=100_000)[0][2] == json.dumps(answer).encode()
    text = b'{"a":"' + b"x" * 5_000 + b'"}'
    assert values(text + b'\n{"z":1}') == [(1, 0, "LongLine"), (2, len(text) + 1, b'{"z":1}')]


def test_a_search_response_of_any_size_is_read(tmp_path: Path) -> None:
    answer = {"took": 5, "hits": {"total": 30, "hits": [{"_id": str(i), "_source": r} for i, r in enumerate(ROWS)]}}
    (tmp_path / "x.json").write_bytes(json.dumps(answer).encode())
    for limit in (16_000_000, 1_000):
        found = Found(tmp_path / "x.json", settings=Settings(max_line_bytes=limit))
        assert (found.texts, found.rejects) == (TEXTS, [])


def test_nesting_without_end_is_one_reject() -> None:
    data = b'[{"a":1},' + b'{"a":[' * 10_000 + b"1" + b"]}" * 10_000 + b',{"a":2}]'
    found = values(data, limit=1_000_000)
    assert [value for _, _, value in found] == [b'{"a":1}', "BadLine", b'{"a":2}']


@pytest.mark.parametrize(
    "piece", [b'{"a":[1,', b'["a', b'{"a":"},{"b":"},{"a":}', b"{", b'"', b'{"a":"\\', b"[{", b"x,"]
)
def test_hostile_text_takes_linear_time(piece: bytes) -> None:
    data = piece * (1_000_000 // len(piece))
    start = time.process_time()
    chunks = (data[i : i + 65_536] for i in range(0, len(data), 65_536))
    for _ in values_of(chunks, limit=100_000):
        pass
    assert time.process_time() - start < 20


PIECES = st.lists(
    st.sampled_from(
        [
            *(b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b" ", b"a", b"\0", b"\x1e", b"null", b"\xff"),
            *(b'{"a":1}', b'},{"a":', b'"k":', b"[{", b'"x"', b'{"a":"}'),
        ]
    ),
    max_size=40,
).map(b"".join)


@given(PIECES, st.integers(1, 13), st.sampled_from([5, 10, 20, 1_000]))
@hypothesis_settings(max_examples=120, deadline=20_000)
def test_values_do_not_depend_on_chunks(data: bytes, size: int, limit: int) -> None:
    whole = values(data, limit=limit)
    assert values(data, limit=limit, size=size) == whole
    place = 0
    for number, offset, value in whole:
        assert offset >= place
        assert number == data[:offset].count(b"\n") + 1
        if isinstance(value, bytes):
            assert data[offset : offset + len(value)] == value
            place = offset + len(value)


@given(st.lists(st.tuples(st.text(max_size=20), st.integers()), max_size=12), st.integers(1, 50), st.integers(0, 3))
@hypothesis_settings(max_examples=100, deadline=20_000)
def test_no_object_is_lost(cells: list[tuple[str, int]], size: int, form: int) -> None:
    objects = [{"t": text, "n": [{"x": number}]} for text, number in cells]
    texts = [json.dumps(one, ensure_ascii=bool(form % 2), indent=form or None) for one in objects]
    joined = ["[" + ",".join(texts) + "]", "\n".join(texts), "".join(texts), "[\n " + " ,\n ".join(texts) + "\n]"][form]
    found = values(joined.encode(), limit=100_000, size=size)
    assert [json.loads(value) for _, _, value in found] == objects


# ---------------------------------------------------------------- lines of logs


def text_of(row: Row) -> str:
    return json.dumps(row)


WRAPPED = {
    "syslog": ("lines with a prefix", lambda r: f"Jun  1 00:00:16 gw1 llm[99]: {text_of(r)}\n"),
    "syslog 5424": (
        "lines with a prefix",
        lambda r: f'<165>1 2026-06-01T00:00:16.003Z gw1 llm 99 ID47 [x@1 a="b"] {text_of(r)}\n',
    ),
    "kcat": ("lines with a prefix", lambda r: f"{r['account']}\t{text_of(r)}\n"),
    "logger": (
        "lines with a prefix",
        lambda r: f"2026-06-01 00:00:16,003 INFO gateway - request={text_of(r)} took 5 ms\n",
    ),
    "colours": ("lines with a prefix", lambda r: f"\x1b[32mINFO\x1b[0m {text_of(r)}\x1b[0m\n"),
    "server-sent events": ("lines with a prefix", lambda r: f"data: {text_of(r)}\n\n"),
    "cri": ("Kubernetes log", lambda r: f"2026-06-01T00:00:16.671456789Z stdout F {text_of(r)}\n"),
    "cri with a prefix": ("Kubernetes log", lambda r: f"2026-06-01T00:00:16.67+02:00 stderr F INFO {text_of(r)}\n"),
    "docker": (
        "docker json-file",
        lambda r: json.dumps({"log": text_of(r) + "\n", "stream": "stdout", "time": "2026-06-01T00:00:16Z"}) + "\n",
    ),
    "journald": (
        "journald",
        lambda r: json.dumps({"__REALTIME_TIMESTAMP": "1", "MESSAGE": list(text_of(r).encode()), "_PID": "9"}) + "\n",
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_lines_of_logs(tmp_path: Path, name: str) -> None:
    container, wrap = WRAPPED[name]
    text = "".join(map(wrap, ROWS))
    (tmp_path / "x.log").write_text(text)
    found = Found(tmp_path / "x.log")
    assert (found.texts, found.rejects) == (TEXTS, [])
    assert found.container == container
    step = 2 if name == "server-sent events" else 1
    assert [row["line"] for row in found.rows] == list(range(1, 30 * step + 1, step))


def test_lines_without_json_are_rejects(tmp_path: Path) -> None:
    good = [WRAPPED["syslog"][1](row) for row in ROWS]
    (tmp_path / "x.log").write_text("Jun  1 00:00:15 gw1 llm[99]: starting\n" + "".join(good) + "panic: {not json\n")
    found = Found(tmp_path / "x.log")
    assert found.texts == TEXTS
    assert [(r.line, r.reason) for r in found.rejects] == [(n, "no JSON object on the line") for n in (1, 32)]


@pytest.mark.parametrize("kind", ["cri", "docker"])
def test_parts_of_a_long_line_are_joined(tmp_path: Path, kind: str) -> None:
    out, expected = [], []
    for number, row in enumerate(ROWS):
        row = row | {"prompt": f"{number} " + "é\n" * 150}
        expected.append(row["prompt"])
        text = json.dumps(row, ensure_ascii=number % 2 == 0)
        parts = [text[i : i + 90] for i in range(0, len(text), 90)]
        for place, part in enumerate(parts):
            last = place == len(parts) - 1
            if kind == "cri":
                out.append(f"2026-06-01T00:00:16.6Z stdout {'F' if last else 'P'} {part}\n")
            else:
                log = part + "\n" * last
                out.append(json.dumps({"log": log, "stream": "stdout", "time": "2026-06-01T00:00:16Z"}) + "\n")
            if place == 1:  # another stream writes in between
                other = {"log": "warning\n", "stream": "stderr", "time": "2026-06-01T00:00:16Z"}
                out.append("2026-06-01T00:00:16.6Z stderr F warning\n" if kind == "cri" else json.dumps(other) + "\n")
    (tmp_path / "x.log").write_text("".join(out))
    found = Found(tmp_path / "x.log")
    assert found.texts == expected
    assert len(found.rejects) == 30
    found = Found(tmp_path / "x.log", settings=Settings(max_line_bytes=1_000))
    assert len(found.texts) == 15  # the escaped ones are longer
    assert sum("longer than max_line_bytes" in r.reason for r in found.rejects) == 15


def test_a_damaged_line_is_not_searched_for_rows(tmp_path: Path) -> None:
    inner = '{"account":"victim","prompt":"never sent"}'
    bad = [
        f'{{"account":"a","prompt":"x","o":{inner}',
        f'{{"o":{inner}}}}}',
        f'{{"account":"a","prompt":"x"}} {inner} z',
    ]
    (tmp_path / "x.jsonl").write_bytes(lines(ROWS) + "\n".join(bad).encode())
    found = Found(tmp_path / "x.jsonl")
    assert found.texts == TEXTS
    assert [r.line for r in found.rejects] == [31, 32, 33]


def test_objects_in_a_line() -> None:
    assert objects_in(b'a {b} {"c": "{"} d {"e": 1}') == [(6, b'{"c": "{"}'), (19, b'{"e": 1}')]
    assert objects_in(b'{"c": 1}{"d": ') == [(0, b'{"c": 1}'), (8, b'{"d": ')]
    assert objects_in(b'nothing {"here": ') == []


# ---------------------------------------------------------------- records of log services


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


EVENTS = [{"id": str(i), "timestamp": 1, "message": json.dumps(row)} for i, row in enumerate(ROWS)]
SUBSCRIPTION = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s", "logEvents": EVENTS}
CONTROL = {"messageType": "CONTROL_MESSAGE", "owner": "1", "logGroup": "", "logEvents": [{"id": "", "message": "x"}]}
RECORDS: dict[str, list[Any]] = {
    "CloudWatch subscription": [SUBSCRIPTION],
    "CloudWatch to Lambda": [{"awslogs": {"data": encoded(gzip.compress(json.dumps(SUBSCRIPTION).encode()))}}],
    "Kinesis": [{"Records": [{"kinesis": {"data": encoded(json.dumps(row).encode())}} for row in ROWS]}],
    "CloudWatch in Kinesis": [
        {"Records": [{"kinesis": {"data": encoded(gzip.compress(json.dumps(SUBSCRIPTION).encode()))}}]}
    ],
    "Firehose": [
        {"requestId": "x", "timestamp": 1, "records": [{"data": encoded(line)} for line in lines(ROWS).splitlines()]}
    ],
    "Kafka": [
        {
            "eventSource": "aws:kafka",
            "records": {"llm-0": [{"topic": "llm", "value": encoded(line)} for line in lines(ROWS).splitlines()]},
        }
    ],
    "Pub/Sub": [
        {"message": {"data": encoded(line), "publishTime": "2026-06-01T00:00:00Z"}, "subscription": "s"}
        for line in lines(ROWS).splitlines()
    ],
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("apart", ["", "\n"])
def test_records_in_records(tmp_path: Path, name: str, apart: str) -> None:
    (tmp_path / "x").write_text(apart.join(map(json.dumps, RECORDS[name])))
    found = Found(tmp_path / "x")
    assert (found.texts, found.rejects) == (TEXTS, [])


def test_records_that_cannot_be_unpacked_are_rejects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {"Records": [{"kinesis": {"data": encoded(b"no json here")}}, {"kinesis": {"data": encoded(b"\x1f\x8bxx")}}]}
    (tmp_path / "x").write_text("\n".join(map(json.dumps, [CONTROL, SUBSCRIPTION, odd])))
    found = Found(tmp_path / "x")
    assert found.texts == TEXTS
    assert [r.reason for r in found.rejects] == [
        "a control message of a log service", *["the data of a record has no JSON object"] * 2
    ]  # fmt: skip
    bomb = {"awslogs": {"data": encoded(gzip.compress(b" " * 3_000_000))}}
    (tmp_path / "x").write_text("\n".join(map(json.dumps, [SUBSCRIPTION, bomb])))
    (reject,) = Found(tmp_path / "x", settings=Settings(max_line_bytes=1_000_000)).rejects
    assert "longer than max_line_bytes" in reject.reason
    monkeypatch.setattr(limits, "FREE", 1_000_000)
    (reject,) = Found(tmp_path / "x", settings=Settings(max_expansion=1.0)).rejects
    assert "max_expansion" in reject.reason


@given(PIECES, st.sampled_from(["", '{"logEvents":[', '{"log":"', "2026-06-01T00:00:16Z stdout P ", "x: "]))
@hypothesis_settings(max_examples=80, deadline=20_000)
def test_no_text_breaks_what_unwraps_it(data: bytes, start: str) -> None:
    data = start.encode() + data + b"\n" + start.encode() + data
    _, items = json_objects(iter([data]), head=data, limit=50, spend=lambda _: None)
    for item in items:
        assert isinstance(item, LineRun | LongLine | BadLine)


def test_random_arrays_are_read_like_lines(tmp_path: Path) -> None:
    rng = random.Random(5)
    rows = [row | {"messages": [{"role": "user", "content": "x" * rng.randrange(3_000)}] * 3} for row in rows_of(2_000)]
    (tmp_path / "x.jsonl").write_bytes(lines(rows))
    (tmp_path / "x.json").write_bytes(json.dumps(rows, indent=rng.choice([None, 1])).encode())
    one, other = Found(tmp_path / "x.jsonl"), Found(tmp_path / "x.json")
    assert one.texts == other.texts
    assert len(one.texts) == 2_000
    assert other.rejects == []
