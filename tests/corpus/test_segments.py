"""Blocks prepared all at once give what text by text gives."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.corpus.block import LAYOUT, Cutting
from harvestdetect.corpus.normalize import is_wordy, normalize, outline, sentences
from harvestdetect.corpus.prepare import prepare
from harvestdetect.corpus.segments import SHORT, digests, normalized, shareable
from harvestdetect.data import FIELDS, NO_TIME, OUTLINE, PROMPT_SCHEMA, SENTENCE

PLAIN = (
    *("a", "word", "The", "foo bar baz qux quux ", " ", "  ", "\t", "\n", "\r\n", "\n\n", ". ", ".", "!", "?", "..."),
    *('."', ".)", "?' ", '!")', "] ", '"', "(", "-", "_", "3.14", "A) ", "B. ", "Name: ", "x: ", "\n1. ", "\ny: "),
    *("# Head\n", "[tag]\n", "<x y>\n"),
)
ODD = (
    *("\u200b", "…", "。", "！", "é", "ß", "İ", "а", "漢字", "\u3000", "\xa0", "\u2028", "»", "” ", "\x0b", "\x1c"),
    *("\x00", "\x7f", "\x85", "ﬁ", "²", "\u0308", "①"),
)
TEXT = st.one_of(
    st.lists(st.sampled_from(PLAIN), max_size=30).map("".join),
    st.lists(st.sampled_from(PLAIN + ODD), max_size=30).map("".join),
)


def one_by_one(text: str) -> dict[str, int]:
    """What of a text is compared on its own, and its kind."""
    found: dict[str, int] = {}
    if len(text) > SHORT:
        cut = list(sentences(text))
        found = {s: SENTENCE for s in cut if len(cut) > 1 and is_wordy(s)}
        if labels := outline(text):
            found.setdefault(labels, OUTLINE)
    return found


@given(st.lists(TEXT, max_size=8))
@settings(max_examples=200, deadline=None)
def test_texts_together_give_what_each_gives(texts: list[str]) -> None:
    column = pa.array(texts, pa.large_string())
    assert normalized(column).to_pylist() == [normalize(text) for text in texts]
    found = shareable(column)
    by_text: list[dict[str, int]] = [{} for _ in texts]
    for owner, kind, text in zip(found.owner.tolist(), found.kind.tolist(), found.text, strict=True):
        assert text not in by_text[owner]
        by_text[owner][text] = kind
    assert by_text == [one_by_one(text) for text in texts]
    keys = list(zip(found.owner.tolist(), found.digest.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert len(set(found.digest.tolist())) == len(set(found.text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One two three four five six. Seven eight nine ten eleven.", 2),
        ('He said "one two three four five." Then nothing more came of it.', 2),
        # a sign behind the last stop is a sentence too short to count; a blank behind it leaves it out
        ('one two three four five six seven."', 1),
        ('one two three four five six seven." ', 0),
        ("one two three four five six seven.", 0),
        ("Version 3.14 of it is one sentence and no more than that", 0),
        ("one two three four five six\n\n one two three four five six", 1),
    ],
)
def test_where_sentences_end(text: str, expected: int) -> None:
    assert len(shareable(pa.array([text], pa.large_string())).text) == expected


def test_a_run_of_signs_takes_no_longer_than_its_length() -> None:
    text = (
        "One two three four five six."
        + ")" * 300_000
        + " Seven eight nine ten eleven. "
        + "." * 300_000
        + "\n" * 300_000
    )
    assert set(shareable(pa.array([text] * 3, pa.large_string())).text) == set(one_by_one(text))


def test_digests_sort_as_their_bytes() -> None:
    texts = [f"text {i}".encode() for i in range(50)]
    raw = [hashlib.blake2b(text, digest_size=16).digest() for text in texts]
    found = digests(texts)
    assert [pair.astype(">u8").tobytes() for pair in found] == raw
    assert np.lexsort((found[:, 1], found[:, 0])).tolist() == sorted(range(50), key=raw.__getitem__)


@pytest.mark.parametrize("rows", [0, 3])
def test_every_array_is_of_its_type(rows: int) -> None:
    made = {"file": 0, "line": 1, "account": "a", "time": NO_TIME, "created_at": NO_TIME}
    made |= {"roles": ["user"], "parts": ["some long text " * 60]} | {n: None for n in FIELDS if n != "created_at"}
    block = pa.RecordBatch.from_pylist([made] * rows, schema=PROMPT_SCHEMA)
    found = prepare(block, Cutting())
    for name, (kind, width) in LAYOUT.items():
        array = getattr(found, name)
        assert (array.dtype, array.ndim) == (kind, 1 if width == 1 else 2), name
        assert width == 1 or array.shape[1] == width
    assert len(found.line) == rows
    assert found.owner.tolist() == [0] * len(found.kind)
