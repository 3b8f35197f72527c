"""Odd arguments of the public functions: each works as documented, or gives an error that says what to do."""

from __future__ import annotations

import datetime
import decimal
import math
import pickle
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest

import harvestdetect
from harvestdetect import (
    Detection,
    HarvestdetectError,
    Prompt,
    Settings,
    calibrate,
    detect,
    evaluate,
    html_report,
    load_settings,
    read_dumps,
    write_outputs,
)
from harvestdetect.arguments import shown
from harvestdetect.data import NO_TIME
from harvestdetect.detection import estimated
from harvestdetect.dump import batches_of
from harvestdetect.errors import ColumnsError, InputError, SettingsError, UsageError

FAST: Any = Settings(encoder="fast", use_cache=False)
ROWS: list[dict[str, Any]] = [
    {"account": f"u{i % 5}", "prompt": f"what is the number {i} of day", "time": 1_780_000_000 + i * 60}
    for i in range(30)
]
FRAME = pd.DataFrame(ROWS)
TABLE = pa.Table.from_pylist(ROWS)
SENT = 1_767_225_600
"""The start of 2026 in Unix seconds."""
TRUTH = '{"name": "one", "kind": "campaign", "what": "x", "accounts": ["u1"]}\n'


@pytest.fixture(scope="module")
def detection() -> Detection:
    return detect(ROWS, settings=FAST)


def prompt(**values: Any) -> Any:
    return Prompt(**{"account": "a", "prompt": "hello there", **values})


def kept(source: Any) -> tuple[int, int]:
    """Numbers of prompts and rejects that a scan reads."""
    found = estimated(source, settings=FAST)
    return found.counts["prompts"], found.counts["rejects"]


# ---------------------------------------------------------------- prompts


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (SENT, SENT),
        (SENT + 0.9, SENT),
        (SENT * 1_000 + 999, SENT),
        (SENT * 1_000_000, SENT),
        (str(SENT), SENT),
        ("2026-01-01", SENT),
        ("2026-01-01T00:00:00Z", SENT),
        ("2026-01-01T01:00:00+01:00", SENT),
        (b"2026-01-01", SENT),
        (datetime.date(2026, 1, 1), SENT),
        (datetime.datetime(2026, 1, 1), SENT),
        (datetime.datetime(2026, 1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))), SENT),
        (pd.Timestamp("2026-01-01"), SENT),
        (pd.Timestamp("2026-01-01 01:00", tz="Europe/Berlin"), SENT),
        (np.datetime64("2026-01-01"), SENT),
        (np.datetime64("2026-01-01", "ns"), SENT),
        (np.int64(SENT), SENT),
        (np.float64(SENT), SENT),
        (decimal.Decimal(SENT), SENT),
        (12.9, 12),
        ("3", 3),
        (None, NO_TIME),
        ("", NO_TIME),
        (math.nan, NO_TIME),
        (pd.NaT, NO_TIME),
        (pd.NA, NO_TIME),
        (np.datetime64("NaT", "s"), NO_TIME),
        (decimal.Decimal("nan"), NO_TIME),
    ],
    ids=repr,
)
def test_a_time_is_understood_as_in_files(time: Any, seconds: int) -> None:
    said: list[str] = []
    both = prompt(time=time, fields={"created_at": time})
    (batch,) = batches_of([both], notes=said.append)
    assert batch.prompts.column("time").to_pylist() == batch.prompts.column("created_at").to_pylist() == [seconds]
    assert not said


