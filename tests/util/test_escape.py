"""Text that is shown does nothing: in HTML, CSV, JSON and a terminal."""

from __future__ import annotations

import json
import math
import re
import sys
import unicodedata
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.util.escape import INVISIBLE, csv_cell, csv_text, html_text, json_text, visible

# ---------------------------------------------------------------- escaping


def test_every_control_and_format_character_is_shown() -> None:
    seen_as_signs = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    hieroglyph_joiners = range(0x13430, 0x13460)
    missed = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and code not in seen_as_signs
        and code not in hieroglyph_joiners
        and code not in (9, 10)
        and INVISIBLE.search(chr(code)) is None
    ]
    assert missed == []
    assert visible("a\tb\n\u202e") == "a⟨U+0009⟩b⟨U+000A⟩⟨U+202E⟩"
    assert visible("a\tb\r\n\x1b", keep_lines=True) == "a\tb\n⟨U+001B⟩"


def test_html_text_shows_runs_cuts_and_keeps_an_emoji_whole() -> None:
    assert html_text("a\u200b\u200b\u200b<b>") == 'a<b class="inv">U+200B ×3</b>&lt;b&gt;'
    assert html_text("❤\ufe0f") == "❤\ufe0f"
    assert "U+FE0F" in html_text("x\ufe0e\ufe0f")
    assert html_text("x" * 1_234, 34).endswith('<span class="cut">… 1,200 more characters</span>')
    assert html_text("x" * 35, 34).endswith("… 1 more character</span>")


@given(st.text(alphabet=st.characters(), max_size=40))
@settings(max_examples=150, deadline=None)
def test_html_text_leaves_nothing_hidden_and_no_tag_of_its_own(text: str) -> None:
    page = html_text(text)
    assert INVISIBLE.search(page) is None
    assert set(re.findall(r"<[^>]*>", page)) <= {'<b class="inv">', "</b>"}


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n\\u0041e aé＝\x00\u202e\U000e0041\ud800"), max_size=12) | st.text())
@settings(max_examples=300, deadline=None)
def test_csv_cells_are_harmless_and_reversible(text: str) -> None:
    cell = csv_cell(text)
    assert csv_text(cell) == text
    assert re.match(r"\s*[=+\-@\t\r＝＋－＠]", cell) is None
    assert INVISIBLE.search(cell) is None
    assert "\n" not in cell


def test_csv_cells_of_ordinary_ids_are_unchanged() -> None:
    for text in ("user1", "a=b", r"DOMAIN\user", "Zoë", "it's", "a-b@example.org"):
        assert csv_cell(text) == text
    assert csv_cell("  =1+1") == "'  =1+1"
    assert csv_cell("\tx") == r"'\u0009x"
    assert csv_cell(r"\u0041") == r"\u005cu0041"


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
@settings(max_examples=100, deadline=None)
def test_json_text_reads_back_and_is_printable(value: Any) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert INVISIBLE.search(text) is None


def test_json_text_of_what_json_cannot_say() -> None:
    assert json_text("a\ud800\u2028") == '"a\\ufffd\\u2028"'
    assert json_text({"NaN": [math.nan, math.inf, -math.inf, 'Infinity \\"NaN']}) == (
        '{"NaN": [null, null, null, "Infinity \\\\\\"NaN"]}'
    )
    assert json_text([math.inf, -math.inf], infinity="1e999") == "[1e999, -1e999]"
