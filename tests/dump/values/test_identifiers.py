"""One spelling of an account is one account."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.data import Reject
from harvestdetect.dump import read_dumps
from harvestdetect.dump.values.identifiers import FileAccounts, is_rounded, spelling

SAME = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    "value",
    [9001, 9001.0, "9001", " 9001 ", "9001.0", '"9001"', "'9001'", "９００１", "\ufeff9001", Decimal("9001.00")],
)
def test_spellings_of_a_number(value: Any) -> None:
    assert spelling(value) == "9001"


@pytest.mark.parametrize("value", [SAME, SAME.upper(), f"{{{SAME.upper()}}}", f"urn:uuid:{SAME}", UUID(SAME)])
def test_spellings_of_a_uuid(value: Any) -> None:
    assert spelling(value) == SAME


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ada@Example.ORG", "ada@example.org"),
        ("team@home", "team@home"),
        ("@Ada", "@Ada"),
        ("Ada", "Ada"),
        ("0091", "0091"),
        ("1.5", "1.5"),
        ("v1.0", "v1.0"),
        ("1.50E+01", "15"),
        ("1E10", "1E10"),
        ("9007199254740993", "9007199254740993"),
        (9007199254740993, "9007199254740993"),
        ("e\u0301ric", "\u00e9ric"),
        ("", None),
        (" \u200b ", None),
        (1.5, None),
        (None, None),
    ],
)
def test_other_ids(value: Any, expected: str | None) -> None:
    assert spelling(value) == expected


@pytest.mark.parametrize("value", ["1.6E+18", "1.76436E+17", "1E+18", "1,6E+18", " 1.6e+18 ", '"1.6E+18"', 1.76436e17])
def test_rounded_numbers_are_no_ids(value: Any) -> None:
    assert spelling(value) is None
    assert is_rounded(value)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.uuids(), st.emails()))
def test_a_spelling_has_itself_as_spelling(value: Any) -> None:
    found = spelling(value)
    assert found is None or (found and spelling(found) in (found, None))
    assert found is None or not is_rounded(found)


def read(path: Path, accounts: list[Any]) -> tuple[list[str], list[Reject], tuple[str, ...]]:
    rows = [{"account": account, "prompt": f"prompt {i}"} for i, account in enumerate(accounts)]
    (path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    batches = list(read_dumps([path / "d.jsonl"]))
    reading = batches[-1].files[0].reading
    assert reading is not None
    found = [account for batch in batches for account in batch.prompts["account"].to_pylist()]
    return found, [reject for batch in batches for reject in batch.rejects], reading.warnings


def test_accounts_of_a_file(tmp_path: Path) -> None:
    sent = [9001, "9001.0", " 9001", SAME.upper(), SAME, "Ada@example.org", "ada@example.org", "Bob", "bob"]
    accounts, rejects, warnings = read(tmp_path, sent)
    assert accounts == ["9001"] * 3 + [SAME] * 2 + ["ada@example.org"] * 2 + ["Bob", "bob"]
    assert rejects == []
    assert any("1 e-mail addresses" in warning for warning in warnings)
    assert any("2 account ids" in warning for warning in warnings)


def test_ids_that_a_spreadsheet_destroyed_are_rejects_that_say_so(tmp_path: Path) -> None:
    accounts, rejects, _ = read(tmp_path, ["u1", "1.76436E+17", 1.6e18, "u2"])
    assert accounts == ["u1", "u2"]
    assert [reject.line for reject in rejects] == [2, 3]
    assert all("is a rounded number" in reject.reason for reject in rejects)


def test_capitals_do_not_count_where_most_ids_have_both_spellings(tmp_path: Path) -> None:
    ids = [f"u{i:04x}" for i in range(12)]
    accounts, _, warnings = read(tmp_path, [*ids, *map(str.upper, ids), "Mixed", "only"])
    assert accounts == [*ids, *ids, "mixed", "only"]
    assert any("only in capitals" in warning for warning in warnings)
    few = [*ids[:5], *map(str.upper, ids[:5])]
    assert read(tmp_path, few)[0] == few
    singles = [*ids, *map(str.upper, ids), *(f"v{i:04x}" for i in range(30) for _ in "12")]
    assert read(tmp_path, singles)[0] == singles


def test_the_first_block_decides_about_capitals() -> None:
    accounts = FileAccounts()
    ids = [f"u{i:04x}" for i in range(12)]
    accounts.texts([*ids, *map(str.upper, ids)])
    assert list(accounts.texts(["Late"])) == ["late"]


def test_ids_of_requests(tmp_path: Path) -> None:
    sent = ["req-4f1a", "-", "1", "12345", "00000000-0000-0000", "null", "", None, 12, 1234567]
    rows = [{"account": "a", "prompt": f"prompt {i}", "request_id": one} for i, one in enumerate(sent)]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = [one for batch in read_dumps([tmp_path / "d.jsonl"]) for one in batch.prompts["request"].to_pylist()]
    assert found == ["req-4f1a", *[None] * 8, "1234567"]
