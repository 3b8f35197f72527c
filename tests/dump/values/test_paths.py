"""The view of a record: no wrapper hides a value, and nothing in a record makes the walk fail or slow."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.dump.values.paths import decoded, explode, leaves, look_around, look_up, unwrap

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "a.b", "0", "key", "value", "S", "L", "M", "v", "$date"]), inner)
        | inner.map(json.dumps)
    ),
    max_leaves=12,
)


def attribute(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}


@pytest.mark.parametrize(
    "record",
    [
        {"attributes": {"user": {"id": "u1"}}},
        {"attributes": {"user.id": "u1"}},
        {"attributes.user.id": "u1"},
        {"attributes.user": {"id": "u1"}},
        {"attributes": [attribute("other", "x"), attribute("user.id", "u1")]},
        {"attributes": [{"key": "user.id", "type": "string", "value": "u1"}]},
        {"attributes": [("other", "x"), ("user.id", "u1")]},
        {"attributes": [{"Name": "user.id", "Value": "u1"}]},
        {"attributes": {"M": {"user": {"M": {"id": {"S": "u1"}}}}}},
        {"attributes": {"mapValue": {"fields": {"user.id": {"stringValue": "u1", "excludeFromIndexes": True}}}}},
        {"attributes": {"kvlist_value": {"values": [attribute("user.id", "u1")]}}},
        {"attributes": {"map": {"user.id": {"string": "u1"}}}},
        {"attributes": [{"user": {"id": "u1"}}]},
        {"attributes": json.dumps({"user": {"id": "u1"}})},
        {"attributes": json.dumps(json.dumps({"user": json.dumps({"id": "u1"})}))},
        {"attributes": '{"user": {"id": "u1"}, "temperature": NaN}'},
        json.dumps({"attributes": {"user.id": "u1"}}),
    ],
)
def test_no_wrapper_hides_a_value(record: Any) -> None:
    before = deepcopy(record)
    assert look_up(record, ("attributes", "user", "id")) == "u1"
    assert look_up(record, ("attributes", "user.id")) == "u1"
    assert look_up(record, ("attributes", "user", "name")) is None
    found = {".".join(path): value for path, value in leaves(record, 6, lists=True)}
    assert "u1" in (found.get("attributes.user.id"), found.get("attributes[].user.id"))
    assert record == before


@pytest.mark.parametrize(
    ("wrapped", "plain"),
    [
        ({"N": "12"}, 12),
        ({"N": "1.5"}, "1.5"),
        ({"NULL": True}, None),
        ({"L": [{"S": "a"}, {"M": {"b": {"BOOL": False}}}]}, ["a", {"b": False}]),
        ({"$date": {"$numberLong": "1780272016671"}}, 1780272016671),
        ({"$oid": "665a"}, "665a"),
        ({"$timestamp": {"t": 5, "i": 1}}, 5),
        ({"arrayValue": {}}, []),
        ({"array_value": {"values": [{"int_value": "3"}]}}, [3]),
        ({"v": [{"v": "a"}, {"v": {"f": [{"v": "b"}]}}]}, ["a", ["b"]]),
        ([("a", 1), ("b", {"S": "x"})], {"a": 1, "b": "x"}),
        # These are no wrappers.
        ({"S": 3}, {"S": 3}),
        ({"S": "a", "T": "b"}, {"S": "a", "T": "b"}),
        ([{"key": "a"}, {"value": "b"}], [{"key": "a"}, {"value": "b"}]),
        ([{"from": "human", "value": "b"}], [{"from": "human", "value": "b"}]),
        ('{"S": "x"}', '{"S": "x"}'),
    ],
)
def test_typed_values(wrapped: Any, plain: Any) -> None:
    assert unwrap(wrapped) == plain
    assert look_up({"a": {"b.c": wrapped}}, ("a", "b", "c")) == plain


def test_names_with_numbers_are_gathered() -> None:
    record = {
        "attributes": {
            "llm.input_messages.10.message.role": "user",
            "llm.input_messages.10.message.content": "last",
            "llm.input_messages.2.message": {"role": "system", "content": "first"},
            "llm.model_name": "m",
        }
    }
    before = deepcopy(record)
    assert look_up(record, ("attributes", "llm", "input_messages")) == [
        {"message": {"role": "system", "content": "first"}},
        {"message": {"role": "user", "content": "last"}},
    ]
    assert look_up(record, ("attributes", "llm.input_messages.10.message.content")) == "last"
    assert record == before


def test_lists_by_number_and_of_one() -> None:
    record = {"choices": [{"text": "a"}, {"text": "b"}], "records": [{"id": 1}]}
    assert look_up(record, ("choices", "1", "text")) == "b"
    assert look_up(record, ("choices[]", "0", "text")) == "a"
    assert look_up(record, ("choices", "2", "text")) is None
    assert look_up(record, ("choices", "text")) is None
    assert look_up(record, ("records", "id")) == 1


def test_each_element_with_what_encloses_it() -> None:
    record = {
        "resourceSpans": [
            {
                "resource": {"attributes": [attribute("user.id", account)]},
                "scopeSpans": [{"spans": [{"name": name} for name in names]}, {"spans": []}, {}],
            }
            for account, names in (("u1", "ab"), ("u2", "c"))
        ]
    }
    found = list(explode(record, ("resourceSpans[]", "scopeSpans[]", "spans[]")))
    assert [len(chain) for chain in found] == [4, 4, 4]
    assert [look_around(chain, ("name",)) for chain in found] == ["a", "b", "c"]
    assert [look_around(chain, ("resource.attributes.user.id",)) for chain in found] == ["u1", "u1", "u2"]
    assert [look_around(chain, ("missing",)) for chain in found] == [None] * 3
    assert [chain[0] for chain in explode({"a": json.dumps([1, 2])}, ("a[]",))] == [1, 2]
    assert [chain[0] for chain in explode({"a": {"b": 1}}, ("a[]", "b"))] == [1]
    assert [chain[0] for chain in explode([1, 2], ("[]",))] == [1, 2]
    assert [chain[0] for chain in explode({"r": [{"key": "k", "value": 1}]}, ("r[]",))] == [{"key": "k", "value": 1}]
    assert list(explode({}, ("a[]",))) == []


def test_text_that_is_no_json_stays_text() -> None:
    for text in ("", "{", "{x}", "[INST] hello [/INST]", '"quoted"', '{"a": 1', "[1, 2] and more", "12", "\ud800"):
        assert decoded(text) is None
        assert look_up({"a": text}, ("a",)) == text
    assert decoded('{"a": "\\ud800"}') == {"a": "\ufffd"}


@given(ANY_JSON, st.lists(st.sampled_from(["a", "b", "a.b", "0", "[]", "a[]", "", "."]), max_size=4).map(tuple))
def test_no_record_makes_the_walk_fail(record: Any, path: tuple[str, ...]) -> None:
    before = deepcopy(record)
    look_up(record, path)
    unwrap(record)
    for chain in explode(record, path):
        assert chain[-1] is record
    for found, _ in leaves(record, 4, lists=True):
        assert 1 <= len(found) <= 5
    assert record == before


@given(st.recursive(st.text(max_size=5), lambda inner: st.dictionaries(st.text("abc", min_size=1), inner, min_size=1)))
def test_every_path_of_a_plain_record_leads_to_its_value(record: Any) -> None:
    for path, value in leaves(record, 10):
        assert look_up(record, path) == value


def test_hostile_records_take_bounded_time() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = {"a": [deep]}
    wide = {f"a.b{i}": i for i in range(50_000)}
    chained: Any = "u"
    for _ in range(60):
        chained = {"a": chained, "a.a": {"a": "x"}, "a.a.a": 1}
    brackets = "[" * 1_000_000
    start = time.perf_counter()
    unwrap(deep)
    assert look_up(deep, ("a",) * 60) is not None
    assert look_up(deep, ("a",) * 100) is None
    assert len(list(leaves(deep, 1_000, lists=True))) <= 5_000
    assert len(list(leaves(wide, 3))) == 5_000
    assert look_up(wide, ("a", "zz")) is None
    assert look_up(wide, ("a", "b49999")) == 49_999
    look_up(chained, ("a",) * 64)
    assert decoded(brackets + "]") is None
    assert decoded(brackets + "]" * 1_000_000) is None
    assert time.perf_counter() - start < 5
