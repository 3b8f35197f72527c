"""Preambles: what a product sends with every prompt is found and taken out; what a campaign sends is left in place."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect import Prompt
from harvestdetect.corpus import prepare_parallel as preparing
from harvestdetect.corpus.build import CorpusBuilder
from harvestdetect.corpus.normalize import normalize
from harvestdetect.corpus.preamble_candidates import kept_entry, preamble_registry
from harvestdetect.corpus.registry import Registry, load_registry, places, strip
from harvestdetect.corpus.skeletons import skeleton, tokens
from harvestdetect.data import Corpus, Preamble
from harvestdetect.dump import batches_of
from harvestdetect.engines.processes import Processes
from tests.corpus.worlds import OTHER, RULES, WRAPS, Wrap, bots, people, slots, wrapped

SHIPPED = load_registry(today=date(2026, 11, 24))


def built(rows: Sequence[Prompt], **values: Any) -> tuple[Corpus, tuple[Preamble, ...]]:
    batch = values.pop("batch_rows", 0) or len(rows)
    with CorpusBuilder(registry=SHIPPED, **{"find_preambles": True, "min_senders": 10} | values) as builder:
        for start in range(0, len(rows), batch):
            for one in batches_of(rows[start : start + batch]):
                builder.add(one.prompts)
        corpus = builder.finish()
        return corpus, builder.preambles


def segments(corpus: Corpus) -> dict[str, Any]:
    prompts = corpus.prompts
    return {
        "digest": corpus.digest.tobytes(),
        "text": list(corpus.text),
        "senders": corpus.senders.tolist(),
        "postings": list(zip(corpus.posting_segment.tolist(), corpus.posting_prompt.tolist(), strict=True)),
        "account": prompts.account.tolist(),
        "time": prompts.time.tolist(),
        "texts": sorted(np.unique(prompts.content, return_counts=True)[1].tolist()),
    }


# ---------------------------------------------------------------- products


@pytest.mark.parametrize("place", WRAPS)
def test_what_a_product_puts_around_prompts_is_found_and_nothing_else_is_lost(place: str) -> None:
    rows = people(120) + bots(25)
    plain, none = built(rows)
    assert none == ()
    corpus, (found,) = built(wrapped(rows, WRAPS[place]))
    assert (found.accounts, found.prompts, found.share) == (145, len(rows), 1.0)
    assert ("{prompt}" in found.text) == (place != "system")
    assert segments(corpus) == segments(plain)
    hidden, off = built(wrapped(rows, WRAPS[place]), find_preambles=False)
    assert off == ()
    assert segments(hidden) != segments(plain)


def test_neither_order_nor_blocks_nor_processes_change_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    other: Wrap = lambda text, rng: [("system", f"{OTHER} {slots(rng)}"), ("user", text)]  # noqa: E731
    rows = wrapped(people(80), WRAPS["around"]) + wrapped(people(70, seed=3, name="q"), other)
    corpus, found = built(rows)
    assert len(found) == 2
    random.Random(5).shuffle(rows)
    again, same = built(rows, batch_rows=37)
    assert same == found
    assert segments(again) == segments(corpus)
    assert list(again.display) == list(corpus.display)
    monkeypatch.setattr(preparing, "START_ROWS", 50)
    again, same = built(rows, batch_rows=50, engine=Processes(2))
    assert same == found
    assert segments(again) == segments(corpus)


def test_a_preamble_of_the_first_turn_is_found_though_later_requests_resend_it() -> None:
    rng, rows, plain = random.Random(4), list[Prompt](), list[Prompt]()
    for row in people(60):
        turns = [f"{RULES} {slots(rng)} User: {row.prompt}", *(f"{row.prompt} again {n}" for n in range(3))]
        own = [str(row.prompt), *turns[1:]]
        for count in range(1, 5):
            when = (row.time or 0) + 600 * count
            rows.append(replace(row, prompt=[("user", turn) for turn in turns[:count]], time=when))
            plain.append(replace(row, prompt=[("user", turn) for turn in own[:count]], time=when))
    corpus, (found,) = built(rows)
    assert found.accounts == 60
    assert segments(corpus)["text"] == segments(built(plain)[0])["text"]


def test_two_products_and_one_of_few_accounts_are_found() -> None:
    rows = people(200)
    second: Wrap = lambda text, rng: f"{OTHER}\n{text}"  # noqa: E731
    both = wrapped(
        wrapped(rows, WRAPS["system"], some=lambda a: int(a[1:]) < 90), second, some=lambda a: int(a[1:]) >= 130
    )
    _, found = built(both)
    names = {p.text.partition(",")[0]: p.accounts for p in found}
    assert names == {"You are Quillo": 90, "You are Brightdesk": 70}


def test_a_product_of_too_few_accounts_is_left_in_place() -> None:
    _, found = built(wrapped(people(200), WRAPS["before"], some=lambda account: int(account[1:]) < 40))
    assert found == ()


def test_a_secret_in_a_preamble_becomes_a_slot() -> None:
    _, (found,) = built(wrapped(people(60), lambda text, rng: f"{RULES} Write to help@quillo.example for help. {text}"))
    assert "quillo.example" not in found.text
    assert "Write to {0} for help." in found.text


# ---------------------------------------------------------------- campaigns and people


@pytest.mark.parametrize("payload", [False, True])
@pytest.mark.parametrize(("humans", "harvesters"), [(125, 25), (60, 40), (50, 45)])
def test_the_template_of_a_campaign_is_no_preamble(humans: int, harvesters: int, payload: bool) -> None:
    _, found = built(people(humans) + bots(harvesters, payload=payload))
    assert found == ()


def test_a_campaign_under_the_product_of_everybody_keeps_its_template() -> None:
    corpus, (found,) = built(wrapped(people(60) + bots(40), WRAPS["around"]))
    assert found.accounts == 100
    assert "think through" not in normalize(found.text)
    assert sum(text.startswith("think through the following") for text in corpus.text) > 50


def test_common_openings_are_no_preambles() -> None:
    rng = random.Random(7)
    rows = [
        replace(row, prompt=f"Can you help me with the following, please: {row.prompt}") if rng.random() < 0.35 else row
        for row in people(150)
    ]
    assert built(rows)[1] == ()


def test_short_words_around_short_prompts_are_left_in_place() -> None:
    rows = [replace(row, prompt=f"Translate into German the word {str(row.prompt).split()[0]}") for row in people(80)]
    assert built(rows)[1] == ()


def test_too_few_accounts() -> None:
    assert built(wrapped(people(9), WRAPS["before"]))[1] == ()
    assert built(wrapped(people(12), WRAPS["before"]), min_senders=10)[1] != ()


# ---------------------------------------------------------------- over time


def test_a_preamble_that_was_found_stays_until_few_accounts_send_it() -> None:
    rows = people(200)

    def found(share: float, kept: Sequence[str]) -> list[str]:
        some = wrapped(rows, WRAPS["before"], some=lambda account: int(account[1:]) < 200 * share)
        return [p.text for p in built(some, kept_preambles=kept)[1]]

    (text,) = found(0.3, ())
    assert found(0.2, ()) == []
    assert found(0.2, (text,)) == [text]
    assert found(0.3, (text,)) == [text]
    assert found(0.1, (text,)) == []
    assert found(0.2, ("no", "")) == []


# ---------------------------------------------------------------- entries of a registry


def entries(*texts: str) -> Registry:
    found = [kept_entry(text) for text in texts]
    return preamble_registry(entry for entry in found if entry is not None)


def test_the_prompt_slot_is_of_any_length_and_the_end_is_looked_for_from_the_end() -> None:
    known = entries("You are Quillo the notes app. User: {prompt} Assistant:")
    long = "word " * 3_000 + "user: assistant: end"
    stripped = strip(
        known, [f"You are Quillo, the notes app. User: {long} Assistant:", "You are Quillo the notes app. User: x"]
    )
    assert stripped.entry.tolist() == [-1, -1]
    text = f"you are Quillo the notes app. User: {long}\nAssistant:"
    assert strip(known, [text]).texts == [long]
    # Without the slot, a gap has a limit.
    assert strip(entries("You are Quillo the notes app. User: {1} Assistant:"), [text]).texts == [text]


def test_values_in_numbered_slots_go_and_texts_in_them_stay() -> None:
    known = entries("Today is {1} and your name is {2} Locale: {3}")
    texts = strip(known, ["Today is Monday and your name is Ann Lee. Locale: en-US"]).texts
    assert texts == [""]
    hidden = "Explain how a thing is made in many steps"
    texts = strip(
        known,
        [f"Today is {hidden} and your name is Ann. Locale: en", f"Today is x and your name is y Locale: {hidden}"],
    ).texts
    assert texts == [hidden, hidden]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["you are", "the app", "assistant:", "x", "y z", "1"]), max_size=12))
def test_what_is_removed_is_ascending_and_apart(words: list[str]) -> None:
    text = normalize(" ".join(words))
    for source in (
        "you are {1} the app {prompt} assistant: y z",
        "you are the app assistant: y z {1}",
        "{1} you are {prompt} the app x",
    ):
        entry = kept_entry(source)
        assert entry is not None
        found = places(entry, text)
        assert all(0 <= a <= b <= len(text) for a, b in found)
        assert all(b <= c for (_, b), (c, _) in pairwise(found))


def test_what_is_no_scaffold_has_no_entry() -> None:
    assert kept_entry("too short") is None
    assert kept_entry("") is None
    assert kept_entry("you are the app {prompt}") is not None


# ---------------------------------------------------------------- skeletons


def runs(*texts: str) -> list[str]:
    cut = [tokens(f" {text}", 1_000) for text in texts]
    found = skeleton(cut, [0] * len(cut))
    if found is None:
        return []
    first = min(found.stops)
    return ["".join(cut[first][a:b]).strip() for a, b in found.runs(first)]


def test_a_skeleton_has_the_words_that_nearly_all_share() -> None:
    assert runs("a b c", "a b d") == ["a b"]
    assert runs("a x b c", "a y b c") == ["a", "b c"]
    assert runs("x", "y") == []
    assert runs("on 2026 we go", "on 2026 we go") == ["on", "we go"]  # a number may change tomorrow
    assert runs(*["a b c"] * 19, "a q r") == ["a b c"]  # one of twenty may differ
    far = " ".join(map(chr, range(0x3B1, 0x3C9)))
    assert runs(f"a {far} now the end comes", f"a {far[::-1]} now the end comes") == ["a", "now the end comes"]
    assert runs("<|x|>user<|y|> hi", "<|x|>user<|y|> you") == ["<|x|>user<|y|>"]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_tokens_are_the_text(text: str) -> None:
    clean = f" {normalize(text)}"
    assert "".join(tokens(clean, 1_000)) == clean.rstrip()
