"""Readers take any damage; and the benchmark that checks this sees what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import fuzz_readers
from benchmarks.fuzz_readers import Made, check, main, make


def test_some_inputs_of_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--most", "150", "--minutes", "5", "--limit", "60"]) == 0
    assert "150 inputs, 0 failures; seed 0" in capsys.readouterr().out


def test_an_input_depends_on_seed_and_number_alone() -> None:
    one, same, other = make(3, 8), make(3, 8), make(4, 8)
    assert (one.name, one.data) == (same.name, same.data)
    assert one.data != other.data


def test_lost_rows_errors_and_hangs_are_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made("a.jsonl", b'{"account": "a", "prompt": "x"}\n', 1, "lines")
    assert check(made, tmp_path, 20)[0] == ""
    made.records = 2
    assert check(made, tmp_path, 20)[0] == "1 rows and rejects of 2 records"

    def raising(_paths: object, **_: object) -> None:
        raise KeyError("x")

    def endless(_paths: object, **_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(fuzz_readers, "read_dumps", raising)
    assert "KeyError" in check(made, tmp_path, 20)[0]
    monkeypatch.setattr(fuzz_readers, "read_dumps", endless)
    assert check(made, tmp_path, 0.2)[0] == "took more than 0.2 seconds"


def test_a_parquet_file_whose_group_names_a_column_that_its_schema_lacks(tmp_path: Path) -> None:
    made = make(2911, 13250)
    assert (made.kind, made.name) == ("parquet, damaged", "a.parquet")
    assert check(made, tmp_path, 20)[0] == ""


def test_a_database_whose_schema_is_not_utf_8(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "made.db") as base:
        base.execute('CREATE TABLE logs ("account", "prompt")')
        base.execute("INSERT INTO logs VALUES ('a', 'x')")
    base.close()
    data = (tmp_path / "made.db").read_bytes()
    for damage in (b"CREATE \x9a\x9aBLE", b"CREATE TABLE \x9aogs ("):
        damaged = data.replace(b"CREATE TABLE" if len(damage) < 15 else b"CREATE TABLE logs (", damage)
        assert damaged != data
        assert check(Made("a.db", damaged, 1, "sqlite"), tmp_path, 20)[0] == ""
