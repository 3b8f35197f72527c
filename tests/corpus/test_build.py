"""From rows to segments: the same for every order of rows, with no sender lost."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
from collections import Counter
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harvestdetect.corpus.build as corpus_module
from harvestdetect.corpus import prepare_parallel as preparing
from harvestdetect.corpus.build import CorpusBuilder, build_corpus
from harvestdetect.corpus.normalize import is_wordy, normalize, sentences
from harvestdetect.corpus.registry import load_registry
from harvestdetect.data import FIELDS, KINDS, NO_TIME, Corpus
from harvestdetect.engines.processes import Processes
from tests.corpus.building import Row, block, build, row

SHIPPED = load_registry(today=date(2026, 11, 24))
HELPFUL = "You are a helpful assistant."


def plain(corpus: Corpus) -> dict[str, Any]:
    """Everything in a corpus, comparable."""
    prompts = corpus.prompts
    return {
        "digest": corpus.digest.tobytes(),
        "text": list(corpus.text),
        "display": list(corpus.display),
        "kind": corpus.kind.tolist(),
        "senders": corpus.senders.tolist(),
        "postings": list(zip(corpus.posting_segment.tolist(), corpus.posting_prompt.tolist(), strict=True)),
        "accounts": prompts.accounts.to_pylist(),
        **{n: getattr(prompts, n).tolist() for n in ("account", "time", "file", "line", "content", "created_at")},
        **{f"{n} code": f.code.tolist() for n, f in prompts.fields.items()},
        **{f"{n} values": f.values.to_pylist() for n, f in prompts.fields.items()},
    }


def senders_of(corpus: Corpus) -> dict[str, set[str]]:
    """Accounts behind each segment, by its postings."""
    found: dict[str, set[str]] = {t: set() for t in list(corpus.text)}
    for segment, prompt in zip(corpus.posting_segment, corpus.posting_prompt, strict=True):
        account = corpus.prompts.accounts[int(corpus.prompts.account[prompt])].as_py()
        found[corpus.text[int(segment)]].add(account)
    return found


def kind_of(corpus: Corpus, text: str) -> str:
    return KINDS[int(corpus.kind[list(corpus.text).index(text)])]


SENTENCES = (
    "Explain the first step in plain words.",
    "Give the answer as one letter only!",
    "Now rewrite it for a small child.",
    "Short one.",
    "この文章を三行で要約してください。",
)
PIECES = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4).map(" ".join)
ROWS = st.lists(
    st.builds(
        lambda account, messages, time, org, line: row(account, messages, time=time, org=org, line=line),
        st.sampled_from(["a", "b", "c", "d", "é", "Z"]),
        st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), PIECES), min_size=1, max_size=3),
        st.sampled_from([NO_TIME, 0, 5, 10**9]),
        st.sampled_from([None, "x", "y"]),
        st.integers(1, 9),
    ),
    max_size=14,
)


# ---------------------------------------------------------------- order and batches


@given(rows=ROWS, data=st.data())
@settings(max_examples=80, deadline=None)
def test_the_same_rows_in_any_order_and_any_batches_give_the_same_corpus(rows: list[Row], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=4))
    limits: dict[str, Any] = {"segment_characters": 40, "min_senders": 2, "max_windows": 2}
    assert plain(build(rows, **limits)) == plain(build(shuffled, cuts=cuts, **limits))


@given(rows=ROWS, since=st.sampled_from([-5, 0, 1, 6, 10**9, 10**9 + 1]), cut=st.integers(0, 14))
@settings(max_examples=80, deadline=None)
def test_prompts_before_a_time_are_as_if_they_had_not_been(rows: list[Row], since: int, cut: int) -> None:
    limits: dict[str, Any] = {"segment_characters": 40, "min_senders": 2, "max_windows": 2}
    with CorpusBuilder(since=since, **limits) as builder:
        for some in (rows[:cut], rows[cut:]):
            if some:
                builder.add(block(some))
        found = plain(builder.finish())
    expected = plain(build([r for r in rows if r["time"] == NO_TIME or r["time"] >= since], **limits))
    # a part that is a system message by the others may be called a part
    assert {**found, "kind": None} == {**expected, "kind": None}


def test_spellings_of_one_text_give_the_same_corpus_in_any_order() -> None:
    # the same once normalised, cut into other sentences and pieces as written
    spellings = (
        "Describe the old mill by the river\nThen answer with one single letter only",
        "Describe the old mill by the river Then answer with one single letter only",
        "DESCRIBE the old mill by the river\n\nThen answer   with one single letter only",
    )
    rows = [row(f"account {i}", text, line=i) for i, text in enumerate(spellings)]
    expected = plain(build(rows, segment_characters=40, min_senders=2))
    for order in ([1, 0, 2], [2, 1, 0], [1, 2, 0]):
        assert plain(build([rows[i] for i in order], segment_characters=40, min_senders=2)) == expected


def test_a_piece_that_spells_a_part_otherwise_changes_nothing_of_it() -> None:
    text = "Describe the old mill by the river\nThen answer with one single letter only"
    rows = [row(f"a{i}", text, line=i) for i in range(3)]
    rows.append(row("b", text.upper().replace("\n", " ") + "\n" + " ".join(f"word{i}" for i in range(60)), line=3))
    found = [build(order, segment_characters=80, min_senders=2) for order in (rows, rows[::-1])]
    assert plain(found[0]) == plain(found[1])
    assert senders_of(found[0])["describe the old mill by the river"] == {"a0", "a1", "a2"}


def test_file_and_line_stay_with_their_prompt() -> None:
    rows = [row(f"a{i % 7}", f"text number {i % 11} of several", file=i % 3, line=i, time=i % 5) for i in range(60)]
    corpus = build(random.Random(1).sample(rows, len(rows)))
    found = {
        (int(p.file[i]), int(p.line[i])): (p.accounts[int(p.account[i])].as_py(), int(p.time[i]))
        for p in [corpus.prompts]
        for i in range(60)
    }
    assert found == {(r["file"], r["line"]): (r["account"], r["time"]) for r in rows}


def test_prompts_are_sorted_by_account_and_time() -> None:
    rows = [row(f"a{i % 7}", f"text {i} of many", time=(i * 31) % 17) for i in range(80)]
    prompts = build(rows).prompts
    assert prompts.accounts.to_pylist() == sorted(set(prompts.accounts.to_pylist()))
    pairs = list(zip(prompts.account.tolist(), prompts.time.tolist(), strict=True))
    assert pairs == sorted(pairs)


# ---------------------------------------------------------------- segments and senders


@given(rows=ROWS)
@settings(max_examples=60, deadline=None)
def test_segments_are_unique_and_sorted_by_the_digest_of_their_text(rows: list[Row]) -> None:
    corpus = build(rows, segment_characters=40, min_senders=2)
    digests = [d.tobytes() for d in corpus.digest]
    assert digests == sorted(set(digests))
    texts = list(corpus.text)
    assert digests == [hashlib.blake2b(t.encode(), digest_size=16).digest() for t in texts]
    assert all(normalize(d) == t for d, t in zip(list(corpus.display), texts, strict=True))
    pairs = list(zip(corpus.posting_segment.tolist(), corpus.posting_prompt.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    assert {s for s, _ in pairs} == set(range(len(texts)))


@given(rows=ROWS, min_senders=st.integers(2, 4))
@settings(max_examples=80, deadline=None)
def test_senders_equal_a_brute_force_count(rows: list[Row], min_senders: int) -> None:
    corpus = build(rows, segment_characters=100_000, min_senders=min_senders)
    parts: dict[str, set[str]] = {}
    pieces: dict[str, set[str]] = {}
    for r in rows:
        messages = list(zip(r["roles"], r["parts"], strict=True))
        for _, text in [m for m in messages if m[0] != "assistant"] or messages:
            parts.setdefault(normalize(text), set()).add(r["account"])
            cut = list(sentences(text))
            for sentence in cut if len(cut) > 1 else []:
                if is_wordy(sentence):
                    pieces.setdefault(sentence, set()).add(r["account"])
    expected = {text: set(accounts) for text, accounts in parts.items()}
    for text, accounts in pieces.items():
        if len(accounts) >= min_senders:
            expected.setdefault(text, set()).update(accounts)
    assert senders_of(corpus) == expected
    assert dict(zip(list(corpus.text), corpus.senders.tolist(), strict=True)) == {
        text: len(accounts) for text, accounts in expected.items()
    }


def test_a_sentence_that_many_send_in_varied_prompts_is_a_segment() -> None:
    rng = random.Random(3)
    fixed = "End with the final result inside double square brackets."
    rare = "Keep the whole reply below ninety words in total please."
    rows = []
    for i in range(300):
        topic = " ".join(rng.choices(["river", "engine", "moon", "tax", "poem", "vector", "bread"], k=12))
        text = f"Question {i} is about {topic}."
        if i % 3 == 0:
            text = rng.choice([f"{text} {fixed}", f"{fixed}\n{text}", f"{text}\n\n{fixed.upper()} More {i}."])
        if i % 50 == 1:
            text += " " + rare
        rows.append(row(f"account {rng.randrange(60)}", text))
    corpus = build(rows, min_senders=10)
    expected = {r["account"] for i, r in enumerate(rows) if i % 3 == 0}
    assert senders_of(corpus)[normalize(fixed)] == expected
    assert kind_of(corpus, normalize(fixed)) == "sentence"
    position = list(corpus.text).index(normalize(fixed))
    assert int(corpus.senders[position]) == len(expected)
    assert int((corpus.posting_segment == position).sum()) == 100
    assert normalize(rare) not in list(corpus.text)


def test_an_outline_that_many_share_is_a_segment() -> None:
    rng = random.Random(5)

    def words(n: int) -> str:
        return " ".join("".join(rng.choices("abcdefghij", k=5)) for _ in range(n))

    rows = [row(f"a{i}", f"Question: {words(9)}\nA. {words(3)}\nB. {words(4)}\nAnswer:") for i in range(12)]
    corpus = build(rows, min_senders=10)
    assert senders_of(corpus)["question: | a. | b. | answer:"] == {f"a{i}" for i in range(12)}
    assert kind_of(corpus, "question: | a. | b. | answer:") == "outline"
    assert "question: | a. | b. | answer:" not in list(build(rows, min_senders=13).text)


def test_rows_of_one_form_share_an_outline_however_they_vary() -> None:
    rng = random.Random(6)

    def words(n: int) -> str:
        return " ".join("".join(rng.choices("abcdefghij", k=5)) for _ in range(n))

    form = "question #: | a) | b) | c) | answer:"
    rows = []
    for i in range(24):
        lead = rng.choice(["", words(6) + "\n\n", words(3) + ".\n"])
        options = "\n".join(f"{'  ' * rng.randrange(2)}{c}) {words(rng.randrange(1, 12))}" for c in "ABC")
        text = (
            f"{lead}Question {i * 7}: {words(rng.randrange(5, 40))}\n{options}\n{rng.choice(['', words(5)])}\nAnswer:"
        )
        rows.append(row(f"a{i % 12}", text, line=i))
    other = [row(f"b{i}", f"Name: {words(2)}\nTown: {words(1)}\nAge: {i}", line=99 + i) for i in range(9)]
    corpus = build(rng.sample(rows + other, len(rows + other)), min_senders=10)
    assert senders_of(corpus)[form] == {f"a{i}" for i in range(12)}
    assert kind_of(corpus, form) == "outline"
    position = list(corpus.text).index(form)
    assert int((corpus.posting_segment == position).sum()) == 24
    assert "name: | town: | age:" not in list(corpus.text)  # nine accounts
    long = build(rows, min_senders=10, segment_characters=40)
    assert senders_of(long)[form] == {f"a{i}" for i in range(12)}
    assert plain(long) == plain(build(rows[::-1], min_senders=10, segment_characters=40))


def test_a_text_that_is_sent_alone_and_in_others_counts_every_account() -> None:
    fixed = "translate the following words into plain french"
    rows = [row(f"alone {i}", fixed) for i in range(3)]
    rows += [row(f"inside {i}", f"{fixed}. Here is one: item {i}.") for i in range(4)]
    rows += [row("alone 0", fixed), row("inside 0", fixed + ".")]
    corpus = build(rows, min_senders=3)
    assert senders_of(corpus)[fixed] == {"alone 0", "alone 1", "alone 2"}
    assert senders_of(corpus)[fixed + "."] == {f"inside {i}" for i in range(4)}
    assert kind_of(corpus, fixed + ".") == "part"


def test_long_prompts_are_also_compared_in_pieces() -> None:
    words = [f"word{i:03d}" for i in range(400)]
    paragraphs = [" ".join(words[i : i + 25]) for i in range(0, 400, 25)]
    text = "\n".join(paragraphs)
    corpus = build([row("a", text), row("b", "short text")], segment_characters=120, max_windows=3)
    by_kind: dict[str, list[str]] = {}
    for kind, segment in zip(corpus.kind, list(corpus.text), strict=True):
        by_kind.setdefault(KINDS[int(kind)], []).append(segment)
    whole = normalize(text)
    assert set(by_kind) == {"part", "head", "tail", "window"}
    assert sorted(by_kind["part"]) == sorted([whole, "short text"])
    (head,), (tail,) = by_kind["head"], by_kind["tail"]
    assert whole.startswith(head + " ")
    assert whole.endswith(" " + tail)
    assert 60 <= len(head) <= 120
    assert 60 <= len(tail) <= 120
    assert 1 <= len(by_kind["window"]) <= 3
    assert all(w in whole and len(w) <= 120 for w in by_kind["window"])
    assert all(accounts == {"a"} for t, accounts in senders_of(corpus).items() if t != "short text")


def test_a_fixed_head_or_tail_of_long_prompts_is_one_segment() -> None:
    rng = random.Random(2)

    def words(n: int) -> str:
        return " ".join("".join(rng.choices("abcdefghijklmn", k=6)) for _ in range(n))

    head, tail = words(12), words(12)
    rows = [row(f"a{i}", f"{head} {words(60)} {tail}") for i in range(6)]
    corpus = build(rows, segment_characters=60)
    everyone = {f"a{i}" for i in range(6)}
    shared = {t for t, accounts in senders_of(corpus).items() if accounts == everyone}
    assert {kind_of(corpus, t) for t in shared} >= {"head", "tail"}
    assert all(t in head or t in tail for t in shared)


def test_a_prefix_does_not_move_the_windows_behind_it() -> None:
    body = "\n".join(" ".join(f"p{p}w{i}" for i in range(20)) for p in range(3))
    one = build([row("a", body)], segment_characters=80, max_windows=20)
    two = build([row("a", "Something quite else to begin with, said at some length.\n" + body)],
                segment_characters=80, max_windows=20)  # fmt: skip
    windows = {t for t in list(one.text) if kind_of(one, t) == "window"}
    assert len(windows) >= 3
    assert windows <= set(two.text)


def test_a_short_prompt_is_one_segment() -> None:
    corpus = build([row("a", "x" * 600)])
    assert list(corpus.text) == ["x" * 600]
    assert len(build([row("a", "x " * 301)]).text) > 1


@pytest.mark.parametrize("text", ["x" * 2_000, "あ" * 2_000, "x" * 700 + " " + "y" * 700, "\n".join("ab" * 700)])
def test_long_texts_without_blanks_or_with_nothing_else(text: str) -> None:
    corpus = build([row("a", text)], segment_characters=100)
    assert normalize(text) in list(corpus.text)
    assert all(list(corpus.text))


# ---------------------------------------------------------------- roles


def test_roles_stand_apart_and_assistants_and_tools_are_left_out() -> None:
    messages = [
        ("system", "you are a careful tutor"),
        ("user", "first question here"),
        ("assistant", "the model's answer"),
        ("user", "second question here"),
        ("tool", "tool output here"),
        ("function", "more of it"),
        ("developer", "reply in markdown"),
    ]
    corpus = build([row("a", messages)])
    kinds = {t: kind_of(corpus, t) for t in list(corpus.text)}
    assert kinds == {
        "you are a careful tutor": "system",
        "reply in markdown": "system",
        "first question here": "part",
        "second question here": "part",
    }


def test_a_prompt_of_assistant_messages_only_is_kept() -> None:
    corpus = build([row("a", [("assistant", "only this one")])])
    assert list(corpus.text) == ["only this one"]


def test_a_text_in_two_roles_takes_the_first_kind() -> None:
    rows = [row("a", [("system", "same text"), ("user", "other")]), row("b", "same text")]
    for order in (rows, rows[::-1]):
        assert kind_of(build(order), "same text") == "part"


def test_content_tells_prompts_apart_by_their_normalised_parts() -> None:
    rows = [
        row("a", "Hello  World", line=1),
        row("b", "hello world", line=2),
        row("c", "hello worlds", line=3),
        row("d", [("user", "hello world"), ("assistant", "x")], line=4),
        row("e", [("user", "hello"), ("user", "world")], line=5),
        row("f", [("user", "world"), ("user", "hello")], line=6),
    ]
    prompts = build(rows).prompts
    content = dict(zip(prompts.line.tolist(), prompts.content.tolist(), strict=True))
    assert content[1] == content[2] == content[4]
    assert len({content[i] for i in (1, 3, 5, 6)}) == 4


# ---------------------------------------------------------------- known scaffolds


SCAFFOLDS = {
    "": None,
    f"{HELPFUL} ": "helpful-assistant",
    "YOU are a  helpful\u200b assistant.\n": "helpful-assistant",
    "You are an expert programmer. ": "expert-programmer",
}


@given(rows=ROWS, data=st.data())
@settings(max_examples=80, deadline=None)
def test_requests_in_a_scaffold_are_compared_like_those_without(rows: list[Row], data: st.DataObject) -> None:
    limits: dict[str, Any] = {"segment_characters": 40, "min_senders": 2, "max_windows": 2}
    assert plain(build(rows, registry=SHIPPED, **limits)) == plain(build(rows, **limits))
    wraps = data.draw(st.lists(st.sampled_from(list(SCAFFOLDS)), min_size=len(rows), max_size=len(rows)))
    place = [next((i for i, role in enumerate(r["roles"]) if role != "assistant"), 0) for r in rows]
    wrapped = [
        r | {"parts": [wrap + text if i == at else text for i, text in enumerate(r["parts"])]}
        for r, wrap, at in zip(rows, wraps, place, strict=True)
    ]

    def shown(corpus: Corpus) -> Any:
        prompts, found = corpus.prompts, plain(corpus)
        sent = [
            (corpus.text[s], *(int(getattr(prompts, n)[p]) for n in ("account", "time", "line")))
            for s, p in found["postings"]
        ]
        return sorted(sent), [found[name] for name in ("text", "display", "kind", "senders", "accounts")]

    found = build(wrapped, registry=SHIPPED, **limits)
    assert shown(found) == shown(build(rows, **limits))
    shuffled = data.draw(st.permutations(wrapped))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=4))
    assert plain(build(shuffled, cuts=cuts, registry=SHIPPED, **limits)) == plain(found)
    builder = CorpusBuilder(registry=SHIPPED)
    builder.add(block(wrapped))
    assert builder.known == Counter(SCAFFOLDS[wrap] for wrap in wraps if wrap)


def test_requests_in_different_scaffolds_stay_different_requests() -> None:
    asked = "Where is the old mill?"
    rows = [
        row("a", f"{HELPFUL} {asked}", line=1),
        row("b", f"{asked} you are a\nHELPFUL assistant", line=2),
        row("c", asked, line=3),
        row("d", f"You are an expert programmer. {asked}", line=4),
        row("e", [("system", HELPFUL), ("user", asked)], line=5),
        row("f", [("system", HELPFUL), ("user", asked), ("assistant", HELPFUL)], line=6),
        row("g", [("user", asked), ("system", HELPFUL)], line=7),
    ]
    corpus = build(rows, registry=SHIPPED)
    content = dict(zip(corpus.prompts.line.tolist(), corpus.prompts.content.tolist(), strict=True))
    assert content[1] == content[2]
    assert content[5] == content[6]
    assert len({content[i] for i in (1, 3, 4, 5, 7)}) == 5
    assert list(corpus.display) == ["Where is the old mill?"]
    assert senders_of(corpus) == {normalize(asked): set("abcdefg")}


def test_prompts_that_are_nothing_but_a_scaffold_are_kept_without_segments() -> None:
    rows = [
        row("a", HELPFUL, line=1),
        row("b", "You are an expert programmer!", line=2),
        row("c", HELPFUL.upper(), line=3),
        row("d", "\u200b", line=4),
        row("e", [("assistant", HELPFUL)], line=5),
        row("f", [("system", HELPFUL), ("user", "some text")], line=6),
    ]
    builder = CorpusBuilder(registry=SHIPPED)
    builder.add(block(rows))
    corpus = builder.finish()
    content = dict(zip(corpus.prompts.line.tolist(), corpus.prompts.content.tolist(), strict=True))
    assert corpus.prompts.accounts.to_pylist() == list("abcdef")
    assert senders_of(corpus) == {"some text": {"f"}}
    assert content[1] == content[3]
    assert len({content[i] for i in (1, 2, 4, 5, 6)}) == 5
    assert builder.known == {"helpful-assistant": 4, "expert-programmer": 1}


def test_a_scaffold_counts_once_per_prompt_and_a_viral_prompt_stays() -> None:
    builder = CorpusBuilder(registry=SHIPPED)
    builder.add(block([row("a", [("system", HELPFUL), ("user", f"{HELPFUL} Hello there")])]))
    builder.add(block([row("b", "Tell me a joke!")]))
    assert builder.known == {"helpful-assistant": 1, "tell-me-a-joke": 1}
    assert sorted(builder.finish().display) == ["Hello there", "Tell me a joke!"]
    assert not CorpusBuilder().known


# ---------------------------------------------------------------- fields


def test_fields_are_codes_into_sorted_values() -> None:
    rows = [
        row("a", "one", org="zeta", ip="1.1.1.1", created_at=5),
        row("b", "two", org="alpha"),
        row("c", "three", asn="64500"),
    ]
    prompts = build(rows).prompts
    assert set(prompts.fields) == set(FIELDS) - {"created_at", "request"}
    org = prompts.fields["org"]
    assert (org.values.to_pylist(), org.code.tolist()) == (["alpha", "zeta"], [1, 0, -1])
    assert prompts.fields["model"].code.tolist() == [-1, -1, -1]
    assert prompts.fields["model"].values.to_pylist() == []
    assert prompts.created_at.tolist() == [5, NO_TIME, NO_TIME]


# ---------------------------------------------------------------- odd input


def test_no_rows_give_an_empty_corpus() -> None:
    for corpus in (build([]), build_corpus([]), build([], cuts=[0, 0])):
        assert len(corpus.text) == len(corpus.digest) == len(corpus.senders) == len(corpus.kind) == 0
        assert len(corpus.posting_segment) == len(corpus.posting_prompt) == 0
        assert len(corpus.prompts.account) == len(corpus.prompts.accounts) == 0


def test_one_row() -> None:
    corpus = build([row("a", "Only  One", time=7)])
    assert list(corpus.text) == ["only one"]
    assert list(corpus.display) == ["Only  One"]
    assert corpus.senders.tolist() == [1]
    assert (corpus.posting_segment.tolist(), corpus.posting_prompt.tolist()) == ([0], [0])


def test_equal_rows_count_their_accounts_once() -> None:
    rows = [row(f"a{i % 4}", "The same text", line=i) for i in range(40)]
    corpus = build(rows)
    assert list(corpus.text) == ["the same text"]
    assert corpus.senders.tolist() == [4]
    assert len(corpus.posting_prompt) == 40
    assert set(corpus.prompts.content.tolist()) == {0}


def test_prompts_that_are_empty_once_normalised_are_kept_without_segments() -> None:
    corpus = build([row("a", "\u200b\u2060"), row("b", [("user", "\ufeff"), ("user", "some text")])])
    assert len(corpus.prompts.account) == 2
    assert senders_of(corpus) == {"some text": {"b"}}


@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_any_text_becomes_a_valid_corpus(texts: list[str]) -> None:
    clean = [t.encode("utf-8", "replace").decode() for t in texts]
    corpus = build([row(f"a{i % 2}", t) for i, t in enumerate(clean)], segment_characters=40, min_senders=2)
    assert len(corpus.prompts.account) == len(texts)
    assert {normalize(t) for t in clean} - {""} <= set(corpus.text)


def test_the_builder_counts_what_it_took() -> None:
    builder = CorpusBuilder()
    assert len(builder) == 0
    builder.add(block([row("a", "one"), row("b", "two")]))
    builder.add(block([]))
    assert len(builder) == 2
    corpus = builder.finish()
    assert corpus.posting_segment.dtype == corpus.posting_prompt.dtype == corpus.senders.dtype == np.int32
    assert corpus.digest.dtype == np.dtype("V16")
    assert len(corpus.text) == len(corpus.display) == len(corpus.digest)


# ---------------------------------------------------------------- several processes


def many(count: int = 240) -> list[Row]:
    rng = random.Random(9)
    fixed = "End with the final result inside double square brackets."
    return [
        row(f"a{rng.randrange(40)}", f"{rng.choice(['Hi', 'HI'])} number {rng.randrange(90)}. {fixed}", line=i)
        for i in range(count)
    ]


def children() -> set[int]:
    return {process.pid for process in multiprocessing.active_children() if process.pid is not None}


def test_processes_change_nothing_and_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "START_ROWS", 60)
    rows, before = many(), children()
    expected = plain(build(rows, min_senders=5))
    assert plain(build(rows, cuts=range(0, 240, 30), min_senders=5, engine=Processes(2))) == expected
    assert children() == before


def test_what_a_killed_process_was_to_do_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "START_ROWS", 0)
    rows, before = many(), children()
    with CorpusBuilder(min_senders=5, engine=Processes(2), registry=SHIPPED) as builder:
        for at in range(0, 240, 30):
            builder.add(block(rows[at : at + 30]))
            if at == 60:
                for pid in children() - before:
                    os.kill(pid, signal.SIGKILL)
        assert plain(builder.finish()) == plain(build(rows, min_senders=5))
    assert children() == before


def test_an_error_in_a_process_is_raised_here_and_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "START_ROWS", 0)
    before = children()
    builder = CorpusBuilder(engine=Processes(2))
    wrong = block([row("a", "text")]).drop_columns(["roles"])

    def fill() -> None:
        for _ in range(9):
            builder.add(wrong)

    with pytest.raises(KeyError, match="roles"):
        fill()
    assert children() == before


def test_a_builder_that_is_not_finished_ends_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "START_ROWS", 0)
    before = children()

    def interrupted() -> None:
        with CorpusBuilder(engine=Processes(2)) as builder:
            builder.add(block([row("a", "text")]))
            assert children() - before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert children() == before


def test_few_rows_start_no_process() -> None:
    before = children()
    with CorpusBuilder(engine=Processes(2)) as builder:
        builder.add(block([row("a", "text")]))
        assert children() == before


def test_spellings_are_compared_in_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(f"a{i % 7}", f"{'Hi' if i % 3 else 'HI'} there number {i // 3}", line=i) for i in range(90)]
    cuts = range(90)
    expected, shared = plain(build(rows)), plain(build(many(), min_senders=5))
    monkeypatch.setattr(corpus_module, "COMPARED_BYTES", 50)
    monkeypatch.setattr(corpus_module, "SENDERS_PER_COUNT", 3)
    monkeypatch.setattr(corpus_module, "TEXTS_PER_CUT", 2)
    assert plain(build(rows, cuts=cuts)) == expected
    assert plain(build(many(), min_senders=5, cuts=range(240))) == shared
