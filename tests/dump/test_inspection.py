"""What a dump seems to be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harvestdetect.data import FileReading, SourceFile
from harvestdetect.dump.columns.choice import NO_TIMES
from harvestdetect.dump.columns.learnt import ONE_ACCOUNT
from harvestdetect.dump.inspection import UNCLEAR, inspect_dumps, languages_of
from harvestdetect.dump.reading_warnings import dump_warnings, layouts


def dump(file: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def row(number: int, account: str, **more: Any) -> dict[str, Any]:
    return {"account": account, "timestamp": 1_780_000_000 + number, "prompt": f"question number {number}", **more}


def test_numbers_are_those_of_the_dump(tmp_path: Path) -> None:
    rows = [row(i, f"a{i % 3}") for i in range(30)] + [row(30, "a0")]
    file = dump(tmp_path / "d.jsonl", [*rows, {"account": "a9"}, {"prompt": "no account"}])
    found = inspect_dumps([file])
    assert (found.prompts, found.accounts, found.prompts_per_account) == (31, 3, (10, 10, 11))
    assert (found.first, found.last, found.without_time) == (1_780_000_000, 1_780_000_030, 0)
    assert (found.complete, found.unread, sum(found.rejects.values())) == (True, 0, 2)
    assert [file.rows for file in found.files] == [31]


def test_of_a_large_file_only_the_beginning_is_read(tmp_path: Path) -> None:
    file = dump(tmp_path / "d.jsonl", [row(i, f"a{i % 7}") for i in range(30_000)])
    found = inspect_dumps([file], rows=1_000)
    assert not found.complete
    assert 1_000 <= found.prompts < 25_000
    assert found.files[0].bytes < file.stat().st_size


def test_many_files_are_read_in_part_and_the_rest_is_told(tmp_path: Path) -> None:
    for number in range(250):
        dump(tmp_path / f"{number:03}.jsonl", [row(number, "a")])
    found = inspect_dumps([tmp_path])
    assert (len(found.files) + found.unread, found.complete) == (250, False)
    assert len(found.files) <= 100
    assert found.files[0].name.endswith("000.jsonl")


def test_examples_are_redacted_and_short(tmp_path: Path) -> None:
    text = "write to jane@mail.example or call +1 555 123 4567 about sk-abcdefghijklmnop123456 " + "and so on " * 500
    found = inspect_dumps([dump(tmp_path / "d.jsonl", [row(1, "a", prompt=text)])])
    (example,) = found.examples
    assert all(secret not in example for secret in ("jane@", "555", "sk-abc"))
    assert len(example) < 200


def test_languages_are_named_and_doubt_is_told() -> None:
    texts = [
        "Please write a short story about a lighthouse keeper who is afraid of the sea.",
        "Schreibe mir bitte ein Gedicht über den Herbst und die fallenden Blätter.",
        "请写一首关于大海和月亮的诗,要押韵,不要太长。",
        "x1",
    ]
    assert dict(languages_of(texts)) == {"en": 0.25, "de": 0.25, "zh": 0.25, UNCLEAR: 0.25}
    assert languages_of([]) == ()


def file(number: int, reading: FileReading | None) -> SourceFile:
    return SourceFile(name=f"{number}.jsonl", format="jsonl", bytes=1, sha256="", rows=50, rejects=0, reading=reading)


USER, ID = FileReading(columns={"account": "user"}), FileReading(columns={"account": "id"})


@pytest.mark.parametrize(
    ("files", "accounts", "without_time", "said"),
    [
        ([file(1, USER)], 40, 0, []),
        ([file(1, USER)], 1, 0, ["all prompts are of one account"]),
        ([file(1, USER)], 99, 0, ["almost as many accounts (99) as prompts (100)"]),
        ([file(1, USER)], 40, 60, ["60 of 100 prompts have no time, so little"]),
        ([file(1, USER)], 40, 100, ["no prompt has a time, so no evidence"]),
        ([file(1, FileReading(warnings=(NO_TIMES, "60 of 100 rows have no time")))], 40, 60, ["60 of 100 prompts"]),
        (
            [file(n, FileReading(warnings=(f"{ONE_ACCOUNT} (user)",))) for n in range(2)],
            1,
            0,
            ["all prompts are of one"],
        ),
        ([file(n, FileReading(warnings=(ONE_ACCOUNT,))) for n in range(2)], 2, 0, [f"{ONE_ACCOUNT} (2 of 2 files)"]),
        ([file(1, USER), file(2, ID)], 40, 0, ["different columns (id, user)"]),
        ([file(1, USER), file(2, None)], 40, 0, []),
        ([file(1, FileReading(warnings=("look here",)))], 40, 0, ["look here"]),
        (
            [file(n, FileReading(warnings=("look here",) * (n < 2))) for n in range(3)],
            40,
            0,
            ["look here (2 of 3 files)"],
        ),
    ],
)
def test_what_is_suspicious_is_told(files: list[SourceFile], accounts: int, without_time: int, said: list[str]) -> None:
    found = dump_warnings(files, prompts=100, accounts=accounts, without_time=without_time)
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True))


def test_times_that_the_user_does_not_expect_are_not_missed() -> None:
    assert dump_warnings([file(1, USER)], prompts=100, accounts=9, without_time=100, times_wanted=False) == ()


def test_a_small_dump_may_have_one_account() -> None:
    assert dump_warnings([file(1, USER)], prompts=3, accounts=1, without_time=0) == ()


def test_files_that_are_read_in_one_way_are_one_layout() -> None:
    assert layouts([file(1, ID), file(2, USER), file(3, USER), file(4, None)]) == [(USER, 2), (ID, 1)]
