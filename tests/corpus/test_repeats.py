"""Retries and requests that were logged twice are one request; a resent conversation counts only its new turn."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from harvestdetect.corpus.by_prompt import first_rows, parts_by_prompt, request_numbers
from harvestdetect.corpus.repeats import RETRY, SAME_ID, first_requests
from harvestdetect.corpus.turns import resent
from harvestdetect.data import NO_TIME, Corpus
from tests.corpus.building import Row, build, row

A, B = "a9f1c0de-0001", "a9f1c0de-0002"
"""Request ids."""


def firsts(rows: list[Row]) -> list[tuple[str, int]]:
    """Account and time of the rows that count."""
    prompts = build(rows).prompts
    kept = first_rows(prompts)
    names = prompts.accounts.to_pylist()
    return [
        (names[account], time)
        for account, time in zip(prompts.account[kept].tolist(), prompts.time[kept].tolist(), strict=True)
    ]


# ---------------------------------------------------------------- repeats


def test_the_same_text_within_a_minute_is_one_request() -> None:
    rows = [row("a", "one", time=time) for time in (0, 30, 60, 61, 121, 122, 500)]
    rows += [row("b", "one", time=10), row("a", "two", time=20)]
    assert firsts(rows) == [("a", 0), ("a", 20), ("a", 61), ("a", 122), ("a", 500), ("b", 10)]


def test_the_same_request_id_is_one_request_for_a_day() -> None:
    rows = [row("a", "one", time=time, request=A) for time in (0, 1_000, SAME_ID, SAME_ID + 1)]
    assert firsts(rows) == [("a", 0), ("a", SAME_ID + 1)]
    rows = [row("a", "one", time=0, request=A), row("a", "one", time=1_000, request=B)]
    assert len(firsts(rows)) == 2


def test_a_request_id_joins_neither_texts_nor_accounts() -> None:
    rows = [row("a", "one", time=0, request=A), row("a", "two", time=500, request=A), row("b", "one", request=A)]
    assert len(firsts(rows)) == 3


def test_rows_without_a_time_are_one_request_only_by_their_id() -> None:
    assert len(firsts([row("a", "one"), row("a", "one")])) == 2
    assert len(firsts([row("a", "one", request=A), row("a", "one", request=A)])) == 1
    assert firsts([row("a", "one", request=A), row("a", "one", time=5, request=A)]) == [("a", 5)]


def test_a_retry_storm_is_one_request() -> None:
    rows = [row("a", "one", time=2**k, request=A) for k in range(10)]
    prompts = build([*rows, row("a", "two", time=100)]).prompts
    assert first_rows(prompts).sum() == 2
    assert sorted(request_numbers(prompts).tolist()) == [0] * 10 + [1]


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 1), st.one_of(st.none(), st.integers(0, 300)), st.integers(0, 2)),
        max_size=30,
    )
)
@hypothesis_settings(max_examples=200)
def test_first_requests_as_defined(rows: list[tuple[int, int, int | None, int]]) -> None:
    made = sorted((a, NO_TIME if time is None else time * 7, content, request) for a, content, time, request in rows)
    account, time, content, request = (np.array([one[i] for one in made], np.int64) for i in range(4))
    found = first_requests(account.astype(np.int32), time, content.astype(np.uint64), request.astype(np.uint64))
    first = list(range(len(made))) if found is None else found.tolist()
    expected = list(range(len(made)))
    groups: dict[Any, list[int]] = {}
    for i, (a, _, c, r) in enumerate(made):
        if r:
            groups.setdefault((a, c, r), []).append(i)
    for group in groups.values():
        group.sort(key=lambda i: (made[i][1] == NO_TIME, made[i][1], i))
        for i in group:
            if made[i][1] == NO_TIME or made[i][1] - made[group[0]][1] <= SAME_ID:
                expected[i] = group[0]
    anchors: dict[Any, int] = {}
    moved = list(range(len(made)))
    for i, (a, t, c, _) in enumerate(made):
        if expected[i] != i or t == NO_TIME:
            continue
        anchor = anchors.get((a, c))
        if anchor is not None and t - made[anchor][1] <= RETRY:
            moved[i] = anchor
        else:
            anchors[a, c] = i
    assert first == [moved[i] for i in expected]
    assert all(first[i] == i for i in first), "a row that others count with counts"


def test_a_text_that_is_sent_all_the_time_counts_once_a_minute() -> None:
    time = np.arange(0, 10_000, 5, dtype=np.int64)
    same = np.zeros(len(time), np.int32)
    found = first_requests(same, time, same, np.zeros(len(time), np.uint64))
    assert found is not None
    assert np.unique(time[found]).tolist() == list(range(0, 10_000, 65))


# ---------------------------------------------------------------- conversations


def talk(*turns: str, system: str | None = None) -> list[tuple[str, str]]:
    """A conversation with these turns of the user, and answers between them."""
    found = [("system", system)] if system else []
    for turn in turns:
        found += [("user", turn), ("assistant", f"answer to {turn}")]
    return found[:-1]


def texts(corpus: Corpus) -> list[tuple[str, list[str]]]:
    """Account and parts of each prompt, sorted."""
    parts = parts_by_prompt(corpus)
    names = corpus.prompts.accounts.to_pylist()
    shown = list(corpus.display)
    return sorted(
        (names[account], sorted(shown[s] for s in parts.segment[parts.start[i] : parts.start[i + 1]]))
        for i, account in enumerate(corpus.prompts.account.tolist())
    )


def test_a_resent_conversation_counts_only_its_new_turn() -> None:
    rows = [row("a", talk(*"ABCD"[:n]), time=n * 100) for n in range(1, 5)]
    corpus = build(rows)
    assert texts(corpus) == [("a", [letter]) for letter in "ABCD"]
    assert len(set(corpus.prompts.content.tolist())) == 4
    alone = build([row("a", letter) for letter in "ABCD"])
    assert set(corpus.text) == set(alone.text)


def test_system_texts_stay() -> None:
    rows = [row("a", talk(*"AB"[:n], system=f"It is {n} o'clock"), time=n * 100) for n in (1, 2)]
    assert texts(build(rows)) == [("a", ["A", "It is 1 o'clock"]), ("a", ["B", "It is 2 o'clock"])]


def test_conversations_of_which_requests_are_missing() -> None:
    rows = [row("a", talk("A", "B")), row("a", talk("A", "B", "C", "D"))]
    assert texts(build(rows)) == [("a", ["A", "B"]), ("a", ["C", "D"])]
    window = [row("a", "A"), row("a", talk("A", "B")), row("a", talk("B", "C")), row("a", talk("C", "D"))]
    assert texts(build(window)) == [("a", [letter]) for letter in "ABCD"]


def test_examples_that_are_in_every_request_stay() -> None:
    rows = [row("a", talk("example one", "example two", f"question {n}"), time=n) for n in range(3)]
    assert all(len(parts) == 3 for _, parts in texts(build(rows)))


def test_other_accounts_do_not_make_a_turn_resent() -> None:
    rows = [row("a", "A"), row("b", talk("A", "B")), row("a", talk("A", "B"))]
    corpus = build(rows)
    assert texts(corpus) == [("a", ["A"]), ("a", ["B"]), ("b", ["A", "B"])]
    content = dict(zip(corpus.prompts.account[::-1].tolist(), corpus.prompts.content[::-1].tolist(), strict=True))
    assert content[0] != content[1], "different parts, so different contents"


def test_a_turn_that_is_sent_twice_in_one_conversation_stays_once() -> None:
    rows = [row("a", "go on"), row("a", talk("go on", "go on")), row("a", talk("go on", "go on", "go on"))]
    assert texts(build(rows)) == [("a", ["go on"])] * 3


def test_the_content_of_a_new_turn_is_that_of_its_text() -> None:
    rows = [row("a", "A", time=1), row("a", talk("A", "B"), time=1_000), row("b", "B", time=5)]
    content = build(rows).prompts.content.tolist()
    assert content[1] == content[2]
    assert content[0] != content[1]


CONVERSATIONS = st.lists(
    st.tuples(st.sampled_from("ab"), st.lists(st.sampled_from("ABC"), min_size=1, max_size=4), st.integers(0, 200)),
    min_size=1,
    max_size=12,
)


@given(CONVERSATIONS, st.randoms(use_true_random=False), st.integers(0, 12))
@hypothesis_settings(max_examples=60, deadline=None)
def test_order_and_blocks_change_nothing_and_no_text_is_lost(
    sent: list[tuple[str, list[str], int]], shuffled: random.Random, cut: int
) -> None:
    rows = [row(account, talk(*turns), time=time, request=None) for account, turns, time in sent]
    corpus = build(rows)
    mixed_up = rows.copy()
    shuffled.shuffle(mixed_up)
    other = build(mixed_up, cuts=[min(cut, len(rows))])
    assert texts(corpus) == texts(other)
    assert corpus.prompts.content.tolist() == other.prompts.content.tolist()
    assert first_rows(corpus.prompts).tolist() == first_rows(other.prompts).tolist()
    everything = {(account, turn) for account, turns, _ in sent for turn in turns}
    assert {(account, part) for account, parts in texts(corpus) for part in parts} == everything


def test_rows_that_agree_only_after_a_turn_was_left_out_have_one_order() -> None:
    sent = [("b", ["A"], 0), ("b", ["A"], 1), ("b", ["A", "A"], 1)]
    rows = [row(account, talk(*turns), time=time, request=None) for account, turns, time in sent]
    found = {tuple(first_rows(build(list(some)).prompts).tolist()) for some in itertools.permutations(rows)}
    assert len(found) == 1


@given(CONVERSATIONS)
@hypothesis_settings(max_examples=150)
def test_resent_as_defined(sent: list[tuple[str, list[str], int]]) -> None:
    account = np.array(["ab".index(who) for who, _, _ in sent], np.int32)
    count = np.array([len(turns) for _, turns, _ in sent], np.int32)
    turn = np.array([ord(one) for _, turns, _ in sent for one in turns], np.uint64)
    last = {(who, turns[-1]) for who, turns, _ in sent}
    whole = {(who, tuple(turns)) for who, turns, _ in sent}
    expected = [
        i < len(turns) - 1
        and ((who, one) in last or any((who, tuple(turns[:n])) in whole for n in range(i + 1, len(turns))))
        for who, turns, _ in sent
        for i, one in enumerate(turns)
    ]
    assert resent(account, count, turn).tolist() == expected
