"""Paths, tables and rows that a caller gives to a scan."""

from __future__ import annotations

import datetime
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from harvestdetect import Prompt, Settings
from harvestdetect.data import NO_TIME, Batch
from harvestdetect.dump import batches_of, given, read_dumps
from harvestdetect.dump.given import ROWS, TABLE
from harvestdetect.errors import ColumnsError, InputError, UsageError

START = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)
DATA: list[dict[str, Any]] = [
    {
        "user_id": f"user-{i % 5}",
        "prompt": f"what should I know about number {i} ‮of\x00 the day",
        "created": START + datetime.timedelta(minutes=i),
        "org": None if i % 2 else "acme",
    }
    for i in range(40)
]


def read(source: Any, **settings: Any) -> list[Batch]:
    return list(given(source, Settings(**settings)))


def rows(batches: list[Batch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.prompts.to_pylist()]


def file_of(folder: Path) -> list[Path]:
    file = folder / "dump.jsonl"
    file.write_text("".join(json.dumps(row, default=str) + "\n" for row in DATA), encoding="utf-8")
    return [file]


@pytest.mark.parametrize(
    "make",
    [
        lambda: DATA,
        lambda: tuple(DATA),
        lambda: iter(DATA),
        lambda: pa.Table.from_pylist(DATA),
        lambda: pa.Table.from_pylist(DATA).to_reader(),
        lambda: pd.DataFrame(DATA),
        lambda: pl.DataFrame(DATA),
    ],
    ids=["list", "tuple", "generator", "arrow", "reader", "pandas", "polars"],
)
def test_all_forms_are_read_like_the_same_rows_in_a_file(make: Callable[[], Any], tmp_path: Path) -> None:
    expected = rows(list(read_dumps(file_of(tmp_path))))
    batches = read(make())
    assert rows(batches) == expected
    (file,) = (file for batch in batches for file in batch.files)
    assert file.name in (ROWS, TABLE)
    assert file.reading is not None
    assert dict(file.reading.columns) == {
        "prompt": "prompt",
        "account": "user_id",
        "timestamp": "created",
        "org": "org",
    }


@pytest.mark.parametrize("form", ["text", "path", "list", "glob"])
def test_paths_are_read(form: str, tmp_path: Path) -> None:
    (file,) = file_of(tmp_path)
    source = {"text": str(file), "path": file, "list": [file], "glob": [str(tmp_path / "*.jsonl")]}[form]
    assert len(rows(read(source))) == len(DATA)


def test_columns_are_mapped_and_identifiers_replaced(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("11" * 32 + "\n", encoding="utf-8")
    key.chmod(0o600)
    table = pa.table({"who": ["ann"] * 3, "said": ["hello there friend"] * 3})
    found = rows(read(table, mapping={"account": "who", "prompt": "said"}, pseudonyms=key))
    assert len(found) == 3
    assert found[0]["account"] not in ("ann", "")


def test_bad_rows_are_rejects_and_odd_values_are_read() -> None:
    odd = [
        *DATA[:5],
        {"user_id": "x", "prompt": None, "created": START},
        {"user_id": "x", "prompt": "no time at all", "created": pd.NaT},
        {"user_id": pd.NA, "prompt": "nobody sent this"},
        {"user_id": np.int64(7), "prompt": b"bytes are text", "created": float("nan")},
        {"user_id": "\ud800x", "prompt": [{"role": "user", "content": "a lone \udfff surrogate"}]},
        {"user_id": "y", "prompt": "naive times are UTC", "created": datetime.datetime(2026, 6, 1, 12)},
        {"user_id": "z", "prompt": "a time of pandas", "created": pd.Timestamp("2026-06-01T14:00", tz="Europe/Berlin")},
    ]
    batches = read(odd)
    found = {row["account"]: row for row in rows(batches)[5:]}
    assert [reject.line for batch in batches for reject in batch.rejects] == [6, 8]
    assert found["x"]["time"] == NO_TIME
    assert found["7"]["parts"] == ["bytes are text"]
    assert found["?x"]["parts"] == ["a lone ? surrogate"]
    assert found["y"]["time"] == found["z"]["time"] == int(START.timestamp())


@pytest.mark.parametrize("source", [[{"foo": "a", "bar": "b"}], pa.table({"foo": ["a"], "bar": ["b"]})])
def test_the_message_about_a_missing_column_names_those_that_are_there(source: Any) -> None:
    with pytest.raises(
        ColumnsError, match=r"no column for the account; columns found: foo, bar; name the right one with Set"
    ):
        read(source)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ([1, 2], UsageError, "source must be paths, a table, rows (dicts), batches or prompts, got a list"),
        (5, UsageError, "source must be paths, a table, rows (dicts), batches or prompts, got the number 5; give a"),
        (b"x", UsageError, "got the bytes b'x'; give a list of dicts"),
        ({"account": ["a"]}, UsageError, "got a dict; give a list of dicts"),
        ([DATA[0], 3], UsageError, "row 2 must be a dict like the first, got the number 3"),
        ([{"prompt": object()}], UsageError, "row 1: the value of 'prompt' cannot be read (a value of type object)"),
        (pd.DataFrame({"prompt": [1, "x"]}), ColumnsError, "no column for the account"),
        ("/nowhere/dump.jsonl", InputError, "no such file: /nowhere/dump.jsonl"),
    ],
    ids=["numbers", "number", "bytes", "columns", "mixed", "object", "pandas", "path"],
)
def test_other_sources_are_errors(source: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        read(source)
    assert message in str(raised.value)


def test_a_file_or_folder_of_that_name_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "account=evil"
    there.mkdir()
    monkeypatch.chdir(there)
    os.makedirs("memory:/")
    Path("memory:/table").write_text("{}", encoding="utf-8")
    found = rows(read(pa.Table.from_pylist(DATA)))
    assert {row["account"] for row in found} == {f"user-{i}" for i in range(5)}


def test_batches_and_prompts_are_passed_on() -> None:
    prompts = [Prompt(account="a", prompt="hello there")]
    assert given(prompts, Settings()) is prompts
    assert list(given(iter(prompts), Settings())) == prompts
    assert list(given(iter([]), Settings())) == []
    batches = list(batches_of(prompts))
    assert given(batches, Settings()) is batches


def test_a_prompt_may_have_a_datetime() -> None:
    naive = START.replace(tzinfo=None)
    (batch,) = batches_of([Prompt(account="a", prompt="hello", time=time) for time in (START, naive, math.nan)])
    assert batch.prompts.column("time").to_pylist() == [int(START.timestamp())] * 2 + [NO_TIME]
