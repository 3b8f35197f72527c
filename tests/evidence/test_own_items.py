"""What accounts ask about without the words that each of them always uses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.evidence.own_items import MAX_ACCOUNTS, items, own_items
from harvestdetect.util.amounts import MIN_SAMPLE, NEARLY_ALL
from harvestdetect.util.arrays import Floats32, Ints

WORDS = 64
"""Words of a vocabulary; the vector of a text counts them."""


def counted(texts: Sequence[str]) -> Floats32:
    """float32[t, w]: how often each text has each word ``w0``, ``w1``, ..."""
    found = np.zeros((len(texts), WORDS), np.float32)
    for row, text in zip(found, texts, strict=True):
        for word in text.split():
            row[int(word[1:])] += 1
    return found


def scan_of(texts: Sequence[str], *, encode: Callable[[list[str]], Floats32] = counted) -> Any:
    """A scan with one part for each prompt."""
    count = len(texts)
    return SimpleNamespace(
        encode=encode,
        parts=SimpleNamespace(start=np.arange(count + 1), segment=np.arange(count, dtype=np.int32)),
        corpus=SimpleNamespace(text=SimpleNamespace(take=lambda rows: [texts[i] for i in rows.tolist()])),
    )


def sent(accounts: int, each: int, *, of_own: bool, seed: int = 0) -> tuple[list[str], Ints]:
    """Requests of accounts that each have a wording of four words; items of four words are the account's or dealt."""
    rng = np.random.default_rng(seed)
    texts, member = [], np.repeat(np.arange(accounts), each)
    for _ in range(accounts):
        wording = rng.choice(16, 4, replace=False)
        field = rng.choice(48, 10, replace=False)
        for _ in range(each):
            item = 16 + rng.choice(field if of_own else 48, 4, replace=False)
            texts.append(" ".join(f"w{i}" for i in (*wording, *item)))
    return texts, member


def test_items_that_are_dealt_are_no_account_s_own_whatever_its_wording() -> None:
    found = []
    for of_own in (False, True):
        texts, member = sent(30, 8, of_own=of_own)
        value = own_items(scan_of(texts), np.arange(len(texts)), member)
        assert value is not None
        found.append(value)
    dealt, owned = found
    assert dealt < 0.05 < 0.1 < owned


def test_too_few_requests_or_accounts_say_nothing() -> None:
    for accounts, each in ((30, MIN_SAMPLE - 1), (MIN_SAMPLE - 1, 30)):
        texts, member = sent(accounts, each, of_own=True)
        assert own_items(scan_of(texts), np.arange(len(texts)), member) is None


def test_so_many_accounts_are_read_and_no_more() -> None:
    read: list[int] = []

    def encode(texts: list[str]) -> Floats32:
        read.append(len(texts))
        return counted(texts)

    texts, member = sent(4 * MAX_ACCOUNTS, MIN_SAMPLE, of_own=True)
    assert own_items(scan_of(texts, encode=encode), np.arange(len(texts)), member) is not None
    assert read == [MAX_ACCOUNTS * MIN_SAMPLE]


def test_accounts_that_always_send_the_same_say_nothing() -> None:
    texts, member = sent(20, 1, of_own=True)
    repeated = [text for text in texts for _ in range(6)]
    assert own_items(scan_of(repeated), np.arange(len(repeated)), np.repeat(member, 6)) is None


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([["a", "b", "x"], ["a", "b", "y"]], ["x", "y"]),
        ([["a", "x", "x"], ["a", "y", "a"]], ["x x", "y"]),
        ([["a"], ["a"]], ["", ""]),
        ([[], ["a"]], ["", "a"]),
    ],
)
def test_words_of_all_requests_of_an_account_are_left_out(requests: list[list[str]], expected: list[str]) -> None:
    assert items(requests, np.zeros(2, np.int64)) == expected


def test_what_one_account_always_says_is_left_out_of_its_requests_alone() -> None:
    requests = [["a", "x"], ["a", "y"], ["b", "a"], ["b", "z"]]
    assert items(requests, np.array([0, 0, 1, 1])) == ["x", "y", "a", "z"]


@given(st.lists(st.text("abcdef", max_size=6).map(list), min_size=1, max_size=12))
def test_a_word_stays_in_all_requests_of_an_account_or_in_none(requests: list[list[str]]) -> None:
    found = items(requests, np.zeros(len(requests), np.int64))
    for word in "abcdef":
        having = sum(word in one for one in requests)
        stays = sum(word in one.split() for one in found)
        assert stays == (0 if having >= NEARLY_ALL * len(requests) else having)
