"""Texts in a file: what was put there comes back, in any order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvestdetect.errors import ScratchError
from harvestdetect.util.texts import GAP, SPAN, TextFile, Texts, pack, unpack, write_texts

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=20)


@given(values=TEXTS, data=st.data())
@settings(max_examples=100, deadline=None)
def test_texts_come_back_in_any_order_and_as_often_as_wanted(values: list[str], data: st.DataObject) -> None:
    texts = write_texts(values)
    assert list(texts) == values
    wanted = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=30)) if values else []
    rows = np.array(wanted, np.int64)
    expected = [values[row] for row in wanted]
    assert texts.take(rows) == expected
    assert list(texts.select(rows)) == expected
    column = texts.column(rows)
    assert column.type == pa.large_binary()
    assert column.to_pylist() == [text.encode() for text in expected]


def test_texts_that_lie_far_apart_are_read_without_what_is_between(monkeypatch: pytest.MonkeyPatch) -> None:
    file = TextFile()
    sizes = [5, GAP - 1, 7, GAP + 1, 0, 9, SPAN, 3, 2 * GAP, 4]
    starts = [file.append(bytes([65 + i]) * size) for i, size in enumerate(sizes)]
    texts = Texts(file, np.array(starts), np.array(sizes, np.int32))
    read: list[int] = []
    whole = TextFile.read_into

    def counted(self: TextFile, place: int, target: np.ndarray) -> None:
        read.append(len(target))
        whole(self, place, target)

    monkeypatch.setattr(TextFile, "read_into", counted)
    rows = np.array([9, 7, 5, 4, 2, 0, 2])
    assert texts.column(rows).to_pylist() == [bytes([65 + i]) * sizes[i] for i in rows]
    assert read == [5 + GAP - 1 + 7, 9, 3, 4]


def test_bytes_beyond_the_end_are_an_error() -> None:
    file = TextFile()
    assert file.append(b"abc") == 0
    assert file.append(memoryview(b"de")) == 3
    assert (file.read(2, 2), file.bytes) == (b"cd", 5)
    target = np.zeros(4, np.uint8)
    file.read_into(1, target)
    assert target.tobytes() == b"bcde"
    with pytest.raises(ScratchError, match="no data from byte 5 on"):
        file.read_into(3, np.zeros(4, np.uint8))


@given(values=TEXTS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_column_is_packed_and_unpacked(values: list[str], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(values)))
    for kind in (pa.string(), pa.large_string()):
        size, raw = pack(pa.array(values, kind).slice(first))
        assert size.tolist() == [len(v.encode()) for v in values[first:]]
        assert raw.tobytes() == "".join(values[first:]).encode()
        assert unpack(size, raw).to_pylist() == values[first:]