@pytest.mark.parametrize("time", ["yesterday", "12:30", -5, math.inf, 1e300, datetime.datetime(1, 1, 1), 10**400])
def test_a_time_that_is_none_is_counted_and_told(time: Any) -> None:
    found = estimated([prompt(), prompt(time=time), prompt(time=SENT)], settings=FAST)
    assert found.counts["prompts"] == 3
    (note,) = (note for note in found.notes if "times of prompts" in note)
    assert note.startswith("1 times of prompts cannot be read, and count as missing; the first is time of prompt 2, ")
    assert note.endswith("give Unix seconds, ISO 8601 or a datetime")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"time": True}, "prompt 1: time must be Unix seconds, ISO 8601 or a datetime, got True"),
        ({"time": [1]}, "prompt 1: time must be Unix seconds, ISO 8601 or a datetime, got a list"),
        ({"time": {}}, "got a dict"),
        ({"time": 1j}, "got a complex"),
        ({"time": datetime.time(1)}, "got a time"),
        ({"time": pd.Timedelta("1s")}, "got a Timedelta"),
        ({"account": ["a"]}, "prompt 1: account must be a text, got a list"),
        ({"account": True}, "prompt 1: account must be a text, got True"),
        (
            {"prompt": 5},
            "prompt must be a text, a list of (role, text) or a list of messages, got the number 5",
        ),
        ({"prompt": FRAME}, "got a DataFrame"),
        ({"fields": None}, "prompt 1: fields must be a dict of field names to values, got None"),
        ({"fields": ["org"]}, "prompt 1: fields must be a dict of field names to values, got a list"),
        ({"fields": {"org": ["a"]}}, "prompt 1: org must be a text or a whole number, got a list"),
        ({"fields": {"created_at": [1]}}, "prompt 1: created_at must be Unix seconds, ISO 8601 or a datetime"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_of_a_wrong_type_is_an_error_that_names_it(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        estimated([prompt(**values)], settings=FAST)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"foo": 1}, "unknown value 'foo'; known: account, prompt, time, fields"),
        ({"account": "a"}, 'Prompt needs the value prompt; write Prompt(account="a", prompt="text")'),
        ({}, "Prompt needs the value account"),
    ],
    ids=str,
)
def test_a_prompt_with_other_values_is_an_error(values: dict[str, Any], message: str) -> None:
    made: Any = Prompt
    with pytest.raises(UsageError) as raised:
        made(**values)
    assert message in str(raised.value)
    with pytest.raises(UsageError, match="Prompt takes each value by its name, got the text 'a' without one"):
        made("a", "b")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"account": None}, "no account"),
        ({"account": math.nan}, "no account"),
        ({"account": pd.NA}, "no account"),
        ({"account": ""}, "no account"),
        ({"prompt": None}, "no prompt"),
        ({"prompt": math.nan}, "no prompt"),
        ({"prompt": pd.NA}, "no prompt"),
        ({"prompt": [("user", None)]}, "the prompt is empty"),
        ({"prompt": [5]}, "the prompt is a list of token ids, not a text"),
    ],
    ids=str,
)
def test_a_missing_value_is_a_counted_reject(values: dict[str, Any], reason: str) -> None:
    (batch,) = batches_of([prompt(**values)])
    assert [(reject.line, reject.reason) for reject in batch.rejects] == [(1, reason)]
    assert not batch.prompts.num_rows


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ([{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi there"}], ["be kind", "hi there"]),
        ({"role": "user", "content": "hi there"}, ["hi there"]),
        ([("user", "one"), ("user", "two")], ["one", "two"]),
        ((["user", "one"],), ["one"]),
        (iter([("user", "one")]), ["one"]),
        (np.array([["user", "one"]]), ["one"]),
        ([(None, "one")], ["one"]),
        (b"one", ["one"]),
        ("[not JSON", ["[not JSON"]),
    ],
    ids=["messages", "message", "pairs", "lists", "iterator", "array", "no role", "bytes", "text"],
)
def test_messages_are_read_as_in_files(text: Any, parts: list[str]) -> None:
    (batch,) = batches_of([prompt(prompt=text)])
    assert batch.prompts.column("parts").to_pylist() == [parts]


def test_ids_may_be_numbers_and_unknown_fields_are_told() -> None:
    fields = {"org": np.int64(7), "ip": math.nan, "payment": pd.NA, "customer\x1b": "x"}
    found = estimated([prompt(account=5, fields=fields)], settings=FAST)
    (note,) = (note for note in found.notes if "not read" in note)
    assert note.startswith("prompts have fields that are not read: 'customer\\x1b'; known: org, ip, ")
    (batch,) = batches_of([prompt(account=5, fields=fields)])
    (row,) = batch.prompts.to_pylist()
    assert (row["account"], row["org"], row["ip"], row["payment"]) == ("5", "7", None, None)


# ---------------------------------------------------------------- sources of a scan


SOURCES: dict[str, tuple[Any, type[HarvestdetectError], str]] = {
    "none": (None, UsageError, "source must be paths, a table, rows (dicts), batches or prompts, got None"),
    "number": (5, UsageError, "got the number 5; give a list of dicts"),
    "nan": (math.nan, UsageError, "got the number nan; give a list of dicts"),
    "bytes": (b"x", UsageError, "got the bytes b'x'; give a list of dicts"),
    "dict": ({"a": 1}, UsageError, "got a dict; give a list of dicts, one for each request"),
    "class": (Prompt, UsageError, "got the class Prompt"),
    "function": (len, UsageError, "got a builtin_function_or_method"),
    "prompt": (prompt(), UsageError, "got a Prompt; give a list of prompts"),
    "lazy": (pl.DataFrame(ROWS).lazy(), UsageError, "got a LazyFrame; give source.collect()"),
    "dataset": (pyarrow.dataset.dataset(TABLE), UsageError, "got an InMemoryDataset; give source.to_table()"),
    "none in list": ([None], UsageError, "got a list; its first item is None"),
    "tuples": ([("a", "b")], UsageError, "got a list; its first item is a tuple; give a list of dicts"),
    "array": (np.array([["a", "b"]]), UsageError, "its first item is a ndarray"),
    "frames": ([FRAME, FRAME], UsageError, "its first item is a DataFrame; give one table, such as pandas.concat"),
    "series": (FRAME["prompt"], InputError, "got a Series, which is one column; give the whole table"),
    "polars series": (pl.Series(["a"]), InputError, "got a Series, which is one column"),
    "column": (TABLE["prompt"], InputError, "got a ChunkedArray, which is one column"),
    "prompt, dict": ([prompt(), ROWS[0]], UsageError, "item 2 must be a Prompt like those before it, got a dict"),
    "dict, prompt": ([ROWS[0], prompt()], UsageError, "row 2 must be a dict like the first, got a Prompt"),
    "prompt, none": ([prompt(), None], UsageError, "item 2 must be a Prompt like those before it, got None"),
    "empty rows": ([{}], ColumnsError, 'name the right one with Settings(mapping={"account": "COLUMN"})'),
    "no columns": (pd.DataFrame(), ColumnsError, "no column for the account; columns found: none"),
    "other columns": (pa.table({"b": ["x"]}), ColumnsError, "no column for the account; columns found: b; name the"),
    "no names": (pd.DataFrame([["a", "x y"]]), ColumnsError, "2 without the look of a name"),
    "two names": (
        pd.DataFrame([["a", "b", "x"]], columns=["account", "account", "prompt"]),
        InputError,
        "the table has two columns named 'account'; rename or drop one of them",
    ),
    "two names of Arrow": (
        pa.table([["a"], ["b"], ["x"]], names=["account", "account", "prompt"]),
        InputError,
        "the table has two columns named 'account'",
    ),
    "levels": (
        pd.DataFrame([["a", "x"]], columns=pd.MultiIndex.from_tuples([("u", "account"), ("u", "prompt")])),
        InputError,
        "the columns of the table have 2 levels; make one of them",
    ),
    "objects": (
        pd.DataFrame({"account": ["a"], "prompt": [object()]}),
        UsageError,
        "row 1: the value of 'prompt' cannot be read (a value of type object)",
    ),
    "complex": (
        pd.DataFrame({"account": ["a"], "prompt": ["x y"], "z": [1j]}),
        UsageError,
        "row 1: the value of 'z' cannot be read (a value of type complex)",
    ),
    "union": (
        pa.table(
            {
                "account": ["a"],
                "n": pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])]),
            }
        ),
        InputError,
        "because of its column 'n'",
    ),
    "no file": ("/nowhere/dump.jsonl", InputError, "no such file: /nowhere/dump.jsonl"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_that_cannot_be_read_is_an_error_that_says_what_to_give(name: str) -> None:
    source, error, message = SOURCES[name]
    with pytest.raises(error) as raised:
        kept(source)
    assert message in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("make", "prompts", "rejects"),
    [
        (list, 0, 0),
        (lambda: iter(()), 0, 0),
        (lambda: (row for row in ROWS), 30, 0),
        (lambda: TABLE.to_reader(), 30, 0),
        (lambda: TABLE.to_batches()[0], 30, 0),
        (lambda: FRAME[:0], 0, 0),
        (lambda: FRAME.set_index("account"), 30, 0),
        (lambda: FRAME.set_index(["account", "time"]), 30, 0),
        (lambda: FRAME.astype({"account": "category"}), 30, 0),
        (lambda: FRAME.assign(time=pd.to_datetime(FRAME["time"], unit="s")), 30, 0),
        (lambda: FRAME.assign(time=[math.nan, *FRAME["time"][1:]]), 30, 0),
        (lambda: FRAME.assign(account=[math.nan, *FRAME["account"][1:]]), 29, 1),
        (lambda: FRAME.assign(prompt=[math.nan, *FRAME["prompt"][1:]]), 29, 1),
        (lambda: FRAME.assign(account=[None, 5, *FRAME["account"][2:]]), 29, 1),
        (lambda: FRAME.assign(prompt=[[{"role": "user", "content": "hi there"}], *FRAME["prompt"][1:]]), 30, 0),
        (lambda: FRAME.assign(prompt=[1, *FRAME["prompt"][1:]]), 29, 1),
        (lambda: FRAME.assign(prompt=[{"x": 1}, *FRAME["prompt"][1:]]).set_index("account"), 29, 1),
        (lambda: pl.DataFrame(ROWS).cast({"account": pl.Categorical}), 30, 0),
        (lambda: pl.DataFrame(ROWS).with_columns(left=pl.duration(seconds=1)), 30, 0),
        (lambda: pa.table({**TABLE.to_pydict(), "empty": pa.nulls(30)}), 30, 0),
        (lambda: [{"account": math.nan, "prompt": "x"}, {"account": "a", "prompt": math.nan}, ROWS[0]], 1, 2),
    ],
)  # fmt: skip
def test_other_sources_are_read_and_no_row_is_lost(make: Callable[[], Any], prompts: int, rejects: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kept(make()) == (prompts, rejects)


def test_mixed_columns_are_read_like_the_same_rows() -> None:
    mixed = FRAME.assign(prompt=[[{"role": "user", "content": "hi there"}], *FRAME["prompt"][1:]])
    asked = {"settings": FAST}
    assert estimated(mixed, **asked).counts == estimated(mixed.to_dict("records"), **asked).counts


def test_an_error_of_a_generator_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        kept(row if row is not ROWS[3] else 1 / 0 for row in ROWS)


# ---------------------------------------------------------------- functions


CALLS: dict[str, tuple[Callable[[Detection, Path], object], str]] = {
    "settings dict": (lambda d, t: detect(ROWS, settings={"encoder": "fast"}), "settings must be Settings or None"),  # type: ignore[arg-type]
    "settings text": (lambda d, t: detect(ROWS, settings="fast"), "got the text 'fast'; write Settings("),  # type: ignore[arg-type]
    "progress": (lambda d, t: detect(ROWS, settings=FAST, progress="yes"), "progress must be None or True, or"),  # type: ignore[arg-type]
    "notes": (lambda d, t: detect(ROWS, notes=True), "notes must be None or a function"),  # type: ignore[arg-type]
    "leave_out text": (lambda d, t: detect(ROWS, leave_out="time"), 'must be a list of families, such as ("time",)'),  # type: ignore[arg-type]
    "leave_out none": (lambda d, t: detect(ROWS, leave_out=None), "leave_out must be a list of families"),  # type: ignore[arg-type]
    "leave_out other": (lambda d, t: detect(ROWS, leave_out=["tempo"]), "leave_out knows text, structure"),  # type: ignore[list-item]
    "signatures": (lambda d, t: detect(ROWS, signatures=[5]), "one of its items is the number 5"),  # type: ignore[list-item]
    "signatures number": (lambda d, t: detect(ROWS, signatures=5), "signatures must be a list of Signature"),  # type: ignore[arg-type]
    "new_since": (lambda d, t: detect(ROWS, new_since="2026"), "new_since must be Unix seconds, a whole number, or"),  # type: ignore[arg-type]
    "seeds": (lambda d, t: detect(ROWS, seeds=["x"]), "seeds must be Seeds or None, got a list"),  # type: ignore[arg-type]
    "shared": (lambda d, t: detect(ROWS, shared="x"), "shared must be Shared or None, got the text 'x'"),  # type: ignore[arg-type]
    "mapping of an unknown field": (
        lambda d, t: detect(ROWS, settings=FAST.replace(mapping={"foo": "x"})),
        "knows no field 'foo'",
    ),
    "read none": (lambda d, t: read_dumps(None), "sources must be a path or a list of paths"),  # type: ignore[arg-type]
    "read numbers": (lambda d, t: read_dumps([5]), "one of its items is the number 5"),  # type: ignore[list-item]
    "read bytes": (lambda d, t: read_dumps(b"/tmp"), "got the bytes b'/tmp'"),  # type: ignore[arg-type]
    "read nothing": (lambda d, t: read_dumps([]), "no dump was named"),
    "read a table": (lambda d, t: read_dumps(FRAME), "detect also takes tables, rows and prompts), got a DataFrame"),
    "read rows": (lambda d, t: read_dumps(ROWS), "one of its items is a dict"),  # type: ignore[arg-type]
    "read a dict": (lambda d, t: read_dumps({"a": 1}), "got a dict"),
    "read settings": (lambda d, t: read_dumps([t], settings={}), "settings must be Settings or None"),  # type: ignore[arg-type]
    "batch_rows text": (lambda d, t: read_dumps([t], batch_rows="5"), "batch_rows must be a whole number of at"),  # type: ignore[arg-type]
    "batch_rows zero": (lambda d, t: read_dumps([t], batch_rows=0), "at least 1, got the number 0"),
    "most_rows": (lambda d, t: read_dumps([t], most_rows=-1), "most_rows must be a whole number of at least 1"),
    "read progress": (lambda d, t: read_dumps([t], progress=True), "progress must be None or a function that takes"),  # type: ignore[arg-type]
    "stdin": (lambda d, t: read_dumps(["-"], stdin="x"), "stdin must be a binary file, got the text 'x'"),  # type: ignore[arg-type]
    "found table": (lambda d, t: evaluate(FRAME, t), "found must be a detection, the folder of a scan, or a list of"),
    "found none": (lambda d, t: evaluate(None, t), "or a list of findings, got None"),  # type: ignore[arg-type]
    "found numbers": (lambda d, t: evaluate([1], t), "one of its items is the number 1"),  # type: ignore[list-item]
    "found NUL": (lambda d, t: evaluate("a\0b", t), "got the text 'a\\x00b'"),
    "planted table": (lambda d, t: evaluate(d, FRAME), "planted must be truth.jsonl, its folder, or a list of planted"),
    "planted number": (lambda d, t: evaluate(d, 5), "got the number 5"),  # type: ignore[arg-type]
    "planted dicts": (lambda d, t: evaluate(d, [{"name": "x"}]), "one of its items is a dict"),  # type: ignore[list-item]
    "swapped": (lambda d, t: evaluate(t, d), "truth.jsonl is a file; give the folder that scan --out named"),  # type: ignore[arg-type]
    "tiers text": (lambda d, t: evaluate(d, t, tiers="urgent"), "tiers must be a list among urgent, review, watch"),  # type: ignore[arg-type]
    "tiers none": (lambda d, t: evaluate(d, t, tiers=None), "tiers must be a list among"),  # type: ignore[arg-type]
    "tiers list": (lambda d, t: evaluate(d, t, tiers=[[]]), "tiers must be among urgent, review, watch, got []"),  # type: ignore[list-item]
    "write nothing": (lambda d, t: write_outputs(None, t), "detection must be what detect returns, got None"),  # type: ignore[arg-type]
    "write swapped": (lambda d, t: write_outputs(t, d), "detection must be what detect returns"),  # type: ignore[arg-type]
    "write to none": (lambda d, t: write_outputs(d, None), "out must be a folder, as a text or pathlib.Path, got No"),  # type: ignore[arg-type]
    "write to a number": (lambda d, t: write_outputs(d, 5), "got the number 5"),  # type: ignore[arg-type]
    "write to nowhere": (lambda d, t: write_outputs(d, ""), "got the text ''"),
    "write to NUL": (lambda d, t: write_outputs(d, "a\0b"), "got the text 'a\\x00b'"),
    "report of a path": (lambda d, t: html_report("out"), "detection must be what detect returns, got the text 'out'"),  # type: ignore[arg-type]
    "report of findings": (lambda d, t: html_report(d.findings), "got a tuple"),  # type: ignore[arg-type]
    "plot": (lambda d, t: d.plot_map().save(5), "path must be a path, as a text or pathlib.Path, got the number 5"),
    "no settings file": (lambda d, t: load_settings("/nowhere.toml"), "cannot read the settings file /nowhere.toml"),
    "settings number": (lambda d, t: load_settings(5), "file must be the path of a settings file"),  # type: ignore[arg-type]
    "settings NUL": (lambda d, t: load_settings("a\0b"), "got the text 'a\\x00b'"),
    "settings folder": (lambda d, t: load_settings("/tmp"), "Is a directory"),
    "flags": (lambda d, t: load_settings(flags=5), "flags must be a dict of names to values, or None"),  # type: ignore[arg-type]
    "flag": (lambda d, t: load_settings(flags={"foo": 1}), "unknown setting 'foo'; known: mapping"),
    "flag number": (lambda d, t: load_settings(flags={5: 1}), "unknown setting '5'; known: mapping"),  # type: ignore[dict-item]
    "mapping flag": (lambda d, t: load_settings(flags={"mapping": 5}), "mapping must be a table of names to column"),
    "environment": (lambda d, t: load_settings(environment=5), "environment must be a dict of names to values"),  # type: ignore[arg-type]
    "calibrate none": (lambda d, t: calibrate(None), "source must be paths, a table, rows"),  # type: ignore[arg-type]
    "calibrate iterator": (lambda d, t: calibrate(iter(ROWS)), "an iterator can be read once; give paths"),
    "calibrate reader": (lambda d, t: calibrate(TABLE.to_reader()), "an iterator can be read once; give paths"),
    "calibrate class": (lambda d, t: calibrate(Prompt), "got the class Prompt"),  # type: ignore[arg-type]
    "calibrate list": (lambda d, t: calibrate(lambda: ROWS), "as a context, such as lambda: closing("),  # type: ignore[arg-type,return-value]
    "calibrate nothing": (lambda d, t: calibrate([]), "the dump has no prompts to learn from"),
    "calibrate settings": (lambda d, t: calibrate(ROWS, settings={}), "settings must be Settings or None"),  # type: ignore[arg-type]
    "calibrate check": (lambda d, t: calibrate(ROWS, check=5), "check must be None or a function"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_an_error_that_names_it(name: str, detection: Detection, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    truth.write_text(TRUTH, encoding="utf-8")
    call, message = CALLS[name]
    with pytest.raises(HarvestdetectError) as raised:
        call(detection, truth)
    assert message in str(raised.value)
    assert str(raised.value).isprintable()


def test_one_path_is_read_like_a_list_of_it(tmp_path: Path) -> None:
    file = tmp_path / "dump.jsonl"
    file.write_text('{"account": "a", "prompt": "hello there"}\n', encoding="utf-8")
    for source in (str(file), file, [file], (str(file),), {file}):
        with closing(read_dumps(source)) as dumps:
            assert sum(batch.prompts.num_rows for batch in dumps) == 1


def test_findings_are_scored_like_their_detection(detection: Detection, tmp_path: Path) -> None:
    (tmp_path / "truth.jsonl").write_text(TRUTH, encoding="utf-8")
    assert evaluate(detection.findings, tmp_path) == evaluate(detection, tmp_path)


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"foo": 1}, "unknown setting 'foo'; known: mapping, "),
        ({"foo\x1b[0m": 1}, "unknown setting 'foo\\x1b[0m'"),
        ({"encoder": "slow"}, "encoder must be one of auto, fast, full, got 'slow'"),
        ({"encoder": None}, "encoder must be one of auto, fast, full, got None"),
        ({"encoder": np.array(["fast", "full"])}, "encoder must be one of auto, fast, full"),
        ({"min_accounts": "5"}, "min_accounts must be a number, got '5'"),
        ({"min_accounts": 2.5}, "min_accounts must be a whole number, got 2.5"),
        ({"min_accounts": True}, "min_accounts must be a number, got True"),
        ({"fdr": [1]}, "fdr must be a number, got [1]"),
        ({"fdr": math.nan}, "fdr must be a number, got nan"),
        ({"work": b"x"}, "work must be a folder, got b'x'"),
        ({"work": ""}, "work must be a folder, got ''"),
        ({"mapping": None}, "mapping must be a table of names to column names, got None"),
        ({"mapping": {"prompt": 5}}, "mapping must be a table of names to column names, got 'prompt': 5"),
        ({"mapping": {5: "x"}}, "mapping must be a table of names to column names, got 5: 'x'"),
    ],
    ids=str,
)
def test_settings_that_are_wrong_are_errors(values: dict[str, Any], message: str) -> None:
    for make in (Settings, Settings().replace):
        with pytest.raises(SettingsError) as raised:
            make(**values)
        assert message in str(raised.value)
    positional: Any = Settings
    with pytest.raises(SettingsError, match="Settings takes each setting by its name, got the number 5 without one"):
        positional(5)


