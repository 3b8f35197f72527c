"""Templates: alignment against plain dynamic programming, and planted words and slots found again."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harvestdetect.corpus.known_templates import SAME_TEMPLATE
from harvestdetect.template import description, mixtures
from harvestdetect.template.alignment import align, common_words, kept_shares
from harvestdetect.template.description import (
    IN_ORDER,
    SHARED_WORDS,
    SLOT_EXAMPLES,
    TEMPLATE_WORDS,
    Description,
    describe,
    enough_to_describe,
    is_template,
)
from harvestdetect.template.mixtures import same_templates, templates_within
from harvestdetect.template.tokens import MAX_TOKENS, token_texts, tokens, words_of_whole

TOKENS = st.lists(st.sampled_from(["a", "b", "c", "the", "."]), max_size=14)
WORDS = [
    "rivers",
    "engines",
    "taxes",
    "poems",
    "vectors",
    "bread",
    "glaciers",
    "orbits",
    "ledgers",
    "violins",
]


def around(count: int, d: int = 12, seed: int = 0) -> npt.NDArray[np.float32]:
    """Unit rows near one another."""
    rng = np.random.default_rng(seed)
    rows = np.ones((1, d)) + 0.1 * rng.standard_normal((count, d))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def longest(first: Sequence[str], second: Sequence[str]) -> int:
    best = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            best[i + 1][j + 1] = best[i][j] + 1 if a == b else max(best[i][j + 1], best[i + 1][j])
    return best[-1][-1]


# ---------------------------------------------------------------- alignment


@given(TOKENS, TOKENS)
@settings(max_examples=300, deadline=None)
def test_align_is_a_longest_common_subsequence(first: list[str], second: list[str]) -> None:
    pairs = align(first, second)
    assert all(first[i] == second[j] for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))
    assert len(pairs) == longest(first, second)


def test_align_long_lists() -> None:
    first = [str(i % 7) for i in range(600)]
    assert align(first, first) == [(i, i) for i in range(600)]
    assert align(first, []) == align([], first) == []


def test_tokens_are_words_and_marks_with_their_places() -> None:
    text = "Explain, PLEASE: naïve Straße?"
    assert [t for t, _, _ in tokens(text)] == ["explain", ",", "please", ":", "naïve", "strasse", "?"]
    assert [text[a:b] for _, a, b in tokens(text)][2] == "PLEASE"
    assert len(tokens("word " * 5_000)) == MAX_TOKENS
    assert tokens("") == tokens(" \t") == []


@given(st.text(max_size=60) | st.lists(st.sampled_from(["a", "Straße", "ǰ", "İ", "\u0345", ",", "\n"])).map(" ".join))
def test_tokens_are_the_same_without_their_places(text: str) -> None:
    assert token_texts(text) == [token for token, _, _ in tokens(text)]


@pytest.mark.parametrize(
    "piece", ["word ", "a" * 50 + " ", " " * 60 + "b", "x" * 7_999 + "y", "é, ", "中文, ", "a" * 9 + "中 "]
)
@pytest.mark.parametrize("count", [1, MAX_TOKENS - 1, MAX_TOKENS, MAX_TOKENS + 1, 3 * MAX_TOKENS])
def test_of_a_long_text_the_same_tokens_are_read(piece: str, count: int) -> None:
    assert token_texts(piece * count) == [token for token, _, _ in tokens(piece * count)]


@pytest.mark.parametrize(
    "piece", ["word ", "One, two.\n", " " * 60 + "b", "x" * 7_999 + "y", "é, ", "中文, ", "n\u0303o "]
)
@pytest.mark.parametrize("count", [1, 60, MAX_TOKENS - 1, MAX_TOKENS, MAX_TOKENS + 1])
def test_of_a_text_with_most_tokens_the_words_are_not_listed(piece: str, count: int) -> None:
    for text in (piece * count, piece * count + "\n", f"中{piece * count}", f"{piece * count}中"):
        known, found = token_texts(text), words_of_whole(text)
        assert (found is None) == (len(known) == MAX_TOKENS)
        assert [t for t in found or () if t[0].isalnum()] == [t for t in known if found is not None and t[0].isalnum()]


def test_a_line_end_is_a_token() -> None:
    assert [t for t, _, _ in tokens("One:\n\ntwo\r\nthree")] == ["one", ":", "\n", "\n", "two", "\n", "three"]


def test_common_words() -> None:
    texts = [
        ["explain", "the", "rivers", "to", "a", "child", "."],
        ["explain", "the", "taxes", "to", "a", "child", "."],
        ["explain", "the", "poems", "to", "a", "child", "!"],
    ]
    # of four letters or more: explain, child; backwards one of them
    assert common_words(texts) == (5, 1.0)
    assert common_words(texts[:1]) == common_words([]) == (0, 0.0)
    assert common_words([[], ["a"]]) == (0, 0.0)


# ---------------------------------------------------------------- planted templates


def fill(template: str, count: int = 30, seed: int = 1) -> list[str]:
    """Fillings of a template; every {} takes two words and a number."""
    rng = random.Random(seed)
    texts = []
    for i in range(count):
        values = [
            f"{rng.choice(WORDS)} {rng.choice(WORDS)} {i}{rng.randrange(99)}" for _ in range(template.count("{}"))
        ]
        texts.append(template.format(*values))
    return texts


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (
            "Explain {} to a student who knows {} already",
            ("Explain", None, "to a student who knows", None, "already"),
        ),
        ("{} should be explained in five steps", (None, "should be explained in five steps")),
        ("Write a careful review about {}", ("Write a careful review about", None)),
        ("{} compared with {}", (None, "compared with", None)),
        ("Solve the following problem. Problem: {} Answer only with the final number.",
         ("Solve the following problem. Problem:", None, "Answer only with the final number.")),
        ("次の文章を要約する {} 以上です", ("次の文章を要約する", None, "以上です")),
    ],
)  # fmt: skip
def test_planted_words_and_slots_are_found(template: str, words: tuple[str | None, ...]) -> None:
    texts = fill(template)
    found = describe(texts, around(len(texts)))
    assert found.words == words
    assert len(found.slots) == words.count(None)
    for values in found.slots:
        assert 1 <= len(values) <= SLOT_EXAMPLES
        assert len(set(values)) == len(values)
        assert all(len(v.split()) == 3 and v.split()[0] in WORDS for v in values)
    fixed = [t for w in words if w for t, _, _ in tokens(w) if t[0].isalnum()]
    assert found.fixed == len(fixed)
    assert 0 < found.rigidity <= 1


def test_equal_texts_have_no_slot() -> None:
    found = describe(["Tell me a joke about cats."] * 12, around(12))
    assert found.words == ("Tell me a joke about cats.",)
    assert found.slots == ()
    assert found.rigidity == 1.0


def test_a_single_text_is_its_own_template() -> None:
    found = describe(["Only this one, here."], around(1))
    assert found.words == ("Only this one, here.",)
    assert (found.slots, found.medoid, found.least_similar, found.exemplars) == ((), 0, 0, ())
    assert found.fixed == 4


def test_texts_that_share_nothing_have_next_to_no_words() -> None:
    rng = random.Random(2)
    texts = [" ".join("".join(rng.choices("abcdefghijklmnop", k=6)) for _ in range(12)) for _ in range(20)]
    found = describe(texts, around(20))
    assert found.fixed == 0
    assert found.words == (None,)
    assert found.rigidity == 0.0


def test_a_word_that_a_few_leave_out_stays() -> None:
    texts = fill("Explain {} to a student in simple words", count=24)
    texts[5] = texts[5].replace("simple ", "")
    found = describe(texts, around(24))
    assert found.words == ("Explain", None, "to a student in simple words")


def test_the_medoid_is_nearest_to_the_middle_and_the_least_similar_farthest() -> None:
    vectors = around(20, seed=3)
    odd = np.zeros((1, 12), np.float32)
    odd[0, 0] = 1.0
    vectors = np.concatenate((vectors[:7], odd, vectors[7:]))
    found = describe(fill("Explain {} to a student", count=21), vectors)
    closeness = vectors @ vectors.mean(axis=0)
    assert found.least_similar == 7 == int(closeness.argmin())
    assert found.medoid == int(closeness.argmax())
    assert 1 <= len(found.exemplars) <= 3
    assert found.medoid not in found.exemplars


def test_the_signature_follows_the_fixed_words_only() -> None:
    one = describe(fill("Explain {} to a student who knows nothing", seed=1), around(30, seed=1))
    two = describe(fill("EXPLAIN {} to a student who knows nothing", seed=9), around(30, seed=8))
    other = describe(fill("Describe {} to a student who knows nothing"), around(30))
    assert one.signature == two.signature
    assert one.signature != other.signature


def test_a_sample_of_many_texts_is_enough() -> None:
    texts = fill("Explain {} to a student who knows {} already", count=400)
    assert describe(texts, around(400)).words == ("Explain", None, "to a student who knows", None, "already")


def test_labels_at_the_beginning_of_lines_stay_between_slots() -> None:
    found = describe(fill("Question: {}\nA. {}\nB. {}\nC. {}\nAnswer:"), around(30))
    assert found.words == ("Question:", None, "\nA.", None, "\nB.", None, "\nC.", None, "\nAnswer:")
    # the same letters within a line are chance
    assert describe(fill("Question: {} a {} b {} and the answer"), around(30)).words == (
        "Question:", None, "and the answer",
    )  # fmt: skip


def test_the_fixed_tokens_are_kept_in_order() -> None:
    found = describe(fill("Explain {} to a Student.\nUse {} words"), around(30))
    assert found.kept == ("explain", "to", "a", "student", ".", "\n", "use", "words")
    assert found.fixed == 6


def test_shared_words_are_those_that_one_text_keeps_of_another() -> None:
    # reworded: nothing that most texts keep, but long words that two of them do
    rng = random.Random(3)
    phrases = [("please", "kindly"), ("summarise", "condense"), ("following", "attached"), ("report", "article")]
    texts = [" ".join(rng.choice(p) for p in phrases) + f" {i}" for i in range(40)]
    found = describe(texts, around(40))
    assert found.shared == pytest.approx(2.0, abs=0.7)
    assert describe(["Tell them about cats."] * 12, around(12)).shared == 4.0
    assert describe(["Tell them about cats."], around(1)).shared == 0.0


# ---------------------------------------------------------------- the same template twice


LONG = "Explain {} to a curious student in four short steps and name {} at the end"


def described(template: str, seed: int = 0) -> Description:
    return describe(fill(template, seed=seed), around(30, seed=seed))


def test_clusters_of_one_template_are_found_together() -> None:
    found = [
        described(LONG),
        described("Translate the text {} into plain French and keep every number {} as it stands"),
        described(LONG, seed=5),
        described(LONG.replace("curious ", "") + ", please", seed=9),
    ]
    assert same_templates(found) == [[0, 2, 3], [1]]
    assert same_templates([found[1], found[2], found[0]]) == [[0], [1, 2]]
    assert same_templates([]) == []
    assert same_templates(found[:1]) == [[0]]


def test_the_same_words_in_another_order_are_another_template() -> None:
    turned = "At the end name {} and in four short steps {} to a curious student explain"
    assert same_templates([described(LONG), described(turned)]) == [[0], [1]]


def test_a_part_of_a_template_is_another_template() -> None:
    longer = LONG + ". Then list five sources with their years and say which of them you trust most"
    assert same_templates([described(LONG), described(longer)]) == [[0], [1]]


def test_short_templates_are_not_compared() -> None:
    short = "Explain {} to a small child"
    one = described(short)
    assert one.fixed < SHARED_WORDS
    assert same_templates([one, described(short, seed=4)]) == [[0], [1]]


@given(st.lists(st.sampled_from([LONG, "Explain {} to a child", LONG.replace("four", "five"), "{} {}"]), max_size=6))
@settings(max_examples=30, deadline=None)
def test_same_templates_are_a_partition_by_their_first(templates: list[str]) -> None:
    groups = same_templates([described(t, seed=i) for i, t in enumerate(templates)])
    assert sorted(i for g in groups for i in g) == list(range(len(templates)))
    assert all(g == sorted(g) for g in groups)
    assert [g[0] for g in groups] == sorted(g[0] for g in groups)


def of_tokens(kept: Sequence[str]) -> Description:
    return Description(
        words=(),
        slots=(),
        medoid=0,
        exemplars=(),
        least_similar=0,
        signature="",
        kept=tuple(kept),
        fixed=sum(token[0].isalnum() for token in kept),
        labels=0,
        shared=0.0,
        backwards=0.0,
        rigidity=1.0,
    )


def same_pair(first: Description, second: Description) -> bool:
    bags = set(first.kept), set(second.kept)
    return (
        min(first.fixed, second.fixed) >= SHARED_WORDS
        and len(bags[0] & bags[1]) >= SAME_TEMPLATE * max(map(len, bags))
        and len(align(first.kept, second.kept)) >= SAME_TEMPLATE * max(len(first.kept), len(second.kept))
    )


@st.composite
def variants(draw: st.DrawFn) -> list[str]:
    """Fixed tokens of a few templates, some left out, put in, or moved to the front."""
    whole = draw(st.sampled_from([WORDS[:10], WORDS[4:14], [*WORDS[:9], ".", "the", ",", "the"], WORDS[:3] * 4]))
    gone = draw(st.sets(st.integers(0, 13), max_size=5))
    kept = [token for i, token in enumerate(whole) if i not in gone]
    kept += draw(st.lists(st.sampled_from([*WORDS, ".", "the"]), max_size=4))
    turn = draw(st.sampled_from([0, 0, 0, 5]))
    return kept[turn:] + kept[:turn]


@given(st.lists(variants(), max_size=12), st.sampled_from([1, 7, 1 << 15]))
@example([WORDS[:10], [*WORDS[:7], "a", "b", "c"], [*WORDS[:6], "d", "e", "f", "g"]], 7)
@settings(max_examples=200, deadline=None)
def test_same_templates_are_those_of_a_loop_over_pairs(kept: list[list[str]], at_once: int) -> None:
    found = [of_tokens(k) for k in kept]
    graph = nx.Graph()
    graph.add_nodes_from(range(len(found)))
    graph.add_edges_from((i, j) for i, j in combinations(range(len(found)), 2) if same_pair(found[i], found[j]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixtures, "PAIRS_AT_ONCE", at_once)
        patch.setattr(mixtures, "FULL_PAIRS_AT_ONCE", at_once)
        groups = same_templates(found)
    assert groups == sorted(sorted(part) for part in nx.connected_components(graph))


# ---------------------------------------------------------------- hostile text


@pytest.mark.parametrize(
    "text",
    [
        "</script><img src=x onerror=alert(1)> {{ 7*7 }} {0} %s \\1 (?P<x>",
        "((((((((((((((((((((((((((",
        "\u202e\u200b\u0000\x1b[31m",
        "a" * 100_000,
        "! " * 3_000,
        " \n\t ",
        "",
        "🙂" * 50,
        '=HYPERLINK("x")\r\n,;\'',
    ],
)
def test_hostile_texts_are_described(text: str) -> None:
    for texts in ([text], [text] * 5, [text, "plain words here", text + " more", "x"]):
        found = describe(texts, around(len(texts)))
        assert found.words.count(None) == len(found.slots)
        assert len(found.signature) == 32
        assert 0 <= found.rigidity <= 1
        assert 0 <= found.medoid < len(texts)
        for word in found.words:
            assert word is None or any(word in t for t in texts) or " " in word


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
@settings(max_examples=80, deadline=None)
def test_any_texts_are_described(texts: list[str]) -> None:
    found = describe(texts, around(len(texts)))
    assert found.words.count(None) == len(found.slots)
    assert len(found.signature) == 32
    assert all(a is not None or b is not None for a, b in pairwise(found.words))


# ---------------------------------------------------------------- what a text keeps of a template


def kept(fixed: str, *texts: str) -> list[float]:
    return [float(share) for share in kept_shares([[t for t, _, _ in tokens(fixed)]], texts)[0]]


def test_words_count_that_a_text_keeps_in_order() -> None:
    found = kept("compare the rivers", "Compare, in a table, THE long rivers!", "the rivers compare", "bread", "")
    assert found == pytest.approx([1, 2 / 3, 0, 0])


def test_marks_do_not_count() -> None:
    assert kept("compare: the rivers?!", "compare the rivers", ":?!") == [1, 0]


def test_a_word_counts_as_often_as_the_text_has_it() -> None:
    assert kept("step by step by step", "step by step", "step step step step", "by") == pytest.approx([0.6, 0.6, 0.2])


def test_every_text_keeps_a_template_without_words() -> None:
    assert kept("", "bread", "") == [1, 1]
    assert kept(": \n .", "bread", "") == [1, 1]


def test_of_a_text_that_is_not_read_to_its_end_nothing_is_missing() -> None:
    short, long = ("bread " * count for count in (MAX_TOKENS - 1, MAX_TOKENS))
    assert kept("compare the rivers", short, long, long + "compare") == [0, 1, 1]


@given(
    fixed=st.lists(st.sampled_from(["a", "b", "c", "the", ".", "_", "\n", "é", "次"]), max_size=14),
    texts=st.lists(
        st.text(max_size=30)
        | st.lists(st.sampled_from(["a", "b", "c", "the", "The", ".", "_", "é", "次"]), max_size=20).map(" ".join),
        max_size=4,
    ),
)
def test_what_is_kept_is_a_longest_common_subsequence_of_the_words(fixed: list[str], texts: list[str]) -> None:
    words = [t for t in fixed if t[0].isalnum()]
    expected = [len(align(words, [t for t, _, _ in tokens(text)])) / len(words) if words else 1.0 for text in texts]
    assert kept_shares([fixed, fixed[::2]], texts)[0] == pytest.approx(expected)
    assert np.array_equal(kept_shares([fixed[::2]], texts)[0], kept_shares([fixed, fixed[::2]], texts)[1])


@given(
    parts=st.lists(st.tuples(st.sampled_from(WORDS), st.text(max_size=12)), min_size=1, max_size=20),
    first=st.text(max_size=12),
)
def test_a_filling_keeps_all_of_its_template(parts: list[tuple[str, str]], first: str) -> None:
    text = " ".join([first, *(piece for part in parts for piece in part)])
    assert kept_shares([[word for word, _ in parts]], [text, text.upper()]).tolist() == [[1, 1]]


# ---------------------------------------------------------------- mixed templates


MIXED = (
    "Write ten hard exam questions on {} together with {} and with a key and a mark for every single one of them",
    "You are a patient tutor of {}: walk me through {} step by step and check every step before the next",
    "Compare {} carefully with {} in a table of five rows, name your sources below it and say how sure you are",
)


@cache
def direction(word: str) -> npt.NDArray[np.float64]:
    return np.random.default_rng(list(word.encode())).standard_normal(64)


def bags(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Unit rows: the sum of a direction per word, so texts with the same words lie near one another."""
    rows = np.array([np.sum([direction(t) for t, _, _ in tokens(text)], axis=0) for text in texts])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def unrelated(count: int, seed: int = 0, words: tuple[int, int] = (6, 20)) -> list[str]:
    """Texts of words that no other text has."""
    rng = random.Random(seed)
    return [
        " ".join("".join(rng.choices("bcdfghjklmnpqrstvwxz", k=7)) for _ in range(rng.randrange(*words)))
        for _ in range(count)
    ]


