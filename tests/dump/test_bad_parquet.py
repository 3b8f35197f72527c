"""Reading bad Parquet files: every row is a prompt or a counted reject with its place and reason."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harvestdetect.data import NO_TIME
from harvestdetect.dump import check_rejects
from harvestdetect.errors import HarvestdetectError, TooManyRejectsError
from tests.dump.bad_input import read, write


def test_damaged_parquet(tmp_path: Path) -> None:
    sink = pa.BufferOutputStream()
    table = pa.table({"account": [f"a{i}" for i in range(3_000)], "prompt": [f"text {i}" for i in range(3_000)]})
    pq.write_table(table, sink, row_group_size=1_000, use_dictionary=False)
    data = bytearray(sink.getvalue().to_pybytes())
    rows, (reject,), _ = read(write(tmp_path, bytes(data[:-100])))
    assert rows == []
    assert "cannot be opened" in reject.reason
    column = pq.ParquetFile(pa.BufferReader(bytes(data))).metadata.row_group(1).column(1)
    start = column.data_page_offset
    data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    for size in (20_000, 300):
        rows, rejects, batches = read(write(tmp_path, bytes(data)), batch_rows=size)
        assert [row["line"] for row in rows] == [*range(1, 1_001), *range(2_001, 3_001)]
        assert [reject.line for reject in rejects] == [*range(1_001, 2_001)]
        assert len({reject.reason for reject in rejects}) == 1
        assert "rows 1001 to 2000 cannot be read" in rejects[0].reason
        assert max(len(batch.rejects) for batch in batches) <= size
    with pytest.raises(TooManyRejectsError):
        check_rejects(len(rejects), len(rows), 0.33)


def three_groups(rows: int = 1_000) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"account": [f"a{i}" for i in range(3 * rows)], "prompt": [f"text {i}" for i in range(3 * rows)]})
    pq.write_table(table, sink, row_group_size=rows, use_dictionary=False)
    return bytes(sink.getvalue().to_pybytes())


def counted(rows: int) -> bytes:
    """How a footer says that the file, or a row group, has so many rows."""
    number, out = 2 * rows, b"\x16"
    while number > 0x7F:
        number, out = number >> 7, out + bytes([number & 0x7F | 0x80])
    return out + bytes([number])


def with_footer(data: bytes, old: bytes, new: bytes) -> bytes:
    """The last occurrence replaced."""
    size = int.from_bytes(data[-8:-4], "little")
    head, found, tail = data[-8 - size : -8].rpartition(old)
    assert found
    footer = head + new + tail
    return data[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


@pytest.mark.parametrize("read_before", [0, 1, 3])
def test_a_row_group_that_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_before: int) -> None:
    whole = pq.ParquetFile.iter_batches

    def short_of(self: Any, size: int, *, row_groups: list[int], **options: Any) -> Iterator[Any]:
        batches = whole(self, size, row_groups=row_groups, **options)
        return islice(batches, read_before) if row_groups == [1] else batches

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", short_of)
    rows, rejects, _ = read(write(tmp_path, three_groups()), batch_rows=300)
    first = 1_001 + 300 * read_before
    assert [reject.line for reject in rejects] == [*range(first, 2_001)]
    assert {reject.reason for reject in rejects} == {
        f"rows {first} to 2000 cannot be read: the row group ends before them"
    }
    assert [row["line"] for row in rows] == [*range(1, first), *range(2_001, 3_001)]


def test_rows_that_only_the_footer_of_a_parquet_file_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = three_groups()
    rows, rejects, _ = read(write(tmp_path, with_footer(data, counted(1_000), counted(900))))
    assert len(rows) == 2_900
    assert {(reject.line, reject.reason) for reject in rejects} == {
        (None, "of the 3000 rows that the file counts 100 are in none of its row groups")
    }
    assert len(rejects) == 100
    rows, rejects, _ = read(write(tmp_path, with_footer(data, counted(1_000), counted(1_005))))
    assert len(rows) == 3_000
    assert [reject.line for reject in rejects] == [*range(3_001, 3_006)]
    # Claims beyond belief.
    monkeypatch.setattr("harvestdetect.dump.formats.parquet._BELIEVED", 10)
    for rows_in in (1_000, 3_000):
        path = write(tmp_path, with_footer(data, counted(rows_in), counted(2**60)))
        rows, rejects, _ = read(path)
        assert len(rows) == 3_000
        assert len(rejects) == path.stat().st_size
        assert str(2**60 - 3_000) in rejects[0].reason or str(2**60 + 2_000) in rejects[0].reason


@given(st.data())
@hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_flipped_bit_loses_rows_of_a_parquet_file(tmp_path: Path, draw: st.DataObject) -> None:
    data = bytearray(three_groups(20))
    place = draw.draw(st.integers(4, len(data) - 9))
    data[place] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        rows, rejects, _ = read(write(tmp_path, bytes(data)))
    except HarvestdetectError:
        return  # the name of a column is another
    numbered = [line for line in [*(row["line"] for row in rows), *(reject.line for reject in rejects)] if line]
    assert len(numbered) == len(set(numbered))
    assert len(rows) + len(rejects) >= 60 or "cannot be opened" in rejects[0].reason


def test_parquet_with_invalid_text(tmp_path: Path) -> None:
    raw = pa.array([b"ok", b"\xff\xfe", b"ok"], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"account": ["a", "b", "c"], "prompt": broken}), sink)
    rows, (reject,), _ = read(write(tmp_path, sink.getvalue().to_pybytes()))
    assert [row["account"] for row in rows] == ["a", "c"]
    assert (reject.line, "invalid UTF-8" in reject.reason) == (2, True)


FAR = 2**62
TIMES = [
    pa.timestamp("ms"),
    pa.timestamp("us", "UTC"),
    pa.timestamp("us", "Europe/Berlin"),
    pa.timestamp("us", "Foo/Bar"),
    pa.timestamp("ns"),
    pa.duration("s"),
    pa.duration("ms"),
    pa.time64("us"),
    pa.date32(),
    pa.time32("ms"),
]


def odd_times(kind: pa.DataType) -> pa.Array:
    """A time that Python can hold, two that it cannot, perhaps, and none."""
    numbers = [1_000, 1_700_000_000_123_456_789, FAR, None] if kind.bit_width == 64 else [1_000, 2**30, 2**31 - 1, None]
    return pa.array(numbers, pa.int64() if kind.bit_width == 64 else pa.int32()).view(kind)


def parquet(**columns: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize("kind", TIMES, ids=str)
def test_times_where_other_values_belong(tmp_path: Path, kind: pa.DataType) -> None:
    columns: dict[str, Any] = {"account": ["a", "b", "c", "d"], "prompt": ["w", "x", "y", "z"]}
    odd = odd_times(kind)
    for field in ("session", "ip", "model", "created_at"):
        stamps = [1_750_000_000] * 4
        rows, rejects, _ = read(write(tmp_path, parquet(**columns, timestamp=stamps, **{field: odd})))
        assert rejects == []
        assert [row["account"] for row in rows] == columns["account"]
        assert {row[field] for row in rows if field != "created_at"} <= {None}
    for field, reason in (("account", "the account is not a text"), ("prompt", "the prompt is not a text")):
        rows, rejects, _ = read(write(tmp_path, parquet(**columns | {field: odd})))
        assert rows == []
        assert [reject.line for reject in rejects] == [1, 2, 3, 4]
        assert all(reject.reason.startswith(reason) and str(kind) in reject.reason for reject in rejects[:3])
        assert rejects[3].reason == f"no {field}"


@pytest.mark.parametrize("kind", TIMES, ids=str)
def test_odd_times_of_prompts(tmp_path: Path, kind: pa.DataType) -> None:
    data = parquet(account=["a", "b", "c", "d"], prompt=["w", "x", "y", "z"], timestamp=odd_times(kind))
    rows, rejects, _ = read(write(tmp_path, data))
    assert rejects == []
    times = {row["line"]: row["time"] for row in rows}
    assert list(times) == [1, 2, 3, 4]
    assert times[4] == times[1] == NO_TIME
    if kind == pa.timestamp("ns"):
        assert times[2] == 1_700_000_000


@pytest.mark.parametrize("kind", TIMES, ids=str)
@pytest.mark.parametrize("size", [2, 20_000])
def test_times_within_messages_cost_no_row(tmp_path: Path, kind: pa.DataType, size: int) -> None:
    created = odd_times(kind)
    texts = ["w", "x", "y", "z"]
    seen = pa.MapArray.from_arrays(pa.array([0, 1, 2, 3, 4], pa.int32()), pa.array(texts), created)
    messages = pa.StructArray.from_arrays(
        [pa.array(["user"] * 4), pa.array(texts), created, seen], ["role", "content", "created", "seen"]
    )
    offsets = pa.array([0, 1, 2, 3, 4], pa.int32())
    for prompt in (messages, pa.ListArray.from_arrays(offsets, messages)):
        path = write(tmp_path, parquet(account=["a", "b", "c", "d"], prompt=prompt))
        rows, rejects, _ = read(path, batch_rows=size)
        assert rejects == []
        assert [(row["line"], row["parts"]) for row in rows] == [(1, ["w"]), (2, ["x"]), (3, ["y"]), (4, ["z"])]


def test_values_that_cannot_be_read_cost_their_rows_alone(tmp_path: Path) -> None:
    raw = pa.array([b"ok", b"\xff\xfe", b"fine"], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), broken)
    rows, (reject,), _ = read(write(tmp_path, parquet(account=["a", "b", "c"], prompt=lists, session=broken)))
    assert [(row["line"], row["parts"], row["session"]) for row in rows] == [(1, ["ok"], "ok"), (3, ["fine"], "fine")]
    assert (reject.line, "invalid UTF-8" in reject.reason) == (2, True)
    # Python has no objects with the same name twice.
    twice = pa.StructArray.from_arrays([pa.array(["w", "x"])] * 2, ["content", "content"])
    messages = pa.ListArray.from_arrays(pa.array([0, 2, 2], pa.int32()), twice)
    rows, rejects, _ = read(write(tmp_path, parquet(account=["a", "b"], prompt=messages)))
    assert rows == []
    assert [(reject.line, "cannot be read" in reject.reason) for reject in rejects] == [(1, True), (2, False)]
