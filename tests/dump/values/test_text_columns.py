"""Whatever is asked of all values of a column at once has the same answer as value by value."""

from __future__ import annotations

import pickle
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harvestdetect.data import NO_TIME
from harvestdetect.dump.formats import parquet
from harvestdetect.dump.formats.pages import measured
from harvestdetect.dump.storage.limits import Rejects
from harvestdetect.dump.values.file_times import FileTimes
from harvestdetect.dump.values.identifiers import FileAccounts
from harvestdetect.dump.values.rows import Block, to_batch
from harvestdetect.dump.values.text_columns import TextColumn, all_there, bytes_at_ends, kinds_of, text_column
from harvestdetect.dump.values.time_columns import at_once
from harvestdetect.dump.values.times import EARLIEST, LATEST, TimeReader
from tests.dump.reading import Found, lines, rows_of

PIECES = st.sampled_from(
    ["a", "word", " ", "\u3000", "\x1c", "\n", ":", ">", "[", '{"role": "user", "content": "hi"}', "é", "。", "x" * 999]
)
TEXTS = st.lists(PIECES, max_size=4).map("".join)
PROMPTS = st.one_of(
    TEXTS,
    st.none(),
    st.just([{"role": "system", "content": "be kind"}, {"role": "user", "content": "a question"}]),
    st.just({"role": "user", "content": "alone"}),
    st.integers(0, 3),
)
ACCOUNTS = st.one_of(TEXTS, st.none(), st.sampled_from(["Ada@Example.org", "9001.0", "u1", "b" * 1_001]), st.integers())
ROWS = st.lists(st.tuples(PROMPTS, ACCOUNTS, st.one_of(TEXTS, st.none())), min_size=1, max_size=12)


def batch_of(rows: list[tuple[Any, Any, Any]], first: int) -> tuple[list[dict[str, Any]], list[tuple[int | None, str]]]:
    """The good rows and the rejects of a block."""
    prompts, accounts, addresses = map(list, zip(*rows, strict=True))
    rejects = Rejects("d")
    block = Block(
        range(first, first + len(rows)), None, {"prompt": prompts, "account": accounts, "ip": addresses, "org": prompts}
    )
    made = to_batch(block, file=0, rejects=rejects, times=FileTimes(), accounts=FileAccounts())
    made.validate(full=True)
    return made.to_pylist(), [(reject.line, reject.reason) for reject in rejects.take()[0]]


@settings(deadline=None)
@given(ROWS)
@example([("a plain text", "u1", "10.0.0.1"), ("a text:", "u2", " 10.0.0.2"), (None, "u3", ""), ("b c", None, None)])
def test_a_block_is_read_like_each_of_its_rows(rows: list[tuple[Any, Any, Any]]) -> None:
    singly = [batch_of([row], number) for number, row in enumerate(rows, 1)]
    found, rejects = batch_of(rows, 1)
    assert found == [row for good, _ in singly for row in good]
    assert rejects == [reject for _, bad in singly for reject in bad]


@given(st.lists(st.one_of(st.none(), TEXTS), max_size=9), st.integers(0, 3), st.integers(0, 9))
def test_questions_about_a_part_of_a_column(values: list[str | None], start: int, count: int) -> None:
    column = TextColumn(pa.array(values, pa.string()).slice(start, count))
    values = values[start : start + count]
    assert list(column) == values
    first, last = bytes_at_ends("a[", ":")
    wanted = [not value or value[0] in "a[" or value[-1] == ":" for value in values]
    assert column.ends_with(first, last).tolist() == wanted
    assert column.has_blank().tolist() == [value is not None and " " in value for value in values]
    assert column.is_bare() == all(value is None or (value and value == value.strip()) for value in values)
    assert all_there(column) == all(values)
    assert kinds_of(column) - {str} == set(map(type, values)) - {str}
    for value in ("a", "", None, 7):
        assert (value in column, column.count(value)) == (value in values, values.count(value))  # type: ignore[arg-type]
    distinct, numbers = column.coded()
    assert [distinct[number] for number in numbers.to_pylist()] == values
    assert len(set(distinct)) == len(distinct)