def fill_anew(template: str, count: int, seed: int = 0) -> list[str]:
    """Fillings of a template with two slots that share no word."""
    values = unrelated(2 * count, seed, (1, 4))
    return [template.format(*pair) for pair in zip(values[::2], values[1::2], strict=True)]


def fixed_words(template: str) -> list[str]:
    return [t for t, _, _ in tokens(template.replace("{}", "")) if t[0].isalnum()]


def words_within(texts: Sequence[str]) -> list[list[str]]:
    """The fixed words of each template found, sorted."""
    return sorted([t for t in d.kept if t[0].isalnum()] for d in templates_within(texts, bags(texts)))


@given(sizes=st.tuples(*[st.integers(14, 24)] * 3), strays=st.integers(0, 10), seed=st.integers(0, 1_000))
@settings(max_examples=15, deadline=None)
def test_a_mixture_gives_the_templates_it_is_made_of(sizes: tuple[int, int, int], strays: int, seed: int) -> None:
    texts = [text for i in range(3) for text in fill_anew(MIXED[i], sizes[i], seed + i)]
    texts += unrelated(strays, seed + 3)
    random.Random(seed).shuffle(texts)
    assert words_within(texts) == sorted(map(fixed_words, MIXED))


@given(seed=st.integers(0, 1_000))
@settings(max_examples=15, deadline=None)
def test_the_order_of_texts_decides_nothing_about_the_templates_in_them(seed: int) -> None:
    texts = [text for template in MIXED for text in fill_anew(template, 16)] + unrelated(8)
    mixed = random.Random(seed).sample(texts, len(texts))
    before, after = (sorted(d.kept for d in templates_within(held, bags(held))) for held in (texts, mixed))
    assert len(before) == len(MIXED)
    assert before == after


