"""Small files that a person names: read to a limit, and told about clearly."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from harvestdetect.errors import InputError, SignatureError
from harvestdetect.util.small_files import small_bytes, small_text

LEAST = {"name": "the list", "advice": "give fewer", "error": InputError}


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_bytes(b"x" * 10)
    assert small_bytes(file, most=10, **LEAST) == b"x" * 10  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the list has more than 9 bytes; give fewer"):
        small_bytes(file, most=9, **LEAST)  # type: ignore[arg-type]
    with pytest.raises(SignatureError, match="cannot read the key: "):
        small_bytes(tmp_path, name="the key", most=9, advice="name another", error=SignatureError)


def test_an_endless_standard_input_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    with pytest.raises(InputError, match="has more than 100 bytes"):
        small_bytes(None, most=100, **LEAST)  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match=r"standard input \(-\) is closed"):
        small_bytes(None, most=100, **LEAST)  # type: ignore[arg-type]


def test_only_text_is_text() -> None:
    assert small_text("\ufeffprüfe".encode(), **LEAST) == "prüfe"  # type: ignore[arg-type]
    for raw, said in ((b"\xff\xfe", "is not UTF-8 text; give fewer"), (b"a\0b", "has NUL characters")):
        with pytest.raises(InputError, match=f"the list {said}"):
            small_text(raw, **LEAST)  # type: ignore[arg-type]