def test_settings_take_texts_for_paths_and_numbers_of_numpy() -> None:
    odd: Any = Settings
    made = odd(work="work", min_accounts=np.int64(12), fdr=np.float32(0.25))
    assert made == Settings(work=Path("work"), min_accounts=12, fdr=0.25)
    assert type(made.min_accounts) is int
    assert made.to_dict()["fdr"] == 0.25
    assert pickle.loads(pickle.dumps(made)) == replace(made) == made
    assert pickle.loads(pickle.dumps(prompt())) == prompt()


# ---------------------------------------------------------------- what messages show


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (True, "True"),
        (5, "the number 5"),
        (0.5, "the number 0.5"),
        (10**5000, "a number of many digits"),
        ("\x1b[31m\u202e", "the text '\\x1b[31m\\u202e'"),
        ("x" * 100, "the text '" + "x" * 59 + "..."),
        (b"\x00", "the bytes b'\\x00'"),
        ([], "a list"),
        (Settings(), "a Settings"),
        (OSError(), "an OSError"),
        (Settings, "the class Settings"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_a_value_is_shown_in_few_safe_words(value: object, words: str) -> None:
    assert shown(value) == words


def test_every_public_function_is_tried() -> None:
    tried = {"Detection", "Finding", "HarvestdetectError", "__version__"}  # what functions return, and names
    called = {"Prompt", "Settings", "calibrate", "detect", "evaluate", "html_report", "load_settings", "read_dumps"}
    assert set(harvestdetect.__all__) == tried | called | {"write_outputs"}