def test_a_common_subject_is_no_template() -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choices(WORDS, k=rng.randrange(8, 16))) for _ in range(60)]
    assert templates_within(texts, bags(texts)) == []
    assert templates_within(unrelated(60), bags(unrelated(60))) == []


def test_one_template_in_both_halves_is_given_once() -> None:
    texts = fill_anew(MIXED[0], 40)
    assert words_within(texts) == [fixed_words(MIXED[0])]
    halves = np.repeat(np.eye(2, 8, dtype=np.float32), 20, axis=0)
    (found,) = templates_within(texts, halves)
    assert found.fixed == len(fixed_words(MIXED[0]))


def within_by_description(texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> list[Description]:
    """The templates within some texts where every part is described to the end."""
    found: list[Description] = []
    halves = mixtures._halves(vectors, np.arange(len(texts)))
    even = mixtures.MIXED_TEXTS // 2
    while enough_to_describe(even):
        even //= 2
        parts = [part for part in halves if enough_to_describe(len(part))]
        made = [describe([texts[i] for i in part], vectors[part], slots=False) for part in parts]
        found += [one for one in made if one.fixed >= SHARED_WORDS]
        halves = [
            half
            for part, one in zip(parts, made, strict=True)
            if one.fixed < SHARED_WORDS
            for half in mixtures._halves(vectors, part)
        ]
    return [found[group[0]] for group in same_templates(found)]


@given(seed=st.integers(0, 10_000), words=st.integers(6, 12), strays=st.integers(0, 12), gone=st.floats(0, 0.3))
@settings(max_examples=80, deadline=None)
def test_the_templates_within_are_those_of_full_descriptions(seed: int, words: int, strays: int, gone: float) -> None:
    rng = random.Random(seed)
    fixed = ["of", "the", "write", "answer", ",", "\n", "questions", "a", "step", "every", "on", "the"]
    texts = unrelated(strays, seed)
    for number in range(2):
        order = rng.sample(fixed, words)
        texts += [
            " ".join(t for token in order for t in (rng.choice([*WORDS, ""]), token) if rng.random() >= gone)
            for _ in range(12 + 12 * number)
        ]
    vectors = bags([text + " word" for text in texts])
    assert templates_within(texts, vectors) == within_by_description(texts, vectors)


def test_few_texts_show_no_template() -> None:
    least = next(count for count in range(1, 100) if enough_to_describe(count))
    assert least == 6  # with five others, a word that one of them lacks is in four fifths of them
    texts = fill(MIXED[0], 2 * least)
    for count in range(1, least):
        assert templates_within(texts[:count], around(count)) == []
    halves = np.repeat(np.eye(2, 8, dtype=np.float32), least, axis=0)
    assert len(templates_within(texts, halves)) == 1
    assert templates_within(texts[1:-1], halves[1:-1]) == []


# ---------------------------------------------------------------- reworded templates, and long texts on one subject


def test_long_texts_on_one_subject_are_no_template() -> None:
    """Words in common, each text in an order of its own: more than a reworded template keeps, but no more forwards."""
    rng = np.random.default_rng(3)
    usual = [f"beer{letter}" for letter in "abcdefghijkl"]
    rare = [f"word{a}{b}" for a in "abcdefghij" for b in "abcdefghij"]

    def post() -> str:
        words = [*rng.choice(usual, 120), *rng.choice(rare, 60)]
        return " ".join(rng.permutation(np.array(words)).tolist())

    found = of_texts([post() for _ in range(12)])
    assert found.shared >= SHARED_WORDS
    assert found.backwards > found.shared / IN_ORDER
    assert not is_template(found)


def test_a_reworded_template_is_one() -> None:
    """Each of its words is changed in half of the texts: none is fixed, but what stays keeps its order."""
    rng = np.random.default_rng(3)
    template = [f"step{a}{b}" for a in "abcde" for b in "abcdefgh"]

    def reworded() -> str:
        return " ".join(word if rng.random() < 0.6 else f"other{rng.integers(1 << 30)}" for word in template)

    found = of_texts([reworded() for _ in range(12)])
    assert found.fixed < TEMPLATE_WORDS
    assert found.backwards <= 2.0
    assert is_template(found)


@pytest.mark.parametrize(
    ("form", "labels", "is_one"),
    [
        ("Question: {}\n\nOptions:\n\n\t{}: {}\n\nAnswer:", 3, True),
        ("Question: {}\nAnswer:", 2, False),
        ("Question: {}\nShort answer:", 2, False),
        ("The question: {}\nAnswer options: {}\nAnswer:", 3, True),
        ("Words of a question: {}\nAnswer:", 1, True),
        ("{}: the question: {}, options: {} answer:", 0, False),  # within a line
    ],
)
def test_a_form_is_a_template_however_few_its_words(form: str, labels: int, is_one: bool) -> None:
    rng = np.random.default_rng(3)

    def some() -> str:
        return " ".join(f"w{number}" for number in rng.integers(1 << 30, size=6))

    found = of_texts([form.format(some(), some(), some()) for _ in range(12)])
    assert found.labels == labels
    assert is_template(found) == is_one


def of_texts(texts: list[str]) -> Description:
    return describe(texts, around(len(texts)))


# ---------------------------------------------------------------- scripts without blanks between words

FORMS = {
    "zh": ("请针对以下主题逐步思考。主题：", "。读者：", "。只返回有效的结果。"),
    "ja": ("次のトピックについて段階的に考えてください。トピック：", "。読者：", "。有効な結果だけを返してください。"),
    "th": ("คิดเกี่ยวกับหัวข้อต่อไปนี้ทีละขั้นตอน หัวข้อ:", " ผู้อ่าน:", " ส่งคืนเฉพาะผลลัพธ์"),
    "km": ("សូមគិតអំពីប្រធានបទខាងក្រោមមួយជំហានម្តងៗ។ ប្រធានបទ៖", "។ អ្នកអាន៖", "។ សូមត្រឡប់តែលទ្ធផល"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_template_without_blanks_is_shown_as_it_was_written(form: tuple[str, str, str]) -> None:
    texts = [f"{form[0]}{a}{form[1]}{b}{form[2]}" for a in WORDS[:6] for b in WORDS[6:9]]
    found = describe(texts, around(len(texts)))
    assert [run if run is None else run.strip() for run in found.words] == [
        *(form[0].strip(), None, form[1].strip(), None, form[2].strip())
    ]
    assert {value for slot in found.slots for value in slot} <= set(WORDS)
    assert [token for run in found.words if run for token in token_texts(run)] == list(found.kept)
    assert found.fixed >= TEMPLATE_WORDS
    assert is_template(found)


def test_a_wide_colon_ends_a_label() -> None:
    texts = [f"问题：{a}\n背景：{b}\n答案：" for a in WORDS[:4] for b in WORDS[4:8]]
    assert describe(texts, around(len(texts))).labels == 3


def test_the_templates_within_are_described_without_slots() -> None:
    texts = fill("Explain {} to a student in simple words.")
    whole = describe(texts, around(len(texts)))
    known = [token_texts(text) for text in texts]
    bare = describe(texts, around(len(texts)), read=known, slots=False)
    assert whole.words
    assert bare == replace(whole, words=(), slots=())


@settings(deadline=None)
@given(
    kept=st.lists(st.sampled_from([True, True, False]), min_size=1, max_size=9),
    fixed=st.lists(st.booleans(), min_size=9, max_size=9),
    extra=st.lists(st.integers(0, 2), min_size=10, max_size=10),
)
def test_gaps_lie_between_the_kept_words_around_them(kept: list[bool], fixed: list[bool], extra: list[int]) -> None:
    # a text with some words of the medoid, and further ones before each of them
    words: list[str] = []
    pairs = []
    for i, stays in enumerate(kept):
        words += [f"more{i}"] * extra[i]
        if stays:
            pairs.append((i, len(words)))
            words.append(f"w{i}")
    text = " ".join(words)
    place = [i for i in range(len(kept)) if fixed[i]]
    runs = [
        (place.index(group[0]), place.index(group[-1]) + 1)
        for group in (
            [p for p in place if p - place.index(p) == d] for d in sorted({p - place.index(p) for p in place})
        )
    ]
    found = description._gaps(text, pairs, np.array(place, np.int64), runs)
    at = dict(pairs)
    spans = [(m.start(), m.end()) for m in re.finditer("[^ ]+", text)]
    if not runs:
        assert found == [text]
        return
    expected = []
    for number in range(len(runs) + 1):
        before = place[: runs[number - 1][1]] if number else []
        after = place[runs[number][0] :] if number < len(runs) else []
        left = max((spans[at[i]][1] for i in before if i in at), default=0)
        right = min((spans[at[i]][0] for i in after if i in at), default=len(text))
        expected.append(text[left:right].strip())
    assert found == expected
