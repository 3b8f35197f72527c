"""Words of any script: what is cut where, and that nothing is lost."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harvestdetect.util.words import (
    KNOWN_CHARACTERS,
    RUN_CHARACTERS,
    RUN_LETTERS,
    borders,
    combining_marks,
    count_words,
    has_runs,
    is_plain,
    is_spelled,
    joined,
    letters,
    segmenter,
    spaced,
    token_spans,
    words,
)

SENTENCES = {
    "zh": ("请针对以下主题逐步思考。", ["请", "针对", "以下", "主题", "逐步", "思考"]),
    "ja": ("今日はとても良い天気です。", ["今日", "は", "とても", "良い", "天気", "です"]),
    "th": ("คิดเกี่ยวกับหัวข้อ", ["คิด", "เกี่ยว", "กับ", "หัวข้อ"]),
    "lo": ("ຄິດກ່ຽວກັບຫົວຂໍ້", ["ຄິດ", "ກ່ຽວກັບ", "ຫົວຂໍ້"]),
    "km": ("សូមគិតអំពីប្រធានបទ", ["សូម", "គិត", "អំពី", "ប្រធានបទ"]),
    "my": ("ခေါင်းစဉ်ကိုစဉ်းစားပါ", ["ခေါင်းစဉ်", "ကို", "စဉ်းစား", "ပါ"]),
}
HIDDEN = "\u200b\u200c\u200d\u2060"
TEXTS = st.lists(
    st.sampled_from([*(text for text, _ in SENTENCES.values()), "don't", " ", "\n", "JSON", "3.14", "，", "<推理>"])
    | st.text(max_size=6)
    | st.text("的是ののアｶﾞกิึเ\u200b\u200d\u0301ក្កက္က한👩\U00020000", max_size=12),
    max_size=8,
).map("".join)


@pytest.mark.parametrize(("text", "found"), SENTENCES.values(), ids=SENTENCES)
def test_runs_are_cut_into_the_words_of_their_language(text: str, found: list[str]) -> None:
    assert words(text) == found
    assert count_words(text) == len(found)
    assert spaced(text).split() == [*found[:-1], found[-1] + ("。" if text.endswith("。") else "")]


def test_mixed_scripts() -> None:
    text = "使用Python编写<推理>标签。JSON的《红楼梦》"
    assert words(text) == ["使用", "Python", "编写", "推理", "标签", "JSON", "的", "红楼梦"]
    assert spaced(text) == "使用 Python 编写< 推理> 标签。 JSON 的《 红楼梦》"
    assert count_words("please 用中文 answer, don't ask") == len(words("please 用中文 answer, don't ask")) == 7


def test_english_counts_what_blanks_separate() -> None:
    assert count_words("don't ask me about e-mail") == 5
    assert spaced("don't ask me 👩‍👩‍👧 é") == "don't ask me 👩‍👩‍👧 é"


def test_marks_emoji_and_wide_forms() -> None:
    assert words("हिन्दी में") == ["हिन्दी", "में"]
    assert words("cafe\u0301 au lait") == ["cafe\u0301", "au", "lait"]
    assert words("ｶﾀｶﾅ テスト ＡＢＣ１２") == ["ｶﾀｶﾅ", "テスト", "ＡＢＣ１２"]
    assert words("か\u3099は") == ["か\u3099", "は"]
    assert words("👩‍👩‍👧 ❤️ 好") == ["好"]
    assert words("ລາວ\u200bດີ") == ["ລາວ", "ດີ"]
    assert words("\U00020000\U00020001的文章") == ["\U00020000", "\U00020001", "的", "文章"]


def test_digits_of_any_script_are_words_of_their_own() -> None:
    assert words("๑๒ครั้ง ១២ដង") == ["๑๒", "ครั้ง", "១២", "ដង"]


@given(TEXTS)
@example("a\u0301的\u200b")
@example("\u200b的")
@settings(max_examples=300, deadline=None)
def test_spans_are_in_order_and_leave_out_only_blanks_and_hidden_characters(text: str) -> None:
    place = 0
    for start, stop in token_spans(text):
        assert place <= start < stop <= len(text)
        assert all(c in HIDDEN or (c.isspace() and c != "\n") for c in text[place:start])
        place = stop
    assert "".join(spaced(text).split()) == "".join(text.split())
    assert spaced(text).replace(" ", "") == text.replace(" ", "")


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_words_of_a_text_do_not_depend_on_other_lines(text: str) -> None:
    assert words(f"{text}\nand so on") == [*words(text), "and", "so", "on"]


@given(
    st.text("กขคงเแิ่้ๆคนไทยดี", min_size=1, max_size=40) | st.text("的是在人有我他这中文", min_size=1, max_size=40),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_a_long_run_is_cut_in_pieces_without_losing_a_letter(piece: str, data: st.DataObject) -> None:
    run = piece * (RUN_CHARACTERS // len(piece) + data.draw(st.integers(1, 40)))
    found = [run[a:b] for a, b in token_spans(run)]
    assert "".join(found) == run


def test_pieces_of_a_long_run_are_cut_as_short_ones() -> None:
    sentence = SENTENCES["zh"][0].rstrip("。")
    count = 3 * RUN_CHARACTERS // len(sentence)
    assert words(sentence * count) == SENTENCES["zh"][1] * count
    assert len(sentence) < KNOWN_CHARACTERS < len(sentence * count)


def test_letters_are_about_those_of_a_transcription() -> None:
    assert letters("the word") == 8
    assert letters("主题") == 6
    assert letters("です") == 4
    assert letters("주제") == 6
    assert letters("หัวข้อ") == 6


def test_spelled_words_have_no_digits() -> None:
    assert is_spelled("หัวข้อ")
    assert is_spelled("हिन्दी")
    assert is_spelled("word")
    assert not is_spelled("หัว2")
    assert not is_spelled("a_b")
    assert not is_spelled("x1")


def test_joined_pieces_keep_their_words() -> None:
    assert joined("please", "think") == "please think"
    assert joined("请", "思考") == "请思考"
    assert joined("คิด", "เกี่ยวกับ") == "คิดเกี่ยวกับ"
    assert joined("红楼", "梦") == "红楼 梦"


@given(TEXTS, TEXTS)
@settings(max_examples=200, deadline=None)
def test_joining_changes_no_word(left: str, right: str) -> None:
    assert (
        words(joined(left, right)) == [*words(left), *words(right)] or unicodedata.category((right or " ")[0])[0] == "M"
    )


def test_borders_of_words_near_a_place() -> None:
    text = "请针对以下主题逐步思考"
    assert borders(text, 2) == (1, 3)
    assert borders(text, 3) == (3, 3)
    assert borders("plain words only", 4) is None


def test_plain_texts_and_runs_are_told_apart() -> None:
    assert [is_plain(text) for text in ("naïve", "nai\u0308ve", "x中", "한국어 тема")] == [True, False, False, True]
    assert [has_runs(text) for text in ("naïve", "nai\u0308ve", "x中", "한국어 тема")] == [False, False, True, False]


@given(TEXTS | st.text(st.characters(categories=("L", "M", "S", "P")), max_size=40) | st.text("a\u02ff\u0300’😀е"))
@settings(deadline=None)
def test_a_text_is_plain_if_no_character_is_of_a_run_or_a_combining_mark(text: str) -> None:
    assert is_plain(text) == (re.search(f"[{RUN_LETTERS}{combining_marks()}]", text) is None)


def test_the_segmenter_is_named_with_its_version() -> None:
    assert segmenter().startswith("ICU ")