@pytest.mark.parametrize("values", [["a", 1], [1, "a"], ["a", b"a"], ["a", "\ud800"], [{"a": 1}]])
def test_other_values_are_no_column_of_texts(values: list[Any]) -> None:
    assert text_column(values) is None


ISO = st.builds(
    lambda moment, form, zone: moment.strftime(form) + zone,
    st.datetimes(min_value=datetime(1985, 1, 1)),
    st.sampled_from(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M", "%d.%m.%Y"]),
    st.sampled_from(["", "Z", "+02:00", "-0730"]),
)


@given(st.lists(st.one_of(ISO, st.none()), max_size=4) | st.lists(st.integers(-(2**70), 2**70), max_size=3))
@example(["2026-06-01T00:00:16Z", None, "2026-06-01T02:00:16+02:00"])
@example(["2026-06-01", "2026-06-01 10:00:00"])
@example(["2026-06-01", "2026-06-01T00:00:00Z"])
@example(["1989-12-31", "9999-12-31"])
@example([1_780_272_016, 1_780_272_017])
@example([1_780_272_016, 1_780_272_016_000])
def test_times_of_a_column_are_those_of_its_values(values: list[Any]) -> None:
    reader, singly = TimeReader.of(values), TimeReader.of(values)
    found = reader.column(text_column(values) or values)
    assert found.dtype == np.int64
    assert found.tolist() == singly.seconds(values)
    assert (reader.count, reader.unreadable) == (singly.count, singly.unreadable)


def test_common_forms_are_read_at_once() -> None:
    for values in (["2026-06-01T00:00:16Z", None], ["2026-06-01 00:00:16", "2026-06-01"], [1_780_272_016]):
        found = at_once(text_column(values) or values, earliest=EARLIEST, latest=LATEST)
        assert found is not None
        assert set(found.tolist()) <= {1_780_272_016, 1_780_272_000, NO_TIME}


def test_texts_of_parquet_stay_in_arrow(tmp_path: Path) -> None:
    rows = rows_of(2_000)
    (tmp_path / "d.jsonl").write_bytes(lines(rows))
    wanted = Found(tmp_path / "d.jsonl").rows
    table = pa.Table.from_pylist(rows)
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        columns = [table.column(name) if name == "timestamp" else table.column(name).cast(kind) for name in rows[0]]
        pq.write_table(pa.table(columns, list(rows[0])), tmp_path / "d.parquet")
        assert Found(tmp_path / "d.parquet").rows == wanted


def test_a_block_takes_no_other_text_to_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BLOCK_BYTES", 20_000)
    rows = [{**row, "prompt": "a long text " * 200} for row in rows_of(60)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    monkeypatch.setattr(parquet._Reader, "_plan", lambda *_: parquet._Plan(rows=60))
    batches = [batch.prompts for batch in Found(tmp_path / "d.parquet").batches if batch.prompts.num_rows]
    assert len(batches) > 5
    assert all(len(pickle.dumps(batch)) < 3 * 20_000 for batch in batches)


def test_the_pages_of_a_file_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    monkeypatch.setattr(parquet, "measured", lambda file, chunk: (looked.append(chunk), measured(file, chunk))[1])
    pq.write_table(pa.Table.from_pylist(rows_of(9_000)), tmp_path / "d.parquet", row_group_size=3_000)
    assert len(Found(tmp_path / "d.parquet").rows) == 9_000
    assert len(looked) == len(set(looked)) == 9


def test_lines_around_bad_ones_keep_their_numbers_and_offsets(tmp_path: Path) -> None:
    parts = [lines([row]) for row in rows_of(50)]
    for number, bad in ((7, b"{\n"), (8, b"\n"), (20, b'{"account": \xff}\n'), (49, b"[1]\n")):
        parts[number] = bad
    (tmp_path / "d.jsonl").write_bytes(b"".join(parts))
    for batch_rows in (1, 4, 1_000):
        found = Found(tmp_path / "d.jsonl", batch_rows=batch_rows)
        assert [row["line"] for row in found.rows] == [n for n in range(1, 51) if n - 1 not in (7, 8, 20, 49)]
        assert [(reject.line, reject.byte) for reject in found.rejects] == [
            (number + 1, sum(map(len, parts[:number]))) for number in (7, 20, 49)
        ]
