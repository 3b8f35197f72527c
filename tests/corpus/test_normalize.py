"""The form of a text that is compared."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harvestdetect.corpus.normalize import is_wordy, normalize, outline, sentences

INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u2060\ufeff\ufe0f\u202e\U000e0041"
TEXTS = st.text(
    alphabet=st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("aeкоеАЕαοΣςßİıſﬁ\u0301\u0308\u0345\u200b\u00ad\u3000\x1f\x85 \n\tA1."),
    ),
    max_size=40,
)


# ---------------------------------------------------------------- normalize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("Explain   THIS\n\tplease ", "explain this please"),
        ("a\x00b\x07c\x7f", "abc"),
        ("a\x1cb", "a b"),
        ("Ｅｘｐｌａｉｎ", "explain"),
        ("ﬁne ½ ①", "fine 1⁄2 1"),
        ("STRASSE straße", "strasse strasse"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("cafe\u0301", "café"),
        ("ex\u200bpl\u00ada\u2060in\ufeff", "explain"),
        ("a\u00a0b\u3000c\u2028d", "a b c d"),
        ("tag\U000e0041\U000e0042s", "tags"),
        ("日本語　テキスト", "日本語 テキスト"),
    ],
)
def test_normalize(text: str, expected: str) -> None:
    assert normalize(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ехplаin thе stеps",
        "Еxplаin the steps",
        "explαin the stεps",
        "explaın the steps",
        "ｅxplain the ѕteps",
    ],
)
def test_look_alike_letters_in_latin_text_become_latin(text: str) -> None:
    assert normalize(text) == "explain the steps"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Объясни это просто", "объясни это просто"),
        ("привет from москва", "привет from москва"),
        ("Εξήγησε το", "εξήγησε το"),
        ("Բացատրիր", "բացատրիր"),
    ],
)
def test_letters_of_other_scripts_stay_in_texts_of_those_scripts(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_lone_surrogates_vanish() -> None:
    assert normalize("a\ud800b\udfff") == "ab"


@pytest.mark.parametrize("mark", INVISIBLE)
def test_an_invisible_character_anywhere_changes_nothing(mark: str) -> None:
    text = "Summarise the café menu"
    for place in range(len(text) + 1):
        assert normalize(text[:place] + mark + text[place:]) == normalize(text)


@given(TEXTS)
@example("İstanbul")
@example("\u0345a\u0301")
@settings(max_examples=300, deadline=None)
def test_normalize_twice_is_normalize_once(text: str) -> None:
    once = normalize(text)
    assume(unicodedata.is_normalized("NFKC", once))  # see the next test
    assert normalize(once) == once


def test_an_accent_on_a_look_alike_letter() -> None:
    once = normalize("cafе\u0301 latte")  # a Cyrillic letter and a combining accent
    assert once == "café latte"
    assert normalize(once) == once


@given(TEXTS)
@settings(deadline=None)
def test_what_is_left_has_single_blanks_and_no_case(text: str) -> None:
    clean = normalize(text)
    assert clean == " ".join(clean.split())
    assert not any(c.isascii() and c.isupper() for c in clean)
    assert not any(unicodedata.category(c) == "Cs" or ord(c) < 32 or c in INVISIBLE for c in clean)


@given(TEXTS)
@settings(deadline=None)
def test_canonical_forms_of_a_text_are_the_same(text: str) -> None:
    assert normalize(unicodedata.normalize("NFD", text)) == normalize(unicodedata.normalize("NFC", text))


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=40))
@settings(deadline=None)
def test_plain_text_is_treated_like_any_other(text: str) -> None:
    # the short way for ASCII gives what the long way gives beside one letter that it leaves alone
    assert normalize(text + " é") == f"{normalize(text)} é".strip()
    assert normalize(text.upper()) == normalize(text.lower())


# ---------------------------------------------------------------- sentences


def test_sentences_are_cut_at_marks_and_lines() -> None:
    text = 'Read this.  "Answer it!" Then stop?\nA line\r\n\n  Another  LINE \u2028third…  End'
    assert list(sentences(text)) == [
        "read this.",
        '"answer it!',
        "then stop?",
        "a line",
        "another line",
        "third...",
        "end",
    ]


@pytest.mark.parametrize("text", ["", " \n\n ", "\u200b\n\u200b"])
def test_an_empty_text_has_no_sentences(text: str) -> None:
    assert list(sentences(text)) == []


def test_numbers_and_names_with_points_stay_whole() -> None:
    assert list(sentences("Use version 3.11 of v1.2.3 now. Done")) == [
        "use version 3.11 of v1.2.3 now.",
        "done",
    ]


def test_sentences_without_blanks_between_them() -> None:
    assert list(sentences("これは文です。次の文です！最後？はい")) == [
        "これは文です。",
        "次の文です!",
        "最後?",
        "はい",
    ]


@given(TEXTS)
@settings(deadline=None)
def test_sentences_are_normalised_and_not_empty(text: str) -> None:
    for sentence in sentences(text):
        assert sentence
        assert sentence == " ".join(sentence.split())


@given(st.lists(st.text(alphabet="abcd ", min_size=1, max_size=12).filter(str.strip), max_size=6))
@settings(deadline=None)
def test_lines_come_back_in_their_order(lines: list[str]) -> None:
    assert list(sentences("\n".join(lines))) == [" ".join(line.split()) for line in lines]


def test_a_long_text_is_cut_in_time() -> None:
    text = ("word " * 20 + ". ") * 5_000 + "!" * 50_000 + '"' * 50_000
    assert len(list(sentences(text))) >= 5_000


# ---------------------------------------------------------------- is_wordy


@pytest.mark.parametrize(
    "text",
    [
        "answer with the letter only",
        "write a short reply to this message",
        "このテキストを要約してください",
        "请用三句话解释这个概念",
        "이 문장을 한국어로 번역해 주세요",
        "объясни каждый шаг решения подробно",
    ],
)
def test_an_instruction_is_wordy(text: str) -> None:
    assert is_wordy(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "thank you so much",
        "a b c d",
        "supercalifragilisticexpialidocious",
        "你好",
        "はい",
        "привет",
    ],
)
def test_a_short_phrase_is_not_wordy(text: str) -> None:
    assert not is_wordy(text)


def test_the_limits_of_wordiness_can_be_set() -> None:
    assert is_wordy("one two", characters=5, words=2)
    assert not is_wordy("one two", characters=5, words=3)
    assert not is_wordy("one two", characters=8, words=2)


# ---------------------------------------------------------------- outline


def test_the_outline_is_the_labels_of_the_lines() -> None:
    text = "Question: what is it?\nA. one\nB. two\n(C) three\n## Notes\n[Answer]\nfree text here\nAnswer: A"
    assert outline(text) == "question: | a. | b. | (c) | ## notes | [answer] | answer:"


def test_items_with_other_fillings_share_their_outline() -> None:
    one = "Question: why?\nA) x\nB) y\nAnswer:"
    two = "QUESTION:  how come, and when?\n A) long text here\nB) z: y\nAnswer: "
    assert outline(one) == outline(two) == "question: | a) | b) | answer:"


def test_numbers_are_one_label_and_equal_neighbours_one() -> None:
    text = "Steps:\n1. go\n2. stop\n10. end\nResult: x"
    assert outline(text) == "steps: | #. | result:"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no labels here at all",
        "A: B: C: on one line",
        "Q: one\nA: two",
        "a\nb\nc\nd",
        "1. x\n2. y\n3. z\n4. w",
    ],
)
def test_few_labels_are_no_outline(text: str) -> None:
    assert outline(text) == ""


def test_how_many_labels_it_takes_can_be_set() -> None:
    assert outline("Q: one\nA: two", labels=2) == "q: | a:"


@given(TEXTS)
@settings(deadline=None)
def test_an_outline_never_fails(text: str) -> None:
    assert isinstance(outline(text.replace(" ", "\n")), str)


def test_a_long_text_is_outlined_in_time() -> None:
    assert outline("label of a line: x\n" * 20_000) == ""
    assert outline("\n".join(["a" * 100_000, "[" * 100_000, "<" * 100_000, "#" * 100_000])) == ""
    assert outline(" \t" * 100_000 + "\n" + "a b-" * 50_000) == ""


# ---------------------------------------------------------------- scripts without blanks between words


@pytest.mark.parametrize(
    ("text", "wordy"),
    [
        ("请针对以下主题逐步思考", True),
        ("你好世界", False),
        ("คิดเกี่ยวกับหัวข้อต่อไปนี้ทีละขั้นตอน", True),
        ("ขอบคุณครับ", False),
        ("សូមគិតអំពីប្រធានបទខាងក្រោម", True),
    ],
)
def test_words_are_counted_where_no_blank_is(text: str, wordy: bool) -> None:
    assert is_wordy(text) == wordy


def test_full_stops_of_other_scripts_end_sentences() -> None:
    assert list(sentences("សូមគិត។សូមសរសេរ។ ល្អ")) == ["សូមគិត។", "សូមសរសេរ។", "ល្អ"]
    assert list(sentences("စဉ်းစားပါ။ရေးပါ။")) == ["စဉ်းစားပါ။", "ရေးပါ။"]
    assert list(sentences("यह है। वह था।")) == ["यह है।", "वह था।"]


def test_labels_of_other_scripts_make_an_outline() -> None:
    assert outline("问题：甲\n背景：乙\n答案：丙") == "问题: | 背景: | 答案:"
    assert outline("หัวข้อ:ถดถอย\nผู้อ่าน: ครู\nคำตอบ:") == "หัวข้อ: | ผู้อ่าน: | คําตอบ:"
    assert outline("1、甲\n问题：乙\n（a）丙") == "#、 | 问题: | (a)"
