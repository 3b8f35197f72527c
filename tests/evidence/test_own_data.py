"""Data of the accounts' own: what an account repeats, and the accounts nearest to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvestdetect.corpus.by_prompt import PromptSegments
from harvestdetect.evidence.least_data import MIN_COMPARED
from harvestdetect.evidence.own_data import Compared, compared_of, nearest_excess, repeated
from harvestdetect.util.amounts import MIN_SAMPLE
from harvestdetect.util.arrays import Floats32, Ints, unit

DIMENSIONS = 24


def encode(texts: list[str]) -> Floats32:
    """A direction for each word, drawn by its letters; a text is their sum, of length 1."""
    rows = [
        sum(
            np.random.default_rng(list(word.encode())).standard_normal(DIMENSIONS).astype(np.float32)
            for word in text.split()
        )
        for text in texts
    ]
    return unit(np.array(rows, np.float32).reshape(len(texts), DIMENSIONS))


def compared(prompts: list[tuple[int, list[str]]], *, matched: bool = False) -> Compared:
    """Of a candidate with these prompts, each the number of its account and its parts, in the order of the accounts."""
    account = np.array([who for who, _ in prompts], np.int32)
    texts = sorted({part for _, parts in prompts for part in parts})
    place = {text: i for i, text in enumerate(texts)}
    start = np.concatenate(([0], np.cumsum([len(parts) for _, parts in prompts]))).astype(np.int64)
    scan: Any = SimpleNamespace(
        corpus=SimpleNamespace(
            prompts=SimpleNamespace(account=account),
            display=SimpleNamespace(take=lambda rows: [texts[i] for i in rows]),
        ),
        parts=PromptSegments(start=start, segment=np.array([place[x] for _, p in prompts for x in p], np.int32)),
        vectors=np.array([encode(parts).sum(axis=0) for _, parts in prompts], np.float16),
        encode=encode,
        projection=np.eye(DIMENSIONS, dtype=np.float32),
    )
    every = np.arange(len(prompts))
    candidate: Any = SimpleNamespace(
        trimmed=SimpleNamespace(prompts=every.astype(np.int32), prompt_cluster=np.zeros(len(prompts), np.int32)),
        groups=SimpleNamespace(own=every, member=np.unique(account, return_inverse=True)[1]) if matched else None,
    )
    context: Any = SimpleNamespace(scan=scan)
    return compared_of(candidate, context)


def expected(*texts: str) -> Floats32:
    return encode([*texts]).sum(axis=0)


@pytest.mark.parametrize("matched", [False, True])
def test_what_an_account_repeats_is_left_out(matched: bool) -> None:
    found = compared(
        [
            (0, ["think first. what is rust?"]),
            (0, ["think first. why is snow white?"]),
            (0, ["think first. name a prime."]),
            (1, ["reason aloud. how far is mars?"]),
            (1, ["what is rust?"]),
        ],
        matched=matched,
    )
    rest = ("what is rust?", "why is snow white?", "name a prime.", "reason aloud. how far is mars?", "what is rust?")
    np.testing.assert_allclose(found.vectors, [expected(text) for text in rest], atol=2e-3)
    assert found.member.tolist() == [0, 0, 0, 1, 1]


def test_a_part_that_an_account_repeats_is_left_out_whole() -> None:
    found = compared([(0, ["you are terse.", "what is rust?"]), (0, ["you are terse.", "why is snow white?"])])
    np.testing.assert_allclose(found.vectors, [expected("what is rust?"), expected("why is snow white?")], atol=2e-3)


def test_a_prompt_of_which_nothing_is_left_stays_whole() -> None:
    found = compared([(0, ["hello there."]), (0, ["hello there."]), (0, ["hello there. what is rust?"])])
    whole = expected("hello there.")
    np.testing.assert_allclose(found.vectors, [whole, whole, expected("what is rust?")], atol=2e-3)


def test_accounts_with_one_prompt_repeat_nothing() -> None:
    found = compared([(0, ["think first. what is rust?"]), (1, ["think first. what is rust?"])])
    np.testing.assert_allclose(found.vectors, [expected("think first. what is rust?")] * 2, atol=2e-3)


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 5), max_size=4)), max_size=24))
def test_a_repeated_sentence_is_in_most_prompts_of_its_account(prompts: list[tuple[int, list[int]]]) -> None:
    member = np.array([who for who, _ in prompts], np.int64)
    rows = [(i, s) for i, (_, said) in enumerate(prompts) for s in said]
    prompt, sentence = np.array(rows, np.int64).reshape(-1, 2).T
    found = repeated(prompt, sentence, member)
    for (i, s), gone in zip(rows, found.tolist(), strict=True):
        own = [said for who, said in prompts if who == prompts[i][0]]
        holds = sum(s in said for said in own)
        assert gone == (holds >= 2 and 2 * holds >= len(own))


# ---------------------------------------------------------------- the nearest accounts


def sent(lists: Ints, each: int, *, own: float, seed: int = 0) -> tuple[Floats32, Ints]:
    """Prompts of accounts that are dealt one of several lists: near the list, and by ``own`` near their account."""
    rng = np.random.default_rng(seed)
    member = np.repeat(np.arange(len(lists)), each)
    centres, people = rng.standard_normal((lists.max() + 1, 32)), rng.standard_normal((len(lists), 32))
    rows = 2 * centres[lists[member]] + own * people[member] + rng.standard_normal((len(member), 32))
    return unit(rows.astype(np.float32)), member


@pytest.mark.parametrize("lists", [1, 2, 3])
@pytest.mark.parametrize("each", [2, 9])
def test_several_lists_in_one_candidate_are_no_data_of_one_s_own(lists: int, each: int) -> None:
    for seed in range(4):
        vectors, member = sent(np.arange(36) % lists, each, own=0.0, seed=seed)
        dealt = nearest_excess(vectors, member, member * 0)
        vectors, member = sent(np.arange(36) % lists, each, own=2.0, seed=seed)
        owned = nearest_excess(vectors, member, member * 0)
        assert dealt is not None
        assert owned is not None
        assert -0.05 < dealt < 0.1 < 0.2 < owned


def test_what_a_template_has_in_common_is_no_data_of_one_s_own() -> None:
    """Each account has one template, as one list each."""
    vectors, member = sent(np.arange(36) % 4, 6, own=0.0)
    found = nearest_excess(vectors, member, np.arange(36)[member] % 4)
    assert found is not None
    assert abs(found) < 0.1


def test_the_order_of_the_prompts_of_an_account_may_matter_and_that_of_accounts_does_not() -> None:
    vectors, member = sent(np.arange(30) % 2, 4, own=1.0)
    back = np.concatenate([np.flatnonzero(member == m) for m in range(29, -1, -1)])
    assert nearest_excess(vectors[back], np.sort(member), member * 0) == pytest.approx(
        nearest_excess(vectors, member, member * 0), abs=1e-5
    )


def test_too_few_accounts_or_pairs_say_nothing() -> None:
    vectors, member = sent(np.zeros(MIN_SAMPLE - 1, np.int64), 20, own=1.0)
    assert nearest_excess(vectors, member, member * 0) is None
    vectors, member = sent(np.zeros(MIN_COMPARED - 1, np.int64), 2, own=1.0)
    assert nearest_excess(vectors, member, member * 0) is None
    vectors, member = sent(np.zeros(MIN_COMPARED, np.int64), 2, own=1.0)
    assert nearest_excess(vectors, member, member * 0) is not None
    vectors, member = sent(np.zeros(40, np.int64), 1, own=1.0)
    assert nearest_excess(vectors, member, member * 0) is None
