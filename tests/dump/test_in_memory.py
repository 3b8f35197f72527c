"""Prompts held in memory, as batches."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.data import FIELDS, NO_TIME, PROMPT_SCHEMA, Batch, Prompt
from harvestdetect.dump import batches_of
from harvestdetect.errors import UsageError


def rows(batches: list[Batch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.prompts.to_pylist()]


def test_prompts_become_rows_of_the_schema() -> None:
    (batch,) = batches_of(
        [
            Prompt(account="a", prompt="hello there", time=12.9, fields={"org": "o", "created_at": "3"}),
            Prompt(account=" b ", prompt=[("system", "be kind"), ("user", "hi")]),
        ]
    )
    assert batch.prompts.schema == PROMPT_SCHEMA
    assert batch.rejects == ()
    assert batch.files == ()
    first, second = batch.prompts.to_pylist()
    assert (first["account"], first["time"], first["line"], first["created_at"]) == ("a", 12, 1, 3)
    assert (first["roles"], first["parts"], first["org"], first["ip"]) == (
        ["user"],
        ["hello there"],
        "o",
        None,
    )
    assert (second["account"], second["time"], second["created_at"]) == ("b", NO_TIME, NO_TIME)
    assert list(zip(second["roles"], second["parts"], strict=True)) == [("system", "be kind"), ("user", "hi")]


def test_a_prompt_without_account_or_text_is_a_reject_with_its_number() -> None:
    given_prompts = [
        Prompt(account="", prompt="hello"),
        Prompt(account="a", prompt=""),
        Prompt(account="a", prompt=" \n\t"),
        Prompt(account="a", prompt=[]),
        Prompt(account="a", prompt=[("user", ""), ("user", " ")]),
        Prompt(account="a", prompt=[("user", ""), ("user", "kept")]),
        Prompt(account="  ", prompt="hello"),
    ]
    (batch,) = batches_of(given_prompts)
    assert [(r.line, r.reason) for r in batch.rejects] == [
        (1, "no account"),
        (2, "the prompt is empty"),
        (3, "the prompt is empty"),
        (4, "the prompt is empty"),
        (5, "the prompt is empty"),
        (7, "no account"),
    ]
    assert [(r["line"], r["parts"]) for r in batch.prompts.to_pylist()] == [(6, ["kept"])]


def test_nothing_gives_no_batch() -> None:
    assert list(batches_of([])) == []


def test_a_generator_is_read_in_blocks_and_numbered_through() -> None:
    def many() -> Iterator[Prompt]:
        for i in range(45_001):
            yield Prompt(account="" if i % 1_000 == 7 else f"a{i % 5}", prompt=f"text {i}")

    batches = list(batches_of(many()))
    assert len(batches) > 1
    found = rows(batches)
    rejected = [r.line for batch in batches for r in batch.rejects]
    assert len(rejected) == 45
    assert len(found) == 45_001 - 45
    assert sorted([r["line"] for r in found] + [line for line in rejected if line]) == list(range(1, 45_002))
    assert all(r["parts"] == [f"text {r['line'] - 1}"] for r in found[::1000])


def test_batches_pass_unchanged() -> None:
    batches = list(batches_of([Prompt(account="a", prompt="x y z")]))
    assert list(batches_of(batches)) == batches
    assert next(iter(batches_of(iter(batches)))) is batches[0]


@pytest.mark.parametrize("item", ["a text", {"account": "a", "prompt": "x"}, None, 3])
def test_anything_else_is_an_error(item: Any) -> None:
    with pytest.raises(UsageError, match="item 1 must be a Prompt like those before it, got "):
        list(batches_of([item]))
    with pytest.raises(UsageError, match="item 2 must be a Prompt like those before it, got "):
        list(batches_of([Prompt(account="a", prompt="x"), item]))


def test_lone_surrogates_are_replaced() -> None:
    (batch,) = batches_of([Prompt(account="a\udcff", prompt=[("user", "x\ud800y")])])
    (row,) = batch.prompts.to_pylist()
    assert (row["account"], row["parts"]) == ("a?", ["x?y"])


def test_lone_surrogates_in_roles_and_fields_are_replaced() -> None:
    (batch,) = batches_of([Prompt(account="a", prompt=[("us\ud800er", "x")], fields={"org": "o\udc00"})])
    (row,) = batch.prompts.to_pylist()
    assert (row["roles"], row["org"]) == (["us?er"], "o?")


@pytest.mark.parametrize(
    "time",
    [math.nan, math.inf, -math.inf, 1e300],
)
def test_a_time_that_is_none_is_no_time(time: float) -> None:
    (batch,) = batches_of([Prompt(account="a", prompt="x", time=time)])
    assert batch.prompts.num_rows + len(batch.rejects) == 1
    for row in batch.prompts.to_pylist():
        assert row["time"] == NO_TIME


@pytest.mark.parametrize("created", ["yesterday", "", "nan", "inf"])
def test_an_unreadable_created_at_is_no_time(created: str) -> None:
    (batch,) = batches_of([Prompt(account="a", prompt="x", fields={"created_at": created})])
    assert batch.prompts.num_rows + len(batch.rejects) == 1
    for row in batch.prompts.to_pylist():
        assert row["created_at"] == NO_TIME


@given(
    st.lists(
        st.builds(
            Prompt,
            account=st.text(max_size=5),
            prompt=st.one_of(
                st.text(max_size=20),
                st.lists(
                    st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=10)),
                    max_size=3,
                ),
            ),
            time=st.one_of(st.none(), st.floats(-1e9, 4e9)),
            fields=st.dictionaries(st.sampled_from([f for f in FIELDS if f != "created_at"]), st.text(max_size=5)),
        ),
        max_size=12,
    )
)
@settings(deadline=None)
def test_no_row_is_lost(prompts: list[Prompt]) -> None:
    batches = list(batches_of(prompts))
    lines = [r["line"] for r in rows(batches)] + [r.line for batch in batches for r in batch.rejects]
    assert sorted(line for line in lines if line is not None) == list(range(1, len(prompts) + 1))
